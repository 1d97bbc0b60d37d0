/// ADD OR ADC SBB AND SUB XOR CMP, INC DEC NEG NOT TEST, MUL IMUL DIV IDIV, decimal adjustments,
/// XADD CMPXCHG CMPXCHG8B. The 8086 and 80286 have some rows of their own in early.cpp.
#include "cpu/alu.h"
#include "cpu/ops/operands.h"

namespace reprise::ops {

namespace {

template <AluOp op>
struct Alu {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T b = TRY((source<T, S, attempt>(cpu, insn)));
        if constexpr (op == AluOp::Cmp) {
            const T a = TRY((destination<T, D, attempt>(cpu, insn)));
            alu<op>(cpu.flags, a, b);
            return true;
        } else {
            return modify<T, D, attempt>(cpu, insn, [&](T a) { return alu<op>(cpu.flags, a, b); });
        }
    }
};

struct Test {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T a = TRY((destination<T, D, attempt>(cpu, insn)));
        const T b = TRY((source<T, S, attempt>(cpu, insn)));
        logic<T>(cpu.flags, a & b);
        return true;
    }
};

template <bool up>
struct Step {
    template <class T, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        return modify<T, D, attempt>(cpu, insn, [&](T a) { return step<up>(cpu.flags, a); });
    }
};

struct Neg {
    template <class T, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        return modify<T, D, attempt>(cpu, insn, [&](T a) { return sub<T>(cpu.flags, 0, a); });
    }
};

struct Not {
    template <class T, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        return modify<T, D, attempt>(cpu, insn, [](T a) { return static_cast<T>(~a); });
    }
};

/// The double-width register: AX for bytes, else (R|E)DX:(R|E)AX.
template <class T>
void set_wide(Cpu& cpu, Wide<T> value)
{
    if constexpr (sizeof(T) == 1) {
        cpu.set_reg<u16>(RAX, static_cast<u16>(value.high << 8 | value.low));
    } else {
        cpu.set_reg<T>(RAX, value.low);
        cpu.set_reg<T>(RDX, value.high);
    }
}

template <bool is_signed>
struct Multiply {
    template <class T, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T b = TRY((destination<T, D, attempt>(cpu, insn)));
        const T a = cpu.reg<T>(RAX);
        set_wide<T>(cpu, is_signed ? multiply_signed(cpu.flags, a, b)
                                   : multiply_unsigned(cpu.flags, a, b));
        return true;
    }
};

/// IMUL Gv, Ev.
struct Imul2 {
    template <class T, Kind, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T b = TRY((source<T, S, attempt>(cpu, insn)));
        cpu.set_reg<T>(insn.dst, multiply_signed(cpu.flags, cpu.reg<T>(insn.dst), b).low);
        return true;
    }
};

/// IMUL Gv, Ev, immediate.
struct Imul3 {
    template <class T, Kind, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T a = TRY((source<T, S, attempt>(cpu, insn)));
        cpu.set_reg<T>(insn.dst, multiply_signed(cpu.flags, a, static_cast<T>(insn.imm)).low);
        return true;
    }
};

template <class T>
u128 wide_dividend(const Cpu& cpu)
{
    if constexpr (sizeof(T) == 1) return cpu.reg<u16>(RAX);
    else return u128{cpu.reg<T>(RDX)} << kBits<T> | cpu.reg<T>(RAX);
}

/// Flags, all undefined after DIV and IDIV, stay as they were.
struct Div {
    template <class T, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T divisor = TRY((destination<T, D, attempt>(cpu, insn)));
        const u128 dividend = wide_dividend<T>(cpu);
        if (divisor == 0) return cpu.raise(kDivideError);
        if constexpr (sizeof(T) < 8) {
            const u64 narrow = static_cast<u64>(dividend);
            const u64 quotient = narrow / divisor;
            if (quotient > std::numeric_limits<T>::max()) return cpu.raise(kDivideError);
            set_wide<T>(cpu, {static_cast<T>(quotient), static_cast<T>(narrow % divisor)});
        } else {
            const u128 quotient = dividend / divisor;
            if (quotient >> kBits<T>) return cpu.raise(kDivideError);
            set_wide<T>(cpu, {static_cast<T>(quotient), static_cast<T>(dividend % divisor)});
        }
        return true;
    }
};

struct Idiv {
    template <class T, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const i64 divisor = sign_extend(TRY((destination<T, D, attempt>(cpu, insn))));
        if (divisor == 0) return cpu.raise(kDivideError);
        constexpr int shift = 128 - 2 * kBits<T>;
        const i128 dividend = static_cast<i128>(wide_dividend<T>(cpu) << shift) >> shift;
        // Magnitudes, because the most negative dividend by -1 overflows.
        const u128 n = dividend < 0 ? 0 - static_cast<u128>(dividend) : static_cast<u128>(dividend);
        const u128 d = divisor < 0 ? 0 - static_cast<u128>(i128{divisor}) : static_cast<u128>(divisor);
        u128 quotient, remainder;
        if (n >> 64 == 0) {
            quotient = static_cast<u64>(n) / static_cast<u64>(d);
            remainder = static_cast<u64>(n) % static_cast<u64>(d);
        } else {
            quotient = n / d;
            remainder = n % d;
        }
        const bool negative = (dividend < 0) != (divisor < 0);
        u128 limit = u128{1} << (kBits<T> - 1);
        if (!negative) limit -= 1;
        if (quotient > limit) return cpu.raise(kDivideError);
        set_wide<T>(cpu, {static_cast<T>(negative ? 0 - quotient : quotient),
                          static_cast<T>(dividend < 0 ? 0 - remainder : remainder)});
        return true;
    }
};

template <bool add_it>
struct DecimalAdjust {
    template <class, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn&)
    {
        cpu.set_reg<u8>(RAX, decimal_adjust<add_it>(cpu.flags, cpu.reg<u8>(RAX)));
        return true;
    }
};

/// AAA and AAS. Undefined OF, SF, ZF and PF: SF, ZF and PF are those of AL, OF is cleared.
template <bool add_it>
struct AsciiAdjust {
    template <class, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn&)
    {
        const bool adjust = (cpu.reg<u8>(RAX) & 0xF) > 9 || cpu.flags.af();
        u16 ax = cpu.reg<u16>(RAX);
        if (adjust) ax = static_cast<u16>(add_it ? ax + 0x106 : ax - 0x106);
        ax &= 0xFF0F;
        set_flags<u8>(cpu.flags, static_cast<u8>(ax), adjust, false, adjust);
        cpu.set_reg<u16>(RAX, ax);
        return true;
    }
};

/// Undefined OF, AF and CF are cleared.
struct Aam {
    template <class, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const u8 base = static_cast<u8>(insn.imm), al = cpu.reg<u8>(RAX);
        if (base == 0) return cpu.raise(kDivideError);
        const u8 remainder = al % base;
        cpu.set_reg<u16>(RAX, static_cast<u16>((al / base) << 8 | remainder));
        logic<u8>(cpu.flags, remainder);
        return true;
    }
};

/// Undefined OF, AF and CF are those of the addition.
struct Aad {
    template <class, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const u16 ax = cpu.reg<u16>(RAX);
        const u8 tens = static_cast<u8>((ax >> 8) * insn.imm);
        cpu.set_reg<u16>(RAX, add<u8>(cpu.flags, static_cast<u8>(ax), tens));
        return true;
    }
};

struct Xadd {
    template <class T, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T addend = cpu.reg<T>(insn.src);
        T old{};
        const bool ok = modify<T, D, attempt>(cpu, insn, [&](T a) {
            old = a;
            return add(cpu.flags, a, addend);
        });
        if (!ok) return false;
        // XADD r, r with both the same: the sum stays (SDM: TEMP := SRC + DEST; SRC := DEST; DEST := TEMP).
        if (D != Kind::Reg || insn.src != insn.dst) cpu.set_reg<T>(insn.src, old);
        return true;
    }
};

/// A destination in memory is written in any case (SDM vol. 2A, CMPXCHG), a register only if both are
/// equal: else bits 63..32 stay too (host processors).
struct Cmpxchg {
    template <class T, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T accumulator = cpu.reg<T>(RAX), replacement = cpu.reg<T>(insn.src);
        T old{};
        if constexpr (D == Kind::Reg) {
            old = cpu.reg<T>(insn.dst);
            sub(cpu.flags, accumulator, old);
            if (old == accumulator) cpu.set_reg<T>(insn.dst, replacement);
        } else {
            const bool ok = modify<T, D, attempt>(cpu, insn, [&](T a) {
                old = a;
                sub(cpu.flags, accumulator, a);
                return a == accumulator ? replacement : a;
            });
            if (!ok) return false;
        }
        if (old != accumulator) cpu.set_reg<T>(RAX, old);
        return true;
    }
};

void set_zf(Cpu& cpu, bool zf)
{
    const u32 flags = cpu.flags.get() & ~ZF;
    cpu.flags.set(zf ? flags | ZF : flags);
}

struct Cmpxchg8b {
    template <class T, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if constexpr (sizeof(T) == 8) return exchange_16(cpu, insn);
        else return exchange_8(cpu, insn);
    }

private:
    static bool exchange_8(Cpu& cpu, const Insn& insn)
    {
        const u64 expected = u64{cpu.reg<u32>(RDX)} << 32 | cpu.reg<u32>(RAX);
        const u64 replacement = u64{cpu.reg<u32>(RCX)} << 32 | cpu.reg<u32>(RBX);
        u64 old = 0;
        const bool ok = cpu.modify<u64>(insn, insn.seg, cpu.address(insn), [&](u64 a) {
            old = a;
            return a == expected ? replacement : a;
        });
        if (!ok) return false;
        if (old != expected) {
            cpu.set_reg<u32>(RAX, static_cast<u32>(old));
            cpu.set_reg<u32>(RDX, static_cast<u32>(old >> 32));
        }
        set_zf(cpu, old == expected);
        return true;
    }

    /// CMPXCHG16B. Its operand is aligned, and written in any case.
    static bool exchange_16(Cpu& cpu, const Insn& insn)
    {
        if (!cpu.model().has(Feature::Cx16)) return cpu.undefined_opcode();
        const u64 address = cpu.address(insn);
        if (cpu.linear_address(insn.seg, address) % 16 != 0) return cpu.general_protection();
        if (!cpu.probe_write(insn, insn.seg, address, 16)) return false;
        const Xmm old = TRY(cpu.read<Xmm>(insn, insn.seg, address));
        const u64 low = cpu.state.gpr[RAX], high = cpu.state.gpr[RDX];
        const bool equal = old == Xmm{low, high};
        const Xmm fresh = equal ? Xmm{cpu.state.gpr[RBX], cpu.state.gpr[RCX]} : old;
        if (!cpu.write<Xmm>(insn, insn.seg, address, fresh)) return false;
        if (!equal) {
            cpu.state.gpr[RAX] = old.low;
            cpu.state.gpr[RDX] = old.high;
        }
        set_zf(cpu, equal);
        return true;
    }
};

/// D6, undocumented until the Pentium Pro: AL = CF ? FF : 0.
struct Salc {
    template <class, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn&)
    {
        cpu.set_reg<u8>(RAX, cpu.flags.cf() ? 0xFF : 0);
        return true;
    }
};

using enum Form;
using enum Carry;

constexpr FlagUse kWritesAll{.writes = kArithmeticFlags};
constexpr FlagUse kLogic{.writes = kArithmeticFlags & ~AF, .undefined = AF};
constexpr FlagUse kAddsCarry{.reads = CF, .writes = kArithmeticFlags};
constexpr FlagUse kKeepsCarry{.writes = kArithmeticFlags & ~CF};
constexpr FlagUse kMultiplies{.writes = CF | OF, .undefined = SF | ZF | AF | PF};
constexpr FlagUse kDivides{.undefined = kArithmeticFlags};
constexpr FlagUse kDecimal{.reads = AF | CF, .writes = SF | ZF | AF | PF | CF, .undefined = OF};
constexpr FlagUse kAscii{.reads = AF, .writes = AF | CF, .undefined = OF | SF | ZF | PF};
constexpr FlagUse kAsciiMultiply{.writes = SF | ZF | PF, .undefined = OF | AF | CF};

template <AluOp op>
constexpr std::array<Opcode, 10> alu_rows(const char* name, FlagUse flags)
{
    constexpr int base = static_cast<int>(op) << 3;
    constexpr i8 reg = static_cast<i8>(op);
    constexpr u16 lock = op == AluOp::Cmp ? 0 : kLockable;
    const Row two{.flags = flags, .carry = Copy, .rules = lock};
    const Row group{.flags = flags, .carry = Copy, .rules = lock, .reg = reg};
    const Row old_group{.flags = flags, .carry = Copy, .rules = static_cast<u16>(lock | kInvalid64), .reg = reg};
    return {row<Alu<op>, Eb, Gb>(base + 0, name, two),    row<Alu<op>, Ev, Gv>(base + 1, name, two),
            row<Alu<op>, Gb, Eb>(base + 2, name, {.flags = flags, .carry = Copy}),
            row<Alu<op>, Gv, Ev>(base + 3, name, {.flags = flags, .carry = Copy}),
            row<Alu<op>, AL, Ib>(base + 4, name, {.flags = flags, .carry = Copy}),
            row<Alu<op>, eAX, Iz>(base + 5, name, {.flags = flags, .carry = Copy}),
            row<Alu<op>, Eb, Ib>(0x80, name, group),      row<Alu<op>, Ev, Iz>(0x81, name, group),
            row<Alu<op>, Eb, Ib>(0x82, name, old_group),  row<Alu<op>, Ev, Ibs>(0x83, name, group)};
}

template <class Op>
constexpr std::array<Opcode, 8> step_rows(int base, const char* name)
{
    std::array<Opcode, 8> rows{};
    for (int i = 0; i < 8; ++i)
        rows[static_cast<std::size_t>(i)] = row<Op, Zv>(
            base + i, name, {.flags = kKeepsCarry, .carry = Copy, .rules = kInvalid64});
    return rows;
}

// clang-format off
constexpr auto kRows = std::to_array<Opcode>({
    row<Step<true>,  Eb>(0xFE, "inc", {.flags = kKeepsCarry, .carry = Copy, .rules = kLockable, .reg = 0}),
    row<Step<true>,  Ev>(0xFF, "inc", {.flags = kKeepsCarry, .carry = Copy, .rules = kLockable, .reg = 0}),
    row<Step<false>, Eb>(0xFE, "dec", {.flags = kKeepsCarry, .carry = Copy, .rules = kLockable, .reg = 1}),
    row<Step<false>, Ev>(0xFF, "dec", {.flags = kKeepsCarry, .carry = Copy, .rules = kLockable, .reg = 1}),

    row<Test, Eb, Gb> (0x84, "test", {.flags = kLogic, .carry = Copy}),
    row<Test, Ev, Gv> (0x85, "test", {.flags = kLogic, .carry = Copy}),
    row<Test, AL, Ib> (0xA8, "test", {.flags = kLogic, .carry = Copy}),
    row<Test, eAX, Iz>(0xA9, "test", {.flags = kLogic, .carry = Copy}),
    row<Test, Eb, Ib> (0xF6, "test", {.flags = kLogic, .carry = Copy, .reg = 0}),
    row<Test, Ev, Iz> (0xF7, "test", {.flags = kLogic, .carry = Copy, .reg = 0}),
    row<Test, Eb, Ib> (0xF6, "test", {.flags = kLogic, .carry = Copy, .reg = 1}),  // as /0, undocumented
    row<Test, Ev, Iz> (0xF7, "test", {.flags = kLogic, .carry = Copy, .reg = 1}),

    row<Not, Eb>(0xF6, "not", {.carry = Copy, .rules = kLockable, .reg = 2}),
    row<Not, Ev>(0xF7, "not", {.carry = Copy, .rules = kLockable, .reg = 2}),
    row<Neg, Eb>(0xF6, "neg", {.flags = kWritesAll, .carry = Copy, .rules = kLockable, .reg = 3}),
    row<Neg, Ev>(0xF7, "neg", {.flags = kWritesAll, .carry = Copy, .rules = kLockable, .reg = 3}),

    row<Multiply<false>, Eb>(0xF6, "mul",  {.flags = kMultiplies, .carry = Copy, .reg = 4}),
    row<Multiply<false>, Ev>(0xF7, "mul",  {.flags = kMultiplies, .carry = Copy, .reg = 4}),
    row<Multiply<true>,  Eb>(0xF6, "imul", {.flags = kMultiplies, .carry = Copy, .reg = 5}),
    row<Multiply<true>,  Ev>(0xF7, "imul", {.flags = kMultiplies, .carry = Copy, .reg = 5}),
    row<Imul2, Gv, Ev>      (0x1AF, "imul", {.flags = kMultiplies, .carry = Copy, .level = Level::I80386}),
    row<Imul3, Gv, Ev, Iz>  (0x69, "imul", {.flags = kMultiplies, .carry = Copy, .level = Level::I80286}),
    row<Imul3, Gv, Ev, Ibs> (0x6B, "imul", {.flags = kMultiplies, .carry = Copy, .level = Level::I80286}),
    row<Div,  Eb>(0xF6, "div",  {.flags = kDivides, .reg = 6}),
    row<Div,  Ev>(0xF7, "div",  {.flags = kDivides, .reg = 6}),
    row<Idiv, Eb>(0xF6, "idiv", {.flags = kDivides, .reg = 7}),
    row<Idiv, Ev>(0xF7, "idiv", {.flags = kDivides, .reg = 7}),

    row<DecimalAdjust<true>> (0x27, "daa", {.flags = kDecimal, .rules = kInvalid64}),
    row<DecimalAdjust<false>>(0x2F, "das", {.flags = kDecimal, .rules = kInvalid64}),
    row<AsciiAdjust<true>>   (0x37, "aaa", {.flags = kAscii, .rules = kInvalid64}),
    row<AsciiAdjust<false>>  (0x3F, "aas", {.flags = kAscii, .rules = kInvalid64}),
    row<Aam, None, Ib>       (0xD4, "aam", {.flags = kAsciiMultiply, .rules = kInvalid64}),
    row<Aad, None, Ib>       (0xD5, "aad", {.flags = kAsciiMultiply, .rules = kInvalid64}),
    row<Salc>                (0xD6, "salc", {.flags = {.reads = CF}, .rules = kInvalid64}),

    row<Xadd, Eb, Gb>   (0x1C0, "xadd",    {.flags = kWritesAll, .carry = Copy, .level = Level::I80486, .rules = kLockable}),
    row<Xadd, Ev, Gv>   (0x1C1, "xadd",    {.flags = kWritesAll, .carry = Copy, .level = Level::I80486, .rules = kLockable}),
    row<Cmpxchg, Eb, Gb>(0x1B0, "cmpxchg", {.flags = kWritesAll, .carry = Copy, .level = Level::I80486, .rules = kLockable}),
    row<Cmpxchg, Ev, Gv>(0x1B1, "cmpxchg", {.flags = kWritesAll, .carry = Copy, .level = Level::I80486, .rules = kLockable}),
    row<Cmpxchg8b, M>   (0x1C7, "cmpxchg8b", {.flags = {.writes = ZF}, .level = Level::Pentium, .rules = kLockable, .reg = 1}),
});
// clang-format on

constexpr auto kAllRows =
    concatenate(alu_rows<AluOp::Add>("add", kWritesAll), alu_rows<AluOp::Or>("or", kLogic),
         alu_rows<AluOp::Adc>("adc", kAddsCarry), alu_rows<AluOp::Sbb>("sbb", kAddsCarry),
         alu_rows<AluOp::And>("and", kLogic), alu_rows<AluOp::Sub>("sub", kWritesAll),
         alu_rows<AluOp::Xor>("xor", kLogic), alu_rows<AluOp::Cmp>("cmp", kWritesAll),
         step_rows<Step<true>>(0x40, "inc"), step_rows<Step<false>>(0x48, "dec"), kRows);

}  // namespace

std::span<const Opcode> arithmetic_rows() { return kAllRows; }

}  // namespace reprise::ops
