/// Two machines of the same configuration, one for each engine, stop at the same instruction
/// counts, and their whole state is compared. Where it differs, both are built anew, and the first
/// count at which they differ is searched for: the instructions before it are shown.
#include "frontend/lockstep_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>

#include "frontend/cpu_tools/disassemble.h"
#include "frontend/driver.h"
#include "frontend/errors.h"
#include "frontend/media.h"
#include "frontend/options.h"
#include "frontend/stop_signal.h"
#include "frontend/units.h"
#include "machine/base/error.h"
#include "machine/debugger.h"

namespace reprise {

namespace {

struct LockstepOptions {
    MachineOptions machine;
    std::vector<std::string> images;
    std::vector<std::string> type;
    u64 instructions = 1'000'000'000;
    u64 seed = 1;
    u64 longest = 1 << 24;  // instructions between two comparisons
};

LockstepOptions parse(const std::vector<std::string>& arguments)
{
    CLI::App app(
        "Run the interpreter and the translator side by side and compare their whole state",
        "lockstep");
    LockstepOptions options;
    app.add_option("IMAGE", options.images, "Disk images, as for run");
    app.add_option("--instructions", options.instructions, "How far to go (default 1000000000)");
    app.add_option("--seed", options.seed, "Decides where to compare (default 1)");
    app.add_option("--longest", options.longest,
                   "At most so many instructions between two comparisons")
        ->check(CLI::PositiveNumber);
    app.add_option("--type", options.type, "Keys to type from the start, as for run")
        ->allow_extra_args(false);
    options.machine.add_to(app);
    parse_arguments(app, with_long_options(arguments));
    options.machine.snapshot = true;  // both write to the same images
    return options;
}

/// One of the two.
class Runner {
public:
    Runner(const MachineConfig& config, const LockstepOptions& options, Engine engine)
        : machine(config), driver_(machine)
    {
        machine.set_engine(engine);
        for (const std::string& text : options.type) driver_.type(keystrokes(text));
    }

    Stop run_to(u64 instruction)
    {
        driver_.end_at_instruction(instruction);
        Stop stop = Stop::Reached;
        while (stop == Stop::Reached && !driver_.reached_end() && !stop_requested())
            stop = driver_.run_until(machine.now() + kSecond);
        return stop;
    }

    Machine machine;

private:
    Driver driver_;
};

class Lockstep {
public:
    Lockstep(MachineConfig config, const LockstepOptions& options)
        : config_(std::move(config)), options_(options), random_(options.seed)
    {
        start();
    }

    /// True: no difference.
    bool run()
    {
        while (!stop_requested()) {
            const u64 next = std::min(options_.instructions, last_ + gap());
            const Stop stop = both_to(next);
            if (differ()) return report(next), false;
            ++compared_;
            last_ = std::max(last_, interpreter_->machine.instructions());
            if (stop != Stop::Reached || last_ >= options_.instructions) break;
        }
        fmt::print("{} instructions, compared {} times: no difference; state-hash {:016x}\n", last_,
                   compared_, interpreter_->machine.state_hash());
        return true;
    }

private:
    void start()
    {
        interpreter_ = std::make_unique<Runner>(config_, options_, Engine::Interpreter);
        translator_ = std::make_unique<Runner>(config_, options_, Engine::Translator);
        if (translator_->machine.engine() != Engine::Translator)
            throw HostError(fmt::format("there is nothing to compare: {}",
                                        translator_->machine.why_no_translator()));
    }

    /// Short ones as often as long ones.
    u64 gap()
    {
        const double exponent = std::uniform_real_distribution<>(
            0, std::log(static_cast<double>(options_.longest)))(random_);
        return static_cast<u64>(std::exp(exponent)) + 1;
    }

    Stop both_to(u64 instruction)
    {
        const Stop stop = interpreter_->run_to(instruction);
        const Stop other = translator_->run_to(instruction);
        ended_alike_ = stop == other;
        return stop;
    }

    bool differ()
    {
        return !ended_alike_ ||
               interpreter_->machine.instructions() != translator_->machine.instructions() ||
               interpreter_->machine.state_hash() != translator_->machine.state_hash();
    }

    /// The state is the same at last_ and differs at `bad`: halves the distance.
    void report(u64 bad)
    {
        fmt::print("the state differs at instruction {}, and did not at {}; looking closer\n", bad,
                   last_);
        u64 good = last_;
        while (bad - good > 1 && !stop_requested()) {
            const u64 middle = good + (bad - good) / 2;
            start();
            both_to(middle);
            (differ() ? bad : good) = middle;
        }
        start();
        both_to(bad);
        fmt::print("first difference found: after instruction {}\n", bad);
        show_registers();
        show_memory();
        show_code(bad);
    }

    void show_registers()
    {
        Debugger a(interpreter_->machine), b(translator_->machine);
        for (const DebugRegister& reg : a.registers()) {
            const DebugValue x = a.read(reg), y = b.read(reg);
            if (x == y) continue;
            u64 values[2] = {};
            std::memcpy(&values[0], x.data(), 8);
            std::memcpy(&values[1], y.data(), 8);
            fmt::print("  {:<12} interpreter {:016x}   translator {:016x}\n", reg.name, values[0],
                       values[1]);
        }
    }

    void show_memory()
    {
        const Debugger a(interpreter_->machine), b(translator_->machine);
        std::array<u8, 4096> x{}, y{};
        int shown = 0;
        for (u64 page = 0; page < config_.memory_bytes && shown < 16; page += x.size()) {
            a.read_memory(page, true, x);
            b.read_memory(page, true, y);
            for (std::size_t i = 0; i < x.size() && x != y && shown < 16; ++i) {
                if (x[i] == y[i]) continue;
                fmt::print("  memory {:08x}   interpreter {:02x}   translator {:02x}\n", page + i,
                           x[i], y[i]);
                ++shown;
            }
        }
    }

    /// The last instructions before `end`, which the interpreter executes one by one.
    void show_code(u64 end)
    {
        constexpr u64 kShown = 140;
        Runner runner(config_, options_, Engine::Interpreter);
        for (u64 at = end > kShown ? end - kShown : 0; at < end; ++at) {
            runner.run_to(at);
            Debugger debugger(runner.machine);
            std::array<u8, 15> bytes{};
            const u64 pc = debugger.number("pc");
            const std::size_t size = debugger.read_memory(pc, false, bytes);
            fmt::print("  {:>12}  {:08x}  {}\n", at, pc,
                       disassemble({bytes.data(), size},
                                   static_cast<int>(debugger.number("code_size")), pc));
        }
    }

    MachineConfig config_;
    const LockstepOptions& options_;
    std::mt19937_64 random_;
    std::unique_ptr<Runner> interpreter_, translator_;
    u64 last_ = 0, compared_ = 0;
    bool ended_alike_ = true;
};

}  // namespace

int lockstep_command(const std::vector<std::string>& arguments)
{
    const LockstepOptions options = parse(arguments);
    TemporaryDirectory directory;
    const Media media = prepare_media(options.machine, options.images, directory);
    if (!media.saved_machine.empty())
        throw UsageError("lockstep starts at power-on: give it images, not a saved machine");
    catch_stop_signals();
    return Lockstep(media.config, options).run() ? kSuccess : kFailure;
}

}  // namespace reprise
