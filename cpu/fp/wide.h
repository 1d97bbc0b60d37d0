/// Numbers of 128 bits, for what is in between an operand and a transcendental result.
///
/// Operations are exact to about 2^-126. What they cut off leaves a trace in the last bit, so that
/// a result that is not exact never looks as if it were, and is on the right side of what it is
/// close to.
#pragma once

#include <array>

#include "cpu/fp/format.h"

namespace reprise::fp {

/// (-1)^sign * significand / 2^127 * 2^exponent, bit 127 of the significand set; or zero.
struct Wide {
    u128 significand = 0;
    int exponent = 0;
    bool sign = false;

    constexpr Wide operator-() const { return {significand, exponent, !sign}; }
};

constexpr u128 u128_of(u64 high, u64 low) { return u128{high} << 64 | low; }

constexpr int leading_zeros(u128 value)
{
    const u64 high = static_cast<u64>(value >> 64);
    return high ? std::countl_zero(high) : 64 + std::countl_zero(static_cast<u64>(value));
}

/// value / 2^127 * 2^exponent.
constexpr Wide normalize(bool sign, int exponent, u128 value)
{
    if (value == 0) return {};
    const int shift = leading_zeros(value);
    return {value << shift, exponent - shift, sign};
}

constexpr Wide wide(int value)
{
    return normalize(value < 0, 127, static_cast<u128>(value < 0 ? -value : value));
}
constexpr Wide wide(const Unpacked& a) { return {u128{a.significand} << 64, a.exponent, a.sign}; }

/// The upper half of a 256-bit product; `lost` says whether the lower half had anything.
constexpr u128 multiply_high(u128 a, u128 b, bool* lost = nullptr)
{
    const u64 a1 = static_cast<u64>(a >> 64), a0 = static_cast<u64>(a);
    const u64 b1 = static_cast<u64>(b >> 64), b0 = static_cast<u64>(b);
    const u128 low = u128{a0} * b0, cross1 = u128{a1} * b0, cross2 = u128{a0} * b1;
    const u128 middle = (low >> 64) + static_cast<u64>(cross1) + static_cast<u64>(cross2);
    if (lost) *lost = static_cast<u64>(low) != 0 || static_cast<u64>(middle) != 0;
    return u128{a1} * b1 + (cross1 >> 64) + (cross2 >> 64) + (middle >> 64);
}

constexpr Wide operator*(const Wide& a, const Wide& b)
{
    if (a.significand == 0 || b.significand == 0) return {};
    bool lost = false;
    const u128 product = multiply_high(a.significand, b.significand, &lost);
    Wide result = normalize(a.sign != b.sign, a.exponent + b.exponent + 1, product);
    result.significand |= lost;
    return result;
}

constexpr Wide operator+(const Wide& a, const Wide& b)
{
    if (a.significand == 0) return b;
    if (b.significand == 0) return a;
    const bool swapped =
        a.exponent != b.exponent ? a.exponent < b.exponent : a.significand < b.significand;
    const Wide& large = swapped ? b : a;
    const Wide& small = swapped ? a : b;
    const int distance = large.exponent - small.exponent + 1;  // one bit is left for the carry
    u128 s = 1;
    if (distance < 128)
        s = small.significand >> distance | ((small.significand << (128 - distance)) != 0);
    const u128 l = large.significand >> 1 | (large.significand & 1);
    return normalize(large.sign, large.exponent + 1, large.sign == small.sign ? l + s : l - s);
}
constexpr Wide operator-(const Wide& a, const Wide& b) { return a + -b; }

namespace detail {

/// The next 64 bits of rest / divisor, rest < divisor (Knuth, The Art of Computer
/// Programming, 4.3.1, D).
constexpr u64 quotient_digit(u128& rest, u128 divisor)
{
    const u64 high = static_cast<u64>(divisor >> 64), low = static_cast<u64>(divisor);
    u128 digit = ~u64{0};
    if (static_cast<u64>(rest >> 64) < high) digit = rest / high;
    u128 left = rest - digit * high;
    while (left >> 64 == 0 && digit * low > left << 64) {
        --digit;
        left += high;
    }
    rest = (left << 64) - digit * low;
    return static_cast<u64>(digit);
}

}  // namespace detail

constexpr Wide operator/(const Wide& a, const Wide& b)
{
    if (a.significand == 0) return {};
    // As a quotient below 1: the dividend is halved if necessary.
    const bool halve = a.significand >= b.significand;
    u128 rest = a.significand >> halve;
    const u64 high = detail::quotient_digit(rest, b.significand);
    const u64 low = detail::quotient_digit(rest, b.significand);
    Wide result =
        normalize(a.sign != b.sign, a.exponent - b.exponent - 1 + halve, u128_of(high, low));
    result.significand |= rest != 0 || (halve && (a.significand & 1));
    return result;
}

inline F80 round_pack(Context& c, const Wide& a)
{
    return round_pack<F80>(c, a.sign, a.exponent, static_cast<u64>(a.significand >> 64),
                           static_cast<u64>(a.significand));
}

/// 1 - z / r1 + z^2 / r2 - ...: `coefficients` are 1 / ri in units of 2^-128, z too. It is always
/// below 1, so that a tiny argument is not lost on the rounding.
template <std::size_t N>
constexpr Wide alternating_series(u128 z, const std::array<u128, N>& coefficients)
{
    u128 sum = 0;
    for (std::size_t i = N; i-- > 0;) sum = multiply_high(z, coefficients[i] - sum);
    return normalize(false, -1, ~sum | 1);
}

/// The fraction |a| < 1 in units of 2^-128; of zero the exponent means nothing.
constexpr u128 fraction(const Wide& a)
{
    const int shift = -1 - a.exponent;
    return a.significand == 0 || shift > 127 ? 0 : a.significand >> shift;
}

}  // namespace reprise::fp
