/// Registers of a processor by their names.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cpu/cpu.h"

namespace reprise {

/// A model specific register of models with 64-bit mode.
struct MsrName {
    std::string_view name;
    u64 MsrState::*value;
    bool address;  // holds a linear address
};
std::span<const MsrName> msr_names();

/// Sets "eax", "ah", "r8", "r8d", "xmm0", "mm1", "cs", "gs_base", "cr4", "efer", "eflags", "eip"
/// ... to a value as read from text, decimal or hexadecimal with 0x; vector registers may have up
/// to 32 hexadecimal digits. A segment register becomes what it is in real mode, or in protected
/// mode keeps what it describes and changes its selector. Throws HostError with one sentence.
void set_register(Cpu& cpu, const std::string& name, const std::string& value);

/// After the last of them: what follows from control registers (EFER.LMA, the PDPTEs) follows.
/// Throws HostError if the processor can be in no such state.
void settle_registers(Cpu& cpu);

}  // namespace reprise
