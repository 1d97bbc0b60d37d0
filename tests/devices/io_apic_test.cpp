#include "devices/io_apic.h"

#include <gtest/gtest.h>

#include <vector>

#include "devices/local_apic.h"
#include "machine/savestate.h"

using namespace reprise;

namespace {

// Intel 290566: the low half of a redirection entry.
constexpr u32 kMasked = 1 << 16, kLevel = 1 << 15, kRemoteIrr = 1 << 14, kLowActive = 1 << 13,
              kLogical = 1 << 11, kLowest = 1 << 8, kNmi = 4 << 8, kExtInt = 7 << 8;

struct Board {
    IoApic apic;
    std::vector<ApicMessage> sent;
    bool accepts = true;

    Board()
    {
        apic.on_message = [this](const ApicMessage& message) {
            sent.push_back(message);
            return accepts;
        };
    }

    u32 read(u8 index)
    {
        apic.write(0x00, 4, index);
        return static_cast<u32>(apic.read(0x10, 4));
    }
    void write(u8 index, u32 value)
    {
        apic.write(0x00, 4, index);
        apic.write(0x10, 4, value);
    }
    u32 entry(int input) { return read(static_cast<u8>(0x10 + 2 * input)); }
    void set_entry(int input, u32 low, u8 destination = 0)
    {
        write(static_cast<u8>(0x11 + 2 * input), u32{destination} << 24);
        write(static_cast<u8>(0x10 + 2 * input), low);
    }
};

}  // namespace

TEST(IoApic, StartsWithAllInputsMasked)
{
    Board board;
    EXPECT_EQ(board.read(0), 0u);
    EXPECT_EQ(board.read(1), 0x00170011u);  // 24 entries, version 11h
    for (int input = 0; input < IoApic::kInputs; ++input) {
        EXPECT_EQ(board.entry(input), kMasked);
        board.apic.set_pin(input, true);
    }
    EXPECT_TRUE(board.sent.empty());
}

TEST(IoApic, RegistersKeepOnlyTheirWritableBits)
{
    Board board;
    board.write(0, 0xFFFFFFFF);
    EXPECT_EQ(board.read(0), 0x0F000000u);
    EXPECT_EQ(board.read(2), 0x0F000000u) << "the arbitration ID is loaded with the ID";
    board.write(1, 0);
    EXPECT_EQ(board.read(1), 0x00170011u);
    board.set_entry(23, 0xFFFFFFFF, 0xFF);
    EXPECT_EQ(board.entry(23), 0x0001AFFFu) << "delivery status and remote IRR are read-only";
    EXPECT_EQ(board.read(0x3F), 0xFF000000u);
    EXPECT_EQ(board.read(0x40), 0u);
    board.apic.write(0x10, 1, 0xAA);
    EXPECT_EQ(board.entry(23), 0x0001AFFFu);
}

TEST(IoApic, AnEdgeIsSentOnceWithWhatTheEntrySays)
{
    Board board;
    board.set_entry(4, kLogical | kLowest | 0x61, 0x0F);
    board.apic.set_pin(4, true);
    board.apic.set_pin(4, true);
    ASSERT_EQ(board.sent.size(), 1u);
    EXPECT_EQ(board.sent[0].vector, 0x61);
    EXPECT_EQ(board.sent[0].delivery, ApicDelivery::LowestPriority);
    EXPECT_EQ(board.sent[0].destination, 0x0F);
    EXPECT_TRUE(board.sent[0].logical);
    EXPECT_FALSE(board.sent[0].level);
    board.apic.set_pin(4, false);
    EXPECT_EQ(board.sent.size(), 1u);
    board.apic.set_pin(4, true);
    EXPECT_EQ(board.sent.size(), 2u);
}

TEST(IoApic, AnEdgeOnAMaskedInputIsLost)
{
    Board board;
    board.set_entry(4, kMasked | 0x61);
    board.apic.set_pin(4, true);
    board.set_entry(4, 0x61);
    EXPECT_TRUE(board.sent.empty());
}

TEST(IoApic, ALowActiveEdgeFalls)
{
    Board board;
    board.apic.set_pin(4, true);
    board.set_entry(4, kLowActive | 0x61);
    board.apic.set_pin(4, false);
    EXPECT_EQ(board.sent.size(), 1u);
}

TEST(IoApic, ALevelIsSentAgainAfterItsEndAslongAsItIsAsserted)
{
    Board board;
    board.set_entry(9, kLevel | 0x71);
    board.apic.set_pin(9, true);
    EXPECT_EQ(board.sent.size(), 1u);
    EXPECT_TRUE(board.sent[0].level);
    EXPECT_EQ(board.entry(9), kLevel | kRemoteIrr | 0x71);
    board.apic.set_pin(9, false);
    board.apic.set_pin(9, true);
    EXPECT_EQ(board.sent.size(), 1u) << "not before the EOI";
    board.apic.end_of_interrupt(0x70);
    EXPECT_EQ(board.sent.size(), 1u) << "another vector's";
    board.apic.end_of_interrupt(0x71);
    EXPECT_EQ(board.sent.size(), 2u);
    board.apic.set_pin(9, false);
    board.apic.end_of_interrupt(0x71);
    EXPECT_EQ(board.entry(9), kLevel | 0x71);
    EXPECT_EQ(board.sent.size(), 2u);
}

TEST(IoApic, ALevelThatWasMaskedIsSentWhenItIsUnmasked)
{
    Board board;
    board.set_entry(9, kLevel | kMasked | 0x71);
    board.apic.set_pin(9, true);
    EXPECT_TRUE(board.sent.empty());
    board.set_entry(9, kLevel | 0x71);
    EXPECT_EQ(board.sent.size(), 1u);
}

TEST(IoApic, ALevelThatNobodyAcceptsKeepsRemoteIrrClear)
{
    Board board;
    board.accepts = false;
    board.set_entry(9, kLevel | 0x71);
    board.apic.set_pin(9, true);
    EXPECT_EQ(board.entry(9), kLevel | 0x71);
}

TEST(IoApic, AnEntryMadeEdgeTriggeredForgetsItsRemoteIrr)
{
    Board board;
    board.set_entry(9, kLevel | 0x71);
    board.apic.set_pin(9, true);
    board.set_entry(9, kMasked | 0x71);
    EXPECT_EQ(board.entry(9), kMasked | 0x71);
    board.set_entry(9, kLevel | 0x71);
    EXPECT_EQ(board.sent.size(), 2u);
}

TEST(IoApic, NmiAndExtIntAreEdgesWhateverTheEntrySays)
{
    Board board;
    board.set_entry(2, kLevel | kNmi);
    board.set_entry(3, kLevel | kExtInt);
    EXPECT_TRUE(board.apic.may_raise_nmi());
    board.apic.set_pin(2, true);
    board.apic.set_pin(3, true);
    ASSERT_EQ(board.sent.size(), 2u);
    EXPECT_EQ(board.sent[0].delivery, ApicDelivery::Nmi);
    EXPECT_EQ(board.sent[1].delivery, ApicDelivery::ExtInt);
    EXPECT_FALSE(board.sent[0].level);
    EXPECT_EQ(board.entry(2) & kRemoteIrr, 0u);
    board.set_entry(2, kMasked | kNmi);
    EXPECT_FALSE(board.apic.may_raise_nmi());
}

/// Both chips, as on a board.
TEST(IoApic, ALevelInterruptGoesRoundThroughTheLocalApic)
{
    Scheduler scheduler;
    LocalApic local{scheduler, true};
    Board board;
    bool intr = false;
    local.on_intr = [&](bool level) { intr = level; };
    local.on_eoi = [&](u8 vector) { board.apic.end_of_interrupt(vector); };
    board.apic.on_message = [&](const ApicMessage& message) { return local.receive(message); };
    local.write(0xF0, 4, 0x1FF);
    board.set_entry(10, kLevel | 0x71);
    board.apic.set_pin(10, true);
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(intr);
        EXPECT_EQ(local.acknowledge(), 0x71);
        EXPECT_FALSE(intr);
        if (i == 2) board.apic.set_pin(10, false);
        local.write(0xB0, 4, 0);
    }
    EXPECT_FALSE(intr);
}

TEST(IoApic, ASavedOneIsTheSame)
{
    Board board, other;
    board.set_entry(9, kLevel | 0x71, 3);
    board.apic.set_pin(9, true);
    StateWriter writer;
    writer.save("apic", board.apic.state);
    StateReader reader(writer.saved);
    reader.load("apic", other.apic.state);
    EXPECT_EQ(other.entry(9), kLevel | kRemoteIrr | 0x71);
    other.apic.end_of_interrupt(0x71);
    EXPECT_EQ(other.sent.size(), 1u) << "the pin's level came along";
}
