/// What the instructions of MMX and SSE are written with.
///
/// A vector is a u64 (MMX) or an Xmm; most operations are a function of vectors, `apply(a, b,
/// imm)`, which `Vector` turns into an instruction:
///
///     struct Add { template <class L> static L lane(L a, L b) { return static_cast<L>(a + b); } };
///     row<Vector<Each<Add, u16>>, Pq, Qq>(0x1FD, "paddw", ...)       // four lanes
///     row<Vector<Each<Add, u16>>, Vdq, Wdq>(0x1FD, "paddw", ...)     // eight
#pragma once

#include <bit>
#include <cstring>

#include "cpu/ops/operands.h"

namespace reprise::ops {

// ---- Lanes --------------------------------------------------------------------------------------

template <class Lane, class V>
using Lanes = std::array<Lane, sizeof(V) / sizeof(Lane)>;

/// The lowest lane is element 0.
template <class Lane, class V>
[[gnu::always_inline]] inline Lanes<Lane, V> lanes(const V& v)
{
    Lanes<Lane, V> all;
    std::memcpy(&all, &v, sizeof all);
    return all;
}

template <class V, class Lane, std::size_t n>
[[gnu::always_inline]] inline V join(const std::array<Lane, n>& all)
{
    return std::bit_cast<V>(all);
}

/// Op::lane on each pair of lanes.
template <class Op, class Lane>
struct Each {
    template <class V>
    static V apply(V a, V b, u8)
    {
        Lanes<Lane, V> x = lanes<Lane>(a);
        const Lanes<Lane, V> y = lanes<Lane>(b);
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = Op::template lane<Lane>(x[i], y[i]);
        return join<V>(x);
    }
};

// ---- Registers ----------------------------------------------------------------------------------

/// A register of the file `K`.
template <Kind K>
using RegisterOf = std::conditional_t<K == Kind::Mm, u64, Xmm>;

/// Every MMX instruction but EMMS: TOP is 0 and all tags say valid (SDM vol. 3A, table 12-1).
inline void enter_mmx(Cpu& cpu)
{
    cpu.state.fpu.status &= static_cast<u16>(~FpuState::kTop);
    cpu.state.fpu.full = 0xFF;
}

template <Kind K>
[[gnu::always_inline]] inline RegisterOf<K> get(const Cpu& cpu, u8 r)
{
    return read_register<RegisterOf<K>, K>(cpu, r);
}

/// A written MMX register has an exponent of all ones.
template <Kind K>
[[gnu::always_inline]] inline void put(Cpu& cpu, u8 r, RegisterOf<K> value)
{
    if constexpr (K == Kind::Mm) cpu.state.fpu.r[r] = {value, 0xFFFF};
    else cpu.state.sse.xmm[r] = value;
}

/// May an instruction with operands of these kinds execute? For one with an MMX operand, TOP and
/// tags are to follow: `entered`.
template <Kind D, Kind S, Attempt attempt>
[[nodiscard, gnu::always_inline]] inline bool usable(Cpu& cpu)
{
    if constexpr (D == Kind::Xmm || S == Kind::Xmm) {
        if (!cpu.sse_usable()) [[unlikely]]
            return attempt == Attempt::Full && cpu.refuse_sse();
    }
    if constexpr (D == Kind::Mm || S == Kind::Mm) {
        if (!cpu.mmx_usable()) [[unlikely]]
            return attempt == Attempt::Full && cpu.refuse_mmx();
    }
    return true;
}

template <Kind D, Kind S>
[[gnu::always_inline]] inline bool entered(Cpu& cpu)
{
    if constexpr (D == Kind::Mm || S == Kind::Mm) enter_mmx(cpu);
    return true;
}

/// Stores of 16 bytes have to be aligned.
template <class T, Attempt attempt>
[[nodiscard, gnu::always_inline]] inline bool store_aligned(Cpu& cpu, const Insn& insn, T value)
{
    if constexpr (sizeof(T) == 16) {
        if (!cpu.check_aligned_16<attempt>(insn.seg, cpu.address(insn), true)) [[unlikely]]
            return false;
    }
    return cpu.write<T, attempt>(insn, insn.seg, cpu.address(insn), value);
}

/// Destination register = Op::apply(destination, source, imm8).
template <class Op>
struct Vector {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, attempt>(cpu)) return false;
        const T b = TRY((source<T, S, attempt>(cpu, insn)));
        put<D>(cpu, insn.dst, Op::apply(get<D>(cpu, insn.dst), b, static_cast<u8>(insn.imm)));
        return entered<D, S>(cpu);
    }
};

// ---- Rows ---------------------------------------------------------------------------------------

using Feature::Mmx, Feature::Sse, Feature::Sse2, Feature::Sse3, Feature::Ssse3, Feature::Sse41,
    Feature::Sse42;

constexpr Row vector_row(Feature feature, Mandatory prefix)
{
    return {.carry = Carry::Copy, .feature = feature, .prefix = prefix};
}
/// With its E operand in memory, or in a register, only.
constexpr Row memory_row(Feature feature, Mandatory prefix)
{
    return {.carry = Carry::Copy, .mod3 = 0, .feature = feature, .prefix = prefix};
}
constexpr Row register_row(Feature feature, Mandatory prefix)
{
    return {.carry = Carry::Copy, .mod3 = 1, .feature = feature, .prefix = prefix};
}
constexpr Row with_rules(Row row, int rules)
{
    row.rules = static_cast<u16>(rules);
    return row;
}
/// What no host executes as we do.
constexpr Row called(Row row)
{
    row.carry = Carry::Call;
    return row;
}

/// An instruction that MMX and SSE2 (or later) share, with operands P and Q or V and W.
template <class Op, Form Third = Form::None>
constexpr std::array<Opcode, 2> mmx_and_sse(int code, const char* mnemonic,
                                            Feature mmx = Feature::Mmx, Feature sse = Feature::Sse2)
{
    return {row<Op, Form::Pq, Form::Qq, Third>(code, mnemonic, vector_row(mmx, Mandatory::None)),
            row<Op, Form::Vdq, Form::Wdq, Third>(code, mnemonic, vector_row(sse, Mandatory::P66))};
}

}  // namespace reprise::ops
