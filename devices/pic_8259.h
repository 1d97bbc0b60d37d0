/// Intel 8259A programmable interrupt controller.
///
/// Datasheet: Intel 231468, "8259A Programmable Interrupt Controller". Names below are the
/// datasheet's: IRR interrupt request register, ISR in-service register, IMR interrupt mask
/// register, ICW1..4 initialization and OCW1..3 operation command words, CAS cascade lines.
///
/// The chip is combinational between accesses: IRR is what the IR pins and their edge latches say,
/// and INT is what the priority resolver says. A cascade of two is three wires:
///
///     slave.on_int = [&](bool level) { master.set_irq(2, level); };
///     master.on_cascade = [&](u8 cas) { return slave.acknowledge_cascade(cas); };
///     master.on_int = ...the CPU's INTR pin
#pragma once

#include <functional>
#include <string_view>

#include "machine/base/fields.h"
#include "machine/base/types.h"

namespace reprise {

class Pic8259 {
public:
    /// Which word the odd address expects during initialization (figure 6).
    enum class Expect : u8 { Icw1, Icw2, Icw3, Icw4, Ocw };

    struct State {
        u8 icw1 = 0, icw2 = 0, icw3 = 0, icw4 = 0;
        Expect expect = Expect::Icw1;
        u8 lines = 0;          // IR7..IR0 as driven
        u8 edge_armed = 0xFF;  // a line that is high with its latch armed has made a request
        u8 elcr = 0;           // lines made level-triggered from outside the chip
        u8 isr = 0;
        u8 imr = 0;
        u8 lowest = 7;  // the level that has the lowest priority now
        bool rotate_in_aeoi = false;
        bool special_mask = false;
        bool read_isr = false;  // RIS
        bool poll = false;      // the next read is a poll
        bool int_out = false;   // level of INT

        constexpr void visit(auto& v)
        {
            v("icw1", icw1);
            v("icw2", icw2);
            v("icw3", icw3);
            v("icw4", icw4);
            v("expect", expect);
            v("lines", lines);
            v("edge_armed", edge_armed);
            v("elcr", elcr);
            v("isr", isr);
            v("imr", imr);
            v("lowest", lowest);
            v("rotate_in_aeoi", rotate_in_aeoi);
            v("special_mask", special_mask);
            v("read_isr", read_isr);
            v("poll", poll);
            v("int_out", int_out);
        }
    };

    /// `is_master` is the level of the SP pin, which decides what ICW3 means (unless ICW4 selects
    /// buffered mode, where its M/S bit does).
    explicit Pic8259(bool is_master) : sp_(is_master) {}

    std::function<void(bool level)> on_int;  ///< INT pin, called on every change
    /// Second INTA of a master whose slave is served: the slave's vector. `cas` is CAS2..0.
    std::function<u8(u8 cas)> on_cascade;
    std::function<void(std::string_view message)> on_log;

    u8 read(u16 offset);               // offset is A0
    void write(u16 offset, u8 value);  // offset is A0

    void set_irq(int line, bool level);  ///< IR pin
    /// Lines whose bit is set are level-triggered whatever LTIM says (the chipset's ELCR).
    void set_elcr(u8 mask);
    u8 elcr() const { return state.elcr; }

    /// The CPU's INTA cycles: the interrupt vector. Without a request it is that of IR7, and ISR
    /// stays as it is ("default IR7").
    u8 acknowledge();
    /// INTA cycles with the cascade lines driven by a master. A slave with another ID is silent.
    u8 acknowledge_cascade(u8 cas);

    bool int_level() const { return state.int_out; }

    /// The power-on state; the input pins keep their levels. (The chip has no RESET pin, ICW1 does
    /// that job.)
    void reset();

    State state;

private:
    bool is_master() const;
    bool is_slave_input(int level) const;
    u8 irr() const;
    int priority_of(int level) const { return (level - state.lowest - 1) & 7; }
    int highest(u8 levels) const;  // the level of the highest priority in a set, or -1
    int requested() const;         // what the priority resolver lets through, or -1
    u8 vector(int level) const;
    void begin_service(int level);
    void end_service(int level, bool rotate);
    void write_icw1(u8 value);
    void write_icw(u8 value);
    void write_ocw2(u8 value);
    void write_ocw3(u8 value);
    u8 read_poll();
    void drive_int(bool level);
    void update() { drive_int(requested() >= 0); }

    bool sp_;
};

static_assert(visits_every_member<Pic8259::State>);

}  // namespace reprise
