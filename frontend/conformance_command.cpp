#include "frontend/conformance_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>

#include "frontend/cpu_tools/suite_report.h"
#include "frontend/errors.h"
#include "frontend/junit.h"
#include "frontend/options.h"
#include "frontend/stop_signal.h"
#include "machine/base/error.h"

namespace reprise {

namespace {

struct ConformanceOptions {
    SuiteOptions suite;
    std::string cpu, shard, json, junit;
    u64 show = 10;
    bool brief = false;
};

/// "2/5": the second of five parts.
void set_shard(SuiteOptions& suite, const std::string& text)
{
    if (text.empty()) return;
    unsigned part = 0, parts = 0;
    int used = 0;
    const bool read = std::sscanf(text.c_str(), "%5u/%5u%n", &part, &parts, &used) == 2;
    if (!read || static_cast<std::size_t>(used) != text.size() || part < 1 || part > parts)
        throw UsageError(fmt::format(
            "--shard {}: expected PART/PARTS, such as 1/4 for the first quarter", text));
    suite.shard = part;
    suite.shards = parts;
}

ConformanceOptions parse_options(const std::vector<std::string>& arguments)
{
    CLI::App app("Run hardware-captured tests of single instructions (SingleStepTests, MOO files)",
                 "conformance");
    ConformanceOptions options;
    SuiteOptions& suite = options.suite;
    app.add_option("DIR", suite.paths, "MOO files, or folders that are searched for them")
        ->required();
    app.add_option("--cpu", options.cpu,
                   "The model to run on (default: the one that the files are of)");
    app.add_option("--filter", suite.filter,
                   "Only files with this in their name, such as F6.4 or D");
    app.add_option("--shard", options.shard, "PART/PARTS: only this part of the files");
    app.add_flag("--all-flags", suite.all_flags, "Undefined flags count too");
    app.add_option("--max-failures", suite.max_failures,
                   "Stop after so many failed tests (default: never)")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--show", options.show, "Describe so many failed tests (default 10)")
        ->check(CLI::NonNegativeNumber);
    app.add_flag("--brief", options.brief,
                 "Leave opcodes out of the table that pass with all flags");
    app.add_option("--jobs", suite.threads, "Host threads (default: one for each core)")
        ->check(CLI::Range(0, 1024));
    app.add_option("--json", options.json, "Write everything as JSON");
    app.add_option("--junit", options.junit,
                   "Write the results as JUnit XML, one case for each file");
    parse_arguments(app, arguments);
    if (!options.cpu.empty()) suite.model = find_cpu_model(cpu_model(options.cpu));
    set_shard(suite, options.shard);
    return options;
}

void show_progress(SuiteOptions& suite)
{
    if (!isatty(STDERR_FILENO)) return;
    suite.on_progress = [](std::size_t done, std::size_t files) {
        fmt::print(stderr, "\r{} of {} files{}", done, files, done == files ? "\r\033[K" : "");
        std::fflush(stderr);
    };
}

void write_file(const std::string& path, const std::string& text)
{
    std::ofstream file(path, std::ios::binary);
    file << text;
    if (!file.flush()) throw HostError(fmt::format("cannot write '{}'", path));
}

TestReport report_of(const OpcodeResult& opcode)
{
    TestReport report{opcode.path, {}, opcode.host_seconds};
    if (!opcode.error.empty()) {
        report.result = {TestResult::Outcome::Failed, opcode.error, 0};
    } else if (opcode.failed) {
        std::string message = fmt::format("{} of {} tests failed\n", opcode.failed, opcode.tests);
        for (const TestFailure& failure : opcode.failures) message += failure_text(opcode, failure);
        report.result = {TestResult::Outcome::Failed, message, 0};
    } else if (!opcode.complete) {
        report.result = {TestResult::Outcome::Skipped, "stopped before its end", 0};
    }
    return report;
}

void print_failures(const SuiteResult& result, u64 most)
{
    const u64 failed = result.sum(&OpcodeResult::failed);
    u64 shown = 0;
    for (const OpcodeResult& opcode : result.opcodes)
        for (const TestFailure& failure : opcode.failures)
            if (shown < most && ++shown) fmt::print("{}\n", failure_text(opcode, failure));
    if (shown && shown < failed)
        fmt::print("... and {} more failed tests (--show N)\n\n", failed - shown);
}

}  // namespace

int conformance_command(const std::vector<std::string>& arguments)
{
    ConformanceOptions options = parse_options(arguments);
    options.suite.keep_failures = options.show;
    show_progress(options.suite);
    catch_stop_signals();
    options.suite.stop = stop_requested;
    const SuiteResult result = run_suite(options.suite);

    print_failures(result, options.show);
    fmt::print("{}", suite_table(result, options.brief));
    for (const std::string& note : result.notes) fmt::print("note: {}\n", note);
    if (result.stopped_early()) fmt::print("stopped early: not all tests have run\n");
    for (const OpcodeResult& opcode : result.opcodes)
        if (!opcode.error.empty()) fmt::print(stderr, "reprise: {}\n", opcode.error);

    if (!options.json.empty()) write_file(options.json, suite_json(result));
    if (!options.junit.empty()) {
        std::vector<TestReport> reports;
        for (const OpcodeResult& opcode : result.opcodes) reports.push_back(report_of(opcode));
        write_junit(options.junit, reports);
    }
    if (result.has_errors()) return kUsage;
    return result.sum(&OpcodeResult::failed) || stop_requested() ? kFailure : kSuccess;
}

}  // namespace reprise
