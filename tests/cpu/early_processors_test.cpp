/// What only the 8086 and the 80286 do. Expected values are captures from the chips
/// (SingleStepTests 8086 and 80286; all of them run in conformance_test.cpp) unless a comment names
/// a manual.
#include <gtest/gtest.h>

#include "cpu/bare_cpu.h"
#include "cpu/early_alu.h"

using namespace reprise;

namespace {

using Bytes = std::vector<u8>;

u32 arithmetic(const LazyFlags& flags) { return flags.get(); }

/// Real-mode code at 0000:1000.
struct Early : BareCpu {
    Early(const char* model, const Bytes& code) : BareCpu(*find_cpu_model(model), u64{1} << 20)
    {
        EXPECT_TRUE(load(0x1000, code));
        EXPECT_TRUE(start(CodeSize::Bits16, 0x1000));
        deliver_exceptions(true);
        cpu.state.gpr[RSP] = 0x8000;
    }
    u16 ax() const { return cpu.reg<u16>(RAX); }
    u16 word(u32 at) const { return static_cast<u16>(bus.ram[at] | bus.ram[at + 1] << 8); }
    void set_flags(u32 flags)
    {
        cpu.state.rflags = flags | kReservedSetFlags;
        cpu.state.gpr[RSP] = 0x8000;
    }
};

}  // namespace

TEST(An80286, MultiplicationSetsFlagsOfTheUpperHalfAndAf)
{
    LazyFlags flags;
    EXPECT_EQ(multiply_80286<u8>(flags, 0xE9, 0x15, false).high, 0x13);
    EXPECT_EQ(arithmetic(flags), u32{CF | AF | OF});
    multiply_80286<u8>(flags, 0xFF, 0xE2, true);  // -1 * -30
    EXPECT_EQ(arithmetic(flags), u32{PF | AF | ZF});
    multiply_80286<u16>(flags, 0x4F17, 0x8200, true);
    EXPECT_EQ(arithmetic(flags), u32{CF | PF | AF | SF | OF});
}

TEST(An80286, DivisionLeavesTheFlagsOfItsLastStep)
{
    LazyFlags flags;
    EXPECT_TRUE(divide_unsigned_80286<u8>(flags, 0x24, 0x4B, 0xFF).fits);
    EXPECT_EQ(arithmetic(flags), u32{CF | PF | AF | OF});
    EXPECT_TRUE(divide_unsigned_80286<u8>(flags, 0x79, 0x9B, 0x96).fits);
    EXPECT_EQ(arithmetic(flags), u32{AF});
    EXPECT_FALSE(divide_unsigned_80286<u8>(flags, 0xB7, 0x9D, 0).fits);
    EXPECT_EQ(arithmetic(flags), u32{SF});
    EXPECT_FALSE(divide_unsigned_80286<u16>(flags, 0x652F, 0x0000, 0x4FBA).fits);
    EXPECT_EQ(arithmetic(flags), u32{CF | PF | SF});
    const auto q = divide_signed_80286<u8>(flags, 0xFE, 0x9B, 0xDC);  // -357 / -36
    EXPECT_EQ(q.quotient, 9);
    EXPECT_EQ(q.remainder, 0xDF);
    EXPECT_EQ(arithmetic(flags), u32{AF | SF});
    EXPECT_FALSE(divide_signed_80286<u16>(flags, 0xA22C, 0x0000, 0x0202).fits);
    EXPECT_EQ(arithmetic(flags), u32{CF | PF | AF | ZF | OF});
}

TEST(An80286, DivideErrorPointsAtTheInstruction)
{
    Early early("80286", {0xF6, 0xF3});  // div bl
    early.cpu.state.gpr[RBX] = 0;
    early.run(1);
    EXPECT_EQ(early.word(0x7FFA), 0x1000);
}

TEST(An80286, RightShiftsSetAf)
{
    LazyFlags flags;
    EXPECT_EQ((early_shift<ShiftOp::Shr, Level::I80286, u8>(flags, 0x5C, 1)), 0x2E);
    EXPECT_EQ(arithmetic(flags), u32{PF | AF});
    EXPECT_EQ((early_shift<ShiftOp::Sar, Level::I80286, u16>(flags, 0xF976, 1)), 0xFCBB);
    EXPECT_EQ(arithmetic(flags), u32{PF | AF | SF});
}

TEST(An80286, AStoreBeyondTheLimitIsNoticedOneIterationLate)
{
    Early early("80286", {0xF3, 0xAB});  // rep stosw
    early.cpu.state.gpr[RDI] = 0xFFFF;
    early.cpu.state.gpr[RCX] = 0x13;
    early.run(1);
    EXPECT_EQ(early.cpu.reg<u16>(RCX), 0x11);
    EXPECT_EQ(early.cpu.reg<u16>(RDI), 1);
    EXPECT_EQ(early.word(0x7FFA), 0x1000);
}

TEST(An8086, MultiplicationLeavesTheFlagsOfItsLastAddition)
{
    LazyFlags flags;
    multiply_8086<u8>(flags, 0xFF, 0xFF, false, false);
    EXPECT_EQ(arithmetic(flags), u32{CF | SF | OF});  // FE: seven ones
    // IMUL adds the sign of the lower half to the upper one: FF + 1.
    multiply_8086<u8>(flags, 0xFF, 0x01, true, false);
    EXPECT_EQ(arithmetic(flags), u32{PF | AF | ZF});
}

TEST(An8086, DivideErrorPointsBehindTheInstruction)
{
    Early early("8086", {0xF6, 0xF3});  // div bl
    early.cpu.state.gpr[RBX] = 0;
    early.run(1);
    EXPECT_EQ(early.word(0x7FFA), 0x1002);
    EXPECT_EQ(early.word(0x7FFE) & 0xF000, 0xF000);
}

TEST(An8086, RepNegatesTheQuotientOfIdiv)
{
    Early early("8086", {0xF3, 0xF6, 0xFB});  // rep idiv bl
    early.cpu.state.gpr[RAX] = 100;
    early.cpu.state.gpr[RBX] = 7;
    early.run(1);
    EXPECT_EQ(early.ax(), 0x02F2);  // -14, remainder 2
}

TEST(An8086, HasNoMostNegativeQuotient)
{
    Early early("8086", {0xF6, 0xFB});  // idiv bl: -128 / 1
    early.cpu.state.gpr[RAX] = 0xFF80;
    early.cpu.state.gpr[RBX] = 1;
    early.run(1);
    EXPECT_EQ(early.word(0x7FFA), 0x1002);
}

TEST(An8086, DecimalAdjustmentLooksAtAfFirst)
{
    Early early("8086", {0x27});  // daa
    early.cpu.state.gpr[RAX] = 0xCE9F;
    early.set_flags(AF);
    early.cpu.state_loaded();
    early.run(1);
    EXPECT_EQ(early.ax(), 0xCEA5);
    EXPECT_EQ(early.cpu.state.rflags & kArithmeticFlags, u32{PF | AF | SF});
}

TEST(An8086, ShiftsAsOftenAsClSays)
{
    Early early("8086", {0xD3, 0xE8});  // shr ax, cl
    early.cpu.state.gpr[RAX] = 0xFFFF;
    early.cpu.state.gpr[RCX] = 0x21;  // one, were it taken modulo 32
    early.run(1);
    EXPECT_EQ(early.ax(), 0);
}

TEST(An8086, SetmoSetsAllBits)
{
    Early early("8086", {0xD0, 0xF0, 0xD3, 0xF3});  // setmo al; setmoc bx, cl with cl = 0
    early.run(2);
    EXPECT_EQ(early.ax(), 0x00FF);
    EXPECT_EQ(early.cpu.reg<u16>(RBX), 0);
    EXPECT_EQ(early.cpu.state.rflags & kArithmeticFlags, u32{PF | SF});
}

TEST(An8086, HasAliasesOfJumpsAndReturns)
{
    Early jumps("8086", {0x64, 0x10});  // as 74: jz
    jumps.set_flags(ZF);
    jumps.cpu.state_loaded();
    jumps.run(1);
    EXPECT_EQ(jumps.cpu.state.rip, 0x1012u);

    Early returns("8086", {0xC0, 0x04, 0x00});  // as C2: ret 4
    returns.bus.ram[0x8001] = 0x12;
    returns.run(1);
    EXPECT_EQ(returns.cpu.state.rip, 0x1200u);
    EXPECT_EQ(returns.cpu.sp(), 0x8006u);
}

TEST(An8086, PushesSpAsItIsAfterwards)
{
    // iAPX 286 Programmer's Reference, C.1
    Early early("8086", {0x54, 0xFF, 0xF4, 0xFF, 0xFC});  // push sp; FF /6; FF /7
    early.run(3);
    EXPECT_EQ(early.word(0x7FFE), 0x7FFE);
    EXPECT_EQ(early.word(0x7FFC), 0x7FFC);
    EXPECT_EQ(early.word(0x7FFA), 0x7FFA);
}

TEST(An8086, LooksAtTwoBitsOfASegmentRegistersNumber)
{
    Early early("8086", {0x8C, 0xFA, 0x8E, 0xE0});  // as mov dx, ds; mov es, ax
    early.cpu.state.gpr[RAX] = 0x1234;
    early.cpu.state.seg[DS].selector = 0x0777;
    early.run(2);
    EXPECT_EQ(early.cpu.reg<u16>(RDX), 0x0777);
    EXPECT_EQ(early.cpu.state.seg[ES].selector, 0x1234);
}

TEST(An8086, PopsCs)
{
    Early early("8086", {0x0F});
    early.bus.ram[0x8001] = 0x20;  // CS = 2000
    early.run(1);
    EXPECT_EQ(early.cpu.state.seg[CS].selector, 0x2000);
    EXPECT_EQ(early.cpu.state.rip, 0x1001u);
}

TEST(An8086, F1IsAnotherLock)
{
    Early early("8086", {0xF1, 0x40});  // inc ax
    early.run(1);
    EXPECT_EQ(early.ax(), 1);
    EXPECT_EQ(early.cpu.state.rip, 0x1002u);
}
