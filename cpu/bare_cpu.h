/// A processor with nothing around it but RAM: for tools, tests and whoever wants to execute a
/// piece of machine code. See README.md, "As a library".
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "cpu/cpu.h"
#include "cpu/decoder.h"
#include "cpu/flat_bus.h"

namespace reprise {

class BareCpu {
public:
    enum class Reason : u8 {
        Halted,     // HLT
        Exception,  // one is about to be delivered: the guest is as before the instruction
        Interrupt,  // INT n, INT3, INTO: the guest is as after the instruction
        Limit,      // so many instructions have been executed
        Shutdown,   // a triple fault
    };
    struct Stop {
        Reason reason = Reason::Limit;
        Fault fault;  // of Exception and Interrupt
    };

    explicit BareCpu(const CpuModel& model, u64 memory_bytes = u64{16} << 20);

    /// Copies bytes to physical memory. False: they do not fit.
    [[nodiscard]] bool load(u64 address, std::span<const u8> bytes);

    /// Where 64-bit mode has its page tables: at the end of what physical addresses reach, behind
    /// all memory, so that the program has all of that to itself. The PML4 comes first.
    static constexpr u64 kPageTables = 0xFF'FF00'0000;

    /// Resets, and makes ready to execute at `ip` with flat segments: real mode with CS so that IP
    /// is below 64K; protected mode with segments of 4 GB; or 64-bit mode as programs expect it,
    /// with all of memory mapped to its own addresses for every level and every access, nothing
    /// else mapped, SSE switched on, the x87 as after FNINIT, and its unmasked exceptions #MF. The
    /// stack ends at the end of memory, or at 64K in real mode. False: the model has no such mode,
    /// `ip` is beyond memory, or memory beyond the 512 GB that are mapped.
    [[nodiscard]] bool start(CodeSize mode, u64 ip);

    /// Executes up to `limit` instructions.
    Stop run(u64 limit);

    /// By default exceptions and software interrupts end a run. With this they are delivered
    /// through the guest's own table.
    void deliver_exceptions(bool deliver) { deliver_ = deliver; }

    FlatBus bus;
    Cpu cpu;

private:
    void start_real(u64 ip);
    void start_protected(u64 ip);
    void start_long(u64 ip);
    void map_memory();

    std::optional<Stop> stop_;
    bool deliver_ = false;
};

}  // namespace reprise
