/// Task switches. Expected values: Intel SDM vol. 3A, chapter 7.
#include <gtest/gtest.h>

#include "tests/cpu/protected_machine.h"

namespace reprise {
namespace {

/// Task B starts at `ip` with flat segments of level 0.
void prepare_task_b(Protected& pc, u32 ip, u32 flags = 2)
{
    pc.set(kTssB + 0x20, 4, ip);
    pc.set(kTssB + 0x24, 4, flags);
    for (u32 r = 0; r < 8; ++r) pc.set(kTssB + 0x28 + 4 * r, 4, 0xB0000000 + r);
    pc.set(kTssB + 0x38, 4, kStack3);
    for (u32 s = 0; s < 6; ++s) pc.set(kTssB + 0x48 + 4 * s, 2, kData0);
    pc.set(kTssB + 0x4C, 2, kCode0);
    pc.set(kTssB + 0x60, 2, kLdtSelector);
}

TEST(Tasks, JumpSavesTheOldTaskAndLoadsTheNew)
{
    Protected pc;
    prepare_task_b(pc, kUserCode);
    pc.start();
    pc.code(kCode, {0xB8, 0x78, 0x56, 0x34, 0x12, 0xEA, 0, 0, 0, 0, kTssBs, 0});
    pc.code(kUserCode, {0xF4});
    pc.run();
    const CpuState& s = pc.cpu.state;
    EXPECT_TRUE(s.halted);
    EXPECT_EQ(s.rip, kUserCode + 1u);
    EXPECT_EQ(pc.reg(RBX), 0xB0000003u);
    EXPECT_EQ(s.tr.selector, kTssBs);
    EXPECT_EQ(s.ldtr.selector, kLdtSelector);
    EXPECT_EQ(s.ldtr.base, kLdt);
    EXPECT_TRUE(s.cr0 & kCr0Ts);
    EXPECT_FALSE(s.rflags & NT);
    EXPECT_EQ(pc.byte(kGdt + kTssA + 5), 0x89) << "no longer busy";
    EXPECT_EQ(pc.byte(kGdt + kTssBs + 5), 0x8B);
    EXPECT_EQ(pc.get(kTss + 0x20, 4), kCode + 12u);
    EXPECT_EQ(pc.get(kTss + 0x28, 4), 0x12345678u);
    EXPECT_EQ(pc.get(kTss + 0x38, 4), kStack0);
    EXPECT_EQ(pc.get(kTss + 0x4C, 2), kCode0);
    EXPECT_EQ(pc.get(kTssB, 2), 0u) << "a jump leaves no link";
}

TEST(Tasks, CallNestsAndIretReturns)
{
    for (const u16 selector : {kTssBs, kTaskGateSelector}) {
        Protected pc;
        prepare_task_b(pc, kUserCode);
        pc.start();
        pc.code(kCode, {0xB8, 0x78, 0x56, 0x34, 0x12, 0x9A, 0, 0, 0, 0, selector, 0, 0xF4});
        pc.code(kUserCode, {0xCF, 0xEB, 0xFD});  // IRET; JMP back to it
        pc.run(2);
        EXPECT_EQ(pc.cpu.state.rip, kUserCode);
        EXPECT_TRUE(pc.cpu.state.rflags & NT);
        EXPECT_EQ(pc.get(kTssB, 2), kTssA);
        EXPECT_EQ(pc.byte(kGdt + kTssA + 5), 0x8B) << "a nested task's caller stays busy";
        pc.run();
        EXPECT_TRUE(pc.cpu.state.halted);
        EXPECT_EQ(pc.cpu.state.rip, kCode + 13u);
        EXPECT_EQ(pc.reg(RAX), 0x12345678u);
        EXPECT_EQ(pc.cpu.state.tr.selector, kTssA);
        EXPECT_EQ(pc.byte(kGdt + kTssBs + 5), 0x89);
        EXPECT_EQ(pc.get(kTssB + 0x20, 4), kUserCode + 1u);
        EXPECT_FALSE(pc.get(kTssB + 0x24, 4) & NT);
    }
}

TEST(Tasks, ExceptionThroughATaskGatePushesItsErrorCode)
{
    Protected pc;
    prepare_task_b(pc, kUserCode);
    pc.gate(kIdt + kGeneralProtection * 8, kTssBs, 0, 0x85);
    pc.start();
    pc.code(kCode, {0x66, 0xB8, kTssA, 0, 0x8E, 0xD8});
    pc.code(kUserCode, {0xF4});
    pc.run();
    EXPECT_EQ(pc.cpu.state.rip, kUserCode + 1u);
    EXPECT_EQ(pc.reg(RSP), kStack3 - 4);
    EXPECT_EQ(pc.stack(0), kTssA);
    EXPECT_EQ(pc.get(kTss + 0x20, 4), kCode + 4u);
    EXPECT_TRUE(pc.get(kTss + 0x24, 4) & RF);
}

TEST(Tasks, BadSegmentInTheNewTaskFaultsInIt)
{
    Protected pc;
    prepare_task_b(pc, kUserCode);
    pc.set(kTssB + 0x54, 2, kExecuteOnly);  // DS
    pc.start();
    pc.code(kCode, {0xEA, 0, 0, 0, 0, kTssBs, 0});
    pc.run();
    EXPECT_TRUE(pc.faulted(kInvalidTss, kExecuteOnly));
    EXPECT_EQ(pc.stack(4), kUserCode);
    EXPECT_EQ(pc.cpu.state.tr.selector, kTssBs);
    EXPECT_EQ(pc.get(kTss + 0x20, 4), kCode + 7u);
}

TEST(Tasks, TooSmallTssFaultsInTheOldTask)
{
    Protected pc;
    pc.descriptor(kTssBs, kTssB, 0x66, 0x89, 0);
    pc.start();
    pc.code(kCode, {0xEA, 0, 0, 0, 0, kTssBs, 0});
    pc.run();
    EXPECT_TRUE(pc.faulted(kInvalidTss, kTssBs));
    EXPECT_EQ(pc.cpu.state.tr.selector, kTssA);
    EXPECT_EQ(pc.byte(kGdt + kTssBs + 5), 0x89);
}

TEST(Tasks, NestedReturnNeedsABusyTask)
{
    Protected pc;
    pc.set(kTss, 2, kTssBs);  // available
    pc.start();
    pc.cpu.state.rflags |= NT;
    pc.cpu.state_loaded();
    pc.code(kCode, {0xCF});
    pc.run();
    EXPECT_TRUE(pc.faulted(kInvalidTss, kTssBs));
    EXPECT_EQ(pc.stack(4), kCode);
    EXPECT_TRUE(pc.stack(12) & NT);
}

TEST(Tasks, TrapBitRaisesADebugExceptionBeforeTheFirstInstruction)
{
    Protected pc;
    prepare_task_b(pc, kUserCode);
    pc.set(kTssB + 0x64, 2, 1);
    pc.start();
    pc.code(kCode, {0xEA, 0, 0, 0, 0, kTssBs, 0});
    pc.code(kUserCode, {0x0F, 0x0B});
    pc.run();
    EXPECT_EQ(pc.vector(), kDebug);
    EXPECT_EQ(pc.stack(0), kUserCode);
    EXPECT_TRUE(pc.cpu.state.dr[6] & 1 << 15);
}

TEST(Tasks, NewTaskMayBeAVirtual8086Task)
{
    Protected pc;
    prepare_task_b(pc, 0x10, 2 | VM);
    for (u32 s = 0; s < 6; ++s) pc.set(kTssB + 0x48 + 4 * s, 2, 0x4000 + s);
    pc.set(kTssB + 4, 4, kStack0);
    pc.set(kTssB + 8, 2, kData0);
    pc.start();
    pc.code(kCode, {0xEA, 0, 0, 0, 0, kTssBs, 0});
    pc.code(0x40010 + 0x10, {0xF4});  // HLT: #GP(0) in V86 mode
    pc.run();
    EXPECT_TRUE(pc.faulted(kGeneralProtection, 0));
    EXPECT_EQ(pc.stack(8), 0x4001u);
    EXPECT_TRUE(pc.stack(12) & VM);
    EXPECT_EQ(pc.stack(24), 0x4000u);
}

TEST(Tasks, A286SwitchesBetweenItsOwnTasks)
{
    Protected pc{"80286"};
    pc.descriptor(kCode0, 0, 0xFFFF, kCodeRx, 0);
    pc.descriptor(kData0, 0, 0xFFFF, kDataRw, 0);
    pc.descriptor(kTss16A, kTss, 0x2B, 0x81, 0);
    pc.descriptor(kTss16B, kTssB, 0x2B, 0x81, 0);
    pc.start(0, 0x4000);
    ASSERT_TRUE(pc.cpu.load_tr(kTss16A));
    pc.cpu.state.gpr[RSP] = 0xF000;
    pc.set(kTssB + 0x0E, 2, 0x5000);
    pc.set(kTssB + 0x10, 2, 2);
    pc.set(kTssB + 0x18, 2, 0xBEEF);  // BX
    pc.set(kTssB + 0x1A, 2, 0xE000);
    for (u32 s = 0; s < 4; ++s) pc.set(kTssB + 0x22 + 2 * s, 2, s == CS ? kCode0 : kData0);
    pc.code(0x4000, {0x9A, 0, 0, kTss16B, 0, 0xF4});
    pc.code(0x5000, {0xCF});
    pc.run(1);
    EXPECT_EQ(pc.cpu.state.rip, 0x5000u);
    EXPECT_EQ(pc.reg(RBX), 0xBEEFu);
    EXPECT_TRUE(pc.cpu.state.rflags & NT);
    EXPECT_EQ(pc.get(kTss + 0x0E, 2), 0x4005u);
    pc.run();
    EXPECT_TRUE(pc.cpu.state.halted);
    EXPECT_EQ(pc.cpu.state.rip, 0x4006u);
    EXPECT_EQ(pc.reg(RSP), 0xF000u);
}

}  // namespace
}  // namespace reprise
