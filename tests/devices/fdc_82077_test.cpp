#include "devices/fdc_82077.h"

#include <gtest/gtest.h>

#include <vector>

#include "machine/savestate.h"
#include "tests/devices/memory_medium.h"

using namespace reprise;

namespace {

constexpr Geometry k1440{80, 2, 18}, k360{40, 2, 9}, k720{80, 2, 9}, k2880{80, 2, 36};

/// A controller with drives, and a DMA channel that counts down to TC.
struct Board {
    Scheduler scheduler;
    Fdc82077 fdc;
    MemoryMedium disk{k1440.total() * 512};
    std::vector<u8> memory;
    std::size_t dma_left = 0, dma_at = 0;
    bool to_memory = true, dma_masked = false;
    bool irq = false;
    int irq_edges = 0;

    explicit Board(FloppyType type = FloppyType::M1_44)
        : fdc(scheduler, {type, FloppyType::M1_2, FloppyType::None, FloppyType::None})
    {
        fdc.on_irq = [this](bool level) {
            irq_edges += level && !irq;
            irq = level;
        };
        fdc.on_drq = [this](bool) { run_dma(); };
    }

    void run_dma()
    {
        while (fdc.state.drq && dma_left && !dma_masked) {
            --dma_left;
            if (to_memory) memory[dma_at++] = fdc.dma_read();
            else fdc.dma_write(memory[dma_at++]);
            if (dma_left == 0) fdc.terminal_count();
        }
    }

    /// Drive 0 selected, its motor on, 500 kbps, 1 ms steps, a 2 ms head load time.
    void start(u8 rate = 0, bool dma = true)
    {
        fdc.write(2, 0x00);
        fdc.write(2, 0x1C);
        wait_irq();
        for (int i = 0; i < 4; ++i) command({0x08}, 2);
        fdc.write(7, rate);
        command({0x03, 0xFF, static_cast<u8>(dma ? 0x02 : 0x03)}, 0);
    }

    void insert(Geometry geometry = k1440)
    {
        fdc.insert(0, &disk, geometry);
        command({0x0F, 0, 1}, 0);
        wait_irq();
        command({0x08}, 2);
        command({0x07, 0}, 0);
        wait_irq();
        command({0x08}, 2);
    }

    void dma(std::size_t bytes, bool read)
    {
        memory.resize(bytes);
        dma_left = bytes;
        dma_at = 0;
        to_memory = read;
    }

    void send(std::initializer_list<u8> bytes)
    {
        for (u8 byte : bytes) {
            EXPECT_EQ(fdc.read(4) & 0xC0, 0x80);
            fdc.write(5, byte);
        }
    }

    std::vector<u8> command(std::initializer_list<u8> bytes, int results)
    {
        send(bytes);
        return result(results);
    }

    std::vector<u8> result(int count)
    {
        std::vector<u8> bytes;
        for (int i = 0; i < count; ++i) {
            EXPECT_EQ(fdc.read(4) & 0xD0, 0xD0);
            bytes.push_back(fdc.read(5));
        }
        EXPECT_EQ(fdc.read(4) & 0xD0, 0x80);
        return bytes;
    }

    /// Runs until INT or for three seconds, and tells how long it took.
    Time wait_irq()
    {
        const Time start_time = scheduler.now();
        while (!irq && scheduler.next_deadline() < start_time + 3 * kSecond)
            scheduler.advance_to(scheduler.next_deadline());
        EXPECT_TRUE(irq);
        return scheduler.now() - start_time;
    }

    void visit(auto& v)
    {
        v("scheduler", scheduler);
        v("fdc", fdc);
    }

    /// A data command with its seven result bytes.
    std::vector<u8> transfer(std::initializer_list<u8> bytes)
    {
        send(bytes);
        wait_irq();
        return result(7);
    }
};

using Bytes = std::vector<u8>;

}  // namespace

TEST(Fdc82077, ResetRaisesOneInterruptAndFourSenses)
{
    Board board;
    board.fdc.write(2, 0x0C);
    EXPECT_EQ(board.fdc.read(4), 0);
    board.wait_irq();
    for (u8 drive = 0; drive < 4; ++drive)
        EXPECT_EQ(board.command({0x08}, 2), (Bytes{static_cast<u8>(0xC0 | drive), 0}));
    EXPECT_FALSE(board.irq);
    EXPECT_EQ(board.irq_edges, 1);
    EXPECT_EQ(board.command({0x08}, 1), (Bytes{0x80}));
}

TEST(Fdc82077, SoftwareResetThroughDsrEndsByItself)
{
    Board board;
    board.start();
    board.fdc.write(4, 0x80);
    board.wait_irq();
    EXPECT_EQ(board.command({0x08}, 2), (Bytes{0xC0, 0}));
}

TEST(Fdc82077, DmaGateInDorHoldsTheInterruptBack)
{
    Board board;
    board.fdc.write(2, 0x04);
    board.scheduler.advance_to(kMillisecond);
    EXPECT_FALSE(board.irq);
    board.fdc.write(2, 0x0C);
    EXPECT_TRUE(board.irq);
}

TEST(Fdc82077, AnswersVersionPartIdAndInvalidCommands)
{
    Board board;
    board.start();
    EXPECT_EQ(board.command({0x10}, 1), (Bytes{0x90}));
    EXPECT_EQ(board.command({0x18}, 1), (Bytes{0x80}));
    EXPECT_EQ(board.command({0x1F}, 1), (Bytes{0x80}));
    EXPECT_EQ(board.command({0x00}, 1), (Bytes{0x80}));
}

TEST(Fdc82077, LockKeepsFifoParametersThroughSoftwareReset)
{
    Board board;
    board.start();
    board.command({0x13, 0, 0x57, 5}, 0);
    EXPECT_EQ(board.command({0x94}, 1), (Bytes{0x10}));
    board.fdc.write(2, 0x18);
    board.fdc.write(2, 0x1C);
    board.wait_irq();
    Bytes registers = board.command({0x0E}, 10);
    EXPECT_EQ(registers[7] & 0x80, 0x80);
    EXPECT_EQ(registers[8], 0x07);  // EIS and POLL are reset all the same
    EXPECT_EQ(registers[9], 5);

    EXPECT_EQ(board.command({0x14}, 1), (Bytes{0x00}));
    board.fdc.write(2, 0x18);
    board.fdc.write(2, 0x1C);
    board.wait_irq();
    registers = board.command({0x0E}, 10);
    EXPECT_EQ(registers[8], 0x20);
    EXPECT_EQ(registers[9], 0);
}

TEST(Fdc82077, DumpregShowsPerpendicularModeAndSpecify)
{
    Board board;
    board.start();
    board.command({0x12, 0x87}, 0);
    board.command({0x12, 0x02}, 0);  // without OW the drive bits stay
    const Bytes registers = board.command({0x0E}, 10);
    EXPECT_EQ(registers[4], 0xFF);
    EXPECT_EQ(registers[5], 0x02);
    EXPECT_EQ(registers[7], 0x06);
}

TEST(Fdc82077, SeekTakesTheStepRateForEachCylinder)
{
    Board board;
    board.start();
    board.command({0x03, 0xAF, 0x02}, 0);  // SRT = A: 6 ms at 500 kbps
    board.send({0x0F, 0, 10});
    EXPECT_EQ(board.fdc.read(4), 0x81);  // drive 0 busy, the controller is not
    const Time time = board.wait_irq();
    EXPECT_GE(time, 60 * kMillisecond);
    EXPECT_LE(time, 67 * kMillisecond);
    EXPECT_EQ(board.command({0x08}, 2), (Bytes{0x20, 10}));
    EXPECT_EQ(board.fdc.read(4), 0x80);
    EXPECT_EQ(board.fdc.drive(0).state.cylinder, 10);
}

TEST(Fdc82077, SeeksOfTwoDrivesOverlapAndEachGetsAnInterruptEdge)
{
    Board board;
    board.start();
    board.send({0x0F, 0, 5});
    board.send({0x0F, 1, 5});
    EXPECT_EQ(board.fdc.read(4), 0x83);
    const int before = board.irq_edges;
    board.scheduler.advance_to(board.scheduler.now() + 100 * kMillisecond);
    EXPECT_EQ(board.command({0x08}, 2), (Bytes{0x20, 5}));
    EXPECT_EQ(board.command({0x08}, 2), (Bytes{0x21, 5}));
    EXPECT_EQ(board.irq_edges, before + 2);
}

TEST(Fdc82077, RelativeSeekMovesFromWhereTheHeadIs)
{
    Board board;
    board.start();
    board.send({0xCF, 0, 7});
    board.wait_irq();
    EXPECT_EQ(board.command({0x08}, 2), (Bytes{0x20, 7}));
    board.send({0x8F, 0, 3});
    board.wait_irq();
    EXPECT_EQ(board.command({0x08}, 2), (Bytes{0x20, 4}));
}

TEST(Fdc82077, RecalibrateGivesUpAfter79Steps)
{
    Board board;
    board.start();
    board.send({0x0F, 0, 82});
    board.wait_irq();
    board.command({0x08}, 2);
    board.send({0x07, 0});
    board.wait_irq();
    EXPECT_EQ(board.command({0x08}, 2)[0], 0x70);  // abnormal, seek end, equipment check
    board.send({0x07, 0});
    board.wait_irq();
    EXPECT_EQ(board.command({0x08}, 2), (Bytes{0x20, 0}));
    board.send({0x07, 2});  // no drive: TRK0 never comes
    board.wait_irq();
    EXPECT_EQ(board.command({0x08}, 2)[0], 0x72);
}

TEST(Fdc82077, DiskChangeLineIsClearedByAStepWithAMedium)
{
    Board board;
    board.start();
    EXPECT_EQ(board.fdc.read(7) & 0x80, 0x80);
    board.send({0x0F, 0, 1});
    board.wait_irq();
    board.command({0x08}, 2);
    EXPECT_EQ(board.fdc.read(7) & 0x80, 0x80);
    board.insert();
    EXPECT_EQ(board.fdc.read(7) & 0x80, 0);
    board.fdc.eject(0);
    EXPECT_EQ(board.fdc.read(7) & 0x80, 0x80);
}

TEST(Fdc82077, SenseDriveShowsTrack0AndWriteProtect)
{
    Board board;
    board.start();
    board.insert();
    EXPECT_EQ(board.command({0x04, 4}, 1), (Bytes{0x3C}));
    board.disk.write_protected = true;
    EXPECT_EQ(board.command({0x04, 0}, 1), (Bytes{0x78}));
}

TEST(Fdc82077, ReadDataMovesASectorByDmaAtTheDataRate)
{
    Board board;
    board.start();
    board.insert();
    board.dma(512, true);
    board.send({0xE6, 0, 0, 0, 3, 2, 18, 0x1B, 0xFF});
    EXPECT_EQ(board.fdc.read(4), 0x10);
    const Time time = board.wait_irq();
    EXPECT_EQ(board.result(7), (Bytes{0x00, 0, 0, 0, 0, 4, 2}));
    EXPECT_EQ(board.memory, Bytes(512, MemoryMedium::pattern(2)));
    EXPECT_FALSE(board.irq);
    EXPECT_GE(time, 512 * 16 * kMicrosecond);
    EXPECT_LE(time, 215 * kMillisecond);
}

TEST(Fdc82077, AWholeCylinderTakesTwoRevolutions)
{
    Board board;
    board.start();
    board.insert();
    board.dma(36 * 512, true);
    board.send({0xE6, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF});
    const Time time = board.wait_irq();
    // MT at EOT of head 1: the next cylinder, head 0, sector 1.
    EXPECT_EQ(board.result(7), (Bytes{0x04, 0, 0, 1, 0, 1, 2}));
    for (u64 sector = 0; sector < 36; ++sector)
        EXPECT_EQ(board.memory[sector * 512 + 511], MemoryMedium::pattern(sector));
    EXPECT_GE(time, 390 * kMillisecond);
    EXPECT_LE(time, 610 * kMillisecond);
}

TEST(Fdc82077, ResultPhaseNamesTheNextSector)
{
    Board board;
    board.start();
    board.insert();
    board.dma(512, true);  // last sector of head 0, not MT: next cylinder
    EXPECT_EQ(board.transfer({0x46, 0, 0, 0, 18, 2, 18, 0x1B, 0xFF}),
              (Bytes{0x00, 0, 0, 1, 0, 1, 2}));
    board.dma(512, true);  // the same with MT: other head
    EXPECT_EQ(board.transfer({0xC6, 0, 0, 0, 18, 2, 18, 0x1B, 0xFF}),
              (Bytes{0x00, 0, 0, 0, 1, 1, 2}));
}

TEST(Fdc82077, WithoutTerminalCountEndOfTrackIsAnError)
{
    Board board;
    board.start();
    board.insert();
    board.dma(100'000, true);
    EXPECT_EQ(board.transfer({0x46, 0, 0, 0, 17, 2, 18, 0x1B, 0xFF}),
              (Bytes{0x40, 0x80, 0, 1, 0, 1, 2}));
    EXPECT_EQ(board.dma_at, 2 * 512u);
}

TEST(Fdc82077, TerminalCountInsideASectorStillEndsNormally)
{
    Board board;
    board.start();
    board.insert();
    board.dma(100, true);
    EXPECT_EQ(board.transfer({0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF}),
              (Bytes{0x00, 0, 0, 0, 0, 2, 2}));

    board.dma(10, false);
    std::fill(board.memory.begin(), board.memory.end(), u8{0xEE});
    EXPECT_EQ(board.transfer({0x45, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF})[0], 0x00);
    EXPECT_EQ(board.disk.bytes[9], 0xEE);
    EXPECT_EQ(board.disk.bytes[10], 0x00);
    EXPECT_EQ(board.disk.bytes[511], 0x00);
    EXPECT_EQ(board.disk.bytes[512], MemoryMedium::pattern(1));
}

TEST(Fdc82077, WriteDataReachesTheMedium)
{
    Board board;
    board.start();
    board.insert();
    board.dma(1024, false);
    for (std::size_t i = 0; i < 1024; ++i) board.memory[i] = static_cast<u8>(i / 4);
    EXPECT_EQ(board.transfer({0xC5, 4, 0, 1, 5, 2, 18, 0x1B, 0xFF}),
              (Bytes{0x04, 0, 0, 0, 1, 7, 2}));
    const long at = (18 + 4) * 512;
    EXPECT_TRUE(
        std::equal(board.memory.begin(), board.memory.end(), board.disk.bytes.begin() + at));
}

TEST(Fdc82077, WriteProtectGivesNotWritable)
{
    Board board;
    board.start();
    board.insert();
    board.disk.write_protected = true;
    board.dma(512, false);
    const Bytes result = board.transfer({0x45, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF});
    EXPECT_EQ(result[0], 0x40);
    EXPECT_EQ(result[1], 0x02);
    EXPECT_EQ(board.transfer({0x4D, 0, 2, 18, 0x54, 0xF6})[1], 0x02);
}

TEST(Fdc82077, ASectorThatIsNotThereGivesNoData)
{
    Board board;
    board.start();
    board.insert();
    board.dma(512, true);
    const Time start = board.scheduler.now();
    EXPECT_EQ(board.transfer({0x46, 0, 0, 0, 19, 2, 30, 0x1B, 0xFF}),
              (Bytes{0x40, 0x04, 0, 0, 0, 19, 2}));
    EXPECT_GE(board.scheduler.now() - start, 200 * kMillisecond);               // two index pulses
    EXPECT_EQ(board.transfer({0x46, 0, 5, 0, 1, 2, 18, 0x1B, 0xFF})[2], 0x10);  // wrong cylinder
    EXPECT_EQ(board.transfer({0x46, 0, 0, 1, 1, 2, 18, 0x1B, 0xFF})[1], 0x04);  // H differs
    EXPECT_EQ(board.transfer({0x46, 0, 0, 0, 1, 3, 18, 0x1B, 0xFF})[1], 0x04);  // N differs
}

TEST(Fdc82077, MissingAddressMarkWithoutMediumOrAtAnotherRate)
{
    Board board;
    board.start();
    EXPECT_EQ(board.transfer({0x4A, 0})[1], 0x01);
    board.insert();
    EXPECT_EQ(board.transfer({0x4A, 0})[0], 0x00);
    board.fdc.write(7, 2);  // 250 kbps
    EXPECT_EQ(board.transfer({0x4A, 0})[1], 0x01);
    board.fdc.write(7, 0);
    EXPECT_EQ(board.transfer({0x0A, 0})[1], 0x01);  // FM
    board.fdc.write(2, 0x0C);                       // motor off
    EXPECT_EQ(board.transfer({0x4A, 0})[1], 0x01);
}

TEST(Fdc82077, ReadIdFollowsTheRotation)
{
    Board board;
    board.start();
    board.insert();
    const u8 first = board.transfer({0x4A, 0})[5];
    const u8 second = board.transfer({0x4A, 0})[5];
    EXPECT_EQ(second, first % 18 + 1);
}

TEST(Fdc82077, EveryFormatIsReadInASuitableDrive)
{
    struct Case {
        FloppyType drive;
        Geometry geometry;
        u8 rate;  // CCR
    };
    const Case cases[] = {
        {FloppyType::K360, {40, 1, 8}, 2},   {FloppyType::K360, {40, 1, 9}, 1},
        {FloppyType::K360, {40, 2, 8}, 2},   {FloppyType::K360, k360, 2},
        {FloppyType::M1_2, {40, 1, 8}, 1},   {FloppyType::M1_2, {40, 1, 8}, 2},
        {FloppyType::M1_2, k360, 1},         {FloppyType::M1_2, {80, 2, 15}, 0},
        {FloppyType::K720, k720, 2},         {FloppyType::M1_44, k720, 2},
        {FloppyType::M1_44, k1440, 0},       {FloppyType::M1_44, {80, 2, 21}, 0},
        {FloppyType::M1_44, {82, 2, 21}, 0}, {FloppyType::M2_88, k2880, 3},
        {FloppyType::M2_88, k1440, 0},       {FloppyType::M2_88, k720, 2},
    };
    for (const Case& c : cases) {
        Board board(c.drive);
        board.start(c.rate);
        board.disk = MemoryMedium(c.geometry.total() * 512);
        board.insert(c.geometry);
        const u8 last = static_cast<u8>(c.geometry.cylinders - 1);
        const u8 eot = static_cast<u8>(c.geometry.sectors);
        board.send({0x0F, 0, last});
        board.wait_irq();
        board.command({0x08}, 2);
        board.dma(eot * 512u, true);
        const Time start = board.scheduler.now();
        const Bytes result = board.transfer({0x46, 0, last, 0, 1, 2, eot, 0x1B, 0xFF});
        EXPECT_EQ(result[0], 0) << c.geometry.cylinders << 'x' << c.geometry.sectors;
        const u64 first = u64{last} * c.geometry.heads * eot;
        EXPECT_EQ(board.memory.back(), MemoryMedium::pattern(first + eot - 1));
        EXPECT_LE(board.scheduler.now() - start, 600 * kMillisecond) << "lost a revolution";
    }
}

TEST(Fdc82077, A360KMediumInA1200KDriveTakesDoubleSteps)
{
    Board board(FloppyType::M1_2);
    board.start(1);
    board.disk = MemoryMedium(k360.total() * 512);
    board.insert(k360);
    board.send({0x0F, 0, 60});
    board.wait_irq();
    board.command({0x08}, 2);
    board.dma(512, true);
    EXPECT_EQ(board.transfer({0x46, 0, 30, 0, 1, 2, 9, 0x2A, 0xFF})[0], 0);
    EXPECT_EQ(board.memory[0], MemoryMedium::pattern(30 * 18));
}

TEST(Fdc82077, AMaskedDmaChannelGivesOverrun)
{
    Board board;
    board.start();
    board.insert();
    board.dma_masked = true;
    board.dma(512, true);
    EXPECT_EQ(board.transfer({0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF})[1], 0x10);
    board.dma(512, false);
    EXPECT_EQ(board.transfer({0x45, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF})[1], 0x10);
    EXPECT_EQ(board.disk.bytes[0], MemoryMedium::pattern(0));
    EXPECT_FALSE(board.fdc.state.drq);
}

TEST(Fdc82077, WithoutDmaEveryByteComesWithAnInterrupt)
{
    Board board;
    board.start(0, false);
    board.insert();
    board.send({0x46, 0, 0, 0, 18, 2, 18, 0x1B, 0xFF});
    for (int i = 0; i < 512; ++i) {
        board.wait_irq();
        ASSERT_EQ(board.fdc.read(4), 0xF0) << i;
        ASSERT_EQ(board.fdc.read(5), MemoryMedium::pattern(17));
        EXPECT_FALSE(board.irq);
        EXPECT_EQ(board.fdc.read(4), 0x30);
    }
    board.wait_irq();
    EXPECT_EQ(board.result(7)[1], 0x80);  // no TC without DMA: end of cylinder
}

TEST(Fdc82077, WithoutDmaTheFifoTakesBytesAhead)
{
    Board board;
    board.start(0, false);
    board.command({0x13, 0, 0x08, 0}, 0);  // FIFO on, threshold 8
    board.insert();
    board.send({0x45, 0, 0, 0, 18, 2, 18, 0x1B, 0xFF});
    int sent = 0;
    while (sent < 512) {
        board.wait_irq();
        while ((board.fdc.read(4) & 0xE0) == 0xA0) {
            board.fdc.write(5, 0x77);
            ++sent;
        }
    }
    board.wait_irq();
    EXPECT_EQ(board.result(7)[1], 0x80);
    EXPECT_EQ(board.disk.bytes[17 * 512 + 511], 0x77);
}

TEST(Fdc82077, WithoutDmaALateHostGetsOverrun)
{
    Board board;
    board.start(0, false);
    board.insert();
    board.send({0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF});
    board.scheduler.advance_to(board.scheduler.now() + kSecond);
    const Bytes result = board.result(7);
    EXPECT_EQ(result[0], 0x40);
    EXPECT_EQ(result[1], 0x10);
}

TEST(Fdc82077, DeletedDataMarksAreKeptAndSkipped)
{
    Board board;
    board.start();
    board.insert();
    board.dma(512, false);
    EXPECT_EQ(board.transfer({0x49, 0, 0, 0, 2, 2, 18, 0x1B, 0xFF})[0], 0);
    board.dma(1024, true);  // SK = 0: read with the control mark, and stop
    EXPECT_EQ(board.transfer({0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF}),
              (Bytes{0x00, 0, 0x40, 0, 0, 3, 2}));
    board.dma(1024, true);  // SK = 1: sectors 1 and 3
    EXPECT_EQ(board.transfer({0x66, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF}),
              (Bytes{0x00, 0, 0x40, 0, 0, 4, 2}));
    EXPECT_EQ(board.memory[512], MemoryMedium::pattern(2));
    board.dma(512, true);
    EXPECT_EQ(board.transfer({0x4C, 0, 0, 0, 2, 2, 18, 0x1B, 0xFF})[2], 0);
}

TEST(Fdc82077, ReadTrackStartsAtTheIndexHole)
{
    Board board;
    board.start();
    board.insert();
    board.dma(18 * 512, true);
    EXPECT_EQ(board.transfer({0x42, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF})[0], 0);
    for (u64 sector = 0; sector < 18; ++sector)
        EXPECT_EQ(board.memory[sector * 512], MemoryMedium::pattern(sector));
    board.dma(512, true);  // IDs that do not match only set ND
    const Bytes result = board.transfer({0x42, 0, 0, 0, 7, 2, 18, 0x1B, 0xFF});
    EXPECT_EQ(result[1], 0x04);
    EXPECT_EQ(board.memory[0], MemoryMedium::pattern(0));
}

TEST(Fdc82077, VerifyEndsAtEotOrAfterScSectors)
{
    Board board;
    board.start();
    board.insert();
    EXPECT_EQ(board.transfer({0x56, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF}),
              (Bytes{0x00, 0, 0, 1, 0, 1, 2}));
    EXPECT_EQ(board.transfer({0x56, 0x80, 0, 0, 1, 2, 18, 0x1B, 4}),
              (Bytes{0x00, 0, 0, 0, 0, 5, 2}));
    EXPECT_EQ(board.transfer({0x56, 0, 0, 0, 1, 2, 20, 0x1B, 0xFF})[1], 0x04);
}

TEST(Fdc82077, FormatTrackFillsSectors)
{
    Board board;
    board.start();
    board.insert();
    board.dma(18 * 4, false);
    for (u8 i = 0; i < 18; ++i) {
        const u8 id[4] = {0, 1, static_cast<u8>(i + 1), 2};
        std::copy_n(id, 4, board.memory.begin() + i * 4);
    }
    const Bytes result = board.transfer({0x4D, 4, 2, 18, 0x54, 0xF6});
    EXPECT_EQ(result[0], 0x04);
    EXPECT_EQ(board.disk.bytes[17 * 512], MemoryMedium::pattern(17));
    EXPECT_EQ(board.disk.bytes[18 * 512], 0xF6);
    EXPECT_EQ(board.disk.bytes[36 * 512 - 1], 0xF6);
    EXPECT_EQ(board.disk.bytes[36 * 512], MemoryMedium::pattern(36));
}

TEST(Fdc82077, ScansCompareWithTheHostsBytes)
{
    Board board;
    board.start();
    board.insert();
    const auto scan = [&](u8 command, u8 host) {
        board.dma(512, false);
        std::fill(board.memory.begin(), board.memory.end(), host);
        board.memory[5] = 0xFF;  // matches anything
        return board.transfer({command, 0, 0, 0, 2, 2, 18, 0x1B, 1})[2];
    };
    const u8 disk = MemoryMedium::pattern(1);
    EXPECT_EQ(scan(0x51, disk), 0x08);
    EXPECT_EQ(scan(0x51, disk + 1), 0x04);
    EXPECT_EQ(scan(0x59, disk + 1), 0x00);
    EXPECT_EQ(scan(0x59, disk - 1), 0x04);
    EXPECT_EQ(scan(0x5D, disk - 1), 0x00);
    EXPECT_EQ(scan(0x5D, disk), 0x08);
}

TEST(Fdc82077, ImpliedSeekGoesToTheCylinderFirst)
{
    Board board;
    board.start();
    board.insert();
    board.command({0x13, 0, 0x60, 0}, 0);
    board.dma(512, true);
    EXPECT_EQ(board.transfer({0x46, 0, 12, 0, 1, 2, 18, 0x1B, 0xFF}),
              (Bytes{0x20, 0, 0, 12, 0, 2, 2}));
    EXPECT_EQ(board.memory[0], MemoryMedium::pattern(12 * 36));
}

TEST(Fdc82077, HostErrorsBecomeDataAndEquipmentErrors)
{
    Board board;
    board.start();
    board.insert();
    board.disk.broken = true;
    board.dma(512, true);
    Bytes result = board.transfer({0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF});
    EXPECT_EQ(result[1], 0x20);
    EXPECT_EQ(result[2], 0x20);
    board.dma(512, false);
    result = board.transfer({0x45, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF});
    EXPECT_EQ(result[0], 0x50);
}

TEST(Fdc82077, ResetStopsATransferInItsTracks)
{
    Board board;
    board.start();
    board.insert();
    board.dma(512, true);
    board.send({0x46, 0, 0, 0, 1, 2, 18, 0x1B, 0xFF});
    board.fdc.write(2, 0x18);
    EXPECT_EQ(board.scheduler.next_deadline(), kNever);
    board.fdc.write(2, 0x1C);
    board.wait_irq();
    EXPECT_EQ(board.command({0x08}, 2)[0], 0xC0);
}

TEST(Fdc82077, ASavedStateGoesOnInTheMiddleOfASector)
{
    Board board;
    board.start();
    board.insert();
    board.dma(512, true);
    board.send({0x46, 0, 0, 0, 9, 2, 18, 0x1B, 0xFF});
    while (board.dma_left > 256) board.scheduler.advance_to(board.scheduler.next_deadline());
    StateWriter writer;
    writer.save("board", board);

    Board copy;
    copy.fdc.insert(0, &copy.disk, k1440);
    StateReader(writer.saved).load("board", copy);
    copy.memory = board.memory;
    copy.dma_left = board.dma_left;
    copy.dma_at = board.dma_at;
    EXPECT_EQ(copy.wait_irq(), board.wait_irq());
    EXPECT_EQ(copy.result(7), (Bytes{0x00, 0, 0, 0, 0, 10, 2}));
    EXPECT_EQ(copy.memory, Bytes(512, MemoryMedium::pattern(8)));
}

TEST(Fdc82077, SurvivesRandomRegisterAccesses)
{
    Board board;
    board.fdc.insert(0, &board.disk, k1440);
    board.memory.resize(1 << 20);
    board.dma_left = 1 << 20;
    u32 seed = 12345;
    for (int i = 0; i < 200'000; ++i) {
        seed = seed * 1664525 + 1013904223;
        const u16 offset = (seed >> 29) < 5 ? 5 : seed >> 20 & 7;
        if (seed >> 16 & 1) board.fdc.write(offset, static_cast<u8>(seed >> 8));
        else board.fdc.read(offset);
        if ((seed >> 10 & 63) == 0) board.fdc.write(2, 0x1C);
        board.to_memory = seed >> 27 & 1;
        board.dma_at = 0;
        board.scheduler.advance_to(board.scheduler.now() + (seed & 0xFFFF));
        if ((seed >> 12 & 1023) == 0) board.fdc.eject(0);
        if ((seed >> 12 & 1023) == 1) board.fdc.insert(0, &board.disk, k2880);
    }
}
