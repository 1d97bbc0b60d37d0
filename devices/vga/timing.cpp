#include "devices/vga/timing.h"

#include <algorithm>

#include "devices/vga/vga.h"
#include "machine/base/bits.h"

namespace reprise {

using namespace vga;

namespace {

constexpr u64 kClock0Hz = 25'175'000, kClock1Hz = 28'322'000;

constexpr u32 ten_bits(u8 low, bool bit8, bool bit9)
{
    return low | u32{bit8} << 8 | u32{bit9} << 9;
}

}  // namespace

u32 vertical_total(const std::array<u8, kCrtcRegisters>& crtc)
{
    return ten_bits(crtc[kVerticalTotal], bit(crtc[kOverflow], 0), bit(crtc[kOverflow], 5));
}

u32 vertical_display_end(const std::array<u8, kCrtcRegisters>& crtc)
{
    return ten_bits(crtc[kVerticalDisplayEnd], bit(crtc[kOverflow], 1), bit(crtc[kOverflow], 6));
}

u32 vertical_retrace_start(const std::array<u8, kCrtcRegisters>& crtc)
{
    return ten_bits(crtc[kVerticalRetraceStart], bit(crtc[kOverflow], 2), bit(crtc[kOverflow], 7));
}

u32 line_compare(const std::array<u8, kCrtcRegisters>& crtc)
{
    return ten_bits(crtc[kLineCompare], bit(crtc[kOverflow], 4), bit(crtc[kMaximumScanLine], 6));
}

bool CrtcTiming::displays(u64 tick) const
{
    const u64 character = tick % line_ticks() / character_ticks;
    return tick / line_ticks() < display_lines && character >= display_begin &&
           character < display_end;
}

bool CrtcTiming::in_vertical_retrace(u64 tick) const
{
    if (!retraces) return false;
    const u64 line = tick / line_ticks();
    return (line + lines - retrace_line) % lines < retrace_lines;
}

CrtcTiming vga_timing(u8 misc_output, u8 clocking_mode, const std::array<u8, kCrtcRegisters>& crtc)
{
    const u32 display_skew = bits(crtc[kEndHorizontalBlanking], 6, 5);
    // Half line rate: HSYNC is divided by two before it clocks the vertical counter.
    const u32 lines_per_count = crtc[kCrtModeControl] & kHalfLineRate ? 2 : 1;

    CrtcTiming timing;
    // Clock selects 2 and 3 are external inputs, which a PC leaves open.
    timing.dot_clock_hz = bits(misc_output, 3, 2) == 1 ? kClock1Hz : kClock0Hz;
    timing.character_ticks = (clocking_mode & kEightDots ? 8u : 9u)
                             << (clocking_mode & kDotClockHalved ? 1 : 0);
    timing.characters = crtc[kHorizontalTotal] + 5u;
    timing.display_begin = display_skew;
    timing.display_end =
        std::min(crtc[kHorizontalDisplayEnd] + 1u + display_skew, timing.characters);
    timing.lines = (vertical_total(crtc) + 2) * lines_per_count;
    timing.display_lines = (vertical_display_end(crtc) + 1) * lines_per_count;
    timing.retrace_line = vertical_retrace_start(crtc) * lines_per_count;
    // Retrace ends when the low four bits of the counter match (Vertical Retrace End).
    const u32 width = (crtc[kVerticalRetraceEnd] - vertical_retrace_start(crtc)) & 15;
    timing.retrace_lines = (width != 0 ? width : 16) * lines_per_count;
    timing.retraces =
        (crtc[kCrtModeControl] & kSyncEnable) != 0 && timing.retrace_line < timing.lines;
    if (!timing.retraces) timing.retrace_line = 0;
    return timing;
}

CrtcTiming dispi_timing(u32 width, u32 height)
{
    constexpr u32 kHz = 60;
    CrtcTiming timing;
    timing.character_ticks = 8;
    timing.display_end = width / 8;
    timing.characters = timing.display_end + timing.display_end / 4 + 2;
    timing.display_lines = height;
    timing.retrace_line = height + 3;
    timing.retrace_lines = 3;
    timing.lines = height + height / 20 + 8;
    timing.retraces = true;
    timing.dot_clock_hz = timing.frame_ticks() * kHz;
    return timing;
}

// ---- The VGA's clockwork -----------------------------------------------------------------------

Vga::Beam Vga::beam() const
{
    const u64 elapsed = timing_.dot_clock().ticks(scheduler_.now()) - state.frame_start;
    return {elapsed / timing_.frame_ticks(), elapsed % timing_.frame_ticks()};
}

u64 Vga::frame_count() const { return state.frames + beam().frame; }

/// How many vertical retraces have begun.
u64 Vga::retrace_count() const
{
    if (!timing_.retraces) return state.retraces;
    const Beam now = beam();
    return state.retraces + now.frame + (now.tick >= timing_.retrace_tick() ? 1 : 0);
}

double Vga::refresh_hz() const
{
    return static_cast<double>(timing_.dot_clock_hz) / static_cast<double>(timing_.frame_ticks());
}

CrtcTiming Vga::programmed_timing() const
{
    if (state.dispi.enabled()) return dispi_timing(state.dispi.xres, state.dispi.yres);
    return vga_timing(state.misc_output, state.sequencer[kClockingMode], state.crtc);
}

/// The counters go on from where they are; those that are past their new end start over.
void Vga::refresh_timing()
{
    const CrtcTiming next = programmed_timing();
    if (next == timing_) return;

    const u64 frames = frame_count(), retraces = retrace_count();
    const u64 tick = beam().tick;
    const u64 line = tick / timing_.line_ticks() % next.lines;
    const u64 character =
        tick % timing_.line_ticks() / timing_.character_ticks % next.characters;
    timing_ = next;

    const u64 position = line * next.line_ticks() + character * next.character_ticks;
    const bool retrace_begun = next.retraces && position >= next.retrace_tick();
    state.frame_start = next.dot_clock().ticks(scheduler_.now()) - position;
    state.frames = frames;
    state.retraces = retraces - (retrace_begun ? 1 : 0);
    arm_retrace();
}

/// When the next vertical retrace begins, or the next frame if there are no retraces.
Time Vga::next_retrace() const
{
    const Beam now = beam();
    const u64 begin = timing_.retraces ? timing_.retrace_tick() : 0;
    const u64 frame = now.frame + (now.tick >= begin ? 1 : 0);
    return timing_.dot_clock().time_of(state.frame_start + frame * timing_.frame_ticks() + begin);
}

u16 Vga::programmed_start_address() const
{
    return static_cast<u16>(state.crtc[kStartAddressHigh] << 8 | state.crtc[kStartAddressLow]);
}

bool Vga::interrupt_pending() const
{
    return (state.crtc[kVerticalRetraceEnd] & kClearInterruptOff) != 0 &&
           retrace_count() != state.retraces_cleared;
}

/// There is an event only while somebody waits for a retrace: a start address that has not taken
/// effect, or an enabled interrupt.
void Vga::arm_retrace()
{
    const bool interrupt_wanted =
        (state.crtc[kVerticalRetraceEnd] & (kClearInterruptOff | kInterruptOff)) ==
            kClearInterruptOff &&
        timing_.retraces && !interrupt_pending();
    const bool wanted = interrupt_wanted || programmed_start_address() != state.start_address;
    retrace_.at(wanted ? next_retrace() : kNever);
}

void Vga::retrace()
{
    state.start_address = programmed_start_address();
    refresh_interrupt();
}

void Vga::refresh_interrupt()
{
    const bool level =
        !(state.crtc[kVerticalRetraceEnd] & kInterruptOff) && interrupt_pending();
    arm_retrace();
    if (level == state.irq) return;
    state.irq = level;
    if (on_irq) on_irq(level);
}

}  // namespace reprise
