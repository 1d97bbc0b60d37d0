/// Machine code as text, if the build has a disassembler (Zydis).
#pragma once

#include <span>
#include <string>

#include "machine/base/types.h"

namespace reprise {

/// The first instruction of `code`, Intel syntax. Empty: no disassembler, or no instruction to it.
std::string disassemble(std::span<const u8> code, int bits, u64 address);

}  // namespace reprise
