#include "devices/ps2_keyboard.h"

#include "machine/base/bits.h"

namespace reprise {

namespace {

enum Answer : u8 {
    kBatPassed = 0xAA,
    kAck = 0xFA,
    kResend = 0xFE,
};

constexpr u8 kFirstCommand = 0xED;  // option bytes are below
constexpr u8 kBufferSize = 16;
constexpr u8 kE0 = 0xE0, kE1 = 0xE1, kBreak = 0xF0;

enum Usage : u8 {
    kPrintScreen = 0x46,
    kLeftCtrl = 0xE0,
    kLeftShift = 0xE1,
    kLeftAlt = 0xE2,
    kRightCtrl = 0xE4,
    kRightShift = 0xE5,
    kRightAlt = 0xE6,
};

}  // namespace

Ps2Keyboard::Ps2Keyboard(Scheduler& scheduler)
    : scheduler_(scheduler),
      repeat_(scheduler, "keyboard.repeat", [this] { repeat(); }),
      bat_(scheduler, "keyboard.bat", [this] { finish_bat(); })
{
}

void Ps2Keyboard::reset()
{
    set_leds(0);
    repeat_.at(kNever);
    bat_.at(kNever);
    state = State{};
}

void Ps2Keyboard::set_leds(u8 leds)
{
    if (state.leds == leds) return;
    state.leds = leds;
    if (on_leds) on_leds(leds);
}

/// All conditions as after power-on, buffer and typematic key included.
void Ps2Keyboard::set_defaults()
{
    state.set = 2;
    state.rate = State{}.rate;
    state.type.fill(static_cast<u8>(KeyType::Default));
    clear_buffer();
}

void Ps2Keyboard::clear_buffer()
{
    state.code_count = 0;
    state.repeating = 0;
    repeat_.at(kNever);
}

// ---- The wire ----------------------------------------------------------------------------------

u8 Ps2Keyboard::take_byte()
{
    if (state.answer_count != 0) {
        state.last_sent = state.answers[state.first_answer % state.answers.size()];
        state.first_answer = (state.first_answer + 1) % state.answers.size();
        --state.answer_count;
        if (state.bat_next && state.answer_count == 0) {
            state.bat_next = false;
            state.bat = true;
            bat_.in(kBatTime);
        }
    } else if (state.code_count != 0) {
        state.last_sent = state.codes[state.first_code % state.codes.size()];
        state.first_code = (state.first_code + 1) % state.codes.size();
        --state.code_count;
    }
    return state.last_sent;
}

/// A command during the BAT ends it: real keyboards do not even listen then.
void Ps2Keyboard::receive(u8 byte)
{
    state.bat = state.bat_next = false;
    bat_.at(kNever);
    if (state.command != 0 && byte < kFirstCommand) return take_option(byte);
    state.command = 0;
    execute(byte);
}

void Ps2Keyboard::answer(u8 byte)
{
    if (state.answer_count >= state.answers.size()) return;
    state.answers[(state.first_answer + state.answer_count) % state.answers.size()] = byte;
    ++state.answer_count;
    if (on_byte_waiting) on_byte_waiting();
}

void Ps2Keyboard::acknowledge() { answer(kAck); }

void Ps2Keyboard::execute(u8 command)
{
    switch (command) {
    case 0xED:  // set/reset status indicators
    case 0xF3:  // set typematic rate/delay
        state.command = command;
        return acknowledge();
    case 0xEE: return answer(command);  // echo
    case 0xF0:                          // select alternate scan codes
    case 0xFB:                          // set key type: typematic
    case 0xFC:                          // set key type: make/break
    case 0xFD:                          // set key type: make
        clear_buffer();
        state.command = command;
        return acknowledge();
    case 0xF2:  // read ID
        acknowledge();
        answer(0xAB);
        return answer(0x83);
    case 0xF4:  // enable
        clear_buffer();
        state.scanning = true;
        return acknowledge();
    case 0xF5:  // default disable
    case 0xF6:  // set default
        set_defaults();
        if (command == 0xF5) state.scanning = false;
        return acknowledge();
    case 0xF7:
    case 0xF8:
    case 0xF9:
    case 0xFA: {  // set all keys
        constexpr std::array kTypes = {KeyType::Typematic, KeyType::MakeBreak, KeyType::MakeOnly,
                                       KeyType::TypematicMakeBreak};
        clear_buffer();
        state.type.fill(static_cast<u8>(kTypes[command - 0xF7]));
        return acknowledge();
    }
    case 0xFE: return answer(state.last_sent);  // resend
    case 0xFF:                                  // reset
        set_defaults();
        state.answer_count = 0;
        state.scanning = true;
        state.bat_next = true;
        set_leds(0);
        return acknowledge();
    default: return answer(kResend);  // EFh, F1h and everything below are invalid
    }
}

void Ps2Keyboard::take_option(u8 option)
{
    const u8 command = state.command;
    state.command = 0;
    switch (command) {
    case 0xED:
        if (option > 7) return answer(kResend);
        set_leds(option);
        return acknowledge();
    case 0xF0:
        if (option > 3) return answer(kResend);
        acknowledge();
        if (option == 0) return answer(state.set);
        clear_buffer();
        state.set = option;
        return;
    case 0xF3:
        if (option > 0x7F) return answer(kResend);
        state.rate = option;
        return acknowledge();
    default: {  // FBh..FDh: set 3 codes of keys, until a command comes
        constexpr std::array kTypes = {KeyType::Typematic, KeyType::MakeBreak, KeyType::MakeOnly};
        state.command = command;
        state.type[option] = static_cast<u8>(kTypes[static_cast<u8>(command - 0xFB) % 3]);
        return acknowledge();
    }
    }
}

void Ps2Keyboard::finish_bat()
{
    state.bat = false;
    answer(kBatPassed);
}

// ---- The keys ----------------------------------------------------------------------------------

bool Ps2Keyboard::is_pressed(u8 usage) const { return bit(state.pressed[usage >> 3], usage & 7); }

bool Ps2Keyboard::shift() const { return is_pressed(kLeftShift) || is_pressed(kRightShift); }

void Ps2Keyboard::set_key(u8 usage, bool pressed)
{
    if (scan_code(usage).set1 == 0 || is_pressed(usage) == pressed) return;
    // A modifier's own codes do not depend on itself, so the order of these two does not matter.
    state.pressed[usage >> 3] = with_bit(state.pressed[usage >> 3], usage & 7, pressed);
    if (!pressed && state.repeating == usage) {
        state.repeating = 0;
        repeat_.at(kNever);
    }
    if (!state.scanning || state.bat || state.bat_next) return;
    if (pressed) press(usage);
    else release(usage);
}

void Ps2Keyboard::press(u8 usage)
{
    const ScanCode& code = scan_code(usage);
    Sequence sequence;
    if (state.set == 3) sequence.add(code.set3);
    else if (code.group == KeyGroup::PrintScreen) add_print_screen(sequence, true);
    else if (code.group == KeyGroup::Pause) add_pause(sequence);
    else add_key(sequence, code, true);
    put(sequence);

    // Of several keys that are held only the last one pressed repeats.
    state.repeating = is_typematic(code) ? usage : 0;
    repeat_.at(state.repeating != 0 ? scheduler_.now() + repeat_delay() : kNever);
}

void Ps2Keyboard::release(u8 usage)
{
    const ScanCode& code = scan_code(usage);
    Sequence sequence;
    if (state.set == 3) {
        const KeyType type = type_of(code);
        if (type != KeyType::MakeBreak && type != KeyType::TypematicMakeBreak) return;
        sequence.add(kBreak);
        sequence.add(code.set3);
    } else if (code.group == KeyGroup::PrintScreen) {
        add_print_screen(sequence, false);
    } else if (code.group != KeyGroup::Pause) {
        add_key(sequence, code, false);
    }
    put(sequence);
}

KeyType Ps2Keyboard::type_of(const ScanCode& code) const
{
    const auto type = static_cast<KeyType>(state.type[code.set3]);
    return type == KeyType::Default ? code.type : type;
}

bool Ps2Keyboard::is_typematic(const ScanCode& code) const
{
    if (state.set != 3) return code.group != KeyGroup::Pause;
    const KeyType type = type_of(code);
    return type == KeyType::Typematic || type == KeyType::TypematicMakeBreak;
}

/// Delay = (1 + bits 6..5) x 250 ms; period = (8 + bits 2..0) x 2^(bits 4..3) x 4.17 ms, which is
/// 1/240 s.
Time Ps2Keyboard::repeat_delay() const { return kMillisecond * 250 * (1 + bits(state.rate, 6, 5)); }

Time Ps2Keyboard::repeat_period() const
{
    return ((Time{8} + bits(state.rate, 2, 0)) << bits(state.rate, 4, 3)) * kSecond / 240;
}

/// Only the key itself repeats, not the pretended shifts. While the system does not take the codes,
/// nothing is added to the buffer.
void Ps2Keyboard::repeat()
{
    if (state.repeating == 0) return;
    repeat_.in(repeat_period());
    if (state.code_count != 0) return;

    const ScanCode& code = scan_code(state.repeating);
    Sequence sequence;
    if (state.set == 3) sequence.add(code.set3);
    else if (state.repeating == kPrintScreen && state.sys_rq) add_code(sequence, 0x54, 0x84, true);
    else if (code.e0) add_e0_code(sequence, code.set1, code.set2, true);
    else add_code(sequence, code.set1, code.set2, true);
    put(sequence);
}

// ---- Scan codes --------------------------------------------------------------------------------

void Ps2Keyboard::add_code(Sequence& sequence, u8 set1, u8 set2, bool make) const
{
    if (state.set == 1) {
        sequence.add(make ? set1 : set1 | 0x80);
    } else {
        if (!make) sequence.add(kBreak);
        sequence.add(set2);
    }
}

void Ps2Keyboard::add_e0_code(Sequence& sequence, u8 set1, u8 set2, bool make) const
{
    sequence.add(kE0);
    add_code(sequence, set1, set2, make);
}

/// Before the make code and after the break code: what programs for the 84-key keyboard, which has
/// the cursor keys on the keypad only, need to see of Shift. Shift is pretended to be down if Num
/// Lock is on, and to be up if it is held while Num Lock is off.
void Ps2Keyboard::add_shifts(Sequence& sequence, const ScanCode& code, bool make) const
{
    const bool num_lock = code.group == KeyGroup::Navigation && led(kNumLed);
    if (shift() && !num_lock) {
        if (is_pressed(kLeftShift)) add_e0_code(sequence, 0x2A, 0x12, !make);
        if (is_pressed(kRightShift)) add_e0_code(sequence, 0x36, 0x59, !make);
    } else if (!shift() && num_lock) {
        add_e0_code(sequence, 0x2A, 0x12, make);
    }
}

void Ps2Keyboard::add_key(Sequence& sequence, const ScanCode& code, bool make) const
{
    const bool shifts = code.group == KeyGroup::Navigation || code.group == KeyGroup::Divide;
    if (shifts && make) add_shifts(sequence, code, true);
    if (code.e0) add_e0_code(sequence, code.set1, code.set2, make);
    else add_code(sequence, code.set1, code.set2, make);
    if (shifts && !make) add_shifts(sequence, code, false);
}

/// A shifted keypad * on the 84-key keyboard; with Alt the SysRq key.
void Ps2Keyboard::add_print_screen(Sequence& sequence, bool make)
{
    if (make) state.sys_rq = is_pressed(kLeftAlt) || is_pressed(kRightAlt);
    if (state.sys_rq) {
        state.sys_rq = make;
        return add_code(sequence, 0x54, 0x84, make);
    }
    const bool plain = !shift() && !is_pressed(kLeftCtrl) && !is_pressed(kRightCtrl);
    if (plain && make) add_e0_code(sequence, 0x2A, 0x12, true);
    add_e0_code(sequence, 0x37, 0x7C, make);
    if (plain && !make) add_e0_code(sequence, 0x2A, 0x12, false);
}

/// Ctrl + Num Lock on the 84-key keyboard, and with Ctrl its Ctrl + Scroll Lock, which is Break.
/// Make and break are sent together, whenever the key goes up.
void Ps2Keyboard::add_pause(Sequence& sequence) const
{
    if (is_pressed(kLeftCtrl) || is_pressed(kRightCtrl)) {
        add_e0_code(sequence, 0x46, 0x7E, true);
        add_e0_code(sequence, 0x46, 0x7E, false);
        return;
    }
    for (bool make : {true, false}) {
        sequence.add(kE1);
        add_code(sequence, 0x1D, 0x14, make);
        add_code(sequence, 0x45, 0x77, make);
    }
}

/// A sequence that does not fit as a whole is dropped, and the overrun code takes the place after
/// what did fit.
void Ps2Keyboard::put(const Sequence& sequence)
{
    if (sequence.size == 0 || sequence.bytes[0] == 0) return;
    const auto append = [this](u8 byte) {
        state.codes[(state.first_code + state.code_count) % state.codes.size()] = byte;
        ++state.code_count;
    };
    if (state.code_count + sequence.size <= kBufferSize) {
        for (int i = 0; i < sequence.size; ++i) append(sequence.bytes[i & 7]);
    } else {
        const u8 overrun = state.set == 1 ? 0xFF : 0x00;
        const std::size_t last = (state.first_code + state.code_count - 1) % state.codes.size();
        if (state.code_count > kBufferSize || state.codes[last] == overrun) return;
        append(overrun);
    }
    if (on_byte_waiting) on_byte_waiting();
}

}  // namespace reprise
