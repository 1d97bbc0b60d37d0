/// One PCI function as the bus sees it: 256 bytes of configuration space.
///
/// Source: PCI Local Bus Specification 2.1, chapter 6. A device class owns a PciDevice, says once
/// which bytes can be written and which BARs there are, and is told when a register is written or
/// when something becomes visible at another address. Which slot it is in, and what it is
/// connected to, only the board knows.
#pragma once

#include <array>
#include <functional>

#include "machine/base/fields.h"
#include "machine/base/types.h"

namespace reprise {

class PciDevice {
public:
    struct Identity {
        u16 vendor = 0xFFFF, device = 0xFFFF;
        u32 class_code = 0;  // base class, sub-class, programming interface
        u8 revision = 0;
        bool multifunction = false;
        u8 interrupt_pin = 0;  // 1 = INTA#; 0: none
        u16 subsystem_vendor = 0, subsystem = 0;
    };

    enum class BarKind : u8 { None, Io, Memory, Prefetchable, Rom };
    static constexpr int kBars = 7, kRomBar = 6;

    /// Where a BAR's range is. Decoded only if `enabled`.
    struct Mapping {
        bool enabled = false;
        u32 base = 0;
        u32 size = 0;
        bool operator==(const Mapping&) const = default;
    };

    struct State {
        std::array<u8, 256> config{};

        constexpr void visit(auto& v) { v.bytes("config", config); }
    };

    explicit PciDevice(const Identity& identity);

    // Description, by the constructor of the device class.
    /// `size` is a power of two of at least 4 (I/O), 16 (memory) or 2048 (ROM).
    void declare_bar(int index, BarKind kind, u32 size);
    /// The value of a byte after reset, and which of its bits software can write.
    void declare(u8 offset, u8 value, u8 writable);

    /// A BAR's range, or whether it is decoded, has changed.
    std::function<void(int bar, const Mapping& mapping)> on_bar_changed;
    /// A byte from 40h on, or the Command register, was written. The state holds the new value.
    std::function<void(u8 offset, u8 before)> on_written;

    /// Configuration accesses of 1, 2 or 4 bytes that do not cross a dword.
    u32 read(u8 offset, int size) const;
    void write(u8 offset, int size, u32 value);

    Mapping mapping(int bar) const;
    bool bus_master_enabled() const { return (state.config[4] & 4) != 0; }
    u8 config(u8 offset) const { return state.config[offset]; }

    void reset();
    /// Calls the outputs with what they are now: after a state has been loaded.
    void announce();

    State state;

private:
    static u8 bar_offset(int bar);
    u32 register_at(u8 offset) const;
    void update_mappings();

    struct Bar {
        BarKind kind = BarKind::None;
        u32 size = 0;
    };

    std::array<u8, 256> defaults_{}, writable_{}, clears_{};
    std::array<Bar, kBars> bars_{};
    std::array<Mapping, kBars> announced_{};  // what on_bar_changed was last told
};

static_assert(visits_every_member<PciDevice::State>);

}  // namespace reprise
