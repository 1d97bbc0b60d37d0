/// The picture: what the CRTC scans and the attribute controller and the DAC make of it.

#include <algorithm>

#include "devices/vga/vga.h"

namespace reprise {

namespace {

constexpr u32 kMaxSize = 2048;  // more than any timing a monitor would follow

}  // namespace

void Vga::render(Frame& frame) const
{
    if (dispi_enabled()) render_dispi(frame);
    else render_vga(frame);
}

/// Screen off, internal palette not in use, or the sequencer held in reset.
bool Vga::blanked() const
{
    return bit(state.sequencer[1], 5) || !bit(state.attribute_index, 5) ||
           bits(state.sequencer[0], 1, 0) != 3;
}

Vga::Display Vga::display() const
{
    Display d;
    d.graphics = bit(state.graphics[6], 0);
    d.eight_bit = bit(state.attribute[0x10], 6);
    d.dots = bit(state.sequencer[1], 0) ? 8 : 9;
    d.columns = state.crtc[0x01] + 1u;
    d.width = std::clamp(d.columns * d.dots / (d.eight_bit ? 2 : 1), 1u, kMaxSize);
    d.pitch = state.crtc[0x13] * 2u;
    decode_vertical(d);
    decode_panning(d);
    return d;
}

void Vga::decode_vertical(Display& d) const
{
    const auto& crtc = state.crtc;
    d.lines = timing_.v_displayed;
    d.max_scan = bits(crtc[0x09], 4, 0);
    d.double_scan = bit(crtc[0x09], 7);
    // Rows of graphics repeat unless a row scan bit is part of the address (17h bits 0 and 1).
    const bool rows_repeat = d.graphics && bits(crtc[0x17], 1, 0) == 3;
    d.line_repeat = (d.double_scan ? 2 : 1) * (rows_repeat ? d.max_scan + 1u : 1);
    d.height = std::clamp(d.lines / d.line_repeat, 1u, kMaxSize);
    const u32 line_compare = crtc[0x18] | bits(crtc[0x07], 4, 4) << 8 | bits(crtc[0x09], 6, 6) << 9;
    d.split = (line_compare + 1) * (bit(crtc[0x17], 2) ? 2 : 1);
}

/// Attribute controller 13h: with nine dots, 8 is no shift and 0 to 7 are one to eight dots.
void Vga::decode_panning(Display& d) const
{
    const u32 pan = state.attribute[0x13];
    d.byte_pan = bits(state.crtc[0x08], 6, 5);
    d.pan_compatible = bit(state.attribute[0x10], 5);
    if (d.dots == 9) d.pixel_pan = pan >= 8 ? 0 : pan + 1;
    else d.pixel_pan = d.eight_bit ? pan & 6 : pan & 7;
}

/// CRTC 14h bit 6 and 17h bits 6 and 5: byte, word and doubleword addresses from the counter; see
/// vga.h about doublewords. 17h bits 1 and 0 put row scan bits in place of address bits 14 and 13.
u32 Vga::display_address(u32 counter, u8 row_scan) const
{
    const u8 mode = state.crtc[0x17];
    int bit13 = 13;
    u32 address = counter;
    if (bit(state.crtc[0x14], 6)) {
        bit13 = 11;
    } else if (!bit(mode, 6)) {
        address = counter << 1 | u32{bit(counter, bit(mode, 5) ? 15 : 13)};
    }
    if (!bit(mode, 0)) address = with_bit(address, bit13, bit(row_scan, 0));
    if (!bit(mode, 1)) address = with_bit(address, bit13 + 1, bit(row_scan, 1));
    return address & 0xFFFF;
}

u32 Vga::display_planes(u32 counter, u8 row_scan) const
{
    return load_planes(display_address(counter & 0xFFFF, row_scan));
}

/// The sixteen colours of the attribute controller.
std::array<u32, 16> Vga::attribute_colours() const
{
    const auto& attribute = state.attribute;
    const u8 colour_select = attribute[0x14];
    std::array<u32, 16> colours;
    for (u32 i = 0; i < 16; ++i) {
        u32 index = attribute[i & attribute[0x12] & 0x0F] | bits(colour_select, 3, 2) << 6;
        if (bit(attribute[0x10], 7)) index = (index & 0xCF) | bits(colour_select, 1, 0) << 4;
        colours[i] = dac_colour(static_cast<u8>(index));
    }
    return colours;
}

/// Two nibbles, each through the internal palette, which a 256-colour mode leaves alone.
std::array<u32, 256> Vga::eight_bit_colours() const
{
    const auto& attribute = state.attribute;
    const auto nibble = [&](u32 value) -> u32 {
        return attribute[value & attribute[0x12] & 0x0F] & 0x0F;
    };
    std::array<u32, 256> colours;
    for (u32 i = 0; i < 256; ++i)
        colours[i] = dac_colour(static_cast<u8>(nibble(i >> 4) << 4 | nibble(i & 15)));
    return colours;
}

void Vga::render_vga(Frame& frame) const
{
    frame.square_pixels = false;
    if (!bit(state.crtc[0x17], 7)) {  // no retrace, no picture: a monitor without a signal
        frame.width = 720;
        frame.height = 400;
        frame.pixels.assign(std::size_t{720} * 400, 0);
        return;
    }
    const Display d = display();
    frame.width = d.width;
    frame.height = d.height;
    frame.pixels.assign(std::size_t{d.width} * d.height, 0);
    if (blanked()) return;

    DotLine dots{};
    const auto sixteen = attribute_colours();
    const auto eight_bit = d.eight_bit ? eight_bit_colours() : std::array<u32, 256>{};
    for_each_line(d, [&](const ScanLine& line) {
        if (d.graphics) graphics_line(d, line, dots);
        else text_line(d, line, dots);
        const u32 pan = line.below_split && d.pan_compatible ? 0 : d.pixel_pan;
        u32* out = &frame.pixels[std::size_t{line.row} * d.width];
        const u8* in = &dots[pan];
        if (d.eight_bit)
            for (u32 x = 0; x < d.width; ++x) out[x] = eight_bit[in[2 * x] << 4 | in[2 * x + 1]];
        else
            for (u32 x = 0; x < d.width; ++x) out[x] = sixteen[in[x]];
    });
}

}  // namespace reprise
