#include "devices/hpet.h"

#include <gtest/gtest.h>

#include <vector>

#include "machine/savestate.h"

using namespace reprise;

namespace {

// IA-PC HPET Specification 1.0a, 2.3.
constexpr u16 kCapabilities = 0x00, kConfig = 0x10, kStatus = 0x20, kCounter = 0xF0;
constexpr u64 kEnable = 1, kLegacy = 2;
constexpr u64 kLevel = 1 << 1, kInterrupts = 1 << 2, kPeriodic = 1 << 3, kValueSet = 1 << 6,
              k32Bit = 1 << 8;
constexpr u64 kInput20 = 20 << 9;
constexpr u32 kRoutes = 0xF00000;

struct Edge {
    u64 tick;
    int wire;  // input of the I/O APIC; -1 and -2: legacy timers 0 and 1
    bool level;
    bool operator==(const Edge&) const = default;
};
using Edges = std::vector<Edge>;

struct Board {
    Scheduler scheduler;
    Hpet hpet{scheduler, kRoutes};
    Edges edges;
    std::vector<bool> legacy;

    Board()
    {
        hpet.on_interrupt = [this](int input, bool level) {
            edges.push_back({now(), input, level});
        };
        hpet.on_legacy_interrupt = [this](int timer, bool level) {
            edges.push_back({now(), -1 - timer, level});
        };
        hpet.on_legacy_route = [this](bool on) { legacy.push_back(on); };
    }

    u64 now() const { return Hpet::kClk.ticks(scheduler.now()); }
    void run(u64 ticks) { scheduler.advance_to(Hpet::kClk.time_of(now() + ticks)); }
    u64 read(u16 offset) { return hpet.read(offset, 8); }
    void write(u16 offset, u64 value) { hpet.write(offset, 8, value); }
    static u16 config(int timer) { return static_cast<u16>(0x100 + 0x20 * timer); }
    static u16 comparator(int timer) { return static_cast<u16>(0x108 + 0x20 * timer); }

    void visit(auto& v)
    {
        v("scheduler", scheduler);
        v("hpet", hpet.state);
    }
};

}  // namespace

TEST(Hpet, SaysWhatItIs)
{
    Board board;
    // 10 ns in femtoseconds; Intel; legacy replacement, 64 bits, three timers, revision 1.
    EXPECT_EQ(board.read(kCapabilities), 0x00989680'8086A201u);
    EXPECT_EQ(board.hpet.read(kCapabilities + 4, 4), 10'000'000u);
    EXPECT_LE(board.hpet.read(kCapabilities + 4, 4), 0x05F5E100u) << "100 ns at most (2.3.4)";
    for (int timer = 0; timer < 3; ++timer)
        EXPECT_EQ(board.read(Board::config(timer)), u64{kRoutes} << 32 | 0x30) << timer;
    board.write(kCapabilities, 0);
    EXPECT_EQ(board.read(kCapabilities), 0x00989680'8086A201u);
}

TEST(Hpet, TheCounterCountsOnlyWhileEnabled)
{
    Board board;
    board.run(100);
    EXPECT_EQ(board.read(kCounter), 0u);
    board.write(kConfig, kEnable);
    board.run(100);
    EXPECT_EQ(board.read(kCounter), 100u);
    board.write(kConfig, 0);
    board.run(100);
    EXPECT_EQ(board.read(kCounter), 100u);
    board.write(kCounter, 0xFFFFFFFF);
    board.write(kConfig, kEnable);
    board.run(2);
    EXPECT_EQ(board.read(kCounter), 0x1'00000001u);
    EXPECT_EQ(board.hpet.read(kCounter + 4, 4), 1u);
    EXPECT_EQ(board.hpet.read(kCounter, 4), 1u);
}

TEST(Hpet, AOneShotTimerMatchesOnce)
{
    Board board;
    board.write(Board::config(1), kInterrupts | kInput20);
    board.write(Board::comparator(1), 500);
    board.write(kConfig, kEnable);
    board.run(499);
    EXPECT_TRUE(board.edges.empty());
    board.run(10'000);
    EXPECT_EQ(board.edges, (Edges{{500, 20, true}}));
    board.write(Board::config(1), kInput20);
    EXPECT_EQ(board.edges.back(), (Edge{board.now(), 20, false})) << "disabled";
}

TEST(Hpet, APeriodicTimerAddsWhatWasWrittenLast)
{
    Board board;  // 2.3.9.2.2, with a first match at another distance than the period
    board.write(Board::config(0), kInterrupts | kPeriodic | kValueSet | kInput20);
    board.write(Board::comparator(0), 1000);
    EXPECT_EQ(board.read(Board::config(0)) & kValueSet, 0u) << "it clears itself";
    board.write(Board::comparator(0), 300);
    EXPECT_EQ(board.read(Board::comparator(0)), 1000u);
    board.write(kConfig, kEnable);
    board.run(1700);
    EXPECT_EQ(board.edges, (Edges{{1000, 20, true},
                                  {1300, 20, false},
                                  {1300, 20, true},
                                  {1600, 20, false},
                                  {1600, 20, true}}));
    EXPECT_EQ(board.read(Board::comparator(0)), 1900u);
}

TEST(Hpet, OneWriteSetsPeriodAndFirstMatch)
{
    Board board;
    board.write(Board::config(0), kInterrupts | kPeriodic | kValueSet | kInput20 | kLevel);
    board.write(Board::comparator(0), 250);
    board.write(kConfig, kEnable);
    for (int i = 1; i <= 3; ++i) {
        board.run(250);
        EXPECT_EQ(board.read(kStatus), 1u) << i;
        board.write(kStatus, 1);
    }
    EXPECT_EQ(board.edges, (Edges{{250, 20, true},
                                  {250, 20, false},
                                  {500, 20, true},
                                  {500, 20, false},
                                  {750, 20, true},
                                  {750, 20, false}}));
}

TEST(Hpet, A32BitTimerMatchesAgainWhenTheCounterComesRound)
{
    Board board;
    board.write(Board::config(2), kInterrupts | k32Bit | kInput20);
    board.write(Board::comparator(2), 0x9'00000010);
    EXPECT_EQ(board.read(Board::comparator(2)), 0x10u);
    board.write(kCounter, 0xFFFFFFF0);
    board.write(kConfig, kEnable);
    board.run((u64{1} << 32) + 0x30);
    ASSERT_EQ(board.edges.size(), 3u);
    EXPECT_EQ(board.edges[0], (Edge{0x20, 20, true}));
    EXPECT_EQ(board.edges[2], (Edge{0x1'00000020, 20, true}));
}

TEST(Hpet, HalvesOfARegisterAreWrittenApart)
{
    Board board;
    board.hpet.write(Board::comparator(1), 4, 0x11111111);
    board.hpet.write(Board::comparator(1) + 4, 4, 0x22222222);
    EXPECT_EQ(board.read(Board::comparator(1)), 0x22222222'11111111u);
    board.hpet.write(kStatus + 4, 4, 0xFFFFFFFF);
    EXPECT_EQ(board.read(kStatus), 0u);
}

TEST(Hpet, ATimerTakesOnlyARouteThatItHas)
{
    Board board;
    board.write(Board::config(0), 23 << 9);
    EXPECT_EQ(board.read(Board::config(0)) >> 9 & 31, 23u);
    board.write(Board::config(0), 5 << 9);
    EXPECT_EQ(board.read(Board::config(0)) >> 9 & 31, 23u);
}

TEST(Hpet, LegacyReplacementTakesTimers0And1)
{
    Board board;
    for (int timer = 0; timer < 3; ++timer) {
        board.write(Board::config(timer), kInterrupts | kInput20);
        board.write(Board::comparator(timer), 100u + 10u * static_cast<u64>(timer));
    }
    board.write(kConfig, kEnable | kLegacy);
    EXPECT_EQ(board.legacy, std::vector<bool>{true});
    board.run(200);
    EXPECT_EQ(board.edges, (Edges{{100, -1, true}, {110, -2, true}, {120, 20, true}}));
    board.hpet.reset();
    EXPECT_EQ(board.legacy, (std::vector<bool>{true, false}));
    EXPECT_EQ(board.edges.size(), 6u) << "all low again";
}

TEST(Hpet, WithoutInterruptsALevelTimerStillShowsItsStatus)
{
    Board board;
    board.write(Board::config(1), kLevel | kInput20);
    board.write(Board::comparator(1), 50);
    board.write(kConfig, kEnable);
    board.run(60);
    EXPECT_EQ(board.read(kStatus), 2u);
    EXPECT_TRUE(board.edges.empty());
}

TEST(Hpet, ASavedOneGoesOnWhereItWas)
{
    Board board, other;
    board.write(Board::config(0), kInterrupts | kPeriodic | kValueSet | kInput20);
    board.write(Board::comparator(0), 77);
    board.write(kConfig, kEnable);
    board.run(1000);
    StateWriter writer;
    writer.save("board", board);
    StateReader reader(writer.saved);
    reader.load("board", other);
    board.edges.clear();
    board.run(1000);
    other.run(1000);
    EXPECT_EQ(board.edges, other.edges);
    EXPECT_EQ(board.read(kCounter), other.read(kCounter));
    EXPECT_EQ(board.edges.size(), 26u) << "13 matches";
}
