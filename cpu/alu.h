/// The arithmetic unit: functions from operands to a result, leaving flags as a result and its
/// carries (cpu/flags.h). Flags as in SDM vol. 1, appendix A; where that says "undefined", the
/// comment says what we do.
#pragma once

#include <limits>
#include <type_traits>

#include "cpu/flags.h"

namespace reprise {

/// In encoding order: bits 5..3 of opcodes 00..3F, and /r of group 1 (SDM vol. 2D, tables ).
enum class AluOp : u8 { Add, Or, Adc, Sbb, And, Sub, Xor, Cmp };
/// In encoding order: /r of group 2.
enum class ShiftOp : u8 { Rol, Ror, Rcl, Rcr, Shl, Shr, Sal, Sar };

template <class T>
inline constexpr int kBits = 8 * sizeof(T);
template <class T>
constexpr bool sign(T value)
{
    return value >> (kBits<T> - 1) & 1;
}
template <class T>
constexpr i64 sign_extend(T value)
{
    return static_cast<std::make_signed_t<T>>(value);
}

/// Stores SF, ZF and PF of `value`, and the three given ones.
template <class T>
void set_flags(LazyFlags& flags, T value, bool cf, bool of, bool af)
{
    flags.result = sign_extend(value);
    flags.carries = u64{cf} << 63 | u64{cf != of} << 62 | u64{af} << 4;
}

/// Bit i of `vector` is the carry (borrow) into bit i: a ^ b ^ result, computed in 64 bits.
template <class T>
void set_from_carry_vector(LazyFlags& flags, T value, u64 vector)
{
    flags.result = sign_extend(value);
    flags.carries = vector << (63 - kBits<T>) | (vector & 0x10);
}

template <class T>
T add(LazyFlags& flags, T a, T b, bool carry = false)
{
    if constexpr (sizeof(T) < 8) {
        const u64 sum = u64{a} + b + carry;
        set_from_carry_vector<T>(flags, static_cast<T>(sum), u64{a} ^ b ^ sum);
        return static_cast<T>(sum);
    } else {
        const T sum = a + b + carry;
        const bool out = carry ? sum <= a : sum < a;
        const u64 vector = a ^ b ^ sum;
        flags.result = sign_extend(sum);
        flags.carries = u64{out} << 63 | vector >> 63 << 62 | (vector & 0x10);
        return sum;
    }
}

template <class T>
T sub(LazyFlags& flags, T a, T b, bool borrow = false)
{
    if constexpr (sizeof(T) < 8) {
        const u64 difference = u64{a} - b - borrow;
        set_from_carry_vector<T>(flags, static_cast<T>(difference), u64{a} ^ b ^ difference);
        return static_cast<T>(difference);
    } else {
        const T difference = a - b - borrow;
        const bool out = borrow ? a <= b : a < b;
        const u64 vector = a ^ b ^ difference;
        flags.result = sign_extend(difference);
        flags.carries = u64{out} << 63 | vector >> 63 << 62 | (vector & 0x10);
        return difference;
    }
}

/// AF, which the SDM leaves undefined after OR, AND, XOR and TEST, is cleared.
template <class T>
T logic(LazyFlags& flags, T value)
{
    flags.result = sign_extend(value);
    flags.carries = 0;
    return value;
}

template <AluOp op, class T>
T alu(LazyFlags& flags, T a, T b)
{
    switch (op) {
    case AluOp::Add: return add(flags, a, b);
    case AluOp::Adc: return add(flags, a, b, flags.cf());
    case AluOp::Sub:
    case AluOp::Cmp: return sub(flags, a, b);
    case AluOp::Sbb: return sub(flags, a, b, flags.cf());
    case AluOp::And: return logic<T>(flags, a & b);
    case AluOp::Or: return logic<T>(flags, a | b);
    default: return logic<T>(flags, a ^ b);
    }
}

/// INC and DEC: CF stays.
template <bool up, class T>
T step(LazyFlags& flags, T a)
{
    constexpr T most_negative = T{1} << (kBits<T> - 1);
    const T value = static_cast<T>(up ? a + 1 : a - 1);
    const bool of = (up ? value : a) == most_negative;
    const bool af = (up ? value : a) % 16 == 0;
    const u64 cf = flags.carries & u64{1} << 63;
    flags.result = sign_extend(value);
    flags.carries = cf | (cf >> 1 ^ u64{of} << 62) | u64{af} << 4;
    return value;
}

/// Shifts and rotates by an already masked count. Undefined: OF after counts other than 1 is
/// computed by the same rule as for 1; AF is set by shifts (as in AMD's Zen, seen on the host); CF of
/// SHL and SHR by more than the operand's width is 0.
template <ShiftOp op, class T>
T shift(LazyFlags& flags, T a, u32 count)
{
    constexpr int n = kBits<T>;
    if (count == 0) return a;
    if constexpr (op == ShiftOp::Rol || op == ShiftOp::Ror) {
        const int by = static_cast<int>(count % n);
        const T value = op == ShiftOp::Rol ? std::rotl(a, by) : std::rotr(a, by);
        const bool msb = sign(value);
        if (op == ShiftOp::Rol) flags.set_cf_of(value & 1, msb != (value & 1));
        else flags.set_cf_of(msb, msb != (value >> (n - 2) & 1));
        return value;
    } else if constexpr (op == ShiftOp::Rcl || op == ShiftOp::Rcr) {
        const u32 by = count % (n + 1);
        bool cf = flags.cf();
        T value = a;
        if (by != 0) {  // the n bits and CF rotate as one
            if constexpr (op == ShiftOp::Rcl) {
                const bool out = a >> (n - by) & 1;
                value = static_cast<T>((by == n ? T{0} : static_cast<T>(a << by)) |
                                       T{cf} << (by - 1) |
                                       (by > 1 ? static_cast<T>(a >> (n + 1 - by)) : T{0}));
                cf = out;
            } else {
                const bool out = a >> (by - 1) & 1;
                value = static_cast<T>((by == n ? T{0} : static_cast<T>(a >> by)) |
                                       static_cast<T>(T{cf} << (n - by)) |
                                       (by > 1 ? static_cast<T>(a << (n + 1 - by)) : T{0}));
                cf = out;
            }
        }
        const bool of = op == ShiftOp::Rcl ? sign(value) != cf
                                           : sign(value) != (value >> (n - 2) & 1);
        flags.set_cf_of(cf, of);
        return value;
    } else if constexpr (op == ShiftOp::Shl || op == ShiftOp::Sal) {
        const T value = count < n ? static_cast<T>(a << count) : T{0};
        const bool cf = count <= n && (a >> (n - count) & 1);
        set_flags(flags, value, cf, sign(value) != cf, true);
        return value;
    } else if constexpr (op == ShiftOp::Shr) {
        const T value = count < n ? static_cast<T>(a >> count) : T{0};
        const bool cf = count <= n && (a >> (count - 1) & 1);
        set_flags(flags, value, cf, sign(value) != (value >> (n - 2) & 1), true);
        return value;
    } else {
        const i64 wide = sign_extend(a);
        const u32 by = count < n ? count : n - 1;
        const T value = static_cast<T>(wide >> by);
        const bool cf = count < n ? wide >> (count - 1) & 1 : wide < 0;
        set_flags(flags, value, cf, false, true);
        return value;
    }
}

/// SHLD and SHRD by an already masked count. Undefined: with a 16-bit operand and a count above 16
/// the bits shifted in continue with `a` itself, as the bits of a:b:a; OF and AF are as after a shift.
template <bool left, class T>
T double_shift(LazyFlags& flags, T a, T b, u32 count)
{
    constexpr int n = kBits<T>;
    if (count == 0) return a;
    T value;
    bool cf;
    if constexpr (n == 16) {
        const u64 wide = left ? u64{a} << 32 | u64{b} << 16 | a : u64{a} << 32 | u64{b} << 16 | a;
        if constexpr (left) {
            value = static_cast<T>(wide << count >> 32);
            cf = wide >> (48 - count) & 1;
        } else {
            value = static_cast<T>(wide >> count);
            cf = wide >> (count - 1) & 1;
        }
    } else if constexpr (left) {
        value = static_cast<T>(a << count | b >> (n - count));
        cf = a >> (n - count) & 1;
    } else {
        value = static_cast<T>(a >> count | b << (n - count));
        cf = a >> (count - 1) & 1;
    }
    const bool of = left ? sign(value) != cf : sign(value) != (value >> (n - 2) & 1);
    set_flags(flags, value, cf, of, true);
    return value;
}

__extension__ using u128 = unsigned __int128;
__extension__ using i128 = __int128;

template <class T>
struct Wide {
    T low, high;
};

/// Undefined after MUL and IMUL: SF, ZF, AF and PF stay (as in AMD's Zen, seen on the host).
template <class T>
Wide<T> multiply_unsigned(LazyFlags& flags, T a, T b)
{
    const u128 product = u128{a} * b;
    const T low = static_cast<T>(product), high = static_cast<T>(product >> kBits<T>);
    flags.set_cf_of(high != 0, high != 0);
    return {low, high};
}

template <class T>
Wide<T> multiply_signed(LazyFlags& flags, T a, T b)
{
    const i128 product = i128{sign_extend(a)} * sign_extend(b);
    const T low = static_cast<T>(product), high = static_cast<T>(product >> kBits<T>);
    const bool overflow = product != sign_extend(low);
    flags.set_cf_of(overflow, overflow);
    return {low, high};
}

/// DAA and DAS (SDM vol. 2A). The undefined OF is that of the same addition or subtraction.
template <bool add_it>
u8 decimal_adjust(LazyFlags& flags, u8 al)
{
    const bool low = (al & 0xF) > 9 || flags.af();
    const bool high = al > 0x99 || flags.cf();
    const u8 by = static_cast<u8>((low ? 0x06 : 0) + (high ? 0x60 : 0));
    const u8 value = static_cast<u8>(add_it ? al + by : al - by);
    // DAS borrows out of the low adjustment too.
    const bool borrow = !add_it && low && al < 6;
    const u8 crossed = static_cast<u8>((al ^ value) & (add_it ? ~(al ^ by) : al ^ by));
    set_flags(flags, value, high || borrow, sign(crossed), low);
    return value;
}

}  // namespace reprise
