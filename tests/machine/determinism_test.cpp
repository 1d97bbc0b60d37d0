/// The same machine with the same inputs is the same machine, however its run is divided and
/// whatever else the host does.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "tests/machine/guest_programs.h"
#include "tests/machine/machine_test.h"
#include "tests/machine/media.h"

using namespace reprise;
using namespace reprise::test;

namespace {

constexpr Time kRun = 20 * kMillisecond;

/// Threads that keep every core of the host busy.
class BusyHost {
public:
    BusyHost()
    {
        for (unsigned i = 0; i < 2 * std::max(1u, std::thread::hardware_concurrency()); ++i)
            threads_.emplace_back([this] {
                while (!stop_) ++work_;
            });
    }
    ~BusyHost()
    {
        stop_ = true;
        for (std::thread& thread : threads_) thread.join();
    }

private:
    std::atomic<bool> stop_ = false;
    std::atomic<u64> work_ = 0;
    std::vector<std::thread> threads_;
};

/// Lengths from one unit up to `longest`, short ones as likely as long ones.
u64 random_length(std::mt19937_64& random, u64 longest)
{
    const int bits = std::bit_width(longest);
    return 1 + (random() & ((u64{1} << random() % static_cast<u64>(bits)) - 1));
}

void run_in_slices_of_time(Machine& machine, Time until, u64 seed)
{
    std::mt19937_64 random(seed);
    while (machine.now() < until)
        machine.run_until(
            std::min(until, machine.now() + random_length(random, 100 * kMicrosecond)));
}

void run_in_slices_of_instructions(Machine& machine, Time until, u64 seed)
{
    std::mt19937_64 random(seed);
    while (machine.now() < until) {
        const u64 goal = machine.instructions() + random_length(random, 5'000);
        if (machine.run_to_instruction(goal, until) == Stop::Halted) return;
        if (machine.now() < until) {
            ASSERT_EQ(machine.instructions(), goal);
        }
    }
}

void run_step_by_step(Machine& machine, u64 instructions)
{
    const u64 last = machine.instructions() + instructions;
    for (u64 i = machine.instructions() + 1; i <= last; ++i) {
        if (machine.run_to_instruction(i) == Stop::Halted) return;
        ASSERT_EQ(machine.instructions(), i);
    }
}

class Determinism : public testing::TestWithParam<Program> {
protected:
    std::unique_ptr<Machine> start() const { return booted().start(GetParam().code); }
    Time end(Machine& machine) const { return machine.now() + kRun; }
};

TEST_P(Determinism, TwoRunsAreTheSame)
{
    const auto first = start(), second = start();
    first->run_until(end(*first));
    second->run_until(end(*second));
    EXPECT_TRUE(same_state(*first, *second));
}

TEST_P(Determinism, RunsInSlicesOfTimeAreTheSameAsOneRun)
{
    const auto whole = start();
    const Time until = end(*whole);
    whole->run_until(until);
    for (const u64 seed : {1, 2, 3}) {
        const auto sliced = start();
        run_in_slices_of_time(*sliced, until, seed);
        ASSERT_TRUE(same_state(*whole, *sliced)) << "seed " << seed;
    }
}

TEST_P(Determinism, RunsInSlicesOfInstructionsAreTheSameAsOneRun)
{
    const auto whole = start();
    const Time until = end(*whole);
    whole->run_until(until);
    for (const u64 seed : {4, 5, 6}) {
        const auto sliced = start();
        run_in_slices_of_instructions(*sliced, until, seed);
        ASSERT_TRUE(same_state(*whole, *sliced)) << "seed " << seed;
    }
}

TEST_P(Determinism, SingleStepsAreTheSameAsOneRun)
{
    const auto whole = start(), stepped = start();
    run_step_by_step(*stepped, 100'000);
    whole->run_to_instruction(stepped->instructions());
    EXPECT_TRUE(same_state(*whole, *stepped));
}

TEST_P(Determinism, ABusyHostChangesNothing)
{
    const auto quiet = start(), disturbed = start();
    quiet->run_until(end(*quiet));
    const BusyHost busy;
    run_in_slices_of_time(*disturbed, quiet->now(), 7);
    EXPECT_TRUE(same_state(*quiet, *disturbed));
}

INSTANTIATE_TEST_SUITE_P(Guests, Determinism, testing::ValuesIn(kPrograms),
                         [](const auto& tested) { return std::string(tested.param.name); });

// ---- A whole operating system ------------------------------------------------------------------

/// Boots FreeDOS and types a command.
void boot_and_type(Machine& machine, auto run)
{
    run(machine, Time{6 * kSecond});
    for (const u8 usage : {0x07, 0x0C, 0x15, 0x28}) {  // D I R Enter: USB HID usage tables, 10
        machine.inject(KeyInput{usage, true});
        run(machine, machine.now() + 30 * kMillisecond);
        machine.inject(KeyInput{usage, false});
        run(machine, machine.now() + 30 * kMillisecond);
    }
    run(machine, Time{8 * kSecond});
}

TEST(DeterminismOfFreeDos, RunsInSlicesAreTheSameAsOneRun)
{
    const std::string image = medium("fdboot-1440k.img");
    if (image.empty()) return;
    MachineConfig config;
    config.floppy[0].path = image;
    config.floppy[0].snapshot = true;
    Machine whole(config), sliced(config);
    boot_and_type(whole, [](Machine& m, Time until) { m.run_until(until); });
    boot_and_type(sliced, [](Machine& m, Time until) { run_in_slices_of_time(m, until, 8); });
    EXPECT_TRUE(same_state(whole, sliced));
}

}  // namespace
