#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "devices/keyboard_8042.h"
#include "devices/ps2_keyboard.h"
#include "devices/ps2_mouse.h"
#include "devices/ps2_scan_codes.h"
#include "machine/savestate.h"

using namespace reprise;

namespace {

using Bytes = std::vector<u8>;

constexpr u16 kData = 0, kStatus = 4, kCommand = 4;
constexpr u8 kObf = 0x01, kIbf = 0x02, kSys = 0x04, kA2 = 0x08, kMobf = 0x20, kTo = 0x40;
constexpr u8 kUsageA = 0x04, kUsageB = 0x05;

/// The controller with both devices, as on a PC.
struct Board {
    Scheduler scheduler;
    Keyboard8042 kbc{scheduler};
    Ps2Keyboard keyboard{scheduler};
    Ps2Mouse mouse{scheduler};
    std::string log;  // edges of the pins

    explicit Board(bool devices = true)
    {
        if (devices) {
            kbc.connect_keyboard(keyboard);
            kbc.connect_mouse(mouse);
        }
        kbc.on_keyboard_irq = [this](bool level) { log += level ? "K" : "k"; };
        kbc.on_mouse_irq = [this](bool level) { log += level ? "M" : "m"; };
        kbc.on_a20 = [this](bool level) { log += level ? "A" : "a"; };
        kbc.on_reset = [this] { log += "R"; };
    }

    void run(Time time) { scheduler.advance_to(scheduler.now() + time); }
    u8 status() { return kbc.read(kStatus); }
    u8 data() { return kbc.read(kData); }
    void command(u8 value) { kbc.write(kCommand, value); }
    void command(u8 value, u8 parameter)
    {
        command(value);
        kbc.write(kData, parameter);
    }
    u8 ask(u8 value)
    {
        command(value);
        EXPECT_TRUE(status() & kObf) << int(value);
        return data();
    }

    /// What a driver that polls sees in the next `time`.
    Bytes poll(Time time = 20 * kMillisecond)
    {
        Bytes bytes;
        for (const Time end = scheduler.now() + time; scheduler.now() < end;) {
            run(10 * kMicrosecond);
            if (status() & kObf) bytes.push_back(data());
        }
        return bytes;
    }
    Bytes to_keyboard(u8 value)
    {
        kbc.write(kData, value);
        return poll();
    }
    Bytes to_mouse(u8 value)
    {
        command(0xD4, value);
        return poll();
    }

    void visit(auto& v)
    {
        v("scheduler", scheduler);
        v("kbc", kbc.state);
        v("keyboard", keyboard.state);
        v("mouse", mouse.state);
    }
};

}  // namespace

TEST(Keyboard8042, SelfTestPassesAndSetsTheSystemFlag)
{
    Board board;
    EXPECT_FALSE(board.status() & kSys);
    EXPECT_EQ(board.ask(0xAA), 0x55);
    EXPECT_TRUE(board.status() & kSys);
    EXPECT_EQ(board.ask(0x20) & 0x30, 0x30);  // both devices disabled
}

TEST(Keyboard8042, InterfaceTestsPass)
{
    Board board;
    EXPECT_EQ(board.ask(0xA9), 0x00);
    EXPECT_EQ(board.ask(0xAB), 0x00);
}

TEST(Keyboard8042, StatusTellsCommandFromDataAndIsNotInhibited)
{
    Board board;
    board.command(0x60);
    EXPECT_EQ(board.status(), kA2 | 0x10);
    board.kbc.write(kData, 0x34);
    EXPECT_EQ(board.status(), kSys | 0x10);
}

TEST(Keyboard8042, CommandByteIsRamZero)
{
    Board board;
    board.command(0x60, 0x47);
    EXPECT_EQ(board.ask(0x20), 0x47);
    for (u8 i = 1; i < 32; ++i) board.command(0x60 + i, 0xC0 + i);
    for (u8 i = 1; i < 32; ++i) EXPECT_EQ(board.ask(0x20 + i), 0xC0 + i);
    EXPECT_EQ(board.ask(0x20), 0x47);
}

TEST(Keyboard8042, DisableCommandsAreBitsOfTheCommandByte)
{
    Board board;
    board.command(0x60, 0x00);
    board.command(0xAD);
    EXPECT_EQ(board.ask(0x20), 0x10);
    board.command(0xA7);
    EXPECT_EQ(board.ask(0x20), 0x30);
    board.command(0xAE);
    EXPECT_EQ(board.ask(0x20), 0x20);
    board.command(0xA8);
    EXPECT_EQ(board.ask(0x20), 0x00);
}

TEST(Keyboard8042, NoPasswordIsInstalled)
{
    Board board;
    EXPECT_EQ(board.ask(0xA4), 0xF1);
    board.command(0xA5);  // load: up to a null, and none of it reaches the keyboard
    for (u8 byte : {0x1E, 0x30, 0x00}) board.kbc.write(kData, byte);
    board.command(0xA6);
    EXPECT_EQ(board.poll(), Bytes{});
    EXPECT_EQ(board.to_keyboard(0xEE), (Bytes{0xEE}));
}

TEST(Keyboard8042, InputPortShowsDirectlyAndInTheStatus)
{
    Board board;
    const u8 p1 = board.ask(0xC0);
    EXPECT_TRUE(p1 & 0x80);  // not locked
    board.command(0xC1);
    EXPECT_EQ(board.status() >> 4, p1 & 0x0F);
    board.command(0xC2);
    EXPECT_EQ(board.status() >> 4, p1 >> 4);
    board.command(0xAE);
    EXPECT_EQ(board.status() >> 4, 1);
}

TEST(Keyboard8042, OutputPortDrivesA20)
{
    Board board;
    EXPECT_TRUE(board.kbc.a20());
    board.command(0xD1, 0xDD);
    EXPECT_FALSE(board.kbc.a20());
    EXPECT_EQ(board.ask(0xD0) & 0x03, 0x01);
    board.command(0xD1, 0xDF);
    EXPECT_EQ(board.ask(0xD0) & 0x03, 0x03);
    board.command(0xDD);
    board.command(0xDF);
    board.command(0xDF);
    EXPECT_EQ(board.log, "aAaAA");
}

TEST(Keyboard8042, OutputPortShowsTheInterruptLines)
{
    Board board;
    board.command(0x60, 0x03);
    EXPECT_EQ(board.ask(0xD0) & 0x30, 0x00);
    board.command(0xD2, 0x55);
    board.command(0xD0);
    EXPECT_EQ(board.data(), 0x55);
    EXPECT_EQ(board.poll().at(0) & 0x30, 0x10);
}

TEST(Keyboard8042, ResetLineIsBitZero)
{
    Board board;
    board.command(0xFE);
    EXPECT_EQ(board.log, "R");
    board.command(0xFF);
    board.command(0xFD);
    EXPECT_EQ(board.log, "R");
    board.command(0xD1, 0x02);
    EXPECT_EQ(board.log, "RAR");
    board.command(0xF0);
    EXPECT_EQ(board.log, "RARR");
}

TEST(Keyboard8042, MayBeResetByItsOwnResetLine)
{
    Board board;
    board.kbc.on_reset = [&] { board.kbc.reset(); };
    board.command(0xFE);
    EXPECT_EQ(board.status(), 0x10);
    board.command(0xDD);
    board.command(0xFE);
    EXPECT_TRUE(board.kbc.a20());
    EXPECT_EQ(board.log, "aA");
}

TEST(Keyboard8042, TestInputsAreTheClockLines)
{
    Board board;
    EXPECT_EQ(board.ask(0xE0), 0x00);
    board.command(0xAE);
    EXPECT_EQ(board.ask(0xE0), 0x01);
    board.command(0xA8);
    EXPECT_EQ(board.ask(0xE0), 0x03);
}

TEST(Keyboard8042, OutputBufferCommandsFakeTheDevices)
{
    Board board;
    board.command(0x60, 0x03);
    board.command(0xD2, 0x1E);
    EXPECT_EQ(board.status() & (kObf | kMobf), kObf);
    EXPECT_EQ(board.data(), 0x1E);
    board.command(0xD3, 0x5A);
    EXPECT_EQ(board.status() & (kObf | kMobf), kObf | kMobf);
    EXPECT_EQ(board.data(), 0x5A);
    EXPECT_EQ(board.status() & (kObf | kMobf), 0);
    EXPECT_EQ(board.log, "KkMm");
}

TEST(Keyboard8042, InterruptsFollowTheOutputBufferWhileEnabled)
{
    Board board;
    board.command(0xD2, 0x1E);
    EXPECT_EQ(board.log, "");
    board.command(0x60, 0x31);
    EXPECT_EQ(board.log, "K");
    board.command(0x60, 0x30);
    EXPECT_EQ(board.log, "Kk");
}

TEST(Keyboard8042, AnswerWaitsForTheOutputBuffer)
{
    Board board;
    board.command(0xD2, 0x11);
    board.command(0xAA);
    EXPECT_EQ(board.data(), 0x11);
    EXPECT_FALSE(board.status() & kObf);
    EXPECT_EQ(board.data(), 0x11);  // DBBOUT keeps its byte
    board.run(Keyboard8042::kAnswerTime);
    EXPECT_TRUE(board.status() & kObf);
    EXPECT_EQ(board.data(), 0x55);
}

TEST(Keyboard8042, KeystrokeTakesAFrameAndInterruptsOnce)
{
    Board board;
    board.command(0x60, 0x61);  // interrupt, translate
    board.keyboard.set_key(kUsageA, true);
    board.run(kPs2FrameTime - 1);
    EXPECT_FALSE(board.status() & kObf);
    board.run(1);
    EXPECT_TRUE(board.status() & kObf);
    board.run(100 * kMillisecond);
    EXPECT_EQ(board.log, "K");
    EXPECT_EQ(board.data(), 0x1E);
    EXPECT_EQ(board.log, "Kk");
}

TEST(Keyboard8042, TranslatesBreakCodesIntoOneByte)
{
    Board board;
    board.command(0x60, 0x60);
    board.keyboard.set_key(kUsageA, true);
    board.keyboard.set_key(kUsageA, false);
    board.keyboard.set_key(0x40, true);  // F7: 83h
    board.keyboard.set_key(0x40, false);
    board.keyboard.set_key(0xE4, true);  // right Ctrl
    board.keyboard.set_key(0xE4, false);
    EXPECT_EQ(board.poll(), (Bytes{0x1E, 0x9E, 0x41, 0xC1, 0xE0, 0x1D, 0xE0, 0x9D}));
}

TEST(Keyboard8042, WithoutTranslationSet2PassesAsItIs)
{
    Board board;
    board.command(0x60, 0x20);
    board.keyboard.set_key(kUsageA, true);
    board.keyboard.set_key(kUsageA, false);
    EXPECT_EQ(board.poll(), (Bytes{0x1C, 0xF0, 0x1C}));
}

TEST(Keyboard8042, TranslatedSet2IsSet1ForEveryKey)
{
    Board translated, set1;
    for (Board* board : {&translated, &set1}) board->command(0x60, 0x20);
    set1.to_keyboard(0xF0);
    set1.to_keyboard(0x01);
    translated.command(0x60, 0x60);
    int keys = 0;
    for (int usage = 0; usage < 256; ++usage) {
        if (scan_code(static_cast<u8>(usage)).set1 == 0) continue;
        ++keys;
        for (bool pressed : {true, false}) {
            for (Board* board : {&translated, &set1})
                board->keyboard.set_key(static_cast<u8>(usage), pressed);
            const Bytes expected = set1.poll();
            EXPECT_EQ(translated.poll(), expected) << usage;
        }
    }
    EXPECT_GE(keys, 105);
}

TEST(Keyboard8042, DisabledClocksHoldTheBytesInTheDevices)
{
    Board board;
    board.command(0x60, 0x40);
    board.to_mouse(0xF4);
    board.command(0xAD);
    board.command(0xA7);
    board.keyboard.set_key(kUsageA, true);
    board.mouse.move(1, 0, 0);
    EXPECT_EQ(board.poll(), Bytes{});
    board.command(0xAE);
    EXPECT_EQ(board.poll(), (Bytes{0x1E}));
    board.command(0xA8);
    EXPECT_EQ(board.poll(), (Bytes{0x08, 0x01, 0x00}));
}

TEST(Keyboard8042, DisablingInTheMiddleOfAFrameLosesNothing)
{
    Board board;
    board.command(0x60, 0x60);
    board.keyboard.set_key(kUsageA, true);
    board.run(kPs2FrameTime / 2);
    board.command(0xAD);
    EXPECT_EQ(board.poll(), Bytes{});
    board.command(0xAE);
    EXPECT_EQ(board.poll(), (Bytes{0x1E}));
}

TEST(Keyboard8042, DataGoesToTheKeyboardAndEnablesIt)
{
    Board board;
    board.command(0x60, 0x70);
    EXPECT_EQ(board.to_keyboard(0xF2), (Bytes{0xFA, 0xAB, 0x41}));  // the ID is translated as well
    EXPECT_EQ(board.ask(0x20), 0x60);
}

TEST(Keyboard8042, D4GoesToTheMouseAndItsAnswersAreMarked)
{
    Board board;
    board.command(0x60, 0x32);
    board.command(0xD4, 0xF2);
    board.run(kPs2FrameTime);  // there
    board.run(kPs2FrameTime);  // and back
    EXPECT_EQ(board.log, "M");
    EXPECT_EQ(board.status() & (kObf | kMobf), kObf | kMobf);
    EXPECT_EQ(board.data(), 0xFA);
    EXPECT_EQ(board.poll(), (Bytes{0x00}));
    EXPECT_EQ(board.ask(0x20), 0x12);
}

TEST(Keyboard8042, NextByteWaitsInDbbinWhileOneIsSent)
{
    Board board;
    board.command(0x60, 0x00);
    board.kbc.write(kData, 0xED);
    EXPECT_FALSE(board.status() & kIbf);
    board.kbc.write(kData, 0x02);
    EXPECT_TRUE(board.status() & kIbf);
    board.run(kPs2FrameTime);
    EXPECT_FALSE(board.status() & kIbf);
    EXPECT_EQ(board.poll(), (Bytes{0xFA, 0xFA}));
    EXPECT_TRUE(board.keyboard.led(Ps2Keyboard::kNumLed));
}

TEST(Keyboard8042, PortsAreServedInTurn)
{
    Board board;
    board.command(0x60, 0x40);
    board.to_mouse(0xF4);
    board.command(0xAD);
    board.command(0xA7);
    board.mouse.move(1, 0, 0);
    board.keyboard.set_key(kUsageA, true);
    board.keyboard.set_key(kUsageB, true);
    board.run(kMillisecond);
    board.command(0x60, 0x40);
    std::string order;
    for (int i = 0; i < 5; ++i) {
        board.run(kPs2FrameTime);
        order += board.status() & kMobf ? 'm' : 'k';
        board.data();
    }
    EXPECT_TRUE(order == "kmkmm" || order == "mkmkm") << order;
}

TEST(Keyboard8042, MissingDeviceTimesOut)
{
    Board board(false);
    board.command(0x60, 0x00);
    board.kbc.write(kData, 0xFF);
    board.run(Keyboard8042::kTimeout);
    EXPECT_EQ(board.status() & (kObf | kMobf | kTo), kObf | kTo);
    EXPECT_EQ(board.data(), 0xFE);
    EXPECT_FALSE(board.status() & kTo);
    board.command(0xD4, 0xFF);
    board.run(Keyboard8042::kTimeout);
    EXPECT_EQ(board.status() & (kObf | kMobf | kTo), kObf | kMobf | kTo);
}

TEST(Keyboard8042, KeyboardResetsThroughTheController)
{
    Board board;
    board.command(0x60, 0x40);
    EXPECT_EQ(board.to_keyboard(0xFF), (Bytes{0xFA}));
    EXPECT_EQ(board.poll(Ps2Keyboard::kBatTime), (Bytes{0xAA}));
}

TEST(Keyboard8042, AnswersEchoOfTheAuxLoopLikeAControllerWithoutMultiplexer)
{
    Board board;
    board.command(0x60, 0x30);
    for (u8 byte : {0xF0, 0x56, 0xA4}) {
        board.command(0xD3, byte);
        EXPECT_TRUE(board.status() & kMobf);
        EXPECT_EQ(board.data(), byte);
    }
}

TEST(Keyboard8042, UnknownCommandsAreIgnoredAndLogged)
{
    Board board;
    int messages = 0;
    board.kbc.on_log = [&](std::string_view) { ++messages; };
    board.command(0x00);
    board.command(0xB7);
    EXPECT_EQ(messages, 2);
    EXPECT_FALSE(board.status() & kObf);
}

TEST(Keyboard8042, ResumesInTheMiddleOfAFrame)
{
    Board board;
    board.command(0x60, 0x61);
    board.keyboard.set_key(kUsageA, true);
    board.keyboard.set_key(kUsageA, false);
    board.run(kPs2FrameTime + kPs2FrameTime / 2);
    board.data();
    board.run(kPs2FrameTime + kPs2FrameTime / 2);  // F0h swallowed, 1Ch on its way
    StateWriter writer;
    writer.save("board", board);
    Board resumed;
    StateReader(writer.saved).load("board", resumed);
    for (Board* b : {&board, &resumed}) EXPECT_EQ(b->poll(), (Bytes{0x9E}));
    EXPECT_EQ(state_hash(resumed), state_hash(board));
}

TEST(Keyboard8042, SurvivesAnyProgram)
{
    Board board;
    u32 random = 1;
    for (int i = 0; i < 300'000; ++i) {
        random = random * 1664525 + 1013904223;
        const u8 value = static_cast<u8>(random >> 24);
        switch (random >> 16 & 7) {
        case 0: board.command(value); break;
        case 1: board.kbc.write(kData, value); break;
        case 2: board.data(); break;
        case 3: board.status(); break;
        case 4: board.keyboard.set_key(value, random & 1 << 15); break;
        case 5: board.mouse.move(value, -value, 1); break;
        default: board.run(random >> 8 & 0x3FFFF); break;
        }
    }
    board.log.clear();
}
