/// What all operations have in common: taking numbers apart, choosing a NaN, rounding and putting
/// the result together.
#pragma once

#include <bit>
#include <type_traits>

#include "cpu/fp/fp.h"

namespace reprise::fp {

__extension__ using u128 = unsigned __int128;

inline constexpr u64 kTop = u64{1} << 63;

/// The constants of a format. `kPrecision` counts the integer bit.
template <class F>
struct Format;

template <>
struct Format<F32> {
    using Bits = u32;
    static constexpr int kPrecision = 24, kBias = 127, kExponentMask = 0xFF;
};
template <>
struct Format<F64> {
    using Bits = u64;
    static constexpr int kPrecision = 53, kBias = 1023, kExponentMask = 0x7FF;
};
template <>
struct Format<F80> {
    static constexpr int kPrecision = 64, kBias = 16383, kExponentMask = 0x7FFF;
    static constexpr int kWrap = 24576;  // SDM vol. 1, 8.5.4
};

/// Smallest exponent of a normal number.
template <class F>
inline constexpr int kMinExponent = 1 - Format<F>::kBias;

/// A number taken apart. Finite ones, denormals too, are (-1)^sign * significand / 2^63 *
/// 2^exponent with bit 63 of the significand set; a NaN's significand has its quiet bit in bit 62.
struct Unpacked {
    u64 significand = 0;
    int exponent = 0;
    bool sign = false;
    Kind kind = Kind::Zero;

    bool finite() const { return kind == Kind::Normal || kind == Kind::Denormal; }
    bool nan() const { return kind == Kind::QuietNan || kind == Kind::SignalingNan; }
    bool invalid() const { return kind == Kind::SignalingNan || kind == Kind::Unsupported; }
};

template <class F>
constexpr F pack(bool sign, int biased_exponent, u64 significand)
{
    if constexpr (std::is_same_v<F, F80>) {
        return {significand, static_cast<u16>(sign << 15 | biased_exponent)};
    } else {
        using Bits = typename Format<F>::Bits;
        constexpr int stored = Format<F>::kPrecision - 1;
        const Bits fraction =
            static_cast<Bits>(significand >> (63 - stored)) & ((Bits{1} << stored) - 1);
        return {static_cast<Bits>(Bits{sign} << (sizeof(Bits) * 8 - 1) |
                                  static_cast<Bits>(biased_exponent) << stored | fraction)};
    }
}

template <class F>
constexpr F zero(bool sign)
{
    return pack<F>(sign, 0, 0);
}
template <class F>
constexpr F infinity(bool sign)
{
    return pack<F>(sign, Format<F>::kExponentMask, kTop);
}
/// The real indefinite: a negative QNaN with nothing else in it (SDM vol. 1, table 4-3).
template <class F>
constexpr F indefinite()
{
    return pack<F>(true, Format<F>::kExponentMask, kTop | kTop >> 1);
}
template <class F>
constexpr F quiet_nan(const Unpacked& nan)
{
    return pack<F>(nan.sign, Format<F>::kExponentMask, nan.significand | kTop | kTop >> 1);
}

/// `value` in parts. A denormal is normalized.
template <class F>
[[gnu::always_inline]] inline Unpacked unpack(F value)
{
    u64 significand;
    int biased;
    bool sign, integer_bit;
    if constexpr (std::is_same_v<F, F80>) {
        significand = value.significand;
        biased = value.exponent & 0x7FFF;
        sign = value.sign();
        integer_bit = significand & kTop;
    } else {
        constexpr int stored = Format<F>::kPrecision - 1;
        biased = static_cast<int>(value.bits >> stored) & Format<F>::kExponentMask;
        sign = value.bits >> (sizeof(value.bits) * 8 - 1);
        integer_bit = biased != 0;
        significand = (u64{value.bits} << (63 - stored) & (kTop - 1)) | u64{integer_bit} << 63;
    }
    if (biased != 0 && biased != Format<F>::kExponentMask && integer_bit) [[likely]]
        return {significand, biased - Format<F>::kBias, sign, Kind::Normal};
    if (biased == 0) {
        if (significand == 0) return {0, 0, sign, Kind::Zero};
        const int shift = std::countl_zero(significand);
        return {significand << shift, kMinExponent<F> - shift, sign, Kind::Denormal};
    }
    if (!integer_bit) return {significand, 0, sign, Kind::Unsupported};
    if (significand == kTop) return {significand, 0, sign, Kind::Infinity};
    return {significand, 0, sign, significand & kTop >> 1 ? Kind::QuietNan : Kind::SignalingNan};
}

/// The same for an operand of an operation: with DAZ, a denormal is a zero.
template <class F>
[[gnu::always_inline]] inline Unpacked unpack(const Context& c, F value)
{
    Unpacked u = unpack(value);
    if constexpr (!std::is_same_v<F, F80>) {
        if (c.daz && u.kind == Kind::Denormal) [[unlikely]]
            u = {0, 0, u.sign, Kind::Zero};
    }
    return u;
}

/// `value` as an operation with DAZ sees it.
template <class F>
F after_daz(const Context& c, F value)
{
    return c.daz && unpack(value).kind == Kind::Denormal ? zero<F>(unpack(value).sign) : value;
}

/// DE for any operand that is a denormal; is it unmasked?
[[gnu::always_inline]] inline bool denormal_operand(Context& c, const Unpacked& a)
{
    if (a.kind != Kind::Denormal && !c.denormal_source) [[likely]]
        return false;
    return c.raise(kDenormal);
}
[[gnu::always_inline]] inline bool denormal_operand(Context& c, const Unpacked& a,
                                                    const Unpacked& b)
{
    if (a.kind != Kind::Denormal && b.kind != Kind::Denormal && !c.denormal_source) [[likely]]
        return false;
    return c.raise(kDenormal);
}

template <class F>
F invalid(Context& c)
{
    c.raise(kInvalid);
    return indefinite<F>();
}

/// The result of an operation of which `a`, `b` or both are NaNs or unsupported (SDM vol. 1, table
/// 4-7).
template <class F>
F propagate_nan(Context& c, const Unpacked& a, const Unpacked& b)
{
    if (a.kind == Kind::Unsupported || b.kind == Kind::Unsupported) return invalid<F>(c);
    if (a.invalid() || b.invalid()) c.raise(kInvalid);
    if (!b.nan()) return quiet_nan<F>(a);
    if (!a.nan()) return quiet_nan<F>(b);
    if constexpr (!std::is_same_v<F, F80>) {
        return quiet_nan<F>(a);
    } else {
        if (a.kind != b.kind) return quiet_nan<F>(a.kind == Kind::QuietNan ? a : b);
        // Of equal significands the positive one.
        if (a.significand != b.significand)
            return quiet_nan<F>(a.significand > b.significand ? a : b);
        return quiet_nan<F>(a.sign ? b : a);
    }
}
template <class F>
F propagate_nan(Context& c, const Unpacked& a)
{
    if (a.kind == Kind::Unsupported) return invalid<F>(c);
    if (a.invalid()) c.raise(kInvalid);
    return quiet_nan<F>(a);
}

/// A significand rounded. When it overflows, it is 1/2 of what it should be, and `carry` is set.
struct Rounded {
    u64 significand;
    bool carry, inexact, up;
};

/// Rounds significand + extra / 2^64 by dropping the lowest `drop` bits of the significand (0 to
/// 63).
[[gnu::always_inline]] inline Rounded round(Rounding rounding, bool sign, u64 significand,
                                            u64 extra, int drop)
{
    const u64 unit = u64{1} << drop;
    const u64 rest = drop == 0 ? extra : significand << (64 - drop) | (extra != 0);
    const u64 kept = significand & ~(unit - 1);
    bool up;
    switch (rounding) {
    case Rounding::Nearest: up = rest > kTop || (rest == kTop && (kept & unit)); break;
    case Rounding::Down: up = sign && rest; break;
    case Rounding::Up: up = !sign && rest; break;
    default: up = false; break;
    }
    u64 sum = kept + (up ? unit : 0);
    const bool carry = up && sum == 0;
    if (carry) sum = kTop;
    return {sum, carry, rest != 0, up};
}

/// significand:extra shifted right; what falls out at the end is kept as a set last bit.
constexpr void shift_right_sticky(u64& significand, u64& extra, int count)
{
    if (count == 0) return;
    if (count >= 128) {
        extra = (significand | extra) != 0;
        significand = 0;
    } else if (count >= 64) {
        const u64 lost = count == 64 ? extra : extra | significand << (128 - count);
        extra = (count == 64 ? significand : significand >> (count - 64)) | (lost != 0);
        significand = 0;
    } else {
        const u64 lost = extra << (64 - count);
        extra = extra >> count | significand << (64 - count) | (lost != 0);
        significand >>= count;
    }
}

template <class F>
F overflowed(Context& c, bool sign, int exponent, int precision, const Rounded& r);
template <class F>
F tiny(Context& c, bool sign, int exponent, u64 significand, u64 extra, int precision,
       const Rounded& r);

/// (-1)^sign * (significand + extra / 2^64) / 2^63 * 2^exponent in format F, with all that SDM vol.
/// 1, 4.9.1.4 to 4.9.1.6 says about overflow, underflow and precision. Bit 63 of the significand is
/// set.
template <class F>
[[gnu::always_inline]] inline F round_pack(Context& c, bool sign, int exponent, u64 significand,
                                           u64 extra, int precision = Format<F>::kPrecision)
{
    const Rounded r = round(c.rounding, sign, significand, extra, 64 - precision);
    const int rounded_exponent = exponent + r.carry;
    // Tininess is detected after rounding as if the exponent had no limits (4.9.1.5).
    if (rounded_exponent < kMinExponent<F>) [[unlikely]]
        return tiny<F>(c, sign, exponent, significand, extra, precision, r);
    if (rounded_exponent > Format<F>::kBias) [[unlikely]]
        return overflowed<F>(c, sign, rounded_exponent, precision, r);
    c.rounded_up = r.up;
    c.flags |= r.inexact ? kPrecision : 0;
    return pack<F>(sign, rounded_exponent + Format<F>::kBias, r.significand);
}

/// The precision that an operation of the x87 rounds to; that of SSE is the format's.
template <class F>
constexpr int precision(const Context& c)
{
    if constexpr (std::is_same_v<F, F80>) return c.precision;
    else return Format<F>::kPrecision;
}

}  // namespace reprise::fp
