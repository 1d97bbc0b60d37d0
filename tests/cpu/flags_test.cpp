/// The lazy flags, and the conditions that read them.
#include <gtest/gtest.h>

#include <array>
#include <utility>

#include "cpu/alu.h"
#include "tests/cpu/flag_combination.h"

namespace reprise {
namespace {

TEST(LazyFlags, HoldEveryCombination)
{
    for (u32 i = 0; i < 64; ++i) {
        const u32 flags = flag_combination(i);
        LazyFlags f;
        f.set(flags);
        EXPECT_EQ(f.get(), flags);
        EXPECT_EQ(f.cf(), (flags & CF) != 0);
        EXPECT_EQ(f.pf(), (flags & PF) != 0);
        EXPECT_EQ(f.af(), (flags & AF) != 0);
        EXPECT_EQ(f.zf(), (flags & ZF) != 0);
        EXPECT_EQ(f.sf(), (flags & SF) != 0);
        EXPECT_EQ(f.of(), (flags & OF) != 0);
        EXPECT_EQ(f.less(), f.sf() != f.of());
    }
}

TEST(LazyFlags, CarryAndOverflowAreSetAloneAfterAnything)
{
    for (u32 i = 0; i < 64; ++i)
        for (int value = 0; value < 256; ++value)
            for (const u32 wanted : {u32{0}, u32{CF}, u32{OF}, u32{CF | OF}}) {
                LazyFlags f;
                f.set(flag_combination(i));
                if (value != 0) add(f, static_cast<u8>(value), u8{0x7F});  // 0: as set()
                const u32 before = f.get();
                f.set_cf_of(wanted & CF, wanted & OF);
                ASSERT_EQ(f.get(), (before & ~u32{CF | OF}) | wanted);
                const u32 of = f.get() & OF;
                f.set_cf(!(wanted & CF));
                ASSERT_EQ(f.get(), (before & ~u32{CF | OF}) | of | (wanted & CF ? 0 : u32{CF}));
            }
}

template <int... code>
std::array<bool, 16> conditions(const LazyFlags& f, std::integer_sequence<int, code...>)
{
    return {condition<code>(f)...};
}

/// SDM vol. 1, appendix B, table B-1.
TEST(LazyFlags, ConditionsAreThoseOfTheManualForEveryCombination)
{
    for (u32 i = 0; i < 64; ++i) {
        const u32 flags = flag_combination(i);
        const bool c = flags & CF, p = flags & PF, z = flags & ZF, s = flags & SF, o = flags & OF;
        const std::array<bool, 16> wanted = {
            o,             // O
            !o,            // NO
            c,             // B
            !c,            // NB
            z,             // E
            !z,            // NE
            c || z,        // BE
            !c && !z,      // NBE
            s,             // S
            !s,            // NS
            p,             // P
            !p,            // NP
            s != o,        // L
            s == o,        // NL
            s != o || z,   // LE
            s == o && !z,  // NLE
        };
        LazyFlags f;
        f.set(flags);
        EXPECT_EQ(conditions(f, std::make_integer_sequence<int, 16>{}), wanted) << flags;
    }
}

}  // namespace
}  // namespace reprise
