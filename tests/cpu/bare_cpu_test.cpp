/// The processor as a library.
#include "cpu/bare_cpu.h"

#include <gtest/gtest.h>

using namespace reprise;

namespace {

using Bytes = std::vector<u8>;
using Reason = BareCpu::Reason;

struct Bare : BareCpu {
    explicit Bare(const Bytes& code, CodeSize mode = CodeSize::Bits32,
                  const char* model = "pentium", u64 at = 0x1000, u64 memory = u64{16} << 20)
        : BareCpu(*find_cpu_model(model), memory)
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

TEST(BareCpu, SixtyFourBitCodeHasItsRegistersAndSse)
{
    // mov r8, 1122334455667788h; push r8; cvtsi2sd xmm9, r8; fld1; hlt
    Bare bare({0x49, 0xB8, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
               0x41, 0x50, 0xF2, 0x4D, 0x0F, 0x2A, 0xC8, 0xD9, 0xE8, 0xF4},
              CodeSize::Bits64, "x86-64");
    EXPECT_EQ(bare.run(100).reason, Reason::Halted);
    EXPECT_EQ(bare.cpu.state.gpr[8], 0x1122334455667788u);
    EXPECT_EQ(bare.cpu.state.gpr[RSP], bare.bus.ram.size() - 8);
    EXPECT_EQ(bare.bus.ram[bare.bus.ram.size() - 1], 0x11);
    // 1.122334455667788h * 2^60, rounded to 13 digits
    EXPECT_EQ(bare.cpu.state.sse.xmm[9].low, 0x43B1223344556678u);
    EXPECT_EQ(bare.cpu.state.fpu.r[bare.cpu.state.fpu.top()].sign_exponent, 0x3FFF);
}

TEST(BareCpu, SixtyFourBitModeIsOnAsTheManualDefinesIt)
{
    // mov ecx, EFER; rdmsr; mov rbx, cr0; mov rdx, cr4; hlt
    Bare bare({0xB9, 0x80, 0x00, 0x00, 0xC0, 0x0F, 0x32, 0x0F, 0x20, 0xC3, 0x0F, 0x20, 0xE2, 0xF4},
              CodeSize::Bits64, "x86-64");
    EXPECT_EQ(bare.run(100).reason, Reason::Halted);
    EXPECT_EQ(bare.cpu.reg<u32>(RAX), u32{kEferLme | kEferLma});
    EXPECT_TRUE(bare.cpu.reg<u64>(RBX) & kCr0Pg);
    EXPECT_TRUE(bare.cpu.reg<u64>(RDX) & kCr4Pae);
    EXPECT_TRUE(bare.cpu.state.seg[CS].is_long());
    EXPECT_FALSE(bare.cpu.state.seg[CS].is_big());
}

TEST(BareCpu, AllMemoryIsMappedIn64BitModeAndNothingElse)
{
    // Sizes with and without 4K pages behind the large ones, within a GB and beyond.
    for (const u64 size : {u64{1} << 12, u64{3} << 12, u64{2} << 20, (u64{16} << 20) + 0x5000,
                           (u64{1} << 30) + (u64{2} << 20) + 0x1000}) {
        Bare bare({0x8A, 0x06, 0x88, 0x07, 0xF4}, CodeSize::Bits64, "x86-64", 0x10, size);
        for (const u64 address :
             {u64{0}, size / 2, size - 1}) {  // mov al, [rsi]; mov [rdi], al; hlt
            bare.bus.ram[address] = 0x5A;
            bare.cpu.state.gpr[RSI] = address;
            bare.cpu.state.gpr[RDI] = 0x800;
            bare.cpu.state.rip = 0x10;
            bare.cpu.state.halted = false;
            EXPECT_EQ(bare.run(3).reason, Reason::Halted) << size << " " << address;
            EXPECT_EQ(bare.bus.ram[0x800], 0x5A);
        }
        for (const u64 address : {size, u64{BareCpu::kPageTables}, ~u64{0}}) {
            bare.cpu.state.gpr[RSI] = address;
            bare.cpu.state.rip = 0x10;
            bare.cpu.state.halted = false;
            const auto stop = bare.run(3);
            EXPECT_EQ(stop.fault.vector, kPageFault) << size << " " << address;
            EXPECT_EQ(stop.fault.error_code, 0);
            EXPECT_EQ(bare.cpu.state.cr2, address);
            EXPECT_EQ(bare.cpu.state.rip, 0x10u);
        }
    }
}

TEST(BareCpu, PageTablesTakeNothingOfMemory)
{
    Bare bare({0xF4}, CodeSize::Bits64, "x86-64");
    EXPECT_EQ(bare.run(1).reason, Reason::Halted);
    for (std::size_t i = 0; i < bare.bus.ram.size(); ++i)
        ASSERT_EQ(bare.bus.ram[i], i == 0x1000 ? 0xF4 : 0) << i;
}

TEST(BareCpu, StartsAgainInAnyMode)
{
    Bare bare({0xF4}, CodeSize::Bits64, "x86-64");
    EXPECT_EQ(bare.run(1).reason, Reason::Halted);
    for (const CodeSize mode : {CodeSize::Bits16, CodeSize::Bits64, CodeSize::Bits32}) {
        ASSERT_TRUE(bare.start(mode, 0x1000));
        EXPECT_EQ(bare.cpu.mode64(), mode == CodeSize::Bits64);
        EXPECT_EQ(bare.run(1).reason, Reason::Halted);
    }
}

TEST(BareCpu, ModesThatTheModelHasNotAreRefused)
{
    BareCpu early(*find_cpu_model("80286"));
    EXPECT_TRUE(early.start(CodeSize::Bits16, 0));
    EXPECT_FALSE(early.start(CodeSize::Bits32, 0));
    EXPECT_FALSE(early.start(CodeSize::Bits64, 0));
    BareCpu narrow(*find_cpu_model("pentium3"));
    EXPECT_TRUE(narrow.start(CodeSize::Bits32, 0));
    EXPECT_FALSE(narrow.start(CodeSize::Bits64, 0));
    EXPECT_FALSE(early.start(CodeSize::Bits16, u64{1} << 40));
    EXPECT_FALSE(early.load(early.bus.ram.size() - 1, Bytes{1, 2}));
}
