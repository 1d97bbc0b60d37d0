/// Arithmetic as the 8086 and the 80286 do it: rows that those two have instead of the common ones.
#include "cpu/early_alu.h"
#include "cpu/ops/operands.h"

namespace reprise::ops {

namespace {

/// The divide error of the 8086 is an interrupt after the instruction: the handler returns to the next
/// one (iAPX 86, 88 User's Manual, "Interrupts"). Since the 286 it is a fault.
template <Level chip>
Flow divide_error(Cpu& cpu, const Insn& insn)
{
    if constexpr (chip == Level::I8086) {
        cpu.at(insn);
        if (!cpu.software_interrupt(kDivideError, cpu.next_ip(insn), false)) return {};
        return cpu.leave(&insn);
    } else {
        return cpu.raise(kDivideError), Flow{};
    }
}

bool is_repeated(const Insn& insn) { return insn.prefixes & (kPrefixRep | kPrefixRepne); }

/// AX for bytes, else DX:AX.
template <class T>
Wide<T> wide_operand(const Cpu& cpu)
{
    if constexpr (sizeof(T) == 1) return {cpu.reg<u8>(RAX), static_cast<u8>(cpu.reg<u16>(RAX) >> 8)};
    else return {cpu.reg<T>(RAX), cpu.reg<T>(RDX)};
}

template <class T>
void set_wide(Cpu& cpu, T low, T high)
{
    if constexpr (sizeof(T) == 1) {
        cpu.set_reg<u16>(RAX, static_cast<u16>(high << 8 | low));
    } else {
        cpu.set_reg<T>(RAX, low);
        cpu.set_reg<T>(RDX, high);
    }
}

template <Level chip, bool is_signed>
struct Multiply {
    template <class T, Kind D, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T b = TRY((destination<T, D>(cpu, insn)));
        const T a = cpu.reg<T>(RAX);
        Wide<T> product;
        if constexpr (chip == Level::I8086)
            product = multiply_8086<T>(cpu.flags, a, b, is_signed, is_repeated(insn));
        else product = multiply_80286<T>(cpu.flags, a, b, is_signed);
        set_wide<T>(cpu, product.low, product.high);
        return true;
    }
};

/// IMUL Gw, Ew, immediate, which came with the 286.
struct MultiplyImmediate {
    template <class T, Kind, Kind S>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T a = TRY((source<T, S>(cpu, insn)));
        cpu.set_reg<T>(insn.dst, multiply_80286<T>(cpu.flags, a, static_cast<T>(insn.imm), true).low);
        return true;
    }
};

template <Level chip, bool is_signed>
struct Divide {
    template <class T, Kind D, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        const T divisor = TRY((destination<T, D>(cpu, insn)));
        const Wide<T> dividend = wide_operand<T>(cpu);
        const Quotient<T> result = divide<T>(cpu.flags, dividend, divisor, is_repeated(insn));
        if (!result.fits) return divide_error<chip>(cpu, insn);
        set_wide<T>(cpu, result.quotient, result.remainder);
        return &insn + 1;
    }

private:
    template <class T>
    static Quotient<T> divide(LazyFlags& flags, Wide<T> n, T divisor, bool repeated)
    {
        if constexpr (chip == Level::I80286)
            return is_signed ? divide_signed_80286<T>(flags, n.high, n.low, divisor)
                             : divide_unsigned_80286<T>(flags, n.high, n.low, divisor);
        else
            return is_signed ? divide_signed_8086<T>(flags, n.high, n.low, divisor, repeated)
                             : divide_unsigned_8086<T>(flags, n.high, n.low, divisor);
    }
};

template <bool add_it>
struct DecimalAdjust {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn&)
    {
        cpu.set_reg<u8>(RAX, decimal_adjust_8086<add_it>(cpu.flags, cpu.reg<u8>(RAX)));
        return true;
    }
};

/// In the 286 a carry out of AL reaches AH (AX is adjusted by 106h), in the 8086 it does not.
template <Level chip, bool add_it>
struct AsciiAdjust {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn&)
    {
        u16 ax = cpu.reg<u16>(RAX);
        const u8 al = early_ascii_adjust<add_it>(cpu.flags, static_cast<u8>(ax));
        const u16 by = cpu.flags.cf() ? (chip == Level::I8086 ? 0x100 : 0x106) : 0;
        ax = static_cast<u16>(add_it ? ax + by : ax - by);
        cpu.set_reg<u16>(RAX, static_cast<u16>((ax & 0xFF00) | (al & 0xF)));
        return true;
    }
};

/// A division of AL: by zero it leaves the flags of that.
template <Level chip>
struct Aam {
    template <class, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        const u8 base = static_cast<u8>(insn.imm), al = cpu.reg<u8>(RAX);
        if (base == 0) {
            if constexpr (chip == Level::I8086) divide_unsigned_8086<u8>(cpu.flags, 0, al, 0);
            else divide_unsigned_80286<u8>(cpu.flags, 0, al, 0);
            return divide_error<chip>(cpu, insn);
        }
        const u8 remainder = al % base;
        cpu.set_reg<u16>(RAX, static_cast<u16>((al / base) << 8 | remainder));
        logic<u8>(cpu.flags, remainder);
        return &insn + 1;
    }
};

/// In the 286 OF is CF.
struct Aad {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const u16 ax = cpu.reg<u16>(RAX);
        const u8 tens = static_cast<u8>((ax >> 8) * insn.imm);
        cpu.set_reg<u16>(RAX, add<u8>(cpu.flags, static_cast<u8>(ax), tens));
        const bool carry = cpu.flags.cf();
        cpu.flags.set_cf_of(carry, carry);
        return true;
    }
};

/// The 8086 shifts as often as CL says; the 286 takes the count modulo 32.
template <Level chip, ShiftOp op>
struct Shift {
    template <class T, Kind D, Kind S>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const u8 raw = S == Kind::Imm ? static_cast<u8>(insn.imm) : cpu.reg<u8>(RCX);
        const u32 count = chip == Level::I8086 ? raw : raw & 31;
        return modify<T, D>(cpu, insn,
                            [&](T a) { return early_shift<op, chip>(cpu.flags, a, count); });
    }
};

/// SETMO and SETMOC, /6 of the 8086's shifts: all ones; with CL = 0 nothing happens.
struct SetMinusOne {
    template <class T, Kind D, Kind S>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (S != Kind::Imm && cpu.reg<u8>(RCX) == 0) return true;
        return modify<T, D>(cpu, insn, [&](T) { return logic<T>(cpu.flags, static_cast<T>(~T{0})); });
    }
};

using enum Form;

constexpr Level k8086 = Level::I8086, k80286 = Level::I80286;
constexpr FlagUse kMultiplies{.writes = CF | OF, .undefined = SF | ZF | AF | PF};
constexpr FlagUse kDivides{.undefined = kArithmeticFlags};
constexpr FlagUse kDecimal{.reads = AF | CF, .writes = SF | ZF | AF | PF | CF, .undefined = OF};
constexpr FlagUse kAscii{.reads = AF, .writes = AF | CF, .undefined = OF | SF | ZF | PF};
constexpr FlagUse kAsciiMultiply{.writes = SF | ZF | PF, .undefined = OF | AF | CF};
constexpr FlagUse kRotates{.reads = kArithmeticFlags, .writes = CF | OF, .undefined = OF};
constexpr FlagUse kShifts{.reads = kArithmeticFlags, .writes = kArithmeticFlags & ~AF, .undefined = AF | OF};

constexpr Row only(Level chip, FlagUse flags, int reg = -1)
{
    return {.flags = flags, .level = chip, .reg = static_cast<i8>(reg), .last = chip};
}

/// F6 and F7 /4 to /7, and the adjustments that both have.
template <Level chip>
constexpr std::array<Opcode, 11> arithmetic_of()
{
    return {row<Multiply<chip, false>, Eb>(0xF6, "mul", only(chip, kMultiplies, 4)),
            row<Multiply<chip, false>, Ew>(0xF7, "mul", only(chip, kMultiplies, 4)),
            row<Multiply<chip, true>, Eb>(0xF6, "imul", only(chip, kMultiplies, 5)),
            row<Multiply<chip, true>, Ew>(0xF7, "imul", only(chip, kMultiplies, 5)),
            row<Divide<chip, false>, Eb>(0xF6, "div", only(chip, kDivides, 6)),
            row<Divide<chip, false>, Ew>(0xF7, "div", only(chip, kDivides, 6)),
            row<Divide<chip, true>, Eb>(0xF6, "idiv", only(chip, kDivides, 7)),
            row<Divide<chip, true>, Ew>(0xF7, "idiv", only(chip, kDivides, 7)),
            row<AsciiAdjust<chip, true>>(0x37, "aaa", only(chip, kAscii)),
            row<AsciiAdjust<chip, false>>(0x3F, "aas", only(chip, kAscii)),
            row<Aam<chip>, None, Ib>(0xD4, "aam", only(chip, kAsciiMultiply))};
}

template <ShiftOp op>
constexpr std::array<Opcode, 4> shifts_of_8086(const char* name)
{
    constexpr int reg = static_cast<int>(op);
    const Row more = only(k8086, reg < 4 ? kRotates : kShifts, reg);
    if constexpr (op == ShiftOp::Sal) {
        const Row minus_one = only(k8086, {.writes = kArithmeticFlags}, reg);
        return {row<SetMinusOne, Eb, One>(0xD0, "setmo", minus_one),
                row<SetMinusOne, Ew, One>(0xD1, "setmo", minus_one),
                row<SetMinusOne, Eb, CL>(0xD2, "setmoc", minus_one),
                row<SetMinusOne, Ew, CL>(0xD3, "setmoc", minus_one)};
    } else {
        return {row<Shift<k8086, op>, Eb, One>(0xD0, name, more),
                row<Shift<k8086, op>, Ew, One>(0xD1, name, more),
                row<Shift<k8086, op>, Eb, CL>(0xD2, name, more),
                row<Shift<k8086, op>, Ew, CL>(0xD3, name, more)};
    }
}

template <ShiftOp op>
constexpr std::array<Opcode, 6> shifts_of_80286(const char* name)
{
    const Row more = only(k80286, kShifts, static_cast<int>(op));
    return {row<Shift<k80286, op>, Eb, Ib>(0xC0, name, more),
            row<Shift<k80286, op>, Ew, Ib>(0xC1, name, more),
            row<Shift<k80286, op>, Eb, One>(0xD0, name, more),
            row<Shift<k80286, op>, Ew, One>(0xD1, name, more),
            row<Shift<k80286, op>, Eb, CL>(0xD2, name, more),
            row<Shift<k80286, op>, Ew, CL>(0xD3, name, more)};
}

constexpr auto kOtherRows = std::to_array<Opcode>({
    row<DecimalAdjust<true>>(0x27, "daa", only(k8086, kDecimal)),
    row<DecimalAdjust<false>>(0x2F, "das", only(k8086, kDecimal)),
    row<Aad, None, Ib>(0xD5, "aad", only(k80286, kAsciiMultiply)),
    row<MultiplyImmediate, Gw, Ew, Iw>(0x69, "imul", only(k80286, kMultiplies)),
    row<MultiplyImmediate, Gw, Ew, Ibs>(0x6B, "imul", only(k80286, kMultiplies)),
});

constexpr auto kAllRows =
    concatenate(arithmetic_of<k8086>(), arithmetic_of<k80286>(), shifts_of_8086<ShiftOp::Rol>("rol"),
         shifts_of_8086<ShiftOp::Ror>("ror"), shifts_of_8086<ShiftOp::Rcl>("rcl"),
         shifts_of_8086<ShiftOp::Rcr>("rcr"), shifts_of_8086<ShiftOp::Shl>("shl"),
         shifts_of_8086<ShiftOp::Shr>("shr"), shifts_of_8086<ShiftOp::Sal>("setmo"),
         shifts_of_8086<ShiftOp::Sar>("sar"), shifts_of_80286<ShiftOp::Shl>("shl"),
         shifts_of_80286<ShiftOp::Shr>("shr"), shifts_of_80286<ShiftOp::Sal>("sal"),
         shifts_of_80286<ShiftOp::Sar>("sar"), kOtherRows);

}  // namespace

std::span<const Opcode> early_rows() { return kAllRows; }

}  // namespace reprise::ops
