/// Interrupts and exceptions through the real-mode table and the gates of the IDT. Expected values:
/// Intel SDM vol. 3A, chapter 6, and vol. 2A, INT n and IRET, "Operation".
#include <gtest/gtest.h>

#include "tests/cpu/protected_machine.h"

namespace reprise {
namespace {

// ---- Real mode ---------------------------------------------------------------------------------

u16 pushed_flags_in_real_mode(const char* model)
{
    Pc pc{model};
    pc.start_real();
    pc.code(0x1000, {0xCD, 0x21});  // INT 21h
    pc.set(0x21 * 4, 4, 0x03000010);
    pc.byte(0x3010) = 0xF4;
    pc.cpu.state.rflags = 2 | IF | CF;
    pc.cpu.state_loaded();
    pc.run();
    EXPECT_TRUE(pc.cpu.state.halted);
    EXPECT_EQ(pc.cpu.state.seg[CS].selector, 0x300);
    EXPECT_EQ(pc.cpu.state.rip, 0x11u);
    EXPECT_EQ(pc.reg(RSP), 0x100u - 6);
    EXPECT_EQ(pc.stack16(0), 2);
    EXPECT_EQ(pc.stack16(2), 0x100);
    EXPECT_EQ(pc.cpu.state.rflags & (IF | TF), 0u);
    return pc.stack16(4);
}

TEST(Interrupts, RealModePushesFlagsCsIpAndClearsIf)
{
    EXPECT_EQ(pushed_flags_in_real_mode("8086"), 0xF203);
    EXPECT_EQ(pushed_flags_in_real_mode("80286"), 0x0203);
    EXPECT_EQ(pushed_flags_in_real_mode("80386"), 0x0203);
    EXPECT_EQ(pushed_flags_in_real_mode("pentium"), 0x0203);
}

TEST(Interrupts, RealModeIretRestoresWhatIntSaved)
{
    Pc pc{"80386"};
    pc.start_real();
    pc.code(0x1000, {0xCD, 0x21, 0xF4});
    pc.set(0x21 * 4, 4, 0x03000010);
    pc.code(0x3010, {0xF8, 0xCF});  // CLC; IRET
    pc.cpu.state.rflags = 2 | IF | CF;
    pc.cpu.state_loaded();
    pc.run();
    EXPECT_EQ(pc.cpu.state.rip, 3u);
    EXPECT_EQ(pc.cpu.state.seg[CS].base, 0x1000u);
    EXPECT_EQ(pc.reg(RSP), 0x100u);
    EXPECT_EQ(pc.cpu.state.rflags, 2u | IF | CF);
}

TEST(Interrupts, RealModeOf286KeepsIoplAndNtClear)
{
    for (const char* model : {"80286", "80386"}) {
        Pc pc{model};
        pc.start_real();
        pc.code(0x1000, {0xCF});
        pc.set(0x2100, 4, 0x01000010);
        pc.set(0x2104, 2, 0xF002);
        pc.byte(0x1010) = 0xF4;
        pc.run();
        EXPECT_EQ(pc.cpu.state.rflags & (IOPL | NT),
                  pc.cpu.at_least(Level::I80386) ? IOPL | NT : 0u);
    }
}

TEST(Interrupts, VectorBehindTheRealModeTableIsAFault)
{
    Pc pc{"pentium"};
    pc.start_real();
    pc.cpu.state.idtr.limit = 0x7F;  // up to vector 1Fh
    pc.code(0x1000, {0xCD, 0x20});
    pc.set(kGeneralProtection * 4, 4, 0x03000000);
    pc.byte(0x3000) = 0xF4;
    pc.run();
    EXPECT_EQ(pc.cpu.state.seg[CS].selector, 0x300);
    EXPECT_EQ(pc.stack16(0), 0) << "the fault returns to INT itself";
}

TEST(Interrupts, StackOf8086WrapsAroundItsSegment)
{
    Pc pc{"8086"};
    pc.start_real();
    pc.cpu.state.gpr[RSP] = 1;
    pc.cpu.state_loaded();
    pc.code(0x1000, {0x9A, 0x10, 0x00, 0x00, 0x03});  // CALL 0300:0010
    pc.byte(0x3010) = 0xF4;
    pc.run();
    EXPECT_EQ(pc.reg(RSP), 0xFFFDu);
    EXPECT_EQ(pc.byte(0x2000 + 0xFFFF), 0x00);  // low byte of CS = 0100h
    EXPECT_EQ(pc.byte(0x2000), 0x01);
}

// ---- Interrupts in protected mode --------------------------------------------------------------

TEST(Interrupts, GateLimitsWhoMayUseIt)
{
    Protected pc;
    pc.start(3, kUserCode);
    pc.code(kUserCode, {0xCD, 0x30});  // its gate has DPL 0
    pc.run();
    EXPECT_TRUE(pc.faulted(kGeneralProtection, 0x30 * 8 + 2));
    EXPECT_EQ(pc.stack(4), kUserCode);
}

TEST(Interrupts, TrapGateKeepsIfAndInterruptGateClearsIt)
{
    for (const u8 access : {u8{0x8E}, u8{0x8F}}) {
        Protected pc;
        pc.handler(0x30, access);
        pc.start();
        pc.cpu.state.rflags |= IF;
        pc.cpu.state_loaded();
        pc.code(kCode, {0xCD, 0x30});
        pc.run();
        EXPECT_EQ(pc.vector(), 0x30);
        EXPECT_EQ((pc.cpu.state.rflags & IF) != 0, access == 0x8F);
        EXPECT_EQ(pc.reg(RSP), kStack0 - 12) << "no change of stack at the same level";
        EXPECT_TRUE(pc.stack(8) & IF);
    }
}

TEST(Interrupts, FaultWhileDeliveringAnExternalEventHasExtSet)
{
    Protected pc;
    pc.handler(kNmi, 0x0E);  // not present
    pc.start();
    pc.code(kCode, {0x90, 0x90});
    pc.cpu.raise_nmi();
    pc.run();
    EXPECT_TRUE(pc.faulted(kSegmentNotPresent, kNmi * 8 + 2 + 1));
}

TEST(Interrupts, VectorBehindTheTableIsAFaultWithIdtBit)
{
    Protected pc;
    pc.start();
    pc.cpu.state.idtr.limit = 0x3FF;
    pc.code(kCode, {0xCD, 0x90});
    pc.run();
    EXPECT_TRUE(pc.faulted(kGeneralProtection, 0x90 * 8 + 2));
}

TEST(Interrupts, UserModeIsInterruptedAndResumed)
{
    Protected pc;
    pc.start(3, kUserCode);
    pc.code(kUserCode,
            {0xF9, 0xCD, 0x80, 0x72, 0x02, 0x0F, 0x0B, 0xCD, 0x80});  // STC; INT; JC; UD2
    pc.code(kHandlers + 0x200, {0xEB, 0x0E});                         // JMP 20210h
    // First time: clear CF and return; second time: stop.
    pc.code(kHandlers + 0x210, {0xF8, 0x45, 0x83, 0xFD, 0x02, 0x74, 0x01, 0xCF, 0xF4});
    pc.run();
    EXPECT_EQ(pc.cpu.state.rip, kHandlers + 0x219u);
    EXPECT_EQ(pc.stack(0), kUserCode + 9);
    EXPECT_EQ(pc.stack(12), kStack3);
    EXPECT_EQ(pc.reg(RSP), kStack0 - 20);
}

TEST(Interrupts, IretAtLevel3ChangesNeitherIoplNorIf)
{
    Protected pc;
    pc.start(3, kUserCode);
    pc.code(kUserCode, {0x68, 0x02, 0x32, 0x24, 0, 0x6A, kCode3, 0x68, 0x10, 0x80, 1, 0, 0xCF});
    pc.code(kUserCode + 0x10, {0xCD, 0x80});
    pc.run();
    EXPECT_EQ(pc.vector(), 0x80);
    EXPECT_EQ(pc.stack(8) & (IF | IOPL | AC | ID), static_cast<u32>(AC | ID));
}

TEST(Interrupts, InnerStackAndTablesNeedNoUserRights)
{
    constexpr u32 kDirectory = 0x100000, kTable = 0x101000;
    Protected pc;
    pc.set(kDirectory, 4, kTable | 7);
    for (u32 page = 0; page < 0x100; ++page) {
        const bool user = page << 12 == kUserCode || page << 12 == kStack3 - 0x1000;
        pc.set(kTable + 4 * page, 4, page << 12 | (user ? 7 : 3));
    }
    pc.cpu.state.cr3 = kDirectory;
    pc.cpu.state.cr0 |= kCr0Pg | kCr0Wp;
    pc.start(3, kUserCode);
    pc.code(kUserCode,
            {0x50, 0xCD, 0x80, 0xA1, 0, 0x10, 0, 0});  // PUSH EAX; INT 80h; MOV EAX, [1000h]
    pc.code(kHandlers + 0x200, {0xCF});
    pc.run();
    EXPECT_TRUE(pc.faulted(kPageFault, 5));
    EXPECT_EQ(pc.cpu.state.cr2, 0x1000u);
    EXPECT_EQ(pc.stack(4), kUserCode + 3);
    EXPECT_EQ(pc.stack(16), kStack3 - 4);
}

TEST(Interrupts, FaultWhileDeliveringAFaultIsADoubleFault)
{
    Protected pc;
    pc.handler(kGeneralProtection, 0x0E);  // not present
    pc.start();
    pc.code(kCode, {0x66, 0xB8, kTssA, 0, 0x8E, 0xD8});
    pc.run();
    EXPECT_TRUE(pc.faulted(kDoubleFault, 0));
    EXPECT_EQ(pc.stack(4), kCode + 4u);

    Protected worse;
    worse.cpu.state.idtr.limit = 0;
    worse.start();
    worse.code(kCode, {0xCC});
    worse.run();
    EXPECT_TRUE(worse.bus.was_shut_down);
}

}  // namespace
}  // namespace reprise
