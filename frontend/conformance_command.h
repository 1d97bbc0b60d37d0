/// `reprise conformance`: hardware-captured tests of single instructions.
#pragma once

#include <string>
#include <vector>

namespace reprise {

/// `arguments` are what follows the command's name. Throws UsageError, HelpRequested, HostError.
int conformance_command(const std::vector<std::string>& arguments);

}  // namespace reprise
