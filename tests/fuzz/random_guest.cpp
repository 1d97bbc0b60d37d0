/// Runs guests that do anything at all, and watches that nothing happens to the host: no crash, no
/// hang, no assertion; and that each seed gives the same machine however its run is divided, and
/// whichever engine executes it.
///
///     random_guest [--seeds N] [--first S] [--instructions N] [--no-ports] [--once]
///
/// To repeat what a message names: --first SEED --seeds 1, and the same --instructions. CI's run is
/// the default; a long one is --seeds 1000 --instructions 5000000. --once executes each seed once,
/// divided and by both engines in turn, and compares nothing. All belong under the sanitizers.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>

#include "machine/board.h"
#include "tests/fuzz/random_program.h"
#include "tests/fuzz/watchdog.h"
#include "tests/machine/machine_test.h"

namespace reprise::fuzz {
namespace {

using test::booted;

struct Options {
    u64 first = 1;
    u64 seeds = 30;
    u64 instructions = 1'000'000;
    bool ports = true;
    bool once = false;
};

constexpr unsigned kCpuSecondsPerSeed = 300;
constexpr u64 kInstructionsPerProgram = 50'000;

/// A BIOS that every processor can execute: it waits.
std::string small_bios()
{
    std::vector<u8> rom(64 << 10, 0x90);
    const auto wait = std::to_array<u8>({0xF4, 0xEB, 0xFD});               // hlt; jmp to the hlt
    const auto reset = std::to_array<u8>({0xEA, 0x00, 0x00, 0x00, 0xF0});  // jmp F000:0000
    std::ranges::copy(wait, rom.begin());
    std::ranges::copy(reset, rom.end() - 16);
    return booted().folder().file("small.bios", rom);
}

/// The machine of a seed: mostly one whose firmware has done its work, else another processor just
/// switched on.
std::unique_ptr<Machine> machine_for(u64 seed)
{
    static constexpr const char* kModels[] = {"8086", "80286", "80386", "80486"};
    if (seed % 8 >= 4) return Machine::load(booted().saved());
    if (seed % 8 != 0) return booted().start({});
    MachineConfig config = booted().config();
    config.cpu_model = kModels[seed / 8 % 4];
    config.bios_path = small_bios();
    return std::make_unique<Machine>(config);
}

/// Runs to instruction `goal`, or for as long as that should take at most, in one go or many.
void run(Machine& machine, u64 goal, Random* slicing)
{
    const Time limit = machine.now() + 40 * (goal - machine.instructions());
    while (machine.instructions() < goal && machine.now() < limit) {
        const u64 step = slicing ? 1 + (*slicing)() % (u64{1} << (*slicing)() % 13) : goal;
        const Stop stop =
            machine.run_to_instruction(std::min(goal, machine.instructions() + step), limit);
        if (stop != Stop::Reached) break;
    }
    machine.board().exit_value.reset();
}

/// Pulls what a monitor would.
void look(const Machine& machine)
{
    Frame frame;
    machine.render(frame);
    static_cast<void>(machine.text_screen().to_utf8());
}

/// Somebody at the keyboard, at the other end of the serial line, and at the floppy drive.
void disturb(Machine& machine, Random& random)
{
    const auto byte = [&] { return static_cast<u8>(random()); };
    switch (random() % 8) {
    case 0: machine.inject(KeyInput{byte(), random() % 2 == 0}); break;
    case 1:
        machine.inject(MouseInput{static_cast<i32>(random()), static_cast<i32>(random()),
                                  byte() - 128, byte()});
        break;
    case 2:
        machine.inject(SerialInput{static_cast<int>(random() % 2), {byte(), byte(), byte()}});
        break;
    case 3:
        machine.inject(
            MediaInput{"fda", random() % 2 ? booted().config().floppy[0].path : "", true, false});
        break;
    case 4:
        if (random() % 4 == 0) machine.inject(ResetInput{});
        break;
    default: break;
    }
}

std::unique_ptr<Machine> run_programs(u64 seed, u64 instructions, bool sliced, Engine engine)
{
    Random random(seed), slicing(seed + 1);
    std::unique_ptr<Machine> machine = machine_for(seed);
    machine->set_engine(engine);
    const u64 programs = std::max<u64>(1, instructions / kInstructionsPerProgram);
    const u64 length = instructions / programs;
    for (u64 i = 0; i < programs; ++i) {
        start_random_program(*machine, random);
        disturb(*machine, random);
        run(*machine, machine->instructions() + length, sliced ? &slicing : nullptr);
        if (sliced) look(*machine);
        if (sliced && i == programs / 2) {
            const std::string path = booted().folder() / "fuzz.state";
            machine->save(path);
            machine.reset();
            machine = Machine::load(path);
            machine->set_engine(engine);
        }
    }
    return machine;
}

bool is_same(Machine& one, Machine& other, u64 seed, std::string_view what)
{
    const auto same = test::same_state(one, other);
    if (!same)
        fmt::print(stderr, "seed {}: {}, it is another machine:\n{}\n", seed, what, same.message());
    return bool{same};
}

bool fuzz_programs(u64 seed, u64 instructions)
{
    const auto whole = run_programs(seed, instructions, false, Engine::Interpreter),
               sliced = run_programs(seed, instructions, true, Engine::Interpreter),
               translated = run_programs(seed, instructions, false, Engine::Translator),
               both = run_programs(seed, instructions, true, Engine::Translator);
    bool same = is_same(*whole, *sliced, seed, "divided differently");
    same = is_same(*whole, *translated, seed, "translated") && same;
    return is_same(*whole, *both, seed, "translated and divided differently") && same;
}

// ---- Chips ------------------------------------------------------------------------------------

/// Every port, read and written, in all widths, in random order; the guest runs in between.
void fuzz_ports(Machine& machine, Random& random)
{
    Board& board = machine.board();
    std::vector<u32> accesses(0x10000 * 6);
    std::iota(accesses.begin(), accesses.end(), 0u);
    std::shuffle(accesses.begin(), accesses.end(), random);
    for (const u32 access : accesses) {
        const u16 port = static_cast<u16>(access);
        const int size = 1 << (access >> 17);
        if (access >> 16 & 1) board.write_port(port, size, static_cast<u32>(random()));
        else static_cast<void>(board.read_port(port, size));
        if (random() % 64 == 0) run(machine, machine.instructions() + random() % 64, nullptr);
    }
}

/// The ports that have chips behind them, again and again: sequences of accesses matter.
void fuzz_chips(Machine& machine, Random& random, int accesses)
{
    static constexpr struct {
        u16 first, last;
    } kRanges[] = {{0x00, 0x0F},   {0x20, 0x21},   {0x40, 0x43},    {0x60, 0x64},   {0x70, 0x71},
                   {0x80, 0x92},   {0xA0, 0xA1},   {0xC0, 0xDF},    {0x170, 0x177}, {0x1CE, 0x1D0},
                   {0x1F0, 0x1F7}, {0x2F8, 0x2FF}, {0x376, 0x378},  {0x3B0, 0x3DF}, {0x3F0, 0x3F7},
                   {0x3F8, 0x3FF}, {0x4D0, 0x4D1}, {0xC000, 0xC00F}};
    Board& board = machine.board();
    for (int i = 0; i < accesses;) {
        const auto& range = kRanges[random() % std::size(kRanges)];
        for (u64 n = random() % 40; n > 0; --n, ++i) {
            const u16 port =
                static_cast<u16>(range.first + random() % (range.last - range.first + 1u));
            const int size = random() % 4 ? 1 : 1 << random() % 3;
            if (random() % 3) board.write_port(port, size, static_cast<u32>(random()));
            else static_cast<void>(board.read_port(port, size));
        }
        if (random() % 4 == 0) run(machine, machine.instructions() + random() % 3000, nullptr);
        if (random() % 512 == 0) look(machine);
    }
}

/// PCI configuration space: BARs move over everything.
void fuzz_pci(Machine& machine, Random& random, int accesses)
{
    Board& board = machine.board();
    for (int i = 0; i < accesses; ++i) {
        const u32 slot = random() % 4, function = random() % 2, reg = random() % 256;
        board.write_port(0xCF8, 4, 0x80000000 | slot << 11 | function << 8 | (reg & 0xFC));
        const int size = 1 << random() % 3;
        if (random() % 4)
            board.write_port(static_cast<u16>(0xCFC + (reg & 3)), size, static_cast<u32>(random()));
        else static_cast<void>(board.read_port(static_cast<u16>(0xCFC + (reg & 3)), size));
        if (random() % 16 == 0) run(machine, machine.instructions() + random() % 64, nullptr);
    }
}

/// Physical memory of all kinds: the VGA's window, its BARs, ROMs, and nothing.
void fuzz_memory(Machine& machine, Random& random, int accesses)
{
    Board& board = machine.board();
    for (int i = 0; i < accesses; ++i) {
        const int size = 1 << random() % 4;
        u64 address = random() & 0xFFFFFFFF;
        if (random() % 2) address = 0xA0000 + random() % 0x20000;
        else if (random() % 4 == 0) address = 0xFD000000 + random() % 0x3000000;
        else if (random() % 4 == 0) address = 0xC0000 + random() % 0x40000;
        address &= ~u64{static_cast<u64>(size) - 1};
        if (random() % 2) board.write_memory(address, size, random());
        else static_cast<void>(board.read_memory(address, size));
    }
}

/// Saved and loaded it is the same machine, whatever was done to it.
bool survives_saving(Machine& machine, u64 seed)
{
    const std::string path = booted().folder() / "fuzz.state";
    machine.save(path);
    const auto loaded = Machine::load(path);
    const auto same = test::same_state(machine, *loaded);
    if (!same)
        fmt::print(stderr, "seed {}: saved and loaded, it is another machine:\n{}\n", seed,
                   same.message());
    return bool{same};
}

bool fuzz_hardware(u64 seed)
{
    Random random(seed);
    const auto machine = booted().start({});
    fuzz_chips(*machine, random, 50'000);
    fuzz_pci(*machine, random, 5'000);
    fuzz_memory(*machine, random, 20'000);
    look(*machine);
    bool ok = survives_saving(*machine, seed);
    fuzz_ports(*machine, random);
    fuzz_memory(*machine, random, 20'000);
    look(*machine);
    ok = survives_saving(*machine, seed) && ok;
    start_random_program(*machine, random);
    run(*machine, machine->instructions() + 100'000, nullptr);
    return ok;
}

// ---- The program ------------------------------------------------------------------------------

Options parse(int argc, char** argv)
{
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        const auto number = [&] { return i + 1 < argc ? std::strtoull(argv[++i], nullptr, 0) : 0; };
        if (name == "--seeds") options.seeds = number();
        else if (name == "--first") options.first = number();
        else if (name == "--instructions") options.instructions = number();
        else if (name == "--no-ports") options.ports = false;
        else if (name == "--once") options.once = true;
        else {
            fmt::print(stderr,
                       "usage: random_guest [--seeds N] [--first S] [--instructions N] "
                       "[--no-ports] [--once]\n");
            std::exit(2);
        }
    }
    return options;
}

int main(const Options& options)
{
    Watchdog watchdog("seed", kCpuSecondsPerSeed);
    u64 failures = 0;
    for (u64 i = 0; i < options.seeds; ++i) {
        const u64 seed = options.first + i;
        watchdog.watch(seed);
        if (options.once)
            run_programs(seed, options.instructions, true,
                         seed % 2 ? Engine::Translator : Engine::Interpreter);
        else if (!fuzz_programs(seed, options.instructions)) ++failures;
        if (options.ports && i % 10 == 0 && !fuzz_hardware(seed)) ++failures;
    }
    fmt::print("{} seeds of {} instructions, {} failures\n", options.seeds, options.instructions,
               failures);
    return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace reprise::fuzz

int main(int argc, char** argv) { return reprise::fuzz::main(reprise::fuzz::parse(argc, argv)); }
