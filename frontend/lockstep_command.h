/// `reprise lockstep`: the translator beside the interpreter.
#pragma once

#include <string>
#include <vector>

namespace reprise {

/// `arguments` are what follows the command's name. Throws UsageError, HelpRequested, HostError.
int lockstep_command(const std::vector<std::string>& arguments);

}  // namespace reprise
