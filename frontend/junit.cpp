#include "frontend/junit.h"

#include <fmt/format.h>

#include <fstream>

#include "machine/base/error.h"

namespace reprise {

namespace {

/// XML 1.0, 2.2: most control characters cannot be written at all.
std::string escaped(const std::string& text)
{
    std::string result;
    for (const char c : text) {
        if (c == '&') result += "&amp;";
        else if (c == '<') result += "&lt;";
        else if (c == '>') result += "&gt;";
        else if (c == '"') result += "&quot;";
        else if (static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t') result += '?';
        else result += c;
    }
    return result;
}

}  // namespace

std::string junit_text(const std::vector<TestReport>& reports)
{
    std::size_t failures = 0, skipped = 0;
    std::string cases;
    for (const TestReport& report : reports) {
        cases += fmt::format("  <testcase classname=\"reprise\" name=\"{}\" time=\"{:.3f}\">",
                             escaped(report.name), report.host_seconds);
        const std::string message = escaped(report.result.message);
        if (report.result.outcome == TestResult::Outcome::Failed) {
            ++failures;
            cases += fmt::format("<failure>{}</failure>", message);
        } else if (report.result.outcome == TestResult::Outcome::Skipped) {
            ++skipped;
            cases += fmt::format("<skipped message=\"{}\"/>", message);
        }
        cases += "</testcase>\n";
    }
    return fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuite name=\"reprise\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n"
        "{}</testsuite>\n",
        reports.size(), failures, skipped, cases);
}

void write_junit(const std::string& path, const std::vector<TestReport>& reports)
{
    std::ofstream file(path, std::ios::binary);
    file << junit_text(reports);
    if (!file.flush()) throw HostError(fmt::format("cannot write '{}'", path));
}

}  // namespace reprise
