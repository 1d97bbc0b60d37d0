/// A quick way for the x87's frequent instructions: nothing can happen in them but PE, masked.
///
/// `Quickly<quick, Esc<body>>` tries `bool quick(X87&)` first, which refuses, without a trace, what
/// is not plain: then the body does it all.
#pragma once

#include "cpu/fp/quick.h"
#include "cpu/ops/x87.h"

namespace reprise::ops {

template <bool (*quick)(X87&), class Slow>
struct Quickly {
    template <class, Kind, Kind, Attempt attempt>
    static auto execute(Cpu& cpu, const Insn& insn)
    {
        if constexpr (attempt == Attempt::Full) {
            return Slow::run(cpu, insn);
        } else {
            if (!cpu.x87_usable()) [[unlikely]]
                return false;
            X87 x(cpu, insn);
            if (!quick(x)) [[unlikely]]
                return false;
            remember_pointers(cpu, insn);
            return true;
        }
    }
};

/// The control word asks for rounding to nearest and masks PE.
[[gnu::always_inline]] inline bool rounds_quickly(const X87& x)
{
    return (x.s.control & (0xC00 | fp::kPrecision)) == fp::kPrecision;
}

/// How many of 64 bits the control word's precision leaves out.
[[gnu::always_inline]] inline int dropped_bits(const X87& x)
{
    constexpr u32 drops = 40 | 11 << 16;  // of 24 bits; 64, reserved; 53; 64
    return static_cast<int>(drops >> (x.s.control >> 5 & 0x18) & 0xFF);
}

/// C1 and PE.
[[gnu::always_inline]] inline void put_rounding(X87& x, bool inexact, bool up)
{
    x.s.status =
        static_cast<u16>((x.s.status & ~kC1) | (up ? kC1 : 0) | (inexact ? fp::kPrecision : 0));
}

/// The operand in memory.
template <class T>
[[gnu::always_inline]] inline Fallible<T> quick_read(X87& x)
{
    return x.cpu.read<T, Attempt::Fast>(x.insn, x.insn.seg, x.cpu.address(x.insn));
}
template <class T>
[[nodiscard, gnu::always_inline]] inline bool quick_write(X87& x, T value)
{
    return x.cpu.write<T, Attempt::Fast>(x.insn, x.insn.seg, x.cpu.address(x.insn), value);
}

template <bool (*quick)(X87&), bool (*body)(X87&)>
constexpr Opcode quick_register_row(int code, int reg, const char* name)
{
    return row<Quickly<quick, Esc<body>>, Form::STi>(code, name, x87_register(reg));
}
template <bool (*quick)(X87&), bool (*body)(X87&)>
constexpr Opcode quick_single_row(int code, int modrm, const char* name)
{
    return row<Quickly<quick, Esc<body>>>(code, name, x87_encoding(modrm));
}

}  // namespace reprise::ops
