/// The state of a processor as JSON. The layout is in frontend/README.md.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "cpu/cpu.h"

namespace reprise {

/// "registers", "segments", "flags", "control", and "msr", "debug", "x87", "mmx", "sse" if the
/// model has them.
nlohmann::ordered_json cpu_json(const Cpu& cpu);

/// "0x00001234": `digits` hexadecimal ones.
std::string hex_text(u64 value, int digits);

}  // namespace reprise
