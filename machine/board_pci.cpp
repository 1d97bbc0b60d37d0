/// The part of the schematic that is on PCI: chip set, VGA, and the address ranges that the
/// firmware moves.
#include "machine/board.h"

#include <algorithm>

namespace reprise {

namespace {

constexpr u64 kVgaWindow = 0xA0000, kVgaWindowSize = 0x20000;
// What lies over what where the guest lets regions overlap.
constexpr int kDirectWindowLayer = 1, kVgaRegistersLayer = 2, kFramebufferLayer = 3,
              kVgaRomLayer = 4, kBootCardRomLayer = 5;

// PCI slots, as QEMU's "pc" and with it SeaBIOS has them.
constexpr int kChipsetSlot = 0, kIsaSlot = 1, kVgaSlot = 2, kBootCardSlot = 31;

constexpr int kVgaFramebufferBar = 0, kVgaRegistersBar = 2;

}  // namespace

// ---- PCI ---------------------------------------------------------------------------------------

void Board::connect_pci()
{
    io.map_wide(
        0xCF8, 0xCFF,
        [this](u16 port, int size) -> u32 {
            if (port == 0xCF9 && size == 1) return reset_control.read(0);
            return pci.read(port - 0xCF8, size);
        },
        [this](u16 port, int size, u32 value) {
            if (port == 0xCF9 && size == 1) return reset_control.write(0, static_cast<u8>(value));
            pci.write(port - 0xCF8, size, value);
        });
    pci.attach(kChipsetSlot, 0, host_bridge.config);
    pci.attach(kIsaSlot, 0, isa_bridge.config);
    pci.attach(kIsaSlot, 1, ide.config);
    pci.attach(kVgaSlot, 0, vga_pci);

    host_bridge.on_pam_changed = [this](u32 first, u32 last, bool read_ram, bool write_ram) {
        memory.set_shadow(first, u64{last} - first + 1, read_ram, write_ram);
    };
    host_bridge.on_smram_changed = [this](bool data, bool code) { memory.set_smram(data, code); };
    ide.config.on_bar_changed = [this](int bar, const PciDevice::Mapping& mapping) {
        if (bar != PiixIde::kBusMasterBar) return;
        io.unmap(bus_master_ports_);
        bus_master_ports_ = 0;
        if (mapping.enabled && mapping.base + mapping.size <= 0x10000)
            bus_master_ports_ = io.map(static_cast<u16>(mapping.base),
                                       static_cast<u16>(mapping.base + mapping.size - 1), ide);
        pm.announce();  // its ports go before these, whatever was moved last
    };
}

// ---- VGA ---------------------------------------------------------------------------------------

void Board::connect_vga()
{
    io.map_bytes(
        0x3B0, 0x3DF, [this](u16 port) { return vga.read(port - 0x3B0); },
        [this](u16 port, u8 value) { vga.write(port - 0x3B0, value); });
    // The parallel port of an MDA card lies in this range and is not there.
    io.map_bytes(0x3BC, 0x3BF, {}, {});
    io.map_wide(
        0x1CE, 0x1D0,
        [this](u16 port, int size) -> u32 {
            return size == 2 ? vga.dispi_read(port == 0x1CE ? 0 : 1) : 0xFFFFFFFF;
        },
        [this](u16 port, int size, u32 value) {
            if (size >= 2) vga.dispi_write(port == 0x1CE ? 0 : 1, static_cast<u16>(value));
        });
    memory.map_device(kVgaWindow, kVgaWindowSize, vga);
    vga.on_mapping_changed = [this] { map_vga_window(); };

    vga_pci.declare_bar(kVgaFramebufferBar, PciDevice::BarKind::Prefetchable,
                        static_cast<u32>(vga.vram().size()));
    vga_pci.declare_bar(kVgaRegistersBar, PciDevice::BarKind::Memory, 0x1000);
    vga_pci.declare_bar(PciDevice::kRomBar, PciDevice::BarKind::Rom, 0x10000);
    vga_pci.declare(0x04, 0, 0x07);  // Command: the VGA ports are I/O space without a BAR
    vga_pci.on_bar_changed = [this](int bar, const PciDevice::Mapping& mapping) {
        MemoryMap::Region& region = bar == kVgaFramebufferBar ? vga_linear_
                                    : bar == kVgaRegistersBar ? vga_registers_
                                                              : vga_rom_region_;
        if (region >= 0) memory.unmap(region);
        region = -1;
        if (!mapping.enabled) return;
        if (bar == kVgaFramebufferBar)
            region = memory.map_memory(mapping.base, mapping.size, vga.vram().data(),
                                       vga.vram().data(), kFramebufferLayer);
        else if (bar == kVgaRegistersBar) region = map_vga_registers(mapping.base, mapping.size);
        else
            region = memory.map_memory(mapping.base, mapping.size, vga_rom_.data(), nullptr,
                                       kVgaRomLayer);
    };
}

/// The second BAR of QEMU's stdvga (docs/specs/standard-vga): VGA ports from 400h, DISPI registers
/// from 500h.
MemoryMap::Region Board::map_vga_registers(u64 base, u64 size)
{
    const auto read = [this](u64 offset, int width) -> u64 {
        if (offset >= 0x400 && offset < 0x420) {
            u64 value = 0;
            for (int i = 0; i < width; ++i)
                value |=
                    u64{vga.read(static_cast<u16>(0x10 + offset - 0x400 + static_cast<u64>(i)))}
                    << 8 * i;
            return value;
        }
        if (offset >= 0x500 && offset < 0x516 && width == 2)
            return vga.dispi_register(static_cast<u16>((offset - 0x500) / 2));
        return offset < 0x400 ? 0 : ~u64{0};  // no EDID
    };
    const auto write = [this](u64 offset, int width, u64 value) {
        if (offset >= 0x400 && offset < 0x420)
            for (int i = 0; i < width; ++i)
                vga.write(static_cast<u16>(0x10 + offset - 0x400 + static_cast<u64>(i)),
                          static_cast<u8>(value >> 8 * i));
        if (offset >= 0x500 && offset < 0x516 && width == 2)
            vga.set_dispi_register(static_cast<u16>((offset - 0x500) / 2), static_cast<u16>(value));
    };
    return memory.map_mmio(base, size, read, write, kVgaRegistersLayer);
}

/// The window of the card below 1 MB: every access is the VGA's, except while part of it is nothing
/// but memory, which the CPU then reaches by itself.
void Board::map_vga_window()
{
    const std::optional<DirectWindow> direct = vga.direct_window();
    if (vga_direct_ >= 0) memory.unmap(vga_direct_);
    vga_direct_ = -1;
    if (direct)
        vga_direct_ = memory.map_memory(kVgaWindow + direct->window_offset, direct->size,
                                        direct->host, direct->host, kDirectWindowLayer);
}

bool Board::peek(u64 physical, std::span<u8> out)
{
    for (std::size_t i = 0; i < out.size(); ++i) {
        const u64 address = physical + i;
        const PageAccess access = memory.page(address);
        const bool is_vga = address - kVgaWindow < kVgaWindowSize;
        if (access.read) out[i] = access.read[address % 0x1000];
        else if (is_vga) out[i] = vga.memory_peek(static_cast<u32>(address - kVgaWindow));
        else if (memory.is_mmio(address)) return false;
        else out[i] = 0xFF;
    }
    return true;
}

bool Board::poke(u64 physical, std::span<const u8> bytes)
{
    const PageAccess access = memory.page(physical);
    if (access.read && !access.write) return false;
    if (access.write) {
        std::ranges::copy(bytes, access.write + physical % 0x1000);
        cpu.memory_written(physical, bytes.size());
    } else {
        memory.write_block(physical, bytes);
    }
    return true;
}

// ---- Boot card ---------------------------------------------------------------------------------

void Board::connect_boot_card()
{
    if (!kernel_) return;
    boot_card = std::make_unique<BootCard>(KernelBoot::card_rom());
    pci.attach(kBootCardSlot, 0, boot_card->config);
    boot_card->config.on_bar_changed = [this](int, const PciDevice::Mapping& mapping) {
        if (boot_card_rom_region_ >= 0) memory.unmap(boot_card_rom_region_);
        boot_card_rom_region_ = -1;
        if (mapping.enabled)
            boot_card_rom_region_ = memory.map_memory(
                mapping.base, mapping.size, boot_card->rom().data(), nullptr, kBootCardRomLayer);
    };
    boot_card->on_start = [this](u32 block) {
        const GuestMemory guest{
            [this](u64 address, std::span<u8> out) { memory.read_block(address, out); },
            [this](u64 address, std::span<const u8> data) { memory.write_block(address, data); }};
        const std::string refusal = kernel_->start(guest, block);
        if (!refusal.empty() && on_message)
            on_message("'" + config.kernel.path + "' was not started: " + refusal);
    };
}

}  // namespace reprise
