#include "devices/hpet.h"

#include "machine/base/bits.h"

namespace reprise {

namespace {

// Registers (2.3.1).
constexpr u16 kCapabilities = 0x000, kConfiguration = 0x010, kStatus = 0x020, kCounter = 0x0F0,
              kFirstTimer = 0x100, kTimerBytes = 0x20, kComparator = 0x08;

// General capabilities (2.3.4): revision 1, three timers, 64 bits, legacy replacement, Intel.
constexpr u64 kCapabilityBits =
    0x8086'0000 | 1 << 15 | 1 << 13 | (Hpet::kTimers - 1) << 8 | 1 | u64{Hpet::kPeriodFs} << 32;
// General configuration (2.3.5).
constexpr int kEnable = 0, kLegacyRoute = 1;

// Timer configuration (2.3.8).
constexpr int kLevel = 1, kInterruptEnable = 2, kPeriodic = 3, kValueSet = 6, k32Bit = 8;
constexpr int kRouteLow = 9, kRouteHigh = 13;
constexpr u64 kTimerCapabilities = 1 << 4 | 1 << 5;  // periodic, 64 bits
constexpr u64 kTimerWritable =
    1 << kLevel | 1 << kInterruptEnable | 1 << kPeriodic | 1 << kValueSet | 1 << k32Bit;

/// Further away than this nothing is waited for: 365 years.
constexpr u64 kFarAway = u64{1} << 60;

constexpr u64 modulus_mask(const Hpet::Timer& timer)
{
    return bit(timer.config, k32Bit) ? 0xFFFF'FFFF : ~u64{0};
}

constexpr int route(const Hpet::Timer& timer)
{
    return static_cast<int>(bits(timer.config, kRouteHigh, kRouteLow));
}

}  // namespace

Hpet::Hpet(Scheduler& scheduler, u32 route_capabilities)
    : scheduler_(scheduler),
      route_capabilities_(route_capabilities),
      match_{Event{scheduler, "hpet.timer0", [this] { catch_up(); }},
             Event{scheduler, "hpet.timer1", [this] { catch_up(); }},
             Event{scheduler, "hpet.timer2", [this] { catch_up(); }}}
{
}

void Hpet::reset()
{
    const State old = state;
    state = State{.since = clk(), .inputs = old.inputs, .legacy = old.legacy};
    drive();
    arm();
    if (bit(old.config, kLegacyRoute) && on_legacy_route) on_legacy_route(false);
}

bool Hpet::running() const { return bit(state.config, kEnable); }
bool Hpet::legacy_route() const { return bit(state.config, kLegacyRoute); }

u64 Hpet::counter() const
{
    return running() ? state.counter + (clk() - state.since) : state.counter;
}

/// Ticks from `state.since` to the next match. A comparator that equals the counter has matched
/// already and does again when the counter has come round.
u64 Hpet::until_match(const Timer& timer) const
{
    const u64 mask = modulus_mask(timer);
    const u64 ticks = (timer.comparator - state.counter) & mask;
    return ticks != 0 ? ticks : mask + u64{bit(timer.config, k32Bit)};
}

/// Brings everything up to the present: matches, counter, outputs, and the events to come.
void Hpet::catch_up()
{
    if (running()) {
        const u64 now = clk(), advance = now - state.since;
        for (std::size_t i = 0; i < kTimers; ++i)
            if (until_match(state.timer[i]) <= advance) expire(i, advance);
        state.counter += advance;
        state.since = now;
    }
    arm();
}

/// 2.3.9.2: "the value in the comparator is increased by the last value written to that register".
/// A timer whose matches nobody waited for may have had many.
void Hpet::expire(std::size_t index, u64 advance)
{
    Timer& timer = state.timer[index];
    if (bit(timer.config, kPeriodic) && timer.period != 0) {
        const u64 matches = (advance - until_match(timer)) / timer.period + 1;
        timer.comparator = (timer.comparator + matches * timer.period) & modulus_mask(timer);
    }
    if (bit(timer.config, kLevel)) {
        state.status |= u64{1} << index;
    } else if (bit(timer.config, kInterruptEnable)) {
        // Each match is an edge: what was high from the one before falls first.
        timer.edge_out = false;
        drive();
        timer.edge_out = true;
    }
    drive();
}

/// While the status of a level-triggered timer is set, another match makes no difference.
void Hpet::arm()
{
    for (std::size_t i = 0; i < kTimers; ++i) {
        const Timer& timer = state.timer[i];
        const bool requested =
            bit(timer.config, kLevel) && bit(state.status, static_cast<int>(i));
        const bool interrupts = running() && bit(timer.config, kInterruptEnable) && !requested;
        const u64 ticks = interrupts ? until_match(timer) : kFarAway;
        match_[i].at(ticks < kFarAway ? kClk.time_of(state.since + ticks) : kNever);
    }
}

/// Outputs follow from status and routing (2.3.8, 2.3.5: with legacy replacement, the routing of
/// timers 0 and 1 has no meaning).
void Hpet::drive()
{
    u32 inputs = 0;
    u8 legacy = 0;
    for (std::size_t i = 0; i < kTimers; ++i) {
        const Timer& timer = state.timer[i];
        const bool level = bit(timer.config, kLevel);
        const bool out = bit(timer.config, kInterruptEnable) &&
                         (level ? bit(state.status, static_cast<int>(i)) : timer.edge_out);
        if (!out) continue;
        if (legacy_route() && i < 2) legacy |= static_cast<u8>(1 << i);
        else if (bit(route_capabilities_, route(timer))) inputs |= 1u << route(timer);
    }
    const u32 changed_inputs = inputs ^ state.inputs;
    const u8 changed_legacy = legacy ^ state.legacy;
    state.inputs = inputs;
    state.legacy = legacy;
    for (int i = 0; i < 32; ++i)
        if (bit(changed_inputs, i) && on_interrupt) on_interrupt(i, bit(inputs, i));
    for (int i = 0; i < 2; ++i)
        if (bit(changed_legacy, i) && on_legacy_interrupt) on_legacy_interrupt(i, bit(legacy, i));
}

// ---- Registers ---------------------------------------------------------------------------------

u64 Hpet::read(u16 offset, int size)
{
    catch_up();
    const int shift = 8 * (offset & 7);
    const u64 value = read_register(offset & 0x3F8) >> shift;
    return size >= 8 ? value : value & ((u64{1} << 8 * size) - 1);
}

void Hpet::write(u16 offset, int size, u64 value)
{
    catch_up();
    const u16 base = offset & 0x3F8;
    const int shift = 8 * (offset & 7);
    const u64 mask = (size >= 8 ? ~u64{0} : (u64{1} << 8 * size) - 1) << shift;
    write_register(base, {value << shift & mask, mask});
    drive();
    arm();
}

u64 Hpet::read_register(u16 offset) const
{
    switch (offset) {
    case kCapabilities: return kCapabilityBits;
    case kConfiguration: return state.config;
    case kStatus: return state.status;
    case kCounter: return counter();
    default: break;
    }
    const std::size_t index = static_cast<std::size_t>(offset - kFirstTimer) / kTimerBytes;
    if (offset < kFirstTimer || index >= kTimers) return 0;
    const Timer& timer = state.timer[index];
    switch (offset % kTimerBytes) {
    case 0: return timer.config | kTimerCapabilities | u64{route_capabilities_} << 32;
    case kComparator: return timer.comparator;
    default: return 0;  // FSB interrupt route
    }
}

void Hpet::write_register(u16 offset, const Written& written)
{
    switch (offset) {
    case kConfiguration: return write_config(written.over(state.config));
    case kStatus: state.status &= ~written.value; return;
    case kCounter: return write_counter(written.over(state.counter));
    default: break;
    }
    const std::size_t index = static_cast<std::size_t>(offset - kFirstTimer) / kTimerBytes;
    if (offset < kFirstTimer || index >= kTimers) return;
    Timer& timer = state.timer[index];
    if (offset % kTimerBytes == 0) write_timer_config(timer, written.over(timer.config));
    else if (offset % kTimerBytes == kComparator) write_comparator(timer, written);
}

void Hpet::write_config(u64 value)
{
    const bool was_legacy = legacy_route();
    state.config = value & (1 << kEnable | 1 << kLegacyRoute);
    state.since = clk();
    if (legacy_route() == was_legacy) return;
    drive();
    if (on_legacy_route) on_legacy_route(legacy_route());
}

void Hpet::write_counter(u64 value)
{
    state.counter = value;
    state.since = clk();
}

/// A route that the timer has not got is not taken, and reads back as it was (2.3.8).
void Hpet::write_timer_config(Timer& timer, u64 value)
{
    const int wanted = static_cast<int>(bits(value, kRouteHigh, kRouteLow));
    const int taken = bit(route_capabilities_, wanted) ? wanted : route(timer);
    timer.config = (value & kTimerWritable) | static_cast<u64>(taken) << kRouteLow;
    if (!bit(value, kInterruptEnable) || bit(value, kLevel)) timer.edge_out = false;
    timer.comparator &= modulus_mask(timer);
    timer.period &= modulus_mask(timer);
}

/// 2.3.9.2.2: in periodic mode what is written is the period; the comparator itself takes it only
/// if Tn_VAL_SET_CNF was set, for this once.
void Hpet::write_comparator(Timer& timer, const Written& written)
{
    const u64 mask = modulus_mask(timer);
    const bool periodic = bit(timer.config, kPeriodic);
    if (periodic) timer.period = written.over(timer.period) & mask;
    if (!periodic || bit(timer.config, kValueSet))
        timer.comparator = written.over(timer.comparator) & mask;
    timer.config = with_bit(timer.config, kValueSet, false);
}

}  // namespace reprise
