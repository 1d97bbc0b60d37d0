/// Everything the processor remembers, in the SDM's words.
#pragma once

#include <array>

#include "cpu/flags.h"
#include "cpu/msr.h"
#include "cpu/vector_state.h"
#include "machine/base/fields.h"

namespace reprise {

/// General registers in encoding order (SDM vol. 2A, table 2-2; R8..R15 follow).
enum Gpr : u8 { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
inline constexpr u8 kZeroRegister = 16;   // always zero: the base or index of an address without
inline constexpr u8 kBlockIpRegister = 17;  // RIP-relative addresses: RIP where the block begins
inline constexpr u8 kPageSizeRegister = 18;  // always 4096: see make_relative_to_block
inline constexpr int kRegisterCount = 19;

/// Segment registers in encoding order (SDM vol. 2A, table 2-2).
enum Seg : u8 { ES, CS, SS, DS, FS, GS };

/// CR0 (SDM vol. 3A, 2.5).
enum Cr0 : u32 {
    kCr0Pe = 1u << 0,
    kCr0Mp = 1u << 1,
    kCr0Em = 1u << 2,
    kCr0Ts = 1u << 3,
    kCr0Et = 1u << 4,
    kCr0Ne = 1u << 5,
    kCr0Wp = 1u << 16,
    kCr0Am = 1u << 18,
    kCr0Nw = 1u << 29,
    kCr0Cd = 1u << 30,
    kCr0Pg = 1u << 31,
};
/// CR4 (SDM vol. 3A, 2.5).
enum Cr4 : u32 {
    kCr4Vme = 1u << 0,
    kCr4Pvi = 1u << 1,
    kCr4Tsd = 1u << 2,
    kCr4De = 1u << 3,
    kCr4Pse = 1u << 4,
    kCr4Pae = 1u << 5,
    kCr4Mce = 1u << 6,
    kCr4Pge = 1u << 7,
    kCr4Pce = 1u << 8,
    kCr4Osfxsr = 1u << 9,
    kCr4Osxmmexcpt = 1u << 10,
    kCr4Umip = 1u << 11,
    kCr4Fsgsbase = 1u << 16,
    kCr4Smep = 1u << 20,
    kCr4Smap = 1u << 21,
};

/// A segment register with its hidden part, already decoded from the descriptor.
struct Segment {
    u16 selector = 0;
    u64 base = 0;
    u32 limit = 0xFFFF;  // of the last byte, granularity applied

    // Access rights (SDM vol. 3A, 3.4.5): bits 3..0 type, 4 S, 6..5 DPL, 7 P, 8 AVL, 9 L, 10 D/B,
    // 11 G. A null selector leaves `present` clear, so that every use faults.
    u16 access = 0x93;

    u8 type() const { return access & 0xF; }
    bool is_code_or_data() const { return access & 0x10; }
    u8 dpl() const { return access >> 5 & 3; }
    bool present() const { return access & 0x80; }
    bool is_long() const { return access & 0x200; }
    bool is_big() const { return access & 0x400; }
    bool is_code() const { return (access & 0x18) == 0x18; }
    bool is_conforming() const { return (access & 0x1C) == 0x1C; }
    bool is_readable() const { return (access & 0x18) == 0x10 || (access & 0x1A) == 0x1A; }
    bool is_writable() const { return (access & 0x1A) == 0x12; }
    bool is_expand_down() const { return (access & 0x1C) == 0x14; }

    constexpr void visit(auto& v)
    {
        v("selector", selector);
        v("base", base);
        v("limit", limit);
        v("access", access);
    }
};

/// GDTR and IDTR.
struct TableRegister {
    u64 base = 0;
    u16 limit = 0xFFFF;

    constexpr void visit(auto& v)
    {
        v("base", base);
        v("limit", limit);
    }
};

struct CpuState {
    std::array<u64, kRegisterCount> gpr{};  // see Gpr and kZeroRegister
    u64 rip = 0;
    u32 rflags = kReservedSetFlags;
    std::array<Segment, 6> seg{};
    Segment ldtr, tr;
    TableRegister gdtr, idtr;
    u64 cr0 = 0, cr2 = 0, cr3 = 0, cr4 = 0;
    std::array<u64, 4> pdpte{};  // PAE paging: as loaded with CR3 (SDM vol. 3A, 4.4.1)
    std::array<u64, 8> dr{};
    std::array<u32, 8> tr_test{};  // TR3..TR7 of the 386 and 486
    u8 cpl = 0;
    FpuState fpu;
    SseState sse;
    MsrState msr;

    u64 clock = 0;       // instructions retired plus ticks spent halted: guest time
    u64 idle = 0;        // of these, ticks spent halted
    u64 tsc_offset = 0;  // TSC = clock + tsc_offset

    bool halted = false;
    bool shutdown = false;         // triple fault: waits for the board's reset
    bool intr = false;             // level of the INTR pin
    bool ignne = false;            // level of the IGNNE# pin: unmasked x87 exceptions are ignored
    bool nmi_pending = false;      // an edge on NMI that has not been taken
    bool nmi_blocked = false;      // until IRET
    bool smi_pending = false;      // an edge on SMI# that has not been taken
    bool smm = false;              // in system management mode: the level of SMIACT#
    u32 smbase = 0x30000;          // where its memory is
    bool interrupt_shadow = false;  // after STI, MOV SS, POP SS: no interrupt before the next
    bool debug_shadow = false;     // after MOV SS, POP SS: nor a debug trap
    bool interrupt_taken = false;  // its handler's first instruction comes before the next interrupt
    u32 pending_debug = 0;         // DR6 bits of a trap due after the present instruction

    constexpr void visit(auto& v)
    {
        v("gpr", gpr);
        v("rip", rip);
        v("rflags", rflags);
        v("seg", seg);
        v("ldtr", ldtr);
        v("tr", tr);
        v("gdtr", gdtr);
        v("idtr", idtr);
        v("cr0", cr0);
        v("cr2", cr2);
        v("cr3", cr3);
        v("cr4", cr4);
        v("pdpte", pdpte);
        v("dr", dr);
        v("tr_test", tr_test);
        v("cpl", cpl);
        v("fpu", fpu);
        v("sse", sse);
        v("msr", msr);
        v("clock", clock);
        v("idle", idle);
        v("tsc_offset", tsc_offset);
        v("halted", halted);
        v("shutdown", shutdown);
        v("intr", intr);
        v("ignne", ignne);
        v("nmi_pending", nmi_pending);
        v("nmi_blocked", nmi_blocked);
        v("smi_pending", smi_pending);
        v("smm", smm);
        v("smbase", smbase);
        v("interrupt_shadow", interrupt_shadow);
        v("debug_shadow", debug_shadow);
        v("interrupt_taken", interrupt_taken);
        v("pending_debug", pending_debug);
    }
};

static_assert(visits_every_member<Segment>);
static_assert(visits_every_member<CpuState>);

}  // namespace reprise
