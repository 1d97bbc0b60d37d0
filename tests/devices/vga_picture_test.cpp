/// Pictures of all kinds of modes, pixel by pixel.

#include <gtest/gtest.h>

#include "tests/devices/vga_bench.h"

using namespace reprise;
using namespace reprise::vga_bench;

namespace {

constexpr u32 kTextWindow = 0x18000;

void put(Bench& bench, u32 cell, u8 character, u8 attribute)
{
    bench.vga.memory_write(kTextWindow + cell * 2, character);
    bench.vga.memory_write(kTextWindow + cell * 2 + 1, attribute);
}

void put_glyph(Bench& bench, u8 character, u32 line, u8 dots, u32 font = 0)
{
    bench.vga.vram()[(font + character * 32u + line) * 4 + 2] = dots;
}

void hide_cursor(Bench& bench) { bench.crtc(0x0A, 0x20); }

std::string dots(const Bench& bench, u32 x, u32 y, u32 width, u32 foreground)
{
    std::string text;
    for (u32 i = 0; i < width; ++i) text += bench.index_at(x + i, y) == foreground ? '#' : '.';
    return text;
}

void set_dispi(Bench& bench, u16 width, u16 height, u16 bpp)
{
    bench.dispi(4, 0);
    bench.dispi(1, width);
    bench.dispi(2, height);
    bench.dispi(3, bpp);
    bench.dispi(4, 0x41);
}

}  // namespace

TEST(VgaPicture, SizesAreThoseOfTheModes)
{
    const struct {
        const Mode* mode;
        u32 width, height;
    } cases[] = {{&kText80, 720, 400}, {&kMode12h, 640, 480}, {&kMode13h, 320, 200}};
    for (const auto& c : cases) {
        Bench bench(*c.mode);
        Frame frame;
        bench.vga.render(frame);
        EXPECT_EQ(frame.width, c.width);
        EXPECT_EQ(frame.height, c.height);
        EXPECT_FALSE(frame.square_pixels);
        EXPECT_EQ(bench.vga.text_screen().graphics, c.mode != &kText80);
    }
}

TEST(VgaPicture, LineDrawingCharactersReachTheNinthDot)
{
    Bench bench(kText80);
    hide_cursor(bench);
    u32 cell = 81;
    for (u8 character : {u8{0xBF}, u8{0xC0}, u8{0xDF}, u8{0xE0}}) {
        put_glyph(bench, character, 3, 0xA5);
        put(bench, cell++, character, 0x1E);
    }
    EXPECT_EQ(dots(bench, 9, 16 + 3, 9, 14), "#.#..#.#.");
    EXPECT_EQ(dots(bench, 18, 16 + 3, 9, 14), "#.#..#.##");
    EXPECT_EQ(dots(bench, 27, 16 + 3, 9, 14), "#.#..#.##");
    EXPECT_EQ(dots(bench, 36, 16 + 3, 9, 14), "#.#..#.#.");
    EXPECT_EQ(bench.index_at(10, 16 + 3), 1u);  // blue background
    bench.attribute(0x10, 0x08);
    EXPECT_EQ(dots(bench, 18, 16 + 3, 9, 14), "#.#..#.#.");
}

TEST(VgaPicture, AttributeBit3ChoosesBetweenTwoFonts)
{
    Bench bench(kText80);
    hide_cursor(bench);
    put_glyph(bench, 'x', 0, 0xF0);
    put_glyph(bench, 'x', 0, 0x0F, 0x2000);  // map 4
    put(bench, 0, 'x', 0x07);
    put(bench, 1, 'x', 0x0F);
    bench.sequencer(3, 0x20);
    EXPECT_EQ(dots(bench, 0, 0, 9, 7), "####.....");
    EXPECT_EQ(dots(bench, 9, 0, 9, 15), "....####.");
}

TEST(VgaPicture, CursorAndBlinkFollowGuestTime)
{
    Bench bench(kText80);
    put_glyph(bench, 'A', 0, 0xFF);
    put(bench, 0, ' ', 0x0F);
    put(bench, 1, 'A', 0x8F);
    constexpr Time kFrame = 14'268'300;
    for (u64 frame = 0; frame < 64; frame += 3) {
        bench.run_to(frame * kFrame + kFrame / 2);
        EXPECT_EQ(bench.index_at(0, 13) == 15, frame % 16 < 8) << frame;
        EXPECT_EQ(bench.index_at(0, 12), 0u);
        EXPECT_EQ(bench.index_at(9, 0) == 15, frame % 32 < 16) << frame;
    }
}

TEST(VgaPicture, AttributeOneIsUnderlined)
{
    Bench bench(kText80);
    hide_cursor(bench);
    bench.crtc(0x14, 0x0D);
    put(bench, 0, ' ', 0x01);
    put(bench, 1, ' ', 0x07);
    EXPECT_EQ(dots(bench, 0, 13, 9, 1), "#########");
    EXPECT_EQ(dots(bench, 9, 13, 9, 7), ".........");
    EXPECT_EQ(dots(bench, 0, 12, 9, 1), ".........");
}

TEST(VgaPicture, TextScrollsByDotsLinesAndCharacters)
{
    Bench bench(kText80);
    hide_cursor(bench);
    put_glyph(bench, 'A', 5, 0x80);
    put(bench, 2, 'A', 0x0F);
    EXPECT_EQ(bench.index_at(18, 5), 15u);
    bench.attribute(0x13, 2);  // three dots
    EXPECT_EQ(bench.index_at(15, 5), 15u);
    bench.crtc(0x08, 0x04);
    EXPECT_EQ(bench.index_at(15, 1), 15u);
    bench.crtc(0x08, 0x24);  // and one character
    EXPECT_EQ(bench.index_at(6, 1), 15u);
}

TEST(VgaPicture, TextScreenIsTheTextUtf8Included)
{
    Bench bench(kText80);
    for (u32 i = 0; i < 80 * 25; ++i) put(bench, i, ' ', 0x07);
    u32 cell = 80 + 1;
    for (int character : {int{'H'}, int{'i'}, 0x01, 0xB3, 0x80, 0xE0, 0x00})
        put(bench, cell++, static_cast<u8>(character), 0x1E);
    bench.crtc(0x0F, 83);
    const TextScreen screen = bench.vga.text_screen();
    EXPECT_EQ(screen.columns, 80u);
    EXPECT_EQ(screen.rows, 25u);
    EXPECT_EQ(screen.cells[81], (TextScreen::Cell{'H', 0x1E}));
    EXPECT_TRUE(screen.cursor_visible);
    EXPECT_EQ(screen.cursor_row, 1u);
    EXPECT_EQ(screen.cursor_column, 3u);
    EXPECT_EQ(screen.to_utf8(), "\n Hi\u263A\u2502\u00C7\u03B1\n" + std::string(23, '\n'));
    hide_cursor(bench);
    EXPECT_FALSE(bench.vga.text_screen().cursor_visible);
}

TEST(VgaPicture, SixteenColoursSplitAndPanned)
{
    Bench bench(kMode12h);
    bench.sequencer(2, 0x06);
    bench.vga.memory_write(80 * 10 + 2, 0x10);
    EXPECT_EQ(bench.index_at(19, 10), 6u);
    bench.crtc(0x11, 0x0C);
    bench.crtc(0x07, 0x2E);
    bench.crtc(0x09, 0x00);
    bench.crtc(0x18, 99);  // line 100 is the first below
    EXPECT_EQ(bench.index_at(19, 110), 6u);
    EXPECT_EQ(bench.index_at(19, 109), 0u);
    bench.attribute(0x13, 3);
    EXPECT_EQ(bench.index_at(16, 110), 6u);
    bench.attribute(0x10, 0x21);  // panning compatibility: the part below stays
    EXPECT_EQ(bench.index_at(16, 10), 6u);
    EXPECT_EQ(bench.index_at(19, 110), 6u);
}

TEST(VgaPicture, ModeXAt320By240)
{
    Bench bench(kMode13h);
    bench.sequencer(4, 0x06);
    bench.vga.write(0x12, 0xE3);
    bench.crtc(0x11, 0x00);
    const std::pair<u8, u8> registers[] = {{0x06, 0x0D}, {0x07, 0x3E}, {0x10, 0xEA},
                                           {0x11, 0xAC}, {0x12, 0xDF}, {0x14, 0x00},
                                           {0x15, 0xE7}, {0x16, 0x06}, {0x17, 0xE3}};
    for (const auto& [index, value] : registers) bench.crtc(index, value);
    bench.sequencer(2, 1 << (123 & 3));
    bench.vga.memory_write(80 * 239 + 123 / 4, 0x5D);
    Frame frame;
    bench.vga.render(frame);
    EXPECT_EQ(frame.width, 320u);
    EXPECT_EQ(frame.height, 240u);
    EXPECT_EQ(bench.index_at(123, 239), 0x5Du);
    EXPECT_EQ(bench.index_at(122, 239), 0u);
    bench.attribute(0x13, 4);  // two pixels
    EXPECT_EQ(bench.index_at(121, 239), 0x5Du);
}

TEST(VgaPicture, CgaPixelsAreInterleavedInTwoBanksOfLines)
{
    Bench bench(kText80);  // made mode 4
    bench.sequencer(1, 0x09);
    bench.crtc(0x11, 0);
    bench.crtc(0x01, 0x27);
    bench.crtc(0x09, 0xC1);
    bench.crtc(0x13, 0x14);
    bench.crtc(0x17, 0xA2);
    bench.graphics(5, 0x30);
    bench.graphics(6, 0x0F);
    bench.attribute(0x10, 0x01);
    bench.attribute(0x12, 0x03);
    bench.attribute(0x13, 0x00);
    bench.vga.memory_write(kTextWindow + 0x2000 + 80 * 3 + 1, 0x1B);  // line 7: colours 0 1 2 3
    for (u32 i = 0; i < 4; ++i) EXPECT_EQ(bench.index_at(4 + i, 7), i);
    bench.vga.memory_write(kTextWindow + 80 * 3, 0x80);
    EXPECT_EQ(bench.index_at(0, 6), 2u);
    EXPECT_EQ(bench.vga.text_screen().graphics_height, 200u);
}

TEST(VgaPicture, BlankedScreensAreBlack)
{
    Bench bench(kMode13h);
    bench.vga.memory_write(0, 0x2A);
    EXPECT_EQ(bench.index_at(0, 0), 0x2Au);
    bench.sequencer(1, 0x21);
    EXPECT_EQ(bench.index_at(0, 0), 0u);
    bench.sequencer(1, 0x01);
    bench.sequencer(0, 0x01);
    EXPECT_EQ(bench.index_at(0, 0), 0u);
    bench.sequencer(0, 0x03);
    bench.status();
    bench.vga.write(0x10, 0x00);
    EXPECT_EQ(bench.index_at(0, 0), 0u);
    bench.vga.write(0x10, 0x00);
    bench.vga.write(0x10, 0x20);
    EXPECT_EQ(bench.index_at(0, 0), 0x2Au);
}

TEST(VgaPicture, DispiPixelFormats)
{
    const struct {
        u16 bpp;
        std::array<u8, 4> bytes;
        u32 expected;
    } cases[] = {{15, {0xE0, 0x7F, 0, 0}, 0xFFFF00},    {15, {0x10, 0x00, 0, 0}, 0x000084},
                 {16, {0xE0, 0x07, 0, 0}, 0x00FF00},    {16, {0x00, 0x80, 0, 0}, 0x840000},
                 {24, {0x11, 0x22, 0x33, 0}, 0x332211}, {32, {0x11, 0x22, 0x33, 0x44}, 0x332211},
                 {8, {0x3F, 0, 0, 0}, 0xFF0000}};
    for (const auto& c : cases) {
        Bench bench(kText80);
        set_dispi(bench, 640, 480, c.bpp);
        bench.dispi(6, 1024);
        bench.dispi(8, 40);
        bench.dispi(9, 90);
        const u32 size = (c.bpp + 7u) / 8, at = (1024 * 95 + 47) * size;
        for (u32 i = 0; i < size; ++i) bench.vga.vram()[at + i] = c.bytes[i];
        Frame frame;
        bench.vga.render(frame);
        EXPECT_EQ(frame.width, 640u);
        EXPECT_EQ(frame.height, 480u);
        EXPECT_TRUE(frame.square_pixels);
        EXPECT_EQ(frame.pixels[5 * 640 + 7], c.expected) << c.bpp;
    }
}

TEST(VgaPicture, DispiFourBitModesArePlanar)
{
    Bench bench(kMode12h);
    set_dispi(bench, 1024, 768, 4);
    bench.dispi(5, 1);
    bench.sequencer(2, 0x0A);
    bench.vga.memory_write(0x0010, 0x40);  // plane address 10010h: line 512, pixel 129
    EXPECT_EQ(bench.index_at(129, 512), 10u);
}
