#include "devices/local_apic.h"

#include <algorithm>
#include <bit>

#include "machine/base/bits.h"

namespace reprise {

namespace {

// IA32_APIC_BASE: enabled, bootstrap processor, at FEE00000h (10.4.4).
constexpr u64 kBaseAfterReset = 0xFEE00900;
constexpr int kGlobalEnable = 11;
constexpr u32 kVersion = 0x14 | 5 << 16;  // Pentium 4; the highest entry of the local vector table

// Registers, as bits 11..4 of their offsets (table 10-1).
enum Register : u8 {
    kId = 0x02,
    kVersionRegister = 0x03,
    kTpr = 0x08,
    kApr = 0x09,
    kPpr = 0x0A,
    kEoi = 0x0B,
    kLdr = 0x0D,
    kDfr = 0x0E,
    kSvr = 0x0F,
    kIsr = 0x10,
    kTmr = 0x18,
    kIrr = 0x20,
    kEsr = 0x28,
    kIcrLow = 0x30,
    kIcrHigh = 0x31,
    kLvt = 0x32,
    kInitialCount = 0x38,
    kCurrentCount = 0x39,
    kDivide = 0x3E,
};

// Spurious-interrupt vector register (10.9).
constexpr u32 kSvrWritable = 0x3FF;
constexpr int kSoftwareEnable = 8;

// Local vector table (10.5.1).
constexpr int kPolarity = 13, kRemoteIrr = 14, kLevelTriggered = 15, kMasked = 16, kPeriodic = 17;
constexpr u32 kMask = 1 << kMasked;
constexpr std::array<u32, LocalApic::kLvtCount> kLvtWritable = {0x300FF, 0x107FF, 0x107FF,
                                                                0x1A7FF, 0x1A7FF, 0x100FF};
// Error status register (10.5.3).
constexpr u32 kSendIllegalVector = 1 << 5, kReceivedIllegalVector = 1 << 6,
              kIllegalRegister = 1 << 7;
constexpr u8 kFirstLegalVector = 16;

// Interrupt command register (10.6.1).
constexpr u32 kIcrWritable = 0xCCFFF;
enum Shorthand : u8 { kNoShorthand, kSelf, kAllIncludingSelf, kAllExcludingSelf };

constexpr u8 kBroadcast = 0xFF;
constexpr u8 kFlatModel = 0xF;

constexpr ApicDelivery delivery_of(u32 entry)
{
    return ApicDelivery{static_cast<u8>(bits(entry, 10, 8))};
}

void set(LocalApic::Vectors& vectors, u8 vector, bool level)
{
    vectors[vector / 32] = with_bit(vectors[vector / 32], vector % 32, level);
}

bool contains(const LocalApic::Vectors& vectors, u8 vector)
{
    return bit(vectors[vector / 32], vector % 32);
}

int highest(const LocalApic::Vectors& vectors)
{
    for (int word = 7; word >= 0; --word)
        if (const u32 bits_set = vectors[static_cast<std::size_t>(word)]; bits_set != 0)
            return 32 * word + 31 - std::countl_zero(bits_set);
    return -1;
}

constexpr u8 priority_class(int vector) { return vector < 0 ? 0 : static_cast<u8>(vector & 0xF0); }

}  // namespace

LocalApic::LocalApic(Scheduler& scheduler, bool present)
    : scheduler_(scheduler), present_(present), expiry_(scheduler, "local_apic.timer", [this] {
          catch_up();
          arm_timer();
      })
{
    reset();
}

void LocalApic::reset()
{
    const State old = state;
    state = State{.base = present_ ? kBaseAfterReset : 0, .lint = old.lint, .intr = old.intr};
    expiry_.at(kNever);
    update();
}

void LocalApic::set_base(u64 value)
{
    if (!present_) return;
    const bool was_enabled = enabled();
    if (was_enabled && !bit(value, kGlobalEnable)) reset();
    state.base = value;
    update();
}

bool LocalApic::enabled() const { return bit(state.base, kGlobalEnable); }
bool LocalApic::software_enabled() const { return bit(state.svr, kSoftwareEnable); }
bool LocalApic::is_masked(Lvt entry) const { return bit(state.lvt[entry], kMasked); }

// ---- Priorities, and what the core sees --------------------------------------------------------

/// 10.8.3.1: the class in service, or the task's if that is at least as high.
u8 LocalApic::ppr() const
{
    const u8 in_service = priority_class(highest(state.isr));
    return (state.tpr & 0xF0) >= in_service ? state.tpr : in_service;
}

/// 10.6.2.4.
u8 LocalApic::apr() const
{
    const u8 task = state.tpr & 0xF0;
    const u8 requested = priority_class(highest(state.irr));
    const u8 in_service = priority_class(highest(state.isr));
    if (task >= requested && task > in_service) return state.tpr;
    return std::max<u8>(task & in_service, requested);
}

/// Somebody else than the APIC has the vector: LINT0 is INTR itself, or asks for ExtINT.
bool LocalApic::external_request() const
{
    if (bypassed()) return state.lint[0];
    if (state.ext_int) return true;
    for (const Lvt entry : {Lint0, Lint1}) {
        const u32 lvt = state.lvt[entry];
        const bool asserted = state.lint[entry - Lint0] != bit(lvt, kPolarity);
        if (asserted && !is_masked(entry) && delivery_of(lvt) == ApicDelivery::ExtInt) return true;
    }
    return false;
}

/// Vectors that were accepted before software turned the APIC off stay (10.4.7.2).
int LocalApic::deliverable() const
{
    if (!enabled()) return -1;
    const int vector = highest(state.irr);
    return priority_class(vector) > (ppr() & 0xF0) ? vector : -1;
}

void LocalApic::update()
{
    const bool level = external_request() || deliverable() >= 0;
    if (level == state.intr) return;
    state.intr = level;
    if (on_intr) on_intr(level);
}

/// An external request is not subject to the APIC's priorities, and is served first. Without any
/// request the answer is the spurious vector, which enters nothing into ISR (10.9).
u8 LocalApic::acknowledge()
{
    catch_up();  // what has expired before this belongs to the interrupt that is taken now
    u8 vector = static_cast<u8>(state.svr);
    if (external_request()) {
        state.ext_int = false;
        if (on_external_acknowledge) vector = on_external_acknowledge();
    } else if (const int requested = deliverable(); requested >= 0) {
        vector = static_cast<u8>(requested);
        set(state.irr, vector, false);
        set(state.isr, vector, true);
    }
    arm_timer();
    update();
    return vector;
}

void LocalApic::end_of_interrupt()
{
    const int ended = highest(state.isr);
    if (ended < 0) return;
    const u8 vector = static_cast<u8>(ended);
    set(state.isr, vector, false);
    if (contains(state.tmr, vector)) {
        u32& lint0 = state.lvt[Lint0];
        if (static_cast<u8>(lint0) == vector) lint0 = with_bit(lint0, kRemoteIrr, false);
        lint_changed(0, false);  // still asserted: once more
        if (on_eoi) on_eoi(vector);
    }
    update();
}

void LocalApic::write_cr8(u8 value)
{
    state.tpr = static_cast<u8>(value << 4);
    update();
}

// ---- What comes in -----------------------------------------------------------------------------

/// 10.6.2.1, 10.6.2.2.
bool LocalApic::is_addressed(u8 destination, bool logical) const
{
    if (!logical) return destination == kBroadcast || destination == state.id;
    if (state.model == kFlatModel) return (destination & state.ldr) != 0;
    const u8 cluster = destination >> 4;
    return (cluster == 0xF || cluster == state.ldr >> 4) && (destination & state.ldr & 0xF) != 0;
}

bool LocalApic::receive(const ApicMessage& message)
{
    if (!enabled() || !is_addressed(message.destination, message.logical)) return false;
    return deliver(message.delivery, message.vector, message.level);
}

/// INIT and start-up find nobody: they are for the other processors that this machine has not.
bool LocalApic::deliver(ApicDelivery delivery, u8 vector, bool level)
{
    switch (delivery) {
    case ApicDelivery::Fixed:
    case ApicDelivery::LowestPriority: return accept(vector, level);
    case ApicDelivery::Nmi:
        if (on_nmi) on_nmi();
        return true;
    case ApicDelivery::Smi:
        if (on_smi) on_smi();
        return true;
    case ApicDelivery::ExtInt:
        if (!software_enabled()) return false;
        state.ext_int = true;
        update();
        return true;
    default:
        if (on_log) on_log("local APIC: INIT and start-up messages have no effect here");
        return true;
    }
}

/// Where TMR says "level", EOI is told to the I/O APIC (10.8.4).
bool LocalApic::accept(u8 vector, bool level)
{
    if (!software_enabled()) return false;
    if (vector < kFirstLegalVector) {
        report(kReceivedIllegalVector);
        return false;
    }
    set(state.irr, vector, true);
    set(state.tmr, vector, level);
    update();
    return true;
}

/// An error interrupt whose own vector is illegal is another error, but no further interrupt.
void LocalApic::report(u32 error)
{
    state.errors |= error;
    const u8 vector = static_cast<u8>(state.lvt[Error]);
    if (is_masked(Error) || !software_enabled()) return;
    if (vector < kFirstLegalVector) state.errors |= kReceivedIllegalVector;
    else accept(vector, false);
}

void LocalApic::set_lint(int pin, bool level)
{
    const std::size_t index = static_cast<std::size_t>(pin & 1);
    const bool changed = state.lint[index] != level;
    state.lint[index] = level;
    if (!changed) return;
    if (!bypassed()) lint_changed(pin & 1, level != bit(state.lvt[Lint0 + index], kPolarity));
    else if (pin == 1 && level && on_nmi) on_nmi();
    update();
}

/// A pin may have become asserted (`rose`), or still be. Only Fixed interrupts of LINT0 can be
/// level triggered (10.5.1).
void LocalApic::lint_changed(int pin, bool rose)
{
    const Lvt entry = pin == 0 ? Lint0 : Lint1;
    u32& lvt = state.lvt[entry];
    const ApicDelivery delivery = delivery_of(lvt);
    if (is_masked(entry) || delivery == ApicDelivery::ExtInt) return;
    const bool level = pin == 0 && delivery == ApicDelivery::Fixed && bit(lvt, kLevelTriggered);
    const bool asserted = state.lint[static_cast<std::size_t>(pin)] != bit(lvt, kPolarity);
    if (level ? !asserted || bit(lvt, kRemoteIrr) : !rose) return;
    if (deliver(delivery, static_cast<u8>(lvt), level) && level)
        lvt = with_bit(lvt, kRemoteIrr, true);
}

bool LocalApic::may_raise_nmi() const
{
    const ApicDelivery delivery = delivery_of(state.lvt[Lint0]);
    return !bypassed() && !is_masked(Lint0) &&
           (delivery == ApicDelivery::Nmi || delivery == ApicDelivery::Smi);
}

// ---- The interrupt command register ------------------------------------------------------------

/// 10.6.1. Whoever it is for, only this processor is there; self is for fixed interrupts alone
/// (table 10-3), and a self IPI is always edge triggered.
void LocalApic::send_ipi()
{
    const u32 icr = state.icr_low;
    const u8 vector = static_cast<u8>(icr), shorthand = static_cast<u8>(bits(icr, 19, 18));
    const ApicDelivery delivery = delivery_of(icr);
    const bool has_vector =
        delivery == ApicDelivery::Fixed || delivery == ApicDelivery::LowestPriority;
    if (has_vector && vector < kFirstLegalVector) return report(kSendIllegalVector);

    const u8 destination = static_cast<u8>(state.icr_high >> 24);
    const bool to_self = shorthand == kSelf || shorthand == kAllIncludingSelf ||
                         (shorthand == kNoShorthand && is_addressed(destination, bit(icr, 11)));
    if (!to_self || (shorthand != kNoShorthand && delivery != ApicDelivery::Fixed)) return;
    if (delivery != ApicDelivery::ExtInt) deliver(delivery, vector, false);
}

// ---- The timer ---------------------------------------------------------------------------------

/// 10.5.4, figure 10-10: bits 3, 1 and 0 are the logarithm of half the divisor; 111 divides by 1.
u64 LocalApic::divisor() const
{
    const u32 value = bits(u32{state.divide}, 1, 0) | (u32{state.divide} >> 1 & 4);
    return value == 7 ? 1 : u64{2} << value;
}

u32 LocalApic::current_count() const
{
    const u64 elapsed = (clk() - state.since) / divisor();
    return elapsed >= state.count ? 0 : static_cast<u32>(state.count - elapsed);
}

void LocalApic::catch_up()
{
    if (state.count == 0 || current_count() != 0) return;
    const u64 unit = divisor();
    state.since += state.count * unit;
    state.count = 0;
    if (bit(state.lvt[Timer], kPeriodic)) {
        const u64 period = state.initial_count * unit;
        state.since += (clk() - state.since) / period * period;
        state.count = state.initial_count;
    }
    if (!is_masked(Timer)) accept(static_cast<u8>(state.lvt[Timer]), false);
}

/// A masked timer counts, but nobody sees when it is through; nor while its interrupt is requested
/// already.
void LocalApic::arm_timer()
{
    const u8 vector = static_cast<u8>(state.lvt[Timer]);
    const bool interrupts = state.count != 0 && !is_masked(Timer) && !contains(state.irr, vector);
    expiry_.at(interrupts ? kClk.time_of(state.since + state.count * divisor()) : kNever);
}

// ---- Registers ---------------------------------------------------------------------------------

u64 LocalApic::read(u16 offset, int size)
{
    catch_up();
    const u64 value = read_register(static_cast<u8>(bits(offset, 11, 4)));
    const int shift = 8 * (offset & 0xF);
    const u64 part = shift < 32 ? value >> shift : 0;
    return size >= 8 ? part : part & ((u64{1} << 8 * size) - 1);
}

void LocalApic::write(u16 offset, int size, u64 value)
{
    if (size != 4 || (offset & 0xF) != 0) {
        if (on_log) on_log("local APIC: ignored a write that is not an aligned doubleword");
        return;
    }
    catch_up();
    write_register(static_cast<u8>(bits(offset, 11, 4)), static_cast<u32>(value));
    arm_timer();
    update();
}

u32 LocalApic::read_register(u8 index)
{
    if (index >= kIsr && index < kEsr) {
        const Vectors& vectors = index < kTmr ? state.isr : index < kIrr ? state.tmr : state.irr;
        return vectors[index & 7];
    }
    if (index >= kLvt && index < kLvt + kLvtCount) return state.lvt[index - kLvt];
    switch (index) {
    case kId: return u32{state.id} << 24;
    case kVersionRegister: return kVersion;
    case kTpr: return state.tpr;
    case kApr: return apr();
    case kPpr: return ppr();
    case kEoi: return 0;
    case kLdr: return u32{state.ldr} << 24;
    case kDfr: return u32{state.model} << 28 | 0x0FFFFFFF;
    case kSvr: return state.svr;
    case kEsr: return state.esr;
    case kIcrLow: return state.icr_low;
    case kIcrHigh: return state.icr_high;
    case kInitialCount: return state.initial_count;
    case kCurrentCount: return current_count();
    case kDivide: return state.divide;
    default: report(kIllegalRegister); return 0;
    }
}

void LocalApic::write_register(u8 index, u32 value)
{
    if (index >= kLvt && index < kLvt + kLvtCount)
        return write_lvt(static_cast<Lvt>(index - kLvt), value);
    switch (index) {
    case kId: state.id = static_cast<u8>(value >> 24); return;
    case kTpr: state.tpr = static_cast<u8>(value); return;
    case kEoi: return end_of_interrupt();
    case kLdr: state.ldr = static_cast<u8>(value >> 24); return;
    case kDfr: state.model = static_cast<u8>(value >> 28); return;
    case kSvr: return write_svr(value);
    case kEsr: return write_esr();
    case kIcrLow: state.icr_low = value & kIcrWritable; return send_ipi();
    case kIcrHigh: state.icr_high = value & 0xFF000000; return;
    case kInitialCount:
        state.initial_count = state.count = value;
        state.since = clk();
        return;
    case kDivide:  // what is left counts on at the new rate
        state.count = current_count();
        state.since = clk();
        state.divide = value & 0xB;
        return;
    default: break;
    }
    const bool read_only = index == kVersionRegister || index == kApr || index == kPpr ||
                           index == kCurrentCount || (index >= kIsr && index < kEsr);
    if (!read_only) report(kIllegalRegister);
}

/// Turning the APIC off masks all local vectors (10.4.7.2).
void LocalApic::write_svr(u32 value)
{
    state.svr = value & kSvrWritable;
    if (software_enabled()) return;
    state.ext_int = false;
    for (u32& entry : state.lvt) entry |= kMask;
}

void LocalApic::write_lvt(Lvt entry, u32 value)
{
    const u32 kept = state.lvt[entry] & 1 << kRemoteIrr;
    state.lvt[entry] = (value & kLvtWritable[entry]) | (software_enabled() ? 0 : kMask);
    if (entry != Lint0) return;
    if (bit(value, kLevelTriggered)) state.lvt[entry] |= kept;
    lint_changed(0, false);
}

/// "Before attempting to read from the ESR, software should first write to it" (10.5.3): that makes
/// what was seen since the last write readable.
void LocalApic::write_esr()
{
    state.esr = state.errors;
    state.errors = 0;
}

}  // namespace reprise
