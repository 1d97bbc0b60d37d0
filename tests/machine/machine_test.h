/// Machines for tests: SeaBIOS has done its work once, and a program begins at 0000:7C00.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <span>
#include <string>

#include "machine/board.h"
#include "machine/machine.h"
#include "machine/savestate.h"
#include "tests/machine/host_test.h"

namespace reprise::test {

/// A machine with a floppy and a hard disk, both full of a pattern, stopped where its boot sector
/// begins; saved, so that each test gets one of its own at once.
class BootedMachine {
public:
    BootedMachine()
    {
        config_.memory_bytes = 8 << 20;
        config_.floppy[0].path = pattern("floppy", 1440 * 1024);
        config_.floppy[0].snapshot = true;
        config_.ata[0].path = pattern("disk", 4 << 20);
        config_.ata[0].snapshot = true;
        config_.ata[0].geometry = Geometry{8, 16, 63};
        Machine machine(config_);
        const CpuState& cpu = machine.board().cpu.state;
        while (machine.now() < 60 * kSecond && !(cpu.rip == 0x7C00 && cpu.seg[CS].base == 0))
            machine.run_until(machine.now() + 10 * kMillisecond);
        if (cpu.rip != 0x7C00) throw HostError("the firmware did not start the boot sector");
        machine.save(saved_);
    }

    std::unique_ptr<Machine> start(std::span<const u8> program) const
    {
        std::unique_ptr<Machine> machine = Machine::load(saved_);
        load_program(*machine, program);
        return machine;
    }

    /// Puts a program at 0000:7C00, where the CPU stands.
    static void load_program(Machine& machine, std::span<const u8> program)
    {
        machine.board().memory.write_block(0x7C00, program);
    }

    const std::string& saved() const { return saved_; }
    const TemporaryFolder& folder() const { return folder_; }
    const MachineConfig& config() const { return config_; }

private:
    std::string pattern(const std::string& name, u64 size) const
    {
        std::vector<u8> bytes(size);
        std::mt19937 random(static_cast<u32>(size));
        for (u8& byte : bytes) byte = static_cast<u8>(random());
        bytes[0] = 0xEB;  // jmp $
        bytes[1] = 0xFE;
        bytes[510] = 0x55;
        bytes[511] = 0xAA;
        return folder_.file(name, bytes);
    }

    TemporaryFolder folder_;
    std::string saved_ = folder_ / "booted.state";
    MachineConfig config_;
};

/// Made when the first test asks for it.
inline const BootedMachine& booted()
{
    static const BootedMachine machine;
    return machine;
}

/// Everything the machine remembers but RAM, as records that can be compared.
inline std::vector<u8> saved_state(Machine& machine)
{
    StateWriter writer;
    writer.save("machine", machine.board());
    return std::move(writer.saved);
}

/// Passes if two machines are the same to the last bit; says which fields are not.
inline testing::AssertionResult same_state(Machine& expected, Machine& actual)
{
    if (expected.state_hash() == actual.state_hash()) return testing::AssertionSuccess();
    testing::AssertionResult result = testing::AssertionFailure();
    for (const StateDifference& d : diff_states(saved_state(expected), saved_state(actual), 20))
        result << d.path << ": " << d.before << " became " << d.after << "\n";
    const std::span<u8> a = expected.board().memory.ram.bytes(),
                        b = actual.board().memory.ram.bytes();
    const auto at = std::ranges::mismatch(a, b).in1;
    if (at != a.end()) result << "RAM differs from address " << std::hex << at - a.begin();
    return result;
}

}  // namespace reprise::test
