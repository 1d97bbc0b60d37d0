/// The x87's transcendental functions against MPFR: the error in units of the last of 64 bits, in
/// every rounding mode. The rounding itself is within 1/2 (to nearest) or 1 (directed).
///
/// REPRISE_SEED=<number> repeats a run or tries another.
#include <gtest/gtest.h>
#include <mpfr.h>

#include <cmath>
#include <cstdio>

#include "cpu/fp/x87.h"
#include "tests/cpu/fp_operands.h"

namespace reprise::fp {
namespace {

constexpr mpfr_prec_t kBits = 400;

class Real {
public:
    Real() { mpfr_init2(value, kBits); }
    explicit Real(F80 f) : Real()
    {
        const Unpacked u = unpack(f);
        mpfr_set_ui(value, 0, MPFR_RNDN);
        for (int i = 1; i >= 0; --i) {
            mpfr_mul_2ui(value, value, 32, MPFR_RNDN);
            mpfr_add_ui(value, value, static_cast<u32>(u.significand >> 32 * i), MPFR_RNDN);
        }
        mpfr_mul_2si(value, value, u.exponent - 63, MPFR_RNDN);
        if (u.sign) mpfr_neg(value, value, MPFR_RNDN);
    }
    Real(const Real& other) : Real() { mpfr_set(value, other.value, MPFR_RNDN); }
    Real& operator=(const Real&) = delete;
    ~Real() { mpfr_clear(value); }

    mpfr_t value;
};

/// |ours - exact| in units of the last place of ours, that of denormals for those.
double error_in_ulps(F80 ours, const Real& exact)
{
    const Real o(ours);
    const int exponent = std::max(unpack(ours).exponent, kMinExponent<F80>);
    Real difference;
    mpfr_sub(difference.value, o.value, exact.value, MPFR_RNDN);
    mpfr_mul_2si(difference.value, difference.value, 63 - exponent, MPFR_RNDN);
    return std::fabs(mpfr_get_d(difference.value, MPFR_RNDN));
}

class Transcendental : public testing::Test {
protected:
    void SetUp() override { std::printf("seed %llu\n", static_cast<unsigned long long>(seed())); }

    /// A finite operand with an exponent from `lowest` to `highest`, sometimes with few bits.
    F80 operand(int lowest, int highest, bool negative = true)
    {
        u64 significand = operands_.word() | kTop;
        if (operands_.below(8) == 0) significand &= ~u64{0} << operands_.below(63);
        if (operands_.below(8) == 0) significand |= ~u64{0} >> (1 + operands_.below(63));
        const int exponent =
            lowest + static_cast<int>(operands_.below(static_cast<u32>(highest - lowest + 1)));
        return pack<F80>(negative && operands_.below(2), exponent + Format<F80>::kBias,
                         significand);
    }

    /// `ours(c, x, y)` against `exact(result, x, y)`.
    template <class Draw, class Ours, class Exact>
    void check(Draw draw, Ours ours, Exact exact)
    {
        double worst_nearest = 0, worst_directed = 0;
        for (int i = 0; i < kRounds && !HasFailure(); ++i) {
            const auto [x, y] = draw();
            Context c;
            c.rounding = static_cast<Rounding>(i & 3);
            const F80 result = ours(c, x, y);
            Real expected;
            exact(expected.value, Real(x).value, Real(y).value);
            const double error = error_in_ulps(result, expected);
            double& worst = c.rounding == Rounding::Nearest ? worst_nearest : worst_directed;
            worst = std::max(worst, error);
            const bool right_side = is_right_side(c.rounding, result, expected);
            const bool good = right_side &&
                              error <= (c.rounding == Rounding::Nearest ? 0.5001 : 1.0) &&
                              (c.flags & kPrecision);
            EXPECT_TRUE(good) << std::hex << "rounding " << (i & 3) << " x " << x.exponent << ":"
                              << x.significand << " y " << y.exponent << ":" << y.significand
                              << " result " << result.exponent << ":" << result.significand
                              << " error " << error << " flags " << int{c.flags};
        }
        std::printf("worst error: %.6f ulp to nearest, %.6f directed\n", worst_nearest,
                    worst_directed);
    }

    static bool is_right_side(Rounding rounding, F80 result, const Real& exact)
    {
        const int side = mpfr_cmp(Real(result).value, exact.value);
        switch (rounding) {
        case Rounding::Down: return side <= 0;
        case Rounding::Up: return side >= 0;
        case Rounding::Zero: return result.sign() ? side >= 0 : side <= 0;
        default: return true;
        }
    }

    static constexpr int kRounds = 12'000;
    Operands operands_{seed()};
};

/// x less the nearest multiple of half the x87's pi: SDM vol. 1, 8.3.8 gives it as
/// 0.C90FDAA22168C234C * 4. Returns the multiple modulo 4.
int reduce_by_x87_pi(mpfr_t x)
{
    Real half_pi, multiple;
    mpfr_set_str(half_pi.value, "1.921FB54442D184698", 16, MPFR_RNDN);
    mpfr_div(multiple.value, x, half_pi.value, MPFR_RNDN);
    mpfr_rint(multiple.value, multiple.value, MPFR_RNDN);
    mpfr_mul(half_pi.value, half_pi.value, multiple.value, MPFR_RNDN);
    mpfr_sub(x, x, half_pi.value, MPFR_RNDN);
    return static_cast<int>(mpfr_get_sj(multiple.value, MPFR_RNDN) & 3);
}

using Unary = int (*)(mpfr_t, const mpfr_t, mpfr_rnd_t);

/// `functions`: what to take of the rest for each multiple; a negative sign where `minus` has a
/// bit.
void circular(mpfr_t result, mpfr_t x, std::array<Unary, 2> functions, int minus)
{
    const int multiple = reduce_by_x87_pi(x);
    functions[multiple & 1](result, x, MPFR_RNDN);
    if (minus >> multiple & 1) mpfr_neg(result, result, MPFR_RNDN);
}

TEST_F(Transcendental, SineIsExactToTheLastBit)
{
    check(
        [&] {
            return std::pair{operand(-75, 62), F80{}};
        },
        [](Context& c, F80 x, F80) { return sin(c, x); },
        [](mpfr_t r, mpfr_t x, mpfr_t) {
            circular(r, x, {mpfr_sin, mpfr_cos}, 0b1100);
        });
}
TEST_F(Transcendental, CosineIsExactToTheLastBit)
{
    check(
        [&] {
            return std::pair{operand(-75, 62), F80{}};
        },
        [](Context& c, F80 x, F80) { return cos(c, x); },
        [](mpfr_t r, mpfr_t x, mpfr_t) {
            circular(r, x, {mpfr_cos, mpfr_sin}, 0b0110);
        });
}
TEST_F(Transcendental, TangentIsExactToTheLastBit)
{
    check(
        [&] {
            return std::pair{operand(-75, 62), F80{}};
        },
        [](Context& c, F80 x, F80) { return tan(c, x); },
        [](mpfr_t r, mpfr_t x, mpfr_t) {
            circular(r, x, {mpfr_tan, mpfr_cot}, 0b1010);
        });
}
TEST_F(Transcendental, TinyAnglesKeepTheSideTheyAreOn)
{
    check(
        [&] {
            return std::pair{operand(-16382, -100), F80{}};
        },
        [](Context& c, F80 x, F80) { return sin(c, x); },
        [](mpfr_t r, mpfr_t x, mpfr_t) {
            // x - x^3/6 where the second term has left the precision.
            mpfr_set(r, x, MPFR_RNDN);
            mpfr_sgn(x) > 0 ? mpfr_nextbelow(r) : mpfr_nextabove(r);
        });
}
TEST_F(Transcendental, ArctangentIsExactToTheLastBit)
{
    const auto draw = [&] {
        const F80 y = operand(-40, 40);
        return std::pair{operands_.below(2)
                             ? operand(-40, 40)
                             : operand(unpack(y).exponent - 3, unpack(y).exponent + 3),
                         y};
    };
    check(
        draw, [](Context& c, F80 x, F80 y) { return atan2(c, y, x); },
        [](mpfr_t r, mpfr_t x, mpfr_t y) { mpfr_atan2(r, y, x, MPFR_RNDN); });
}
TEST_F(Transcendental, ArctangentsAtTheEndsOfTheRange)
{
    const auto draw = [&] { return std::pair{operand(-16382, 16383), operand(-16382, 16383)}; };
    check(
        draw, [](Context& c, F80 x, F80 y) { return atan2(c, y, x); },
        [](mpfr_t r, mpfr_t x, mpfr_t y) { mpfr_atan2(r, y, x, MPFR_RNDN); });
}
TEST_F(Transcendental, ExponentialIsExactToTheLastBit)
{
    check(
        [&] {
            return std::pair{operand(-75, -1), F80{}};
        },
        [](Context& c, F80 x, F80) { return exp2_minus_1(c, x); },
        [](mpfr_t r, mpfr_t x, mpfr_t) {
            Real ln2;
            mpfr_const_log2(ln2.value, MPFR_RNDN);
            mpfr_mul(r, x, ln2.value, MPFR_RNDN);
            mpfr_expm1(r, r, MPFR_RNDN);
        });
}

void y_times_log2(mpfr_t r, mpfr_t x, mpfr_t y)
{
    mpfr_log2(r, x, MPFR_RNDN);
    mpfr_mul(r, r, y, MPFR_RNDN);
}
TEST_F(Transcendental, LogarithmIsExactToTheLastBit)
{
    check(
        [&] {
            return std::pair{operand(-16382, 16383, false), operand(-100, 100)};
        },
        [](Context& c, F80 x, F80 y) { return y_log2_x(c, y, x); }, y_times_log2);
}
TEST_F(Transcendental, LogarithmNear1IsExactToTheLastBit)
{
    const auto draw = [&] {
        Context c;
        const F80 one = pack<F80>(false, Format<F80>::kBias, kTop);
        F80 x = one;
        while (x == one) x = add(c, one, operand(-63, -2));
        return std::pair{x, operand(-100, 100)};
    };
    check(
        draw, [](Context& c, F80 x, F80 y) { return y_log2_x(c, y, x); }, y_times_log2);
}
TEST_F(Transcendental, LogarithmOfXPlus1IsExactToTheLastBit)
{
    check(
        [&] {
            return std::pair{operand(-80, -2), operand(-100, 100)};
        },
        [](Context& c, F80 x, F80 y) { return y_log2_x_plus_1(c, y, x); },
        [](mpfr_t r, mpfr_t x, mpfr_t y) {
            Real ln2;
            mpfr_const_log2(ln2.value, MPFR_RNDN);
            mpfr_log1p(r, x, MPFR_RNDN);
            mpfr_div(r, r, ln2.value, MPFR_RNDN);
            mpfr_mul(r, r, y, MPFR_RNDN);
        });
}

}  // namespace
}  // namespace reprise::fp
