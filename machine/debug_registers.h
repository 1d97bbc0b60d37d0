/// The CPU's registers by name, as a debugger reads and writes them.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "machine/base/types.h"

namespace reprise {

class Cpu;

using DebugValue = std::array<u8, 16>;  // little-endian

struct DebugRegister {
    std::string name;
    int size = 8;  // in bytes
    std::function<DebugValue(const Cpu&)> read;
    /// False: nothing has changed, as the guest could not set it to this. Null: read-only.
    std::function<bool(Cpu&, const DebugValue&)> write;
};

// clang-format off
/// Those that this CPU has. General registers have the names of their widest form.
///   rax .. r15, rip, rflags
///   pc            the linear address of the present instruction: CS base + rip
///   es .. gs, ldtr, tr, each with _base, _limit and _access (as in cpu/state.h)
///   gdtr_base, gdtr_limit, idtr_base, idtr_limit, cr0, cr2 .. cr4, efer, dr0 .. dr7, cpl
///   st0 .. st7, fctrl, fstat, ftag, fiseg, fioff, foseg, fooff, fop, as gdb names them, of an FPU
///   xmm0 .., mxcsr
///   code_size     16, 32 or 64: how the present code segment is decoded
// clang-format on
using DebugRegisters = std::vector<DebugRegister>;
DebugRegisters debug_registers(const Cpu& cpu);
/// nullptr: there is none of that name.
const DebugRegister* find_register(const DebugRegisters& registers, std::string_view name);

DebugValue debug_value(u64 value);
u64 debug_number(const DebugValue& value);

}  // namespace reprise
