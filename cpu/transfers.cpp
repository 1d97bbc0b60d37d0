/// JMP, CALL and RET to another code segment: SDM vol. 3A, 5.8, and vol. 2, "Operation" of each.
#include "cpu/protection.h"

namespace reprise {

namespace {

constexpr u64 size_mask(int size) { return ~u64{0} >> (64 - 8 * size); }

/// The code segment that a far pointer names, from the same privilege level or conforming.
bool find_direct_code(Cpu& cpu, u16 selector, Cpu::Descriptor d, Segment& cs)
{
    const u8 cpl = cpu.state.cpl;
    cs = d.segment(with_rpl(selector, cpl));
    const bool allowed =
        cs.is_conforming() ? cs.dpl() <= cpl : rpl_of(selector) <= cpl && cs.dpl() == cpl;
    if (!cs.is_code() || !allowed) return cpu.general_protection(selector_error(selector));
    if (!check_code_size(cpu, cs)) return false;
    if (!cs.present()) return cpu.raise(kSegmentNotPresent, selector_error(selector));
    return cpu.set_accessed(d);
}

/// A gate or TSS may be used by its own level and all that are more privileged.
bool check_gate_level(Cpu& cpu, u16 selector, const Cpu::Descriptor& d)
{
    return d.dpl() >= std::max(cpu.state.cpl, rpl_of(selector)) ||
           cpu.general_protection(selector_error(selector));
}

bool check_gate(Cpu& cpu, u16 selector, const Cpu::Descriptor& gate)
{
    return check_gate_level(cpu, selector, gate) &&
           (gate.present() || cpu.raise(kSegmentNotPresent, selector_error(selector)));
}

struct GateTarget {
    Segment cs;
    u64 ip = 0;
    int size = 2;
    bool inner = false;  // at a more privileged level
};

/// The code that a call gate leads to. Only CALL may go to a more privileged level.
bool find_gate_target(Cpu& cpu, u16 gate_selector, const Cpu::Descriptor& gate, bool call,
                      GateTarget& target)
{
    if (!check_gate(cpu, gate_selector, gate)) return false;
    target.size = gate.type() == kCallGate32 ? 4 : 2;
    target.ip = gate.gate_offset() & size_mask(target.size);
    if (cpu.long_mode()) {
        target.size = 8;
        target.ip |= TRY(cpu.fetch_upper_descriptor(gate_selector, gate)) << 32;
    }
    const u16 selector = gate.gate_selector();
    if (is_null(selector)) return cpu.general_protection();
    Cpu::Descriptor d = TRY(cpu.fetch_descriptor(selector));
    const u8 cpl = cpu.state.cpl;
    target.cs = d.segment(selector);
    const Segment& cs = target.cs;
    target.inner = !cs.is_conforming() && cs.dpl() < cpl;
    if (!cs.is_code() || cs.dpl() > cpl || (target.inner && !call))
        return cpu.general_protection(selector_error(selector));
    // Gates of IA-32e mode lead to 64-bit code only (SDM vol. 3A, 5.8.3.1).
    if (cpu.long_mode() && (!cs.is_long() || cs.is_big()))
        return cpu.general_protection(selector_error(selector));
    if (!cs.present()) return cpu.raise(kSegmentNotPresent, selector_error(selector));
    target.cs.selector = with_rpl(selector, target.inner ? cs.dpl() : cpl);
    return cpu.set_accessed(d);
}

/// Pushes the return address on the present stack and goes to `cs`:`ip`.
bool call_same_level(Cpu& cpu, const Segment& cs, u64 ip, int size, u64 next)
{
    // A call gate may lead from compatibility mode to 64-bit mode.
    Stack stack = size == 8 ? Stack::flat(cpu, cpu.sp(), cpu.state.cpl, 0) : Stack::present(cpu);
    if (!stack.has_room(size, 2) || !check_ip(cpu, cs, ip)) return false;
    if (!stack.push(size, cpu.state.seg[CS].selector) || !stack.push(size, next)) return false;
    cpu.set_segment(CS, cs);
    cpu.set_sp(stack.sp());
    cpu.state.rip = ip;
    return true;
}

/// SDM vol. 3A, 5.8.5.1: SS becomes null, and no parameters are copied.
bool call_inner_level_64(Cpu& cpu, const GateTarget& target, u64 next)
{
    const u8 level = target.cs.dpl();
    Stack stack = Stack::flat(cpu, TRY(find_long_stack(cpu, level)), level, 0);
    if (!stack.has_room(8, 4) || !check_ip(cpu, target.cs, target.ip)) return false;
    if (!stack.push(8, cpu.state.seg[SS].selector) || !stack.push(8, cpu.state.gpr[RSP]) ||
        !stack.push(8, cpu.state.seg[CS].selector) || !stack.push(8, next))
        return false;
    cpu.state.cpl = level;
    cpu.set_segment(CS, target.cs);
    cpu.set_segment(SS, null_stack(level, level));
    cpu.set_sp(stack.sp());
    cpu.state.rip = target.ip;
    return true;
}

/// SDM vol. 2A, CALL, "MORE-PRIVILEGE": parameters move from the caller's stack to the new one.
bool call_inner_level(Cpu& cpu, const GateTarget& target, int parameters, u64 next)
{
    InnerStack inner;
    const u8 level = target.cs.dpl();
    const int size = target.size;
    if (!find_inner_stack(cpu, level, inner)) return false;
    Stack stack{cpu, inner.ss, inner.sp, level, selector_error(inner.ss.selector)};
    if (!stack.has_room(size, parameters + 4) || !check_ip(cpu, target.cs, target.ip)) return false;

    std::array<u64, 31> parameter{};
    Stack caller = Stack::present(cpu);
    for (int i = 0; i < parameters; ++i) parameter[i] = TRY(caller.pop(size));
    if (!stack.push(size, cpu.state.seg[SS].selector) || !stack.push(size, cpu.state.gpr[RSP]))
        return false;
    for (int i = parameters; i-- > 0;)
        if (!stack.push(size, parameter[i])) return false;
    if (!stack.push(size, cpu.state.seg[CS].selector) || !stack.push(size, next)) return false;

    cpu.state.cpl = level;
    cpu.set_segment(CS, target.cs);
    cpu.set_segment(SS, inner.ss);
    cpu.set_sp(stack.sp());
    cpu.state.rip = target.ip;
    return true;
}

/// A TSS or a task gate?
bool leads_to_task(Cpu& cpu, const Cpu::Descriptor& d)
{
    const int type = system_type(cpu, d);
    return type == kTss16Available || type == kTss16Busy || type == kTss32Available ||
           type == kTss32Busy || type == kTaskGate;
}

bool transfer_to_task(Cpu& cpu, u16 selector, const Cpu::Descriptor& d, Cpu::TaskSwitch reason,
                      u64 next)
{
    if (system_type(cpu, d) == kTaskGate)
        return check_gate(cpu, selector, d) && cpu.switch_task(d.gate_selector(), reason, next);
    if (cpu.long_mode()) return cpu.general_protection(selector_error(selector));
    return check_gate_level(cpu, selector, d) && cpu.switch_task(selector, reason, next);
}

}  // namespace

bool Cpu::far_jump(u16 selector, u64 offset, int size, u64 next)
{
    offset &= size_mask(size);
    if (real_or_v86()) {
        if (!check_ip(*this, state.seg[CS], offset)) return false;
        load_segment_real(CS, selector);
        state.rip = offset;
        return true;
    }
    if (is_null(selector)) return general_protection();
    const Descriptor d = TRY(fetch_descriptor(selector));
    GateTarget target;
    if (leads_to_task(*this, d))
        return transfer_to_task(*this, selector, d, TaskSwitch::Jump, next);
    switch (system_type(*this, d)) {
    case kCallGate16:
    case kCallGate32:
        if (!find_gate_target(*this, selector, d, false, target)) return false;
        break;
    default:
        target.ip = offset;
        if (!find_direct_code(*this, selector, d, target.cs)) return false;
    }
    if (!check_ip(*this, target.cs, target.ip)) return false;
    set_segment(CS, target.cs);
    state.rip = target.ip;
    return true;
}

bool Cpu::far_call(u16 selector, u64 offset, int size, u64 next)
{
    offset &= size_mask(size);
    if (real_or_v86()) {
        Stack stack = Stack::present(*this);
        if (!stack.has_room(size, 2) || !check_ip(*this, state.seg[CS], offset)) return false;
        if (!stack.push(size, state.seg[CS].selector) || !stack.push(size, next)) return false;
        set_sp(stack.sp());
        load_segment_real(CS, selector);
        state.rip = offset;
        return true;
    }
    if (is_null(selector)) return general_protection();
    const Descriptor d = TRY(fetch_descriptor(selector));
    GateTarget target;
    if (leads_to_task(*this, d))
        return transfer_to_task(*this, selector, d, TaskSwitch::Call, next);
    switch (system_type(*this, d)) {
    case kCallGate16:
    case kCallGate32:
        if (!find_gate_target(*this, selector, d, true, target)) return false;
        if (target.inner)
            return long_mode() ? call_inner_level_64(*this, target, next)
                               : call_inner_level(*this, target, d.gate_parameters(), next);
        return call_same_level(*this, target.cs, target.ip, target.size, next);
    default:
        return find_direct_code(*this, selector, d, target.cs) &&
               call_same_level(*this, target.cs, offset, size, next);
    }
}

bool Cpu::far_return(int size, u16 release)
{
    Stack stack = Stack::present(*this);
    const u64 ip = TRY(stack.pop(size));
    const u16 selector = static_cast<u16>(TRY(stack.pop(size)));
    if (real_or_v86()) {
        if (!check_ip(*this, state.seg[CS], ip)) return false;
        stack.release(release);
        set_sp(stack.sp());
        load_segment_real(CS, selector);
        state.rip = ip;
        return true;
    }

    Segment cs;
    if (!find_return_code(*this, selector, cs)) return false;
    const u8 level = rpl_of(selector);
    if (level == state.cpl) {
        if (!check_ip(*this, cs, ip)) return false;
        set_sp(stack.sp());
        set_segment(CS, cs);
        set_sp(sp() + release);  // as wide as the new code's stack pointer (host processors)
        state.rip = ip;
        return true;
    }
    stack.release(release);
    const u64 outer_sp = TRY(stack.pop(size));
    const u16 outer_ss = static_cast<u16>(TRY(stack.pop(size)));
    Segment ss;
    if (!find_return_stack(*this, outer_ss, level, cs, ss) || !check_ip(*this, cs, ip))
        return false;
    state.cpl = level;
    set_segment(CS, cs);
    set_segment(SS, ss);
    set_sp(outer_sp + release);
    drop_inner_segments(*this);
    state.rip = ip;
    return true;
}

// ---- Shared with interrupts and tasks ----------------------------------------------------------

bool has_tss32(const Cpu& cpu)
{
    return cpu.at_least(Level::I80386) && (cpu.state.tr.type() & kAnyTss32Bit);
}

bool find_inner_stack(Cpu& cpu, u8 level, InnerStack& stack)
{
    const Segment& tss = cpu.state.tr;
    const int size = has_tss32(cpu) ? 4 : 2;
    const u32 at = static_cast<u32>(size * (1 + 2 * level));  // behind the link: SP0, SS0, SP1 ...
    if (at + static_cast<u32>(size) + 1 > tss.limit)
        return cpu.raise(kInvalidTss, selector_error(tss.selector));
    stack.sp = TRY(cpu.read_system(tss.base + at, size));
    const u16 selector =
        static_cast<u16>(TRY(cpu.read_system(tss.base + at + static_cast<u64>(size), 2)));
    if (is_null(selector)) return cpu.raise(kInvalidTss, 0);
    Cpu::Descriptor d = TRY(cpu.fetch_descriptor(selector, kInvalidTss));
    stack.ss = d.segment(selector);
    if (rpl_of(selector) != level || d.dpl() != level || !stack.ss.is_writable())
        return cpu.raise(kInvalidTss, selector_error(selector));
    if (!d.present()) return cpu.raise(kStackFault, selector_error(selector));
    return cpu.set_accessed(d);
}

Fallible<u64> find_long_stack(Cpu& cpu, u8 level, u8 stack)
{
    constexpr u64 kRsp0 = 4, kIst1 = 36;
    const Segment& tss = cpu.state.tr;
    const u64 at = stack != 0 ? kIst1 + 8 * (stack - 1u) : kRsp0 + 8u * level;
    if (at + 7 > tss.limit) {
        cpu.raise(kInvalidTss, selector_error(tss.selector));
        return {};
    }
    return cpu.read_system(tss.base + at, 8);
}

bool find_return_code(Cpu& cpu, u16 selector, Segment& cs)
{
    if (is_null(selector)) return cpu.general_protection();
    Cpu::Descriptor d = TRY(cpu.fetch_descriptor(selector));
    cs = d.segment(selector);
    const u8 level = rpl_of(selector);
    const bool allowed = cs.is_conforming() ? cs.dpl() <= level : cs.dpl() == level;
    if (!cs.is_code() || level < cpu.state.cpl || !allowed)
        return cpu.general_protection(selector_error(selector));
    if (!check_code_size(cpu, cs)) return false;
    if (!cs.present()) return cpu.raise(kSegmentNotPresent, selector_error(selector));
    return cpu.set_accessed(d);
}

bool find_return_stack(Cpu& cpu, u16 selector, u8 level, const Segment& cs, Segment& ss)
{
    if (is_null(selector)) {
        if (!cpu.long_mode() || !cs.is_long() || level == 3) return cpu.general_protection();
        ss = null_stack(selector, level);
        return true;
    }
    Cpu::Descriptor d = TRY(cpu.fetch_descriptor(selector));
    ss = d.segment(selector);
    if (rpl_of(selector) != level || !ss.is_writable() || ss.dpl() != level)
        return cpu.general_protection(selector_error(selector));
    if (!ss.present()) return cpu.raise(kStackFault, selector_error(selector));
    return cpu.set_accessed(d);
}

void drop_inner_segments(Cpu& cpu)
{
    for (const u8 seg : {ES, DS, FS, GS}) {
        const Segment& s = cpu.state.seg[seg];
        if (s.present() && !s.is_conforming() && s.dpl() < cpu.state.cpl)
            cpu.set_segment(seg, null_segment());
    }
}

}  // namespace reprise
