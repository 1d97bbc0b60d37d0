#include "devices/dma_8237.h"

#include "machine/base/bits.h"

namespace reprise {

namespace {

// Command register
constexpr int kMemoryToMemory = 0, kAddressHold = 1, kDisable = 2, kRotating = 4, kDreqLow = 6;
// Mode register
constexpr int kAutoinitialize = 4, kDecrement = 5;
enum TransferType : u8 { Verify = 0, WriteMemory = 1, ReadMemory = 2 };
enum TransferMode : u8 { Demand = 0, Single = 1, Block = 2, Cascade = 3 };

// Register codes, A3..A0; some differ for reading and writing.
enum Register : u16 {
    kCommandOrStatus = 8,
    kRequest = 9,
    kSingleMask = 10,
    kMode = 11,
    kClearFlipFlop = 12,
    kMasterClearOrTemporary = 13,
    kClearMask = 14,
    kAllMask = 15,
};

/// Transfers per call, so that a DREQ that never goes away cannot keep the machine here.
constexpr int kTransferLimit = 0x10001;

constexpr u8 mask_of(int channel) { return static_cast<u8>(1 << (channel & 3)); }

TransferType type_of(const Dma8237::Channel& channel)
{
    return static_cast<TransferType>(bits(channel.mode, 3, 2));
}

TransferMode mode_of(const Dma8237::Channel& channel)
{
    return static_cast<TransferMode>(bits(channel.mode, 7, 6));
}

u16 with_byte(u16 word, bool msb, u8 value)
{
    return static_cast<u16>(msb ? (word & 0x00FF) | value << 8 : (word & 0xFF00) | value);
}

}  // namespace

// ---- Registers ---------------------------------------------------------------------------------

u8 Dma8237::read(u16 offset)
{
    offset &= 15;
    if (offset < 8) return read_address_or_count(offset);
    if (offset == kCommandOrStatus) {
        const u8 value = status();
        state.terminal_count = 0;
        return value;
    }
    return offset == kMasterClearOrTemporary ? state.temporary : 0xFF;  // the others are illegal
}

u8 Dma8237::read_address_or_count(u16 offset)
{
    const Channel& channel = state.channel[offset >> 1];
    const u16 word = bit(offset, 0) ? channel.current_count : channel.current_address;
    const bool msb = state.msb_next;
    state.msb_next = !msb;
    return static_cast<u8>(msb ? bits(word, 15, 8) : bits(word, 7, 0));
}

u8 Dma8237::status() const { return static_cast<u8>(requesting() << 4 | state.terminal_count); }

void Dma8237::write(u16 offset, u8 value)
{
    offset &= 15;
    if (offset < 8) write_address_or_count(offset, value);
    else write_register(offset, value);
    service();
}

void Dma8237::write_address_or_count(u16 offset, u8 value)
{
    Channel& channel = state.channel[offset >> 1];
    const bool msb = state.msb_next;
    state.msb_next = !msb;
    u16& base = bit(offset, 0) ? channel.base_count : channel.base_address;
    u16& current = bit(offset, 0) ? channel.current_count : channel.current_address;
    base = with_byte(base, msb, value);
    current = with_byte(current, msb, value);
}

void Dma8237::write_register(u16 offset, u8 value)
{
    const int channel = bits(value, 1, 0);
    switch (offset) {
    case kCommandOrStatus:
        state.command = value;
        if (!bit(value, kRotating)) state.lowest = 3;
        break;
    case kRequest: state.request = with_bit(state.request, channel, bit(value, 2)); break;
    case kSingleMask: state.mask = with_bit(state.mask, channel, bit(value, 2)); break;
    case kMode: state.channel[channel].mode = static_cast<u8>(value & 0xFC); break;
    case kClearFlipFlop: state.msb_next = false; break;
    case kMasterClearOrTemporary: reset(); break;
    case kClearMask: state.mask = 0; break;
    default: state.mask = bits(value, 3, 0);
    }
}

/// Master Clear: command, status, request, temporary register and flip-flop are cleared, and every
/// channel is masked.
void Dma8237::reset()
{
    state.command = 0;
    state.terminal_count = 0;
    state.request = 0;
    state.temporary = 0;
    state.msb_next = false;
    state.mask = 0x0F;
    state.lowest = 3;
    service();
}

// ---- Pins and the bus --------------------------------------------------------------------------

void Dma8237::set_dreq(int channel, bool level)
{
    state.dreq = with_bit(state.dreq, channel & 3, level);
    service();
}

void Dma8237::set_hlda(bool level)
{
    state.hlda = level;
    service();
}

/// Status bits 7..4: whether masked or not.
u8 Dma8237::requesting() const
{
    const u8 active = bit(state.command, kDreqLow) ? static_cast<u8>(~state.dreq) : state.dreq;
    return static_cast<u8>((active | state.request) & 0x0F);
}

/// Software requests are non-maskable.
u8 Dma8237::eligible() const
{
    if (bit(state.command, kDisable)) return 0;
    return requesting() & static_cast<u8>(~state.mask | state.request) & 0x0F;
}

void Dma8237::drive_hrq()
{
    const bool level = eligible() != 0;
    if (level == state.hrq) return;
    state.hrq = level;
    if (on_hrq) on_hrq(level);
}

/// DACK of a cascade channel stays active for as long as the other controller holds DREQ.
void Dma8237::drive_cascade_dack()
{
    for (int i = 0; i < 4; ++i) {
        if (!bit(state.dack, i)) continue;
        if (bit(eligible(), i) && mode_of(state.channel[i]) == Cascade) continue;
        state.dack = with_bit(state.dack, i, false);
        if (on_dack[i]) on_dack[i](false);
    }
}

/// The channel after the lowest has the highest priority; with fixed priority that is channel 0.
int Dma8237::next_channel() const
{
    for (int i = 1; i < 4; ++i) {
        const int channel = (state.lowest + i) & 3;
        if (bit(eligible(), channel)) return channel;
    }
    return state.lowest & 3;
}

/// Runs whatever can run. Callbacks may change DREQ, HLDA and even registers: those calls come here
/// while it is busy, and the loop sees what they changed.
void Dma8237::service()
{
    if (busy_) return;
    busy_ = true;
    for (int budget = kTransferLimit; budget > 0;) {
        drive_cascade_dack();
        drive_hrq();
        if (eligible() == 0 || cascading()) break;
        if (!state.hrq) {  // requested while HRQ was being dropped
            --budget;
            continue;
        }
        if (on_hrq && !state.hlda) break;
        budget -= serve(next_channel());
    }
    busy_ = false;
}

// ---- Transfers ---------------------------------------------------------------------------------

/// Gives channel `index` the bus until its mode makes it release it. Returns the transfers made.
int Dma8237::serve(int index)
{
    const TransferMode mode = mode_of(state.channel[index]);
    if (bit(state.command, kRotating)) state.lowest = static_cast<u8>(index);
    if (mode == Cascade) {
        state.dack = with_bit(state.dack, index, true);
        if (on_dack[index]) on_dack[index](true);
        return 1;
    }
    const bool copying = index == 0 && bit(state.command, kMemoryToMemory);
    int transfers = 0;
    for (bool ended = false; !ended && transfers < kTransferLimit; ++transfers) {
        ended = copying ? copy_memory() : transfer(index);
        if (mode == Single && !copying) ended = true;
        if (mode == Demand && !copying && !bit(eligible(), index)) ended = true;
    }
    return transfers;
}

/// One transfer between device and memory. True when it was the last (TC or EOP).
bool Dma8237::transfer(int index)
{
    eop_ = false;
    switch (type_of(state.channel[index])) {
    case WriteMemory: write_memory(index, read_device(index)); break;
    case ReadMemory: {
        const u16 data = read_memory(index);
        if (on_device_write[index]) on_device_write[index](data);
        break;
    }
    default: read_device(index);  // verify, and the illegal fourth type: no memory cycle
    }
    return finish_cycle(index, step(index));
}

/// Memory-to-Memory: channel 0 is the source, channel 1 the destination, and channel 1's word count
/// ends it.
bool Dma8237::copy_memory()
{
    eop_ = false;
    const u16 data = read_memory(0);
    state.temporary = static_cast<u8>(data);
    step(0, bit(state.command, kAddressHold));
    write_memory(1, data);
    if (!finish_cycle(1, step(1))) return false;

    Channel& source = state.channel[0];
    state.request = with_bit(state.request, 0, false);
    if (bit(source.mode, kAutoinitialize)) {
        source.current_address = source.base_address;
        source.current_count = source.base_count;
    } else {
        state.mask = with_bit(state.mask, 0, true);
    }
    return true;
}

/// Advances a channel. True when its word count went from 0 to FFFFh, which is TC.
bool Dma8237::step(int index, bool hold_address)
{
    Channel& channel = state.channel[index];
    if (!hold_address) {
        if (bit(channel.mode, kDecrement)) --channel.current_address;
        else ++channel.current_address;
    }
    return channel.current_count-- == 0;
}

bool Dma8237::finish_cycle(int index, bool terminal_count)
{
    if (!terminal_count && !eop_) return false;
    Channel& channel = state.channel[index];
    state.terminal_count |= mask_of(index);
    state.request = with_bit(state.request, index, false);
    if (bit(channel.mode, kAutoinitialize)) {
        channel.current_address = channel.base_address;
        channel.current_count = channel.base_count;
    } else {
        state.mask = with_bit(state.mask, index, true);
    }
    if (on_terminal_count[index]) on_terminal_count[index]();
    return true;
}

u16 Dma8237::read_memory(int index) const
{
    const u16 data =
        on_memory_read ? on_memory_read(index, state.channel[index].current_address) : u16{0xFFFF};
    return width_ == Width::Byte ? data & 0xFF : data;
}

void Dma8237::write_memory(int index, u16 data) const
{
    if (on_memory_write) on_memory_write(index, state.channel[index].current_address, data);
}

u16 Dma8237::read_device(int index) const
{
    const u16 data = on_device_read[index] ? on_device_read[index]() : u16{0xFFFF};
    return width_ == Width::Byte ? data & 0xFF : data;
}

}  // namespace reprise
