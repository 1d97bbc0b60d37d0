/// The results as a table, as CSV and as JSON.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/measure.h"

namespace reprise::bench {

std::string table_heading();
std::string table_of(const ClassResult& one);

/// The geometric mean of the first program's speed against each other one's.
std::string summary_of(const std::vector<ClassResult>& classes);

std::string csv_of(const std::vector<ClassResult>& classes);
std::string json_of(const std::vector<ClassResult>& classes);

}  // namespace reprise::bench
