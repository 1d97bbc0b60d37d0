/// MMX: what it does to the x87's state, when it faults (SDM vol. 3A, chapter 12), and which models
/// have it. What the instructions compute is compared with the host in vector_host_test.cpp.
#include <gtest/gtest.h>

#include "tests/cpu/program.h"

namespace reprise {
namespace {

constexpr u32 kD = Program::kData;

class Mmx : public Program {
public:
    explicit Mmx(const Bytes& bytes, const char* model = "pentium-mmx") : Program(model)
    {
        start_protected();
        code(bytes);
        reg(RBX) = kData;
        cpu.state.fpu.status = 5 << 11;
        cpu.state.fpu.full = 0x12;
    }
    FpuState& fpu() { return cpu.state.fpu; }
    u64& mm(std::size_t i) { return fpu().r[i].significand; }
};

TEST(MmxState, WritingARegisterSetsItsExponentTopAndTags)
{
    Mmx p{{0x0F, 0x6E, 0x13}};  // movd mm2, [ebx]
    p.set<u32>(kD, 0x89ABCDEF);
    p.step();
    EXPECT_EQ(p.mm(2), 0x89ABCDEFu);
    EXPECT_EQ(p.fpu().r[2].sign_exponent, 0xFFFF);
    EXPECT_EQ(p.fpu().r[3].sign_exponent, 0);
    EXPECT_EQ(p.fpu().status, 0);
    EXPECT_EQ(p.fpu().full, 0xFF);
}

TEST(MmxState, ReadingARegisterSetsTopAndTags)
{
    for (const Program::Bytes& bytes : {Program::Bytes{0x0F, 0x7E, 0x0B},     // movd [ebx], mm1
                                        Program::Bytes{0x0F, 0x7F, 0x0B},     // movq [ebx], mm1
                                        Program::Bytes{0x0F, 0x7E, 0xC8}}) {  // movd eax, mm1
        Mmx p{bytes};
        p.fpu().r[1] = {0x1234, 0x3FFF};
        p.step();
        EXPECT_EQ(p.fpu().r[1], (Float80{0x1234, 0x3FFF}));
        EXPECT_EQ(p.fpu().status, 0);
        EXPECT_EQ(p.fpu().full, 0xFF);
    }
}

TEST(MmxState, EmmsEmptiesAllRegisters)
{
    Mmx p{{0x0F, 0x77}};
    p.mm(0) = 7;
    p.step();
    EXPECT_EQ(p.fpu().full, 0);
    EXPECT_EQ(p.fpu().top(), 0);
    EXPECT_EQ(p.mm(0), 7u);
}

TEST(MmxState, AFaultChangesNothing)
{
    Mmx p{{0x0F, 0xFC, 0x0B}};  // paddb mm1, [ebx]
    p.cpu.state.seg[DS].limit = kD + 6;
    p.cpu.state_loaded();
    p.mm(1) = 1;
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.mm(1), 1u);
    EXPECT_EQ(p.fpu().top(), 5);
    EXPECT_EQ(p.fpu().full, 0x12);
}

TEST(MmxState, CvtPi2PsIsAnMmxInstructionCvtPi2PdOfMemoryIsNot)
{
    Mmx ps{{0x0F, 0x2A, 0x03}, "x86-64-v2"}, pd{{0x66, 0x0F, 0x2A, 0x03}, "x86-64-v2"};
    for (Mmx* p : {&ps, &pd}) {
        p->cpu.state.cr4 |= kCr4Osfxsr;
        p->cpu.state_loaded();
        p->set<u64>(kD, 0xFFFFFFFE'00000003);
        p->step();
    }
    EXPECT_EQ(ps.cpu.state.sse.xmm[0].low, 0xC0000000'40400000u);
    EXPECT_EQ(ps.fpu().full, 0xFF);
    EXPECT_EQ(pd.cpu.state.sse.xmm[0], (Xmm{0x4008000000000000, 0xC000000000000000}));
    EXPECT_EQ(pd.fpu().full, 0x12);
    EXPECT_EQ(pd.fpu().top(), 5);
}

// SDM vol. 3B, 22.25.3.
TEST(MmxFaults, EmIsUndefinedTsIsNotAvailablePendingExceptionsComeFirst)
{
    for (const Program::Bytes& bytes :
         {Program::Bytes{0x0F, 0x6F, 0x03}, Program::Bytes{0x0F, 0x7F, 0xC1},
          Program::Bytes{0x0F, 0x77}, Program::Bytes{0x0F, 0x71, 0xD0, 0x01}}) {
        Mmx em{bytes}, ts{bytes}, mf{bytes};
        em.cpu.set_cr0(em.cpu.state.cr0 | kCr0Em | kCr0Ts);
        ts.cpu.set_cr0(ts.cpu.state.cr0 | kCr0Ts);
        mf.cpu.set_cr0(mf.cpu.state.cr0 | kCr0Ne);
        mf.fpu().status |= FpuState::kEs;
        EXPECT_EQ(em.run_to_vector(), 6);
        EXPECT_EQ(ts.run_to_vector(), 7);
        EXPECT_EQ(mf.run_to_vector(), 16);
    }
}

TEST(MmxModels, HaveWhatTheirTimeHad)
{
    const Program::Bytes paddb{0x0F, 0xFC, 0xC1}, pshufw{0x0F, 0x70, 0xC1, 0x1B},
        paddq{0x0F, 0xD4, 0xC1}, pabsb{0x0F, 0x38, 0x1C, 0xC1};
    const auto defined = [](const Program::Bytes& bytes, const char* model) {
        Mmx p{bytes, model};
        p.step();
        return p.ip() == Program::kCode + bytes.size();
    };
    EXPECT_FALSE(defined(paddb, "pentium"));
    EXPECT_TRUE(defined(paddb, "pentium-mmx"));
    EXPECT_FALSE(defined(pshufw, "pentium2"));
    EXPECT_TRUE(defined(pshufw, "pentium3"));
    EXPECT_FALSE(defined(paddq, "pentium3"));
    EXPECT_TRUE(defined(paddq, "x86-64"));
    EXPECT_FALSE(defined(pabsb, "x86-64"));
    EXPECT_TRUE(defined(pabsb, "x86-64-v2"));
}

TEST(MmxPrefixes, F2AndF3MakeItAnotherInstruction)
{
    for (const int prefix : {0xF2, 0xF3}) {
        Mmx p{{prefix, 0x0F, 0xFC, 0xC1}, "x86-64-v2"};
        EXPECT_EQ(p.run_to_vector(), 6);
    }
}

// SDM vol. 2B, MASKMOVQ: bit 7 of each byte of the mask.
TEST(Maskmovq, WritesChosenBytesAndLooksAtNoOthers)
{
    Mmx p{{0x0F, 0xF7, 0xC1}, "pentium3"};  // maskmovq mm0, mm1
    p.mm(0) = 0x8877665544332211;
    p.mm(1) = 0x7F00000080FF0080;
    p.reg(RDI) = kD;
    p.set<u64>(kD, 0);
    p.cpu.state.seg[DS].limit = kD + 3;
    p.cpu.state_loaded();
    p.step();
    EXPECT_EQ(p.get<u64>(kD), 0x44330011u);

    Mmx q{{0x0F, 0xF7, 0xC1}, "pentium3"};
    q.mm(0) = ~u64{0};
    q.mm(1) = 0x80FF;
    q.reg(RDI) = kD;
    q.set<u64>(kD, 0);
    q.cpu.state.seg[DS].limit = kD;
    q.cpu.state_loaded();
    EXPECT_EQ(q.run_to_vector(), 13);
    EXPECT_EQ(q.get<u64>(kD), 0u);
}

// Measured on an AMD EPYC (Zen 4).
TEST(Maskmovq, ItsBytesDoNotWrapAt64K)
{
    Mmx p{{0x67, 0x0F, 0xF7, 0xC1}, "pentium3"};  // maskmovq mm0, mm1, to [di]
    p.mm(0) = 0x8877665544332211;
    p.mm(1) = u64{0x80} << 56;
    p.reg(RDI) = 0xABCDFFFC;
    p.cpu.state.seg[DS].base = kD;
    p.cpu.state_loaded();
    p.step();
    EXPECT_EQ(p.get<u8>(kD + 0x10003), 0x88);
    EXPECT_EQ(p.get<u8>(kD + 3), 0);
}

TEST(Maskmovq, BytesBehindTheSegmentDoNotWrapEither)
{
    Mmx p{{0x67, 0x0F, 0xF7, 0xC1}, "pentium3"};
    p.mm(0) = p.mm(1) = ~u64{0};
    p.reg(RDI) = 0xFFFC;
    p.cpu.state.seg[DS].limit = 0xFFFF;
    p.cpu.state_loaded();
    EXPECT_EQ(p.run_to_vector(), 13);
}

// Measured on an AMD EPYC (Zen 4).
TEST(Maskmovdqu, ItsHalvesWrapAt64K)
{
    Mmx p{{0x67, 0x66, 0x0F, 0xF7, 0xC1}, "x86-64"};  // maskmovdqu xmm0, xmm1, to [di]
    p.cpu.state.cr4 |= kCr4Osfxsr;
    p.cpu.state.sse.xmm[0] = p.cpu.state.sse.xmm[1] = {u64{0x81} << 56, 0x82};
    p.reg(RDI) = 0xABCDFFF8;
    p.cpu.state.seg[DS].base = kD;
    p.cpu.state_loaded();
    p.step();
    EXPECT_EQ(p.get<u8>(kD + 0xFFFF), 0x81);
    EXPECT_EQ(p.get<u8>(kD), 0x82);
    EXPECT_EQ(p.get<u8>(kD + 0x10000), 0);
}

}  // namespace
}  // namespace reprise
