#include "devices/io_apic.h"

#include <algorithm>

#include "machine/base/bits.h"

namespace reprise {

namespace {

constexpr u16 kIoRegSel = 0x00, kIoWin = 0x10;
constexpr u8 kIoApicId = 0, kIoApicVer = 1, kIoApicArb = 2, kIoRedTbl = 0x10;
constexpr u32 kVersion = 0x11 | (IoApic::kInputs - 1) << 16;

// IOREDTBL.
constexpr int kDestMod = 11, kIntPol = 13, kRemoteIrr = 14, kTriggerMode = 15, kMask = 16;
constexpr u64 kWritable = 0xFF00'0000'0001'AFFF;

constexpr ApicDelivery delivery_of(u64 entry)
{
    return ApicDelivery{static_cast<u8>(bits(entry, 10, 8))};
}

/// The other delivery modes are edge triggered whatever the entry says.
constexpr bool is_level(u64 entry)
{
    return bit(entry, kTriggerMode) && delivery_of(entry) <= ApicDelivery::LowestPriority;
}

}  // namespace

IoApic::IoApic() { reset(); }

void IoApic::reset()
{
    state = State{.pins = state.pins};
    state.ioredtbl.fill(u64{1} << kMask);
}

/// INTPOL: 1 = low active.
bool IoApic::asserted(int input) const
{
    return bit(state.pins, input) != bit(state.ioredtbl[static_cast<std::size_t>(input)], kIntPol);
}

bool IoApic::send(int input)
{
    const u64 entry = state.ioredtbl[static_cast<std::size_t>(input)];
    return on_message && on_message({.vector = static_cast<u8>(entry),
                                     .delivery = delivery_of(entry),
                                     .level = is_level(entry),
                                     .logical = bit(entry, kDestMod),
                                     .destination = static_cast<u8>(bits(entry, 63, 56))});
}

/// "Remote IRR: set to 1 when local APIC(s) accept the level interrupt", and until then and after
/// the EOI an input that is asserted sends. It is set beforehand, because acceptance has
/// consequences.
void IoApic::send_level(int input)
{
    u64& entry = state.ioredtbl[static_cast<std::size_t>(input)];
    if (!is_level(entry) || bit(entry, kMask) || bit(entry, kRemoteIrr) || !asserted(input)) return;
    entry = with_bit(entry, kRemoteIrr, true);
    if (!send(input)) entry = with_bit(entry, kRemoteIrr, false);
}

/// "Edge-sensitive interrupts signaled on a masked interrupt pin are ignored (i.e., not delivered
/// or held pending)."
void IoApic::set_pin(int input, bool level)
{
    if (input < 0 || input >= kInputs) return;
    const bool before = asserted(input);
    state.pins = with_bit(state.pins, input, level);
    const u64 entry = state.ioredtbl[static_cast<std::size_t>(input)];
    if (is_level(entry)) send_level(input);
    else if (asserted(input) && !before && !bit(entry, kMask)) send(input);
}

void IoApic::end_of_interrupt(u8 vector)
{
    for (int input = 0; input < kInputs; ++input) {
        u64& entry = state.ioredtbl[static_cast<std::size_t>(input)];
        if (!bit(entry, kRemoteIrr) || static_cast<u8>(entry) != vector) continue;
        entry = with_bit(entry, kRemoteIrr, false);
        send_level(input);
    }
}

bool IoApic::may_raise_nmi() const
{
    return std::ranges::any_of(state.ioredtbl, [](u64 entry) {
        const ApicDelivery delivery = delivery_of(entry);
        return !bit(entry, kMask) &&
               (delivery == ApicDelivery::Nmi || delivery == ApicDelivery::Smi);
    });
}

// ---- Registers ---------------------------------------------------------------------------------

u32 IoApic::read_register() const
{
    const u8 index = state.ioregsel;
    if (index == kIoApicId || index == kIoApicArb) return u32{state.id} << 24;
    if (index == kIoApicVer) return kVersion;
    if (index < kIoRedTbl || index >= kIoRedTbl + 2 * kInputs) return 0;
    const u64 entry = state.ioredtbl[static_cast<std::size_t>(index - kIoRedTbl) / 2];
    return static_cast<u32>(index & 1 ? entry >> 32 : entry);
}

u64 IoApic::read(u16 offset, int size) const
{
    const u16 base = offset & 0xFF0;
    const u64 value = base == kIoRegSel ? state.ioregsel : base == kIoWin ? read_register() : 0;
    const int shift = 8 * (offset & 0xF);
    const u64 part = shift < 32 ? value >> shift : 0;
    return size >= 8 ? part : part & ((u64{1} << 8 * size) - 1);
}

void IoApic::write(u16 offset, int size, u64 value)
{
    if (offset == kIoRegSel) state.ioregsel = static_cast<u8>(value);
    if (offset != kIoWin || size != 4) return;
    const u8 index = state.ioregsel;
    if (index == kIoApicId) state.id = bits(static_cast<u32>(value), 27, 24) & 0xF;
    if (index < kIoRedTbl || index >= kIoRedTbl + 2 * kInputs) return;
    write_entry((index - kIoRedTbl) / 2, (index & 1) != 0, static_cast<u32>(value));
}

/// Remote IRR is "undefined for edge triggered interrupts": here an entry that is made one forgets
/// it, which is how software takes back a level interrupt whose EOI never came.
void IoApic::write_entry(int input, bool high, u32 value)
{
    u64& entry = state.ioredtbl[static_cast<std::size_t>(input)];
    const u64 half = high ? 0xFFFF'FFFF'0000'0000 : 0xFFFF'FFFF;
    const u64 written = high ? u64{value} << 32 : value;
    const u64 mask = half & kWritable;
    entry = (entry & ~mask) | (written & mask);
    if (!bit(entry, kTriggerMode)) entry = with_bit(entry, kRemoteIrr, false);
    send_level(input);
}

}  // namespace reprise
