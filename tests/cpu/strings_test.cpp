/// MOVS CMPS SCAS LODS STOS INS OUTS and their prefixes: Intel SDM vol. 2, each instruction, and
/// REP.
#include <gtest/gtest.h>

#include <numeric>

#include "tests/cpu/program.h"

namespace reprise {
namespace {

constexpr u32 kC = Program::kCode, kSource = Program::kData, kTarget = Program::kData + 0x2000;

/// Flat 32-bit code; ESI and EDI point at two buffers, the source holds 1, 2, 3 ...
class Strings : public Program {
public:
    explicit Strings(const Bytes& bytes, u32 count = 0) : Program("pentium")
    {
        start_protected();
        code(bytes);
        std::iota(&bus.ram[kSource], &bus.ram[kSource] + 0x80, u8{1});
        reg(RSI) = kSource;
        reg(RDI) = kTarget;
        reg(RCX) = count;
    }
    u32 target(u32 offset = 0) const { return get<u32>(kTarget + offset); }
};

// ---- Single
// ---------------------------------------------------------------------------------------

TEST(Strings, MovsInAllSizes)
{
    Strings p{{0xA4, 0x66, 0xA5, 0xA5}};  // movsb; movsw; movsd
    p.step(3);
    EXPECT_EQ(p.reg(RSI), kSource + 7u);
    EXPECT_EQ(p.reg(RDI), kTarget + 7u);
    EXPECT_EQ(p.target(), 0x04030201u);
    EXPECT_EQ(p.target(3), 0x07060504u);
}

TEST(Strings, StosAndLodsInAllSizes)
{
    Strings p{{0xAA, 0x66, 0xAB, 0xAB, 0xAC, 0x66, 0xAD, 0xAD}};
    p.reg(RAX) = 0xA1B2C3D4;
    p.step(3);
    EXPECT_EQ(p.target(), 0xD4C3D4D4u);
    EXPECT_EQ(p.target(3), 0xA1B2C3D4u);
    p.step();
    EXPECT_EQ(p.reg(RAX), 0xA1B2C301u);
    p.step();
    EXPECT_EQ(p.reg(RAX), 0xA1B20302u);
    p.step();
    EXPECT_EQ(p.reg(RAX), 0x07060504u);
    EXPECT_EQ(p.reg(RSI), kSource + 7u);
    EXPECT_EQ(p.reg(RDI), kTarget + 7u);
}

TEST(Strings, CmpsSubtractsTheTargetFromTheSource)
{
    Strings p{{0xA6}};
    p.set<u8>(kSource, 1);
    p.set<u8>(kTarget, 2);
    p.step();
    EXPECT_TRUE(p.flags() & CF);
    EXPECT_TRUE(p.flags() & SF);
    EXPECT_EQ(p.reg(RSI), kSource + 1u);
    EXPECT_EQ(p.reg(RDI), kTarget + 1u);
}

TEST(Strings, ScasSubtractsTheTargetFromTheAccumulator)
{
    Strings p{{0x66, 0xAF}};
    p.reg(RAX) = 0xFFFF8000;
    p.set<u16>(kTarget, 1);
    p.step();
    EXPECT_TRUE(p.flags() & OF);
    EXPECT_FALSE(p.flags() & CF);
    EXPECT_EQ(p.reg(RDI), kTarget + 2u);
}

TEST(Strings, DirectionDown)
{
    Strings p{{0xFD, 0xA5, 0x66, 0xAB, 0xAC}};  // std; movsd; stosw; lodsb
    p.step(4);
    EXPECT_EQ(p.reg(RSI), kSource - 5u);
    EXPECT_EQ(p.reg(RDI), kTarget - 6u);
}

TEST(Strings, SegmentOverridesApplyToTheSourceOnly)
{
    Strings p{{0x64, 0xA4}};  // fs movsb
    p.cpu.state.seg[FS].base = 0x10;
    p.cpu.state.seg[DS].base = 0x20;
    p.cpu.state_loaded();
    p.step();
    EXPECT_EQ(p.get<u8>(kTarget), 0x11);
}

TEST(Strings, AddressSize16UsesLowHalvesOnly)
{
    Strings p{{0x67, 0xA4}};  // movsb with SI and DI
    p.reg(RSI) = 0xABCDFFFF;
    p.reg(RDI) = 0x12345000;
    p.set<u8>(0xFFFF, 0x77);
    p.step();
    EXPECT_EQ(p.get<u8>(0x5000), 0x77);
    EXPECT_EQ(p.reg(RSI), 0xABCD0000u);
    EXPECT_EQ(p.reg(RDI), 0x12345001u);
}

// ---- Repeated
// ---------------------------------------------------------------------------------------

TEST(RepeatedStrings, MovesAllElements)
{
    Strings p{{0xF3, 0xA5}, 16};
    p.step(16);
    EXPECT_EQ(p.ip(), kC + 2);
    EXPECT_EQ(p.reg(RCX), 0u);
    EXPECT_EQ(p.reg(RSI), kSource + 64u);
    EXPECT_EQ(p.reg(RDI), kTarget + 64u);
    EXPECT_EQ(std::memcmp(&p.bus.ram[kSource], &p.bus.ram[kTarget], 64), 0);
    EXPECT_EQ(p.target(64), 0u);
}

TEST(RepeatedStrings, ACountOfZeroDoesNothing)
{
    for (const int opcode :
         {0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF, 0x6C, 0x6E}) {
        Strings p{{0xF3, opcode}, 0};
        p.reg(RSI) = p.reg(RDI) = 0xFFFFFFFF;
        p.cpu.state.rflags |= ZF | CF;
        p.step();
        EXPECT_EQ(p.ip(), kC + 2);
        EXPECT_EQ(p.reg(RSI), 0xFFFFFFFFu);
        EXPECT_EQ(p.flags() & (ZF | CF), u32{ZF | CF});
    }
}

TEST(RepeatedStrings, OverlapRepeatsThePattern)
{
    Strings p{{0xF3, 0xA4}, 9};
    p.reg(RDI) = kSource + 3;
    p.step(9);
    const u8 expected[] = {1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 13};
    EXPECT_EQ(std::memcmp(&p.bus.ram[kSource], expected, sizeof expected), 0);
}

TEST(RepeatedStrings, OverlapOfHalfAnElement)
{
    Strings p{{0xF3, 0xA5}, 3};  // rep movsd to two bytes above
    p.reg(RDI) = kSource + 2;
    p.step(3);
    // 01 02 03 04 to 2..5; then from 4..7 (03 04 07 08) to 6..9; then from 8..11 (07 08 0B 0C)
    // to 10..13
    const u8 expected[] = {1, 2, 1, 2, 3, 4, 3, 4, 7, 8, 7, 8, 11, 12, 15};
    EXPECT_EQ(std::memcmp(&p.bus.ram[kSource], expected, sizeof expected), 0);
}

TEST(RepeatedStrings, OverlapBelowMovesAsIs)
{
    Strings p{{0xF3, 0xA5}, 8};
    p.reg(RDI) = kSource - 2;
    p.step(8);
    for (u8 i = 0; i < 32; ++i) ASSERT_EQ(p.get<u8>(kSource - 2 + i), i + 1);
}

TEST(RepeatedStrings, DownwardsOverlapMovesAsIs)
{
    Strings p{{0xFD, 0xF3, 0xA4}, 16};
    p.reg(RSI) = kSource + 15;
    p.reg(RDI) = kSource + 18;
    p.step(17);
    for (u8 i = 0; i < 16; ++i) ASSERT_EQ(p.get<u8>(kSource + 3 + i), i + 1);
}

TEST(RepeatedStrings, RepeScasStopsAtADifference)
{
    Strings p{{0xF3, 0xAE}, 10};  // repe scasb
    p.reg(RAX) = 0x55;
    std::memset(&p.bus.ram[kTarget], 0x55, 4);
    p.step(5);
    EXPECT_EQ(p.ip(), kC + 2);
    EXPECT_EQ(p.reg(RCX), 5u);
    EXPECT_EQ(p.reg(RDI), kTarget + 5u);
    EXPECT_FALSE(p.flags() & ZF);
}

TEST(RepeatedStrings, RepneScasStopsAtAMatch)
{
    Strings p{{0xF2, 0xAE}, 10};
    p.reg(RAX) = 0x55;
    p.set<u8>(kTarget + 6, 0x55);
    p.step(7);
    EXPECT_EQ(p.ip(), kC + 2);
    EXPECT_EQ(p.reg(RCX), 3u);
    EXPECT_TRUE(p.flags() & ZF);
}

TEST(RepeatedStrings, RepneScasWithoutAMatchUsesUpTheCount)
{
    Strings p{{0xF2, 0xAF}, 10};
    p.reg(RAX) = 0x55;
    p.step(10);
    EXPECT_EQ(p.reg(RCX), 0u);
    EXPECT_EQ(p.reg(RDI), kTarget + 40u);
    EXPECT_FALSE(p.flags() & ZF);
}

TEST(RepeatedStrings, RepeCmpsComparesStrings)
{
    Strings p{{0xF3, 0xA6}, 100};
    std::memcpy(&p.bus.ram[kTarget], &p.bus.ram[kSource], 20);
    p.step(21);
    EXPECT_EQ(p.ip(), kC + 2);
    EXPECT_EQ(p.reg(RCX), 79u);
    EXPECT_EQ(p.reg(RSI), kSource + 21u);
    EXPECT_FALSE(p.flags() & CF) << "15h - 0";
}

TEST(RepeatedStrings, RepneOnMovesIsRep)
{
    Strings p{{0xF2, 0xA4}, 4};
    p.cpu.state.rflags |= ZF;
    p.step(4);
    EXPECT_EQ(p.target(), 0x04030201u);
    EXPECT_EQ(p.ip(), kC + 2);
}

TEST(RepeatedStrings, TheCountIsAsWideAsTheAddress)
{
    Strings p{{0x67, 0xF3, 0xAA}, 0xFFFF0003};
    p.reg(RDI) = 0x5000;
    p.step(3);
    EXPECT_EQ(p.ip(), kC + 3);
    EXPECT_EQ(p.reg(RCX), 0xFFFF0000u);
}

TEST(RepeatedStrings, AcrossPagesAndIntoTheNext)
{
    Strings p{{0xF3, 0xA5}, 3000};
    p.reg(RSI) = kSource + 0xFF1;
    p.reg(RDI) = kTarget + 0x1FFE;
    for (u32 i = 0; i < 12000; ++i)
        p.bus.ram[kSource + 0xFF1 + i] = static_cast<u8>(i * 7 + i / 256);
    // The strings overlap from below: what is moved is what was read before.
    std::vector<u8> expected(p.bus.ram.begin() + kSource, p.bus.ram.begin() + kSource + 0x8000);
    for (u32 i = 0; i < 12000; i += 4) std::memmove(&expected[0x3FFE + i], &expected[0xFF1 + i], 4);
    p.step(3000);
    EXPECT_EQ(std::memcmp(&p.bus.ram[kSource], expected.data(), expected.size()), 0);
}

TEST(RepeatedStrings, WrapAroundAt64KIn16BitAddresses)
{
    // The segments are larger than 64 KB ("unreal"), but SI and DI are not.
    Strings p{{0x67, 0xF3, 0xA4}, 8};
    p.cpu.state.seg[DS].base = p.cpu.state.seg[ES].base = 0x50100;
    p.cpu.state_loaded();
    for (u32 i = 0; i < 4; ++i) {
        p.set<u8>(0x50100 + 0xFFFC + i, static_cast<u8>(0xA0 + i));
        p.set<u8>(0x50100 + i, static_cast<u8>(0xB0 + i));
        p.set<u8>(0x50100 + 0x10000 + i, 0xEE);
    }
    p.reg(RSI) = 0xFFFC;
    p.reg(RDI) = 0x1000;
    p.step(8);
    EXPECT_EQ(p.reg(RSI), 4u);
    EXPECT_EQ(p.get<u32>(0x51100), 0xA3A2A1A0u);
    EXPECT_EQ(p.get<u32>(0x51104), 0xB3B2B1B0u);
}

TEST(RepeatedStrings, StoresWrapAroundAt64K)
{
    Strings p{{0x67, 0xF3, 0xAB}, 4};
    p.cpu.state.seg[ES].base = 0x50100;
    p.cpu.state_loaded();
    p.reg(RAX) = 0x11111111;
    p.reg(RDI) = 0xFFF8;
    p.step(4);
    EXPECT_EQ(p.reg(RDI), 8u);
    EXPECT_EQ(p.get<u32>(0x600FC), 0x11111111u);
    EXPECT_EQ(p.get<u32>(0x60100), 0u);
    EXPECT_EQ(p.get<u32>(0x50100), 0x11111111u);
    EXPECT_EQ(p.get<u32>(0x50104), 0x11111111u);
}

TEST(RepeatedStrings, AWordAtTheEndOfA64KSegmentFaults)
{
    Program p;
    p.start_real();
    p.code({0xF3, 0xAB});  // rep stosw
    p.reg(RDI) = 0xFFFB;
    p.reg(RCX) = 5;
    p.reg(RAX) = 0x1234;
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.reg(RCX), 3u);
    EXPECT_EQ(p.reg(RDI), 0xFFFFu);
    EXPECT_EQ(p.stack<u16>(0), 0);
    EXPECT_EQ(p.get<u16>(Program::kData + 0xFFFD), 0x1234);
}

TEST(RepeatedStrings, ALimitInTheMiddleLeavesTheRegistersThere)
{
    Strings p{{0xF3, 0xA5}, 10};
    p.cpu.state.seg[ES] = {Program::kDs, kTarget, 0x12, 0x493};
    p.cpu.state_loaded();
    p.reg(RDI) = 0;
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.reg(RCX), 6u);
    EXPECT_EQ(p.reg(RDI), 16u);
    EXPECT_EQ(p.reg(RSI), kSource + 16u);
    EXPECT_EQ(p.target(16), 0u);
}

TEST(RepeatedStrings, FlagsOfACompareThatFaultsAreThoseOfTheLastIteration)
{
    Strings p{{0xF3, 0xA6}, 10};  // repe cmpsb: all equal up to the limit
    p.cpu.state.seg[ES] = {Program::kDs, kSource, 3, 0x493};
    p.cpu.state_loaded();
    p.reg(RDI) = 0;
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.reg(RCX), 6u);
    EXPECT_TRUE(p.error_flags() & ZF);
}

// ---- Ports
// --------------------------------------------------------------------------------------------

TEST(PortStrings, InsReadsPortsInTheirWidth)
{
    Strings p{{0x6C, 0x66, 0x6D, 0x6D}};
    std::vector<int> sizes;
    p.bus.on_read_port = [&](u16 port, int size) {
        EXPECT_EQ(port, 0x1F0);
        sizes.push_back(size);
        return 0x44332211u & ((u64{1} << 8 * size) - 1);
    };
    p.reg(RDX) = 0x1F0;
    p.step(3);
    EXPECT_EQ(sizes, (std::vector<int>{1, 2, 4}));
    EXPECT_EQ(p.target(0), 0x11221111u);
    EXPECT_EQ(p.target(3), 0x44332211u);
    EXPECT_EQ(p.reg(RDI), kTarget + 7u);
}

TEST(PortStrings, RepOutsWritesAll)
{
    Strings p{{0xF3, 0x64, 0x66, 0x6F}, 4};  // rep fs: outsw
    std::vector<u32> values;
    p.bus.on_write_port = [&](u16, int size, u32 value) {
        EXPECT_EQ(size, 2);
        values.push_back(value);
    };
    p.step(4);
    EXPECT_EQ(values, (std::vector<u32>{0x0201, 0x0403, 0x0605, 0x0807}));
    EXPECT_EQ(p.reg(RCX), 0u);
}

TEST(PortStrings, InsChecksItsTargetBeforeThePort)
{
    Strings p{{0x6C}};
    int reads = 0;
    p.bus.on_read_port = [&](u16, int) { return ++reads, 0u; };
    p.cpu.state.seg[ES].limit = 0xFF;
    p.cpu.state_loaded();
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(reads, 0);
}

TEST(PortStrings, AreCheckedAgainstTheBitmap)
{
    Program p;
    p.start_user();
    p.code({0xF3, 0x6E});
    p.reg(RCX) = 2;
    p.reg(RSI) = kSource;
    p.reg(RDX) = 0x61;
    p.set<u16>(Program::kTss + 0x66, 0x68);
    p.set<u8>(Program::kTss + 0x68 + 0x61 / 8, 1 << (0x61 % 8));
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.reg(RCX), 2u);
}

TEST(PortStrings, NeedTheRightToThePortEvenForNoIteration)
{
    for (const int opcode : {0x6C, 0x6E}) {
        Program p;
        p.start_user();
        p.code({0xF3, opcode});
        p.reg(RCX) = 0;
        p.reg(RDX) = 0x61;
        p.set<u16>(Program::kTss + 0x66, 0x68);
        p.set<u8>(Program::kTss + 0x68 + 0x61 / 8, 1 << (0x61 % 8));
        EXPECT_EQ(p.run_to_vector(), 13);
    }
}

}  // namespace
}  // namespace reprise
