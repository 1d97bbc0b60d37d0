#include <gtest/gtest.h>

#include <climits>
#include <vector>

#include "devices/ps2_mouse.h"
#include "machine/savestate.h"

using namespace reprise;

namespace {

using Bytes = std::vector<u8>;
constexpr Time kSample = 10 * kMillisecond;  // at the default of 100 per second

/// A mouse whose clock runs whenever somebody looks.
struct Board {
    Scheduler scheduler;
    Ps2Mouse mouse{scheduler};

    Bytes bytes()
    {
        Bytes result;
        while (mouse.has_byte()) result.push_back(mouse.take_byte());
        return result;
    }
    Bytes command(Bytes command)
    {
        Bytes result;
        for (u8 byte : command) {
            mouse.receive(byte);
            for (u8 answer : bytes()) result.push_back(answer);
        }
        return result;
    }
    Bytes run(Time time = kSample)
    {
        scheduler.advance_to(scheduler.now() + time);
        return bytes();
    }
    Bytes move(i32 dx, i32 dy, i32 dz = 0)
    {
        mouse.move(dx, dy, dz);
        return run();
    }

    void visit(auto& v)
    {
        v("scheduler", scheduler);
        v("mouse", mouse.state);
    }
};

}  // namespace

TEST(Ps2Mouse, ResetTestsItselfAndIdentifies)
{
    Board board;
    EXPECT_EQ(board.command({0xFF}), (Bytes{0xFA}));
    EXPECT_EQ(board.run(Ps2Mouse::kBatTime - 1), Bytes{});
    EXPECT_EQ(board.run(1), (Bytes{0xAA, 0x00}));
    EXPECT_EQ(board.command({0xE9}), (Bytes{0xFA, 0x00, 0x02, 100}));
}

TEST(Ps2Mouse, IsSilentUntilEnabled)
{
    Board board;
    EXPECT_EQ(board.move(5, 5), Bytes{});
    EXPECT_EQ(board.command({0xF4}), (Bytes{0xFA}));
    EXPECT_EQ(board.run(), Bytes{});  // what happened before is forgotten
    EXPECT_TRUE(board.mouse.enabled());
    EXPECT_EQ(board.move(5, 0), (Bytes{0x08, 5, 0}));
    EXPECT_EQ(board.command({0xF5}), (Bytes{0xFA}));
    EXPECT_EQ(board.move(5, 5), Bytes{});
}

TEST(Ps2Mouse, PacketsCountUpwardsAsPositive)
{
    Board board;
    board.command({0xF4});
    EXPECT_EQ(board.move(3, 4), (Bytes{0x28, 3, 0xFC}));
    EXPECT_EQ(board.move(-3, -4), (Bytes{0x18, 0xFD, 4}));
}

TEST(Ps2Mouse, ButtonsAreReportedWithoutMotion)
{
    Board board;
    board.command({0xF4});
    board.mouse.set_buttons(0x01);
    EXPECT_EQ(board.run(), (Bytes{0x09, 0, 0}));
    board.mouse.set_buttons(0x06);
    EXPECT_EQ(board.run(), (Bytes{0x0E, 0, 0}));
    board.mouse.set_buttons(0x06);
    EXPECT_EQ(board.run(), Bytes{});
    EXPECT_EQ(board.command({0xE9}), (Bytes{0xFA, 0x23, 0x02, 100}));
}

TEST(Ps2Mouse, ClickBetweenTwoSamplesIsNotLost)
{
    Board board;
    board.command({0xF4});
    board.mouse.set_buttons(0x01);
    board.mouse.set_buttons(0x00);
    EXPECT_EQ(board.run(0), (Bytes{0x09, 0, 0}));
    EXPECT_EQ(board.run(), (Bytes{0x08, 0, 0}));
}

TEST(Ps2Mouse, ReportsAreASamplePeriodApart)
{
    Board board;
    board.command({0xF3, 20, 0xF4});  // every 50 ms
    board.mouse.move(1, 0, 0);
    EXPECT_EQ(board.run(0), (Bytes{0x08, 1, 0}));
    board.mouse.move(2, 0, 0);
    board.mouse.move(3, 0, 0);
    EXPECT_EQ(board.run(50 * kMillisecond - 1), Bytes{});
    EXPECT_EQ(board.run(1), (Bytes{0x08, 5, 0}));
}

TEST(Ps2Mouse, NoReportWhileTheLastOneHasNotGone)
{
    Board board;
    board.command({0xF4});
    board.mouse.move(1, 0, 0);
    board.scheduler.advance_to(kSample);
    board.mouse.move(2, 0, 0);
    board.scheduler.advance_to(10 * kSample);
    EXPECT_EQ(board.bytes(), (Bytes{0x08, 1, 0}));
    EXPECT_EQ(board.run(), (Bytes{0x08, 2, 0}));
}

TEST(Ps2Mouse, StreamSpreadsABurstOverSamples)
{
    Board board;
    board.command({0xF4});
    board.mouse.move(300, 600, 0);
    EXPECT_EQ(board.run(0), (Bytes{0x28, 255, 0x01}));  // -255
    EXPECT_EQ(board.run(), (Bytes{0x28, 45, 0x01}));
    EXPECT_EQ(board.run(), (Bytes{0x28, 0, 0xA6}));  // -90
    EXPECT_EQ(board.run(), Bytes{});
}

TEST(Ps2Mouse, OverflowBitsTellOfLostMotion)
{
    Board board;
    board.command({0xF0});
    board.mouse.move(256, 0, 0);
    EXPECT_EQ(board.command({0xEB}), (Bytes{0xFA, 0x48, 255, 0}));
    EXPECT_EQ(board.command({0xEB}), (Bytes{0xFA, 0x08, 0, 0}));
    board.mouse.move(0, INT_MIN, 0);
    board.mouse.move(INT_MIN, 0, INT_MIN);
    EXPECT_EQ(board.command({0xEB}), (Bytes{0xFA, 0xD8, 0x01, 255}));
}

TEST(Ps2Mouse, RemoteModeReportsOnlyWhenAsked)
{
    Board board;
    EXPECT_EQ(board.command({0xF0}), (Bytes{0xFA}));
    EXPECT_EQ(board.move(7, 0), Bytes{});
    EXPECT_EQ(board.command({0xEB}), (Bytes{0xFA, 0x08, 7, 0}));
    EXPECT_EQ(board.command({0xEB}), (Bytes{0xFA, 0x08, 0, 0}));
    EXPECT_EQ(board.command({0xE9}), (Bytes{0xFA, 0x40, 0x02, 100}));
    board.command({0xEA, 0xF4});
    EXPECT_EQ(board.move(1, 0), (Bytes{0x08, 1, 0}));
}

TEST(Ps2Mouse, WrapModeEchoesAllButItsEnd)
{
    Board board;
    EXPECT_EQ(board.command({0xEE}), (Bytes{0xFA}));
    EXPECT_EQ(board.command({0x00, 0xF4, 0xE9}), (Bytes{0x00, 0xF4, 0xE9}));
    EXPECT_EQ(board.command({0xEC, 0xF2}), (Bytes{0xFA, 0xFA, 0x00}));
    board.command({0xEE});
    EXPECT_EQ(board.command({0xFF}), (Bytes{0xFA}));
    EXPECT_EQ(board.run(kSecond), (Bytes{0xAA, 0x00}));
}

TEST(Ps2Mouse, Scaling2To1FollowsItsTable)
{
    Board board;
    EXPECT_EQ(board.command({0xE7, 0xF4}), (Bytes{0xFA, 0xFA}));
    const std::array<u8, 8> table = {0, 1, 1, 3, 6, 9, 12, 14};
    for (u8 i = 1; i < 8; ++i) {
        EXPECT_EQ(board.move(i, 0), (Bytes{0x08, table[i], 0}));
        EXPECT_EQ(board.move(-i, 0), (Bytes{0x18, static_cast<u8>(-table[i]), 0}));
    }
    board.command({0xF0});
    board.mouse.move(5, 0, 0);
    EXPECT_EQ(board.command({0xEB}), (Bytes{0xFA, 0x08, 5, 0}));  // not what is read on demand
    EXPECT_EQ(board.command({0xE9}), (Bytes{0xFA, 0x70, 0x02, 100}));
    EXPECT_EQ(board.command({0xE6, 0xE9}), (Bytes{0xFA, 0xFA, 0x60, 0x02, 100}));
}

TEST(Ps2Mouse, ResolutionAndRateAreReported)
{
    Board board;
    EXPECT_EQ(board.command({0xE8, 0x03, 0xF3, 40}), (Bytes{0xFA, 0xFA, 0xFA, 0xFA}));
    EXPECT_EQ(board.command({0xE9}), (Bytes{0xFA, 0x00, 0x03, 40}));
    EXPECT_EQ(board.command({0xF6, 0xE9}), (Bytes{0xFA, 0xFA, 0x00, 0x02, 100}));
}

TEST(Ps2Mouse, KnockTurnsOnTheWheel)
{
    Board board;
    board.command({0xF3, 200, 0xF3, 100, 0xF3, 80});
    EXPECT_EQ(board.command({0xF2}), (Bytes{0xFA, 0x03}));
    board.command({0xF4});
    EXPECT_EQ(board.move(1, 0, 1), (Bytes{0x08, 1, 0, 0xFF}));  // away from the user is negative
    EXPECT_EQ(board.run(100 * kMillisecond), Bytes{});
    EXPECT_EQ(board.move(0, 0, -2), (Bytes{0x08, 0, 0, 0x02}));
    board.run(100 * kMillisecond);
    board.command({0xFF});
    board.run(kSecond);
    EXPECT_EQ(board.command({0xF2}), (Bytes{0xFA, 0x00}));
}

TEST(Ps2Mouse, WheelMovesAtMostEightNotchesAPacket)
{
    Board board;
    board.command({0xF3, 200, 0xF3, 100, 0xF3, 80, 0xF4});
    board.mouse.move(0, 0, 10);
    EXPECT_EQ(board.run(0), (Bytes{0x08, 0, 0, 0xF8}));
    EXPECT_EQ(board.run(20 * kMillisecond), (Bytes{0x08, 0, 0, 0xFE}));
}

TEST(Ps2Mouse, SecondKnockTurnsOnTheSideButtons)
{
    Board board;
    board.command({0xF3, 200, 0xF3, 100, 0xF3, 80, 0xF3, 200, 0xF3, 200, 0xF3, 80});
    EXPECT_EQ(board.command({0xF2}), (Bytes{0xFA, 0x04}));
    board.command({0xF4});
    board.mouse.set_buttons(0x19);
    board.mouse.move(0, 0, 1);
    EXPECT_EQ(board.run(), (Bytes{0x09, 0, 0, 0x3F}));
}

TEST(Ps2Mouse, InvalidBytesAreAskedForAgainThenRefused)
{
    Board board;
    EXPECT_EQ(board.command({0x12}), (Bytes{0xFE}));
    EXPECT_EQ(board.command({0x12}), (Bytes{0xFC}));
    EXPECT_EQ(board.command({0xF4}), (Bytes{0xFA}));
    EXPECT_EQ(board.command({0xE8, 0x04}), (Bytes{0xFA, 0xFE}));
    EXPECT_EQ(board.command({0x01}), (Bytes{0xFA}));
    EXPECT_EQ(board.command({0xF3, 0x07, 0x08}), (Bytes{0xFA, 0xFE, 0xFC}));
    EXPECT_EQ(board.command({0xE9}), (Bytes{0xFA, 0x20, 0x01, 100}));
}

TEST(Ps2Mouse, ResendRepeatsTheLastPacket)
{
    Board board;
    board.command({0xF4});
    board.move(9, 0);
    EXPECT_EQ(board.command({0xFE}), (Bytes{0x08, 9, 0}));
}

TEST(Ps2Mouse, CommandSilencesAPacketOnItsWay)
{
    Board board;
    board.command({0xF4});
    board.mouse.move(1, 1, 0);
    board.scheduler.advance_to(kSample);
    EXPECT_EQ(board.mouse.take_byte(), 0x28);
    EXPECT_EQ(board.command({0xF2}), (Bytes{0xFA, 0x00}));
}

TEST(Ps2Mouse, ResumesIdentically)
{
    Board board;
    board.command({0xF4});
    board.mouse.move(600, 0, 0);
    board.scheduler.advance_to(kSample);
    board.mouse.take_byte();
    StateWriter writer;
    writer.save("board", board);
    Board resumed;
    StateReader(writer.saved).load("board", resumed);
    EXPECT_EQ(resumed.bytes(), (Bytes{255, 0}));
    EXPECT_EQ(resumed.run(), (Bytes{0x08, 255, 0}));
    board.bytes();
    board.run();
    EXPECT_EQ(state_hash(resumed), state_hash(board));
}

TEST(Ps2Mouse, SurvivesAnyBytesAndMotion)
{
    Board board;
    u32 random = 1;
    for (int i = 0; i < 200'000; ++i) {
        random = random * 1664525 + 1013904223;
        const u8 value = static_cast<u8>(random >> 24);
        switch (random >> 16 & 7) {
        case 0: board.mouse.receive(value); break;
        case 1: board.mouse.receive(value | 0xE0); break;
        case 2:
            if (board.mouse.has_byte()) board.mouse.take_byte();
            break;
        case 3: board.scheduler.advance_to(board.scheduler.now() + (random >> 4 & 0xFFFFFF)); break;
        case 4: board.mouse.set_buttons(value); break;
        default:
            board.mouse.move(static_cast<i32>(random), static_cast<i32>(random * 3), value);
            break;
        }
    }
}
