#include "devices/parallel_port.h"

#include "machine/base/bits.h"

namespace reprise {

namespace {

enum Status : u8 {
    kNotIrq = 0x04,
    kNotError = 0x08,
    kSelect = 0x10,
    kPaperEnd = 0x20,
    kNotAck = 0x40,
    kNotBusy = 0x80,
    kStatusReserved = 0x03,  // read as ones
};

enum Control : u8 {
    kStrobe = 0x01,
    kIrqEnable = 0x10,
    kInput = 0x20,            // direction: the port reads, its drivers are off
    kControlReserved = 0xC0,  // read as ones
};

}  // namespace

ParallelPort::ParallelPort(Scheduler& scheduler)
    : scheduler_(scheduler), edge_(scheduler, "parallel.edge", [this] { advance(); })
{
}

u8 ParallelPort::read(u16 offset)
{
    switch (offset) {
    case 0: return state.control & kInput ? state.data_input : state.data;
    case 1: {
        const u8 value = status();
        set_irq(false);
        return value;
    }
    case 2: return state.control | kControlReserved;
    default: return 0xFF;
    }
}

void ParallelPort::write(u16 offset, u8 value)
{
    if (offset == 0) state.data = value;
    else if (offset == 2) write_control(value);
}

/// Open inputs are pulled high, BUSY among them, which its bit shows inverted.
u8 ParallelPort::status() const
{
    u8 value = kStatusReserved | kNotError | kSelect;
    if (!state.irq) value |= kNotIrq;
    if (!state.connected) return value | kPaperEnd | kNotAck;
    if (state.handshake == Handshake::Idle) value |= kNotBusy;
    if (state.handshake != Handshake::Acknowledge) value |= kNotAck;
    return value;
}

/// The printer takes the byte at the leading edge of -STROBE, and ignores strobes while BUSY.
void ParallelPort::write_control(u8 value)
{
    const bool strobed = value & ~state.control & kStrobe;
    state.control = value & static_cast<u8>(~kControlReserved);
    if (!(value & kIrqEnable)) set_irq(false);
    if (!strobed || !state.connected || state.handshake != Handshake::Idle) return;

    state.handshake = Handshake::Busy;
    edge_.at(scheduler_.now() + kBusyTime - kAckTime);
    // With its drivers off the port leaves the lines to the other end.
    if (on_byte) on_byte(value & kInput ? state.data_input : state.data);
}

void ParallelPort::advance()
{
    if (state.handshake == Handshake::Busy) {
        state.handshake = Handshake::Acknowledge;
        edge_.in(kAckTime);
        set_irq(false);
    } else {
        state.handshake = Handshake::Idle;
        if (state.control & kIrqEnable) set_irq(true);
    }
}

void ParallelPort::set_irq(bool level)
{
    if (state.irq == level) return;
    state.irq = level;
    if (on_irq) on_irq(level);
}

void ParallelPort::set_connected(bool connected)
{
    state.connected = connected;
    if (connected) return;
    state.handshake = Handshake::Idle;
    edge_.at(kNever);
}

void ParallelPort::reset()
{
    set_irq(false);
    edge_.at(kNever);
    state = State{.data_input = state.data_input, .connected = state.connected};
}

}  // namespace reprise
