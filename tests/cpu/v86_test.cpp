/// Virtual 8086 mode and its extensions. Expected values: Intel SDM vol. 3A, chapter 20.
#include <gtest/gtest.h>

#include "tests/cpu/protected_machine.h"

namespace reprise {
namespace {

TEST(V86, InterruptSavesAllSegmentsAndIretReturns)
{
    Protected pc;
    pc.gate(kIdt + 0x21 * 8, kCode0, kCode + 0x100, 0xEE);
    pc.handler(kBreakpoint, 0xEE);
    pc.start_v86(3);
    pc.code(0x10000, {0xCD, 0x21, 0x8C, 0xD8, 0xCC});        // INT 21h; MOV AX, DS; INT3
    pc.code(kCode + 0x100, {0x89, 0xE3, 0x8C, 0xDA, 0xCF});  // MOV EBX, ESP; MOV EDX, DS; IRETD
    pc.run();
    EXPECT_EQ(pc.vector(), kBreakpoint);
    EXPECT_EQ(pc.reg(RBX), kStack0 - 36);
    EXPECT_EQ(pc.reg(RDX), 0u) << "data segments are null in the handler";
    EXPECT_EQ(pc.reg(RAX), 0xD000u);
    EXPECT_EQ(pc.cpu.state.cpl, 0);
    EXPECT_FALSE(pc.cpu.v86());
    const u32 frame[] = {5, 0x1000, 2 | VM | IOPL, 0x1000, 0x2000, 0xE000, 0xD000, 0xF000, 0x9000};
    for (u32 i = 0; i < 9; ++i) EXPECT_EQ(pc.stack(4 * i), frame[i]) << i;
}

TEST(V86, IntNIsSensitiveToIoplAndInt3IsNot)
{
    Protected pc;
    pc.start_v86(0);
    pc.code(0x10000, {0xCD, 0x21});
    pc.run();
    EXPECT_TRUE(pc.faulted(kGeneralProtection, 0));
    EXPECT_EQ(pc.stack(4), 0u);

    Protected other;
    other.handler(kBreakpoint, 0xEE);
    other.start_v86(0);
    other.code(0x10000, {0xCC});
    other.run();
    EXPECT_EQ(other.vector(), kBreakpoint);
}

TEST(V86, HandlerMustBeAtLevel0)
{
    Protected pc;
    pc.descriptor(kLast, 0, 0xFFFFF, kCodeRx | 0x20, 0xC);  // DPL 1
    pc.gate(kIdt + 0x21 * 8, kLast | 1, kCode + 0x100, 0xEE);
    pc.start_v86(3);
    pc.code(0x10000, {0xCD, 0x21});
    pc.run();
    EXPECT_TRUE(pc.faulted(kGeneralProtection, kLast));
}

/// A TSS with a redirection bitmap, all of it clear, below an I/O bitmap of one byte.
void add_redirection_bitmap(Protected& pc)
{
    pc.cpu.state.tr.limit = 0x67 + 32 + 2;
    pc.set(kTss + 0x66, 2, 0x68 + 32);
    pc.cpu.state.cr4 |= kCr4Vme;
}

TEST(V86, VmeRedirectsIntToThe8086ProgramWithVirtualIf)
{
    Protected pc;
    add_redirection_bitmap(pc);
    pc.start_v86(0);
    pc.cpu.state.rflags |= IF | VIF;
    pc.cpu.state_loaded();
    pc.set(0x21 * 4, 4, 0x40000010);
    pc.code(0x10000, {0xCD, 0x21, 0xCC});
    pc.code(0x40010, {0xB8, 0x01, 0x00, 0xCF});  // MOV AX, 1; IRET
    pc.run(1);
    EXPECT_TRUE(pc.cpu.v86());
    EXPECT_EQ(pc.cpu.state.rip, 0x10u);
    EXPECT_EQ(pc.stack16(4), 2 | IF | IOPL) << "the program sees VIF as IF";
    EXPECT_EQ(pc.cpu.state.rflags & (IF | VIF | IOPL), static_cast<u32>(IF));
    pc.run(2);
    EXPECT_EQ(pc.cpu.state.rip, 2u);
    EXPECT_EQ(pc.cpu.state.rflags & (IF | VIF | IOPL), static_cast<u32>(IF | VIF));
}

TEST(V86, VmeWithBitSetAndLowIoplFaults)
{
    Protected pc;
    add_redirection_bitmap(pc);
    pc.byte(kTss + 0x68 + 0x21 / 8) = 1 << 0x21 % 8;
    pc.start_v86(0);
    pc.code(0x10000, {0xCD, 0x21});
    pc.run();
    EXPECT_TRUE(pc.faulted(kGeneralProtection, 0));
}

TEST(V86, VmeIretThatEnablesAPendingInterruptFaults)
{
    Protected pc;
    add_redirection_bitmap(pc);
    pc.start_v86(0);
    pc.cpu.state.rflags |= VIP;
    pc.cpu.state.gpr[RSP] = 0x0FFA;
    pc.cpu.state_loaded();
    pc.set(0x20FFA, 4, 0x10000010);
    pc.set(0x20FFE, 2, IF);
    pc.code(0x10000, {0xCF});
    pc.run();
    EXPECT_TRUE(pc.faulted(kGeneralProtection, 0));
    EXPECT_EQ(pc.stack(16), 0x0FFAu);
}

TEST(V86, ReturnWithVirtualInterruptPendingFaultsAtTheTarget)
{
    Protected pc;
    pc.cpu.state.cr4 |= kCr4Vme;
    pc.start();
    const u32 frame[] = {0x20, 0x1000, 2 | VM | VIF | VIP, 0x1000, 0x2000, 0, 0, 0, 0};
    pc.cpu.state.gpr[RSP] = kStack0 - 36;
    for (u32 i = 0; i < 9; ++i) pc.set(kStack0 - 36 + 4 * i, 4, frame[i]);
    pc.code(kCode, {0xCF});
    pc.run();
    EXPECT_TRUE(pc.faulted(kGeneralProtection, 0));
    EXPECT_EQ(pc.stack(4), 0x20u);
    EXPECT_EQ(pc.stack(8), 0x1000u);
    EXPECT_TRUE(pc.stack(12) & VM);
}

}  // namespace
}  // namespace reprise
