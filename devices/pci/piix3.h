/// Intel 82371SB (PIIX3), function 0: the PCI to ISA bridge, with the chip's register groups
/// outside configuration space: ELCR, reset control, coprocessor error.
///
/// Datasheet: Intel 290550, "82371FB (PIIX) and 82371SB (PIIX3) PCI ISA IDE Xcelerator". Names are
/// the datasheet's: PIRQRC, ELCR, RC.
#pragma once

#include <array>
#include <functional>

#include "devices/pci/pci_device.h"
#include "machine/base/fields.h"

namespace reprise {

class Piix3 {
public:
    struct State {
        std::array<bool, 4> pirq{};  // PIRQA#..PIRQD# are asserted
        u16 irq = 0;                 // the ISA interrupts that are driven because of them

        constexpr void visit(auto& v)
        {
            v("pirq", pirq);
            v("irq", irq);
        }
    };

    Piix3();

    /// An ISA interrupt that PIRQRC steers a PIRQ# to changed its level.
    std::function<void(int irq, bool level)> on_irq;
    /// PIRQA#..PIRQD# (0..3) now goes to ISA interrupt `irq`, or nowhere (-1).
    std::function<void(int pirq, int irq)> on_pirq_route;

    void set_pirq(int index, bool asserted);

    void reset();

    void visit(auto& v)
    {
        v("config", config.state);
        v("state", state);
    }

    PciDevice config;
    State state;

private:
    int route(int pirq) const;
    void update();
};

/// ELCR1 and ELCR2: which inputs of the interrupt controllers are level triggered.
class Elcr {
public:
    struct State {
        std::array<u8, 2> elcr{};

        constexpr void visit(auto& v) { v("elcr", elcr); }
    };

    std::function<void(u8 low, u8 high)> on_elcr;

    u8 read(u16 offset) { return state.elcr[offset & 1]; }
    void write(u16 offset, u8 value);
    void reset();

    State state;
};

/// RC, the reset control register.
class ResetControl {
public:
    struct State {
        u8 rc = 0;

        constexpr void visit(auto& v) { v("rc", rc); }
    };

    std::function<void(bool hard)> on_reset;  // soft: INIT of the processor only

    u8 read(u16) { return state.rc; }
    void write(u16 offset, u8 value);
    void reset() { state = State{}; }

    State state;
};

/// The coprocessor error register and what belongs to it: FERR# of the processor requests IRQ 13
/// until the register is written, which also asserts IGNNE# until FERR# ends.
class CoprocessorError {
public:
    struct State {
        bool ferr = false, irq = false, ignne = false;

        constexpr void visit(auto& v)
        {
            v("ferr", ferr);
            v("irq", irq);
            v("ignne", ignne);
        }
    };

    std::function<void(bool level)> on_irq, on_ignne;

    void set_ferr(bool level);
    u8 read(u16) const { return 0xFF; }
    void write(u16 offset, u8 value);
    void reset();

    State state;

private:
    void set_irq(bool level);
    void set_ignne(bool level);
};

static_assert(visits_every_member<CoprocessorError::State>);
static_assert(visits_every_member<Piix3::State>);
static_assert(visits_every_member<Elcr::State>);
static_assert(visits_every_member<ResetControl::State>);

}  // namespace reprise
