/// Shifts, rotates, double shifts, bit tests and bit scans.
#include "cpu/alu.h"
#include "cpu/ops/operands.h"

namespace reprise::ops {

namespace {

/// The count is masked to 5 (6) bits since the 186; the 8086 has rows of its own.
template <class T>
u32 shift_count(u8 count)
{
    return count & (sizeof(T) == 8 ? 63 : 31);
}

template <ShiftOp op>
struct Shift {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const u8 raw = S == Kind::Imm ? static_cast<u8>(insn.imm) : cpu.reg<u8>(RCX);
        const u32 count = shift_count<T>(raw);
        return modify<T, D, attempt>(cpu, insn, [&](T a) { return shift<op>(cpu.flags, a, count); });
    }
};

/// D0 and D1: by one, which no model masks.
template <ShiftOp op>
struct ShiftOnce {
    template <class T, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        return modify<T, D, attempt>(cpu, insn, [&](T a) { return shift<op>(cpu.flags, a, 1); });
    }
};

/// SHLD and SHRD; the count is in the immediate or in CL.
template <bool left, bool by_cl>
struct DoubleShift {
    template <class T, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const u32 count = shift_count<T>(by_cl ? cpu.reg<u8>(RCX) : static_cast<u8>(insn.imm));
        const T b = cpu.reg<T>(insn.src);
        return modify<T, D, attempt>(cpu, insn,
                            [&](T a) { return double_shift<left>(cpu.flags, a, b, count); });
    }
};

enum class BitOp : u8 { Test, Set, Reset, Complement };

template <BitOp op, class T>
T change_bit(LazyFlags& flags, T value, u32 index)
{
    const T mask = static_cast<T>(T{1} << index);
    flags.set_cf((value & mask) != 0);
    switch (op) {
    case BitOp::Test: return value;
    case BitOp::Set: return value | mask;
    case BitOp::Reset: return static_cast<T>(value & ~mask);
    default: return value ^ mask;
    }
}

/// With the index in a register and a bit string in memory, the index reaches beyond the operand
/// (SDM vol. 2A, BT).
template <BitOp op>
struct Bit {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T wide = S == Kind::Imm ? static_cast<T>(insn.imm) : cpu.reg<T>(insn.src);
        const u32 index = static_cast<u32>(wide % kBits<T>);
        if constexpr (D == Kind::Mem) {
            u64 address = cpu.address(insn);
            if constexpr (S == Kind::Reg)
                address += static_cast<u64>((sign_extend(wide) >> std::countr_zero(static_cast<u32>(kBits<T>))) *
                                            i64{sizeof(T)});
            address &= insn.address_mask();
            if constexpr (op == BitOp::Test) {
                const T value = TRY(cpu.read<T, attempt>(insn, insn.seg, address));
                change_bit<op>(cpu.flags, value, index);
                return true;
            } else {
                return cpu.modify<T, attempt>(insn, insn.seg, address,
                                     [&](T a) { return change_bit<op>(cpu.flags, a, index); });
            }
        } else {
            const T value = change_bit<op>(cpu.flags, cpu.reg<T>(insn.dst), index);
            if constexpr (op != BitOp::Test) cpu.set_reg<T>(insn.dst, value);
            return true;
        }
    }
};

/// BSF and BSR. The destination after a zero source, which the SDM leaves undefined, stays as it was
/// (as on every processor known). Undefined flags: PF is that of the index, or set after a zero source; the
/// others are cleared (as in AMD's Zen, seen on the host).
template <bool forward>
struct Scan {
    template <class T, Kind, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T value = TRY((source<T, S, attempt>(cpu, insn)));
        if (value == 0) {
            cpu.flags.set(ZF | PF);
            return true;
        }
        const int index = forward ? std::countr_zero(value) : kBits<T> - 1 - std::countl_zero(value);
        cpu.flags.set(even_parity(static_cast<u64>(index)) ? PF : 0u);
        cpu.set_reg<T>(insn.dst, static_cast<T>(index));
        return true;
    }
};

struct Bswap {
    template <class T, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        // Of a 16-bit register: undefined; the processors known clear it.
        if constexpr (sizeof(T) == 2) cpu.set_reg<u16>(insn.dst, 0);
        else if constexpr (sizeof(T) == 4) cpu.set_reg<u32>(insn.dst, __builtin_bswap32(cpu.reg<u32>(insn.dst)));
        else cpu.set_reg<u64>(insn.dst, __builtin_bswap64(cpu.reg<u64>(insn.dst)));
        return true;
    }
};

using enum Form;
using enum Carry;

constexpr FlagUse kShifts{.reads = kArithmeticFlags, .writes = kArithmeticFlags & ~AF, .undefined = AF | OF};
constexpr FlagUse kRotates{.reads = kArithmeticFlags, .writes = CF | OF, .undefined = OF};
constexpr FlagUse kTestsBit{.writes = CF, .undefined = OF | SF | AF | PF};
constexpr FlagUse kScans{.writes = ZF, .undefined = CF | OF | SF | AF | PF};

template <ShiftOp op>
constexpr std::array<Opcode, 6> group_rows(const char* name)
{
    constexpr i8 reg = static_cast<i8>(op);
    const FlagUse flags = reg < 4 ? kRotates : kShifts;
    const Row by_one{.flags = flags, .carry = Copy, .reg = reg};
    const Row by_imm{.flags = flags, .carry = Copy, .level = Level::I80286, .reg = reg};
    return {row<Shift<op>, Eb, Ib>(0xC0, name, by_imm),  row<Shift<op>, Ev, Ib>(0xC1, name, by_imm),
            row<ShiftOnce<op>, Eb, One>(0xD0, name, by_one), row<ShiftOnce<op>, Ev, One>(0xD1, name, by_one),
            row<Shift<op>, Eb, CL>(0xD2, name, by_one),  row<Shift<op>, Ev, CL>(0xD3, name, by_one)};
}

template <BitOp op>
constexpr std::array<Opcode, 2> bit_rows(int code, i8 reg, const char* name)
{
    constexpr u16 lock = op == BitOp::Test ? 0 : kLockable;
    return {row<Bit<op>, Ev, Gv>(code, name, {.flags = kTestsBit, .carry = Copy, .level = Level::I80386, .rules = lock}),
            row<Bit<op>, Ev, Ib>(0x1BA, name, {.flags = kTestsBit, .carry = Copy, .level = Level::I80386, .rules = lock, .reg = reg})};
}

// clang-format off
constexpr auto kOtherRows = std::to_array<Opcode>({
    row<DoubleShift<true, false>,  Ev, Gv, Ib>(0x1A4, "shld", {.flags = kShifts, .carry = Copy, .level = Level::I80386}),
    row<DoubleShift<true, true>,   Ev, Gv, CL>(0x1A5, "shld", {.flags = kShifts, .carry = Copy, .level = Level::I80386}),
    row<DoubleShift<false, false>, Ev, Gv, Ib>(0x1AC, "shrd", {.flags = kShifts, .carry = Copy, .level = Level::I80386}),
    row<DoubleShift<false, true>,  Ev, Gv, CL>(0x1AD, "shrd", {.flags = kShifts, .carry = Copy, .level = Level::I80386}),
    row<Scan<true>,  Gv, Ev>(0x1BC, "bsf", {.flags = kScans, .carry = Copy, .level = Level::I80386}),
    row<Scan<false>, Gv, Ev>(0x1BD, "bsr", {.flags = kScans, .carry = Copy, .level = Level::I80386}),
});
// clang-format on

constexpr std::array<Opcode, 8> bswap_rows()
{
    std::array<Opcode, 8> rows{};
    for (std::size_t i = 0; i < rows.size(); ++i)
        rows[i] = row<Bswap, Zv>(0x1C8 + static_cast<int>(i), "bswap", {.carry = Copy, .level = Level::I80486});
    return rows;
}

constexpr auto kRows = concatenate(
    group_rows<ShiftOp::Rol>("rol"), group_rows<ShiftOp::Ror>("ror"), group_rows<ShiftOp::Rcl>("rcl"),
    group_rows<ShiftOp::Rcr>("rcr"), group_rows<ShiftOp::Shl>("shl"), group_rows<ShiftOp::Shr>("shr"),
    group_rows<ShiftOp::Sal>("sal"),  // /6, undocumented, is SHL
    group_rows<ShiftOp::Sar>("sar"), bit_rows<BitOp::Test>(0x1A3, 4, "bt"),
    bit_rows<BitOp::Set>(0x1AB, 5, "bts"), bit_rows<BitOp::Reset>(0x1B3, 6, "btr"),
    bit_rows<BitOp::Complement>(0x1BB, 7, "btc"), kOtherRows, bswap_rows());

}  // namespace

std::span<const Opcode> shift_rows() { return kRows; }

}  // namespace reprise::ops
