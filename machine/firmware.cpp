#include "machine/firmware.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string_view>

#include "machine/base/error.h"
#include "machine/posix_file.h"

namespace reprise {

namespace {

constexpr std::size_t kBiosUnit = std::size_t{64} << 10, kMaxBiosBytes = 4 * kBiosUnit;
constexpr std::size_t kMaxOptionRomBytes = std::size_t{64} << 10, kOptionRomUnit = 512;
constexpr std::size_t kResetVectorBytes = 16;

struct Wanted {
    const char* what;
    const char* file;
    const char* option;
};

constexpr Wanted kBios{"BIOS", "bios.bin", "--bios"};
constexpr Wanted kVgaBios{"VGA BIOS", "vgabios-stdvga.bin", "--vgabios"};

FirmwareImage load(const Wanted& wanted, const std::string& path,
                   const std::vector<std::string>& folders, std::size_t max_bytes)
{
    if (!path.empty()) return {path, read_whole_file(path, wanted.what, max_bytes)};
    for (const std::string& folder : folders) {
        const std::string candidate = folder + '/' + wanted.file;
        if (::access(candidate.c_str(), F_OK) == 0)
            return {candidate, read_whole_file(candidate, wanted.what, max_bytes)};
    }
    throw HostError(
        fmt::format("the {} ({}) was not found; install the package 'seabios', or name "
                    "a file with {}",
                    wanted.what, wanted.file, wanted.option));
}

[[noreturn]] void refuse(const Wanted& wanted, const std::string& path, const std::string& why)
{
    throw HostError(
        fmt::format("'{}' cannot be the {}: {}; name another file with {}, or reinstall "
                    "the package 'seabios'",
                    path, wanted.what, why, wanted.option));
}

u16 word(std::span<const u8> bytes, std::size_t offset)
{
    return static_cast<u16>(bytes[offset] | bytes[offset + 1] << 8);
}

}  // namespace

FirmwareImage load_bios(const std::string& path, const std::vector<std::string>& folders)
{
    FirmwareImage image = load(kBios, path, folders, kMaxBiosBytes);
    const std::size_t size = image.bytes.size();
    if (size == 0 || size % kBiosUnit != 0)
        refuse(kBios, image.path,
               fmt::format("it has {} bytes, and a BIOS has 64, 128, 192 or 256 KB", size));
    // The processor begins here. What is no code at all is zero, or the FFh of an erased ROM.
    const auto vector = std::span(image.bytes).last(kResetVectorBytes);
    if (std::ranges::all_of(vector, [&](u8 byte) { return byte == vector[0]; }))
        refuse(kBios, image.path, "there is no code at its reset vector");
    return image;
}

FirmwareImage load_vgabios(const std::string& path, const std::vector<std::string>& folders)
{
    FirmwareImage image = load(kVgaBios, path, folders, kMaxOptionRomBytes);
    const std::vector<u8>& rom = image.bytes;
    if (rom.size() < kOptionRomUnit || word(rom, 0) != 0xAA55)
        refuse(kVgaBios, image.path, "it does not begin with 55h AAh");
    const std::size_t length = rom[2] * kOptionRomUnit;
    if (length == 0 || length > rom.size())
        refuse(kVgaBios, image.path,
               fmt::format("it says that it has {} bytes, and has {}", length, rom.size()));
    const auto sum =
        std::accumulate(rom.begin(), rom.begin() + static_cast<std::ptrdiff_t>(length), 0u);
    if ((sum & 0xFF) != 0) refuse(kVgaBios, image.path, "its checksum is wrong");
    return image;
}

bool option_rom_matches(std::span<const u8> rom, u16 vendor, u16 device)
{
    constexpr std::size_t kPointer = 0x18, kVendor = 4, kDevice = 6, kHeaderBytes = 24;
    if (rom.size() < kPointer + 2) return false;
    const std::size_t at = word(rom, kPointer);
    return at + kHeaderBytes <= rom.size() && std::memcmp(&rom[at], "PCIR", 4) == 0 &&
           word(rom, at + kVendor) == vendor && word(rom, at + kDevice) == device;
}

}  // namespace reprise
