#pragma once

#include "frontend/options.h"

namespace reprise {

/// `reprise test`. Returns kSuccess, kFailure if a script failed, kUsage if one could not be
/// understood. Throws UsageError, HostError.
int test_command(const TestOptions& options);

}  // namespace reprise
