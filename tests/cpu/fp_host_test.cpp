/// cpu/fp/host.h takes only what comes out as fp.h says, with no flag but PE.
///
/// REPRISE_SEED=<number> repeats a run or tries another.
#include "cpu/fp/host.h"

#include <gtest/gtest.h>

#include "tests/cpu/fp_operands.h"

namespace reprise::fp {
namespace {

constexpr int kCases = 200'000;

template <class F>
class HostArithmetic : public testing::Test {
protected:
    /// `quick(a, b, r)` against `exact(context, a, b)`.
    template <class Quick, class Exact>
    void compare(bool product, Quick quick, Exact exact)
    {
        for (int i = 0; i < kCases; ++i) {
            const F a = operands_.next<F>();
            const F b = product ? operands_.across(a, i & 1) : operands_.near(a);
            decltype(exact(context_, a, b)) r;
            if (!quick(a, b, r)) continue;
            ++taken_;
            context_ = {};
            ASSERT_EQ(exact(context_, a, b), r)
                << std::hex << u64{a.bits} << ' ' << u64{b.bits} << ", seed " << seed_;
            ASSERT_EQ(context_.flags & ~kPrecision, 0)
                << std::hex << u64{a.bits} << ' ' << u64{b.bits} << ", seed " << seed_;
        }
        EXPECT_GT(taken_, kCases / 20);
        EXPECT_LT(taken_, kCases);
    }

    const u64 seed_ = fp::seed();
    Operands operands_{seed_};
    Context context_;
    int taken_ = 0;
};

using Formats = testing::Types<F32, F64>;
TYPED_TEST_SUITE(HostArithmetic, Formats);

TYPED_TEST(HostArithmetic, AddsAlike)
{
    this->compare(false, host::add<TypeParam>, add<TypeParam>);
}
TYPED_TEST(HostArithmetic, SubtractsAlike)
{
    this->compare(false, host::sub<TypeParam>, sub<TypeParam>);
}
TYPED_TEST(HostArithmetic, MultipliesAlike)
{
    this->compare(true, host::mul<TypeParam>, mul<TypeParam>);
}
TYPED_TEST(HostArithmetic, DividesAlike)
{
    this->compare(true, host::div<TypeParam>, div<TypeParam>);
}
TYPED_TEST(HostArithmetic, TakesRootsAlike)
{
    using F = TypeParam;
    this->compare(
        false, [](F a, F, F& r) { return host::sqrt(a, r); },
        [](Context& c, F a, F) { return sqrt(c, a); });
}
TYPED_TEST(HostArithmetic, ConvertsAlike)
{
    using F = TypeParam;
    using Other = std::conditional_t<std::is_same_v<F, F32>, F64, F32>;
    this->compare(
        false, [](F a, F, Other& r) { return host::convert(a, r); },
        [](Context& c, F a, F) { return convert<Other>(c, a); });
}
TYPED_TEST(HostArithmetic, ConvertsToIntegersAlike)
{
    using F = TypeParam;
    for (const bool truncate : {false, true}) {
        const Rounding rounding = truncate ? Rounding::Zero : Rounding::Nearest;
        for (int i = 0; i < kCases; ++i) {
            const F a = this->operands_.template next<F>();
            i32 narrow = 0;
            i64 wide = 0;
            bool inexact = false;
            if (!host::to_integer(a, truncate, narrow, inexact)) continue;
            ASSERT_TRUE(host::to_integer(a, truncate, wide, inexact));
            Context c;
            ASSERT_EQ(narrow, to_i32(c, a, rounding)) << std::hex << u64{a.bits};
            ASSERT_EQ(wide, to_i64(c, a, rounding)) << std::hex << u64{a.bits};
            ASSERT_EQ(c.flags, inexact ? kPrecision : 0) << std::hex << u64{a.bits};
        }
    }
}
TYPED_TEST(HostArithmetic, ConvertsFromIntegersAlike)
{
    using F = TypeParam;
    for (int i = 0; i < kCases; ++i) {
        const i64 value = static_cast<i64>(this->operands_.word()) >> this->operands_.below(64);
        F r;
        if (!host::from_integer(value, r)) continue;
        Context c;
        ASSERT_EQ(r, from_integer<F>(c, value)) << value;
        ASSERT_EQ(c.flags, 0) << value;
    }
}

TEST(HostArithmeticInMxcsr, IsForRoundingToNearestWithPrecisionMaskedAndFound)
{
    EXPECT_EQ(host::may_be_inexact(0x1FA0), host::kAvailable);
    EXPECT_FALSE(host::may_be_inexact(0x1F80)) << "PE would be new";
    EXPECT_FALSE(host::may_be_inexact(0x0FA0)) << "PE is not masked";
    for (u32 rounding = 1; rounding < 4; ++rounding)
        EXPECT_FALSE(host::may_be_inexact(0x1FA0 | rounding << 13));
}

}  // namespace
}  // namespace reprise::fp
