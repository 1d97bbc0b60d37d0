/// The host's own arithmetic, for the frequent case in which IEEE 754 leaves it no choice.
///
/// +, -, *, / and the square root of normal numbers, rounded to nearest with a normal result, are
/// the same on every host. So are comparisons, and conversions between binary32, binary64 and
/// integers. What is not looked at is whether a result was inexact: a caller needs
/// `may_be_inexact`. Zeros are taken too where they are exact; everything else (denormals,
/// infinities, NaNs, overflow, underflow, results next to it) is refused, and fp.h has to do it. So
/// no operation here ever raises a flag, and settings such as the host's flush-to-zero do not
/// matter.
#pragma once

#include <bit>
#include <cfloat>
#include <cmath>
#include <limits>

#include "cpu/fp/format.h"

namespace reprise::fp::host {

/// A host that computes in a wider format would round twice.
inline constexpr bool kAvailable = std::numeric_limits<float>::is_iec559 &&
                                   std::numeric_limits<double>::is_iec559 && FLT_EVAL_METHOD == 0;

/// MXCSR: rounding to nearest, and PE masked and set already, so that an inexact result changes
/// nothing.
[[gnu::always_inline]] inline bool may_be_inexact(u32 mxcsr)
{
    return kAvailable && (mxcsr & 0x7020) == 0x1020;
}

template <class F>
using Number = std::conditional_t<std::is_same_v<F, F32>, float, double>;

template <class F>
[[gnu::always_inline]] inline Number<F> number(F value)
{
    return std::bit_cast<Number<F>>(value.bits);
}
template <class F>
[[gnu::always_inline]] inline F bits_of(Number<F> value)
{
    return std::bit_cast<F>(value);
}

template <class F>
[[gnu::always_inline]] inline u32 exponent(F value)
{
    return static_cast<u32>(value.bits >> (Format<F>::kPrecision - 1)) & Format<F>::kExponentMask;
}
template <class F>
[[gnu::always_inline]] inline bool is_zero(F value)
{
    return static_cast<decltype(value.bits)>(value.bits << 1) == 0;
}
template <class F>
[[gnu::always_inline]] inline bool is_normal(F value)
{
    return exponent(value) - 1 < Format<F>::kExponentMask - 1;
}
template <class F>
[[gnu::always_inline]] inline bool is_normal_or_zero(F value)
{
    return is_normal(value) || is_zero(value);
}
/// Normal, and not the smallest exponent either: rounding has not lifted it from below.
template <class F>
[[gnu::always_inline]] inline bool is_well_normal(F value)
{
    return exponent(value) - 2 < Format<F>::kExponentMask - 2;
}

/// Of conditions that are cheaper computed than jumped over.
template <class... Bools>
[[gnu::always_inline]] inline bool all(Bools... conditions)
{
    return (static_cast<int>(conditions) & ...) != 0;
}
template <class... Bools>
[[gnu::always_inline]] inline bool any(Bools... conditions)
{
    return (static_cast<int>(conditions) | ...) != 0;
}

// Each computes `r`, and returns whether it is what fp.h would give.

/// A sum can only be zero, or have the smallest exponent, if it is exact.
template <class F>
[[gnu::always_inline]] inline bool add(F a, F b, F& r)
{
    r = bits_of<F>(number(a) + number(b));
    return all(is_normal_or_zero(a), is_normal_or_zero(b), is_normal_or_zero(r));
}
template <class F>
[[gnu::always_inline]] inline bool sub(F a, F b, F& r)
{
    r = bits_of<F>(number(a) - number(b));
    return all(is_normal_or_zero(a), is_normal_or_zero(b), is_normal_or_zero(r));
}
template <class F>
[[gnu::always_inline]] inline bool mul(F a, F b, F& r)
{
    r = bits_of<F>(number(a) * number(b));
    if (all(is_well_normal(r), is_normal(a), is_normal(b))) [[likely]]
        return true;
    return any(all(is_zero(a), is_normal_or_zero(b)), all(is_zero(b), is_normal(a)));
}
template <class F>
[[gnu::always_inline]] inline bool div(F a, F b, F& r)
{
    r = bits_of<F>(number(a) / number(b));
    return all(is_normal(b), any(all(is_normal(a), is_well_normal(r)), is_zero(a)));
}
template <class F>
[[gnu::always_inline]] inline bool sqrt(F a, F& r)
{
    if (!is_normal(a) || number(a) < 0) [[unlikely]]
        return r = a, is_zero(a);
    r = bits_of<F>(std::sqrt(number(a)));
    return true;
}

/// From one format to the other, or the same. To the narrower one only where `may_be_inexact`.
template <class To, class From>
[[gnu::always_inline]] inline bool convert(From a, To& r)
{
    r = bits_of<To>(static_cast<Number<To>>(number(a)));
    if constexpr (sizeof(To) >= sizeof(From)) return is_normal_or_zero(a);
    else return any(all(is_normal(a), is_well_normal(r)), is_zero(a));
}

/// An integer from a number, rounded to nearest or toward zero. `inexact` is computed, and no
/// rounding of the host's takes part.
template <class I, class F>
[[gnu::always_inline]] inline bool to_integer(F a, bool truncate, I& r, bool& inexact)
{
    // Below 2^30 there is room for rounding up in any integer.
    if (exponent(a) >= Format<F>::kBias + 30 || !is_normal_or_zero(a)) return false;
    const i32 whole = static_cast<i32>(number(a));
    const Number<F> rest = number(a) - static_cast<Number<F>>(whole);
    const Number<F> half = 0.5;
    const bool odd = whole & 1;
    const bool above = rest > half || (odd && rest == half);
    const bool below = rest < -half || (odd && rest == -half);
    r = whole + (truncate ? 0 : above - below);
    inexact = rest != 0;
    return true;
}

/// A number from an integer, exactly.
template <class F>
[[gnu::always_inline]] inline bool from_integer(i64 value, F& r)
{
    constexpr i64 limit = i64{1} << Format<F>::kPrecision;
    r = bits_of<F>(static_cast<Number<F>>(value));
    return value >= -limit && value <= limit;
}

}  // namespace reprise::fp::host
