/// The machine in a text terminal.
#pragma once

#include <memory>

#include "frontend/display.h"

namespace reprise {

/// Whether standard input and output are a terminal.
bool terminal_available();

/// Takes over the terminal until it is destroyed; it is given back however the program ends.
/// Throws HostError if there is none.
std::unique_ptr<Display> make_terminal();

}  // namespace reprise
