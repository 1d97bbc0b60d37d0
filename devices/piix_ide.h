/// Intel 82371SB (PIIX3), function 1: the bus master IDE interface.
///
/// Datasheet: Intel 290550, "82371FB (PIIX) and 82371SB (PIIX3) PCI ISA IDE Xcelerator";
/// "Programming Interface for Bus Master IDE Controller", revision 1.0. Names are theirs: BMICX,
/// BMISX, BMIDTPX, IDETIM, PRD.
///
/// The function moves data between two ATA channels and memory along tables of physical region
/// descriptors. It moves a whole block at the instant a drive asks: the drive keeps the time.
#pragma once

#include <array>
#include <functional>
#include <span>

#include "devices/ata/ata_channel.h"
#include "devices/pci/pci_device.h"
#include "machine/base/fields.h"

namespace reprise {

class PiixIde {
public:
    struct Channel {
        u8 bmic = 0;       // RWCON, SSBM
        u8 bmis = 0;       // DMA1CAP, DMA0CAP, IDEINTS, DMA error, BMIDEA
        u32 bmidtp = 0;    // descriptor table pointer
        bool irq = false;  // level of the drive's INTRQ

        // The region that is being transferred.
        u32 next_prd = 0;
        u32 address = 0;
        u32 left = 0;
        bool end_of_table = false;

        constexpr void visit(auto& v)
        {
            v("bmic", bmic);
            v("bmis", bmis);
            v("bmidtp", bmidtp);
            v("irq", irq);
            v("next_prd", next_prd);
            v("address", address);
            v("left", left);
            v("end_of_table", end_of_table);
        }
    };

    struct State {
        std::array<Channel, 2> channel{};

        constexpr void visit(auto& v) { v("channel", channel); }
    };

    /// Connects itself to the DMARQ and INTRQ pins of both channels; the interrupt is handed on to
    /// `on_irq`. The channels are not owned.
    PiixIde(AtaChannel& primary, AtaChannel& secondary);

    std::array<std::function<void(bool level)>, 2> on_irq;
    /// Which channels' task files are decoded at their ISA addresses.
    std::function<void(bool primary, bool secondary)> on_channels_enabled;
    std::function<void(u64 address, std::span<u8> out)> on_memory_read;
    std::function<void(u64 address, std::span<const u8> data)> on_memory_write;

    /// The 16 registers behind BAR 4, which config.on_bar_changed tells the place of. An access of
    /// two or four bytes is the same as its bytes in ascending order.
    u8 read(u16 offset);
    void write(u16 offset, u8 value);

    bool channel_enabled(int index) const;
    void reset();
    /// Calls the outputs with what they are now: after a state has been loaded.
    void announce();

    void visit(auto& v)
    {
        v("config", config.state);
        v("state", state);
    }

    static constexpr int kBusMasterBar = 4;
    PciDevice config;
    State state;

private:
    void set_irq(int index, bool level);
    void write_command(int index, u8 value);
    void run(int index);
    bool fetch_prd(Channel& channel);
    void announce_channels();

    std::array<AtaChannel*, 2> ata_;
};

static_assert(visits_every_member<PiixIde::Channel>);
static_assert(visits_every_member<PiixIde::State>);

}  // namespace reprise
