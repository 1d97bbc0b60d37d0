#include "frontend/keymap.h"

#include <gtest/gtest.h>

#include "frontend/errors.h"

namespace reprise {
namespace {

// Usages are from the USB HID Usage Tables 1.12, section 10 (Keyboard/Keypad page).
constexpr u8 kShift = 0xE1, kCtrl = 0xE0, kAlt = 0xE2;

std::vector<Keystroke> chords(std::vector<Chord> list)
{
    std::vector<Keystroke> strokes;
    for (Chord& chord : list) strokes.push_back({std::move(chord)});
    return strokes;
}

TEST(Keymap, LettersAndDigitsHaveTheirUsages)
{
    EXPECT_EQ(chord_of_character('a'), Chord{0x04});
    EXPECT_EQ(chord_of_character('z'), Chord{0x1D});
    EXPECT_EQ(chord_of_character('1'), Chord{0x1E});
    EXPECT_EQ(chord_of_character('0'), Chord{0x27});
}

TEST(Keymap, CapitalsAndUpperSymbolsNeedShift)
{
    EXPECT_EQ(chord_of_character('A'), (Chord{kShift, 0x04}));
    EXPECT_EQ(chord_of_character(':'), (Chord{kShift, 0x33}));
    EXPECT_EQ(chord_of_character('~'), (Chord{kShift, 0x35}));
    EXPECT_EQ(chord_of_character('"'), (Chord{kShift, 0x34}));
}

TEST(Keymap, EveryPrintableAsciiCharacterHasAKeyOfItsOwn)
{
    std::vector<Chord> seen;
    for (char c = ' '; c <= '~'; ++c) {
        const auto chord = chord_of_character(c);
        ASSERT_TRUE(chord) << c;
        EXPECT_EQ(std::count(seen.begin(), seen.end(), *chord), 0) << c;
        seen.push_back(*chord);
    }
}

TEST(Keymap, NamesAreFoundInAnyCase)
{
    EXPECT_EQ(chord_of_name("Enter"), Chord{0x28});
    EXPECT_EQ(chord_of_name("F1"), Chord{0x3A});
    EXPECT_EQ(chord_of_name("f12"), Chord{0x45});
    EXPECT_EQ(chord_of_name("PGUP"), Chord{0x4B});
    EXPECT_EQ(chord_of_name("kp5"), Chord{0x5D});
    EXPECT_EQ(chord_of_name("NoSuchKey"), std::nullopt);
}

TEST(Keymap, ChordsAreJoinedByMinusOrPlus)
{
    EXPECT_EQ(chord_of_name("Ctrl-Alt-Del"), (Chord{kCtrl, kAlt, 0x4C}));
    EXPECT_EQ(chord_of_name("alt+x"), (Chord{kAlt, 0x1B}));
    EXPECT_EQ(chord_of_name("Ctrl--"), (Chord{kCtrl, 0x2D}));
    EXPECT_EQ(chord_of_name("-"), Chord{0x2D});
    EXPECT_EQ(chord_of_name("Ctrl-"), std::nullopt);
    EXPECT_EQ(chord_of_name(""), std::nullopt);
}

TEST(Keymap, TextWithEscapesAndNamesBecomesKeystrokes)
{
    EXPECT_EQ(keystrokes("a\\n"), chords({{0x04}, {0x28}}));
    EXPECT_EQ(keystrokes("{F1}{Ctrl-C}"), chords({{0x3A}, {kCtrl, 0x06}}));
    EXPECT_EQ(keystrokes("\\\\"), chords({{0x31}}));
    EXPECT_EQ(keystrokes("{{}"), chords({{kShift, 0x2F}, {kShift, 0x30}}));
}

TEST(Keymap, WaitsPassGuestTime)
{
    const std::vector<Keystroke> expected = {{{}, 500 * kMillisecond}};
    EXPECT_EQ(keystrokes("{wait 500ms}"), expected);
}

TEST(Keymap, MistakesAreRefused)
{
    EXPECT_THROW(keystrokes("gfx2\\gfx2"), UsageError);
    EXPECT_THROW(keystrokes("{NoSuchKey}"), UsageError);
    EXPECT_THROW(keystrokes("{wait soon}"), UsageError);
    EXPECT_THROW(keystrokes("{F1"), UsageError);
    EXPECT_THROW(keystrokes("\xC3\xA4"), UsageError);
}

TEST(Keymap, LiteralTextKeepsBackslashesAndBraces)
{
    EXPECT_EQ(literal_keystrokes("\\{"), chords({{0x31}, {kShift, 0x2F}}));
    EXPECT_EQ(literal_keystrokes("a\r\nb\n"), chords({{0x04}, {0x28}, {0x05}, {0x28}}));
}

}  // namespace
}  // namespace reprise
