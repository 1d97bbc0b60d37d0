/// MXCSR, EMMS, fences and hints.
#include "cpu/ops/vector.h"

namespace reprise::ops {

namespace {

/// Bits of MXCSR that a model has (SDM vol. 1, 11.6.6: MXCSR_MASK). DAZ came with SSE2.
u32 mxcsr_mask(const CpuModel& model) { return model.has(Sse2) ? 0xFFFF : 0xFFBF; }

struct LoadMxcsr {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!cpu.sse_usable()) return cpu.refuse_sse();
        const u32 value = TRY(cpu.read<u32>(insn, insn.seg, cpu.address(insn)));
        if (value & ~mxcsr_mask(cpu.model())) return cpu.general_protection();
        cpu.state.sse.mxcsr = value;
        return true;
    }
};

struct StoreMxcsr {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!cpu.sse_usable()) return cpu.refuse_sse();
        return cpu.write<u32>(insn, insn.seg, cpu.address(insn), cpu.state.sse.mxcsr);
    }
};

/// All tags say empty, TOP is 0 (SDM vol. 3A, table 12-1).
struct Emms {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn&)
    {
        if (!cpu.mmx_usable() && !cpu.refuse_mmx()) return false;
        enter_mmx(cpu);
        cpu.state.fpu.full = 0;
        return true;
    }
};

/// Fences and PREFETCH: memory is always in order, and there is no cache.
struct Nothing {
    template <class, Kind, Kind, Attempt attempt>
    static bool execute(Cpu&, const Insn&)
    {
        return true;
    }
};

/// Has the faults of a load (SDM vol. 2A, CLFLUSH), but reads nothing.
struct FlushLine {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        return cpu.probe_read(insn, insn.seg, cpu.address(insn));
    }
};

using enum Form;

constexpr Row in_group(i8 reg, Feature feature, bool registers)
{
    Row r =
        registers ? register_row(feature, Mandatory::None) : memory_row(feature, Mandatory::None);
    r.reg = reg;
    r.rules = kMax32 | kMin32;
    return r;
}

/// 0F 18 to 0F 1F do nothing since the Pentium Pro (SDM vol. 2D, table A-3: reserved NOP), so that
/// programs may hint at what only later processors know: prefetches, ENDBR32.
constexpr Row kHint{.carry = Carry::Copy, .level = Level::PentiumPro};
constexpr Row prefetch(i8 reg)
{
    return {.carry = Carry::Copy, .level = Level::PentiumPro, .reg = reg};
}

// clang-format off
constexpr auto kRows = std::to_array<Opcode>({
    row<LoadMxcsr, M>(0x1AE, "ldmxcsr", called(in_group(2, Sse, false))),
    row<StoreMxcsr, M>(0x1AE, "stmxcsr", called(in_group(3, Sse, false))),
    row<Nothing>(0x1AE, "lfence", in_group(5, Sse2, true)),
    row<Nothing>(0x1AE, "mfence", in_group(6, Sse2, true)),
    row<Nothing>(0x1AE, "sfence", in_group(7, Sse, true)),
    row<FlushLine, M>(0x1AE, "clflush", called(in_group(7, Feature::Clfsh, false))),
    row<Nothing, M>(0x118, "prefetchnta", prefetch(0)),
    row<Nothing, M>(0x118, "prefetcht0", prefetch(1)),
    row<Nothing, M>(0x118, "prefetcht1", prefetch(2)),
    row<Nothing, M>(0x118, "prefetcht2", prefetch(3)),
    row<Nothing, Ev>(0x118, "nop", kHint),
    row<Nothing, Ev>(0x119, "nop", kHint),
    row<Nothing, Ev>(0x11A, "nop", kHint),
    row<Nothing, Ev>(0x11B, "nop", kHint),
    row<Nothing, Ev>(0x11C, "nop", kHint),
    row<Nothing, Ev>(0x11D, "nop", kHint),
    row<Nothing, Ev>(0x11E, "nop", kHint),
    row<Nothing, Ev>(0x11F, "nop", kHint),
    row<Emms>(0x177, "emms", vector_row(Mmx, Mandatory::None)),
});
// clang-format on

}  // namespace

std::span<const Opcode> sse_control_rows() { return kRows; }

}  // namespace reprise::ops
