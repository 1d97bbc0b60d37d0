#include "devices/ata/atapi_cdrom.h"

#include <gtest/gtest.h>

#include "devices/ata/ata_channel.h"
#include "devices/ata/cd_sector.h"
#include "tests/devices/memory_medium.h"

using namespace reprise;

namespace {

constexpr u32 kSectors = 500;
using Bytes = std::vector<u8>;

struct Board {
    Scheduler scheduler;
    MemoryMedium disc{kSectors * 2048, 2048};
    AtapiCdrom drive{scheduler, "ata1.0"};
    AtaChannel channel;
    bool irq = false;
    int irqs = 0;
    int blocks = 0;  // DRQ blocks of the last packet

    explicit Board(bool with_disc = true)
    {
        channel.attach(0, drive.port);
        channel.on_irq = [this](bool level) {
            irqs += level && !irq;
            irq = level;
        };
        channel.reset();
        if (with_disc) drive.insert(&disc);
        packet({0x00});  // takes the unit attention
    }

    void wait()
    {
        while (channel.read_control() & 0x80) {
            ASSERT_NE(scheduler.next_deadline(), kNever);
            scheduler.advance_to(scheduler.next_deadline());
        }
    }

    /// Sends a packet and collects what comes back. The last status stays in `status`.
    Bytes packet(Bytes bytes, u16 limit = 0xFFFE)
    {
        bytes.resize(12);
        channel.write(6, 0xA0);
        channel.write(1, 0);
        channel.write(4, static_cast<u8>(limit));
        channel.write(5, static_cast<u8>(limit >> 8));
        channel.write(7, 0xA0);
        wait();
        EXPECT_EQ(channel.read(7) & 0x89, 0x08);
        EXPECT_EQ(channel.read(2) & 3, 1);  // C/D
        irqs = blocks = 0;
        for (int i = 0; i < 12; i += 2)
            channel.write_data(static_cast<u32>(bytes[i] | bytes[i + 1] << 8), 2);
        Bytes data;
        for (;;) {
            wait();
            status = channel.read(7);
            reason = channel.read(2) & 3;
            if (!(status & 0x08)) return data;
            EXPECT_EQ(reason, 2);
            ++blocks;
            const int count = channel.read(4) | channel.read(5) << 8;
            EXPECT_LE(count, limit);
            for (int i = 0; i < count; i += 2) {
                const u32 word = channel.read_data(2);
                data.push_back(static_cast<u8>(word));
                if (i + 1 < count) data.push_back(static_cast<u8>(word >> 8));
            }
        }
    }

    /// Sense key, ASC, ASCQ.
    Bytes sense()
    {
        const Bytes data = packet({0x03, 0, 0, 0, 18});
        return {data.at(2), data.at(12), data.at(13)};
    }

    u8 status = 0, reason = 0;
};

u32 number(const Bytes& data, std::size_t at)
{
    return static_cast<u32>(data.at(at) << 24 | data.at(at + 1) << 16 | data.at(at + 2) << 8 |
                            data.at(at + 3));
}

}  // namespace

TEST(AtapiCdrom, ShowsItsSignatureAfterResetAndToIdentifyDevice)
{
    Board board;
    board.channel.reset();
    EXPECT_EQ(board.channel.read(4), 0x14);
    EXPECT_EQ(board.channel.read(5), 0xEB);
    EXPECT_EQ(board.channel.read(7), 0x00);
    board.channel.write(4, 0);
    board.channel.write(7, 0xEC);
    board.wait();
    EXPECT_EQ(board.channel.read(7) & 1, 1);
    EXPECT_EQ(board.channel.read(1), 0x04);
    EXPECT_EQ(board.channel.read(4), 0x14);
    EXPECT_EQ(board.channel.read(5), 0xEB);
}

TEST(AtapiCdrom, IdentifyPacketDeviceDescribesACdrom)
{
    Board board;
    board.channel.write(7, 0xA1);
    board.wait();
    EXPECT_EQ(board.channel.read(7), 0x58);
    EXPECT_EQ(board.channel.read_data(2), 0x85C0u);
}

TEST(AtapiCdrom, DeviceResetWorksEvenWhileBusy)
{
    Board board;
    board.channel.write(7, 0xA1);
    board.channel.write(7, 0x08);
    board.wait();
    EXPECT_EQ(board.channel.read(7), 0x00);
    EXPECT_EQ(board.channel.read(4), 0x14);
}

TEST(AtapiCdrom, InquiryIsCutToTheAllocationLength)
{
    Board board;
    const Bytes data = board.packet({0x12, 0, 0, 0, 36});
    EXPECT_EQ(data.size(), 36u);
    EXPECT_EQ(data[0], 0x05);
    EXPECT_EQ(data[1], 0x80);
    EXPECT_EQ(board.packet({0x12, 0, 0, 0, 5}).size(), 5u);
    EXPECT_EQ(board.status, 0x50);
    EXPECT_EQ(board.reason, 3);
}

TEST(AtapiCdrom, ReadsSectorsAndCapacity)
{
    Board board;
    const Bytes capacity = board.packet({0x25});
    EXPECT_EQ(number(capacity, 0), kSectors - 1);
    EXPECT_EQ(number(capacity, 4), 2048u);

    const Bytes data = board.packet({0x28, 0, 0, 0, 0, 100, 0, 0, 60});
    ASSERT_EQ(data.size(), 60 * 2048u);
    for (u32 i = 0; i < 60; ++i) ASSERT_EQ(data[i * 2048 + 2047], MemoryMedium::pattern(100 + i));
    EXPECT_EQ(board.packet({0xA8, 0, 0, 0, 0, 7, 0, 0, 0, 2}).at(0), MemoryMedium::pattern(7));
    EXPECT_EQ(board.irqs, board.blocks + 1);
}

TEST(AtapiCdrom, TheByteCountLimitsEachBlock)
{
    Board board;
    const Bytes data = board.packet({0x28, 0, 0, 0, 0, 3, 0, 0, 2}, 2048);
    EXPECT_EQ(data.size(), 4096u);
    EXPECT_EQ(board.blocks, 2);
    EXPECT_EQ(board.packet({0x28, 0, 0, 0, 0, 3, 0, 0, 1}, 512).size(), 2048u);
    EXPECT_EQ(board.blocks, 4);
    board.packet({0x28, 0, 0, 0, 0, 3, 0, 0, 1}, 513);
    EXPECT_EQ(board.blocks, 4);  // even but for the last
}

TEST(AtapiCdrom, ErrorsEndWithCheckConditionAndSense)
{
    Board board;
    board.packet({0x28, 0, 0, 0, 0x10, 0, 0, 0, 1});
    EXPECT_EQ(board.status & 0x01, 0x01);
    EXPECT_EQ(board.channel.read(1) >> 4, 5);
    EXPECT_EQ(board.reason, 3);
    EXPECT_EQ(board.sense(), (Bytes{5, 0x21, 0}));
    EXPECT_EQ(board.sense(), (Bytes{0, 0, 0}));
    board.packet({0xF7});
    EXPECT_EQ(board.sense(), (Bytes{5, 0x20, 0}));
    board.disc.broken = true;
    board.packet({0x28, 0, 0, 0, 0, 0, 0, 0, 1});
    EXPECT_EQ(board.sense(), (Bytes{3, 0x11, 0}));
}

TEST(AtapiCdrom, PowerOnAndMediaChangeAreUnitAttentions)
{
    Board board;
    board.channel.reset();
    board.packet({0x00});
    EXPECT_EQ(board.channel.read(1) >> 4, 6);
    EXPECT_EQ(board.sense(), (Bytes{6, 0x29, 0}));
    board.packet({0x00});
    EXPECT_EQ(board.status, 0x50);

    board.drive.eject();
    board.packet({0x00});
    EXPECT_EQ(board.sense(), (Bytes{2, 0x3A, 1}));
    board.drive.insert(&board.disc);
    EXPECT_EQ(board.packet({0x12, 0, 0, 0, 36}).size(), 36u);  // INQUIRY does not care
    board.packet({0x00});
    EXPECT_EQ(board.sense(), (Bytes{6, 0x28, 0}));
    board.packet({0x00});
    EXPECT_EQ(board.status, 0x50);
}

TEST(AtapiCdrom, WithoutADiscItIsNotReady)
{
    Board board(false);
    board.packet({0x28, 0, 0, 0, 0, 0, 0, 0, 1});
    EXPECT_EQ(board.sense(), (Bytes{2, 0x3A, 1}));
    board.packet({0x25});
    EXPECT_EQ(board.sense(), (Bytes{2, 0x3A, 1}));
}

TEST(AtapiCdrom, TheTrayOpensUnlessRemovalIsPrevented)
{
    Board board;
    int opened = 0, closed = 0;
    board.drive.on_tray = [&](bool open) { ++(open ? opened : closed); };
    board.packet({0x1E, 0, 0, 0, 1});
    board.packet({0x1B, 0, 0, 0, 2});
    EXPECT_EQ(board.sense(), (Bytes{5, 0x53, 2}));
    board.packet({0x1E, 0, 0, 0, 0});
    board.packet({0x1B, 0, 0, 0, 2});
    EXPECT_EQ(opened, 1);
    board.packet({0x00});
    EXPECT_EQ(board.sense(), (Bytes{2, 0x3A, 2}));
    board.packet({0x1B, 0, 0, 0, 3});
    EXPECT_EQ(closed, 1);
    board.packet({0x00});
    EXPECT_EQ(board.sense(), (Bytes{6, 0x28, 0}));
    board.packet({0x00});
    EXPECT_EQ(board.status, 0x50);
}

TEST(AtapiCdrom, MediaEventsAreReportedOnce)
{
    Board board;
    Bytes data = board.packet({0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8});
    EXPECT_EQ(data, (Bytes{0, 6, 4, 0x10, 2, 2, 0, 0}));
    data = board.packet({0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8});
    EXPECT_EQ(data[4], 0);
    board.drive.eject();
    data = board.packet({0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8});
    EXPECT_EQ(data[4], 3);
    EXPECT_EQ(data[5], 0);
    board.packet({0x4A, 0, 0, 0, 0x10, 0, 0, 0, 8});
    EXPECT_EQ(board.sense(), (Bytes{5, 0x24, 0}));
}

TEST(AtapiCdrom, TocHasOneDataTrackAndTheLeadOut)
{
    Board board;
    const Bytes lba = board.packet({0x43, 0, 0, 0, 0, 0, 0, 0, 64});
    EXPECT_EQ(lba,
              (Bytes{0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xAA, 0, 0, 0, 1, 0xF4}));
    const Bytes msf = board.packet({0x43, 2, 0, 0, 0, 0, 0, 0, 64});
    EXPECT_EQ(Bytes(msf.begin() + 8, msf.begin() + 12), (Bytes{0, 0, 2, 0}));
    EXPECT_EQ(Bytes(msf.begin() + 16, msf.end()), (Bytes{0, 0, 8, 50}));  // 500 + 150 frames
    EXPECT_EQ(board.packet({0x43, 0, 0, 0, 0, 0, 0xAA, 0, 64}).size(), 12u);
    EXPECT_EQ(board.packet({0x43, 0, 1, 0, 0, 0, 0, 0, 64}).size(), 12u);
    EXPECT_EQ(board.packet({0x43, 0, 0, 0, 0, 0, 0, 0, 64, 0x40}).size(), 12u);
    const Bytes full = board.packet({0x43, 2, 2, 0, 0, 0, 0, 0, 64});
    EXPECT_EQ(full.size(), 48u);
    EXPECT_EQ(full[7], 0xA0);
    EXPECT_EQ(full[29], 0xA2);
    board.packet({0x43, 0, 0, 0, 0, 0, 2, 0, 64});
    EXPECT_EQ(board.sense(), (Bytes{5, 0x24, 0}));
}

TEST(AtapiCdrom, ModeSenseHasThreePages)
{
    Board board;
    Bytes data = board.packet({0x5A, 0, 0x2A, 0, 0, 0, 0, 0, 64});
    EXPECT_EQ(data.size(), 28u);
    EXPECT_EQ(data[1], 26);
    EXPECT_EQ(data[8], 0x2A);
    EXPECT_EQ(data[9], 18);
    data = board.packet({0x1A, 0, 0x3F, 0, 255});
    EXPECT_EQ(data.size(), 4 + 8 + 16 + 20u);
    EXPECT_EQ(data[0], data.size() - 1);
    EXPECT_EQ(data[4], 0x01);
    EXPECT_EQ(data[12], 0x0E);
    board.packet({0x5A, 0, 0xEA, 0, 0, 0, 0, 0, 64});
    EXPECT_EQ(board.sense(), (Bytes{5, 0x39, 0}));
    board.packet({0x5A, 0, 0x0D, 0, 0, 0, 0, 0, 64});
    EXPECT_EQ(board.sense(), (Bytes{5, 0x24, 0}));
}

TEST(AtapiCdrom, ConfigurationDiscAndMechanismAreDescribed)
{
    Board board;
    Bytes data = board.packet({0x46, 0, 0, 0, 0, 0, 0, 0, 255});
    EXPECT_EQ(number(data, 0), data.size() - 4);
    EXPECT_EQ(data[7], 0x08);  // current profile: CD-ROM
    data = board.packet({0x46, 2, 0, 0x1E, 0, 0, 0, 0, 255});
    EXPECT_EQ(data.size(), 16u);
    data = board.packet({0x51, 0, 0, 0, 0, 0, 0, 0, 255});
    EXPECT_EQ(data.size(), 34u);
    EXPECT_EQ(data[2], 0x0E);
    EXPECT_EQ(board.packet({0xBD, 0, 0, 0, 0, 0, 0, 0, 0, 8}).size(), 8u);
    EXPECT_EQ(board.packet({0x42, 0, 0x40, 1, 0, 0, 0, 0, 16}).size(), 16u);
    EXPECT_EQ(board.packet({0x44, 0, 0, 0, 0, 9, 0, 0, 8}), (Bytes{1, 0, 0, 0, 0, 0, 0, 9}));
}

TEST(AtapiCdrom, ReadCdGivesTheFieldsThatAreAskedFor)
{
    Board board;
    const Bytes user = board.packet({0xBE, 0, 0, 0, 0, 4, 0, 0, 1, 0x10});
    EXPECT_EQ(user, Bytes(2048, MemoryMedium::pattern(4)));
    const Bytes raw = board.packet({0xBE, 0, 0, 0, 0, 4, 0, 0, 2, 0xF8});
    ASSERT_EQ(raw.size(), 2 * 2352u);
    EXPECT_EQ(raw[0], 0x00);
    EXPECT_EQ(raw[1], 0xFF);
    EXPECT_EQ(Bytes(raw.begin() + 2352 + 12, raw.begin() + 2352 + 16), (Bytes{0, 0x02, 0x05, 1}));
    const Bytes msf = board.packet({0xB9, 0, 0, 0, 2, 4, 0, 2, 5, 0x10});
    EXPECT_EQ(msf, user);
    board.packet({0xBE, 0x04, 0, 0, 0, 4, 0, 0, 1, 0x10});  // CD-DA
    EXPECT_EQ(board.sense(), (Bytes{5, 0x64, 0}));
}

TEST(CdSector, ParityMakesEveryCodewordsSyndromesZero)
{
    std::array<u8, 2048> data;
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<u8>(i * i + i / 7);
    const auto sector = raw_cd_sector(1234, data);
    const auto alpha_times = [](u8 v) { return static_cast<u8>(v << 1 ^ (v & 0x80 ? 0x1D : 0)); };
    const auto check = [&](auto&& bytes) {
        u8 s0 = 0, s1 = 0;
        for (u8 byte : bytes) {
            s0 ^= byte;
            s1 = alpha_times(s1) ^ byte;
        }
        EXPECT_EQ(s0, 0);
        EXPECT_EQ(s1, 0);
    };
    // ECMA-130, annex A: P words are columns of 26 rows of 86 bytes.
    for (std::size_t column = 0; column < 86; ++column) {
        Bytes word;
        for (std::size_t row = 0; row < 26; ++row) word.push_back(sector[12 + column + 86 * row]);
        check(word);
    }
    // Q words: byte (44 j + 43 i) mod 1118 of each plane, then the two parity bytes.
    for (std::size_t i = 0; i < 26; ++i)
        for (std::size_t plane = 0; plane < 2; ++plane) {
            Bytes word;
            for (std::size_t j = 0; j < 43; ++j)
                word.push_back(sector[12 + (44 * j + 43 * i) % 1118 * 2 + plane]);
            word.push_back(sector[12 + (1118 + i) * 2 + plane]);
            word.push_back(sector[12 + (1144 + i) * 2 + plane]);
            check(word);
        }
}

TEST(AtapiCdrom, SurvivesRandomPackets)
{
    Board board;
    u32 seed = 99;
    const auto next = [&] { return (seed = seed * 1664525 + 1013904223) >> 16; };
    for (int i = 0; i < 20'000; ++i) {
        board.channel.write(1, next() & 1);
        board.channel.write(4, static_cast<u8>(next()));
        board.channel.write(5, static_cast<u8>(next()));
        board.channel.write(7, next() & 15 ? 0xA0 : static_cast<u8>(next()));
        board.scheduler.advance_to(board.scheduler.now() + kMillisecond);
        for (int word = 0; word < 6; ++word) board.channel.write_data(next() & next(), 2);
        board.scheduler.advance_to(board.scheduler.now() + kMillisecond);
        for (u32 n = next() & 255; n; --n) board.channel.read_data(4);
        if (!(next() & 127)) board.drive.eject();
        if (!(next() & 63)) board.drive.insert(&board.disc);
    }
}
