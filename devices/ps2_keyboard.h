/// IBM Enhanced Keyboard: the 101/102-key keyboard of the PS/2.
///
/// IBM PS/2 Hardware Interface Technical Reference (S68X-2330), "Keyboards (101- and 102-Key)".
/// Keys are named by their usage on USB HID page 7. Names below are the manual's: BAT basic
/// assurance test, ACK acknowledge, typematic.
#pragma once

#include <array>
#include <functional>

#include "devices/ps2_port.h"
#include "devices/ps2_scan_codes.h"
#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

class Ps2Keyboard : public Ps2Device {
public:
    /// The BAT takes 300 to 500 ms.
    static constexpr Time kBatTime = 300 * kMillisecond;
    static constexpr u8 kScrollLed = 0x01, kNumLed = 0x02, kCapsLed = 0x04;

    struct State {
        u8 set = 2;  // scan code set
        u8 leds = 0;
        u8 rate = 0x2B;  // typematic: 10.9 characters per second after 500 ms
        bool scanning = true;
        std::array<u8, 256> type{};  // KeyType of the keys in set 3, by their code there

        u8 command = 0;         // whose option byte is awaited
        bool bat_next = false;  // the BAT begins when the ACK has gone
        bool bat = false;

        std::array<u8, 32> pressed{};  // a bit per usage
        u8 repeating = 0;              // usage of the key that repeats; 0: none
        bool sys_rq = false;           // Print Screen went down as SysRq

        std::array<u8, 17> codes{};  // the buffer: 16 bytes and the overrun code
        u8 first_code = 0;
        u8 code_count = 0;
        std::array<u8, 16> answers{};  // to commands; they go first
        u8 first_answer = 0;
        u8 answer_count = 0;
        u8 last_sent = 0;

        constexpr void visit(auto& v)
        {
            v("set", set);
            v("leds", leds);
            v("rate", rate);
            v("scanning", scanning);
            v.bytes("type", type);
            v("command", command);
            v("bat_next", bat_next);
            v("bat", bat);
            v.bytes("pressed", pressed);
            v("repeating", repeating);
            v("sys_rq", sys_rq);
            v.bytes("codes", codes);
            v("first_code", first_code);
            v("code_count", code_count);
            v.bytes("answers", answers);
            v("first_answer", first_answer);
            v("answer_count", answer_count);
            v("last_sent", last_sent);
        }
    };

    explicit Ps2Keyboard(Scheduler& scheduler);

    /// The indicators changed: kScrollLed, kNumLed, kCapsLed.
    std::function<void(u8 leds)> on_leds;

    /// A key goes down or up. Repeating what is known already changes nothing.
    void set_key(u8 usage, bool pressed);
    bool led(u8 mask) const { return (state.leds & mask) != 0; }
    /// Power-on, with the BAT long over and no key down.
    void reset();

    bool has_byte() const override { return state.answer_count != 0 || state.code_count != 0; }
    u8 take_byte() override;
    void receive(u8 byte) override;

    State state;

private:
    /// The codes of one keystroke, which go into the buffer together or not at all.
    struct Sequence {
        std::array<u8, 8> bytes{};
        int size = 0;

        void add(u8 byte) { bytes[size++ & 7] = byte; }
    };

    bool is_pressed(u8 usage) const;
    bool shift() const;
    void set_leds(u8 leds);
    void set_defaults();
    void clear_buffer();

    void execute(u8 command);
    void take_option(u8 option);
    void answer(u8 byte);
    void acknowledge();
    void finish_bat();

    void press(u8 usage);
    void release(u8 usage);
    void repeat();
    KeyType type_of(const ScanCode& code) const;
    bool is_typematic(const ScanCode& code) const;
    Time repeat_delay() const;
    Time repeat_period() const;

    void add_code(Sequence& sequence, u8 set1, u8 set2, bool make) const;
    void add_e0_code(Sequence& sequence, u8 set1, u8 set2, bool make) const;
    void add_shifts(Sequence& sequence, const ScanCode& code, bool make) const;
    void add_key(Sequence& sequence, const ScanCode& code, bool make) const;
    void add_print_screen(Sequence& sequence, bool make);
    void add_pause(Sequence& sequence) const;
    void put(const Sequence& sequence);

    Scheduler& scheduler_;
    Event repeat_;
    Event bat_;
};

static_assert(visits_every_member<Ps2Keyboard::State>);

}  // namespace reprise
