/// Arithmetic of the 8086 and the 80286 where their manuals call flags undefined.
///
/// What is here follows from how they compute: multiplication and division are loops of their
/// microcode over one adder, and the flags are those of the last addition or subtraction that had
/// them written. The 8086's routines are published: Shirriff, "Reverse-engineering the
/// multiplication algorithm in the Intel 8086 processor" and "... the division microcode ..."
/// (righto.com, 2023); the names below are theirs. The 80286's rules were found in captures from a
/// Harris 80C286 (SingleStepTests), and hold in all of them.
#pragma once

#include "cpu/alu.h"
#include "cpu/model.h"

namespace reprise {

template <class T>
struct Quotient {
    bool fits = false;  // false: divide error
    T quotient = 0, remainder = 0;
};

/// AAA and AAS: OF, SF, ZF and PF are those of adding or subtracting 6 or nothing.
template <bool add_it>
u8 early_ascii_adjust(LazyFlags& flags, u8 al)
{
    const bool adjust = (al & 0xF) > 9 || flags.af();
    const u8 by = adjust ? 6 : 0;
    const u8 value = add_it ? add<u8>(flags, al, by) : sub<u8>(flags, al, by);
    const LazyFlags sum = flags;
    set_flags<u8>(flags, value, adjust, sum.of(), adjust);
    return value;
}

// ---- 8086 --------------------------------------------------------------------------------------

/// With AF set the upper digit's correction begins later: the lower one has been added already.
template <bool add_it>
u8 decimal_adjust_8086(LazyFlags& flags, u8 al)
{
    const bool high = flags.cf() || al > (flags.af() ? 0x9F : 0x99);
    if (!high && al > 0x99) {
        const u8 value = add_it ? add<u8>(flags, al, 6) : sub<u8>(flags, al, 6);
        set_flags<u8>(flags, value, false, flags.of(), true);
        return value;
    }
    return decimal_adjust<add_it>(flags, al);
}

/// MULCOF passes the upper half through the adder, IMULCOF adds the lower half's sign to it.
/// `negated`: a REP prefix, which shares the flip-flop of the product's sign.
template <class T>
Wide<T> multiply_8086(LazyFlags& flags, T a, T b, bool is_signed, bool negated)
{
    u64 product = is_signed ? static_cast<u64>(sign_extend(a) * sign_extend(b)) : u64{a} * b;
    if (negated) product = 0 - product;
    const T low = static_cast<T>(product), high = static_cast<T>(product >> kBits<T>);
    const T sum = add<T>(flags, high, 0, is_signed && sign(low));
    flags.set_cf_of(sum != 0, sum != 0);
    return {low, high};
}

template <class T>
T rotate_through(T value, bool& carry)
{
    const bool out = sign(value);
    value = static_cast<T>(value << 1 | T{carry});
    carry = out;
    return value;
}

/// CORD: leaves the remainder in `a`, the quotient's complement in `c`, and in `carry` the
/// quotient's highest bit, complemented too. False: the quotient is too large.
template <class T>
bool divide_core_8086(LazyFlags& flags, T& a, T& c, T b, bool& carry)
{
    sub<T>(flags, a, b);
    carry = flags.cf();
    if (!carry) return false;
    for (int i = 0; i < kBits<T>; ++i) {
        c = rotate_through(c, carry);
        a = rotate_through(a, carry);
        if (carry) {  // a bit more than `b` can have: its subtraction leaves flags alone
            a = static_cast<T>(a - b);
            carry = false;
            continue;
        }
        const T difference = sub<T>(flags, a, b);
        carry = flags.cf();
        if (!carry) a = difference;
    }
    c = rotate_through(c, carry);
    carry = sign(c);
    return true;
}

template <class T>
Quotient<T> divide_unsigned_8086(LazyFlags& flags, T high, T low, T divisor)
{
    bool carry = false;
    if (!divide_core_8086(flags, high, low, divisor, carry)) return {};
    flags.set_cf(carry);
    return {true, static_cast<T>(~low), high};
}

/// PREIDIV, CORD, POSTIDIV. `negated`: a REP prefix, which shares the flip-flop of the quotient's
/// sign.
template <class T>
Quotient<T> divide_signed_8086(LazyFlags& flags, T high, T low, T divisor, bool negated)
{
    bool carry = false;
    const bool minus = sign(high);
    if (minus) {
        low = sub<T>(flags, 0, low);
        high = static_cast<T>(~high + !flags.cf());
    }
    if (sign(divisor)) divisor = static_cast<T>(0 - divisor), negated = !negated;
    if (!divide_core_8086(flags, high, low, divisor, carry)) return {};
    if (!carry) {
        flags.set_cf(false);
        return {};
    }
    flags.set_cf_of(false, false);
    const bool is_negative = minus != negated;
    return {true, static_cast<T>(is_negative ? low + 1 : ~low),
            static_cast<T>(minus ? 0 - high : high)};
}

// ---- 80286 -------------------------------------------------------------------------------------

/// SF, ZF and PF are those of the upper half, AF is set.
template <class T>
Wide<T> multiply_80286(LazyFlags& flags, T a, T b, bool is_signed)
{
    const u64 product = is_signed ? static_cast<u64>(sign_extend(a) * sign_extend(b)) : u64{a} * b;
    const T low = static_cast<T>(product), high = static_cast<T>(product >> kBits<T>);
    const bool significant = high != (is_signed && sign(low) ? static_cast<T>(~T{0}) : T{0});
    set_flags<T>(flags, high, significant, significant, true);
    return {low, high};
}

/// Division that shifts and subtracts: `steps` bits of `low` are shifted into `high`. With `wide`,
/// the bit shifted out of `high` is not forgotten. The flags are those of the last subtraction.
template <class T>
T divide_steps(LazyFlags& flags, T high, T low, T divisor, int steps, bool wide)
{
    for (int i = 0; i < steps; ++i) {
        bool carry = sign(low);
        low = static_cast<T>(low << 1);
        high = rotate_through(high, carry);
        const T difference = sub<T>(flags, high, divisor);
        if ((wide && carry) || !flags.cf()) high = difference;
    }
    return high;
}

/// SF, ZF and PF are those of the remainder, AF is set; CF and OF, equal, say whether the last step
/// subtracted less than it had or nothing. A divide error is found before the last step.
template <class T>
Quotient<T> divide_unsigned_80286(LazyFlags& flags, T high, T low, T divisor)
{
    if (high >= divisor) {
        divide_steps<T>(flags, static_cast<T>(high - divisor), low, divisor, kBits<T> - 1, true);
        return {};
    }
    const u64 dividend = u64{high} << kBits<T> | low;
    const T quotient = static_cast<T>(dividend / divisor),
            remainder = static_cast<T>(dividend % divisor);
    const bool carry = !(quotient & 1) || u64{remainder} + divisor > std::numeric_limits<T>::max();
    set_flags<T>(flags, remainder, carry, carry, true);
    return {true, quotient, remainder};
}

/// SF, ZF and PF are those of the remainder, AF is set; CF and OF come from a last comparison of
/// its magnitude with the divisor. In a divide error the remainder is what the steps have left,
/// which do not notice a bit shifted out; one equal to the divisor counts as none.
template <class T>
Quotient<T> divide_signed_80286(LazyFlags& flags, T high, T low, T divisor)
{
    const u64 mask = (u64{1} << 2 * kBits<T>)-1;
    const u64 dividend = u64{high} << kBits<T> | low;
    const bool minus = sign(high), minus_divisor = sign(divisor);
    const u64 magnitude = minus ? (0 - dividend) & mask : dividend;
    const T by = minus_divisor ? static_cast<T>(0 - divisor) : divisor;

    T rest = divide_steps<T>(flags, static_cast<T>(magnitude >> kBits<T>),
                             static_cast<T>(magnitude), by, kBits<T>, false);
    if (rest == by) rest = 0;
    const T remainder = minus ? static_cast<T>(0 - rest) : rest;
    const bool carry = minus_divisor ? rest >= by : rest < by;
    set_flags<T>(flags, remainder, carry, carry, true);

    if (by == 0) return {};
    const u64 quotient = magnitude / by;
    const bool is_negative = minus != minus_divisor;
    const u64 limit = (u64{1} << (kBits<T> - 1)) - !is_negative;
    if (quotient > limit) return {};
    return {true, static_cast<T>(is_negative ? 0 - quotient : quotient), remainder};
}

// ---- Shifts ------------------------------------------------------------------------------------

/// Both shift left by adding, so that AF is the carry into bit 4. In right shifts the 80286 sets AF, the
/// 8086 clears it.
template <ShiftOp op, Level chip, class T>
T early_shift(LazyFlags& flags, T a, u32 count)
{
    constexpr u64 kAf = 0x10;
    const T value = shift<op>(flags, a, count);
    if (count == 0) return value;
    if constexpr (op == ShiftOp::Shl || op == ShiftOp::Sal) flags.carries = (flags.carries & ~kAf) | (value & kAf);
    else if constexpr (op >= ShiftOp::Shr && chip == Level::I8086) flags.carries &= ~kAf;
    return value;
}

}  // namespace reprise
