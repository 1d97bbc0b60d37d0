/// MOVS CMPS SCAS LODS STOS INS OUTS, alone and repeated. Each iteration counts as an instruction and
/// may be followed by an interrupt; where both sides are plain memory, many iterations run at once.
#include "cpu/alu.h"
#include "cpu/ops/operands.h"

namespace reprise::ops {

namespace {

/// The registers of a string instruction, as wide as its addresses.
struct Pointers {
    Cpu& cpu;
    u64 mask;
    u64 delta;  // +size or -size

    template <class T>
    static Pointers of(Cpu& cpu, const Insn& insn)
    {
        const u64 size = sizeof(T);
        return {cpu, insn.address_mask(), cpu.state.rflags & DF ? 0 - size : size};
    }

    u64 get(Gpr r) const { return cpu.state.gpr[r] & mask; }
    void advance(Gpr r, u64 elements = 1) const { set(r, cpu.state.gpr[r] + elements * delta); }
    u64 count() const { return get(RCX); }

    /// Always false: after an access beyond the limit. The 286 notices that late (80286 hardware tests):
    /// its pointers have advanced, and its count has by as much as `counted`. Later processors restart
    /// the iteration.
    [[gnu::cold, gnu::noinline]] bool fault(const Insn& insn, std::initializer_list<Gpr> advanced,
                                            u64 counted = 1) const
    {
        if (!cpu.at_least(Level::I80286) || cpu.at_least(Level::I80386)) return false;
        for (const Gpr r : advanced) advance(r);
        if (insn.prefixes & (kPrefixRep | kPrefixRepne)) consume(std::min(counted, count()));
        return false;
    }

    /// Elements of `size` bytes, upwards, before the register wraps around.
    u64 before_wrap(Gpr r, u64 size) const { return (mask - get(r)) / size + 1; }
    void consume(u64 n) const { set(RCX, cpu.state.gpr[RCX] - n); }

private:
    void set(Gpr r, u64 value) const
    {
        u64& reg = cpu.state.gpr[r];
        const u64 keep = mask == 0xFFFF ? ~mask : 0;  // 32-bit writes clear the upper half
        reg = (reg & keep) | (value & mask);
    }
};

/// One iteration each. Returns false after a fault; registers are changed only by success.
struct Movs {
    template <class T>
    static bool once(Cpu& cpu, const Insn& insn, const Pointers& p)
    {
        const Fallible<T> value = cpu.read<T>(insn, insn.seg, p.get(RSI));
        if (!value.ok) return p.fault(insn, {RSI});
        if (!cpu.write<T>(insn, ES, p.get(RDI), value.value)) return p.fault(insn, {RSI, RDI}, 2);
        p.advance(RSI);
        p.advance(RDI);
        return true;
    }
    /// Up to `n` iterations upwards in plain memory; returns how many were done.
    template <class T>
    static u64 bulk(Cpu& cpu, const Insn& insn, const Pointers& p, u64 n)
    {
        const Cpu::Run from = cpu.run_from(insn.seg, p.get(RSI), false);
        const Cpu::Run to = cpu.run_from(ES, p.get(RDI), true);
        n = std::min({n, from.bytes / sizeof(T), to.bytes / sizeof(T),
                      p.before_wrap(RSI, sizeof(T)), p.before_wrap(RDI, sizeof(T))});
        if (n == 0) return 0;
        const u64 bytes = n * sizeof(T);
        const bool plain = from.host && to.host;
        if (plain && (to.host <= from.host || to.host >= from.host + bytes)) {
            std::memmove(to.host, from.host, bytes);
        } else {  // chips, or an overlap, which repeats the pattern: element by element
            for (u64 i = 0; i < bytes; i += sizeof(T)) to.store<T>(i, from.load<T>(i));
        }
        p.advance(RSI, n);
        p.advance(RDI, n);
        return n;
    }
};

struct Stos {
    template <class T>
    static bool once(Cpu& cpu, const Insn& insn, const Pointers& p)
    {
        if (!cpu.write<T>(insn, ES, p.get(RDI), cpu.reg<T>(RAX))) return p.fault(insn, {RDI}, 2);
        p.advance(RDI);
        return true;
    }
    template <class T>
    static u64 bulk(Cpu& cpu, const Insn&, const Pointers& p, u64 n)
    {
        const Cpu::Run to = cpu.run_from(ES, p.get(RDI), true);
        n = std::min({n, to.bytes / sizeof(T), p.before_wrap(RDI, sizeof(T))});
        if (n == 0) return 0;
        const T value = cpu.reg<T>(RAX);
        if (!to.host) for (u64 i = 0; i < n; ++i) to.store<T>(i * sizeof(T), value);
        else if (sizeof(T) == 1) std::memset(to.host, static_cast<u8>(value), n);
        else for (u64 i = 0; i < n; ++i) std::memcpy(to.host + i * sizeof(T), &value, sizeof(T));
        p.advance(RDI, n);
        return n;
    }
};

struct Lods {
    template <class T>
    static bool once(Cpu& cpu, const Insn& insn, const Pointers& p)
    {
        const Fallible<T> value = cpu.read<T>(insn, insn.seg, p.get(RSI));
        if (!value.ok) return p.fault(insn, {RSI});
        cpu.set_reg<T>(RAX, value.value);
        p.advance(RSI);
        return true;
    }
};

struct Cmps {
    template <class T>
    static bool once(Cpu& cpu, const Insn& insn, const Pointers& p)
    {
        if (cpu.at_least(Level::I80286) && !cpu.at_least(Level::I80386)) return once_80286<T>(cpu, insn, p);
        const T a = TRY(cpu.read<T>(insn, insn.seg, p.get(RSI)));
        const T b = TRY(cpu.read<T>(insn, ES, p.get(RDI)));
        sub(cpu.flags, a, b);
        p.advance(RSI);
        p.advance(RDI);
        return true;
    }

private:
    /// Reads the destination first.
    template <class T>
    static bool once_80286(Cpu& cpu, const Insn& insn, const Pointers& p)
    {
        const Fallible<T> b = cpu.read<T>(insn, ES, p.get(RDI));
        if (!b.ok) return p.fault(insn, {RDI});
        const Fallible<T> a = cpu.read<T>(insn, insn.seg, p.get(RSI));
        if (!a.ok) return p.fault(insn, {RSI, RDI});
        sub(cpu.flags, a.value, b.value);
        p.advance(RSI);
        p.advance(RDI);
        return true;
    }
};

struct Scas {
    template <class T>
    static bool once(Cpu& cpu, const Insn& insn, const Pointers& p)
    {
        const Fallible<T> b = cpu.read<T>(insn, ES, p.get(RDI));
        if (!b.ok) return p.fault(insn, {RDI});
        sub(cpu.flags, cpu.reg<T>(RAX), b.value);
        p.advance(RDI);
        return true;
    }
};

/// The destination is checked before the port is read: reading may have effects.
struct Ins {
    static constexpr bool kUsesPort = true;
    template <class T>
    static bool once(Cpu& cpu, const Insn& insn, const Pointers& p)
    {
        const u16 port = cpu.reg<u16>(RDX);
        if (!cpu.check_port(insn, port, sizeof(T))) return false;
        if (!cpu.probe_write(insn, ES, p.get(RDI), sizeof(T))) return p.fault(insn, {RDI}, 2);
        const T value = static_cast<T>(cpu.read_port(insn, port, sizeof(T)));
        if (!cpu.write<T>(insn, ES, p.get(RDI), value)) return false;
        p.advance(RDI);
        return true;
    }
};

struct Outs {
    static constexpr bool kUsesPort = true;
    template <class T>
    static bool once(Cpu& cpu, const Insn& insn, const Pointers& p)
    {
        const u16 port = cpu.reg<u16>(RDX);
        if (!cpu.check_port(insn, port, sizeof(T))) return false;
        const Fallible<T> value = cpu.read<T>(insn, insn.seg, p.get(RSI));
        if (!value.ok) return p.fault(insn, {RSI});
        cpu.write_port(insn, port, sizeof(T), static_cast<u32>(value.value));
        p.advance(RSI);
        return true;
    }
};

/// Interrupted or faulted iterations leave (E)CX, (E)SI and (E)DI such that the instruction, executed
/// again, goes on (SDM vol. 2B, REP).
template <class Op, bool compares, class T>
Flow repeat(Cpu& cpu, const Insn& insn)
{
    const Pointers p = Pointers::of<T>(cpu, insn);
    // Even zero iterations need the right to the port (host processors).
    if constexpr (requires { Op::kUsesPort; })
        if (!cpu.check_port(insn, cpu.reg<u16>(RDX), sizeof(T))) return {};
    for (;;) {
        if (p.count() == 0) break;  // only at the start, or it would have ended below
        if constexpr (requires { Op::template bulk<T>(cpu, insn, p, u64{}); }) {
            if (p.delta == sizeof(T)) {
                const u64 n = Op::template bulk<T>(cpu, insn, p, std::min(p.count(), cpu.budget(insn)));
                if (n != 0) {
                    p.consume(n);
                    if (p.count() == 0) {
                        cpu.count_iterations(n - 1);
                        break;
                    }
                    cpu.count_iterations(n);
                    if (cpu.budget(insn) == 0) return cpu.interrupted(&insn);
                    continue;
                }
            }
        }
        if (!Op::template once<T>(cpu, insn, p)) return {};
        p.consume(1);
        if (p.count() == 0) break;
        if (compares && cpu.flags.zf() == ((insn.prefixes & kPrefixRepne) != 0)) break;
        cpu.count_iterations(1);
        // The iteration may have overwritten this very instruction.
        if (cpu.budget(insn) == 0 || !cpu.code_is_kept()) return cpu.interrupted(&insn);
    }
    return cpu.follow(&insn, Block::kBehind, cpu.next_ip(insn));
}

template <class Op, bool compares = false>
struct String {
    template <class T, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        if (insn.prefixes & (kPrefixRep | kPrefixRepne)) return repeat<Op, compares, T>(cpu, insn);
        const Pointers p = Pointers::of<T>(cpu, insn);
        if (!Op::template once<T>(cpu, insn, p)) return {};
        return &insn + 1;
    }
};

/// INS and OUTS move at most 32 bits.
template <class Op>
struct PortString {
    template <class T, Kind D, Kind S>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        using Narrow = std::conditional_t<sizeof(T) == 8, u32, T>;
        return String<Op>::template execute<Narrow, D, S>(cpu, insn);
    }
};

using enum Form;

constexpr FlagUse kReadsDf{.reads = DF};
constexpr FlagUse kCompares{.reads = DF, .writes = kArithmeticFlags};
constexpr Row kStrings{.flags = kReadsDf, .rules = kStringOp};
constexpr Row kComparing{.flags = kCompares, .rules = kStringOp};
constexpr Row kPorts{.flags = kReadsDf, .level = Level::I80286, .rules = kStringOp | kMax32};

constexpr auto kRows = std::to_array<Opcode>({
    row<String<Movs>, AL>(0xA4, "movsb", kStrings),
    row<String<Movs>, eAX>(0xA5, "movsw", kStrings),
    row<String<Cmps, true>, AL>(0xA6, "cmpsb", kComparing),
    row<String<Cmps, true>, eAX>(0xA7, "cmpsw", kComparing),
    row<String<Stos>, AL>(0xAA, "stosb", kStrings),
    row<String<Stos>, eAX>(0xAB, "stosw", kStrings),
    row<String<Lods>, AL>(0xAC, "lodsb", kStrings),
    row<String<Lods>, eAX>(0xAD, "lodsw", kStrings),
    row<String<Scas, true>, AL>(0xAE, "scasb", kComparing),
    row<String<Scas, true>, eAX>(0xAF, "scasw", kComparing),
    row<PortString<Ins>, AL>(0x6C, "insb", kPorts),
    row<PortString<Ins>, eAX>(0x6D, "insw", kPorts),
    row<PortString<Outs>, AL>(0x6E, "outsb", kPorts),
    row<PortString<Outs>, eAX>(0x6F, "outsw", kPorts),
});

}  // namespace

std::span<const Opcode> string_rows() { return kRows; }

}  // namespace reprise::ops
