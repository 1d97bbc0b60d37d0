/// Between formats, to and from integers, to integral values.
#include "cpu/fp/format.h"

namespace reprise::fp {

namespace {

template <class F>
inline constexpr bool kX87 = std::is_same_v<F, F80>;

/// A number rounded to an integer, without a limit: at most 2^64, or `huge`.
struct Integer {
    u64 magnitude = 0;
    bool huge = false;  // 2^64 or more
    bool inexact = false, up = false;
};

Integer round_to_integer(const Unpacked& a, Rounding rounding)
{
    if (a.exponent > 63) return {.huge = true};
    u64 significand = a.significand, extra = 0;
    shift_right_sticky(significand, extra, 63 - a.exponent);
    const Rounded r = round(rounding, a.sign, significand, extra, 0);
    return {r.significand, r.carry, r.inexact, r.up};
}

/// Only IE and PE: an integer has no denormals, and what does not fit is invalid (SDM vol. 2A,
/// FIST; CVTSD2SI).
template <class I, class F>
I to_integer(Context& c, F value, Rounding rounding)
{
    constexpr u64 limit = u64{1} << (sizeof(I) * 8 - 1);
    constexpr I integer_indefinite = static_cast<I>(limit);
    c.rounded_up = false;
    const Unpacked a = unpack(c, value);
    if (a.kind == Kind::Zero) return 0;
    const bool number = a.finite();
    const Integer i = number ? round_to_integer(a, rounding) : Integer{};
    if (!number || i.huge || i.magnitude > limit - !a.sign) {
        c.raise(kInvalid);
        return integer_indefinite;
    }
    c.rounded_up = i.up;
    if (i.inexact) c.raise(kPrecision);
    return static_cast<I>(a.sign ? 0 - i.magnitude : i.magnitude);
}

/// FST to memory. When OE or UE is unmasked nothing is stored, so nothing was inexact either (as
/// measured on an AMD Zen 4).
template <class To>
To store(Context& c, const Unpacked& a)
{
    Context own = c;
    own.flags = 0;
    const To value = round_pack<To>(own, a.sign, a.exponent, a.significand, 0);
    if (own.flags & ~own.masks & (kOverflow | kUnderflow)) {
        own.flags &= ~kPrecision;
        own.rounded_up = false;
    }
    c.flags |= own.flags;
    c.rounded_up = own.rounded_up;
    return value;
}

}  // namespace

template <class To, class From>
To convert(Context& c, From value)
{
    c.rounded_up = false;
    const Unpacked a = unpack(c, value);
    if (a.kind >= Kind::QuietNan) return propagate_nan<To>(c, a);
    if constexpr (!kX87<From>) {
        // FLD loads a denormal even if DE is unmasked.
        if (denormal_operand(c, a) && !kX87<To>) return {};
    }
    if (a.kind == Kind::Zero) return zero<To>(a.sign);
    if (a.kind == Kind::Infinity) return infinity<To>(a.sign);
    if constexpr (kX87<From>) return store<To>(c, a);
    else return round_pack<To>(c, a.sign, a.exponent, a.significand, 0);
}

template <class From>
F80 widen(From value)
{
    const Unpacked a = unpack(value);
    switch (a.kind) {
    case Kind::Zero: return zero<F80>(a.sign);
    case Kind::Denormal:
    case Kind::Normal: return pack<F80>(a.sign, a.exponent + Format<F80>::kBias, a.significand);
    default: return pack<F80>(a.sign, Format<F80>::kExponentMask, a.significand);
    }
}

template <class F>
i16 to_i16(Context& c, F value, Rounding rounding)
{
    return to_integer<i16>(c, value, rounding);
}
template <class F>
i32 to_i32(Context& c, F value, Rounding rounding)
{
    return to_integer<i32>(c, value, rounding);
}
template <class F>
i64 to_i64(Context& c, F value, Rounding rounding)
{
    return to_integer<i64>(c, value, rounding);
}

template <class F>
F from_integer(Context& c, i64 value)
{
    c.rounded_up = false;
    if (value == 0) return zero<F>(false);
    const bool sign = value < 0;
    const u64 magnitude = sign ? 0 - static_cast<u64>(value) : static_cast<u64>(value);
    const int shift = std::countl_zero(magnitude);
    return round_pack<F>(c, sign, 63 - shift, magnitude << shift, 0);
}

template <class F>
F round_to_integral(Context& c, F value, Rounding rounding)
{
    c.rounded_up = false;
    const Unpacked a = unpack(c, value);
    if (a.kind >= Kind::QuietNan) return propagate_nan<F>(c, a);
    if (a.kind == Kind::Zero) return zero<F>(a.sign);
    if constexpr (kX87<F>) {
        if (denormal_operand(c, a)) return {};
    }
    if (a.kind == Kind::Infinity || a.exponent >= 63) return value;
    const Integer i = round_to_integer(a, rounding);
    c.rounded_up = i.up;
    if (i.inexact) c.raise(kPrecision);
    if (i.magnitude == 0) return zero<F>(a.sign);
    const int shift = std::countl_zero(i.magnitude);
    return pack<F>(a.sign, 63 - shift + Format<F>::kBias, i.magnitude << shift);
}

template F64 convert(Context&, F32);
template F32 convert(Context&, F64);
template F80 convert(Context&, F32);
template F80 convert(Context&, F64);
template F32 convert(Context&, F80);
template F64 convert(Context&, F80);
template F80 widen(F32);
template F80 widen(F64);
template i16 to_i16(Context&, F80, Rounding);
template i32 to_i32(Context&, F32, Rounding);
template i32 to_i32(Context&, F64, Rounding);
template i32 to_i32(Context&, F80, Rounding);
template i64 to_i64(Context&, F32, Rounding);
template i64 to_i64(Context&, F64, Rounding);
template i64 to_i64(Context&, F80, Rounding);
template F32 from_integer(Context&, i64);
template F64 from_integer(Context&, i64);
template F80 from_integer(Context&, i64);
template F32 round_to_integral(Context&, F32, Rounding);
template F64 round_to_integral(Context&, F64, Rounding);
template F80 round_to_integral(Context&, F80, Rounding);

}  // namespace reprise::fp
