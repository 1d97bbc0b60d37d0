/// What the translator has done, for people: `--stats` and gdb's `monitor info jit`.
#pragma once

#include <string>

#include "machine/machine.h"

namespace reprise {

/// Lets the time that translating takes be measured from now on, by the host's clock.
void measure_translation(Machine& machine);

/// Several lines.
std::string engine_text(const Machine& machine);

}  // namespace reprise
