/// Timing: interleaved rounds, each the difference of a long and a short run.
#pragma once

#include <string>
#include <vector>

#include "machine/base/types.h"
#include "tests/bench/kernel.h"
#include "tests/bench/program.h"

namespace reprise::bench {

struct Plan {
    int rounds;
    double seconds;     // CPU time of one measured run
    int limit_seconds;  // when a run counts as hanging
};

/// One program's times in one class.
struct ProgramResult {
    std::string program;
    std::vector<double> seconds;  // one per round: of a step, or of the whole for `whole`
    std::vector<double> starts;   // one per round: of the run with one step, firmware and all
    u32 steps = 0;                // of the long run
    std::string failure;          // a sentence instead of times

    double median() const;
    double minimum() const;
    double maximum() const;
};

struct ClassResult {
    std::string name;
    u64 instructions = 0;  // of what `seconds` are for; 0: not known
    std::vector<ProgramResult> programs;
    std::vector<std::string> remarks;  // where programs did not agree
};

/// Times a kernel on all programs. The guests' checksums and Reprise's instruction count are
/// compared on the way.
/// Programs that cannot run it are left out.
ClassResult measure_kernel(const Kernel& kernel, std::vector<Program> programs,
                           const Workspace& workspace, const Plan& plan);

/// Times a floppy image that ends by itself with the line "bench NAME start end 00000000" on COM1,
/// from power-on to the end.
ClassResult measure_whole(const std::string& name, const std::string& image,
                          std::vector<Program> programs, const Workspace& workspace,
                          const Plan& plan);

/// What the kernels' short runs say on the way from power-on to a kernel's start and out again.
ClassResult start_times(const std::vector<ClassResult>& classes);

double median_of(std::vector<double> values);

}  // namespace reprise::bench
