/// A debugger sees everything and changes nothing.
#include "machine/debugger.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/machine/guest_programs.h"
#include "tests/machine/machine_test.h"

using namespace reprise;
using namespace reprise::test;

namespace {

using Why = Debugger::Why;

constexpr u64 kCode = 0x7C00;

u64 pc(const Debugger& debugger) { return debugger.number("pc"); }

u64 read32(const Debugger& debugger, u64 address)
{
    std::array<u8, 4> bytes{};
    EXPECT_EQ(debugger.read_memory(address, false, bytes), 4u);
    return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | u64{bytes[3]} << 24;
}

/// Goes on until the debugger stops.
Why run_to_stop(Machine& machine, Debugger& debugger, Time at_most = kSecond)
{
    debugger.resume();
    EXPECT_EQ(machine.run_until(machine.now() + at_most), Stop::Debugger);
    return debugger.stopped().value_or(Debugger::Stopped{}).why;
}

/// Addresses of instructions that are executed, and the clock at each.
struct Trace {
    std::vector<std::pair<u64, u64>> executed;  // linear address, instructions retired before
    std::vector<u64> addresses;
};

Trace trace(std::span<const u8> program, u64 instructions)
{
    const auto machine = booted().start(program);
    Cpu& cpu = machine->board().cpu;
    cpu.watch({});  // counts interrupts
    Trace result;
    std::set<u64> seen;
    for (u64 i = 0; i < instructions; ++i) {
        const u64 linear = cpu.linear_ip(), clock = machine->instructions();
        const u64 interrupts = cpu.debug_watch()->interrupts;
        if (machine->run_to_instruction(clock + 1) != Stop::Reached) break;
        if (cpu.debug_watch()->interrupts != interrupts) continue;  // it was not executed
        result.executed.emplace_back(linear, clock);
        seen.insert(linear);
    }
    result.addresses.assign(seen.begin(), seen.end());
    return result;
}

class DebuggedGuest : public testing::TestWithParam<Program> {
protected:
    static constexpr Time kRun = 10 * kMillisecond;
    std::unique_ptr<Machine> start() const { return booted().start(GetParam().code); }
};

INSTANTIATE_TEST_SUITE_P(Guests, DebuggedGuest, testing::ValuesIn(kPrograms),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST_P(DebuggedGuest, AttachingIsNotNoticed)
{
    const auto alone = start(), watched = start();
    const Time end = alone->now() + kRun;
    alone->run_until(end);
    Debugger debugger(*watched);
    EXPECT_EQ(watched->run_until(end), Stop::Debugger);
    debugger.resume();
    watched->run_until(end);
    EXPECT_TRUE(same_state(*alone, *watched));
}

TEST_P(DebuggedGuest, EveryStepIsOneInstruction)
{
    const auto alone = start(), stepped = start();
    Debugger debugger(*stepped);
    debugger.steps_into_interrupts = true;
    for (int i = 0; i < 50'000; ++i) {
        const u64 before = stepped->instructions();
        debugger.step();
        ASSERT_EQ(stepped->run_until(kNever), Stop::Debugger);
        if (debugger.stopped()->why == Why::Halted) break;
        ASSERT_EQ(debugger.stopped()->why, Why::Step);
        ASSERT_EQ(stepped->instructions(), before + 1);
    }
    alone->run_to_instruction(stepped->instructions());
    EXPECT_TRUE(same_state(*alone, *stepped));
}

/// What a person does in an hour, many times over.
class Meddler {
public:
    Meddler(Machine& machine, u64 seed, const std::vector<u64>& addresses)
        : machine_(machine), debugger_(machine), random_(seed), addresses_(addresses)
    {
    }

    void run(Time end, int stops)
    {
        while (machine_.now() < end && machine_.run_until(end) == Stop::Debugger) {
            if (--stops == 0) debugger_.remove_all_points();
            if (stops > 0) act();
            go_on(stops > 0);
        }
    }

private:
    void act()
    {
        const u64 address = addresses_[random_() % addresses_.size()];
        const u64 data = 0x500 + random_() % 0x20;
        std::array<u8, 300> bytes;
        switch (random_() % 8) {
        case 0: return debugger_.add_breakpoint(address);
        case 1: return debugger_.add_breakpoint(address + random_() % 3);
        case 2: return debugger_.remove_breakpoint(address);
        case 3:
            return debugger_.add_watchpoint(
                {data, 1 + random_() % 9, random_() % 2 != 0, random_() % 2 != 0});
        case 4: return debugger_.add_watchpoint({0x7BF0, 8, false, true});  // the stack
        case 5: debugger_.read_memory(random_() % 0x200000, random_() % 2 != 0, bytes); return;
        case 6:
            for (const DebugRegister& reg : debugger_.registers()) debugger_.read(reg);
            return;
        default:
            if (random_() % 4 == 0) debugger_.remove_all_points();
        }
    }

    void go_on(bool steps)
    {
        debugger_.steps_into_interrupts = random_() % 2 != 0;
        const u64 address = addresses_[random_() % addresses_.size()];
        switch (steps ? random_() % 4 : 0) {
        case 1: return debugger_.step();
        case 2: return debugger_.step_range(address, address + random_() % 20);
        default: return debugger_.resume();
        }
    }

    Machine& machine_;
    Debugger debugger_;
    std::mt19937_64 random_;
    const std::vector<u64>& addresses_;
};

TEST_P(DebuggedGuest, NothingADebuggerDoesIsNoticed)
{
    const Trace traced = trace(GetParam().code, 20'000);
    const auto alone = start();
    const Time end = alone->now() + kRun;
    alone->run_until(end);
    for (const u64 seed : {1, 2, 3, 4}) {
        const auto watched = start();
        Meddler(*watched, seed, traced.addresses).run(end, 3000);
        watched->run_until(end);
        ASSERT_TRUE(same_state(*alone, *watched)) << "seed " << seed;
    }
}

TEST_P(DebuggedGuest, ABreakpointStopsBeforeEveryExecution)
{
    constexpr u64 kInstructions = 20'000;
    const Trace traced = trace(GetParam().code, kInstructions);
    const u64 seed = 5;
    std::mt19937_64 random(seed);
    for (int attempt = 0; attempt < 8; ++attempt) {
        const u64 address = traced.addresses[random() % traced.addresses.size()];
        SCOPED_TRACE(testing::Message() << "breakpoint at " << std::hex << address);
        std::vector<u64> expected;
        u64 before = 0;
        for (const auto& [linear, clock] : traced.executed) {
            // The next iteration of a repeated instruction is no new execution.
            if (linear == address && before != address) expected.push_back(clock);
            before = linear;
        }
        const auto machine = start();
        Debugger debugger(*machine);
        const u64 end = traced.executed.back().second;
        debugger.add_breakpoint(address);
        std::vector<u64> hits;
        if (pc(debugger) == address) hits.push_back(machine->instructions());
        debugger.resume();
        while (machine->run_to_instruction(end) == Stop::Debugger) {
            if (debugger.stopped()->why == Why::Halted) break;
            ASSERT_EQ(debugger.stopped()->why, Why::Breakpoint);
            ASSERT_EQ(pc(debugger), address);
            // The first instruction of a handler is only seen here: a step executes it together
            // with the interrupt.
            if (!machine->board().cpu.state.interrupt_taken)
                hits.push_back(machine->instructions());
            debugger.resume();
        }
        if (!expected.empty() && expected.back() == end) expected.pop_back();
        EXPECT_EQ(hits, expected);
    }
}

TEST(Debugger, ABreakpointInAnInterruptHandlerStopsBeforeItsFirstInstruction)
{
    constexpr u64 kTick = 0x7C42, kTicks = 0x504;
    const auto machine = booted().start(kTimer);
    Debugger debugger(*machine);
    debugger.add_breakpoint(kTick);
    ASSERT_EQ(run_to_stop(*machine, debugger), Why::Breakpoint);
    const u64 first = read32(debugger, kTicks);
    for (u64 i = 1; i < 20; ++i) {
        ASSERT_EQ(run_to_stop(*machine, debugger), Why::Breakpoint);
        ASSERT_EQ(pc(debugger), kTick);
        ASSERT_EQ(read32(debugger, kTicks), first + i);
    }
}

TEST(Debugger, AWatchpointStopsBehindTheInstructionThatWrites)
{
    constexpr u64 kTicks = 0x504, kBehindInc = 0x7C42 + 1 + 5;
    const auto machine = booted().start(kTimer);
    Debugger debugger(*machine);
    debugger.add_watchpoint({kTicks, 4, false, true});
    ASSERT_EQ(run_to_stop(*machine, debugger), Why::Write);
    const u64 first = read32(debugger, kTicks);
    for (u64 i = 1; i < 20; ++i) {
        ASSERT_EQ(run_to_stop(*machine, debugger), Why::Write);
        EXPECT_EQ(pc(debugger), kBehindInc);
        EXPECT_EQ(debugger.stopped()->address, kTicks);
        ASSERT_EQ(read32(debugger, kTicks), first + i);
    }
    debugger.remove_watchpoint({kTicks, 4, false, true});
    debugger.add_watchpoint({kTicks + 3, 1, true, false});
    ASSERT_EQ(run_to_stop(*machine, debugger), Why::Read);
    EXPECT_EQ(debugger.stopped()->address, kTicks + 3);
}

TEST(Debugger, AWatchpointSeesWhatAnInterruptPushes)
{
    constexpr u64 kTick = 0x7C42;
    const auto machine = booted().start(kTimer);
    Debugger debugger(*machine);
    debugger.add_breakpoint(0x7C22);  // hlt, the stack is set
    ASSERT_EQ(run_to_stop(*machine, debugger), Why::Breakpoint);
    debugger.remove_breakpoint(0x7C22);
    debugger.add_watchpoint({0x7BFE, 2, false, true});
    ASSERT_EQ(run_to_stop(*machine, debugger), Why::Write);
    EXPECT_EQ(pc(debugger), kTick);
}

TEST(Debugger, AWatchpointStopsARepeatedInstructionBetweenIterations)
{
    // mov cx, 100; mov di, 9000h; mov ax, ds; mov es, ax; cld; rep stosb; jmp $
    const std::array<u8, 15> code{0xB9, 0x64, 0x00, 0xBF, 0x00, 0x90, 0x8C, 0xD8,
                                  0x8E, 0xC0, 0xFC, 0xF3, 0xAA, 0xEB, 0xFE};
    const auto machine = booted().start(code);
    Debugger debugger(*machine);
    machine->inject(DebugRegisterInput{"ds", debug_value(0)});
    debugger.add_watchpoint({0x9000 + 41, 1, false, true});
    ASSERT_EQ(run_to_stop(*machine, debugger), Why::Write);
    EXPECT_EQ(pc(debugger), kCode + 11);
    EXPECT_EQ(debugger.number("rdi") & 0xFFFF, 0x9000u + 42);
    EXPECT_EQ(debugger.number("rcx") & 0xFFFF, 100u - 42);
}

TEST(Debugger, StepsRunInterruptsToTheirEndUnlessAskedNotTo)
{
    constexpr u64 kTick = 0x7C42;
    for (const bool into : {false, true}) {
        const auto machine = booted().start(kTimer);
        Debugger debugger(*machine);
        debugger.steps_into_interrupts = into;
        bool was_in_handler = false;
        for (int i = 0; i < 30'000; ++i) {
            debugger.step();
            ASSERT_EQ(machine->run_until(kNever), Stop::Debugger);
            ASSERT_EQ(debugger.stopped()->why, Why::Step);
            was_in_handler = was_in_handler || pc(debugger) >= kTick;
        }
        EXPECT_EQ(was_in_handler, into);
        EXPECT_GT(read32(debugger, 0x504), 5u);
    }
}

TEST(Debugger, ARangeStepEndsOutsideOfTheRange)
{
    // mov cx, 1000; loop $; nop; jmp $
    const std::array<u8, 8> code{0xB9, 0xE8, 0x03, 0xE2, 0xFE, 0x90, 0xEB, 0xFE};
    const auto machine = booted().start(code);
    Debugger debugger(*machine);
    const u64 before = machine->instructions();
    debugger.step_range(kCode, kCode + 4);
    ASSERT_EQ(machine->run_until(kNever), Stop::Debugger);
    EXPECT_EQ(debugger.stopped()->why, Why::Step);
    EXPECT_EQ(pc(debugger), kCode + 5);
    EXPECT_GE(machine->instructions() - before, 1001u);
}

TEST(Debugger, ATripleFaultStopsBeforeTheReset)
{
    const std::array<u8, 2> code{0x90, 0xCC};  // nop; int3
    const auto machine = booted().start(code);
    Debugger debugger(*machine);
    machine->inject(DebugRegisterInput{"idtr_limit", debug_value(0)});
    ASSERT_EQ(run_to_stop(*machine, debugger), Why::Shutdown);
    EXPECT_EQ(pc(debugger), kCode + 1);
    EXPECT_TRUE(debugger.halted());
    debugger.resume();
    EXPECT_EQ(machine->run_to_instruction(machine->instructions()), Stop::Reached);
    EXPECT_EQ(pc(debugger), 0xFFFFFFF0u);
}

TEST(Debugger, AnEndlessHaltStops)
{
    const std::array<u8, 2> code{0xFA, 0xF4};  // cli; hlt
    const auto machine = booted().start(code);
    Debugger debugger(*machine);
    EXPECT_EQ(run_to_stop(*machine, debugger), Why::Halted);
    EXPECT_EQ(run_to_stop(*machine, debugger), Why::Halted);
}

TEST(Debugger, AResetTakesEffectAtOnce)
{
    const auto machine = booted().start(kTimer);
    Debugger debugger(*machine);
    debugger.reset();
    EXPECT_TRUE(debugger.is_stopped());
    EXPECT_EQ(pc(debugger), 0xFFFFFFF0u);
    EXPECT_EQ(debugger.number("cs"), 0xF000u);
}

TEST(Debugger, TheSameCodeAtAnotherAddressIsNoBreakpoint)
{
    // With A20 shut the code of the test at FFFF:0810 is that at 0000:0800.
    const auto machine = booted().start(kA20);
    Debugger debugger(*machine);
    debugger.add_breakpoint(0x800);
    debugger.resume();
    EXPECT_EQ(machine->run_until(machine->now() + 20 * kMillisecond), Stop::Reached);
    debugger.stop();
    debugger.add_breakpoint(0x100800);
    for (int i = 0; i < 10; ++i) {
        ASSERT_EQ(run_to_stop(*machine, debugger), Why::Breakpoint);
        ASSERT_EQ(pc(debugger), 0x100800u);
    }
}

// ---- Looking and changing ----------------------------------------------------------------------

TEST(Debugger, ReadingMemoryGoesThroughThePageTablesAndLeavesThemAlone)
{
    const auto machine = booted().start(kPaging);
    machine->run_until(machine->now() + 5 * kMillisecond);
    Debugger debugger(*machine);
    ASSERT_NE(debugger.number("cr0") >> 31, 0u);
    const u64 hash = machine->state_hash();
    std::array<u8, 16> bytes{};
    EXPECT_EQ(debugger.read_memory(kCode, false, bytes), bytes.size());
    EXPECT_EQ(bytes[0], kPaging[0]);
    EXPECT_EQ(debugger.read_memory(0x400000, false, bytes), 0u) << "the tables end at 4 MB";
    EXPECT_EQ(debugger.read_memory(0x3FFFFC, false, bytes), 4u);
    EXPECT_EQ(debugger.read_memory(0x400000, true, bytes), bytes.size());
    EXPECT_EQ(debugger.read_memory(u64{1} << 32 | kCode, false, bytes), 0u);
    for (u64 address = 0; address < 0x400000; address += 0x1000)
        debugger.read_memory(address, false, bytes);
    EXPECT_EQ(machine->state_hash(), hash);
}

TEST(Debugger, TheScreenCanBeReadWithoutTouchingTheLatches)
{
    const auto machine = booted().start(kTimer);
    Debugger debugger(*machine);
    const u64 hash = machine->state_hash();
    std::vector<u8> bytes(4000);
    ASSERT_EQ(debugger.read_memory(0xB8000, false, bytes), bytes.size());
    EXPECT_EQ(machine->state_hash(), hash);
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 2) text += static_cast<char>(bytes[i]);
    EXPECT_NE(text.find("SeaBIOS"), std::string::npos);
}

TEST(Debugger, MemoryThatIsChangedIsExecuted)
{
    const std::array<u8, 4> code{0x90, 0x40, 0xEB, 0xFC};  // nop; inc ax; jmp kCode
    const auto machine = booted().start(code);
    machine->run_to_instruction(machine->instructions() + 300);
    Debugger debugger(*machine);
    machine->inject(DebugMemoryInput{kCode + 1, false, {0x43}});  // inc bx
    machine->inject(DebugRegisterInput{"rax", debug_value(0)});
    machine->inject(DebugRegisterInput{"rbx", debug_value(0)});
    debugger.resume();
    machine->run_to_instruction(machine->instructions() + 300);
    debugger.stop();
    EXPECT_EQ(debugger.number("rax"), 0u);
    EXPECT_EQ(debugger.number("rbx"), 100u);
    EXPECT_THROW(machine->inject(DebugMemoryInput{0xFFFFFFF0, false, {1}}), HostError);
}

TEST(Debugger, WhatCannotBeSetIsRefused)
{
    const auto machine = booted().start(kTimer);
    Debugger debugger(*machine);
    const auto set = [&](const char* name, u64 value) {
        machine->inject(DebugRegisterInput{name, debug_value(value)});
    };
    const u64 hash = machine->state_hash();
    EXPECT_THROW(set("cr0", 0x80000010), HostError) << "paging without protection";
    EXPECT_THROW(set("cr4", 0x80000000), HostError);
    EXPECT_THROW(set("cpl", 3), HostError);
    EXPECT_THROW(set("r99", 3), HostError);
    EXPECT_EQ(machine->state_hash(), hash);
    set("pc", 0x12345);
    EXPECT_EQ(debugger.number("rip"), 0x12345u);
    set("rflags", 0xFFFFFFFF);
    EXPECT_EQ(debugger.number("rflags") & 0x20000, 0u) << "VM is a change of mode";
}

TEST(Debugger, NoValueOfAnyRegisterBreaksTheEmulator)
{
    for (const Program& program : {kPrograms[0], kPrograms[7]}) {
        for (u64 seed = 1; seed <= 40; ++seed) {
            SCOPED_TRACE(testing::Message() << program.name << ", seed " << seed);
            std::mt19937_64 random(seed);
            const auto machine = booted().start(program.code);
            machine->run_until(machine->now() + 2 * kMillisecond);
            Debugger debugger(*machine);
            for (int i = 0; i < 20; ++i) {
                const auto& registers = debugger.registers();
                const DebugRegister& reg = registers[random() % registers.size()];
                DebugValue value{};
                const int bytes = static_cast<int>(random() % 17);
                for (int b = 0; b < bytes; ++b)
                    value[static_cast<std::size_t>(b)] = static_cast<u8>(random());
                try {
                    machine->inject(DebugRegisterInput{reg.name, value});
                } catch (const HostError&) {
                    continue;
                }
                debugger.resume();
                machine->run_until(machine->now() + 20 * kMicrosecond);
                debugger.stop();
            }
        }
    }
}

}  // namespace
