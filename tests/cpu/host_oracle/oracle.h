/// Runs tests of one mode on both processors and keeps what they differ in.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/cpu/host_oracle/comparison.h"
#include "tests/cpu/host_oracle/generator.h"
#include "tests/cpu/host_oracle/guest.h"
#include "tests/cpu/host_oracle/host.h"

namespace reprise::oracle {

struct Options {
    u64 count = 0;       // 0: until the seconds are over
    double seconds = 0;  // 0: until the count is reached
    u64 seed = 0x5EED;
    u64 first = 0;
    std::vector<std::string> classes;
    std::string row;
    u64 show = 3;
    bool undefined_flags = false;
    bool translator = false;
};

constexpr int bits_of(Mode mode) { return 16 << static_cast<int>(mode); }

class Oracle {
public:
    Oracle(const Options& options, Mode mode, Host& host);

    /// No row is what the options ask for.
    bool empty() const { return generator_.empty(); }

    /// Prints differences as they come, and then how many there were of what.
    void run();

    bool equal() const { return unexplained_.empty(); }
    u64 tests() const;
    /// How often each rule explained something.
    const std::vector<u64>& rule_uses() const { return uses_; }

private:
    struct Tally {
        u64 tests = 0, faults = 0, differences = 0;
    };

    void one(u64 number);
    void prepare(const TestCase& test);
    void restore(const TestCase& test);
    std::vector<u8*> memories();
    bool is_translated_alike(const TestCase& test, const Outcome& ours, u64 number);
    void compare_memory(std::vector<Difference>& differences);
    void judge(const Results& results, u64 number);
    std::string command(u64 number) const;
    void report(double seconds) const;

    const Options& options_;
    Mode mode_;
    Host& host_;
    Guest guest_;
    std::unique_ptr<Guest> translated_;  // null: the interpreter alone
    u64 compared_ = 0;                   // of both engines
    Generator generator_;
    std::array<Tally, kClassNames.size()> tallies_{};
    std::vector<u64> uses_ = std::vector<u64>(rules().size());
    std::map<std::string, u64> unexplained_;  // by mnemonic
    u64 rejected_ = 0;
};

}  // namespace reprise::oracle
