#include "devices/pci/piix3.h"

#include "machine/base/bits.h"

namespace reprise {

namespace {

constexpr u8 kPirqRouteA = 0x60, kPirqRouteD = 0x63;
constexpr u8 kSrst = 0x02, kRcpu = 0x04;
// Interrupts 0, 1, 2, 8 and 13 can be neither level triggered nor targets of a PIRQ#.
constexpr u16 kSteerable = 0xDEF8;

}  // namespace

Piix3::Piix3()
    : config({.vendor = 0x8086,
              .device = 0x7000,
              .class_code = 0x06'01'00,
              .revision = 0,
              .multifunction = true})
{
    config.declare(0x04, 0x07, 0x08);  // I/O, memory and bus master are hardwired; SCE
    config.declare(0x0C, 0x00, 0x00);
    config.declare(0x0D, 0x00, 0x00);
    config.declare(0x4C, 0x4D, 0xFF);  // IORT
    config.declare(0x4E, 0x03, 0xFF);  // XBCS
    config.declare(0x4F, 0x00, 0xFF);
    for (u8 pirq = kPirqRouteA; pirq <= kPirqRouteD; ++pirq) config.declare(pirq, 0x80, 0x8F);
    config.declare(0x69, 0x02, 0xFE);  // TOM
    config.declare(0x6A, 0x00, 0xFF);  // MSTAT
    config.declare(0x6B, 0x00, 0xFF);
    config.declare(0x70, 0x80, 0xEF);  // MBIRQ0
    config.declare(0x76, 0x0C, 0xFF);  // MBDMA0, MBDMA1
    config.declare(0x77, 0x0C, 0xFF);
    config.declare(0x78, 0x02, 0xFF);  // PCSC
    config.declare(0x79, 0x00, 0xFF);
    config.declare(0x82, 0x00, 0x0F);  // DLC
    config.declare(0xA0, 0x08, 0x1F);  // SMICNTL
    config.declare(0xA2, 0x00, 0xFF);  // SMIEN
    config.declare(0xA3, 0x00, 0x01);
    for (u8 see = 0xA4; see <= 0xA7; ++see) config.declare(see, 0x00, 0xFF);
    config.declare(0xA8, 0x0F, 0xFF);  // FTMR
    config.on_written = [this](u8 offset, u8) {
        if (offset < kPirqRouteA || offset > kPirqRouteD) return;
        if (on_pirq_route) on_pirq_route(offset - kPirqRouteA, route(offset - kPirqRouteA));
        update();
    };
}

/// PIRQRC: bit 7 disables the routing, bits 3..0 name the interrupt. -1: to nowhere.
int Piix3::route(int pirq) const
{
    const u8 value = config.config(static_cast<u8>(kPirqRouteA + pirq));
    const int irq = value & 15;
    return bit(value, 7) || !bit(kSteerable, irq) ? -1 : irq;
}

void Piix3::set_pirq(int index, bool asserted)
{
    state.pirq[index & 3] = asserted;
    update();
}

/// PIRQs that are steered to the same interrupt share it.
void Piix3::update()
{
    u16 irq = 0;
    for (int pirq = 0; pirq < 4; ++pirq)
        if (const int target = route(pirq); state.pirq[pirq] && target >= 0)
            irq = with_bit(irq, target, true);
    const u16 changed = irq ^ state.irq;
    state.irq = irq;
    for (int i = 0; i < 16; ++i)
        if (bit(changed, i) && on_irq) on_irq(i, bit(irq, i));
}

void Piix3::reset()
{
    config.reset();
    for (int pirq = 0; pirq < 4; ++pirq)
        if (on_pirq_route) on_pirq_route(pirq, -1);
    update();
}

void Elcr::write(u16 offset, u8 value)
{
    state.elcr[offset & 1] = value & static_cast<u8>(offset & 1 ? kSteerable >> 8 : kSteerable);
    if (on_elcr) on_elcr(state.elcr[0], state.elcr[1]);
}

void Elcr::reset()
{
    state = State{};
    if (on_elcr) on_elcr(0, 0);
}

/// SRST decides the kind of reset, which a transition of RCPU from 0 to 1 then starts.
void ResetControl::write(u16, u8 value)
{
    const bool starts = (value & kRcpu) && !(state.rc & kRcpu);
    state.rc = value & (kSrst | kRcpu);
    if (starts && on_reset) on_reset((value & kSrst) != 0);
}

void CoprocessorError::set_ferr(bool level)
{
    state.ferr = level;
    if (level) set_irq(true);
    else set_ignne(false);
}

void CoprocessorError::write(u16, u8)
{
    set_irq(false);
    set_ignne(state.ferr);
}

void CoprocessorError::reset()
{
    state.ferr = false;
    set_irq(false);
    set_ignne(false);
}

void CoprocessorError::set_irq(bool level)
{
    if (level == state.irq) return;
    state.irq = level;
    if (on_irq) on_irq(level);
}

void CoprocessorError::set_ignne(bool level)
{
    if (level == state.ignne) return;
    state.ignne = level;
    if (on_ignne) on_ignne(level);
}

}  // namespace reprise
