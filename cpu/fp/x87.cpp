#include "cpu/fp/x87.h"

#include <algorithm>

#include "cpu/fp/format.h"

namespace reprise::fp {

namespace {

/// `a` truncated to an integer; what exceeds any exponent by far stays at that.
int truncated_exponent(const Unpacked& a)
{
    constexpr int limit = 1 << 17;
    if (!a.finite() || a.exponent < 0) return 0;
    const int magnitude =
        a.exponent > 16 ? limit : static_cast<int>(a.significand >> (63 - a.exponent));
    return a.sign ? -magnitude : magnitude;
}

F80 scale_special(Context& c, const Unpacked& a, const Unpacked& b)
{
    if (a.kind >= Kind::QuietNan || b.kind >= Kind::QuietNan) return propagate_nan<F80>(c, a, b);
    if (b.kind == Kind::Infinity && a.kind == (b.sign ? Kind::Infinity : Kind::Zero))
        return invalid<F80>(c);
    if (denormal_operand(c, a, b)) return {};
    if (a.kind == Kind::Infinity) return infinity<F80>(a.sign);
    if (b.kind == Kind::Infinity) return b.sign ? zero<F80>(a.sign) : infinity<F80>(a.sign);
    return zero<F80>(a.sign);
}

}  // namespace

F80 scale(Context& c, F80 x, F80 y)
{
    c.rounded_up = false;
    const Unpacked a = unpack(x), b = unpack(y);
    if (!a.finite() || b.kind >= Kind::Infinity) return scale_special(c, a, b);
    if (denormal_operand(c, a, b)) return {};
    return round_pack<F80>(c, a.sign, a.exponent + truncated_exponent(b), a.significand, 0);
}

Parts extract(Context& c, F80 value)
{
    c.rounded_up = false;
    const Unpacked a = unpack(value);
    if (a.kind >= Kind::QuietNan) {
        const F80 nan = propagate_nan<F80>(c, a);
        return {nan, nan};
    }
    if (a.kind == Kind::Zero) {
        c.raise(kZeroDivide);
        return {infinity<F80>(true), value};
    }
    if (a.kind == Kind::Infinity) return {infinity<F80>(false), value};
    if (denormal_operand(c, a)) return {};
    return {from_integer<F80>(c, a.exponent), pack<F80>(a.sign, Format<F80>::kBias, a.significand)};
}

namespace {

/// dividend * 2^shift mod divisor, and the low bits of the quotient.
struct Division {
    u64 rest;
    u64 quotient;
};

Division divide(u64 dividend, int shift, u64 divisor)
{
    const u128 n = u128{dividend} << shift;
    return {static_cast<u64>(n % divisor), static_cast<u64>(n / divisor)};
}

F80 normalized(Context& c, bool sign, int exponent, u64 significand)
{
    if (significand == 0) return zero<F80>(sign);
    const int shift = std::countl_zero(significand);
    return round_pack<F80>(c, sign, exponent - shift, significand << shift, 0);
}

Remainder remainder_special(Context& c, F80 dividend, const Unpacked& a, const Unpacked& b)
{
    if (a.kind >= Kind::QuietNan || b.kind >= Kind::QuietNan) return {propagate_nan<F80>(c, a, b)};
    if (a.kind == Kind::Infinity || b.kind == Kind::Zero) return {invalid<F80>(c)};
    if (denormal_operand(c, a, b)) return {};
    if (a.kind == Kind::Zero) return {dividend, 0, true};
    return {normalized(c, a.sign, a.exponent, a.significand), 0, true};
}

}  // namespace

Remainder remainder(Context& c, F80 x, F80 y, bool to_nearest)
{
    c.rounded_up = false;
    const Unpacked a = unpack(x), b = unpack(y);
    if (!a.finite() || !b.finite()) return remainder_special(c, x, a, b);
    if (denormal_operand(c, a, b)) return {};

    const int distance = a.exponent - b.exponent;
    if (distance < -1 || (distance < 0 && !to_nearest))
        return {normalized(c, a.sign, a.exponent, a.significand), 0, true};
    if (distance >= 64) {
        // SDM vol. 2A, FPREM: the exponent is reduced by N, 32 to 63, which is for the
        // implementation to choose.
        const int reduction = 32 + distance % 32;
        const Division d = divide(a.significand, reduction, b.significand);
        return {normalized(c, a.sign, a.exponent - reduction, d.rest), 0, true, true};
    }
    // A distance of -1 is one of 0 from a dividend with half the significand.
    const bool half = distance < 0;
    const Division d =
        divide(half ? a.significand >> 1 : a.significand, std::max(distance, 0), b.significand);
    const u128 rest =
        half ? u128{d.rest} << 1 | (a.significand & 1) : u128{d.rest} << 1;  // in halves
    const bool next =
        to_nearest && (rest > b.significand || (rest == b.significand && (d.quotient & 1)));
    const bool sign = a.sign != next;
    const u128 magnitude = next ? (u128{b.significand} << 1) - rest : rest;
    const u8 quotient = (d.quotient + next) & 7;
    if (magnitude == 0) return {zero<F80>(a.sign), quotient, true};
    const int exponent = b.exponent;
    if (magnitude >> 64)
        return {round_pack<F80>(c, sign, exponent, static_cast<u64>(magnitude >> 1), 0), quotient,
                true};
    return {normalized(c, sign, exponent - 1, static_cast<u64>(magnitude)), quotient, true};
}

F80 from_bcd(const PackedBcd& bcd)
{
    u64 magnitude = 0;
    for (int i = 8; i >= 0; --i) magnitude = magnitude * 100 + (bcd[i] >> 4) * 10u + (bcd[i] & 15);
    const bool sign = bcd[9] & 0x80;
    if (magnitude == 0) return zero<F80>(sign);
    const int shift = std::countl_zero(magnitude);
    return pack<F80>(sign, Format<F80>::kBias + 63 - shift, magnitude << shift);
}

PackedBcd to_bcd(Context& c, F80 value)
{
    constexpr i64 limit = 999'999'999'999'999'999;
    const u8 flags = c.flags;
    const i64 integer = to_i64(c, value, c.rounding);
    if (integer > limit || integer < -limit) {
        c.flags = flags;
        c.rounded_up = false;
        c.raise(kInvalid);
        return {0, 0, 0, 0, 0, 0, 0, 0xC0, 0xFF, 0xFF};  // the packed BCD indefinite
    }
    PackedBcd bcd{};
    u64 rest = static_cast<u64>(integer < 0 ? -integer : integer);
    for (int i = 0; i < 9; ++i, rest /= 100)
        bcd[i] = static_cast<u8>(rest / 10 % 10 << 4 | rest % 10);
    bcd[9] = value.sign() ? 0x80 : 0;
    return bcd;
}

}  // namespace reprise::fp
