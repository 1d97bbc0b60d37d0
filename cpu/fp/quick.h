/// The x87's frequent case: normal numbers, rounded to nearest, with a normal result, so that PE is
/// the only exception there can be. Everything else is refused, and fp.h has to do it.
#pragma once

#include "cpu/fp/format.h"

namespace reprise::fp::quick {

/// What an operation delivers if it returns true.
struct Result {
    F80 value;
    bool inexact = false, up = false;
};

[[gnu::always_inline]] inline bool is_normal(F80 a)
{
    return (a.exponent & 0x7FFFu) - 1 < 0x7FFE && (a.significand & kTop) != 0;
}
[[gnu::always_inline]] inline bool is_zero(F80 a)
{
    return (a.exponent & 0x7FFF) == 0 && a.significand == 0;
}

/// Rounds high:low, of which the top bit is set, to 64 - `drop` bits.
[[gnu::always_inline]] inline bool deliver(Result& r, u16 sign, int exponent, u64 high, u64 low,
                                           int drop)
{
    const Rounded rounded = round(Rounding::Nearest, false, high, low, drop);
    exponent += rounded.carry;
    r.value = {rounded.significand, static_cast<u16>(sign | exponent)};
    r.inexact = rounded.inexact;
    r.up = rounded.up;
    // Not the smallest exponent either: rounding has not lifted it from below.
    return exponent > 1 && exponent < 0x7FFF;
}

/// a + b, or a - b if `sign` is 8000h.
[[gnu::always_inline]] inline bool add(F80 a, F80 b, u16 sign, int drop, Result& r)
{
    if (!is_normal(a) || !is_normal(b)) [[unlikely]]
        return false;
    b.exponent ^= sign;
    const int distance = (a.exponent & 0x7FFF) - (b.exponent & 0x7FFF);
    const bool swapped = distance != 0 ? distance < 0 : a.significand < b.significand;
    const F80 large = swapped ? b : a, small = swapped ? a : b;
    const int shift = swapped ? -distance : distance;
    if (shift > 63) [[unlikely]]
        return false;
    const u128 l = u128{large.significand} << 63, s = u128{small.significand} << 63 >> shift;
    const bool subtract = (a.exponent ^ b.exponent) & 0x8000;
    const u128 sum = subtract ? l - s : l + s;
    const u64 high = static_cast<u64>(sum >> 64);
    if (high == 0) [[unlikely]]
        return false;
    const int lost = std::countl_zero(high);
    const u128 value = sum << lost;
    return deliver(r, large.exponent & 0x8000, (large.exponent & 0x7FFF) + 1 - lost,
                   static_cast<u64>(value >> 64), static_cast<u64>(value), drop);
}

[[gnu::always_inline]] inline bool mul(F80 a, F80 b, int drop, Result& r)
{
    if (!is_normal(a) || !is_normal(b)) [[unlikely]]
        return false;
    u128 product = u128{a.significand} * b.significand;
    const int shift = static_cast<u64>(product >> 127) ^ 1;
    product <<= shift;
    const int exponent = (a.exponent & 0x7FFF) + (b.exponent & 0x7FFF) - Format<F80>::kBias;
    return deliver(r, (a.exponent ^ b.exponent) & 0x8000, exponent + 1 - shift,
                   static_cast<u64>(product >> 64), static_cast<u64>(product), drop);
}

[[gnu::always_inline]] inline bool div(F80 a, F80 b, int drop, Result& r)
{
    if (!is_normal(a) || !is_normal(b)) [[unlikely]]
        return false;
    // The dividend is made less than the divisor, so that the quotient has 64 bits.
    const bool smaller = a.significand < b.significand;
    const u128 dividend = u128{a.significand} << (smaller ? 64 : 63);
    const u64 quotient = static_cast<u64>(dividend / b.significand);
    const u64 rest = static_cast<u64>(dividend) - quotient * b.significand;
    const u64 other = b.significand - rest;
    const u64 extra = rest == 0 ? 0 : rest > other ? kTop | 1 : rest == other ? kTop : 1;
    const int exponent = (a.exponent & 0x7FFF) - (b.exponent & 0x7FFF) + Format<F80>::kBias;
    return deliver(r, (a.exponent ^ b.exponent) & 0x8000, exponent - smaller, quotient, extra,
                   drop);
}

/// A normal number, or a zero, as FLD loads it.
template <class F>
[[gnu::always_inline]] inline bool widen(F a, F80& r)
{
    constexpr int stored = Format<F>::kPrecision - 1;
    const u32 exponent = static_cast<u32>(a.bits >> stored) & Format<F>::kExponentMask;
    const u16 sign = static_cast<u16>(a.bits >> (sizeof(a.bits) * 8 - 16)) & 0x8000;
    const u64 fraction = u64{a.bits} << (63 - stored) & (kTop - 1);
    constexpr u32 bias = Format<F80>::kBias - Format<F>::kBias;
    if (exponent - 1 < Format<F>::kExponentMask - 1) [[likely]] {
        r = {kTop | fraction, static_cast<u16>(sign | (exponent + bias))};
        return true;
    }
    r = {0, sign};
    return exponent == 0 && fraction == 0;
}

/// A normal number, or a zero, as FST stores it.
template <class F>
[[gnu::always_inline]] inline bool narrow(F80 a, F& r, bool& inexact, bool& up)
{
    const bool sign = a.sign();
    inexact = up = false;
    r = zero<F>(sign);
    if (!is_normal(a)) return is_zero(a);
    const Rounded rounded =
        round(Rounding::Nearest, false, a.significand, 0, 64 - Format<F>::kPrecision);
    const int exponent =
        (a.exponent & 0x7FFF) - Format<F80>::kBias + Format<F>::kBias + rounded.carry;
    if (exponent <= 1 || exponent >= Format<F>::kExponentMask) [[unlikely]]
        return false;
    inexact = rounded.inexact;
    up = rounded.up;
    r = pack<F>(sign, exponent, rounded.significand);
    return true;
}

[[gnu::always_inline]] inline F80 from_integer(i64 value)
{
    if (value == 0) return {};
    const u64 magnitude = value < 0 ? 0 - static_cast<u64>(value) : static_cast<u64>(value);
    const int shift = std::countl_zero(magnitude);
    return {magnitude << shift,
            static_cast<u16>((value < 0 ? 0x8000 : 0) | (Format<F80>::kBias + 63 - shift))};
}

/// As FIST stores it, if it is below a quarter of what `I` can hold.
template <class I>
[[gnu::always_inline]] inline bool to_integer(F80 a, bool truncate, I& r, bool& inexact, bool& up)
{
    inexact = up = false;
    r = 0;
    if (!is_normal(a)) return is_zero(a);
    const int exponent = (a.exponent & 0x7FFF) - Format<F80>::kBias;
    if (exponent > static_cast<int>(sizeof(I)) * 8 - 3) return false;
    u64 whole = 0, rest = exponent == -1 ? a.significand : 1;
    if (exponent >= 0) {
        whole = a.significand >> (63 - exponent);
        rest = a.significand << exponent << 1;
    }
    inexact = rest != 0;
    up = !truncate && (rest > kTop || (rest == kTop && (whole & 1)));
    whole += up;
    r = static_cast<I>(a.sign() ? 0 - whole : whole);
    return true;
}

/// Of normal numbers and zeros.
[[gnu::always_inline]] inline bool compare(F80 a, F80 b, Relation& relation)
{
    if (!is_normal(a) && !is_zero(a)) return false;
    if (!is_normal(b) && !is_zero(b)) return false;
    const int ea = a.exponent & 0x7FFF, eb = b.exponent & 0x7FFF;
    const bool equal = ea == eb && a.significand == b.significand;
    if (equal && (a.sign() == b.sign() || a.significand == 0)) {
        relation = Relation::Equal;
        return true;
    }
    const bool smaller = ea != eb ? ea < eb : a.significand < b.significand;
    const bool less = a.sign() != b.sign() ? a.sign() : smaller != a.sign();
    relation = less ? Relation::Less : Relation::Greater;
    return true;
}

}  // namespace reprise::fp::quick
