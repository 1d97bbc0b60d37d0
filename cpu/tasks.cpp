/// Task switches: SDM vol. 3A, chapter 7 (7.2 for the TSS, 7.3 for the order of events).
#include "cpu/protection.h"

namespace reprise {

namespace {

/// Where the fields of a TSS are (SDM vol. 3A, figures 7-2 and 7-10).
struct TssLayout {
    u64 ip, flags, gpr, seg, ldt;
    int size;      // of a register in bytes; selectors use as many
    int segments;  // ES, CS, SS, DS, and FS, GS in the 32-bit one
    u32 limit;     // the least that it needs
};
constexpr TssLayout kTss16{0x0E, 0x10, 0x12, 0x22, 0x2A, 2, 4, 0x2B};
constexpr TssLayout kTss32{0x20, 0x24, 0x28, 0x48, 0x60, 4, 6, 0x67};
constexpr u64 kTss32Cr3 = 0x1C;
constexpr u64 kTss32Trap = 0x64;

/// A task as its TSS holds it.
struct Task {
    u64 ip = 0;
    u32 flags = 0;
    std::array<u32, 8> gpr{};
    std::array<u16, 6> selector{};
    u16 ldt = 0;
    u64 cr3 = 0;
    bool wide = false;  // a 32-bit TSS
    bool trap = false;  // T: #DB before the first instruction
};

Fallible<Task> read_task(Cpu& cpu, u64 base, const TssLayout& tss)
{
    Task task;
    const u64 size = static_cast<u64>(tss.size);
    task.wide = tss.size == 4;
    task.ip = TRY(cpu.read_system(base + tss.ip, tss.size));
    task.flags = static_cast<u32>(TRY(cpu.read_system(base + tss.flags, tss.size)));
    for (u64 i = 0; i < 8; ++i)
        task.gpr[i] = static_cast<u32>(TRY(cpu.read_system(base + tss.gpr + i * size, tss.size)));
    for (u64 i = 0; i < static_cast<u64>(tss.segments); ++i)
        task.selector[i] = static_cast<u16>(TRY(cpu.read_system(base + tss.seg + i * size, 2)));
    task.ldt = static_cast<u16>(TRY(cpu.read_system(base + tss.ldt, 2)));
    if (task.wide) {
        task.cr3 = TRY(cpu.read_system(base + kTss32Cr3, 4));
        task.trap = TRY(cpu.read_system(base + kTss32Trap, 1)) & 1;
    }
    return task;
}

bool save_task(Cpu& cpu, u64 base, const TssLayout& tss, u32 flags, u64 next)
{
    const u64 size = static_cast<u64>(tss.size);
    if (!cpu.write_system(base + tss.ip, tss.size, next) ||
        !cpu.write_system(base + tss.flags, tss.size, flags))
        return false;
    for (u64 i = 0; i < 8; ++i)
        if (!cpu.write_system(base + tss.gpr + i * size, tss.size, cpu.state.gpr[i])) return false;
    for (u64 i = 0; i < static_cast<u64>(tss.segments); ++i)
        if (!cpu.write_system(base + tss.seg + i * size, 2, cpu.state.seg[i].selector))
            return false;
    return true;
}

/// The TSS descriptor of the task to switch to. A return goes to a busy one.
Fallible<Cpu::Descriptor> find_tss(Cpu& cpu, u16 selector, bool is_return)
{
    const u8 vector = is_return ? kInvalidTss : kGeneralProtection;
    const u16 error = selector_error(selector);
    const auto fault = [&](u8 which) {
        cpu.raise(which, error);
        return Fallible<Cpu::Descriptor>{};
    };
    if (is_null(selector) || in_ldt(selector)) return fault(vector);
    const Cpu::Descriptor d = TRY(cpu.fetch_descriptor(selector, vector));
    const u8 type = system_type(cpu, d);
    const bool valid = is_return ? type == kTss16Busy || type == kTss32Busy
                                 : type == kTss16Available || type == kTss32Available;
    if (!valid) return fault(vector);
    if (!d.present()) return fault(kSegmentNotPresent);
    const u32 least = type & kAnyTss32Bit ? kTss32.limit : kTss16.limit;
    if (d.segment(selector).limit < least) return fault(kInvalidTss);
    return d;
}

/// Registers without what their selectors stand for: from here on, faults are the new task's.
bool enter_task(Cpu& cpu, const Task& task, bool nested)
{
    CpuState& state = cpu.state;
    for (u8 r = 0; r < 8; ++r) {
        if (task.wide) cpu.set_reg<u32>(r, task.gpr[r]);
        else cpu.set_reg<u16>(r, static_cast<u16>(task.gpr[r]));
    }
    for (u8 i = 0; i < 6; ++i) cpu.set_segment(i, null_segment(task.selector[i]));
    state.ldtr = null_segment(task.ldt);
    state.rip = task.ip;
    const u32 flags = (task.flags & defined_flags(cpu)) | (nested ? NT : 0u);
    state.cpl = flags & VM ? 3 : rpl_of(task.selector[CS]);
    cpu.set_eflags(flags);
    cpu.set_cr0(state.cr0 | kCr0Ts);
    // Breakpoints and exact matches enabled for the old task only: L0..L3 and LE.
    constexpr u64 kLocalEnables = 0x155;
    if (state.dr[7] & kLocalEnables)
        static_cast<void>(cpu.write_dr(7, state.dr[7] & ~kLocalEnables));
    return !task.wide || !(state.cr0 & kCr0Pg) || cpu.load_cr3(task.cr3);
}

bool load_task_ldt(Cpu& cpu, u16 selector)
{
    if (is_null(selector)) return true;
    const u16 error = selector_error(selector);
    if (in_ldt(selector)) return cpu.raise(kInvalidTss, error);
    const Cpu::Descriptor d = TRY(cpu.fetch_descriptor(selector, kInvalidTss));
    if (system_type(cpu, d) != kLdt || !d.present()) return cpu.raise(kInvalidTss, error);
    cpu.state.ldtr = d.segment(selector);
    return true;
}

bool load_task_code(Cpu& cpu, u16 selector)
{
    if (is_null(selector)) return cpu.raise(kInvalidTss, 0);
    Cpu::Descriptor d = TRY(cpu.fetch_descriptor(selector, kInvalidTss));
    const Segment cs = d.segment(selector);
    const bool allowed =
        cs.is_conforming() ? cs.dpl() <= rpl_of(selector) : cs.dpl() == rpl_of(selector);
    if (!cs.is_code() || !allowed) return cpu.raise(kInvalidTss, selector_error(selector));
    if (!cs.present()) return cpu.raise(kSegmentNotPresent, selector_error(selector));
    if (!cpu.set_accessed(d)) return false;
    cpu.set_segment(CS, d.segment(selector));
    return true;
}

bool load_task_stack(Cpu& cpu, u16 selector)
{
    if (is_null(selector)) return cpu.raise(kInvalidTss, 0);
    Cpu::Descriptor d = TRY(cpu.fetch_descriptor(selector, kInvalidTss));
    const Segment ss = d.segment(selector);
    const u8 cpl = cpu.state.cpl;
    if (!ss.is_writable() || ss.dpl() != cpl || rpl_of(selector) != cpl)
        return cpu.raise(kInvalidTss, selector_error(selector));
    if (!ss.present()) return cpu.raise(kStackFault, selector_error(selector));
    if (!cpu.set_accessed(d)) return false;
    cpu.set_segment(SS, d.segment(selector));
    return true;
}

bool load_task_data(Cpu& cpu, u8 seg, u16 selector)
{
    if (is_null(selector)) return true;
    Cpu::Descriptor d = TRY(cpu.fetch_descriptor(selector, kInvalidTss));
    const Segment s = d.segment(selector);
    const u8 level = std::max(cpu.state.cpl, rpl_of(selector));
    if (!s.is_readable() || (!s.is_conforming() && s.dpl() < level))
        return cpu.raise(kInvalidTss, selector_error(selector));
    if (!s.present()) return cpu.raise(kSegmentNotPresent, selector_error(selector));
    if (!cpu.set_accessed(d)) return false;
    cpu.set_segment(seg, d.segment(selector));
    return true;
}

bool load_task_segments(Cpu& cpu, const Task& task)
{
    if (!load_task_ldt(cpu, task.ldt)) return false;
    if (cpu.v86()) {
        for (u8 seg = 0; seg < 6; ++seg) cpu.load_segment_real(seg, task.selector[seg]);
        return true;
    }
    if (!load_task_code(cpu, task.selector[CS]) || !load_task_stack(cpu, task.selector[SS]))
        return false;
    for (const u8 seg : {ES, DS, FS, GS})
        if (!load_task_data(cpu, seg, task.selector[seg])) return false;
    return true;
}

/// What remains to be done, and may fault, when the new task is the current one.
bool complete_task(Cpu& cpu, const Task& task, const Fault* error)
{
    if (!load_task_segments(cpu, task)) return false;
    if (error && error->has_error_code) {
        Stack stack = Stack::present(cpu);
        if (!stack.push(task.wide ? 4 : 2, error->error_code)) return false;
        cpu.set_sp(stack.sp());
    }
    return cpu.state.rip <= cpu.state.seg[CS].limit || cpu.general_protection();
}

}  // namespace

/// False: a fault in the old task, which goes on. A fault in the new task's context leaves that
/// task current and the fault pending, and the switch has succeeded.
bool Cpu::switch_task(u16 selector, TaskSwitch reason, u64 next, const Fault* error)
{
    const bool nests = reason == TaskSwitch::Call, returns = reason == TaskSwitch::Return;
    const Descriptor target = TRY(find_tss(*this, selector, returns));
    const Segment old = state.tr;
    const TssLayout& old_layout = has_tss32(*this) ? kTss32 : kTss16;
    if (old.limit < old_layout.limit) return raise(kInvalidTss, selector_error(old.selector));
    Segment fresh = target.segment(selector);
    const Task task =
        TRY(read_task(*this, fresh.base, target.type() & kAnyTss32Bit ? kTss32 : kTss16));

    // Whatever is going to be written is mapped, so that the switch is not left half done.
    const u64 old_access = state.gdtr.base + (old.selector & 0xFFF8u) + kAccessByte;
    const u64 link = nests ? fresh.base : old.base;
    const u64 new_access = target.address + kAccessByte;
    for (const u64 linear : {old.base, old.base + old_layout.limit, old_access, new_access, link})
        if (!translate(linear & 0xFFFFFFFF, Access::Write, Rights::Supervisor)) return false;

    u32 image = eflags();
    if (returns) image &= ~static_cast<u32>(NT);
    if (error && resumes_with_rf(error->vector)) image |= RF;
    if (!save_task(*this, old.base, old_layout, image, next)) return false;
    if (!nests) {
        const u64 access = TRY(read_system(old_access, 1));
        if (!write_system(old_access, 1, access & ~u64{kTssBusyBit})) return false;
    } else if (!write_system(fresh.base, 2, old.selector)) {
        return false;
    }
    if (!write_system(new_access, 1, bits(target.raw, 47, 40) | kTssBusyBit)) return false;

    fresh.access |= kTssBusyBit;
    state.tr = fresh;
    const bool complete = enter_task(*this, task, nests) && complete_task(*this, task, error);
    // T is a trap: its #DB comes before the new task's first instruction.
    if (complete && task.trap) state.pending_debug |= 1u << 15;
    attention();
    return true;
}

}  // namespace reprise
