#pragma once

#include "frontend/options.h"

namespace reprise {

/// `reprise run`. Returns the exit code. Throws UsageError, HostError.
int run_command(const RunOptions& options);

}  // namespace reprise
