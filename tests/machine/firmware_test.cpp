#include "machine/firmware.h"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/machine/host_test.h"

using namespace reprise;
using namespace reprise::test;

namespace {

std::vector<u8> bios(std::size_t size)
{
    std::vector<u8> bytes(size, 0xFF);
    const u8 far_jump[] = {0xEA, 0x5B, 0xE0, 0x00, 0xF0};
    if (size >= 16) std::ranges::copy(far_jump, bytes.end() - 16);
    return bytes;
}

std::vector<u8> option_rom(std::size_t size, u8 units)
{
    std::vector<u8> bytes(size);
    bytes[0] = 0x55;
    bytes[1] = 0xAA;
    bytes[2] = units;
    const auto end = bytes.begin() + static_cast<std::ptrdiff_t>(std::min(size, units * 512ul));
    bytes[5] = static_cast<u8>(-std::accumulate(bytes.begin(), end, 0));
    return bytes;
}

}  // namespace

TEST(Firmware, IsFoundInTheFoldersInOrder)
{
    TemporaryFolder first, second;
    second.file("bios.bin", bios(128 << 10));
    second.file("vgabios-stdvga.bin", option_rom(39'936, 78));
    const std::vector<std::string> folders{first.path(), second.path()};
    EXPECT_EQ(load_bios("", folders).path, second / "bios.bin");
    EXPECT_EQ(load_bios("", folders).bytes, bios(128 << 10));
    EXPECT_EQ(load_vgabios("", folders).bytes.size(), 39'936u);
    first.file("bios.bin", bios(64 << 10));
    EXPECT_EQ(load_bios("", folders).bytes.size(), 64u << 10);
}

TEST(Firmware, MissingNamesThePackageAndTheOption)
{
    TemporaryFolder folder;
    EXPECT_EQ(error_of([&] { load_bios("", {folder.path()}); }),
              "the BIOS (bios.bin) was not found; install the package 'seabios', or name a file "
              "with --bios");
    EXPECT_EQ(error_of([&] { load_vgabios("", {folder.path()}); }),
              "the VGA BIOS (vgabios-stdvga.bin) was not found; install the package 'seabios', or "
              "name a file with --vgabios");
    EXPECT_EQ(error_of([&] { load_bios(folder / "my.bin"); }),
              "cannot read BIOS '" + (folder / "my.bin") + "': No such file or directory");
}

TEST(Firmware, RefusesWhatCannotBeABios)
{
    TemporaryFolder folder;
    for (const std::size_t size : {std::size_t{0}, std::size_t{15}, std::size_t{65'535},
                                   std::size_t{96 << 10}, std::size_t{512 << 10}})
        EXPECT_NE(error_of([&] { load_bios(folder.file("x.bin", bios(size))); }), "") << size;
    EXPECT_EQ(error_of([&] { load_bios(folder.zeros("x.bin", 64 << 10)); }),
              "'" + (folder / "x.bin") +
                  "' cannot be the BIOS: there is no code at its reset "
                  "vector; name another file with --bios, or reinstall the package 'seabios'");
    EXPECT_EQ(load_bios(folder.file("x.bin", bios(256 << 10))).bytes.size(), 256u << 10);
}

TEST(Firmware, RefusesWhatCannotBeAVgaBios)
{
    TemporaryFolder folder;
    const auto refusal = [&](const std::vector<u8>& bytes) {
        return error_of([&] { load_vgabios(folder.file("x.bin", bytes)); });
    };
    EXPECT_EQ(refusal(option_rom(32 << 10, 64)), "");
    EXPECT_NE(refusal({}), "");
    EXPECT_NE(refusal({0x55}), "");
    EXPECT_NE(refusal(std::vector<u8>(32 << 10)).find("55h AAh"), std::string::npos);
    EXPECT_NE(refusal(option_rom(1024, 64)).find("32768 bytes, and has 1024"), std::string::npos);
    EXPECT_NE(refusal(option_rom(1024, 0)), "");
    std::vector<u8> damaged = option_rom(32 << 10, 64);
    damaged[999] ^= 1;
    EXPECT_NE(refusal(damaged).find("its checksum is wrong"), std::string::npos);
    EXPECT_NE(refusal(std::vector<u8>(128 << 10)), "");
}

TEST(Firmware, RecognisesTheDeviceOfAnOptionRom)
{
    std::vector<u8> rom = option_rom(1024, 2);
    EXPECT_FALSE(option_rom_matches(rom, 0x1234, 0x1111));
    rom[0x18] = 0x40;
    const u8 pci_data[] = {'P', 'C', 'I', 'R', 0x34, 0x12, 0x11, 0x11};
    std::ranges::copy(pci_data, rom.begin() + 0x40);
    EXPECT_TRUE(option_rom_matches(rom, 0x1234, 0x1111));
    EXPECT_FALSE(option_rom_matches(rom, 0x1234, 0x1112));
    rom[0x19] = 0xFF;  // points beyond the end
    EXPECT_FALSE(option_rom_matches(rom, 0x1234, 0x1111));
    EXPECT_FALSE(option_rom_matches({}, 0x1234, 0x1111));
}

TEST(Firmware, OfDebianIsAccepted)
{
    if (!std::filesystem::exists("/usr/share/seabios/bios.bin"))
        GTEST_SKIP() << "package seabios is not installed";
    EXPECT_EQ(load_bios("").bytes.size(), 128u << 10);
    EXPECT_TRUE(option_rom_matches(load_vgabios("").bytes, 0x1234, 0x1111));
}
