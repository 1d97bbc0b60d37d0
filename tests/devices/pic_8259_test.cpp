#include "devices/pic_8259.h"

#include <gtest/gtest.h>

#include "machine/savestate.h"

using namespace reprise;

namespace {

constexpr u8 kReadIrr = 0x0A, kReadIsr = 0x0B, kPollCommand = 0x0C;
constexpr u8 kEoi = 0x20, kSpecificEoi = 0x60, kRotateOnEoi = 0xA0, kRotateOnSpecificEoi = 0xE0;

void initialize(Pic8259& pic, u8 icw1, u8 icw2, u8 icw3, u8 icw4)
{
    pic.write(0, icw1);
    pic.write(1, icw2);
    pic.write(1, icw3);
    pic.write(1, icw4);
}

u8 read_irr(Pic8259& pic)
{
    pic.write(0, kReadIrr);
    return pic.read(0);
}

u8 read_isr(Pic8259& pic)
{
    pic.write(0, kReadIsr);
    return pic.read(0);
}

/// A single 8259A in 8086 mode with vectors from 40h.
struct Single {
    Pic8259 pic{true};

    explicit Single(u8 icw4 = 0x01, u8 icw1 = 0x13)
    {
        pic.write(0, icw1);
        pic.write(1, 0x40);
        pic.write(1, icw4);
    }

    void pulse(int line)
    {
        pic.set_irq(line, false);
        pic.set_irq(line, true);
    }
};

/// The pair of a PC/AT: vectors from 08h and 70h, the slave on IR2.
struct Pair {
    Pic8259 master{true}, slave{false};
    int int_rises = 0;

    explicit Pair(u8 master_icw4 = 0x01)
    {
        slave.on_int = [this](bool level) { master.set_irq(2, level); };
        master.on_cascade = [this](u8 cas) { return slave.acknowledge_cascade(cas); };
        master.on_int = [this](bool level) { int_rises += level; };
        initialize(master, 0x11, 0x08, 0x04, master_icw4);
        initialize(slave, 0x11, 0x70, 0x02, 0x01);
    }
};

}  // namespace

// ---- Requests and priorities -------------------------------------------------------------------

TEST(Pic8259, GivesTheVectorOfTheRequest)
{
    Single board;
    EXPECT_FALSE(board.pic.int_level());
    board.pic.set_irq(3, true);
    EXPECT_TRUE(board.pic.int_level());
    EXPECT_EQ(board.pic.acknowledge(), 0x43);
    EXPECT_FALSE(board.pic.int_level());
    EXPECT_EQ(read_isr(board.pic), 0x08);
    EXPECT_EQ(read_irr(board.pic), 0x00);
}

TEST(Pic8259, HigherLevelsInterruptLowerOnesAndNotTheOtherWayRound)
{
    Single board;
    board.pic.set_irq(4, true);
    EXPECT_EQ(board.pic.acknowledge(), 0x44);
    board.pic.set_irq(6, true);
    EXPECT_FALSE(board.pic.int_level());
    board.pic.set_irq(1, true);
    EXPECT_EQ(board.pic.acknowledge(), 0x41);
    EXPECT_EQ(read_isr(board.pic), 0x12);
    board.pic.write(0, kEoi);  // the highest in service: 1
    EXPECT_EQ(read_isr(board.pic), 0x10);
    EXPECT_FALSE(board.pic.int_level());
    board.pic.write(0, kEoi);
    EXPECT_TRUE(board.pic.int_level());
    EXPECT_EQ(board.pic.acknowledge(), 0x46);
}

TEST(Pic8259, MaskedRequestsWaitInIrr)
{
    Single board;
    board.pic.write(1, 0x20);
    board.pic.set_irq(5, true);
    EXPECT_FALSE(board.pic.int_level());
    EXPECT_EQ(read_irr(board.pic), 0x20);
    EXPECT_EQ(board.pic.read(1), 0x20);
    board.pic.write(1, 0x00);
    EXPECT_EQ(board.pic.acknowledge(), 0x45);
}

TEST(Pic8259, SaysNothingUntilInitializationIsComplete)
{
    Pic8259 pic{true};
    pic.set_irq(0, true);
    EXPECT_FALSE(pic.int_level());
    pic.write(0, 0x1B);  // level triggered, single, ICW4 follows
    pic.write(1, 0x40);
    EXPECT_FALSE(pic.int_level());
    pic.write(1, 0x01);
    EXPECT_TRUE(pic.int_level());
}

TEST(Pic8259, Icw1ClearsMaskServicePriorityAndSpecialMask)
{
    Single board;
    board.pic.write(1, 0xF0);
    board.pic.write(0, 0xC3);  // IR3 is the lowest
    board.pic.write(0, 0x68);
    board.pic.write(0, kReadIsr);
    board.pic.set_irq(1, true);
    board.pic.acknowledge();
    board.pic.write(0, 0x13);
    EXPECT_EQ(board.pic.read(1), 0);
    EXPECT_EQ(board.pic.read(0), 0);  // IRR again; IR1 is high but needs a new edge
    EXPECT_EQ(board.pic.state.lowest, 7);
    EXPECT_EQ(board.pic.state.isr, 0);
    EXPECT_FALSE(board.pic.state.special_mask);
}

TEST(Pic8259, WithoutIcw4AnswersAsInAnMcs80System)
{
    Pic8259 pic{true};
    pic.write(0, 0x12 | 0x04 | 0xE0);  // single, interval 4, A7..A5 = 111
    pic.write(1, 0x12);
    pic.set_irq(3, true);
    EXPECT_EQ(pic.acknowledge(), 0xEC);
    pic.write(0, 0x12 | 0xC0);  // interval 8, A7..A6 = 11
    pic.write(1, 0x12);
    pic.set_irq(5, true);
    EXPECT_EQ(pic.acknowledge(), 0xE8);
}

// ---- Edge and level ----------------------------------------------------------------------------

TEST(Pic8259, AnEdgeIsServedOnceEvenIfTheLineStaysHigh)
{
    Single board;
    board.pic.set_irq(5, true);
    board.pic.acknowledge();
    board.pic.write(0, kEoi);
    EXPECT_FALSE(board.pic.int_level());
    board.pic.set_irq(5, true);
    EXPECT_FALSE(board.pic.int_level());
    board.pulse(5);
    EXPECT_TRUE(board.pic.int_level());
}

TEST(Pic8259, AnEdgeDuringServiceIsRememberedUntilEoi)
{
    Single board;
    board.pic.set_irq(5, true);
    board.pic.acknowledge();
    board.pulse(5);
    EXPECT_EQ(read_irr(board.pic), 0x20);
    EXPECT_FALSE(board.pic.int_level());
    board.pic.write(0, kEoi);
    EXPECT_EQ(board.pic.acknowledge(), 0x45);
}

TEST(Pic8259, ARequestThatGoesAwayLeavesIrrAndGivesTheDefaultIr7)
{
    Single board;
    board.pic.set_irq(5, true);
    board.pic.set_irq(5, false);
    EXPECT_EQ(read_irr(board.pic), 0x00);
    EXPECT_FALSE(board.pic.int_level());
    EXPECT_EQ(board.pic.acknowledge(), 0x47);
    EXPECT_EQ(read_isr(board.pic), 0x00);
}

TEST(Pic8259, LevelTriggeredRequestsAgainWhileTheLineIsHigh)
{
    Single board(0x01, 0x1B);  // LTIM
    board.pic.set_irq(5, true);
    EXPECT_EQ(board.pic.acknowledge(), 0x45);
    board.pic.write(0, kEoi);
    EXPECT_TRUE(board.pic.int_level());
    EXPECT_EQ(board.pic.acknowledge(), 0x45);
    board.pic.set_irq(5, false);
    board.pic.write(0, kEoi);
    EXPECT_FALSE(board.pic.int_level());
}

TEST(Pic8259, ElcrMakesSingleLinesLevelTriggered)
{
    Single board;
    board.pic.set_elcr(0x20);
    board.pic.set_irq(5, true);
    board.pic.set_irq(6, true);
    EXPECT_EQ(board.pic.acknowledge(), 0x45);
    board.pic.set_irq(5, false);
    board.pic.write(0, kEoi);
    EXPECT_EQ(board.pic.acknowledge(), 0x46);
    board.pic.write(0, kEoi);
    board.pic.set_irq(5, true);
    board.pic.acknowledge();
    board.pic.write(0, kEoi);
    EXPECT_EQ(read_irr(board.pic), 0x20);
    board.pic.write(0, 0x13);  // initialization does not touch it
    EXPECT_EQ(board.pic.elcr(), 0x20);
}

// ---- End of interrupt and rotation -------------------------------------------------------------

TEST(Pic8259, SpecificEoiClearsThatLevel)
{
    Single board;
    board.pic.set_irq(4, true);
    board.pic.acknowledge();
    board.pic.set_irq(1, true);
    board.pic.acknowledge();
    board.pic.write(0, kSpecificEoi | 4);
    EXPECT_EQ(read_isr(board.pic), 0x02);
}

TEST(Pic8259, AutomaticEoiLeavesNothingInService)
{
    Single board(0x03);
    board.pic.set_irq(4, true);
    EXPECT_EQ(board.pic.acknowledge(), 0x44);
    EXPECT_EQ(read_isr(board.pic), 0x00);
    board.pic.set_irq(6, true);
    EXPECT_EQ(board.pic.acknowledge(), 0x46);
}

TEST(Pic8259, RotateOnNonSpecificEoiMakesTheServedLevelTheLowest)
{
    Single board;
    board.pic.set_irq(4, true);  // as in the datasheet's example, IR4 and IR6 ask
    board.pic.set_irq(6, true);
    EXPECT_EQ(board.pic.acknowledge(), 0x44);
    board.pic.write(0, kRotateOnEoi);
    EXPECT_EQ(board.pic.acknowledge(), 0x46);
    board.pic.set_irq(5, true);  // now 5, 6, 7, 0 .. 4
    EXPECT_EQ(board.pic.acknowledge(), 0x45);
    board.pulse(4);
    EXPECT_FALSE(board.pic.int_level());
}

TEST(Pic8259, RotateOnSpecificEoiAndSetPriorityChooseTheLowest)
{
    Single board;
    board.pic.write(0, 0xC0 | 5);  // set priority: IR5 lowest, IR6 highest
    board.pic.set_irq(0, true);
    board.pic.set_irq(7, true);
    EXPECT_EQ(board.pic.acknowledge(), 0x47);
    board.pic.write(0, kRotateOnSpecificEoi | 7);
    EXPECT_EQ(board.pic.state.lowest, 7);
    EXPECT_EQ(board.pic.acknowledge(), 0x40);
}

TEST(Pic8259, RotateInAutomaticEoiGivesEqualPriorities)
{
    Single board(0x03);
    board.pic.write(0, 0x80);
    board.pic.set_irq(0, true);
    board.pic.set_irq(1, true);
    EXPECT_EQ(board.pic.acknowledge(), 0x40);
    board.pulse(0);
    EXPECT_EQ(board.pic.acknowledge(), 0x41);
    EXPECT_EQ(board.pic.acknowledge(), 0x40);
    board.pic.write(0, 0x00);  // clear
    board.pulse(0);
    board.pic.acknowledge();
    EXPECT_EQ(board.pic.state.lowest, 0);
}

TEST(Pic8259, NoOperationChangesNothing)
{
    Single board;
    board.pic.set_irq(4, true);
    board.pic.acknowledge();
    board.pic.write(0, 0x44);
    EXPECT_EQ(read_isr(board.pic), 0x10);
    EXPECT_EQ(board.pic.state.lowest, 7);
}

// ---- Special modes -----------------------------------------------------------------------------

TEST(Pic8259, SpecialMaskModeEnablesLevelsBelowAMaskedOneInService)
{
    Single board;
    board.pic.set_irq(4, true);
    board.pic.acknowledge();
    board.pic.set_irq(6, true);
    board.pic.write(1, 0x10);
    EXPECT_FALSE(board.pic.int_level());
    board.pic.write(0, 0x68);
    EXPECT_TRUE(board.pic.int_level());
    EXPECT_EQ(board.pic.acknowledge(), 0x46);
    board.pic.write(0, kEoi);  // does not see IR4, which is masked
    EXPECT_EQ(read_isr(board.pic), 0x10);
    board.pic.write(0, kEoi);
    EXPECT_EQ(read_isr(board.pic), 0x10);
    board.pic.write(0, 0x48);  // reset special mask
    board.pic.write(0, kEoi);
    EXPECT_EQ(read_isr(board.pic), 0x00);
}

TEST(Pic8259, PollTakesThePlaceOfInta)
{
    Single board;
    board.pic.write(0, kPollCommand);
    EXPECT_EQ(board.pic.read(0) & 0x80, 0);
    board.pic.set_irq(5, true);
    board.pic.write(0, kPollCommand);
    EXPECT_EQ(board.pic.read(0), 0x85);
    EXPECT_EQ(read_isr(board.pic), 0x20);
    EXPECT_FALSE(board.pic.int_level());
    EXPECT_EQ(board.pic.read(0), 0x20);  // a poll is good for one read
}

// ---- Cascade -----------------------------------------------------------------------------------

TEST(Pic8259, TheSlaveGivesTheVector)
{
    Pair board;
    board.slave.set_irq(0, true);
    EXPECT_TRUE(board.master.int_level());
    EXPECT_EQ(board.master.acknowledge(), 0x70);
    EXPECT_EQ(read_isr(board.master), 0x04);
    EXPECT_EQ(read_isr(board.slave), 0x01);
    EXPECT_FALSE(board.master.int_level());
}

TEST(Pic8259, ASecondRequestOfTheSlaveFollowsBothEois)
{
    Pair board;
    board.slave.set_irq(0, true);
    board.slave.set_irq(6, true);
    EXPECT_EQ(board.master.acknowledge(), 0x70);
    board.slave.write(0, kEoi);
    EXPECT_FALSE(board.master.int_level());
    board.master.write(0, kEoi);
    EXPECT_TRUE(board.master.int_level());
    EXPECT_EQ(board.master.acknowledge(), 0x76);
    EXPECT_EQ(board.int_rises, 2);
}

TEST(Pic8259, ASlaveWhoseRequestIsGoneGivesItsOwnDefaultIr7)
{
    Pair board;
    board.slave.set_irq(3, true);
    board.slave.on_int = nullptr;  // INT still looks active to the master
    board.slave.set_irq(3, false);
    EXPECT_EQ(board.master.acknowledge(), 0x77);
    EXPECT_EQ(read_isr(board.slave), 0x00);
    EXPECT_EQ(read_isr(board.master), 0x04);
}

TEST(Pic8259, SpecialFullyNestedModeLetsTheSlaveInterruptItself)
{
    for (const bool sfnm : {false, true}) {
        Pair board(sfnm ? 0x11 : 0x01);
        board.slave.set_irq(4, true);
        EXPECT_EQ(board.master.acknowledge(), 0x74);
        board.slave.set_irq(1, true);
        EXPECT_EQ(board.master.int_level(), sfnm);
        board.master.set_irq(3, true);  // lower than the slave: never
        if (sfnm) {
            EXPECT_EQ(board.master.acknowledge(), 0x71);
        }
        EXPECT_FALSE(board.master.int_level());
    }
}

TEST(Pic8259, ASlaveInAutomaticEoiModeLosesNoRequest)
{
    Pair board(0x03);
    initialize(board.slave, 0x11, 0x70, 0x02, 0x03);
    board.slave.set_irq(1, true);
    board.slave.set_irq(5, true);
    EXPECT_EQ(board.master.acknowledge(), 0x71);
    EXPECT_TRUE(board.master.int_level());
    EXPECT_EQ(board.master.acknowledge(), 0x75);
    EXPECT_FALSE(board.master.int_level());
}

TEST(Pic8259, ASlaveWithAnotherIdIsSilent)
{
    Pair board;
    initialize(board.slave, 0x11, 0x70, 0x05, 0x01);
    board.slave.set_irq(0, true);
    EXPECT_EQ(board.master.acknowledge(), 0xFF);
    EXPECT_EQ(read_isr(board.slave), 0x00);
}

TEST(Pic8259, BufferedModeTakesMasterOrSlaveFromIcw4)
{
    Pic8259 pic{true};
    initialize(pic, 0x11, 0x70, 0x02, 0x09);  // BUF, slave
    pic.set_irq(2, true);
    EXPECT_EQ(pic.acknowledge_cascade(2), 0x72);
}

TEST(Pic8259, ResetKeepsThePinsAndWaitsForInitialization)
{
    Single board;
    board.pic.set_irq(1, true);
    board.pic.reset();
    EXPECT_FALSE(board.pic.int_level());
    EXPECT_EQ(board.pic.state.lines, 0x02);
}

TEST(Pic8259, ASavedStateResumesIdentically)
{
    Single board;
    board.pic.set_irq(4, true);
    board.pic.acknowledge();
    board.pic.set_irq(1, true);
    StateWriter writer;
    writer.save("pic", board.pic.state);
    Pic8259 resumed{true};
    StateReader(writer.saved).load("pic", resumed.state);
    EXPECT_TRUE(resumed.int_level());
    EXPECT_EQ(resumed.acknowledge(), 0x41);
    EXPECT_EQ(read_isr(resumed), 0x12);
}
