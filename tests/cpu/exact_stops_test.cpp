/// run(until) ends at exactly the clock asked for, and what a program has done by then does not
/// depend on how the way there was cut into runs: with faults, halts, repeated strings, interrupts,
/// debug traps, self-modifying code, and paging.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/cpu/program.h"

namespace reprise {
namespace {

/// Names and values of everything the CPU remembers.
struct Snapshot {
    std::vector<std::pair<std::string, u64>> values;

    void value(const Path& path, auto& v) { values.emplace_back(path.text(), static_cast<u64>(v)); }
    void bytes(const Path&, std::span<u8>) {}
    std::size_t size(const Path& path, std::size_t n)
    {
        values.emplace_back(path.text(), n);
        return n;
    }

    explicit Snapshot(Cpu& cpu)
    {
        const Path path{"cpu"};
        Members<Snapshot> members{path, *this};
        cpu.visit(members);
    }
};

std::string difference(const Snapshot& a, const Snapshot& b)
{
    std::string text;
    if (a.values.size() != b.values.size()) text = "different sizes; ";
    for (std::size_t i = 0; i < std::min(a.values.size(), b.values.size()); ++i)
        if (a.values[i] != b.values[i])
            text += a.values[i].first + ": " + std::to_string(a.values[i].second) + " or " +
                    std::to_string(b.values[i].second) + "; ";
    return text;
}

enum class Mode { Real, Protected, Paged };

/// A machine with a random program, the same for the same seed.
class RandomMachine {
public:
    RandomMachine(u32 seed, Mode mode, const char* model) : program(model), random_(seed)
    {
        if (mode == Mode::Real) program.start_real();
        else program.start_protected();
        fill_code();
        fill_handlers(mode);
        for (const Gpr r : {RAX, RCX, RDX, RBX, RBP, RSI, RDI}) program.reg(r) = pointer(mode);
        if (pick(4) == 0) program.reg(RCX) = pick(200);
        program.cpu.state.rflags |= (pick(2) ? IF : 0u) | (pick(8) == 0 ? TF : 0u);
        if (mode == Mode::Paged) {
            program.enable_paging();
            for (int i = 0; i < 6; ++i)  // some pages are read-only, absent, or not yet accessed
                program.map(Program::kCode + 0x1000 + pick(8) * 0x1000,
                            (Program::kCode + 0x1000) | pick(8) | (pick(2) ? Program::A : 0));
            if (pick(3) == 0) {
                program.reg(RSP) = Program::kUserStack;
                program.set_level(3);
            }
        }
        if (pick(5) == 0) set_breakpoints();
        program.cpu.state_loaded();
        connect_ports();
    }

    Program program;

    void run_to(u64 clock)
    {
        Cpu& cpu = program.cpu;
        while (cpu.state.clock < clock && !cpu.state.shutdown) {
            const u64 before = cpu.state.clock;
            cpu.run(clock);
            ASSERT_LE(cpu.state.clock, clock);
            if (cpu.state.shutdown) return;
            if (cpu.waiting()) {
                cpu.idle(clock - cpu.state.clock);
            } else {
                ASSERT_GT(cpu.state.clock, before);
            }
        }
    }
    void interrupt()
    {
        program.bus.vector = 0x30;
        program.cpu.set_intr(true);
    }

private:
    u32 pick(u32 n) { return random_() % n; }

    u32 pointer(Mode mode)
    {
        const u32 base = mode == Mode::Real ? 0 : Program::kCode;
        return pick(3) ? base + pick(0x400) : pick(2) ? base + 0x3000 + pick(0x100) : pick(0x10000);
    }

    void fill_code()
    {
        // Random bytes, with more of what is interesting than chance would give.
        static constexpr u8 kFavourites[] = {
            0xA4, 0xA5, 0xAA, 0xAB, 0xA6, 0xAE, 0xF3, 0xF2, 0x88, 0x89, 0x8A, 0x8B,
            0x01, 0x29, 0x31, 0x40, 0x48, 0x50, 0x58, 0x75, 0x74, 0x72, 0xEB, 0xE2,
            0xE8, 0xC3, 0x9C, 0x9D, 0xFB, 0xFA, 0xF4, 0xCD, 0xE6, 0xE4, 0x66, 0x67,
            0x0F, 0x90, 0xC6, 0xC7, 0x80, 0x83, 0xFE, 0xFF, 0x16, 0x17, 0x8E, 0xFC};
        for (u32 at = Program::kCode; at < Program::kCode + 0x2000; ++at)
            program.bus.ram[at] =
                static_cast<u8>(pick(3) ? kFavourites[pick(sizeof kFavourites)] : random_());
        // 8-bit jumps and loops are likely to stay here; stosb over the code is not rare either.
        for (u32 at = Program::kCode + 16; at < Program::kCode + 0x2000; at += 16 + pick(48))
            program.code(at, {0xEB, static_cast<int>(pick(256))});
    }

    void fill_handlers(Mode mode)
    {
        for (u32 v = 0; v < 256; ++v) {
            const bool has_code = v == 8 || (v >= 10 && v <= 14) || v == 17;
            const u32 at = Program::kHandlers + 16 * v;
            if (v == 1 || v == 0x30) program.code(at, {0xCF});  // iret
            else if (mode == Mode::Real)  // push bp; mov bp, sp; inc word [bp+2]; pop bp; iret
                program.code(at, {0x55, 0x89, 0xE5, 0xFF, 0x46, 0x02, 0x5D, 0xCF});
            else if (has_code)  // add esp, 4; inc dword [esp]; iret
                program.code(at, {0x83, 0xC4, 0x04, 0xFF, 0x04, 0x24, 0xCF});
            else program.code(at, {0xFF, 0x04, 0x24, 0xCF});
        }
    }

    void set_breakpoints()
    {
        CpuState& s = program.cpu.state;
        for (u32 i = 0; i < 4; ++i) {
            s.dr[i] = Program::kCode + pick(0x200);
            s.dr[7] |= u64{pick(2)} << (2 * i) | u64{pick(4) & 3} << (16 + 4 * i) |
                       u64{pick(4)} << (18 + 4 * i);
        }
    }

    /// Ports that answer with the clock, ask for interrupts, write code, and end the run.
    void connect_ports()
    {
        Cpu& cpu = program.cpu;
        program.bus.on_read_port = [&](u16 port, int size) {
            const u64 value = cpu.clock_now() * 0x01010101 + port;
            return static_cast<u32>(value & ((u64{1} << 8 * size) - 1));
        };
        program.bus.on_write_port = [&](u16 port, int, u32 value) {
            if (port & 1) interrupt();
            if (port & 2) {
                const u32 address = Program::kCode + (value & 0x3FF);
                program.bus.ram[address] ^= 1;
                cpu.memory_written(address, 1);
            }
            if (port & 4) cpu.limit_run(cpu.clock_now() + (value & 7));
        };
        program.bus.on_acknowledge = [&] { cpu.set_intr(false); };
    }

    std::mt19937 random_;
};

/// Runs one machine in big strides and one in small ones.
void compare(u32 seed, Mode mode, const char* model)
{
    SCOPED_TRACE(std::string{model} + ", mode " + std::to_string(static_cast<int>(mode)) +
                 ", seed " + std::to_string(seed));
    RandomMachine big{seed, mode, model}, small{seed, mode, model};
    std::mt19937 random{seed + 1};
    for (u64 clock = 0; clock < 1500;) {
        const u64 next = clock + 1 + random() % 200;
        big.run_to(next);
        for (u64 c = clock; c < next;)
            small.run_to(c = std::min(next, c + 1 + (random() % 8 == 0 ? random() % 9 : 0)));
        clock = next;
        ASSERT_EQ(difference(Snapshot{big.program.cpu}, Snapshot{small.program.cpu}), "")
            << "at " << clock;
        ASSERT_TRUE(std::ranges::equal(big.program.bus.ram, small.program.bus.ram)) << "at " << clock;
        if (big.program.cpu.state.shutdown) break;
        if (random() % 2) big.interrupt(), small.interrupt();
        if (random() % 16 == 0) big.program.cpu.raise_nmi(), small.program.cpu.raise_nmi();
    }
}

constexpr u32 kPrograms = 150;

TEST(ExactStops, RealModeProgramsDoNotDependOnSlicing)
{
    for (u32 seed = 0; seed < kPrograms && !testing::Test::HasFatalFailure(); ++seed)
        for (const char* model : {"8086", "80286", "pentium"}) compare(seed, Mode::Real, model);
}

TEST(ExactStops, ProtectedModeProgramsDoNotDependOnSlicing)
{
    for (u32 seed = 1000; seed < 1000 + kPrograms && !testing::Test::HasFatalFailure(); ++seed)
        for (const char* model : {"80386", "pentium"}) compare(seed, Mode::Protected, model);
}

TEST(ExactStops, PagedProgramsDoNotDependOnSlicing)
{
    for (u32 seed = 2000; seed < 2000 + kPrograms && !testing::Test::HasFatalFailure(); ++seed)
        for (const char* model : {"80386", "80486", "pentium"}) compare(seed, Mode::Paged, model);
}

TEST(ExactStops, EveryClockOfARepeatedStringCanBeTheLast)
{
    for (u64 stop = 1; stop < 30; ++stop) {
        Program p;
        p.start_protected();
        p.code({0xB9, 20,   0,    0,    0,                                     // mov ecx, 20
                0xBF, 0x00, 0x00, 4,    0,                                     // mov edi, 40000h
                0xF3, 0xAA,                                                    // rep stosb
                0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40});  // inc eax
        p.run(stop);
        ASSERT_EQ(p.cpu.state.clock, stop);
        if (stop < 2) continue;
        const u64 done = std::min<u64>(stop - 2, 20);
        ASSERT_EQ(p.reg(RCX), 20 - done);
        ASSERT_EQ(p.reg(RDI), Program::kData + done);
        ASSERT_EQ(p.ip(), done == 20 ? Program::kCode + 12 + (stop - 22) : Program::kCode + 10);
    }
}

TEST(ExactStops, AHaltedCpuReturnsEarly)
{
    Program p;
    p.start_protected();
    p.code({0x90, 0xF4});  // nop; hlt
    p.run(100);
    EXPECT_EQ(p.cpu.state.clock, 2u);
    EXPECT_TRUE(p.cpu.waiting());
    p.cpu.idle(50);
    EXPECT_EQ(p.cpu.state.clock, 52u);
    EXPECT_EQ(p.cpu.state.idle, 50u);
}

TEST(ExactStops, APortCanEndTheRunAfterItsInstruction)
{
    Program p;
    p.start_protected();
    p.code({0x90, 0xE6, 0x10, 0x40, 0x40, 0x40});  // nop; out 10h, al; inc eax ...
    p.bus.on_write_port = [&](u16, int, u32) {
        EXPECT_EQ(p.cpu.clock_now(), 1u);
        p.cpu.limit_run(0);
    };
    p.run(100);
    EXPECT_EQ(p.cpu.state.clock, 2u);
    EXPECT_EQ(p.reg(RAX), 0u);
    p.bus.on_write_port = nullptr;
    p.run(1);
    EXPECT_EQ(p.reg(RAX), 1u);
}

TEST(ExactStops, APortCanLimitTheRunToLaterInTheBlock)
{
    Program p;
    p.start_protected();
    p.code({0xE6, 0x10, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40});  // out 10h, al; inc eax ...
    p.bus.on_write_port = [&](u16, int, u32) { p.cpu.limit_run(4); };
    p.run(100);
    EXPECT_EQ(p.cpu.state.clock, 4u);
    EXPECT_EQ(p.reg(RAX), 3u);
}

TEST(ExactStops, AnInterruptBetweenTwoBlocksDoesNotLinkThem)
{
    // The interrupt is taken after the jump that follows STI, when it is not known yet where the
    // jump leads. Afterwards it must not lead to the handler.
    Program p;
    p.start_protected();
    p.code(Program::kHandlers + 16 * 0x30, {0x42, 0xCF});  // inc edx; iret
    p.bus.vector = 0x30;
    p.bus.on_acknowledge = [&] { p.cpu.set_intr(false); };
    p.code({0xFB,                // sti
            0xEB, 0x00,          // jmp +0
            0x41, 0xEB, 0xFA});  // inc ecx; jmp to the sti
    p.cpu.set_intr(true);
    p.run(2 + 2 + 2 + 4 * 100);
    EXPECT_EQ(p.reg(RDX), 1u);
    EXPECT_EQ(p.reg(RCX), 101u);
}

}  // namespace
}  // namespace reprise
