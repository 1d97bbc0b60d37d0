/// Executes hardware-captured tests on a bare CPU.
#pragma once

#include <string>
#include <vector>

#include "cpu/cpu.h"
#include "cpu/flat_bus.h"
#include "frontend/cpu_tools/moo_file.h"

namespace reprise {

/// One register or byte of memory that is not as the hardware left it.
struct Difference {
    std::string what;  // "ax", "flags", "[01234]"
    u32 before = 0, expected = 0, got = 0;
    u32 defined = ~u32{0};  // AND mask of the bits that count
    int digits = 4;

    bool counts() const { return ((expected ^ got) & defined) != 0; }
};

struct Outcome {
    std::vector<Difference> differences;
    bool ended = true;  // false: it did not come to its end within reason

    bool equal() const { return ended && differences.empty(); }
    /// Equal but for undefined flags.
    bool equal_where_defined() const;
};

/// The model for the processor that a MOO file names, and what to say if it is not quite that one.
/// Throws HostError if there is none.
struct MooModel {
    const CpuModel* model = nullptr;
    std::string note;
};
MooModel model_of_moo(const std::string& moo_cpu);

class TestRunner {
public:
    explicit TestRunner(const CpuModel& model);

    /// `moo_cpu` is the processor that the test was captured from: it decides where a test ends.
    Outcome run(const MooTest& test, const std::string& moo_cpu, bool wide, u32 defined_flags);

private:
    void load(const MooTest& test, bool wide);
    bool execute(const MooTest& test, bool one_instruction);
    MooTest::Registers registers() const;
    Outcome compare(const MooTest& test, bool wide, bool high_flags, u32 defined_flags) const;
    u8& byte(u32 address) { return bus_.ram[address & (bus_.ram.size() - 1)]; }
    u8 byte(u32 address) const { return bus_.ram[address & (bus_.ram.size() - 1)]; }

    const CpuModel& model_;
    FlatBus bus_;
    Cpu cpu_;
};

}  // namespace reprise
