/// The PCI bus: configuration mechanism 1, and the interrupt wires between slots.
///
/// Source: PCI Local Bus Specification 2.1 (CONFIG_ADDRESS, CONFIG_DATA; the
/// usual rotation of INTA#..INTD# from slot to slot).
#pragma once

#include <array>
#include <functional>

#include "devices/pci/pci_device.h"
#include "machine/base/fields.h"

namespace reprise {

class PciBus {
public:
    static constexpr int kSlots = 32, kFunctions = 8;

    struct State {
        u32 config_address = 0;
        std::array<u32, 4> asserted{};  // per wire of the board, a bit per slot that pulls it

        constexpr void visit(auto& v)
        {
            v("config_address", config_address);
            v("asserted", asserted);
        }
    };

    /// A wire of the board, 0..3, changed its level. True: asserted.
    std::function<void(int wire, bool asserted)> on_interrupt;

    void attach(int slot, int function, PciDevice& device);

    /// Offsets 0..3: CONFIG_ADDRESS, which takes dword accesses only. Offsets 4..7: CONFIG_DATA,
    /// in bytes, words or a dword. Narrower accesses to offsets 0..3 are not for the host bridge.
    u32 read(u16 offset, int size) const;
    void write(u16 offset, int size, u32 value);

    /// A device in `slot` drives its INTA#..INTD# (`pin` 1..4).
    void set_interrupt(int slot, int pin, bool asserted);

    void reset();

    State state;

private:
    PciDevice* selected() const;

    std::array<std::array<PciDevice*, kFunctions>, kSlots> devices_{};
};

static_assert(visits_every_member<PciBus::State>);

}  // namespace reprise
