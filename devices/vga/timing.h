/// Where the beam is: the CRT controller's counters as functions of guest time.
///
///     0        display_begin  display_end           line
///     |.............|####################|.............|   x display_lines, then blank lines,
///                                                          of which some are vertical retrace
#pragma once

#include <array>

#include "devices/vga/registers.h"
#include "machine/base/scheduler.h"

namespace reprise {

/// One frame, in ticks of the dot clock. Never degenerate: every period is at least one tick.
struct CrtcTiming {
    u64 dot_clock_hz = 25'175'000;
    u32 character_ticks = 9;
    u32 characters = 5;                       // per line
    u32 display_begin = 0, display_end = 0;   // in characters
    u32 lines = 2;                            // per frame
    u32 display_lines = 1;
    u32 retrace_line = 0, retrace_lines = 1;  // vertical retrace may last into the next frame
    bool retraces = false;                    // there is a vertical retrace at all

    bool operator==(const CrtcTiming&) const = default;

    Clock dot_clock() const { return {dot_clock_hz}; }
    u64 line_ticks() const { return u64{characters} * character_ticks; }
    u64 frame_ticks() const { return line_ticks() * lines; }
    u64 retrace_tick() const { return line_ticks() * retrace_line; }

    /// `tick` counts from the start of a frame and lies within it.
    bool displays(u64 tick) const;
    bool in_vertical_retrace(u64 tick) const;
};

/// What the registers of a VGA say.
CrtcTiming vga_timing(u8 misc_output, u8 clocking_mode,
                      const std::array<u8, vga::kCrtcRegisters>& crtc);

/// A DISPI mode has no timing of its own and stays at 60 Hz, with blanking of the usual share.
CrtcTiming dispi_timing(u32 width, u32 height);

/// The ten-bit numbers of the CRT controller, whose upper bits are in Overflow and Maximum Scan
/// Line.
u32 vertical_total(const std::array<u8, vga::kCrtcRegisters>& crtc);
u32 vertical_display_end(const std::array<u8, vga::kCrtcRegisters>& crtc);
u32 vertical_retrace_start(const std::array<u8, vga::kCrtcRegisters>& crtc);
u32 line_compare(const std::array<u8, vga::kCrtcRegisters>& crtc);

}  // namespace reprise
