/// Which kernels measure the same kind of work, and their ratios to each peer.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/measure.h"

namespace reprise::bench {

/// A table: for each group of kernels that was measured, the geometric mean of the first program's
/// host CPU time divided by each other one's. Below 1 the first program is faster.
std::string groups_of(const std::vector<ClassResult>& classes);

}  // namespace reprise::bench
