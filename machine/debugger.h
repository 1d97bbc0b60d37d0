/// A debugger of the guest, outside of it: stops, steps, breakpoints and watchpoints that the guest
/// cannot notice, and whose history is the same as if nobody had looked.
///
/// While one is attached, Machine::run_until and run_to_instruction return Stop::Debugger when it
/// wants the machine to stay where it is. What it changes goes through Machine::inject.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "machine/debug_registers.h"
#include "machine/machine.h"

namespace reprise {

class Debugger {
public:
    /// Attaches to a machine that has no debugger; the guest stops where it is.
    explicit Debugger(Machine& machine);
    /// The guest is on its own again.
    ~Debugger();
    Debugger(const Debugger&) = delete;
    Debugger& operator=(const Debugger&) = delete;

    enum class Why : u8 {
        Request,     // stop()
        Step,        // the step is done
        Breakpoint,  // at `address`
        Read,        // of a watched byte at `address`: the instruction before has done it
        Write,
        Shutdown,  // triple fault: the guest is as it was then, and would be reset next
        Halted,    // the CPU waits for an interrupt that can never come
    };
    struct Stopped {
        Why why = Why::Request;
        u64 address = 0;
    };
    bool is_stopped() const { return stopped_.has_value(); }
    const std::optional<Stopped>& stopped() const { return stopped_; }

    void stop();
    void resume();
    /// Until the present instruction has been executed, then for as long as instructions begin
    /// within first .. last. Interrupts taken meanwhile run to their end first, unless
    /// steps_into_interrupts.
    void step();
    void step_range(u64 first, u64 last);
    bool steps_into_interrupts = false;

    /// At linear addresses. Two at the same place count as one.
    void add_breakpoint(u64 address);
    void remove_breakpoint(u64 address);
    struct Watchpoint {
        u64 address = 0, size = 1;  // bytes; at least one
        bool reads = false, writes = true;
        bool operator==(const Watchpoint&) const = default;
    };
    void add_watchpoint(const Watchpoint& watchpoint);
    void remove_watchpoint(const Watchpoint& watchpoint);
    void remove_all_points();
    std::size_t points() const { return breakpoints_.size() + watchpoints_.size(); }

    /// Reads from `address` on without any effect on the guest; how many bytes there are to read.
    std::size_t read_memory(u64 address, bool physical, std::span<u8> out) const;

    const DebugRegisters& registers() const { return registers_; }
    DebugValue read(const DebugRegister& reg) const;
    /// By a name that every CPU has.
    u64 number(std::string_view name) const;

    /// The reset button, with effect at once.
    void reset();
    bool halted() const;

private:
    friend class Machine;

    /// What tells a stack frame from others, so that a return from an interrupt is known.
    struct Place {
        u64 linear_ip = 0, sp = 0, ss_base = 0, cr3 = 0;
        bool operator==(const Place&) const = default;
    };

    Stop run(u64 clock, u64 count);
    bool holds_reset();
    void begin_step();
    void step_done();
    void point_reached();
    void came_back_from_interrupt();
    void stop_for(Why why, u64 address = 0);
    void watch();
    void pass_breakpoint();
    Place place() const;
    u64 interrupts() const;

    Machine& machine_;
    DebugRegisters registers_;
    std::optional<Stopped> stopped_ = Stopped{};
    std::vector<u64> breakpoints_;
    std::vector<Watchpoint> watchpoints_;

    // A step under way.
    bool stepping_ = false;
    u64 range_first_ = 1, range_last_ = 0;
    u64 step_end_ = 0;  // instructions retired when it is done
    u64 interrupts_before_ = 0;
    Place step_from_;
    bool in_interrupt_ = false;  // waits to be back at step_from_

    bool reset_passes_ = false;  // a triple fault that has been reported
};

}  // namespace reprise
