#include "devices/vga/vga.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace reprise {

using namespace vga;

namespace {

constexpr std::size_t kPageBytes = 4096;

/// calloc: the host gives pages as they are used, and most guests use one of the sixteen megabytes.
u8* allocate_memory()
{
    void* memory = std::calloc(Vga::kMemoryBytes + kPageBytes, 1);
    if (!memory) throw std::bad_alloc();
    return static_cast<u8*>(memory);
}

u8* align_to_page(u8* memory)
{
    const auto misaligned = reinterpret_cast<std::uintptr_t>(memory) % kPageBytes;
    return memory + (kPageBytes - misaligned) % kPageBytes;
}

}  // namespace

void Vga::Free::operator()(u8* memory) const { std::free(memory); }

Vga::Vga(Scheduler& scheduler)
    : scheduler_(scheduler),
      retrace_(scheduler, "vga.retrace", [this] { retrace(); }),
      memory_(allocate_memory()),
      vram_(align_to_page(memory_.get())),
      timing_(programmed_timing())
{
}

void Vga::reset()
{
    const u64 frames = frame_count(), retraces = retrace_count();
    const bool irq = state.irq;
    state = State{};
    timing_ = programmed_timing();
    state.frame_start = timing_.dot_clock().ticks(scheduler_.now());
    state.frames = frames;
    state.retraces = state.retraces_cleared = retraces;
    refresh_memory();
    arm_retrace();
    if (irq && on_irq) on_irq(false);
}

/// What visit() may have replaced is the source of the derived members. Changes nothing otherwise.
void Vga::refresh_after_load()
{
    timing_ = programmed_timing();
    refresh_memory();
}

// ---- DISPI -------------------------------------------------------------------------------------

u16 Vga::dispi_read(u16 offset) const
{
    return offset == 0 ? state.dispi.index : state.dispi.read(state.dispi.index);
}

void Vga::dispi_write(u16 offset, u16 value)
{
    if (offset == 0) state.dispi.index = value;
    else set_dispi_register(state.dispi.index, value);
}

u8 Vga::dispi_read_byte(u16 offset)
{
    const u16 value = dispi_read(offset);
    state.dispi.byte_second = !state.dispi.byte_second;
    return static_cast<u8>(state.dispi.byte_second ? value >> 8 : value);
}

void Vga::dispi_write_byte(u16 offset, u8 value)
{
    state.dispi.byte_second = !state.dispi.byte_second;
    if (state.dispi.byte_second) state.dispi.byte_latch = value;
    else dispi_write(offset, static_cast<u16>(state.dispi.byte_latch << 8 | value));
}

void Vga::set_dispi_register(u16 number, u16 value)
{
    const bool was_enabled = state.dispi.enabled();
    const bool mode_changed = state.dispi.write(number, value);
    if (mode_changed) set_up_dispi_mode();
    if (mode_changed && !was_enabled && !(state.dispi.enable & Dispi::kNoClearMemory))
        std::fill_n(vram_, state.dispi.yres * state.dispi.line_bytes(), u8{0});
    refresh_timing();
    refresh_memory();
}

/// The card's own sequence after ENABLE: registers that software may look at, and memory access
/// that fits the mode (planes with 4 bits per pixel, chained by four otherwise).
void Vga::set_up_dispi_mode()
{
    const Dispi& dispi = state.dispi;
    const bool planar = dispi.bpp == 4;
    auto& crtc = state.crtc;
    const auto set = [](u8& target, u8 mask, bool on) {
        target = static_cast<u8>(on ? target | mask : target & ~mask);
    };

    const u32 last_line = dispi.yres - 1u;
    crtc[kHorizontalDisplayEnd] = static_cast<u8>(dispi.xres / 8 - 1);
    crtc[kOffset] = static_cast<u8>(dispi.line_bytes() / 8);
    crtc[kVerticalDisplayEnd] = static_cast<u8>(last_line);
    set(crtc[kOverflow], 0x02, (last_line & 0x100) != 0);
    set(crtc[kOverflow], 0x40, (last_line & 0x200) != 0);
    crtc[kLineCompare] = 0xFF;
    crtc[kOverflow] |= 0x10;
    crtc[kMaximumScanLine] = static_cast<u8>((crtc[kMaximumScanLine] & 0x20) | 0x40);
    crtc[kCrtModeControl] |= kRowScanBit0Off | kRowScanBit1Off;

    set(state.sequencer[kClockingMode], kDotClockHalved, false);
    state.sequencer[kMapMask] = 0x0F;
    state.sequencer[kMemoryMode] |= kExtendedMemory | kOddEvenOff;
    set(state.sequencer[kMemoryMode], kChain4, !planar);
    state.graphics[kGraphicsMode] = planar ? 0 : kShift256;
    state.graphics[kMiscellaneous] = 0x04 | kGraphicsModeBit;  // 64 KB at A0000h
}

/// A DAC entry as the monitor shows it.
u32 Vga::output_color(u8 pixel) const
{
    return state.dac.output(pixel, state.dispi.eight_bit_dac());
}

}  // namespace reprise
