/// Segment registers, far transfers and port permissions. Expected values: Intel SDM vol. 3A,
/// chapters 3 and 5, vol. 1, 19.5, and vol. 2, "Operation".
#include <gtest/gtest.h>

#include "tests/cpu/protected_machine.h"

namespace reprise {
namespace {

// ---- Segments ----------------------------------------------------------------------------------

TEST(Segments, ProtectedModeIsEnteredAndLeftWithItsLimits)
{
    Protected pc;
    pc.start();
    pc.cpu.state.cr0 &= ~u64{kCr0Pe};
    pc.start_real();
    pc.cpu.state.gdtr = {0, 0};
    pc.set(0x1800, 2, 0xFF);  // the operand of LGDT: the GDT is behind it
    pc.set(0x1802, 4, 0x5000);
    for (u32 i = 0; i < 0x100; ++i) pc.byte(0x5000 + i) = pc.byte(kGdt + i);
    pc.code(0x1000, {0x2E, 0x0F, 0x01, 0x16, 0x00, 0x08,                // LGDT CS:[0800]
                     0x0F, 0x20, 0xC0, 0x0C, 0x01, 0x0F, 0x22, 0xC0,    // MOV CR0, CR0 | 1
                     0x66, 0xEA, 0x00, 0x40, 0x01, 0x00, 0x08, 0x00});  // JMP 0008:00014000
    pc.code(0x14000, {0xB8, 0x10, 0, 0, 0, 0x8E, 0xD8,                  // MOV DS, 10h
                      0xEA, 0x00, 0x50, 0, 0, 0x80, 0x00});             // JMP 0080:5000 (16 bit)
    // GDT at 5000h overlaps nothing up to 5100h; go on at 5200h instead.
    pc.set(0x14008, 2, 0x5200);
    pc.code(0x5200, {0x0F, 0x20, 0xC0, 0x24, 0xFE, 0x0F, 0x22, 0xC0,    // MOV CR0, CR0 & ~1
                     0xEA, 0x00, 0x00, 0x30, 0x05});                    // JMP 0530:0000
    pc.code(0x5300, {0x31, 0xC0, 0x8E, 0xD8,                            // MOV DS, 0
                     0x67, 0x66, 0xA1, 0x00, 0x00, 0x12, 0x00, 0xF4});  // MOV EAX, [120000h]
    pc.set(0x120000, 4, 0xCAFEBABE);
    pc.run();
    EXPECT_TRUE(pc.cpu.state.halted);
    EXPECT_EQ(pc.reg(RAX), 0xCAFEBABE) << "real mode keeps the limit of 4 GB";
    EXPECT_EQ(pc.cpu.state.seg[CS].base, 0x5300u);
}

struct BadSelector {
    u8 seg;  // as in ModRM of 8E
    u16 selector;
    u8 vector;
    u16 error;
};

TEST(Segments, BadSelectorsFaultWithTheirErrorCodes)
{
    const BadSelector cases[] = {
        {DS, 0x100, kGeneralProtection, 0x100},  // behind the GDT
        {DS, 0x0C, kGeneralProtection, 0x0C},    // no LDT
        {DS, kTssA, kGeneralProtection, kTssA},  // a system segment
        {ES, kExecuteOnly, kGeneralProtection, kExecuteOnly},
        {DS, kData0 | 3, kGeneralProtection, kData0},  // RPL > DPL
        {FS, kAbsent, kSegmentNotPresent, kAbsent},
        {SS, 0, kGeneralProtection, 0},
        {SS, kData3, kGeneralProtection, kData3 & ~3},  // DPL != CPL
        {SS, kData0 | 1, kGeneralProtection, kData0},   // RPL != CPL
        {SS, kReadOnly, kGeneralProtection, kReadOnly},
        {SS, kCode0, kGeneralProtection, kCode0},
    };
    for (const BadSelector& c : cases) {
        Protected pc;
        pc.start();
        pc.code(kCode, {0x66, 0xB8, c.selector & 0xFF, c.selector >> 8, 0x8E, 0xC0 | c.seg << 3});
        pc.run();
        SCOPED_TRACE(::testing::Message() << "selector " << c.selector << " to " << int{c.seg});
        EXPECT_TRUE(pc.faulted(c.vector, c.error));
        EXPECT_EQ(pc.stack(4), kCode + 4u);
        EXPECT_TRUE(pc.stack(12) & RF) << "faults push RF set";
    }
}

TEST(Segments, StackSegmentThatIsNotPresentIsAStackFault)
{
    Protected pc;
    pc.descriptor(kAbsent, 0, 0xFFFFF, 0x13, 0xC);
    pc.start();
    pc.code(kCode, {0x66, 0xB8, kAbsent, 0, 0x8E, 0xD0});
    pc.run();
    EXPECT_TRUE(pc.faulted(kStackFault, kAbsent));
}

TEST(Segments, NullSelectorLoadsButItsUseFaults)
{
    Protected pc;
    pc.start();
    pc.code(kCode, {0x31, 0xC0, 0x8E, 0xD8, 0xA1, 0, 0, 0, 0});  // MOV DS, 0; MOV EAX, [0]
    pc.run();
    EXPECT_TRUE(pc.faulted(kGeneralProtection, 0));
    EXPECT_EQ(pc.stack(4), kCode + 4u);
}

TEST(Segments, LoadingMarksTheDescriptorAccessed)
{
    Protected pc;
    pc.descriptor(kLast, 0x12345678, 0xFFFFF, 0x92, 0xC);
    pc.start();
    ASSERT_TRUE(pc.cpu.load_segment(GS, kLast));
    EXPECT_EQ(pc.byte(kGdt + kLast + 5), 0x93);
    EXPECT_EQ(pc.cpu.state.seg[GS].base, 0x12345678u);
    EXPECT_EQ(pc.cpu.state.seg[GS].limit, 0xFFFFFFFFu);
}

TEST(Segments, A286IgnoresTheLastWordOfADescriptor)
{
    Protected pc{"80286"};
    pc.descriptor(kLast, 0x12345678, 0xF1234, 0x92, 0xC);
    pc.cpu.state.cpl = 0;
    ASSERT_TRUE(pc.cpu.load_segment(ES, kLast));
    EXPECT_EQ(pc.cpu.state.seg[ES].base, 0x345678u);
    EXPECT_EQ(pc.cpu.state.seg[ES].limit, 0x1234u);
    EXPECT_FALSE(pc.cpu.load_tr(kTssBs)) << "a 386 TSS is no TSS to a 286";
}

TEST(Segments, LdtHoldsItsOwnDescriptors)
{
    Protected pc;
    pc.set(kLdt + 8, 4, 0x0000FFFF);
    pc.set(kLdt + 12, 4, 0x00CF9309);  // base 090000h
    pc.start();
    ASSERT_TRUE(pc.cpu.load_ldtr(kLdtSelector));
    EXPECT_TRUE(pc.cpu.load_segment(ES, 0x0C));
    EXPECT_EQ(pc.cpu.state.seg[ES].base, 0x90000u);
    EXPECT_FALSE(pc.cpu.load_segment(ES, 0x14)) << "behind its limit";
    EXPECT_FALSE(pc.cpu.load_ldtr(kTssBs));
    EXPECT_TRUE(pc.cpu.load_ldtr(0));
    EXPECT_FALSE(pc.cpu.load_segment(ES, 0x0C));
}

TEST(Segments, LtrMarksItsTssBusyOnce)
{
    Protected pc;
    pc.start();
    EXPECT_EQ(pc.byte(kGdt + kTssA + 5), 0x8B);
    EXPECT_FALSE(pc.cpu.load_tr(kTssA)) << "busy";
    EXPECT_TRUE(pc.cpu.load_tr(kTssBs));
}

// ---- Transfers ---------------------------------------------------------------------------------

TEST(Transfers, CallGateCopiesParametersInwardsAndRetReleasesThem)
{
    Protected pc;
    pc.gate(kGdt + kGate, kCode0, kCode, 0xEC, 2);
    pc.start(3, kUserCode);
    pc.code(kUserCode, {0x68, 0x11, 0x11, 0, 0, 0x68, 0x22, 0x22, 0, 0,  // PUSH 1111h, 2222h
                        0x9A, 0, 0, 0, 0, kGate | 3, 0,                  // CALL gate
                        0xCD, 0x80});
    pc.code(kCode, {0x8B, 0x44, 0x24, 0x08,              // MOV EAX, [ESP+8]: the last parameter
                    0x8B, 0x5C, 0x24, 0x0C,              // MOV EBX, [ESP+12]
                    0x8B, 0x4C, 0x24, 0x10,              // MOV ECX, [ESP+16]: ESP of the caller
                    0x89, 0xE2,                          // MOV EDX, ESP
                    0x66, 0xBE, 0x10, 0x00, 0x8E, 0xC6,  // MOV ES, 10h: DPL 0
                    0xCA, 0x08, 0x00});                  // RETF 8
    pc.run();
    EXPECT_EQ(pc.vector(), 0x80);
    EXPECT_EQ(pc.reg(RAX), 0x2222u);
    EXPECT_EQ(pc.reg(RBX), 0x1111u);
    EXPECT_EQ(pc.reg(RCX), kStack3 - 8);
    EXPECT_EQ(pc.reg(RDX), kStack0 - 24);
    // INT 80h pushed what the return restored: both stacks are balanced.
    EXPECT_EQ(pc.stack(0), kUserCode + 19);
    EXPECT_EQ(pc.stack(4), kCode3);
    EXPECT_EQ(pc.stack(12), kStack3);
    EXPECT_EQ(pc.stack(16), kData3);
    EXPECT_EQ(pc.cpu.state.seg[ES].selector, 0) << "a return outwards drops inner segments";
    EXPECT_FALSE(pc.cpu.state.seg[ES].present());
    EXPECT_EQ(pc.cpu.state.seg[DS].selector, kData3);
}

TEST(Transfers, CallGateOf16BitsPushesWords)
{
    Protected pc;
    pc.gate(kGdt + kGate, kCode16, 0x5000, 0xE4, 1);
    pc.start(3, kUserCode);
    pc.code(kUserCode, {0x66, 0x68, 0x34, 0x12, 0x9A, 0, 0, 0, 0, kGate | 3, 0});
    pc.byte(0x5000) = 0xF4;
    pc.run();
    EXPECT_EQ(pc.cpu.state.rip, 0x5001u);
    EXPECT_EQ(pc.reg(RSP), kStack0 - 10);
    EXPECT_EQ(pc.stack(0) & 0xFFFF, (kUserCode + 11) & 0xFFFF);
    EXPECT_EQ(pc.stack(0) >> 16, kCode3);
    EXPECT_EQ(pc.stack(4) & 0xFFFF, 0x1234u);
    EXPECT_EQ(pc.stack(4) >> 16, (kStack3 - 2) & 0xFFFF);
}

struct BadTarget {
    u16 selector;
    u8 level;
    u8 vector;
    u16 error;
};

TEST(Transfers, BadFarPointersFaultWithTheirErrorCodes)
{
    const BadTarget cases[] = {
        {0, 0, kGeneralProtection, 0},
        {0x100, 0, kGeneralProtection, 0x100},
        {kData0, 0, kGeneralProtection, kData0},
        {kCode0, 3, kGeneralProtection, kCode0},       // more privileged
        {kCode3, 0, kGeneralProtection, kCode3 & ~3},  // less privileged
        {kAbsentCode, 0, kSegmentNotPresent, kAbsentCode},
        {kTssA, 0, kGeneralProtection, kTssA},    // busy
        {kTssBs, 3, kGeneralProtection, kTssBs},  // DPL 0
        {kLdtSelector, 0, kGeneralProtection, kLdtSelector},
        {kGate, 3, kGeneralProtection, kGate},  // DPL 0
    };
    for (const BadTarget& c : cases) {
        for (const int opcode : {0xEA, 0x9A}) {
            Protected pc;
            pc.gate(kGdt + kGate, kCode0, kCode, 0x8C);
            pc.start(c.level);
            pc.code(kCode, {opcode, 0, 0x40, 1, 0, c.selector & 0xFF, c.selector >> 8});
            pc.run();
            SCOPED_TRACE(::testing::Message() << "selector " << c.selector);
            EXPECT_TRUE(pc.faulted(c.vector, c.error));
            EXPECT_EQ(pc.stack(4), kCode);
        }
    }
}

TEST(Transfers, ConformingCodeRunsAtTheCallersLevel)
{
    Protected pc;
    pc.start(3, kUserCode);
    pc.code(kUserCode, {0xEA, 0, 0, 1, 0, kConforming, 0});
    pc.code(kCode, {0xCD, 0x80});
    pc.run();
    EXPECT_EQ(pc.vector(), 0x80);
    EXPECT_EQ(pc.stack(4), kConforming | 3u);
}

TEST(Transfers, InnerStackFaultsNameItsSelector)
{
    struct {
        u16 ss;
        u8 vector;
        u16 error;
    } const cases[] = {
        {0, kInvalidTss, 0},
        {0x100, kInvalidTss, 0x100},
        {kReadOnly, kInvalidTss, kReadOnly},
        {kData3, kInvalidTss, kData3 & ~3},
        {kAbsent, kStackFault, kAbsent},
        {kSmallStack, kStackFault, kSmallStack},  // no room: SP is 8
    };
    for (const auto& c : cases) {
        Protected pc;
        pc.descriptor(kAbsent, 0, 0xFFFFF, 0x13, 0xC);
        pc.gate(kGdt + kGate, kCode0, kCode, 0xEC, 0);
        // Faults get a task of their own, as their stack would be the bad one too.
        pc.gate(kIdt + c.vector * 8, kTssBs, 0, 0x85);
        pc.set(kTssB + 0x20, 4, kHandlers);
        pc.byte(kHandlers) = 0xF4;
        pc.set(kTssB + 0x24, 4, 2);
        pc.set(kTssB + 0x38, 4, kStack0);
        pc.set(kTssB + 0x4C, 2, kCode0);
        pc.set(kTssB + 0x50, 2, kData0);
        pc.set(kTss + 4, 4, 8);
        pc.set(kTss + 8, 2, c.ss);
        pc.start(3, kUserCode);
        pc.code(kUserCode, {0x9A, 0, 0, 0, 0, kGate | 3, 0});
        pc.run();
        SCOPED_TRACE(::testing::Message() << "stack " << c.ss);
        EXPECT_TRUE(pc.cpu.state.halted);
        EXPECT_EQ(pc.cpu.state.tr.selector, kTssBs);
        EXPECT_EQ(pc.stack(0), c.error);
        EXPECT_EQ(pc.get(kTss + 0x20, 4), kUserCode) << "the old task can go on";
        EXPECT_EQ(pc.get(kTss + 0x38, 4), kStack3);
    }
}

TEST(Transfers, ReturnInwardsIsRefused)
{
    Protected pc;
    pc.start(3, kUserCode);
    pc.code(kUserCode, {0x6A, kCode0, 0x68, 0, 0, 1, 0, 0xCB});
    pc.run();
    EXPECT_TRUE(pc.faulted(kGeneralProtection, kCode0));
    EXPECT_EQ(pc.stack(16), kStack3 - 8) << "SP is that before RETF";
}

TEST(Transfers, PushBehindTheStacksLimitIsAStackFault)
{
    Protected pc;
    pc.start(3, kUserCode);
    pc.descriptor(kSmallStack, 0x60000, 0xF, kDataRw | 0x60, 4);
    pc.code(kUserCode, {0x66, 0xB8, kSmallStack | 3, 0, 0x8E, 0xD0, 0xBC, 0x12, 0, 0, 0, 0x9A, 0, 0,
                        1, 0, kCode3, 0});  // ESP = 12h: CALL needs 0A..11h
    pc.run();
    EXPECT_TRUE(pc.faulted(kStackFault, 0));
    EXPECT_EQ(pc.stack(4), kUserCode + 11);
}

// ---- Ports -------------------------------------------------------------------------------------

TEST(Ports, BitmapDecidesBelowIopl)
{
    Protected pc;
    pc.set(kTss + 0x68, 2, 0xFF02);  // ports 0 to 7 but 1; the closing byte
    pc.start(3, kUserCode);
    pc.code(kUserCode, {0xE4, 0x02, 0xE4, 0x01});  // IN AL, 2; IN AL, 1
    pc.run();
    EXPECT_TRUE(pc.faulted(kGeneralProtection, 0));
    EXPECT_EQ(pc.stack(4), kUserCode + 2);
    EXPECT_EQ(pc.bus.last_port, 2);

    Protected allowed;
    allowed.start(3, kUserCode);
    allowed.cpu.state.rflags |= IOPL;
    allowed.cpu.state_loaded();
    allowed.code(kUserCode, {0xE4, 0x71, 0xCD, 0x80});
    allowed.run();
    EXPECT_EQ(allowed.vector(), 0x80);
    EXPECT_EQ(allowed.bus.last_port, 0x71);
}

}  // namespace
}  // namespace reprise
