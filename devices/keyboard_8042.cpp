#include "devices/keyboard_8042.h"

#include "machine/base/bits.h"

namespace reprise {

namespace {

enum Status : u8 {
    kObf = 0x01,
    kIbf = 0x02,
    kSys = 0x04,
    kA2 = 0x08,
    kNotInhibited = 0x10,
    kMobf = 0x20,
    kTo = 0x40,
};

enum CommandByte : u8 {
    kKeyboardInterrupt = 0x01,
    kAuxInterrupt = 0x02,
    kSystemFlag = 0x04,
    kKeyboardDisable = 0x10,
    kAuxDisable = 0x20,
    kTranslate = 0x40,
};

enum OutputPort : u8 {
    kNotReset = 0x01,
    kA20 = 0x02,
    kKeyboardIrq = 0x10,
    kAuxIrq = 0x20,
};

constexpr u8 kResend = 0xFE;  // what the CPU finds after a time-out
constexpr u8 kBreakPrefix = 0xF0;

/// Scan code set 2 to set 1 (Keyboard section, "Scan Code Tables"). 83h and 84h, F7 and SysRq, are
/// translated as well; all other bytes from 80h on pass.
constexpr std::array<u8, 128> kSet1 = {
    0xFF, 0x43, 0x41, 0x3F, 0x3D, 0x3B, 0x3C, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3E, 0x0F, 0x29, 0x59,
    0x65, 0x38, 0x2A, 0x70, 0x1D, 0x10, 0x02, 0x5A, 0x66, 0x71, 0x2C, 0x1F, 0x1E, 0x11, 0x03, 0x5B,
    0x67, 0x2E, 0x2D, 0x20, 0x12, 0x05, 0x04, 0x5C, 0x68, 0x39, 0x2F, 0x21, 0x14, 0x13, 0x06, 0x5D,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5E, 0x6A, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5F,
    0x6B, 0x33, 0x25, 0x17, 0x18, 0x0B, 0x0A, 0x60, 0x6C, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0C, 0x61,
    0x6D, 0x73, 0x28, 0x74, 0x1A, 0x0D, 0x62, 0x6E, 0x3A, 0x36, 0x1C, 0x1B, 0x75, 0x2B, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7A, 0x0E, 0x7B, 0x7C, 0x4F, 0x7D, 0x4B, 0x47, 0x7E, 0x7F, 0x6F,
    0x52, 0x53, 0x50, 0x4C, 0x4D, 0x48, 0x01, 0x45, 0x57, 0x4E, 0x51, 0x4A, 0x37, 0x49, 0x46, 0x54,
};

constexpr u8 translated(u8 code)
{
    return code == 0x83 ? 0x41 : code == 0x84 ? 0x54 : code < 0x80 ? kSet1[code] : code;
}

}  // namespace

Keyboard8042::Keyboard8042(Scheduler& scheduler)
    : scheduler_(scheduler),
      frame_(scheduler, "8042.frame", [this] { frame_done(); }),
      answer_(scheduler, "8042.answer", [this] { deliver(); })
{
}

void Keyboard8042::connect(int port, Ps2Device& device)
{
    device_[port] = &device;
    device.on_byte_waiting = [this] { advance(); };
}

void Keyboard8042::reset()
{
    const bool a20_closed = !a20();
    state = State{.keyboard_irq = state.keyboard_irq, .mouse_irq = state.mouse_irq};
    frame_.at(kNever);
    answer_.at(kNever);
    update_irqs();
    if (a20_closed && on_a20) on_a20(true);
}

void Keyboard8042::log(std::string_view message)
{
    if (on_log) on_log(message);
}

// ---- The CPU's side ----------------------------------------------------------------------------

u8 Keyboard8042::read(u16 offset) { return offset == 0 ? read_data() : status(); }

u8 Keyboard8042::status() const
{
    u8 value = 0;
    if (state.obf) value |= kObf;
    if (state.ibf) value |= kIbf;
    if (state.sys) value |= kSys;
    if (state.a2) value |= kA2;
    if (state.poll == Poll::Low) return value | static_cast<u8>(state.p1 << 4);
    if (state.poll == Poll::High) return value | static_cast<u8>(state.p1 & 0xF0);
    if (bit(state.p1, 7)) value |= kNotInhibited;
    if (state.obf && state.obf_source == Source::Aux) value |= kMobf;
    if (state.obf && state.timed_out) value |= kTo;
    return value;
}

u8 Keyboard8042::read_data()
{
    if (state.obf) {
        state.obf = false;
        update_irqs();
        advance();
    }
    return state.dbbout;
}

void Keyboard8042::write(u16 offset, u8 value)
{
    state.dbbin = value;
    state.ibf = true;
    state.a2 = offset != 0;
    if (state.wire != Wire::Sending) take_input();
}

void Keyboard8042::take_input()
{
    state.ibf = false;
    if (state.a2) {
        state.command = 0;
        state.poll = Poll::Off;
        execute(state.dbbin);
    } else {
        take_data(state.dbbin);
    }
}

// ---- Commands ----------------------------------------------------------------------------------

void Keyboard8042::execute(u8 command)
{
    if (command >= 0xF0) return execute_pulse(command);
    if (bits(command, 7, 5) == 1) return reply(state.ram[bits(command, 4, 0)]);
    if (bits(command, 7, 5) == 3) {
        state.command = command;
        return;
    }

    const u8 command_byte = state.ram[0];
    switch (command) {
    case 0xA4: return reply(0xF1);  // test password installed: none
    case 0xA6: return;              // enable security: works only with a password
    case 0xA7: return write_command_byte(command_byte | kAuxDisable);
    case 0xA8: return write_command_byte(command_byte & ~kAuxDisable);
    case 0xA9: return reply(0x00);  // auxiliary device interface test: no error
    case 0xAA:                      // self-test: passed, and everything as after a reset but A20
        write_command_byte(kAuxDisable | kKeyboardDisable | kSystemFlag);
        return reply(0x55);
    case 0xAB: return reply(0x00);  // keyboard interface test: no error
    case 0xAD: return write_command_byte(command_byte | kKeyboardDisable);
    case 0xAE: return write_command_byte(command_byte & ~kKeyboardDisable);
    case 0xC0: return reply(state.p1);
    case 0xC1: state.poll = Poll::Low; return;
    case 0xC2: state.poll = Poll::High; return;
    case 0xD0: return reply(output_port());
    case 0xDD: return write_output_port(state.p2 & ~kA20);
    case 0xDF: return write_output_port(state.p2 | kA20);
    case 0xE0:  // T0 and T1 are the clock lines, held low by a disabled interface
        return reply(static_cast<u8>(~command_byte >> 4 & 3));
    case 0xA5:
    case 0xD1:
    case 0xD2:
    case 0xD3:
    case 0xD4: state.command = command; return;
    default: return log("unknown command");
    }
}

/// F0h..FFh: the low bits of P2 whose bit in the command is 0 are low for about 6 us. A20 opens
/// again before anybody could have looked, so only the reset line matters.
void Keyboard8042::execute_pulse(u8 command)
{
    if (!bit(command, 0)) pulse_reset();
}

void Keyboard8042::take_data(u8 value)
{
    const u8 command = state.command;
    state.command = 0;
    if (bits(command, 7, 5) == 3) {
        if (command == 0x60) write_command_byte(value);
        else state.ram[bits(command, 4, 0)] = value;
        return;
    }
    switch (command) {
    case 0xA5:  // load password: everything up to a null
        if (value != 0) state.command = command;
        return;
    case 0xD1: return write_output_port(value);
    case 0xD2: return reply(value, Source::Keyboard);
    case 0xD3: return reply(value, Source::Aux);
    case 0xD4: return send(true, value);
    default: return send(false, value);
    }
}

void Keyboard8042::write_command_byte(u8 value)
{
    state.ram[0] = value;
    state.sys = value & kSystemFlag;
    update_irqs();
    advance();
}

/// Bits 5 and 4 are driven by the output buffer.
u8 Keyboard8042::output_port() const
{
    u8 value = state.p2 & static_cast<u8>(~(kKeyboardIrq | kAuxIrq));
    if (state.keyboard_irq) value |= kKeyboardIrq;
    if (state.mouse_irq) value |= kAuxIrq;
    return value;
}

void Keyboard8042::write_output_port(u8 value)
{
    state.p2 = value | kNotReset;  // the reset that would release it takes the level away
    if (on_a20) on_a20(a20());
    if (!(value & kNotReset)) pulse_reset();
}

void Keyboard8042::pulse_reset()
{
    if (on_reset) on_reset();
}

// ---- The output buffer -------------------------------------------------------------------------

void Keyboard8042::put(u8 value, Source source, bool timed_out)
{
    state.dbbout = value;
    state.obf = true;
    state.obf_source = source;
    state.timed_out = timed_out;
    update_irqs();
}

/// A byte of the controller itself. The firmware has room for one while OBF is set.
void Keyboard8042::reply(u8 value, Source source, bool timed_out)
{
    if (!state.obf && !state.answer_waiting) {
        put(value, source, timed_out);
    } else {
        state.answer = value;
        state.answer_source = source;
        state.answer_timed_out = timed_out;
        state.answer_waiting = true;
    }
    advance();
}

void Keyboard8042::deliver()
{
    if (!state.answer_waiting || state.obf) return;
    state.answer_waiting = false;
    put(state.answer, state.answer_source, state.answer_timed_out);
}

void Keyboard8042::update_irqs()
{
    const bool aux = state.obf && state.obf_source == Source::Aux;
    const bool mouse_irq = aux && (state.ram[0] & kAuxInterrupt);
    const bool keyboard_irq = state.obf && !aux && (state.ram[0] & kKeyboardInterrupt);
    if (keyboard_irq != state.keyboard_irq) {
        state.keyboard_irq = keyboard_irq;
        if (on_keyboard_irq) on_keyboard_irq(keyboard_irq);
    }
    if (mouse_irq != state.mouse_irq) {
        state.mouse_irq = mouse_irq;
        if (on_mouse_irq) on_mouse_irq(mouse_irq);
    }
}

// ---- The wires ---------------------------------------------------------------------------------

bool Keyboard8042::device_waits(bool aux) const
{
    const u8 disable = aux ? kAuxDisable : kKeyboardDisable;
    return !(state.ram[0] & disable) && device_[aux] && device_[aux]->has_byte();
}

/// Decides which clock runs. Both ports are served in turn when both devices have something.
void Keyboard8042::advance()
{
    if (state.wire == Wire::Sending) return;
    if (state.wire == Wire::Receiving) {
        if (!state.obf && !state.answer_waiting && device_waits(state.wire_aux)) return;
        state.wire = Wire::Idle;  // the clock stops in the middle: the device keeps its byte
        frame_.at(kNever);
    }
    if (state.obf) return;
    if (state.answer_waiting) {
        if (!answer_.armed()) answer_.in(kAnswerTime);
        return;
    }
    const bool other = !state.wire_aux;
    if (!device_waits(other) && !device_waits(!other)) return;
    state.wire_aux = device_waits(other) ? other : !other;
    state.wire = Wire::Receiving;
    frame_.in(kPs2FrameTime);
}

/// Sending to a device enables its interface.
void Keyboard8042::send(bool aux, u8 value)
{
    state.ram[0] &= static_cast<u8>(~(aux ? kAuxDisable : kKeyboardDisable));
    state.wire = Wire::Sending;
    state.wire_aux = aux;
    state.sending = value;
    frame_.in(device_[aux] ? kPs2FrameTime : kTimeout);
}

void Keyboard8042::frame_done()
{
    const Wire wire = state.wire;
    state.wire = Wire::Idle;
    if (wire == Wire::Sending) frame_sent();
    else if (wire == Wire::Receiving) frame_received();
}

void Keyboard8042::frame_sent()
{
    const bool aux = state.wire_aux;
    if (!device_[aux]) {
        reply(kResend, aux ? Source::Aux : Source::Keyboard, true);
    } else {
        if (!aux) state.break_prefix = false;
        state.wire_aux = !aux;  // as if it had been the other's turn: the answer comes first
        device_[aux]->receive(state.sending);
    }
    // Only after this may the next byte of the CPU go out: the order of the bytes is the CPU's.
    if (state.ibf) take_input();
    advance();
}

void Keyboard8042::frame_received()
{
    const bool aux = state.wire_aux;
    if (!device_waits(aux)) return advance();
    const u8 byte = device_[aux]->take_byte();
    if (aux) {
        put(byte, Source::Aux);
    } else if (!(state.ram[0] & kTranslate)) {
        put(byte, Source::Keyboard);
    } else if (byte == kBreakPrefix) {
        state.break_prefix = true;
    } else {
        put(translated(byte) | (state.break_prefix ? 0x80 : 0), Source::Keyboard);
        state.break_prefix = false;
    }
    advance();
}

}  // namespace reprise
