/// A machine that is saved and loaded goes on as the one that was never stopped, wherever it was.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "tests/machine/guest_programs.h"
#include "tests/machine/machine_test.h"
#include "tests/machine/media.h"

using namespace reprise;
using namespace reprise::test;

namespace {

/// Saved and loaded, as many times as wanted.
class Traveller {
public:
    explicit Traveller(std::unique_ptr<Machine> machine) : machine_(std::move(machine)) {}

    void save_and_load()
    {
        const std::string path = folder_ / "saved.state";
        machine_->save(path);
        machine_.reset();  // frees the images
        machine_ = Machine::load(path);
    }
    Machine& operator*() const { return *machine_; }
    Machine* operator->() const { return machine_.get(); }

private:
    TemporaryFolder folder_;
    std::unique_ptr<Machine> machine_;
};

/// Runs both side by side over `time`, and saves and loads one of them at `points` random
/// instructions.
void compare_over(Machine& steady, Traveller& traveller, Time time, int points, u64 seed)
{
    std::mt19937_64 random(seed);
    const Time longest = 2 * time / static_cast<Time>(points);
    for (int i = 0; i < points; ++i) {
        steady.run_until(steady.now() + random() % longest);
        traveller->run_until(steady.now());
        // Not only where time ends: in the middle of whatever the guest was doing.
        const u64 more = random() % 200;
        const Time limit = steady.now() + kMillisecond;
        steady.run_to_instruction(steady.instructions() + more, limit);
        traveller->run_to_instruction(traveller->instructions() + more, limit);
        traveller.save_and_load();
        ASSERT_TRUE(same_state(steady, *traveller))
            << "seed " << seed << ", after loading at point " << i;
    }
    steady.run_until(steady.now() + longest);
    traveller->run_until(steady.now());
    ASSERT_TRUE(same_state(steady, *traveller)) << "seed " << seed << ", at the end";
}

class Resume : public testing::TestWithParam<Program> {};

TEST_P(Resume, ALoadedMachineGoesOnAsTheOneNeverStopped)
{
    const auto steady = booted().start(GetParam().code);
    Traveller traveller(booted().start(GetParam().code));
    compare_over(*steady, traveller, 30 * kMillisecond, 30, 1);
}

INSTANTIATE_TEST_SUITE_P(Guests, Resume, testing::ValuesIn(kPrograms),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(ResumeInput, AResetThatWasAskedForIsNotForgotten)
{
    const auto steady = booted().start(kTimer);
    Traveller traveller(booted().start(kTimer));
    steady->inject(ResetInput{});
    traveller->inject(ResetInput{});
    traveller.save_and_load();
    steady->run_until(steady->now() + kMillisecond);
    traveller->run_until(steady->now());
    EXPECT_TRUE(same_state(*steady, *traveller));
}

// ---- DOS in virtual-8086 mode
// --------------------------------------------------------------------

std::string gunzip(const std::string& path, const std::string& into)
{
    EXPECT_EQ(std::system(("gzip -dc '" + path + "' > '" + into + "'").c_str()), 0);
    return into;
}

void press(Machine& machine, u8 usage)
{
    for (const bool pressed : {true, false}) {
        machine.inject(KeyInput{usage, pressed});
        machine.run_until(machine.now() + 30 * kMillisecond);
    }
}

/// FreeDOS with JEMM386: the third line of the menu. Stops when DOS runs in virtual-8086 mode.
std::unique_ptr<Machine> start_jemm386(const std::string& image)
{
    MachineConfig config;
    config.ata[0].path = image;
    config.ata[0].snapshot = true;
    auto machine = std::make_unique<Machine>(config);
    machine->run_until(6 * kSecond);
    press(*machine, 0x20);  // 3: USB HID usage tables, 10
    press(*machine, 0x28);  // Enter
    const CpuState& cpu = machine->board().cpu.state;
    while (!(cpu.rflags & VM) && machine->now() < 60 * kSecond)
        machine->run_until(machine->now() + kMillisecond);
    return machine;
}

TEST(ResumeOfDosInV86Mode, ALoadedMachineGoesOnAsTheOneNeverStopped)
{
    const std::string packed = medium("fdhdd-free.img.gz");
    if (packed.empty()) return;
    const TemporaryFolder folder;
    const std::string image = gunzip(packed, folder / "disk.img");
    const auto steady = start_jemm386(image);
    ASSERT_TRUE(steady->board().cpu.state.rflags & VM) << "JEMM386 did not start";
    const std::string saved = folder / "v86.state";
    steady->save(saved);
    Traveller traveller(Machine::load(saved));
    compare_over(*steady, traveller, kSecond, 50, 2);
    EXPECT_TRUE((steady->board().cpu.state.cr0 & (kCr0Pg | kCr0Pe)) == (kCr0Pg | kCr0Pe));
}

}  // namespace
