/// reprise_bench: guest kernels on Reprise and its peers, side by side. See README.md.

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "machine/base/error.h"
#include "tests/bench/freedos.h"
#include "tests/bench/groups.h"
#include "tests/bench/kernel.h"
#include "tests/bench/measure.h"
#include "tests/bench/options.h"
#include "tests/bench/plot.h"
#include "tests/bench/process.h"
#include "tests/bench/program.h"
#include "tests/bench/report.h"

namespace reprise::bench {

namespace {

constexpr int kLimitSeconds = 60;
constexpr const char* kFreedos = "freedos";

std::vector<Program> chosen_programs(const Options& options)
{
    std::vector<Program> all;
    for (const std::string& text : options.reprises) all.push_back(reprise_program(text));
    if (all.empty() && chosen(options.programs, "reprise"))
        all.push_back(reprise_program(REPRISE_BENCH_REPRISE));

    std::vector<std::string> missing;
    for (Program& peer : installed_peers(missing)) all.push_back(std::move(peer));
    all.push_back(host_itself());
    for (const std::string& sentence : missing) fmt::print("left out: {}\n", sentence);
    std::erase_if(all,
                  [&](const Program& program) { return !chosen(options.programs, program.name); });
    if (all.empty()) throw HostError("there is no program to measure");
    return all;
}

bool failed(const ClassResult& one)
{
    bool any = !one.remarks.empty();
    for (const ProgramResult& result : one.programs) any = any || !result.failure.empty();
    return any;
}

void show(const ClassResult& one, std::vector<ClassResult>& results)
{
    fmt::print("{}", table_of(one));
    std::fflush(stdout);
    results.push_back(one);
}

void measure_freedos(const Options& options, const std::vector<Program>& programs, const Plan& plan,
                     std::vector<ClassResult>& results)
{
    const Workspace workspace;
    std::string why;
    const std::string image = freedos_image(options.media, options.kernels, workspace, why);
    if (image.empty()) fmt::print("left out: {}: {}\n", kFreedos, why);
    else show(measure_whole(kFreedos, image, programs, workspace, plan), results);
}

void list(const std::vector<Kernel>& kernels)
{
    for (const Kernel& kernel : kernels)
        fmt::print("{:<16} {:>8} instructions per step\n", kernel.name,
                   kernel.instructions_per_step);
    fmt::print("{}\n", kFreedos);
}

/// True if every program gave every result, and the same.
bool run(const Options& options)
{
    const std::vector<Kernel> kernels = load_kernels(options.kernels);
    if (options.list) {
        list(kernels);
        return true;
    }
    const std::vector<Program> programs = chosen_programs(options);
    const Plan plan{options.rounds, options.seconds, kLimitSeconds};
    const Workspace workspace;
    std::vector<ClassResult> results;
    fmt::print(
        "host CPU seconds: kernels for 100 million guest instructions, power_on and freedos for "
        "one run;\nmedians of {} interleaved rounds\n{}",
        plan.rounds, table_heading());
    std::fflush(stdout);
    for (const Kernel& kernel : kernels)
        if (chosen(options.only, kernel.name))
            show(measure_kernel(kernel, programs, workspace, plan), results);
    if (!results.empty()) show(start_times(results), results);
    if (chosen(options.only, kFreedos)) measure_freedos(options, programs, plan, results);
    fmt::print("{}{}", groups_of(results), summary_of(results));

    if (!options.csv.empty()) write_text(options.csv, csv_of(results));
    if (!options.plot.empty()) write_text(options.plot, plot_of(results));
    if (!options.json.empty()) write_text(options.json, json_of(results));
    return std::ranges::none_of(results, failed);
}

}  // namespace

}  // namespace reprise::bench

int main(int count, char** arguments)
{
    using namespace reprise;
    try {
        const bench::Options options = bench::parse_options(count, arguments);
        if (options.help) {
            fmt::print("{}", bench::help_text());
            return 0;
        }
        return bench::run(options) ? 0 : 1;
    } catch (const HostError& error) {
        fmt::print(stderr, "reprise_bench: {}\n", error.what());
        return 2;
    }
}
