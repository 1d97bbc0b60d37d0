/// Intel 82441FX host bridge and memory controller (PMC) of the 440FX chip set.
///
/// Datasheet: Intel 290549, "82441FX PCI and Memory Controller (PMC) and 82442FX Data Bus
/// Accelerator". Names are the datasheet's: PAM, SMRAM, DRB.
#pragma once

#include <functional>

#include "devices/pci/pci_device.h"

namespace reprise {

class I440Fx {
public:
    I440Fx();

    /// Reads and writes of physical addresses `first`..`last` go to DRAM, or else to the bus (ROM,
    /// or nothing). Called for the segments between C0000h and FFFFFh whose PAM
    /// register was written.
    std::function<void(u32 first, u32 last, bool read_ram, bool write_ram)> on_pam_changed;
    /// For the processor A0000h..BFFFFh is DRAM rather than the video card: where it reads and
    /// writes data, and where it fetches code. PCI masters never see that.
    std::function<void(bool data, bool code)> on_smram_changed;

    /// The processor is in system management mode (SMIACT#, EXF4#).
    void set_smiact(bool active);

    void reset();
    /// Calls the outputs with what they are now: after a state has been loaded.
    void announce();

    void visit(auto& v)
    {
        v("config", config.state);
        v("smiact", smiact);
    }

    PciDevice config;
    bool smiact = false;

private:
    void written(u8 offset, u8 before);
    void announce_pam(int index);
    void announce_smram();
};

}  // namespace reprise
