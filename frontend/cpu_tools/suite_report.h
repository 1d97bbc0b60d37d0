/// What `reprise conformance` prints and writes.
#pragma once

#include <string>

#include "frontend/cpu_tools/suite.h"

namespace reprise {

/// Names of the flags that are set: "CF ZF", "-" for none.
std::string flag_names(u32 flags);

/// A failed test: its instruction, and each difference before, as captured, and here.
std::string failure_text(const OpcodeResult& opcode, const TestFailure& failure);

/// One line for each opcode (`brief`: those with failures), and one for each processor.
std::string suite_table(const SuiteResult& result, bool brief);

/// The layout is in frontend/README.md.
std::string suite_json(const SuiteResult& result);

}  // namespace reprise
