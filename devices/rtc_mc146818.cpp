#include "devices/rtc_mc146818.h"

#include "machine/base/bits.h"

namespace reprise {

namespace {

enum Register : u8 {
    kSeconds,
    kSecondsAlarm,
    kMinutes,
    kMinutesAlarm,
    kHours,
    kHoursAlarm,
    kDayOfWeek,
    kDate,
    kMonth,
    kYear,
    kA,
    kB,
    kC,
    kD,
};

// Register A
constexpr int kUip = 7;
// Register B
constexpr int kSet = 7, kUie = 4, kDm = 2, k24h = 1, kDse = 0;
// Registers B (enables) and C (flags) have these in the same places
constexpr u8 kIrqf = 0x80, kPf = 0x40, kAf = 0x20, kUf = 0x10;
constexpr u8 kSqwe = 0x08;
// Register D
constexpr u8 kVrt = 0x80;

constexpr u8 kPm = 0x80;
constexpr u8 kDontCare = 0xC0;

/// How DV2..DV0 set up the divider chain (table 4), in cycles of the oscillator.
struct TimeBase {
    bool running;
    u64 second;        // one update cycle in so many cycles
    u64 before, busy;  // tBUC, UIP before the update cycle, and tUC, its length (table 6)
};

constexpr TimeBase time_base(u8 a)
{
    switch (bits(a, 6, 4)) {
    case 0: return {true, u64{1} << 22, 1024, 1040};  // meant for 4.194304 MHz: 244 us, 248 us
    case 1: return {true, u64{1} << 20, 256, 260};    // meant for 1.048576 MHz
    case 2: return {true, u64{1} << 15, 8, 65};       // 32.768 kHz: 244 us, 1984 us
    default: return {false, u64{1} << 15, 8, 65};     // 6, 7: divider reset; 3..5: test modes
    }
}

/// Periodic Interrupt Rate (table 5) as a power of two of oscillator cycles; 0: none.
constexpr u64 periodic_cycles(u8 a)
{
    const int rs = bits(a, 3, 0);
    if (rs == 0 || !time_base(a).running) return 0;
    switch (bits(a, 6, 4)) {
    case 0: return u64{128} << (rs - 1);
    case 1: return u64{32} << (rs - 1);
    default: return rs <= 2 ? u64{128} << (rs - 1) : u64{1} << (rs - 1);
    }
}

/// Edges of the periodic rate up to `chain`. They lie halfway between the edges that start update
/// cycles ("Update-Ended and Periodic Interrupt Relationships"), so that a periodic interrupt finds
/// the time readable.
constexpr u64 periodic_edges(u64 chain, u64 cycles) { return (chain + cycles / 2) / cycles; }

struct Date {
    i64 year;
    u32 month, day;
};

/// Proleptic Gregorian date of a day number counted from 1970-01-01. Years are taken to begin in
/// March, which puts the leap day last.
Date date_of(i64 days)
{
    constexpr i64 kDaysIn400Years = 146'097, kDaysTo1970 = 719'468;
    const i64 shifted = days + kDaysTo1970;
    const i64 era = (shifted >= 0 ? shifted : shifted - (kDaysIn400Years - 1)) / kDaysIn400Years;
    const i64 day_of_era = shifted - era * kDaysIn400Years;
    const i64 year_of_era =
        (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const i64 day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const i64 month = (5 * day_of_year + 2) / 153;  // 0 is March
    return {.year = era * 400 + year_of_era + (month >= 10 ? 1 : 0),
            .month = static_cast<u32>(month < 10 ? month + 3 : month - 9),
            .day = static_cast<u32>(day_of_year - (153 * month + 2) / 5 + 1)};
}

constexpr u32 days_in(u32 month, u32 year)
{
    if (month == 2) return year % 4 == 0 ? 29 : 28;  // all the chip knows about leap years
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

}  // namespace

RtcMc146818::RtcMc146818(Scheduler& scheduler)
    : scheduler_(scheduler),
      update_{scheduler, "rtc.update", [this] { update_cycle(); }},
      periodic_{scheduler, "rtc.periodic", [this] { update_irq(); }}
{
    state.ram[kA] = 0x26;  // 32.768 kHz, 1024 Hz: what every PC's firmware sets
    state.ram[kB] = 0x02;  // 24 hours, BCD
    state.ram[kD] = kVrt;
    set_time(0);
}

void RtcMc146818::reset()
{
    note_periodic();
    state.ram[kB] &= static_cast<u8>(~(kPf | kAf | kUf | kSqwe));
    state.flags &= static_cast<u8>(~(kPf | kAf | kUf));
    update_irq();
}

// ---- The divider chain -------------------------------------------------------------------------

/// The chain's one-second edge raises UIP; the update cycle begins `before` later and takes `busy`.
bool RtcMc146818::update_in_progress() const
{
    const TimeBase base = time_base(state.ram[kA]);
    return base.running && !bit(state.ram[kB], kSet) &&
           chain() % base.second < base.before + base.busy;
}

void RtcMc146818::note_periodic()
{
    const u64 now = chain();
    const u64 cycles = periodic_cycles(state.ram[kA]);
    if (cycles != 0 && periodic_edges(now, cycles) != periodic_edges(state.periodic_seen, cycles))
        state.flags |= kPf;
    state.periodic_seen = now;
}

/// Arms the end of the next update cycle, and the next periodic edge if it would assert IRQ.
void RtcMc146818::arm()
{
    const u64 tick = kOscillator.ticks(scheduler_.now());
    const u64 now = chain();
    const TimeBase base = time_base(state.ram[kA]);
    const u64 into = (now - base.before - base.busy) % base.second;
    update_.at(base.running ? kOscillator.time_of(tick + base.second - into) : kNever);

    const u64 cycles = periodic_cycles(state.ram[kA]);
    const bool wanted = cycles != 0 && (state.ram[kB] & kPf) != 0 && (state.flags & kPf) == 0;
    const u64 to_edge = wanted ? cycles - (now + cycles / 2) % cycles : 0;
    periodic_.at(wanted ? kOscillator.time_of(tick + to_edge) : kNever);
}

void RtcMc146818::update_cycle()
{
    if (!bit(state.ram[kB], kSet)) {
        advance_second();
        state.flags |= kUf;
        if (alarm_matches()) state.flags |= kAf;
    }
    update_irq();
}

bool RtcMc146818::irq() const { return (state.flags & kIrqf) != 0; }

/// IRQF: some flag is set together with its enable.
void RtcMc146818::update_irq()
{
    note_periodic();
    const bool before = (state.flags & kIrqf) != 0;
    const bool after = (state.flags & state.ram[kB] & (kPf | kAf | kUf)) != 0;
    state.flags = static_cast<u8>((state.flags & ~kIrqf) | (after ? kIrqf : 0));
    arm();
    if (after != before && on_irq) on_irq(after);
}

// ---- Registers ---------------------------------------------------------------------------------

u8 RtcMc146818::read(u16 offset) { return bit(offset, 0) ? read_register() : u8{0xFF}; }

void RtcMc146818::write(u16 offset, u8 value)
{
    if (bit(offset, 0)) write_register(value);
    else state.index = bits(value, 6, 0);
}

u8 RtcMc146818::read_register()
{
    switch (state.index) {
    case kA: return with_bit(state.ram[kA], kUip, update_in_progress());
    case kC: {
        update_irq();
        const u8 flags = state.flags;
        state.flags &= static_cast<u8>(~(kPf | kAf | kUf));
        update_irq();
        return flags;
    }
    default: return state.ram[state.index];
    }
}

void RtcMc146818::write_register(u8 value)
{
    switch (state.index) {
    case kSeconds: state.ram[kSeconds] = bits(value, 6, 0); break;  // bit 7 is read-only
    case kA: write_a(value); break;
    case kB: write_b(value); break;
    case kC:
    case kD: break;  // read-only
    default: state.ram[state.index] = value;
    }
}

/// When the divider reset is removed, the first update cycle begins half a second later.
void RtcMc146818::write_a(u8 value)
{
    note_periodic();
    const bool was_running = time_base(state.ram[kA]).running;
    state.ram[kA] = bits(value, 6, 0);
    const TimeBase base = time_base(value);
    if (base.running && !was_running) state.chain_offset += base.second / 2 + base.before - chain();
    state.periodic_seen = chain();
    update_irq();
}

/// SET going high clears UIE.
void RtcMc146818::write_b(u8 value)
{
    note_periodic();
    state.ram[kB] = bit(value, kSet) ? with_bit(value, kUie, false) : value;
    update_irq();
}

// ---- Time, calendar, alarm ---------------------------------------------------------------------

bool RtcMc146818::mode_24h() const { return bit(state.ram[kB], k24h); }

u32 RtcMc146818::decode(u8 raw) const
{
    return bit(state.ram[kB], kDm) ? raw : bits(raw, 7, 4) * 10u + bits(raw, 3, 0);
}

u8 RtcMc146818::encode(u32 value) const
{
    return static_cast<u8>(bit(state.ram[kB], kDm) ? value : value / 10 % 10 << 4 | value % 10);
}

/// The hour as 0..23, from either format.
u32 RtcMc146818::hour() const
{
    const u8 raw = state.ram[kHours];
    if (mode_24h()) return decode(raw);
    return decode(bits(raw, 6, 0)) % 12 + ((raw & kPm) != 0 ? 12 : 0);
}

u8 RtcMc146818::encode_hour(u32 value) const
{
    if (mode_24h()) return encode(value);
    const u8 twelve = encode(value % 12 == 0 ? 12 : value % 12);
    return static_cast<u8>(twelve | (value >= 12 ? kPm : 0));
}

void RtcMc146818::set_time(i64 seconds_since_1970)
{
    constexpr i64 kDay = 86'400;
    const i64 days = seconds_since_1970 / kDay - (seconds_since_1970 % kDay < 0 ? 1 : 0);
    const u32 second_of_day = static_cast<u32>((seconds_since_1970 % kDay + kDay) % kDay);
    const Date date = date_of(days);
    const u32 year = static_cast<u32>((date.year % 10'000 + 10'000) % 10'000);

    state.ram[kSeconds] = encode(second_of_day % 60);
    state.ram[kMinutes] = encode(second_of_day / 60 % 60);
    state.ram[kHours] = encode_hour(second_of_day / 3600);
    state.ram[kDayOfWeek] = encode(static_cast<u32>(((days + 4) % 7 + 7) % 7) + 1);  // Sunday is 1
    state.ram[kDate] = encode(date.day);
    state.ram[kMonth] = encode(date.month);
    state.ram[kYear] = encode(year % 100);
    state.ram[kCentury] = encode(year / 100);

    note_periodic();
    const TimeBase base = time_base(state.ram[kA]);
    state.chain_offset += base.before + base.busy - chain();
    state.periodic_seen = chain();
    update_irq();
}

/// Counts the registers up as the chip does: a byte at or beyond its last value starts over.
void RtcMc146818::advance_second()
{
    auto& ram = state.ram;
    const u32 second = decode(ram[kSeconds]);
    ram[kSeconds] = encode(second < 59 ? second + 1 : 0);
    if (second < 59) return;

    const u32 minute = decode(ram[kMinutes]);
    ram[kMinutes] = encode(minute < 59 ? minute + 1 : 0);
    if (minute < 59) return;

    const u32 next_hour = hour() + 1;
    if (adjust_daylight_saving(next_hour)) return;
    ram[kHours] = encode_hour(next_hour < 24 ? next_hour : 0);
    if (next_hour >= 24) advance_day();
}

/// DSE: on the last Sunday in April 1:59:59 AM is followed by 3:00:00, and on the last Sunday in
/// October the first 1:59:59 AM is followed by 1:00:00.
bool RtcMc146818::adjust_daylight_saving(u32 next_hour)
{
    const auto& ram = state.ram;
    if (!bit(ram[kB], kDse) || next_hour != 2 || decode(ram[kDayOfWeek]) != 1) return false;
    const u32 month = decode(ram[kMonth]), date = decode(ram[kDate]);
    if (month == 4 && date >= 24) {
        state.ram[kHours] = encode_hour(3);
        return true;
    }
    if (month == 10 && date >= 25) {
        state.repeated_hour = !state.repeated_hour;
        if (state.repeated_hour) state.ram[kHours] = encode_hour(1);
        return state.repeated_hour;
    }
    return false;
}

void RtcMc146818::advance_day()
{
    auto& ram = state.ram;
    state.repeated_hour = false;
    const u32 weekday = decode(ram[kDayOfWeek]);
    ram[kDayOfWeek] = encode(weekday < 7 ? weekday + 1 : 1);

    const u32 date = decode(ram[kDate]), month = decode(ram[kMonth]), year = decode(ram[kYear]);
    const bool month_over = date >= days_in(month, year);
    ram[kDate] = encode(month_over ? 1 : date + 1);
    if (!month_over) return;
    ram[kMonth] = encode(month < 12 ? month + 1 : 1);
    if (month < 12) return;
    ram[kYear] = encode(year < 99 ? year + 1 : 0);
    if (year >= 99) ram[kCentury] = encode((decode(ram[kCentury]) + 1) % 100);
}

/// An alarm byte from C0h to FFh matches everything.
bool RtcMc146818::alarm_matches() const
{
    for (const u8 time : {kSeconds, kMinutes, kHours}) {
        const u8 alarm = state.ram[time + 1];
        if ((alarm & kDontCare) != kDontCare && alarm != state.ram[time]) return false;
    }
    return true;
}

}  // namespace reprise
