/// SSE: faults, exceptions, MXCSR, and what processors may choose. What the instructions compute is
/// compared with the host in vector_host_test.cpp.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <random>
#include <string_view>

#include "tests/cpu/program.h"

namespace reprise {
namespace {

constexpr u32 kD = Program::kData, kC = Program::kCode;
constexpr Xmm kOnes{0x3F8000003F800000, 0x3F8000003F800000};

class Sse : public Program {
public:
    explicit Sse(const Bytes& bytes, const char* model = "x86-64-v2") : Program(model)
    {
        start_protected();
        cpu.state.cr4 |= kCr4Osfxsr | kCr4Osxmmexcpt;
        cpu.state_loaded();
        code(bytes);
        reg(RBX) = kData;
    }
    Xmm& xmm(std::size_t i) { return cpu.state.sse.xmm[i]; }
    u32& mxcsr() { return cpu.state.sse.mxcsr; }
};

// ---- Availability -------------------------------------------------------------------------------

TEST(SseFaults, EmAndOsfxsrAreUndefinedTsIsNotAvailable)
{
    for (const Program::Bytes& bytes :
         {Program::Bytes{0x0F, 0x58, 0xC1}, Program::Bytes{0x0F, 0x10, 0x03},
          Program::Bytes{0x0F, 0xAE, 0x13}, Program::Bytes{0x66, 0x0F, 0x7E, 0xC0},
          Program::Bytes{0x66, 0x0F, 0x38, 0x17, 0xC1}}) {
        Sse em{bytes}, os{bytes}, ts{bytes};
        em.cpu.set_cr0(em.cpu.state.cr0 | kCr0Em | kCr0Ts);
        os.cpu.state.cr4 &= ~u64{kCr4Osfxsr};
        os.cpu.state_loaded();
        ts.cpu.set_cr0(ts.cpu.state.cr0 | kCr0Ts);
        EXPECT_EQ(em.run_to_vector(), 6);
        EXPECT_EQ(os.run_to_vector(), 6);
        EXPECT_EQ(ts.run_to_vector(), 7);
    }
}

// SDM vol. 1, 10.4.6 and 11.4.4: they use no register of SSE.
TEST(SseFaults, FencesHintsAndGeneralRegistersDoNotCare)
{
    for (const Program::Bytes& bytes :
         {Program::Bytes{0x0F, 0xAE, 0xF8}, Program::Bytes{0x0F, 0xAE, 0xE8},
          Program::Bytes{0x0F, 0xAE, 0xF0}, Program::Bytes{0x0F, 0x18, 0x0B},
          Program::Bytes{0x0F, 0xC3, 0x03}, Program::Bytes{0x0F, 0xAE, 0x3B},
          Program::Bytes{0xF3, 0x90}, Program::Bytes{0xF3, 0x0F, 0xB8, 0xC1},
          Program::Bytes{0xF2, 0x0F, 0x38, 0xF1, 0xC1}}) {
        Sse p{bytes};
        p.cpu.state.cr4 = 0;
        p.cpu.state.cr0 |= kCr0Em | kCr0Ts;
        p.cpu.state_loaded();
        p.step();
        EXPECT_EQ(p.ip(), kC + bytes.size());
    }
}

// SDM vol. 2D, table A-3: reserved NOPs.
TEST(Hints, DoNothingSinceThePentiumPro)
{
    const Program::Bytes endbr32{0xF3, 0x0F, 0x1E, 0xFB}, prefetchnta{0x0F, 0x18, 0x03},
        unknown{0x0F, 0x1B, 0x03}, in_register{0x0F, 0x18, 0xC3};
    for (const Program::Bytes& bytes : {endbr32, prefetchnta, unknown, in_register}) {
        Sse older{bytes, "pentium-mmx"}, p{bytes, "pentium2"}, newer{bytes};
        EXPECT_EQ(older.run_to_vector(), 6);
        for (Sse* s : {&p, &newer}) {
            s->reg(RBX) = 0xFFFFFFF0;  // nothing is there
            s->enable_paging();
            s->step();
            EXPECT_EQ(s->ip(), kC + bytes.size());
        }
    }
}

// ---- Memory -------------------------------------------------------------------------------------

TEST(SseMemory, SixteenBytesHaveToBeAligned)
{
    const Program::Bytes aligned[] = {{0x0F, 0x28, 0x03},                // movaps xmm0, [ebx]
                                      {0x0F, 0x29, 0x03},                // movaps [ebx], xmm0
                                      {0x66, 0x0F, 0x7F, 0x03},          // movdqa [ebx], xmm0
                                      {0x0F, 0x58, 0x03},                // addps xmm0, [ebx]
                                      {0x66, 0x0F, 0xFC, 0x03},          // paddb xmm0, [ebx]
                                      {0x66, 0x0F, 0xE7, 0x03},          // movntdq [ebx], xmm0
                                      {0x66, 0x0F, 0xD1, 0x03}};         // psrlw xmm0, [ebx]
    const Program::Bytes any[] = {{0x0F, 0x10, 0x03},                    // movups xmm0, [ebx]
                                  {0x0F, 0x11, 0x03},                    // movups [ebx], xmm0
                                  {0xF3, 0x0F, 0x6F, 0x03},              // movdqu xmm0, [ebx]
                                  {0xF2, 0x0F, 0xF0, 0x03},              // lddqu xmm0, [ebx]
                                  {0x66, 0x0F, 0x3A, 0x63, 0x03, 0x00},  // pcmpistri xmm0, [ebx], 0
                                  {0x66, 0x0F, 0x12, 0x03},              // movlpd xmm0, [ebx]
                                  {0xF3, 0x0F, 0x58, 0x03}};             // addss xmm0, [ebx]
    for (const Program::Bytes& bytes : aligned) {
        Sse p{bytes}, q{bytes};
        p.reg(RBX) = kD + 8;
        EXPECT_EQ(p.run_to_vector(), 13);
        EXPECT_EQ(p.error_code(), 0u);
        EXPECT_EQ(p.error_ip(), kC);
        q.step();
        EXPECT_EQ(q.ip(), kC + bytes.size());
    }
    for (const Program::Bytes& bytes : any) {
        Sse p{bytes};
        p.reg(RBX) = kD + 3;
        p.step();
        EXPECT_EQ(p.ip(), kC + bytes.size());
    }
}

TEST(SseMemory, AlignmentIsThatOfTheLinearAddress)
{
    Sse p{{0x0F, 0x28, 0x03}};
    p.cpu.state.seg[DS].base = 8;
    p.cpu.state_loaded();
    p.reg(RBX) = kD - 8;
    p.set<u64>(kD, 7);
    p.step();
    EXPECT_EQ(p.xmm(0).low, 7u);
}

TEST(SseMemory, AlignmentFaultsComeBeforePageFaults)
{
    Sse p{{0x0F, 0x29, 0x03}}, q{{0x0F, 0x29, 0x03}};
    for (Sse* s : {&p, &q}) {
        s->enable_paging();
        s->map(kD, 0);
    }
    p.reg(RBX) = kD + 8;
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(q.run_to_vector(), 14);
    EXPECT_EQ(q.cpu.state.cr2, kD);
}

TEST(SseMemory, AStoreAcrossPagesIsAllOrNothing)
{
    Sse p{{0x0F, 0x11, 0x03}};  // movups [ebx], xmm0
    p.enable_paging();
    p.map(kD + 0x1000, 0);
    p.reg(RBX) = kD + 0xFF8;
    p.xmm(0) = {~u64{0}, ~u64{0}};
    EXPECT_EQ(p.run_to_vector(), 14);
    EXPECT_EQ(p.cpu.state.cr2, kD + 0x1000);
    EXPECT_EQ(p.get<u64>(kD + 0xFF8), 0u);

    Sse q{{0x0F, 0x11, 0x03, 0x0F, 0x10, 0x0B}};  // ... ; movups xmm1, [ebx]
    q.enable_paging();
    q.map(kD + 0x1000, (kD + 0x5000) | Program::P | Program::W | Program::U);
    q.reg(RBX) = kD + 0xFFB;
    q.xmm(0) = {0x0706050403020100, 0x0F0E0D0C0B0A0908};
    q.step(2);
    EXPECT_EQ(q.get<u32>(kD + 0xFFB), 0x03020100u);
    EXPECT_EQ(q.get<u64>(kD + 0x5000), 0x0C0B0A0908070605u);
    EXPECT_EQ(q.xmm(1), q.xmm(0));
}

TEST(SseMemory, ClflushMayLookIntoCodeThatCannotBeRead)
{
    Sse p{{0x2E, 0x0F, 0xAE, 0x3B}};     // clflush cs:[ebx]
    p.cpu.state.seg[CS].access = 0xC99;  // execute only
    p.cpu.state_loaded();
    p.reg(RBX) = Program::kData;
    p.step();
    EXPECT_EQ(p.ip(), Program::kCode + 4);
}

TEST(SseMemory, ClflushChecksLikeALoad)
{
    Sse p{{0x0F, 0xAE, 0x3B}};  // clflush [ebx]
    p.enable_paging();
    p.map(kD, 0);
    EXPECT_EQ(p.run_to_vector(), 14);
}

// ---- Exceptions ---------------------------------------------------------------------------------

constexpr u32 kIe = 1, kZe = 4, kPe = 32;

TEST(SseExceptions, UnmaskedOnesAreVector19AndLeaveTheDestination)
{
    const Program::Bytes divps{0x0F, 0x5E, 0xC1};
    Sse p{divps}, masked{divps}, os{divps};
    for (Sse* s : {&p, &masked, &os}) {
        s->xmm(0) = kOnes;
        s->xmm(1) = {0x3F800000, 0x3F8000003F800000};  // 1, 0, 1, 1
        s->mxcsr() = 0x1F80 & ~(kZe << 7);
    }
    EXPECT_EQ(p.run_to_vector(), 19);
    EXPECT_EQ(p.stack(0), kC);
    EXPECT_EQ(p.xmm(0), kOnes);
    EXPECT_EQ(p.mxcsr(), (0x1F80 & ~(kZe << 7)) | kZe);

    masked.mxcsr() = 0x1F80;
    masked.step();
    EXPECT_EQ(masked.xmm(0).low, 0x7F8000003F800000u);
    EXPECT_EQ(masked.mxcsr(), 0x1F80 | kZe);

    os.cpu.state.cr4 &= ~u64{kCr4Osxmmexcpt};
    os.cpu.state_loaded();
    EXPECT_EQ(os.run_to_vector(), 6);
    EXPECT_EQ(os.mxcsr() & 0x3F, kZe);
}

// SDM vol. 1, 11.5.1 and E.4.2.
TEST(SseExceptions, ThoseBeforeTheResultHideThoseOfOtherLanesResults)
{
    Sse p{{0x0F, 0x5E, 0xC1}};  // divps: 1/3 is inexact, 1/0
    p.xmm(0) = kOnes;
    p.xmm(1) = {0x40400000, 0x3F8000003F800000};
    p.mxcsr() = 0x1F80 & ~(kZe << 7);
    EXPECT_EQ(p.run_to_vector(), 19);
    EXPECT_EQ(p.mxcsr() & 0x3F, kZe);

    Sse q{{0x0F, 0x5E, 0xC1}};
    q.xmm(0) = kOnes;
    q.xmm(1) = {0x40400000, 0x3F8000003F800000};
    q.mxcsr() = 0x1F80 & ~(kPe << 7);
    EXPECT_EQ(q.run_to_vector(), 19);
    EXPECT_EQ(q.mxcsr() & 0x3F, kZe | kPe);
}

TEST(SseExceptions, ComissLeavesFlagsWhenItTraps)
{
    Sse p{{0xF9, 0x0F, 0x2F, 0xC1}};  // stc; comiss xmm0, xmm1
    p.xmm(0).low = 0x7FC00000;
    p.mxcsr() = 0x1F80 & ~(kIe << 7);
    EXPECT_EQ(p.run_to_vector(), 19);
    EXPECT_EQ(p.stack(2) & kArithmeticFlags, u32{CF});
}

TEST(Ldmxcsr, ReservedBitsFault)
{
    const Program::Bytes ldmxcsr{0x0F, 0xAE, 0x13}, stmxcsr{0x0F, 0xAE, 0x1B};
    Sse p{ldmxcsr}, q{ldmxcsr}, old{ldmxcsr, "pentium3"}, store{stmxcsr};
    p.set<u32>(kD, 0x1FFFF);
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.mxcsr(), 0x1F80u);
    q.set<u32>(kD, 0xFFFF);
    q.step();
    EXPECT_EQ(q.mxcsr(), 0xFFFFu);
    old.set<u32>(kD, 0x1FC0);  // DAZ
    EXPECT_EQ(old.run_to_vector(), 13);
    store.mxcsr() = 0x9FAA;
    store.step();
    EXPECT_EQ(store.get<u32>(kD), 0x9FAAu);
}

// ---- RCPPS, RSQRTPS -----------------------------------------------------------------------------

u32 one_lane(Sse& p, u32 operand)
{
    p.cpu.state.rip = kC;
    p.xmm(1) = {operand, 0x3F8000003F800000};
    p.mxcsr() = 0x0000;  // everything would trap
    p.step();
    EXPECT_EQ(p.mxcsr(), 0u);
    EXPECT_EQ(p.ip(), kC + 3);
    return static_cast<u32>(p.xmm(0).low);
}

struct Special {
    u32 operand, result;
};

// SDM vol. 2B, RCPPS: zeros and denormals, infinities, NaNs, and where results become too small.
TEST(Rcpps, HasTheSpecialValuesOfTheManual)
{
    Sse p{{0x0F, 0x53, 0xC1}};
    for (const auto& [operand, result] : {Special{0, 0x7F800000},
                                          {0x80000000, 0xFF800000},
                                          {0x007FFFFF, 0x7F800000},
                                          {0x80000001, 0xFF800000},
                                          {0x7F800000, 0},
                                          {0xFF800000, 0x80000000},
                                          {0x7FC01234, 0x7FC01234},
                                          {0x7F801234, 0x7FC01234},
                                          {0x3F800000, 0x3F800000},
                                          {0xC0000000, 0xBF000000},
                                          {0x7E800000 + 0x0C01, 0},
                                          {0x7F7FFFFF, 0},
                                          {0xFF000000, 0x80000000}})
        EXPECT_EQ(one_lane(p, operand), result) << std::hex << operand;
    EXPECT_NE(one_lane(p, 0x7E000000 + 0x7FE800) & 0x7F800000, 0u);
}

TEST(Rsqrtps, HasTheSpecialValuesOfTheManual)
{
    Sse p{{0x0F, 0x52, 0xC1}};
    for (const auto& [operand, result] : {Special{0, 0x7F800000},
                                          {0x80000000, 0xFF800000},
                                          {0x007FFFFF, 0x7F800000},
                                          {0x80000001, 0xFF800000},
                                          {0x7F800000, 0},
                                          {0xFF800000, 0xFFC00000},
                                          {0xBF800000, 0xFFC00000},
                                          {0xFF801234, 0xFFC01234},
                                          {0x3F800000, 0x3F800000},
                                          {0x40800000, 0x3F000000},
                                          {0x3E800000, 0x40000000}})
        EXPECT_EQ(one_lane(p, operand), result) << std::hex << operand;
}

/// The error that the manual allows, and no more than 12 significant bits.
TEST(Approximations, AreWithinTheManualsBound)
{
    Sse rcp{{0x0F, 0x53, 0xC1}}, rsqrt{{0x0F, 0x52, 0xC1}};
    const char* given = std::getenv("REPRISE_SEED");
    const u64 seed = given ? std::strtoull(given, nullptr, 0) : 7;
    std::printf("REPRISE_SEED=%llu\n", static_cast<unsigned long long>(seed));
    std::mt19937_64 random(seed);
    constexpr double bound = 1.5 / 4096;
    for (int i = 0; i < 50'000; ++i) {
        const u32 operand =
            (1 + static_cast<u32>(random() % 250)) << 23 | static_cast<u32>(random() & 0x7FFFFF);
        const double x = std::bit_cast<float>(operand);
        const u32 r = one_lane(rcp, operand), s = one_lane(rsqrt, operand);
        EXPECT_LE(std::abs(std::bit_cast<float>(r) * x - 1), bound) << std::hex << operand;
        EXPECT_LE(std::abs(std::bit_cast<float>(s) * std::sqrt(x) - 1), bound)
            << std::hex << operand;
        EXPECT_EQ((r | s) & 0xFFF, 0u) << std::hex << operand;
    }
}

// ---- SSE4.2 -------------------------------------------------------------------------------------

Xmm text(std::string_view s)
{
    std::array<u8, 16> bytes{};
    std::ranges::copy(s, bytes.begin());
    return std::bit_cast<Xmm>(bytes);
}

TEST(Pcmpistri, FindsAStringInAnother)
{
    Sse p{{0x66, 0x0F, 0x3A, 0x63, 0xC1, 0x0C}};  // equal ordered, unsigned bytes, lowest index
    p.xmm(0) = text("cde");
    p.xmm(1) = text("abcdefgabcdefgab");
    p.step();
    EXPECT_EQ(p.reg(RCX), 2u);
    EXPECT_EQ(p.cpu.state.rflags & kArithmeticFlags, u32{CF | SF});
}

TEST(Pcmpistri, FindsTheEndOfAString)
{
    Sse p{{0x66, 0x0F, 0x3A, 0x63, 0xC1, 0x14}};  // not in the range 01..FF
    p.xmm(0) = Xmm{0xFF01, 0};
    p.xmm(1) = text("strlen");
    p.step();
    EXPECT_EQ(p.reg(RCX), 6u);
    EXPECT_EQ(p.cpu.state.rflags & kArithmeticFlags, u32{CF | ZF | SF});
}

// The check value of CRC-32C (RFC 3720, B.4 has others): of "123456789" it is E3069283.
TEST(Crc32, HasTheCheckValueOfItsPolynomial)
{
    Program::Bytes bytes;
    for (int i = 0; i < 2; ++i)
        bytes.insert(bytes.end(), {0xF2, 0x0F, 0x38, 0xF1, 0x43, 4 * i});  // crc32 eax, [ebx+4i]
    bytes.insert(bytes.end(), {0xF2, 0x0F, 0x38, 0xF0, 0x43, 8});
    Sse p{bytes};
    const std::string_view digits = "123456789";
    std::ranges::copy(digits, p.bus.ram.begin() + kD);
    p.reg(RAX) = 0xFFFFFFFF;
    p.step(3);
    EXPECT_EQ(static_cast<u32>(~p.reg(RAX)), 0xE3069283u);
}

TEST(Popcnt, ClearsAllFlagsButZf)
{
    Sse p{
        {0xF3, 0x0F, 0xB8, 0xC3, 0x66, 0xF3, 0x0F, 0xB8, 0xC3}};  // popcnt eax, ebx; popcnt ax, bx
    p.cpu.state.rflags |= kArithmeticFlags;
    p.cpu.state_loaded();
    p.reg(RBX) = 0xF0F00000;
    p.step();
    EXPECT_EQ(p.reg(RAX), 8u);
    EXPECT_EQ(p.flags() & kArithmeticFlags, 0u);
    p.step();
    EXPECT_EQ(p.reg(RAX), 0u);
    EXPECT_EQ(p.flags() & kArithmeticFlags, u32{ZF});
}

}  // namespace
}  // namespace reprise
