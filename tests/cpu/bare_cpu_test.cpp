/// The processor as a library.
#include "cpu/bare_cpu.h"

#include <gtest/gtest.h>

using namespace reprise;

namespace {

using Bytes = std::vector<u8>;
using Reason = BareCpu::Reason;

struct Bare : BareCpu {
    explicit Bare(const Bytes& code, CodeSize mode = CodeSize::Bits32,
                  const char* model = "pentium", u64 at = 0x1000)
        : BareCpu(*find_cpu_model(model))
    {
        EXPECT_TRUE(load(at, code));
        EXPECT_TRUE(start(mode, at));
    }
};

}  // namespace

TEST(BareCpu, RunsToHlt)
{
    Bare bare({0xB8, 0x78, 0x56, 0x34, 0x12, 0xF4});  // mov eax, 12345678h; hlt
    EXPECT_EQ(bare.run(100).reason, Reason::Halted);
    EXPECT_EQ(bare.cpu.reg<u32>(RAX), 0x12345678u);
    EXPECT_EQ(bare.cpu.state.rip, 0x1006u);
}

TEST(BareCpu, AnExceptionEndsTheRunBeforeItsInstruction)
{
    Bare bare({0x43, 0x31, 0xC9, 0xF7, 0xF1});  // inc ebx; xor ecx, ecx; div ecx
    const u32 sp = bare.cpu.reg<u32>(RSP);
    const auto stop = bare.run(100);
    EXPECT_EQ(stop.reason, Reason::Exception);
    EXPECT_EQ(stop.fault.vector, kDivideError);
    EXPECT_EQ(bare.cpu.state.rip, 0x1003u);
    EXPECT_EQ(bare.cpu.reg<u32>(RSP), sp);
    EXPECT_EQ(bare.cpu.reg<u32>(RBX), 1u);
}

TEST(BareCpu, AFaultHasItsErrorCode)
{
    Bare bare(
        {0xB8, 0x50, 0, 0, 0, 0x8E, 0xD8});  // mov eax, 50h; mov ds, eax: beyond the empty GDT
    const auto stop = bare.run(100);
    EXPECT_EQ(stop.reason, Reason::Exception);
    EXPECT_EQ(stop.fault.vector, kGeneralProtection);
    EXPECT_TRUE(stop.fault.has_error_code);
    EXPECT_EQ(stop.fault.error_code, 0x50);
}

TEST(BareCpu, ASoftwareInterruptEndsTheRunBehindIt)
{
    Bare bare({0xCD, 0x21, 0xB4, 0x4C, 0xCD, 0x20}, CodeSize::Bits16,
              "8086");  // int 21h; mov ah, 4Ch; int 20h
    auto stop = bare.run(100);
    EXPECT_EQ(stop.reason, Reason::Interrupt);
    EXPECT_EQ(stop.fault.vector, 0x21);
    EXPECT_EQ(bare.cpu.state.rip, 0x1002u);
    stop = bare.run(100);  // a caller may answer it, and go on
    EXPECT_EQ(stop.reason, Reason::Interrupt);
    EXPECT_EQ(stop.fault.vector, 0x20);
    EXPECT_EQ(bare.cpu.reg<u8>(RAX | kHighByte), 0x4C);
}

TEST(BareCpu, ExceptionsMayGoThroughTheGuestsTable)
{
    Bare bare({0xCD, 0x21}, CodeSize::Bits16, "80286");
    ASSERT_TRUE(bare.load(4 * 0x21, Bytes{0x00, 0x20, 0, 0}));  // to 0000:2000
    ASSERT_TRUE(bare.load(0x2000, Bytes{0xF4}));
    bare.deliver_exceptions(true);
    EXPECT_EQ(bare.run(100).reason, Reason::Halted);
    EXPECT_EQ(bare.cpu.state.rip, 0x2001u);
}

TEST(BareCpu, ATripleFaultIsAShutdown)
{
    Bare bare({0x0F, 0x0B});  // ud2, and the IDT is empty
    bare.deliver_exceptions(true);
    EXPECT_EQ(bare.run(100).reason, Reason::Shutdown);
}

TEST(BareCpu, StopsAtExactlyTheLimit)
{
    Bare bare({0x40, 0xEB, 0xFD});  // inc eax; jmp to it
    EXPECT_EQ(bare.run(1001).reason, Reason::Limit);
    EXPECT_EQ(bare.cpu.reg<u32>(RAX), 501u);
    EXPECT_EQ(bare.run(1).reason, Reason::Limit);
    EXPECT_EQ(bare.cpu.state.rip, 0x1000u);
}

TEST(BareCpu, RealModeCodeAbove64KHasItsOwnSegment)
{
    Bare bare({0x8C, 0xC8, 0xF4}, CodeSize::Bits16, "8086", 0x23456);  // mov ax, cs; hlt
    EXPECT_EQ(bare.run(100).reason, Reason::Halted);
    EXPECT_EQ(bare.cpu.reg<u16>(RAX), 0x2345);
    EXPECT_EQ(bare.cpu.state.rip, 9u);
}

TEST(BareCpu, ModesThatTheModelHasNotAreRefused)
{
    BareCpu early(*find_cpu_model("80286"));
    EXPECT_TRUE(early.start(CodeSize::Bits16, 0));
    EXPECT_FALSE(early.start(CodeSize::Bits32, 0));
    EXPECT_FALSE(early.start(CodeSize::Bits64, 0));
    EXPECT_FALSE(early.start(CodeSize::Bits16, u64{1} << 40));
    EXPECT_FALSE(early.load(early.bus.ram.size() - 1, Bytes{1, 2}));
}
