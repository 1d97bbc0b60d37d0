/// Addition, subtraction, multiplication, division and square root.
#include "cpu/fp/format.h"

namespace reprise::fp {

namespace {

/// |a| + |b| or |a| - |b|, exactly: the larger operand at bit 126 of 128, the smaller one shifted
/// to its place.
struct Sum {
    u128 value;    // top bit anywhere
    int exponent;  // of bit 127
    bool swapped;  // b was the larger one
};

Sum add_magnitudes(const Unpacked& a, const Unpacked& b, bool subtract)
{
    const bool swapped =
        a.exponent != b.exponent ? a.exponent < b.exponent : a.significand < b.significand;
    const Unpacked& large = swapped ? b : a;
    const Unpacked& small = swapped ? a : b;
    const int distance = large.exponent - small.exponent;
    const u128 l = u128{large.significand} << 63;
    u128 s = u128{small.significand} << 63;
    if (distance > 126) s = 1;
    else s = s >> distance | ((s & ((u128{1} << distance) - 1)) != 0);
    return {subtract ? l - s : l + s, large.exponent + 1, swapped};
}

/// Zeros, infinities, NaNs. `b_sign` is b's with the subtraction in it.
template <class F>
[[gnu::noinline]] F add_special(Context& c, const Unpacked& a, const Unpacked& b, bool b_sign)
{
    if (a.kind >= Kind::QuietNan || b.kind >= Kind::QuietNan) return propagate_nan<F>(c, a, b);
    if (a.kind == Kind::Infinity && b.kind == Kind::Infinity && a.sign != b_sign)
        return invalid<F>(c);
    if (denormal_operand(c, a, b)) return {};
    if (a.kind == Kind::Infinity) return infinity<F>(a.sign);
    if (b.kind == Kind::Infinity) return infinity<F>(b_sign);
    if (a.kind == Kind::Zero && b.kind == Kind::Zero)
        return zero<F>(a.sign == b_sign ? a.sign : c.rounding == Rounding::Down);
    const Unpacked& other = a.kind == Kind::Zero ? b : a;
    const bool sign = a.kind == Kind::Zero ? b_sign : a.sign;
    return round_pack<F>(c, sign, other.exponent, other.significand, 0, precision<F>(c));
}

template <class F>
[[gnu::always_inline]] inline F add_or_subtract(Context& c, F x, F y, bool subtraction)
{
    c.rounded_up = false;
    const Unpacked a = unpack(c, x), b = unpack(c, y);
    const bool b_sign = b.sign != subtraction;
    if (!a.finite() || !b.finite()) [[unlikely]]
        return add_special<F>(c, a, b, b_sign);
    if (denormal_operand(c, a, b)) return {};

    const Sum sum = add_magnitudes(a, b, a.sign != b_sign);
    if (sum.value == 0) return zero<F>(c.rounding == Rounding::Down);
    const u64 high = static_cast<u64>(sum.value >> 64);
    const int shift =
        high ? std::countl_zero(high) : 64 + std::countl_zero(static_cast<u64>(sum.value));
    const u128 value = sum.value << shift;
    return round_pack<F>(c, sum.swapped ? b_sign : a.sign, sum.exponent - shift,
                         static_cast<u64>(value >> 64), static_cast<u64>(value), precision<F>(c));
}

template <class F>
[[gnu::noinline]] F mul_special(Context& c, const Unpacked& a, const Unpacked& b)
{
    if (a.kind >= Kind::QuietNan || b.kind >= Kind::QuietNan) return propagate_nan<F>(c, a, b);
    const bool infinite = a.kind == Kind::Infinity || b.kind == Kind::Infinity;
    const bool null = a.kind == Kind::Zero || b.kind == Kind::Zero;
    if (infinite && null) return invalid<F>(c);
    if (denormal_operand(c, a, b)) return {};
    const bool sign = a.sign != b.sign;
    return infinite ? infinity<F>(sign) : zero<F>(sign);
}

template <class F>
[[gnu::noinline]] F div_special(Context& c, const Unpacked& a, const Unpacked& b)
{
    if (a.kind >= Kind::QuietNan || b.kind >= Kind::QuietNan) return propagate_nan<F>(c, a, b);
    if (a.kind == b.kind && (a.kind == Kind::Infinity || a.kind == Kind::Zero))
        return invalid<F>(c);
    const bool sign = a.sign != b.sign;
    if (b.kind == Kind::Zero && a.finite()) {
        c.raise(kZeroDivide);
        return infinity<F>(sign);
    }
    if (denormal_operand(c, a, b)) return {};
    return a.kind == Kind::Infinity || b.kind == Kind::Zero ? infinity<F>(sign) : zero<F>(sign);
}

/// n = value^2 + rest, rest <= 2 * value.
struct Root {
    u64 value;
    u128 rest;
};

/// The integer square root of the upper `bits` of 128, of which at least one of the highest two is
/// set: from the root of their upper half (P. Zimmermann, "Karatsuba Square Root", INRIA RR-3805).
template <int bits>
Root root_of(u128 n)
{
    if constexpr (bits == 32) {
        const u32 value = static_cast<u32>(n >> 96);
        u32 root = 0;
        for (u32 bit = 1u << 15; bit != 0; bit >>= 1)
            if ((root | bit) * (root | bit) <= value) root |= bit;
        return {root, value - root * root};
    } else {
        constexpr int quarter = bits / 4;
        constexpr u64 mask = (u64{1} << quarter) - 1;
        const u64 low = static_cast<u64>(n >> (128 - bits)), low1 = low >> quarter & mask,
                  low0 = low & mask;
        const Root high = root_of<bits / 2>(n);
        const u128 dividend = high.rest << quarter | low1;
        const u64 divisor = high.value * 2;
        const u64 q = static_cast<u64>(dividend / divisor);
        const u128 rest = (dividend - u128{q} * divisor) << quarter | low0;
        u128 value = (u128{high.value} << quarter) + q;
        u128 difference = rest - u128{q} * q;
        if (difference >> 127) {  // q was one too many
            difference += 2 * value - 1;
            --value;
        }
        return {static_cast<u64>(value), difference};
    }
}

}  // namespace

template <class F>
F add(Context& c, F a, F b)
{
    return add_or_subtract(c, a, b, false);
}

template <class F>
F sub(Context& c, F a, F b)
{
    return add_or_subtract(c, a, b, true);
}

template <class F>
F mul(Context& c, F x, F y)
{
    c.rounded_up = false;
    const Unpacked a = unpack(c, x), b = unpack(c, y);
    if (!a.finite() || !b.finite()) [[unlikely]]
        return mul_special<F>(c, a, b);
    if (denormal_operand(c, a, b)) return {};

    u128 product = u128{a.significand} * b.significand;
    const int shift = static_cast<u64>(product >> 127) ^ 1;
    product <<= shift;
    return round_pack<F>(c, a.sign != b.sign, a.exponent + b.exponent + 1 - shift,
                         static_cast<u64>(product >> 64), static_cast<u64>(product),
                         precision<F>(c));
}

template <class F>
F div(Context& c, F x, F y)
{
    c.rounded_up = false;
    const Unpacked a = unpack(c, x), b = unpack(c, y);
    if (!a.finite() || !b.finite()) [[unlikely]]
        return div_special<F>(c, a, b);
    if (denormal_operand(c, a, b)) return {};

    // The dividend is made less than the divisor, so that the quotient has 64 bits.
    const bool smaller = a.significand < b.significand;
    const u128 dividend = u128{a.significand} << (smaller ? 64 : 63);
    const u64 quotient = static_cast<u64>(dividend / b.significand);
    const u64 rest = static_cast<u64>(dividend) - quotient * b.significand;
    // The rest is below the divisor: above, at or below one half decides the rounding.
    const u64 extra = rest == 0                      ? 0
                      : rest > b.significand - rest  ? kTop | 1
                      : rest == b.significand - rest ? kTop
                                                     : 1;
    return round_pack<F>(c, a.sign != b.sign, a.exponent - b.exponent - smaller, quotient, extra,
                         precision<F>(c));
}

template <class F>
F sqrt(Context& c, F x)
{
    c.rounded_up = false;
    const Unpacked a = unpack(c, x);
    if (a.kind >= Kind::QuietNan) return propagate_nan<F>(c, a);
    if (a.kind == Kind::Zero) return zero<F>(a.sign);
    if (a.sign) return invalid<F>(c);
    if (denormal_operand(c, a)) return {};
    if (a.kind == Kind::Infinity) return x;

    const bool odd = a.exponent & 1;
    const u128 n = u128{a.significand} << (odd ? 64 : 63);
    const Root root = root_of<128>(n);
    // The rest is above one half of the next root if greater than the root, and never equal to it.
    const u64 extra = root.rest == 0 ? 0 : root.rest > root.value ? kTop | 1 : 1;
    return round_pack<F>(c, false, (a.exponent - odd) / 2, root.value, extra, precision<F>(c));
}

template F32 add(Context&, F32, F32);
template F64 add(Context&, F64, F64);
template F80 add(Context&, F80, F80);
template F32 sub(Context&, F32, F32);
template F64 sub(Context&, F64, F64);
template F80 sub(Context&, F80, F80);
template F32 mul(Context&, F32, F32);
template F64 mul(Context&, F64, F64);
template F80 mul(Context&, F80, F80);
template F32 div(Context&, F32, F32);
template F64 div(Context&, F64, F64);
template F80 div(Context&, F80, F80);
template F32 sqrt(Context&, F32);
template F64 sqrt(Context&, F64);
template F80 sqrt(Context&, F80);

}  // namespace reprise::fp
