/// Instructions that are more than arithmetic, each by a few bytes of code: Intel SDM vol. 2,
/// "Operation".
#include <gtest/gtest.h>

#include "cpu/opcodes.h"
#include "tests/cpu/program.h"

namespace reprise {
namespace {

constexpr u32 kC = Program::kCode, kD = Program::kData, kStack = Program::kStack;

/// Flat 32-bit code at level 0; EBX points at kData.
class Code : public Program {
public:
    explicit Code(const Bytes& bytes, const char* model = "pentium") : Program(model)
    {
        start_protected();
        code(bytes);
        reg(RBX) = kData;
    }
    Code& with(Gpr r, u32 value)
    {
        reg(r) = value;
        return *this;
    }
    Code& memory(u32 value, u32 offset = 0)
    {
        set<u32>(kData + offset, value);
        return *this;
    }
    Code& go(u64 instructions = 1)
    {
        step(instructions);
        return *this;
    }
    u32 r(Gpr which) const { return static_cast<u32>(cpu.state.gpr[which]); }
    u32 m(u32 offset = 0) const { return get<u32>(kData + offset); }
    bool flag(u32 f) const { return (cpu.state.rflags & f) != 0; }
};

/// 16-bit real-mode code.
class Real : public Program {
public:
    explicit Real(const Bytes& bytes, const char* model = "pentium") : Program(model)
    {
        start_real();
        code(bytes);
    }
};

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
