/// Registers of a processor by their names.
#pragma once

#include <string>

#include "cpu/cpu.h"

namespace reprise {

/// Sets "eax", "ah", "r8", "xmm0", "mm1", "cs", "cr4", "eflags", "eip" ... to a value as read from
/// text, decimal or hexadecimal with 0x; vector registers may have up to 32 hexadecimal digits. A
/// segment register becomes what it is in real mode, or in protected mode keeps what it describes
/// and changes its selector. Throws HostError with one sentence.
void set_register(Cpu& cpu, const std::string& name, const std::string& value);

}  // namespace reprise
