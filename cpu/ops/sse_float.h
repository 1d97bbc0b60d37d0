/// Floating point of SSE: MXCSR and its exceptions.
#pragma once

#include "cpu/fp/fp.h"
#include "cpu/fp/host.h"
#include "cpu/ops/vector.h"

namespace reprise::ops {

/// MXCSR (SDM vol. 1, 10.2.3): flags in 5..0, DAZ 6, masks in 12..7, rounding in 14..13, FTZ 15.
inline fp::Context context_of(u32 mxcsr)
{
    fp::Context c;
    c.rounding = static_cast<fp::Rounding>(mxcsr >> 13 & 3);
    c.masks = mxcsr >> 7 & fp::kAllExceptions;
    c.daz = (mxcsr & 0x40) != 0;
    c.ftz = (mxcsr & 0x8000) != 0;
    return c;
}

/// After all lanes are computed: leaves their flags in MXCSR. False: an exception is unmasked, and
/// the destination stays as it is. Invalid, denormal and divide-by-zero exceptions are found in all
/// lanes before any result is; if one of them is unmasked, there are no others (SDM vol. 1, 11.5.1
/// and E.4.2).
[[nodiscard]] inline bool finish(Cpu& cpu, const fp::Context& c)
{
    constexpr u8 before = fp::kInvalid | fp::kDenormal | fp::kZeroDivide;
    const u8 flags = c.no_result() ? c.flags & before : c.flags;
    cpu.state.sse.mxcsr |= flags;
    if ((flags & ~c.masks) == 0) [[likely]]
        return true;
    return cpu.state.cr4 & kCr4Osxmmexcpt ? cpu.raise(kSimdFloatingPoint) : cpu.undefined_opcode();
}

template <class F>
using BitsOf = decltype(F::bits);

/// Destination = Op::apply(context, destination, source, imm8).
template <class Op>
struct FloatVector {
    template <class T, Kind D, Kind S>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, Attempt::Full>(cpu)) return false;
        const T b = TRY((source<T, S>(cpu, insn)));
        fp::Context c = context_of(cpu.state.sse.mxcsr);
        const auto result = Op::apply(c, get<D>(cpu, insn.dst), b, static_cast<u8>(insn.imm));
        if (!finish(cpu, c)) return false;
        put<D>(cpu, insn.dst, result);
        return entered<D, S>(cpu);
    }
};

/// The same, but first with the host's arithmetic, Op::quick, which refuses what is not plain.
template <class Op>
struct QuickFloatVector {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if constexpr (attempt == Attempt::Full) {
            return FloatVector<Op>::template execute<T, D, S>(cpu, insn);
        } else {
            if (!usable<D, S, attempt>(cpu)) return false;
            if (Op::kRounds && !fp::host::may_be_inexact(cpu.state.sse.mxcsr)) [[unlikely]]
                return false;
            const T b = TRY((source<T, S, attempt>(cpu, insn)));
            auto result = get<D>(cpu, insn.dst);
            if (!Op::quick(result, b, static_cast<u8>(insn.imm))) [[unlikely]]
                return false;
            put<D>(cpu, insn.dst, result);
            return true;
        }
    }
};

}  // namespace reprise::ops
