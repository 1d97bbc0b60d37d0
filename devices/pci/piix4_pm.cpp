#include "devices/pci/piix4_pm.h"

#include "machine/base/bits.h"

namespace reprise {

namespace {

// Configuration space.
constexpr u8 kPmba = 0x40, kDevActB = 0x58, kPmRegMisc = 0x80;
constexpr u8 kApmcEnableByte = kDevActB + 3, kApmcEnable = 0x02;
constexpr u8 kPmIoSpaceEnable = 0x01;

// I/O space.
constexpr u16 kPmSts = 0x00, kPmEn = 0x02, kPmCntrl = 0x04, kPmTmr = 0x08, kGpSts = 0x0C,
              kGpEn = 0x0E, kLvl2 = 0x14, kGlbSts = 0x18, kGlbCtl = 0x28, kGpiReg = 0x30,
              kLegacyEnd = 0x38;
constexpr u16 kTimerBytes = 4;

// PMSTS and PMEN.
constexpr u16 kTimerOverflow = 1 << 0, kGlobal = 1 << 5, kPowerButton = 1 << 8, kRtc = 1 << 10,
              kResume = 1 << 15;
constexpr u16 kStatusBits = kGlobal | kPowerButton | kRtc | kResume | 1 << 4;
constexpr u16 kEnableBits = kTimerOverflow | kGlobal | kPowerButton | kRtc;
// PMCNTRL: SCI_EN, BRLD_EN_BM, SUS_TYP; SUS_EN and GBL_RLS read as 0.
constexpr int kSciEnable = 0, kSuspendEnable = 13;
constexpr u16 kControlBits = 0x1C03;
constexpr u8 kApmStatus = 1 << 5;  // GLBSTS: APM_STS
constexpr u8 kSmiEnable = 1 << 0;  // GLBCTL, byte 0: SMI_EN
constexpr u8 kEndOfSmi = 1 << 0;   // GLBCTL, byte 2: EOS
constexpr u16 kGpEnBits = 0x0F01;  // LID, RI, BATLOW, USB, THRM

constexpr int kOverflowBit = 23;
constexpr u32 kTimerMask = 0xFFFFFF;

}  // namespace

Piix4Pm::Piix4Pm(Scheduler& scheduler)
    : config({.vendor = 0x8086,
              .device = 0x7113,
              .class_code = 0x06'80'00,
              .revision = 3,
              .interrupt_pin = 1}),
      scheduler_(scheduler),
      overflow_(scheduler, "pm.overflow", [this] { update(); })
{
    config.declare(0x04, 0x00, 0x01);  // I/O space enable: the SMBus controller's
    config.declare(kPmba, 0x01, 0xC0);
    config.declare(kPmba + 1, 0x00, 0xFF);
    for (u8 offset = 0x44; offset < 0x80; ++offset) config.declare(offset, 0x00, 0xFF);
    config.declare(kPmRegMisc, 0x00, 0x01);
    config.on_written = [this](u8 offset, u8) {
        if (offset == kPmba || offset == kPmba + 1 || offset == kPmRegMisc) announce_io();
    };
}

void Piix4Pm::announce_io()
{
    const u16 base =
        static_cast<u16>((config.config(kPmba) & 0xC0) | config.config(kPmba + 1) << 8);
    const bool enabled = (config.config(kPmRegMisc) & kPmIoSpaceEnable) && base != 0;
    if (on_io_changed) on_io_changed(enabled, base);
}

void Piix4Pm::announce() { announce_io(); }

void Piix4Pm::reset()
{
    const bool sci = state.sci;
    state = State{.timer_since = kClk.ticks(scheduler_.now()), .sci = sci};
    config.reset();
    announce_io();
    update();
}

// ---- Events and the interrupt ------------------------------------------------------------------

u32 Piix4Pm::timer() const { return static_cast<u32>(elapsed()) & kTimerMask; }

/// TMROF_STS: "set any time bit 23 of the timer changes".
u16 Piix4Pm::status() const
{
    const bool overflowed = elapsed() >> kOverflowBit != state.overflows_cleared;
    return static_cast<u16>(state.pmsts | (overflowed ? kTimerOverflow : 0));
}

void Piix4Pm::update()
{
    const bool sci = bit(state.pmcntrl, kSciEnable) && (status() & state.pmen & kEnableBits) != 0;
    if (sci != state.sci) {
        state.sci = sci;
        if (on_sci) on_sci(sci);
    }
    const bool waits = (state.pmen & kTimerOverflow) && !(status() & kTimerOverflow);
    const u64 change = ((elapsed() >> kOverflowBit) + 1) << kOverflowBit;
    overflow_.at(waits ? kClk.time_of(state.timer_since + change) : kNever);
}

void Piix4Pm::set_sci_enable(bool on)
{
    state.pmcntrl = with_bit(state.pmcntrl, kSciEnable, on);
    update();
}

void Piix4Pm::press_power_button()
{
    state.pmsts |= kPowerButton;
    update();
}

void Piix4Pm::write_apm(u16 offset, u8 value)
{
    if (offset & 1) {
        state.apms = value;
        return;
    }
    state.apmc = value;
    if (on_apm_command) on_apm_command(value);
    const bool enabled = config.config(kApmcEnableByte) & kApmcEnable;
    if (!enabled || !(state.legacy[kGlbCtl] & kSmiEnable)) return;
    state.legacy[kGlbSts] |= kApmStatus;
    state.legacy[kGlbCtl + 2] &= static_cast<u8>(~kEndOfSmi);
    if (on_smi) on_smi();
}

// ---- Registers ---------------------------------------------------------------------------------

u16 Piix4Pm::read_word(u16 offset) const
{
    switch (offset) {
    case kPmSts: return status();
    case kPmEn: return state.pmen;
    case kPmCntrl: return state.pmcntrl;
    case kGpSts: return 0;  // nothing that could set it is connected
    case kGpEn: return state.gpen;
    default: return static_cast<u16>(state.legacy[offset] | state.legacy[offset + 1u] << 8);
    }
}

u8 Piix4Pm::read(u16 offset)
{
    offset &= kIoBytes - 1;
    if (offset >= kPmTmr && offset < kPmTmr + kTimerBytes)
        return static_cast<u8>(timer() >> 8 * (offset - kPmTmr));
    if (offset >= kLvl2 && offset < kLvl2 + 2) return 0;  // entering C2 or C3 is the read itself
    return static_cast<u8>(read_word(offset & 0xFE) >> 8 * (offset & 1));
}

void Piix4Pm::write(u16 offset, u8 value)
{
    offset &= kIoBytes - 1;
    const int shift = 8 * (offset & 1);
    write_word(offset & 0xFE, static_cast<u16>(value << shift), static_cast<u16>(0xFF << shift));
    update();
}

/// Status bits are cleared by writing 1.
void Piix4Pm::write_word(u16 offset, u16 value, u16 mask)
{
    const auto merged = [&](u16 old) { return static_cast<u16>((old & ~mask) | value); };
    switch (offset) {
    case kPmSts:
        state.pmsts &= static_cast<u16>(~(value & kStatusBits));
        if (value & kTimerOverflow) state.overflows_cleared = elapsed() >> kOverflowBit;
        return;
    case kPmEn: state.pmen = merged(state.pmen) & kEnableBits; return;
    case kPmCntrl: return write_control(merged(state.pmcntrl));
    case kGpEn: state.gpen = merged(state.gpen) & kGpEnBits; return;
    case kGlbSts: state.legacy[kGlbSts] &= static_cast<u8>(~(value & kApmStatus)); return;
    case kPmTmr:
    case kPmTmr + 2:
    case kGpSts:
    case kGpiReg:
    case kGpiReg + 2: return;
    default: break;
    }
    if (offset > kGpEn && offset < kLegacyEnd) {
        const u16 now = merged(read_word(offset));
        state.legacy[offset] = static_cast<u8>(now);
        state.legacy[offset + 1u] = static_cast<u8>(now >> 8);
    }
}

void Piix4Pm::write_control(u16 value)
{
    state.pmcntrl = value & kControlBits;
    if (!bit(value, kSuspendEnable)) return;
    const u16 type = bits(value, 12, 10);
    if (type != 0) state.pmsts |= kResume;
    else if (on_soft_off) on_soft_off();
}

}  // namespace reprise
