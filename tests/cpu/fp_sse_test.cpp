/// F32 and F64 against the SSE2 and SSE4.1 unit of the processor this runs on: result and flags for
/// every rounding mode, DAZ, FTZ, and every set of masks.
///
/// REPRISE_SEED=<number> repeats a run or tries another.
#include <gtest/gtest.h>

#include "tests/cpu/fp_operands.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <csignal>
#include <cstdio>

namespace reprise::fp {
namespace {

constexpr u32 kMxcsrMasks = 0x1F80;
constexpr u32 kMxcsrDaz = 0x40, kMxcsrFtz = 0x8000;

/// MXCSR at the first #XM of the present instruction, or 0. The handler masks everything, so that
/// the instruction finishes when it is executed again.
volatile u32 trapped;

void on_exception(int, siginfo_t*, void* context)
{
    auto* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.fpregs;
    trapped = registers->mxcsr;
    registers->mxcsr = (registers->mxcsr & ~0x3Fu) | kMxcsrMasks;
}

class CatchExceptions {
public:
    CatchExceptions()
    {
        struct sigaction action = {};
        action.sa_sigaction = on_exception;
        action.sa_flags = SA_SIGINFO;
        sigaction(SIGFPE, &action, &before_);
    }
    ~CatchExceptions() { sigaction(SIGFPE, &before_, nullptr); }

private:
    struct sigaction before_ = {};
};

struct Outcome {
    u64 value = 0;
    u8 flags = 0;
    bool delivered = true;  // no unmasked exception took the result away
};

/// `instruction` changes a vector register, with MXCSR around it.
template <class Instruction>
Outcome on_host(u32 mxcsr, u64 a, u64 b, Instruction instruction)
{
    __m128i x = _mm_cvtsi64_si128(static_cast<long long>(a));
    const __m128i y = _mm_cvtsi64_si128(static_cast<long long>(b));
    u32 after = mxcsr;
    trapped = 0;
    instruction(after, x, y);
    const bool delivered = trapped == 0;
    const u32 flags = delivered ? after : trapped;
    return {static_cast<u64>(_mm_cvtsi128_si64(x)), static_cast<u8>(flags & 0x3F), delivered};
}

Context context_of(u32 mxcsr)
{
    Context c;
    c.rounding = static_cast<Rounding>(mxcsr >> 13 & 3);
    c.masks = mxcsr >> 7 & 0x3F;
    c.daz = mxcsr & kMxcsrDaz;
    c.ftz = mxcsr & kMxcsrFtz;
    return c;
}

template <class Operation>
Outcome ours(u32 mxcsr, Operation operation)
{
    Context c = context_of(mxcsr);
    Outcome out;
    out.value = operation(c);
    out.flags = c.flags;
    out.delivered = (c.flags & ~c.masks) == 0;
    return out;
}

/// Bits of the result that count: 32 or 64.
void expect_same(const char* name, u32 mxcsr, u64 a, u64 b, const Outcome& host, const Outcome& our,
                 int bits)
{
    const u64 mask = ~u64{0} >> (64 - bits);
    const bool same = host.flags == our.flags && host.delivered == our.delivered &&
                      (!host.delivered || ((host.value ^ our.value) & mask) == 0);
    if (same) return;
    ADD_FAILURE() << name << std::hex << " mxcsr " << mxcsr << " a " << a << " b " << b
                  << "\n host " << host.value << " flags " << int{host.flags} << " delivered "
                  << host.delivered << "\n ours " << our.value << " flags " << int{our.flags}
                  << " delivered " << our.delivered;
}

class Sse : public testing::Test {
protected:
    void SetUp() override
    {
        if (!__builtin_cpu_supports("sse4.1")) GTEST_SKIP() << "the host has no SSE4.1";
        std::printf("seed %llu\n", static_cast<unsigned long long>(seed()));
    }

    u32 random_mxcsr()
    {
        u32 mxcsr = operands_.below(4) << 13;
        if (operands_.below(4) == 0) mxcsr |= kMxcsrDaz;
        if (operands_.below(4) == 0) mxcsr |= kMxcsrFtz;
        // Traps cost a signal each, so most runs are masked.
        return mxcsr | (operands_.below(8) == 0 ? operands_.below(64) << 7 : kMxcsrMasks);
    }

    template <class F, class Host, class Ours>
    void compare_binary(const char* name, Host host, Ours our, bool product = true)
    {
        for (int i = 0; i < kRounds && !HasFailure(); ++i) {
            const F a = operands_.next<F>();
            const F b = i & 1 ? operands_.near(a) : operands_.across(a, product);
            const u32 mxcsr = random_mxcsr();
            const Outcome h = on_host(mxcsr, a.bits, b.bits, host);
            const Outcome o = ours(mxcsr, [&](Context& c) { return our(c, a, b).bits; });
            expect_same(name, mxcsr, a.bits, b.bits, h, o, sizeof(a.bits) * 8);
        }
    }

    /// From one operand; the result is `Bits` wide.
    template <class F, class Bits, class Host, class Ours>
    void compare_unary(const char* name, Host host, Ours our)
    {
        for (int i = 0; i < kRounds && !HasFailure(); ++i) {
            const F a = operands_.next<F>();
            const u32 mxcsr = random_mxcsr();
            const Outcome h = on_host(mxcsr, 0, a.bits, host);
            const Outcome o = ours(mxcsr, [&](Context& c) { return static_cast<u64>(our(c, a)); });
            expect_same(name, mxcsr, a.bits, 0, h, o, sizeof(Bits) * 8);
        }
    }

    template <class Host, class Ours>
    void compare_from_integer(const char* name, bool wide, int result_bits, Host host, Ours our)
    {
        for (int i = 0; i < kRounds && !HasFailure(); ++i) {
            u64 a = operands_.word() >> operands_.below(64);
            if (operands_.below(2)) a = 0 - a;
            if (!wide) a = static_cast<u32>(a);
            const i64 value = wide ? static_cast<i64>(a) : static_cast<i32>(a);
            const u32 mxcsr = random_mxcsr();
            const Outcome h = on_host(mxcsr, 0, a, host);
            const Outcome o = ours(mxcsr, [&](Context& c) { return our(c, value); });
            expect_same(name, mxcsr, a, 0, h, o, result_bits);
        }
    }

    static constexpr int kRounds = 200'000;
    Operands operands_{seed()};
    CatchExceptions catch_exceptions_;
};

constexpr u32 kDefault = kMxcsrMasks;

/// ZF, PF and CF where pushfq puts them; OF, SF and AF are cleared (SDM vol. 2A, COMISD).
template <class F>
F compare_flags(Context& c, F a, F b, bool quiet)
{
    constexpr u32 always = 0x202;  // IF, and the bit that reads as one
    switch (compare(c, a, b, quiet)) {
    case Relation::Less: return {always | 1};
    case Relation::Equal: return {always | 0x40};
    case Relation::Greater: return {always};
    default: return {always | 0x45};
    }
}

TEST_F(Sse, AddF32)
{
    compare_binary<F32>(
        "addss",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n addss %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F32 a, F32 b) { return fp::add(c, a, b); });
}

TEST_F(Sse, AddF64)
{
    compare_binary<F64>(
        "addsd",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n addsd %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F64 a, F64 b) { return fp::add(c, a, b); });
}

TEST_F(Sse, SubF32)
{
    compare_binary<F32>(
        "subss",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n subss %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F32 a, F32 b) { return fp::sub(c, a, b); });
}

TEST_F(Sse, SubF64)
{
    compare_binary<F64>(
        "subsd",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n subsd %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F64 a, F64 b) { return fp::sub(c, a, b); });
}

TEST_F(Sse, MulF32)
{
    compare_binary<F32>(
        "mulss",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n mulss %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F32 a, F32 b) { return fp::mul(c, a, b); });
}

TEST_F(Sse, MulF64)
{
    compare_binary<F64>(
        "mulsd",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n mulsd %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F64 a, F64 b) { return fp::mul(c, a, b); });
}

TEST_F(Sse, DivF32)
{
    compare_binary<F32>(
        "divss",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n divss %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F32 a, F32 b) { return fp::div(c, a, b); }, false);
}

TEST_F(Sse, DivF64)
{
    compare_binary<F64>(
        "divsd",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n divsd %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F64 a, F64 b) { return fp::div(c, a, b); }, false);
}

TEST_F(Sse, MinF32)
{
    compare_binary<F32>(
        "minss",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n minss %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F32 a, F32 b) { return fp::min(c, a, b); });
}

TEST_F(Sse, MinF64)
{
    compare_binary<F64>(
        "minsd",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n minsd %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F64 a, F64 b) { return fp::min(c, a, b); });
}

TEST_F(Sse, MaxF32)
{
    compare_binary<F32>(
        "maxss",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n maxss %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F32 a, F32 b) { return fp::max(c, a, b); });
}

TEST_F(Sse, MaxF64)
{
    compare_binary<F64>(
        "maxsd",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n maxsd %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F64 a, F64 b) { return fp::max(c, a, b); });
}

TEST_F(Sse, ComparesF32Quietly)
{
    compare_binary<F32>(
        "ucomiss",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile(
                "ldmxcsr %0\n ucomiss %2, %1; leaq -128(%%rsp), %%rsp; pushfq; popq %%rax; leaq "
                "128(%%rsp), %%rsp; movq %%rax, %1\n stmxcsr %0\n "
                "ldmxcsr %3"
                : "+m"(m), "+x"(x)
                : "x"(y), "m"(kDefault)
                : "rax", "cc", "memory");
        },
        [](Context& c, F32 a, F32 b) { return compare_flags(c, a, b, true); });
}

TEST_F(Sse, ComparesF64Quietly)
{
    compare_binary<F64>(
        "ucomisd",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile(
                "ldmxcsr %0\n ucomisd %2, %1; leaq -128(%%rsp), %%rsp; pushfq; popq %%rax; leaq "
                "128(%%rsp), %%rsp; movq %%rax, %1\n stmxcsr %0\n "
                "ldmxcsr %3"
                : "+m"(m), "+x"(x)
                : "x"(y), "m"(kDefault)
                : "rax", "cc", "memory");
        },
        [](Context& c, F64 a, F64 b) { return compare_flags(c, a, b, true); });
}

TEST_F(Sse, ComparesF32Signaling)
{
    compare_binary<F32>(
        "comiss",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile(
                "ldmxcsr %0\n comiss %2, %1; leaq -128(%%rsp), %%rsp; pushfq; popq %%rax; leaq "
                "128(%%rsp), %%rsp; movq %%rax, %1\n stmxcsr %0\n "
                "ldmxcsr %3"
                : "+m"(m), "+x"(x)
                : "x"(y), "m"(kDefault)
                : "rax", "cc", "memory");
        },
        [](Context& c, F32 a, F32 b) { return compare_flags(c, a, b, false); });
}

TEST_F(Sse, ComparesF64Signaling)
{
    compare_binary<F64>(
        "comisd",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile(
                "ldmxcsr %0\n comisd %2, %1; leaq -128(%%rsp), %%rsp; pushfq; popq %%rax; leaq "
                "128(%%rsp), %%rsp; movq %%rax, %1\n stmxcsr %0\n "
                "ldmxcsr %3"
                : "+m"(m), "+x"(x)
                : "x"(y), "m"(kDefault)
                : "rax", "cc", "memory");
        },
        [](Context& c, F64 a, F64 b) { return compare_flags(c, a, b, false); });
}

TEST_F(Sse, SqrtF32)
{
    compare_unary<F32, u32>(
        "sqrtss",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n sqrtss %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F32 a) { return fp::sqrt(c, a).bits; });
}

TEST_F(Sse, RoundsF32ToIntegralNearest)
{
    compare_unary<F32, u32>(
        "roundss",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n roundss $0, %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F32 a) { return fp::round_to_integral(c, a, Rounding::Nearest).bits; });
}

TEST_F(Sse, RoundsF32ToIntegralDown)
{
    compare_unary<F32, u32>(
        "roundss",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n roundss $1, %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F32 a) { return fp::round_to_integral(c, a, Rounding::Down).bits; });
}

TEST_F(Sse, RoundsF32ToIntegralUp)
{
    compare_unary<F32, u32>(
        "roundss",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n roundss $2, %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F32 a) { return fp::round_to_integral(c, a, Rounding::Up).bits; });
}

TEST_F(Sse, RoundsF32ToIntegralZero)
{
    compare_unary<F32, u32>(
        "roundss",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n roundss $3, %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F32 a) { return fp::round_to_integral(c, a, Rounding::Zero).bits; });
}

TEST_F(Sse, ConvertsF32ToI32)
{
    compare_unary<F32, u32>(
        "cvtss2si",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n cvtss2si %2, %%eax; movq %%rax, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault)
                         : "rax");
        },
        [](Context& c, F32 a) { return fp::to_i32(c, a, c.rounding); });
}

TEST_F(Sse, TruncatesF32ToI32)
{
    compare_unary<F32, u32>(
        "cvttss2si",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile(
                "ldmxcsr %0\n cvttss2si %2, %%eax; movq %%rax, %1\n stmxcsr %0\n ldmxcsr %3"
                : "+m"(m), "+x"(x)
                : "x"(y), "m"(kDefault)
                : "rax");
        },
        [](Context& c, F32 a) { return fp::to_i32(c, a, Rounding::Zero); });
}

TEST_F(Sse, ConvertsF32FromI32)
{
    compare_from_integer(
        "cvtsi2ss", false, 32,
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile(
                "ldmxcsr %0\n movq %2, %%rax; cvtsi2ssl %%eax, %1\n stmxcsr %0\n ldmxcsr %3"
                : "+m"(m), "+x"(x)
                : "x"(y), "m"(kDefault)
                : "rax");
        },
        [](Context& c, i64 value) { return u64{fp::from_integer<F32>(c, value).bits}; });
}

TEST_F(Sse, ConvertsF32ToI64)
{
    compare_unary<F32, u64>(
        "cvtss2si",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n cvtss2si %2, %%rax; movq %%rax, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault)
                         : "rax");
        },
        [](Context& c, F32 a) { return fp::to_i64(c, a, c.rounding); });
}

TEST_F(Sse, TruncatesF32ToI64)
{
    compare_unary<F32, u64>(
        "cvttss2si",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile(
                "ldmxcsr %0\n cvttss2si %2, %%rax; movq %%rax, %1\n stmxcsr %0\n ldmxcsr %3"
                : "+m"(m), "+x"(x)
                : "x"(y), "m"(kDefault)
                : "rax");
        },
        [](Context& c, F32 a) { return fp::to_i64(c, a, Rounding::Zero); });
}

TEST_F(Sse, ConvertsF32FromI64)
{
    compare_from_integer(
        "cvtsi2ss", true, 32,
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile(
                "ldmxcsr %0\n movq %2, %%rax; cvtsi2ssq %%rax, %1\n stmxcsr %0\n ldmxcsr %3"
                : "+m"(m), "+x"(x)
                : "x"(y), "m"(kDefault)
                : "rax");
        },
        [](Context& c, i64 value) { return u64{fp::from_integer<F32>(c, value).bits}; });
}

TEST_F(Sse, SqrtF64)
{
    compare_unary<F64, u64>(
        "sqrtsd",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n sqrtsd %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F64 a) { return fp::sqrt(c, a).bits; });
}

TEST_F(Sse, RoundsF64ToIntegralNearest)
{
    compare_unary<F64, u64>(
        "roundsd",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n roundsd $0, %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F64 a) { return fp::round_to_integral(c, a, Rounding::Nearest).bits; });
}

TEST_F(Sse, RoundsF64ToIntegralDown)
{
    compare_unary<F64, u64>(
        "roundsd",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n roundsd $1, %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F64 a) { return fp::round_to_integral(c, a, Rounding::Down).bits; });
}

TEST_F(Sse, RoundsF64ToIntegralUp)
{
    compare_unary<F64, u64>(
        "roundsd",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n roundsd $2, %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F64 a) { return fp::round_to_integral(c, a, Rounding::Up).bits; });
}

TEST_F(Sse, RoundsF64ToIntegralZero)
{
    compare_unary<F64, u64>(
        "roundsd",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n roundsd $3, %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F64 a) { return fp::round_to_integral(c, a, Rounding::Zero).bits; });
}

TEST_F(Sse, ConvertsF64ToI32)
{
    compare_unary<F64, u32>(
        "cvtsd2si",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n cvtsd2si %2, %%eax; movq %%rax, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault)
                         : "rax");
        },
        [](Context& c, F64 a) { return fp::to_i32(c, a, c.rounding); });
}

TEST_F(Sse, TruncatesF64ToI32)
{
    compare_unary<F64, u32>(
        "cvttsd2si",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile(
                "ldmxcsr %0\n cvttsd2si %2, %%eax; movq %%rax, %1\n stmxcsr %0\n ldmxcsr %3"
                : "+m"(m), "+x"(x)
                : "x"(y), "m"(kDefault)
                : "rax");
        },
        [](Context& c, F64 a) { return fp::to_i32(c, a, Rounding::Zero); });
}

TEST_F(Sse, ConvertsF64FromI32)
{
    compare_from_integer(
        "cvtsi2sd", false, 64,
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile(
                "ldmxcsr %0\n movq %2, %%rax; cvtsi2sdl %%eax, %1\n stmxcsr %0\n ldmxcsr %3"
                : "+m"(m), "+x"(x)
                : "x"(y), "m"(kDefault)
                : "rax");
        },
        [](Context& c, i64 value) { return u64{fp::from_integer<F64>(c, value).bits}; });
}

TEST_F(Sse, ConvertsF64ToI64)
{
    compare_unary<F64, u64>(
        "cvtsd2si",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n cvtsd2si %2, %%rax; movq %%rax, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault)
                         : "rax");
        },
        [](Context& c, F64 a) { return fp::to_i64(c, a, c.rounding); });
}

TEST_F(Sse, TruncatesF64ToI64)
{
    compare_unary<F64, u64>(
        "cvttsd2si",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile(
                "ldmxcsr %0\n cvttsd2si %2, %%rax; movq %%rax, %1\n stmxcsr %0\n ldmxcsr %3"
                : "+m"(m), "+x"(x)
                : "x"(y), "m"(kDefault)
                : "rax");
        },
        [](Context& c, F64 a) { return fp::to_i64(c, a, Rounding::Zero); });
}

TEST_F(Sse, ConvertsF64FromI64)
{
    compare_from_integer(
        "cvtsi2sd", true, 64,
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile(
                "ldmxcsr %0\n movq %2, %%rax; cvtsi2sdq %%rax, %1\n stmxcsr %0\n ldmxcsr %3"
                : "+m"(m), "+x"(x)
                : "x"(y), "m"(kDefault)
                : "rax");
        },
        [](Context& c, i64 value) { return u64{fp::from_integer<F64>(c, value).bits}; });
}

TEST_F(Sse, ConvertsF32ToF64)
{
    compare_unary<F32, u64>(
        "cvtss2sd",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n cvtss2sd %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F32 a) { return fp::convert<F64>(c, a).bits; });
}

TEST_F(Sse, ConvertsF64ToF32)
{
    compare_unary<F64, u32>(
        "cvtsd2ss",
        [](u32& m, __m128i& x, __m128i y) {
            asm volatile("ldmxcsr %0\n cvtsd2ss %2, %1\n stmxcsr %0\n ldmxcsr %3"
                         : "+m"(m), "+x"(x)
                         : "x"(y), "m"(kDefault));
        },
        [](Context& c, F64 a) { return fp::convert<F32>(c, a).bits; });
}

}  // namespace
}  // namespace reprise::fp

#else

TEST(Sse, NeedsAnX86Host) { GTEST_SKIP() << "the host is not an x86-64"; }

#endif
