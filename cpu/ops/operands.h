/// Operand access, and the handlers that the interpreter jumps to.
///
/// An instruction is a struct with one `execute`, a template over the operand type T and the kinds
/// of its two operands D and S. The order is always: read, compute, write memory, and only then
/// commit registers and flags, so that a fault changes nothing. It returns
///   - bool: false after a fault; execution goes on with the next instruction of the block, or
///   - Fallible<const Insn*>: instructions that end a block, see Cpu::follow and Cpu::leave; or
///   - const Insn*: jumps so frequent that they do all of it themselves, faults included.
/// Frequent instructions take a fourth parameter, the Attempt, and hand it to every memory access.
#pragma once

#include <tuple>

#include "cpu/cpu.h"
#include "cpu/opcodes.h"

namespace reprise::ops {

/// Reg, Mm, Xmm: a general, MMX or XMM register.
enum class Kind : u8 { None, Reg, Mem, Imm, Mm, Xmm };

using Flow = Fallible<const Insn*>;

/// Register `r` of a register file, or its lowest bytes.
template <class T, Kind K>
[[gnu::always_inline]] inline T read_register(const Cpu& cpu, u8 r)
{
    if constexpr (K == Kind::Mm) return static_cast<T>(cpu.state.fpu.r[r].significand);
    else if constexpr (K == Kind::Xmm && sizeof(T) == 16) return cpu.state.sse.xmm[r];
    else if constexpr (K == Kind::Xmm) return static_cast<T>(cpu.state.sse.xmm[r].low);
    else return cpu.reg<T>(r);
}

/// A memory operand. One of 16 bytes has to be aligned; instructions that do not ask for it use Cpu::read.
template <class T, Attempt attempt = Attempt::Full>
[[gnu::always_inline]] inline Fallible<T> memory_source(Cpu& cpu, const Insn& insn)
{
    if constexpr (sizeof(T) == 16) {
        if (!cpu.check_aligned_16<attempt>(insn.seg, cpu.address(insn), false)) [[unlikely]]
            return {};
    }
    return cpu.read<T, attempt>(insn, insn.seg, cpu.address(insn));
}

/// The value of the source operand.
template <class T, Kind S, Attempt attempt = Attempt::Full>
[[gnu::always_inline]] inline Fallible<T> source(Cpu& cpu, const Insn& insn)
{
    if constexpr (S == Kind::Mem) return memory_source<T, attempt>(cpu, insn);
    else if constexpr (S == Kind::Imm) return static_cast<T>(insn.imm);
    else return read_register<T, S>(cpu, insn.src);
}

/// The value of the destination operand.
template <class T, Kind D, Attempt attempt = Attempt::Full>
[[gnu::always_inline]] inline Fallible<T> destination(Cpu& cpu, const Insn& insn)
{
    if constexpr (D == Kind::Mem) return cpu.read<T, attempt>(insn, insn.seg, cpu.address(insn));
    else return cpu.reg<T>(insn.dst);
}

template <class T, Kind D, Attempt attempt = Attempt::Full>
[[nodiscard, gnu::always_inline]] inline bool assign(Cpu& cpu, const Insn& insn, T value)
{
    if constexpr (D == Kind::Mem) return cpu.write<T, attempt>(insn, insn.seg, cpu.address(insn), value);
    else return cpu.set_reg<T>(insn.dst, value), true;
}

/// destination = f(destination). `f` may commit flags: nothing can fault after it.
template <class T, Kind D, Attempt attempt = Attempt::Full, class F>
[[nodiscard, gnu::always_inline]] inline bool modify(Cpu& cpu, const Insn& insn, F f)
{
    if constexpr (D == Kind::Mem)
        return cpu.modify<T, attempt>(insn, insn.seg, cpu.address(insn), f);
    else return cpu.set_reg<T>(insn.dst, f(cpu.reg<T>(insn.dst))), true;
}

/// Executes an instruction with all that can happen in it. The next one is left to Cpu::run_block: this
/// frame may not be empty, so calling it could not become a jump. For the same reason it is not inlined.
template <class Op, class T, Kind D, Kind S, Attempt... attempt>
[[gnu::noinline]] const Insn* handle_fully(Cpu& cpu, const Insn* insn)
{
    const auto result = Op::template execute<T, D, S, attempt...>(cpu, *insn);
    if constexpr (std::is_same_v<decltype(result), const bool>) {
        if (!result) [[unlikely]] return cpu.faulted(insn);
        return insn + 1;
    } else {
        return result.ok ? result.value : cpu.faulted(insn);
    }
}

/// An `execute` that also takes an Attempt is tried with the fast one first. It changes nothing before
/// its last access to memory has succeeded, so that it can start again.
template <class Op, class T, Kind D, Kind S>
const Insn* handle(Cpu& cpu, const Insn* insn)
{
    if constexpr (requires {
                      { Op::template execute<T, D, S>(cpu, *insn) } -> std::same_as<const Insn*>;
                  }) {
        return chain(cpu, Op::template execute<T, D, S>(cpu, *insn));
    } else if constexpr (requires { Op::template execute<T, D, S, Attempt::Fast>(cpu, *insn); }) {
        const auto result = Op::template execute<T, D, S, Attempt::Fast>(cpu, *insn);
        if constexpr (std::is_same_v<decltype(result), const bool>) {
            if (!result) [[unlikely]] return handle_fully<Op, T, D, S, Attempt::Full>(cpu, insn);
            return insn[1].exec(cpu, insn + 1);
        } else {
            if (!result.ok) [[unlikely]]
                return handle_fully<Op, T, D, S, Attempt::Full>(cpu, insn);
            return chain(cpu, result.value);
        }
    } else {
        return handle_fully<Op, T, D, S>(cpu, insn);
    }
}

// ---- From rows of the table to handlers ----------------------------------------------------------

constexpr bool is_byte(Form f) { return f == Form::Eb || f == Form::Gb || f == Form::Zb || f == Form::AL || f == Form::Ob; }
constexpr bool is_word(Form f) { return f == Form::Ew || f == Form::Gw || f == Form::AX; }
constexpr bool is_y(Form f) { return f == Form::Ey || f == Form::Gy || f == Form::Ry; }

/// CRC32: the source has a size of its own.
constexpr bool is_sized_source(Form f) { return f == Form::Eb || f == Form::Ev; }

/// Operands that are a register or memory, whichever ModRM says.
constexpr bool is_register_or_memory(Form f)
{
    switch (f) {
    case Form::RdMb:
    case Form::RdMw:
    case Form::Eb:
    case Form::Ew:
    case Form::Ev:
    case Form::Ey:
    case Form::Qd:
    case Form::Qq:
    case Form::Ww:
    case Form::Wd:
    case Form::Wq:
    case Form::Wdq: return true;
    default: return false;
    }
}

constexpr Kind kind(Form f, bool memory)
{
    if (is_register_or_memory(f) && memory) return Kind::Mem;
    switch (f) {
    case Form::Pq:
    case Form::Nq:
    case Form::Qd:
    case Form::Qq: return Kind::Mm;
    case Form::Vdq:
    case Form::Udq:
    case Form::Ww:
    case Form::Wd:
    case Form::Wq:
    case Form::Wdq: return Kind::Xmm;
    case Form::None: return Kind::None;
    case Form::M:
    case Form::Ob:
    case Form::Ov: return Kind::Mem;
    case Form::One:
    case Form::Ib:
    case Form::Ibs:
    case Form::Iw:
    case Form::Iz:
    case Form::Iv:
    case Form::IwIb:
    case Form::Jb:
    case Form::Jz:
    case Form::Ap: return Kind::Imm;
    default: return Kind::Reg;
    }
}

template <class Op, Form D, Form S, class T>
constexpr void add_handlers(Handlers& handlers, int index)
{
    handlers[index] = handle<Op, T, kind(D, false), kind(S, false)>;
    handlers[index + 1] = handle<Op, T, kind(D, true), kind(S, true)>;
}

template <class Op, Form D, Form S>
constexpr Handlers make_integer_handlers()
{
    constexpr Form sizing = D == Form::None || D == Form::DX || D == Form::Ib || is_y(D) ? S : D;
    Handlers handlers{};
    if constexpr (is_byte(sizing)) {
        for (int i = 0; i < 6; i += 2) add_handlers<Op, D, S, u8>(handlers, i);
    } else if constexpr (is_word(sizing)) {
        for (int i = 0; i < 6; i += 2) add_handlers<Op, D, S, u16>(handlers, i);
    } else {
        add_handlers<Op, D, S, u16>(handlers, 0);
        add_handlers<Op, D, S, u32>(handlers, 2);
        add_handlers<Op, D, S, u64>(handlers, 4);
    }
    return handlers;
}

/// Bytes of a vector operand, or 0: no such operand.
constexpr int vector_bytes(Form f)
{
    switch (f) {
    case Form::RdMb: return 1;
    case Form::RdMw:
    case Form::Ww: return 2;
    case Form::Wd:
    case Form::Qd: return 4;
    case Form::Wq:
    case Form::Pq:
    case Form::Nq:
    case Form::Qq: return 8;
    case Form::Vdq:
    case Form::Udq:
    case Form::Wdq: return 16;
    default: return 0;
    }
}

template <int bytes>
using TypeOfBytes = std::tuple_element_t<std::countr_zero(unsigned{bytes}), std::tuple<u8, u16, u32, u64, Xmm>>;

/// The operand that says how much an instruction with vector operands reads or writes: the one that may be
/// in memory.
constexpr Form sizing_operand(Form d, Form s)
{
    return s == Form::None || s == Form::Ib || is_register_or_memory(d) ? d : s;
}

/// T of `execute` is by REX.W if a general register of size y takes part; else a vector operand says it, else
/// the operand size.
template <class Op, Form D, Form S>
constexpr Handlers make_handlers()
{
    constexpr int bytes = vector_bytes(sizing_operand(D, S));
    if constexpr ((is_y(D) && !is_sized_source(S)) || is_y(S)) {
        Handlers handlers{};
        add_handlers<Op, D, S, u32>(handlers, 0);
        add_handlers<Op, D, S, u32>(handlers, 2);
        add_handlers<Op, D, S, u64>(handlers, 4);
        return handlers;
    } else if constexpr (bytes != 0) {
        Handlers handlers{};
        for (int i = 0; i < 6; i += 2) add_handlers<Op, D, S, TypeOfBytes<bytes>>(handlers, i);
        return handlers;
    } else {
        return make_integer_handlers<Op, D, S>();
    }
}

/// What a row says besides its opcode, name and operands.
struct Row {
    FlagUse flags{};
    Carry carry = Carry::Call;
    Level level = Level::I8086;
    u16 rules = 0;
    i8 reg = -1;
    i8 mod3 = -1;
    i8 rm = -1;
    Feature feature = Feature::None;
    Mandatory prefix = Mandatory::Any;
    Level last = Level::X64;
};

template <class Op, Form D = Form::None, Form S = Form::None, Form Third = Form::None>
constexpr Opcode row(int code, const char* mnemonic, const Row& more = {})
{
    return {.code = static_cast<u16>(code),
            .prefix = more.prefix,
            .reg = more.reg,
            .mod3 = more.mod3,
            .rm = more.rm,
            .mnemonic = mnemonic,
            .operands = {D, S, Third},
            .handlers = make_handlers<Op, D, S>(),
            .flags = more.flags,
            .carry = more.carry,
            .level = more.level,
            .last = more.last,
            .feature = more.feature,
            .rules = more.rules};
}

/// The rows of several arrays in one.
template <std::size_t... n>
constexpr auto concatenate(const std::array<Opcode, n>&... parts)
{
    std::array<Opcode, (n + ...)> all{};
    std::size_t at = 0;
    const auto append = [&](const auto& part) {
        for (const Opcode& r : part) all[at++] = r;
    };
    (append(parts), ...);
    return all;
}

inline constexpr FlagUse kNoFlags{};

/// Each file of rows; find_opcode joins them.
std::span<const Opcode> arithmetic_rows();
std::span<const Opcode> early_rows();
std::span<const Opcode> shift_rows();
std::span<const Opcode> data_rows();
std::span<const Opcode> string_rows();
std::span<const Opcode> flow_rows();
std::span<const Opcode> system_rows();
std::span<const Opcode> model_rows();
std::span<const Opcode> vector_arithmetic_rows();
std::span<const Opcode> vector_shuffle_rows();
std::span<const Opcode> vector_move_rows();
std::span<const Opcode> sse_float_rows();
std::span<const Opcode> sse_convert_rows();
std::span<const Opcode> sse_string_rows();
std::span<const Opcode> sse_control_rows();
std::span<const Opcode> x87_arithmetic_rows();
std::span<const Opcode> x87_transfer_rows();
std::span<const Opcode> x87_control_rows();

}  // namespace reprise::ops
