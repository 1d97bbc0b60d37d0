#include "frontend/test_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "frontend/errors.h"
#include "frontend/junit.h"
#include "frontend/pacer.h"
#include "frontend/script_runner.h"
#include "frontend/stop_signal.h"
#include "frontend/units.h"
#include "machine/base/error.h"

namespace reprise {

namespace {

namespace fs = std::filesystem;

constexpr const char* kMediaVariable = "REPRISE_MEDIA";

std::string read_text(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) throw UsageError(fmt::format("cannot read the script '{}'", path));
    return text.str();
}

/// `shared/media` beside the nearest folder above that has one.
std::string find_media(const fs::path& script)
{
    std::error_code ignored;
    for (fs::path folder = fs::absolute(script).parent_path(); folder != folder.root_path();
         folder = folder.parent_path())
        if (const fs::path media = folder.parent_path() / "shared/media";
            fs::is_directory(media, ignored))
            return media.lexically_normal().string();
    return fs::absolute("../shared/media").lexically_normal().string();
}

Environment environment_of(const TestOptions& options, const std::string& script)
{
    return [=](const std::string& name) -> std::optional<std::string> {
        if (name == kMediaVariable && !options.media.empty())
            return fs::absolute(options.media).string();
        if (const char* value = std::getenv(name.c_str()); value && *value) return value;
        if (name == kMediaVariable) return find_media(script);
        return std::nullopt;
    };
}

std::vector<std::string> scripts_of(const TestOptions& options)
{
    std::vector<std::string> scripts;
    for (const std::string& file : options.files) {
        if (!fs::is_directory(file)) {
            scripts.push_back(file);
            continue;
        }
        std::vector<std::string> found;
        for (const auto& entry : fs::directory_iterator(file))
            if (entry.path().extension() == ".test") found.push_back(entry.path().string());
        std::ranges::sort(found);
        scripts.insert(scripts.end(), found.begin(), found.end());
    }
    std::erase_if(scripts, [&](const std::string& path) {
        return fs::path(path).filename().string().find(options.filter) == std::string::npos;
    });
    if (scripts.empty())
        throw UsageError(
            "there is no script to run (scripts in a directory are "
            "named *.test)");
    return scripts;
}

RunnerOptions runner_options(const TestOptions& options)
{
    RunnerOptions result;
    result.artifacts = options.artifacts.empty()
                           ? (fs::temp_directory_path() / "reprise-test").string()
                           : options.artifacts;
    const char* require = std::getenv("REPRISE_REQUIRE_MEDIA");
    result.require_media = require && *require && std::string(require) != "0";
    result.verbose = options.verbose;
    result.engine = options.engine;
    result.switch_engines = options.switch_engines;
    result.on_line = [](const std::string& line) {
        fmt::print("{}\n", line);
        std::fflush(stdout);
    };
    return result;
}

TestReport run_one(const std::string& path, const TestOptions& options, const RunnerOptions& runner)
{
    const Script script = parse_script(read_text(path), path, environment_of(options, path));
    if (options.verbose) runner.on_line("RUN  " + path);
    const HostTime begin = host_now();
    TestReport report{path, run_script(script, runner), 0};
    report.host_seconds = static_cast<double>(host_now() - begin) / 1e9;
    const std::string times = fmt::format("guest {}, host {:.3f} s",
                                          time_text(report.result.guest_time), report.host_seconds);
    switch (report.result.outcome) {
    case TestResult::Outcome::Passed:
        runner.on_line(fmt::format("PASS {} ({})", path, times));
        if (options.state_hash)
            runner.on_line(fmt::format("  state-hash {:016x} at {} instructions, {} ns",
                                       report.result.state_hash, report.result.instructions,
                                       report.result.guest_time));
        break;
    case TestResult::Outcome::Skipped: runner.on_line("SKIP " + report.result.message); break;
    case TestResult::Outcome::Failed:
        runner.on_line(fmt::format("FAIL {}\n  ({})", report.result.message, times));
        break;
    }
    return report;
}

}  // namespace

int test_command(const TestOptions& options)
{
    const RunnerOptions runner = runner_options(options);
    std::vector<TestReport> reports;
    int result = kSuccess;
    catch_stop_signals();
    for (const std::string& path : scripts_of(options)) {
        if (stop_requested()) return kFailure;
        try {
            reports.push_back(run_one(path, options, runner));
            if (reports.back().result.outcome == TestResult::Outcome::Failed)
                result = std::max<int>(result, kFailure);
        } catch (const UsageError& error) {
            fmt::print(stderr, "reprise: {}\n", error.what());
            reports.push_back({path, {TestResult::Outcome::Failed, error.what(), 0}, 0});
            result = kUsage;
        }
    }
    const auto count = [&](TestResult::Outcome outcome) {
        return std::ranges::count(reports, outcome,
                                  [](const TestReport& report) { return report.result.outcome; });
    };
    if (reports.size() > 1)
        fmt::print("{} passed, {} failed, {} skipped\n", count(TestResult::Outcome::Passed),
                   count(TestResult::Outcome::Failed), count(TestResult::Outcome::Skipped));
    if (!options.junit.empty()) write_junit(options.junit, reports);
    return result;
}

}  // namespace reprise
