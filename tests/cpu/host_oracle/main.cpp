/// Random instructions on the host's processor and on ours: see README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "tests/cpu/host_oracle/oracle.h"

namespace reprise::oracle {

namespace {

constexpr int kDiffers = 1, kBadOptions = 2;
constexpr int kSkipped = 77;  // what SKIP_RETURN_CODE says in CMakeLists.txt
// From this many tests of everything on, every rule must have explained something.
constexpr u64 kLongRun = 1'000'000;

/// Rules of this host that explained nothing.
bool all_rules_used(const std::vector<u64>& uses)
{
    const std::string vendor = Host::vendor();
    bool all = true;
    for (std::size_t i = 0; i < uses.size(); ++i) {
        const Rule& rule = rules()[i];
        const bool here = rule.hosts == Hosts::All ||
                          (rule.hosts == Hosts::Amd && vendor == "AuthenticAMD") ||
                          (rule.hosts == Hosts::Intel && vendor == "GenuineIntel");
        if (!here || uses[i] != 0) continue;
        fmt::print("rule \"{}\" explains nothing any more\n", rule.name);
        all = false;
    }
    return all;
}

int run(const Options& options, const std::vector<int>& modes)
{
    Host host;
    std::vector<u64> uses(rules().size());
    u64 tests = 0;
    bool equal = true, complete = modes.size() == 3;
    for (const Mode mode : {Mode::Bits16, Mode::Bits32, Mode::Bits64}) {
        if (std::ranges::find(modes, bits_of(mode)) == modes.end()) continue;
        const std::string why = host.refusal(mode);
        if (!why.empty()) {
            fmt::print("{} bit: skipped: {}\n", bits_of(mode), why);
            complete = false;
            continue;
        }
        Oracle oracle(options, mode, host);
        if (oracle.empty()) {
            fmt::print("{} bit: no row of the opcode table is what --class and --row ask for\n",
                       bits_of(mode));
            continue;
        }
        oracle.run();
        equal = equal && oracle.equal();
        tests += oracle.tests();
        for (std::size_t i = 0; i < uses.size(); ++i) uses[i] += oracle.rule_uses()[i];
    }
    for (std::size_t i = 0; i < uses.size(); ++i)
        if (uses[i] != 0) fmt::print("{:8} x {}\n", uses[i], rules()[i].name);
    if (tests == 0) return kSkipped;
    if (complete && options.classes.empty() && options.row.empty() && tests >= kLongRun)
        equal = all_rules_used(uses) && equal;
    return equal ? 0 : kDiffers;
}

}  // namespace

int main(int argc, char** argv)
{
    Options options;
    std::vector<int> modes = {16, 32, 64};
    CLI::App app{"Random instructions on the host's processor and on ours"};
    app.add_option("--mode", modes, "Code of 16, 32 or 64 bits; without, all three")
        ->check(CLI::IsMember({16, 32, 64}));
    app.add_option("--count", options.count, "Tests of each mode; 0: until --seconds are over");
    app.add_option("--seconds", options.seconds, "How long for each mode");
    app.add_option("--seed", options.seed, "Of everything; the number of a test is added to it");
    app.add_option("--first", options.first, "Number of the first test");
    app.add_option("--class", options.classes, "Only these: integer, x87, mmx, sse")
        ->check(CLI::IsMember({"integer", "x87", "mmx", "sse"}));
    app.add_option("--row", options.row, "Only rows with this mnemonic");
    app.add_option("--show", options.show, "Differences to print of each mnemonic");
    std::string engine = "interpreter";
    app.add_option("--engine", engine, "Who executes our part: with the translator, both do")
        ->check(CLI::IsMember({"interpreter", "translator"}));
    app.add_flag("--undefined-flags", options.undefined_flags,
                 "Undefined flags are differences too");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kBadOptions;
    }
    options.translator = engine == "translator";
    if (options.translator && !why_no_translator(Guest().cpu()).empty()) {
        fmt::print("skipped: {}\n", why_no_translator(Guest().cpu()));
        return kSkipped;
    }
    if (options.count == 0 && options.seconds == 0) options.seconds = 10;
    fmt::print("seed {:#x}\n", options.seed);
    return run(options, modes);
}

}  // namespace reprise::oracle

int main(int argc, char** argv) { return reprise::oracle::main(argc, argv); }
