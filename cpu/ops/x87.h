/// What the instructions of the x87 have in common: the register stack, exceptions, and how one
/// begins and ends.
///
/// A body is a function `bool (X87&)`: false after a fault. It reads memory, computes, writes
/// memory, and only then changes the FPU.
#pragma once

#include "cpu/fp/x87.h"
#include "cpu/ops/operands.h"

namespace reprise::ops {

/// The status word besides exception flags and TOP (SDM vol. 1, 8.1.3).
enum X87Status : u16 {
    kStackFlag = 0x40,
    kC0 = 0x100,
    kC1 = 0x200,
    kC2 = 0x400,
    kC3 = 0x4000,
    kBusy = 0x8000,  // as ES since the 387
};
inline constexpr u16 kConditionCodes = kC0 | kC1 | kC2 | kC3;

inline constexpr u16 kControlAfterInit = 0x37F;

class X87 {
public:
    X87(Cpu& cpu_, const Insn& insn_) : cpu(cpu_), insn(insn_), s(cpu_.state.fpu) {}

    Cpu& cpu;
    const Insn& insn;
    FpuState& s;

    /// The i of the operand ST(i).
    int i() const { return insn.dst; }

    // ---- Stack
    // -------------------------------------------------------------------------------------------------

    fp::F80 st(int n) const
    {
        const Float80& r = s.r[index(n)];
        return {r.significand, r.sign_exponent};
    }
    bool empty(int n) const { return !(s.full >> index(n) & 1); }
    void set(int n, fp::F80 value)
    {
        s.r[index(n)] = {value.significand, value.exponent};
        s.full |= static_cast<u8>(1 << index(n));
    }
    /// The same of a register that is not empty.
    void replace(int n, fp::F80 value) { s.r[index(n)] = {value.significand, value.exponent}; }
    void free(int n) { s.full &= static_cast<u8>(~(1 << index(n))); }
    void move_top(int by)
    {
        s.status = static_cast<u16>((s.status & ~0x3800) | ((s.top() + by) & 7) << 11);
    }
    void push(fp::F80 value)
    {
        move_top(-1);
        set(0, value);
    }
    void pop()
    {
        free(0);
        move_top(1);
    }

    // ---- Exceptions
    // --------------------------------------------------------------------------------------------

    /// What the control word asks of arithmetic.
    fp::Context context() const
    {
        static constexpr u8 precisions[] = {24, 64, 53, 64};  // 1 is reserved
        fp::Context c;
        c.rounding = static_cast<fp::Rounding>(s.control >> 10 & 3);
        c.precision = precisions[s.control >> 8 & 3];
        c.masks = s.control & fp::kAllExceptions;
        return c;
    }
    fp::Rounding rounding() const { return static_cast<fp::Rounding>(s.control >> 10 & 3); }

    /// Takes over flags and C1; is there a result?
    bool accept(const fp::Context& c)
    {
        conditions(kC1, c.rounded_up ? kC1 : 0);
        if (c.flags) raise(c.flags);
        return !c.no_result();
    }
    /// Changes the condition codes of `mask`.
    void conditions(u16 mask, u16 value)
    {
        s.status = static_cast<u16>((s.status & ~mask) | value);
    }

    /// Stack overflow and underflow (SDM vol. 1, 8.5.1.1); is the exception masked, so that there
    /// is a result?
    bool overflow() { return stack_fault(kC1); }
    bool underflow() { return stack_fault(0); }

    /// ES and B follow from flags and masks.
    void summarize();

    // ---- Memory
    // ------------------------------------------------------------------------------------------------

    template <class T>
    Fallible<T> read(u64 offset = 0)
    {
        return cpu.read<T>(insn, insn.seg, at(offset));
    }
    template <class T>
    [[nodiscard]] bool write(T value, u64 offset = 0)
    {
        return cpu.write<T>(insn, insn.seg, at(offset), value);
    }
    Fallible<fp::F80> read_extended(u64 offset = 0);
    [[nodiscard]] bool write_extended(fp::F80 value, u64 offset = 0);
    /// Would writing `bytes`, a multiple of `step`, succeed?
    [[nodiscard]] bool probe(u64 offset, int bytes, int step);
    /// The same of 10 bytes, the lower ones first.
    [[nodiscard]] bool probe_extended(u64 offset = 0);

private:
    std::size_t index(int n) const { return static_cast<std::size_t>((s.top() + n) & 7); }
    u64 at(u64 offset) const { return (cpu.address(insn) + offset) & insn.address_mask(); }
    void raise(u8 flags);
    bool stack_fault(u16 c1);
};

/// -NaN with nothing in it: the masked response to a stack fault and to invalid operations.
inline constexpr fp::F80 kIndefinite{0xC000000000000000, 0xFFFF};

/// What an instruction asks for and does besides its body.
enum class X87Rule : u8 {
    Numeric,     // reports a pending exception first, and is remembered by FIP, FDP and FOP
    Waiting,     // reports a pending exception first: FLDCW, FLDENV, FRSTOR
    NonWaiting,  // FNSTSW and its like
};

enum class X87Start : u8 { Execute, Skip, Leave };

/// #NM, #UD, exceptions that are pending.
X87Start begin_x87(Cpu& cpu, X87Rule rule, Level level, Feature feature);

/// Nobody answers on the coprocessor's pins: nothing is written, so that FNSTSW and FNSTCW leave
/// their destination as it was. The 8086 and 286 themselves read the first word of a memory operand
/// (80286 hardware tests: #GP at offset FFFF).
Flow without_x87(Cpu& cpu, const Insn& insn);

/// FIP, FDP and FOP: the last instruction that was no control instruction (SDM vol. 1, 8.1.8).
[[gnu::always_inline]] inline void remember_pointers(Cpu& cpu, const Insn& insn)
{
    FpuState& s = cpu.state.fpu;
    s.ip = cpu.ip_of(insn);
    s.cs = cpu.state.seg[CS].selector;
    s.opcode = static_cast<u16>(insn.imm);
    if (insn.memory) {
        s.data = cpu.address(insn);
        s.ds = cpu.state.seg[insn.seg].selector;
    }
}

/// After the body: the pointers, and the FERR# pin if `before` was another state of it.
Flow end_x87(Cpu& cpu, const Insn& insn, X87Rule rule, u16 status_before);

/// An instruction of the processors from `level` on that have an FPU. Those without ignore it, so
/// that a row of the table cannot say it.
template <bool (*body)(X87&), X87Rule rule = X87Rule::Numeric, Level level = Level::I8086,
          Feature feature = Feature::None>
struct Esc {
    static Flow run(Cpu& cpu, const Insn& insn)
    {
        const X87Start start = begin_x87(cpu, rule, level, feature);
        if (start == X87Start::Skip) return without_x87(cpu, insn);
        if (start == X87Start::Leave) return {};
        X87 x(cpu, insn);
        const u16 status_before = x.s.status;
        if (!body(x)) return {};
        return end_x87(cpu, insn, rule, status_before);
    }

    template <class, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        return run(cpu, insn);
    }
};

/// Rows with ST(i) as their operand; rows whose operands are in the mnemonic, which have one encoding.
/// A translator may leave them all to the host's x87, but those that are `called`.
constexpr Row x87_register(int reg)
{
    return {.carry = Carry::Copy, .reg = static_cast<i8>(reg), .mod3 = 1};
}
constexpr Row x87_encoding(int modrm)
{
    return {.carry = Carry::Copy,
            .reg = static_cast<i8>(modrm >> 3 & 7),
            .mod3 = 1,
            .rm = static_cast<i8>(modrm & 7)};
}
constexpr Row x87_memory(int reg)
{
    return {.carry = Carry::Copy, .reg = static_cast<i8>(reg), .mod3 = 0};
}
/// On what it does processors disagree, or it touches more than the registers.
constexpr Opcode called(Opcode row)
{
    row.carry = Carry::Call;
    return row;
}

template <bool (*body)(X87&), Level level = Level::I8086, Feature feature = Feature::None>
constexpr Opcode register_row(int code, int reg, const char* name)
{
    return row<Esc<body, X87Rule::Numeric, level, feature>, Form::STi>(code, name, x87_register(reg));
}
template <bool (*body)(X87&), Level level = Level::I8086>
constexpr Opcode single_row(int code, int modrm, const char* name)
{
    return row<Esc<body, X87Rule::Numeric, level>>(code, name, x87_encoding(modrm));
}

}  // namespace reprise::ops
