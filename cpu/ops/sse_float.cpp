/// Arithmetic, comparison and rounding of SSE's floating point numbers.
#include "cpu/ops/sse_float.h"

namespace reprise::ops {

namespace {

using fp::Context, fp::F32, fp::F64;

/// Op::lane on all lanes (T is Xmm), or on the lowest one (ADDSS): the others of the destination
/// stay.
template <class Op, class F>
struct FloatEach {
    template <class T>
    static Xmm apply(Context& c, Xmm a, T b, u8 imm)
    {
        using Bits = BitsOf<F>;
        auto x = lanes<Bits>(a);
        const auto y = lanes<Bits>(b);
        for (std::size_t i = 0; i < y.size(); ++i) x[i] = Op::lane(c, F{x[i]}, F{y[i]}, imm).bits;
        return join<Xmm>(x);
    }

    static constexpr bool kRounds = requires { Op::kRounds; };
    template <class T>
    [[gnu::always_inline]] static bool quick(Xmm& a, T b, u8 imm)
    {
        auto x = lanes<BitsOf<F>>(a);
        const auto y = lanes<BitsOf<F>>(b);
        bool done = true;
        for (std::size_t i = 0; i < y.size(); ++i) {
            F r;
            done &= Op::quick(F{x[i]}, F{y[i]}, r, imm);
            x[i] = r.bits;
        }
        a = join<Xmm>(x);
        return done;
    }
};

struct Add {
    template <class F>
    static F lane(Context& c, F a, F b, u8)
    {
        return fp::add(c, a, b);
    }
    static constexpr bool kRounds = true;
    template <class F>
    [[gnu::always_inline]] static bool quick(F a, F b, F& r, u8)
    {
        return fp::host::add(a, b, r);
    }
};
struct Subtract {
    template <class F>
    static F lane(Context& c, F a, F b, u8)
    {
        return fp::sub(c, a, b);
    }
    static constexpr bool kRounds = true;
    template <class F>
    [[gnu::always_inline]] static bool quick(F a, F b, F& r, u8)
    {
        return fp::host::sub(a, b, r);
    }
};
struct Multiply {
    template <class F>
    static F lane(Context& c, F a, F b, u8)
    {
        return fp::mul(c, a, b);
    }
    static constexpr bool kRounds = true;
    template <class F>
    [[gnu::always_inline]] static bool quick(F a, F b, F& r, u8)
    {
        return fp::host::mul(a, b, r);
    }
};
struct Divide {
    template <class F>
    static F lane(Context& c, F a, F b, u8)
    {
        return fp::div(c, a, b);
    }
    static constexpr bool kRounds = true;
    template <class F>
    [[gnu::always_inline]] static bool quick(F a, F b, F& r, u8)
    {
        return fp::host::div(a, b, r);
    }
};
struct Minimum {
    template <class F>
    static F lane(Context& c, F a, F b, u8)
    {
        return fp::min(c, a, b);
    }
    template <class F>
    [[gnu::always_inline]] static bool quick(F a, F b, F& r, u8)
    {
        r = fp::host::number(a) < fp::host::number(b) ? a : b;
        return fp::host::all(fp::host::is_normal_or_zero(a), fp::host::is_normal_or_zero(b));
    }
};
struct Maximum {
    template <class F>
    static F lane(Context& c, F a, F b, u8)
    {
        return fp::max(c, a, b);
    }
    template <class F>
    [[gnu::always_inline]] static bool quick(F a, F b, F& r, u8)
    {
        r = fp::host::number(a) > fp::host::number(b) ? a : b;
        return fp::host::all(fp::host::is_normal_or_zero(a), fp::host::is_normal_or_zero(b));
    }
};
struct SquareRoot {
    template <class F>
    static F lane(Context& c, F, F b, u8)
    {
        return fp::sqrt(c, b);
    }
    static constexpr bool kRounds = true;
    template <class F>
    [[gnu::always_inline]] static bool quick(F, F b, F& r, u8)
    {
        return fp::host::sqrt(b, r);
    }
};

/// CMPPS: imm8[2:0] is the predicate (SDM vol. 2A, table 3-1); those for an order signal for any
/// NaN.
struct Compare {
    enum { kEq, kLt, kLe, kUnord };

    template <class F>
    static F lane(Context& c, F a, F b, u8 imm)
    {
        using enum fp::Relation;
        const int predicate = imm & 3;
        const fp::Relation r = fp::compare(c, a, b, predicate == kEq || predicate == kUnord);
        const bool holds = predicate == kEq   ? r == Equal
                           : predicate == kLt ? r == Less
                           : predicate == kLe ? r == Less || r == Equal
                                              : r == Unordered;
        return mask<F>(holds, imm);
    }
    /// Of two numbers none is unordered.
    template <class F>
    [[gnu::always_inline]] static bool quick(F a, F b, F& r, u8 imm)
    {
        const auto x = fp::host::number(a), y = fp::host::number(b);
        const int predicate = imm & 3;
        const bool holds = predicate == kLt   ? x < y
                           : predicate == kLe ? x <= y
                                              : predicate == kEq && x == y;
        r = mask<F>(holds, imm);
        return fp::host::all(fp::host::is_normal_or_zero(a), fp::host::is_normal_or_zero(b));
    }

private:
    template <class F>
    static F mask(bool holds, u8 imm)
    {
        const bool negated = imm & 4;
        return {static_cast<BitsOf<F>>(holds != negated ? ~BitsOf<F>{0} : BitsOf<F>{0})};
    }
};

/// ROUNDPS: imm8[1:0] is the rounding unless imm8[2] leaves it to MXCSR; imm8[3] keeps PE out.
struct Round {
    template <class F>
    static F lane(Context& c, F, F b, u8 imm)
    {
        const fp::Rounding rounding = imm & 4 ? c.rounding : static_cast<fp::Rounding>(imm & 3);
        const F result = fp::round_to_integral(c, b, rounding);
        if (imm & 8) c.flags &= static_cast<u8>(~fp::kPrecision);
        return result;
    }
};

// ---- RCP and RSQRT ------------------------------------------------------------------------------

/// Processors disagree in all but the bound of the error, 1.5 * 2^-12. Ours is the exact result
/// rounded to the nearest number of 12 significant bits, on every host. No exceptions; a denormal
/// is a zero, as operand and as result (SDM vol. 2B, RCPPS, RSQRTPS).
struct Approximation {
    static constexpr u32 kSign = 0x80000000, kInfinity = 0x7F800000, kQuiet = 0x00400000,
                         kIndefinite = 0xFFC00000;
    static constexpr u32 kHidden = 0x00800000;

    static bool nan(u32 bits) { return (bits & ~kSign) > kInfinity; }
    static int exponent(u32 bits) { return static_cast<int>(bits >> 23 & 0xFF); }
    static u64 significand(u32 bits) { return (bits & (kHidden - 1)) | kHidden; }

    /// `significand` has 12 bits, or is 2^12.
    static u32 pack(int biased, u64 significand)
    {
        return (static_cast<u32>(biased - 1) << 23) + (static_cast<u32>(significand) << 12);
    }
};

struct Reciprocal : Approximation {
    static F32 lane(Context&, F32, F32 b, u8)
    {
        const u32 sign = b.bits & kSign;
        const int e = exponent(b.bits);
        if (nan(b.bits)) return {b.bits | kQuiet};
        if (e == 0) return {sign | kInfinity};
        if (e == 0xFF) return {sign};
        // m in [2^23, 2^24): 2^35 / m in (2^11, 2^12], and never half way between two integers.
        const u64 m = significand(b.bits);
        const u64 quotient = ((u64{1} << 36) / m + 1) >> 1;
        const int biased = 253 - e;
        if (biased < 0 || (biased == 0 && quotient < 1 << 12)) return {sign};
        return {sign | pack(biased, quotient)};
    }
};

struct ReciprocalRoot : Approximation {
    static F32 lane(Context&, F32, F32 b, u8)
    {
        const u32 sign = b.bits & kSign;
        const int e = exponent(b.bits);
        if (nan(b.bits)) return {b.bits | kQuiet};
        if (e == 0) return {sign | kInfinity};
        if (sign) return {kIndefinite};
        if (e == 0xFF) return {0};
        // The value is m / 2^22 * 4^k with m / 2^22 in [1, 4): the root of its inverse is in (1/2,
        // 1].
        const bool even = (e - 127) % 2 == 0;
        const u64 m = significand(b.bits) << !even;
        const int k = (e - 127 - !even) / 2;
        // The largest r with (r - 1/2)^2 * m <= 2^47, that is (2r - 1)^2 * m <= 2^49.
        u64 r = 1 << 11;
        for (u64 bit = 1 << 11; bit != 0; bit >>= 1)
            if (const u64 next = r + bit;
                next <= 1 << 12 && (2 * next - 1) * (2 * next - 1) * m <= u64{1} << 49)
                r = next;
        return {pack(126 - k, r)};
    }
};

// ---- Across lanes -------------------------------------------------------------------------------

/// ADDSUBPS: even lanes are subtracted, odd ones added.
template <class F>
struct AddSubtract {
    static Xmm apply(Context& c, Xmm a, Xmm b, u8)
    {
        auto x = lanes<BitsOf<F>>(a);
        const auto y = lanes<BitsOf<F>>(b);
        for (std::size_t i = 0; i < x.size(); ++i)
            x[i] = (i & 1 ? fp::add(c, F{x[i]}, F{y[i]}) : fp::sub(c, F{x[i]}, F{y[i]})).bits;
        return join<Xmm>(x);
    }
};

/// HADDPS, HSUBPS and PD: neighbours, those of the destination in the lower half of the result.
template <class Op, class F>
struct FloatNeighbours {
    static Xmm apply(Context& c, Xmm a, Xmm b, u8)
    {
        const auto x = lanes<BitsOf<F>>(a), y = lanes<BitsOf<F>>(b);
        auto r = x;
        constexpr std::size_t half = r.size() / 2;
        for (std::size_t i = 0; i < half; ++i) {
            r[i] = Op::lane(c, F{x[2 * i]}, F{x[2 * i + 1]}, 0).bits;
            r[half + i] = Op::lane(c, F{y[2 * i]}, F{y[2 * i + 1]}, 0).bits;
        }
        return join<Xmm>(r);
    }
};

/// DPPS and DPPD: products of the lanes in imm8[7:4], their sum to the lanes in imm8[3:0]. As to
/// exceptions, the products and each round of additions are instructions of their own (SDM vol. 2A,
/// DPPS).
template <class F>
struct DotProduct {
    template <class T, Kind D, Kind S>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, Attempt::Full>(cpu)) return false;
        const auto y = lanes<BitsOf<F>>(TRY((source<T, S>(cpu, insn))));
        const auto x = lanes<BitsOf<F>>(get<D>(cpu, insn.dst));
        constexpr std::size_t n = x.size();
        std::array<F, n> sum{};
        Context c = context_of(cpu.state.sse.mxcsr);
        for (std::size_t i = 0; i < n; ++i)
            if (insn.imm >> (4 + i) & 1) sum[i] = fp::mul(c, F{x[i]}, F{y[i]});
        for (std::size_t left = n / 2; left > 0; left /= 2) {
            if (!finish(cpu, c)) return false;
            c.flags = 0;
            for (std::size_t i = 0; i < left; ++i) sum[i] = fp::add(c, sum[2 * i], sum[2 * i + 1]);
        }
        if (!finish(cpu, c)) return false;
        std::array<BitsOf<F>, n> result{};
        for (std::size_t i = 0; i < n; ++i)
            if (insn.imm >> i & 1) result[i] = sum[0].bits;
        put<D>(cpu, insn.dst, join<Xmm>(result));
        return true;
    }
};

// ---- COMISS -------------------------------------------------------------------------------------

/// COMISS, UCOMISS: ZF, PF and CF of a comparison. UCOMISS signals for SNaNs only.
template <class F, bool quiet>
struct CompareFlags {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, attempt>(cpu)) return false;
        const F b{TRY((source<T, S, attempt>(cpu, insn)))};
        const F a{read_register<T, D>(cpu, insn.dst)};
        if constexpr (attempt == Attempt::Fast) {
            if (!fp::host::is_normal_or_zero(a) || !fp::host::is_normal_or_zero(b)) return false;
            const auto x = fp::host::number(a), y = fp::host::number(b);
            cpu.flags.set((x < y ? u32{CF} : 0) | (x == y ? u32{ZF} : 0));
            return true;
        } else {
            return signal(cpu, a, b);
        }
    }

private:
    static bool signal(Cpu& cpu, F a, F b)
    {
        Context c = context_of(cpu.state.sse.mxcsr);
        const fp::Relation r = fp::compare(c, a, b, quiet);
        if (!finish(cpu, c)) return false;
        constexpr std::array<u32, 4> flags = {CF, ZF, 0, ZF | PF | CF};  // in the order of Relation
        cpu.flags.set(flags[static_cast<std::size_t>(r)]);
        return true;
    }
};

using enum Form;
using Mandatory::P66, Mandatory::PF2, Mandatory::PF3;

constexpr Row kComiss{.flags = {.writes = kArithmeticFlags},
                      .carry = Carry::Copy,
                      .feature = Sse,
                      .prefix = Mandatory::None};
constexpr Row kComisd{
    .flags = {.writes = kArithmeticFlags}, .carry = Carry::Copy, .feature = Sse2, .prefix = P66};

/// A row for PS, PD, SS and SD.
template <class Op, Form Third = Form::None>
constexpr std::array<Opcode, 4> four(int code, std::array<const char*, 4> names)
{
    return {row<QuickFloatVector<FloatEach<Op, F32>>, Vdq, Wdq, Third>(
                code, names[0], vector_row(Sse, Mandatory::None)),
            row<QuickFloatVector<FloatEach<Op, F64>>, Vdq, Wdq, Third>(code, names[1],
                                                                       vector_row(Sse2, P66)),
            row<QuickFloatVector<FloatEach<Op, F32>>, Vdq, Wd, Third>(code, names[2],
                                                                      vector_row(Sse, PF3)),
            row<QuickFloatVector<FloatEach<Op, F64>>, Vdq, Wq, Third>(code, names[3],
                                                                      vector_row(Sse2, PF2))};
}

template <class Op>
constexpr std::array<Opcode, 2> approximation(int code, const char* packed, const char* scalar)
{
    return {
        row<FloatVector<FloatEach<Op, F32>>, Vdq, Wdq>(code, packed,
                                                       called(vector_row(Sse, Mandatory::None))),
        row<FloatVector<FloatEach<Op, F32>>, Vdq, Wd>(code, scalar, called(vector_row(Sse, PF3)))};
}

template <template <class> class Op, Form Third = Form::None>
constexpr std::array<Opcode, 2> pair(int code, const char* single, Row singles, const char* two,
                                     Row doubles)
{
    return {row<FloatVector<Op<F32>>, Vdq, Wdq, Third>(code, single, singles),
            row<FloatVector<Op<F64>>, Vdq, Wdq, Third>(code, two, doubles)};
}

template <class F>
using HorizontalAdd = FloatNeighbours<Add, F>;
template <class F>
using HorizontalSubtract = FloatNeighbours<Subtract, F>;

constexpr Row kSse3Singles = vector_row(Sse3, PF2), kSse3Doubles = vector_row(Sse3, P66),
              kSse41Row = vector_row(Sse41, P66);

// clang-format off
constexpr auto kRows = concatenate(
    four<SquareRoot>(0x151, {"sqrtps", "sqrtpd", "sqrtss", "sqrtsd"}),
    approximation<ReciprocalRoot>(0x152, "rsqrtps", "rsqrtss"),
    approximation<Reciprocal>(0x153, "rcpps", "rcpss"),
    four<Add>(0x158, {"addps", "addpd", "addss", "addsd"}),
    four<Multiply>(0x159, {"mulps", "mulpd", "mulss", "mulsd"}),
    four<Subtract>(0x15C, {"subps", "subpd", "subss", "subsd"}),
    four<Minimum>(0x15D, {"minps", "minpd", "minss", "minsd"}),
    four<Divide>(0x15E, {"divps", "divpd", "divss", "divsd"}),
    four<Maximum>(0x15F, {"maxps", "maxpd", "maxss", "maxsd"}),
    four<Compare, Ib>(0x1C2, {"cmpps", "cmppd", "cmpss", "cmpsd"}),
    pair<HorizontalAdd>(0x17C, "haddps", kSse3Singles, "haddpd", kSse3Doubles),
    pair<HorizontalSubtract>(0x17D, "hsubps", kSse3Singles, "hsubpd", kSse3Doubles),
    pair<AddSubtract>(0x1D0, "addsubps", kSse3Singles, "addsubpd", kSse3Doubles),
    std::to_array<Opcode>({
    row<CompareFlags<F32, true>, Vdq, Wd>(0x12E, "ucomiss", kComiss),
    row<CompareFlags<F64, true>, Vdq, Wq>(0x12E, "ucomisd", kComisd),
    row<CompareFlags<F32, false>, Vdq, Wd>(0x12F, "comiss", kComiss),
    row<CompareFlags<F64, false>, Vdq, Wq>(0x12F, "comisd", kComisd),
    row<FloatVector<FloatEach<Round, F32>>, Vdq, Wdq, Ib>(0x308, "roundps", kSse41Row),
    row<FloatVector<FloatEach<Round, F64>>, Vdq, Wdq, Ib>(0x309, "roundpd", kSse41Row),
    row<FloatVector<FloatEach<Round, F32>>, Vdq, Wd, Ib>(0x30A, "roundss", kSse41Row),
    row<FloatVector<FloatEach<Round, F64>>, Vdq, Wq, Ib>(0x30B, "roundsd", kSse41Row),
    row<DotProduct<F32>, Vdq, Wdq, Ib>(0x340, "dpps", kSse41Row),
    row<DotProduct<F64>, Vdq, Wdq, Ib>(0x341, "dppd", kSse41Row),
    }));
// clang-format on

}  // namespace

std::span<const Opcode> sse_float_rows() { return kRows; }

}  // namespace reprise::ops
