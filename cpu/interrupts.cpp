/// Interrupts and exceptions to their handlers, and IRET: SDM vol. 3A, chapter 6 and 20.2 to 20.3,
/// vol. 2A, INT n and IRET, "Operation".
#include "cpu/protection.h"

namespace reprise {

bool resumes_with_rf(u8 vector)
{
    switch (vector) {
    case kDivideError:
    case kBoundRange:
    case kInvalidOpcode:
    case kDeviceNotAvailable:
    case kInvalidTss:
    case kSegmentNotPresent:
    case kStackFault:
    case kGeneralProtection:
    case kPageFault:
    case kFloatingPoint:
    case kAlignmentCheck: return true;
    default: return false;
    }
}

namespace {

constexpr u16 kErrorIdt = 2;  // the error code's index is a vector
constexpr u16 kErrorExternal = 1;

/// What is being delivered, as the gates see it.
struct Delivery {
    Fault fault;
    bool software;
    u32 flags;  // EFLAGS to be pushed
    u64 return_ip;

    u16 error() const { return static_cast<u16>(fault.vector * 8 | kErrorIdt); }
};

/// Calls a handler of the 8086's kind through the vector table at `table`.
bool enter_8086_handler(Cpu& cpu, u64 table, u8 vector, u16 pushed_flags, u32 new_flags,
                        u64 return_ip)
{
    const u64 entry = TRY(cpu.read_system(table + vector * 4u, 4));
    Stack stack = Stack::present(cpu);
    if (!stack.has_room(2, 3)) return false;
    if (!stack.push(2, pushed_flags) || !stack.push(2, cpu.state.seg[CS].selector) ||
        !stack.push(2, return_ip))
        return false;
    cpu.set_sp(stack.sp());
    cpu.set_eflags(new_flags);
    cpu.load_segment_real(CS, static_cast<u16>(entry >> 16));
    cpu.state.rip = entry & 0xFFFF;
    return true;
}

/// SDM vol. 3A, 20.1.4. Vectors behind the table's limit: interrupt 8 on the 286 and 386, #GP
/// later.
bool deliver_real(Cpu& cpu, u8 vector, u64 return_ip)
{
    if (vector * 4u + 3 > cpu.state.idtr.limit) {
        if (cpu.at_least(Level::I80486)) return cpu.raise(kGeneralProtection, 0);
        return cpu.raise(kDoubleFault, 0);
    }
    const u32 cleared = IF | TF | AC | RF;
    return enter_8086_handler(cpu, cpu.state.idtr.base, vector, flags_image16(cpu),
                              cpu.eflags() & ~cleared, return_ip);
}

/// Everything but the stack: what the gate says about the handler.
struct Handling {
    Segment cs;
    u64 ip = 0;
    int size = 2;
    bool inner = false;
    bool clears_if = false;
};

bool find_handler(Cpu& cpu, const Cpu::Descriptor& gate, Handling& handler)
{
    const u16 selector = gate.gate_selector();
    if (is_null(selector)) return cpu.general_protection();
    Cpu::Descriptor d = TRY(cpu.fetch_descriptor(selector));
    const u8 cpl = cpu.state.cpl;
    handler.cs = d.segment(selector);
    const Segment& cs = handler.cs;
    const bool right_size = !cpu.long_mode() || (cs.is_long() && !cs.is_big());
    if (!cs.is_code() || cs.dpl() > cpl || !right_size)
        return cpu.general_protection(selector_error(selector));
    if (!cs.present()) return cpu.raise(kSegmentNotPresent, selector_error(selector));
    handler.inner = !cs.is_conforming() && cs.dpl() < cpl;
    // A virtual 8086 task is only left for level 0 (SDM vol. 3A, 20.3.1).
    if (cpu.v86() && (!handler.inner || cs.dpl() != 0))
        return cpu.general_protection(selector_error(selector));
    handler.cs.selector = with_rpl(selector, handler.inner ? cs.dpl() : cpl);
    handler.size = gate.type() & kAnyTss32Bit ? 4 : 2;
    handler.ip = gate.gate_offset() & (handler.size == 4 ? 0xFFFFFFFF : 0xFFFF);
    handler.clears_if = (gate.type() & 1) == 0;
    return cpu.set_accessed(d);
}

bool push_return(Cpu& cpu, Stack& stack, const Delivery& what, int size)
{
    return stack.push(size, what.flags) && stack.push(size, cpu.state.seg[CS].selector) &&
           stack.push(size, what.return_ip) &&
           (!what.fault.has_error_code || stack.push(size, what.fault.error_code));
}

/// For transfers within a level, where nothing else follows from CS: mostly it is the same.
void set_code_segment(Cpu& cpu, const Segment& cs)
{
    const Segment& present = cpu.state.seg[CS];
    if (cs.selector != present.selector || cs.base != present.base || cs.limit != present.limit ||
        cs.access != present.access)
        cpu.set_segment(CS, cs);
}

/// From here on nothing can fault.
void enter_handler(Cpu& cpu, const Handling& handler)
{
    u32 cleared = TF | NT | RF | VM;
    if (handler.clears_if) cleared |= IF;
    cpu.set_eflags(cpu.eflags() & ~cleared);
    if (handler.inner) cpu.set_segment(CS, handler.cs);
    else set_code_segment(cpu, handler.cs);
    cpu.state.rip = handler.ip;
}

bool deliver_same_level(Cpu& cpu, const Delivery& what, const Handling& handler)
{
    Stack stack = Stack::present(cpu);
    if (!stack.has_room(handler.size, what.fault.has_error_code ? 4 : 3) ||
        !check_ip(cpu, handler.cs, handler.ip) || !push_return(cpu, stack, what, handler.size))
        return false;
    cpu.set_sp(stack.sp());
    enter_handler(cpu, handler);
    return true;
}

/// To a more privileged level, and from virtual 8086 mode, whose data segments are saved too.
bool deliver_inner_level(Cpu& cpu, const Delivery& what, const Handling& handler)
{
    CpuState& state = cpu.state;
    const bool from_v86 = cpu.v86();
    const u8 level = handler.cs.dpl();
    const int size = handler.size;
    InnerStack inner;
    if (!find_inner_stack(cpu, level, inner)) return false;
    Stack stack{cpu, inner.ss, inner.sp, level, selector_error(inner.ss.selector)};
    if (!stack.has_room(size, (from_v86 ? 9 : 5) + what.fault.has_error_code) ||
        !check_ip(cpu, handler.cs, handler.ip))
        return false;
    if (from_v86)
        for (const u8 seg : {GS, FS, DS, ES})
            if (!stack.push(size, state.seg[seg].selector)) return false;
    if (!stack.push(size, state.seg[SS].selector) || !stack.push(size, state.gpr[RSP]) ||
        !push_return(cpu, stack, what, size))
        return false;

    state.cpl = level;
    cpu.set_segment(SS, inner.ss);
    enter_handler(cpu, handler);
    cpu.set_sp(stack.sp());
    if (from_v86)
        for (const u8 seg : {GS, FS, DS, ES}) cpu.set_segment(seg, null_segment());
    return true;
}

/// SDM vol. 3A, 6.14.3: a gate of 16 bytes.
Fallible<Cpu::Descriptor> find_long_gate(Cpu& cpu, const Delivery& what, u64& ip)
{
    const u32 at = what.fault.vector * 16u;
    const auto fault = [&](u8 vector) {
        cpu.raise(vector, what.error());
        return Fallible<Cpu::Descriptor>{};
    };
    if (at + 15 > cpu.state.idtr.limit) return fault(kGeneralProtection);
    Cpu::Descriptor gate;
    gate.address = cpu.state.idtr.base + at;
    gate.raw = TRY(cpu.read_system(gate.address, 8));
    const u64 upper = TRY(cpu.read_system(gate.address + 8, 8));
    const u8 type = system_type(cpu, gate);
    if ((type != kInterruptGate32 && type != kTrapGate32) ||
        (what.software && gate.dpl() < cpu.state.cpl))
        return fault(kGeneralProtection);
    if (!gate.present()) return fault(kSegmentNotPresent);
    ip = gate.gate_offset() | upper << 32;
    return gate;
}

/// Interrupts in IA-32e mode (SDM vol. 3A, 6.14): handlers are 64-bit code, SS:RSP is always saved, on a
/// stack aligned to 16 bytes, and a new level gets a null SS.
bool deliver_long(Cpu& cpu, const Delivery& what)
{
    CpuState& state = cpu.state;
    Handling handler;
    u64 ip = 0;
    const Cpu::Descriptor gate = TRY(find_long_gate(cpu, what, ip));
    if (!find_handler(cpu, gate, handler)) return false;
    handler.ip = ip;
    const u8 level = handler.inner ? handler.cs.dpl() : state.cpl;
    u64 sp = state.gpr[RSP];
    if (handler.inner || gate.gate_stack() != 0)
        sp = TRY(find_long_stack(cpu, level, gate.gate_stack()));
    if (!is_canonical(sp)) return cpu.raise(kStackFault, 0);

    Stack stack = Stack::flat(cpu, sp & ~u64{15}, level, 0);
    if (!stack.has_room(8, 5 + what.fault.has_error_code) || !check_ip(cpu, handler.cs, ip))
        return false;
    if (!stack.push(8, state.seg[SS].selector) || !stack.push(8, state.gpr[RSP]) ||
        !push_return(cpu, stack, what, 8))
        return false;
    state.cpl = level;
    if (handler.inner) state.seg[SS] = null_stack(level, level);
    enter_handler(cpu, handler);
    state.gpr[RSP] = stack.sp();
    return true;
}

bool deliver_protected(Cpu& cpu, const Delivery& what)
{
    const u8 vector = what.fault.vector;
    if (vector * 8u + 7 > cpu.state.idtr.limit) return cpu.general_protection(what.error());
    Cpu::Descriptor gate;
    gate.address = cpu.state.idtr.base + vector * 8u;
    gate.raw = TRY(cpu.read_system(gate.address, 8));
    if (!cpu.at_least(Level::I80386)) gate.raw = bits(gate.raw, 47, 0);

    const u8 type = system_type(cpu, gate);
    const bool is_handler = type == kInterruptGate16 || type == kTrapGate16 ||
                            type == kInterruptGate32 || type == kTrapGate32;
    if ((!is_handler && type != kTaskGate) || (what.software && gate.dpl() < cpu.state.cpl))
        return cpu.general_protection(what.error());
    if (!gate.present()) return cpu.raise(kSegmentNotPresent, what.error());
    if (type == kTaskGate)
        return cpu.switch_task(gate.gate_selector(), Cpu::TaskSwitch::Call, what.return_ip,
                               what.software ? nullptr : &what.fault);
    Handling handler;
    if (!find_handler(cpu, gate, handler)) return false;
    return handler.inner ? deliver_inner_level(cpu, what, handler)
                         : deliver_same_level(cpu, what, handler);
}

/// The software interrupt redirection bitmap, the 32 bytes below the I/O permission bitmap: true
/// for interrupts that go to the 8086 program's own handler (SDM vol. 3A, 20.3.3).
Fallible<bool> is_redirected(Cpu& cpu, u8 vector)
{
    constexpr u64 kIoMapBase = 0x66, kBitmapBytes = 32;
    const Segment& tss = cpu.state.tr;
    if (!has_tss32(cpu) || tss.limit < kIoMapBase + 1) {
        cpu.general_protection();
        return {};
    }
    const u64 io_map = TRY(cpu.read_system(tss.base + kIoMapBase, 2));
    const u64 byte = io_map - kBitmapBytes + vector / 8u;
    if (io_map < kBitmapBytes || byte > tss.limit) {
        cpu.general_protection();
        return {};
    }
    return !bit(TRY(cpu.read_system(tss.base + byte, 1)), vector % 8);
}

/// Methods 5 and 6 of SDM vol. 3A, table 20-2: with IOPL below 3 the program sees VIF as its IF,
/// and an IOPL of 3.
bool enter_redirected(Cpu& cpu, u8 vector, u64 next)
{
    const u32 flags = cpu.eflags();
    u16 pushed = static_cast<u16>(flags);
    u32 cleared = TF | RF;
    if (cpu.iopl() == 3) {
        cleared |= IF;
    } else {
        pushed = static_cast<u16>(with_bit(pushed, 9, (flags & VIF) != 0) | IOPL);
        cleared |= VIF;
    }
    return enter_8086_handler(cpu, 0, vector, pushed, flags & ~cleared, next);
}

}  // namespace

bool Cpu::deliver(const Fault& fault, bool software, bool is_int_n, bool external, u64 return_ip)
{
    if (on_vector && !external && on_vector(fault, software)) {
        state.rip = return_ip;
        limit_run(0);
        return true;
    }
    if (!protected_mode()) return deliver_real(*this, fault.vector, return_ip);

    Delivery what{fault, software, eflags(), return_ip};
    if (!software && !external && resumes_with_rf(fault.vector)) what.flags |= RF;
    if (!at_least(Level::I80386)) what.flags &= 0xFFFF;
    // INT1 is no software interrupt as far as privilege and EXT are concerned.
    const bool is_int1 = software && !is_int_n && fault.vector == kDebug;
    if (is_int1) what.software = false;
    const bool delivered = long_mode() ? deliver_long(*this, what) : deliver_protected(*this, what);
    // A fault in the context of a new task is that task's: see switch_task.
    if (delivered && (software || !fault_pending_)) return true;
    if (!what.software && fault_.has_error_code && fault_.vector != kPageFault)
        fault_.error_code |= kErrorExternal;
    return false;
}

bool Cpu::software_interrupt(u8 vector, u64 next, bool is_int_n)
{
    // INT3, INTO and INT1 neither depend on IOPL nor are redirected.
    const bool is_sensitive = v86() && is_int_n;
    if (is_sensitive && (state.cr4 & kCr4Vme) && TRY(is_redirected(*this, vector))) {
        if (!enter_redirected(*this, vector, next)) return false;
    } else {
        if (is_sensitive && iopl() < 3) return general_protection();
        if (!deliver({vector, false, 0}, true, is_int_n, false, next)) return false;
    }
    cancel_single_step();
    return true;
}

// ---- IRET --------------------------------------------------------------------------------------

namespace {

struct Frame {
    u64 ip = 0;
    u16 cs = 0;
    u32 flags = 0;
};

/// With both VIF and VIP set the first instruction faults (SDM vol. 3A, 20.3.2): the fault is left
/// pending for when the return is complete.
void check_virtual_interrupt(Cpu& cpu)
{
    const u32 enabled_by = cpu.v86() ? kCr4Vme : kCr4Pvi;
    const u32 both = VIF | VIP;
    if (cpu.state.cpl != 3 || !(cpu.state.cr4 & enabled_by) || cpu.iopl() == 3) return;
    if ((cpu.eflags() & both) == both) cpu.general_protection();
}

/// EFLAGS with the bits of `mask` from `image`.
u32 merged_flags(const Cpu& cpu, u32 image, u32 mask)
{
    return (cpu.eflags() & ~mask) | (image & mask);
}

bool return_real(Cpu& cpu, const Stack& stack, const Frame& frame, u32 new_flags)
{
    if (frame.ip > cpu.state.seg[CS].limit) return cpu.general_protection();
    cpu.set_sp(stack.sp());
    cpu.set_eflags(new_flags);
    cpu.load_segment_real(CS, frame.cs);
    cpu.state.rip = frame.ip;
    return true;
}

/// SDM vol. 2A, IRET, "RETURN-FROM-VIRTUAL-8086-MODE".
bool return_within_v86(Cpu& cpu, const Stack& stack, const Frame& frame, int size)
{
    u32 mask = defined_flags(cpu) & ~static_cast<u32>(VM | IOPL | VIF | VIP);
    if (size == 2) mask &= 0xFFFF;
    if (cpu.iopl() == 3)
        return return_real(cpu, stack, frame, merged_flags(cpu, frame.flags, mask));
    const bool enables = (frame.flags & IF) != 0;
    if ((frame.flags & TF) || (enables && (cpu.eflags() & VIP))) return cpu.general_protection();
    const u32 image = frame.flags | (enables ? VIF : 0u);
    mask = (mask & ~static_cast<u32>(IF)) | VIF;
    return return_real(cpu, stack, frame, merged_flags(cpu, image, mask));
}

/// SDM vol. 2A, IRET, "RETURN-TO-VIRTUAL-8086-MODE".
bool return_to_v86(Cpu& cpu, Stack& stack, const Frame& frame)
{
    if (frame.ip > 0xFFFF) return cpu.general_protection();
    const u64 sp = TRY(stack.pop(4));
    std::array<u16, 6> selector{};
    for (const u8 seg : {SS, ES, DS, FS, GS}) selector[seg] = static_cast<u16>(TRY(stack.pop(4)));
    selector[CS] = frame.cs;
    cpu.state.cpl = 3;
    cpu.set_eflags(frame.flags & defined_flags(cpu));
    for (u8 seg = 0; seg < 6; ++seg) cpu.load_segment_real(seg, selector[seg]);
    cpu.state.gpr[RSP] = sp;
    cpu.state.rip = frame.ip;
    check_virtual_interrupt(cpu);
    return true;
}

/// SDM vol. 2A, IRET, "PROTECTED-MODE-RETURN". What may change in EFLAGS depends on the old CPL.
bool return_protected(Cpu& cpu, Stack& stack, const Frame& frame, int size)
{
    u32 mask = writable_flags(cpu, size);
    if (size != 2) {
        mask |= RF;
        if (cpu.state.cpl == 0) mask |= VIF | VIP;
        mask &= defined_flags(cpu);
    }
    const u32 new_flags = merged_flags(cpu, frame.flags, mask);
    Segment cs, ss;
    if (!find_return_code(cpu, frame.cs, cs)) return false;
    const u8 level = rpl_of(frame.cs);
    const bool outer = level > cpu.state.cpl;
    const bool pops_stack = outer || cpu.mode64();  // 64-bit mode always does
    u64 sp = stack.sp();
    if (pops_stack) {
        sp = TRY(stack.pop(size));
        const u16 selector = static_cast<u16>(TRY(stack.pop(size)));
        if (!find_return_stack(cpu, selector, level, cs, ss)) return false;
    }
    if (!check_ip(cpu, cs, frame.ip)) return false;

    cpu.state.cpl = level;
    if (outer) cpu.set_segment(CS, cs);
    else set_code_segment(cpu, cs);
    if (pops_stack) cpu.set_segment(SS, ss);
    cpu.set_sp(sp);
    // A 16-bit stack keeps the upper part of RSP, a 32-bit one does not.
    if (cpu.long_mode() && cpu.stack_mask() == 0xFFFFFFFF) cpu.state.gpr[RSP] = cpu.sp();
    cpu.set_eflags(new_flags);
    if (outer) drop_inner_segments(cpu);
    cpu.state.rip = frame.ip;
    check_virtual_interrupt(cpu);
    return true;
}

}  // namespace

bool Cpu::interrupt_return(int size)
{
    if (state.nmi_blocked) {  // NMIs are let in again even if IRET faults (SDM vol. 3A, 6.7.1)
        state.nmi_blocked = false;
        attention();
    }
    if (!real_or_v86() && (state.rflags & NT)) {
        if (long_mode()) return general_protection();
        const u64 link = TRY(read_system(state.tr.base, 2));
        return switch_task(static_cast<u16>(link), TaskSwitch::Return, state.rip);
    }
    if (v86() && iopl() < 3 && (!(state.cr4 & kCr4Vme) || size != 2)) return general_protection();
    Stack stack = Stack::present(*this);
    stack.foresee(protected_mode() && !v86() ? 5 * size : 3 * size);
    Frame frame;
    frame.ip = TRY(stack.pop(size));
    frame.cs = static_cast<u16>(TRY(stack.pop(size)));
    frame.flags = static_cast<u32>(TRY(stack.pop(size)));
    if (v86()) return return_within_v86(*this, stack, frame, size);
    if (!protected_mode()) {
        const u32 mask =
            (writable_flags(*this, size) | (size == 4 ? RF : 0u)) & defined_flags(*this);
        return return_real(*this, stack, frame, merged_flags(*this, frame.flags, mask));
    }
    if (size == 4 && (frame.flags & VM) && state.cpl == 0 && !long_mode())
        return return_to_v86(*this, stack, frame);
    return return_protected(*this, stack, frame, size);
}

}  // namespace reprise
