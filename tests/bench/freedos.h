/// "FreeDOS to A:\>": a copy of a FreeDOS boot floppy that ends the machine where the prompt would
/// appear.
#pragma once

#include <string>

#include "tests/bench/process.h"

namespace reprise::bench {

/// The image, made from `media`/fdboot-1440k.img and `kernels`/finish.com with mtools. Empty if
/// that cannot be had, and then `why` says why.
std::string freedos_image(const std::string& media, const std::string& kernels,
                          const Workspace& workspace, std::string& why);

}  // namespace reprise::bench
