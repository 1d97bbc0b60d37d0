/// What a machine says beside its screen: debug console, POST codes, and notes.
#pragma once

#include "frontend/options.h"
#include "machine/machine.h"

namespace reprise {

/// Connects a machine's outputs to the files that the command line names. Throws HostError if one
/// cannot be written.
void connect_outputs(Machine& machine, const RunOptions& options);

}  // namespace reprise
