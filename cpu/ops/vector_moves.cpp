/// Moves of MMX and SSE: registers, memory, general registers. Caches are not modelled, so that
/// non-temporal moves are moves.
#include "cpu/ops/vector.h"

namespace reprise::ops {

namespace {

/// Zeros above `value`.
template <class V, class T>
[[gnu::always_inline]] inline V extend(T value)
{
    if constexpr (std::is_same_v<V, T>) return value;
    else if constexpr (sizeof(V) == 16) return Xmm{value, 0};
    else return value;
}

/// A vector register is all of the source; zeros above it.
struct Load {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, attempt>(cpu)) return false;
        const T value = TRY((source<T, S, attempt>(cpu, insn)));
        put<D>(cpu, insn.dst, extend<RegisterOf<D>>(value));
        return entered<D, S>(cpu);
    }
};

/// MOVDQ2Q.
struct LoadLowHalf {
    template <class, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        return Load::execute<u64, D, S, attempt>(cpu, insn);
    }
};

struct LoadUnaligned {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if constexpr (S != Kind::Mem) return Load::execute<T, D, S, attempt>(cpu, insn);
        else {
            if (!usable<D, S, attempt>(cpu)) return false;
            put<D>(cpu, insn.dst, TRY(cpu.read<T, attempt>(insn, insn.seg, cpu.address(insn))));
            return true;
        }
    }
};

/// T's worth of a vector register; zeros above it in a register.
struct Store {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, attempt>(cpu)) return false;
        const T value = read_register<T, S>(cpu, insn.src);
        if constexpr (D == Kind::Mem) {
            if (!store_aligned<T, attempt>(cpu, insn, value)) return false;
        } else if constexpr (D == Kind::Reg) {
            cpu.set_reg<T>(insn.dst, value);
        } else {
            put<D>(cpu, insn.dst, extend<RegisterOf<D>>(value));
        }
        return entered<D, S>(cpu);
    }
};

struct StoreUnaligned {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if constexpr (D != Kind::Mem) return Store::execute<T, D, S, attempt>(cpu, insn);
        else {
            if (!usable<D, S, attempt>(cpu)) return false;
            return cpu.write<T, attempt>(insn, insn.seg, cpu.address(insn), get<S>(cpu, insn.src));
        }
    }
};

/// MOVSS and MOVSD: from register to register the upper part of the destination stays.
struct LoadScalar {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if constexpr (S == Kind::Mem) return Load::execute<T, D, S, attempt>(cpu, insn);
        else return merge<T, D, S, attempt>(cpu, insn);
    }

    template <class T, Kind D, Kind S, Attempt attempt>
    static bool merge(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, attempt>(cpu)) return false;
        auto x = lanes<T>(get<D>(cpu, insn.dst));
        x[0] = read_register<T, S>(cpu, insn.src);
        put<D>(cpu, insn.dst, join<Xmm>(x));
        return true;
    }
};

struct StoreScalar {
    template <class T, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if constexpr (D == Kind::Mem) return Store::execute<T, D, S, attempt>(cpu, insn);
        else return LoadScalar::merge<T, D, S, attempt>(cpu, insn);
    }
};

/// MOVHPS and MOVHPD to memory.
struct StoreHigh {
    template <class, Kind D, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, attempt>(cpu)) return false;
        return cpu.write<u64, attempt>(insn, insn.seg, cpu.address(insn),
                                       get<S>(cpu, insn.src).high);
    }
};

struct LoadLow {
    static Xmm apply(Xmm a, u64 b, u8) { return {b, a.high}; }
};
struct LoadHigh {
    static Xmm apply(Xmm a, u64 b, u8) { return {a.low, b}; }
};
struct HighToLow {
    static Xmm apply(Xmm a, Xmm b, u8) { return {b.high, a.high}; }
};
struct LowToHigh {
    static Xmm apply(Xmm a, Xmm b, u8) { return {a.low, b.low}; }
};
struct DuplicateLow {
    static Xmm apply(Xmm, u64 b, u8) { return {b, b}; }
};
/// MOVSLDUP and MOVSHDUP.
template <std::size_t odd>
struct DuplicateSingles {
    static Xmm apply(Xmm, Xmm b, u8)
    {
        const auto y = lanes<u32>(b);
        return join<Xmm>(std::array<u32, 4>{y[odd], y[odd], y[2 + odd], y[2 + odd]});
    }
};

/// MOVNTI.
struct StoreGeneral {
    template <class T, Kind, Kind, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        return cpu.write<T, attempt>(insn, insn.seg, cpu.address(insn), cpu.reg<T>(insn.src));
    }
};

/// MASKMOVQ and MASKMOVDQU: the bytes whose mask has its sign set go to [(E)DI]. Others are not
/// looked at, not even for faults. Addresses of 16 and 32 bits wrap between its halves of 8 bytes
/// and not within one, as AMD's Zen 4 does; SDM vol. 3A, 5.3 leaves it open.
struct MaskedStore {
    template <class, Kind D, Kind S>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, Attempt::Full>(cpu)) return false;
        const auto bytes = lanes<u8>(get<D>(cpu, insn.dst)),
                   mask = lanes<u8>(get<S>(cpu, insn.src));
        const auto address = [&](std::size_t i) {
            const u64 within_half = i % 8;
            return ((cpu.state.gpr[RDI] + i - within_half) & insn.address_mask()) + within_half;
        };
        for (std::size_t i = 0; i < bytes.size(); ++i)
            if ((mask[i] & 0x80) && !cpu.probe_write(insn, insn.seg, address(i), 1)) return false;
        for (std::size_t i = 0; i < bytes.size(); ++i)
            if ((mask[i] & 0x80) && !cpu.write<u8>(insn, insn.seg, address(i), bytes[i]))
                return false;
        return entered<D, S>(cpu);
    }
};

using enum Form;

constexpr Row kMaskMovq = called(register_row(Sse, Mandatory::None));
constexpr Row kMaskMovdqu = called(register_row(Sse2, Mandatory::P66));

using Mandatory::P66, Mandatory::PF2, Mandatory::PF3;

// clang-format off
constexpr auto kRows = std::to_array<Opcode>({
    row<Load, Pq, Ey>(0x16E, "movd", with_rules(vector_row(Mmx, Mandatory::None), kMin32)),
    row<Load, Vdq, Ey>(0x16E, "movd", vector_row(Sse2, P66)),
    row<Store, Ey, Pq>(0x17E, "movd", with_rules(vector_row(Mmx, Mandatory::None), kMin32)),
    row<Store, Ey, Vdq>(0x17E, "movd", vector_row(Sse2, P66)),
    row<Load, Pq, Qq>(0x16F, "movq", vector_row(Mmx, Mandatory::None)),
    row<Store, Qq, Pq>(0x17F, "movq", vector_row(Mmx, Mandatory::None)),
    row<Load, Vdq, Wq>(0x17E, "movq", vector_row(Sse2, PF3)),
    row<Store, Wq, Vdq>(0x1D6, "movq", vector_row(Sse2, P66)),

    row<Load, Vdq, Wdq>(0x128, "movaps", vector_row(Sse, Mandatory::None)),
    row<Store, Wdq, Vdq>(0x129, "movaps", vector_row(Sse, Mandatory::None)),
    row<Load, Vdq, Wdq>(0x128, "movapd", vector_row(Sse2, P66)),
    row<Store, Wdq, Vdq>(0x129, "movapd", vector_row(Sse2, P66)),
    row<Load, Vdq, Wdq>(0x16F, "movdqa", vector_row(Sse2, P66)),
    row<Store, Wdq, Vdq>(0x17F, "movdqa", vector_row(Sse2, P66)),
    row<LoadUnaligned, Vdq, Wdq>(0x110, "movups", vector_row(Sse, Mandatory::None)),
    row<StoreUnaligned, Wdq, Vdq>(0x111, "movups", vector_row(Sse, Mandatory::None)),
    row<LoadUnaligned, Vdq, Wdq>(0x110, "movupd", vector_row(Sse2, P66)),
    row<StoreUnaligned, Wdq, Vdq>(0x111, "movupd", vector_row(Sse2, P66)),
    row<LoadUnaligned, Vdq, Wdq>(0x16F, "movdqu", vector_row(Sse2, PF3)),
    row<StoreUnaligned, Wdq, Vdq>(0x17F, "movdqu", vector_row(Sse2, PF3)),
    row<LoadUnaligned, Vdq, Wdq>(0x1F0, "lddqu", memory_row(Sse3, PF2)),

    row<LoadScalar, Vdq, Wd>(0x110, "movss", vector_row(Sse, PF3)),
    row<StoreScalar, Wd, Vdq>(0x111, "movss", vector_row(Sse, PF3)),
    row<LoadScalar, Vdq, Wq>(0x110, "movsd", vector_row(Sse2, PF2)),
    row<StoreScalar, Wq, Vdq>(0x111, "movsd", vector_row(Sse2, PF2)),
    row<Vector<LoadLow>, Vdq, Wq>(0x112, "movlps", memory_row(Sse, Mandatory::None)),
    row<Vector<HighToLow>, Vdq, Udq>(0x112, "movhlps", register_row(Sse, Mandatory::None)),
    row<Vector<LoadLow>, Vdq, Wq>(0x112, "movlpd", memory_row(Sse2, P66)),
    row<Store, Wq, Vdq>(0x113, "movlps", memory_row(Sse, Mandatory::None)),
    row<Store, Wq, Vdq>(0x113, "movlpd", memory_row(Sse2, P66)),
    row<Vector<LoadHigh>, Vdq, Wq>(0x116, "movhps", memory_row(Sse, Mandatory::None)),
    row<Vector<LowToHigh>, Vdq, Udq>(0x116, "movlhps", register_row(Sse, Mandatory::None)),
    row<Vector<LoadHigh>, Vdq, Wq>(0x116, "movhpd", memory_row(Sse2, P66)),
    row<StoreHigh, Wq, Vdq>(0x117, "movhps", memory_row(Sse, Mandatory::None)),
    row<StoreHigh, Wq, Vdq>(0x117, "movhpd", memory_row(Sse2, P66)),
    row<Vector<DuplicateSingles<0>>, Vdq, Wdq>(0x112, "movsldup", vector_row(Sse3, PF3)),
    row<Vector<DuplicateSingles<1>>, Vdq, Wdq>(0x116, "movshdup", vector_row(Sse3, PF3)),
    row<Vector<DuplicateLow>, Vdq, Wq>(0x112, "movddup", vector_row(Sse3, PF2)),

    row<Load, Vdq, Nq>(0x1D6, "movq2dq", register_row(Sse2, PF3)),
    row<LoadLowHalf, Pq, Udq>(0x1D6, "movdq2q", register_row(Sse2, PF2)),

    row<Store, Qq, Pq>(0x1E7, "movntq", memory_row(Sse, Mandatory::None)),
    row<Store, Wdq, Vdq>(0x1E7, "movntdq", memory_row(Sse2, P66)),
    row<Store, Wdq, Vdq>(0x12B, "movntps", memory_row(Sse, Mandatory::None)),
    row<Store, Wdq, Vdq>(0x12B, "movntpd", memory_row(Sse2, P66)),
    row<Load, Vdq, Wdq>(0x22A, "movntdqa", memory_row(Sse41, P66)),
    row<StoreGeneral, Ey, Gy>(0x1C3, "movnti", with_rules(memory_row(Sse2, Mandatory::None), kMin32)),
    row<MaskedStore, Pq, Nq>(0x1F7, "maskmovq", kMaskMovq),
    row<MaskedStore, Vdq, Udq>(0x1F7, "maskmovdqu", kMaskMovdqu),
});
// clang-format on

}  // namespace

std::span<const Opcode> vector_move_rows() { return kRows; }

}  // namespace reprise::ops
