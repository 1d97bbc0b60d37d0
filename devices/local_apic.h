/// The local APIC ("xAPIC") of one processor, the only one of its machine.
///
/// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, vol. 3A, chapter 10
/// "Advanced Programmable Interrupt Controller", whose sections comments name. Names are the
/// manual's: IRR, ISR, TMR, TPR, PPR, LVT, ICR, ESR, SVR. It is the version of a Pentium 4 (14h),
/// with six local vectors; there is no x2APIC, no TSC deadline, no CMCI, and EOI is always
/// broadcast.
///
/// The processor's INTR and NMI come out of it. As long as software has not enabled the APIC, or
/// IA32_APIC_BASE has turned it off, LINT0 and LINT1 are these pins themselves; then they do what
/// the local vector table says. The timer is never ticked: its count is computed when somebody
/// looks, and one event marks the moment at which it interrupts.
#pragma once

#include <array>
#include <functional>
#include <string_view>

#include "devices/apic_message.h"
#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

class LocalApic {
public:
    /// What the timer divides: the clock of the processor's bus.
    static constexpr Clock kClk{100'000'000};

    /// The local vector table, in the order of its registers from 320h.
    enum Lvt : u8 { Timer, Thermal, Performance, Lint0, Lint1, Error };
    static constexpr std::size_t kLvtCount = 6;

    using Vectors = std::array<u32, 8>;  // a bit for each of 256 vectors

    struct State {
        u64 base = 0;  // IA32_APIC_BASE
        u8 id = 0;
        u8 tpr = 0;
        u8 ldr = 0;      // logical APIC ID
        u8 model = 0xF;  // DFR, bits 31..28
        u32 svr = 0xFF;
        Vectors isr{}, tmr{}, irr{};
        u32 esr = 0;     // as software reads it
        u32 errors = 0;  // seen since ESR was last written
        u32 icr_low = 0, icr_high = 0;
        std::array<u32, kLvtCount> lvt{1 << 16, 1 << 16, 1 << 16, 1 << 16, 1 << 16, 1 << 16};

        // The timer had `count` left at CLK tick `since`; 0: it stands still.
        u8 divide = 0;  // Divide Configuration Register
        u32 initial_count = 0;
        u32 count = 0;
        u64 since = 0;

        // Pins.
        std::array<bool, 2> lint{};  // levels of LINT0 and LINT1
        bool ext_int = false;        // an ExtINT message that INTA has not answered
        bool intr = false;           // level of INTR

        constexpr void visit(auto& v)
        {
            v("base", base);
            v("id", id);
            v("tpr", tpr);
            v("ldr", ldr);
            v("model", model);
            v("svr", svr);
            v("isr", isr);
            v("tmr", tmr);
            v("irr", irr);
            v("esr", esr);
            v("errors", errors);
            v("icr_low", icr_low);
            v("icr_high", icr_high);
            v("lvt", lvt);
            v("divide", divide);
            v("initial_count", initial_count);
            v("count", count);
            v("since", since);
            v("lint", lint);
            v("ext_int", ext_int);
            v("intr", intr);
        }
    };

    /// `present`: false for a processor without a local APIC, whose pins are INTR and NMI for ever.
    LocalApic(Scheduler& scheduler, bool present);

    std::function<void(bool level)> on_intr;  ///< INTR of the processor's core
    std::function<void()> on_nmi;             ///< an edge on its NMI
    std::function<void()> on_smi;             ///< an edge on its SMI#
    /// INTA cycle on the bus: the vector of the external controller (8259A).
    std::function<u8()> on_external_acknowledge;
    /// EOI message: a level-triggered interrupt has ended.
    std::function<void(u8 vector)> on_eoi;
    std::function<void(std::string_view message)> on_log;

    /// `size` is 1 to 8 bytes. Registers are dwords on 16-byte boundaries (10.4.1); narrower reads
    /// give a part of them, other writes are ignored.
    u64 read(u16 offset, int size);
    void write(u16 offset, int size, u64 value);

    void set_lint(int pin, bool level);        ///< LINT0, LINT1
    bool receive(const ApicMessage& message);  ///< from the bus; false: nobody has accepted it
    u8 acknowledge();                          ///< the core takes the interrupt: its vector

    /// IA32_APIC_BASE was written (10.4.3, 10.4.4). An APIC that was turned off comes back as after
    /// RESET.
    void set_base(u64 value);
    bool enabled() const;  ///< by IA32_APIC_BASE: it answers at `base_address`
    u64 base_address() const { return state.base & ~u64{0xFFF}; }

    /// CR8 (10.8.6.1).
    u8 read_cr8() const { return state.tpr >> 4; }
    void write_cr8(u8 value);

    /// Something may cause an NMI or SMI through a local vector.
    bool may_raise_nmi() const;

    /// RESET: the input pins keep their levels.
    void reset();

    State state;

private:
    u64 clk() const { return kClk.ticks(scheduler_.now()); }
    bool software_enabled() const;
    bool bypassed() const { return !enabled() || !software_enabled(); }
    bool is_masked(Lvt entry) const;
    u8 ppr() const;
    u8 apr() const;
    bool is_addressed(u8 destination, bool logical) const;
    bool external_request() const;
    int deliverable() const;  // the vector that the core is to be interrupted with, or -1
    void update();

    u32 read_register(u8 index);
    void write_register(u8 index, u32 value);
    void write_svr(u32 value);
    void write_lvt(Lvt entry, u32 value);
    void write_esr();
    void send_ipi();
    void end_of_interrupt();

    bool deliver(ApicDelivery delivery, u8 vector, bool level);
    bool accept(u8 vector, bool level);
    void report(u32 error);
    void lint_changed(int pin, bool rose);

    u64 divisor() const;
    u32 current_count() const;
    void catch_up();   // brings the timer up to the present
    void arm_timer();  // the event of its next interrupt

    Scheduler& scheduler_;
    bool present_;
    Event expiry_;
};

static_assert(visits_every_member<LocalApic::State>);

}  // namespace reprise
