/// High precision event timers.
///
/// Source: "IA-PC HPET (High Precision Event Timers) Specification", revision 1.0a, Intel, October
/// 2004, whose sections comments name. Names are the specification's. Three timers of 64 bits, all
/// periodic or one-shot, level or edge triggered; no FSB interrupts.
///
/// Nothing is ticked: the main counter is what it was plus the time since then, and each timer has
/// one event, at the moment of its next match.
#pragma once

#include <array>
#include <functional>

#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

class Hpet {
public:
    static constexpr Clock kClk{100'000'000};
    static constexpr u32 kPeriodFs = 10'000'000;
    static constexpr std::size_t kTimers = 3;

    struct Timer {
        u64 config = 0;
        u64 comparator = ~u64{0};
        u64 period = 0;         // what was last written to the comparator in periodic mode
        bool edge_out = false;  // level of an edge-triggered output

        constexpr void visit(auto& v)
        {
            v("config", config);
            v("comparator", comparator);
            v("period", period);
            v("edge_out", edge_out);
        }
    };

    struct State {
        u64 config = 0;   // ENABLE_CNF, LEG_RT_CNF
        u64 status = 0;   // Tn_INT_STS
        u64 counter = 0;  // main counter at CLK tick `since`
        u64 since = 0;
        std::array<Timer, kTimers> timer{};
        u32 inputs = 0;  // I/O APIC inputs that are asserted
        u8 legacy = 0;   // bit 0: in place of the 8254, bit 1: in place of the RTC

        constexpr void visit(auto& v)
        {
            v("config", config);
            v("status", status);
            v("counter", counter);
            v("since", since);
            v("timer", timer);
            v("inputs", inputs);
            v("legacy", legacy);
        }
    };

    /// `route_capabilities`: bit n says that timers may be routed to input n of the I/O APIC.
    Hpet(Scheduler& scheduler, u32 route_capabilities);

    /// An input of the I/O APIC.
    std::function<void(int input, bool asserted)> on_interrupt;
    /// Legacy replacement: timer 0 in place of the 8254's, 1 in place of the RTC's interrupt.
    std::function<void(int timer, bool level)> on_legacy_interrupt;
    /// From now on the 8254 and the RTC interrupt nobody, or do again.
    std::function<void(bool on)> on_legacy_route;

    /// `size` is 1 to 8 bytes that do not cross a register of 8.
    u64 read(u16 offset, int size);
    void write(u16 offset, int size, u64 value);

    bool legacy_route() const;

    void reset();

    State state;

private:
    u64 clk() const { return kClk.ticks(scheduler_.now()); }
    bool running() const;
    u64 counter() const;
    u64 until_match(const Timer& timer) const;

    void catch_up();
    void expire(std::size_t index, u64 advance);
    void arm();
    void drive();

    /// Part of a register: `value` where `mask` is set.
    struct Written {
        u64 value, mask;
        u64 over(u64 old) const { return (old & ~mask) | value; }
    };

    u64 read_register(u16 offset) const;
    void write_register(u16 offset, const Written& written);
    void write_config(u64 value);
    void write_counter(u64 value);
    void write_timer_config(Timer& timer, u64 value);
    static void write_comparator(Timer& timer, const Written& written);

    Scheduler& scheduler_;
    u32 route_capabilities_;
    std::array<Event, kTimers> match_;
};

static_assert(visits_every_member<Hpet::Timer>);
static_assert(visits_every_member<Hpet::State>);

}  // namespace reprise
