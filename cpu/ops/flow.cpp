/// Jumps, calls, returns, loops, interrupts, ENTER, LEAVE and BOUND.
#include "cpu/alu.h"
#include "cpu/ops/operands.h"

namespace reprise::ops {

namespace {

/// IP is as wide as the operand size; 64-bit mode ignores 66 here.
template <class T>
u64 relative_target(Cpu& cpu, const Insn& insn)
{
    return static_cast<T>(cpu.next_ip(insn) + static_cast<u64>(insn.imm));
}

/// May execution go on at `ip`? Operands of near branches have 64 bits in 64-bit mode, and only there: then
/// CS has no limit, but addresses have to be canonical.
template <class T>
[[gnu::always_inline]] inline bool is_reachable(const Cpu& cpu, u64 ip)
{
    if constexpr (sizeof(T) == 8) return is_canonical(ip);
    else return ip <= cpu.state.seg[CS].limit;
}

/// A near jump beyond CS's limit is #GP(0) before anything changes. In the 8086 IP wraps.
template <class T>
bool within_limit(Cpu& cpu, u64 ip)
{
    return is_reachable<T>(cpu, ip) || cpu.general_protection();
}

/// After a jump beyond the limit. Apart, so that the jumps' own handlers call nothing.
[[gnu::cold, gnu::noinline]] const Insn* beyond_limit(Cpu& cpu, const Insn* insn)
{
    cpu.general_protection();
    return cpu.faulted(insn);
}

/// A relative jump within the segment.
template <class T>
[[gnu::always_inline]] inline const Insn* jump(Cpu& cpu, const Insn& insn, u8 link)
{
    const u64 target = relative_target<T>(cpu, insn);
    if (!is_reachable<T>(cpu, target)) [[unlikely]] return beyond_limit(cpu, &insn);
    return cpu.follow(&insn, link, target);
}

template <int code>
struct Jcc {
    template <class T, Kind, Kind>
    static const Insn* execute(Cpu& cpu, const Insn& insn)
    {
        return condition<code>(cpu.flags) ? jump<T>(cpu, insn, Block::kJump)
                                          : cpu.follow(&insn, Block::kBehind, cpu.next_ip(insn));
    }
};

struct JmpNear {
    template <class T, Kind, Kind>
    static const Insn* execute(Cpu& cpu, const Insn& insn)
    {
        return jump<T>(cpu, insn, Block::kJump);
    }
};

struct JmpIndirect {
    template <class T, Kind D, Kind, Attempt attempt>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        const T target = TRY((destination<T, D, attempt>(cpu, insn)));
        if (!within_limit<T>(cpu, target)) return {};
        return cpu.follow_indirect(&insn, target);
    }
};

struct CallNear {
    template <class T, Kind, Kind, Attempt attempt>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        const u64 target = relative_target<T>(cpu, insn);
        if (!within_limit<T>(cpu, target)) return {};
        if (!cpu.push<T, attempt>(insn, static_cast<T>(cpu.next_ip(insn)))) return {};
        return cpu.follow(&insn, Block::kJump, target);
    }
};

struct CallIndirect {
    template <class T, Kind D, Kind, Attempt attempt>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        const T target = TRY((destination<T, D, attempt>(cpu, insn)));
        if (!within_limit<T>(cpu, target)) return {};
        if (!cpu.push<T, attempt>(insn, static_cast<T>(cpu.next_ip(insn)))) return {};
        return cpu.follow_indirect(&insn, target);
    }
};

/// RET and RET Iw: imm is 0 without.
struct Ret {
    template <class T, Kind, Kind, Attempt attempt>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        const T target = TRY(cpu.peek<T, attempt>(insn));
        if (!within_limit<T>(cpu, target)) return {};
        cpu.set_sp(cpu.sp() + sizeof(T) + static_cast<u64>(insn.imm));
        return cpu.follow_indirect(&insn, target);
    }
};

enum class Loop : u8 { WhileNotZero, WhileZero, Always };

template <Loop kind>
struct LoopCx {
    template <class T, Kind, Kind>
    static const Insn* execute(Cpu& cpu, const Insn& insn)
    {
        const u64 mask = insn.address_mask();
        const u64 count = (cpu.state.gpr[RCX] - 1) & mask;
        const bool again = count != 0 && (kind == Loop::Always || cpu.flags.zf() == (kind == Loop::WhileZero));
        const u64 target = relative_target<T>(cpu, insn);
        if (again && !is_reachable<T>(cpu, target)) [[unlikely]] return beyond_limit(cpu, &insn);
        if (mask == 0xFFFF) cpu.set_reg<u16>(RCX, static_cast<u16>(count));
        else cpu.state.gpr[RCX] = count;
        return again ? cpu.follow(&insn, Block::kJump, target)
                     : cpu.follow(&insn, Block::kBehind, cpu.next_ip(insn));
    }
};

struct Jcxz {
    template <class T, Kind, Kind>
    static const Insn* execute(Cpu& cpu, const Insn& insn)
    {
        if ((cpu.state.gpr[RCX] & insn.address_mask()) != 0)
            return cpu.follow(&insn, Block::kBehind, cpu.next_ip(insn));
        return jump<T>(cpu, insn, Block::kJump);
    }
};

// ---- Other code segments -------------------------------------------------------------------------

/// After a transfer that has set CS and state.rip.
Flow arrive(Cpu& cpu, const Insn& insn, bool ok)
{
    if (!ok) return {};
    return cpu.follow_indirect(&insn, cpu.state.rip);
}

/// The same where IF or TF may have changed.
Flow arrive_checking(Cpu& cpu, const Insn& insn, bool ok)
{
    if (!ok) return {};
    return cpu.leave(&insn);
}

struct JmpFar {
    template <class T, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        cpu.at(insn);
        const u16 selector = static_cast<u16>(insn.imm >> 32);
        return arrive(cpu, insn, cpu.far_jump(selector, static_cast<u32>(insn.imm), sizeof(T), cpu.next_ip(insn)));
    }
};

struct CallFar {
    template <class T, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        cpu.at(insn);
        const u16 selector = static_cast<u16>(insn.imm >> 32);
        return arrive(cpu, insn, cpu.far_call(selector, static_cast<u32>(insn.imm), sizeof(T), cpu.next_ip(insn)));
    }
};

template <bool call>
struct FarIndirect {
    template <class T, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        cpu.at(insn);
        const u64 address = cpu.address(insn);
        const T offset = TRY(cpu.read<T>(insn, insn.seg, address));
        const u16 selector = TRY(cpu.read<u16>(insn, insn.seg, (address + sizeof(T)) & insn.address_mask()));
        const u64 after = cpu.next_ip(insn);
        return arrive(cpu, insn,
                      call ? cpu.far_call(selector, offset, sizeof(T), after)
                           : cpu.far_jump(selector, offset, sizeof(T), after));
    }
};

struct RetFar {
    template <class T, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        cpu.at(insn);
        return arrive(cpu, insn, cpu.far_return(sizeof(T), static_cast<u16>(insn.imm)));
    }
};

struct Iret {
    template <class T, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        cpu.at(insn);
        cpu.state.rip = cpu.next_ip(insn);  // where a nested task would go on
        if (!cpu.interrupt_return(sizeof(T))) return {};
        return cpu.leave(&insn);
    }
};

template <u8 fixed_vector, bool is_int_n>
struct Int {
    template <class, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        cpu.at(insn);
        const u8 vector = is_int_n ? static_cast<u8>(insn.imm) : fixed_vector;
        if (!cpu.software_interrupt(vector, cpu.next_ip(insn), is_int_n)) return {};
        cpu.cancel_single_step();
        return arrive_checking(cpu, insn, true);
    }
};

struct Into {
    template <class T, Kind D, Kind S>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        if (!cpu.flags.of()) return cpu.follow(&insn, Block::kBehind, cpu.next_ip(insn));
        return Int<kOverflow, false>::execute<T, D, S>(cpu, insn);
    }
};

// ---- Procedures ------------------------------------------------------------------------------------

/// SDM vol. 2A, ENTER. The nesting level is the second immediate, modulo 32.
struct Enter {
    template <class T, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const u16 allocate = static_cast<u16>(insn.imm);
        const u32 level = static_cast<u32>(insn.imm >> 32) % 32;
        const u64 mask = cpu.stack_mask();
        u64 sp = (cpu.sp() - sizeof(T)) & mask;
        if (!cpu.write<T>(insn, SS, sp, cpu.reg<T>(RBP))) return false;
        const T frame = static_cast<T>((cpu.state.gpr[RSP] & ~mask) | sp);
        u64 bp = cpu.state.gpr[RBP];
        for (u32 i = 1; i < level; ++i) {
            bp = (bp & ~mask) | ((bp - sizeof(T)) & mask);
            const T value = TRY(cpu.read<T>(insn, SS, bp & mask));
            sp = (sp - sizeof(T)) & mask;
            if (!cpu.write<T>(insn, SS, sp, value)) return false;
        }
        if (level > 0) {
            sp = (sp - sizeof(T)) & mask;
            if (!cpu.write<T>(insn, SS, sp, frame)) return false;
        }
        sp = (sp - allocate) & mask;
        // The last page of the new frame must be writable (SDM, ENTER: "#SS, #PF").
        if (cpu.at_least(Level::I80286) && !cpu.probe_write(insn, SS, sp, sizeof(T))) return false;
        cpu.set_reg<T>(RBP, frame);
        cpu.set_sp(sp);
        return true;
    }
};

struct Leave {
    template <class T, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const u64 frame = cpu.state.gpr[RBP] & cpu.stack_mask();
        const T value = TRY(cpu.read<T, attempt>(insn, SS, frame));
        cpu.set_sp(frame + sizeof(T));
        cpu.set_reg<T>(RBP, value);
        return true;
    }
};

struct Bound {
    template <class T, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const u64 address = cpu.address(insn);
        const T lower = TRY(cpu.read<T>(insn, insn.seg, address));
        const T upper = TRY(cpu.read<T>(insn, insn.seg, (address + sizeof(T)) & insn.address_mask()));
        const i64 index = sign_extend(cpu.reg<T>(insn.dst));
        if (index < sign_extend(lower) || index > sign_extend(upper)) return cpu.raise(kBoundRange);
        return true;
    }
};

using enum Form;
using enum Carry;

constexpr Row kFar{.carry = End};
constexpr Row kFarOld{.carry = End, .rules = kInvalid64};

constexpr Row kOn8086{.carry = End, .last = Level::I8086};
constexpr Row kBranch{.carry = End, .rules = kForce64};  // 66 is ignored

// clang-format off
constexpr auto kRows = std::to_array<Opcode>({
    row<JmpNear, Jz>(0xE9, "jmp", kBranch),
    row<JmpNear, Jb>(0xEB, "jmp", kBranch),
    row<JmpIndirect, Ev>(0xFF, "jmp", {.carry = End, .rules = kForce64, .reg = 4}),
    row<CallNear, Jz>(0xE8, "call", kBranch),
    row<CallIndirect, Ev>(0xFF, "call", {.carry = End, .rules = kForce64, .reg = 2}),
    row<Ret, eAX>(0xC3, "ret", kBranch),
    row<Ret, Iw>(0xC2, "ret", kBranch),

    row<LoopCx<Loop::WhileNotZero>, Jb>(0xE0, "loopne", {.flags = {.reads = ZF}, .carry = End, .rules = kForce64}),
    row<LoopCx<Loop::WhileZero>, Jb>(0xE1, "loope", {.flags = {.reads = ZF}, .carry = End, .rules = kForce64}),
    row<LoopCx<Loop::Always>, Jb>(0xE2, "loop", kBranch),
    row<Jcxz, Jb>(0xE3, "jcxz", kBranch),

    row<JmpFar, Ap>(0xEA, "jmp far", kFarOld),
    row<CallFar, Ap>(0x9A, "call far", kFarOld),
    row<FarIndirect<true>, M>(0xFF, "call far", {.carry = End, .reg = 3}),
    row<FarIndirect<false>, M>(0xFF, "jmp far", {.carry = End, .reg = 5}),
    row<RetFar, Iw>(0xCA, "retf", kFar),
    row<RetFar, eAX>(0xCB, "retf", kFar),
    row<Iret, eAX>(0xCF, "iret", {.flags = {.writes = kArithmeticFlags | DF}, .carry = End}),
    row<Int<kBreakpoint, false>>(0xCC, "int3", kFar),
    row<Int<0, true>, None, Ib>(0xCD, "int", kFar),
    row<Into>(0xCE, "into", {.flags = {.reads = OF}, .carry = End, .rules = kInvalid64}),
    row<Int<kDebug, false>>(0xF1, "int1", {.carry = End, .level = Level::I80386}),

    // The 8086 does not look at two bits of these opcodes.
    row<Ret, Iw>(0xC0, "ret", kOn8086),
    row<Ret, eAX>(0xC1, "ret", kOn8086),
    row<RetFar, Iw>(0xC8, "retf", kOn8086),
    row<RetFar, eAX>(0xC9, "retf", kOn8086),

    row<Enter, IwIb>(0xC8, "enter", {.level = Level::I80286, .rules = kDefault64}),
    row<Leave, eAX>(0xC9, "leave", {.carry = Copy, .level = Level::I80286, .rules = kDefault64}),
    row<Bound, Gv, M>(0x62, "bound", {.level = Level::I80286, .rules = kInvalid64}),
});
// clang-format on

constexpr std::array<const char*, 16> kNames = {"jo", "jno", "jb", "jnb", "jz", "jnz", "jbe", "jnbe",
                                                "js", "jns", "jp", "jnp", "jl", "jnl", "jle", "jnle"};
constexpr std::array<u32, 8> kConditionReads = {OF, CF, ZF, CF | ZF, SF, PF, SF | OF, ZF | SF | OF};

template <int... code>
constexpr std::array<Opcode, 48> jcc_rows(std::integer_sequence<int, code...>)
{
    return {row<Jcc<code>, Jb>(0x70 + code, kNames[code],
                               {.flags = {.reads = kConditionReads[code >> 1]}, .carry = End, .rules = kForce64})...,
            row<Jcc<code>, Jz>(0x180 + code, kNames[code],
                               {.flags = {.reads = kConditionReads[code >> 1]}, .carry = End, .level = Level::I80386, .rules = kForce64})...,
            row<Jcc<code>, Jb>(0x60 + code, kNames[code],  // nor at the lowest bit of 70 to 7F's first digit
                               {.flags = {.reads = kConditionReads[code >> 1]}, .carry = End, .last = Level::I8086})...};
}

constexpr auto kAllRows = concatenate(kRows, jcc_rows(std::make_integer_sequence<int, 16>{}));

}  // namespace

std::span<const Opcode> flow_rows() { return kAllRows; }

}  // namespace reprise::ops
