/// Finds the firmware, which is not part of this project: Debian's package seabios.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "machine/base/types.h"

namespace reprise {

struct FirmwareImage {
    std::string path;
    std::vector<u8> bytes;
};

/// Where packages install SeaBIOS and its VGA BIOS.
inline const std::vector<std::string> kFirmwareFolders = {
    "/usr/share/seabios", "/usr/share/seavgabios", "/usr/local/share/seabios", "/usr/share/qemu",
    "/usr/local/share/qemu"};

/// The system BIOS: `path`, or if that is empty bios.bin of SeaBIOS. 64 to 256 KB, to be mapped so
/// that it ends at the top of the address space. Throws HostError naming the package and the
/// option if there is none, and saying what is wrong with what cannot be one.
FirmwareImage load_bios(const std::string& path,
                        const std::vector<std::string>& folders = kFirmwareFolders);

/// The VGA BIOS: `path`, or if that is empty vgabios-stdvga.bin of SeaBIOS. An option ROM of at
/// most 64 KB with a correct checksum.
FirmwareImage load_vgabios(const std::string& path,
                           const std::vector<std::string>& folders = kFirmwareFolders);

/// Whether an option ROM says that it belongs to this PCI device. (PCI Firmware Specification 3.0,
/// 5.1.2: the PCI data structure.)
bool option_rom_matches(std::span<const u8> rom, u16 vendor, u16 device);

}  // namespace reprise
