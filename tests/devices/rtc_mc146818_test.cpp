#include "devices/rtc_mc146818.h"

#include <gtest/gtest.h>

#include <vector>

#include "machine/savestate.h"

using namespace reprise;

namespace {

constexpr u8 kSeconds = 0, kSecondsAlarm = 1, kMinutes = 2, kMinutesAlarm = 3, kHours = 4;
constexpr u8 kHoursAlarm = 5, kDayOfWeek = 6, kDate = 7, kMonth = 8, kYear = 9;
constexpr u8 kA = 10, kB = 11, kC = 12, kD = 13, kCentury = 0x32;

constexpr u8 kSet = 0x80, kPie = 0x40, kAie = 0x20, kUie = 0x10, kDm = 0x04, k24h = 0x02;
constexpr u8 kDse = 0x01;
constexpr u8 kUip = 0x80, kIrqf = 0x80, kPf = 0x40, kAf = 0x20, kUf = 0x10;

struct Board {
    Scheduler scheduler;
    RtcMc146818 rtc{scheduler};
    std::vector<Time> interrupts;

    Board()
    {
        rtc.on_irq = [this](bool level) {
            if (level) interrupts.push_back(scheduler.now());
        };
    }

    void run(Time duration) { scheduler.advance_to(scheduler.now() + duration); }

    u8 read(u8 index)
    {
        rtc.write(0, index);
        return rtc.read(1);
    }

    void write(u8 index, u8 value)
    {
        rtc.write(0, index);
        rtc.write(1, value);
    }

    void set(u8 hours, u8 minutes, u8 seconds)
    {
        write(kHours, hours);
        write(kMinutes, minutes);
        write(kSeconds, seconds);
    }

    void set_date(u8 year, u8 month, u8 date, u8 day_of_week)
    {
        write(kYear, year);
        write(kMonth, month);
        write(kDate, date);
        write(kDayOfWeek, day_of_week);
    }

    std::vector<int> time() { return {read(kHours), read(kMinutes), read(kSeconds)}; }

    std::vector<int> date()
    {
        return {read(kCentury), read(kYear), read(kMonth), read(kDate), read(kDayOfWeek)};
    }

    void visit(auto& v)
    {
        v("scheduler", scheduler);
        v("rtc", rtc.state);
    }
};

using Bytes = std::vector<int>;

}  // namespace

// ---- Time and calendar -------------------------------------------------------------------------

TEST(RtcMc146818, ShowsTheTimeItWasGiven)
{
    Board board;
    board.rtc.set_time(1'000'000'000);  // Sunday 2001-09-09 01:46:40 UTC
    EXPECT_EQ(board.time(), (Bytes{0x01, 0x46, 0x40}));
    EXPECT_EQ(board.date(), (Bytes{0x20, 0x01, 0x09, 0x09, 1}));
    board.rtc.set_time(951'782'400);  // Tuesday 2000-02-29
    EXPECT_EQ(board.date(), (Bytes{0x20, 0x00, 0x02, 0x29, 3}));
    board.rtc.set_time(-1);  // Wednesday 1969-12-31 23:59:59
    EXPECT_EQ(board.time(), (Bytes{0x23, 0x59, 0x59}));
    EXPECT_EQ(board.date(), (Bytes{0x19, 0x69, 0x12, 0x31, 4}));
    board.rtc.set_time(4'102'444'800);  // Friday 2100-01-01
    EXPECT_EQ(board.date(), (Bytes{0x21, 0x00, 0x01, 0x01, 6}));
}

TEST(RtcMc146818, CountsSecondsFromPowerOn)
{
    Board board;
    board.rtc.set_time(1'000'000'000);
    board.run(kSecond - kMicrosecond);
    EXPECT_EQ(board.read(kSeconds), 0x40);
    board.run(kMicrosecond);
    EXPECT_EQ(board.read(kSeconds), 0x41);
    board.run(3'600 * kSecond);
    EXPECT_EQ(board.time(), (Bytes{0x02, 0x46, 0x41}));
}

TEST(RtcMc146818, CarriesIntoTheNextCentury)
{
    Board board;
    board.rtc.set_time(946'684'799);  // Friday 1999-12-31 23:59:59
    EXPECT_EQ(board.date(), (Bytes{0x19, 0x99, 0x12, 0x31, 6}));
    board.run(kSecond);
    EXPECT_EQ(board.time(), (Bytes{0, 0, 0}));
    EXPECT_EQ(board.date(), (Bytes{0x20, 0x00, 0x01, 0x01, 7}));
}

TEST(RtcMc146818, KnowsTheLengthsOfMonthsAndLeapYears)
{
    Board board;
    const std::array<u8, 13> last{0,    0x31, 0x28, 0x31, 0x30, 0x31, 0x30,
                                  0x31, 0x31, 0x30, 0x31, 0x30, 0x31};
    for (u8 month = 1; month <= 12; ++month) {
        const u8 bcd = static_cast<u8>(month < 10 ? month : month + 6);
        board.set(0x23, 0x59, 0x59);
        board.set_date(0x97, bcd, last[month], 7);
        board.run(kSecond);
        EXPECT_EQ(board.read(kDate), 1) << int{month};
        EXPECT_EQ(board.read(kDayOfWeek), 1);
    }
    board.set(0x23, 0x59, 0x59);
    board.set_date(0x96, 0x02, 0x28, 4);
    board.run(kSecond);
    EXPECT_EQ(board.read(kDate), 0x29);
}

TEST(RtcMc146818, CountsInBinary)
{
    Board board;
    board.write(kB, kDm | k24h);
    board.set(23, 59, 59);
    board.set_date(99, 12, 31, 7);
    board.write(kCentury, 19);
    board.run(kSecond);
    EXPECT_EQ(board.time(), (Bytes{0, 0, 0}));
    EXPECT_EQ(board.date(), (Bytes{20, 0, 1, 1, 1}));
    board.set(9, 9, 9);
    board.run(kSecond);
    EXPECT_EQ(board.time(), (Bytes{9, 9, 10}));
}

TEST(RtcMc146818, CountsTwelveHoursWithPmInBit7)
{
    Board board;
    board.write(kB, 0);
    board.set(0x11, 0x59, 0x59);
    board.run(kSecond);
    EXPECT_EQ(board.read(kHours), 0x92);  // noon
    board.set(0x92, 0x59, 0x59);
    board.run(kSecond);
    EXPECT_EQ(board.read(kHours), 0x81);
    board.set_date(0x97, 0x05, 0x10, 7);
    board.set(0x91, 0x59, 0x59);
    board.run(kSecond);
    EXPECT_EQ(board.read(kHours), 0x12);  // midnight
    EXPECT_EQ(board.read(kDate), 0x11);
}

TEST(RtcMc146818, SkipsAndRepeatsAnHourForDaylightSaving)
{
    Board board;
    board.write(kB, k24h | kDse);
    board.set_date(0x97, 0x04, 0x27, 1);  // the last Sunday in April
    board.set(0x01, 0x59, 0x59);
    board.run(kSecond);
    EXPECT_EQ(board.time(), (Bytes{0x03, 0, 0}));

    board.set_date(0x97, 0x10, 0x26, 1);  // the last Sunday in October
    board.set(0x01, 0x59, 0x59);
    board.run(kSecond);
    EXPECT_EQ(board.time(), (Bytes{0x01, 0, 0}));
    board.run(3'600 * kSecond);
    EXPECT_EQ(board.time(), (Bytes{0x02, 0, 0}));

    board.set_date(0x97, 0x10, 0x19, 1);
    board.set(0x01, 0x59, 0x59);
    board.run(kSecond);
    EXPECT_EQ(board.time(), (Bytes{0x02, 0, 0}));
}

TEST(RtcMc146818, SurvivesNonsenseInItsRegisters)
{
    Board board;
    for (int fill = 0; fill < 256; ++fill) {
        for (u8 i = 0; i < 10; ++i) board.write(i, static_cast<u8>(fill));
        board.run(2 * kSecond);
    }
    EXPECT_EQ(board.read(kSeconds) & 0x80, 0);  // bit 7 of the seconds cannot be written
}

// ---- Update cycle ------------------------------------------------------------------------------

TEST(RtcMc146818, UipPrecedesTheUpdateBy244MicrosecondsAndLasts1984More)
{
    Board board;
    board.rtc.set_time(0);
    board.run(kSecond - 2'240 * kMicrosecond);
    EXPECT_EQ(board.read(kA) & kUip, 0);
    board.run(20 * kMicrosecond);
    EXPECT_EQ(board.read(kA) & kUip, kUip);
    board.run(2'219 * kMicrosecond);
    EXPECT_EQ(board.read(kA) & kUip, kUip);
    EXPECT_EQ(board.read(kSeconds), 0);
    board.run(kMicrosecond);
    EXPECT_EQ(board.read(kA) & kUip, 0);
    EXPECT_EQ(board.read(kSeconds), 1);
}

TEST(RtcMc146818, UpdateEndedInterruptsOnceASecond)
{
    Board board;
    board.rtc.set_time(0);
    board.write(kB, k24h | kUie);
    board.run(kSecond);
    EXPECT_EQ(board.interrupts, (std::vector<Time>{kSecond}));
    EXPECT_EQ(board.read(kC), kIrqf | kUf | kPf);
    EXPECT_EQ(board.read(kC), 0);  // reading cleared it
    board.run(2 * kSecond);        // not read: the pin stays asserted
    EXPECT_EQ(board.interrupts, (std::vector<Time>{kSecond, 2 * kSecond}));
}

TEST(RtcMc146818, SetStopsUpdatesAndClearsUie)
{
    Board board;
    board.rtc.set_time(0);
    board.write(kB, k24h | kUie | kSet);
    EXPECT_EQ(board.read(kB), k24h | kSet);
    board.run(kSecond - kMillisecond);
    EXPECT_EQ(board.read(kA) & kUip, 0);
    board.run(5 * kSecond);
    EXPECT_EQ(board.read(kSeconds), 0);
    EXPECT_EQ(board.read(kC) & kUf, 0);
    board.write(kB, k24h);
    board.run(kMillisecond);  // the divider chain went on
    EXPECT_EQ(board.read(kSeconds), 1);
}

TEST(RtcMc146818, DividerResetDelaysTheFirstUpdateByHalfASecond)
{
    Board board;
    board.rtc.set_time(0);
    board.write(kA, 0x76);
    board.run(10 * kSecond);
    EXPECT_EQ(board.read(kSeconds), 0);
    EXPECT_EQ(board.read(kC), 0);
    board.write(kA, 0x26);
    board.run(499 * kMillisecond);
    EXPECT_EQ(board.read(kA) & kUip, 0);
    board.run(kMillisecond);
    EXPECT_EQ(board.read(kA) & kUip, kUip);
    board.run(2 * kMillisecond);
    EXPECT_EQ(board.read(kSeconds), 1);
    board.run(kSecond);
    EXPECT_EQ(board.read(kSeconds), 2);
}

TEST(RtcMc146818, ATimeBaseForAnotherCrystalRunsSlower)
{
    Board board;
    board.write(kA, 0x70);
    board.write(kA, 0x00);  // 4.194304 MHz expected, 32.768 kHz there: 128 times slower
    board.run(70 * kSecond);
    EXPECT_EQ(board.read(kSeconds), 1);
    board.run(128 * kSecond);
    EXPECT_EQ(board.read(kSeconds), 2);
}

// ---- Alarm -------------------------------------------------------------------------------------

TEST(RtcMc146818, AlarmComesAtItsTime)
{
    Board board;
    board.rtc.set_time(0);
    board.write(kHoursAlarm, 0x01);
    board.write(kMinutesAlarm, 0x02);
    board.write(kSecondsAlarm, 0x03);
    board.write(kB, k24h | kAie);
    board.run(86'400 * kSecond);
    EXPECT_EQ(board.interrupts, (std::vector<Time>{3'723 * kSecond}));
    EXPECT_EQ(board.read(kC), kIrqf | kAf | kUf | kPf);
}

TEST(RtcMc146818, AlarmBytesFromC0MatchAnything)
{
    Board board;
    board.rtc.set_time(0);
    board.write(kB, k24h | kAie);
    board.write(kHoursAlarm, 0xC0);
    board.write(kMinutesAlarm, 0xFF);
    board.write(kSecondsAlarm, 0x30);
    for (int i = 0; i < 3; ++i) {
        board.run(60 * kSecond);
        board.read(kC);
    }
    EXPECT_EQ(board.interrupts, (std::vector<Time>{30 * kSecond, 90 * kSecond, 150 * kSecond}));
    board.write(kSecondsAlarm, 0xC0);
    board.run(kSecond);
    EXPECT_EQ(board.read(kC) & kAf, kAf);
    board.run(kSecond);
    EXPECT_EQ(board.read(kC) & kAf, kAf);
    board.write(kSecondsAlarm, 0xBF);  // not a "don't care"
    board.run(60 * kSecond);
    EXPECT_EQ(board.read(kC) & kAf, 0);
}

// ---- Periodic interrupt ------------------------------------------------------------------------

TEST(RtcMc146818, PeriodicInterruptsComeAtEveryRate)
{
    // Table 5 for 32.768 kHz, in oscillator cycles.
    const std::array<u64, 16> cycles{0,   128, 256, 4,    8,    16,   32,   64,
                                     128, 256, 512, 1024, 2048, 4096, 8192, 16'384};
    for (u8 rs = 0; rs < 16; ++rs) {
        Board board;
        board.write(kA, static_cast<u8>(0x20 | rs));
        board.rtc.on_irq = [&](bool level) {
            if (!level) return;
            board.interrupts.push_back(board.scheduler.now());
            board.read(kC);
        };
        board.write(kB, k24h | kPie);
        board.run(4 * kSecond);
        EXPECT_EQ(board.interrupts.size(), cycles[rs] == 0 ? 0 : 4 * 32'768 / cycles[rs])
            << int{rs};
        for (std::size_t i = 1; i < board.interrupts.size(); ++i)
            ASSERT_NEAR(static_cast<double>(board.interrupts[i] - board.interrupts[i - 1]),
                        static_cast<double>(cycles[rs]) * 1e9 / 32'768, 2);
    }
}

TEST(RtcMc146818, PeriodicInterruptsFallBetweenUpdates)
{
    Board board;
    board.rtc.set_time(0);
    board.write(kA, 0x2F);  // 500 ms
    board.write(kB, k24h | kPie);
    board.run(kSecond);
    ASSERT_EQ(board.interrupts.size(), 1u);
    // UIP rises half a period after the interrupt.
    const Time uip = kSecond - 2'228 * kMicrosecond;
    EXPECT_NEAR(static_cast<double>(board.interrupts[0]), static_cast<double>(uip) - 750e6, 1e5);
}

TEST(RtcMc146818, TheFlagIsSetWithoutTheEnableAndNeedsNoEvents)
{
    Board board;
    board.write(kA, 0x26);
    board.read(kC);
    board.run(976 * kMicrosecond + 1000);
    EXPECT_EQ(board.read(kC), kPf);
    EXPECT_TRUE(board.interrupts.empty());
    EXPECT_GT(board.scheduler.next_deadline(), kSecond - kMillisecond);  // only the update
    board.run(10 * kMillisecond);
    board.write(kB, k24h | kPie);  // the flag is already up
    EXPECT_EQ(board.interrupts.size(), 1u);
}

// ---- Registers ---------------------------------------------------------------------------------

TEST(RtcMc146818, HoldsRam)
{
    Board board;
    for (int i = 14; i < 128; ++i) board.write(static_cast<u8>(i), static_cast<u8>(i * 3));
    for (int i = 14; i < 128; ++i) EXPECT_EQ(board.read(static_cast<u8>(i)), i * 3 & 0xFF);
    board.rtc.set_ram(0x15, 0x80);
    EXPECT_EQ(board.read(0x95), 0x80);  // bit 7 of the index is not the chip's
    EXPECT_EQ(board.rtc.ram(0x15), 0x80);
    EXPECT_EQ(board.rtc.read(0), 0xFF);
}

TEST(RtcMc146818, RegistersCAndDAndUipAreReadOnly)
{
    Board board;
    board.write(kC, 0xFF);
    board.write(kD, 0x00);
    board.write(kA, 0xA6);
    EXPECT_EQ(board.read(kC), 0);
    EXPECT_EQ(board.read(kD), 0x80);
    EXPECT_EQ(board.read(kA), 0x26);
}

TEST(RtcMc146818, ResetDisablesInterruptsAndKeepsTimeAndRam)
{
    Board board;
    bool irq = false;
    board.rtc.on_irq = [&](bool level) { irq = level; };
    board.rtc.set_time(1'000'000'000);
    board.write(0x40, 0x5A);
    board.write(kB, k24h | kUie | kAie | kPie);
    board.run(kSecond / 2);
    EXPECT_TRUE(irq);
    board.rtc.reset();
    EXPECT_FALSE(irq);
    EXPECT_EQ(board.read(kB), k24h);
    EXPECT_EQ(board.read(kC), 0);
    EXPECT_EQ(board.read(0x40), 0x5A);
    board.run(kSecond / 2);
    EXPECT_EQ(board.time(), (Bytes{0x01, 0x46, 0x41}));
}

TEST(RtcMc146818, ASavedStateResumesIdentically)
{
    Board original;
    original.rtc.set_time(946'684'790);
    original.write(kB, k24h | kPie | kUie);
    original.run(5'123 * kMillisecond);
    original.read(kC);

    StateWriter writer;
    writer.save("board", original);
    Board resumed;
    StateReader(writer.saved).load("board", resumed);
    original.interrupts.clear();
    original.run(10 * kSecond);
    resumed.run(10 * kSecond);
    EXPECT_EQ(resumed.interrupts, original.interrupts);
    EXPECT_EQ(resumed.date(), original.date());
    EXPECT_EQ(resumed.time(), original.time());
}
