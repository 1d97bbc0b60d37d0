/// The stack, jumps, calls and loops, each by a few bytes of code: Intel SDM vol. 2, "Operation".
#include <gtest/gtest.h>

#include "tests/cpu/code.h"

namespace reprise {
namespace {

// ---- The stack
// ------------------------------------------------------------------------------------------

TEST(Stack, PushSpIsTheOldValueSinceThe286)
{
    Code p{{0x54}};
    EXPECT_EQ(p.go().stack(0), kStack);
    Real r{{0x54}, "8086"};
    r.step();
    EXPECT_EQ(r.stack<u16>(0), 0xFEFE);
}

TEST(Stack, PopSpIsThePoppedValue)
{
    Code p{{0x68, 0x00, 0x10, 0x00, 0x00, 0x5C}};  // push 1000h; pop esp
    EXPECT_EQ(p.go(2).r(RSP), 0x1000u);
}

TEST(Stack, PopToMemoryComputesItsAddressAfterwards)
{
    Code p{{0x8F, 0x44, 0x24, 0x04}};  // pop dword [esp+4]
    p.with(RSP, kStack - 16);
    p.set<u32>(kStack - 16, 0x1234);
    p.go();
    EXPECT_EQ(p.get<u32>(kStack - 8), 0x1234u);
    EXPECT_EQ(p.r(RSP), kStack - 12);
}

TEST(Stack, PushOfMemoryComputesItsAddressBefore)
{
    Code p{{0xFF, 0x74, 0x24, 0x04}};  // push dword [esp+4]
    p.with(RSP, kStack - 16);
    p.set<u32>(kStack - 12, 0x1234);
    p.go();
    EXPECT_EQ(p.stack(0), 0x1234u);
}

TEST(Stack, Operands16In32BitStacks)
{
    Code p{{0x66, 0x50, 0x66, 0x6A, 0xFF, 0x6A, 0xFE, 0x66,
            0x59}};  // push ax; push word -1; push -2; pop cx
    p.with(RAX, 0x12345678).go(2);
    EXPECT_EQ(p.r(RSP), kStack - 4);
    EXPECT_EQ(p.stack(0), 0x5678FFFFu);
    p.go();
    EXPECT_EQ(p.stack(0), 0xFFFFFFFEu);
    p.go();
    EXPECT_EQ(p.r(RCX), 0xFFFEu);
    EXPECT_EQ(p.r(RSP), kStack - 6);
}

TEST(Stack, SegmentRegistersTakeAFullSlot)
{
    Code p{{0x1E, 0x07, 0x66, 0x0F, 0xA0}};  // push ds; pop es; push fs (16 bits)
    p.go();
    EXPECT_EQ(p.r(RSP), kStack - 4);
    EXPECT_EQ(p.stack(0) & 0xFFFF, Program::kDs);
    p.go(2);
    EXPECT_EQ(p.r(RSP), kStack - 2);
}

TEST(Stack, PushaAndPopa)
{
    Code p{{0x60, 0x61}};
    for (u8 r = 0; r < 8; ++r)
        if (r != RSP) p.with(static_cast<Gpr>(r), 0x10u + r);
    p.go();
    for (u32 r = 0; r < 8; ++r) EXPECT_EQ(p.stack(7 - r), r == RSP ? kStack : 0x10u + r);
    p.set<u32>(kStack - 20, 0x9999);  // ESP's image is thrown away
    for (u32 r = 0; r < 8; ++r)
        if (r != RSP) p.with(static_cast<Gpr>(r), 0);
    p.go();
    for (u8 r = 0; r < 8; ++r) EXPECT_EQ(p.r(static_cast<Gpr>(r)), r == RSP ? kStack : 0x10u + r);
}

TEST(Stack, SixteenBitStacksWrap)
{
    Real p{{0x50, 0x58}};
    p.reg(RSP) = 0xABCD0000;
    p.reg(RAX) = 0x1234;
    p.step();
    EXPECT_EQ(p.reg(RSP), 0xABCDFFFEu);
    EXPECT_EQ(p.get<u16>(kStack + 0xFFFE), 0x1234);
    p.step();
    EXPECT_EQ(p.reg(RSP), 0xABCD0000u);
}

TEST(Stack, EnterAndLeave)
{
    Code p{{0xC8, 0x10, 0x00, 0x00, 0xC9}};  // enter 10h, 0; leave
    p.with(RBP, 0x1234).go();
    EXPECT_EQ(p.r(RBP), kStack - 4);
    EXPECT_EQ(p.r(RSP), kStack - 4 - 0x10);
    EXPECT_EQ(p.get<u32>(kStack - 4), 0x1234u);
    p.go();
    EXPECT_EQ(p.r(RBP), 0x1234u);
    EXPECT_EQ(p.r(RSP), kStack);
}

TEST(Stack, EnterCopiesTheFramesOfOuterLevels)
{
    Code p{{0xC8, 0x08, 0x00, 0x03}};  // enter 8, 3
    p.with(RBP, kD + 0x100).memory(0x222, 0xFC).memory(0x333, 0xF8).go();
    EXPECT_EQ(p.r(RBP), kStack - 4);
    EXPECT_EQ(p.get<u32>(kStack - 4), kD + 0x100);
    EXPECT_EQ(p.get<u32>(kStack - 8), 0x222u);
    EXPECT_EQ(p.get<u32>(kStack - 12), 0x333u);
    EXPECT_EQ(p.get<u32>(kStack - 16), kStack - 4);
    EXPECT_EQ(p.r(RSP), kStack - 16 - 8);
}

TEST(Stack, EnterUsesTheLevelModulo32)
{
    Code p{{0xC8, 0x00, 0x00, 0x21}};  // enter 0, 33: level 1
    p.go();
    EXPECT_EQ(p.r(RSP), kStack - 8);
}

TEST(Stack, EnterChecksTheAlignmentOfTheNewTop)
{
    for (const int bytes : {3, 4}) {
        Code p{{0xC8, bytes, 0x00, 0x00}};  // enter bytes, 0
        p.set_level(3);
        p.cpu.state.cr0 |= kCr0Am;
        p.cpu.state.rflags |= AC;
        p.cpu.state_loaded();
        p.with(RSP, kStack).go();
        // A whole slot there is checked, not a byte (host processors).
        if (bytes == 3) EXPECT_EQ(p.ip(), Program::kHandlers + 16 * kAlignmentCheck);
        else EXPECT_EQ(p.r(RSP), kStack - 8);
    }
}

TEST(Stack, PushfAndPopf)
{
    Code p{{0x9C, 0x68, 0xD7, 0x0A, 0x24, 0x00, 0x9D, 0x9C}};  // pushf; push 240AD7h; popf; pushf
    p.cpu.state.rflags |= RF;
    p.go();
    EXPECT_EQ(p.stack(0), 2u) << "RF and VM are never pushed";
    p.go(3);
    // TF is off, IF on; AC and ID can be changed; bits 3 and 5 stay clear
    EXPECT_EQ(p.stack(0), 0x240AD7u);
}

TEST(Stack, LahfAndSahf)
{
    Code p{{0x9E, 0x9F}};
    p.cpu.state.rflags |= OF;
    p.with(RAX, 0xFF00).go();
    EXPECT_EQ(p.flags() & kArithmeticFlags, kArithmeticFlags);
    p.go();
    EXPECT_EQ(p.r(RAX), 0xD700u);
}

// ---- Flow
// --------------------------------------------------------------------------------------------------

TEST(Flow, LoopCountsInTheAddressSize)
{
    Code p{{0xE2, 0x10}}, q{{0x67, 0xE2, 0x10}}, z{{0xE2, 0x10}};
    EXPECT_EQ(p.with(RCX, 0x10001).go().ip(), kC + 0x12);
    EXPECT_EQ(p.r(RCX), 0x10000u);
    EXPECT_EQ(q.with(RCX, 0x10001).go().ip(), kC + 3);
    EXPECT_EQ(q.r(RCX), 0x10000u);
    EXPECT_EQ(z.with(RCX, 0).go().ip(), kC + 0x12);
    EXPECT_EQ(z.r(RCX), 0xFFFFFFFFu);
}

TEST(Flow, LoopeAndLoopne)
{
    for (const bool zf : {false, true}) {
        Code e{{0xE1, 0x10}}, ne{{0xE0, 0x10}};
        for (Code* p : {&e, &ne}) {
            p->cpu.state.rflags |= zf ? ZF : 0u;
            p->with(RCX, 2).go();
            EXPECT_EQ(p->ip(), zf == (p == &e) ? kC + 0x12 : kC + 2);
            EXPECT_EQ(p->r(RCX), 1u);
        }
    }
}

TEST(Flow, JcxzLooksAtTheAddressSize)
{
    Code p{{0xE3, 0x10}}, q{{0x67, 0xE3, 0x10}};
    EXPECT_EQ(p.with(RCX, 0x10000).go().ip(), kC + 2);
    EXPECT_EQ(q.with(RCX, 0x10000).go().ip(), kC + 3 + 0x10);
}

TEST(Flow, CallsAndReturns)
{
    Code p{{0xE8, 0x0B, 0x00, 0x00, 0x00}};  // call +11
    p.code(kC + 0x10, {0xC2, 0x08, 0x00});   // ret 8
    p.go();
    EXPECT_EQ(p.ip(), kC + 0x10);
    EXPECT_EQ(p.stack(0), kC + 5);
    p.go();
    EXPECT_EQ(p.ip(), kC + 5);
    EXPECT_EQ(p.r(RSP), kStack + 8);
}

TEST(Flow, ReturnsReleaseUpTo64K)
{
    Code p{{0xC2, 0x00, 0x80}};  // ret 8000h: not a negative number
    p.set<u32>(kStack, kC);
    EXPECT_EQ(p.go().r(RSP), kStack + 4 + 0x8000);
}

TEST(Flow, IndirectThroughMemoryAndStack)
{
    Code p{{0xFF, 0x23}};  // jmp [ebx]
    EXPECT_EQ(p.memory(kC + 0x55).go().ip(), kC + 0x55);
    Code q{{0xFF, 0x14, 0x24}};  // call [esp]: the target is read before the push
    q.with(RSP, kStack - 8);
    q.set<u32>(kStack - 8, kC + 0x66);
    EXPECT_EQ(q.go().ip(), kC + 0x66);
    EXPECT_EQ(q.stack(0), kC + 3);
}

TEST(Flow, OperandSize16CutsTheTarget)
{
    Code p{{0x66, 0xEB, 0x10}};  // in 32-bit code at 10000h
    EXPECT_EQ(p.go().ip(), (kC + 3 + 0x10) & 0xFFFF);
}

TEST(Flow, FarCallsInRealMode)
{
    Real p{{0x9A, 0x34, 0x12, 0x00, 0x30}};  // call 3000:1234
    p.code(0x31234, {0xCA, 0x02, 0x00});     // retf 2
    p.step();
    EXPECT_EQ(p.cpu.state.seg[CS].base, 0x30000u);
    EXPECT_EQ(p.ip(), 0x1234u);
    EXPECT_EQ(p.stack<u16>(0), 5);
    EXPECT_EQ(p.stack<u16>(1), 0x1000);
    p.step();
    EXPECT_EQ(p.ip(), 5u);
    EXPECT_EQ(p.reg(RSP), 0xFF02u);
    Real j{{0xFF, 0x2F}};  // jmp far [bx]
    j.set<u32>(kD, 0x20000100);
    j.step();
    EXPECT_EQ(j.cpu.state.seg[CS].base + j.ip(), 0x20100u);
}

TEST(Flow, IntoAndInt)
{
    Code p{{0xCE, 0x90}};
    EXPECT_EQ(p.go().ip(), kC + 1);
    Code q{{0xCE}};
    q.cpu.state.rflags |= OF;
    EXPECT_EQ(q.run_to_vector(), 4);
    EXPECT_EQ(q.stack(0), kC + 1);
    Code i{{0xCD, 0x80}};
    EXPECT_EQ(i.run_to_vector(), 0x80);
    EXPECT_EQ(i.stack(0), kC + 2);
}

TEST(Flow, Bound)
{
    for (const auto& [index, vector] :
         {std::pair{5u, -1}, {10u, -1}, {11u, 5}, {4u, 5}, {0x80000000u, 5}}) {
        Code p{{0x62, 0x03, 0xF4}};  // bound eax, [ebx]; hlt
        p.with(RAX, index).memory(5).memory(10, 4);
        EXPECT_EQ(p.run_to_vector(), vector);
        if (vector == 5) {
            EXPECT_EQ(p.stack(0), kC) << "a fault";
        }
    }
}

}  // namespace
}  // namespace reprise
