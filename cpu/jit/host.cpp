#include "cpu/jit/host.h"

#include <cpuid.h>

#include <algorithm>
#include <array>

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

/// C0 to C3 after an instruction that begins with all of them set, and with 1 in ST(0) and ST(1).
#define REPRISE_HOST_CODES(insn)                                                          \
    [] {                                                                                  \
        u16 status = 0;                                                                   \
        std::array<u16, 14> environment{};                                                \
        asm volatile(                                                                     \
            "fninit\n\tfld1\n\tfld1\n\tfnstenv %1\n\torw %2, 4+%1\n\t"                    \
            "fldenv %1\n\t" insn "\n\tfnstsw %0\n\tfninit"                                \
            : "=a"(status), "+m"(environment)                                             \
            : "i"(kAllCodes)                                                              \
            : "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"); \
        return static_cast<u16>(status & kAllCodes);                                      \
    }
constexpr u16 kC0 = 0x100, kC1 = 0x200, kC2 = 0x400, kC3 = 0x4000,
              kAllCodes = kC0 | kC1 | kC2 | kC3, kClearsC1 = kC0 | kC2 | kC3;

struct HostCodes {
    u16 (*host)();
    u16 ours;
};
const HostCodes kX87Codes[] = {
    {REPRISE_HOST_CODES("fnop"), kAllCodes},
    {REPRISE_HOST_CODES("fnclex"), kAllCodes},
    {REPRISE_HOST_CODES("fchs"), kClearsC1},
    {REPRISE_HOST_CODES("fxch"), kClearsC1},
    {REPRISE_HOST_CODES("fld1"), kClearsC1},
    {REPRISE_HOST_CODES("fld %%st(1)"), kClearsC1},
    {REPRISE_HOST_CODES("fst %%st(1)"), kClearsC1},
    {REPRISE_HOST_CODES("fincstp"), kClearsC1},
    {REPRISE_HOST_CODES("fdecstp"), kClearsC1},
    {REPRISE_HOST_CODES("fadd %%st(1), %%st"), kClearsC1},
    {REPRISE_HOST_CODES("fsqrt"), kClearsC1},
    {REPRISE_HOST_CODES("frndint"), kClearsC1},
    {REPRISE_HOST_CODES("fcom"), kC3},
    {REPRISE_HOST_CODES("ftst"), 0},
    {REPRISE_HOST_CODES("fxam"), kC2},
    {REPRISE_HOST_CODES("ffree %%st(0)\n\tfxam"), kC3 | kC0},
};
constexpr HostCodes kFreeCodes = {REPRISE_HOST_CODES("ffree %%st(1)"), kClearsC1},
                    kMoveCodes = {REPRISE_HOST_CODES("fcmovb %%st(1), %%st"), kAllCodes},
                    kCompareCodes = {REPRISE_HOST_CODES("fucomi %%st(1), %%st"), kAllCodes};
#undef REPRISE_HOST_CODES

bool agree(const HostCodes& codes) { return codes.host() == codes.ours; }

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
    t.x87 = has_xsave() &&
            std::ranges::all_of(kX87Codes, [](const HostCodes& codes) { return agree(codes); });
    t.x87_free = agree(kFreeCodes);
    t.x87_moves = agree(kMoveCodes);
    t.x87_compares = agree(kCompareCodes);
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
