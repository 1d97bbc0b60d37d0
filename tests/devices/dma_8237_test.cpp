#include "devices/dma_8237.h"

#include <gtest/gtest.h>

#include <vector>

#include "devices/dma_page_registers.h"
#include "machine/savestate.h"

using namespace reprise;

namespace {

constexpr u16 kCommand = 8, kStatus = 8, kRequest = 9, kSingleMask = 10, kMode = 11;
constexpr u16 kClearFlipFlop = 12, kMasterClear = 13, kTemporary = 13, kClearMask = 14;
constexpr u16 kAllMask = 15;

constexpr u8 kDemand = 0x00, kSingle = 0x40, kBlock = 0x80, kCascade = 0xC0;
constexpr u8 kVerify = 0x00, kToMemory = 0x04, kFromMemory = 0x08;
constexpr u8 kAutoinitialize = 0x10, kDecrement = 0x20;

/// A controller on 64K of memory with a device on every channel that hands out the bytes 1, 2, 3...
/// and keeps DREQ for `wanted` transfers.
struct Board {
    Dma8237 dma;
    std::vector<u16> memory = std::vector<u16>(0x10000);
    std::vector<int> served;
    std::vector<u16> received;
    std::array<int, 4> terminal_counts{};
    u8 next = 1;
    int wanted = 1'000'000;

    explicit Board(Dma8237::Width width = Dma8237::Width::Byte) : dma(width)
    {
        dma.on_memory_read = [this](int, u16 address) { return memory[address]; };
        dma.on_memory_write = [this](int, u16 address, u16 data) { memory[address] = data; };
        for (int i = 0; i < 4; ++i) {
            dma.on_device_read[i] = [this, i] {
                serve(i);
                return u16{next++};
            };
            dma.on_device_write[i] = [this, i](u16 data) {
                serve(i);
                received.push_back(data);
            };
            dma.on_terminal_count[i] = [this, i] {
                ++terminal_counts[i];
                dma.set_dreq(i, false);
            };
        }
    }

    void serve(int channel)
    {
        served.push_back(channel);
        if (--wanted == 0) dma.set_dreq(channel, false);
    }

    void program(int channel, u8 mode, u16 address, u16 count)
    {
        dma.write(kClearFlipFlop, 0);
        dma.write(static_cast<u16>(2 * channel), static_cast<u8>(address));
        dma.write(static_cast<u16>(2 * channel), static_cast<u8>(address >> 8));
        dma.write(static_cast<u16>(2 * channel + 1), static_cast<u8>(count));
        dma.write(static_cast<u16>(2 * channel + 1), static_cast<u8>(count >> 8));
        dma.write(kMode, static_cast<u8>(mode | channel));
    }

    u16 read_word(u16 offset)
    {
        dma.write(kClearFlipFlop, 0);
        const u8 lsb = dma.read(offset);
        return static_cast<u16>(dma.read(offset) << 8 | lsb);
    }

    u16 address(int channel) { return read_word(static_cast<u16>(2 * channel)); }
    u16 count(int channel) { return read_word(static_cast<u16>(2 * channel + 1)); }
};

}  // namespace

// ---- Registers ---------------------------------------------------------------------------------

TEST(Dma8237, TheFlipFlopSelectsLowAndHighByteForReadsAndWrites)
{
    Board board;
    board.dma.write(kClearFlipFlop, 0);
    board.dma.write(4, 0x34);
    board.dma.write(4, 0x12);
    EXPECT_EQ(board.address(2), 0x1234);
    board.dma.write(kClearFlipFlop, 0);
    board.dma.write(5, 0x78);
    EXPECT_EQ(board.dma.read(5), 0x00);  // the high byte: one flip-flop serves both
}

TEST(Dma8237, MasterClearMasksEverythingAndKeepsTheChannels)
{
    Board board;
    board.program(1, kSingle | kToMemory, 0x1111, 0x2222);
    board.dma.write(kCommand, 0x10);
    board.dma.write(kClearMask, 0);
    board.dma.read(0);
    board.dma.write(kMasterClear, 0);
    EXPECT_EQ(board.dma.state.mask, 0x0F);
    EXPECT_EQ(board.dma.state.command, 0);
    EXPECT_FALSE(board.dma.state.msb_next);
    EXPECT_EQ(board.address(1), 0x1111);
    EXPECT_EQ(board.count(1), 0x2222);
}

TEST(Dma8237, WriteOnlyRegistersReadAsAFloatingBus)
{
    Board board;
    for (const u16 offset : {kRequest, kSingleMask, kMode, kClearFlipFlop, kClearMask, kAllMask})
        EXPECT_EQ(board.dma.read(offset), 0xFF);
}

TEST(Dma8237, MaskRegistersSetSingleBitsAndAll)
{
    Board board;
    board.dma.write(kClearMask, 0);
    board.dma.write(kSingleMask, 0x06);
    EXPECT_EQ(board.dma.state.mask, 0x04);
    board.dma.write(kSingleMask, 0x02);
    EXPECT_EQ(board.dma.state.mask, 0x00);
    board.dma.write(kAllMask, 0xFA);
    EXPECT_EQ(board.dma.state.mask, 0x0A);
}

TEST(Dma8237, StatusShowsRequestsAndClearsTerminalCounts)
{
    Board board;
    board.program(1, kSingle | kToMemory, 0, 0);
    board.dma.set_dreq(3, true);  // masked
    board.dma.write(kSingleMask, 1);
    board.dma.set_dreq(1, true);
    EXPECT_EQ(board.dma.read(kStatus), 0x82);
    EXPECT_EQ(board.dma.read(kStatus), 0x80);
}

// ---- Transfers ---------------------------------------------------------------------------------

TEST(Dma8237, WritesToMemoryUntilTerminalCount)
{
    Board board;
    board.program(2, kSingle | kToMemory, 0x1000, 3);
    board.dma.write(kSingleMask, 2);
    board.dma.set_dreq(2, true);
    EXPECT_EQ(std::vector<u16>(&board.memory[0x1000], &board.memory[0x1005]),
              (std::vector<u16>{1, 2, 3, 4, 0}));  // the count is one less than the transfers
    EXPECT_EQ(board.terminal_counts[2], 1);
    EXPECT_EQ(board.address(2), 0x1004);
    EXPECT_EQ(board.count(2), 0xFFFF);
    EXPECT_EQ(board.dma.state.mask, 0x0F);  // TC masks the channel again
}

TEST(Dma8237, ReadsFromMemoryDownwards)
{
    Board board;
    for (u16 i = 0; i < 16; ++i) board.memory[i] = static_cast<u16>(0x0F0 + i);
    board.program(1, kSingle | kFromMemory | kDecrement, 2, 3);
    board.dma.write(kSingleMask, 1);
    board.dma.set_dreq(1, true);
    EXPECT_EQ(board.received, (std::vector<u16>{0xF2, 0xF1, 0xF0, 0x00}));  // wraps to FFFFh
    EXPECT_EQ(board.address(1), 0xFFFE);
}

TEST(Dma8237, VerifyTouchesNoMemory)
{
    Board board;
    int accesses = 0;
    board.dma.on_memory_read = [&](int, u16) { return u16(++accesses); };
    board.dma.on_memory_write = [&](int, u16, u16) { ++accesses; };
    board.program(2, kSingle | kVerify, 0x1000, 3);
    board.dma.write(kSingleMask, 2);
    board.dma.set_dreq(2, true);
    EXPECT_EQ(accesses, 0);
    EXPECT_EQ(board.served.size(), 4u);
    EXPECT_EQ(board.terminal_counts[2], 1);
}

TEST(Dma8237, SingleAndDemandStopWhenTheDeviceDropsDreq)
{
    for (const u8 mode : {kSingle, kDemand}) {
        Board board;
        board.wanted = 5;
        board.program(2, mode | kToMemory, 0x1000, 99);
        board.dma.write(kSingleMask, 2);
        board.dma.set_dreq(2, true);
        EXPECT_EQ(board.served.size(), 5u);
        EXPECT_EQ(board.count(2), 94);
        EXPECT_EQ(board.terminal_counts[2], 0);
        board.dma.set_dreq(2, true);  // goes on where it stopped
        EXPECT_EQ(board.served.size(), 100u);
        EXPECT_EQ(board.terminal_counts[2], 1);
    }
}

TEST(Dma8237, BlockModeNeedsDreqOnlyToBegin)
{
    Board board;
    board.wanted = 1;
    board.program(3, kBlock | kToMemory, 0x1000, 9);
    board.dma.write(kSingleMask, 3);
    board.dma.set_dreq(3, true);
    EXPECT_EQ(board.served.size(), 10u);
    EXPECT_EQ(board.terminal_counts[3], 1);
}

TEST(Dma8237, AMaskedChannelWaitsAndADisabledControllerToo)
{
    Board board;
    board.program(2, kSingle | kToMemory, 0x1000, 3);
    board.dma.set_dreq(2, true);
    EXPECT_TRUE(board.served.empty());
    board.dma.write(kCommand, 0x04);
    board.dma.write(kSingleMask, 2);
    EXPECT_TRUE(board.served.empty());
    board.dma.write(kCommand, 0x00);
    EXPECT_EQ(board.served.size(), 4u);
}

TEST(Dma8237, AutoinitializeReloadsAndStaysUnmasked)
{
    Board board;
    board.program(1, kSingle | kToMemory | kAutoinitialize, 0x2000, 7);
    board.dma.write(kSingleMask, 1);
    board.dma.set_dreq(1, true);
    EXPECT_EQ(board.address(1), 0x2000);
    EXPECT_EQ(board.count(1), 7);
    board.dma.set_dreq(1, true);
    EXPECT_EQ(board.served.size(), 16u);
    EXPECT_EQ(board.terminal_counts[1], 2);
    EXPECT_EQ(board.memory[0x2000], 9);
}

TEST(Dma8237, ADreqThatNeverGoesAwayIsBounded)
{
    Board board;
    board.wanted = -1;
    board.dma.on_terminal_count[1] = nullptr;
    board.program(1, kDemand | kToMemory | kAutoinitialize, 0, 0xFFFF);
    board.dma.write(kSingleMask, 1);
    board.dma.set_dreq(1, true);
    EXPECT_GE(board.served.size(), 0x10000u);
    EXPECT_LE(board.served.size(), 0x20001u);
}

TEST(Dma8237, ExternalEopEndsTheService)
{
    Board board;
    board.dma.on_device_read[2] = [&] {
        if (board.next == 3) board.dma.signal_eop();
        return u16{board.next++};
    };
    board.program(2, kBlock | kToMemory, 0x1000, 99);
    board.dma.write(kSingleMask, 2);
    board.dma.set_dreq(2, true);
    EXPECT_EQ(board.next, 4);
    EXPECT_EQ(board.dma.read(kStatus) & 0x0F, 0x04);
    EXPECT_EQ(board.dma.state.mask, 0x0F);
}

TEST(Dma8237, SoftwareRequestsIgnoreTheMaskAndEndAtTerminalCount)
{
    Board board;
    board.program(3, kBlock | kToMemory, 0x1000, 4);
    board.dma.write(kRequest, 0x07);
    EXPECT_EQ(board.served.size(), 5u);
    EXPECT_EQ(board.dma.state.request, 0);
}

TEST(Dma8237, DreqSenseCanBeActiveLow)
{
    Board board;
    for (int i = 0; i < 4; ++i) board.dma.set_dreq(i, true);
    board.dma.write(kCommand, 0x40);
    board.program(2, kSingle | kToMemory, 0x1000, 0);
    board.dma.write(kSingleMask, 2);
    EXPECT_TRUE(board.served.empty());
    board.dma.on_terminal_count[2] = [&] { board.dma.set_dreq(2, true); };
    board.dma.set_dreq(2, false);
    EXPECT_EQ(board.served, (std::vector<int>{2}));
}

TEST(Dma8237, WordsGoThroughTheWordController)
{
    Board board(Dma8237::Width::Word);
    board.dma.on_device_read[1] = [] { return u16{0xABCD}; };
    board.program(1, kSingle | kToMemory, 0x8000, 1);
    board.dma.write(kSingleMask, 1);
    board.dma.set_dreq(1, true);
    EXPECT_EQ(board.memory[0x8001], 0xABCD);
    EXPECT_EQ(board.memory[0x8002], 0);
}

// ---- Priority ----------------------------------------------------------------------------------

TEST(Dma8237, FixedPriorityServesTheLowestChannelFirst)
{
    Board board;
    for (int i = 0; i < 4; ++i) board.program(i, kSingle | kToMemory, 0, 1);
    for (int i = 3; i >= 0; --i) board.dma.set_dreq(i, true);
    board.dma.write(kClearMask, 0);
    EXPECT_EQ(board.served, (std::vector<int>{0, 0, 1, 1, 2, 2, 3, 3}));
}

TEST(Dma8237, RotatingPriorityPutsTheServedChannelLast)
{
    Board board;
    board.dma.write(kCommand, 0x10);
    for (int i = 0; i < 4; ++i) board.program(i, kSingle | kToMemory, 0, 1);
    for (int i = 3; i >= 0; --i) board.dma.set_dreq(i, true);
    board.dma.write(kClearMask, 0);
    EXPECT_EQ(board.served, (std::vector<int>{0, 1, 2, 3, 0, 1, 2, 3}));
}

// ---- Memory to memory --------------------------------------------------------------------------

TEST(Dma8237, CopiesMemoryFromChannelZeroToChannelOne)
{
    Board board;
    for (u16 i = 0; i < 8; ++i) board.memory[i] = static_cast<u16>(10 + i);
    board.program(0, kBlock | kFromMemory, 0, 7);
    board.program(1, kBlock | kToMemory, 0x4000, 7);
    board.dma.write(kCommand, 0x01);
    board.dma.write(kRequest, 0x04);
    EXPECT_EQ(std::vector<u16>(&board.memory[0x4000], &board.memory[0x4009]),
              (std::vector<u16>{10, 11, 12, 13, 14, 15, 16, 17, 0}));
    EXPECT_EQ(board.terminal_counts[1], 1);
    EXPECT_EQ(board.dma.read(kTemporary), 17);
    EXPECT_EQ(board.dma.read(kStatus), 0x02);
}

TEST(Dma8237, AddressHoldFillsMemory)
{
    Board board;
    board.memory[0x100] = 0x5A;
    board.program(0, kBlock | kFromMemory, 0x100, 3);
    board.program(1, kBlock | kToMemory, 0x4000, 3);
    board.dma.write(kCommand, 0x03);
    board.dma.write(kRequest, 0x04);
    for (u16 i = 0; i < 4; ++i) EXPECT_EQ(board.memory[0x4000 + i], 0x5A);
    EXPECT_EQ(board.memory[0x4004], 0);
}

// ---- Cascade -----------------------------------------------------------------------------------

TEST(Dma8237, ACascadedControllerHasTheBusOnlyThroughTheOther)
{
    Board first, second(Dma8237::Width::Word);
    first.dma.on_hrq = [&](bool level) { second.dma.set_dreq(0, level); };
    second.dma.on_dack[0] = [&](bool active) { first.dma.set_hlda(active); };

    first.program(2, kSingle | kToMemory, 0x1000, 3);
    first.dma.write(kSingleMask, 2);
    first.dma.set_dreq(2, true);
    EXPECT_TRUE(first.served.empty());  // channel 0 of the second is still masked
    second.dma.write(kMode, kCascade);
    second.dma.write(kSingleMask, 0);
    EXPECT_EQ(first.served.size(), 4u);
    EXPECT_FALSE(first.dma.state.hlda);
    EXPECT_FALSE(second.dma.state.hrq);

    first.program(2, kSingle | kToMemory, 0x1000, 3);
    first.dma.write(kSingleMask, 2);
    first.dma.set_dreq(2, true);  // now at once
    EXPECT_EQ(first.served.size(), 8u);

    second.program(1, kSingle | kToMemory, 0, 1);
    second.dma.write(kSingleMask, 1);
    second.dma.set_dreq(1, true);
    EXPECT_EQ(second.served.size(), 2u);
}

TEST(Dma8237, ASavedStateResumesIdentically)
{
    Board board, resumed;
    board.wanted = 5;
    board.program(2, kSingle | kToMemory, 0x1000, 9);
    board.dma.write(kSingleMask, 2);
    board.dma.set_dreq(2, true);
    StateWriter writer;
    writer.save("dma", board.dma.state);
    StateReader(writer.saved).load("dma", resumed.dma.state);
    resumed.dma.set_dreq(2, true);
    EXPECT_EQ(resumed.served.size(), 5u);
    EXPECT_EQ(resumed.memory[0x1005], 1);
    EXPECT_EQ(resumed.terminal_counts[2], 1);
}

TEST(DmaPageRegisters, AreSixteenBytesOfMemory)
{
    DmaPageRegisters pages;
    for (u16 i = 0; i < 16; ++i) pages.write(i, static_cast<u8>(0x80 + i));
    for (u16 i = 0; i < 16; ++i) EXPECT_EQ(pages.read(i), 0x80 + i);
    EXPECT_EQ(pages.page(7), 0x87);
}
