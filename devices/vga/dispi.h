/// The Bochs display interface (DISPI), which gives a VGA linear modes up to 2560 x 1600 x 32.
///
/// Described in the Bochs "VBE Display API" document; the register names are its own. Sixteen-bit
/// registers are reached through an index and a data port. Revision B0C5h: 24 and 32 bit pixels,
/// GETCAPS, an 8-bit DAC, and the size of the video memory.
#pragma once

#include "machine/base/fields.h"

namespace reprise {

struct Dispi {
    static constexpr u32 kMemoryBytes = 16u << 20;
    static constexpr u16 kMaxXres = 2560, kMaxYres = 1600, kMaxBpp = 32;

    enum Register : u16 {
        kId,
        kXres,
        kYres,
        kBpp,
        kEnable,
        kBank,
        kVirtWidth,
        kVirtHeight,
        kXOffset,
        kYOffset,
        kVideoMemory64K,
    };

    // ENABLE.
    static constexpr u16 kEnabled = 0x01, kGetCaps = 0x02, k8BitDac = 0x20, kLfbEnabled = 0x40,
                         kNoClearMemory = 0x80;

    u16 index = 0;
    u16 id = 0xB0C5;
    u16 xres = 0, yres = 0, bpp = 8;
    u16 enable = 0;
    u16 bank = 0;
    u16 virt_width = 0;
    u16 x_offset = 0, y_offset = 0;
    u8 byte_latch = 0;         // byte accesses: the high byte comes first
    bool byte_second = false;  // and is followed by the low one

    bool enabled() const { return (enable & kEnabled) != 0; }
    bool eight_bit_dac() const { return (enable & k8BitDac) != 0; }
    /// In a 4-bit mode the four planes lie in the four bytes of a word, as they do in VGA modes.
    u32 line_bytes() const { return bpp == 4 ? virt_width / 8u * 4 : virt_width * pixel_bytes(); }
    u32 pixel_bytes() const { return (bpp + 7u) / 8; }
    u16 virt_height() const;

    u16 read(u16 number) const;
    /// Everything but what a mode set does to the rest of the VGA. True if that is to be done.
    bool write(u16 number, u16 value);

    constexpr void visit(auto& v)
    {
        v("index", index);
        v("id", id);
        v("xres", xres);
        v("yres", yres);
        v("bpp", bpp);
        v("enable", enable);
        v("bank", bank);
        v("virt_width", virt_width);
        v("x_offset", x_offset);
        v("y_offset", y_offset);
        v("byte_latch", byte_latch);
        v("byte_second", byte_second);
    }

private:
    bool write_enable(u16 value);
    void fit();
};

static_assert(visits_every_member<Dispi>);

}  // namespace reprise
