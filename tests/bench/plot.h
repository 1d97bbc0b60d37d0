/// The results as a picture.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/measure.h"

namespace reprise::bench {

/// An SVG: for each class a row with a mark for each program, at its host CPU time as a multiple of
/// the first program's, on a logarithmic scale.
std::string plot_of(const std::vector<ClassResult>& classes);

}  // namespace reprise::bench
