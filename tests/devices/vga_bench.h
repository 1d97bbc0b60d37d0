/// A VGA, its ports and the register values of a few BIOS modes (IBM VGA Technical Reference,
/// "BIOS initialization tables").
#pragma once

#include <array>
#include <utility>
#include <vector>

#include "devices/vga/vga.h"

namespace reprise::vga_bench {

struct Mode {
    u8 miscellaneous;
    std::array<u8, 5> sequencer;
    std::array<u8, 25> crtc;
    std::array<u8, 9> graphics;
    u8 attribute_mode;
};

inline constexpr Mode kText80{
    0x67,
    {0x03, 0x00, 0x03, 0x00, 0x02},
    {0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0x00,
     0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0E, 0x00, 0xFF},
    0x0C};
inline constexpr Mode kMode12h{
    0xE3,
    {0x03, 0x01, 0x0F, 0x00, 0x06},
    {0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0x0B, 0x3E, 0x00, 0x40, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0xEA, 0x8C, 0xDF, 0x28, 0x00, 0xE7, 0x04, 0xE3, 0xFF},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0F, 0xFF},
    0x01};
inline constexpr Mode kMode13h{
    0x63,
    {0x03, 0x01, 0x0F, 0x00, 0x0E},
    {0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0xBF, 0x1F, 0x00, 0x41, 0x00, 0x00, 0x00,
     0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x40, 0x96, 0xB9, 0xA3, 0xFF},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0F, 0xFF},
    0x41};

/// The palette is the identity and DAC entry i is red i (of 63), so that pixels tell indices.
struct Bench {
    Scheduler scheduler;
    Vga vga{scheduler};
    std::vector<bool> irqs;
    int mapping_changes = 0;

    Bench()
    {
        vga.on_irq = [this](bool level) { irqs.push_back(level); };
        vga.on_mapping_changed = [this] { ++mapping_changes; };
    }
    explicit Bench(const Mode& mode) : Bench() { set(mode); }

    void indexed(u16 port, u8 index, u8 value)
    {
        vga.write(port, index);
        vga.write(static_cast<u16>(port + 1), value);
    }
    void sequencer(u8 index, u8 value) { indexed(0x14, index, value); }
    void graphics(u8 index, u8 value) { indexed(0x1E, index, value); }
    void crtc(u8 index, u8 value) { indexed(0x24, index, value); }
    void attribute(u8 index, u8 value)
    {
        vga.read(0x2A);
        vga.write(0x10, index);
        vga.write(0x10, value);
        vga.write(0x10, 0x20);
    }
    u8 status() { return vga.read(0x2A); }
    void dispi(u16 index, u16 value)
    {
        vga.dispi_write(0, index);
        vga.dispi_write(1, value);
    }
    u16 dispi(u16 index)
    {
        vga.dispi_write(0, index);
        return vga.dispi_read(1);
    }

    void set(const Mode& mode)
    {
        vga.write(0x12, mode.miscellaneous);
        crtc(0x11, 0);
        for (u8 i = 0; i < 5; ++i) sequencer(i, mode.sequencer[i]);
        for (u8 i = 0; i < 25; ++i) crtc(i, mode.crtc[i]);
        for (u8 i = 0; i < 9; ++i) graphics(i, mode.graphics[i]);
        for (u8 i = 0; i < 16; ++i) attribute(i, i);
        attribute(0x10, mode.attribute_mode);
        attribute(0x12, 0x0F);
        attribute(0x13, mode.attribute_mode & 1 ? 0 : 8);
        vga.write(0x18, 0);
        for (int i = 0; i < 256; ++i)
            for (int c = 0; c < 3; ++c)
                vga.write(0x19, static_cast<u8>(c == 0 ? i & 63 : c == 1 ? i >> 6 : 0));
    }

    /// The DAC index of a pixel of the picture now.
    u32 index_at(u32 x, u32 y) const
    {
        Frame frame;
        vga.render(frame);
        const u32 pixel = frame.pixels.at(y * frame.width + x);
        return pixel >> 18 | (pixel >> 10 & 3) << 6;
    }
    void run_to(Time time) { scheduler.advance_to(time); }

    void visit(auto& v)
    {
        v("scheduler", scheduler);
        v("vga", vga);
    }
};

}  // namespace reprise::vga_bench
