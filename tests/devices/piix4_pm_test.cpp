#include "devices/pci/piix4_pm.h"

#include <gtest/gtest.h>

#include <vector>

#include "machine/savestate.h"

using namespace reprise;

namespace {

// Intel 290562, power management registers.
constexpr u16 kPmSts = 0x00, kPmEn = 0x02, kPmCntrl = 0x04, kPmTmr = 0x08, kGpSts = 0x0C,
              kGpEn = 0x0E;
constexpr u16 kTimerOverflow = 1, kPowerButton = 1 << 8, kResume = 1 << 15;
constexpr u16 kSciEnable = 1, kSuspend = 1 << 13;
constexpr u64 kHalfTurn = u64{1} << 23;

struct Board {
    Scheduler scheduler;
    Piix4Pm pm{scheduler};
    std::vector<std::pair<u64, bool>> sci;
    std::vector<std::pair<bool, u16>> io;
    std::vector<u8> commands;
    int smis = 0, off = 0;

    Board()
    {
        pm.on_sci = [this](bool level) { sci.emplace_back(now(), level); };
        pm.on_io_changed = [this](bool enabled, u16 base) { io.emplace_back(enabled, base); };
        pm.on_soft_off = [this] { ++off; };
        pm.on_apm_command = [this](u8 command) { commands.push_back(command); };
        pm.on_smi = [this] { ++smis; };
    }

    u64 now() const { return Piix4Pm::kClk.ticks(scheduler.now()); }
    void run(u64 ticks) { scheduler.advance_to(Piix4Pm::kClk.time_of(now() + ticks)); }
    u32 read(u16 offset, int size = 2)
    {
        u32 value = 0;
        for (int i = 0; i < size; ++i) value |= u32{pm.read(static_cast<u16>(offset + i))} << 8 * i;
        return value;
    }
    void write(u16 offset, u16 value)
    {
        pm.write(offset, static_cast<u8>(value));
        pm.write(static_cast<u16>(offset + 1), static_cast<u8>(value >> 8));
    }
    void visit(auto& v)
    {
        v("scheduler", scheduler);
        v("pm", pm);
    }
};

}  // namespace

TEST(Piix4Pm, IsFunction3OfAPiix4)
{
    Board board;
    EXPECT_EQ(board.pm.config.read(0x00, 4), 0x71138086u);
    EXPECT_EQ(board.pm.config.read(0x0A, 2), 0x0680u);
    EXPECT_EQ(board.pm.config.read(0x3D, 1), 1u);
    EXPECT_EQ(board.pm.config.read(0x58, 4), 0u) << "DEVACTB: firmware has to turn APMC_EN on";
}

TEST(Piix4Pm, ItsPortsAreDecodedWherePmbaSaysOncePmiose)
{
    Board board;
    board.pm.config.write(0x40, 4, 0xB001);
    EXPECT_EQ(board.pm.config.read(0x40, 4), 0xB001u);
    EXPECT_FALSE(board.io.back().first);
    board.pm.config.write(0x80, 1, 1);
    EXPECT_EQ(board.io.back(), (std::pair<bool, u16>{true, 0xB000}));
    board.pm.config.write(0x40, 4, 0x0647);
    EXPECT_EQ(board.io.back(), (std::pair<bool, u16>{true, 0x0640}));
    board.pm.reset();
    EXPECT_FALSE(board.io.back().first);
    EXPECT_EQ(board.pm.config.read(0x40, 4), 1u);
}

TEST(Piix4Pm, TheTimerCounts24BitsAt3579545Hertz)
{
    Board board;
    EXPECT_EQ(board.read(kPmTmr, 4), 0u);
    board.scheduler.advance_to(kSecond);
    EXPECT_EQ(board.read(kPmTmr, 4), 3'579'545u);
    board.write(kPmTmr, 0);
    EXPECT_EQ(board.read(kPmTmr, 4), 3'579'545u) << "read-only";
    board.scheduler.advance_to(5 * kSecond);
    EXPECT_EQ(board.read(kPmTmr, 4), 17'897'727u - (1u << 24));
}

TEST(Piix4Pm, TheTimersHighestBitSetsItsStatusAtEveryChange)
{
    Board board;
    board.run(kHalfTurn - 1);
    EXPECT_EQ(board.read(kPmSts) & kTimerOverflow, 0);
    board.run(1);
    EXPECT_EQ(board.read(kPmSts) & kTimerOverflow, kTimerOverflow);
    board.write(kPmSts, 0xFFFF);
    EXPECT_EQ(board.read(kPmSts), 0u);
    board.run(kHalfTurn);
    EXPECT_EQ(board.read(kPmSts), kTimerOverflow);
    EXPECT_TRUE(board.sci.empty()) << "nothing is enabled";
}

TEST(Piix4Pm, TheTimersOverflowInterruptsUntilItsStatusIsCleared)
{
    Board board;
    board.write(kPmEn, kTimerOverflow);
    board.write(kPmCntrl, kSciEnable);
    board.run(kHalfTurn + 5);
    board.write(kPmSts, kTimerOverflow);
    board.run(kHalfTurn);
    EXPECT_EQ(board.sci, (std::vector<std::pair<u64, bool>>{
                             {kHalfTurn, true}, {kHalfTurn + 5, false}, {2 * kHalfTurn, true}}));
}

TEST(Piix4Pm, ThePowerButtonIsAnEventForWhoeverEnabledIt)
{
    Board board;
    board.pm.press_power_button();
    EXPECT_EQ(board.read(kPmSts), kPowerButton);
    EXPECT_TRUE(board.sci.empty());
    board.write(kPmEn, kPowerButton);
    EXPECT_TRUE(board.sci.empty()) << "SCI_EN is off";
    board.pm.write_apm(0, 0xF1);
    EXPECT_EQ(board.commands, std::vector<u8>{0xF1});
    board.pm.set_sci_enable(true);
    EXPECT_EQ(board.read(kPmCntrl), kSciEnable);
    EXPECT_TRUE(board.pm.state.sci);
    board.write(kPmSts, kPowerButton);
    EXPECT_FALSE(board.pm.state.sci);
}

TEST(Piix4Pm, SoftOffTurnsTheMachineOff)
{
    Board board;
    board.write(kPmCntrl, kSciEnable);
    EXPECT_EQ(board.off, 0);
    board.write(kPmCntrl, kSciEnable | kSuspend);
    EXPECT_EQ(board.off, 1);
    EXPECT_EQ(board.read(kPmCntrl), kSciEnable) << "SUS_EN is write-only";
}

TEST(Piix4Pm, AnyOtherSleepIsWokenFromAtOnce)
{
    Board board;
    board.write(kPmCntrl, 1 << 10 | kSuspend);
    EXPECT_EQ(board.off, 0);
    EXPECT_EQ(board.read(kPmSts), kResume);
}

TEST(Piix4Pm, RegistersKeepOnlyTheirWritableBits)
{
    Board board;
    board.write(kPmEn, 0xFFFF);
    EXPECT_EQ(board.read(kPmEn), 0x0521u);
    board.write(kPmCntrl, 0xDFFF);
    EXPECT_EQ(board.read(kPmCntrl), 0x1C03u);
    board.write(kGpSts, 0xFFFF);
    EXPECT_EQ(board.read(kGpSts), 0u);
    board.write(kGpEn, 0xFFFF);
    EXPECT_EQ(board.read(kGpEn), 0x0F01u);
    board.write(0x10, 0x1234);  // PCNTRL: storage
    EXPECT_EQ(board.read(0x10), 0x1234u);
}

TEST(Piix4Pm, ApmRegistersAreAMailbox)
{
    Board board;
    board.pm.write_apm(1, 0x42);
    EXPECT_TRUE(board.commands.empty());
    board.pm.write_apm(0, 0x53);
    EXPECT_EQ(board.commands, std::vector<u8>{0x53});
    EXPECT_EQ(board.pm.read_apm(0), 0x53);
    EXPECT_EQ(board.pm.read_apm(1), 0x42);
}

TEST(Piix4Pm, ApmcRaisesSmiIfBothEnablesAreOn)  // 290562, 11.5.1; DEVACTB, GLBSTS, GLBCTL
{
    constexpr u16 kGlbSts = 0x18, kGlbCtl = 0x28, kApmStatus = 1 << 5, kSmiEnable = 1,
                  kEndOfSmi = 1;
    for (int enables = 0; enables < 4; ++enables) {
        const bool apmc = enables & 1, smi = enables & 2;
        Board board;
        board.pm.config.write(0x58, 4, apmc ? 1u << 25 : 0);
        board.write(kGlbCtl, smi ? kSmiEnable : 0);
        board.write(kGlbCtl + 2, kEndOfSmi);
        board.pm.write_apm(1, 0x12);
        EXPECT_EQ(board.smis, 0) << "APMS";
        board.pm.write_apm(0, 0x12);
        EXPECT_EQ(board.smis, apmc && smi ? 1 : 0) << enables;
        EXPECT_EQ(board.read(kGlbSts), apmc && smi ? kApmStatus : 0u) << enables;
        EXPECT_EQ(board.read(kGlbCtl + 2), apmc && smi ? 0u : kEndOfSmi) << "EOS, " << enables;
        board.write(kGlbSts, 0xFFFF & ~kApmStatus);
        EXPECT_EQ(board.read(kGlbSts), apmc && smi ? kApmStatus : 0u) << enables;
        board.write(kGlbSts, kApmStatus);
        EXPECT_EQ(board.read(kGlbSts), 0u) << "cleared by writing 1";
        board.pm.write_apm(0, 0x13);
        EXPECT_EQ(board.smis, apmc && smi ? 2 : 0) << "EOS does not hold it back";
    }
}

TEST(Piix4Pm, ResetTurnsItsSmisOff)
{
    Board board;
    board.pm.config.write(0x58, 4, 1u << 25);
    board.write(0x28, 1);
    board.pm.reset();
    board.pm.write_apm(0, 0x12);
    EXPECT_EQ(board.smis, 0);
}

TEST(Piix4Pm, ASavedOneGoesOnWhereItWas)
{
    Board board, other;
    board.pm.config.write(0x40, 4, 0xB001);
    board.pm.config.write(0x80, 1, 1);
    board.write(kPmEn, kTimerOverflow);
    board.write(kPmCntrl, kSciEnable);
    board.run(123'456);
    StateWriter writer;
    writer.save("board", board);
    StateReader reader(writer.saved);
    reader.load("board", other);
    other.pm.announce();
    EXPECT_EQ(other.io.back(), (std::pair<bool, u16>{true, 0xB000}));
    board.run(kHalfTurn);
    other.run(kHalfTurn);
    EXPECT_EQ(board.sci, other.sci);
    EXPECT_EQ(board.read(kPmTmr, 4), other.read(kPmTmr, 4));
}
