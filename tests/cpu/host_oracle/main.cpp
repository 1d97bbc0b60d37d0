/// Random instructions on the host's processor and on ours: see README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <map>

#include "tests/cpu/host_oracle/comparison.h"
#include "tests/cpu/host_oracle/generator.h"
#include "tests/cpu/host_oracle/guest.h"
#include "tests/cpu/host_oracle/host.h"

namespace reprise::oracle {

const std::array<u8, kAreaBytes>& initial_memory()
{
    static const std::array<u8, kAreaBytes> memory = [] {
        std::array<u8, kAreaBytes> bytes{};
        Random random(1);
        for (u32 i = 0; i < kAreaBytes; i += 8) {
            const u64 value = random.one_in(2) ? random.integer() : random.bits();
            std::memcpy(bytes.data() + i, &value, 8);
        }
        for (u32 i = 0; i < kAreaBytes; ++i) {
            const PageKind kind = kPages[i / kPageBytes];
            if (kind == PageKind::Code) bytes[i] = 0xCC;
            if (kind == PageKind::Hole) bytes[i] = 0;
        }
        return bytes;
    }();
    return memory;
}

namespace {

constexpr int kSkipped = 77;  // what CMake's SKIP_RETURN_CODE says

struct Options {
    int mode = 32;
    u64 count = 0;
    double seconds = 0;
    u64 seed = 0x5EED;
    u64 first = 0;
    std::vector<std::string> classes;
    std::string row;
    u64 show = 3;
    bool undefined_flags = false;
    bool rules = false;
};

struct Tally {
    u64 tests = 0, faults = 0, differences = 0;
};

class Oracle {
public:
    Oracle(const Options& options, Host& host) : options_(options), host_(host), generator_(mode(), chosen(), options.row)
    {
        std::ranges::copy(initial_memory(), host_.memory());
        std::ranges::copy(initial_memory(), guest_.memory());
    }

    Mode mode() const { return options_.mode == 16 ? Mode::Bits16 : options_.mode == 32 ? Mode::Bits32 : Mode::Bits64; }
    bool empty() const { return generator_.empty(); }

    void run()
    {
        using Clock = std::chrono::steady_clock;
        const auto begin = Clock::now();
        const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
        for (u64 i = options_.first;; ++i) {
            if (options_.count != 0 && i - options_.first >= options_.count) break;
            if (options_.seconds > 0 && i % 256 == 0 && elapsed() >= options_.seconds) break;
            one(i);
        }
        seconds_ = elapsed();
    }

    /// True: nothing unexplained.
    bool report() const
    {
        for (std::size_t c = 0; c < kClassNames.size(); ++c) {
            const Tally& t = tallies_[c];
            if (t.tests != 0)
                fmt::print("{} bit {}: {} tests, {} of them faulted, {} differ\n", options_.mode, kClassNames[c], t.tests, t.faults, t.differences);
        }
        for (const auto& [name, count] : unexplained_) fmt::print("{:8} x {}\n", count, name);
        fmt::print("{:.0f} tests per second, {} rejected\n", static_cast<double>(total()) / seconds_, rejected_);
        return unexplained_.empty();
    }

    std::span<const u64> rule_uses() const { return uses_; }
    u64 total() const
    {
        u64 sum = 0;
        for (const Tally& t : tallies_) sum += t.tests;
        return sum;
    }

private:
    std::array<bool, 4> chosen() const
    {
        std::array<bool, 4> all{};
        for (std::size_t c = 0; c < all.size(); ++c)
            all[c] = options_.classes.empty() || std::ranges::find(options_.classes, kClassNames[c]) != options_.classes.end();
        return all;
    }

    void one(u64 number)
    {
        const std::optional<TestCase> made = generator_.make(options_.seed + number);
        if (!made) {
            ++rejected_;
            return;
        }
        const TestCase& test = *made;
        prepare(test);
        const Outcome ours = guest_.run(test);
        if (is_unfit(test, ours)) {
            ++rejected_;
        } else {
            const Outcome host = host_.run(test);
            judge({test, host, ours}, number);
        }
        restore(test);
    }

    /// An instruction that jumps into itself could execute anything.
    static bool is_unfit(const TestCase& test, const Outcome& ours)
    {
        if (ours.endless) return true;
        if (ours.vector != kNoVector) return false;
        const u64 linear = ours.end.rip + segment_base(ours.end.selector[CS]);
        return linear >= test.linear && linear < test.linear + test.length;
    }

    void prepare(const TestCase& test)
    {
        for (u8* memory : {host_.memory(), guest_.memory()}) {
            for (const Patch& p : test.patches)
                for (u32 i = 0; i < p.size; ++i)
                    if (holds_data(p.address + i)) memory[p.address + i - kArea] = p.bytes[i];
            std::copy_n(test.code.begin(), test.length, memory + (test.linear - kArea));
        }
    }

    void restore(const TestCase& test)
    {
        for (u8* memory : {host_.memory(), guest_.memory()}) {
            std::fill_n(memory + (test.linear - kArea), test.length, u8{0xCC});
            for (u32 i = 0; i < kPages.size(); ++i)
                if (kPages[i] == PageKind::Data || kPages[i] == PageKind::ReadOnly)
                    std::copy_n(initial_memory().begin() + i * kPageBytes, kPageBytes, memory + i * kPageBytes);
        }
    }

    static bool holds_data(u32 address)
    {
        if (address < kArea || address >= kArea + kAreaBytes) return false;
        const PageKind kind = kPages[(address - kArea) / kPageBytes];
        return kind == PageKind::Data || kind == PageKind::ReadOnly;
    }

    void compare_memory(std::vector<Difference>& differences)
    {
        for (u32 page = 0; page < kPages.size(); ++page) {
            if (kPages[page] != PageKind::Data) continue;
            const u8* a = host_.memory() + page * kPageBytes;
            const u8* b = guest_.memory() + page * kPageBytes;
            if (std::memcmp(a, b, kPageBytes) == 0) continue;
            for (u32 i = 0; i < kPageBytes; ++i)
                if (a[i] != b[i])
                    differences.push_back({What::Memory, fmt::format("memory {:X}: host {:02X}, we {:02X}", kArea + page * kPageBytes + i, a[i], b[i]), a[i], b[i]});
        }
    }

    void judge(const Results& results, u64 number)
    {
        const Opcode* row = results.row();
        Tally& tally = tallies_[static_cast<std::size_t>(row ? class_of(*row) : Class::Integer)];
        ++tally.tests;
        tally.faults += results.ours.vector != kNoVector;
        std::vector<Difference> differences = compare(results);
        compare_memory(differences);
        std::erase_if(differences, [&](const Difference& d) {
            if (options_.undefined_flags && d.what == What::UndefinedFlags) return false;
            const int rule = explanation(results, d);
            if (rule >= 0) ++uses_[static_cast<std::size_t>(rule)];
            return rule >= 0;
        });
        if (differences.empty()) return;
        ++tally.differences;
        if (++unexplained_[std::string(name_of(results.test))] > options_.show) return;
        if (differences.size() > 20) differences.resize(20);
        fmt::print("{}  again: host_oracle --mode {} --seed {:#x} --first {} --count 1{}\n", describe(results, differences), options_.mode,
                   options_.seed, number, filters());
    }

    std::string filters() const
    {
        std::string text;
        for (const std::string& c : options_.classes) text += " --class " + c;
        return options_.row.empty() ? text : text + " --row " + options_.row;
    }

    const Options& options_;
    Host& host_;
    Guest guest_;
    Generator generator_;
    std::array<Tally, 4> tallies_{};
    std::vector<u64> uses_ = std::vector<u64>(rules().size());
    std::map<std::string, u64> unexplained_;
    u64 rejected_ = 0;
    double seconds_ = 0;
};

int main(const Options& options)
{
    Host host;
    const Mode mode = options.mode == 16 ? Mode::Bits16 : options.mode == 32 ? Mode::Bits32 : Mode::Bits64;
    if (const std::string why = host.refusal(mode); !why.empty()) {
        fmt::print("host_oracle: skipped: {}\n", why);
        return kSkipped;
    }
    Oracle oracle(options, host);
    if (oracle.empty()) {
        fmt::print("host_oracle: no row of the opcode table is what --class and --row ask for\n");
        return 2;
    }
    fmt::print("host_oracle: --mode {} --seed {:#x}\n", options.mode, options.seed);
    oracle.run();
    const bool equal = oracle.report();
    for (std::size_t i = 0; i < rules().size(); ++i)
        if (options.rules || oracle.rule_uses()[i] != 0) fmt::print("{:8} x rule: {}\n", oracle.rule_uses()[i], rules()[i].name);
    return equal ? 0 : 1;
}

}  // namespace

int run(int argc, char** argv)
{
    Options options;
    CLI::App app{"Random instructions on the host's processor and on ours"};
    app.add_option("--mode", options.mode, "Code of 16, 32 or 64 bits")->check(CLI::IsMember({16, 32, 64}));
    app.add_option("--count", options.count, "Tests; 0: until --seconds are over");
    app.add_option("--seconds", options.seconds, "How long");
    app.add_option("--seed", options.seed, "Of everything; the number of a test is added to it");
    app.add_option("--first", options.first, "Number of the first test");
    app.add_option("--class", options.classes, "Only these: integer, x87, mmx, sse")->check(CLI::IsMember({"integer", "x87", "mmx", "sse"}));
    app.add_option("--row", options.row, "Only rows with this mnemonic");
    app.add_option("--show", options.show, "Differences to print of each mnemonic");
    app.add_flag("--undefined-flags", options.undefined_flags, "Undefined flags are differences too");
    app.add_flag("--rules", options.rules, "Print rules that explained nothing too");
    CLI11_PARSE(app, argc, argv);
    if (options.count == 0 && options.seconds == 0) options.seconds = 10;
    return main(options);
}

}  // namespace reprise::oracle

int main(int argc, char** argv) { return reprise::oracle::run(argc, argv); }
