#include "frontend/cpu_tools/suite_report.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "frontend/cpu_tools/disassemble.h"

namespace reprise {

using Json = nlohmann::ordered_json;

namespace {

struct FlagName {
    u32 flag;
    const char* name;
};
constexpr FlagName kFlagNames[] = {{CF, "CF"}, {PF, "PF"}, {AF, "AF"}, {ZF, "ZF"},
                                   {SF, "SF"}, {TF, "TF"}, {IF, "IF"}, {DF, "DF"},
                                   {OF, "OF"}, {NT, "NT"}, {RF, "RF"}, {AC, "AC"}};

double percent(u64 part, u64 whole)
{
    return whole ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

/// Below 100% unless it is all.
std::string percent_text(u64 part, u64 whole)
{
    return part == whole ? "100%" : fmt::format("{:.3f}%", std::min(percent(part, whole), 99.999));
}

std::string hex_bytes(const std::vector<u8>& bytes)
{
    std::string text;
    for (const u8 byte : bytes) text += fmt::format("{}{:02X}", text.empty() ? "" : " ", byte);
    return text;
}

bool is_flags(const Difference& d) { return d.what == "flags" || d.what == "eflags"; }

std::string difference_text(const Difference& d)
{
    std::string text = fmt::format("  {:<8} {:0{w}X} -> {:0{w}X}, here {:0{w}X}", d.what, d.before,
                                   d.expected, d.got, fmt::arg("w", d.digits));
    if (is_flags(d)) {
        const u32 wrong = d.expected ^ d.got;
        const u32 known =
            d.what == "flags" ? 0x0FFF : ~u32{0};  // what the rest says depends on the processor
        text += fmt::format("   hardware: {}; here: {}; differ: {}", flag_names(d.expected & known),
                            flag_names(d.got & known), flag_names(wrong));
        if (wrong & ~d.defined)
            text += fmt::format(" (undefined: {})", flag_names(wrong & ~d.defined));
    } else if (!d.counts()) {
        text += "   (pushed undefined flags)";
    }
    return text + '\n';
}

struct Total {
    u64 files = 0, tests = 0, defined = 0, all = 0, revoked = 0, errors = 0;
};

std::map<std::string, Total> totals(const SuiteResult& result)
{
    std::map<std::string, Total> all;
    for (const OpcodeResult& o : result.opcodes) {
        Total& total = all[o.moo_cpu.empty() ? "unreadable" : o.moo_cpu];
        ++total.files;
        total.tests += o.tests;
        total.defined += o.equal_where_defined;
        total.all += o.equal;
        total.revoked += o.revoked;
        total.errors += !o.error.empty();
    }
    return all;
}

Json failure_json(const OpcodeResult& opcode, const TestFailure& failure)
{
    Json differences = Json::array();
    for (const Difference& d : failure.outcome.differences)
        differences.push_back({{"what", d.what},
                               {"before", d.before},
                               {"expected", d.expected},
                               {"got", d.got},
                               {"defined_mask", d.defined},
                               {"counts", d.counts()}});
    Json json = {{"number", failure.test.number},
                 {"index", failure.test.index},
                 {"name", failure.test.name},
                 {"bytes", hex_bytes(failure.test.bytes)},
                 {"ended", failure.outcome.ended},
                 {"differences", std::move(differences)},
                 {"text", failure_text(opcode, failure)}};
    if (!failure.test.hash.empty()) json["hash"] = failure.test.hash;
    return json;
}

}  // namespace

std::string flag_names(u32 flags)
{
    std::string text;
    for (const auto& [flag, name] : kFlagNames)
        if (flags & flag) text += (text.empty() ? "" : " ") + std::string(name);
    return text.empty() ? "-" : text;
}

std::string failure_text(const OpcodeResult& opcode, const TestFailure& failure)
{
    const MooTest& test = failure.test;
    std::string text = fmt::format("FAIL {} test {}: {}\n  bytes    {}", opcode.path, test.number,
                                   test.name, hex_bytes(test.bytes));
    if (const std::string code = disassemble(test.bytes, 16, test.initial[kMooEip]); !code.empty())
        text += fmt::format("   ({})", code);
    text +=
        fmt::format("\n  at       {:04X}:{:04X}\n", test.initial[kMooCs], test.initial[kMooEip]);
    if (test.exception) text += fmt::format("  exception {}\n", *test.exception);
    if (!failure.outcome.ended) text += "  does not end\n";
    for (const Difference& d : failure.outcome.differences) text += difference_text(d);
    return text;
}

std::string suite_table(const SuiteResult& result, bool brief)
{
    std::string text;
    for (const OpcodeResult& o : result.opcodes) {
        if (!o.error.empty() || (brief && o.equal == o.tests)) continue;
        if (text.empty())
            text = fmt::format("{:<6} {:<7} {:<10} {:>7}  {:>16}  {:>16}\n", "cpu", "opcode", "",
                               "tests", "defined flags", "all flags");
        text += fmt::format("{:<6} {:<7} {:<10} {:>7}  {:>7} {:>8}  {:>7} {:>8}{}\n", o.moo_cpu,
                            o.opcode, o.mnemonic, o.tests, o.equal_where_defined,
                            percent_text(o.equal_where_defined, o.tests), o.equal,
                            percent_text(o.equal, o.tests), o.complete ? "" : "  (stopped)");
    }
    for (const auto& [cpu, total] : totals(result)) {
        if (total.tests)
            text += fmt::format(
                "{}: {} tests in {} files: {} ({}) as the hardware where flags are defined, {} "
                "({}) in "
                "all flags\n",
                cpu, total.tests, total.files, total.defined,
                percent_text(total.defined, total.tests), total.all,
                percent_text(total.all, total.tests));
        if (total.revoked)
            text += fmt::format("{}: {} tests not run: their makers revoked them\n", cpu,
                                total.revoked);
    }
    return text;
}

std::string suite_json(const SuiteResult& result)
{
    Json opcodes = Json::array();
    for (const OpcodeResult& o : result.opcodes) {
        Json json = {{"file", o.path},
                     {"opcode", o.opcode},
                     {"mnemonic", o.mnemonic},
                     {"cpu", o.moo_cpu},
                     {"model", o.model ? std::string(o.model->name) : ""},
                     {"tests", o.tests},
                     {"revoked", o.revoked},
                     {"passed_defined_flags", o.equal_where_defined},
                     {"passed_all_flags", o.equal},
                     {"complete", o.complete},
                     {"failures", Json::array()}};
        if (!o.error.empty()) json["error"] = o.error;
        for (const TestFailure& failure : o.failures)
            json["failures"].push_back(failure_json(o, failure));
        opcodes.push_back(std::move(json));
    }
    const Json all = {{"format", "reprise-conformance"},
                      {"version", 1},
                      {"tests", result.sum(&OpcodeResult::tests)},
                      {"passed_defined_flags", result.sum(&OpcodeResult::equal_where_defined)},
                      {"passed_all_flags", result.sum(&OpcodeResult::equal)},
                      {"complete", !result.stopped_early()},
                      {"notes", result.notes},
                      {"opcodes", std::move(opcodes)}};
    return all.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace reprise
