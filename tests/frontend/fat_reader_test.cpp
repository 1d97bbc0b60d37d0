#include "frontend/fat_reader.h"

#include <gtest/gtest.h>

#include <cstring>

#include "frontend/md5.h"

namespace reprise {
namespace {

constexpr std::size_t kSector = 512;

/// A 360 KB floppy as DOS formats it: boot sector, two FATs of two sectors, seven sectors of root
/// directory, data from sector 12 on in clusters of two sectors.
struct FloppyImage {
    std::vector<u8> bytes = std::vector<u8>(720 * kSector);

    FloppyImage()
    {
        const u8 boot[] = {0xEB, 0x3C, 0x90, 'T', 'E', 'S', 'T', ' ',  ' ',  ' ',  ' ', 0x00,
                           0x02, 2,    1,    0,   2,   112, 0,   0xD0, 0x02, 0xFD, 2,   0};
        std::memcpy(bytes.data(), boot, sizeof boot);
        bytes[510] = 0x55;
        bytes[511] = 0xAA;
        set_fat(0, 0xFFD);
        set_fat(1, 0xFFF);
    }

    void set_fat(u32 cluster, u32 value)
    {
        for (const std::size_t fat : {1 * kSector, 3 * kSector}) {
            u8* entry = &bytes[fat + cluster * 3 / 2];
            if (cluster & 1) {
                entry[0] = static_cast<u8>((entry[0] & 0x0F) | value << 4);
                entry[1] = static_cast<u8>(value >> 4);
            } else {
                entry[0] = static_cast<u8>(value);
                entry[1] = static_cast<u8>((entry[1] & 0xF0) | value >> 8);
            }
        }
    }

    static void entry(u8* at, const char* name, u8 attributes, u32 cluster, u32 size)
    {
        std::memcpy(at, name, 11);
        at[11] = attributes;
        at[26] = static_cast<u8>(cluster);
        at[27] = static_cast<u8>(cluster >> 8);
        for (int i = 0; i < 4; ++i) at[28 + i] = static_cast<u8>(size >> 8 * i);
    }

    u8* root(int index) { return &bytes[5 * kSector + 32 * static_cast<std::size_t>(index)]; }
    u8* cluster(u32 number) { return &bytes[(12 + (number - 2) * 2) * kSector]; }

    ReadAt reader() const
    {
        return [this](u64 offset, std::span<u8> out) {
            if (offset + out.size() > bytes.size()) return false;
            std::memcpy(out.data(), &bytes[offset], out.size());
            return true;
        };
    }
};

TEST(FatReader, FindsFilesInTheRootInAnyCase)
{
    FloppyImage image;
    FloppyImage::entry(image.root(0), "MYDISK     ", 0x08, 0, 0);
    FloppyImage::entry(image.root(1), "HELLO   TXT", 0x20, 2, 5);
    image.set_fat(2, 0xFFF);
    std::memcpy(image.cluster(2), "hello", 5);
    const auto volume = FatVolume::find(image.reader());
    ASSERT_TRUE(volume);
    EXPECT_EQ(volume->fat_bits(), 12);
    EXPECT_EQ(volume->label(), "MYDISK");
    const auto content = volume->read_file("\\hello.txt");
    ASSERT_TRUE(content);
    EXPECT_EQ(std::string(content->begin(), content->end()), "hello");
    EXPECT_FALSE(volume->read_file("OTHER.TXT"));
    EXPECT_FALSE(volume->read_file("MYDISK"));
}

TEST(FatReader, FollowsChainsAndDirectories)
{
    FloppyImage image;
    FloppyImage::entry(image.root(0), "SUB        ", 0x10, 3, 0);
    image.set_fat(3, 0xFFF);
    FloppyImage::entry(image.cluster(3), "BIG     BIN", 0x20, 5, 1500);
    image.set_fat(5, 9);
    image.set_fat(9, 0xFF8);
    std::memset(image.cluster(5), 'a', 1024);
    std::memset(image.cluster(9), 'b', 1024);
    const auto volume = FatVolume::find(image.reader());
    ASSERT_TRUE(volume);
    const auto content = volume->read_file("sub/big.bin");
    ASSERT_TRUE(content);
    ASSERT_EQ(content->size(), 1500U);
    EXPECT_EQ((*content)[1023], 'a');
    EXPECT_EQ((*content)[1024], 'b');
}

TEST(FatReader, ADamagedChainIsAMissingFile)
{
    FloppyImage image;
    FloppyImage::entry(image.root(0), "LOOP    BIN", 0x20, 2, 0xFFFFFFFF);
    image.set_fat(2, 2);
    FloppyImage::entry(image.root(1), "WILD    BIN", 0x20, 0xFF00, 100);
    const auto volume = FatVolume::find(image.reader());
    ASSERT_TRUE(volume);
    EXPECT_FALSE(volume->read_file("LOOP.BIN"));
    EXPECT_FALSE(volume->read_file("WILD.BIN"));
    EXPECT_FALSE(volume->read_file(""));
}

TEST(FatReader, LooksIntoPartitions)
{
    const FloppyImage floppy;
    FloppyImage disk;
    disk.bytes.assign(63 * kSector, 0);
    disk.bytes.insert(disk.bytes.end(), floppy.bytes.begin(), floppy.bytes.end());
    const u8 entry[] = {0x80, 1, 1, 0, 0x01, 0, 0, 0, 63, 0, 0, 0, 0xD0, 0x02, 0, 0};
    std::memcpy(&disk.bytes[446], entry, sizeof entry);
    disk.bytes[510] = 0x55;
    disk.bytes[511] = 0xAA;
    const auto partitions = read_partitions(disk.reader());
    ASSERT_EQ(partitions.size(), 1U);
    EXPECT_TRUE(partitions[0].active);
    EXPECT_EQ(partitions[0].first_sector, 63U);
    EXPECT_EQ(partitions[0].sectors, 720U);
    EXPECT_TRUE(FatVolume::find(disk.reader()));
}

TEST(FatReader, NonsenseIsNoVolume)
{
    FloppyImage image;
    std::fill(image.bytes.begin(), image.bytes.end(), u8{0xFF});
    EXPECT_FALSE(FatVolume::find(image.reader()));
    image.bytes.clear();
    EXPECT_FALSE(FatVolume::find(image.reader()));
}

// RFC 1321, A.5
TEST(Md5, TestSuiteOfTheRfc)
{
    const auto of = [](const std::string& text) {
        return md5(std::vector<u8>(text.begin(), text.end()));
    };
    EXPECT_EQ(of(""), "d41d8cd98f00b204e9800998ecf8427e");
    EXPECT_EQ(of("abc"), "900150983cd24fb0d6963f7d28e17f72");
    EXPECT_EQ(of("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
    EXPECT_EQ(
        of("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
        "57edf4a22be3c955ac49da2e2107b67a");
}

}  // namespace
}  // namespace reprise
