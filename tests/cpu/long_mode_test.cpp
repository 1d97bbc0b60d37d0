/// 64-bit mode: SDM vol. 1, 3.3.7 and 3.4, vol. 3A, 5.8 and 6.14, and vol. 2 for the instructions.
#include <gtest/gtest.h>

#include "tests/cpu/long_program.h"

namespace reprise {
namespace {

constexpr u32 P = Program::P, W = Program::W, U = Program::U;

// ---- Registers and addresses -------------------------------------------------------------------

TEST(LongMode, ThirtyTwoBitResultsClearTheUpperHalf)
{
    LongProgram p{{0xB8, 0x78, 0x56, 0x34, 0x12,          // mov eax, 12345678h
                   0x66, 0xB9, 0x34, 0x12,                // mov cx, 1234h
                   0x41, 0xB8, 0xFF, 0xFF, 0xFF, 0xFF}};  // mov r8d, FFFFFFFFh
    p.reg(RAX) = p.reg(RCX) = p.cpu.state.gpr[8] = ~u64{0};
    p.step(3);
    EXPECT_EQ(p.reg(RAX), 0x12345678u);
    EXPECT_EQ(p.reg(RCX), 0xFFFFFFFFFFFF1234u);
    EXPECT_EQ(p.cpu.state.gpr[8], 0xFFFFFFFFu);
}

TEST(LongMode, MovTakesAnImmediateOf64Bits)
{
    LongProgram p{{0x49, 0xBF, 1, 2, 3, 4, 5, 6, 7, 8}};  // mov r15, 0807060504030201h
    p.step();
    EXPECT_EQ(p.cpu.state.gpr[15], 0x0807060504030201u);
}

TEST(LongMode, RipRelativeOperandsCountFromTheNextInstruction)
{
    // nop; mov eax, [rip + 1F9h]; mov dword [rip + 1F0h], 5 (four bytes of immediate follow)
    LongProgram p{{0x90, 0x8B, 0x05, 0xF9, 1, 0, 0, 0xC7, 0x05, 0xEF, 1, 0, 0, 5, 0, 0, 0}};
    p.set<u32>(Program::kCode + 0x200, 0xCAFE);
    p.step(3);
    EXPECT_EQ(p.reg(RAX), 0xCAFEu);
    EXPECT_EQ(p.get<u32>(Program::kCode + 0x200), 5u);
}

TEST(LongMode, TheLargestRipRelativeDisplacementDoesNotOverflow)
{
    // 20h times nop; lea rax, [rip + 7FFFFFFFh]
    Program::Bytes code(0x20, 0x90);
    for (const int b : {0x48, 0x8D, 0x05, 0xFF, 0xFF, 0xFF, 0x7F}) code.push_back(b);
    LongProgram p{code};
    p.step(0x21);
    EXPECT_EQ(p.reg(RAX), u64{Program::kCode} + 0x27 + 0x7FFFFFFF);
}

TEST(LongMode, AddressSize32TruncatesTheAddress)
{
    LongProgram p{{0x67, 0x8B, 0x03}};  // mov eax, [ebx]
    p.set<u32>(Program::kData, 77);
    p.reg(RBX) = 0xABCD00000000 | Program::kData;
    p.step();
    EXPECT_EQ(p.reg(RAX), 77u);
}

TEST(LongMode, OnlyFsAndGsHaveBases)
{
    LongProgram p{{0x8B, 0x03,          // mov eax, [rbx]
                   0x64, 0x8B, 0x0B,    // mov ecx, fs:[rbx]
                   0x3E, 0x8B, 0x13}};  // mov edx, ds:[rbx]
    p.set<u32>(Program::kData, 1);
    p.set<u32>(Program::kData + 0x100, 2);
    p.cpu.state.seg[DS].base = 0x55000;
    p.cpu.state.seg[FS].base = LongProgram::kHigh + 0x100;
    p.cpu.state.seg[DS].limit = p.cpu.state.seg[FS].limit = 0;
    p.cpu.state_loaded();
    p.reg(RBX) = Program::kData;
    p.step(3);
    EXPECT_EQ(p.reg(RAX), 1u);
    EXPECT_EQ(p.reg(RCX), 2u);
    EXPECT_EQ(p.reg(RDX), 1u);
}

TEST(LongMode, NonCanonicalAddressesAreGpAndThroughTheStackSs)
{
    for (const auto& [code, vector] : {std::pair{Program::Bytes{0x8B, 0x03}, 13},
                                       {{0x8B, 0x45, 0x00}, 12},  // [rbx], [rbp]
                                       {{0x89, 0x03}, 13},
                                       {{0x01, 0x45, 0x00}, 12}}) {
        LongProgram p{code};
        p.reg(RBX) = p.reg(RBP) = 0x0000800000000000;
        EXPECT_EQ(p.run_to_vector(), vector);
        EXPECT_EQ(p.error(), 0);
        EXPECT_EQ(p.pushed(1), u64{Program::kCode});
    }
}

TEST(LongMode, AnAccessMayNotBeginCanonicalAndEndBeyond)
{
    LongProgram p{{0x48, 0x8B, 0x03}};  // mov rax, [rbx]
    p.reg(RBX) = 0x00007FFFFFFFFFFC;
    EXPECT_EQ(p.run_to_vector(), 13);
}

TEST(LongMode, UpperHalfAddressesReachTheSameMemory)
{
    LongProgram p{{0x48, 0x89, 0x03, 0x48, 0x8B, 0x0C, 0x25, 0, 0, 4,
                   0}};  // mov [rbx], rax; mov rcx, [40000h]
    p.reg(RBX) = LongProgram::kHigh + Program::kData;
    p.reg(RAX) = 0x1122334455667788;
    p.step(2);
    EXPECT_EQ(p.reg(RCX), 0x1122334455667788u);
}

// ---- Flow --------------------------------------------------------------------------------------

TEST(LongMode, NearBranchesHave64BitsWhateverThePrefix)
{
    LongProgram p{{0x66, 0xE8, 0x10, 0, 0, 0}};  // 66 call +10h
    p.step();
    EXPECT_EQ(p.cpu.state.rip, Program::kCode + 0x16u);
    EXPECT_EQ(p.reg(RSP), Program::kStack - 8u);
    EXPECT_EQ(p.get<u64>(Program::kStack - 8), Program::kCode + 6u);
}

TEST(LongMode, JumpsToNonCanonicalAddressesFaultAtTheJump)
{
    for (const Program::Bytes& code : {Program::Bytes{0xFF, 0xE3}, {0xFF, 0xD3}, {0x53, 0xC3}}) {
        LongProgram p{code};  // jmp rbx; call rbx; push rbx + ret
        p.reg(RBX) = 0x8000000000000000;
        EXPECT_EQ(p.run_to_vector(), 13);
        EXPECT_EQ(p.pushed(1), Program::kCode + (code.size() == 2 && code[0] == 0x53 ? 1u : 0u));
    }
}

TEST(LongMode, CodeRunsInTheUpperHalf)
{
    LongProgram p{{0xFF, 0xE3}};                                     // jmp rbx
    p.code(Program::kCode + 0x100, {0xE8, 0, 0, 0, 0, 0x58, 0xF4});  // call $+5; pop rax; hlt
    p.reg(RBX) = LongProgram::kHigh + Program::kCode + 0x100;
    p.run();
    EXPECT_EQ(p.reg(RAX), LongProgram::kHigh + Program::kCode + 0x105);
}

TEST(LongMode, PushAndPopMove64Bits)
{
    LongProgram p{{0x6A, 0xFF, 0x58,    // push -1; pop rax
                   0x66, 0x6A, 0x7F,    // push word 7Fh
                   0x0F, 0xA0, 0x9C}};  // push fs; pushfq
    p.step(3);
    EXPECT_EQ(p.reg(RAX), ~u64{0});
    EXPECT_EQ(p.reg(RSP), Program::kStack - 2u);
    p.set<u64>(Program::kStack - 10, ~u64{0});
    p.step(2);
    EXPECT_EQ(p.get<u64>(Program::kStack - 10), LongProgram::kDs64);
    EXPECT_EQ(p.get<u64>(Program::kStack - 18), p.flags());
}

TEST(LongMode, LoopAndJrcxzCountInRcx)
{
    LongProgram p{{0xE2, 0xFE, 0x67, 0xE3, 0x01, 0xF4, 0xF4}};  // loop $; jecxz +1; hlt; hlt
    p.reg(RCX) = 0x100000001;
    p.step(1);
    EXPECT_EQ(p.reg(RCX), 0x100000000u);
    EXPECT_EQ(p.cpu.state.rip, u64{Program::kCode});
    p.cpu.state.rip += 2;
    p.run();
    EXPECT_EQ(p.cpu.state.rip, Program::kCode + 7u) << "ECX is zero";
}

TEST(LongMode, StringsUse64BitRegistersOr32)
{
    LongProgram p{{0xF3, 0x48, 0xAB, 0x67, 0xF3, 0xA4}};  // rep stosq; rep movsb with ESI, EDI
    p.reg(RDI) = LongProgram::kHigh + Program::kData;
    p.reg(RAX) = 0x0102030405060708;
    p.reg(RCX) = 4;
    p.step(4);
    EXPECT_EQ(p.get<u64>(Program::kData + 24), 0x0102030405060708u);
    EXPECT_EQ(p.reg(RDI), LongProgram::kHigh + Program::kData + 32);
    p.reg(RSI) = 0xFFFFFFFF00000000 | Program::kData;
    p.reg(RDI) = 0xFFFFFFFF00000000 | (Program::kData + 0x100);
    p.reg(RCX) = 0xFFFFFFFF00000008;
    p.step(8);
    EXPECT_EQ(p.get<u64>(Program::kData + 0x100), 0x0102030405060708u);
    EXPECT_EQ(p.reg(RCX), 0u);
    EXPECT_EQ(p.reg(RSI), Program::kData + 8u);
}

TEST(LongMode, AStringInstructionThatFaultsAtOnceLeavesAllOfItsPointers)
{
    for (const u8 opcode : {0xA4, 0xAB}) {
        LongProgram p{{0x67, 0xF3, opcode}};  // rep movsb, rep stosd with ESI, EDI
        p.map64(Program::kData, 0);
        p.reg(RSI) = 0xFDFD'0000'0000 | Program::kStack;
        p.reg(RDI) = 0xFDFD'0000'0000 | Program::kData;
        p.reg(RCX) = 8;
        EXPECT_EQ(p.run_to_vector(), 14);
        EXPECT_EQ(p.reg(RSI), 0xFDFD'0000'0000 | Program::kStack);
        EXPECT_EQ(p.reg(RDI), 0xFDFD'0000'0000 | Program::kData);
    }
}

TEST(LongMode, EnterAndLeave)
{
    LongProgram p{{0xC8, 0x20, 0, 0, 0xC9}};  // enter 20h, 0; leave
    p.reg(RBP) = 0x123456789ABCDEF0;
    p.step();
    EXPECT_EQ(p.reg(RBP), Program::kStack - 8u);
    EXPECT_EQ(p.reg(RSP), Program::kStack - 0x28u);
    p.step();
    EXPECT_EQ(p.reg(RBP), 0x123456789ABCDEF0u);
    EXPECT_EQ(p.reg(RSP), u64{Program::kStack});
}

// ---- Interrupts --------------------------------------------------------------------------------

TEST(LongMode, InterruptsSaveTheStackAndAlignIt)
{
    LongProgram p{{0xCD, 0x40}};  // int 40h
    p.reg(RSP) = Program::kStack - 3;
    EXPECT_EQ(p.run_to_vector(), 0x40);
    EXPECT_EQ(p.reg(RSP), (Program::kStack - 16u) - 40u);
    EXPECT_EQ(p.pushed(0), Program::kCode + 2u);
    EXPECT_EQ(p.pushed(1), LongProgram::kCs64);
    EXPECT_EQ(p.pushed(3), Program::kStack - 3u);
    EXPECT_EQ(p.pushed(4), LongProgram::kDs64);
}

TEST(LongMode, AnInterruptFromLevel3GetsANullStackSegment)
{
    LongProgram p{{0xCD, 0x40}, 3};
    EXPECT_EQ(p.run_to_vector(), 0x40);
    EXPECT_EQ(p.reg(RSP), LongProgram::kInnerStack - 40);
    EXPECT_EQ(p.pushed(1), LongProgram::kUserCs64);
    EXPECT_EQ(p.pushed(4), LongProgram::kUserDs64);
    EXPECT_EQ(p.cpu.state.seg[SS].selector, 0);
    EXPECT_EQ(p.cpu.state.cpl, 0);
}

TEST(LongMode, GatesMayHaveAStackOfTheirOwn)
{
    LongProgram p{{0xCD, 0x40}};
    p.gate64(0x40, Program::kHandlers + 16 * 0x40, 0x8E, 1);
    EXPECT_EQ(p.run_to_vector(), 0x40);
    EXPECT_EQ(p.reg(RSP), LongProgram::kIst1 - 40);
    EXPECT_EQ(p.cpu.state.seg[SS].selector, LongProgram::kDs64) << "the level is the same";
}

TEST(LongMode, HandlersLieAnywhere)
{
    LongProgram p{{0xCD, 0x40}};
    p.gate64(0x40, LongProgram::kHigh + Program::kHandlers, 0x8E);
    p.run();
    EXPECT_EQ(p.cpu.state.rip, LongProgram::kHigh + Program::kHandlers + 1);
}

TEST(LongMode, BadGatesAreGpWithTheVector)
{
    const auto fault = [](u8 access, u16 selector, u64 offset) {
        LongProgram p{{0xCD, 0x40}};
        p.gate64(0x40, offset, access, 0, selector);
        return std::pair{p.run_to_vector(), p.error()};
    };
    constexpr u64 kThere = Program::kHandlers;
    EXPECT_EQ(fault(0x86, LongProgram::kCs64, kThere), (std::pair{13, 0x40 * 8 + 2}))
        << "16-bit gate";
    EXPECT_EQ(fault(0x85, LongProgram::kCs64, kThere), (std::pair{13, 0x40 * 8 + 2}))
        << "task gate";
    EXPECT_EQ(fault(0x0E, LongProgram::kCs64, kThere), (std::pair{11, 0x40 * 8 + 2}))
        << "not present";
    EXPECT_EQ(fault(0x8E, LongProgram::kCs32, kThere), (std::pair{13, 0x30})) << "32-bit code";
    EXPECT_EQ(fault(0x8E, LongProgram::kCs64, u64{1} << 47), (std::pair{13, 0})) << "not canonical";
}

TEST(LongMode, IretqAlwaysTakesTheStackBack)
{
    LongProgram p{{0x48, 0xCF}};
    p.reg(RSP) = Program::kStack - 40;
    const u64 frame[] = {Program::kCode + 0x100, LongProgram::kCs64, 0x202, 0x12345678, 0};
    for (u64 i = 0; i < 5; ++i) p.set<u64>(Program::kStack - 40 + 8 * i, frame[i]);
    p.step();
    EXPECT_EQ(p.cpu.state.rip, Program::kCode + 0x100u);
    EXPECT_EQ(p.reg(RSP), 0x12345678u);
    EXPECT_EQ(p.cpu.state.seg[SS].selector, 0) << "null is allowed above level 3";
    EXPECT_TRUE(p.flags() & IF);
}

TEST(LongMode, IretqToLevel3NeedsAStackSegment)
{
    for (const u16 ss : {u16{3}, LongProgram::kUserDs64}) {
        LongProgram p{{0x48, 0xCF}};
        p.reg(RSP) = Program::kStack - 40;
        const u64 frame[] = {Program::kCode + 0x100, LongProgram::kUserCs64, 0x202, 0x7000, ss};
        for (u64 i = 0; i < 5; ++i) p.set<u64>(Program::kStack - 40 + 8 * i, frame[i]);
        p.code(Program::kCode + 0x100, {0xF4});
        EXPECT_EQ(p.run_to_vector(), 13);
        EXPECT_EQ(p.pushed(1), ss == 3 ? u64{Program::kCode} : Program::kCode + 0x100u) << ss;
    }
}

TEST(LongMode, NestedTaskIsGp)
{
    LongProgram p{{0x48, 0xCF}};
    p.cpu.state.rflags |= NT;
    EXPECT_EQ(p.run_to_vector(), 13);
}

// ---- Compatibility mode ------------------------------------------------------------------------

/// Goes to 32-bit code of level 0 at kCode + 100h by a far return.
LongProgram compatibility(const Program::Bytes& bytes)
{
    LongProgram p{{0x6A, LongProgram::kCs32, 0x68, 0x00, 0x01, 0x01, 0x00, 0x48, 0xCB}};  // retfq
    p.code(Program::kCode + 0x100, bytes);
    p.step(3);
    EXPECT_EQ(p.cpu.state.rip, Program::kCode + 0x100u);
    return p;
}

TEST(CompatibilityMode, HasTheSemanticsOf32Bits)
{
    LongProgram p = compatibility({0x40, 0x66, 0x40, 0xA1, 0, 0, 4, 0,
                                   0x50});  // inc eax; inc ax; mov eax, [40000h]; push eax
    p.reg(RAX) = 0xFFFFFFFF;
    p.step();
    EXPECT_EQ(p.reg(RAX), 0u);
    p.set<u32>(Program::kData, 9);
    p.step(3);
    EXPECT_EQ(p.reg(RAX), 9u);
    EXPECT_EQ(p.reg(RSP), Program::kStack - 4u);
}

TEST(CompatibilityMode, LinearAddressesWrapAt4GB)
{
    LongProgram p = compatibility({0x8B, 0x03});                           // mov eax, [ebx]
    p.set<u64>(LongProgram::kPdpt + 4 * 8, LongProgram::kPd | P | W | U);  // 4 GB: the same 2 MB
    p.cpu.state.seg[DS].base = 0xFFFFF000;
    p.cpu.state_loaded();
    p.reg(RBX) = Program::kData + 0x1000;
    p.set<u32>(Program::kData, 5);
    p.step();
    EXPECT_EQ(p.reg(RAX), 5u);
    EXPECT_FALSE(p.get<u64>(LongProgram::kPdpt + 4 * 8) & Program::A);
}

TEST(CompatibilityMode, InterruptsGoTo64BitCode)
{
    LongProgram p = compatibility({0xCD, 0x40});
    EXPECT_EQ(p.run_to_vector(), 0x40);
    EXPECT_EQ(p.pushed(1), LongProgram::kCs32);
    EXPECT_EQ(p.pushed(3), u64{Program::kStack});
    EXPECT_TRUE(p.cpu.mode64());
}

TEST(CompatibilityMode, LimitsHold)
{
    LongProgram p = compatibility({0x8B, 0x03});  // mov eax, [ebx]
    p.cpu.state.seg[DS].limit = 0xFFF;
    p.cpu.state_loaded();
    p.reg(RBX) = 0xFFD;
    EXPECT_EQ(p.run_to_vector(), 13);
}

// ---- Far transfers -----------------------------------------------------------------------------

void call_gate(LongProgram& p, u64 offset, u16 selector, u8 access)
{
    p.set<u64>(Program::kGdt + LongProgram::kGate64, (offset & 0xFFFF) | u64{selector} << 16 |
                                                         u64{access} << 40 |
                                                         (offset >> 16 & 0xFFFF) << 48);
    p.set<u64>(Program::kGdt + LongProgram::kGate64 + 8, offset >> 32);
}

TEST(LongMode, CallGatesLeadTo64BitCodeOfTheInnerLevel)
{
    LongProgram p{{0xFF, 0x1B}, 3};  // call far [rbx]
    p.reg(RBX) = Program::kData;
    p.set<u32>(Program::kData, 0);
    p.set<u16>(Program::kData + 4, LongProgram::kGate64 | 3);
    call_gate(p, LongProgram::kHigh + Program::kHandlers, LongProgram::kCs64, 0xEC);
    p.run();
    EXPECT_EQ(p.cpu.state.rip, LongProgram::kHigh + Program::kHandlers + 1);
    EXPECT_EQ(p.cpu.state.cpl, 0);
    EXPECT_EQ(p.cpu.state.seg[SS].selector, 0);
    EXPECT_EQ(p.reg(RSP), LongProgram::kInnerStack - 32);
    const u64 frame[] = {Program::kCode + 2, LongProgram::kUserCs64, Program::kUserStack,
                         LongProgram::kUserDs64};
    for (u32 i = 0; i < 4; ++i) EXPECT_EQ(p.pushed(i), frame[i]) << i;
}

TEST(LongMode, GatesTo32BitCodeAreGp)
{
    LongProgram p{{0xFF, 0x1B}};
    p.reg(RBX) = Program::kData;
    p.set<u16>(Program::kData + 4, LongProgram::kGate64);
    call_gate(p, Program::kHandlers, LongProgram::kCs32, 0x8C);
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.error(), LongProgram::kCs32);
}

TEST(LongMode, JumpingToATaskIsGp)
{
    LongProgram p{{0xFF, 0x2B}};  // jmp far [rbx]
    p.reg(RBX) = Program::kData;
    p.set<u16>(Program::kData + 4, LongProgram::kTss64);
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.error(), LongProgram::kTss64);
}

TEST(LongMode, CodeWithLAndDIsGp)
{
    LongProgram p{{0xFF, 0x2B}};
    p.descriptor(LongProgram::kSpare64, 0, 0xFFFFF, 0x9B, 0xE);
    p.reg(RBX) = Program::kData;
    p.set<u16>(Program::kData + 4, LongProgram::kSpare64);
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.error(), LongProgram::kSpare64);
}

// ---- Tables ------------------------------------------------------------------------------------

TEST(LongMode, TableRegistersHave64BitBases)
{
    LongProgram p{{0x0F, 0x01, 0x13, 0x0F, 0x01, 0x01, 0x0F, 0x01,
                   0x1B}};  // lgdt [rbx]; sgdt [rcx]; lidt [rbx]
    p.reg(RBX) = Program::kData;
    p.reg(RCX) = Program::kData + 0x20;
    p.set<u16>(Program::kData, 0xFF);
    p.set<u64>(Program::kData + 2, LongProgram::kHigh + Program::kGdt);
    p.step(2);
    EXPECT_EQ(p.get<u16>(Program::kData + 0x20), 0xFF);
    EXPECT_EQ(p.get<u64>(Program::kData + 0x22), LongProgram::kHigh + Program::kGdt);
    p.set<u64>(Program::kData + 2, u64{1} << 60);
    EXPECT_EQ(p.run_to_vector(), 13);
}

TEST(LongMode, LtrReads16Bytes)
{
    LongProgram p{{0x0F, 0x00, 0xD8}};  // ltr ax
    p.reg(RAX) = LongProgram::kTss64;
    p.set<u64>(Program::kGdt + LongProgram::kTss64 + 8, LongProgram::kHigh >> 32);
    p.step();
    EXPECT_EQ(p.cpu.state.tr.base, LongProgram::kHigh + Program::kTss);
    EXPECT_EQ(p.get<u8>(Program::kGdt + LongProgram::kTss64 + 5), 0x8B);
}

TEST(LongMode, LldtWantsAZeroTypeInTheUpperHalf)
{
    LongProgram p{{0x0F, 0x00, 0xD0}};  // lldt ax
    p.descriptor(LongProgram::kSpare64, 0x8000, 0xFF, 0x82, 0);
    p.set<u64>(Program::kGdt + LongProgram::kSpare64 + 8, u64{1} << 40);
    p.reg(RAX) = LongProgram::kSpare64;
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.error(), LongProgram::kSpare64);
}

TEST(LongMode, ANullStackSegmentMayBeLoadedAboveLevel3)
{
    LongProgram kernel{{0x31, 0xC0, 0x8E, 0xD0, 0x50}};  // xor eax, eax; mov ss, ax; push rax
    kernel.step(3);
    EXPECT_EQ(kernel.reg(RSP), Program::kStack - 8u);
    LongProgram user{{0x8E, 0xD0}, 3};
    user.reg(RAX) = 3;
    EXPECT_EQ(user.run_to_vector(), 13);
}

// ---- Instructions ------------------------------------------------------------------------------

TEST(LongMode, Cmpxchg16bComparesBothHalves)
{
    LongProgram p{
        {0xF0, 0x48, 0x0F, 0xC7, 0x0B, 0xF0, 0x48, 0x0F, 0xC7, 0x0B}};  // with [rbx], twice
    p.reg(RBX) = Program::kData;
    p.reg(RCX) = 0xC0DE;
    p.set<u64>(Program::kData, 1);
    p.set<u64>(Program::kData + 8, 2);
    p.reg(RAX) = 1;
    p.reg(RDX) = 2;
    p.step();
    EXPECT_TRUE(p.flags() & ZF);
    EXPECT_EQ(p.get<u64>(Program::kData), u64{Program::kData});
    EXPECT_EQ(p.get<u64>(Program::kData + 8), 0xC0DEu);
    p.step();
    EXPECT_FALSE(p.flags() & ZF);
    EXPECT_EQ(p.reg(RAX), u64{Program::kData});
    EXPECT_EQ(p.reg(RDX), 0xC0DEu);

    LongProgram odd{{0x48, 0x0F, 0xC7, 0x0B}};
    odd.reg(RBX) = Program::kData + 8;
    EXPECT_EQ(odd.run_to_vector(), 13) << "not aligned";
}

TEST(LongMode, CmpxchgThatDiffersLeavesAllOfItsRegister)
{
    for (const u64 accumulator : {5u, 6u}) {
        LongProgram p{{0x0F, 0xB1, 0xCB}};  // cmpxchg ebx, ecx
        p.reg(RAX) = accumulator | u64{1} << 32;
        p.reg(RBX) = 0xFFFFFFFF00000005;
        p.reg(RCX) = 7;
        p.step();
        // As on host processors.
        EXPECT_EQ(p.reg(RBX), accumulator == 5 ? 7 : 0xFFFFFFFF00000005);
        EXPECT_EQ(p.reg(RAX), accumulator == 5 ? 0x100000005 : 5);
    }
}

TEST(CompatibilityMode, RetfTo64BitCodeReleasesWithAllOfRsp)
{
    LongProgram p{{0xCA, 0xF0, 0xFF}, 3};  // retf FFF0h
    p.cpu.state.seg[CS] = {LongProgram::kUserCs32, 0, 0xFFFFFFFF, 0xCFB};
    p.cpu.state.seg[SS] = {LongProgram::kSpare64 | 3, 0, 0xFFFF, 0x0F3};  // 16 bits
    p.reg(RSP) = 0x8000;
    p.set<u32>(0x8000, Program::kCode + 0x100);
    p.set<u32>(0x8004, LongProgram::kUserCs64);
    p.cpu.state_loaded();
    p.step();
    EXPECT_EQ(p.cpu.state.rip, Program::kCode + 0x100);
    EXPECT_EQ(p.reg(RSP), 0x8008u + 0xFFF0) << "as on host processors";
}

TEST(LongMode, MovsxdExtends)
{
    LongProgram p{{0x48, 0x63, 0xC3, 0x63, 0xCB}};  // movsxd rax, ebx; movsxd ecx, ebx
    p.reg(RBX) = 0x80000000;
    p.step(2);
    EXPECT_EQ(p.reg(RAX), 0xFFFFFFFF80000000u);
    EXPECT_EQ(p.reg(RCX), 0x80000000u);
}

TEST(LongMode, LahfAndSahfNeedTheFeature)
{
    EXPECT_EQ(LongProgram({0x9F, 0xF4}, 0, "x86-64").run_to_vector(), 6);
    LongProgram p({0x9F, 0xF4});
    p.run();
    EXPECT_EQ(p.reg(RAX) >> 8, p.flags() & 0xFF);
}

TEST(LongMode, Cr8HasFourBits)
{
    LongProgram p{{0x44, 0x0F, 0x22, 0xC0}};  // mov cr8, rax
    p.reg(RAX) = 16;
    EXPECT_EQ(p.run_to_vector(), 13) << "bits 63..4 are reserved";
}

TEST(LongMode, DebugRegistersHave64Bits)
{
    LongProgram p{{0x0F, 0x23, 0xC0, 0x0F, 0x23, 0xF8}};  // mov dr0, rax; mov dr7, rax
    p.reg(RAX) = LongProgram::kHigh;
    p.step();
    EXPECT_EQ(p.cpu.state.dr[0], LongProgram::kHigh);
    EXPECT_EQ(p.run_to_vector(), 13) << "the upper half of DR7 is reserved";
}

TEST(LongMode, AWatchedAddressMayBeAnywhere)
{
    LongProgram p{{0x89, 0x03, 0x90}};  // mov [rbx], eax; nop
    p.reg(RBX) = LongProgram::kHigh + Program::kData;
    p.cpu.state.dr[0] = p.reg(RBX);
    p.cpu.state.dr[7] = 0x402 | 1 << 16 | 3 << 18;
    p.cpu.state_loaded();
    EXPECT_EQ(p.run_to_vector(), 1);
    EXPECT_EQ(p.pushed(0), Program::kCode + 2u);
}

TEST(LongMode, OldInstructionsAreUndefined)
{
    for (const int opcode : {0x06, 0x0E, 0x16, 0x1E, 0x27, 0x2F, 0x37, 0x3F, 0x60, 0x61, 0x82, 0x9A,
                             0xCE, 0xD4, 0xD5, 0xD6, 0xEA})
        EXPECT_EQ(LongProgram({opcode, 0, 0, 0, 0, 0, 0, 0}).run_to_vector(), 6) << opcode;
}

// ---- Entering and leaving ----------------------------------------------------------------------

/// From 32-bit paged code to 64 bits as SDM vol. 3A, 9.8.5 says, and back.
TEST(LongMode, IsEnteredAndLeftByPaging)
{
    Program p("x86-64", 4 << 20);
    p.start_protected();
    p.descriptor(Program::kSpare, 0, 0xFFFFF, 0x9B, 0xA);
    p.set<u64>(0x100000, 0x101000 | P | W);
    p.set<u64>(0x101000, 0x102000 | P | W);
    p.set<u64>(0x102000, 0 | P | W | Program::PS);
    p.code({0x0F, 0x20, 0xE0, 0x83, 0xC8, 0x20,
            0x0F, 0x22, 0xE0,  // cr4 |= PAE
            0xB8, 0,    0,    0x10, 0,    0x0F,
            0x22, 0xD8,  // cr3 = 100000h
            0xB9, 0x80, 0,    0,    0xC0, 0x0F,
            0x32, 0x0F, 0xBA, 0xE8, 8,    0x0F,
            0x30,  // EFER.LME
            0x0F, 0x20, 0xC0, 0x0F, 0xBA, 0xE8,
            31,   0x0F, 0x22, 0xC0,  // cr0 |= PG
            0xEA, 0x00, 0x01, 0x01, 0x00, Program::kSpare,
            0});  // jmp far kSpare:10100h
    p.code(Program::kCode + 0x100,
           {0x48, 0xB8, 1, 2, 3, 4, 5, 6, 7, 8, 0xF4});  // mov rax, imm; hlt
    p.run();
    EXPECT_EQ(p.reg(RAX), 0x0807060504030201u);
    EXPECT_TRUE(p.cpu.long_mode());
    EXPECT_EQ(p.cpu.state.msr.efer, u64{kEferLme | kEferLma});
}

TEST(LongMode, PagingWithLmeNeedsPae)
{
    Program p("x86-64");
    p.start_protected();
    p.code({0x0F, 0x22, 0xC0});  // mov cr0, eax
    p.cpu.state.msr.efer = kEferLme;
    p.reg(RAX) = p.cpu.state.cr0 | kCr0Pg;
    EXPECT_EQ(p.run_to_vector(), 13);
}

TEST(LongMode, PagingStaysOnIn64BitModeAndPaeInIa32e)
{
    LongProgram p{{0x0F, 0x22, 0xC0}};
    p.reg(RAX) = p.cpu.state.cr0 & ~u64{kCr0Pg};
    EXPECT_EQ(p.run_to_vector(), 13);
    LongProgram pae{{0x0F, 0x22, 0xE0}};  // mov cr4, rax
    pae.reg(RAX) = pae.cpu.state.cr4 & ~u64{kCr4Pae};
    EXPECT_EQ(pae.run_to_vector(), 13);
    LongProgram high{{0x0F, 0x22, 0xD8}};  // mov cr3, rax
    high.reg(RAX) = u64{1} << 40;
    EXPECT_EQ(high.run_to_vector(), 13);
}

TEST(LongMode, SmepAndUmipAreSetInTheirModelOnly)
{
    LongProgram p{{0x0F, 0x22, 0xE0}};
    p.reg(RAX) = p.cpu.state.cr4 | kCr4Smep;
    EXPECT_EQ(p.run_to_vector(), 13);
}

}  // namespace
}  // namespace reprise
