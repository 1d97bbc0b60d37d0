/// The buses, and the loop that runs the CPU from event to event.
#include <gtest/gtest.h>

#include "tests/machine/machine_test.h"

using namespace reprise;
using namespace reprise::test;

namespace {

constexpr u64 kPage = 0x1000, kMegabyte = 1 << 20;

// ---- Physical memory
// -----------------------------------------------------------------------------

TEST(MemoryMap, NothingReadsAsOnesAndForgetsWrites)
{
    MemoryMap memory(kMegabyte);
    memory.write(0x80000000, 4, 0x12345678);
    EXPECT_EQ(memory.read(0x80000000, 1), 0xFFu);
    EXPECT_EQ(memory.read(0x80000000, 4), 0xFFFFFFFFu);
    EXPECT_EQ(memory.read(0x80000000, 8), ~u64{0});
    EXPECT_EQ(memory.page(0x80000000).read, nullptr);
}

TEST(MemoryMap, ShadowRamTakesReadsAndWritesEachForItself)
{
    MemoryMap memory(kMegabyte);
    memory.shadowed_rom()[0x30000] = 0xEA;  // F0000h
    EXPECT_EQ(memory.read(0xF0000, 1), 0xEAu);
    memory.write(0xF0000, 1, 0x11);
    EXPECT_EQ(memory.read(0xF0000, 1), 0xEAu) << "ROM was written";
    EXPECT_EQ(memory.ram.data()[0xF0000], 0) << "a write passed the ROM";

    memory.set_shadow(0xF0000, 0x10000, false, true);  // copying the BIOS: read ROM, write RAM
    memory.write(0xF0000, 1, 0x22);
    EXPECT_EQ(memory.read(0xF0000, 1), 0xEAu);
    memory.set_shadow(0xF0000, 0x10000, true, false);  // protected
    EXPECT_EQ(memory.read(0xF0000, 1), 0x22u);
    memory.write(0xF0000, 1, 0x33);
    EXPECT_EQ(memory.read(0xF0000, 1), 0x22u);
    EXPECT_EQ(memory.read(0xE0000, 1), 0xFFu) << "its neighbour changed";
}

TEST(MemoryMap, MmioSeesOffsetsAndSizes)
{
    MemoryMap memory(kMegabyte);
    std::vector<std::array<u64, 3>> written;
    memory.map_mmio(
        0xFEB00000, 2 * kPage,
        [](u64 offset, int size) { return offset * 16 + static_cast<u64>(size); },
        [&](u64 offset, int size, u64 value) {
            written.push_back({offset, static_cast<u64>(size), value});
        });
    EXPECT_EQ(memory.read(0xFEB01004, 2), 0x10042u);
    memory.write(0xFEB00008, 4, 0xCAFE);
    EXPECT_EQ(written, (std::vector<std::array<u64, 3>>{{8, 4, 0xCAFE}}));
    EXPECT_EQ(memory.page(0xFEB00000).read, nullptr);
    EXPECT_EQ(memory.read(0xFEB02000, 1), 0xFFu);
}

TEST(MemoryMap, TheHigherLayerAnswersWhicheverCameFirst)
{
    MemoryMap memory(kMegabyte);
    std::vector<u8> high(kPage, 2), low(kPage, 1);
    const auto above = memory.map_memory(0x1000, kPage, high.data(), nullptr, 2);
    const auto below = memory.map_memory(0x1000, kPage, low.data(), low.data(), 1);
    EXPECT_EQ(memory.read(0x1000, 1), 2u);
    memory.unmap(above);
    EXPECT_EQ(memory.read(0x1000, 1), 1u);
    memory.unmap(below);
    EXPECT_EQ(memory.read(0x1000, 1), 0u) << "RAM is not back";
}

TEST(MemoryMap, AHandlerMayRemapWhatItIsPartOf)
{
    MemoryMap memory(kMegabyte);
    std::vector<u8> bytes(kPage, 7);
    int after = 0;
    memory.map_mmio(
        0x2000, kPage, [](u64, int) { return 0; },
        [&memory, &bytes, &after](u64, int, u64) {
            for (int i = 0; i < 100; ++i)
                memory.map_memory(0x2000, kPage, bytes.data(), bytes.data(), 1);
            ++after;
        });
    memory.write(0x2000, 1, 0);
    EXPECT_EQ(after, 1);
    EXPECT_EQ(memory.read(0x2000, 1), 7u);
}

TEST(MemoryMap, BlocksCrossFromOneKindOfMemoryToTheNext)
{
    MemoryMap memory(kMegabyte);
    std::string to_chip;
    memory.map_mmio(
        0x3000, kPage, [](u64 offset, int) { return offset + 0x40; },
        [&](u64, int, u64 value) { to_chip += static_cast<char>(value); });
    u64 changed_at = 0, changed = 0;
    memory.on_written = [&](u64 address, u64 size) { changed_at = address, changed = size; };
    const std::array<u8, 4> data = {'a', 'b', 'c', 'd'};
    memory.write_block(0x2FFE, data);
    EXPECT_EQ(memory.read(0x2FFE, 2), 0x6261u);
    EXPECT_EQ(to_chip, "cd");
    EXPECT_EQ(changed_at, 0x2FFEu);
    EXPECT_EQ(changed, 2u);
    std::array<u8, 4> back{};
    memory.read_block(0x2FFE, back);
    EXPECT_EQ(back, (std::array<u8, 4>{'a', 'b', 0x40, 0x41}));
}

// ---- Ports
// ---------------------------------------------------------------------------------------

struct ByteChip {
    u8 read(u16 offset) { return static_cast<u8>(0x10 + offset); }
    void write(u16 offset, u8 value) { written.push_back({offset, value}); }
    std::vector<std::pair<u16, u8>> written;
};

TEST(IoBus, WideAccessesBecomeByteAccessesFromTheLowestPortUp)
{
    IoBus io;
    ByteChip chip;
    io.map(0x300, 0x303, chip);
    EXPECT_EQ(io.read(0x300, 4), 0x13121110u);
    EXPECT_EQ(io.read(0x302, 4), 0xFFFF1312u) << "ports behind the chip are nobody's";
    io.write(0x2FF, 4, 0x44332211);
    EXPECT_EQ(chip.written, (std::vector<std::pair<u16, u8>>{{0, 0x22}, {1, 0x33}, {2, 0x44}}));
}

TEST(IoBus, AWideRangeSeesWhatLiesWithinIt)
{
    IoBus io;
    std::vector<int> sizes;
    io.map_wide(0x1F0, 0x1F1, [&](u16, int size) { return sizes.push_back(size), 0xABCDu; }, {});
    EXPECT_EQ(io.read(0x1F0, 2), 0xABCDu);
    EXPECT_EQ(io.read(0x1F0, 4), 0xFFFFABCDu);
    EXPECT_EQ(sizes, (std::vector<int>{2, 2}));
    io.write(0x1F0, 2, 0);  // nothing is written to: ignored
}

TEST(IoBus, NobodysPortsReadAsOnesAndTheLastPortWrapsAround)
{
    IoBus io;
    ByteChip chip;
    io.map(0, 0, chip);
    EXPECT_EQ(io.read(0x1234, 4), 0xFFFFFFFFu);
    EXPECT_EQ(io.read(0xFFFF, 2), 0x10FFu);
    io.write(0xFFFF, 4, 0x04030201);
    EXPECT_EQ(chip.written.size(), 1u);
}

TEST(IoBus, WhatARangeCoveredAnswersAgainWhenItGoes)
{
    IoBus io;
    ByteChip fixed, movable;
    io.map(0x20, 0x21, fixed);
    for (int i = 0; i < 3; ++i) {
        const IoBus::Range range = io.map_bytes(0x10, 0x2F, [](u16) { return u8{0x77}; }, {});
        EXPECT_EQ(io.read(0x21, 1), 0x77u);
        io.unmap(range);
        EXPECT_EQ(io.read(0x21, 1), 0x11u);
        EXPECT_EQ(io.read(0x10, 1), 0xFFu);
    }
}

// ---- The board
// -----------------------------------------------------------------------------------

TEST(Board, Port92OpensAndClosesA20)
{
    const auto machine = booted().start({});
    Board& board = machine->board();
    board.write_port(0x92, 1, 2);
    EXPECT_EQ(board.a20_mask(), ~u64{0});
    board.write_port(0x92, 1, 0);
    EXPECT_EQ(board.a20_mask(), ~u64{1 << 20});
}

TEST(Board, AMovedBarGivesBackThePortsItCovered)
{
    const auto machine = booted().start({});
    Board& board = machine->board();
    const auto set_bus_master_base = [&](u32 base) {
        board.write_port(0xCF8, 4, 0x80000000 | 1 << 11 | 1 << 8 | 0x20);
        board.write_port(0xCFC, 4, base);
    };
    board.write_port(0xCF8, 4, 0x80000000 | 1 << 11 | 1 << 8 | 4);
    board.write_port(0xCFC, 2, 5);  // I/O and bus master on
    const u32 mask = board.read_port(0x21, 1);
    board.write_port(0x21, 1, 0x5A);
    set_bus_master_base(0x20);
    set_bus_master_base(0xC000);
    EXPECT_EQ(board.read_port(0x21, 1), 0x5Au);
    board.write_port(0x21, 1, mask);
}

// ---- The run loop
// --------------------------------------------------------------------------------

constexpr u8 kCli = 0xFA, kSti = 0xFB, kHlt = 0xF4, kNop = 0x90;

/// Interrupt 8 goes to an IRET; channel 0 of the timer counts down once, from 1193: 1 ms.
std::vector<u8> one_shot(std::vector<u8> then)
{
    std::vector<u8> code = {
        kCli, 0xC7, 0x06, 0x20, 0x00, 0x00, 0x05,  // mov word [0x20], 0x500
        0xC7, 0x06, 0x22, 0x00, 0x00, 0x00,        // mov word [0x22], 0
        0xC6, 0x06, 0x00, 0x05, 0xCF,              // mov byte [0x500], 0xCF: iret
        0xB0, 0x30, 0xE6, 0x43,                    // mov al, 0x30; out 0x43, al: mode 0
        0xB0, 0xA9, 0xE6, 0x40,                    // mov al, 0xA9; out 0x40, al
        0xB0, 0x04, 0xE6, 0x40,                    // mov al, 0x04; out 0x40, al
    };
    std::ranges::copy(then, std::back_inserter(code));
    return code;
}

std::unique_ptr<Machine> start_flat(std::span<const u8> code)
{
    auto machine = booted().start(code);
    CpuState& cpu = machine->board().cpu.state;
    for (const u8 seg : {ES, SS, DS}) cpu.seg[seg] = Segment{};
    cpu.gpr[RSP] = 0x7000;
    machine->board().cpu.state_loaded();
    return machine;
}

TEST(RunLoop, StopsAtExactlyTheInstructionAskedFor)
{
    const auto machine = start_flat(std::vector<u8>(200, kNop));
    const u64 start = machine->instructions();
    for (u64 done = 0; const u64 n : {1, 2, 31, 32, 33, 64}) {
        done += n;
        EXPECT_EQ(machine->run_to_instruction(start + done), Stop::Reached);
        EXPECT_EQ(machine->instructions(), start + done);
        EXPECT_EQ(machine->board().cpu.state.rip, 0x7C00 + done);
    }
}

TEST(RunLoop, ARepeatedInstructionStopsBetweenItsIterations)
{
    const auto machine =
        start_flat(std::to_array<u8>({0xFC, 0xB9, 0xE8, 0x03, 0xBF, 0, 0x60, 0xF3, 0xAA}));
    machine->run_to_instruction(machine->instructions() + 3 +
                                123);  // cld; mov cx, 1000; mov di; rep stosb
    EXPECT_EQ(machine->board().cpu.state.gpr[RCX] & 0xFFFF, 1000u - 123);
    EXPECT_EQ(machine->board().cpu.state.rip, 0x7C07u);
}

TEST(RunLoop, StopsAtTheFirstInstructionAtOrAfterATime)
{
    const auto machine = start_flat(std::vector<u8>(200, kNop));
    const Time start = machine->now();  // 10 ns an instruction
    machine->run_until(start + 1);
    EXPECT_EQ(machine->now(), start + 10);
    machine->run_until(start + 20);
    EXPECT_EQ(machine->now(), start + 20);
}

TEST(RunLoop, HltEndsWithAnEventThatTheGuestSetUpJustBefore)
{
    const auto machine = start_flat(one_shot({kSti, kHlt, kCli, kHlt}));
    const Time start = machine->now();
    EXPECT_EQ(machine->run_until(start + 10 * kMillisecond), Stop::Halted);
    const Time slept = machine->now() - start;
    EXPECT_GE(slept, 999 * kMicrosecond);
    EXPECT_LE(slept, 1002 * kMicrosecond);
}

TEST(RunLoop, HltWithInterruptsOffIsReported)
{
    const auto machine = start_flat(std::to_array<u8>({kCli, kHlt}));
    EXPECT_EQ(machine->run_until(machine->now() + kSecond), Stop::Halted);
    const Time stopped = machine->now();
    EXPECT_EQ(machine->run_until(machine->now() + kSecond), Stop::Halted);
    EXPECT_EQ(machine->now(), stopped);
    machine->inject(ResetInput{});
    EXPECT_EQ(machine->run_until(stopped + kMillisecond), Stop::Reached);
}

TEST(RunLoop, AGuestThatSleepsForEverLetsTheHostGo)
{
    // mov al, 0xFF; out 0x21, al; out 0xA1, al; sti; hlt
    const auto machine =
        start_flat(std::to_array<u8>({0xB0, 0xFF, 0xE6, 0x21, 0xE6, 0xA1, kSti, kHlt}));
    const Time until = machine->now() + kSecond;
    EXPECT_EQ(machine->run_to_instruction(machine->instructions() + 1000, until), Stop::Reached);
    EXPECT_EQ(machine->now(), until);
}

TEST(RunLoop, TheClockOfAHaltedGuestGoesOn)
{
    const auto machine = start_flat(one_shot({kSti, kHlt, kHlt}));
    const u64 retired = machine->instructions();
    const Time start = machine->now();
    machine->run_until(start + 100 * kMillisecond);
    EXPECT_EQ(machine->now(), start + 100 * kMillisecond);
    EXPECT_LT(machine->instructions() - retired, 100'000u);
}

TEST(RunLoop, ATripleFaultResetsTheMachineAndItGoesOn)
{
    // lidt [0x7C08]; int3: no interrupt has a vector, not even the double fault
    const auto machine =
        start_flat(std::to_array<u8>({0x0F, 0x01, 0x1E, 0x08, 0x7C, 0xCC, 0, 0, 0, 0, 0, 0, 0, 0}));
    const u64 start = machine->instructions();
    EXPECT_EQ(machine->run_to_instruction(start + 10), Stop::Reached);
    EXPECT_EQ(machine->instructions(), start + 10);
    EXPECT_EQ(machine->board().cpu.state.seg[CS].selector & 0xF000, 0xF000) << "not in the BIOS";
}

TEST(RunLoop, TheFirstInstructionAfterResetIsBelowFourGigabytes)
{
    MachineConfig config;
    config.memory_bytes = kMegabyte;
    Machine machine(config);
    const CpuState& cpu = machine.board().cpu.state;
    EXPECT_EQ(cpu.seg[CS].base + cpu.rip, 0xFFFFFFF0u);
    EXPECT_EQ(machine.now(), 0u);
    EXPECT_EQ(machine.instructions(), 0u);
}

TEST(RunLoop, DebugExitEndsTheRunAtItsInstruction)
{
    const auto machine =
        start_flat(std::to_array<u8>({0xB0, 0x15, 0xE6, 0xF4, kNop, kNop}));  // out 0xF4, al
    const u64 start = machine->instructions();
    EXPECT_EQ(machine->run_until(machine->now() + kSecond), Stop::Exit);
    EXPECT_EQ(machine->instructions(), start + 2);
    EXPECT_EQ(machine->exit_code(), 0x2B);  // value << 1 | 1, as QEMU's isa-debug-exit
    EXPECT_EQ(machine->run_until(machine->now() + kSecond), Stop::Exit);
}

}  // namespace
