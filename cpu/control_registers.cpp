/// What writing CR0..CR4, CR8, EFER and the debug registers does.
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
    const auto allow = [&](Feature feature, u64 bits) { mask |= model.has(feature) ? bits : 0; };
    allow(Feature::Vme, kCr4Vme | kCr4Pvi);
    allow(Feature::Tsc, kCr4Tsd);
    allow(Feature::De, kCr4De);
    allow(Feature::Pse, kCr4Pse);
    allow(Feature::Pae, kCr4Pae);
    allow(Feature::Pge, kCr4Pge);
    allow(Feature::Fxsr, kCr4Osfxsr);
    allow(Feature::Sse, kCr4Osxmmexcpt);
    allow(Feature::Umip, kCr4Umip);
    allow(Feature::FsGsBase, kCr4Fsgsbase);
    allow(Feature::Smep, kCr4Smep);
    allow(Feature::Smap, kCr4Smap);
    if (model.at_least(Level::Pentium)) mask |= kCr4Mce;
    if (model.at_least(Level::PentiumPro)) mask |= kCr4Pce;
    return mask;
}

u64 writable_efer(const CpuModel& model)
{
    u64 mask = 0;
    if (model.has(Feature::Syscall)) mask |= kEferSce;
    if (model.has(Feature::LongMode)) mask |= kEferLme | kEferLma;
    if (model.has(Feature::Nx)) mask |= kEferNxe;
    return mask;
}

}  // namespace

u64 Cpu::read_cr(int index)
{
    switch (index) {
    case 0: return state.cr0;
    case 2: return state.cr2;
    case 3: return state.cr3;
    case 4: return state.cr4;
    default: return model_.has(Feature::Apic) ? bus_.read_task_priority() : 0;
    }
}

/// SDM vol. 2B, MOV to control registers: what is not allowed is #GP(0).
bool Cpu::write_cr(int index, u64 value)
{
    switch (index) {
    case 0: return write_cr0(value);
    case 2: state.cr2 = value; return true;
    case 3: return write_cr3(value);
    case 4: return write_cr4(value);
    default:
        if (value > 15) return general_protection();
        if (model_.has(Feature::Apic)) bus_.write_task_priority(static_cast<u8>(value));
        return true;
    }
}

/// SDM vol. 3A, 2.5 and 9.8.5: PG without PE, NW without CD; with EFER.LME, PG turns IA-32e mode on, which
/// needs PAE and a code segment without L.
bool Cpu::write_cr0(u64 value)
{
    if ((value & kCr0Pg) && !(value & kCr0Pe)) return general_protection();
    if (at_least(Level::I80486) && (value & kCr0Nw) && !(value & kCr0Cd)) return general_protection();
    if (value >> 32 != 0) return general_protection();
    value = (value & writable_cr0(model_)) | kCr0Et;
    const u64 changed = state.cr0 ^ value;
    if (changed & kCr0Pg) {
        const bool on = (value & kCr0Pg) != 0;
        const bool enters = on && (state.msr.efer & kEferLme);
        const bool leaves = !on && long_mode();
        if (enters && (!(state.cr4 & kCr4Pae) || state.seg[CS].is_long())) return general_protection();
        if (leaves && mode64()) return general_protection();
        if (on && !enters && (state.cr4 & kCr4Pae) && !load_pdptes(state.cr3)) return false;
        if (enters) state.msr.efer |= kEferLma;
        if (leaves) state.msr.efer &= ~u64{kEferLma};
    }
    set_cr0(value);
    return true;
}

bool Cpu::write_cr3(u64 value)
{
    if (mode64() && value >> model_.physical_bits() != 0) return general_protection();
    return load_cr3(value);
}

bool Cpu::load_cr3(u64 value)
{
    const bool pae = (state.cr0 & kCr0Pg) && (state.cr4 & kCr4Pae) && !long_mode();
    if (pae && !load_pdptes(value)) return false;
    state.cr3 = value;
    flush_local_tlb();
    return true;
}

/// SDM vol. 3A, 4.10.4.1: which bits invalidate the TLBs.
bool Cpu::write_cr4(u64 value)
{
    if (value & ~writable_cr4(model_)) return general_protection();
    if (long_mode() && !(value & kCr4Pae)) return general_protection();
    const u64 changed = state.cr4 ^ value;
    constexpr u64 kPaging = kCr4Pse | kCr4Pae | kCr4Pge | kCr4Smep | kCr4Smap;
    const u64 old = state.cr4;
    state.cr4 = value;
    const bool pae = (state.cr0 & kCr0Pg) && (value & kCr4Pae) && !long_mode();
    if (pae && (changed & kPaging) && !load_pdptes(state.cr3)) {
        state.cr4 = old;
        return false;
    }
    if (changed & kPaging) forget_translations();
    else update_mode();
    return true;
}

/// SDM vol. 3A, 2.2.1. LMA follows from LME and CR0.PG; LME cannot change under paging.
bool Cpu::write_efer(u64 value)
{
    const u64 changed = state.msr.efer ^ value;
    if ((value & ~writable_efer(model_)) || ((changed & kEferLme) && (state.cr0 & kCr0Pg)))
        return general_protection();
    state.msr.efer = (value & ~u64{kEferLma}) | (state.msr.efer & kEferLma);
    if (changed & kEferNxe) forget_translations();
    return true;
}

/// What RSM finds, which the SMI's handler may have changed, all at once. False: these values do not go
/// together (SDM vol. 3C, 34.3.2; APM vol. 3, RSM). The caller flushes the TLBs.
bool Cpu::restore_controls(u64 cr0, u64 cr3, u64 cr4, u64 efer)
{
    const bool paging = (cr0 & kCr0Pg) != 0;
    const bool long_mode = paging && (efer & kEferLme);
    if (paging && !(cr0 & kCr0Pe)) return false;
    if ((cr0 & kCr0Nw) && !(cr0 & kCr0Cd)) return false;
    if (cr0 >> 32 != 0 || cr3 >> model_.physical_bits() != 0) return false;
    if ((cr4 & ~writable_cr4(model_)) || (efer & ~writable_efer(model_))) return false;
    if (((efer & kEferLma) != 0) != long_mode || (long_mode && !(cr4 & kCr4Pae))) return false;
    state.cr0 = (cr0 & writable_cr0(model_)) | kCr0Et;
    state.cr3 = cr3;
    state.cr4 = cr4;
    state.msr.efer = efer;
    const bool pae = paging && (cr4 & kCr4Pae) && !long_mode;
    return !pae || load_pdptes(cr3);
}

/// Bits that read as one, and what has to be watched, follow (SDM vol. 3B, 17.2). In 64-bit mode the upper
/// half of DR6 and DR7 has to be zero (17.2.6).
bool Cpu::write_dr(int index, u64 value)
{
    if (index >= 4 && value >> 32 != 0) return general_protection();
    if (index < 4) state.dr[static_cast<std::size_t>(index)] = value;
    else if (index == 6) state.dr[6] = (value & 0xE00F) | 0xFFFF0FF0;
    else state.dr[7] = (value & 0xFFFF2FFF) | 0x400;

    update_breakpoints();
    forget_translations();
    return true;
}

/// Which kinds of accesses DR7 has watched.
void Cpu::update_breakpoints()
{
    code_breakpoints_ = data_breakpoints_ = false;
    for (int i = 0; i < 4; ++i) {
        if (!(state.dr[7] >> (2 * i) & 3)) continue;
        ((state.dr[7] >> (16 + 4 * i) & 3) == 0 ? code_breakpoints_ : data_breakpoints_) = true;
    }
}

}  // namespace reprise
