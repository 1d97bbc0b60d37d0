/// A PCI card that starts a kernel without a disk: an expansion ROM (roms/boot_card) that the
/// firmware boots from, and a doorbell.
///
/// The card is this project's own and its datasheet is here. Its ROM keeps a block of 4 KiB in the
/// guest's memory and writes the block's address to the doorbell, a dword at 40h of configuration
/// space. The card answers within that write, as a bus master, through the same block:
///
///     00  from the ROM: number of entries of the memory map
///         from the card: how to go on (Kind); Refused: the message says why
///     04  EAX, EBX, ESI for the kernel; in real mode SS (which all segments get) and SP
///     10  EIP; in real mode IP and CS
///     14  CR3, for 64-bit mode
///     18  limit and base of a GDT whose selector 10h is code and 18h is data
///     40  that GDT
///     80  message, ending with a zero byte
///    200  memory map: entries of 20 bytes as INT 15h, AX = E820h gives them
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "devices/pci/pci_device.h"

namespace reprise {

class BootCard {
public:
    static constexpr u32 kBlockBytes = 0x1000;
    static constexpr u32 kRegistersOffset = 0x04, kEntryOffset = 0x10, kPageTablesOffset = 0x14,
                         kGdtPointerOffset = 0x18, kGdtOffset = 0x40, kMessageOffset = 0x80,
                         kMapOffset = 0x200, kMapEntryBytes = 20, kMaxMapEntries = 128;
    enum class Kind : u32 { Refused = 0, RealMode = 1, ProtectedMode = 2, LongMode = 3 };

    /// `rom` is an expansion ROM whose checksums may be missing.
    explicit BootCard(std::span<const u8> rom);

    /// The doorbell: the block is at this address.
    std::function<void(u32 block)> on_start;

    void reset() { config.reset(); }

    /// A power of two of bytes, for the ROM's BAR.
    std::span<u8> rom() { return rom_; }

    PciDevice config;

private:
    std::vector<u8> rom_;
};

}  // namespace reprise
