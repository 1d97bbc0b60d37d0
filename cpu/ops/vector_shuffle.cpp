/// Lanes of MMX and XMM registers moved about: shuffle, unpack, pack, shift, blend, extend, insert,
/// extract.
#include <algorithm>
#include <limits>
#include <type_traits>

#include "cpu/ops/vector.h"

namespace reprise::ops {

namespace {

// ---- Shuffle, unpack, pack ----------------------------------------------------------------------

/// PUNPCKL and PUNPCKH: lanes of both in turn, from the lower or the upper half. Of an MMX source
/// PUNPCKL reads but 32 bits.
template <class Lane, bool high>
struct Unpack {
    template <class V, class T>
    static V apply(V a, T b, u8)
    {
        const auto x = lanes<Lane>(a);
        const auto y = lanes<Lane>(b);
        Lanes<Lane, V> r{};
        const std::size_t from = high ? r.size() / 2 : 0;
        for (std::size_t i = 0; i < r.size() / 2; ++i) {
            r[2 * i] = x[from + i];
            r[2 * i + 1] = y[from + i];
        }
        return join<V>(r);
    }
};

template <class From, class To>
struct Pack {
    template <class V>
    static V apply(V a, V b, u8)
    {
        const auto x = lanes<From>(a), y = lanes<From>(b);
        Lanes<To, V> r{};
        for (std::size_t i = 0; i < x.size(); ++i) {
            r[i] = saturate(x[i]);
            r[x.size() + i] = saturate(y[i]);
        }
        return join<V>(r);
    }

private:
    static To saturate(From value)
    {
        using Limits = std::numeric_limits<To>;
        return static_cast<To>(std::clamp<i32>(value, Limits::min(), Limits::max()));
    }
};

/// PSHUFW, PSHUFLW, PSHUFHW, PSHUFD: four lanes from `first` on, each chosen by two bits of imm8.
template <class Lane, std::size_t first>
struct ShuffleFour {
    template <class V>
    static V apply(V, V b, u8 imm)
    {
        const auto y = lanes<Lane>(b);
        auto r = y;
        for (std::size_t i = 0; i < 4; ++i) r[first + i] = y[first + (imm >> 2 * i & 3u)];
        return join<V>(r);
    }
};

/// SHUFPS: two lanes of the destination, then two of the source.
struct ShuffleSingles {
    static Xmm apply(Xmm a, Xmm b, u8 imm)
    {
        const auto x = lanes<u32>(a), y = lanes<u32>(b);
        return join<Xmm>(
            std::array<u32, 4>{x[imm & 3], x[imm >> 2 & 3], y[imm >> 4 & 3], y[imm >> 6 & 3]});
    }
};
struct ShuffleDoubles {
    static Xmm apply(Xmm a, Xmm b, u8 imm)
    {
        return {imm & 1 ? a.high : a.low, imm & 2 ? b.high : b.low};
    }
};

/// PSHUFB: bit 7 of a selector clears the byte.
struct ShuffleBytes {
    template <class V>
    static V apply(V a, V b, u8)
    {
        const auto x = lanes<u8>(a), selectors = lanes<u8>(b);
        Lanes<u8, V> r{};
        for (std::size_t i = 0; i < r.size(); ++i)
            r[i] = selectors[i] & 0x80 ? u8{0} : x[selectors[i] & (r.size() - 1)];
        return join<V>(r);
    }
};

/// PALIGNR: destination above source, shifted right by bytes.
struct AlignRight {
    template <class V>
    static V apply(V a, V b, u8 imm)
    {
        const auto x = lanes<u8>(a), y = lanes<u8>(b);
        Lanes<u8, V> r{};
        constexpr std::size_t n = r.size();
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t from = i + imm;
            r[i] = from < n ? y[from] : from < 2 * n ? x[from - n] : u8{0};
        }
        return join<V>(r);
    }
};

// ---- Shift --------------------------------------------------------------------------------------

struct ShiftLeft {
    template <class L>
    static L lane(L a, u64 count)
    {
        return count < sizeof(L) * 8 ? static_cast<L>(a << count) : L{0};
    }
};
struct ShiftRight {
    template <class L>
    static L lane(L a, u64 count)
    {
        return count < sizeof(L) * 8 ? static_cast<L>(a >> count) : L{0};
    }
};
/// Beyond the width of a lane only its sign is left.
struct ShiftRightSigned {
    template <class L>
    static L lane(L a, u64 count)
    {
        return static_cast<L>(a >> std::min<u64>(count, sizeof(L) * 8 - 1));
    }
};

/// All lanes by one count: imm8, or the low 64 bits of the source.
template <class Op, class Lane>
struct Shift {
    template <class V, class T>
    static V apply(V a, T b, u8)
    {
        auto x = lanes<Lane>(a);
        const u64 count = lanes<u64>(b)[0];
        for (Lane& lane : x) lane = Op::template lane<Lane>(lane, count);
        return join<V>(x);
    }
};

template <class Op, class Lane>
struct ShiftByImmediate {
    template <class T, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, D, attempt>(cpu)) return false;
        const u64 count = static_cast<u8>(insn.imm);
        put<D>(cpu, insn.dst, Shift<Op, Lane>::apply(get<D>(cpu, insn.dst), count, 0));
        return entered<D, D>(cpu);
    }
};

/// PSLLDQ and PSRLDQ.
template <bool left>
struct ShiftBytes {
    template <class, Kind D, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, D, attempt>(cpu)) return false;
        const Xmm a = get<D>(cpu, insn.dst);
        const u8 count = static_cast<u8>(std::min<i64>(insn.imm, 16));
        put<D>(cpu, insn.dst,
               left ? AlignRight::apply(a, Xmm{}, static_cast<u8>(16 - count))
                    : AlignRight::apply(Xmm{}, a, count));
        return true;
    }
};

// ---- Blend, extend ------------------------------------------------------------------------------

/// BLENDPS, BLENDPD, PBLENDW: a bit of imm8 for each lane.
template <class Lane>
struct Blend {
    static Xmm apply(Xmm a, Xmm b, u8 imm)
    {
        auto x = lanes<Lane>(a);
        const auto y = lanes<Lane>(b);
        for (std::size_t i = 0; i < x.size(); ++i)
            if (imm >> i & 1) x[i] = y[i];
        return join<Xmm>(x);
    }
};

/// PBLENDVB, BLENDVPS, BLENDVPD: the sign of each lane of XMM0.
template <class Lane>
struct BlendVariable {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, attempt>(cpu)) return false;
        const auto y = lanes<Lane>(TRY((source<T, S, attempt>(cpu, insn))));
        const auto mask = lanes<Lane>(get<D>(cpu, 0));
        auto x = lanes<Lane>(get<D>(cpu, insn.dst));
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = mask[i] < 0 ? y[i] : x[i];
        put<D>(cpu, insn.dst, join<Xmm>(x));
        return true;
    }
};

/// PMOVSX and PMOVZX: the source is as wide as is needed.
template <class From, class To>
struct Widen {
    template <class T>
    static Xmm apply(Xmm, T b, u8)
    {
        const auto y = lanes<From>(b);
        Lanes<To, Xmm> r{};
        for (std::size_t i = 0; i < r.size(); ++i) r[i] = static_cast<To>(y[i]);
        return join<Xmm>(r);
    }
};

// ---- Insert, extract ----------------------------------------------------------------------------

/// PINSR: T is the lane; only so many bits of imm8 count as there are lanes.
struct Insert {
    template <class V, class T>
    static V apply(V a, T b, u8 imm)
    {
        auto x = lanes<T>(a);
        x[imm & (x.size() - 1)] = b;
        return join<V>(x);
    }
};

/// PEXTR, and EXTRACTPS, of Lane, or of T if it is void. In a general register the rest is zero.
template <class Lane>
struct Extract {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        using L = std::conditional_t<std::is_void_v<Lane>, T, Lane>;
        if (!usable<D, S, attempt>(cpu)) return false;
        const auto x = lanes<L>(get<S>(cpu, insn.src));
        const L value = x[static_cast<std::size_t>(insn.imm) & (x.size() - 1)];
        if constexpr (D == Kind::Mem) {
            if (!cpu.write<L, attempt>(insn, insn.seg, cpu.address(insn), value)) return false;
        } else {
            cpu.set_reg<u64>(insn.dst, value);
        }
        return entered<D, S>(cpu);
    }
};

/// INSERTPS: imm8 has the lane of a source register, that of the destination, and lanes to clear.
struct InsertSingle {
    template <class, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, attempt>(cpu)) return false;
        const u8 imm = static_cast<u8>(insn.imm);
        u32 value = 0;
        if constexpr (S == Kind::Mem) value = TRY((source<u32, S, attempt>(cpu, insn)));
        else value = lanes<u32>(get<S>(cpu, insn.src))[imm >> 6];
        auto x = lanes<u32>(get<D>(cpu, insn.dst));
        x[imm >> 4 & 3] = value;
        for (std::size_t i = 0; i < 4; ++i)
            if (imm >> i & 1) x[i] = 0;
        put<D>(cpu, insn.dst, join<Xmm>(x));
        return true;
    }
};

/// MOVMSKPS, MOVMSKPD, PMOVMSKB: the lanes' signs.
template <class Lane>
struct Signs {
    template <class, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, attempt>(cpu)) return false;
        const auto x = lanes<Lane>(get<S>(cpu, insn.src));
        u64 mask = 0;
        for (std::size_t i = 0; i < x.size(); ++i) mask |= u64{x[i] < 0} << i;
        cpu.set_reg<u64>(insn.dst, mask);
        return entered<D, S>(cpu);
    }
};

using enum Form;

constexpr Row kMmxRow = vector_row(Mmx, Mandatory::None),
              kSseRow = vector_row(Sse, Mandatory::None),
              kSse2Row = vector_row(Sse2, Mandatory::P66),
              kSse41Row = vector_row(Sse41, Mandatory::P66);

/// One of the groups 0F 71, 72 and 73.
template <class Op, class Lane>
constexpr std::array<Opcode, 2> shift_group(int code, i8 reg, const char* name)
{
    Row mmx = kMmxRow, sse = kSse2Row;
    mmx.reg = sse.reg = reg;
    mmx.mod3 = sse.mod3 = 1;
    return {row<ShiftByImmediate<Op, Lane>, Nq, Ib>(code, name, mmx),
            row<ShiftByImmediate<Op, Lane>, Udq, Ib>(code, name, sse)};
}

template <bool left>
constexpr Opcode byte_shift(i8 reg, const char* name)
{
    Row r = kSse2Row;
    r.reg = reg;
    r.mod3 = 1;
    return row<ShiftBytes<left>, Udq, Ib>(0x173, name, r);
}

template <class Lane, bool high>
constexpr std::array<Opcode, 2> unpack(int code, const char* name)
{
    return {row < Vector<Unpack<Lane, high>>, Pq, high ? Qq : Qd > (code, name, kMmxRow),
            row<Vector<Unpack<Lane, high>>, Vdq, Wdq>(code, name, kSse2Row)};
}

constexpr Row kExtractPs = with_rules(kSse41Row, kMax32 | kMin32);

// clang-format off
constexpr auto kRows = concatenate(
    unpack<u8, false>(0x160, "punpcklbw"), unpack<u16, false>(0x161, "punpcklwd"), unpack<u32, false>(0x162, "punpckldq"),
    unpack<u8, true>(0x168, "punpckhbw"), unpack<u16, true>(0x169, "punpckhwd"), unpack<u32, true>(0x16A, "punpckhdq"),
    mmx_and_sse<Vector<Pack<i16, i8>>>(0x163, "packsswb"), mmx_and_sse<Vector<Pack<i16, u8>>>(0x167, "packuswb"),
    mmx_and_sse<Vector<Pack<i32, i16>>>(0x16B, "packssdw"),
    mmx_and_sse<Vector<ShuffleBytes>>(0x200, "pshufb", Ssse3, Ssse3),
    mmx_and_sse<Vector<AlignRight>, Ib>(0x30F, "palignr", Ssse3, Ssse3),

    mmx_and_sse<Vector<Shift<ShiftRight, u16>>>(0x1D1, "psrlw"), mmx_and_sse<Vector<Shift<ShiftRight, u32>>>(0x1D2, "psrld"),
    mmx_and_sse<Vector<Shift<ShiftRight, u64>>>(0x1D3, "psrlq"),
    mmx_and_sse<Vector<Shift<ShiftRightSigned, i16>>>(0x1E1, "psraw"), mmx_and_sse<Vector<Shift<ShiftRightSigned, i32>>>(0x1E2, "psrad"),
    mmx_and_sse<Vector<Shift<ShiftLeft, u16>>>(0x1F1, "psllw"), mmx_and_sse<Vector<Shift<ShiftLeft, u32>>>(0x1F2, "pslld"),
    mmx_and_sse<Vector<Shift<ShiftLeft, u64>>>(0x1F3, "psllq"),
    shift_group<ShiftRight, u16>(0x171, 2, "psrlw"), shift_group<ShiftRightSigned, i16>(0x171, 4, "psraw"),
    shift_group<ShiftLeft, u16>(0x171, 6, "psllw"),
    shift_group<ShiftRight, u32>(0x172, 2, "psrld"), shift_group<ShiftRightSigned, i32>(0x172, 4, "psrad"),
    shift_group<ShiftLeft, u32>(0x172, 6, "pslld"),
    shift_group<ShiftRight, u64>(0x173, 2, "psrlq"), shift_group<ShiftLeft, u64>(0x173, 6, "psllq"),

    std::to_array<Opcode>({
    byte_shift<false>(3, "psrldq"), byte_shift<true>(7, "pslldq"),
    row<Vector<Unpack<u64, false>>, Vdq, Wdq>(0x16C, "punpcklqdq", kSse2Row),
    row<Vector<Unpack<u64, true>>, Vdq, Wdq>(0x16D, "punpckhqdq", kSse2Row),
    row<Vector<Unpack<u32, false>>, Vdq, Wdq>(0x114, "unpcklps", kSseRow),
    row<Vector<Unpack<u32, true>>, Vdq, Wdq>(0x115, "unpckhps", kSseRow),
    row<Vector<Unpack<u64, false>>, Vdq, Wdq>(0x114, "unpcklpd", kSse2Row),
    row<Vector<Unpack<u64, true>>, Vdq, Wdq>(0x115, "unpckhpd", kSse2Row),
    row<Vector<Pack<i32, u16>>, Vdq, Wdq>(0x22B, "packusdw", kSse41Row),

    row<Vector<ShuffleFour<u16, 0>>, Pq, Qq, Ib>(0x170, "pshufw", kSseRow),
    row<Vector<ShuffleFour<u32, 0>>, Vdq, Wdq, Ib>(0x170, "pshufd", kSse2Row),
    row<Vector<ShuffleFour<u16, 4>>, Vdq, Wdq, Ib>(0x170, "pshufhw", vector_row(Sse2, Mandatory::PF3)),
    row<Vector<ShuffleFour<u16, 0>>, Vdq, Wdq, Ib>(0x170, "pshuflw", vector_row(Sse2, Mandatory::PF2)),
    row<Vector<ShuffleSingles>, Vdq, Wdq, Ib>(0x1C6, "shufps", kSseRow),
    row<Vector<ShuffleDoubles>, Vdq, Wdq, Ib>(0x1C6, "shufpd", kSse2Row),

    row<Vector<Blend<u32>>, Vdq, Wdq, Ib>(0x30C, "blendps", kSse41Row),
    row<Vector<Blend<u64>>, Vdq, Wdq, Ib>(0x30D, "blendpd", kSse41Row),
    row<Vector<Blend<u16>>, Vdq, Wdq, Ib>(0x30E, "pblendw", kSse41Row),
    row<BlendVariable<i8>, Vdq, Wdq>(0x210, "pblendvb", kSse41Row),
    row<BlendVariable<i32>, Vdq, Wdq>(0x214, "blendvps", kSse41Row),
    row<BlendVariable<i64>, Vdq, Wdq>(0x215, "blendvpd", kSse41Row),

    row<Vector<Widen<i8, i16>>, Vdq, Wq>(0x220, "pmovsxbw", kSse41Row),
    row<Vector<Widen<i8, i32>>, Vdq, Wd>(0x221, "pmovsxbd", kSse41Row),
    row<Vector<Widen<i8, i64>>, Vdq, Ww>(0x222, "pmovsxbq", kSse41Row),
    row<Vector<Widen<i16, i32>>, Vdq, Wq>(0x223, "pmovsxwd", kSse41Row),
    row<Vector<Widen<i16, i64>>, Vdq, Wd>(0x224, "pmovsxwq", kSse41Row),
    row<Vector<Widen<i32, i64>>, Vdq, Wq>(0x225, "pmovsxdq", kSse41Row),
    row<Vector<Widen<u8, u16>>, Vdq, Wq>(0x230, "pmovzxbw", kSse41Row),
    row<Vector<Widen<u8, u32>>, Vdq, Wd>(0x231, "pmovzxbd", kSse41Row),
    row<Vector<Widen<u8, u64>>, Vdq, Ww>(0x232, "pmovzxbq", kSse41Row),
    row<Vector<Widen<u16, u32>>, Vdq, Wq>(0x233, "pmovzxwd", kSse41Row),
    row<Vector<Widen<u16, u64>>, Vdq, Wd>(0x234, "pmovzxwq", kSse41Row),
    row<Vector<Widen<u32, u64>>, Vdq, Wq>(0x235, "pmovzxdq", kSse41Row),

    row<Vector<Insert>, Pq, RdMw, Ib>(0x1C4, "pinsrw", kSseRow),
    row<Vector<Insert>, Vdq, RdMw, Ib>(0x1C4, "pinsrw", kSse2Row),
    row<Vector<Insert>, Vdq, RdMb, Ib>(0x320, "pinsrb", kSse41Row),
    row<Vector<Insert>, Vdq, Ey, Ib>(0x322, "pinsrd", kSse41Row),
    row<InsertSingle, Vdq, Wd, Ib>(0x321, "insertps", kSse41Row),
    row<Extract<u16>, Gy, Nq, Ib>(0x1C5, "pextrw", with_rules(register_row(Sse, Mandatory::None), kMax32)),
    row<Extract<u16>, Gy, Udq, Ib>(0x1C5, "pextrw", with_rules(register_row(Sse2, Mandatory::P66), kMax32)),
    row<Extract<u8>, RdMb, Vdq, Ib>(0x314, "pextrb", kSse41Row),
    row<Extract<u16>, RdMw, Vdq, Ib>(0x315, "pextrw", kSse41Row),
    row<Extract<void>, Ey, Vdq, Ib>(0x316, "pextrd", kSse41Row),
    row<Extract<u32>, Ey, Vdq, Ib>(0x317, "extractps", kExtractPs),
    row<Signs<i8>, Gy, Nq>(0x1D7, "pmovmskb", with_rules(register_row(Sse, Mandatory::None), kMax32)),
    row<Signs<i8>, Gy, Udq>(0x1D7, "pmovmskb", with_rules(register_row(Sse2, Mandatory::P66), kMax32)),
    row<Signs<i32>, Gy, Udq>(0x150, "movmskps", register_row(Sse, Mandatory::None)),
    row<Signs<i64>, Gy, Udq>(0x150, "movmskpd", register_row(Sse2, Mandatory::P66)),
    }));
// clang-format on

}  // namespace

std::span<const Opcode> vector_shuffle_rows() { return kRows; }

}  // namespace reprise::ops
