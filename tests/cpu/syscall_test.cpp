/// SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS, RDTSCP, bases of FS and GS: SDM vol. 2B.
#include <gtest/gtest.h>

#include "tests/cpu/long_program.h"

namespace reprise {
namespace {

constexpr u64 kEntry = LongProgram::kHigh + Program::kCode + 0x100;

/// STAR as Linux sets it up: kernel code 8, user 32-bit code 18h.
LongProgram with_star(const Program::Bytes& code, u8 cpl)
{
    LongProgram p{code, cpl};
    p.cpu.state.msr.star = u64{0x1B} << 48 | u64{LongProgram::kCs64} << 32;
    p.cpu.state.msr.lstar = kEntry;
    p.cpu.state.msr.sfmask = IF | TF | DF;
    return p;
}

TEST(Syscall, SavesRipAndRflagsInRegisters)
{
    LongProgram p = with_star({0x0F, 0x05}, 3);
    p.cpu.state.rflags |= IF | DF | CF;
    const u64 flags = p.flags();
    p.step();
    const CpuState& s = p.cpu.state;
    EXPECT_EQ(s.rip, kEntry);
    EXPECT_EQ(s.gpr[RCX], Program::kCode + 2u);
    EXPECT_EQ(s.gpr[11], flags);
    EXPECT_EQ(p.flags(), flags & ~u64{IF | DF});
    EXPECT_EQ(s.cpl, 0);
    EXPECT_EQ(s.seg[CS].selector, 0x08);
    EXPECT_EQ(s.seg[SS].selector, 0x10);
    EXPECT_EQ(s.gpr[RSP], u64{Program::kUserStack}) << "RSP is the kernel's business";
}

TEST(Syscall, NeedsSceAnd64BitMode)
{
    LongProgram p = with_star({0x0F, 0x05}, 3);
    p.cpu.state.msr.efer &= ~u64{kEferSce};
    EXPECT_EQ(p.run_to_vector(), 6);
    LongProgram q = with_star({0x0F, 0x05}, 3);
    q.cpu.state.seg[CS].access = 0xCFB;  // compatibility mode
    q.cpu.state_loaded();
    EXPECT_EQ(q.run_to_vector(), 6);
}

TEST(Syscall, AMaskedTrapFlagDoesNotTrap)
{
    LongProgram p = with_star({0x0F, 0x05}, 3);
    p.code(Program::kCode + 0x100, {0xF4});
    p.cpu.state.rflags |= TF;
    p.cpu.state_loaded();
    p.run();
    EXPECT_EQ(p.cpu.state.rip, kEntry + 1);
    EXPECT_TRUE(p.cpu.state.gpr[11] & TF);
}

TEST(Sysret, Returns64Or32BitCode)
{
    for (const bool wide : {true, false}) {
        LongProgram p =
            with_star(wide ? Program::Bytes{0x48, 0x0F, 0x07} : Program::Bytes{0x0F, 0x07}, 0);
        p.reg(RCX) = 0x7FFF00001000;
        p.cpu.state.gpr[11] = 0xFFFFFFFF;
        p.step();
        const CpuState& s = p.cpu.state;
        EXPECT_EQ(s.rip, wide ? 0x7FFF00001000u : 0x1000u);
        EXPECT_EQ(s.seg[CS].selector, wide ? LongProgram::kUserCs64 : LongProgram::kUserCs32);
        EXPECT_EQ(s.seg[SS].selector, LongProgram::kUserDs64);
        EXPECT_EQ(s.cpl, 3);
        EXPECT_EQ(p.cpu.mode64(), wide);
        EXPECT_EQ(p.flags(), 0x3C7FD7u) << "all but RF, VM and reserved bits";
    }
}

TEST(Sysret, FaultsBeforeItLeavesLevel0)
{
    LongProgram p = with_star({0x48, 0x0F, 0x07}, 0);
    p.reg(RCX) = u64{1} << 47;
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.pushed(2), LongProgram::kCs64);
    EXPECT_EQ(with_star({0x48, 0x0F, 0x07}, 3).run_to_vector(), 13);
}

TEST(Sysenter, Takes64BitsInIa32eMode)
{
    LongProgram p{{0x0F, 0x34}, 3};
    p.cpu.state.msr.sysenter_cs = LongProgram::kCs64;
    p.cpu.state.msr.sysenter_esp = LongProgram::kHigh + 0x9000;
    p.cpu.state.msr.sysenter_eip = kEntry;
    p.cpu.state.rflags |= IF;
    p.step();
    EXPECT_EQ(p.cpu.state.rip, kEntry);
    EXPECT_EQ(p.reg(RSP), LongProgram::kHigh + 0x9000);
    EXPECT_EQ(p.cpu.state.cpl, 0);
    EXPECT_FALSE(p.flags() & IF);
    EXPECT_TRUE(p.cpu.mode64());
}

TEST(Sysenter, WithoutACodeSegmentIsGp)
{
    EXPECT_EQ(LongProgram({0x0F, 0x34}, 3).run_to_vector(), 13);
}

TEST(Sysenter, AndSysexitIn32Bits)
{
    Program p("pentium2");
    p.start_user();
    p.code({0x0F, 0x34});
    p.code(Program::kCode + 0x100, {0x0F, 0x35});
    p.cpu.state.msr.sysenter_cs = Program::kCs;
    p.cpu.state.msr.sysenter_esp = Program::kStack;
    p.cpu.state.msr.sysenter_eip = Program::kCode + 0x100;
    p.reg(RCX) = Program::kUserStack;
    p.reg(RDX) = Program::kCode + 0x200;
    p.step();
    EXPECT_EQ(p.cpu.state.cpl, 0);
    EXPECT_EQ(p.cpu.state.seg[CS].selector, Program::kCs);
    EXPECT_EQ(p.cpu.state.seg[SS].selector, Program::kCs + 8);
    EXPECT_EQ(p.reg(RSP), u64{Program::kStack});
    p.step();
    EXPECT_EQ(p.cpu.state.cpl, 3);
    EXPECT_EQ(p.cpu.state.seg[CS].selector, Program::kCs + 16 + 3);
    EXPECT_EQ(p.reg(RSP), u64{Program::kUserStack});
    EXPECT_EQ(p.ip(), Program::kCode + 0x200u);
}

TEST(Sysexit, ReturnsTo64BitCode)
{
    LongProgram p{{0x48, 0x0F, 0x35}};
    p.cpu.state.msr.sysenter_cs = LongProgram::kCs64;
    p.reg(RCX) = 0x7000;
    p.reg(RDX) = 0x7FFF00000000;
    p.step();
    EXPECT_EQ(p.cpu.state.seg[CS].selector, LongProgram::kCs64 + 32 + 3);
    EXPECT_EQ(p.cpu.state.seg[SS].selector, LongProgram::kCs64 + 40 + 3);
    EXPECT_EQ(p.cpu.state.rip, 0x7FFF00000000u);
    EXPECT_TRUE(p.cpu.mode64());
}

TEST(Swapgs, ExchangesBases)
{
    LongProgram p{{0x0F, 0x01, 0xF8, 0x65, 0x8B, 0x03}};  // swapgs; mov eax, gs:[rbx]
    p.cpu.state.seg[GS].base = 0x1111;
    p.cpu.state.msr.kernel_gs_base = LongProgram::kHigh + Program::kData;
    p.cpu.state_loaded();
    p.set<u32>(Program::kData + 8, 7);
    p.reg(RBX) = 8;
    p.step(2);
    EXPECT_EQ(p.reg(RAX), 7u);
    EXPECT_EQ(p.cpu.state.msr.kernel_gs_base, 0x1111u);
    EXPECT_EQ(LongProgram({0x0F, 0x01, 0xF8}, 3).run_to_vector(), 13);
}

TEST(Rdtscp, ReadsTscAndAux)
{
    LongProgram p{{0x0F, 0x01, 0xF9}};
    p.cpu.state.msr.tsc_aux = 0xABCD;
    p.step();
    EXPECT_EQ(p.reg(RCX), 0xABCDu);
    EXPECT_EQ(LongProgram({0x0F, 0x01, 0xF9}, 0, "x86-64").run_to_vector(), 6);
}

TEST(FsGsBase, NeedsCr4)
{
    static constexpr CpuModel kModel{
        "test", Level::X64, true, 0x0106A5, models::kX64V2 | FeatureSet{Feature::FsGsBase}, ""};
    const Program::Bytes code = {0xF3, 0x48, 0x0F, 0xAE, 0xD0,
                                 0xF3, 0x0F, 0xAE, 0xC1};  // wrfsbase rax; rdfsbase ecx
    LongProgram p{kModel, code, 3};
    p.cpu.state.cr4 |= kCr4Fsgsbase;
    p.reg(RAX) = 0x7F0012345678;
    p.step(2);
    EXPECT_EQ(p.cpu.state.seg[FS].base, 0x7F0012345678u);
    EXPECT_EQ(p.reg(RCX), 0x12345678u);
    EXPECT_EQ(LongProgram(kModel, code, 3).run_to_vector(), 6);
    p.reg(RAX) = u64{1} << 47;
    p.cpu.state.rip = Program::kCode;
    EXPECT_EQ(p.run_to_vector(), 13);
}

}  // namespace
}  // namespace reprise
