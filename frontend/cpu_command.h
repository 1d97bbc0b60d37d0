/// `reprise cpu run` and `reprise cpu models`: the bare processor as a tool.
#pragma once

#include <string>
#include <vector>

namespace reprise {

/// `arguments` are what follows the command's name. Throws UsageError, HelpRequested, HostError.
int cpu_command(const std::vector<std::string>& arguments);

}  // namespace reprise
