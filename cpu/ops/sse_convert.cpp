/// Conversions of SSE between floating point and integers, in XMM, MMX and general registers.
#include "cpu/ops/sse_float.h"

namespace reprise::ops {

namespace {

using fp::Context, fp::F32, fp::F64;

/// How a number becomes one of another type; `truncate` is the T of CVTT.
template <class To, bool truncate = false>
struct Converted {
    template <class From>
    static auto from(Context& c, From bits)
    {
        const fp::Rounding rounding = truncate ? fp::Rounding::Zero : c.rounding;
        if constexpr (std::is_same_v<To, i32>)
            return static_cast<u32>(fp::to_i32(c, bits, rounding));
        else if constexpr (std::is_same_v<To, i64>)
            return static_cast<u64>(fp::to_i64(c, bits, rounding));
        else if constexpr (std::is_integral_v<From>) return fp::from_integer<To>(c, bits).bits;
        else return fp::convert<To>(c, bits).bits;
    }
};

/// The type of a lane in memory.
template <class Number>
struct Stored {
    using Type = std::make_unsigned_t<Number>;
};
template <>
struct Stored<F32> {
    using Type = u32;
};
template <>
struct Stored<F64> {
    using Type = u64;
};
template <class Number>
using StoredAs = typename Stored<Number>::Type;

/// As many lanes as fit into both source and destination, starting at the lowest. The rest of the
/// destination is zero, or with `keep` stays.
template <class From, class To, bool keep = false, bool truncate = false>
struct ConvertLanes {
    template <class V, class T>
    static V apply(Context& c, V a, T b, u8)
    {
        const auto y = lanes<StoredAs<From>>(b);
        Lanes<StoredAs<To>, V> r{};
        if constexpr (keep) r = lanes<StoredAs<To>>(a);
        for (std::size_t i = 0; i < std::min(y.size(), r.size()); ++i)
            r[i] = Converted<To, truncate>::from(c, number(y[i]));
        return join<V>(r);
    }

    /// Of conversions between F32 and F64.
    static constexpr bool kRounds = sizeof(To) < sizeof(From);
    template <class V, class T>
    [[gnu::always_inline]] static bool quick(V& a, T b, u8)
    {
        const auto y = lanes<StoredAs<From>>(b);
        Lanes<StoredAs<To>, V> r{};
        if constexpr (keep) r = lanes<StoredAs<To>>(a);
        bool done = true;
        for (std::size_t i = 0; i < std::min(y.size(), r.size()); ++i) {
            To converted;
            done &= fp::host::convert(number(y[i]), converted);
            r[i] = converted.bits;
        }
        a = join<V>(r);
        return done;
    }

private:
    static From number(StoredAs<From> stored)
    {
        if constexpr (std::is_integral_v<From>) return static_cast<From>(stored);
        else return From{stored};
    }
};

/// CVTSS2SI and its like: T is the general register's type.
template <class From, bool truncate = false>
struct ToGeneral {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, attempt>(cpu)) return false;
        const From b{TRY((source<StoredAs<From>, S, attempt>(cpu, insn)))};
        if constexpr (attempt == Attempt::Fast) {
            std::make_signed_t<T> result;
            bool inexact;
            const bool rounds = fp::host::may_be_inexact(cpu.state.sse.mxcsr);
            if (!fp::host::to_integer(b, truncate, result, inexact)) return false;
            if (inexact && !rounds) return false;
            cpu.set_reg<T>(insn.dst, static_cast<T>(result));
            return true;
        } else {
            Context c = context_of(cpu.state.sse.mxcsr);
            const T result = Converted<std::make_signed_t<T>, truncate>::from(c, b);
            if (!finish(cpu, c)) return false;
            cpu.set_reg<T>(insn.dst, result);
            return true;
        }
    }
};

/// CVTSI2SS and CVTSI2SD.
template <class To>
struct FromGeneral {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, attempt>(cpu)) return false;
        const auto b = static_cast<std::make_signed_t<T>>(TRY((source<T, S, attempt>(cpu, insn))));
        auto x = lanes<StoredAs<To>>(get<D>(cpu, insn.dst));
        if constexpr (attempt == Attempt::Fast) {
            To result;
            if (!fp::host::from_integer(b, result)) return false;
            x[0] = result.bits;
        } else {
            Context c = context_of(cpu.state.sse.mxcsr);
            x[0] = Converted<To>::from(c, b);
            if (!finish(cpu, c)) return false;
        }
        put<D>(cpu, insn.dst, join<Xmm>(x));
        return true;
    }
};

/// CVTPI2PS is an MMX instruction even with its source in memory (SDM vol. 2A), unlike CVTPI2PD.
struct MmxToSingles {
    template <class T, Kind D, Kind S>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, Kind::Mm, Attempt::Full>(cpu)) return false;
        return FloatVector<ConvertLanes<i32, F32, true>>::execute<T, D, S>(cpu, insn) &&
               entered<D, Kind::Mm>(cpu);
    }
};

using enum Form;
using Mandatory::P66, Mandatory::PF2, Mandatory::PF3;

constexpr Row kSseRow = vector_row(Sse, Mandatory::None),
              kSse2Row = vector_row(Sse2, Mandatory::None), kSse66 = vector_row(Sse2, P66),
              kSse2F2 = vector_row(Sse2, PF2), kSse2F3 = vector_row(Sse2, PF3),
              kSseF3 = vector_row(Sse, PF3);

// clang-format off
constexpr auto kRows = std::to_array<Opcode>({
    row<MmxToSingles, Vdq, Qq>(0x12A, "cvtpi2ps", kSseRow),
    row<FloatVector<ConvertLanes<i32, F64>>, Vdq, Qq>(0x12A, "cvtpi2pd", kSse66),
    row<FromGeneral<F32>, Vdq, Ey>(0x12A, "cvtsi2ss", kSseF3),
    row<FromGeneral<F64>, Vdq, Ey>(0x12A, "cvtsi2sd", kSse2F2),
    row<FloatVector<ConvertLanes<F32, i32, false, true>>, Pq, Wq>(0x12C, "cvttps2pi", kSseRow),
    row<FloatVector<ConvertLanes<F64, i32, false, true>>, Pq, Wdq>(0x12C, "cvttpd2pi", kSse66),
    row<ToGeneral<F32, true>, Gy, Wd>(0x12C, "cvttss2si", kSseF3),
    row<ToGeneral<F64, true>, Gy, Wq>(0x12C, "cvttsd2si", kSse2F2),
    row<FloatVector<ConvertLanes<F32, i32>>, Pq, Wq>(0x12D, "cvtps2pi", kSseRow),
    row<FloatVector<ConvertLanes<F64, i32>>, Pq, Wdq>(0x12D, "cvtpd2pi", kSse66),
    row<ToGeneral<F32>, Gy, Wd>(0x12D, "cvtss2si", kSseF3),
    row<ToGeneral<F64>, Gy, Wq>(0x12D, "cvtsd2si", kSse2F2),

    row<QuickFloatVector<ConvertLanes<F32, F64>>, Vdq, Wq>(0x15A, "cvtps2pd", kSse2Row),
    row<QuickFloatVector<ConvertLanes<F64, F32>>, Vdq, Wdq>(0x15A, "cvtpd2ps", kSse66),
    row<QuickFloatVector<ConvertLanes<F32, F64, true>>, Vdq, Wd>(0x15A, "cvtss2sd", kSse2F3),
    row<QuickFloatVector<ConvertLanes<F64, F32, true>>, Vdq, Wq>(0x15A, "cvtsd2ss", kSse2F2),
    row<FloatVector<ConvertLanes<i32, F32>>, Vdq, Wdq>(0x15B, "cvtdq2ps", kSse2Row),
    row<FloatVector<ConvertLanes<F32, i32>>, Vdq, Wdq>(0x15B, "cvtps2dq", kSse66),
    row<FloatVector<ConvertLanes<F32, i32, false, true>>, Vdq, Wdq>(0x15B, "cvttps2dq", kSse2F3),
    row<FloatVector<ConvertLanes<F64, i32, false, true>>, Vdq, Wdq>(0x1E6, "cvttpd2dq", kSse66),
    row<FloatVector<ConvertLanes<i32, F64>>, Vdq, Wq>(0x1E6, "cvtdq2pd", kSse2F3),
    row<FloatVector<ConvertLanes<F64, i32>>, Vdq, Wdq>(0x1E6, "cvtpd2dq", kSse2F2),
});
// clang-format on

}  // namespace

std::span<const Opcode> sse_convert_rows() { return kRows; }

}  // namespace reprise::ops
