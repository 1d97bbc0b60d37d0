#include "devices/piix_ide.h"

#include <gtest/gtest.h>

#include "devices/ata/ata_disk.h"
#include "devices/ata/atapi_cdrom.h"
#include "machine/savestate.h"
#include "tests/devices/memory_medium.h"

using namespace reprise;

namespace {

constexpr u32 kTable = 0x1000;

/// The IDE function with a disk and a CD-ROM drive, and 1 MB of memory.
struct Board {
    Scheduler scheduler;
    MemoryMedium medium{20'160 * 512};
    MemoryMedium disc{500 * 2048, 2048};
    AtaDisk disk{scheduler, "ata0.0", &medium};
    AtapiCdrom cdrom{scheduler, "ata1.0"};
    AtaChannel primary, secondary;
    PiixIde ide{primary, secondary};
    std::vector<u8> memory = std::vector<u8>(1 << 20);
    std::array<bool, 2> irq{};

    Board()
    {
        primary.attach(0, disk.port);
        secondary.attach(0, cdrom.port);
        primary.reset();
        secondary.reset();
        cdrom.insert(&disc);
        cdrom.state.unit_attention = 0;
        for (std::size_t i = 0; i < 2; ++i)
            ide.on_irq[i] = [this, i](bool level) { irq[i] = level; };
        ide.on_memory_read = [this](u64 address, std::span<u8> out) {
            for (u8& byte : out) byte = memory[address++ & 0xFFFFF];
        };
        ide.on_memory_write = [this](u64 address, std::span<const u8> data) {
            for (u8 byte : data) memory[address++ & 0xFFFFF] = byte;
        };
        ide.config.write(0x04, 2, 0x0005);  // I/O space, bus master
    }

    void put(u32 address, u32 value)
    {
        for (u32 i = 0; i < 4; ++i) memory[address + i] = static_cast<u8>(value >> 8 * i);
    }

    void prd(u32 index, u32 address, u32 bytes, bool last)
    {
        put(kTable + 8 * index, address);
        put(kTable + 8 * index + 4, (bytes & 0xFFFF) | (last ? 0x8000'0000 : 0));
    }

    void start(u16 base, bool to_memory)
    {
        for (u16 i = 0; i < 4; ++i)
            ide.write(static_cast<u16>(base + 4 + i), static_cast<u8>(kTable >> 8 * i));
        ide.write(base, to_memory ? 0x08 : 0x00);
        ide.write(static_cast<u16>(base + 2), 0x06);
        ide.write(base, to_memory ? 0x09 : 0x01);
    }

    void command(u8 code, u32 lba, u8 count)
    {
        primary.write(6, 0xE0);
        primary.write(2, count);
        primary.write(3, static_cast<u8>(lba));
        primary.write(4, static_cast<u8>(lba >> 8));
        primary.write(5, static_cast<u8>(lba >> 16));
        primary.write(7, code);
    }

    void visit(auto& v)
    {
        v("scheduler", scheduler);
        v("disk", disk);
        v("cdrom", cdrom);
        v("primary", primary.state);
        v("secondary", secondary.state);
        v("ide", ide);
    }

    void run(Time time = 100 * kMillisecond) { scheduler.advance_to(scheduler.now() + time); }
};

}  // namespace

TEST(PiixIde, ReadDmaScattersOverTheRegionsOfTheTable)
{
    Board board;
    board.prd(0, 0x20000, 100, false);
    board.prd(1, 0x30000, 924, true);
    board.command(0xC8, 40, 2);
    board.start(0, true);
    EXPECT_EQ(board.ide.read(2), 0x01);  // active
    board.run();
    EXPECT_EQ(board.ide.read(2), 0x04);  // interrupt
    EXPECT_TRUE(board.irq[0]);
    EXPECT_EQ(board.primary.read(7), 0x50);
    EXPECT_EQ(board.memory[0x20000], MemoryMedium::pattern(40));
    EXPECT_EQ(board.memory[0x20063], MemoryMedium::pattern(40));
    EXPECT_EQ(board.memory[0x20064], 0);
    EXPECT_EQ(board.memory[0x30000 + 411], MemoryMedium::pattern(40));
    EXPECT_EQ(board.memory[0x30000 + 412], MemoryMedium::pattern(41));
    EXPECT_EQ(board.memory[0x30000 + 924], 0);
    board.ide.write(2, 0x04);
    EXPECT_EQ(board.ide.read(2), 0x00);
}

TEST(PiixIde, WriteDmaIsOnTheMediumBeforeTheInterrupt)
{
    Board board;
    std::fill_n(board.memory.begin() + 0x20000, 1024, u8{0xAB});
    board.prd(0, 0x20000, 1024, true);
    board.command(0xCA, 7, 2);
    board.start(0, false);
    bool written = false;
    board.ide.on_irq[0] = [&](bool) { written = board.medium.bytes[9 * 512 - 1] == 0xAB; };
    board.run();
    EXPECT_TRUE(written);
    EXPECT_EQ(board.medium.bytes[7 * 512], 0xAB);
    EXPECT_EQ(board.medium.bytes[9 * 512], MemoryMedium::pattern(9));
}

TEST(PiixIde, ACountOfZeroIs64KilobytesAndLongTransfersTakeTime)
{
    Board board;
    board.prd(0, 0x20000, 0, false);
    board.prd(1, 0x30000, 0, true);
    board.command(0xC8, 0, 0);  // 256 sectors
    const Time start = board.scheduler.now();
    board.start(0, true);
    while (!board.irq[0] && board.scheduler.next_deadline() != kNever)
        board.scheduler.advance_to(board.scheduler.next_deadline());
    EXPECT_EQ(board.ide.read(2), 0x04);
    EXPECT_EQ(board.memory[0x20000 + 131'071], MemoryMedium::pattern(255));
    EXPECT_GE(board.scheduler.now() - start, 2 * kMillisecond);  // not above 66 MB/s
    EXPECT_LE(board.scheduler.now() - start, 7 * kMillisecond);  // not below 20 MB/s
}

TEST(PiixIde, ATableThatIsTooLongStaysActive)
{
    Board board;
    board.prd(0, 0x20000, 4096, true);
    board.command(0xC8, 0, 1);
    board.start(0, true);
    board.run();
    EXPECT_EQ(board.ide.read(2), 0x05);
    board.ide.write(0, 0x08);
    EXPECT_EQ(board.ide.read(2), 0x04);
}

TEST(PiixIde, ATableThatIsTooShortEndsWithoutAnInterrupt)
{
    Board board;
    board.prd(0, 0x20000, 512, true);
    board.command(0xC8, 0, 2);
    board.start(0, true);
    board.run();
    EXPECT_EQ(board.ide.read(2), 0x00);
    EXPECT_FALSE(board.irq[0]);
    EXPECT_EQ(board.primary.read(7) & 0x08, 0x08);
}

TEST(PiixIde, NothingMovesWithoutBusMasterEnable)
{
    Board board;
    board.ide.config.write(0x04, 2, 0x0001);
    board.prd(0, 0x20000, 512, true);
    board.command(0xC8, 3, 1);
    board.start(0, true);
    board.run();
    EXPECT_EQ(board.ide.read(2), 0x01);
    board.ide.config.write(0x04, 2, 0x0005);
    board.run();
    EXPECT_EQ(board.ide.read(2), 0x04);
    EXPECT_EQ(board.memory[0x20000], MemoryMedium::pattern(3));
}

TEST(PiixIde, ASavedStateGoesOnInTheMiddleOfATransfer)
{
    Board board;
    board.prd(0, 0x20000, 0, false);
    board.prd(1, 0x30000, 0, true);
    board.command(0xC8, 0, 0);
    board.start(0, true);
    board.run(kMillisecond);  // the first 64 KB have moved
    StateWriter writer;
    writer.save("board", board);

    Board copy;
    StateReader(writer.saved).load("board", copy);
    copy.memory = board.memory;
    EXPECT_EQ(copy.memory[0x30000], 0);
    copy.run();
    EXPECT_EQ(copy.ide.read(2), 0x04);
    EXPECT_EQ(copy.memory[0x30000], MemoryMedium::pattern(128));
    EXPECT_EQ(copy.memory[0x3FFFF], MemoryMedium::pattern(255));
}

TEST(PiixIde, PacketCommandsMoveDataByDma)
{
    Board board;
    board.prd(0, 0x20000, 4096, true);
    board.secondary.write(6, 0xA0);
    board.secondary.write(1, 1);  // DMA
    board.secondary.write(7, 0xA0);
    board.run(kMillisecond);
    const u16 packet[6] = {0x0028, 0x0000, 0x0900, 0x0000, 0x0002, 0x0000};  // LBA 9, 2 sectors
    for (u16 word : packet) board.secondary.write_data(word, 2);
    board.start(8, true);
    board.run();
    EXPECT_EQ(board.ide.read(10), 0x04);
    EXPECT_TRUE(board.irq[1]);
    EXPECT_FALSE(board.irq[0]);
    EXPECT_EQ(board.secondary.read(7), 0x50);
    EXPECT_EQ(board.memory[0x20000], MemoryMedium::pattern(9));
    EXPECT_EQ(board.memory[0x20000 + 4095], MemoryMedium::pattern(10));
}

TEST(PiixIde, InterruptStatusFollowsPioInterruptsToo)
{
    Board board;
    board.command(0xEC, 0, 0);
    board.run(kMillisecond);
    EXPECT_EQ(board.ide.read(2), 0x04);
    board.primary.read(7);
    EXPECT_FALSE(board.irq[0]);
    EXPECT_EQ(board.ide.read(2), 0x04);
    EXPECT_EQ(board.ide.read(10), 0x00);
}

TEST(PiixIde, CapabilityBitsAreSoftwares)
{
    Board board;
    board.ide.write(2, 0x60);
    EXPECT_EQ(board.ide.read(2), 0x60);
    board.ide.write(5, 0x12);
    board.ide.write(4, 0xFF);
    EXPECT_EQ(board.ide.read(4), 0xFC);  // dword aligned
    EXPECT_EQ(board.ide.read(5), 0x12);
}

TEST(PiixIde, ChannelsAreEnabledByIdetimAndIoSpace)
{
    Board board;
    bool primary = true, secondary = true;
    board.ide.on_channels_enabled = [&](bool first, bool second) {
        primary = first;
        secondary = second;
    };
    board.ide.reset();
    EXPECT_FALSE(primary || secondary);
    board.ide.config.write(0x40, 2, 0x8000);
    EXPECT_FALSE(primary);
    board.ide.config.write(0x04, 2, 0x0001);
    EXPECT_TRUE(primary);
    EXPECT_FALSE(secondary);
    board.ide.config.write(0x42, 2, 0x8000);
    EXPECT_TRUE(secondary);
}

TEST(PiixIde, IdentifiesItselfAndSizesItsBar)
{
    Board board;
    PciDevice::Mapping mapping;
    int bar = -1;
    board.ide.config.on_bar_changed = [&](int index, const PciDevice::Mapping& m) {
        bar = index;
        mapping = m;
    };
    EXPECT_EQ(board.ide.config.read(0x00, 4), 0x7010'8086u);
    EXPECT_EQ(board.ide.config.read(0x08, 4) >> 8, 0x01'01'80u);
    board.ide.config.write(0x20, 4, 0xFFFF'FFFF);
    EXPECT_EQ(board.ide.config.read(0x20, 4), 0xFFFF'FFF1u);
    EXPECT_EQ(bar, -1);
    board.ide.config.write(0x20, 4, 0xC000);
    EXPECT_EQ(bar, 4);
    EXPECT_EQ(mapping, (PciDevice::Mapping{true, 0xC000, 16}));
}
