/// National Semiconductor NS16550A universal asynchronous receiver/transmitter with FIFOs.
///
/// Datasheet: National Semiconductor, "PC16550D Universal Asynchronous Receiver/Transmitter with
/// FIFOs" (TL/C/8652). Registers and bits have its names.
///
/// The line is as fast as the guest has programmed it: the other end follows. Bytes from outside
/// wait in a queue and arrive one per character time. INTR is the chip's own pin; a PC passes it
/// on to the interrupt controller only while -OUT2 is active, which is the board's business.
///
///     THR -> XMIT FIFO -> TSR -> SOUT          SIN -> RSR -> RCVR FIFO -> RBR
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <string>

#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

class Uart16550 {
public:
    static constexpr u64 kXtal = 1'843'200;  // Hz: the crystal of a PC's serial adapter
    static constexpr u8 kFifoSize = 16;
    static constexpr std::size_t kQueueSize = 4096;

    /// MCR bits, as on_modem_control tells them.
    static constexpr u8 kDtr = 0x01, kRts = 0x02, kOut1 = 0x04, kOut2 = 0x08;
    /// MSR bits, as set_modem_inputs takes them.
    static constexpr u8 kCts = 0x10, kDsr = 0x20, kRi = 0x40, kDcd = 0x80;

    struct Fifo {
        std::array<u8, kFifoSize> data{};
        std::array<u8, kFifoSize> errors{};  // LSR bits that belong to the character
        u8 first = 0;
        u8 count = 0;

        constexpr void visit(auto& v)
        {
            v.bytes("data", data);
            v.bytes("errors", errors);
            v("first", first);
            v("count", count);
        }
    };

    struct State {
        u8 dll = 12, dlm = 0;  // undefined at power-on: 9600 baud
        u8 ier = 0;
        u8 fcr = 0;  // FIFO enable and trigger level
        u8 lcr = 0;
        u8 mcr = 0;
        u8 scr = 0;
        u8 lsr = 0;           // OE, PE, FE, BI; the rest is computed
        u8 msr_delta = 0;     // bits 3..0
        u8 modem_lines = 0;   // bits 7..4 as seen by the chip: the pins or, in a loop, MCR
        u8 modem_inputs = 0;  // the pins

        Fifo rcvr;  // without FIFOs the RBR is its only place
        bool timeout = false;
        Fifo xmit;  // without FIFOs the THR is its only place
        bool thre = true;
        bool thre_pending = false;  // the interrupt; reading IIR or writing THR clears it
        bool two_queued = false;    // since the last THRE XMIT FIFO held two bytes at once
        bool tsr_full = false;
        u8 tsr = 0;
        bool intr = false;

        std::array<u8, kQueueSize> queue{};  // what the other end has sent
        u32 queue_first = 0;
        u32 queue_count = 0;

        constexpr void visit(auto& v)
        {
            v("dll", dll);
            v("dlm", dlm);
            v("ier", ier);
            v("fcr", fcr);
            v("lcr", lcr);
            v("mcr", mcr);
            v("scr", scr);
            v("lsr", lsr);
            v("msr_delta", msr_delta);
            v("modem_lines", modem_lines);
            v("modem_inputs", modem_inputs);
            v("rcvr", rcvr);
            v("timeout", timeout);
            v("xmit", xmit);
            v("thre", thre);
            v("thre_pending", thre_pending);
            v("two_queued", two_queued);
            v("tsr_full", tsr_full);
            v("tsr", tsr);
            v("intr", intr);
            v.bytes("queue", queue);
            v("queue_first", queue_first);
            v("queue_count", queue_count);
        }
    };

    explicit Uart16550(Scheduler& scheduler, const std::string& name = "uart");

    std::function<void(u8 byte)> on_transmit;  // a character has left SOUT
    std::function<void(bool level)> on_irq;    // INTR
    /// -DTR, -RTS, -OUT1, -OUT2: the MCR bits whose pin is active; none are in a loop.
    std::function<void(u8 active)> on_modem_control;
    std::function<void(bool level)> on_break;  // SOUT is held spacing

    u8 read(u16 offset);
    void write(u16 offset, u8 value);
    /// MR: divisor latch, SCR and what comes from outside stay.
    void reset();

    /// A byte from the other end. Lost if there is no space.
    void receive(u8 byte);
    void receive_break();
    std::size_t receive_space() const { return kQueueSize - state.queue_count; }
    void set_modem_inputs(u8 mask);

    bool irq() const { return state.intr; }
    u8 modem_control() const;

    State state;

private:
    Time bits_time(u64 half_bits) const;
    Time character_time() const;
    u64 character_half_bits() const;
    u64 stop_half_bits() const;
    bool fifo_enabled() const;
    bool loop() const;
    bool dlab() const;

    u8 read_rbr();
    u8 read_iir();
    u8 read_lsr();
    u8 read_msr();
    void write_thr(u8 value);
    void write_ier(u8 value);
    void write_fcr(u8 value);
    void write_lcr(u8 value);
    void write_mcr(u8 value);

    void load_tsr();
    void set_thre();
    void character_sent();
    void character_arrived();
    void start_receiving();
    void take_character(u8 value, u8 errors);
    void reveal_errors();
    void restart_timeout();
    u8 rcvr_trigger() const;
    bool data_available() const;
    void clear_rcvr();
    void clear_xmit();
    void update_modem_lines();
    u8 interrupt_id() const;
    void update_intr();

    Scheduler& scheduler_;
    Event transmit_;
    Event receive_;
    Event thre_;
    Event timeout_;
};

static_assert(visits_every_member<Uart16550::Fifo>);
static_assert(visits_every_member<Uart16550::State>);

}  // namespace reprise
