#include <gtest/gtest.h>

#include "frontend/terminal_keys.h"
#include "frontend/terminal_picture.h"

namespace reprise {
namespace {

std::vector<TerminalKey> keys(std::vector<const char*> names)
{
    std::vector<TerminalKey> result;
    for (const char* name : names) result.push_back({*chord_of_name(name), 0});
    return result;
}

TEST(TerminalKeys, PlainAndControlCharacters)
{
    TerminalKeys parser;
    EXPECT_EQ(parser.feed("aB\r\t\x7F\x03"),
              keys({"a", "Shift-b", "Enter", "Tab", "Backspace", "Ctrl-c"}));
}

TEST(TerminalKeys, SequencesOfXtermLinuxAndRxvt)
{
    TerminalKeys parser;
    EXPECT_EQ(parser.feed("\x1B[A\x1BOB\x1BOP\x1B[[B\x1B[15~\x1B[24~\x1B[3~\x1B[7~"),
              keys({"Up", "Down", "F1", "F2", "F5", "F12", "Delete", "Home"}));
}

TEST(TerminalKeys, ModifiersOfXterm)
{
    TerminalKeys parser;
    EXPECT_EQ(parser.feed("\x1B[1;5C\x1B[3;3~\x1B[1;2P\x1B[Z"),
              keys({"Ctrl-Right", "Alt-Delete", "Shift-F1", "Shift-Tab"}));
}

TEST(TerminalKeys, EscBeforeACharacterIsAlt)
{
    TerminalKeys parser;
    EXPECT_EQ(parser.feed("\x1Bx"), keys({"Alt-x"}));
}

TEST(TerminalKeys, ALoneEscIsKnownOnlyAfterAWhile)
{
    TerminalKeys parser;
    EXPECT_TRUE(parser.feed("\x1B").empty());
    EXPECT_EQ(parser.settle(), keys({"Esc"}));
    EXPECT_TRUE(parser.settle().empty());
}

TEST(TerminalKeys, SequencesMayArriveInPieces)
{
    TerminalKeys parser;
    EXPECT_TRUE(parser.feed("\x1B").empty());
    EXPECT_TRUE(parser.feed("[1").empty());
    EXPECT_EQ(parser.feed("5~"), keys({"F5"}));
}

TEST(TerminalKeys, ThePrefixLeadsToCommands)
{
    TerminalKeys parser;
    const std::vector<TerminalKey> quit = {{{}, 'q'}};
    EXPECT_EQ(parser.feed("\x1Dq"), quit);
    EXPECT_EQ(parser.feed("\x1D\x1D"), keys({"Ctrl-]"}));
    EXPECT_EQ(parser.feed("q"), keys({"q"}));
}

TEST(TerminalKeys, NonsenseIsDropped)
{
    TerminalKeys parser;
    EXPECT_TRUE(parser.feed("\x1B[99~\x1B[?1;2c\xC3\xA4").empty());
    EXPECT_TRUE(parser.feed("\x1B[1111111111111111111111").empty());
    EXPECT_EQ(parser.feed("a").back(), keys({"a"}).front());
}

TextScreen text_screen(u32 columns, u32 rows)
{
    TextScreen screen;
    screen.columns = columns;
    screen.rows = rows;
    screen.cells.resize(std::size_t{columns} * rows);
    screen.palette = {0x000000, 0x0000AA, 0x00AA00, 0x00AAAA, 0xAA0000, 0xAA00AA,
                      0xAA5500, 0xAAAAAA, 0x555555, 0x5555FF, 0x55FF55, 0x55FFFF,
                      0xFF5555, 0xFF55FF, 0xFFFF55, 0xFFFFFF};
    return screen;
}

TEST(TerminalPicture, CharactersAndColoursComeFromTheScreen)
{
    TextScreen screen = text_screen(4, 2);
    screen.cells[1] = {0xB0, 0x1E};  // light shade, yellow on blue
    const TerminalPicture picture = picture_of_text(screen, 10, 5);
    EXPECT_EQ(picture.cells[1].text, "\u2591");
    EXPECT_EQ(picture.cells[1].foreground, 0xFFFF55U);
    EXPECT_EQ(picture.cells[1].background, 0x0000AAU);
    EXPECT_EQ(picture.cells[0].text, " ");
}

TEST(TerminalPicture, AttributeBit7BlinksOnlyWhereEnabled)
{
    TextScreen screen = text_screen(1, 1);
    screen.cells[0] = {'x', 0x97};
    EXPECT_EQ(picture_of_text(screen, 1, 1).cells[0].background, 0x5555FFU);
    screen.blink_enabled = true;
    EXPECT_TRUE(picture_of_text(screen, 1, 1).cells[0].blink);
    EXPECT_EQ(picture_of_text(screen, 1, 1).cells[0].background, 0x0000AAU);
}

TEST(TerminalPicture, ASmallTerminalShowsTheCursorsRow)
{
    TextScreen screen = text_screen(80, 25);
    screen.cells[24 * 80] = {'>', 7};
    screen.cursor_visible = true;
    screen.cursor_row = 24;
    screen.cursor_column = 1;
    const TerminalPicture picture = picture_of_text(screen, 40, 10);
    EXPECT_EQ(picture.cells[9 * 40].text, ">");
    EXPECT_TRUE(picture.cursor_visible);
    EXPECT_EQ(picture.cursor_row, 9U);
}

TEST(TerminalPicture, FramesBecomeHalfBlocks)
{
    Frame frame;
    frame.width = 2;
    frame.height = 2;
    frame.square_pixels = true;
    frame.pixels = {0xFF0000, 0x00FF00, 0x0000FF, 0xFFFFFF};
    const TerminalPicture picture = picture_of_frame(frame, 2, 1);
    ASSERT_EQ(picture.cells.size(), 2U);
    EXPECT_EQ(picture.cells[0].text, "\u2580");
    EXPECT_EQ(picture.cells[0].foreground, 0xFF0000U);
    EXPECT_EQ(picture.cells[0].background, 0x0000FFU);
    EXPECT_EQ(picture.cells[1].background, 0xFFFFFFU);
}

TEST(TerminalPainter, SendsOnlyWhatChanged)
{
    TextScreen screen = text_screen(10, 2);
    TerminalPainter painter(ColourDepth::Sixteen);
    painter.paint(picture_of_text(screen, 10, 2));
    EXPECT_EQ(painter.paint(picture_of_text(screen, 10, 2)), "");
    screen.cells[13] = {'A', 0x1E};
    EXPECT_EQ(painter.paint(picture_of_text(screen, 10, 2)), "\x1B[?25l\x1B[2;4H\x1B[0;93;44mA");
}

TEST(TerminalPainter, ColoursSuitTheTerminal)
{
    EXPECT_EQ(colour_depth("truecolor", "xterm"), ColourDepth::Full);
    EXPECT_EQ(colour_depth(nullptr, "xterm-256color"), ColourDepth::TwoHundredFiftySix);
    EXPECT_EQ(colour_depth("", "linux"), ColourDepth::Sixteen);
    TerminalPicture picture;
    picture.columns = picture.rows = 1;
    picture.cells = {{"x", 0xFF0000, 0x000000, false}};
    const std::string full = TerminalPainter(ColourDepth::Full).paint(picture);
    EXPECT_NE(full.find("38;2;255;0;0;48;2;0;0;0"), std::string::npos);
    const std::string cube = TerminalPainter(ColourDepth::TwoHundredFiftySix).paint(picture);
    EXPECT_NE(cube.find("38;5;196;48;5;16"), std::string::npos);
}

}  // namespace
}  // namespace reprise
