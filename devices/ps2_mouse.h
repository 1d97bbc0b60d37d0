/// PS/2 mouse with the wheel and the two more buttons of Microsoft's IntelliMouse.
///
/// IBM PS/2 Hardware Interface Technical Reference (S68X-2330), "Mouse"; Microsoft, "Plug and Play
/// Specification for the IntelliMouse" for the identifications 3 and 4 and their packets.
///
/// Motion is taken as counts at whatever resolution is set: there is no table under this mouse.
#pragma once

#include <array>
#include <functional>

#include "devices/ps2_port.h"
#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

class Ps2Mouse : public Ps2Device {
public:
    static constexpr Time kBatTime = 300 * kMillisecond;
    /// What waits for the next sample at most; beyond that motion is lost, as the overflow bits
    /// tell.
    static constexpr i32 kMaxBacklog = 1023;

    enum class Mode : u8 { Stream, Remote };

    struct State {
        Mode mode = Mode::Stream;
        bool wrap = false;
        bool enabled = false;  // data reporting in stream mode
        bool scaling_2_to_1 = false;
        u8 resolution = 2;  // 4 counts per millimetre
        u8 rate = 100;      // samples per second
        u8 id = 0;
        std::array<u8, 2> last_rates{};  // the knock; the latest is [1]

        u8 command = 0;         // whose parameter is awaited
        bool rejected = false;  // the last byte was answered with "resend"
        bool bat_next = false;  // the BAT begins when the ACK has gone
        bool bat = false;

        i32 dx = 0, dy = 0, dz = 0;  // counters: right, up, towards the user
        bool x_overflow = false, y_overflow = false;
        u8 buttons = 0;
        u8 clicked = 0;  // went down since the last packet, even if up again
        u8 reported = 0;
        Time next_sample = 0;

        std::array<u8, 16> bytes{};  // answers, or one packet
        u8 first = 0;
        u8 count = 0;
        std::array<u8, 4> last_packet{};  // for "resend"
        u8 last_packet_size = 0;

        constexpr void visit(auto& v)
        {
            v("mode", mode);
            v("wrap", wrap);
            v("enabled", enabled);
            v("scaling_2_to_1", scaling_2_to_1);
            v("resolution", resolution);
            v("rate", rate);
            v("id", id);
            v("last_rates", last_rates);
            v("command", command);
            v("rejected", rejected);
            v("bat_next", bat_next);
            v("bat", bat);
            v("dx", dx);
            v("dy", dy);
            v("dz", dz);
            v("x_overflow", x_overflow);
            v("y_overflow", y_overflow);
            v("buttons", buttons);
            v("clicked", clicked);
            v("reported", reported);
            v("next_sample", next_sample);
            v.bytes("bytes", bytes);
            v("first", first);
            v("count", count);
            v.bytes("last_packet", last_packet);
            v("last_packet_size", last_packet_size);
        }
    };

    explicit Ps2Mouse(Scheduler& scheduler);

    /// Counts to the right, down, and wheel notches away from the user.
    void move(i32 dx, i32 dy, i32 dz);
    /// The buttons that are down: bit 0 left, 1 right, 2 middle, 3 and 4 at the side.
    void set_buttons(u8 mask);
    /// The guest wants to hear of motion.
    bool enabled() const { return state.enabled; }
    /// Power-on, with the BAT long over and no button down.
    void reset();

    bool has_byte() const override { return state.count != 0; }
    u8 take_byte() override;
    void receive(u8 byte) override;

    State state;

private:
    void set_defaults();
    void clear_counters();
    void execute(u8 command);
    void take_parameter(u8 value);
    void set_rate(u8 value);
    void reject();
    void answer(u8 byte);
    void report_status();
    void finish_bat();

    bool streaming() const;
    void arm();
    void sample();
    void send_packet(bool stream);
    u8 take_counter(i32& counter, bool& overflow, bool stream, bool& sign) const;

    Scheduler& scheduler_;
    Event sample_;
    Event bat_;
};

static_assert(visits_every_member<Ps2Mouse::State>);

}  // namespace reprise
