#pragma once

#include <span>
#include <string>

#include "machine/base/types.h"

namespace reprise {

/// The MD5 of some bytes (RFC 1321) as 32 hexadecimal digits: what guests' md5sum print.
std::string md5(std::span<const u8> data);

}  // namespace reprise
