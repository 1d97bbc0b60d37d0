#include "devices/local_apic.h"

#include <gtest/gtest.h>

#include <vector>

#include "machine/savestate.h"

using namespace reprise;

namespace {

// Offsets and reset values: SDM vol. 3A, table 10-1 and 10.4.7.1.
constexpr u16 kId = 0x20, kVersion = 0x30, kTpr = 0x80, kApr = 0x90, kPpr = 0xA0, kEoi = 0xB0,
              kLdr = 0xD0, kDfr = 0xE0, kSvr = 0xF0, kIsr = 0x100, kTmr = 0x180, kIrr = 0x200,
              kEsr = 0x280, kIcrLow = 0x300, kIcrHigh = 0x310, kTimer = 0x320, kThermal = 0x330,
              kPerformance = 0x340, kLint0 = 0x350, kLint1 = 0x360, kError = 0x370,
              kInitialCount = 0x380, kCurrentCount = 0x390, kDivide = 0x3E0;
constexpr u32 kMasked = 1 << 16, kPeriodic = 1 << 17, kLevel = 1 << 15, kLowActive = 1 << 13;
constexpr u32 kExtInt = 7 << 8, kNmi = 4 << 8, kSmi = 2 << 8;
constexpr u32 kDivideBy1 = 0xB;
constexpr u8 kExternalVector = 0x0D;

/// An APIC whose core is a level and a list of what it was told.
struct Board {
    Scheduler scheduler;
    LocalApic apic{scheduler, true};
    bool intr = false;
    int nmis = 0, smis = 0, external = 0;
    std::vector<u8> ended;

    explicit Board(bool enable = true)
    {
        apic.on_intr = [this](bool level) { intr = level; };
        apic.on_nmi = [this] { ++nmis; };
        apic.on_smi = [this] { ++smis; };
        apic.on_external_acknowledge = [this] { return ++external, kExternalVector; };
        apic.on_eoi = [this](u8 vector) { ended.push_back(vector); };
        if (enable) write(kSvr, 0x1FF);
    }

    u32 read(u16 offset) { return static_cast<u32>(apic.read(offset, 4)); }
    void write(u16 offset, u32 value) { apic.write(offset, 4, value); }
    u64 now() const { return LocalApic::kClk.ticks(scheduler.now()); }
    void run(u64 ticks) { scheduler.advance_to(LocalApic::kClk.time_of(now() + ticks)); }
    bool fixed(u8 vector, bool level = false)
    {
        return apic.receive({.vector = vector, .level = level});
    }
    bool has(u16 registers, u8 vector)
    {
        return read(static_cast<u16>(registers + vector / 32 * 16)) >> vector % 32 & 1;
    }
    int taken()  // -1: INTR is not asserted
    {
        return intr ? apic.acknowledge() : -1;
    }
    void visit(auto& v)
    {
        v("scheduler", scheduler);
        v("apic", apic.state);
    }
};

}  // namespace

// ---- Registers ---------------------------------------------------------------------------------

TEST(LocalApic, StartsAsTheManualSays)
{
    Board board(false);
    EXPECT_TRUE(board.apic.enabled());
    EXPECT_EQ(board.apic.base_address(), 0xFEE00000u);
    EXPECT_EQ(board.read(kId), 0u);
    EXPECT_EQ(board.read(kVersion), 0x00050014u);
    EXPECT_EQ(board.read(kTpr), 0u);
    EXPECT_EQ(board.read(kLdr), 0u);
    EXPECT_EQ(board.read(kDfr), 0xFFFFFFFFu);
    EXPECT_EQ(board.read(kSvr), 0xFFu);
    for (const u16 lvt : {kTimer, kThermal, kPerformance, kLint0, kLint1, kError})
        EXPECT_EQ(board.read(lvt), kMasked) << lvt;
    EXPECT_EQ(board.read(kInitialCount), 0u);
    EXPECT_EQ(board.read(kCurrentCount), 0u);
    EXPECT_EQ(board.read(kDivide), 0u);
}

TEST(LocalApic, RegistersKeepOnlyTheirWritableBits)
{
    Board board;
    for (const auto& [offset, value] : std::vector<std::pair<u16, u32>>{{kId, 0xFF000000},
                                                                        {kTpr, 0xFF},
                                                                        {kLdr, 0xFF000000},
                                                                        {kDfr, 0xFFFFFFFF},
                                                                        {kSvr, 0x3FF},
                                                                        {kIcrHigh, 0xFF000000},
                                                                        {kTimer, 0x300FF},
                                                                        {kThermal, 0x107FF},
                                                                        {kPerformance, 0x107FF},
                                                                        {kLint1, 0x1A7FF},
                                                                        {kError, 0x100FF},
                                                                        {kDivide, 0xB}}) {
        board.write(offset, 0xFFFFFFFF);
        EXPECT_EQ(board.read(offset), value) << std::hex << offset;
    }
}

TEST(LocalApic, OnlyAlignedDoublewordsAreWritten)
{
    Board board;
    board.apic.write(kTpr, 1, 0x50);
    board.apic.write(kTpr + 4, 4, 0x50);
    EXPECT_EQ(board.read(kTpr), 0u);
    board.write(kLdr, 0x12000000);
    EXPECT_EQ(board.apic.read(kLdr + 3, 1), 0x12u);
    EXPECT_EQ(board.apic.read(kLdr + 4, 4), 0u);
}

TEST(LocalApic, AReservedRegisterIsAnErrorThatEsrShowsOnceItIsWritten)
{
    Board board;
    board.write(kError, 0x77);
    board.write(0x3F0, 1);
    EXPECT_EQ(board.read(kEsr), 0u);
    board.write(kEsr, 0);
    EXPECT_EQ(board.read(kEsr), 0x80u);  // illegal register address
    EXPECT_EQ(board.taken(), 0x77);
    board.write(kEsr, 0);
    EXPECT_EQ(board.read(kEsr), 0u);
}

// ---- Priorities (10.8.3) -----------------------------------------------------------------------

TEST(LocalApic, TheHighestVectorComesFirst)
{
    Board board;
    board.fixed(0x31);
    board.fixed(0x91);
    board.fixed(0x51);
    EXPECT_EQ(board.taken(), 0x91);
    EXPECT_EQ(board.taken(), -1) << "lower classes wait for its end";
    EXPECT_TRUE(board.has(kIsr, 0x91));
    EXPECT_FALSE(board.has(kIrr, 0x91));
    EXPECT_TRUE(board.has(kIrr, 0x51));
    EXPECT_EQ(board.read(kPpr), 0x90u);
    board.write(kEoi, 0);
    EXPECT_EQ(board.taken(), 0x51);
    board.write(kEoi, 0);
    EXPECT_EQ(board.taken(), 0x31);
    board.write(kEoi, 0);
    EXPECT_EQ(board.read(kPpr), 0u);
}

TEST(LocalApic, AVectorOfTheSameClassWaits)
{
    Board board;
    board.fixed(0x52);
    EXPECT_EQ(board.taken(), 0x52);
    board.fixed(0x5F);
    EXPECT_FALSE(board.intr);
    board.fixed(0x60);
    EXPECT_EQ(board.taken(), 0x60);
    board.write(kEoi, 0);  // ends 60h, the highest in service
    EXPECT_FALSE(board.intr);
    board.write(kEoi, 0);
    EXPECT_EQ(board.taken(), 0x5F);
}

TEST(LocalApic, TheTaskPriorityHoldsBackItsClassAndThoseBelow)
{
    Board board;
    board.write(kTpr, 0x45);
    EXPECT_EQ(board.read(kPpr), 0x45u);
    board.fixed(0x4F);
    EXPECT_FALSE(board.intr);
    board.apic.write_cr8(3);
    EXPECT_EQ(board.read(kTpr), 0x30u);
    EXPECT_EQ(board.apic.read_cr8(), 3);
    EXPECT_TRUE(board.intr);
    board.apic.write_cr8(4);
    EXPECT_FALSE(board.intr) << "the request is withdrawn";
    EXPECT_EQ(board.apic.acknowledge(), 0xFF) << "the spurious vector";
    EXPECT_FALSE(board.has(kIsr, 0xFF));
    EXPECT_TRUE(board.has(kIrr, 0x4F));
}

TEST(LocalApic, TheArbitrationPriorityFollowsItsFormula)
{
    Board board;  // 10.6.2.4
    board.write(kTpr, 0x35);
    EXPECT_EQ(board.read(kApr), 0x35u);
    board.fixed(0x91);
    EXPECT_EQ(board.read(kApr), 0x90u);
}

TEST(LocalApic, OnlyLevelTriggeredInterruptsAreBroadcastAtTheirEnd)
{
    Board board;
    board.fixed(0x41, false);
    EXPECT_EQ(board.taken(), 0x41);
    board.write(kEoi, 0);
    EXPECT_TRUE(board.ended.empty());
    board.fixed(0x41, true);
    EXPECT_TRUE(board.has(kTmr, 0x41));
    EXPECT_EQ(board.taken(), 0x41);
    board.write(kEoi, 0);
    EXPECT_EQ(board.ended, std::vector<u8>{0x41});
    board.write(kEoi, 0);  // nothing is in service
    EXPECT_EQ(board.ended.size(), 1u);
}

// ---- Local vectors -----------------------------------------------------------------------------

TEST(LocalApic, UntilItIsEnabledItsPinsAreIntrAndNmi)
{
    Board board(false);
    board.apic.set_lint(0, true);
    EXPECT_EQ(board.taken(), kExternalVector);
    board.apic.set_lint(1, true);
    EXPECT_EQ(board.nmis, 1);
    EXPECT_FALSE(board.fixed(0x50)) << "10.4.7.2: not accepted";
    board.write(kLint0, 0x700);
    EXPECT_EQ(board.read(kLint0), 0x700 | kMasked) << "10.4.7.2: masks cannot be cleared";
}

TEST(LocalApic, EnabledItListensToLint0OnlyAsItsEntrySays)
{
    Board board;
    board.apic.set_lint(0, true);
    EXPECT_FALSE(board.intr);
    board.write(kLint0, kExtInt | kLevel);
    EXPECT_EQ(board.taken(), kExternalVector);
    EXPECT_TRUE(board.intr) << "the 8259 still asks";
    board.write(kTpr, 0xFF);
    EXPECT_TRUE(board.intr) << "the 8259 knows no task priority";
    board.apic.set_lint(0, false);
    EXPECT_FALSE(board.intr);
    EXPECT_EQ(board.external, 1);
}

TEST(LocalApic, Lint1IsAnNmiByItsEntryAndOncePerEdge)
{
    Board board;
    board.apic.set_lint(1, true);
    EXPECT_EQ(board.nmis, 0);
    board.write(kLint1, kNmi);
    board.apic.set_lint(1, false);
    board.apic.set_lint(1, true);
    board.apic.set_lint(1, true);
    EXPECT_EQ(board.nmis, 1);
}

TEST(LocalApic, AnSmiGoesToItsPin)
{
    Board board;
    board.write(kLint0, kSmi);
    board.apic.set_lint(0, true);
    EXPECT_EQ(board.smis, 1);
    EXPECT_EQ(board.taken(), -1);
    EXPECT_TRUE(board.apic.receive({.delivery = ApicDelivery::Smi}));
    EXPECT_EQ(board.smis, 2);
}

TEST(LocalApic, AFixedLint0CanBeLevelTriggered)
{
    Board board;
    board.write(kLint0, 0x61 | kLevel);
    board.apic.set_lint(0, true);
    EXPECT_EQ(board.read(kLint0), 0x61 | kLevel | 1 << 14) << "remote IRR";
    EXPECT_EQ(board.taken(), 0x61);
    board.write(kEoi, 0);
    EXPECT_EQ(board.taken(), 0x61) << "still asserted";
    board.apic.set_lint(0, false);
    board.write(kEoi, 0);
    EXPECT_EQ(board.read(kLint0), 0x61 | kLevel);
    EXPECT_EQ(board.taken(), -1);
}

TEST(LocalApic, ALowActivePinIsAskedTheOtherWayRound)
{
    Board board;
    board.apic.set_lint(0, true);
    board.write(kLint0, 0x61 | kLowActive);
    board.apic.set_lint(0, false);
    EXPECT_EQ(board.taken(), 0x61);
}

// ---- Messages and IPIs (10.6) ------------------------------------------------------------------

TEST(LocalApic, MessagesFindItByIdOrLogicalName)
{
    Board board;
    board.write(kId, 5u << 24);
    board.write(kLdr, 0x24u << 24);
    const auto reaches = [&](u8 destination, bool logical) {
        return board.apic.receive({.vector = 0x40, .logical = logical, .destination = destination});
    };
    EXPECT_TRUE(reaches(5, false));
    EXPECT_FALSE(reaches(4, false));
    EXPECT_TRUE(reaches(0xFF, false));
    EXPECT_TRUE(reaches(0x04, true));  // flat model: any common bit
    EXPECT_FALSE(reaches(0x03, true));
    board.write(kDfr, 0x0FFFFFFF);  // cluster model
    EXPECT_TRUE(reaches(0x2C, true));
    EXPECT_FALSE(reaches(0x14, true));
    EXPECT_TRUE(reaches(0xF4, true));
}

TEST(LocalApic, AnIpiReachesItselfByShorthandAndByName)
{
    Board board;
    const auto sent = [&](u32 icr, u8 destination = 0) {
        board.write(kIcrHigh, u32{destination} << 24);
        board.write(kIcrLow, icr);
        const int vector = board.taken();
        if (vector >= 0) board.write(kEoi, 0);
        return vector;
    };
    EXPECT_EQ(sent(1 << 18 | 0x41), 0x41);  // self
    EXPECT_EQ(sent(2 << 18 | 0x42), 0x42);  // all including self
    EXPECT_EQ(sent(3 << 18 | 0x43), -1);    // all excluding self
    EXPECT_EQ(sent(0x44, 0), 0x44);         // physical
    EXPECT_EQ(sent(0x45, 1), -1);
    EXPECT_EQ(sent(0x46, 0xFF), 0x46);
    board.write(kLdr, 1u << 24);
    EXPECT_EQ(sent(1 << 11 | 0x47, 0x03), 0x47);        // logical
    EXPECT_EQ(sent(1 << 11 | 1 << 8 | 0x48, 1), 0x48);  // lowest priority: only this one is there
    EXPECT_EQ(sent(kNmi, 0), -1);
    EXPECT_EQ(board.nmis, 1);
    EXPECT_EQ(sent(3 << 18 | 5 << 8 | 1 << 14), -1);  // INIT to the others
    EXPECT_EQ(sent(3 << 18 | 6 << 8 | 0x9F), -1);     // start-up
    EXPECT_EQ(board.read(kIcrLow), (3u << 18 | 6 << 8 | 0x9F)) << "delivery status is idle";
}

TEST(LocalApic, VectorsBelow16AreIllegal)
{
    Board board;
    board.write(kIcrLow, 1 << 18 | 15);
    board.write(kEsr, 0);
    EXPECT_EQ(board.read(kEsr), 0x20u);  // send illegal vector
    EXPECT_FALSE(board.fixed(15));
    board.write(kEsr, 0);
    EXPECT_EQ(board.read(kEsr), 0x40u);  // received illegal vector
    EXPECT_FALSE(board.intr);
}

// ---- The timer (10.5.4) ------------------------------------------------------------------------

TEST(LocalApic, AOneShotTimerInterruptsOnceAfterCountTimesDivisor)
{
    // Divide configuration values in the order of figure 10-10.
    const std::vector<std::pair<u32, u64>> divisors = {{0, 2},  {1, 4},  {2, 8},    {3, 16},
                                                       {8, 32}, {9, 64}, {10, 128}, {11, 1}};
    for (const auto& [value, divisor] : divisors) {
        Board board;
        board.write(kTimer, 0x50);
        board.write(kDivide, value);
        board.write(kInitialCount, 1000);
        EXPECT_EQ(board.read(kCurrentCount), 1000u);
        board.run(999 * divisor);
        EXPECT_EQ(board.read(kCurrentCount), 1u) << divisor;
        board.run(divisor - 1);
        EXPECT_FALSE(board.intr);
        board.run(1);
        EXPECT_EQ(board.taken(), 0x50);
        EXPECT_EQ(board.read(kCurrentCount), 0u);
        board.write(kEoi, 0);
        board.run(5000 * divisor);
        EXPECT_FALSE(board.intr);
    }
}

TEST(LocalApic, APeriodicTimerKeepsItsPace)
{
    Board board;
    board.write(kDivide, kDivideBy1);
    board.write(kTimer, 0x50 | kPeriodic);
    board.write(kInitialCount, 300);
    std::vector<u64> at;
    for (int i = 0; i < 1000; ++i) {
        board.run(1);
        if (board.taken() != 0x50) continue;
        at.push_back(board.now());
        board.write(kEoi, 0);
    }
    EXPECT_EQ(at, (std::vector<u64>{300, 600, 900}));
    EXPECT_EQ(board.read(kCurrentCount), 200u);
    board.write(kInitialCount, 0);
    board.run(1000);
    EXPECT_FALSE(board.intr) << "0 stops it";
}

TEST(LocalApic, AMaskedTimerCountsWithoutInterrupting)
{
    Board board;
    board.write(kDivide, kDivideBy1);
    board.write(kTimer, 0x50 | kPeriodic | kMasked);
    board.write(kInitialCount, 100);
    board.run(1050);
    EXPECT_EQ(board.read(kCurrentCount), 50u);
    board.write(kTimer, 0x50 | kPeriodic);
    EXPECT_FALSE(board.intr) << "what it missed is gone";
    board.run(50);
    EXPECT_EQ(board.taken(), 0x50);
}

TEST(LocalApic, ExpiriesBeforeTheInterruptIsTakenAreOne)
{
    Board board;
    board.write(kDivide, kDivideBy1);
    board.write(kTimer, 0x50 | kPeriodic);
    board.write(kInitialCount, 10);
    board.run(10);
    EXPECT_EQ(board.scheduler.next_deadline(), kNever)
        << "nobody can tell the second from the first";
    board.run(95);
    EXPECT_EQ(board.taken(), 0x50);
    board.write(kEoi, 0);
    EXPECT_FALSE(board.intr);
    board.run(4);
    EXPECT_FALSE(board.intr);
    board.run(1);
    EXPECT_TRUE(board.intr) << "and the pace is kept: 110";
}

TEST(LocalApic, ANewDivisorCountsOnFromWhereTheTimerIs)
{
    Board board;
    board.write(kTimer, 0x50);
    board.write(kDivide, kDivideBy1);
    board.write(kInitialCount, 1000);
    board.run(400);
    board.write(kDivide, 0);  // by 2
    board.run(200);
    EXPECT_EQ(board.read(kCurrentCount), 500u);
    board.run(999);
    EXPECT_FALSE(board.intr);
    board.run(1);
    EXPECT_TRUE(board.intr);
}

// ---- Turning it off ----------------------------------------------------------------------------

TEST(LocalApic, SoftwareDisableMasksTheLocalVectorsAndKeepsWhatWaits)
{
    Board board;
    board.write(kTimer, 0x50);
    board.fixed(0x60);
    board.write(kSvr, 0xFF);
    EXPECT_EQ(board.read(kTimer), 0x50 | kMasked);
    EXPECT_EQ(board.taken(), 0x60) << "pending interrupts are held (10.4.7.2)";
    EXPECT_FALSE(board.fixed(0x61));
}

TEST(LocalApic, TurnedOffByItsMsrItComesBackAsAfterReset)
{
    Board board;
    board.write(kTpr, 0x20);
    board.fixed(0x60);
    EXPECT_TRUE(board.intr);
    board.apic.set_base(0xFEE00100);
    EXPECT_FALSE(board.apic.enabled());
    EXPECT_FALSE(board.intr);
    EXPECT_FALSE(board.fixed(0x60));
    board.apic.set_base(0xFED40900);
    EXPECT_TRUE(board.apic.enabled());
    EXPECT_EQ(board.apic.base_address(), 0xFED40000u);
    EXPECT_EQ(board.read(kTpr), 0u);
    EXPECT_EQ(board.read(kSvr), 0xFFu);
}

TEST(LocalApic, AProcessorWithoutOneHasOnlyThePins)
{
    Scheduler scheduler;
    LocalApic none{scheduler, false};
    bool intr = false;
    none.on_intr = [&](bool level) { intr = level; };
    none.set_base(0xFEE00900);
    EXPECT_FALSE(none.enabled());
    none.set_lint(0, true);
    EXPECT_TRUE(intr);
}

TEST(LocalApic, ASavedOneGoesOnWhereItWas)
{
    Board board, other;
    board.write(kTimer, 0x50 | kPeriodic);
    board.write(kDivide, 1);
    board.write(kInitialCount, 777);
    board.fixed(0x33, true);
    board.run(1234);
    StateWriter writer;
    writer.save("board", board);
    StateReader reader(writer.saved);
    reader.load("board", other);
    other.intr = other.apic.state.intr;
    for (int i = 0; i < 5000; ++i) {
        board.run(1);
        other.run(1);
        ASSERT_EQ(board.read(kCurrentCount), other.read(kCurrentCount)) << i;
        ASSERT_EQ(board.taken(), other.taken()) << i;
    }
    EXPECT_TRUE(other.has(kIrr, 0x33) || other.has(kIsr, 0x33));
}
