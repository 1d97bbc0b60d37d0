/// What depends on the model: CPUID, time, model specific registers, fast system calls, bases of FS and
/// GS, supervisor access to the user's pages, and hints.
#include "cpu/alu.h"
#include "cpu/cpuid.h"
#include "cpu/ops/operands.h"

namespace reprise::ops {

namespace {

/// Privileged instructions: #GP(0) outside of CPL 0 (V86 mode is CPL 3).
bool privileged(Cpu& cpu) { return cpu.state.cpl == 0 || cpu.general_protection(); }

/// EDX:EAX, each with its upper half cleared.
void set_edx_eax(Cpu& cpu, u64 value)
{
    cpu.set_reg<u32>(RAX, static_cast<u32>(value));
    cpu.set_reg<u32>(RDX, static_cast<u32>(value >> 32));
}

struct Cpuid {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn&)
    {
        if (!cpu.model().has_cpuid) return cpu.undefined_opcode();
        const CpuidLeaf leaf = cpuid(cpu, cpu.reg<u32>(RAX), cpu.reg<u32>(RCX));
        cpu.set_reg<u32>(RAX, leaf.eax);
        cpu.set_reg<u32>(RBX, leaf.ebx);
        cpu.set_reg<u32>(RCX, leaf.ecx);
        cpu.set_reg<u32>(RDX, leaf.edx);
        return true;
    }
};

// ---- Time --------------------------------------------------------------------------------------

bool may_read_tsc(Cpu& cpu)
{
    return !(cpu.state.cr4 & kCr4Tsd) || cpu.state.cpl == 0 || cpu.general_protection();
}

struct Rdtsc {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!cpu.model().has(Feature::Tsc)) return cpu.undefined_opcode();
        if (!may_read_tsc(cpu)) return false;
        cpu.at(insn);
        set_edx_eax(cpu, cpu.time_stamp());
        return true;
    }
};

struct Rdtscp {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!may_read_tsc(cpu)) return false;
        cpu.at(insn);
        set_edx_eax(cpu, cpu.time_stamp());
        cpu.set_reg<u32>(RCX, static_cast<u32>(cpu.state.msr.tsc_aux));
        return true;
    }
};

// ---- Model specific registers ------------------------------------------------------------------

struct ReadModelSpecific {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!cpu.model().has(Feature::Msr)) return cpu.undefined_opcode();
        if (!privileged(cpu)) return false;
        cpu.at(insn);
        set_edx_eax(cpu, TRY(read_msr(cpu, cpu.reg<u32>(RCX))));
        return true;
    }
};

/// Ends its block: paging may have changed.
struct WriteModelSpecific {
    template <class, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        if (!cpu.model().has(Feature::Msr)) return cpu.undefined_opcode(), Flow{};
        if (!privileged(cpu)) return {};
        cpu.at(insn);
        const u64 value = u64{cpu.reg<u32>(RDX)} << 32 | cpu.reg<u32>(RAX);
        if (!write_msr(cpu, cpu.reg<u32>(RCX), value)) return {};
        cpu.state.rip = cpu.next_ip(insn);
        return cpu.leave(&insn);
    }
};

// ---- System calls ------------------------------------------------------------------------------

Flow arrive(Cpu& cpu, const Insn& insn, bool ok) { return ok ? Flow{cpu.leave(&insn)} : Flow{}; }

/// Intel's SYSCALL and SYSRET exist in 64-bit mode only.
bool has_system_call(const Cpu& cpu) { return cpu.mode64() && (cpu.state.msr.efer & kEferSce); }

struct Syscall {
    template <class, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        if (!has_system_call(cpu)) return cpu.undefined_opcode(), Flow{};
        cpu.system_call(cpu.next_ip(insn));
        return arrive(cpu, insn, true);
    }
};

struct Sysret {
    template <class T, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        if (!has_system_call(cpu)) return cpu.undefined_opcode(), Flow{};
        return arrive(cpu, insn, cpu.system_return(sizeof(T) == 8));
    }
};

struct Sysenter {
    template <class, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        return arrive(cpu, insn, cpu.system_enter());
    }
};

struct Sysexit {
    template <class T, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        return arrive(cpu, insn, cpu.system_exit(sizeof(T) == 8));
    }
};

// ---- Bases of FS and GS ------------------------------------------------------------------------

struct Swapgs {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn&)
    {
        if (!privileged(cpu)) return false;
        const u64 base = cpu.state.seg[GS].base;
        cpu.set_segment_base(GS, cpu.state.msr.kernel_gs_base);
        cpu.state.msr.kernel_gs_base = base;
        return true;
    }
};

template <Seg seg>
struct ReadBase {
    template <class T, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!(cpu.state.cr4 & kCr4Fsgsbase)) return cpu.undefined_opcode();
        cpu.set_reg<T>(insn.dst, static_cast<T>(cpu.state.seg[seg].base));
        return true;
    }
};

template <Seg seg>
struct WriteBase {
    template <class T, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!(cpu.state.cr4 & kCr4Fsgsbase)) return cpu.undefined_opcode();
        const u64 base = cpu.reg<T>(insn.dst);
        if (!is_canonical(base)) return cpu.general_protection();
        cpu.set_segment_base(seg, base);
        return true;
    }
};

// ---- The rest ----------------------------------------------------------------------------------

/// STAC and CLAC; #UD outside of level 0.
template <bool set>
struct AccessFlag {
    template <class, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        if (cpu.state.cpl != 0) return cpu.undefined_opcode(), Flow{};
        if (set) cpu.state.rflags |= AC;
        else cpu.state.rflags &= ~static_cast<u32>(AC);
        cpu.update_mode();
        return cpu.follow(&insn, Block::kBehind, cpu.next_ip(insn));
    }
};

struct Nop {
    template <class, Kind, Kind>
    static bool execute(Cpu&, const Insn&)
    {
        return true;
    }
};

using enum Form;
using enum Carry;

// clang-format off
constexpr auto kRows = std::to_array<Opcode>({
    row<Cpuid>             (0x1A2, "cpuid", {.level = Level::I80486}),
    row<Rdtsc>             (0x131, "rdtsc", {.level = Level::I80486}),
    row<Rdtscp>            (0x101, "rdtscp", {.reg = 7, .mod3 = 1, .rm = 1, .feature = Feature::Rdtscp}),
    row<WriteModelSpecific>(0x130, "wrmsr", {.carry = End, .level = Level::I80486}),
    row<ReadModelSpecific> (0x132, "rdmsr", {.level = Level::I80486}),

    row<Syscall>           (0x105, "syscall", {.carry = End, .rules = kOnly64 | kForce64, .feature = Feature::Syscall}),
    row<Sysret, eAX>       (0x107, "sysret", {.carry = End, .rules = kOnly64, .feature = Feature::Syscall}),
    row<Sysenter>          (0x134, "sysenter", {.carry = End, .feature = Feature::Sep}),
    row<Sysexit, eAX>      (0x135, "sysexit", {.carry = End, .feature = Feature::Sep}),

    row<Swapgs>            (0x101, "swapgs", {.rules = kOnly64, .reg = 7, .mod3 = 1, .rm = 0, .feature = Feature::LongMode}),
    row<ReadBase<FS>, Ry>  (0x1AE, "rdfsbase", {.rules = kOnly64, .reg = 0, .mod3 = 1, .feature = Feature::FsGsBase, .prefix = Mandatory::PF3}),
    row<ReadBase<GS>, Ry>  (0x1AE, "rdgsbase", {.rules = kOnly64, .reg = 1, .mod3 = 1, .feature = Feature::FsGsBase, .prefix = Mandatory::PF3}),
    row<WriteBase<FS>, Ry> (0x1AE, "wrfsbase", {.rules = kOnly64, .reg = 2, .mod3 = 1, .feature = Feature::FsGsBase, .prefix = Mandatory::PF3}),
    row<WriteBase<GS>, Ry> (0x1AE, "wrgsbase", {.rules = kOnly64, .reg = 3, .mod3 = 1, .feature = Feature::FsGsBase, .prefix = Mandatory::PF3}),
    row<AccessFlag<false>> (0x101, "clac", {.carry = End, .reg = 1, .mod3 = 1, .rm = 2, .feature = Feature::Smap, .prefix = Mandatory::None}),
    row<AccessFlag<true>>  (0x101, "stac", {.carry = End, .reg = 1, .mod3 = 1, .rm = 3, .feature = Feature::Smap, .prefix = Mandatory::None}),

    row<Nop, Ev>           (0x10D, "nop", {.carry = Copy, .level = Level::X64}),
});
// clang-format on

}  // namespace

std::span<const Opcode> model_rows() { return kRows; }

}  // namespace reprise::ops
