/// MOV and its relatives, PUSH and POP, XCHG, LEA, conversions, SETcc, CMOVcc, and flag transfers.
#include "cpu/alu.h"
#include "cpu/ops/operands.h"
#include "cpu/protection.h"

namespace reprise::ops {

namespace {

struct Mov {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T value = TRY((source<T, S, attempt>(cpu, insn)));
        return assign<T, D, attempt>(cpu, insn, value);
    }
};

/// A0..A3: the address is in the instruction, as wide as addresses are.
struct MovFromOffset {
    template <class T, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        cpu.set_reg<T>(RAX, TRY(cpu.read<T, attempt>(insn, insn.seg, static_cast<u64>(insn.imm))));
        return true;
    }
};

struct MovToOffset {
    template <class T, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        return cpu.write<T, attempt>(insn, insn.seg, static_cast<u64>(insn.imm), cpu.reg<T>(RAX));
    }
};

template <class From, bool is_signed>
struct Extend {
    template <class T, Kind, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const From value = TRY((source<From, S, attempt>(cpu, insn)));
        cpu.set_reg<T>(insn.dst, is_signed ? static_cast<T>(sign_extend(value)) : static_cast<T>(value));
        return true;
    }
};

struct Xchg {
    template <class T, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T value = cpu.reg<T>(insn.src);
        T old{};
        const bool ok = modify<T, D, attempt>(cpu, insn, [&](T a) {
            old = a;
            return value;
        });
        if (!ok) return false;
        cpu.set_reg<T>(insn.src, old);
        return true;
    }
};

/// 90..97. 90 without REX.B is NOP.
struct XchgAccumulator {
    template <class T, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (insn.dst == RAX) return true;
        const T value = cpu.reg<T>(insn.dst);
        cpu.set_reg<T>(insn.dst, cpu.reg<T>(RAX));
        cpu.set_reg<T>(RAX, value);
        return true;
    }
};

struct Lea {
    template <class T, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        cpu.set_reg<T>(insn.dst, static_cast<T>(cpu.address(insn)));
        return true;
    }
};

struct Xlat {
    template <class, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const u64 address = (cpu.state.gpr[RBX] + cpu.reg<u8>(RAX)) & insn.address_mask();
        cpu.set_reg<u8>(RAX, TRY(cpu.read<u8, attempt>(insn, insn.seg, address)));
        return true;
    }
};

/// CBW CWDE CDQE.
struct ConvertAccumulator {
    template <class T, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn&)
    {
        if constexpr (sizeof(T) == 2) cpu.set_reg<T>(RAX, static_cast<T>(sign_extend(cpu.reg<u8>(RAX))));
        else if constexpr (sizeof(T) == 4) cpu.set_reg<T>(RAX, static_cast<T>(sign_extend(cpu.reg<u16>(RAX))));
        else cpu.set_reg<T>(RAX, static_cast<T>(sign_extend(cpu.reg<u32>(RAX))));
        return true;
    }
};

/// CWD CDQ CQO.
struct ConvertDouble {
    template <class T, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn&)
    {
        cpu.set_reg<T>(RDX, sign(cpu.reg<T>(RAX)) ? static_cast<T>(~T{0}) : T{0});
        return true;
    }
};

// ---- Stack -------------------------------------------------------------------------------------

struct Push {
    template <class T, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        T value;
        if constexpr (D == Kind::Imm) value = static_cast<T>(insn.imm);
        else value = TRY((destination<T, D, attempt>(cpu, insn)));
        return cpu.push<T, attempt>(insn, value);
    }
};

/// The 8086 pushes SP as it is after the push (iAPX 286 PRM, C.1).
struct PushSpOf8086 {
    template <class T, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        return cpu.push<T>(insn, static_cast<T>(cpu.state.gpr[RSP] - sizeof(T)));
    }
};

/// 0F in the 8086. What has been fetched ahead is not discarded there; it is here.
struct PopCs {
    template <class T, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        const T selector = TRY(cpu.peek<T>(insn));
        cpu.set_sp(cpu.sp() + sizeof(T));
        cpu.load_segment_real(CS, selector);
        cpu.state.rip = cpu.next_ip(insn);
        return cpu.leave(&insn);
    }
};

struct PopRegister {
    template <class T, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T value = TRY(cpu.peek<T, attempt>(insn));
        cpu.set_sp(cpu.sp() + sizeof(T));
        cpu.set_reg<T>(insn.dst, value);
        return true;
    }
};

/// An address with (E)SP as its base is computed after SP was incremented (SDM vol. 2B, POP).
struct PopMemory {
    template <class T, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T value = TRY(cpu.peek<T, attempt>(insn));
        const u64 old = cpu.state.gpr[RSP];
        cpu.set_sp(cpu.sp() + sizeof(T));
        if (assign<T, D, attempt>(cpu, insn, value)) return true;
        // The 286 does not take SP back after a fault (80286 hardware tests).
        if (attempt == Attempt::Fast || cpu.at_least(Level::I80386)) cpu.state.gpr[RSP] = old;
        return false;
    }
};

struct Pusha {
    template <class T, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const u64 sp = cpu.sp();
        for (u8 i = 0; i < 8; ++i) {
            const u64 at = (sp - (i + 1u) * sizeof(T)) & cpu.stack_mask();
            if (!cpu.write<T>(insn, SS, at, cpu.reg<T>(i))) return false;
        }
        cpu.set_sp(sp - 8 * sizeof(T));
        return true;
    }
};

struct Popa {
    template <class T, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        std::array<T, 8> values{};
        for (u8 i = 0; i < 8; ++i) values[7 - i] = TRY(cpu.peek<T>(insn, i * sizeof(T)));
        cpu.set_sp(cpu.sp() + 8 * sizeof(T));
        for (u8 i = 0; i < 8; ++i)
            if (i != RSP) cpu.set_reg<T>(i, values[i]);
        return true;
    }
};

template <Seg seg>
struct PushSegment {
    template <class T, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        // Only 16 bits are written, whatever the operand size (SDM vol. 2B, PUSH, "the
        // processor either zero-extends or writes the low 16 bits"; since the 386 it writes 16). In 64
        // bits the selector is zero-extended.
        using Written = std::conditional_t<sizeof(T) == 8, u64, u16>;
        const u64 sp = (cpu.sp() - sizeof(T)) & cpu.stack_mask();
        if (!cpu.write<Written, attempt>(insn, SS, sp, cpu.state.seg[seg].selector)) return false;
        cpu.set_sp(sp);
        return true;
    }
};

/// A load of SS holds back interrupts and debug traps for one instruction (SDM vol. 3A, 6.8.3).
Flow after_stack_segment(Cpu& cpu, const Insn& insn)
{
    cpu.state.interrupt_shadow = cpu.state.debug_shadow = true;
    cpu.state.rip = cpu.next_ip(insn);
    return cpu.leave(&insn);
}

template <Seg seg, class T>
bool pop_segment(Cpu& cpu, const Insn& insn)
{
    const u16 selector = TRY(cpu.peek<u16>(insn));
    const u64 sp = cpu.sp() + sizeof(T), mask = cpu.stack_mask();
    if (seg == SS || !cpu.load_data_segment_real(seg, selector)) {
        cpu.at(insn);
        if (!cpu.load_segment(seg, selector)) return false;
    }
    cpu.state.gpr[RSP] = (cpu.state.gpr[RSP] & ~mask) | (sp & mask);
    return true;
}

template <Seg seg>
struct PopSegment {
    template <class T, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        return pop_segment<seg, T>(cpu, insn);
    }
};

struct PopStackSegment {
    template <class T, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        if (!pop_segment<SS, T>(cpu, insn)) return {};
        return after_stack_segment(cpu, insn);
    }
};

/// MOV Sw, Ew. CS as the destination is #UD since the 286.
template <Seg seg>
struct MovToSegment {
    template <class, Kind, Kind S>
    static auto execute(Cpu& cpu, const Insn& insn)
    {
        if constexpr (seg == SS) return load_stack_segment<S>(cpu, insn);
        else if constexpr (seg == CS) return load_code_segment<S>(cpu, insn);
        else return load<S>(cpu, insn);
    }

private:
    template <Kind S>
    static bool load(Cpu& cpu, const Insn& insn)
    {
        const u16 selector = TRY((source<u16, S>(cpu, insn)));
        if (cpu.load_data_segment_real(seg, selector)) return true;
        cpu.at(insn);
        return cpu.load_segment(seg, selector);
    }

    template <Kind S>
    static Flow load_code_segment(Cpu& cpu, const Insn& insn)
    {
        if (cpu.at_least(Level::I80286)) return cpu.undefined_opcode(), Flow{};
        const u16 selector = TRY((source<u16, S>(cpu, insn)));
        cpu.load_segment_real(CS, selector);
        cpu.state.rip = cpu.next_ip(insn);
        return cpu.leave(&insn);
    }

    template <Kind S>
    static Flow load_stack_segment(Cpu& cpu, const Insn& insn)
    {
        const u16 selector = TRY((source<u16, S>(cpu, insn)));
        cpu.at(insn);
        if (!cpu.load_segment(SS, selector)) return {};
        return after_stack_segment(cpu, insn);
    }
};

/// To memory 16 bits are written; to a register, the operand size (SDM vol. 2B, MOV).
struct MovFromSegment {
    template <class T, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const u16 selector = cpu.state.seg[insn.src].selector;
        if constexpr (D == Kind::Mem) return assign<u16, D, attempt>(cpu, insn, selector);
        else return assign<T, D, attempt>(cpu, insn, selector);
    }
};

/// LES LDS LSS LFS LGS.
template <Seg seg>
struct LoadFarPointer {
    template <class T, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const u64 address = cpu.address(insn);
        const T offset = TRY(cpu.read<T>(insn, insn.seg, address));
        const u16 selector =
            TRY(cpu.read<u16>(insn, insn.seg, (address + sizeof(T)) & insn.address_mask()));
        if (seg == SS || !cpu.load_data_segment_real(seg, selector)) {
            cpu.at(insn);
            if (!cpu.load_segment(seg, selector)) return false;
        }
        cpu.set_reg<T>(insn.dst, offset);
        return true;
    }
};

// ---- Flags -------------------------------------------------------------------------------------

/// 64-bit mode began without LAHF and SAHF.
bool has_lahf(const Cpu& cpu) { return !cpu.mode64() || cpu.model().has(Feature::LahfSahf64); }

struct Lahf {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn&)
    {
        if (!has_lahf(cpu)) return cpu.undefined_opcode();
        const u32 low = (cpu.flags.get() & 0xD5) | kReservedSetFlags;
        cpu.set_reg<u8>(RAX | kHighByte, static_cast<u8>(low));
        return true;
    }
};

struct Sahf {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn&)
    {
        if (!has_lahf(cpu)) return cpu.undefined_opcode();
        cpu.flags.set((cpu.flags.get() & OF) | (cpu.reg<u8>(RAX | kHighByte) & 0xD5));
        return true;
    }
};

/// The image has RF and VM clear (SDM vol. 2B, PUSHF). In V86 mode with IOPL < 3 and VME, IF is VIF.
struct Pushf {
    template <class T, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        u32 image = sizeof(T) == 2 ? flags_image16(cpu) : cpu.eflags() & ~static_cast<u32>(RF | VM);
        if (cpu.v86() && cpu.iopl() < 3) {
            if (sizeof(T) != 2 || !(cpu.state.cr4 & kCr4Vme)) return cpu.general_protection();
            image = (image & ~static_cast<u32>(IF)) | IOPL | (cpu.state.rflags & VIF ? IF : 0u);
        }
        return cpu.push<T>(insn, static_cast<T>(image));
    }
};

struct Popf {
    template <class T, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        cpu.at(insn);
        const u32 image = static_cast<u32>(TRY(cpu.peek<T>(insn)));
        const u32 old = cpu.eflags();
        u32 result = 0;
        if (cpu.v86() && cpu.iopl() < 3) {
            // SDM vol. 3B, 20.3.3: with VME a 16-bit POPF sets VIF from IF.
            const bool pending = (image & IF) && (old & VIP);
            if (sizeof(T) != 2 || !(cpu.state.cr4 & kCr4Vme) || pending || (image & TF))
                return cpu.general_protection(), Flow{};
            const u32 writable = 0xFFFF & defined_flags(cpu) & ~static_cast<u32>(IOPL | IF);
            result = (old & ~(writable | VIF)) | (image & writable) | (image & IF ? VIF : 0u);
        } else {
            u32 writable = writable_flags(cpu, sizeof(T) == 2 ? 2 : 4);
            if (cpu.v86()) writable &= ~static_cast<u32>(IOPL | VM | VIP | VIF);
            result = (old & ~writable) | (image & writable);
            if (sizeof(T) != 2) result &= ~static_cast<u32>(RF);
        }
        cpu.set_sp(cpu.sp() + sizeof(T));
        cpu.set_eflags(result);
        cpu.attention();
        cpu.state.rip = cpu.next_ip(insn);
        return cpu.leave(&insn);
    }
};

// ---- Conditions --------------------------------------------------------------------------------

template <int code>
struct Set {
    template <class, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        return assign<u8, D, attempt>(cpu, insn, condition<code>(cpu.flags));
    }
};

/// The source is read whether the condition holds or not; a 32-bit destination is zero-extended
/// in any case.
template <int code>
struct Cmov {
    template <class T, Kind, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T value = TRY((source<T, S, attempt>(cpu, insn)));
        cpu.set_reg<T>(insn.dst, condition<code>(cpu.flags) ? value : cpu.reg<T>(insn.dst));
        return true;
    }
};

using enum Form;
using enum Carry;

constexpr Row kMoves{.carry = Copy};
constexpr Row kStack{.carry = Copy, .rules = kDefault64};

// clang-format off
constexpr Row kOn8086{.last = Level::I8086};

constexpr auto kRows = std::to_array<Opcode>({
    row<Mov, Eb, Gb>(0x88, "mov", kMoves),
    row<Mov, Ev, Gv>(0x89, "mov", kMoves),
    row<Mov, Gb, Eb>(0x8A, "mov", kMoves),
    row<Mov, Gv, Ev>(0x8B, "mov", kMoves),
    row<MovFromSegment, Ev, Sw>(0x8C, "mov"),
    row<MovToSegment<ES>, Sw, Ew>(0x8E, "mov", {.reg = ES}),
    row<MovToSegment<CS>, Sw, Ew>(0x8E, "mov", {.carry = End, .reg = CS}),
    row<MovToSegment<SS>, Sw, Ew>(0x8E, "mov", {.carry = End, .reg = SS}),
    row<MovToSegment<DS>, Sw, Ew>(0x8E, "mov", {.reg = DS}),
    row<MovToSegment<FS>, Sw, Ew>(0x8E, "mov", {.level = Level::I80386, .reg = FS}),
    row<MovToSegment<GS>, Sw, Ew>(0x8E, "mov", {.level = Level::I80386, .reg = GS}),
    row<MovFromOffset, AL, Ob>(0xA0, "mov"),
    row<MovFromOffset, eAX, Ov>(0xA1, "mov"),
    row<MovToOffset, Ob, AL>(0xA2, "mov"),
    row<MovToOffset, Ov, eAX>(0xA3, "mov"),
    row<Mov, Eb, Ib>(0xC6, "mov", {.carry = Copy, .reg = 0}),
    row<Mov, Ev, Iz>(0xC7, "mov", {.carry = Copy, .reg = 0}),

    row<Extend<u8, false>,  Gv, Eb>(0x1B6, "movzx", {.carry = Copy, .level = Level::I80386}),
    row<Extend<u16, false>, Gv, Ew>(0x1B7, "movzx", {.carry = Copy, .level = Level::I80386}),
    row<Extend<u8, true>,   Gv, Eb>(0x1BE, "movsx", {.carry = Copy, .level = Level::I80386}),
    row<Extend<u16, true>,  Gv, Ew>(0x1BF, "movsx", {.carry = Copy, .level = Level::I80386}),
    row<Extend<u32, true>,  Gv, Ev>(0x63, "movsxd", {.carry = Copy, .rules = kOnly64}),

    row<Xchg, Eb, Gb>(0x86, "xchg", {.carry = Copy, .rules = kLockable}),
    row<Xchg, Ev, Gv>(0x87, "xchg", {.carry = Copy, .rules = kLockable}),
    row<Lea, Gv, M>(0x8D, "lea", kMoves),
    row<Xlat>(0xD7, "xlat"),
    row<ConvertAccumulator, eAX>(0x98, "cbw", kMoves),
    row<ConvertDouble, eAX>(0x99, "cwd", kMoves),

    row<Push, Iz>(0x68, "push", {.carry = Copy, .level = Level::I80286, .rules = kDefault64}),
    row<Push, Ibs>(0x6A, "push", {.carry = Copy, .level = Level::I80286, .rules = kDefault64}),
    row<Push, Ev>(0xFF, "push", {.carry = Copy, .rules = kDefault64, .reg = 6}),
    row<PopMemory, Ev>(0x8F, "pop", {.rules = kDefault64, .reg = 0}),
    row<Pusha, eAX>(0x60, "pusha", {.level = Level::I80286, .rules = kInvalid64}),
    row<Popa, eAX>(0x61, "popa", {.level = Level::I80286, .rules = kInvalid64}),

    row<PushSegment<ES>, eAX>(0x06, "push es", {.rules = kInvalid64}),
    row<PushSegment<CS>, eAX>(0x0E, "push cs", {.rules = kInvalid64}),
    row<PushSegment<SS>, eAX>(0x16, "push ss", {.rules = kInvalid64}),
    row<PushSegment<DS>, eAX>(0x1E, "push ds", {.rules = kInvalid64}),
    row<PushSegment<FS>, eAX>(0x1A0, "push fs", {.level = Level::I80386, .rules = kDefault64}),
    row<PushSegment<GS>, eAX>(0x1A8, "push gs", {.level = Level::I80386, .rules = kDefault64}),
    row<PopSegment<ES>, eAX>(0x07, "pop es", {.rules = kInvalid64}),
    row<PopStackSegment, eAX>(0x17, "pop ss", {.carry = End, .rules = kInvalid64}),
    row<PopSegment<DS>, eAX>(0x1F, "pop ds", {.rules = kInvalid64}),
    row<PopSegment<FS>, eAX>(0x1A1, "pop fs", {.level = Level::I80386, .rules = kDefault64}),
    row<PopSegment<GS>, eAX>(0x1A9, "pop gs", {.level = Level::I80386, .rules = kDefault64}),

    row<LoadFarPointer<ES>, Gv, M>(0xC4, "les", {.rules = kInvalid64}),
    row<LoadFarPointer<DS>, Gv, M>(0xC5, "lds", {.rules = kInvalid64}),
    row<LoadFarPointer<SS>, Gv, M>(0x1B2, "lss", {.level = Level::I80386}),
    row<LoadFarPointer<FS>, Gv, M>(0x1B4, "lfs", {.level = Level::I80386}),
    row<LoadFarPointer<GS>, Gv, M>(0x1B5, "lgs", {.level = Level::I80386}),

    row<Lahf>(0x9F, "lahf", {.flags = {.reads = kArithmeticFlags & ~OF}, .carry = Copy}),
    row<Sahf>(0x9E, "sahf", {.flags = {.writes = kArithmeticFlags & ~OF}, .carry = Copy}),
    row<Pushf, eAX>(0x9C, "pushf", {.flags = {.reads = kArithmeticFlags | DF}, .rules = kDefault64}),
    row<Popf, eAX>(0x9D, "popf", {.flags = {.writes = kArithmeticFlags | DF}, .carry = End, .rules = kDefault64}),

    // The 8086 looks at no more of ModRM.reg than it needs.
    row<PopMemory, Ev>(0x8F, "pop", kOn8086),
    row<Mov, Eb, Ib>(0xC6, "mov", kOn8086),
    row<Mov, Ev, Iz>(0xC7, "mov", kOn8086),
    row<MovToSegment<ES>, Sw, Ew>(0x8E, "mov", {.reg = 4, .last = Level::I8086}),
    row<MovToSegment<CS>, Sw, Ew>(0x8E, "mov", {.carry = End, .reg = 5, .last = Level::I8086}),
    row<MovToSegment<SS>, Sw, Ew>(0x8E, "mov", {.carry = End, .reg = 6, .last = Level::I8086}),
    row<MovToSegment<DS>, Sw, Ew>(0x8E, "mov", {.reg = 7, .last = Level::I8086}),
    row<PushSpOf8086, AX>(0x54, "push", kOn8086),
    row<PushSpOf8086, Ew>(0xFF, "push", {.reg = 6, .mod3 = 1, .rm = RSP, .last = Level::I8086}),
    row<PushSpOf8086, Ew>(0xFF, "push", {.reg = 7, .mod3 = 1, .rm = RSP, .last = Level::I8086}),
    row<Push, Ew>(0xFF, "push", {.reg = 7, .last = Level::I8086}),
    row<PopCs, AX>(0x0F, "pop cs", {.carry = End, .last = Level::I8086}),
});
// clang-format on

constexpr std::array<const char*, 16> kSetNames = {
    "seto", "setb", "setz", "setbe", "sets", "setp", "setl", "setle",
    "setno", "setnb", "setnz", "setnbe", "setns", "setnp", "setnl", "setnle"};
constexpr std::array<const char*, 16> kCmovNames = {
    "cmovo", "cmovb", "cmovz", "cmovbe", "cmovs", "cmovp", "cmovl", "cmovle",
    "cmovno", "cmovnb", "cmovnz", "cmovnbe", "cmovns", "cmovnp", "cmovnl", "cmovnle"};

constexpr std::array<u32, 8> kConditionReads = {OF, CF, ZF, CF | ZF, SF, PF, SF | OF, ZF | SF | OF};

template <int... code>
constexpr std::array<Opcode, 32> condition_rows(std::integer_sequence<int, code...>)
{
    const auto name = [](const auto& names, int c) { return names[static_cast<std::size_t>((c & 1) * 8 + (c >> 1))]; };
    return {row<Set<code>, Eb>(0x190 + code, name(kSetNames, code),
                               {.flags = {.reads = kConditionReads[code >> 1]}, .carry = Copy, .level = Level::I80386})...,
            row<Cmov<code>, Gv, Ev>(0x140 + code, name(kCmovNames, code),
                                    {.flags = {.reads = kConditionReads[code >> 1]}, .carry = Copy, .level = Level::PentiumPro})...};
}

constexpr auto build()
{
    std::array<Opcode, kRows.size() + 32 + 40> all{};
    std::size_t at = 0;
    for (const Opcode& r : kRows) all[at++] = r;
    for (const Opcode& r : condition_rows(std::make_integer_sequence<int, 16>{})) all[at++] = r;
    for (int i = 0; i < 8; ++i) {
        all[at++] = row<XchgAccumulator, Zv>(0x90 + i, i == 0 ? "nop" : "xchg", kMoves);
        all[at++] = row<Push, Zv>(0x50 + i, "push", kStack);
        all[at++] = row<PopRegister, Zv>(0x58 + i, "pop", kStack);
        all[at++] = row<Mov, Zb, Ib>(0xB0 + i, "mov", kMoves);
        all[at++] = row<Mov, Zv, Iv>(0xB8 + i, "mov", kMoves);
    }
    return all;
}

constexpr auto kAllRows = build();

}  // namespace

std::span<const Opcode> data_rows() { return kAllRows; }

}  // namespace reprise::ops
