/// Integer arithmetic and logic on the lanes of MMX and XMM registers.
#include <algorithm>
#include <limits>
#include <type_traits>

#include "cpu/ops/vector.h"

namespace reprise::ops {

namespace {

/// The next wider integer: nothing that is computed in it overflows.
template <class L>
using Wide = std::conditional_t<
    sizeof(L) == 1, i32,
    std::conditional_t<sizeof(L) == 2, i32, std::conditional_t<std::is_signed_v<L>, i64, u64>>>;

template <class L, class W>
constexpr L saturate(W value)
{
    return static_cast<L>(
        std::clamp<W>(value, std::numeric_limits<L>::min(), std::numeric_limits<L>::max()));
}

// ---- Lane by lane -------------------------------------------------------------------------------

struct Add {
    template <class L>
    static L lane(L a, L b)
    {
        return static_cast<L>(a + b);
    }
};
struct Subtract {
    template <class L>
    static L lane(L a, L b)
    {
        return static_cast<L>(a - b);
    }
};
struct AddSaturated {
    template <class L>
    static L lane(L a, L b)
    {
        return saturate<L>(i32{a} + i32{b});
    }
};
struct SubtractSaturated {
    template <class L>
    static L lane(L a, L b)
    {
        return saturate<L>(i32{a} - i32{b});
    }
};
struct MultiplyLow {
    template <class L>
    static L lane(L a, L b)
    {
        return static_cast<L>(Wide<L>{a} * Wide<L>{b});
    }
};
struct MultiplyHigh {
    template <class L>
    static L lane(L a, L b)
    {
        // 0xFFFF * 0xFFFF does not fit into an int.
        if constexpr (std::is_signed_v<L>) return static_cast<L>(i32{a} * i32{b} >> 16);
        else return static_cast<L>(u32{a} * u32{b} >> 16);
    }
};
/// PMULHRSW: bits 30 to 15 of the product, rounded.
struct MultiplyHighRounded {
    template <class L>
    static L lane(L a, L b)
    {
        return static_cast<L>(((i32{a} * i32{b} >> 14) + 1) >> 1);
    }
};
/// PMULUDQ and PMULDQ: of the even halves, `Half` being u32 or i32.
template <class Half>
struct MultiplyEven {
    template <class L>
    static L lane(L a, L b)
    {
        using Product = std::conditional_t<std::is_signed_v<Half>, i64, u64>;
        return static_cast<L>(Product{static_cast<Half>(a)} * Product{static_cast<Half>(b)});
    }
};
struct Average {
    template <class L>
    static L lane(L a, L b)
    {
        return static_cast<L>((u32{a} + u32{b} + 1) >> 1);
    }
};
struct Minimum {
    template <class L>
    static L lane(L a, L b)
    {
        return a < b ? a : b;
    }
};
struct Maximum {
    template <class L>
    static L lane(L a, L b)
    {
        return a > b ? a : b;
    }
};
struct Equal {
    template <class L>
    static L lane(L a, L b)
    {
        return static_cast<L>(a == b ? ~L{0} : L{0});
    }
};
struct Greater {
    template <class L>
    static L lane(L a, L b)
    {
        return static_cast<L>(a > b ? ~L{0} : L{0});
    }
};
struct And {
    template <class L>
    static L lane(L a, L b)
    {
        return a & b;
    }
};
struct AndNot {
    template <class L>
    static L lane(L a, L b)
    {
        return ~a & b;
    }
};
struct Or {
    template <class L>
    static L lane(L a, L b)
    {
        return a | b;
    }
};
struct Xor {
    template <class L>
    static L lane(L a, L b)
    {
        return a ^ b;
    }
};
struct Absolute {
    template <class L>
    static L lane(L, L b)
    {
        return static_cast<L>(b < 0 ? Wide<L>{0} - b : b);
    }
};
/// PSIGNB: `a` with its sign changed as that of `b` says.
struct Sign {
    template <class L>
    static L lane(L a, L b)
    {
        return static_cast<L>(b < 0 ? Wide<L>{0} - a : b == 0 ? Wide<L>{0} : Wide<L>{a});
    }
};

// ---- Across lanes -------------------------------------------------------------------------------

/// PHADDW and its like: sums of neighbours, those of `a` in the lower half of the result.
template <class Op, class Lane>
struct Neighbours {
    template <class V>
    static V apply(V a, V b, u8)
    {
        const auto x = lanes<Lane>(a), y = lanes<Lane>(b);
        Lanes<Lane, V> r{};
        constexpr std::size_t half = r.size() / 2;
        for (std::size_t i = 0; i < half; ++i) {
            r[i] = Op::template lane<Lane>(x[2 * i], x[2 * i + 1]);
            r[half + i] = Op::template lane<Lane>(y[2 * i], y[2 * i + 1]);
        }
        return join<V>(r);
    }
};

/// PMADDWD. Four times -32768 squared is 2^31, which wraps around.
struct MultiplyAddWords {
    template <class V>
    static V apply(V a, V b, u8)
    {
        const auto x = lanes<i16>(a), y = lanes<i16>(b);
        Lanes<u32, V> r{};
        for (std::size_t i = 0; i < r.size(); ++i)
            r[i] = static_cast<u32>(x[2 * i] * y[2 * i]) +
                   static_cast<u32>(x[2 * i + 1] * y[2 * i + 1]);
        return join<V>(r);
    }
};

/// PMADDUBSW: unsigned bytes of the destination times signed ones of the source.
struct MultiplyAddBytes {
    template <class V>
    static V apply(V a, V b, u8)
    {
        const auto x = lanes<u8>(a);
        const auto y = lanes<i8>(b);
        Lanes<i16, V> r{};
        for (std::size_t i = 0; i < r.size(); ++i)
            r[i] = saturate<i16>(x[2 * i] * y[2 * i] + x[2 * i + 1] * y[2 * i + 1]);
        return join<V>(r);
    }
};

/// PSADBW: in each 64 bits.
struct SumOfDifferences {
    template <class V>
    static V apply(V a, V b, u8)
    {
        const auto x = lanes<u8>(a), y = lanes<u8>(b);
        Lanes<u64, V> r{};
        for (std::size_t i = 0; i < x.size(); ++i)
            r[i / 8] += static_cast<u64>(x[i] > y[i] ? x[i] - y[i] : y[i] - x[i]);
        return join<V>(r);
    }
};

/// MPSADBW: four bytes of the source, chosen by imm8[1:0], against eleven of the destination, by
/// imm8[2].
struct SlidingDifferences {
    static Xmm apply(Xmm a, Xmm b, u8 imm)
    {
        const auto x = lanes<u8>(a), y = lanes<u8>(b);
        const std::size_t first = imm & 4, block = (imm & 3u) * 4;
        std::array<u16, 8> r{};
        for (std::size_t i = 0; i < 8; ++i)
            for (std::size_t k = 0; k < 4; ++k)
                r[i] = static_cast<u16>(r[i] + std::abs(x[first + i + k] - y[block + k]));
        return join<Xmm>(r);
    }
};

/// PHMINPOSUW: the smallest word, and the first place where it is.
struct SmallestWord {
    static Xmm apply(Xmm, Xmm b, u8)
    {
        const auto y = lanes<u16>(b);
        const auto smallest = std::ranges::min_element(y);
        return {*smallest | static_cast<u64>(smallest - y.begin()) << 16, 0};
    }
};

/// PTEST: ZF of the bits that both have, CF of those that only the source has.
struct Test {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, attempt>(cpu)) return false;
        const Xmm b = TRY((source<T, S, attempt>(cpu, insn)));
        const Xmm a = get<D>(cpu, insn.dst);
        const bool common = (a.low & b.low) | (a.high & b.high);
        const bool only_source = (~a.low & b.low) | (~a.high & b.high);
        cpu.flags.set((common ? 0u : u32{ZF}) | (only_source ? 0u : u32{CF}));
        return true;
    }
};

using enum Form;

template <class Op, class Lane>
constexpr auto both(int code, const char* name, Feature mmx = Mmx, Feature sse = Sse2)
{
    return mmx_and_sse<Vector<Each<Op, Lane>>>(code, name, mmx, sse);
}

/// SSE has logic of its own for floating point, with the same results.
template <class Op>
constexpr std::array<Opcode, 2> float_logic(int code, const char* single, const char* two)
{
    return {row<Vector<Each<Op, u64>>, Vdq, Wdq>(code, single, vector_row(Sse, Mandatory::None)),
            row<Vector<Each<Op, u64>>, Vdq, Wdq>(code, two, vector_row(Sse2, Mandatory::P66))};
}

constexpr Row kSse41 = vector_row(Sse41, Mandatory::P66),
              kSse42 = vector_row(Sse42, Mandatory::P66);

template <class Op, class Lane>
constexpr Opcode sse41(int code, const char* name)
{
    return row<Vector<Each<Op, Lane>>, Vdq, Wdq>(code, name, kSse41);
}

// clang-format off
constexpr auto kRows = concatenate(
    both<Add, u8>(0x1FC, "paddb"), both<Add, u16>(0x1FD, "paddw"), both<Add, u32>(0x1FE, "paddd"),
    both<Add, u64>(0x1D4, "paddq", Sse2),
    both<Subtract, u8>(0x1F8, "psubb"), both<Subtract, u16>(0x1F9, "psubw"), both<Subtract, u32>(0x1FA, "psubd"),
    both<Subtract, u64>(0x1FB, "psubq", Sse2),
    both<AddSaturated, i8>(0x1EC, "paddsb"), both<AddSaturated, i16>(0x1ED, "paddsw"),
    both<AddSaturated, u8>(0x1DC, "paddusb"), both<AddSaturated, u16>(0x1DD, "paddusw"),
    both<SubtractSaturated, i8>(0x1E8, "psubsb"), both<SubtractSaturated, i16>(0x1E9, "psubsw"),
    both<SubtractSaturated, u8>(0x1D8, "psubusb"), both<SubtractSaturated, u16>(0x1D9, "psubusw"),
    both<MultiplyLow, i16>(0x1D5, "pmullw"), both<MultiplyHigh, i16>(0x1E5, "pmulhw"),
    both<MultiplyHigh, u16>(0x1E4, "pmulhuw", Sse), both<MultiplyHighRounded, i16>(0x20B, "pmulhrsw", Ssse3, Ssse3),
    both<MultiplyEven<u32>, u64>(0x1F4, "pmuludq", Sse2),
    mmx_and_sse<Vector<MultiplyAddWords>>(0x1F5, "pmaddwd"),
    mmx_and_sse<Vector<MultiplyAddBytes>>(0x204, "pmaddubsw", Ssse3, Ssse3),
    mmx_and_sse<Vector<SumOfDifferences>>(0x1F6, "psadbw", Sse),
    both<Average, u8>(0x1E0, "pavgb", Sse), both<Average, u16>(0x1E3, "pavgw", Sse),
    both<Minimum, u8>(0x1DA, "pminub", Sse), both<Minimum, i16>(0x1EA, "pminsw", Sse),
    both<Maximum, u8>(0x1DE, "pmaxub", Sse), both<Maximum, i16>(0x1EE, "pmaxsw", Sse),
    both<Equal, u8>(0x174, "pcmpeqb"), both<Equal, u16>(0x175, "pcmpeqw"), both<Equal, u32>(0x176, "pcmpeqd"),
    both<Greater, i8>(0x164, "pcmpgtb"), both<Greater, i16>(0x165, "pcmpgtw"), both<Greater, i32>(0x166, "pcmpgtd"),
    both<And, u64>(0x1DB, "pand"), both<AndNot, u64>(0x1DF, "pandn"), both<Or, u64>(0x1EB, "por"), both<Xor, u64>(0x1EF, "pxor"),
    float_logic<And>(0x154, "andps", "andpd"), float_logic<AndNot>(0x155, "andnps", "andnpd"),
    float_logic<Or>(0x156, "orps", "orpd"), float_logic<Xor>(0x157, "xorps", "xorpd"),

    both<Absolute, i8>(0x21C, "pabsb", Ssse3, Ssse3), both<Absolute, i16>(0x21D, "pabsw", Ssse3, Ssse3),
    both<Absolute, i32>(0x21E, "pabsd", Ssse3, Ssse3),
    both<Sign, i8>(0x208, "psignb", Ssse3, Ssse3), both<Sign, i16>(0x209, "psignw", Ssse3, Ssse3),
    both<Sign, i32>(0x20A, "psignd", Ssse3, Ssse3),
    mmx_and_sse<Vector<Neighbours<Add, u16>>>(0x201, "phaddw", Ssse3, Ssse3),
    mmx_and_sse<Vector<Neighbours<Add, u32>>>(0x202, "phaddd", Ssse3, Ssse3),
    mmx_and_sse<Vector<Neighbours<AddSaturated, i16>>>(0x203, "phaddsw", Ssse3, Ssse3),
    mmx_and_sse<Vector<Neighbours<Subtract, u16>>>(0x205, "phsubw", Ssse3, Ssse3),
    mmx_and_sse<Vector<Neighbours<Subtract, u32>>>(0x206, "phsubd", Ssse3, Ssse3),
    mmx_and_sse<Vector<Neighbours<SubtractSaturated, i16>>>(0x207, "phsubsw", Ssse3, Ssse3),

    std::to_array<Opcode>({
    sse41<Minimum, i8>(0x238, "pminsb"), sse41<Minimum, i32>(0x239, "pminsd"),
    sse41<Minimum, u16>(0x23A, "pminuw"), sse41<Minimum, u32>(0x23B, "pminud"),
    sse41<Maximum, i8>(0x23C, "pmaxsb"), sse41<Maximum, i32>(0x23D, "pmaxsd"),
    sse41<Maximum, u16>(0x23E, "pmaxuw"), sse41<Maximum, u32>(0x23F, "pmaxud"),
    sse41<MultiplyEven<i32>, u64>(0x228, "pmuldq"), sse41<MultiplyLow, u32>(0x240, "pmulld"),
    sse41<Equal, u64>(0x229, "pcmpeqq"),
    row<Vector<Each<Greater, i64>>, Vdq, Wdq>(0x237, "pcmpgtq", kSse42),
    row<Vector<SmallestWord>, Vdq, Wdq>(0x241, "phminposuw", kSse41),
    row<Vector<SlidingDifferences>, Vdq, Wdq, Ib>(0x342, "mpsadbw", kSse41),
    row<Test, Vdq, Wdq>(0x217, "ptest", {.flags = {.writes = kArithmeticFlags}, .carry = Carry::Copy,
                                        .feature = Sse41, .prefix = Mandatory::P66}),
    }));
// clang-format on

}  // namespace

std::span<const Opcode> vector_arithmetic_rows() { return kRows; }

}  // namespace reprise::ops
