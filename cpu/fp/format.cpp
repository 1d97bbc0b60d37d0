#include "cpu/fp/format.h"

namespace reprise::fp {

template <class F>
Kind classify(F value)
{
    return unpack(value).kind;
}

/// Masked: infinity or the largest finite number, by the direction of rounding (SDM vol. 1, table
/// 4-10).
template <class F>
F overflowed(Context& c, bool sign, int exponent, int precision, const Rounded& r)
{
    constexpr bool x87 = std::is_same_v<F, F80>;
    c.raise(kOverflow);
    if (c.masks & kOverflow) {
        c.raise(kPrecision);
        const bool to_infinity =
            c.rounding == Rounding::Nearest || c.rounding == (sign ? Rounding::Down : Rounding::Up);
        c.rounded_up = to_infinity;
        if (to_infinity) return infinity<F>(sign);
        return pack<F>(sign, Format<F>::kExponentMask - 1, ~u64{0} << (64 - precision));
    }
    c.rounded_up = r.up;
    c.flags |= r.inexact ? kPrecision : 0;
    if constexpr (x87) {
        const int biased = exponent + Format<F>::kBias - Format<F>::kWrap;
        if (biased < Format<F>::kExponentMask) return pack<F>(sign, biased, r.significand);
        c.raise(kPrecision);  // only FSCALE gets that far (8.5.4)
        c.rounded_up = true;
        return infinity<F>(sign);
    }
    return {};
}

template <class F>
F tiny(Context& c, bool sign, int exponent, u64 significand, u64 extra, int precision,
       const Rounded& r)
{
    constexpr bool x87 = std::is_same_v<F, F80>;
    if (!(c.masks & kUnderflow)) {
        c.raise(kUnderflow);
        c.rounded_up = r.up;
        c.flags |= r.inexact ? kPrecision : 0;
        if constexpr (x87) {
            const int biased = exponent + r.carry + Format<F>::kBias + Format<F>::kWrap;
            if (biased > 0) return pack<F>(sign, biased, r.significand);
            c.raise(kPrecision);  // as above (8.5.5)
            c.rounded_up = false;
            return zero<F>(sign);
        }
        return {};
    }
    if (!x87 && c.ftz) {
        c.raise(kUnderflow | kPrecision);
        c.rounded_up = false;
        return zero<F>(sign);
    }
    shift_right_sticky(significand, extra, kMinExponent<F> - exponent);
    const Rounded d = round(c.rounding, sign, significand, extra, 64 - precision);
    c.rounded_up = d.up;
    if (d.inexact) c.raise(kUnderflow | kPrecision);
    // Rounding may have made it the smallest normal number.
    return pack<F>(sign, d.significand >> 63 != 0, d.significand);
}

template Kind classify(F32);
template Kind classify(F64);
template Kind classify(F80);
template F32 overflowed(Context&, bool, int, int, const Rounded&);
template F64 overflowed(Context&, bool, int, int, const Rounded&);
template F80 overflowed(Context&, bool, int, int, const Rounded&);
template F32 tiny(Context&, bool, int, u64, u64, int, const Rounded&);
template F64 tiny(Context&, bool, int, u64, u64, int, const Rounded&);
template F80 tiny(Context&, bool, int, u64, u64, int, const Rounded&);

}  // namespace reprise::fp
