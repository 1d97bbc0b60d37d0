/// What writing CR0..CR4 and the debug registers does.
#include "cpu/cpu.h"

namespace reprise {

namespace {

u64 writable_cr0(const CpuModel& model)
{
    u64 mask = kCr0Pe | kCr0Mp | kCr0Em | kCr0Ts | kCr0Pg;
    if (model.at_least(Level::I80486)) mask |= kCr0Ne | kCr0Wp | kCr0Am | kCr0Nw | kCr0Cd;
    return mask;
}

u64 writable_cr4(const CpuModel& model)
{
    u64 mask = 0;
    if (model.has(Feature::Vme)) mask |= kCr4Vme | kCr4Pvi;
    if (model.has(Feature::Tsc)) mask |= kCr4Tsd;
    if (model.has(Feature::De)) mask |= kCr4De;
    if (model.has(Feature::Pse)) mask |= kCr4Pse;
    if (model.at_least(Level::Pentium)) mask |= kCr4Mce;
    if (model.has(Feature::Fxsr)) mask |= kCr4Osfxsr;
    if (model.has(Feature::Sse)) mask |= kCr4Osxmmexcpt;
    return mask;
}

}  // namespace

/// SDM vol. 2B, MOV to control registers: PG without PE, and NW without CD, are #GP(0); so are
/// reserved bits of CR4.
bool Cpu::write_cr(int index, u64 value)
{
    switch (index) {
    case 0:
        if ((value & kCr0Pg) && !(value & kCr0Pe)) return general_protection();
        if (at_least(Level::I80486) && (value & kCr0Nw) && !(value & kCr0Cd)) return general_protection();
        set_cr0((value & writable_cr0(model_)) | kCr0Et);
        return true;
    case 2: state.cr2 = value; return true;
    case 3:
        state.cr3 = value;
        flush_tlb();
        return true;
    default:
        if (value & ~writable_cr4(model_)) return general_protection();
        state.cr4 = value;
        flush_tlb();
        return true;
    }
}

/// Bits that read as one, and what has to be watched, follow (SDM vol. 3B, 17.2).
bool Cpu::write_dr(int index, u64 value)
{
    if (index < 4) state.dr[static_cast<std::size_t>(index)] = value;
    else if (index == 6) state.dr[6] = (value & 0xE00F) | 0xFFFF0FF0;
    else state.dr[7] = (value & 0xFFFF2FFF) | 0x400;

    code_breakpoints_ = data_breakpoints_ = false;
    for (int i = 0; i < 4; ++i) {
        if (!(state.dr[7] >> (2 * i) & 3)) continue;
        ((state.dr[7] >> (16 + 4 * i) & 3) == 0 ? code_breakpoints_ : data_breakpoints_) = true;
    }
    flush_tlb();
    return true;
}

}  // namespace reprise
