/// The decoder by hand-written cases. Random code is decoder_zydis_test.cpp.
/// Expectations: Intel SDM vol. 2A, chapter 2, and vol. 2D, appendix A.
#include "cpu/decoder.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "cpu/opcodes.h"

namespace reprise {
namespace {

struct Decoded {
    DecodeResult result;
    Insn insn;

    const Opcode& row() const { return opcodes()[insn.opcode]; }
    std::string_view mnemonic() const { return row().mnemonic; }
};

Decoded decode_as(CodeSize size, const std::vector<u8>& code, Level level = Level::PentiumPro,
                  bool real_or_v86 = false)
{
    Decoded d{};
    d.result = decode(code, {size, real_or_v86, level}, d.insn);
    return d;
}
Decoded decode16(const std::vector<u8>& code, Level level = Level::PentiumPro)
{
    return decode_as(CodeSize::Bits16, code, level);
}
Decoded decode32(const std::vector<u8>& code, Level level = Level::PentiumPro)
{
    return decode_as(CodeSize::Bits32, code, level);
}
Decoded decode64(const std::vector<u8>& code) { return decode_as(CodeSize::Bits64, code); }

void expect_address(const Insn& insn, u8 base, u8 index, int scale, i32 disp, Seg seg)
{
    EXPECT_TRUE(insn.memory);
    EXPECT_EQ(insn.base, base);
    EXPECT_EQ(insn.index_reg, index);
    EXPECT_EQ(insn.scale, scale);
    EXPECT_EQ(insn.disp, disp);
    EXPECT_EQ(insn.seg, seg);
}

constexpr u8 kNone = kZeroRegister;

TEST(Decoder, SixteenBitAddressesAddABaseAndAnIndex)
{
    const Decoded d = decode16({0x8B, 0x40, 0x10});  // mov ax, [bx+si+10]
    EXPECT_EQ(d.insn.length, 3);
    EXPECT_EQ(d.insn.size, 2);
    EXPECT_EQ(d.insn.dst, RAX);
    EXPECT_EQ(d.insn.address_mask(), 0xFFFFu);
    expect_address(d.insn, RBX, RSI, 0, 0x10, DS);
}

TEST(Decoder, SixteenBitAddressesWithBpAreInTheStackSegment)
{
    expect_address(decode16({0x8A, 0x02}).insn, RBP, RSI, 0, 0, SS);
    expect_address(decode16({0x8A, 0x43, 0xFF}).insn, RBP, RDI, 0, -1, SS);
    expect_address(decode16({0x8A, 0x46, 0x00}).insn, RBP, kNone, 0, 0, SS);
}

TEST(Decoder, SixteenBitModZeroWithRmSixIsADisplacementInTheDataSegment)
{
    const Decoded d = decode16({0x8A, 0x06, 0x34, 0x12});
    EXPECT_EQ(d.insn.length, 4);
    expect_address(d.insn, kNone, kNone, 0, 0x1234, DS);
}

TEST(Decoder, ThirtyTwoBitModZeroWithRmFiveIsADisplacement)
{
    const Decoded d = decode32({0x8B, 0x05, 0x78, 0x56, 0x34, 0x12});
    EXPECT_EQ(d.insn.length, 6);
    EXPECT_EQ(d.insn.address_mask(), 0xFFFFFFFFu);
    expect_address(d.insn, kNone, kNone, 0, 0x12345678, DS);
}

TEST(Decoder, SixtyFourBitModZeroWithRmFiveIsRelativeToRip)
{
    const Decoded d = decode64({0x8B, 0x05, 0xFC, 0xFF, 0xFF, 0xFF});
    EXPECT_EQ(d.insn.address_mask(), ~u64{0});
    expect_address(d.insn, kBlockIpRegister, kNone, 0, -4, DS);
}

TEST(Decoder, AddressWithoutBaseInTheSibByteIsAbsoluteInSixtyFourBitModeToo)
{
    expect_address(decode64({0x8B, 0x04, 0x25, 1, 0, 0, 0}).insn, kNone, kNone, 0, 1, DS);
}

TEST(Decoder, SibByteGivesBaseIndexAndScale)
{
    expect_address(decode32({0x8B, 0x84, 0x8B, 1, 2, 3, 0}).insn, RBX, RCX, 2, 0x030201, DS);
    expect_address(decode32({0x8B, 0x04, 0x2C}).insn, RSP, RBP, 0, 0, SS);
    expect_address(decode32({0x8B, 0x04, 0xCD, 4, 0, 0, 0}).insn, kNone, RCX, 3, 4, DS);
}

TEST(Decoder, SibIndexFourIsNoIndexButWithRexXItIsR12)
{
    expect_address(decode32({0x8B, 0x04, 0xE4}).insn, RSP, kNone, 0, 0, SS);
    expect_address(decode64({0x42, 0x8B, 0x04, 0x64}).insn, RSP, 12, 1, 0, SS);
}

TEST(Decoder, R12AndR13AsABaseAreEncodedLikeRspAndRbpButUseTheDataSegment)
{
    expect_address(decode64({0x41, 0x8B, 0x04, 0x24}).insn, 12, kNone, 0, 0, DS);
    expect_address(decode64({0x41, 0x8B, 0x45, 0x00}).insn, 13, kNone, 0, 0, DS);
}

TEST(Decoder, AddressSizePrefixSwitchesToTheOtherSize)
{
    expect_address(decode16({0x67, 0x8B, 0x04, 0x8B}).insn, RBX, RCX, 2, 0, DS);
    expect_address(decode32({0x67, 0x8B, 0x00}).insn, RBX, RSI, 0, 0, DS);
    EXPECT_EQ(decode64({0x67, 0x8B, 0x00}).insn.address_mask(), 0xFFFFFFFFu);
}

TEST(Decoder, OperandSizePrefixSwitchesToTheOtherSize)
{
    EXPECT_EQ(decode16({0x66, 0x89, 0xC0}).insn.size, 4);
    EXPECT_EQ(decode32({0x66, 0x89, 0xC0}).insn.size, 2);
    EXPECT_EQ(decode64({0x66, 0x89, 0xC0}).insn.size, 2);
    EXPECT_EQ(decode64({0x66, 0x48, 0x89, 0xC0}).insn.size, 8);
}

TEST(Decoder, ByteRegistersFourToSevenAreTheHighBytes)
{
    const Decoded d = decode32({0x88, 0xFC});  // mov ah, bh
    EXPECT_EQ(d.insn.size, 1);
    EXPECT_EQ(d.insn.dst, RAX | kHighByte);
    EXPECT_EQ(d.insn.src, RBX | kHighByte);
}

TEST(Decoder, ByteRegistersFourToSevenAfterRexAreTheLowBytesOfSplBplSilDil)
{
    const Decoded d = decode64({0x40, 0x88, 0xFC});  // mov spl, dil
    EXPECT_EQ(d.insn.dst, RSP);
    EXPECT_EQ(d.insn.src, RDI);
}

TEST(Decoder, RexCountsOnlyRightBeforeTheOpcode)
{
    const Decoded d = decode64({0x4F, 0x66, 0x89, 0xC0});
    EXPECT_EQ(d.insn.size, 2);
    EXPECT_EQ(d.insn.dst, RAX);
    EXPECT_FALSE(d.insn.prefixes & kPrefixRex);
}

TEST(Decoder, SegmentPrefixesReplaceTheDefaultAndTheLastOneWins)
{
    EXPECT_EQ(decode32({0x2E, 0x8B, 0x45, 0x00}).insn.seg, CS);
    EXPECT_EQ(decode32({0x2E, 0x65, 0x8B, 0x00}).insn.seg, GS);
}

TEST(Decoder, SixtyFourBitModeKnowsOnlyTheFsAndGsPrefixes)
{
    EXPECT_EQ(decode64({0x26, 0x8B, 0x00}).insn.seg, DS);
    EXPECT_EQ(decode64({0x64, 0x2E, 0x8B, 0x00}).insn.seg, FS);
}

TEST(Decoder, ImmediatesAreExtendedByTheirSign)
{
    EXPECT_EQ(decode32({0x83, 0xC0, 0x80}).insn.imm, -128);                                  // Ibs
    EXPECT_EQ(decode64({0x48, 0x05, 0xFF, 0xFF, 0xFF, 0xFF}).insn.imm, -1);                  // Iz
    EXPECT_EQ(decode64({0x48, 0xB8, 1, 2, 3, 4, 5, 6, 7, 8}).insn.imm, 0x0807060504030201);  // Iv
    EXPECT_EQ(decode16({0xB8, 0x34, 0x12}).insn.length, 3);
}

TEST(Decoder, PortNumbersAndStackReleasesAreUnsigned)
{
    EXPECT_EQ(decode32({0xE4, 0xF0}).insn.imm, 0xF0);
    EXPECT_EQ(decode32({0xC2, 0xF0, 0xFF}).insn.imm, 0xFFF0);
}

TEST(Decoder, FarPointersHoldTheOffsetBelowTheSelector)
{
    const Decoded near16 = decode16({0xEA, 0x34, 0x12, 0x00, 0xF0});
    EXPECT_EQ(near16.insn.imm, 0xF000'0000'1234);
    const Decoded wide = decode32({0x9A, 0x78, 0x56, 0x34, 0x92, 0x08, 0x00});
    EXPECT_EQ(wide.insn.imm, 0x0008'9234'5678);
    EXPECT_EQ(wide.insn.length, 7);
}

TEST(Decoder, EnterHoldsTheFrameSizeBelowTheNestingLevel)
{
    EXPECT_EQ(decode32({0xC8, 0x00, 0x80, 0x1F}).insn.imm, 0x1F'0000'8000);
}

TEST(Decoder, MemoryOffsetsAreAsWideAsAddresses)
{
    const Decoded d = decode64({0xA0, 1, 2, 3, 4, 5, 6, 7, 0x88});
    EXPECT_EQ(static_cast<u64>(d.insn.imm), 0x8807060504030201);
    EXPECT_EQ(d.insn.length, 9);
    EXPECT_EQ(decode64({0x67, 0xA1, 0xFF, 0xFF, 0xFF, 0xFF}).insn.imm, 0xFFFFFFFF);
    EXPECT_EQ(decode16({0xA1, 0xFE, 0xFF}).insn.imm, 0xFFFE);
}

TEST(Decoder, StackAndNearBranchInstructionsAreSixtyFourBitsWideInSixtyFourBitMode)
{
    EXPECT_EQ(decode64({0x50}).insn.size, 8);
    EXPECT_EQ(decode64({0x66, 0x50}).insn.size, 2);
    EXPECT_EQ(decode64({0x6A, 0xFF}).insn.size, 8);
    EXPECT_EQ(decode64({0xC3}).insn.size, 8);
    EXPECT_EQ(decode64({0xFF, 0xD0}).insn.size, 8);
    EXPECT_EQ(decode64({0xCB}).insn.size, 4);
}

TEST(Decoder, NearBranchesIgnoreTheOperandSizePrefixInSixtyFourBitMode)
{
    const Decoded jump = decode64({0x66, 0xE9, 0, 0, 0, 0x80});
    EXPECT_EQ(jump.insn.length, 6);
    EXPECT_EQ(jump.insn.size, 8);
    EXPECT_EQ(jump.insn.imm, -0x80000000LL);
    EXPECT_EQ(decode64({0x66, 0xC3}).insn.size, 8);
    EXPECT_EQ(decode32({0x66, 0xE9, 0x00, 0x80}).insn.imm, -0x8000);
}

TEST(Decoder, MovesWithExtensionAreAsWideAsTheirDestination)
{
    EXPECT_EQ(decode32({0x0F, 0xB6, 0xC0}).insn.size, 4);
    EXPECT_EQ(decode16({0x0F, 0xBE, 0xC0}).insn.size, 2);
    EXPECT_EQ(decode64({0x48, 0x0F, 0xB7, 0xC0}).insn.size, 8);
}

TEST(Decoder, PortsAreNoWiderThanThirtyTwoBits)
{
    EXPECT_EQ(decode64({0x48, 0xED}).insn.size, 4);
    EXPECT_EQ(decode64({0x48, 0x6F}).insn.size, 4);
    EXPECT_EQ(decode64({0x66, 0xED}).insn.size, 2);
}

TEST(Decoder, ControlRegistersAreAsWideAsTheMode)
{
    EXPECT_EQ(decode16({0x0F, 0x20, 0xC0}).insn.size, 4);
    EXPECT_EQ(decode32({0x66, 0x0F, 0x22, 0xD8}).insn.size, 4);
    EXPECT_EQ(decode64({0x0F, 0x20, 0xD8}).insn.size, 8);
}

TEST(Decoder, MovesOfControlRegistersIgnoreMod)
{
    const Decoded d = decode32({0x0F, 0x20, 0x05});  // as C5: mov ebp, cr0
    EXPECT_EQ(d.result, DecodeResult::Ok);
    EXPECT_EQ(d.insn.length, 3);
    EXPECT_EQ(d.insn.dst, RBP);
    EXPECT_FALSE(d.insn.memory);
}

TEST(Decoder, Opcode63IsArplAndInSixtyFourBitModeMovsxd)
{
    EXPECT_EQ(decode32({0x63, 0xC8}).mnemonic(), "arpl");
    EXPECT_EQ(decode64({0x48, 0x63, 0xC8}).mnemonic(), "movsxd");
}

TEST(Decoder, Opcode90WithRexBExchangesWithR8)
{
    EXPECT_EQ(decode64({0x90}).insn.dst, RAX);
    EXPECT_EQ(decode64({0x41, 0x90}).insn.dst, 8);
}

TEST(Decoder, OpcodesOfSixteenBitTimesAreUndefinedInSixtyFourBitMode)
{
    for (const u8 byte : {0x06, 0x07, 0x0E, 0x16, 0x17, 0x1E, 0x1F, 0x27, 0x2F, 0x37, 0x3F,
                          0x60, 0x61, 0x82, 0x9A, 0xC4, 0xC5, 0xCE, 0xD4, 0xD5, 0xD6, 0xEA})
        EXPECT_EQ(decode64({byte, 0x00, 0, 0, 0, 0, 0, 0}).result, DecodeResult::Undefined)
            << +byte;
}

TEST(Decoder, LockIsForMemoryDestinationsOfSomeInstructions)
{
    EXPECT_EQ(decode32({0xF0, 0x01, 0x00}).result, DecodeResult::Ok);         // add [eax], eax
    EXPECT_EQ(decode32({0xF0, 0x01, 0xC0}).result, DecodeResult::Undefined);  // add eax, eax
    EXPECT_EQ(decode32({0xF0, 0x03, 0x00}).result, DecodeResult::Undefined);  // add eax, [eax]
    EXPECT_EQ(decode32({0xF0, 0x39, 0x00}).result, DecodeResult::Undefined);  // cmp [eax], eax
    EXPECT_EQ(decode32({0xF0, 0x89, 0x00}).result, DecodeResult::Undefined);  // mov [eax], eax
    EXPECT_EQ(decode32({0xF0, 0x0F, 0xC7, 0x08}).result, DecodeResult::Ok);   // cmpxchg8b
}

TEST(Decoder, LockIsNotCheckedBeforeThe386)
{
    EXPECT_EQ(decode16({0xF0, 0x89, 0x00}, Level::I80286).result, DecodeResult::Ok);
}

TEST(Decoder, LastRepeatPrefixWins)
{
    EXPECT_EQ(decode32({0xF2, 0xF3, 0xA6}).insn.prefixes, kPrefixRep);
    EXPECT_EQ(decode32({0xF3, 0xF2, 0xA6}).insn.prefixes, kPrefixRepne);
}

TEST(Decoder, FifteenBytesAreAnInstructionAndSixteenAreNot)
{
    std::vector<u8> code(14, 0x66);
    code.push_back(0x90);
    EXPECT_EQ(decode32(code).result, DecodeResult::Ok);
    EXPECT_EQ(decode32(code).insn.length, 15);
    code.insert(code.begin(), 0x66);
    EXPECT_EQ(decode32(code).result, DecodeResult::TooLong);
    EXPECT_EQ(decode32(std::vector<u8>(64, 0x66)).result, DecodeResult::TooLong);
}

TEST(Decoder, The286AllowsTenBytes)
{
    std::vector<u8> code(9, 0x2E);
    code.push_back(0x90);
    EXPECT_EQ(decode16(code, Level::I80286).result, DecodeResult::Ok);
    code.insert(code.begin(), 0x2E);
    EXPECT_EQ(decode16(code, Level::I80286).result, DecodeResult::TooLong);
}

TEST(Decoder, CodeThatEndsInsideTheInstructionIsTruncated)
{
    EXPECT_EQ(decode32({}).result, DecodeResult::Truncated);
    EXPECT_EQ(decode32({0x66}).result, DecodeResult::Truncated);
    EXPECT_EQ(decode32({0x0F}).result, DecodeResult::Truncated);
    EXPECT_EQ(decode32({0x8B}).result, DecodeResult::Truncated);
    EXPECT_EQ(decode32({0x8B, 0x84}).result, DecodeResult::Truncated);
    EXPECT_EQ(decode32({0xB8, 0, 0, 0}).result, DecodeResult::Truncated);
}

TEST(Decoder, InstructionsBelongToAGeneration)
{
    const struct {
        std::vector<u8> code;
        Level first;
    } cases[] = {
        {{0x0F, 0x94, 0xC0}, Level::I80386},      // setz
        {{0x0F, 0xAF, 0xC0}, Level::I80386},      // imul ax, ax
        {{0x0F, 0x20, 0xC0}, Level::I80386},      // mov eax, cr0
        {{0x0F, 0xC8}, Level::I80486},            // bswap
        {{0x0F, 0xC1, 0xC0}, Level::I80486},      // xadd
        {{0x0F, 0x01, 0x38}, Level::I80486},      // invlpg
        {{0x0F, 0xC7, 0x08}, Level::Pentium},     // cmpxchg8b
        {{0x0F, 0x44, 0xC0}, Level::PentiumPro},  // cmovz
    };
    for (const auto& c : cases) {
        EXPECT_EQ(decode16(c.code, c.first).result, DecodeResult::Ok)
            << +c.code[0] << ' ' << +c.code[1];
        const Level before = static_cast<Level>(static_cast<int>(c.first) - 1);
        EXPECT_EQ(decode16(c.code, before).result, DecodeResult::Undefined)
            << +c.code[0] << ' ' << +c.code[1];
    }
}

TEST(Decoder, WhatThe286AddedWasSomethingElseInThe8086)
{
    const struct {
        std::vector<u8> code;
        std::string_view then, now;
    } cases[] = {
        {{0x68, 0, 0}, "js", "push"},      {{0x60, 0}, "jo", "pusha"},
        {{0xC1, 0xE0, 4}, "ret", "shl"},   {{0xC8, 0, 0, 0}, "retf", "enter"},
        {{0xC9}, "retf", "leave"},         {{0x0F, 0x06}, "pop cs", "clts"},
        {{0xD0, 0xF0}, "setmo", "sal"},    {{0xD3, 0xF0}, "setmoc", "sal"},
    };
    const auto name = [](const std::vector<u8>& code, Level level) {
        const auto d = decode16(code, level);
        EXPECT_EQ(d.result, DecodeResult::Ok);
        return d.mnemonic();
    };
    for (const auto& c : cases) {
        EXPECT_EQ(name(c.code, Level::I8086), c.then);
        EXPECT_EQ(name(c.code, Level::I80286), c.now);
    }
}

TEST(Decoder, SizeAndFsGsPrefixesBeganWithThe386)
{
    for (const u8 byte : {0x64, 0x65, 0x66, 0x67}) {
        EXPECT_EQ(decode16({byte, 0x90}, Level::I80286).result, DecodeResult::Undefined);
        EXPECT_EQ(decode16({byte, 0x90}, Level::I80386).result, DecodeResult::Ok);
    }
}

TEST(Decoder, InstructionsOfProtectedModeAreUndefinedInRealMode)
{
    for (const std::vector<u8>& code :
         {std::vector<u8>{0x0F, 0x00, 0xC0}, {0x0F, 0x02, 0xC0}, {0x63, 0xC0}}) {
        EXPECT_EQ(decode_as(CodeSize::Bits16, code, Level::Pentium, true).result,
                  DecodeResult::Undefined);
        EXPECT_EQ(decode_as(CodeSize::Bits16, code, Level::Pentium, false).result,
                  DecodeResult::Ok);
    }
}

}  // namespace
}  // namespace reprise
