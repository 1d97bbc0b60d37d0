#include "tests/bench/measure.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>

#include "machine/base/error.h"

namespace reprise::bench {

namespace {

constexpr u32 kMaxSteps = u32{1} << 24;

/// A run that has no time to give: the guest did not come to its end, or to a wrong one.
struct Failed {
    std::string why;
};

std::string last_line(const std::string& text)
{
    std::string trimmed = text;
    while (!trimmed.empty() && trimmed.back() == '\n') trimmed.pop_back();
    return trimmed.substr(trimmed.rfind('\n') + 1);
}

/// The number in "state-hash ... at N instructions", which Reprise prints when asked to.
u64 printed_instructions(const std::string& output)
{
    unsigned long long count = 0;
    const std::size_t line = output.find("state-hash ");
    if (line == std::string::npos) return 0;
    return std::sscanf(output.c_str() + line, "state-hash %*s at %llu", &count) == 1 ? count : 0;
}

/// Runs one kernel with any number of steps, and compares what the guests say.
class KernelRunner {
public:
    KernelRunner(const Kernel& kernel, const Workspace& workspace, const Plan& plan)
        : kernel_(kernel), workspace_(workspace), plan_(plan)
    {
    }

    GuestRun run(const Program& program, u32 steps, bool count = false)
    {
        const bool native = program.kind == ProgramKind::Native;
        const std::string image = workspace_.file(native ? "kernel" : "floppy.img");
        write_text(image, native ? native_program(kernel_, steps) : floppy_image(kernel_, steps));
        if (native) std::filesystem::permissions(image, std::filesystem::perms::owner_all);
        GuestRun run =
            run_guest(program, workspace_, {image, kernel_.bits == 64, plan_.limit_seconds, count});
        const std::string line = final_line(run.serial, kernel_.name);
        if (line.empty()) throw Failed{what_happened(run)};
        const std::string& expected = lines_.try_emplace(steps, line).first->second;
        if (line != expected)
            throw Failed{fmt::format("wrong result with {} steps: '{}', elsewhere '{}'", steps,
                                     line, expected)};
        return run;
    }

    /// The steps of a long run: a power of two, so that programs of similar speed do the same work
    /// and their results can be compared.
    u32 steps_for(const Program& program)
    {
        // The larger of two: what is left of a longer run shall not be another one's noise.
        const double start = std::max(run(program, 1).cpu_seconds, run(program, 1).cpu_seconds);
        double gain = 0;
        u32 steps = 16;
        while (steps < kMaxSteps) {
            gain = run(program, steps).cpu_seconds - start;
            // What a start takes varies: the gain has to be more than that.
            if (gain > plan_.seconds / 4 && gain > start / 2) break;
            steps *= 8;
        }
        const double ideal = steps * plan_.seconds / std::max(gain, 0.001);
        const double limited = std::clamp(ideal, 2.0, static_cast<double>(kMaxSteps));
        return std::max(u32{2}, std::bit_ceil(static_cast<u32>(limited * 0.75)));
    }

    /// How many instructions Reprise counts for `steps` more than for one step; 0 if it does not
    /// tell.
    u64 counted(const Program& program, u32 steps)
    {
        const u64 few = printed_instructions(run(program, 1, true).output);
        const u64 many = printed_instructions(run(program, steps, true).output);
        return few == 0 || many <= few ? 0 : many - few;
    }

private:
    std::string what_happened(const GuestRun& run) const
    {
        if (run.timed_out)
            return fmt::format("not finished after {} s{}", plan_.limit_seconds,
                               run.serial.empty() ? ", and nothing was said" : "");
        return fmt::format("ended without a result: {}", last_line(run.output));
    }

    const Kernel& kernel_;
    const Workspace& workspace_;
    const Plan& plan_;
    std::map<u32, std::string> lines_;  // what a guest said, by number of steps
};

void prepare(KernelRunner& runner, const Kernel& kernel, const Program& program,
             ProgramResult& result, ClassResult& all)
{
    // Waiting for the serial port takes as long as the byte before needs, which is a matter of
    // phase.
    constexpr u64 kWaiting = 30'000;
    result.steps = runner.steps_for(program);
    if (program.kind != ProgramKind::Reprise) return;
    const u64 counted = runner.counted(program, result.steps);
    const u64 declared = kernel.instructions_per_step * (result.steps - 1);
    const u64 difference = counted > declared ? counted - declared : declared - counted;
    if (counted != 0 && difference > kWaiting)
        all.remarks.push_back(
            fmt::format("{}: {} counts {} instructions in {} steps, the kernel {}", kernel.name,
                        program.name, counted, result.steps - 1, declared));
}

void measure_round(KernelRunner& runner, const Program& program, ProgramResult& result)
{
    const double start = runner.run(program, 1).cpu_seconds;
    const double whole = runner.run(program, result.steps).cpu_seconds;
    result.starts.push_back(start);
    result.seconds.push_back(std::max(whole - start, 1e-6) / (result.steps - 1));
}

/// Calls `measure(program, result)` for every program that has not failed.
template <typename Measure>
void for_each_program(const std::vector<Program>& programs, ClassResult& all, Measure measure)
{
    for (std::size_t i = 0; i < programs.size(); ++i) {
        ProgramResult& result = all.programs[i];
        if (!result.failure.empty()) continue;
        try {
            measure(programs[i], result);
        } catch (const Failed& failed) {
            result.failure = failed.why;
        }
    }
}

ClassResult empty_result(const std::string& name, const std::vector<Program>& programs)
{
    ClassResult all;
    all.name = name;
    for (const Program& program : programs) {
        ProgramResult result;
        result.program = program.name;
        all.programs.push_back(result);
    }
    return all;
}

}  // namespace

double median_of(std::vector<double> values)
{
    if (values.empty()) return 0;
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double ProgramResult::median() const { return median_of(seconds); }
double ProgramResult::minimum() const
{
    return seconds.empty() ? 0 : *std::ranges::min_element(seconds);
}
double ProgramResult::maximum() const
{
    return seconds.empty() ? 0 : *std::ranges::max_element(seconds);
}

ClassResult measure_kernel(const Kernel& kernel, std::vector<Program> programs,
                           const Workspace& workspace, const Plan& plan)
{
    std::erase_if(programs, [&](const Program& program) { return !can_run(program, kernel); });
    ClassResult all = empty_result(kernel.name, programs);
    all.instructions = kernel.instructions_per_step;
    KernelRunner runner(kernel, workspace, plan);
    for_each_program(programs, all, [&](const Program& program, ProgramResult& result) {
        prepare(runner, kernel, program, result, all);
    });
    for (int round = 0; round < plan.rounds; ++round)
        for_each_program(programs, all, [&](const Program& program, ProgramResult& result) {
            measure_round(runner, program, result);
        });
    return all;
}

ClassResult measure_whole(const std::string& name, const std::string& image,
                          std::vector<Program> programs, const Workspace& workspace,
                          const Plan& plan)
{
    std::erase_if(programs, [](const Program& p) {
        return p.kind == ProgramKind::Native || p.kind == ProgramKind::DosBox;
    });
    ClassResult all = empty_result(name, programs);
    for (int round = 0; round < plan.rounds; ++round)
        for_each_program(programs, all, [&](const Program& program, ProgramResult& result) {
            const std::string file = workspace.file("floppy.img");
            write_text(file, image);
            const GuestRun run =
                run_guest(program, workspace, {file, false, plan.limit_seconds, false});
            if (final_line(run.serial, name).empty())
                throw Failed{run.timed_out
                                 ? fmt::format("not finished after {} s", plan.limit_seconds)
                                 : fmt::format("ended too early: {}", last_line(run.output))};
            result.seconds.push_back(run.cpu_seconds);
        });
    return all;
}

ClassResult start_times(const std::vector<ClassResult>& classes)
{
    ClassResult all;
    all.name = "power_on";
    for (const ClassResult& one : classes) {
        for (const ProgramResult& result : one.programs) {
            auto found = std::ranges::find(all.programs, result.program, &ProgramResult::program);
            if (found == all.programs.end()) {
                all.programs.emplace_back().program = result.program;
                found = all.programs.end() - 1;
            }
            found->seconds.insert(found->seconds.end(), result.starts.begin(), result.starts.end());
        }
    }
    for (ProgramResult& result : all.programs)
        if (result.seconds.empty()) result.failure = "no kernel ran";
    return all;
}

}  // namespace reprise::bench
