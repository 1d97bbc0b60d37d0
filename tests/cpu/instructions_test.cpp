/// Instructions that are more than arithmetic, each by a few bytes of code: Intel SDM vol. 2,
/// "Operation".
#include <gtest/gtest.h>

#include "cpu/opcodes.h"
#include "tests/cpu/code.h"

namespace reprise {
namespace {

// ---- Every row of the table
// -------------------------------------------------------------------------

Program::Bytes encoding(const Opcode& row, bool memory)
{
    Program::Bytes bytes;
    constexpr std::array<u8, 5> kMandatory = {0, 0, 0x66, 0xF3, 0xF2};
    if (const u8 prefix = kMandatory[static_cast<std::size_t>(row.prefix)]) bytes.push_back(prefix);
    if (row.code >= 0x100) bytes.push_back(0x0F);
    if (row.code >= 0x200) bytes.push_back(row.code < 0x300 ? 0x38 : 0x3A);
    bytes.push_back(row.code & 0xFF);
    if (has_modrm(row.code >> 8, row.code & 0xFF, row.last)) {
        const int reg = row.reg >= 0 ? row.reg : 2;  // [ebx] or ecx; edx, cr2, dr2, ss
        const int rm = row.rm >= 0 ? row.rm : memory ? 3 : 1;
        bytes.push_back((memory ? 0 : 0xC0) | reg << 3 | rm);
    }
    for (int i = 0; i < 8; ++i) bytes.push_back(0);  // immediates, and NULs behind
    return bytes;
}

TEST(OpcodeTable, EveryRowRuns)
{
    // On the newest model, and on the oldest that has it; the instruction completes or raises one
    // of the faults that such operands may have.
    for (const Opcode& row : opcodes()) {
        if ((row.rules & kOnly64) || row.last < Level::X64) continue;
        for (const bool memory : {true, false}) {
            const bool only_memory = row.operands[0] == Form::M || row.operands[1] == Form::M;
            if (!memory && (only_memory || row.mod3 == 0)) continue;
            if (memory && row.mod3 == 1) continue;
            SCOPED_TRACE(testing::Message() << row.mnemonic << ", code " << std::hex << row.code
                                            << " reg " << int{row.reg} << " memory " << memory);
            Code p{encoding(row, memory), "80386"};
            Program newest{"x86-64-v2"};
            newest.start_protected();
            newest.cpu.state.cr4 |= kCr4Osfxsr;
            newest.cpu.state_loaded();
            newest.code(encoding(row, memory));
            newest.reg(RBX) = kD;
            if (row.level <= Level::I80386 && row.feature == Feature::None) {
                p.step();
                EXPECT_EQ(p.cpu.state.clock, 1u);
            }
            newest.step();
            EXPECT_EQ(newest.cpu.state.clock, 1u);
            const bool undefined = newest.ip() == Program::kHandlers + 16 * 6;
            const bool may_be = !newest.cpu.model().has(row.feature) ||
                                std::string_view{row.mnemonic} == "ud2" ||
                                std::string_view{row.mnemonic} == "rsm" ||  // for SMI handlers
                                std::string_view{row.mnemonic} == "esc" || row.code == 0x124 ||
                                row.code == 0x126 ||  // test registers are gone
                                (row.code == 0x8E && row.reg == CS);
            if (undefined) {
                EXPECT_TRUE(may_be);
            }
        }
    }
}

TEST(OpcodeTable, EveryRowOfOldProcessorsOnlyRuns)
{
    int rows = 0;
    for (const Opcode& row : opcodes()) {
        if (row.last >= Level::X64) continue;
        ++rows;
        for (const bool memory : {true, false}) {
            if (row.mod3 >= 0 && memory == (row.mod3 == 1)) continue;
            SCOPED_TRACE(testing::Message() << row.mnemonic << ", code " << std::hex << row.code
                                            << " reg " << int{row.reg} << " memory " << memory);
            Real p{encoding(row, memory), row.last == Level::I8086 ? "8086" : "80286"};
            p.step();
            EXPECT_EQ(p.cpu.state.clock, 1u);
        }
    }
    EXPECT_GT(rows, 60);
}

// ---- MOV and its relatives
// ----------------------------------------------------------------------------

TEST(Mov, ByteRegisters)
{
    Code p{{0xB4, 0x12, 0xB0, 0x34, 0x88, 0xE6, 0x8A,
            0x0B}};  // mov ah, 12; mov al, 34; mov dh, ah; mov cl, [ebx]
    p.with(RDX, 0xFFFFFFFF).with(RCX, 0xFFFFFFFF).memory(0x99).go(4);
    EXPECT_EQ(p.r(RAX), 0x1234u);
    EXPECT_EQ(p.r(RDX), 0xFFFF12FFu);
    EXPECT_EQ(p.r(RCX), 0xFFFFFF99u);
}

TEST(Mov, OffsetsInTheInstruction)
{
    Code p{{0xA1, 0, 0, 4, 0, 0x66, 0xA3, 4, 0, 4, 0, 0xA2, 8, 0, 4, 0, 0xA0, 1, 0, 4, 0}};
    p.memory(0x11223344).go(4);
    EXPECT_EQ(p.m(4), 0x3344u);
    EXPECT_EQ(p.m(8), 0x44u);
    EXPECT_EQ(p.r(RAX), 0x11223333u);
}

TEST(Mov, SegmentRegistersFillRegistersButWriteWords)
{
    Code p{{0x8C, 0xD8, 0x8C, 0x1B, 0x66, 0x8C, 0xD9}};  // mov eax, ds; mov [ebx], ds; mov cx, ds
    p.with(RAX, 0xFFFFFFFF).with(RCX, 0xFFFFFFFF).memory(0xFFFFFFFF).go(3);
    EXPECT_EQ(p.r(RAX), Program::kDs);
    EXPECT_EQ(p.m(), 0xFFFF0000u | Program::kDs);
    EXPECT_EQ(p.r(RCX), 0xFFFF0000u | Program::kDs);
}

TEST(Mov, ExtensionsAndConversions)
{
    // movzx eax, byte [ebx]; movsx ecx, byte [ebx]; movzx edx, word [ebx]; movsx esi, word [ebx]
    Code p{{0x0F, 0xB6, 0x03, 0x0F, 0xBE, 0x0B, 0x0F, 0xB7, 0x13, 0x0F, 0xBF, 0x33, 0x98, 0x99}};
    p.memory(0xFFFF8080).go(4);
    EXPECT_EQ(p.r(RAX), 0x80u);
    EXPECT_EQ(p.r(RCX), 0xFFFFFF80u);
    EXPECT_EQ(p.r(RDX), 0x8080u);
    EXPECT_EQ(p.r(RSI), 0xFFFF8080u);
    Code q{{0x66, 0x98, 0x98, 0x99, 0x66, 0x99}};  // cbw; cwde; cdq; cwd
    q.with(RAX, 0x80).go(3);
    EXPECT_EQ(q.r(RAX), 0xFFFFFF80u);
    EXPECT_EQ(q.r(RDX), 0xFFFFFFFFu);
}

TEST(Mov, XchgXlatLea)
{
    Code p{{0x87, 0x03, 0x93, 0xD7}};  // xchg [ebx], eax; xchg eax, ebx; xlat
    p.with(RAX, 5).memory(kD - 3).go(1);
    EXPECT_EQ(p.m(), 5u);
    EXPECT_EQ(p.r(RAX), kD - 3);
    Code x{{0xD7}};
    x.with(RAX, 0xABCDEF05).memory(0x7700, 4).go();
    EXPECT_EQ(x.r(RAX), 0xABCDEF77u);
    Code l{{0x8D, 0x44, 0x8B, 0xFC, 0x66, 0x8D, 0x14, 0x0B, 0x67, 0x8D, 0x01}};
    // lea eax, [ebx+ecx*4-4]; lea dx, [ebx+ecx]; lea eax, [bx+di]
    l.with(RCX, 0x10).with(RDX, 0xFFFFFFFF).with(RDI, 0xFFFF0005).go(2);
    EXPECT_EQ(l.r(RAX), kD + 0x3C);
    EXPECT_EQ(l.r(RDX), 0xFFFF0010u);
    l.go();
    EXPECT_EQ(l.r(RAX), 5u) << "the address is 16 bits wide, and so is the sum";
}

TEST(Mov, FarPointers)
{
    Code p{{0x0F, 0xB4, 0x03}};  // lfs eax, [ebx]
    p.memory(0x12345678).memory(Program::kDs, 4).go();
    EXPECT_EQ(p.r(RAX), 0x12345678u);
    EXPECT_EQ(p.cpu.state.seg[FS].selector, Program::kDs);
    Real r{{0xC5, 0x37, 0xC4, 0x3E, 0x04, 0x00}};  // lds si, [bx]; les di, [4]
    r.set<u32>(kD, 0x20001234);
    r.set<u32>(0x20004, 0x30005678);
    r.step(2);
    EXPECT_EQ(r.reg(RSI), 0x1234u);
    EXPECT_EQ(r.cpu.state.seg[DS].base, 0x20000u);
    EXPECT_EQ(r.reg(RDI), 0x5678u);
    EXPECT_EQ(r.cpu.state.seg[ES].base, 0x30000u);
}

TEST(Mov, LssChangesTheStackInOneInstruction)
{
    Code p{{0x0F, 0xB2, 0x23, 0x50}};                         // lss esp, [ebx]; push eax
    p.descriptor(Program::kSpare, 0x50000, 0xFFFF, 0x93, 0);  // a 16-bit stack
    p.with(RAX, 0xCAFE).memory(0xABCD0100).memory(Program::kSpare, 4).go(2);
    EXPECT_EQ(p.r(RSP), 0xABCD00FCu);
    EXPECT_EQ(p.get<u32>(0x500FC), 0xCAFEu);
}

TEST(Mov, AFarPointersBadSelectorChangesNothing)
{
    Code p{{0x0F, 0xB4, 0x03}};
    p.with(RAX, 1).memory(0x12345678).memory(0xFF8, 4);
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.error_code(), 0xFF8u);
    EXPECT_EQ(p.r(RAX), 1u);
}

TEST(Mov, SetccAndCmov)
{
    Code p{
        {0x0F, 0x92, 0xC0, 0x0F, 0x93, 0xC4, 0x0F, 0x92, 0x03}};  // setb al; setnb ah; setb [ebx]
    p.cpu.state.rflags |= CF;
    p.with(RAX, 0xFFFF).memory(0xFF).go(3);
    EXPECT_EQ(p.r(RAX), 1u);
    EXPECT_EQ(p.m(), 1u);
    Code q{{0x0F, 0x42, 0xC1}};  // cmovb: not on the Pentium
    EXPECT_EQ(q.run_to_vector(), 6);
}

// ---- Bits
// ---------------------------------------------------------------------------------------------------

TEST(Bits, RegisterIndexesReachBeyondTheOperand)
{
    Code p{{0x0F, 0xAB, 0x0B}};  // bts [ebx], ecx
    EXPECT_EQ(p.with(RCX, 67).go().m(8), 8u);
    EXPECT_FALSE(p.flag(CF));
    Code q{{0x0F, 0xB3, 0x0B}};  // btr [ebx], ecx
    q.with(RCX, 0xFFFFFFFF).set<u32>(kD - 4, 0xFFFFFFFF);
    EXPECT_EQ(q.go().get<u32>(kD - 4), 0x7FFFFFFFu);
    EXPECT_TRUE(q.flag(CF));
    Code w{{0x66, 0x0F, 0xBB, 0x0B}};  // btc [ebx], cx: the index is signed and 16 bits wide
    w.with(RCX, 0x1234FFF0);
    EXPECT_EQ(w.go().get<u16>(kD - 2), 1);
}

TEST(Bits, ImmediateIndexesDoNot)
{
    Code p{{0x0F, 0xBA, 0x2B, 0x23, 0x0F, 0xBA, 0x23,
            0x03}};  // bts dword [ebx], 35; bt dword [ebx], 3
    EXPECT_EQ(p.go().m(), 8u);
    EXPECT_TRUE(p.go().flag(CF));
}

TEST(Bits, InRegistersTheIndexWraps)
{
    Code p{{0x0F, 0xA3, 0xC8, 0x66, 0x0F, 0xBB, 0xC8}};  // bt eax, ecx; btc ax, cx
    p.with(RAX, 0x80000000).with(RCX, 63).go();
    EXPECT_TRUE(p.flag(CF));
    EXPECT_EQ(p.go().r(RAX), 0x80008000u);
}

TEST(Bits, Scans)
{
    Code p{{0x0F, 0xBC, 0x03, 0x0F, 0xBD, 0x0B, 0x0F, 0xBC,
            0xD6}};  // bsf eax, [ebx]; bsr ecx, [ebx]; bsf edx, esi
    p.memory(0x00100800).with(RDX, 77).go(2);
    EXPECT_EQ(p.r(RAX), 11u);
    EXPECT_EQ(p.r(RCX), 20u);
    EXPECT_FALSE(p.flag(ZF));
    p.go();
    EXPECT_TRUE(p.flag(ZF));
    EXPECT_EQ(p.r(RDX), 77u);
}

TEST(Bits, DoubleShifts)
{
    Code p{{0x0F, 0xA4, 0xC8, 0x08, 0x0F, 0xAD, 0x13}};  // shld eax, ecx, 8; shrd [ebx], edx, cl
    p.with(RAX, 0x12345678).with(RCX, 0xABCDEF04).with(RDX, 0xF).memory(0x87654321).go(2);
    EXPECT_EQ(p.r(RAX), 0x345678ABu);
    EXPECT_EQ(p.m(), 0xF8765432u);
    EXPECT_FALSE(p.flag(CF));
}

TEST(Bits, Bswap)
{
    Code p{{0x0F, 0xC9}};
    EXPECT_EQ(p.with(RCX, 0x12345678).go().r(RCX), 0x78563412u);
    Code q{{0x0F, 0xC9}, "80386"};
    EXPECT_EQ(q.run_to_vector(), 6);
}

// ---- Exchanges with memory
// -----------------------------------------------------------------------------------

TEST(Exchange, Xadd)
{
    Code p{{0x0F, 0xC1, 0x03, 0x0F, 0xC0, 0xE0}};  // xadd [ebx], eax; xadd al, ah
    p.with(RAX, 3).memory(0xFFFFFFFE).go();
    EXPECT_EQ(p.m(), 1u);
    EXPECT_EQ(p.r(RAX), 0xFFFFFFFEu);
    EXPECT_TRUE(p.flag(CF));
    p.go();
    EXPECT_EQ(p.r(RAX), 0xFFFFFEFDu);
}

TEST(Exchange, Cmpxchg)
{
    Code p{{0x0F, 0xB1, 0x0B, 0x0F, 0xB1, 0x0B}};  // cmpxchg [ebx], ecx
    p.with(RAX, 5).with(RCX, 9).memory(5).go();
    EXPECT_TRUE(p.flag(ZF));
    EXPECT_EQ(p.m(), 9u);
    EXPECT_EQ(p.r(RAX), 5u);
    p.go();
    EXPECT_FALSE(p.flag(ZF));
    EXPECT_EQ(p.r(RAX), 9u);
    EXPECT_EQ(p.m(), 9u);
}

TEST(Exchange, Cmpxchg8b)
{
    Code p{{0x0F, 0xC7, 0x0E, 0x0F, 0xC7, 0x0E}};  // cmpxchg8b [esi]
    p.with(RSI, kD).with(RAX, 1).with(RDX, 2).with(RBX, 3).with(RCX, 4).memory(1).memory(2, 4);
    p.cpu.state.rflags |= CF;
    p.go();
    EXPECT_EQ(p.m(), 3u);
    EXPECT_EQ(p.m(4), 4u);
    EXPECT_EQ(p.flags() & kArithmeticFlags, u32{CF | ZF});
    p.go();
    EXPECT_FALSE(p.flag(ZF));
    EXPECT_EQ(p.r(RAX), 3u);
    EXPECT_EQ(p.r(RDX), 4u);
    Code lock{{0xF0, 0x0F, 0xC7, 0xC8}};  // lock cmpxchg8b eax: no register form
    EXPECT_EQ(lock.run_to_vector(), 6);
}

TEST(Exchange, LockNeedsAMemoryDestination)
{
    Code ok{{0xF0, 0x01, 0x03}}, reg{{0xF0, 0x01, 0xC3}}, load{{0xF0, 0x03, 0x03}},
        mov{{0xF0, 0x89, 0x03}};
    EXPECT_EQ(ok.with(RAX, 2).go().m(), 2u);
    for (Code* p : {&reg, &load, &mov}) EXPECT_EQ(p->run_to_vector(), 6);
}

// ---- Multiplication and division
// ---------------------------------------------------------------------------

TEST(Multiply, AllFormsOfImul)
{
    // imul eax, [ebx]; imul ecx, [ebx], -2; imul edx, [ebx], 10000h
    Code p{{0x0F, 0xAF, 0x03, 0x6B, 0x0B, 0xFE, 0x69, 0x13, 0x00, 0x00, 0x01, 0x00}};
    p.with(RAX, 0xFFFFFFFD).memory(7).go();
    EXPECT_EQ(p.r(RAX), static_cast<u32>(-21));
    EXPECT_FALSE(p.flag(CF | OF));
    p.go(2);
    EXPECT_EQ(p.r(RCX), static_cast<u32>(-14));
    EXPECT_EQ(p.r(RDX), 0x70000u);
    Code o{{0x6B, 0x0B, 0x04}};
    EXPECT_TRUE(o.memory(0x40000000).go().flag(CF));
    EXPECT_TRUE(o.flag(OF));
}

TEST(Multiply, Wide)
{
    Code p{{0xF7, 0x23, 0xF7, 0x2B}};  // mul dword [ebx]; imul dword [ebx]
    p.with(RAX, 0xFFFFFFFF).memory(0xFFFFFFFF).go();
    EXPECT_EQ(p.r(RDX), 0xFFFFFFFEu);
    EXPECT_EQ(p.r(RAX), 1u);
    EXPECT_TRUE(p.flag(CF));
    p.with(RAX, 5).go();
    EXPECT_EQ(p.r(RDX), 0xFFFFFFFFu);
    EXPECT_EQ(p.r(RAX), static_cast<u32>(-5));
    EXPECT_FALSE(p.flag(CF));
}

TEST(Divide, QuotientsThatDoNotFitAreFaults)
{
    struct Case {
        int modrm;
        u32 edx, eax, divisor;
        bool fault;
        u32 quotient, remainder;
    };
    const Case cases[] = {
        {0x33, 1, 5, 2, false, 0x80000002, 1},  // div
        {0x33, 2, 0, 2, true, 0, 0},
        {0x33, 0, 5, 0, true, 0, 0},
        {0x3B, 0xFFFFFFFF, 0xFFFFFFF9, 2, false, static_cast<u32>(-3),
         static_cast<u32>(-1)},  // idiv
        {0x3B, 0, 0x80000000, 1, true, 0, 0},
        {0x3B, 0xFFFFFFFF, 0x80000000, 1, false, 0x80000000, 0},
        {0x3B, 0xFFFFFFFF, 0x80000000, 0xFFFFFFFF, true, 0, 0},
        {0x3B, 0x80000000, 0, 0xFFFFFFFF, true, 0, 0},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(testing::Message() << std::hex << c.edx << ':' << c.eax << " / " << c.divisor);
        Code p{{0xF7, c.modrm, 0xF4}};
        p.with(RDX, c.edx).with(RAX, c.eax).memory(c.divisor);
        EXPECT_EQ(p.run_to_vector(), c.fault ? 0 : -1);
        EXPECT_EQ(p.r(RAX), c.fault ? c.eax : c.quotient);
        EXPECT_EQ(p.r(RDX), c.fault ? c.edx : c.remainder);
        if (c.fault) {
            EXPECT_EQ(p.stack(0), kC);
        }
    }
}

TEST(Divide, AamByZeroFaults)
{
    Code p{{0xD4, 0x00}}, m{{0xD4, 0x0A}}, d{{0xD5, 0x0A}};
    EXPECT_EQ(p.run_to_vector(), 0);
    EXPECT_EQ(m.with(RAX, 63).go().r(RAX), 0x603u);
    EXPECT_EQ(d.with(RAX, 0x603).go().r(RAX), 63u);
}

// ---- Flags and rest
// ------------------------------------------------------------------------------------------

TEST(Flags, OneByOne)
{
    Code p{{0xF9, 0xF5, 0xF9, 0xF8, 0xFD, 0xFC, 0xD6}};  // stc; cmc; stc; clc; std; cld; salc
    EXPECT_TRUE(p.go().flag(CF));
    EXPECT_FALSE(p.go().flag(CF));
    EXPECT_TRUE(p.go().flag(CF));
    EXPECT_FALSE(p.go().flag(CF));
    EXPECT_TRUE(p.go().flag(DF));
    EXPECT_FALSE(p.go().flag(DF));
    EXPECT_EQ(p.with(RAX, 0xFF).go().r(RAX), 0u);
}

TEST(Decoding, FifteenBytesAreTheLimit)
{
    Program::Bytes ok(14, 0x66), bad(15, 0x66);
    ok.push_back(0x90);
    bad.push_back(0x90);
    Code p{ok}, q{bad};
    EXPECT_EQ(p.go().ip(), kC + 15);
    EXPECT_EQ(q.run_to_vector(), 13);
    EXPECT_EQ(q.error_ip(), kC);
}

TEST(Decoding, ExecutionFollowsOutOfRamAsOnes)
{
    // FF FF is no instruction: #UD.
    Code p{{0xB8, 0x00, 0x00, 0x00, 0x01, 0xFF, 0xE0}};  // mov eax, 1000000h; jmp eax
    EXPECT_EQ(p.run_to_vector(), 6);
    EXPECT_EQ(p.stack(0), 0x1000000u);
}

}  // namespace
}  // namespace reprise
