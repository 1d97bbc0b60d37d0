/// What a person got wrong on the command line or in a script.
#pragma once

#include <stdexcept>

namespace reprise {

/// Process exit codes. A guest that writes to its debug-exit port chooses its own.
enum ExitCode : int { kSuccess = 0, kFailure = 1, kUsage = 2 };

/// `what()` is one sentence that says what to write instead. Ends the program with kUsage.
struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace reprise
