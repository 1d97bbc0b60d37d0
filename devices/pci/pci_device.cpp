#include "devices/pci/pci_device.h"

namespace reprise {

namespace {

constexpr u8 kCommand = 0x04, kStatus = 0x06, kFirstBar = 0x10, kRomAddress = 0x30,
             kInterruptLine = 0x3C;
constexpr u8 kIoSpace = 0x01, kMemorySpace = 0x02, kBusMaster = 0x04;

}  // namespace

PciDevice::PciDevice(const Identity& identity)
{
    const auto word = [this](u8 offset, u16 value) {
        defaults_[offset] = static_cast<u8>(value);
        defaults_[offset + 1] = static_cast<u8>(value >> 8);
    };
    word(0x00, identity.vendor);
    word(0x02, identity.device);
    word(kStatus, 0x0280);        // medium DEVSEL# timing, fast back-to-back
    clears_[kStatus + 1] = 0xF9;  // error bits are cleared by writing 1
    defaults_[0x08] = identity.revision;
    defaults_[0x09] = static_cast<u8>(identity.class_code);
    word(0x0A, static_cast<u16>(identity.class_code >> 8));
    defaults_[0x0E] = identity.multifunction ? 0x80 : 0;
    word(0x2C, identity.subsystem_vendor);
    word(0x2E, identity.subsystem);
    defaults_[0x3D] = identity.interrupt_pin;
    writable_[kCommand] = kBusMaster;
    writable_[0x0C] = writable_[0x0D] = 0xFF;  // cache line size, latency timer
    if (identity.interrupt_pin) writable_[kInterruptLine] = 0xFF;
    state.config = defaults_;
}

u8 PciDevice::bar_offset(int bar)
{
    return bar == kRomBar ? kRomAddress : static_cast<u8>(kFirstBar + 4 * bar);
}

/// Software writes all ones and reads the size: the address bits below the size stay 0.
void PciDevice::declare_bar(int index, BarKind kind, u32 size)
{
    if (index < 0 || index >= kBars) return;
    bars_[index] = {kind, size};
    const u8 offset = bar_offset(index);
    u32 mask = ~(size - 1);
    if (kind == BarKind::Rom) mask |= 1;  // address decode enable
    for (u32 i = 0; i < 4; ++i) writable_[offset + i] = static_cast<u8>(mask >> 8 * i);
    defaults_[offset] = kind == BarKind::Io ? 0x01 : kind == BarKind::Prefetchable ? 0x08 : 0;
    writable_[kCommand] |= kind == BarKind::Io ? kIoSpace : kMemorySpace;
    state.config = defaults_;
}

void PciDevice::declare(u8 offset, u8 value, u8 writable)
{
    defaults_[offset] = value;
    writable_[offset] = writable;
    state.config[offset] = value;
}

u32 PciDevice::register_at(u8 offset) const
{
    u32 value = 0;
    for (u32 i = 0; i < 4; ++i) value |= u32{state.config[(offset + i) & 0xFF]} << 8 * i;
    return value;
}

u32 PciDevice::read(u8 offset, int size) const
{
    u32 value = 0;
    for (int i = 0; i < size && i < 4; ++i)
        value |= u32{state.config[(offset + i) & 0xFF]} << 8 * i;
    return value;
}

void PciDevice::write(u8 offset, int size, u32 value)
{
    const State before = state;
    // All bytes are in place before anybody is told, as the bus delivers them at once.
    for (int i = 0; i < size && i < 4; ++i) {
        const u8 at = static_cast<u8>(offset + i), byte = static_cast<u8>(value >> 8 * i);
        u8& config = state.config[at];
        config = static_cast<u8>((config & ~writable_[at]) | (byte & writable_[at]));
        config &= static_cast<u8>(~(byte & clears_[at]));
    }
    update_mappings();
    for (int i = 0; i < size && i < 4 && on_written; ++i) {
        const u8 at = static_cast<u8>(offset + i);
        if (at == kCommand || at >= 0x40) on_written(at, before.config[at]);
    }
}

PciDevice::Mapping PciDevice::mapping(int bar) const
{
    if (bar < 0 || bar >= kBars || bars_[bar].kind == BarKind::None) return {};
    const auto [kind, size] = bars_[bar];
    const u32 value = register_at(bar_offset(bar));
    const u32 base = value & ~(size - 1);
    const u8 space = kind == BarKind::Io ? kIoSpace : kMemorySpace;
    const bool rom_off = kind == BarKind::Rom && !(value & 1);
    // A range at 0 or one that is being sized (up against the end) is not meant to be decoded.
    const bool placed = base != 0 && base != ~(size - 1) && (kind != BarKind::Io || base < 0x10000);
    return {(state.config[kCommand] & space) && !rom_off && placed, base, size};
}

void PciDevice::update_mappings()
{
    for (int bar = 0; bar < kBars; ++bar) {
        const Mapping now = mapping(bar);
        if (now == announced_[bar] || (!now.enabled && !announced_[bar].enabled)) continue;
        announced_[bar] = now;
        if (on_bar_changed) on_bar_changed(bar, now);
    }
}

void PciDevice::reset()
{
    state.config = defaults_;
    update_mappings();
    if (on_written) on_written(kCommand, state.config[kCommand]);
}

void PciDevice::announce()
{
    for (int bar = 0; bar < kBars; ++bar) {
        if (bars_[bar].kind == BarKind::None) continue;
        announced_[bar] = mapping(bar);
        if (on_bar_changed) on_bar_changed(bar, announced_[bar]);
    }
}

}  // namespace reprise
