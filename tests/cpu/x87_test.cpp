/// The x87 as part of the processor: when it may be used, how its exceptions are reported, what it
/// keeps in memory, and how its generations differ (SDM vol. 1, chapter 8; vol. 3A, 2.5 and 9.2).
#include <gtest/gtest.h>

#include "cpu/fp/x87.h"
#include "tests/cpu/program.h"

namespace reprise {
namespace {

constexpr u32 kData = Program::kData;
constexpr int kNotAvailable = 7, kMathFault = 16, kUndefined = 6, kHalted = -1;

/// 32-bit protected mode, ESI at the data.
class X87Program : public Program {
public:
    explicit X87Program(const Bytes& bytes, const char* model = "pentium3") : Program(model)
    {
        start_protected();
        place(bytes);
    }

    X87Program& place(const Bytes& bytes)
    {
        Bytes all = bytes;
        all.push_back(0xF4);  // hlt
        code(all);
        reg(RSI) = kData;
        return *this;
    }

    FpuState& fpu() { return cpu.state.fpu; }
    Float80 st(int n) { return fpu().r[static_cast<std::size_t>((fpu().top() + n) & 7)]; }
    int depth() { return std::popcount(fpu().full); }
};


// ---- When it may be used
// -------------------------------------------------------------------------

TEST(X87, EmAndTsAreDeviceNotAvailable)
{
    for (const u32 bit : {u32{kCr0Em}, u32{kCr0Ts}}) {
        X87Program p{{0xD9, 0xE8}};  // fld1
        p.cpu.state.cr0 |= bit;
        EXPECT_EQ(p.run_to_vector(), kNotAvailable);
        EXPECT_EQ(p.stack(0), Program::kCode);
    }
}

TEST(X87, WaitIsNotAvailableOnlyWithMpAndTs)
{
    for (const u32 bits : {u32{kCr0Mp}, u32{kCr0Ts}, kCr0Mp | kCr0Ts, u32{kCr0Em}}) {
        X87Program p{{0x9B}};
        p.cpu.state.cr0 |= bits;
        EXPECT_EQ(p.run_to_vector(), bits == (kCr0Mp | kCr0Ts) ? kNotAvailable : kHalted);
    }
}

TEST(X87, WithoutAnFpuNothingAnswers)
{
    X87Program p{{0xDB, 0xE3, 0xD9, 0x3E, 0xDF, 0xE0, 0xD9, 0xD1},
                 "80386"};  // fninit; fnstcw [esi]; fnstsw ax
    p.set<u16>(kData, 0x5A5A);
    p.reg(RAX) = 0x5A5A;
    EXPECT_EQ(p.run_to_vector(), kHalted);
    EXPECT_EQ(p.get<u16>(kData), 0x5A5A);
    EXPECT_EQ(p.reg(RAX), 0x5A5Au);
}

TEST(X87, UnassignedEncodingsAreUndefined)
{
    for (const Program::Bytes& bytes :
         {Program::Bytes{0xD9, 0xD1}, {0xDB, 0xF8}, {0xDD, 0xF0}, {0xD9, 0x0E}})
        EXPECT_EQ(X87Program{bytes}.run_to_vector(), kUndefined);
}

TEST(X87, FcmovAndFisttpCameWithTheirFeatures)
{
    EXPECT_EQ((X87Program{{0xDB, 0xE3, 0xDA, 0xC1}, "pentium"}.run_to_vector()), kUndefined);
    EXPECT_EQ((X87Program{{0xDB, 0xE3, 0xDA, 0xC1}, "pentium2"}.run_to_vector()), kHalted);
    EXPECT_EQ((X87Program{{0xDB, 0xE3, 0xDF, 0x0E}, "pentium3"}.run_to_vector()), kUndefined);
    EXPECT_EQ((X87Program{{0xDB, 0xE3, 0xDF, 0x0E}, "x86-64-v2"}.run_to_vector()), kHalted);
}

TEST(X87, FninitEmptiesAndMasks)
{
    X87Program p{{0xDB, 0xE3}};
    EXPECT_EQ(p.run_to_vector(), kHalted);
    EXPECT_EQ(p.fpu().control, 0x37F);
    EXPECT_EQ(p.fpu().status, 0);
    EXPECT_EQ(p.fpu().full, 0);
}

// ---- Unmasked exceptions
// -------------------------------------------------------------------------

/// fninit; fldcw [esi], all unmasked; fld1; fldz; fdivp: 1/0; then `rest`.
Program::Bytes divide_by_zero(const Program::Bytes& rest)
{
    Program::Bytes bytes = {0xDB, 0xE3, 0xD9, 0x2E, 0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9};
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    return bytes;
}
constexpr u32 kBehindDivision = Program::kCode + 10;

TEST(X87, UnmaskedExceptionsWaitForTheNextWaitingInstruction)
{
    // fnstsw ax; then fld1, wait, or mov
    for (const Program::Bytes& next : {Program::Bytes{0xD9, 0xE8}, {0x9B}}) {
        Program::Bytes rest = {0xDF, 0xE0};
        rest.insert(rest.end(), next.begin(), next.end());
        X87Program p{divide_by_zero(rest)};
        p.cpu.state.cr0 |= kCr0Ne;
        p.set<u16>(kData, 0x340);
        EXPECT_EQ(p.run_to_vector(), kMathFault);
        EXPECT_EQ(p.stack(0), kBehindDivision + 2);
        EXPECT_EQ(p.reg(RAX) & 0xFFFF, 0xB084u);  // B, TOP 6, ES, ZE
        EXPECT_EQ(p.depth(), 2);                  // nothing was popped
        EXPECT_EQ(p.fpu().ip, kBehindDivision - 2);
        EXPECT_EQ(p.fpu().opcode, 0x6F9);
    }
}

TEST(X87, FnclexTakesThemBack)
{
    X87Program p{divide_by_zero({0xDB, 0xE2, 0x9B})};
    p.cpu.state.cr0 |= kCr0Ne;
    p.set<u16>(kData, 0x340);
    EXPECT_EQ(p.run_to_vector(), kHalted);
}

TEST(X87, UnmaskingAPendingFlagMakesItPending)
{
    X87Program p{{0xDB, 0xE3, 0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0xD9, 0x2E, 0x9B}};
    p.cpu.state.cr0 |= kCr0Ne;
    p.set<u16>(kData, 0x340);
    EXPECT_EQ(p.run_to_vector(), kMathFault);
}

/// Without CR0.NE: FERR# asks the board, which may answer with an interrupt or IGNNE#.
TEST(X87, WithoutNeFerrAsksAndTheProcessorStops)
{
    X87Program p{divide_by_zero({0x90, 0xD9, 0xE8})};
    std::vector<std::pair<bool, u64>> ferr;
    p.cpu.on_ferr = [&](bool level) { ferr.emplace_back(level, p.cpu.clock_now()); };
    p.set<u16>(kData, 0x340);
    p.run();
    ASSERT_EQ(ferr.size(), 1u);
    EXPECT_TRUE(ferr[0].first);
    EXPECT_EQ(ferr[0].second, 4u);
    EXPECT_TRUE(p.cpu.state.halted);
    EXPECT_EQ(p.ip(), kBehindDivision + 1);  // before FLD1
    EXPECT_EQ(p.depth(), 2);

    // IRQ 13 comes, and its handler returns to the same instruction.
    p.bus.vector = 0x75;
    p.cpu.state.rflags |= IF;
    p.cpu.set_intr(true);
    p.run();
    EXPECT_EQ(p.vector(), 0x75);
    EXPECT_EQ(p.stack(0), kBehindDivision + 1);
}

TEST(X87, IgnneLetsInstructionsGoOn)
{
    X87Program p{divide_by_zero({0xD9, 0xE8, 0xDB, 0xE2})};
    std::vector<bool> ferr;
    p.cpu.on_ferr = [&](bool level) { ferr.push_back(level); };
    p.cpu.set_ignne(true);
    p.set<u16>(kData, 0x340);
    p.run();
    EXPECT_EQ(p.depth(), 3);
    EXPECT_EQ(ferr, (std::vector<bool>{true, false}));
}

TEST(X87, AnInterruptComesRightAfterTheInstruction)
{
    X87Program p{divide_by_zero({0x90, 0x90, 0x90})};
    p.cpu.on_ferr = [&](bool level) { p.cpu.set_intr(level); };
    p.bus.vector = 0x75;
    p.cpu.state.rflags |= IF;
    p.set<u16>(kData, 0x340);
    p.run();
    EXPECT_EQ(p.vector(), 0x75);
    EXPECT_EQ(p.stack(0), kBehindDivision);
}

// ---- Faults change nothing
// -----------------------------------------------------------------------

TEST(X87, MemoryFaultsLeaveTheFpuAlone)
{
    // fld1 before; then one instruction on a page that is not there
    for (const Program::Bytes& bytes : {Program::Bytes{0xD8, 0x07},
                                        {0xD9, 0x07},
                                        {0xD9, 0x1F},
                                        {0xDB, 0x2F},
                                        {0xDB, 0x3F},
                                        {0xDF, 0x37},
                                        {0xDF, 0x3F},
                                        {0xDD, 0x37},
                                        {0xDD, 0x27},
                                        {0xD9, 0x27},
                                        {0xD9, 0x37},
                                        {0xD9, 0x2F},
                                        {0xDD, 0x3F},
                                        {0x0F, 0xAE, 0x07},
                                        {0x0F, 0xAE, 0x0F}}) {
        X87Program p{{}};
        p.enable_paging();
        Program::Bytes all = {0xDB, 0xE3, 0xD9, 0xE8};
        all.insert(all.end(), bytes.begin(), bytes.end());
        p.place(all);
        const bool fx = bytes.size() == 3;
        p.map(0x51000, 0);
        p.reg(RDI) = fx ? 0x50FF0 : 0x50FFF;
        p.step(2);
        const FpuState before = p.fpu();
        EXPECT_EQ(p.run_to_vector(), 14) << std::hex << bytes[0] << ' ' << bytes[1];
        EXPECT_EQ(p.fpu().status, before.status);
        EXPECT_EQ(p.fpu().full, before.full);
        EXPECT_EQ(p.fpu().r, before.r);
        EXPECT_EQ(p.fpu().control, before.control);
        EXPECT_EQ(p.fpu().ip, before.ip);
        for (u32 i = 0; i < (fx ? 16u : 1u); ++i) EXPECT_EQ(p.bus.ram[p.reg(RDI) + i], 0);
    }
}

TEST(X87, StoresThatAnExceptionForbidsStillNeedTheirMemory)
{
    // fninit; fldcw [esi]; fst or fist dword [edi] of an empty register
    for (const int opcode : {0xD9, 0xDB}) {
        for (const bool there : {false, true}) {
            X87Program p{{0xDB, 0xE3, 0xD9, 0x2E, opcode, 0x17}};
            p.enable_paging();
            p.set<u16>(kData, 0x37E);  // invalid operations are not masked
            p.map(0x51000, there ? 0x51000 | Program::P | Program::W : 0u);
            p.reg(RDI) = 0x51000;
            EXPECT_EQ(p.run_to_vector(), there ? kHalted : 14) << "as on host processors";
            EXPECT_EQ((p.fpu().status & 1) != 0, there);
            EXPECT_EQ(p.get<u32>(0x51000), 0u);
        }
    }
}

TEST(X87, AnExtendedStoreFaultsAtItsFirstByte)
{
    X87Program p{{0xDB, 0xE3, 0xD9, 0xE8, 0xDB, 0x3F}};  // fninit; fld1; fstp tbyte [edi]
    p.enable_paging();
    p.map(0x51000, 0);
    p.reg(RDI) = 0x51010;
    EXPECT_EQ(p.run_to_vector(), 14);
    EXPECT_EQ(p.cpu.state.cr2, 0x51010u);
}

TEST(X87, FxsaveWantsAlignment)
{
    X87Program p{{0x0F, 0xAE, 0x06}};
    p.reg(RSI) = kData + 8;
    EXPECT_EQ(p.run_to_vector(), 13);
}

// ---- Images in memory
// ----------------------------------------------------------------------------

/// fninit; fld1; fadd dword [esi]; fnstenv or fnsave [edi]
TEST(X87, EnvironmentOf32BitProtectedMode)
{
    X87Program p{{0xDB, 0xE3, 0xD9, 0xE8, 0xD8, 0x06, 0xD9, 0x37}};
    p.reg(RDI) = kData + 0x100;
    p.run();
    const std::array<u32, 7> expected = {0xFFFF037F,
                                         0xFFFF3800,
                                         0xFFFF3FFF,
                                         Program::kCode + 4,
                                         Program::kCs | 0x006 << 16,
                                         kData,
                                         0xFFFF0000 | Program::kDs};
    for (u32 i = 0; i < 7; ++i) EXPECT_EQ(p.get<u32>(kData + 0x100 + 4 * i), expected[i]) << i;
}

TEST(X87, EnvironmentOf16BitProtectedMode)
{
    X87Program p{{0xDB, 0xE3, 0xD9, 0xE8, 0xD8, 0x06, 0x66, 0xD9, 0x37}};
    p.reg(RDI) = kData + 0x100;
    p.run();
    const std::array<u16, 7> expected = {0x037F,       0x3800,
                                         0x3FFF,       static_cast<u16>(Program::kCode + 4),
                                         Program::kCs, static_cast<u16>(kData),
                                         Program::kDs};
    for (u32 i = 0; i < 7; ++i) EXPECT_EQ(p.get<u16>(kData + 0x100 + 2 * i), expected[i]) << i;
}

TEST(X87, EnvironmentsOfRealModeHoldLinearAddresses)
{
    for (const bool wide : {false, true}) {
        Program p{"pentium3"};
        p.start_real();
        Program::Bytes bytes = {0xDB, 0xE3, 0xD9, 0xE8,
                                0xD8, 0x06, 0x34, 0x12};  // fadd dword [1234]
        if (wide) bytes.push_back(0x66);
        for (const int b : {0xD9, 0x36, 0x00, 0x20, 0xF4}) bytes.push_back(b);  // fnstenv [2000]
        p.code(bytes);
        p.run();
        const u32 at = kData + 0x2000;
        if (wide) {
            EXPECT_EQ(p.get<u32>(at + 12), 0xFFFF0004u);
            EXPECT_EQ(p.get<u32>(at + 16), 0x00001006u);
            EXPECT_EQ(p.get<u32>(at + 20), 0xFFFF1234u);
            EXPECT_EQ(p.get<u32>(at + 24), 0x00004000u);
        } else {
            EXPECT_EQ(p.get<u16>(at + 6), 0x0004u);
            EXPECT_EQ(p.get<u16>(at + 8), 0x1006u);
            EXPECT_EQ(p.get<u16>(at + 10), 0x1234u);
            EXPECT_EQ(p.get<u16>(at + 12), 0x4000u);
        }
    }
}

TEST(X87, SavingRestoresInEveryLayout)
{
    for (const bool narrow : {false, true})
        for (const bool real : {false, true}) {
            Program p{"pentium3"};
            real ? p.start_real() : p.start_protected();
            p.reg(RSI) = real ? 0 : kData;
            Program::Bytes bytes = {0xDB, 0xE3, 0xD9, 0xEB,
                                    0xD9, 0xE8, 0xD8, 0xC1};  // pi, 1, 1 + pi
            const bool prefix = narrow != real;
            for (const int modrm :
                 {real ? 0x34 : 0x36, real ? 0x24 : 0x26}) {  // fnsave, frstor [si] or [esi]
                if (prefix) bytes.push_back(0x66);
                bytes.push_back(0xDD);
                bytes.push_back(modrm);
            }
            bytes.push_back(0xF4);
            p.code(bytes);
            p.step(4);
            const FpuState before = p.cpu.state.fpu;
            p.step();
            EXPECT_EQ(p.cpu.state.fpu.full, 0);
            EXPECT_EQ(p.cpu.state.fpu.control, 0x37F);
            p.step();
            const FpuState after = p.cpu.state.fpu;
            EXPECT_EQ(after.r, before.r);
            EXPECT_EQ(after.status, before.status);
            EXPECT_EQ(after.full, before.full);
            EXPECT_EQ(after.control, before.control);
            EXPECT_EQ((u64{after.cs} << 4) + after.ip,
                      real ? (u64{before.cs} << 4) + before.ip
                           : (u64{before.cs} << 4) + (narrow ? before.ip & 0xFFFF : before.ip));
        }
}

TEST(X87, TagWordIsMadeFromTheRegisters)
{
    // fninit; fldz; fld1; fld m80 infinity; fnstenv [edi]
    X87Program p{{0xDB, 0xE3, 0xD9, 0xEE, 0xD9, 0xE8, 0xDB, 0x2E, 0xD9, 0x37}};
    p.set<u64>(kData, u64{1} << 63);
    p.set<u16>(kData + 8, 0x7FFF);
    p.reg(RDI) = kData + 0x100;
    p.run();
    EXPECT_EQ(p.get<u16>(kData + 0x108), 0x4BFF);  // R7 zero, R6 valid, R5 special
}

TEST(X87, FxsaveHoldsEverything)
{
    X87Program p{{0xDB, 0xE3, 0xD9, 0xE8, 0xD9, 0xEB, 0xD8, 0x06, 0x0F, 0xAE, 0x07}};
    p.reg(RDI) = kData + 0x100;
    p.cpu.state.sse.mxcsr = 0x1FA0;
    p.cpu.state.sse.xmm[7] = {0x1122334455667788, 0x99AABBCCDDEEFF00};
    p.run();
    const u32 at = kData + 0x100;
    EXPECT_EQ(p.get<u16>(at), 0x37F);
    EXPECT_EQ(p.get<u16>(at + 2), 0x3000);
    EXPECT_EQ(p.get<u16>(at + 4), 0xC0);
    EXPECT_EQ(p.get<u16>(at + 6), 0x006);
    EXPECT_EQ(p.get<u32>(at + 8), Program::kCode + 6);
    EXPECT_EQ(p.get<u16>(at + 12), Program::kCs);
    EXPECT_EQ(p.get<u32>(at + 16), kData);
    EXPECT_EQ(p.get<u16>(at + 20), Program::kDs);
    EXPECT_EQ(p.get<u32>(at + 24), 0x1FA0u);
    EXPECT_EQ(p.get<u32>(at + 28), 0xFFBFu);  // a Pentium III has no DAZ
    EXPECT_EQ(p.get<u64>(at + 32), 0xC90FDAA22168C235);
    EXPECT_EQ(p.get<u64>(at + 48), u64{1} << 63);
    EXPECT_EQ(p.get<u64>(at + 160 + 7 * 16), 0x1122334455667788u);
    EXPECT_EQ(p.depth(), 2);

    const FpuState saved = p.fpu();
    p.place({0xDB, 0xE3, 0x0F, 0xAE, 0x0F});
    p.cpu.state.sse = {};
    p.cpu.state.rip = Program::kCode;
    p.cpu.state.halted = false;
    p.cpu.state_loaded();
    p.run();
    EXPECT_EQ(p.fpu().r, saved.r);
    EXPECT_EQ(p.fpu().full, saved.full);
    EXPECT_EQ(p.fpu().status, saved.status);
    EXPECT_EQ(p.fpu().ip, saved.ip);
    EXPECT_EQ(p.cpu.state.sse.mxcsr, 0x1FA0u);
    EXPECT_EQ(p.cpu.state.sse.xmm[7].high, 0x99AABBCCDDEEFF00u);
}

TEST(X87, FxrstorRefusesReservedBitsOfMxcsr)
{
    X87Program p{{0x0F, 0xAE, 0x0E}};
    p.set<u32>(kData + 24, 0x1FC0);  // DAZ on a processor without
    EXPECT_EQ(p.run_to_vector(), 13);
}

// ---- Generations
// ---------------------------------------------------------------------------------

constexpr CpuModel kWith287{"286 and 287", Level::I80286, false, 0, {Feature::Fpu}, ""};
constexpr CpuModel kWith387{"386 and 387", Level::I80386, false, 0, {Feature::Fpu}, ""};

/// In real mode with SI at the data: fninit; `bytes`.
struct Coprocessor {
    ProgramBus bus{2 << 20};
    Cpu cpu;

    Coprocessor(const CpuModel& model, const Program::Bytes& bytes) : cpu(bus, model)
    {
        u64 at = Program::kCode;
        for (const int b : {0xDB, 0xE3}) bus.ram[at++] = static_cast<u8>(b);
        for (const int b : bytes) bus.ram[at++] = static_cast<u8>(b);
        bus.ram[at] = 0xF4;
        for (const Seg seg : {CS, DS, SS, ES})
            cpu.state.seg[seg] = {static_cast<u16>(Program::kCode >> 4), Program::kCode, 0xFFFF,
                                  0x93};
        cpu.state.rip = 0;
        cpu.state_loaded();
    }
    u16 status()
    {
        cpu.run(1000);
        return cpu.state.fpu.status;
    }
};

/// 80287 PRM, infinity control: projective after FNINIT, where there is but one infinity.
TEST(X87Generations, The287StartsProjective)
{
    // 1 / 0 twice, the second negated; added
    const Program::Bytes sum = {0xD9, 0xE8, 0xD9, 0xEE, 0xDC, 0xF9, 0xDE, 0xD9, 0xD9,
                                0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0xD9, 0xC0, 0xD8, 0xC1};
    EXPECT_TRUE(Coprocessor(kWith287, sum).status() & fp::kInvalid);
    EXPECT_FALSE(Coprocessor(kWith387, sum).status() & fp::kInvalid);
}

TEST(X87Generations, OnlyTheAffineInfinityIsMoreThanANumber)
{
    // infinity compared with one
    const Program::Bytes compare = {0xD9, 0xE8, 0xD9, 0xE8, 0xD9, 0xEE, 0xDE, 0xF9, 0xD8, 0xD1};
    EXPECT_EQ(Coprocessor(kWith287, compare).status() & 0x4500, 0x4500);
    EXPECT_EQ(Coprocessor(kWith387, compare).status() & 0x4500, 0);
}

TEST(X87Generations, SineCameWithThe387)
{
    Coprocessor old{kWith287, {0xD9, 0xEE, 0xD9, 0xFE}};
    bool logged = false;
    old.cpu.on_log = [&](std::string_view) { logged = true; };
    old.cpu.run(3);
    EXPECT_EQ(old.cpu.state.seg[CS].base + old.cpu.state.rip, 0u);  // through an empty vector 6
    EXPECT_EQ(Coprocessor(kWith387, {0xD9, 0xEE, 0xD9, 0xFE}).status() & 0x3F, 0);
}

}  // namespace
}  // namespace reprise
