#include "devices/pic_8259.h"

#include "machine/base/bits.h"

namespace reprise {

namespace {

constexpr u8 mask_of(int level) { return static_cast<u8>(1 << (level & 7)); }

// ICW1
constexpr int kIc4 = 0, kSngl = 1, kAdi = 2, kLtim = 3;
// ICW4
constexpr int kUpm = 0, kAeoi = 1, kMasterSlave = 2, kBuf = 3, kSfnm = 4;
// OCW2
constexpr int kEoi = 5, kSl = 6, kR = 7;
// OCW3
constexpr int kRis = 0, kRr = 1, kP = 2, kSmm = 5, kEsmm = 6;

}  // namespace

// ---- The interrupt sequence --------------------------------------------------------------------

bool Pic8259::is_master() const
{
    return bit(state.icw4, kBuf) ? bit(state.icw4, kMasterSlave) : sp_;
}

bool Pic8259::is_slave_input(int level) const
{
    return !bit(state.icw1, kSngl) && is_master() && bit(state.icw3, level);
}

/// An edge-triggered request is a line that went high since its latch was reset and still is high:
/// one that goes low before INTA is gone.
u8 Pic8259::irr() const
{
    const u8 level_triggered = bit(state.icw1, kLtim) ? 0xFF : state.elcr;
    return state.lines & (level_triggered | state.edge_armed);
}

int Pic8259::highest(u8 levels) const
{
    for (int priority = 0; priority < 8; ++priority) {
        const int level = (state.lowest + 1 + priority) & 7;
        if (bit(levels, level)) return level;
    }
    return -1;
}

/// Fully nested: only a request above everything in service gets through. Special mask mode takes
/// masked levels out of "in service"; special fully nested mode lets a slave interrupt itself.
int Pic8259::requested() const
{
    if (state.expect != Expect::Ocw) return -1;
    const int request = highest(irr() & static_cast<u8>(~state.imr));
    const u8 inhibits = state.special_mask ? state.isr & static_cast<u8>(~state.imr) : state.isr;
    const int in_service = highest(inhibits);
    if (request < 0 || in_service < 0) return request;
    if (request == in_service)
        return bit(state.icw4, kSfnm) && is_slave_input(request) ? request : -1;
    return priority_of(request) < priority_of(in_service) ? request : -1;
}

/// In MCS-80/85 mode the chip answers with a CALL instruction; what it drives during the second
/// INTA, which is what an 8086 takes as the vector, is the low byte of the address.
u8 Pic8259::vector(int level) const
{
    if (bit(state.icw4, kUpm)) return static_cast<u8>((state.icw2 & 0xF8) | level);
    if (bit(state.icw1, kAdi)) return static_cast<u8>((state.icw1 & 0xE0) | level << 2);
    return static_cast<u8>((state.icw1 & 0xC0) | level << 3);
}

void Pic8259::begin_service(int level)
{
    state.isr |= mask_of(level);
    state.edge_armed &= static_cast<u8>(~mask_of(level));
    drive_int(false);  // INT falls with INTA even if another request follows at once
}

void Pic8259::end_service(int level, bool rotate)
{
    if (level < 0) return;
    state.isr &= static_cast<u8>(~mask_of(level));
    if (rotate) state.lowest = static_cast<u8>(level);
}

u8 Pic8259::acknowledge()
{
    const int level = requested();
    if (level < 0) {
        if (on_log) on_log("8259: interrupt acknowledged without a request, default IR7");
        drive_int(false);
        return vector(7);
    }
    begin_service(level);
    const bool cascaded = is_slave_input(level) && on_cascade;
    const u8 answer = cascaded ? on_cascade(static_cast<u8>(level)) : vector(level);
    if (bit(state.icw4, kAeoi)) end_service(level, state.rotate_in_aeoi);
    update();
    return answer;
}

u8 Pic8259::acknowledge_cascade(u8 cas)
{
    if (is_master() || bits(state.icw3, 2, 0) != cas) return 0xFF;
    return acknowledge();
}

// ---- Pins --------------------------------------------------------------------------------------

void Pic8259::drive_int(bool level)
{
    if (level == state.int_out) return;
    state.int_out = level;
    if (on_int) on_int(level);
}

void Pic8259::set_irq(int line, bool level)
{
    const u8 mask = mask_of(line);
    if (level) state.lines |= mask;
    else {
        state.lines &= static_cast<u8>(~mask);
        state.edge_armed |= mask;
    }
    update();
}

void Pic8259::set_elcr(u8 mask)
{
    state.elcr = mask;
    update();
}

void Pic8259::reset()
{
    drive_int(false);
    state = State{
        .lines = state.lines, .edge_armed = static_cast<u8>(~state.lines), .elcr = state.elcr};
}

// ---- Registers ---------------------------------------------------------------------------------

u8 Pic8259::read(u16 offset)
{
    if (state.poll) return read_poll();  // the next RD pulse, whatever A0 is
    if (bit(offset, 0)) return state.imr;
    return state.read_isr ? state.isr : irr();
}

/// Poll Command: the read takes the place of INTA.
u8 Pic8259::read_poll()
{
    state.poll = false;
    const int level = requested();
    if (level < 0) return 0;
    begin_service(level);
    if (bit(state.icw4, kAeoi)) end_service(level, state.rotate_in_aeoi);
    update();
    return static_cast<u8>(0x80 | level);
}

void Pic8259::write(u16 offset, u8 value)
{
    if (bit(offset, 0)) {
        if (state.expect == Expect::Icw1 || state.expect == Expect::Ocw) state.imr = value;  // OCW1
        else write_icw(value);
    } else if (bit(value, 4)) {
        write_icw1(value);
    } else if (bit(value, 3)) {
        write_ocw3(value);
    } else {
        write_ocw2(value);
    }
    update();
}

/// Initialization Command Words 1 and 2, points (a) to (f).
void Pic8259::write_icw1(u8 value)
{
    drive_int(false);
    state = State{.icw1 = value,
                  .icw3 = static_cast<u8>(sp_ ? 0 : 7),
                  .expect = Expect::Icw2,
                  .lines = state.lines,
                  .edge_armed = static_cast<u8>(~state.lines),  // a line already high has no edge
                  .elcr = state.elcr};
}

/// ICW2, then ICW3 in a cascade, then ICW4 if ICW1 announced it (figure 6).
void Pic8259::write_icw(u8 value)
{
    const Expect last = bit(state.icw1, kIc4) ? Expect::Icw4 : Expect::Ocw;
    switch (state.expect) {
    case Expect::Icw2:
        state.icw2 = value;
        state.expect = bit(state.icw1, kSngl) ? last : Expect::Icw3;
        break;
    case Expect::Icw3:
        state.icw3 = value;
        state.expect = last;
        break;
    default:
        state.icw4 = value;
        state.expect = Expect::Ocw;
        if (!bit(value, kUpm) && on_log) on_log("8259: MCS-80/85 mode selected");
    }
}

/// EOI and rotation commands (figure 8). A level that special mask mode masks is not found by a
/// non-specific EOI.
void Pic8259::write_ocw2(u8 value)
{
    const int level = bits(value, 2, 0);
    const bool rotate = bit(value, kR);
    if (bit(value, kEoi)) {
        const u8 visible = state.special_mask ? state.isr & static_cast<u8>(~state.imr) : state.isr;
        end_service(bit(value, kSl) ? level : highest(visible), rotate);
    } else if (!bit(value, kSl)) {
        state.rotate_in_aeoi = rotate;
    } else if (rotate) {
        state.lowest = static_cast<u8>(level);  // set priority command
    }
}

void Pic8259::write_ocw3(u8 value)
{
    if (bit(value, kEsmm)) state.special_mask = bit(value, kSmm);
    if (bit(value, kRr)) state.read_isr = bit(value, kRis);
    state.poll = bit(value, kP);
}

}  // namespace reprise
