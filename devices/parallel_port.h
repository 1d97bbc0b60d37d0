/// IBM PC parallel port with the bidirectional data register of the PS/2, and the handshake of the
/// printer at its other end.
///
/// IBM PS/2 Hardware Interface Technical Reference (S68X-2330), "Parallel Port"; the handshake is
/// the one of IEEE 1284-1994, clause 7 (compatibility mode). Names are those of the signals.
///
///     -STROBE  ___    _______________________
///                 |__|
///     BUSY         ____________________
///              ___|                    |____
///     -ACK     __________________      _____
///                                |____|
#pragma once

#include <functional>

#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

class ParallelPort {
public:
    /// How long the printer is busy with a byte, and the part of it that ends with -ACK low.
    static constexpr Time kBusyTime = 15 * kMicrosecond, kAckTime = 5 * kMicrosecond;

    enum class Handshake : u8 { Idle, Busy, Acknowledge };

    struct State {
        u8 data = 0;
        u8 control = 0;
        u8 data_input = 0xFF;  // what the far end drives while the port's drivers are off
        bool connected = false;
        Handshake handshake = Handshake::Idle;
        bool irq = false;  // -ACK has returned; cleared by reading the status

        constexpr void visit(auto& v)
        {
            v("data", data);
            v("control", control);
            v("data_input", data_input);
            v("connected", connected);
            v("handshake", handshake);
            v("irq", irq);
        }
    };

    explicit ParallelPort(Scheduler& scheduler);

    std::function<void(u8 byte)> on_byte;  // the printer took a byte
    std::function<void(bool level)> on_irq;

    u8 read(u16 offset);  // offsets 0: data, 1: status, 2: control
    void write(u16 offset, u8 value);
    /// Of the port. The cable and what hangs at its end stay as they are.
    void reset();

    void set_connected(bool connected);  // a printer that is on line and has paper
    void set_data_input(u8 value) { state.data_input = value; }

    State state;

private:
    u8 status() const;
    void write_control(u8 value);
    void advance();
    void set_irq(bool level);

    Scheduler& scheduler_;
    Event edge_;
};

static_assert(visits_every_member<ParallelPort::State>);

}  // namespace reprise
