/// Keyboard controller of the IBM AT and PS/2: an Intel 8042 with IBM's firmware.
///
/// IBM PS/2 Hardware Interface Technical Reference (S68X-2330), "Keyboard and Auxiliary Device
/// Controller"; Intel 210393, "UPI-41/42 User's Manual" for DBBIN, DBBOUT and the ports P1 and P2.
/// Names below are theirs: OBF output buffer full, IBF input buffer full, MOBF auxiliary device
/// output buffer full, TO time-out, P1 input port, P2 output port.
///
/// The firmware's own answers are there at once. Whatever crosses one of the two wires takes a
/// frame: while the controller sends, a byte from the CPU waits in DBBIN with IBF set, and while
/// OBF is set the clocks are held low and the devices keep what they have.
#pragma once

#include <array>
#include <functional>
#include <string_view>

#include "devices/ps2_port.h"
#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

class Keyboard8042 {
public:
    /// From OBF going low to a byte of the controller that waited for that.
    static constexpr Time kAnswerTime = 20 * kMicrosecond;
    /// A device that does not clock a byte out of the controller within this time is not there.
    static constexpr Time kTimeout = 15 * kMillisecond;

    enum class Source : u8 { Controller, Keyboard, Aux };  // Aux: the auxiliary device, a mouse
    enum class Wire : u8 { Idle, Receiving, Sending };
    enum class Poll : u8 { Off, Low, High };  // C1h, C2h: P1 shows in the status register

    struct State {
        std::array<u8, 32> ram = [] {  // 20h..3Fh; ram[0] is the controller command byte
            std::array<u8, 32> initial{};
            initial[0] = 0x30;  // both devices disabled
            return initial;
        }();
        u8 p1 = 0xB3;  // not locked, colour display, no manufacturing jumper; the lines are high
        u8 p2 = 0xCF;  // CPU running, A20 open
        bool sys = false;
        Poll poll = Poll::Off;

        u8 dbbin = 0;
        bool ibf = false;
        bool a2 = false;  // the last byte from the CPU was a command
        u8 command = 0;   // whose data byte is awaited; 0: data goes to the keyboard

        u8 dbbout = 0;
        bool obf = false;
        Source obf_source = Source::Controller;
        bool timed_out = false;
        u8 answer = 0;  // waits until OBF is low
        bool answer_waiting = false;
        Source answer_source = Source::Controller;
        bool answer_timed_out = false;

        Wire wire = Wire::Idle;
        bool wire_aux = false;  // the port that the wire, or the last transfer, belongs to
        u8 sending = 0;
        bool break_prefix = false;  // F0h has been swallowed by the translation

        bool keyboard_irq = false;
        bool mouse_irq = false;

        constexpr void visit(auto& v)
        {
            v("ram", ram);
            v("p1", p1);
            v("p2", p2);
            v("sys", sys);
            v("poll", poll);
            v("dbbin", dbbin);
            v("ibf", ibf);
            v("a2", a2);
            v("command", command);
            v("dbbout", dbbout);
            v("obf", obf);
            v("obf_source", obf_source);
            v("timed_out", timed_out);
            v("answer", answer);
            v("answer_waiting", answer_waiting);
            v("answer_source", answer_source);
            v("answer_timed_out", answer_timed_out);
            v("wire", wire);
            v("wire_aux", wire_aux);
            v("sending", sending);
            v("break_prefix", break_prefix);
            v("keyboard_irq", keyboard_irq);
            v("mouse_irq", mouse_irq);
        }
    };

    explicit Keyboard8042(Scheduler& scheduler);

    std::function<void(bool level)> on_keyboard_irq;  // P24
    std::function<void(bool level)> on_mouse_irq;     // P25
    /// P21, on every write of the output port, changed or not: a PC has other masters of A20.
    std::function<void(bool level)> on_a20;
    /// P20 went low: the CPU is reset. May reset the controller itself.
    std::function<void()> on_reset;
    std::function<void(std::string_view message)> on_log;

    void connect_keyboard(Ps2Device& device) { connect(0, device); }
    void connect_mouse(Ps2Device& device) { connect(1, device); }

    u8 read(u16 offset);               // the A2 pin: 0: data, anything else: status
    void write(u16 offset, u8 value);  // 0: data, anything else: command
    void reset();
    bool a20() const { return state.p2 & 0x02; }

    State state;

private:
    void connect(int port, Ps2Device& device);
    u8 status() const;
    u8 read_data();
    u8 output_port() const;

    void take_input();
    void execute(u8 command);
    void execute_pulse(u8 command);
    void take_data(u8 value);
    void write_output_port(u8 value);
    void write_command_byte(u8 value);
    void pulse_reset();

    void put(u8 value, Source source, bool timed_out = false);
    void reply(u8 value, Source source = Source::Controller, bool timed_out = false);
    void send(bool aux, u8 value);
    void advance();
    void deliver();
    void frame_done();
    void frame_sent();
    void frame_received();
    bool device_waits(bool aux) const;
    void update_irqs();
    void log(std::string_view message);

    Scheduler& scheduler_;
    std::array<Ps2Device*, 2> device_{};
    Event frame_;
    Event answer_;
};

static_assert(visits_every_member<Keyboard8042::State>);

}  // namespace reprise
