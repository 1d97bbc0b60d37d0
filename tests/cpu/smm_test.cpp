/// System management mode, in and out: SDM vol. 3C, chapter 34; AMD64 APM vol. 2, chapter 10. How
/// the maps' fields are named and where they are is checked one by one. When: smm_events_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cpu/smm_program.h"

namespace reprise {
namespace {

using Bytes = Program::Bytes;

/// Different from each other and from what they were, in as many bits as there are.
void fill_registers(CpuState& s, int count, u64 mask)
{
    for (int r = 0; r < count; ++r)
        s.gpr[static_cast<std::size_t>(r)] =
            (0x1122334455667700 + 0x0101010101010101 * u64(r)) & mask;
}

/// 8086 code of level 3 at 1000:0000.
void start_v86(Program& p)
{
    p.start_protected();
    p.cpu.state.rflags |= VM | 3 << 12;
    p.cpu.state.cpl = 3;
    const u16 selectors[] = {0x4000, 0x1000, 0x2000, 0x4100, 0x4200, 0x4300};
    for (std::size_t seg = 0; seg < 6; ++seg)
        p.cpu.state.seg[seg] = {selectors[seg], u64{selectors[seg]} << 4, 0xFFFF, 0xF3};
    p.cpu.state.rip = 0;
    p.cpu.state.gpr[RSP] = 0x1000;
    p.cpu.state_loaded();
}

/// Nothing that the program can see has changed after its SMI.
void expect_round_trip(Program& p, const std::string& what)
{
    SCOPED_TRACE(what);
    put_handler(p, kTrasher);
    p.set<u64>(kSmbase + 0x9000, 0x1234'5678'9ABC);
    fill_registers(p.cpu.state, RSP, p.cpu.long_mode() ? ~u64{0} : 0xFFFFFFFF);
    p.cpu.state.rflags |= OF | SF | AF | PF;
    p.cpu.state.dr[6] = 0xFFFF4FF5;
    p.cpu.state.dr[0] = 0x5000;
    p.cpu.state.dr[7] = 0x000D0402 | 0x400;  // a data breakpoint
    p.cpu.state_loaded();
    const Snapshot before(p.cpu);
    p.cpu.raise_smi();
    p.step(kTrasherInstructions);
    EXPECT_FALSE(p.cpu.state.smm);
    EXPECT_FALSE(p.bus.smiact);
    EXPECT_EQ(before.difference(Snapshot(p.cpu)), "");
}

}  // namespace

// ---- Entry -------------------------------------------------------------------------------------

TEST(Smm, TheHandlerFindsWhatTheManualSays)  // 34.5.1, table 34-4
{
    for (const char* model : {"pentium", "pentium3", "x86-64"}) {
        SCOPED_TRACE(model);
        Program p(model);
        p.start_user();
        p.enable_paging();
        p.cpu.state.cr0 |= kCr0Em | kCr0Ts | kCr0Mp | kCr0Ne;
        p.cpu.state.cr4 = kCr4Pse;
        p.cpu.state.dr[7] = 0x700;
        p.cpu.state.rflags |= IF | CF | 3 << 12;
        p.cpu.state_loaded();
        put_handler(p, kNopRsm);
        const u64 kept = p.cpu.state.cr0;
        enter(p);
        const CpuState& s = p.cpu.state;
        EXPECT_TRUE(p.bus.smiact);
        EXPECT_EQ(s.rip, 0x8001u) << "8000h, and a NOP";
        EXPECT_EQ(s.seg[CS].selector, 0x3000);
        EXPECT_EQ(s.seg[CS].base, kSmbase);
        for (const Seg seg : {ES, SS, DS, FS, GS}) {
            EXPECT_EQ(s.seg[seg].selector, 0);
            EXPECT_EQ(s.seg[seg].base, 0u);
        }
        for (const Segment& segment : s.seg) EXPECT_EQ(segment.limit, 0xFFFFFFFF);
        EXPECT_EQ(s.cr0, kept & ~u64{kCr0Pe | kCr0Em | kCr0Ts | kCr0Pg});
        EXPECT_EQ(s.cr4, 0u);
        EXPECT_EQ(s.dr[7], 0x400u);
        EXPECT_EQ(s.rflags, 2u);
        EXPECT_EQ(s.cpl, 0);
    }
}

TEST(Smm, The64BitHandlerStartsOutsideOfLongMode)
{
    LongProgram p;
    put_handler(p, kNopRsm);
    enter(p);
    EXPECT_EQ(p.cpu.state.msr.efer, 0u);
    EXPECT_FALSE(p.cpu.long_mode());
    EXPECT_EQ(p.cpu.state.cr4, 0u);
}

TEST(Smm, Processors32BitSaveIntelsMap)  // table 34-1, and the P6's for what is "not readable"
{
    Program p("pentium3");
    p.start_user();
    p.enable_paging();
    CpuState& s = p.cpu.state;
    fill_registers(s, 8, 0xFFFFFFFF);
    for (u16 seg = 0; seg < 6; ++seg) {
        s.seg[seg].selector = static_cast<u16>(0x1003 + 8 * seg);
        if (seg != CS) s.seg[seg].base = 0x01000000u * (seg + 1u);
        if (seg != CS) s.seg[seg].limit = 0xA0000000u + seg;
    }
    s.ldtr = {0x58, 0x11223344, 0x777, 0x82};
    s.gdtr = {0x99887766, 0x1234};
    s.idtr = {0x55443322, 0x5678};
    s.cr4 = kCr4Pse | kCr4Osfxsr;
    s.dr[6] = 0xFFFF4FF1;
    s.rflags |= IF | ZF;
    p.cpu.state_loaded();
    put_handler(p, kNopRsm);
    const CpuState before = s;
    enter(p);

    EXPECT_EQ(p.get<u32>(kRevision), 0x00020000u);
    EXPECT_EQ(p.get<u32>(kSmbase32), kSmbase);
    EXPECT_EQ(p.get<u16>(kHalted32), 0u);
    EXPECT_EQ(p.get<u32>(kMap + 0x7F14), before.cr4);
    const u64 names[] = {0x7FD0, 0x7FD4, 0x7FD8, 0x7FDC, 0x7FE0, 0x7FE4, 0x7FE8, 0x7FEC};
    for (std::size_t r = 0; r < 8; ++r) EXPECT_EQ(p.get<u32>(kMap + names[r]), before.gpr[r]) << r;
    EXPECT_EQ(p.get<u32>(kMap + 0x7FFC), before.cr0);
    EXPECT_EQ(p.get<u32>(kMap + 0x7FF8), before.cr3);
    EXPECT_EQ(p.get<u32>(kMap + 0x7FF4), before.rflags);
    EXPECT_EQ(p.get<u32>(kMap + 0x7FF0), before.rip);
    EXPECT_EQ(p.get<u32>(kMap + 0x7FCC), before.dr[6]);
    EXPECT_EQ(p.get<u32>(kMap + 0x7FC8), before.dr[7]);
    EXPECT_EQ(p.get<u32>(kMap + 0x7FC4), before.tr.selector);
    EXPECT_EQ(p.get<u32>(kMap + 0x7FC0), before.ldtr.selector);
    struct Place {
        Seg seg;
        u64 selector, hidden;
    };
    for (const Place& at :
         {Place{GS, 0x7FBC, 0x7F44}, Place{FS, 0x7FB8, 0x7F38}, Place{DS, 0x7FB4, 0x7F2C},
          Place{SS, 0x7FB0, 0x7F9C}, Place{CS, 0x7FAC, 0x7F90}, Place{ES, 0x7FA8, 0x7F84}}) {
        EXPECT_EQ(p.get<u32>(kMap + at.selector), before.seg[at.seg].selector) << at.seg;
        EXPECT_EQ(p.get<u16>(kMap + at.hidden + 2), at.seg == CS ? 0xC0FB : 0xC0F3) << at.seg;
        EXPECT_EQ(p.get<u32>(kMap + at.hidden + 4), before.seg[at.seg].limit) << at.seg;
        EXPECT_EQ(p.get<u32>(kMap + at.hidden + 8), before.seg[at.seg].base) << at.seg;
    }
    EXPECT_EQ(p.get<u32>(kMap + 0x7F54), 0x5678u) << "IDTR";
    EXPECT_EQ(p.get<u32>(kMap + 0x7F58), 0x55443322u);
    EXPECT_EQ(p.get<u32>(kMap + 0x7F70), 0x1234u) << "GDTR";
    EXPECT_EQ(p.get<u32>(kMap + 0x7F74), 0x99887766u);
    EXPECT_EQ(p.get<u32>(kMap + 0x7F64), Program::kTss) << "TR";
    EXPECT_EQ(p.get<u32>(kMap + 0x7F7C), 0x777u) << "LDTR";
    EXPECT_EQ(p.get<u32>(kMap + 0x7F80), 0x11223344u);
}

TEST(Smm, Processors64BitSaveAmdsMap)  // APM vol. 2, table 10-1
{
    LongProgram p({}, 3);
    CpuState& s = p.cpu.state;
    fill_registers(s, 16, ~u64{0});
    s.seg[FS].base = 0x0000123456789000;
    s.seg[GS].base = 0xFFFF8000ABCDE000;
    s.ldtr = {0x58, 0xFFFF800011223344, 0x777, 0x82};
    s.gdtr = {0xFFFF800099887766, 0x1234};
    s.idtr = {0xFFFF800055443322, 0x5678};
    s.dr[6] = 0xFFFF4FF1;
    p.cpu.state_loaded();
    put_handler(p, kNopRsm);
    const CpuState before = s;
    enter(p);

    const auto at = [&](u64 offset) { return p.get<u64>(kMap + offset); };
    EXPECT_EQ(p.get<u32>(kRevision), 0x00020064u);
    EXPECT_EQ(p.get<u32>(kSmbase64), kSmbase);
    EXPECT_EQ(p.get<u8>(kHalted64), 0u);
    const u64 names[] = {0x7FF8, 0x7FF0, 0x7FE8, 0x7FE0, 0x7FD8, 0x7FD0, 0x7FC8, 0x7FC0,
                         0x7FB8, 0x7FB0, 0x7FA8, 0x7FA0, 0x7F98, 0x7F90, 0x7F88, 0x7F80};
    for (std::size_t r = 0; r < 16; ++r) EXPECT_EQ(at(names[r]), before.gpr[r]) << r;
    EXPECT_EQ(at(0x7F78), before.rip);
    EXPECT_EQ(at(0x7F70), before.rflags);
    EXPECT_EQ(at(0x7F68), before.dr[6]);
    EXPECT_EQ(at(0x7F60), before.dr[7]);
    EXPECT_EQ(at(0x7F58), before.cr0);
    EXPECT_EQ(at(0x7F50), before.cr3);
    EXPECT_EQ(at(0x7F48), before.cr4);
    EXPECT_EQ(at(0x7ED0), before.msr.efer);
    const u64 segments[] = {0x7E00, 0x7E10, 0x7E20, 0x7E30, 0x7E40, 0x7E50};  // ES CS SS DS FS GS
    for (std::size_t seg = 0; seg < 6; ++seg) {
        EXPECT_EQ(p.get<u16>(kMap + segments[seg]), before.seg[seg].selector) << seg;
        EXPECT_EQ(p.get<u16>(kMap + segments[seg] + 2), seg == CS ? 0xA0FB : 0xC0F3) << seg;
        EXPECT_EQ(p.get<u32>(kMap + segments[seg] + 4), before.seg[seg].limit) << seg;
        EXPECT_EQ(at(segments[seg] + 8), before.seg[seg].base) << seg;
    }
    EXPECT_EQ(p.get<u16>(kMap + 0x7E64), 0x1234) << "GDTR";
    EXPECT_EQ(at(0x7E68), 0xFFFF800099887766u);
    EXPECT_EQ(p.get<u16>(kMap + 0x7E70), 0x58) << "LDTR";
    EXPECT_EQ(p.get<u32>(kMap + 0x7E74), 0x777u);
    EXPECT_EQ(at(0x7E78), 0xFFFF800011223344u);
    EXPECT_EQ(p.get<u16>(kMap + 0x7E84), 0x5678) << "IDTR";
    EXPECT_EQ(at(0x7E88), 0xFFFF800055443322u);
    EXPECT_EQ(p.get<u16>(kMap + 0x7E90), LongProgram::kTss64) << "TR";
    EXPECT_EQ(at(0x7E98), Program::kTss);
}

// ---- RSM ---------------------------------------------------------------------------------------

TEST(Smm, RsmGoesBackToEveryMode)
{
    for (const char* model : {"pentium", "pentium2", "x86-64"}) {
        const std::string of = std::string(", ") + model;
        Program real(model), flat(model), user(model), v86(model);
        real.start_real();
        expect_round_trip(real, "real mode" + of);
        flat.start_protected();
        expect_round_trip(flat, "protected mode" + of);
        user.start_user();
        user.enable_paging();
        expect_round_trip(user, "level 3 with paging" + of);
        start_v86(v86);
        v86.enable_paging();
        expect_round_trip(v86, "virtual-8086 mode" + of);
    }
}

TEST(Smm, RsmGoesBackToLongMode)
{
    for (const u8 level : {u8{0}, u8{3}}) {
        LongProgram p({}, level);
        expect_round_trip(p, "64-bit mode");
        LongProgram compatible({}, level);
        compatible.cpu.state.seg[CS].access = static_cast<u16>(0xC9B | level << 5);
        expect_round_trip(compatible, "compatibility mode");
    }
}

TEST(Smm, RsmReadsThePdptesAgain)
{
    constexpr u32 kTable = 0x110000, kDirectory = 0x111000;
    Program p("pentium2");
    p.start_protected();
    p.set<u64>(kTable, kDirectory | 1);
    p.set<u64>(kDirectory, 0x00000083 | Program::U);
    p.cpu.state.cr3 = kTable;
    p.cpu.state.cr4 = kCr4Pae;
    p.cpu.state.pdpte[0] = kDirectory | 1;
    p.cpu.state.cr0 |= kCr0Pg;
    expect_round_trip(p, "PAE");

    p.set<u64>(kTable, kDirectory | 1 | 2);  // bit 1 is reserved
    put_handler(p, kRsm);
    p.cpu.raise_smi();
    p.step();
    EXPECT_TRUE(p.cpu.state.shutdown);
}

TEST(Smm, AHandlerMayChangeWhatIsRestored)
{
    Program p("pentium2");
    p.start_protected();
    put_handler(p, kNopRsm);
    enter(p);
    p.set<u32>(kMap + 0x7FD0, 0x12345678);             // EAX
    p.set<u32>(kMap + 0x7FF0, Program::kCode + 0x80);  // EIP
    p.step();
    EXPECT_EQ(p.reg(RAX), 0x12345678u);
    EXPECT_EQ(p.ip(), Program::kCode + 0x80);
}

TEST(Smm, RsmElsewhereIsUndefined)
{
    for (const char* model : {"80486", "pentium", "x86-64"}) {
        Program real(model), flat(model);
        real.start_real();
        real.code(kRsm);
        EXPECT_EQ(real.run_to_vector(), kInvalidOpcode) << model;
        flat.start_protected();
        flat.code(kRsm);
        EXPECT_EQ(flat.run_to_vector(), kInvalidOpcode) << model;
    }
    LongProgram p(kRsm);
    EXPECT_EQ(p.run_to_vector(), kInvalidOpcode);
}

TEST(Smm, InvalidStateIsShutdown)  // 34.3.2
{
    struct Wrong {
        const char* what;
        u64 offset;
        u32 value;
    };
    for (const Wrong& wrong : {Wrong{"PG without PE", 0x7FFC, kCr0Pg | kCr0Et},
                               Wrong{"NW without CD", 0x7FFC, kCr0Pe | kCr0Et | kCr0Nw},
                               Wrong{"reserved bit of CR4", 0x7F14, 1u << 30}}) {
        Program p("pentium2");
        p.start_protected();
        put_handler(p, kNopRsm);
        enter(p);
        p.set<u32>(kMap + wrong.offset, wrong.value);
        p.step();
        EXPECT_TRUE(p.cpu.state.shutdown) << wrong.what;
        EXPECT_TRUE(p.bus.was_shut_down) << wrong.what;
    }
}

TEST(Smm, InvalidStateOfLongModeIsShutdown)  // APM vol. 3, RSM
{
    struct Wrong {
        const char* what;
        u64 offset;
        u64 value;
    };
    for (const Wrong& wrong :
         {Wrong{"LMA without PG", 0x7F58, kCr0Pe | kCr0Et},
          Wrong{"long mode without PAE", 0x7F48, 0},
          Wrong{"reserved bit of EFER", 0x7ED0, kEferLme | kEferLma | 1 << 1},
          Wrong{"LME and PG without LMA", 0x7ED0, kEferLme}, Wrong{"CR3", 0x7F50, u64{1} << 50},
          Wrong{"upper half of CR0", 0x7F58, u64{1} << 32 | kCr0Pg | kCr0Pe}}) {
        LongProgram p;
        put_handler(p, kNopRsm);
        enter(p);
        p.set<u64>(kMap + wrong.offset, wrong.value);
        p.step();
        EXPECT_TRUE(p.cpu.state.shutdown) << wrong.what;
    }
}

// ---- SMBASE ------------------------------------------------------------------------------------

TEST(Smm, SmbaseCanBeMoved)  // 34.11
{
    struct Case {
        const char* model;
        u64 field;
        u16 selector;  // the Pentium's does not follow
    };
    for (const Case& c : {Case{"pentium", kSmbase32, 0x3000}, Case{"pentium2", kSmbase32, 0x5000},
                          Case{"x86-64", kSmbase64, 0x5000}}) {
        Program p(c.model);
        p.start_protected();
        put_handler(p, kNopRsm);
        put_handler(p, kNopRsm, 0x58000);
        enter(p);
        p.set<u32>(c.field, 0x50000);
        p.step();
        EXPECT_EQ(p.cpu.state.smbase, 0x50000u) << c.model;
        enter(p);
        EXPECT_EQ(p.cpu.linear_ip(), 0x58001u) << c.model;
        EXPECT_EQ(p.cpu.state.seg[CS].selector, c.selector) << c.model;
        EXPECT_EQ(p.get<u32>(c.field + 0x20000), 0x50000u) << c.model;
        p.step();
        EXPECT_EQ(p.ip(), Program::kCode) << c.model;
    }
}

TEST(Smm, OnlyThePentiumWantsSmbaseAligned)
{
    for (const char* model : {"pentium", "pentium2"}) {
        Program p(model);
        p.start_protected();
        put_handler(p, kNopRsm);
        put_handler(p, kTrasher, 0x50102 + 0x8000);
        enter(p);
        p.set<u32>(kSmbase32, 0x50102);  // the map's fields lie across pages
        p.step();
        EXPECT_EQ(p.cpu.state.shutdown, model == std::string("pentium"));
        if (p.cpu.state.shutdown) continue;
        const Snapshot before(p.cpu);
        p.cpu.raise_smi();
        p.step(kTrasherInstructions);
        EXPECT_EQ(before.difference(Snapshot(p.cpu)), "");
    }
}

TEST(Smm, ResetEndsIt)
{
    Program p("pentium2");
    p.start_protected();
    put_handler(p, kNopRsm);
    enter(p);
    p.cpu.state.smbase = 0x50000;
    p.cpu.reset();
    EXPECT_FALSE(p.cpu.state.smm);
    EXPECT_FALSE(p.bus.smiact);
    EXPECT_EQ(p.cpu.state.smbase, kSmbase);
}

}  // namespace reprise
