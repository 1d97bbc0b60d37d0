/// Memory without paging, as the translator accesses it: what is not plain RAM, what stops being
/// it, and faults of the host that are none of its business. Random programs do the rest
/// (translator_test.cpp).
#include <gtest/gtest.h>

#include "tests/cpu/program.h"

namespace reprise {
namespace {

constexpr u32 kData = Program::kData;

/// 32 bits, flat, on a translator that translates at once.
class Window : public ::testing::Test {
protected:
    void SetUp() override
    {
        if (!why_no_translator(p.cpu).empty()) GTEST_SKIP() << "no translator for this host";
        p.start_protected();
        p.cpu.set_engine(Engine::Translator, 1);
    }

    /// Runs `body` `times` times.
    void loop(Program::Bytes body, u32 times = 100)
    {
        p.code({0xB9, static_cast<int>(times & 0xFF), static_cast<int>(times >> 8), 0, 0});
        const int back = -static_cast<int>(body.size()) - 3;
        body.insert(body.end(), {0x49, 0x75, back & 0xFF, 0xF4});  // dec ecx; jnz; hlt
        p.code(Program::kCode + 5, body);
        p.cpu.memory_written(Program::kCode, 0x100);
        p.cpu.state.rip = Program::kCode;
        p.cpu.state.halted = false;
        p.run(1'000'000);
        EXPECT_TRUE(p.cpu.state.halted);
        EXPECT_GT(statistics().entries, 0u);
    }
    const TranslatorStatistics& statistics() const { return *p.cpu.translator_statistics(); }

    Program p{"pentium2"};
};

// add dword [40000h], 1
const Program::Bytes kCount = {0x83, 0x05, 0, 0, 4, 0, 1};
// mov eax, [40000h]
const Program::Bytes kLoad = {0xA1, 0, 0, 4, 0};

TEST_F(Window, PlainMemoryIsCounted)
{
    loop(kCount, 1000);
    EXPECT_EQ(p.get<u32>(kData), 1000u);
    EXPECT_LT(statistics().faults, 5u);
}

TEST_F(Window, ADeviceIsFoundAndSeldomCostsAFault)
{
    u32 reads = 0;
    p.bus.device_page = kData;
    p.bus.on_read_device = [&](u64, int) { return ++reads; };
    loop(kLoad, 1000);
    EXPECT_EQ(reads, 1000u);
    EXPECT_EQ(p.reg(RAX), 1000u);
    EXPECT_LT(statistics().faults, 5u);
}

/// The VGA's planes are such memory: a read loads latches, which the next store looks at.
TEST_F(Window, TheMemoryOfAChipIsAskedWithoutLeavingHostCode)
{
    p.bus.chip_page = kData;
    p.bus.chip.bytes[4] = 3;
    // mov al, [40004h]; add dl, [40004h]; mov [40008h], al; inc byte [4000Ch]; mov ebx, [4000Ch]
    loop({0xA0, 4, 0,    4,    0,   0x02, 0x15, 4, 0,    4,    0,   0xA2, 8, 0,
          4,    0, 0xFE, 0x05, 0xC, 0,    4,    0, 0x8B, 0x1D, 0xC, 0,    4, 0},
         1000);
    EXPECT_EQ(p.reg(RAX) & 0xFF, 3 * 5 + 4u);
    EXPECT_EQ(p.bus.chip.bytes[8], (3 * 5 + 4) ^ 3);
    u8 counted = 0;
    for (int i = 0; i < 1000; ++i) counted = static_cast<u8>((counted * 5 + 0xC + 1) ^ counted);
    EXPECT_EQ(p.bus.chip.bytes[0xC], counted);
    EXPECT_EQ(p.reg(RBX), p.bus.chip.memory_read(0xC, 4));
    EXPECT_LT(statistics().accesses, 100u);
}

TEST_F(Window, WhatWasMemoryBecomesADeviceAndMemoryAgain)
{
    p.set<u32>(kData, 7);
    loop(kLoad);
    EXPECT_EQ(p.reg(RAX), 7u);
    p.bus.device_page = kData;
    p.bus.on_read_device = [](u64, int) { return 9; };
    p.cpu.memory_map_changed(kData, kPageSize);
    loop(kLoad);
    EXPECT_EQ(p.reg(RAX), 9u);
    p.bus.device_page = ProgramBus::kNowhere;
    p.cpu.memory_map_changed(kData, kPageSize);
    loop(kLoad);
    EXPECT_EQ(p.reg(RAX), 7u);
}

TEST_F(Window, StoresToReadOnlyMemoryAreIgnored)
{
    p.bus.rom_page = kData;
    p.set<u32>(kData, 5);
    loop(kCount);
    EXPECT_EQ(p.get<u32>(kData), 5u);
    loop(kLoad);
    EXPECT_EQ(p.reg(RAX), 5u);
}

/// The page's code is a RET that has been executed; the store makes it something else.
TEST_F(Window, StoresFromAnotherPageChangeCode)
{
    p.code(kData, {0xC3});
    p.code(kData + 0x40, {0xB8, 1, 0, 0, 0, 0xC3});  // mov eax, 1; ret
    // mov ebx, 40040h; call ebx; inc byte [40041h]
    loop({0xBB, 0x40, 0, 4, 0, 0xFF, 0xD3, 0xFE, 0x05, 0x41, 0, 4, 0}, 50);
    EXPECT_EQ(p.reg(RAX), 50u);
    EXPECT_EQ(p.get<u8>(kData + 0x41), 51u);
}

/// Addresses of 32 bits wrap around: base and displacement (SDM vol. 1, 3.7.5).
TEST_F(Window, BaseAndDisplacementWrapAround)
{
    // mov eax, -4; add dword [eax + 40004h], 1; mov ebx, 40010h; add dword [ebx + (-16)], 1
    // mov edx, -1; add dword [edx * 4 + 40004h], 1
    loop({0xB8, 0xFC, 0xFF, 0xFF, 0xFF, 0x83, 0x80, 4,    0,    4,    0, 1,    0xBB, 0x10, 0, 4, 0,
          0x83, 0x43, 0xF0, 1,    0xBA, 0xFF, 0xFF, 0xFF, 0xFF, 0x83, 4, 0x95, 4,    0,    4, 0, 1},
         1000);
    EXPECT_EQ(p.get<u32>(kData), 3000u);
    EXPECT_LT(statistics().faults, 10u);
}

/// An access that begins in memory and ends where there is nothing: half of it reads as ones.
TEST_F(Window, TheEndOfMemoryIsCrossed)
{
    p.set<u16>((2 << 20) - 2, 0x1234);
    loop({0xA1, 0xFE, 0xFF, 0x1F, 0});  // mov eax, [1FFFFEh]
    EXPECT_EQ(p.reg(RAX), 0xFFFF1234u);
}

TEST_F(Window, HighBytesAreAsTheyWereAfterAFault)
{
    u32 stores = 0;
    p.bus.device_page = kData;
    p.bus.on_write_device = [&](u64, int, u64 value) { stores += value == 0x12; };
    // mov eax, 1234h; mov [40000h], ah; mov ebx, eax
    loop({0xB8, 0x34, 0x12, 0, 0, 0x88, 0x25, 0, 0, 4, 0, 0x89, 0xC3});
    EXPECT_EQ(stores, 100u);
    EXPECT_EQ(p.reg(RBX), 0x1234u);
}

/// DR0 watches for writes (SDM vol. 3B, 17.2): no store may miss it.
TEST_F(Window, DataBreakpointsAreHit)
{
    loop(kCount);
    // mov eax, 40000h; mov dr0, eax; mov eax, 1 | 1 << 16 | 3 << 18; mov dr7, eax; add [40000h], 1
    p.code({0xB8, 0, 0, 4, 0, 0x0F, 0x23, 0xC0, 0xB8, 1, 0, 0xD, 0, 0x0F, 0x23, 0xF8});
    p.code(Program::kCode + 16, kCount);
    p.cpu.memory_written(Program::kCode, 0x100);
    p.cpu.state.rip = Program::kCode;
    p.cpu.state.halted = false;
    EXPECT_EQ(p.run_to_vector(), kDebug);
}

TEST_F(Window, AFaultOfTheProgramItselfIsFatalAsEver)
{
    loop(kCount);
    EXPECT_DEATH(
        {
            volatile int* nowhere = nullptr;
            *nowhere = 0;
        },
        "");
}

}  // namespace
}  // namespace reprise
