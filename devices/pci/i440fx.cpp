#include "devices/pci/i440fx.h"

namespace reprise {

namespace {

constexpr u8 kPam0 = 0x59, kPam6 = 0x5F, kSmram = 0x72;
constexpr u8 kReadEnable = 1, kWriteEnable = 2;  // RE, WE of each nibble
constexpr u8 kDOpen = 0x40, kDClosed = 0x20, kDLocked = 0x10, kGSmrame = 0x08;

}  // namespace

I440Fx::I440Fx()
    : config({.vendor = 0x8086, .device = 0x1237, .class_code = 0x06'00'00, .revision = 2})
{
    config.declare(0x04, 0x06, 0x40);  // memory and bus master are hardwired; PERRE
    config.declare(0x05, 0x00, 0x01);  // SERRE
    config.declare(0x0C, 0x00, 0x00);
    config.declare(0x0D, 0x00, 0xF8);  // MLT
    config.declare(0x50, 0x00, 0xFF);  // PMCCFG
    config.declare(0x51, 0x01, 0xFF);
    config.declare(0x52, 0x00, 0xFF);  // DETURBO
    config.declare(0x53, 0x80, 0xFF);  // DBC
    config.declare(0x54, 0x00, 0xFF);  // AXC
    config.declare(0x55, 0x00, 0xFF);  // DRT
    config.declare(0x56, 0x00, 0xFF);
    config.declare(0x57, 0x01, 0xFF);  // DRAMC
    config.declare(0x58, 0x10, 0xFF);  // DRAMT
    config.declare(kPam0, 0x00, 0x30);
    for (u8 pam = kPam0 + 1; pam <= kPam6; ++pam) config.declare(pam, 0x00, 0x33);
    for (u8 drb = 0x60; drb <= 0x67; ++drb) config.declare(drb, 0x01, 0xFF);
    config.declare(0x68, 0x00, 0xFF);    // FDHC
    config.declare(0x70, 0x00, 0xFF);    // MTT
    config.declare(0x71, 0x10, 0xFF);    // CLT
    config.declare(kSmram, 0x02, 0x78);  // C_BASE_SEG is hardwired to A0000h
    config.declare(0x90, 0x00, 0xFF);    // ERRCMD
    config.declare(0x93, 0x00, 0x04);    // TRC: BIST enable; resets are the ISA bridge's
    config.on_written = [this](u8 offset, u8 before) { written(offset, before); };
}

void I440Fx::reset()
{
    config.reset();
    announce();
}

void I440Fx::announce()
{
    for (int index = 0; index <= kPam6 - kPam0; ++index) announce_pam(index);
    announce_smram();
}

void I440Fx::set_smiact(bool active)
{
    smiact = active;
    announce_smram();
}

/// D_LCK clears D_OPEN and makes itself, D_OPEN and G_SMRAME read-only until reset.
void I440Fx::written(u8 offset, u8 before)
{
    if (offset >= kPam0 && offset <= kPam6) announce_pam(offset - kPam0);
    if (offset != kSmram) return;
    u8& smram = config.state.config[kSmram];
    if (before & kDLocked) smram = static_cast<u8>((before & ~kDClosed) | (smram & kDClosed));
    if (smram & kDLocked) smram &= static_cast<u8>(~kDOpen);
    announce_smram();
}

/// The upper nibble of PAM0 is F0000h..FFFFFh; PAM1 to PAM6 have 16 KB per nibble
/// from C0000h on.
void I440Fx::announce_pam(int index)
{
    if (!on_pam_changed) return;
    const u8 value = config.config(static_cast<u8>(kPam0 + index));
    const auto segment = [&](u32 first, u32 size, u8 enable) {
        on_pam_changed(first, first + size - 1, (enable & kReadEnable) != 0,
                       (enable & kWriteEnable) != 0);
    };
    if (index == 0) return segment(0xF0000, 0x10000, value >> 4);
    const u32 first = 0xC0000 + static_cast<u32>(index - 1) * 0x8000;
    segment(first, 0x4000, value & 15);
    segment(first + 0x4000, 0x4000, value >> 4);
}

/// D_CLS leaves SMRAM to code alone, so that a handler can reach the screen behind it.
void I440Fx::announce_smram()
{
    const u8 smram = config.config(kSmram);
    const bool open = (smram & kGSmrame) && (smiact || (smram & kDOpen));
    if (on_smram_changed) on_smram_changed(open && !(smram & kDClosed), open);
}

}  // namespace reprise
