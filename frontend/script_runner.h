/// Runs one test script on a machine of its own.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "frontend/options.h"
#include "frontend/script.h"

namespace reprise {

struct RunnerOptions {
    std::string artifacts;       // folder for pictures
    bool require_media = false;  // a missing file is a failure and not a reason to skip
    std::function<void(const std::string& line)> on_line;  // progress and what print-hash prints
    bool verbose = false;
    EngineChoice engine = EngineChoice::Interpreter;
    std::optional<u64> switch_engines;  // at random moments: their seed
};

struct TestResult {
    enum class Outcome { Passed, Failed, Skipped };
    Outcome outcome = Outcome::Passed;
    std::string message;  // why, for the person
    Time guest_time = 0;
    u64 instructions = 0;
    u64 state_hash = 0;  // of a script that passed
};

/// Does not throw for whatever goes wrong in the machine or on the host: that fails the test.
TestResult run_script(const Script& script, const RunnerOptions& options);

}  // namespace reprise
