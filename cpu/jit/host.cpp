#include "cpu/jit/host.h"

#include <cpuid.h>

#include "cpu/alu.h"

namespace reprise::jit {

namespace {

/// Flags after an instruction on `a` and `b` that began with `flags`. What the compiler may have
/// put below the stack pointer stays.
#define REPRISE_HOST_FLAGS(name, insn)                                     \
    u32 name(u32 a, u32 b, u32 flags)                                      \
    {                                                                      \
        u64 result = 0;                                                    \
        asm volatile("lea -128(%%rsp), %%rsp\n\tpush %3\n\tpopfq\n\t" insn \
                     "\n\tpushfq\n\tpop %0\n\tlea 128(%%rsp), %%rsp"       \
                     : "=&r"(result), "+r"(a)                              \
                     : "r"(b), "r"(u64{flags} | 2), "c"(b)                 \
                     : "cc", "memory");                                    \
        return static_cast<u32>(result) & kArithmeticFlags;                \
    }
REPRISE_HOST_FLAGS(host_shl, "shll %%cl, %1")
REPRISE_HOST_FLAGS(host_shr, "shrl %%cl, %1")
REPRISE_HOST_FLAGS(host_sar, "sarl %%cl, %1")
REPRISE_HOST_FLAGS(host_rol, "roll %%cl, %1")
REPRISE_HOST_FLAGS(host_shld, "shldl %%cl, %2, %1")
REPRISE_HOST_FLAGS(host_imul, "imull %2, %1")
REPRISE_HOST_FLAGS(host_bsf, "bsfl %2, %1")
REPRISE_HOST_FLAGS(host_bsr, "bsrl %2, %1")
#undef REPRISE_HOST_FLAGS

using Host = u32 (*)(u32, u32, u32);
using Defined = void (*)(LazyFlags&, u32, u32);

/// Do both agree on all flags? The values are spread evenly, the same on every run.
bool agree(Host host, Defined defined)
{
    u64 state = 1;
    const auto next = [&] { return state = state * 6364136223846793005 + 1442695040888963407; };
    for (int i = 0; i < 4000; ++i) {
        const u32 a = static_cast<u32>(next() >> 32),
                  b = static_cast<u32>(next() >> 32) >> (i % 33 == 32 ? 31 : i % 33);
        const u32 flags = static_cast<u32>(next() >> 32) & kArithmeticFlags;
        LazyFlags expected;
        expected.set(flags);
        defined(expected, a, b);
        if (host(a, b, flags) != expected.get()) return false;
    }
    return true;
}

template <bool forward>
void scan(LazyFlags& flags, u32, u32 b)
{
    const int index = forward ? std::countr_zero(b) : 31 - std::countl_zero(b);
    flags.set(b == 0 ? ZF | PF : even_parity(static_cast<u64>(index)) ? PF : 0u);
}

/// May programs use XSAVE (SDM vol. 1, 13.3)?
bool has_xsave()
{
    u32 a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_OSXSAVE) != 0;
}

HostTraits find_out()
{
    HostTraits t;
    t.shift_flags =
        agree(host_shl, [](LazyFlags& f, u32 a, u32 b) { shift<ShiftOp::Shl>(f, a, b & 31); }) &&
        agree(host_shr, [](LazyFlags& f, u32 a, u32 b) { shift<ShiftOp::Shr>(f, a, b & 31); }) &&
        agree(host_sar, [](LazyFlags& f, u32 a, u32 b) { shift<ShiftOp::Sar>(f, a, b & 31); }) &&
        agree(host_rol, [](LazyFlags& f, u32 a, u32 b) { shift<ShiftOp::Rol>(f, a, b & 31); }) &&
        agree(host_shld, [](LazyFlags& f, u32 a, u32 b) { double_shift<true>(f, a, b, b & 31); });
    t.sse42 = __builtin_cpu_supports("sse4.2") != 0;
    t.x87 = has_xsave();
    t.multiply_flags =
        agree(host_imul, [](LazyFlags& f, u32 a, u32 b) { multiply_signed(f, a, b); });
    t.scan_flags = agree(host_bsf, scan<true>) && agree(host_bsr, scan<false>);
    return t;
}

}  // namespace

const HostTraits& host_traits()
{
    static const HostTraits traits = find_out();
    return traits;
}

std::string_view missing_features()
{
    if (!__builtin_cpu_supports("bmi2")) return "the host's processor has no BMI2";
    return {};
}

}  // namespace reprise::jit
