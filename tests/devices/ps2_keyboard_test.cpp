#include <gtest/gtest.h>

#include <vector>

#include "devices/ps2_keyboard.h"
#include "machine/savestate.h"

using namespace reprise;

namespace {

using Bytes = std::vector<u8>;

enum Usage : u8 {
    kA = 0x04,
    kB = 0x05,
    kEnter = 0x28,
    kCapsLock = 0x39,
    kF1 = 0x3A,
    kF7 = 0x40,
    kPrintScreen = 0x46,
    kPause = 0x48,
    kInsert = 0x49,
    kUp = 0x52,
    kDivide = 0x54,
    kLeftCtrl = 0xE0,
    kLeftShift = 0xE1,
    kLeftAlt = 0xE2,
    kRightCtrl = 0xE4,
    kRightShift = 0xE5,
};

/// A keyboard whose clock runs whenever somebody looks.
struct Board {
    Scheduler scheduler;
    Ps2Keyboard keyboard{scheduler};

    explicit Board(u8 set = 2)
    {
        keyboard.receive(0xF0);
        keyboard.receive(set);
        bytes();
    }

    Bytes bytes()
    {
        Bytes result;
        while (keyboard.has_byte()) result.push_back(keyboard.take_byte());
        return result;
    }
    Bytes command(Bytes command)
    {
        for (u8 byte : command) keyboard.receive(byte);
        return bytes();
    }
    Bytes press(u8 usage)
    {
        keyboard.set_key(usage, true);
        return bytes();
    }
    Bytes release(u8 usage)
    {
        keyboard.set_key(usage, false);
        return bytes();
    }
    void run(Time time) { scheduler.advance_to(scheduler.now() + time); }

    void visit(auto& v)
    {
        v("scheduler", scheduler);
        v("keyboard", keyboard.state);
    }
};

}  // namespace

TEST(Ps2Keyboard, SendsMakeAndBreakInEverySet)
{
    const std::array<std::array<Bytes, 2>, 3> codes = {{
        {Bytes{0x1E}, Bytes{0x9E}},
        {Bytes{0x1C}, Bytes{0xF0, 0x1C}},
        {Bytes{0x1C}, Bytes{}},  // set 3: a typematic key has no break code
    }};
    for (u8 set = 1; set <= 3; ++set) {
        Board board(set);
        EXPECT_EQ(board.press(kA), codes[set - 1u][0]);
        EXPECT_EQ(board.release(kA), codes[set - 1u][1]);
    }
}

TEST(Ps2Keyboard, KnowsTheCornersOfTheTables)
{
    Board set2(2);
    EXPECT_EQ(set2.press(kF7), (Bytes{0x83}));
    EXPECT_EQ(set2.press(kRightCtrl), (Bytes{0xE0, 0x14}));
    EXPECT_EQ(set2.release(kRightCtrl), (Bytes{0xE0, 0xF0, 0x14}));
    EXPECT_EQ(set2.press(0x58), (Bytes{0xE0, 0x5A}));  // keypad Enter
    EXPECT_EQ(set2.press(0x64), (Bytes{0x61}));        // the 102nd key
    Board set1(1);
    EXPECT_EQ(set1.press(0x45), (Bytes{0x58}));  // F12
    EXPECT_EQ(set1.press(kRightCtrl), (Bytes{0xE0, 0x1D}));
    EXPECT_EQ(set1.release(kRightCtrl), (Bytes{0xE0, 0x9D}));
    Board set3(3);
    EXPECT_EQ(set3.press(kUp), (Bytes{0x63}));
    EXPECT_EQ(set3.press(kPause), (Bytes{0x62}));
    EXPECT_EQ(set3.press(kCapsLock), (Bytes{0x14}));
    EXPECT_EQ(set3.release(kCapsLock), (Bytes{0xF0, 0x14}));
    EXPECT_EQ(set3.press(kF1), (Bytes{0x07}));
    EXPECT_EQ(set3.release(kF1), Bytes{});
}

TEST(Ps2Keyboard, AnUnknownOrUnchangedKeyIsSilent)
{
    Board board;
    EXPECT_EQ(board.press(0x00), Bytes{});
    EXPECT_EQ(board.press(0xFF), Bytes{});
    EXPECT_EQ(board.release(kA), Bytes{});
    board.press(kA);
    EXPECT_EQ(board.press(kA), Bytes{});
}

TEST(Ps2Keyboard, NavigationKeysPretendShiftUnderNumLock)
{
    Board board;
    board.command({0xED, 0x02});
    EXPECT_EQ(board.press(kUp), (Bytes{0xE0, 0x12, 0xE0, 0x75}));
    EXPECT_EQ(board.release(kUp), (Bytes{0xE0, 0xF0, 0x75, 0xE0, 0xF0, 0x12}));
    board.press(kLeftShift);  // Shift and Num Lock: the base codes
    EXPECT_EQ(board.press(kUp), (Bytes{0xE0, 0x75}));
    EXPECT_EQ(board.release(kUp), (Bytes{0xE0, 0xF0, 0x75}));

    Board set1(1);
    set1.command({0xED, 0x02});
    EXPECT_EQ(set1.press(kInsert), (Bytes{0xE0, 0x2A, 0xE0, 0x52}));
    EXPECT_EQ(set1.release(kInsert), (Bytes{0xE0, 0xD2, 0xE0, 0xAA}));
}

TEST(Ps2Keyboard, NavigationKeysPretendThatShiftIsUp)
{
    Board board;
    board.press(kLeftShift);
    EXPECT_EQ(board.press(kUp), (Bytes{0xE0, 0xF0, 0x12, 0xE0, 0x75}));
    EXPECT_EQ(board.release(kUp), (Bytes{0xE0, 0xF0, 0x75, 0xE0, 0x12}));
    Board set1(1);
    set1.press(kRightShift);
    EXPECT_EQ(set1.press(kUp), (Bytes{0xE0, 0xB6, 0xE0, 0x48}));
    EXPECT_EQ(set1.release(kUp), (Bytes{0xE0, 0xC8, 0xE0, 0x36}));
    set1.press(kLeftShift);
    EXPECT_EQ(set1.press(kUp), (Bytes{0xE0, 0xAA, 0xE0, 0xB6, 0xE0, 0x48}));
}

TEST(Ps2Keyboard, KeypadDivideKnowsOnlyShift)
{
    Board board;
    board.command({0xED, 0x02});
    EXPECT_EQ(board.press(kDivide), (Bytes{0xE0, 0x4A}));
    board.release(kDivide);
    board.press(kLeftShift);
    EXPECT_EQ(board.press(kDivide), (Bytes{0xE0, 0xF0, 0x12, 0xE0, 0x4A}));
    EXPECT_EQ(board.release(kDivide), (Bytes{0xE0, 0xF0, 0x4A, 0xE0, 0x12}));
}

TEST(Ps2Keyboard, PrintScreenDependsOnTheModifiers)
{
    Board board;
    EXPECT_EQ(board.press(kPrintScreen), (Bytes{0xE0, 0x12, 0xE0, 0x7C}));
    EXPECT_EQ(board.release(kPrintScreen), (Bytes{0xE0, 0xF0, 0x7C, 0xE0, 0xF0, 0x12}));
    board.press(kLeftCtrl);
    EXPECT_EQ(board.press(kPrintScreen), (Bytes{0xE0, 0x7C}));
    EXPECT_EQ(board.release(kPrintScreen), (Bytes{0xE0, 0xF0, 0x7C}));
    board.release(kLeftCtrl);
    board.press(kLeftAlt);
    EXPECT_EQ(board.press(kPrintScreen), (Bytes{0x84}));
    board.release(kLeftAlt);
    EXPECT_EQ(board.release(kPrintScreen), (Bytes{0xF0, 0x84}));  // what went down comes up

    Board set1(1);
    EXPECT_EQ(set1.press(kPrintScreen), (Bytes{0xE0, 0x2A, 0xE0, 0x37}));
    EXPECT_EQ(set1.release(kPrintScreen), (Bytes{0xE0, 0xB7, 0xE0, 0xAA}));
    set1.press(kLeftAlt);
    EXPECT_EQ(set1.press(kPrintScreen), (Bytes{0x54}));
    EXPECT_EQ(set1.release(kPrintScreen), (Bytes{0xD4}));
}

TEST(Ps2Keyboard, PauseSendsMakeAndBreakAtOnce)
{
    Board board;
    EXPECT_EQ(board.press(kPause), (Bytes{0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77}));
    board.run(kSecond);
    EXPECT_EQ(board.bytes(), Bytes{});  // not typematic
    EXPECT_EQ(board.release(kPause), Bytes{});
    board.press(kLeftCtrl);
    EXPECT_EQ(board.press(kPause), (Bytes{0xE0, 0x7E, 0xE0, 0xF0, 0x7E}));
    Board set1(1);
    EXPECT_EQ(set1.press(kPause), (Bytes{0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5}));
    set1.release(kPause);
    set1.press(kLeftCtrl);
    EXPECT_EQ(set1.press(kPause), (Bytes{0xE0, 0x46, 0xE0, 0xC6}));
}

TEST(Ps2Keyboard, RepeatsAfter500msAt10Point9PerSecond)
{
    Board board;
    board.press(kA);
    board.run(500 * kMillisecond - 1);
    EXPECT_EQ(board.bytes(), Bytes{});
    board.run(1);
    EXPECT_EQ(board.bytes(), (Bytes{0x1C}));
    int count = 0;
    for (int i = 0; i < 1000; ++i) {
        board.run(10 * kMillisecond);
        count += static_cast<int>(board.bytes().size());
    }
    EXPECT_EQ(count, 109);
}

TEST(Ps2Keyboard, TypematicRateAndDelayAreProgrammable)
{
    Board board;
    EXPECT_EQ(board.command({0xF3, 0x00}), (Bytes{0xFA, 0xFA}));  // 30/s after 250 ms
    board.press(kA);
    board.run(250 * kMillisecond);
    EXPECT_EQ(board.bytes().size(), 1u);
    board.run(33'333'333);
    EXPECT_EQ(board.bytes().size(), 1u);
    board.release(kA);
    board.command({0xF3, 0x7F});  // 2/s after 1 s
    board.press(kA);
    board.run(999 * kMillisecond);
    EXPECT_EQ(board.bytes().size(), 0u);
    board.run(kMillisecond);
    EXPECT_EQ(board.bytes().size(), 1u);
    board.run(499 * kMillisecond);
    EXPECT_EQ(board.bytes().size(), 0u);
    board.run(2 * kMillisecond);
    EXPECT_EQ(board.bytes().size(), 1u);
}

TEST(Ps2Keyboard, OnlyTheLastKeyPressedRepeats)
{
    Board board;
    board.press(kA);
    board.run(400 * kMillisecond);
    board.press(kB);
    board.run(500 * kMillisecond);
    EXPECT_EQ(board.bytes(), (Bytes{0x32}));
    board.release(kB);
    board.run(2 * kSecond);
    EXPECT_EQ(board.bytes(), Bytes{});  // A is still held, but was not the last
}

TEST(Ps2Keyboard, OnlyTheFirstMakeIsKeptWhileTheClockIsHeld)
{
    Board board;
    board.keyboard.set_key(kA, true);
    board.run(5 * kSecond);
    EXPECT_EQ(board.bytes(), (Bytes{0x1C}));
}

TEST(Ps2Keyboard, OverrunCodeFollowsSixteenBytes)
{
    for (u8 set : {u8{1}, u8{2}}) {
        Board board(set);
        for (u8 usage = 0x04; usage < 0x1C; ++usage) board.keyboard.set_key(usage, true);
        const Bytes bytes = board.bytes();
        ASSERT_EQ(bytes.size(), 17u);
        EXPECT_EQ(bytes[0], set == 1 ? 0x1E : 0x1C);
        EXPECT_EQ(bytes[16], set == 1 ? 0xFF : 0x00);
    }
}

TEST(Ps2Keyboard, SequenceThatDoesNotFitIsDroppedWhole)
{
    Board board;
    for (u8 usage = 0x04; usage < 0x04 + 15; ++usage) board.keyboard.set_key(usage, true);
    board.keyboard.set_key(kRightCtrl, true);  // two bytes, room for one
    const Bytes bytes = board.bytes();
    ASSERT_EQ(bytes.size(), 16u);
    EXPECT_EQ(bytes[15], 0x00);
    EXPECT_EQ(board.release(kRightCtrl), (Bytes{0xE0, 0xF0, 0x14}));
}

TEST(Ps2Keyboard, EchoAndId)
{
    Board board;
    EXPECT_EQ(board.command({0xEE}), (Bytes{0xEE}));
    EXPECT_EQ(board.command({0xF2}), (Bytes{0xFA, 0xAB, 0x83}));
}

TEST(Ps2Keyboard, InvalidCommandsAskForResend)
{
    Board board;
    for (u8 byte : {0x00, 0x12, 0xEC, 0xEF, 0xF1}) EXPECT_EQ(board.command({byte}), (Bytes{0xFE}));
}

TEST(Ps2Keyboard, ResendRepeatsTheLastByte)
{
    Board board;
    board.press(kA);
    EXPECT_EQ(board.command({0xFE}), (Bytes{0x1C}));
    board.command({0xF2});
    EXPECT_EQ(board.command({0xFE}), (Bytes{0x83}));
}

TEST(Ps2Keyboard, IndicatorsFollowTheirOptionByte)
{
    Board board;
    std::vector<u8> leds;
    board.keyboard.on_leds = [&](u8 value) { leds.push_back(value); };
    EXPECT_EQ(board.command({0xED}), (Bytes{0xFA}));
    EXPECT_EQ(board.command({0x05}), (Bytes{0xFA}));
    EXPECT_TRUE(board.keyboard.led(Ps2Keyboard::kScrollLed));
    EXPECT_FALSE(board.keyboard.led(Ps2Keyboard::kNumLed));
    EXPECT_TRUE(board.keyboard.led(Ps2Keyboard::kCapsLed));
    EXPECT_EQ(leds, (std::vector<u8>{5}));
}

TEST(Ps2Keyboard, CommandInPlaceOfAnOptionIsExecuted)
{
    Board board;
    EXPECT_EQ(board.command({0xED, 0xF4}), (Bytes{0xFA, 0xFA}));
    EXPECT_EQ(board.command({0x02}), (Bytes{0xFE}));  // the indicators no longer wait for it
}

TEST(Ps2Keyboard, DisabledKeyboardDoesNotScan)
{
    Board board;
    EXPECT_EQ(board.command({0xF5}), (Bytes{0xFA}));
    EXPECT_EQ(board.press(kA), Bytes{});
    EXPECT_EQ(board.command({0xF4}), (Bytes{0xFA}));
    EXPECT_EQ(board.press(kB), (Bytes{0x32}));
}

TEST(Ps2Keyboard, EnableClearsTheBuffer)
{
    Board board;
    board.keyboard.set_key(kA, true);
    EXPECT_EQ(board.command({0xF4}), (Bytes{0xFA}));
}

TEST(Ps2Keyboard, AnswersGoBeforeScanCodes)
{
    Board board;
    board.keyboard.set_key(kA, true);
    EXPECT_EQ(board.command({0xEE}), (Bytes{0xEE, 0x1C}));
}

TEST(Ps2Keyboard, ScanCodeSetCanBeAskedFor)
{
    for (u8 set = 1; set <= 3; ++set) {
        Board board(set);
        EXPECT_EQ(board.command({0xF0, 0x00}), (Bytes{0xFA, 0xFA, set}));
    }
    Board board;
    EXPECT_EQ(board.command({0xF0, 0x04}), (Bytes{0xFA, 0xFE}));
}

TEST(Ps2Keyboard, Set3KeyTypesAreProgrammable)
{
    Board board(3);
    EXPECT_EQ(board.command({0xF8}), (Bytes{0xFA}));  // all keys make/break
    board.press(kA);
    board.run(kSecond);
    EXPECT_EQ(board.bytes(), Bytes{});
    EXPECT_EQ(board.release(kA), (Bytes{0xF0, 0x1C}));
    EXPECT_EQ(board.command({0xFB, 0x1C}), (Bytes{0xFA, 0xFA}));  // A typematic
    board.press(kA);
    board.run(500 * kMillisecond);
    EXPECT_EQ(board.bytes(), (Bytes{0x1C}));
    EXPECT_EQ(board.release(kA), Bytes{});
    EXPECT_EQ(board.command({0xFD, 0x1C, 0x32}), (Bytes{0xFA, 0xFA, 0xFA}));  // A and B make only
    board.press(kB);
    board.run(kSecond);
    EXPECT_EQ(board.bytes(), Bytes{});
    EXPECT_EQ(board.release(kB), Bytes{});
    board.command({0xFA});  // all keys typematic/make/break
    board.press(kEnter);
    board.run(500 * kMillisecond);
    EXPECT_EQ(board.bytes(), (Bytes{0x5A}));
    EXPECT_EQ(board.release(kEnter), (Bytes{0xF0, 0x5A}));
}

TEST(Ps2Keyboard, ResetTestsItselfAndRestoresTheDefaults)
{
    Board board(3);
    board.command({0xED, 0x07, 0xF3, 0x7F});
    EXPECT_EQ(board.command({0xFF}), (Bytes{0xFA}));
    EXPECT_EQ(board.press(kA), Bytes{});
    board.run(Ps2Keyboard::kBatTime - 1);
    EXPECT_EQ(board.bytes(), Bytes{});
    board.run(1);
    EXPECT_EQ(board.bytes(), (Bytes{0xAA}));
    EXPECT_FALSE(board.keyboard.led(7));
    EXPECT_EQ(board.command({0xF0, 0x00}), (Bytes{0xFA, 0xFA, 0x02}));
    EXPECT_EQ(board.press(kB), (Bytes{0x32}));
}

TEST(Ps2Keyboard, ResumesIdentically)
{
    Board board;
    board.command({0xED, 0x02});
    board.keyboard.set_key(kUp, true);
    board.keyboard.take_byte();
    board.run(100 * kMillisecond);
    StateWriter writer;
    writer.save("board", board);
    Board resumed;
    StateReader(writer.saved).load("board", resumed);
    EXPECT_EQ(resumed.bytes(), (Bytes{0x12, 0xE0, 0x75}));
    board.bytes();
    for (Board* b : {&board, &resumed}) b->run(kSecond);
    EXPECT_EQ(resumed.bytes(), (Bytes{0xE0, 0x75}));
    board.bytes();
    EXPECT_EQ(state_hash(resumed), state_hash(board));
}

TEST(Ps2Keyboard, SurvivesAnyBytesAndKeys)
{
    Board board;
    u32 random = 1;
    for (int i = 0; i < 200'000; ++i) {
        random = random * 1664525 + 1013904223;
        const u8 value = static_cast<u8>(random >> 24);
        switch (random >> 16 & 7) {
        case 0: board.keyboard.receive(value); break;
        case 1: board.keyboard.receive(value | 0xE0); break;
        case 2:
            if (board.keyboard.has_byte()) board.keyboard.take_byte();
            break;
        case 3: board.run(random >> 4 & 0xFFFFFF); break;
        default: board.keyboard.set_key(value, random & 1 << 15); break;
        }
    }
}
