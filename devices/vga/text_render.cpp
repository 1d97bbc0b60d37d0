/// Text: the character generator, the cursor, and the screen as characters.

#include "devices/vga/vga.h"

namespace reprise {

namespace {

/// Sequencer 03h: eight fonts of 8 KiB in plane 2, the odd four between the even ones.
constexpr u32 font_address(u32 select) { return (select & 3) * 0x4000 + (select >> 2) * 0x2000; }

}  // namespace

bool Vga::cursor_enabled() const
{
    const u8 start = bits(state.crtc[0x0A], 4, 0);
    return !bit(state.crtc[0x0A], 5) && start <= bits(state.crtc[0x0B], 4, 0) &&
           start <= bits(state.crtc[0x09], 4, 0);
}

/// 0Eh/0Fh, moved to the right by the skew in 0Bh.
u32 Vga::cursor_counter() const
{
    const u32 location = state.crtc[0x0E] << 8 | state.crtc[0x0F];
    return (location + bits(state.crtc[0x0B], 6, 5)) & 0xFFFF;
}

void Vga::text_line(const Display& d, const ScanLine& line, DotLine& dots) const
{
    const auto& crtc = state.crtc;
    const u8 maps = state.sequencer[3];
    const u32 font_b = font_address(bits(maps, 1, 0) | bits(maps, 4, 4) << 2);
    const u32 font_a = font_address(bits(maps, 3, 2) | bits(maps, 5, 5) << 2);
    const u8 mode = state.attribute[0x10];
    const bool blink_enabled = bit(mode, 3), line_graphics = bit(mode, 2);
    const u64 frame = frames();
    const bool blinked_off = bit(frame, 4);  // 16 frames on, 16 off
    const bool underline_row = line.row_scan == bits(crtc[0x14], 4, 0);
    const bool cursor_row = cursor_enabled() && !bit(frame, 3) &&
                            line.row_scan >= bits(crtc[0x0A], 4, 0) &&
                            line.row_scan <= bits(crtc[0x0B], 4, 0);
    const u32 cursor = cursor_counter();

    u8* out = dots.data();
    for (u32 column = 0; column <= d.columns; ++column, out += d.dots) {
        const u32 counter = (line.counter + column) & 0xFFFF;
        const u32 planes = display_planes(counter, line.row_scan);
        const u8 character = static_cast<u8>(planes), attribute = static_cast<u8>(planes >> 8);
        const u32 font = bit(attribute, 3) ? font_a : font_b;
        u32 glyph = vram_[(font + character * 32u + line.row_scan) * 4 + 2];
        // The ninth dot repeats the eighth in C0h to DFh, so that lines join.
        glyph =
            glyph << 1 | (line_graphics && character >= 0xC0 && character <= 0xDF && (glyph & 1));
        if (underline_row && (attribute & 0x77) == 0x01) glyph = 0x1FF;
        u8 background = bits(attribute, 7, 4);
        if (blink_enabled) {
            if (bit(attribute, 7) && blinked_off) glyph = 0;
            background &= 7;
        }
        if (cursor_row && counter == cursor) glyph = 0x1FF;
        const u8 foreground = bits(attribute, 3, 0);
        for (u32 dot = 0; dot < d.dots; ++dot)
            out[dot] = glyph >> (8 - dot) & 1 ? foreground : background;
    }
}

TextScreen Vga::text_screen() const
{
    TextScreen screen;
    for (const u32 colour : attribute_colours()) screen.palette.push_back(colour);
    const Display d = display();
    if (dispi_enabled() || d.graphics) {
        screen.graphics = true;
        screen.graphics_width = dispi_enabled() ? dispi_mode().width : d.width;
        screen.graphics_height = dispi_enabled() ? dispi_mode().height : d.height;
        return screen;
    }
    if (!bit(state.crtc[0x17], 7)) return screen;  // not set up yet

    screen.columns = d.columns;
    screen.blink_enabled = bit(state.attribute[0x10], 3);
    const u32 cursor = cursor_counter();
    for_each_line(d, [&](const ScanLine& line) {
        if (line.row != 0 && line.row_scan != 0) return;
        for (u32 column = 0; column < d.columns; ++column) {
            const u32 counter = (line.counter + column) & 0xFFFF;
            const u32 planes = display_planes(counter, line.row_scan);
            screen.cells.push_back({static_cast<u8>(planes), static_cast<u8>(planes >> 8)});
            if (counter != cursor || screen.cursor_visible || !cursor_enabled()) continue;
            screen.cursor_visible = true;
            screen.cursor_column = column;
            screen.cursor_row = screen.rows;
        }
        ++screen.rows;
    });
    return screen;
}

}  // namespace reprise
