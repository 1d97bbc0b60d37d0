#include "devices/ata/ata_port.h"

#include <algorithm>

namespace reprise {

using namespace ata;

namespace {

constexpr Time kResetTime = 500 * kMicrosecond, kCommandTime = 60 * kMicrosecond,
               kPacketTime = 5 * kMicrosecond;
constexpr u8 kDeviceReset = 0x08, kPacket = 0xA0;

}  // namespace

AtaPort::AtaPort(Scheduler& scheduler, const std::string& name, bool packet)
    : event_(scheduler, name, [this] { run(); }), packet_(packet)
{
}

void AtaPort::power_on()
{
    state = State{};
    diagnose(false);
    if (on_reset) on_reset(true);
    if (on_change) on_change();
}

// ---- Registers
// ------------------------------------------------------------------------

u8 AtaPort::read(u16 offset, bool hob)
{
    switch (offset) {
    case 1: return state.error;
    case 2: return state.count[hob];
    case 3: return state.lba_low[hob];
    case 4: return state.lba_mid[hob];
    case 5: return state.lba_high[hob];
    case 6: return state.device;
    case 7: set_intrq(false); return state.status;
    default: return 0xFF;
    }
}

/// The standard leaves open what a write does while BSY is set. Here it is ignored, except that a
/// packet drive always takes DEVICE RESET.
void AtaPort::write(u16 offset, u8 value)
{
    if (state.status & kBsy) {
        if (offset == 7 && value == kDeviceReset && packet_) start_command(value);
        return;
    }
    const auto push = [value](std::array<u8, 2>& pair) { pair = {value, pair[0]}; };
    switch (offset) {
    case 1: return push(state.features);
    case 2: return push(state.count);
    case 3: return push(state.lba_low);
    case 4: return push(state.lba_mid);
    case 5: return push(state.lba_high);
    case 6: state.device = value | 0xA0; return;  // bits 7 and 5 are obsolete and set
    case 7: return start_command(value);
    default: return;
    }
}

void AtaPort::start_command(u8 command)
{
    set_intrq(false);
    set_dmarq(false);
    state.transfer = Transfer::None;
    if (command == kDeviceReset && packet_) {
        diagnose(false);
        state.status = 0;
        if (on_reset) on_reset(false);
        return busy(Due::Reset, kCommandTime);
    }
    state.command = command;
    state.error = 0;
    state.status = kDrdy | kDsc;
    busy(Due::Command, command == kPacket ? kPacketTime : kCommandTime);
}

void AtaPort::set_srst(bool level)
{
    set_intrq(false);
    set_dmarq(false);
    state.transfer = Transfer::None;
    state.status = kBsy;
    state.due = Due::Reset;
    event_.at(kNever);
    if (level) return;
    diagnose(false);
    if (on_reset) on_reset(false);
    busy(Due::Reset, kResetTime);
}

/// What a reset leaves in the registers.
void AtaPort::place_signature()
{
    state.count = state.lba_low = {1, 0};
    state.lba_mid = {static_cast<u8>(packet_ ? 0x14 : 0), 0};
    state.lba_high = {static_cast<u8>(packet_ ? 0xEB : 0), 0};
}

/// A packet drive does not set DRDY until it has got a command.
void AtaPort::diagnose(bool interrupt)
{
    place_signature();
    state.device = 0xA0;
    state.error = 1;  // device 0 passed, device 1 passed or not present
    state.transfer = Transfer::None;
    state.due = Due::Nothing;
    event_.at(kNever);
    state.status = packet_ ? 0 : kDrdy | kDsc;
    set_dmarq(false);
    set_intrq(interrupt);
}

// ---- Time
// -----------------------------------------------------------------------------------------

void AtaPort::busy(Due due, Time delay)
{
    state.due = due;
    state.status = static_cast<u8>((state.status | kBsy) & ~kDrq);
    event_.in(delay);
}

void AtaPort::run()
{
    const Due due = state.due;
    state.due = Due::Nothing;
    state.status &= static_cast<u8>(~kBsy);
    if (due == Due::Command && on_command) on_command();
    if (due == Due::Block && on_block) on_block();
}

void AtaPort::complete_quietly()
{
    state.transfer = Transfer::None;
    state.status = kDrdy | kDsc;
}

void AtaPort::complete()
{
    complete_quietly();
    set_intrq(true);
}

void AtaPort::fail(u8 error, u8 status)
{
    state.transfer = Transfer::None;
    state.error = error;
    state.status = status | kErr;
    set_intrq(true);
}

// ---- Data
// -----------------------------------------------------------------------------------------

void AtaPort::transfer(Transfer direction, u32 start, u32 length, bool interrupt, bool last)
{
    state.transfer = direction;
    state.position = std::min(start, kBufferSize);
    state.end = std::min(start + length, kBufferSize);
    state.length = state.end - state.position;
    state.last = last;
    state.status = kDrdy | kDsc | kDrq;
    if (interrupt) set_intrq(true);
    if (direction == Transfer::DmaIn || direction == Transfer::DmaOut) set_dmarq(true);
}

void AtaPort::block_moved()
{
    if (state.transfer == Transfer::PioIn && state.last) return complete_quietly();
    set_dmarq(false);
    busy(Due::Block, std::max<Time>(state.length * kByteTime, kMicrosecond));
}

u32 AtaPort::read_data(int size)
{
    if (state.transfer != Transfer::PioIn || (state.status & kBsy)) return ~u32{0};
    u32 value = 0;
    for (int i = 0; i < size && i < 4; ++i) {
        if (state.position >= state.end) break;
        value |= u32{state.buffer[state.position++ % kBufferSize]} << 8 * i;
    }
    if (state.position >= state.end) block_moved();
    return value;
}

void AtaPort::write_data(u32 value, int size)
{
    if (state.transfer != Transfer::PioOut || (state.status & kBsy)) return;
    for (int i = 0; i < size && i < 4; ++i) {
        if (state.position >= state.end) break;
        state.buffer[state.position++ % kBufferSize] = static_cast<u8>(value >> 8 * i);
    }
    if (state.position >= state.end) block_moved();
}

std::size_t AtaPort::dma_read(std::span<u8> out)
{
    if (!state.dmarq || state.transfer != Transfer::DmaIn) return 0;
    const std::size_t n = std::min<std::size_t>(out.size(), dma_available());
    const u32 first = std::min(state.position, kBufferSize);
    std::copy_n(state.buffer.begin() + first, std::min<std::size_t>(n, kBufferSize - first),
                out.begin());
    state.position += static_cast<u32>(n);
    if (state.position >= state.end) block_moved();
    return n;
}

std::size_t AtaPort::dma_write(std::span<const u8> data)
{
    if (!state.dmarq || state.transfer != Transfer::DmaOut) return 0;
    const std::size_t n = std::min<std::size_t>(data.size(), dma_available());
    const u32 first = std::min(state.position, kBufferSize);
    std::copy_n(data.begin(), std::min<std::size_t>(n, kBufferSize - first),
                state.buffer.begin() + first);
    state.position += static_cast<u32>(n);
    if (state.position >= state.end) block_moved();
    return n;
}

// ---- Pins
// -----------------------------------------------------------------------------------------

void AtaPort::set_intrq(bool level)
{
    if (state.intrq == level) return;
    state.intrq = level;
    if (on_change) on_change();
}

void AtaPort::set_dmarq(bool level)
{
    if (state.dmarq == level) return;
    state.dmarq = level;
    if (on_change) on_change();
}

}  // namespace reprise
