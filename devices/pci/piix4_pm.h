/// Intel 82371AB (PIIX4), function 3: power management, with the chip's two APM registers.
///
/// Datasheet: Intel 290562, "82371AB PCI-to-ISA / IDE Xcelerator (PIIX4)". Names are the
/// datasheet's: PMBA, PMREGMISC, DEVACTB, PMSTS, PMEN, PMCNTRL, PMTMR, GPSTS, GPEN, GLBSTS,
/// GLBCTL, APMC, APMS. The registers that ACPI describes are complete (PM1, timer, GPE0); of the
/// legacy half there is SMI# by software, through APMC; of the rest (device monitors, clock
/// control) there is storage, and the SMBus controller is not there.
///
/// EOS, which software sets to get the next SMI#, does not hold it back: SeaBIOS never sets it.
///
/// The timer is never ticked: it counts from `timer_since`, and one event marks the moment at which
/// its overflow interrupts.
#pragma once

#include <array>
#include <functional>

#include "devices/pci/pci_device.h"
#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

class Piix4Pm {
public:
    /// 14.31818 MHz / 4.
    static constexpr Clock kClk{315'000'000, 88};
    static constexpr u16 kIoBytes = 64;
    /// GPSTS and GPEN in the PM I/O space: what ACPI calls the GPE0 block.
    static constexpr u16 kGpeOffset = 0x0C, kGpeBytes = 4;

    struct State {
        u16 pmsts = 0;  // but for TMROF_STS, which follows from the timer
        u16 pmen = 0;
        u16 pmcntrl = 0;
        u64 timer_since = 0;        // CLK tick at which PMTMR was 0
        u64 overflows_cleared = 0;  // PMTMR's changes of bit 23 that software knows of
        u16 gpen = 0;
        std::array<u8, kIoBytes> legacy{};  // storage
        u8 apmc = 0, apms = 0;
        bool sci = false;

        constexpr void visit(auto& v)
        {
            v("pmsts", pmsts);
            v("pmen", pmen);
            v("pmcntrl", pmcntrl);
            v("timer_since", timer_since);
            v("overflows_cleared", overflows_cleared);
            v("gpen", gpen);
            v.bytes("legacy", legacy);
            v("apmc", apmc);
            v("apms", apms);
            v("sci", sci);
        }
    };

    explicit Piix4Pm(Scheduler& scheduler);

    std::function<void(bool level)> on_sci;  ///< system control interrupt, high active
    /// The PM I/O space is decoded at `base`, or not at all.
    std::function<void(bool enabled, u16 base)> on_io_changed;
    /// SUS_EN was written: enter the sleeping state that SUS_TYP says, 0 being "soft off". The chip
    /// takes every other state as one that has been woken from at once.
    std::function<void()> on_soft_off;
    /// APMC was written, whether that is an SMI# or not.
    std::function<void(u8 command)> on_apm_command;
    std::function<void()> on_smi;  ///< SMI#, a pulse

    /// The PM I/O space, by bytes of its 64.
    u8 read(u16 offset);
    void write(u16 offset, u8 value);
    /// Offsets 0: APMC, 1: APMS.
    u8 read_apm(u16 offset) const { return offset & 1 ? state.apms : state.apmc; }
    void write_apm(u16 offset, u8 value);

    /// SCI_EN, from outside of the PM I/O space.
    void set_sci_enable(bool on);
    void press_power_button();

    void reset();
    /// Calls the outputs with what they are now: after a state has been loaded.
    void announce();

    void visit(auto& v)
    {
        v("config", config.state);
        v("state", state);
    }

    PciDevice config;
    State state;

private:
    u64 elapsed() const { return kClk.ticks(scheduler_.now()) - state.timer_since; }
    u32 timer() const;
    u16 status() const;
    u16 read_word(u16 offset) const;
    void write_word(u16 offset, u16 value, u16 mask);
    void write_control(u16 value);
    void announce_io();
    void update();

    Scheduler& scheduler_;
    Event overflow_;
};

static_assert(visits_every_member<Piix4Pm::State>);

}  // namespace reprise
