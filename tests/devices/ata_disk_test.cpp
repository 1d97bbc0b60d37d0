#include "devices/ata/ata_disk.h"

#include <gtest/gtest.h>

#include "devices/ata/ata_channel.h"
#include "tests/devices/memory_medium.h"

using namespace reprise;

namespace {

constexpr u64 kSectors = 20'160;  // 20 cylinders of 16 heads and 63 sectors

struct Board {
    Scheduler scheduler;
    MemoryMedium medium{kSectors * 512};
    AtaDisk disk{scheduler, "ata0.0", &medium};
    AtaChannel channel;
    bool irq = false;
    int irqs = 0;

    Board()
    {
        channel.attach(0, disk.port);
        channel.on_irq = [this](bool level) {
            irqs += level && !irq;
            irq = level;
        };
        channel.reset();
    }

    void wait()
    {
        while (channel.read_control() & 0x80) {
            ASSERT_NE(scheduler.next_deadline(), kNever);
            scheduler.advance_to(scheduler.next_deadline());
        }
    }

    void command(u8 code, u32 lba = 0, u8 count = 0, u8 device = 0xE0)
    {
        channel.write(6, static_cast<u8>(device | (lba >> 24 & 15)));
        channel.write(2, count);
        channel.write(3, static_cast<u8>(lba));
        channel.write(4, static_cast<u8>(lba >> 8));
        channel.write(5, static_cast<u8>(lba >> 16));
        channel.write(7, code);
        wait();
    }

    void command_ext(u8 code, u64 lba, u16 count)
    {
        channel.write(6, 0xE0);
        channel.write(2, static_cast<u8>(count >> 8));
        channel.write(2, static_cast<u8>(count));
        for (int i = 0; i < 3; ++i) {
            channel.write(static_cast<u16>(3 + i), static_cast<u8>(lba >> (24 + 8 * i)));
            channel.write(static_cast<u16>(3 + i), static_cast<u8>(lba >> 8 * i));
        }
        channel.write(7, code);
        wait();
    }

    u32 lba() { return channel.read(3) | channel.read(4) << 8 | channel.read(5) << 16; }

    std::vector<u16> read_words(int count)
    {
        std::vector<u16> words;
        for (int i = 0; i < count; ++i) words.push_back(static_cast<u16>(channel.read_data(2)));
        return words;
    }

    /// Reads sectors and checks that they are `first` and the following ones.
    void expect_sectors(u64 first, u32 count)
    {
        for (u32 i = 0; i < count; ++i) {
            wait();
            ASSERT_EQ(channel.read(7), 0x58);
            const u8 pattern = MemoryMedium::pattern(first + i);
            for (u16 word : read_words(256)) ASSERT_EQ(word, pattern * 0x101);
        }
    }

    std::vector<u16> identify()
    {
        command(0xEC, 0, 0, 0xA0);
        return read_words(256);
    }
};

}  // namespace

TEST(AtaDisk, ResetLeavesTheSignatureOfADisk)
{
    Board board;
    EXPECT_EQ(board.channel.read(7), 0x50);
    EXPECT_EQ(board.channel.read(1), 0x01);
    EXPECT_EQ(board.channel.read(2), 1);
    EXPECT_EQ(board.channel.read(3), 1);
    EXPECT_EQ(board.channel.read(4), 0);
    EXPECT_EQ(board.channel.read(5), 0);
}

TEST(AtaDisk, SoftwareResetIsBusyForAWhile)
{
    Board board;
    board.channel.write(6, 0xB0);
    board.channel.write_control(0x04);
    EXPECT_EQ(board.channel.read_control() & 0x80, 0x80);
    board.channel.write_control(0x00);
    EXPECT_EQ(board.channel.read_control() & 0x80, 0x80);
    board.wait();
    EXPECT_EQ(board.channel.read_control(), 0x50);
    EXPECT_EQ(board.channel.read(6), 0xA0);
    EXPECT_FALSE(board.irq);
}

TEST(AtaDisk, IdentifyDescribesTheDisk)
{
    Board board;
    const auto id = board.identify();
    EXPECT_EQ(board.channel.read_control(), 0x50);
    EXPECT_EQ(id[0] & 0x8000, 0);
    EXPECT_EQ(id[1], 20);
    EXPECT_EQ(id[3], 16);
    EXPECT_EQ(id[6], 63);
    EXPECT_EQ(id[27], 'R' << 8 | 'E');
    EXPECT_EQ(id[49] & 0x0300, 0x0300);
    EXPECT_EQ(id[60] | id[61] << 16, static_cast<int>(kSectors));
    EXPECT_EQ(id[83] & 0xC400, 0x4400);  // valid, 48-bit addresses
    EXPECT_EQ(id[100], kSectors);
    EXPECT_EQ(id[63], 0x0407);  // multiword DMA 0..2, 2 selected
}

TEST(AtaDisk, IdentifyPacketDeviceIsAborted)
{
    Board board;
    board.command(0xA1, 0x123456);
    EXPECT_EQ(board.channel.read(7), 0x51);
    EXPECT_EQ(board.channel.read(1), 0x04);
    EXPECT_EQ(board.channel.read(4), 0);
}

TEST(AtaDisk, ReadSectorsInterruptsOncePerSector)
{
    Board board;
    board.command(0x20, 1000, 3);
    EXPECT_TRUE(board.irq);
    board.expect_sectors(1000, 3);
    EXPECT_EQ(board.channel.read(7), 0x50);
    EXPECT_EQ(board.irqs, 3);
    EXPECT_EQ(board.channel.read(2), 0);
    EXPECT_EQ(board.lba(), 1002u);
}

TEST(AtaDisk, ReadingStatusClearsTheInterruptButAlternateStatusDoesNot)
{
    Board board;
    board.command(0x20, 0, 1);
    board.channel.read_control();
    EXPECT_TRUE(board.irq);
    board.channel.read(7);
    EXPECT_FALSE(board.irq);
}

TEST(AtaDisk, NienHoldsTheInterruptBack)
{
    Board board;
    board.channel.write_control(0x02);
    board.command(0x20, 0, 1);
    EXPECT_FALSE(board.irq);
    board.channel.write_control(0x00);
    EXPECT_TRUE(board.irq);
}

TEST(AtaDisk, TheDataPortIsReadInBytesWordsAndDwords)
{
    Board board;
    for (int i = 0; i < 8; ++i)
        board.medium.bytes[static_cast<std::size_t>(i)] = static_cast<u8>(i);
    board.command(0x20, 0, 1);
    EXPECT_EQ(board.channel.read_data(4), 0x03020100u);
    EXPECT_EQ(board.channel.read_data(2), 0x0504u);
    EXPECT_EQ(board.channel.read(0), 0x06);
    EXPECT_EQ(board.channel.read(0), 0x07);
}

TEST(AtaDisk, ChsAndLbaNameTheSameSectors)
{
    Board board;
    // Cylinder 3, head 5, sector 7.
    board.command(0x20, 7 | 3 << 8, 1, 0xA5);
    board.expect_sectors((3 * 16 + 5) * 63 + 6, 1);
    board.command(0x20, 0 | 3 << 8, 1, 0xA5);  // there is no sector 0
    EXPECT_EQ(board.channel.read(1), 0x10);
    board.command(0x20, 1 | 20 << 8, 1, 0xA0);  // nor a cylinder 20
    EXPECT_EQ(board.channel.read(1), 0x10);
}

TEST(AtaDisk, ChsAdvancesOverHeadsAndCylinders)
{
    Board board;
    board.command(0x20, 63 | 3 << 8, 2, 0xAF);
    board.expect_sectors(4 * 16 * 63 - 1, 2);
    EXPECT_EQ(board.channel.read(3), 1);
    EXPECT_EQ(board.channel.read(4), 4);
    EXPECT_EQ(board.channel.read(6), 0xA0);
}

TEST(AtaDisk, InitializeDeviceParametersChangesTheTranslation)
{
    Board board;
    board.command(0x91, 0, 32, 0xA7);  // 32 sectors, 8 heads
    EXPECT_EQ(board.channel.read(7), 0x50);
    const auto id = board.identify();
    EXPECT_EQ(id[54], kSectors / 256);
    EXPECT_EQ(id[55], 8);
    EXPECT_EQ(id[56], 32);
    EXPECT_EQ(id[57], kSectors / 256 * 256);
    board.command(0x20, 1 | 1 << 8, 1, 0xA0);
    board.expect_sectors(256, 1);
}

TEST(AtaDisk, WriteSectorsAsksForDataBeforeItInterrupts)
{
    Board board;
    board.command(0x30, 5, 2);
    EXPECT_EQ(board.channel.read_control(), 0x58);
    EXPECT_FALSE(board.irq);
    for (int i = 0; i < 256; ++i) board.channel.write_data(0xAABB, 2);
    EXPECT_EQ(board.channel.read_control() & 0x80, 0x80);
    board.wait();
    EXPECT_TRUE(board.irq);
    EXPECT_EQ(board.channel.read(7), 0x58);
    for (int i = 0; i < 128; ++i) board.channel.write_data(0x11223344, 4);
    board.wait();
    EXPECT_EQ(board.channel.read(7), 0x50);
    EXPECT_EQ(board.irqs, 2);
    EXPECT_EQ(board.medium.bytes[5 * 512], 0xBB);
    EXPECT_EQ(board.medium.bytes[5 * 512 + 511], 0xAA);
    EXPECT_EQ(board.medium.bytes[6 * 512], 0x44);
    EXPECT_EQ(board.medium.bytes[7 * 512], MemoryMedium::pattern(7));
}

TEST(AtaDisk, MultipleMovesBlocksOfSeveralSectors)
{
    Board board;
    board.command(0xC4, 0, 8);  // not yet enabled
    EXPECT_EQ(board.channel.read(1), 0x04);
    board.command(0xC6, 0, 3);  // not a power of two
    EXPECT_EQ(board.channel.read(1), 0x04);
    board.command(0xC6, 0, 4);
    EXPECT_EQ(board.identify()[59], 0x0104);
    board.channel.read(7);
    board.irqs = 0;
    board.command(0xC4, 100, 6);
    for (u32 i = 0; i < 6; ++i) {
        if (i == 4) board.wait();
        EXPECT_EQ(board.channel.read(7), 0x58);
        for (u16 word : board.read_words(256))
            ASSERT_EQ(word, MemoryMedium::pattern(100 + i) * 0x101);
    }
    EXPECT_EQ(board.irqs, 2);
    EXPECT_EQ(board.channel.read(7), 0x50);
}

TEST(AtaDisk, FortyEightBitCommandsReadEveryRegisterTwice)
{
    Board board;
    board.command_ext(0x24, 12'345, 0x0102);
    EXPECT_EQ(board.disk.state.remaining, 0x0101u);
    board.expect_sectors(12'345, 0x0102);
    EXPECT_EQ(board.channel.read(7), 0x50);

    board.command_ext(0x24, u64{1} << 40, 1);
    EXPECT_EQ(board.channel.read(1), 0x10);
    board.command_ext(0x24, 0x0000'1200'0000, 1);
    board.channel.write_control(0x80);
    EXPECT_EQ(board.channel.read(3), 0x12);  // HOB: bits 31..24
    board.channel.write(2, 0);               // a write to the command block clears HOB
    EXPECT_EQ(board.channel.read(3), 0x00);
}

TEST(AtaDisk, ARangeBeyondTheEndStopsAtTheFirstMissingSector)
{
    Board board;
    board.command(0x20, kSectors - 1, 2);
    board.expect_sectors(kSectors - 1, 1);
    board.wait();
    EXPECT_EQ(board.channel.read(7), 0x51);
    EXPECT_EQ(board.channel.read(1), 0x10);
    EXPECT_EQ(board.lba(), kSectors);
}

TEST(AtaDisk, HostErrorsAreUncorrectableOrAborted)
{
    Board board;
    board.medium.broken = true;
    board.command(0x20, 77, 1);
    EXPECT_EQ(board.channel.read(7), 0x51);
    EXPECT_EQ(board.channel.read(1), 0x40);
    EXPECT_EQ(board.lba(), 77u);
    board.command(0x30, 0, 1);
    for (int i = 0; i < 256; ++i) board.channel.write_data(0, 2);
    board.wait();
    EXPECT_EQ(board.channel.read(7), 0x51);
    EXPECT_EQ(board.channel.read(1), 0x04);
    board.command(0xE7);
    EXPECT_EQ(board.channel.read(7), 0x71);
}

TEST(AtaDisk, AReadOnlyMediumAbortsWrites)
{
    Board board;
    board.medium.write_protected = true;
    board.command(0x30, 0, 1);
    EXPECT_EQ(board.channel.read(7), 0x51);
    EXPECT_EQ(board.channel.read(1), 0x04);
}

TEST(AtaDisk, VerifyTakesTimeButMovesNothing)
{
    Board board;
    const Time start = board.scheduler.now();
    board.command(0x40, 0, 0);  // 256 sectors
    EXPECT_EQ(board.channel.read(7), 0x50);
    EXPECT_GE(board.scheduler.now() - start, 256 * 512 * 20u);
    board.command(0x40, kSectors - 10, 20);
    EXPECT_EQ(board.channel.read(1), 0x10);
}

TEST(AtaDisk, CommandsTakeGuestTime)
{
    Board board;
    board.channel.write(7, 0xEC);
    EXPECT_EQ(board.channel.read(7) & 0x88, 0x80);
    EXPECT_GE(board.scheduler.next_deadline(), board.scheduler.now() + 50 * kMicrosecond);
    EXPECT_LE(board.scheduler.next_deadline(), board.scheduler.now() + 200 * kMicrosecond);
}

TEST(AtaDisk, SetFeaturesSelectsTransferModes)
{
    Board board;
    board.channel.write(1, 0x03);
    board.command(0xEF, 0, 0x42);
    EXPECT_EQ(board.channel.read(7), 0x50);
    const auto id = board.identify();
    EXPECT_EQ(id[63], 0x0007);
    EXPECT_EQ(id[88], 0x0407);
    board.channel.write(1, 0x03);
    board.command(0xEF, 0, 0x47);
    EXPECT_EQ(board.channel.read(1), 0x04);
    board.channel.write(1, 0x82);
    board.command(0xEF);
    EXPECT_EQ(board.identify()[85] & 0x20, 0);
}

TEST(AtaDisk, PowerModesAndFlush)
{
    Board board;
    board.command(0xE5);
    EXPECT_EQ(board.channel.read(2), 0xFF);
    board.command(0xE0);
    board.command(0xE5);
    EXPECT_EQ(board.channel.read(2), 0x00);
    board.command(0x95);
    board.command(0x98);
    EXPECT_EQ(board.channel.read(2), 0x80);
    board.command(0xEA);
    EXPECT_EQ(board.medium.flushes, 1);
}

TEST(AtaDisk, ReadNativeMaxGivesTheLastSector)
{
    Board board;
    board.command(0xF8);
    EXPECT_EQ(board.lba(), kSectors - 1);
    board.command_ext(0x27, 0, 0);
    EXPECT_EQ(board.lba(), kSectors - 1);
}

TEST(AtaDisk, SmartNopAndUnknownCommandsAreAborted)
{
    Board board;
    for (u8 code : {0xB0, 0x00, 0xFF, 0xA0}) {
        board.command(code);
        EXPECT_EQ(board.channel.read(7), 0x51);
        EXPECT_EQ(board.channel.read(1), 0x04);
    }
    board.command(0x10);
    EXPECT_EQ(board.channel.read(7), 0x50);
    board.command(0x70, 5);
    EXPECT_EQ(board.channel.read(7), 0x50);
}

TEST(AtaDisk, ExecuteDeviceDiagnosticIsForBothDrives)
{
    Board board;
    AtaDisk second{board.scheduler, "ata0.1", &board.medium};
    board.channel.attach(1, second.port);
    board.channel.write(6, 0xB0);
    board.channel.write(7, 0x90);
    EXPECT_TRUE(board.irq);
    EXPECT_EQ(board.channel.read(6), 0xA0);
    EXPECT_EQ(board.channel.read(1), 0x01);
    board.channel.write(6, 0xB0);
    EXPECT_EQ(board.channel.read(7), 0x50);
}

TEST(AtaDisk, DrivesOnOneCableKeepApart)
{
    Board board;
    MemoryMedium other{100 * 512};
    other.bytes[0] = 0x99;
    AtaDisk second{board.scheduler, "ata0.1", &other};
    board.channel.attach(1, second.port);
    board.command(0x20, 0, 1, 0xF0);
    EXPECT_EQ(board.channel.read_data(1), 0x99u);
    EXPECT_TRUE(board.irq);
    board.channel.write(6, 0xE0);  // the other drive asks for nothing
    EXPECT_FALSE(board.irq);
    EXPECT_EQ(board.channel.read(7), 0x50);
    board.channel.write(6, 0xF0);
    EXPECT_TRUE(board.irq);
}

TEST(AtaChannel, AnAbsentDriveReadsAsZeroAndAnEmptyChannelFloats)
{
    Board board;
    board.channel.write(6, 0xB0);
    EXPECT_EQ(board.channel.read(7), 0x00);
    EXPECT_EQ(board.channel.read_control(), 0x00);
    board.channel.write(7, 0xEC);
    EXPECT_EQ(board.channel.read(7), 0x00);

    AtaChannel empty;
    EXPECT_EQ(empty.read(7), 0xFF);
    EXPECT_EQ(empty.read_control(), 0xFF);
    empty.write(6, 0xA0);
    empty.write(7, 0xEC);
    empty.write_control(4);
    EXPECT_EQ(empty.read_data(2) & 0xFFFF, 0xFFFFu);
}

TEST(AtaDisk, SurvivesRandomRegisterAccesses)
{
    Board board;
    u32 seed = 4711;
    for (int i = 0; i < 300'000; ++i) {
        seed = seed * 1664525 + 1013904223;
        const u16 offset = seed >> 28 & 7;
        const u8 value = static_cast<u8>(seed >> 8);
        switch (seed >> 24 & 7) {
        case 0:
        case 1:
        case 2: board.channel.write(offset, value); break;
        case 3: board.channel.read(offset); break;
        case 4: board.channel.write_control(value & (seed & 0xF00 ? 0x82 : 0x86)); break;
        case 5: board.channel.read_data(4); break;
        default: board.channel.write_data(seed, 4);
        }
        if (value > 200) board.scheduler.advance_to(board.scheduler.now() + (seed >> 12));
    }
}
