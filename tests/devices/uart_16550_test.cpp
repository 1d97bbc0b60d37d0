#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "devices/uart_16550.h"
#include "machine/savestate.h"

using namespace reprise;

namespace {

enum Register : u16 { kRbr, kIer, kIir, kLcr, kMcr, kLsr, kMsr, kScr, kThr = 0, kFcr = 2 };
constexpr u8 kDr = 0x01, kOe = 0x02, kFe = 0x08, kBi = 0x10, kThre = 0x20, kTemt = 0x40;
constexpr u8 kErrorInFifo = 0x80;
constexpr u8 kErbfi = 0x01, kEtbei = 0x02, kElsi = 0x04, kEdssi = 0x08;
constexpr u8 kLoop = 0x10;
/// 9600 baud, 8N1: ten bits of 104.17 us.
constexpr Time kCharacter = 10 * kSecond / 9600;

struct Board {
    Scheduler scheduler;
    Uart16550 uart{scheduler};
    std::string sent;
    std::vector<bool> irqs;

    Board()
    {
        uart.on_transmit = [this](u8 byte) { sent += static_cast<char>(byte); };
        uart.on_irq = [this](bool level) { irqs.push_back(level); };
        line(12, 0x03);
    }

    void line(u16 divisor, u8 lcr)
    {
        uart.write(kLcr, 0x80 | lcr);
        uart.write(0, static_cast<u8>(divisor));
        uart.write(1, static_cast<u8>(divisor >> 8));
        uart.write(kLcr, lcr);
    }

    void run(Time time) { scheduler.advance_to(scheduler.now() + time); }
    void receive(std::string_view text)
    {
        for (char c : text) uart.receive(static_cast<u8>(c));
    }
    std::string read_all()
    {
        std::string text;
        while (uart.read(kLsr) & kDr) text += static_cast<char>(uart.read(kRbr));
        return text;
    }
    u8 iir() { return uart.read(kIir); }

    void visit(auto& v)
    {
        v("scheduler", scheduler);
        v("uart", uart.state);
    }
};

}  // namespace

TEST(Uart16550, RegistersAfterMasterReset)
{
    Board board;
    board.uart.write(kIer, 0x0F);
    board.uart.write(kMcr, 0x1F);
    board.uart.write(kFcr, 0xC1);
    board.uart.write(kScr, 0x5A);
    board.uart.reset();
    EXPECT_EQ(board.uart.read(kIer), 0);
    EXPECT_EQ(board.uart.read(kIir), 0x01);
    EXPECT_EQ(board.uart.read(kLcr), 0);
    EXPECT_EQ(board.uart.read(kMcr), 0);
    EXPECT_EQ(board.uart.read(kLsr), 0x60);
    EXPECT_EQ(board.uart.read(kMsr) & 0x0F, 0);
    EXPECT_EQ(board.uart.read(kScr), 0x5A);
    EXPECT_FALSE(board.uart.irq());
}

TEST(Uart16550, UnusedBitsReadAsZero)
{
    Board board;
    board.uart.write(kIer, 0xFF);
    board.uart.write(kMcr, 0xFF);
    EXPECT_EQ(board.uart.read(kIer), 0x0F);
    EXPECT_EQ(board.uart.read(kMcr), 0x1F);
}

TEST(Uart16550, DlabShowsTheDivisorLatch)
{
    Board board;
    board.line(0x1234, 0x03);
    board.uart.write(kLcr, 0x83);
    EXPECT_EQ(board.uart.read(0), 0x34);
    EXPECT_EQ(board.uart.read(1), 0x12);
    board.uart.write(kLcr, 0x03);
    EXPECT_EQ(board.uart.read(kIer), 0);
}

TEST(Uart16550, CharacterTakesTenBitTimesAt8N1)
{
    Board board;
    board.uart.write(kThr, 'A');
    board.run(kCharacter - kMicrosecond);
    EXPECT_EQ(board.sent, "");
    EXPECT_EQ(board.uart.read(kLsr), kThre);
    board.run(kMicrosecond);
    EXPECT_EQ(board.sent, "A");
    EXPECT_EQ(board.uart.read(kLsr), kThre | kTemt);
}

TEST(Uart16550, FrameLengthFollowsLcr)
{
    struct Case {
        u8 lcr;
        u64 half_bits;
    };
    for (const Case& c : {Case{0x00, 14}, Case{0x04, 15}, Case{0x07, 22}, Case{0x0B, 22},
                          Case{0x0F, 24}, Case{0x1A, 20}}) {
        Board board;
        board.line(96, c.lcr);  // 1200 baud
        board.uart.write(kThr, 'A');
        const Time time = c.half_bits * kSecond / 2400;
        board.run(time - kMicrosecond);
        EXPECT_EQ(board.sent.size(), 0u) << int(c.lcr);
        board.run(2 * kMicrosecond);
        EXPECT_EQ(board.sent.size(), 1u) << int(c.lcr);
    }
}

TEST(Uart16550, ShortCharactersLoseTheirUpperBits)
{
    Board board;
    board.line(12, 0x02);  // 7 bits
    board.uart.write(kThr, 'A' | 0x80);
    board.run(kCharacter);
    EXPECT_EQ(board.sent, "A");
}

TEST(Uart16550, DivisorZeroDoesNotStopTheLine)
{
    Board board;
    board.line(0, 0x03);
    board.uart.write(kThr, 'A');
    board.run(kSecond);
    EXPECT_EQ(board.sent, "A");
}

TEST(Uart16550, WithoutFifosThrHoldsOneBehindTheShiftRegister)
{
    Board board;
    board.uart.write(kThr, 'A');
    EXPECT_TRUE(board.uart.read(kLsr) & kThre);
    board.uart.write(kThr, 'B');
    EXPECT_FALSE(board.uart.read(kLsr) & kThre);
    board.uart.write(kThr, 'C');  // overwrites
    board.run(3 * kCharacter);
    EXPECT_EQ(board.sent, "AC");
}

TEST(Uart16550, EnablingEtbeiWithEmptyThrInterruptsAndIirClearsIt)
{
    Board board;
    board.uart.write(kIer, kEtbei);
    EXPECT_TRUE(board.uart.irq());
    EXPECT_EQ(board.iir(), 0x02);
    EXPECT_FALSE(board.uart.irq());
    EXPECT_EQ(board.iir(), 0x01);
    board.uart.write(kIer, 0);
    board.uart.write(kIer, kEtbei);
    EXPECT_TRUE(board.uart.irq());
}

TEST(Uart16550, WritingThrDropsTheInterruptEvenIfItReturnsAtOnce)
{
    Board board;
    board.uart.write(kIer, kEtbei);
    board.irqs.clear();
    board.uart.write(kThr, 'A');
    EXPECT_EQ(board.irqs, (std::vector<bool>{false, true}));
    board.uart.write(kThr, 'B');
    EXPECT_FALSE(board.uart.irq());
    board.run(kCharacter);
    EXPECT_TRUE(board.uart.irq());
}

TEST(Uart16550, XmitFifoTakesSixteenBehindTheShiftRegister)
{
    Board board;
    board.uart.write(kFcr, 0x01);
    const std::string text = "0123456789ABCDEFG";
    for (char c : text + "lost") board.uart.write(kThr, static_cast<u8>(c));
    board.run(16 * kCharacter + kMicrosecond);
    EXPECT_TRUE(board.uart.read(kLsr) & kThre);
    EXPECT_FALSE(board.uart.read(kLsr) & kTemt);
    board.run(10 * kCharacter);
    EXPECT_EQ(board.sent, text);
}

TEST(Uart16550, ThreIsLateAfterASingleByteInFifoMode)
{
    Board board;
    board.uart.write(kFcr, 0x01);
    board.uart.write(kIer, kEtbei);
    board.iir();
    board.uart.write(kThr, 'A');
    const Time nine_bits = 9 * kSecond / 9600;
    board.run(nine_bits - kMicrosecond);
    EXPECT_FALSE(board.uart.irq());
    EXPECT_FALSE(board.uart.read(kLsr) & kThre);
    board.run(2 * kMicrosecond);
    EXPECT_TRUE(board.uart.irq());
    EXPECT_TRUE(board.uart.read(kLsr) & kThre);
}

TEST(Uart16550, ReceivesAtTheBaudRate)
{
    Board board;
    board.receive("ab");
    board.run(kCharacter - kMicrosecond);
    EXPECT_FALSE(board.uart.read(kLsr) & kDr);
    board.run(2 * kMicrosecond);
    EXPECT_EQ(board.read_all(), "a");
    board.run(kCharacter);
    EXPECT_EQ(board.read_all(), "b");
}

TEST(Uart16550, WithoutFifosAnUnreadCharacterIsOverwritten)
{
    Board board;
    board.uart.write(kIer, kElsi | kErbfi);
    board.receive("ab");
    board.run(2 * kCharacter + kMicrosecond);
    EXPECT_EQ(board.iir(), 0x06);
    EXPECT_EQ(board.uart.read(kLsr) & (kOe | kDr), kOe | kDr);
    EXPECT_EQ(board.iir(), 0x04);  // reading LSR cleared the error
    EXPECT_EQ(board.uart.read(kRbr), 'b');
    EXPECT_EQ(board.iir(), 0x01);
}

TEST(Uart16550, FullRcvrFifoKeepsItsCharacters)
{
    Board board;
    board.uart.write(kFcr, 0x01);
    board.receive("0123456789ABCDEFG");
    board.run(16 * kCharacter + 10 * kMicrosecond);
    EXPECT_FALSE(board.uart.read(kLsr) & kOe);
    board.run(kCharacter);
    EXPECT_TRUE(board.uart.read(kLsr) & kOe);
    EXPECT_EQ(board.read_all(), "0123456789ABCDEF");
}

TEST(Uart16550, TriggerLevelsAre1And4And8And14)
{
    const std::array<int, 4> levels = {1, 4, 8, 14};
    for (unsigned i = 0; i < 4; ++i) {
        Board board;
        board.uart.write(kFcr, static_cast<u8>(0x01 | i << 6));
        board.uart.write(kIer, kErbfi);
        board.receive("0123456789ABCDEF");
        board.run(static_cast<Time>(levels[i]) * kCharacter - kMicrosecond);
        EXPECT_FALSE(board.uart.irq()) << levels[i];
        board.run(5 * kMicrosecond);
        EXPECT_EQ(board.iir(), 0xC4) << levels[i];
        board.uart.read(kRbr);
        EXPECT_FALSE(board.uart.irq()) << levels[i];  // below the level again
    }
}

TEST(Uart16550, TimeoutAfterFourCharacterTimes)
{
    Board board;
    board.uart.write(kFcr, 0xC1);
    board.uart.write(kIer, kErbfi);
    board.receive("ab");
    board.run(2 * kCharacter + kMicrosecond);
    board.run(4 * kCharacter - 5 * kMicrosecond);
    EXPECT_FALSE(board.uart.irq());
    board.run(6 * kMicrosecond);
    EXPECT_TRUE(board.uart.irq());
    EXPECT_EQ(board.iir(), 0xCC);
    board.uart.read(kRbr);  // ends it, and starts the next one
    EXPECT_FALSE(board.uart.irq());
    board.run(4 * kCharacter + kMicrosecond);
    EXPECT_EQ(board.iir(), 0xCC);
    board.uart.read(kRbr);
    board.run(10 * kCharacter);
    EXPECT_EQ(board.iir(), 0xC1);
}

TEST(Uart16550, ChangingFifoEnableClearsBothFifos)
{
    Board board;
    board.uart.write(kFcr, 0x01);
    board.receive("abc");
    board.run(4 * kCharacter);
    board.uart.write(kFcr, 0x06);  // bit 0 is off: FIFOs off, and the resets do not matter
    EXPECT_EQ(board.uart.read(kLsr), kThre | kTemt);
    EXPECT_EQ(board.iir(), 0x01);
}

TEST(Uart16550, RcvrResetEmptiesTheFifoAndDropsItsInterrupt)
{
    Board board;
    board.uart.write(kFcr, 0x01);
    board.uart.write(kIer, kErbfi);
    board.receive("abc");
    board.run(4 * kCharacter);
    EXPECT_TRUE(board.uart.irq());
    board.uart.write(kFcr, 0x03);
    EXPECT_FALSE(board.uart.irq());
    EXPECT_FALSE(board.uart.read(kLsr) & kDr);
    board.run(10 * kCharacter);
    EXPECT_FALSE(board.uart.irq());
}

TEST(Uart16550, BreakShowsWhenItsCharacterReachesTheTop)
{
    Board board;
    board.uart.write(kFcr, 0x01);
    board.receive("a");
    board.run(kCharacter + kMicrosecond);
    board.uart.receive_break();
    u8 lsr = board.uart.read(kLsr);
    EXPECT_EQ(lsr & (kBi | kErrorInFifo), kErrorInFifo);
    EXPECT_EQ(board.uart.read(kRbr), 'a');
    lsr = board.uart.read(kLsr);
    EXPECT_EQ(lsr & (kBi | kFe | kErrorInFifo | kDr), kBi | kFe | kErrorInFifo | kDr);
    EXPECT_EQ(board.uart.read(kLsr) & (kBi | kErrorInFifo), 0);
    EXPECT_EQ(board.uart.read(kRbr), 0);
}

TEST(Uart16550, SendsABreakWhileLcrBit6IsSet)
{
    Board board;
    std::vector<bool> breaks;
    board.uart.on_break = [&](bool level) { breaks.push_back(level); };
    board.uart.write(kLcr, 0x43);
    board.uart.write(kThr, 'A');
    board.run(2 * kCharacter);
    board.uart.write(kLcr, 0x03);
    EXPECT_EQ(breaks, (std::vector<bool>{true, false}));
    EXPECT_EQ(board.sent, "");
}

TEST(Uart16550, ModemInputsSetTheirDeltas)
{
    Board board;
    board.uart.write(kIer, kEdssi);
    board.uart.set_modem_inputs(Uart16550::kCts | Uart16550::kDsr);
    EXPECT_TRUE(board.uart.irq());
    EXPECT_EQ(board.iir(), 0x00);
    EXPECT_EQ(board.uart.read(kMsr), 0x33);
    EXPECT_FALSE(board.uart.irq());
    EXPECT_EQ(board.uart.read(kMsr), 0x30);
    board.uart.set_modem_inputs(Uart16550::kDcd);
    EXPECT_EQ(board.uart.read(kMsr), 0x8B);
}

TEST(Uart16550, TeriMarksTheEndOfARing)
{
    Board board;
    board.uart.set_modem_inputs(Uart16550::kRi);
    EXPECT_EQ(board.uart.read(kMsr), 0x40);
    board.uart.set_modem_inputs(0);
    EXPECT_EQ(board.uart.read(kMsr), 0x04);
}

TEST(Uart16550, ModemControlDrivesThePins)
{
    Board board;
    std::vector<u8> pins;
    board.uart.on_modem_control = [&](u8 active) { pins.push_back(active); };
    board.uart.write(kMcr, 0x0B);
    board.uart.write(kMcr, 0x0B);
    board.uart.write(kMcr, 0x1B);  // in a loop they are inactive
    EXPECT_EQ(pins, (std::vector<u8>{0x0B, 0x00}));
}

TEST(Uart16550, LoopConnectsModemControlToModemStatus)
{
    Board board;
    board.uart.set_modem_inputs(0xF0);
    board.uart.write(kMcr, kLoop);
    const std::array<std::array<u8, 2>, 4> wires = {
        {{0x01, 0x20}, {0x02, 0x10}, {0x04, 0x40}, {0x08, 0x80}}};
    for (const auto& [mcr, msr] : wires) {
        board.uart.write(kMcr, kLoop | mcr);
        EXPECT_EQ(board.uart.read(kMsr) & 0xF0, msr);
    }
    board.uart.write(kMcr, 0);
    EXPECT_EQ(board.uart.read(kMsr) & 0xF0, 0xF0);
}

TEST(Uart16550, LoopReceivesWhatIsSentAndNothingElse)
{
    Board board;
    board.uart.write(kMcr, kLoop);
    board.receive("z");
    board.uart.write(kThr, 'A');
    board.run(3 * kCharacter);
    EXPECT_EQ(board.read_all(), "A");
    EXPECT_EQ(board.sent, "");
    board.uart.write(kMcr, 0);
    board.run(3 * kCharacter);
    EXPECT_EQ(board.read_all(), "z");
}

TEST(Uart16550, LineStatusComesBeforeDataBeforeThreBeforeModem)
{
    Board board;
    board.uart.write(kIer, 0x0F);
    board.receive("ab");
    board.run(3 * kCharacter);
    board.uart.set_modem_inputs(Uart16550::kCts);
    EXPECT_EQ(board.iir(), 0x06);
    board.uart.read(kLsr);
    EXPECT_EQ(board.iir(), 0x04);
    board.uart.read(kRbr);
    EXPECT_EQ(board.iir(), 0x02);
    EXPECT_EQ(board.iir(), 0x00);
    board.uart.read(kMsr);
    EXPECT_EQ(board.iir(), 0x01);
}

TEST(Uart16550, HostQueueIsBounded)
{
    Board board;
    EXPECT_EQ(board.uart.receive_space(), Uart16550::kQueueSize);
    for (std::size_t i = 0; i < 2 * Uart16550::kQueueSize; ++i) board.uart.receive(1);
    EXPECT_EQ(board.uart.receive_space(), 0u);
    board.run(kCharacter + kMicrosecond);
    EXPECT_EQ(board.uart.receive_space(), 1u);
}

TEST(Uart16550, ResumesIdentically)
{
    Board board;
    board.uart.write(kFcr, 0x81);
    board.uart.write(kIer, 0x0F);
    for (char c : std::string("transmit")) board.uart.write(kThr, static_cast<u8>(c));
    board.receive("receive");
    board.run(3 * kCharacter + 12345);

    StateWriter writer;
    writer.save("board", board);
    Board resumed;
    StateReader(writer.saved).load("board", resumed);
    resumed.sent = board.sent;
    for (Board* b : {&board, &resumed}) b->run(20 * kCharacter);
    EXPECT_EQ(resumed.sent, "transmit");
    EXPECT_EQ(state_hash(resumed), state_hash(board));
    EXPECT_EQ(resumed.read_all(), "receive");
}

TEST(Uart16550, SurvivesAnyProgram)
{
    Board board;
    u32 random = 1;
    for (int i = 0; i < 200'000; ++i) {
        random = random * 1664525 + 1013904223;
        const u16 offset = random >> 8 & 15;
        if (random & 1 << 16) board.uart.write(offset, static_cast<u8>(random >> 24));
        else board.uart.read(offset);
        if ((random >> 18 & 63) == 0) board.uart.receive_break();
        board.uart.receive(static_cast<u8>(i));
        board.run(random >> 12 & 0xFFFF);
    }
}
