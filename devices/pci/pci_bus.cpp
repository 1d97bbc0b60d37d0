#include "devices/pci/pci_bus.h"

#include "machine/base/bits.h"

namespace reprise {

namespace {

constexpr u32 kAddressBits = 0x80FF'FFFC;

constexpr u32 all_ones(int size) { return size >= 4 ? ~u32{0} : (u32{1} << 8 * size) - 1; }

}  // namespace

void PciBus::attach(int slot, int function, PciDevice& device)
{
    devices_[slot & (kSlots - 1)][function & (kFunctions - 1)] = &device;
}

/// Null: not enabled, another bus, or an empty slot.
PciDevice* PciBus::selected() const
{
    const u32 address = state.config_address;
    if (!bit(address, 31) || bits(address, 23, 16) != 0) return nullptr;
    return devices_[bits(address, 15, 11)][bits(address, 10, 8)];
}

u32 PciBus::read(u16 offset, int size) const
{
    if (offset < 4) return offset == 0 && size == 4 ? state.config_address : all_ones(size);
    const PciDevice* device = selected();
    if (!device) return all_ones(size);  // master abort
    return device->read(static_cast<u8>((state.config_address & 0xFC) | (offset & 3)), size) &
           all_ones(size);
}

void PciBus::write(u16 offset, int size, u32 value)
{
    if (offset < 4) {
        if (offset == 0 && size == 4) state.config_address = value & kAddressBits;
        return;
    }
    if (PciDevice* device = selected())
        device->write(static_cast<u8>((state.config_address & 0xFC) | (offset & 3)), size, value);
}

/// Slot 1 has INTA# on the first wire, slot 2 on the second, and so on.
void PciBus::set_interrupt(int slot, int pin, bool asserted)
{
    if (pin < 1 || pin > 4) return;
    const int wire = (slot + pin + 2) & 3;
    const bool before = state.asserted[wire] != 0;
    state.asserted[wire] = with_bit(state.asserted[wire], slot & (kSlots - 1), asserted);
    const bool after = state.asserted[wire] != 0;
    if (before != after && on_interrupt) on_interrupt(wire, after);
}

void PciBus::reset()
{
    state.config_address = 0;
    for (int wire = 0; wire < 4; ++wire) {
        if (state.asserted[wire] && on_interrupt) on_interrupt(wire, false);
        state.asserted[wire] = 0;
    }
}

}  // namespace reprise
