/// Graphics: the shift registers (graphics controller 05h, bits 6..5).

#include "devices/vga/vga.h"

namespace reprise {

namespace {

/// The eight bits of a byte, leftmost first, as eight bytes.
constexpr std::array<u64, 256> kSpread = [] {
    std::array<u64, 256> table{};
    for (u32 value = 0; value < 256; ++value)
        for (u32 i = 0; i < 8; ++i) table[value] |= u64{value >> (7 - i) & 1} << 8 * i;
    return table;
}();

constexpr u32 plane(u32 planes, int index) { return planes >> 8 * index & 0xFF; }

void shift_planar(u32 planes, u8* out)
{
    const u64 pixels = kSpread[plane(planes, 0)] | kSpread[plane(planes, 1)] << 1 |
                       kSpread[plane(planes, 2)] << 2 | kSpread[plane(planes, 3)] << 3;
    for (int i = 0; i < 8; ++i) out[i] = static_cast<u8>(pixels >> 8 * i);
}

/// CGA's layout: two bits per pixel from planes 0 and 2, then from planes 1 and 3.
void shift_interleaved(u32 planes, u8* out)
{
    for (int i = 0; i < 8; ++i) {
        const int half = i / 4, shift = 6 - i % 4 * 2;
        const u32 low = plane(planes, half) >> shift & 3;
        const u32 high = plane(planes, half + 2) >> shift & 3;
        out[i] = static_cast<u8>(low | high << 2);
    }
}

/// 256 colours: plane after plane, high nibble first.
void shift_nibbles(u32 planes, u8* out)
{
    for (int i = 0; i < 8; ++i)
        out[i] = static_cast<u8>(plane(planes, i / 2) >> (i % 2 ? 0 : 4) & 0x0F);
}

}  // namespace

void Vga::graphics_line(const Display& d, const ScanLine& line, DotLine& dots) const
{
    const u8 shift_mode = bits(state.graphics[5], 6, 5);
    const u8 clocking = state.sequencer[1];
    // The counter and the shift registers may be slower than the character clock.
    const u32 load_every = bit(clocking, 4) ? 4 : bit(clocking, 2) ? 2 : 1;
    const u32 count_every = bit(state.crtc[0x14], 5) ? 4 : bit(state.crtc[0x17], 3) ? 2 : 1;
    u8* out = dots.data();
    for (u32 column = 0; column <= d.columns; ++column, out += d.dots) {
        const u32 planes = column % load_every == 0
                               ? display_planes(line.counter + column / count_every, line.row_scan)
                               : 0;
        if (shift_mode >= 2) shift_nibbles(planes, out);
        else if (shift_mode == 1) shift_interleaved(planes, out);
        else shift_planar(planes, out);
        if (d.dots == 9) out[8] = 0;
    }
    // Blinking inverts bit 3 of every pixel, which is how mode 0Fh's palette is made.
    const bool blink = bit(state.attribute[0x10], 3) && bit(frames(), 4);
    if (blink)
        for (u8& dot : dots) dot ^= 8;
}

}  // namespace reprise
