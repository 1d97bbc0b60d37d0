/// What a debugger outside of the guest asks a bare CPU. The machine's part is in
/// tests/machine/debugger_test.cpp.
#include <gtest/gtest.h>

#include "tests/cpu/program.h"

using namespace reprise;

namespace {

constexpr u64 kPresentWritable = 3, kLarge = 0x80;

class Probe : public testing::Test {
protected:
    Probe() { p.cpu.state.cr0 |= kCr0Pe | kCr0Pg; }

    Program p;
};

TEST_F(Probe, WithoutPagingAddressesArePhysical)
{
    p.cpu.state.cr0 &= ~u64{kCr0Pg};
    EXPECT_EQ(p.cpu.probe(0x12345678), 0x12345678u);
}

TEST_F(Probe, FollowsTwoLevelsOfTables)
{
    p.cpu.state.cr3 = 0x100018;  // PWT and PCD are no address
    p.set<u32>(0x100000 + 4 * 1, 0x101000 | kPresentWritable);
    p.set<u32>(0x101000 + 4 * 2, 0xABCDE000 | kPresentWritable);
    EXPECT_EQ(p.cpu.probe(0x00402345), 0xABCDE345u);
    EXPECT_EQ(p.cpu.probe(0x00403345), std::nullopt);
    EXPECT_EQ(p.cpu.probe(0x00802345), std::nullopt);
    EXPECT_EQ(p.get<u32>(0x101008), 0xABCDE000 | kPresentWritable) << "not accessed";
}

TEST_F(Probe, FourMegabytePagesNeedPse)
{
    p.cpu.state.cr3 = 0x100000;
    p.set<u32>(0x100000 + 4 * 3, 0x00C00000 | kLarge | kPresentWritable);
    EXPECT_EQ(p.cpu.probe(0x00D23456), std::nullopt) << "a table where there is no memory";
    p.cpu.state.cr4 |= kCr4Pse;
    EXPECT_EQ(p.cpu.probe(0x00D23456), 0x00D23456u);
}

TEST_F(Probe, FollowsPaeFromItsRegisters)
{
    p.cpu.state.cr4 |= kCr4Pae;
    p.cpu.state.pdpte[3] = 0x101000 | 1;
    p.set<u64>(0x101000 + 8 * 5, 0x102000 | kPresentWritable);
    p.set<u64>(0x102000 + 8 * 7, 0x8000'0001'2345'6000 | kPresentWritable);  // XD is no address
    p.set<u64>(0x101000 + 8 * 6, 0x0000'0002'0020'0000 | kLarge | kPresentWritable);
    EXPECT_EQ(p.cpu.probe(0xC0A07123), 0x1'2345'6123u);
    EXPECT_EQ(p.cpu.probe(0xC0CABCDE), 0x2'002A'BCDEu);
    EXPECT_EQ(p.cpu.probe(0x40A07123), std::nullopt);
}

TEST_F(Probe, FollowsFourLevelsInLongMode)
{
    p.cpu.state.cr4 |= kCr4Pae;
    p.cpu.state.msr.efer = kEferLme | kEferLma;
    p.cpu.state.cr3 = 0x100000;
    p.set<u64>(0x100000 + 8 * 0x1FF, 0x101000 | kPresentWritable);
    p.set<u64>(0x101000 + 8 * 0x1FE, 0x102000 | kPresentWritable);
    p.set<u64>(0x102000 + 8 * 0, 0x0000'0000'0120'0000 | kLarge | kPresentWritable);
    p.set<u64>(0x101000 + 8 * 0x1FF, 0x0000'0000'4000'0000 | kLarge | kPresentWritable);
    EXPECT_EQ(p.cpu.probe(0xFFFF'FFFF'8000'1234), 0x120'1234u);
    EXPECT_EQ(p.cpu.probe(0xFFFF'FFFF'C123'4567), 0x4123'4567u);
    EXPECT_EQ(p.cpu.probe(0x1000), std::nullopt);
}

TEST(Poke, RefusedChangesLeaveNothingBehind)
{
    Program p;
    p.start_protected();
    p.code({0x90, 0xF4});  // nop, hlt
    p.cpu.state.cr2 = 0x1234;
    EXPECT_FALSE(p.cpu.poke_segment(DS, 0xFFF8)) << "beyond the table";
    EXPECT_FALSE(p.cpu.poke_segment(CS, Program::kUserCs));
    EXPECT_FALSE(p.cpu.poke_cr(4, ~u64{0}));
    EXPECT_EQ(p.cpu.state.cr2, 0x1234u);
    p.run();
    EXPECT_EQ(p.ip(), Program::kCode + 2) << "no fault is left";
    EXPECT_TRUE(p.cpu.poke_segment(DS, Program::kDs));
}

TEST(Watch, ABlockEndsBeforeABreakpointAndIsNotLinkedToIt)
{
    Program p;
    p.start_protected();
    p.code({0x40, 0x43, 0x41, 0xEB, 0xFB});  // inc eax; inc ebx; inc ecx; jmp back
    p.run(400);
    p.cpu.watch({{Program::kCode + 1}, {}});
    for (u32 i = 1; i <= 10; ++i) {
        p.run(1000);
        ASSERT_TRUE(p.cpu.debug_watch()->hit);
        EXPECT_EQ(p.ip(), Program::kCode + 1);
        EXPECT_EQ(p.reg(RAX), 100u + i);
        EXPECT_EQ(p.reg(RBX), 100u + i - 1);
        p.cpu.debug_watch()->hit.reset();
        p.cpu.debug_watch()->pass(p.cpu.linear_ip(), p.cpu.state.clock);
    }
    p.cpu.stop_watching();
    p.run(400);
    EXPECT_EQ(p.reg(RCX), 209u);
}

TEST(Watch, TheSegmentLoadThatReadsADescriptorIsTheLastInstruction)
{
    Program p;
    p.start_protected();
    // mov eax, ds; mov es, eax; inc ebx; hlt
    p.code({0x8C, 0xD8, 0x8E, 0xC0, 0x43, 0xF4});
    p.cpu.watch({{}, {{Program::kGdt + Program::kDs, Program::kGdt + Program::kDs, true, false}}});
    p.run();
    ASSERT_TRUE(p.cpu.debug_watch()->hit);
    EXPECT_EQ(p.cpu.debug_watch()->hit->kind, DebugHit::Kind::Read);
    EXPECT_EQ(p.ip(), Program::kCode + 4);
}

}  // namespace
