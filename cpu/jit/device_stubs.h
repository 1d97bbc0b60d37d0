/// Between host code and the memory of chips.
#pragma once

#include "cpu/jit/assembler.h"
#include "cpu/jit/stubs.h"

namespace reprise::jit {

/// r8 = offset within the segment, r9 = DeviceAccess::packed, r10 = Exit to be taken if it is not a
/// chip's memory. The operand is at [r8 + r9] afterwards; only r10 and r11 have changed. `out`:
/// Stubs::out.
void write_device_call(asmjit::x86::Assembler& a, DeviceFunction function,
                       const asmjit::Label& out);
/// Changes nothing but r8 to r11.
void write_device_write_back(asmjit::x86::Assembler& a, void (*function)(DeviceOperand*));

}  // namespace reprise::jit
