#include "machine/disk_image.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine/overlay.h"
#include "tests/machine/host_test.h"

using namespace reprise;
using namespace reprise::test;

namespace {

using Sector = std::array<u8, 512>;

Sector filled(u8 value)
{
    Sector sector;
    sector.fill(value);
    return sector;
}

Sector sector_at(BlockDevice& device, u64 lba)
{
    Sector sector{};
    EXPECT_TRUE(device.read(lba * 512, sector));
    return sector;
}

/// The BIOS parameter block of a FAT floppy.
Sector boot_sector(u16 total, u16 per_track, u16 heads)
{
    Sector sector{0xEB, 0x3C, 0x90};
    const auto word = [&](std::size_t offset, u16 value) {
        sector[offset] = static_cast<u8>(value);
        sector[offset + 1] = static_cast<u8>(value >> 8);
    };
    word(0x0B, 512);
    word(0x13, total);
    word(0x18, per_track);
    word(0x1A, heads);
    word(510, 0xAA55);
    return sector;
}

/// A master boot record with one partition from LBA `first` to the CHS address `end`.
Sector partition_table(u32 first, u32 sectors, u8 end_head, u8 end_sector, u16 end_cylinder)
{
    Sector sector{};
    const auto dword = [&](std::size_t offset, u32 value) {
        for (int i = 0; i < 4; ++i) sector[offset + i] = static_cast<u8>(value >> 8 * i);
    };
    sector[446] = 0x80;
    sector[450] = 6;
    sector[451] = end_head;
    sector[452] = static_cast<u8>(end_sector | (end_cylinder >> 8 & 3) << 6);
    sector[453] = static_cast<u8>(end_cylinder);
    dword(454, first);
    dword(458, sectors);
    sector[510] = 0x55;
    sector[511] = 0xAA;
    return sector;
}

std::string image_with(const TemporaryFolder& folder, const std::string& name, u64 size,
                       const Sector& first)
{
    folder.file(name, first);
    std::filesystem::resize_file(folder / name, size);
    return folder / name;
}

std::string iso_image(const TemporaryFolder& folder, const std::string& name, bool el_torito,
                      bool hybrid)
{
    std::vector<u8> bytes(20 * 2048 + 100);
    const auto text = [&](std::size_t at, std::string_view what) {
        std::ranges::copy(what, bytes.begin() + static_cast<std::ptrdiff_t>(at));
    };
    text(16 * 2048 + 1, "CD001");
    text(17 * 2048 + 1, "CD001");
    if (el_torito) text(17 * 2048 + 7, "EL TORITO SPECIFICATION");
    if (hybrid) std::ranges::copy(partition_table(1, 60, 1, 2, 0), bytes.begin());
    return folder.file(name, bytes);
}

}  // namespace

TEST(DiskImage, ReadsAndWritesTheFile)
{
    TemporaryFolder folder;
    const std::string path = folder.zeros("disk.img", 1 << 20);
    {
        DiskImage image(path, {.kind = ImageKind::HardDisk});
        EXPECT_EQ(image.size_bytes(), 1u << 20);
        EXPECT_FALSE(image.read_only());
        EXPECT_TRUE(image.write(3 * 512, filled(7)));
        EXPECT_EQ(sector_at(image, 3), filled(7));
        EXPECT_EQ(sector_at(image, 4), filled(0));
        EXPECT_TRUE(image.flush());
    }
    EXPECT_EQ(contents(path)[3 * 512], 7);
}

TEST(DiskImage, RefusesWhatLiesBeyondTheEnd)
{
    TemporaryFolder folder;
    DiskImage image(folder.zeros("disk.img", 4 << 20), {});
    Sector sector = filled(1);
    EXPECT_FALSE(image.read(4 << 20, sector));
    EXPECT_EQ(sector, filled(0));
    EXPECT_FALSE(image.read((4 << 20) - 256, sector));
    EXPECT_FALSE(image.read(~u64{0} - 100, sector));
    EXPECT_FALSE(image.write(~u64{0} - 100, sector));
    EXPECT_FALSE(image.write((4 << 20) - 256, sector));
    EXPECT_TRUE(image.read((4 << 20) - 512, sector));
}

TEST(DiskImage, OpenedTwiceForWritingIsRefusedInTheSameProcess)
{
    TemporaryFolder folder;
    const std::string path = folder.zeros("disk.img", 4 << 20);
    DiskImage first(path, {});
    EXPECT_EQ(error_of([&] { DiskImage second(path, {}); }),
              "'" + path +
                  "' is in use by another machine; stop that machine, copy the image, or "
                  "attach it everywhere read-only or as a snapshot");
    EXPECT_EQ(error_of([&] { DiskImage second(path, {.kind = {}, .read_only = true}); }),
              "'" + path +
                  "' is in use by a machine that writes to it; stop that machine or copy "
                  "the image");
}

TEST(DiskImage, OpenedTwiceForWritingIsRefusedInAnotherProcess)
{
    TemporaryFolder folder;
    const std::string path = folder.zeros("disk.img", 4 << 20);
    DiskImage first(path, {});
    const pid_t child = ::fork();
    if (child == 0) ::_exit(error_of([&] { DiskImage second(path, {}); }).empty() ? 1 : 0);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST(DiskImage, IsSharedByReaders)
{
    TemporaryFolder folder;
    const std::string path = folder.zeros("disk.img", 4 << 20);
    {
        DiskImage first(path, {.kind = {}, .read_only = true});
        DiskImage second(path, {.kind = {}, .read_only = true});
        EXPECT_EQ(sector_at(second, 0), filled(0));
        EXPECT_FALSE(second.write(0, filled(1)));
        EXPECT_NE(error_of([&] { DiskImage writer(path, {}); }), "");
    }
    DiskImage writer(path, {});
    EXPECT_TRUE(writer.write(0, filled(1)));
}

TEST(DiskImage, AFloppyThatCannotBeWrittenIsWriteProtected)
{
    TemporaryFolder folder;
    const std::string path = folder.zeros("floppy.img", 1'474'560);
    std::filesystem::permissions(path, std::filesystem::perms(0444));
    const AsNobody nobody;
    std::string told;
    DiskImage image(path, {}, [&](std::string_view message) { told += message; });
    EXPECT_TRUE(image.read_only());
    EXPECT_FALSE(image.write(0, filled(1)));
    EXPECT_EQ(told, "'" + path +
                        "' cannot be written (Permission denied): the floppy is "
                        "write-protected");
}

TEST(DiskImage, AHardDiskThatCannotBeWrittenIsRefusedWithAdvice)
{
    TemporaryFolder folder;
    const std::string path = folder.zeros("disk.img", 4 << 20);
    std::filesystem::permissions(path, std::filesystem::perms(0444));
    const AsNobody nobody;
    EXPECT_EQ(error_of([&] { DiskImage image(path, {}); }),
              "cannot write to '" + path +
                  "': Permission denied; attach it read-only or as a "
                  "snapshot, which keeps what is written in memory");
    DiskImage image(path, {.kind = {}, .read_only = true});
    EXPECT_EQ(sector_at(image, 0), filled(0));
}

TEST(DiskImage, AShortFloppyReadsAsZerosAndGrowsWhenWritten)
{
    TemporaryFolder folder;
    const std::string path = folder.file("bird.img", std::vector<u8>(8704, 0xAA));
    DiskImage image(path, {});
    EXPECT_EQ(image.info().geometry, (Geometry{80, 2, 18}));
    EXPECT_EQ(image.size_bytes(), 1'474'560u);
    EXPECT_EQ(sector_at(image, 16), filled(0xAA));
    EXPECT_EQ(sector_at(image, 17), filled(0));
    EXPECT_EQ(sector_at(image, 2879), filled(0));
    EXPECT_EQ(contents(path).size(), 8704u);
    EXPECT_TRUE(image.write(20 * 512, filled(5)));
    EXPECT_EQ(sector_at(image, 20), filled(5));
    EXPECT_EQ(sector_at(image, 19), filled(0));
    EXPECT_EQ(contents(path).size(), 21 * 512u);
}

TEST(DiskImage, CutOffInUseFailsAndIsToldOnce)
{
    TemporaryFolder folder;
    const std::string path = folder.zeros("disk.img", 4 << 20);
    std::vector<std::string> told;
    DiskImage image(path, {}, [&](std::string_view message) { told.emplace_back(message); });
    std::filesystem::resize_file(path, 1 << 20);
    Sector sector = filled(1);
    EXPECT_FALSE(image.read(2 << 20, sector));
    EXPECT_FALSE(image.read(3 << 20, sector));
    EXPECT_EQ(sector, filled(0));
    EXPECT_TRUE(image.read(0, sector));
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0], "'" + path +
                           "' was cut off while it was in use; the guest sees bad "
                           "sectors");
}

TEST(DiskImage, AWriteThatFailsIsReportedAndToldOnce)
{
    TemporaryFolder folder;
    const std::string path = folder.file("floppy.img", std::vector<u8>(8192));
    std::vector<std::string> told;
    DiskImage image(path, {}, [&](std::string_view message) { told.emplace_back(message); });
    {
        const FileSizeLimit full(8192);
        EXPECT_FALSE(image.write(8192, filled(1)));
        EXPECT_FALSE(image.write(9000 * 128, filled(1)));
        EXPECT_TRUE(image.write(0, filled(2)));
    }
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0], "cannot write to '" + path +
                           "': File too large; the guest sees a write "
                           "error; free some space on the host");
    EXPECT_EQ(sector_at(image, 16), filled(0));
    EXPECT_TRUE(image.write(8192, filled(1)));
}

TEST(DiskImage, OnAFullDiskReportsAWriteError)
{
    TemporaryFolder folder;
    if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=64k") != 0)
        GTEST_SKIP() << "mounting a small tmpfs needs root";
    {
        std::string told;
        DiskImage image(folder.zeros("disk.img", 4 << 20), {},
                        [&](std::string_view message) { told += message; });
        const std::vector<u8> much(1 << 20, 1);
        EXPECT_FALSE(image.write(0, much));
        EXPECT_NE(told.find("No space left on device"), std::string::npos) << told;
    }
    EXPECT_EQ(::umount(folder.path().c_str()), 0);
}

TEST(DiskImage, IdentityIsTheContent)
{
    TemporaryFolder folder;
    DiskImage image(folder.zeros("disk.img", 3 << 20), {});
    const MediaIdentity before = identify_medium("disk.img", image);
    EXPECT_EQ(before.size, 3u << 20);
    EXPECT_TRUE(image.write((3 << 20) - 512, filled(1)));
    EXPECT_NE(identify_medium("disk.img", image), before);
    EXPECT_TRUE(image.write((3 << 20) - 512, filled(0)));
    EXPECT_EQ(identify_medium("disk.img", image), before);
}

TEST(InspectImage, KnowsEveryFloppyBySize)
{
    struct Case {
        u64 size;
        Geometry geometry;
        FloppyType drive;
    };
    const Case cases[] = {
        {163'840, {40, 1, 8}, FloppyType::K360},     {184'320, {40, 1, 9}, FloppyType::K360},
        {327'680, {40, 2, 8}, FloppyType::K360},     {368'640, {40, 2, 9}, FloppyType::K360},
        {737'280, {80, 2, 9}, FloppyType::K720},     {1'228'800, {80, 2, 15}, FloppyType::M1_2},
        {1'474'560, {80, 2, 18}, FloppyType::M1_44}, {1'720'320, {80, 2, 21}, FloppyType::M1_44},
        {1'763'328, {82, 2, 21}, FloppyType::M1_44}, {2'949'120, {80, 2, 36}, FloppyType::M2_88},
    };
    TemporaryFolder folder;
    for (const Case& expected : cases) {
        const ImageInfo info = inspect_image(folder.zeros("floppy.img", expected.size));
        EXPECT_EQ(info.kind, ImageKind::Floppy) << expected.size;
        EXPECT_EQ(info.geometry, expected.geometry) << expected.size;
        EXPECT_EQ(info.drive, expected.drive) << expected.size;
        EXPECT_EQ(info.size_bytes, expected.size);
    }
}

TEST(InspectImage, TheBootSectorKnowsBetterThanTheSize)
{
    TemporaryFolder folder;
    // 720 sectors: 80 tracks on one side, not 40 on two.
    const std::string single = image_with(folder, "single.img", 368'640, boot_sector(720, 9, 1));
    EXPECT_EQ(inspect_image(single).geometry, (Geometry{80, 1, 9}));
    EXPECT_EQ(inspect_image(single).drive, FloppyType::K720);

    const std::string cut = image_with(folder, "cut.img", 100 * 512, boot_sector(2400, 15, 2));
    const ImageInfo info = inspect_image(cut);
    EXPECT_EQ(info.geometry, (Geometry{80, 2, 15}));
    EXPECT_EQ(info.size_bytes, 1'228'800u);
    EXPECT_EQ(info.explanation,
              "1.2 MB floppy, 80 cylinders, 2 heads, 15 sectors (from its boot "
              "sector); the file has only 51200 bytes, the rest reads as zeros");
}

TEST(InspectImage, PrefersTheCdOfAHybridIso)
{
    TemporaryFolder folder;
    const ImageInfo plain = inspect_image(iso_image(folder, "plain.iso", false, false));
    EXPECT_EQ(plain.kind, ImageKind::Cdrom);
    EXPECT_FALSE(plain.bootable);
    EXPECT_EQ(plain.size_bytes, 21u * 2048);  // filled up to a whole sector

    const ImageInfo hybrid = inspect_image(iso_image(folder, "hybrid.iso", true, true));
    EXPECT_EQ(hybrid.kind, ImageKind::Cdrom);
    EXPECT_TRUE(hybrid.bootable);
    EXPECT_EQ(hybrid.explanation,
              "CD-ROM with an ISO 9660 file system, bootable (El Torito), also "
              "made to boot as a disk (hybrid)");
}

TEST(InspectImage, ACdIsPaddedAndReadOnly)
{
    TemporaryFolder folder;
    DiskImage image(iso_image(folder, "cd.iso", true, false), {});
    EXPECT_TRUE(image.read_only());
    std::array<u8, 2048> sector{};
    EXPECT_TRUE(image.read(20 * 2048, sector));
    EXPECT_FALSE(image.read(21 * 2048, sector));
}

TEST(InspectImage, TakesAHardDisksGeometryFromItsPartitions)
{
    TemporaryFolder folder;
    // 306 cylinders of 4 heads and 17 sectors: the partition ends in the last cylinder.
    const u32 total = 306 * 4 * 17;
    const std::string path = image_with(folder, "small.img", u64{total} * 512,
                                        partition_table(17, total - 17, 3, 17, 305));
    EXPECT_EQ(inspect_image(path).kind, ImageKind::HardDisk);
    EXPECT_EQ(inspect_image(path).geometry, (Geometry{306, 4, 17}));
}

TEST(InspectImage, IgnoresPartitionsThatContradictThemselves)
{
    TemporaryFolder folder;
    // The LBA says something else, and 255 heads are a translation.
    const std::string odd =
        image_with(folder, "odd.img", 16'515'072, partition_table(63, 1000, 3, 17, 305));
    EXPECT_EQ(inspect_image(odd).geometry, (Geometry{32, 16, 63}));
    const std::string translated = image_with(folder, "translated.img", u64{1} << 30,
                                              partition_table(2048, 2'095'104, 254, 63, 130));
    EXPECT_EQ(inspect_image(translated).geometry, (Geometry{2080, 16, 63}));
}

TEST(InspectImage, AHugeDiskReports16383Cylinders)
{
    TemporaryFolder folder;
    EXPECT_EQ(inspect_image(folder.zeros("huge.img", u64{20} << 30)).geometry,
              (Geometry{16383, 16, 63}));
}

TEST(InspectImage, ADiskSmallerThanACylinderHasAGeometryThatFits)
{
    TemporaryFolder folder;
    for (const u64 sectors : {u64{1}, u64{62}, u64{64}, u64{1007}}) {
        const std::string path = folder.zeros("tiny.img", sectors * 512);
        const Geometry geometry = inspect_image(path, ImageKind::HardDisk).geometry;
        EXPECT_GT(geometry.total(), 0u);
        EXPECT_LE(geometry.total(), sectors);
    }
}

TEST(InspectImage, ASmallPartitionedDiskIsAHardDisk)
{
    TemporaryFolder folder;
    const std::string path =
        image_with(folder, "small.img", 1 << 20, partition_table(63, 1000, 0, 1, 0));
    EXPECT_EQ(inspect_image(path).kind, ImageKind::HardDisk);
}
