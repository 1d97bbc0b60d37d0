/// Where the beam is, from guest time, and what happens at vertical retrace.

#include <algorithm>

#include "devices/vga/vga.h"

namespace reprise {

namespace {

/// Miscellaneous output bits 3..2. The other two select inputs to which nothing is connected here.
constexpr u64 kPelClock[4] = {25'175'000, 28'322'000, 25'175'000, 25'175'000};

/// A position in a counter's cycle moved into a cycle of another length.
constexpr u64 into(u64 position, u64 length) { return std::min(position, length - 1); }

}  // namespace

bool Vga::Timing::operator==(const Timing& other) const
{
    return character_clock.numerator == other.character_clock.numerator &&
           character_clock.denominator == other.character_clock.denominator &&
           h_total == other.h_total && h_displayed == other.h_displayed &&
           v_total == other.v_total && v_displayed == other.v_displayed &&
           retrace_start == other.retrace_start && retrace_lines == other.retrace_lines;
}

Vga::Timing Vga::decode_timing() const
{
    if (dispi_enabled()) return dispi_timing();
    const auto& crtc = state.crtc;
    const u8 overflow = crtc[0x07];
    const u8 clocking = state.sequencer[1];
    const u64 dots = bit(clocking, 0) ? 8 : 9;
    const u64 divider = bit(clocking, 3) ? 2 : 1;
    const u32 scale = bit(crtc[0x17], 2) ? 2 : 1;  // the vertical counters run at half speed

    Timing t;
    t.character_clock = {kPelClock[bits(state.miscellaneous_output, 3, 2)], dots * divider};
    t.h_total = crtc[0x00] + 5u;
    t.h_displayed = crtc[0x01] + 1u;
    t.v_total = ((crtc[0x06] | bits(overflow, 0, 0) << 8 | bits(overflow, 5, 5) << 9) + 2u) * scale;
    t.v_displayed =
        ((crtc[0x12] | bits(overflow, 1, 1) << 8 | bits(overflow, 6, 6) << 9) + 1u) * scale;
    const u32 start = crtc[0x10] | bits(overflow, 2, 2) << 8 | bits(overflow, 7, 7) << 9;
    // The retrace ends when the low four bits of the line counter match 11h bits 3..0.
    const u32 lines = (crtc[0x11] - start - 1) % 16 + 1;
    // A retrace that would never begin is taken to begin in the last line, and one that would never
    // end leaves one line, so that whoever waits for it goes on.
    t.retrace_start = std::min(start * scale, t.v_total - scale);
    t.retrace_lines = std::min(lines * scale, t.v_total - scale);
    return t;
}

/// DISPI has no timing registers. Its modes refresh at 60 Hz.
Vga::Timing Vga::dispi_timing() const
{
    const DispiMode mode = dispi_mode();
    Timing t;
    t.h_displayed = (mode.width + 7) / 8;
    t.h_total = t.h_displayed * 5 / 4 + 2;
    t.v_displayed = mode.height;
    t.v_total = mode.height * 21 / 20 + 8;
    t.retrace_start = mode.height + 3;
    t.retrace_lines = 3;
    t.character_clock = {60 * t.frame_length(), 1};
    return t;
}

u64 Vga::beam_clocks() const
{
    return state.epoch_position + timing_.character_clock.ticks(scheduler_.now() - state.epoch);
}

u64 Vga::frames() const { return state.epoch_frames + beam_clocks() / timing_.frame_length(); }

/// The beam goes on from where it is with the new totals.
void Vga::update_timing()
{
    const Timing next = decode_timing();
    if (next == timing_) return;
    const u64 clocks = beam_clocks();
    const u64 position = clocks % timing_.frame_length();
    const u64 line = into(position / timing_.h_total, next.v_total);
    const u64 character = into(position % timing_.h_total, next.h_total);
    state.epoch_frames += clocks / timing_.frame_length();
    state.epoch_position = line * next.h_total + character;
    state.epoch = scheduler_.now();
    timing_ = next;
    arm_retrace();
}

/// Reading also resets the attribute controller's flip-flop.
u8 Vga::input_status_1()
{
    state.attribute_data = false;
    const u64 position = beam_clocks() % timing_.frame_length();
    const u32 line = static_cast<u32>(position / timing_.h_total);
    const u32 character = static_cast<u32>(position % timing_.h_total);
    const bool displaying = line < timing_.v_displayed && character < timing_.h_displayed;
    const u32 since_retrace = (line + timing_.v_total - timing_.retrace_start) % timing_.v_total;
    const bool retracing = since_retrace < timing_.retrace_lines;

    // Attribute controller 12h, bits 5..4: two of the eight colour lines, here those of the border.
    static constexpr u8 kDiagnosticBits[4][2] = {{0, 2}, {4, 5}, {1, 3}, {6, 7}};
    const u8 border = displaying ? 0 : state.attribute[0x11];
    const u8* lines = kDiagnosticBits[bits(state.attribute[0x12], 5, 4)];
    const int diagnostic = bit(border, lines[0]) << 4 | bit(border, lines[1]) << 5;
    return static_cast<u8>(diagnostic | retracing << 3 | !displaying);
}

// ---- Vertical retrace
// ------------------------------------------------------------------------------

/// The event is armed while a start address waits to be taken, or the interrupt to be latched.
void Vga::arm_retrace()
{
    const u16 start = static_cast<u16>(state.crtc[0x0C] << 8 | state.crtc[0x0D]);
    const bool latch_waits = bit(state.crtc[0x11], 4) && !state.retrace_interrupt;
    if (start == state.start_address && !latch_waits) {
        retrace_event_.at(kNever);
        return;
    }
    const u64 length = timing_.frame_length();
    const u64 clocks = beam_clocks();
    const u64 target = u64{timing_.retrace_start} * timing_.h_total;
    const u64 ahead = (target + length - clocks % length) % length;
    const u64 ticks = clocks + (ahead ? ahead : length) - state.epoch_position;
    retrace_event_.at(state.epoch + timing_.character_clock.time_of(ticks));
}

void Vga::retrace()
{
    const bool pin = interrupt_pin();
    state.start_address = static_cast<u16>(state.crtc[0x0C] << 8 | state.crtc[0x0D]);
    if (bit(state.crtc[0x11], 4)) state.retrace_interrupt = true;
    arm_retrace();
    drive_interrupt(pin);
}

bool Vga::interrupt_pin() const { return state.retrace_interrupt && !bit(state.crtc[0x11], 5); }

void Vga::drive_interrupt(bool before)
{
    if (interrupt_pin() != before && on_irq) on_irq(!before);
}

}  // namespace reprise
