#include "devices/ps2_mouse.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "machine/base/bits.h"

namespace reprise {

namespace {

constexpr u8 kBatPassed = 0xAA, kAck = 0xFA, kError = 0xFC, kResend = 0xFE;
constexpr u8 kResetWrapMode = 0xEC, kReset = 0xFF;
constexpr u8 kLeft = 0x01, kRight = 0x02, kMiddle = 0x04;

/// "Set Scaling 2:1": applied to what a sample in stream mode reports.
constexpr i32 scaled(i32 counts)
{
    constexpr std::array<i32, 6> kSmall = {0, 1, 1, 3, 6, 9};
    const i32 size = counts < 0 ? -counts : counts;
    const i32 result = size < 6 ? kSmall[static_cast<std::size_t>(size)] : 2 * size;
    return counts < 0 ? -result : result;
}

constexpr i32 added(i32 counter, i32 counts, bool& overflow)
{
    const i64 sum = i64{counter} + counts;
    const i64 limit = Ps2Mouse::kMaxBacklog;
    if (sum < -limit || sum > limit) overflow = true;
    return static_cast<i32>(std::clamp(sum, -limit, limit));
}

}  // namespace

Ps2Mouse::Ps2Mouse(Scheduler& scheduler)
    : scheduler_(scheduler),
      sample_(scheduler, "mouse.sample", [this] { sample(); }),
      bat_(scheduler, "mouse.bat", [this] { finish_bat(); })
{
}

void Ps2Mouse::reset()
{
    sample_.at(kNever);
    bat_.at(kNever);
    state = State{};
}

/// 100 reports a second, scaling 1:1, stream mode, 4 counts/mm, disabled.
void Ps2Mouse::set_defaults()
{
    const State defaults;
    state.mode = defaults.mode;
    state.enabled = defaults.enabled;
    state.scaling_2_to_1 = defaults.scaling_2_to_1;
    state.resolution = defaults.resolution;
    state.rate = defaults.rate;
    clear_counters();
}

void Ps2Mouse::clear_counters()
{
    state.dx = state.dy = state.dz = 0;
    state.x_overflow = state.y_overflow = false;
    state.clicked = 0;
}

// ---- The wire ----------------------------------------------------------------------------------

u8 Ps2Mouse::take_byte()
{
    if (state.count == 0) return 0xFF;
    const u8 byte = state.bytes[state.first % state.bytes.size()];
    state.first = (state.first + 1) % state.bytes.size();
    --state.count;
    if (state.count != 0) return byte;
    if (state.bat_next) {
        state.bat_next = false;
        state.bat = true;
        bat_.in(kBatTime);
    }
    arm();
    return byte;
}

void Ps2Mouse::answer(u8 byte)
{
    if (state.count >= state.bytes.size()) return;
    state.bytes[(state.first + state.count) % state.bytes.size()] = byte;
    ++state.count;
    if (on_byte_waiting) on_byte_waiting();
}

/// Whatever the mouse was about to say gives way to the answer.
void Ps2Mouse::receive(u8 byte)
{
    state.bat = state.bat_next = false;
    bat_.at(kNever);
    state.count = 0;
    if (state.wrap && byte != kResetWrapMode && byte != kReset) {
        answer(byte);
    } else if (state.command != 0) {
        take_parameter(byte);
    } else {
        execute(byte);
    }
    arm();
}

void Ps2Mouse::execute(u8 command)
{
    const bool rejected = std::exchange(state.rejected, false);
    if (command == 0xFE) {  // resend: the last packet, of which there may be none yet
        if (state.last_packet_size == 0) answer(kAck);
        for (int i = 0; i < (state.last_packet_size & 7) && i < 4; ++i)
            answer(state.last_packet[i]);
        return;
    }
    if (command < 0xE6 || command == 0xED || command == 0xEF || command == 0xF1 ||
        (command > 0xF6 && command != kReset)) {
        state.rejected = rejected;
        return reject();
    }
    answer(kAck);
    switch (command) {
    case 0xE6: state.scaling_2_to_1 = false; break;
    case 0xE7: state.scaling_2_to_1 = true; break;
    case 0xE8:
    case 0xF3: state.command = command; break;
    case 0xE9: report_status(); break;
    case 0xEA:
        state.mode = Mode::Stream;
        clear_counters();
        break;
    case 0xEB: send_packet(false); break;
    case kResetWrapMode: state.wrap = false; break;
    case 0xEE: state.wrap = true; break;
    case 0xF0:
        state.mode = Mode::Remote;
        clear_counters();
        break;
    case 0xF2: answer(state.id); break;
    case 0xF4:
        state.enabled = true;
        state.reported = state.buttons;
        clear_counters();
        break;
    case 0xF5:
        state.enabled = false;
        clear_counters();
        break;
    case 0xF6: set_defaults(); break;
    default:  // FFh
        set_defaults();
        state.wrap = false;
        state.id = 0;
        state.last_rates = {};
        state.last_packet_size = 0;
        state.bat_next = true;
        break;
    }
}

void Ps2Mouse::take_parameter(u8 value)
{
    const u8 command = state.command;
    if (value == kReset) {
        state.command = 0;
        return execute(value);
    }
    if (command == 0xF3) return set_rate(value);
    if (value > 3) return reject();
    state.command = 0;
    state.rejected = false;
    state.resolution = value;
    answer(kAck);
}

/// Rates 200, 100, 80 in a row turn the wheel on; 200, 200, 80 then the side buttons.
void Ps2Mouse::set_rate(u8 value)
{
    constexpr std::array<u8, 7> kRates = {10, 20, 40, 60, 80, 100, 200};
    if (std::ranges::find(kRates, value) == kRates.end()) return reject();
    if (value == 80 && state.last_rates == std::array<u8, 2>{200, 100} && state.id == 0)
        state.id = 3;
    if (value == 80 && state.last_rates == std::array<u8, 2>{200, 200} && state.id == 3)
        state.id = 4;
    state.last_rates = {state.last_rates[1], value};
    state.command = 0;
    state.rejected = false;
    state.rate = value;
    answer(kAck);
}

/// An invalid byte is asked for again; if it is invalid again, that is an error and the end of it.
void Ps2Mouse::reject()
{
    answer(state.rejected ? kError : kResend);
    if (state.rejected) state.command = 0;
    state.rejected = !state.rejected;
}

void Ps2Mouse::report_status()
{
    u8 status = 0;
    if (state.buttons & kRight) status |= 0x01;
    if (state.buttons & kMiddle) status |= 0x02;
    if (state.buttons & kLeft) status |= 0x04;
    if (state.scaling_2_to_1) status |= 0x10;
    if (state.enabled) status |= 0x20;
    if (state.mode == Mode::Remote) status |= 0x40;
    answer(status);
    answer(state.resolution);
    answer(state.rate);
}

void Ps2Mouse::finish_bat()
{
    state.bat = false;
    answer(kBatPassed);
    answer(state.id);
}

// ---- Motion ------------------------------------------------------------------------------------

bool Ps2Mouse::streaming() const
{
    return state.mode == Mode::Stream && state.enabled && !state.wrap && !state.bat &&
           !state.bat_next;
}

void Ps2Mouse::move(i32 dx, i32 dy, i32 dz)
{
    if (state.mode == Mode::Stream && !state.enabled) return;
    bool wheel_overflow = false;
    state.dx = added(state.dx, dx, state.x_overflow);
    // -dy does not exist for the least i32.
    state.dy = added(state.dy, dy == INT32_MIN ? INT32_MAX : -dy, state.y_overflow);
    if (state.id != 0)
        state.dz = added(state.dz, dz == INT32_MIN ? INT32_MAX : -dz, wheel_overflow);
    arm();
}

void Ps2Mouse::set_buttons(u8 mask)
{
    state.clicked |= mask & static_cast<u8>(~state.buttons);
    state.buttons = mask;
    arm();
}

/// Reports are a sample period apart, and not before the last one has gone.
void Ps2Mouse::arm()
{
    const bool changed = state.dx != 0 || state.dy != 0 || state.dz != 0 || state.clicked != 0 ||
                         state.buttons != state.reported;
    if (!streaming() || !changed || state.count != 0 || state.command != 0) {
        sample_.at(kNever);
    } else if (!sample_.armed()) {
        sample_.at(std::max(scheduler_.now(), state.next_sample));
    }
}

void Ps2Mouse::sample()
{
    state.next_sample = scheduler_.now() + kSecond / std::max<u8>(state.rate, 1);
    send_packet(true);
}

/// Takes what a packet can carry off a counter and gives the low byte of its nine bits. A sample of
/// the stream leaves the rest for the next one, since the host hands over in one piece what a hand
/// would have spread over several samples. A packet asked for says that there was more.
u8 Ps2Mouse::take_counter(i32& counter, bool& overflow, bool stream, bool& sign) const
{
    const bool scaling = stream && state.scaling_2_to_1;
    const i32 limit = scaling ? 127 : 255;
    const i32 taken = std::clamp(counter, -limit, limit);
    if (!stream && taken != counter) overflow = true;
    counter = stream ? counter - taken : 0;
    const i32 reported = scaling ? scaled(taken) : taken;
    sign = reported < 0;
    return static_cast<u8>(reported);
}

void Ps2Mouse::send_packet(bool stream)
{
    const u8 buttons = state.buttons | state.clicked;
    bool x_sign = false, y_sign = false;
    const u8 x = take_counter(state.dx, state.x_overflow, stream, x_sign);
    const u8 y = take_counter(state.dy, state.y_overflow, stream, y_sign);
    const i32 z = std::clamp(state.dz, -8, 7);
    state.dz = stream ? state.dz - z : 0;

    u8 first = 0x08 | (buttons & (kLeft | kRight | kMiddle));
    if (x_sign) first |= 0x10;
    if (y_sign) first |= 0x20;
    if (state.x_overflow) first |= 0x40;
    if (state.y_overflow) first |= 0x80;
    // Identification 3: the wheel as a byte; 4: bits 3..0, and the side buttons in bits 5 and 4.
    const u8 side_buttons = bits(buttons, 4, 3);
    const u8 last = static_cast<u8>(state.id == 4 ? (z & 0x0F) | side_buttons << 4 : z);

    state.x_overflow = state.y_overflow = false;
    state.clicked = 0;
    state.reported = buttons;
    state.last_packet = {first, x, y, last};
    state.last_packet_size = state.id == 0 ? 3 : 4;
    for (int i = 0; i < state.last_packet_size; ++i) answer(state.last_packet[i]);
}

}  // namespace reprise
