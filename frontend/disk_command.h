#pragma once

#include <string>

namespace reprise {

/// What `reprise disk info` prints. Throws HostError.
std::string describe_image(const std::string& path);

}  // namespace reprise
