/// Writes to code take effect at the next instruction, to the byte (SDM vol. 3A, 11.6: the Pentium
/// and later check the prefetched instructions; older processors need a jump, which does no harm
/// here).
#include <gtest/gtest.h>

#include "tests/cpu/program.h"

namespace reprise {
namespace {

constexpr u32 P = Program::P, W = Program::W, U = Program::U;

/// Flat 32-bit code at kCode.
class Code : public Program {
public:
    explicit Code(const Bytes& bytes, const char* model = "pentium") : Program(model)
    {
        start_protected();
        code(bytes);
    }
};

constexpr int kC1 = Program::kCode >> 8 & 0xFF, kC2 = Program::kCode >> 16;

TEST(SelfModifyingCode, TheNextInstructionIsTheNewOne)
{
    Code p{{0xC6, 0x05, 0x07, kC1, kC2, 0x00, 0x43,  // mov byte [kCode + 7], 43h
            0x41,                                    // inc ecx, becomes inc ebx
            0x41}};
    p.step(3);
    EXPECT_EQ(p.reg(RBX), 1u);
    EXPECT_EQ(p.reg(RCX), 1u);
}

TEST(SelfModifyingCode, AnInstructionMayOverwriteItself)
{
    // It has been fetched: it completes as it was. The second time it is what it wrote.
    Code p{{0xC6, 0x05, 0x06, kC1, kC2, 0x00, 0x99,  // mov byte [kCode + 6], 99h: its own immediate
            0xEB, 0xF7}};                            // jmp kCode
    p.step();
    EXPECT_EQ(p.get<u8>(Program::kCode + 6), 0x99);
    p.set<u8>(Program::kCode + 6, 0x77);
    p.cpu.memory_written(Program::kCode + 6, 1);
    p.step(2);
    EXPECT_EQ(p.get<u8>(Program::kCode + 6), 0x77);
}

TEST(SelfModifyingCode, AnInstructionLaterInTheBlock)
{
    Code p{{0x40, 0x40, 0xC6, 0x05, 0x0D, kC1, kC2, 0x00, 0x4A,  // mov byte [kCode + 0Dh], 4Ah
            0x40, 0x40, 0x40, 0x40,
            0x41,  // inc ecx, becomes dec edx
            0x40}};
    p.step(9);
    EXPECT_EQ(p.reg(RAX), 7u);
    EXPECT_EQ(p.reg(RCX), 0u);
    EXPECT_EQ(p.reg(RDX), 0xFFFFFFFFu);
}

TEST(SelfModifyingCode, AWordAcrossTwoInstructions)
{
    Code p{{0x66, 0xC7, 0x05, 0x0A, kC1, kC2, 0x00, 0x42, 0x43,  // mov word [kCode + 0Ah], 4342h
            0x41,                                                // inc ecx stays
            0x41, 0x41}};                                        // become inc edx, inc ebx
    p.step(4);
    EXPECT_EQ(p.reg(RCX), 1u);
    EXPECT_EQ(p.reg(RDX), 1u);
    EXPECT_EQ(p.reg(RBX), 1u);
}

TEST(SelfModifyingCode, AnImmediateThatChangesInEachIteration)
{
    Code p{{0xB9, 0x0A, 0x00, 0x00, 0x00,      // 0: mov ecx, 10
            0x05, 0x01, 0x00, 0x00, 0x00,      // 5: add eax, 1: the immediate grows
            0xFF, 0x05, 0x06, kC1, kC2, 0x00,  // 10: inc dword [kCode + 6]
            0xE2, 0xF3,                        // 16: loop 5
            0xF4}};
    p.run();
    EXPECT_EQ(p.reg(RAX), 55u);
    EXPECT_EQ(p.cpu.state.clock, 1u + 10 * 3 + 1);
}

TEST(SelfModifyingCode, DataBesideCodeInTheSame64Bytes)
{
    Code p{{0xB9, 0x64, 0x00, 0x00, 0x00,      // 0: mov ecx, 100
            0xFF, 0x05, 0x14, kC1, kC2, 0x00,  // 5: inc dword [kCode + 14h]
            0x49, 0x75, 0xF7,                  // 11: dec ecx; jnz 5
            0xF4}};
    p.run();
    EXPECT_EQ(p.get<u32>(Program::kCode + 0x14), 100u);
    EXPECT_LT(p.cpu.blocks_decoded(), 10u) << "stores to data beside code threw the code away";
}

TEST(SelfModifyingCode, AcrossAPage)
{
    // An instruction that spans two pages; the byte in the second page is written.
    Code p{{0x90}};
    constexpr u32 kStart = Program::kCode + 0x1000 - 2;
    p.code(kStart - 9,
           {0xBA, 0x03, 0x00, 0x00, 0x00,        // mov edx, 3
            0xEB, 0x02, 0x90, 0x90,              // jmp kStart
            0xB8, 0x01, 0x00, 0x00, 0x00,        // mov eax, 1
            0xFE, 0x05, 0x01, 0x10, 0x01, 0x00,  // inc byte [kCode + 1001h]: byte 2 of it
            0x4A, 0x75, 0xF2});                  // dec edx; jnz kStart
    p.cpu.state.rip = kStart - 9;
    p.step(2 + 4 * 2 + 1);
    EXPECT_EQ(p.reg(RAX), 0x020001u);
}

TEST(SelfModifyingCode, AWriteThatSpansPagesOfCode)
{
    Code p{{0x90}};
    constexpr u32 kEnd = Program::kCode + 0x1000;
    p.code(kEnd - 12, {0xC7, 0x05, 0xFE, 0x0F, 0x01, 0x00, 0x42, 0x42, 0x43,
                       0x43,                      // mov dword [kEnd - 2], 43434242h
                       0x41, 0x41, 0x41, 0x41});  // inc ecx
    p.cpu.state.rip = kEnd - 2;
    p.step(4);  // decodes them
    EXPECT_EQ(p.reg(RCX), 4u);
    p.cpu.state.rip = kEnd - 12;
    p.step(5);
    EXPECT_EQ(p.reg(RCX), 4u);
    EXPECT_EQ(p.reg(RDX), 2u);
    EXPECT_EQ(p.reg(RBX), 2u);
}

TEST(SelfModifyingCode, ThroughAnotherLinearAddress)
{
    Code p{{0xC6, 0x03, 0x42,  // mov byte [ebx], 42h
            0x41}};            // inc ecx, becomes inc edx
    p.enable_paging();
    p.map(0x80000, Program::kCode | P | W | U);
    p.cpu.state_loaded();
    p.reg(RBX) = 0x80003;
    p.step(2);
    EXPECT_EQ(p.reg(RDX), 1u);
    EXPECT_EQ(p.reg(RCX), 0u);
}

TEST(SelfModifyingCode, APageThatFollowsItself)
{
    // Two linear pages are the same physical page, and an instruction spans them.
    Code p{{0x90}};
    p.enable_paging();
    p.map(0x80000, 0x50000 | P | W | U);
    p.map(0x81000, 0x50000 | P | W | U);
    p.code(0x50FFF, {0xB0});  // mov al, imm8: its immediate is the page's first byte
    p.code(0x50000,
           {0x01, 0xFE, 0x05, 0x00, 0x00, 0x05, 0x00,  // inc byte [50000h]
            0xFE, 0x05, 0x40, 0x00, 0x05, 0x00,        // inc byte [50040h]: data in the same page
            0x49, 0x75, 0xEF});                        // dec ecx; jnz 80FFFh
    p.reg(RCX) = 20;
    p.cpu.state.rip = 0x80FFF;
    p.cpu.state_loaded();
    p.step(5 * 20);
    EXPECT_EQ(p.reg(RAX), 20u);
    EXPECT_EQ(p.reg(RCX), 0u);
}

TEST(SelfModifyingCode, ByARepeatedStore)
{
    Code p{{0xF3, 0xAA,  // rep stosb over the next bytes
            0x41, 0x41, 0x41, 0x41}};
    p.reg(RAX) = 0x42;  // inc edx
    p.reg(RDI) = Program::kCode + 3;
    p.reg(RCX) = 2;
    p.step(2 + 4);
    EXPECT_EQ(p.reg(RCX), 2u);
    EXPECT_EQ(p.reg(RDX), 2u);
}

TEST(SelfModifyingCode, ByARepeatedMoveOverItself)
{
    // The second byte it moves turns its own A4 into AC (lodsb): the third iteration loads.
    Code p{{0x90}};
    p.code(Program::kCode + 0x20, {0xF3, 0xA4, 0xF4});
    p.code(Program::kData, {0xF3, 0xAC, 0x55, 0x66});
    p.reg(RSI) = Program::kData;
    p.reg(RDI) = Program::kCode + 0x20;
    p.reg(RCX) = 4;
    p.cpu.state.rip = Program::kCode + 0x20;
    p.step(4);
    EXPECT_EQ(p.get<u8>(Program::kCode + 0x22), 0xF4) << "the third byte was loaded, not moved";
    EXPECT_EQ(p.reg(RAX) & 0xFF, 0x66u);
    EXPECT_EQ(p.reg(RDI), Program::kCode + 0x22);
    EXPECT_EQ(p.reg(RCX), 0u);
}

TEST(SelfModifyingCode, ARepeatedMoveOfCodeThatHasRun)
{
    Code p{{0xFF, 0xD3,                    // call ebx
            0xF3, 0xA5,                    // rep movsd
            0xFF, 0xD3}};                  // call ebx
    p.code(0x50000, {0x41, 0xC3});         // inc ecx; ret
    p.code(Program::kData, {0x42, 0xC3});  // inc edx; ret
    p.reg(RBX) = 0x50000;
    p.step(3);
    EXPECT_EQ(p.reg(RCX), 1u);
    p.reg(RSI) = Program::kData;
    p.reg(RDI) = 0x50000 - 0x100;
    p.set<u32>(Program::kData + 0x100, 0xC342);
    p.reg(RCX) = 0x80;
    p.step(0x80 + 3);
    EXPECT_EQ(p.reg(RDX), 1u);
}

TEST(SelfModifyingCode, BySomebodyElse)
{
    Code p{{0xE6, 0x10,  // out 10h, al: starts a transfer over the next instruction
            0x41}};      // inc ecx
    p.bus.on_write_port = [&](u16, int, u32) {
        p.set<u8>(Program::kCode + 2, 0x42);
        p.cpu.memory_written(Program::kCode, 0x1000);
    };
    p.step(2);
    EXPECT_EQ(p.reg(RDX), 1u);
}

TEST(SelfModifyingCode, ByThePushOfACall)
{
    // The return address goes over the call's own bytes; the call has been fetched.
    Code p{{0xE8, 0x10, 0x00, 0x00, 0x00}};
    p.code(Program::kCode + 0x15, {0xC3});
    p.reg(RSP) = Program::kCode + 5;
    p.step();
    EXPECT_EQ(p.ip(), Program::kCode + 0x15);
    EXPECT_EQ(p.get<u32>(Program::kCode + 1), Program::kCode + 5);
}

TEST(SelfModifyingCode, ByAccessedBitsOfPageTables)
{
    // Code that lies in a page table entry which the walk marks accessed: 0x..41 (inc ecx) becomes
    // 0x..61.
    Code p{{0x8B, 0x03}};  // mov eax, [ebx]
    p.enable_paging();
    // The entry's low byte is 41h (P, D): as code it is inc ecx; with A it is popa.
    p.map(0x50000, 0x50041);
    p.cpu.state.rip = Program::pte(0x50000);
    p.step();
    EXPECT_EQ(p.reg(RCX), 1u);
    p.cpu.state.rip = Program::kCode;
    p.reg(RBX) = 0x50000;
    p.step();
    p.cpu.state.rip = Program::pte(0x50000);
    p.reg(RSP) = Program::kStack - 0x100;
    p.step();
    EXPECT_EQ(p.reg(RSP), Program::kStack - 0x100 + 32);
}

TEST(SelfModifyingCode, TheOldCodeComesBack)
{
    // A byte is flipped there and back: what runs is always what is there.
    Code p{{0x80, 0x35, 0x07, kC1, kC2, 0x00, 0x03,  // xor byte [kCode + 7], 3
            0x41,                                    // inc ecx <-> inc edx
            0xEB, 0xF6}};                            // jmp kCode
    p.step(3 * 100);
    EXPECT_EQ(p.reg(RCX), 50u);
    EXPECT_EQ(p.reg(RDX), 50u);
}

TEST(SelfModifyingCode, EndlessRewritingBeginsTheCacheAnew)
{
    // As above, until the memory for decoded instructions has been used up more than once.
    Code p{{0x80, 0x35, 0x07, kC1, kC2, 0x00, 0x03, 0x41, 0xEB, 0xF6}};
    constexpr u32 kTimes = 400'000;
    p.step(3 * kTimes);
    EXPECT_GT(p.cpu.blocks_decoded(), BlockCache::kMaxInsnsHeld);
    EXPECT_EQ(p.reg(RCX), kTimes / 2);
    EXPECT_EQ(p.reg(RDX), kTimes / 2);
}

TEST(SelfModifyingCode, OnThe8086AcrossTheSegmentsEnd)
{
    // An instruction that begins at FFFF and ends at 0000 of its segment.
    Program p{"8086"};
    p.start_real();
    p.code(Program::kCode + 0xFFFF, {0xB0});     // mov al, imm8
    p.code({0x01, 0x2E, 0xFE, 0x06, 0x00, 0x00,  // inc byte cs:[0]
            0xE9, 0xF6, 0xFF});                  // jmp FFFF
    p.cpu.state.rip = 0xFFFF;
    p.step(3 * 5);
    EXPECT_EQ(p.reg(RAX) & 0xFF, 5u);
}

}  // namespace
}  // namespace reprise
