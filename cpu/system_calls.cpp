/// SYSCALL, SYSRET, SYSENTER and SYSEXIT: SDM vol. 2B, "Operation" of each, and vol. 3A, 5.8.7
/// and 5.8.8. Segments come from a register instead of a table.
#include "cpu/protection.h"

namespace reprise {

namespace {

/// A flat segment of 4 GB or, of 64-bit code, of all there is.
Segment flat_code(u16 selector, u8 level, bool wide)
{
    const int access = wide ? 0xA9B : 0xC9B;  // see Segment::access
    return {with_rpl(selector, level), 0, 0xFFFFFFFF, static_cast<u16>(access | level << 5)};
}

Segment flat_stack(int selector, u8 level)
{
    return {static_cast<u16>(selector | level), 0, 0xFFFFFFFF,
            static_cast<u16>(0xC93 | level << 5)};
}

void enter_level(Cpu& cpu, const Segment& cs, const Segment& ss)
{
    cpu.state.cpl = rpl_of(cs.selector);
    cpu.state.seg[SS] = ss;
    cpu.set_segment(CS, cs);
    if (!cpu.mode64()) cpu.set_segment(SS, ss);
}

}  // namespace

void Cpu::system_call(u64 next)
{
    const u16 selector = static_cast<u16>(bits(state.msr.star, 47, 32));
    const u32 old_flags = eflags();
    state.gpr[RCX] = next;
    state.gpr[11] = old_flags;
    state.rip = state.msr.lstar;
    enter_level(*this, flat_code(selector, 0, true), flat_stack(selector + 8, 0));
    set_eflags(old_flags & ~static_cast<u32>(state.msr.sfmask) & ~static_cast<u32>(RF));
    if (!(state.rflags & TF)) cancel_single_step();
}

bool Cpu::system_return(bool wide)
{
    if (state.cpl != 0) return general_protection();
    if (wide && !is_canonical(state.gpr[RCX])) return general_protection();
    const u16 selector = static_cast<u16>(bits(state.msr.star, 63, 48));
    const u16 cs = static_cast<u16>(selector + (wide ? 16 : 0));
    state.rip = wide ? state.gpr[RCX] : static_cast<u32>(state.gpr[RCX]);
    enter_level(*this, flat_code(cs, 3, wide), flat_stack(selector + 8, 3));
    constexpr u32 kFromR11 = 0x3C7FD7;  // all but RF, VM and reserved bits
    set_eflags(static_cast<u32>(state.gpr[11]) & kFromR11 & defined_flags(*this));
    return true;
}

bool Cpu::system_enter()
{
    const u16 selector = selector_error(static_cast<u16>(state.msr.sysenter_cs));
    if (!protected_mode() || selector == 0) return general_protection();
    const bool wide = long_mode();
    set_eflags(eflags() & ~static_cast<u32>(VM | IF | RF));
    enter_level(*this, flat_code(selector, 0, wide), flat_stack(selector + 8, 0));
    state.gpr[RSP] = wide ? state.msr.sysenter_esp : static_cast<u32>(state.msr.sysenter_esp);
    state.rip = wide ? state.msr.sysenter_eip : static_cast<u32>(state.msr.sysenter_eip);
    return true;
}

bool Cpu::system_exit(bool wide)
{
    const u16 selector = selector_error(static_cast<u16>(state.msr.sysenter_cs));
    if (selector == 0 || !protected_mode() || state.cpl != 0) return general_protection();
    const u64 sp = state.gpr[RCX], ip = state.gpr[RDX];
    if (wide && (!is_canonical(sp) || !is_canonical(ip))) return general_protection();
    const u16 cs = static_cast<u16>(selector + (wide ? 32 : 16));
    enter_level(*this, flat_code(cs, 3, wide), flat_stack(cs + 8, 3));
    state.gpr[RSP] = wide ? sp : static_cast<u32>(sp);
    state.rip = wide ? ip : static_cast<u32>(ip);
    return true;
}

}  // namespace reprise
