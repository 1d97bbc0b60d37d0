/// Intel 82093AA I/O APIC.
///
/// Datasheet: Intel 290566, "82093AA I/O Advanced Programmable Interrupt Controller (IOAPIC)".
/// Names are the datasheet's: IOREGSEL, IOWIN, IOREDTBL, INTIN0..23, Remote IRR. Version 11h, so
/// there is no EOI register: the end of a level-triggered interrupt arrives as a message.
#pragma once

#include <array>
#include <functional>

#include "devices/apic_message.h"
#include "machine/base/fields.h"

namespace reprise {

class IoApic {
public:
    static constexpr int kInputs = 24;

    struct State {
        u8 ioregsel = 0;
        u8 id = 0;
        u32 pins = 0;  // levels of INTIN23..0
        std::array<u64, kInputs> ioredtbl{};

        constexpr void visit(auto& v)
        {
            v("ioregsel", ioregsel);
            v("id", id);
            v("pins", pins);
            v("ioredtbl", ioredtbl);
        }
    };

    IoApic();

    /// A message to the local APICs. False: none of them accepted it.
    std::function<bool(const ApicMessage& message)> on_message;

    /// Offsets 0h: IOREGSEL, 10h: IOWIN. Writes to IOWIN are dwords.
    u64 read(u16 offset, int size) const;
    void write(u16 offset, int size, u64 value);

    void set_pin(int input, bool level);  ///< INTIN
    /// A local APIC's EOI message.
    void end_of_interrupt(u8 vector);

    /// An entry may cause an NMI or SMI.
    bool may_raise_nmi() const;

    /// RESET: the input pins keep their levels.
    void reset();

    State state;

private:
    bool asserted(int input) const;
    u32 read_register() const;
    void write_entry(int input, bool high, u32 value);
    bool send(int input);
    void send_level(int input);
};

static_assert(visits_every_member<IoApic::State>);

}  // namespace reprise
