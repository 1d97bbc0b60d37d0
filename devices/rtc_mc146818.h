/// Motorola MC146818A real-time clock plus RAM, with the RAM grown to 128 bytes as PCs have it.
///
/// Datasheet: Motorola, "MC146818A Real-Time Clock Plus RAM (RTC)".
/// Names below are the datasheet's: registers A..D, UIP, DV, RS, SET, PIE, AIE, UIE, DM, DSE,
/// PF, AF, UF.
///
/// The divider chain is a function of guest time. One event a second does the update cycle; a
/// second one is armed only while a periodic interrupt could change the IRQ pin. The one PC
/// addition is the century in byte 32h, which firmware expects to find and which follows the year.
#pragma once

#include <array>
#include <functional>

#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

class RtcMc146818 {
public:
    static constexpr Clock kOscillator{32'768};  ///< the crystal on every PC
    static constexpr u8 kCentury = 0x32;

    struct State {
        u8 index = 0;
        std::array<u8, 128> ram{};   // bytes 0..13 are the clock's own, except C, which is `flags`
        u8 flags = 0;                // register C
        u64 chain_offset = 0;        // divider chain = oscillator ticks + this, modulo 2^64
        u64 periodic_seen = 0;       // divider chain when PF was last brought up to date
        bool repeated_hour = false;  // daylight saving: this October hour has been set back

        constexpr void visit(auto& v)
        {
            v("index", index);
            v.bytes("ram", ram);
            v("flags", flags);
            v("chain_offset", chain_offset);
            v("periodic_seen", periodic_seen);
            v("repeated_hour", repeated_hour);
        }
    };

    explicit RtcMc146818(Scheduler& scheduler);

    std::function<void(bool level)> on_irq;  ///< true: the IRQ pin is asserted
    bool irq() const;                        ///< what it was last told

    u8 read(u16 offset);               // offset 1: data
    void write(u16 offset, u8 value);  // offset 0: index (bits 6..0), 1: data

    /// What a battery would have kept: the next second begins one second from now.
    void set_time(i64 seconds_since_1970);
    void set_ram(u8 index, u8 value) { state.ram[index & 0x7F] = value; }
    u8 ram(u8 index) const { return state.ram[index & 0x7F]; }

    /// RESET pin: interrupts are disabled and cleared, time and RAM go on.
    void reset();

    State state;

private:
    u64 chain() const { return kOscillator.ticks(scheduler_.now()) + state.chain_offset; }
    u8 read_register();
    void write_register(u8 value);
    void write_a(u8 value);
    void write_b(u8 value);
    bool update_in_progress() const;
    void update_cycle();
    void note_periodic();
    void update_irq();
    void arm();

    bool mode_24h() const;
    u32 decode(u8 raw) const;
    u8 encode(u32 value) const;
    u32 hour() const;
    u8 encode_hour(u32 hour) const;
    void advance_second();
    void advance_day();
    bool adjust_daylight_saving(u32 next_hour);
    bool alarm_matches() const;

    Scheduler& scheduler_;
    Event update_;
    Event periodic_;
};

static_assert(visits_every_member<RtcMc146818::State>);

}  // namespace reprise
