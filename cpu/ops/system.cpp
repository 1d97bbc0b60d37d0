/// Flags one by one, ports, HLT, descriptor tables, control, debug and test registers, and checks of
/// selectors.
#include "cpu/alu.h"
#include "cpu/ops/operands.h"

namespace reprise::ops {

namespace {

/// Goes on with the next instruction after Cpu::run has looked at what changed.
Flow leave_after(Cpu& cpu, const Insn& insn)
{
    cpu.state.rip = cpu.next_ip(insn);
    return cpu.leave(&insn);
}

/// Privileged instructions: #GP(0) outside of CPL 0 (V86 mode is CPL 3).
bool privileged(Cpu& cpu) { return cpu.state.cpl == 0 || cpu.general_protection(); }

enum class CarryOp : u8 { Clear, Set, Complement };

template <CarryOp op>
struct Carry1 {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn&)
    {
        cpu.flags.set_cf(op == CarryOp::Set || (op == CarryOp::Complement && !cpu.flags.cf()));
        return true;
    }
};

template <bool set>
struct Direction {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn&)
    {
        if (set) cpu.state.rflags |= DF;
        else cpu.state.rflags &= ~static_cast<u32>(DF);
        return true;
    }
};

/// CLI and STI (SDM vol. 2A, table 3-7; vol. 2B, table 4-19): with VME in V86 mode, or PVI at CPL 3,
/// they change VIF.
template <bool set>
struct InterruptFlag {
    template <class, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        u32& flags = cpu.state.rflags;
        const bool allowed = !cpu.protected_mode() || cpu.iopl() >= cpu.state.cpl;
        if (!allowed) {
            const u32 extension = cpu.v86() ? kCr4Vme : cpu.state.cpl == 3 ? kCr4Pvi : 0u;
            if (!(cpu.state.cr4 & extension) || (set && (flags & VIP)))
                return cpu.general_protection(), Flow{};
            flags = set ? flags | VIF : flags & ~static_cast<u32>(VIF);
            return cpu.follow(&insn, Block::kBehind, cpu.next_ip(insn));
        }
        if (!set || (flags & IF)) {
            flags = set ? flags | IF : flags & ~static_cast<u32>(IF);
            return cpu.follow(&insn, Block::kBehind, cpu.next_ip(insn));
        }
        flags |= IF;
        cpu.state.interrupt_shadow = true;
        return leave_after(cpu, insn);
    }
};

struct Hlt {
    template <class, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        if (!privileged(cpu)) return {};
        cpu.halt(insn);
        return leave_after(cpu, insn);
    }
};

// ---- Ports ---------------------------------------------------------------------------------------

template <class T>
using PortWidth = std::conditional_t<sizeof(T) == 8, u32, T>;

template <bool port_in_dx>
struct In {
    template <class Wide, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        using T = PortWidth<Wide>;
        const u16 port = port_in_dx ? cpu.reg<u16>(RDX) : static_cast<u16>(insn.imm);
        if (!cpu.check_port(insn, port, sizeof(T))) return false;
        cpu.set_reg<T>(RAX, static_cast<T>(cpu.read_port(insn, port, sizeof(T))));
        return true;
    }
};

template <bool port_in_dx>
struct Out {
    template <class Wide, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        using T = PortWidth<Wide>;
        const u16 port = port_in_dx ? cpu.reg<u16>(RDX) : static_cast<u16>(insn.imm);
        if (!cpu.check_port(insn, port, sizeof(T))) return false;
        cpu.write_port(insn, port, sizeof(T), cpu.reg<T>(RAX));
        return true;
    }
};

// ---- Descriptor tables -----------------------------------------------------------------------------

/// With CR4.UMIP, what tells where tables and tasks are belongs to level 0.
bool may_look(Cpu& cpu)
{
    return !(cpu.state.cr4 & kCr4Umip) || cpu.state.cpl == 0 || cpu.general_protection();
}

/// SGDT and SIDT. On the 286 the byte behind the base reads FF.
template <TableRegister CpuState::*table>
struct StoreTable {
    template <class T, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        using Base = std::conditional_t<sizeof(T) == 8, u64, u32>;
        if (!may_look(cpu)) return false;
        const TableRegister& t = cpu.state.*table;
        const u64 address = cpu.address(insn);
        Base base = static_cast<Base>(t.base);
        if (!cpu.at_least(Level::I80386)) base |= 0xFF000000;
        if (!cpu.probe_write(insn, insn.seg, address, 2)) return false;
        return cpu.write<Base>(insn, insn.seg, (address + 2) & insn.address_mask(), base) &&
               cpu.write<u16>(insn, insn.seg, address, t.limit);
    }
};

/// LGDT and LIDT load 24 bits of base with a 16-bit operand (SDM vol. 2A).
template <TableRegister CpuState::*table>
struct LoadTable {
    template <class T, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        using Base = std::conditional_t<sizeof(T) == 8, u64, u32>;
        if (!privileged(cpu)) return false;
        const u64 address = cpu.address(insn);
        const u16 limit = TRY(cpu.read<u16>(insn, insn.seg, address));
        const Base base = TRY(cpu.read<Base>(insn, insn.seg, (address + 2) & insn.address_mask()));
        if (!is_canonical(base)) return cpu.general_protection();
        cpu.state.*table = {sizeof(T) == 2 ? base & 0xFFFFFF : base, limit};
        return true;
    }
};

template <Segment CpuState::*segment>
struct StoreSelector {
    template <class T, Kind D, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!may_look(cpu)) return false;
        const u16 selector = (cpu.state.*segment).selector;
        if constexpr (D == Kind::Mem) return assign<u16, D>(cpu, insn, selector);
        else return assign<T, D>(cpu, insn, selector);
    }
};

/// LLDT and LTR.
template <bool task>
struct LoadSelector {
    template <class, Kind D, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!privileged(cpu)) return false;
        cpu.at(insn);
        const u16 selector = TRY((destination<u16, D>(cpu, insn)));
        return task ? cpu.load_tr(selector) : cpu.load_ldtr(selector);
    }
};

/// May `selector` be looked at by LAR, LSL, VERR and VERW? (SDM vol. 2A, LAR)
bool visible(const Cpu& cpu, const Cpu::Descriptor& d, u16 selector)
{
    const bool conforming = d.is_code_or_data() && (d.type() & 0xC) == 0xC;
    return conforming || d.dpl() >= std::max<int>(cpu.state.cpl, selector & 3);
}

/// The descriptor, or nothing if the selector is null or outside its table; never faults but for #PF.
Fallible<bool> look_up(Cpu& cpu, u16 selector, Cpu::Descriptor& descriptor)
{
    const bool local = selector & 4;
    const Segment& ldt = cpu.state.ldtr;
    const u64 base = local ? ldt.base : cpu.state.gdtr.base;
    const u32 limit = local ? ldt.limit : cpu.state.gdtr.limit;
    const u32 offset = selector & 0xFFF8u;
    if ((selector & 0xFFFC) == 0 || (local && !ldt.present()) || offset + 7 > limit) return false;
    descriptor.address = base + offset;
    descriptor.raw = TRY(cpu.read_system(descriptor.address, 8));
    return true;
}

void set_zf(Cpu& cpu, bool zf)
{
    const u32 others = cpu.flags.get() & ~ZF;
    cpu.flags.set(zf ? others | ZF : others);
}

/// LDT and TSSs, in IA-32e mode; call gates too have no limit.
constexpr u32 kLongTypes = 1 << 2 | 1 << 9 | 1 << 11;

/// Types of system descriptors with a limit (SDM vol. 2A, LSL), and gates, which have none but have rights
/// (LAR); of these IA-32e mode knows one.
constexpr u32 kSystemSegments = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 9 | 1 << 11;
constexpr u32 kGates = 1 << 4 | 1 << 5 | 1 << 12, kLongGates = 1 << 12;

/// The descriptor, if it is code, data, a system segment or one of `gates`, and the selector may see it.
Fallible<bool> look_up_visible(Cpu& cpu, u16 selector, Cpu::Descriptor& d, u32 gates)
{
    const bool found = TRY(look_up(cpu, selector, d));
    const u32 types = cpu.long_mode() ? kLongTypes | (gates & kLongGates) : kSystemSegments | gates;
    return found && (d.is_code_or_data() || (types >> d.type() & 1)) && visible(cpu, d, selector);
}

struct Lar {
    template <class T, Kind, Kind S>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        cpu.at(insn);
        const u16 selector = TRY((source<u16, S>(cpu, insn)));
                Cpu::Descriptor d;
        const bool ok = TRY(look_up_visible(cpu, selector, d, kGates));
        if (ok) cpu.set_reg<T>(insn.dst, static_cast<T>(d.raw >> 32 & (sizeof(T) == 2 ? 0xFF00 : 0x00FFFF00)));
        set_zf(cpu, ok);
        return true;
    }
};

struct Lsl {
    template <class T, Kind, Kind S>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        cpu.at(insn);
        const u16 selector = TRY((source<u16, S>(cpu, insn)));
                Cpu::Descriptor d;
        const bool ok = TRY(look_up_visible(cpu, selector, d, 0));
        if (ok) {
            u32 limit = static_cast<u32>((d.raw & 0xFFFF) | (d.raw >> 32 & 0xF0000));
            if (d.raw >> 55 & 1) limit = limit << 12 | 0xFFF;
            cpu.set_reg<T>(insn.dst, static_cast<T>(limit));
        }
        set_zf(cpu, ok);
        return true;
    }
};

template <bool write>
struct Verify {
    template <class, Kind D, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        cpu.at(insn);
        const u16 selector = TRY((destination<u16, D>(cpu, insn)));
        Cpu::Descriptor d;
        bool ok = TRY(look_up(cpu, selector, d));
        ok = ok && d.is_code_or_data() && visible(cpu, d, selector);
        const bool code = d.type() & 8, bit1 = d.type() & 2;
        if (ok) ok = write ? !code && bit1 : !code || bit1;
        set_zf(cpu, ok);
        return true;
    }
};

/// Memory is only written, and needs to be writable, if RPL is raised (host processors).
struct Arpl {
    template <class, Kind D, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const u16 rpl = cpu.reg<u16>(insn.src) & 3;
        const u16 selector = TRY((destination<u16, D>(cpu, insn)));
        const bool raise_it = (selector & 3) < rpl;
        if (raise_it && !assign<u16, D>(cpu, insn, static_cast<u16>((selector & ~3) | rpl))) return false;
        set_zf(cpu, raise_it);
        return true;
    }
};

// ---- Control registers -------------------------------------------------------------------------------

struct Smsw {
    template <class T, Kind D, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!may_look(cpu)) return false;
        u64 cr0 = cpu.state.cr0;
        if (!cpu.at_least(Level::I80386)) cr0 |= 0xFFF0;  // the 286's MSW has four bits
        if constexpr (D == Kind::Mem) return assign<u16, D>(cpu, insn, static_cast<u16>(cr0));
        else return assign<T, D>(cpu, insn, static_cast<T>(cr0));
    }
};

/// Loads PE, MP, EM and TS; PE cannot be cleared (SDM vol. 2A, LMSW).
struct Lmsw {
    template <class, Kind D, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        if (!privileged(cpu)) return {};
        const u16 value = TRY((destination<u16, D>(cpu, insn)));
        cpu.set_cr0((cpu.state.cr0 & ~u64{0xE}) | (value & 0xF));
        return leave_after(cpu, insn);
    }
};

struct Clts {
    template <class, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        if (!privileged(cpu)) return {};
        cpu.set_cr0(cpu.state.cr0 & ~u64{kCr0Ts});
        return leave_after(cpu, insn);
    }
};

/// CR8 exists in 64-bit mode, where REX.R can name it.
bool has_control_register(const Cpu& cpu, u8 number)
{
    const bool has_cr4 = cpu.at_least(Level::Pentium) || cpu.model().has(Feature::Vme);
    return number == 0 || number == 2 || number == 3 || (number == 4 && has_cr4) || number == 8;
}

/// MOV to and from CRn and DRn always move the full register width.
struct MovFromControl {
    template <class T, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        using Wide = std::conditional_t<sizeof(T) == 8, u64, u32>;
        if (!has_control_register(cpu, insn.src)) return cpu.undefined_opcode();
        if (!privileged(cpu)) return false;
        cpu.at(insn);
        cpu.set_reg<Wide>(insn.dst, static_cast<Wide>(cpu.read_cr(insn.src)));
        return true;
    }
};

struct MovToControl {
    template <class T, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        using Wide = std::conditional_t<sizeof(T) == 8, u64, u32>;
        if (!has_control_register(cpu, insn.dst)) return cpu.undefined_opcode(), Flow{};
        if (!privileged(cpu)) return {};
        cpu.at(insn);
        if (!cpu.write_cr(insn.dst, cpu.reg<Wide>(insn.src))) return {};
        return leave_after(cpu, insn);
    }
};

/// DR4 and DR5 are DR6 and DR7 unless CR4.DE (SDM vol. 3B, 17.2.2).
Fallible<u8> debug_register(Cpu& cpu, u8 number)
{
    if (number > 7) return cpu.undefined_opcode(), Fallible<u8>{};
    if (number == 4 || number == 5) {
        if (cpu.state.cr4 & kCr4De) return cpu.undefined_opcode(), Fallible<u8>{};
        number += 2;
    }
    if (!privileged(cpu)) return {};
    if (cpu.state.dr[7] & (1 << 13)) {  // GD: every access is trapped
        cpu.state.dr[6] |= 1 << 13;
        return cpu.raise(kDebug), Fallible<u8>{};
    }
    return number;
}

struct MovFromDebug {
    template <class T, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        using Wide = std::conditional_t<sizeof(T) == 8, u64, u32>;
        const u8 number = TRY(debug_register(cpu, insn.src));
        cpu.set_reg<Wide>(insn.dst, static_cast<Wide>(cpu.state.dr[number]));
        return true;
    }
};

struct MovToDebug {
    template <class T, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        using Wide = std::conditional_t<sizeof(T) == 8, u64, u32>;
        const u8 number = TRY(debug_register(cpu, insn.dst));
        if (!cpu.write_dr(number, cpu.reg<Wide>(insn.src))) return {};
        return leave_after(cpu, insn);
    }
};

/// TR3..TR7 of the 386 and 486: storage only, as their caches and TLB have no counterpart here.
template <bool to>
struct MovTest {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const u8 number = to ? insn.dst : insn.src;
        if (cpu.at_least(Level::Pentium) || number < (cpu.at_least(Level::I80486) ? 3 : 6))
            return cpu.undefined_opcode();
        if (!privileged(cpu)) return false;
        if (to) cpu.state.tr_test[number] = cpu.reg<u32>(insn.src);
        else cpu.set_reg<u32>(insn.dst, cpu.state.tr_test[number]);
        return true;
    }
};

struct Invlpg {
    template <class, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        if (!privileged(cpu)) return {};
        cpu.flush_page(cpu.linear_address(insn.seg, cpu.address(insn)));
        return leave_after(cpu, insn);
    }
};

/// INVD and WBINVD: there is no cache to write back.
struct CacheControl {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn&)
    {
        return privileged(cpu);
    }
};

/// The end of an SMI's handler; the processor goes on where it was, whatever its mode.
struct Rsm {
    template <class, Kind, Kind>
    static Flow execute(Cpu& cpu, const Insn& insn)
    {
        cpu.at(insn);
        if (!cpu.resume_from_smm()) return {};
        return cpu.leave(&insn);
    }
};

// ---- Undefined, and nothing at all ----------------------------------------------------------------------

struct Ud {
    template <class, Kind, Kind>
    static bool execute(Cpu& cpu, const Insn&)
    {
        return cpu.undefined_opcode();
    }
};

using enum Form;
using enum Carry;

constexpr FlagUse kWritesZf{.writes = ZF};

// clang-format off
constexpr auto kRows = std::to_array<Opcode>({
    row<Carry1<CarryOp::Clear>>     (0xF8, "clc", {.flags = {.writes = CF}, .carry = Copy}),
    row<Carry1<CarryOp::Set>>       (0xF9, "stc", {.flags = {.writes = CF}, .carry = Copy}),
    row<Carry1<CarryOp::Complement>>(0xF5, "cmc", {.flags = {.reads = CF, .writes = CF}, .carry = Copy}),
    row<Direction<false>>    (0xFC, "cld", {.flags = {.writes = DF}}),
    row<Direction<true>>     (0xFD, "std", {.flags = {.writes = DF}}),
    row<InterruptFlag<false>>(0xFA, "cli", {.carry = End}),
    row<InterruptFlag<true>> (0xFB, "sti", {.carry = End}),
    row<Hlt>                 (0xF4, "hlt", {.carry = End}),

    row<In<false>, AL, Ib> (0xE4, "in"),
    row<In<false>, eAX, Ib>(0xE5, "in", {.rules = kMax32}),
    row<In<true>, AL, DX>  (0xEC, "in"),
    row<In<true>, eAX, DX> (0xED, "in", {.rules = kMax32}),
    row<Out<false>, Ib, AL> (0xE6, "out"),
    row<Out<false>, Ib, eAX>(0xE7, "out", {.rules = kMax32}),
    row<Out<true>, DX, AL>  (0xEE, "out"),
    row<Out<true>, DX, eAX> (0xEF, "out", {.rules = kMax32}),

    row<StoreSelector<&CpuState::ldtr>, Ev>(0x100, "sldt", {.level = Level::I80286, .rules = kProtected, .reg = 0}),
    row<StoreSelector<&CpuState::tr>, Ev>  (0x100, "str",  {.level = Level::I80286, .rules = kProtected, .reg = 1}),
    row<LoadSelector<false>, Ew>        (0x100, "lldt", {.level = Level::I80286, .rules = kProtected, .reg = 2}),
    row<LoadSelector<true>, Ew>         (0x100, "ltr",  {.level = Level::I80286, .rules = kProtected, .reg = 3}),
    row<Verify<false>, Ew>                 (0x100, "verr", {.flags = kWritesZf, .level = Level::I80286, .rules = kProtected, .reg = 4}),
    row<Verify<true>, Ew>                  (0x100, "verw", {.flags = kWritesZf, .level = Level::I80286, .rules = kProtected, .reg = 5}),

    row<StoreTable<&CpuState::gdtr>, M, eAX>(0x101, "sgdt", {.level = Level::I80286, .rules = kForce64, .reg = 0}),
    row<StoreTable<&CpuState::idtr>, M, eAX>(0x101, "sidt", {.level = Level::I80286, .rules = kForce64, .reg = 1}),
    row<LoadTable<&CpuState::gdtr>, M, eAX> (0x101, "lgdt", {.level = Level::I80286, .rules = kForce64, .reg = 2}),
    row<LoadTable<&CpuState::idtr>, M, eAX> (0x101, "lidt", {.level = Level::I80286, .rules = kForce64, .reg = 3}),
    row<Smsw, Ev>  (0x101, "smsw", {.level = Level::I80286, .reg = 4}),
    row<Lmsw, Ew>  (0x101, "lmsw", {.carry = End, .level = Level::I80286, .reg = 6}),
    row<Invlpg, M> (0x101, "invlpg", {.carry = End, .level = Level::I80486, .reg = 7}),

    row<Lar, Gv, Ew>(0x102, "lar", {.flags = kWritesZf, .level = Level::I80286, .rules = kProtected}),
    row<Lsl, Gv, Ew>(0x103, "lsl", {.flags = kWritesZf, .level = Level::I80286, .rules = kProtected}),
    row<Arpl, Ew, Gw>(0x63, "arpl", {.flags = kWritesZf, .level = Level::I80286, .rules = kProtected | kInvalid64}),
    row<Clts>        (0x106, "clts", {.carry = End, .level = Level::I80286}),
    row<CacheControl>(0x108, "invd", {.level = Level::I80486}),
    row<CacheControl>(0x109, "wbinvd", {.level = Level::I80486}),
    row<Ud>          (0x10B, "ud2", {.carry = End}),

    row<Rsm>         (0x1AA, "rsm", {.carry = End, .level = Level::Pentium}),

    row<MovFromControl, Rv, Cd>(0x120, "mov", {.level = Level::I80386, .rules = kFullWidth}),
    row<MovFromDebug, Rv, Dd>  (0x121, "mov", {.level = Level::I80386, .rules = kFullWidth}),
    row<MovToControl, Cd, Rv>  (0x122, "mov", {.carry = End, .level = Level::I80386, .rules = kFullWidth}),
    row<MovToDebug, Dd, Rv>    (0x123, "mov", {.carry = End, .level = Level::I80386, .rules = kFullWidth}),
    row<MovTest<false>, Rv, Td>(0x124, "mov", {.level = Level::I80386, .rules = kInvalid64 | kFullWidth}),
    row<MovTest<true>, Td, Rv> (0x126, "mov", {.level = Level::I80386, .rules = kInvalid64 | kFullWidth}),
});
// clang-format on

}  // namespace

std::span<const Opcode> system_rows() { return kRows; }

}  // namespace reprise::ops
