/// FSIN, FCOS, FPTAN, FPATAN, F2XM1, FYL2X and FYL2XP1.
///
/// Power series in 128 bits, with an error near 2^-100 before the one rounding to 64 bits: results
/// are those of exact arithmetic but for one in 2^35 or so. Special operands: SDM vol. 2A, the
/// tables of each instruction. A result from operands that are not special raises PE even where it
/// happens to be exact, as on an AMD Zen 4.
#include <algorithm>

#include "cpu/fp/wide.h"
#include "cpu/fp/x87.h"

namespace reprise::fp {

namespace {

constexpr Wide kOne = wide(1), kTwo = wide(2);
constexpr Wide kPi{u128_of(0xC90FDAA22168C234, 0xC4C6628B80DC1CD1), 1};
constexpr Wide kHalfPi{kPi.significand, 0};
constexpr Wide kLn2{u128_of(0xB17217F7D1CF79AB, 0xC9E3B39803F2F6AF), -1};
constexpr Wide kTwoOverLn2{u128_of(0xB8AA3B295C17F0BB, 0xBE87FED0691D3E89), 1};
constexpr u128 kSqrtTwo = u128_of(0xB504F333F9DE6484, 0x597D89B3754ABE9F);  // * 2^-127

constexpr Wide half(Wide a, int times = 1) { return a.exponent -= times, a; }

/// 1 / n! for n = first, first + step, ..., in units of 2^-128.
template <std::size_t N>
constexpr std::array<u128, N> inverse_factorials(unsigned first, unsigned step)
{
    std::array<u128, N> table{};
    u128 value = ~u128{0};
    unsigned n = 1;
    for (std::size_t i = 0; i < N; ++i) {
        for (; n < first + i * step; ++n) value /= n + 1;
        table[i] = value;
    }
    return table;
}

/// 1 / first, 1 / (first + 2), ...
template <std::size_t N>
constexpr std::array<u128, N> inverse_odds(unsigned first)
{
    std::array<u128, N> table{};
    for (std::size_t i = 0; i < N; ++i)
        table[i] = ~u128{0} / (first + 2 * static_cast<unsigned>(i));
    return table;
}

constexpr auto kSine = inverse_factorials<13>(3, 2);
constexpr auto kCosine = inverse_factorials<14>(2, 2);
constexpr auto kArctangent = inverse_odds<13>(3);
constexpr auto kLogarithm = inverse_odds<20>(3);
constexpr auto kExponential = inverse_factorials<17>(2, 1);

/// The end of every operation on operands that are not special.
F80 finish(Context& c, const Wide& wide_result)
{
    c.raise(kPrecision);
    const F80 result = round_pack(c, wide_result);
    if ((result.exponent & 0x7FFF) == 0) c.raise(kUnderflow);
    return result;
}

// ---- Circular functions -------------------------------------------------------------------------

/// An angle less the nearest multiple of pi/2.
struct Reduced {
    Wide angle;    // magnitude at most pi/4
    int quadrant;  // the multiple, modulo 4
};

/// The x87's pi has 66 bits (SDM vol. 1, 8.3.8), and subtracting its multiples is exact: in units
/// of 2^-65, an angle from 1/4 to 2^63 is an integer of up to 128 bits.
Reduced reduce(const Unpacked& a)
{
    constexpr u128 half_pi = u128_of(3, 0x243F6A8885A308D3);
    if (a.exponent < -2) return {wide(a), 0};
    const u128 units = u128{a.significand} << (a.exponent + 2);
    u128 rest = units % half_pi;
    u64 multiple = static_cast<u64>(units / half_pi);
    const bool next = rest > half_pi / 2;
    if (next) {
        rest = half_pi - rest;
        ++multiple;
    }
    const int quadrant = static_cast<int>((a.sign ? 0 - multiple : multiple) & 3);
    return {normalize(a.sign != next, 127 - 65, rest), quadrant};
}

Wide sine(const Wide& a) { return a * alternating_series(fraction(a * a), kSine); }
Wide cosine(const Wide& a) { return alternating_series(fraction(a * a), kCosine); }

/// Sine and cosine of the quadrant's angle, with their signs.
Wide sine(const Reduced& r)
{
    const Wide value = r.quadrant & 1 ? cosine(r.angle) : sine(r.angle);
    return r.quadrant & 2 ? -value : value;
}

Wide tangent(const Reduced& r)
{
    // Where the angle's square no longer counts, its sign does.
    const bool small = r.angle.exponent < -40;
    const bool inverse = r.quadrant & 1;
    Wide s = small ? r.angle : sine(r.angle);
    if (small && !inverse) {
        s.significand |= 1;  // above the angle, which has 66 bits at most
        return s;
    }
    return inverse ? -(cosine(r.angle) / s) : s / cosine(r.angle);
}

/// What the three have in common for operands that are not finite; `at_zero` is their value at 0.
F80 circular_special(Context& c, const Unpacked& a, F80 at_zero)
{
    if (a.kind >= Kind::QuietNan) return propagate_nan<F80>(c, a);
    if (a.kind == Kind::Infinity) return invalid<F80>(c);
    return at_zero;
}

constexpr F80 kF80One = pack<F80>(false, Format<F80>::kBias, kTop);

}  // namespace

bool beyond_reduction(F80 value)
{
    const Unpacked a = unpack(value);
    return a.finite() && a.exponent >= 63;
}

F80 sin(Context& c, F80 x)
{
    c.rounded_up = false;
    const Unpacked a = unpack(x);
    if (!a.finite()) return circular_special(c, a, x);
    if (denormal_operand(c, a)) return {};
    return finish(c, sine(reduce(a)));
}

F80 cos(Context& c, F80 x)
{
    c.rounded_up = false;
    const Unpacked a = unpack(x);
    if (!a.finite()) return circular_special(c, a, kF80One);
    if (denormal_operand(c, a)) return {};
    Reduced r = reduce(a);
    r.quadrant = (r.quadrant + 1) & 3;
    return finish(c, sine(r));
}

F80 tan(Context& c, F80 x)
{
    c.rounded_up = false;
    const Unpacked a = unpack(x);
    if (!a.finite()) return circular_special(c, a, x);
    if (denormal_operand(c, a)) return {};
    return finish(c, tangent(reduce(a)));
}

// ---- Arctangent ---------------------------------------------------------------------------------

namespace {

/// The arctangents of 0/8 to 8/8.
constexpr std::array<Wide, 9> kArctangents = {{
    {},
    {u128_of(0xFEADD4D5617B6E32, 0xC897989F3E888EF8), -4},
    {u128_of(0xFADBAFC96406EB15, 0x6DC79EF5F7A217E6), -3},
    {u128_of(0xB7B0CA0F26F78473, 0x8AA32122DCFE4483), -2},
    {u128_of(0xED63382B0DDA7B45, 0x6FE445ECBC3A8D03), -2},
    {u128_of(0x8F005D5EF7F59F9B, 0x5C835E1665C43748), -1},
    {u128_of(0xA4BC7D1934F70924, 0x19A87F2A457DAC9F), -1},
    {u128_of(0xB8053E2BC2319E73, 0xCB2DA55210A4443D), -1},
    {u128_of(0xC90FDAA22168C234, 0xC4C6628B80DC1CD1), -1},
}};

/// The arctangent of n / d, 0 < n <= d: atan(k/8) + atan(t) with t = (n - d k/8) / (d + n k/8), |t|
/// <= 1/16.
Wide arctangent(const Unpacked& n, const Unpacked& d)
{
    const int distance = d.exponent - n.exponent;
    const int sixteenths =
        distance > 4 ? 0 : static_cast<int>((u128{n.significand} << 4 >> distance) / d.significand);
    const int eighths = (sixteenths + 1) / 2;
    Wide wn = wide(n), wd = wide(d);
    wn.sign = wd.sign = false;
    const Wide k = half(wide(eighths), 3);
    const Wide t = eighths == 0 ? wn / wd : (wn - wd * k) / (wd + wn * k);
    return kArctangents[static_cast<std::size_t>(eighths)] +
           t * alternating_series(fraction(t * t), kArctangent);
}

/// With a zero or an infinity: a multiple of pi/4 (SDM vol. 2A, table 3-30).
F80 arctangent_special(Context& c, const Unpacked& y, const Unpacked& x)
{
    if (y.kind >= Kind::QuietNan || x.kind >= Kind::QuietNan) return propagate_nan<F80>(c, y, x);
    if (denormal_operand(c, y, x)) return {};
    const bool along_x =
        y.kind == Kind::Zero || (x.kind == Kind::Infinity && y.kind != Kind::Infinity);
    if (along_x && !x.sign) return zero<F80>(y.sign);
    Wide angle = along_x ? kPi : kHalfPi;
    if (y.kind == Kind::Infinity && x.kind == Kind::Infinity)
        angle = x.sign ? half(kPi * wide(3), 2) : half(kHalfPi);
    angle.sign = y.sign;
    return finish(c, angle);
}

}  // namespace

F80 atan2(Context& c, F80 y_value, F80 x_value)
{
    c.rounded_up = false;
    const Unpacked y = unpack(y_value), x = unpack(x_value);
    if (!y.finite() || !x.finite()) return arctangent_special(c, y, x);
    if (denormal_operand(c, y, x)) return {};
    const bool steep =
        y.exponent != x.exponent ? y.exponent > x.exponent : y.significand > x.significand;
    Wide angle = steep ? arctangent(x, y) : arctangent(y, x);
    if (steep) angle = kHalfPi - angle;
    if (x.sign) angle = kPi - angle;
    angle.sign = y.sign;
    return finish(c, angle);
}

// ---- Exponential and logarithm ------------------------------------------------------------------

namespace {

/// e^a - 1 for |a| < 0.09.
Wide exponential_minus_1(const Wide& a)
{
    const u128 h = fraction(a);
    u128 sum = 0;  // in units of 2^-127, as it is above 1 at the end
    for (std::size_t i = kExponential.size(); i-- > 0;) {
        const u128 term = multiply_high(h, sum);
        sum = (kExponential[i] >> 1) + (a.sign ? 0 - term : term);
    }
    const u128 term = multiply_high(h, sum);
    return a * normalize(false, 0, (u128{1} << 127) + (a.sign ? 0 - term : term));
}

}  // namespace

F80 exp2_minus_1(Context& c, F80 x)
{
    c.rounded_up = false;
    const Unpacked a = unpack(x);
    if (a.kind >= Kind::QuietNan) return propagate_nan<F80>(c, a);
    if (a.kind == Kind::Zero) return x;
    if (a.kind == Kind::Infinity) return a.sign ? pack<F80>(true, Format<F80>::kBias, kTop) : x;
    if (denormal_operand(c, a)) return {};
    if (a.exponent >= 0) {
        // Of 1 and -1 it is exact; beyond them it is undefined, and the operand stays, as on an AMD
        // Zen 4.
        c.raise(kPrecision);
        const bool minus_1 = a.sign && a.exponent == 0 && a.significand == kTop;
        return minus_1 ? pack<F80>(true, Format<F80>::kBias - 1, kTop) : x;
    }
    Wide e = exponential_minus_1(half(wide(a) * kLn2, 3));
    for (int i = 0; i < 3; ++i) e = e * (e + kTwo);  // (1 + e)^2 - 1
    return finish(c, e);
}

namespace {

/// The base 2 logarithm of (1 + s) / (1 - s), |s| < 0.172.
Wide logarithm(const Wide& s)
{
    const u128 z = fraction(s * s);
    u128 sum = 0;
    for (std::size_t i = kLogarithm.size(); i-- > 0;) sum = multiply_high(z, kLogarithm[i] + sum);
    return s * kTwoOverLn2 * normalize(false, 0, (u128{1} << 127) + (sum >> 1));
}

/// The base 2 logarithm of a > 0.
Wide logarithm_of(const Wide& a)
{
    // As m * 2^k, m between the square roots of 1/2 and 2.
    const bool upper = a.significand > kSqrtTwo;
    const int k = a.exponent + upper;
    const Wide m{a.significand, upper ? -1 : 0};
    return wide(k) + logarithm((m - kOne) / (m + kOne));
}

/// y times the logarithm of x where either is special (SDM vol. 2A, table 3-58).
F80 logarithm_special(Context& c, const Unpacked& y, const Unpacked& x)
{
    if (y.kind >= Kind::QuietNan || x.kind >= Kind::QuietNan) return propagate_nan<F80>(c, y, x);
    if (x.sign && x.kind != Kind::Zero) return invalid<F80>(c);
    const bool null = y.kind == Kind::Zero;
    if (x.kind == Kind::Zero) {
        if (null) return invalid<F80>(c);
        if (y.finite()) {
            if (c.raise(kZeroDivide)) return {};
        }
        return infinity<F80>(!y.sign);
    }
    const bool one = x.finite() && x.exponent == 0 && x.significand == kTop;
    if ((null && x.kind == Kind::Infinity) || (y.kind == Kind::Infinity && one))
        return invalid<F80>(c);
    if (denormal_operand(c, y, x)) return {};
    const bool sign = y.sign != (x.finite() && x.exponent < 0);
    return null ? zero<F80>(sign) : infinity<F80>(sign);
}

}  // namespace

F80 y_log2_x(Context& c, F80 y_value, F80 x_value)
{
    c.rounded_up = false;
    const Unpacked y = unpack(y_value), x = unpack(x_value);
    if (!y.finite() || !x.finite() || x.sign) return logarithm_special(c, y, x);
    if (denormal_operand(c, y, x)) return {};
    if (x.exponent == 0 && x.significand == kTop) return zero<F80>(y.sign);
    return finish(c, wide(y) * logarithm_of(wide(x)));
}

namespace {

F80 logarithm_plus_1_special(Context& c, const Unpacked& y, const Unpacked& x)
{
    if (y.kind >= Kind::QuietNan || x.kind >= Kind::QuietNan) return propagate_nan<F80>(c, y, x);
    const bool infinite = y.kind == Kind::Infinity || x.kind == Kind::Infinity;
    const bool null = y.kind == Kind::Zero || x.kind == Kind::Zero;
    if ((infinite && null) || (x.kind == Kind::Infinity && x.sign)) return invalid<F80>(c);
    if (denormal_operand(c, y, x)) return {};
    const bool sign = y.sign != x.sign;
    return infinite ? infinity<F80>(sign) : zero<F80>(sign);
}

}  // namespace

F80 y_log2_x_plus_1(Context& c, F80 y_value, F80 x_value)
{
    c.rounded_up = false;
    const Unpacked y = unpack(y_value), x = unpack(x_value);
    if (!y.finite() || !x.finite()) return logarithm_plus_1_special(c, y, x);
    if (denormal_operand(c, y, x)) return {};
    if (x.sign && x.exponent >= 0) {  // undefined; x remains, as on an AMD Zen 4
        c.raise(kPrecision);
        return x_value;
    }
    const Wide w = wide(x);
    const bool near_1 = x.exponent < -2;
    return finish(c, wide(y) * (near_1 ? logarithm(w / (w + kTwo)) : logarithm_of(w + kOne)));
}

}  // namespace reprise::fp
