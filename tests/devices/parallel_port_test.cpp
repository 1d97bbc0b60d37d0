#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "devices/parallel_port.h"
#include "machine/savestate.h"

using namespace reprise;

namespace {

constexpr u16 kData = 0, kStatus = 1, kControl = 2;
constexpr u8 kStrobe = 0x01, kIrqEnable = 0x10, kInput = 0x20;
constexpr u8 kNotIrq = 0x04, kNotAck = 0x40, kNotBusy = 0x80;

struct Board {
    Scheduler scheduler;
    ParallelPort port{scheduler};
    std::string printed;
    std::vector<bool> irqs;

    Board()
    {
        port.on_byte = [this](u8 byte) { printed += static_cast<char>(byte); };
        port.on_irq = [this](bool level) { irqs.push_back(level); };
        port.set_connected(true);
    }

    void run(Time time) { scheduler.advance_to(scheduler.now() + time); }

    void strobe(u8 byte, u8 control = 0)
    {
        port.write(kData, byte);
        port.write(kControl, control | kStrobe);
        port.write(kControl, control);
    }

    void visit(auto& v)
    {
        v("scheduler", scheduler);
        v("port", port.state);
    }
};

}  // namespace

TEST(ParallelPort, RegistersReadBackWithReservedControlBitsSet)
{
    Board board;
    board.port.write(kData, 0xA5);
    board.port.write(kControl, 0x0C);
    EXPECT_EQ(board.port.read(kData), 0xA5);
    EXPECT_EQ(board.port.read(kControl), 0xCC);
}

TEST(ParallelPort, ReadyPrinterShowsDf)
{
    Board board;
    EXPECT_EQ(board.port.read(kStatus), 0xDF);
}

TEST(ParallelPort, OpenInputsAreHighSoThatNobodyIsBusyForever)
{
    Board board;
    board.port.set_connected(false);
    EXPECT_EQ(board.port.read(kStatus), 0x7F);
    board.strobe('x');
    board.run(kMillisecond);
    EXPECT_EQ(board.printed, "");
    EXPECT_EQ(board.port.read(kStatus), 0x7F);
}

TEST(ParallelPort, LeadingEdgeOfStrobePrintsOneByte)
{
    Board board;
    board.port.write(kData, 'A');
    board.port.write(kControl, kStrobe);
    EXPECT_EQ(board.printed, "A");
    board.run(kMillisecond);
    board.port.write(kControl, kStrobe);  // no edge
    board.port.write(kControl, 0);
    EXPECT_EQ(board.printed, "A");
}

TEST(ParallelPort, BusyThenAcknowledgeThenReady)
{
    Board board;
    board.strobe('A');
    EXPECT_EQ(board.port.read(kStatus) & (kNotBusy | kNotAck), kNotAck);
    board.strobe('B');  // a busy printer does not listen
    board.run(ParallelPort::kBusyTime - ParallelPort::kAckTime);
    EXPECT_EQ(board.port.read(kStatus) & (kNotBusy | kNotAck), 0);
    board.run(ParallelPort::kAckTime);
    EXPECT_EQ(board.port.read(kStatus) & (kNotBusy | kNotAck), kNotBusy | kNotAck);
    EXPECT_EQ(board.printed, "A");
}

TEST(ParallelPort, EndOfAcknowledgeInterruptsIfEnabled)
{
    Board board;
    board.strobe('A');
    board.run(kMillisecond);
    EXPECT_TRUE(board.irqs.empty());
    board.strobe('B', kIrqEnable);
    board.run(kMillisecond);
    EXPECT_EQ(board.irqs, (std::vector<bool>{true}));
    EXPECT_EQ(board.port.read(kStatus) & kNotIrq, 0);
    EXPECT_EQ(board.port.read(kStatus) & kNotIrq, kNotIrq);  // cleared by reading it
    EXPECT_EQ(board.irqs, (std::vector<bool>{true, false}));
}

TEST(ParallelPort, EveryAcknowledgeIsAnEdgeEvenIfNobodyReadsTheStatus)
{
    Board board;
    for (char c : {'a', 'b', 'c'}) {
        board.strobe(static_cast<u8>(c), kIrqEnable);
        board.run(kMillisecond);
    }
    EXPECT_EQ(board.irqs, (std::vector<bool>{true, false, true, false, true}));
    EXPECT_EQ(board.printed, "abc");
}

TEST(ParallelPort, DirectionBitReadsTheFarEnd)
{
    Board board;
    board.port.write(kData, 0x55);
    board.port.set_data_input(0x3C);
    EXPECT_EQ(board.port.read(kData), 0x55);
    board.port.write(kControl, kInput);
    EXPECT_EQ(board.port.read(kData), 0x3C);
    board.port.write(kControl, 0);
    EXPECT_EQ(board.port.read(kData), 0x55);
}

TEST(ParallelPort, ResumesInTheMiddleOfAHandshake)
{
    Board board;
    board.strobe('A', kIrqEnable);
    board.run(ParallelPort::kBusyTime - ParallelPort::kAckTime);
    StateWriter writer;
    writer.save("board", board);
    Board resumed;
    StateReader(writer.saved).load("board", resumed);
    resumed.run(ParallelPort::kAckTime);
    EXPECT_EQ(resumed.irqs, (std::vector<bool>{true}));
    EXPECT_EQ(resumed.port.read(kStatus) & (kNotBusy | kNotAck), kNotBusy | kNotAck);
}
