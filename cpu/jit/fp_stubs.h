/// Parts of the stubs: XMM registers and the x87, between the Cpu and the host's registers.
#pragma once

#include "cpu/jit/assembler.h"
#include "cpu/jit/stubs.h"

namespace reprise::jit {

/// Stubs::load_sse and load_x87. `leave` is where they go, with r8 as it was, if they cannot.
void load_sse(asmjit::x86::Assembler& a, const StubOffsets& offsets, const asmjit::Label& leave);
void load_x87(asmjit::x86::Assembler& a, const StubOffsets& offsets, const asmjit::Label& leave);

/// Stores what is in the host's registers, so that C++ code may run. `depth`: bytes on the stack
/// above the Frame. Changes rax, rdx, r9 to r11 and the flags.
void store_fp(asmjit::x86::Assembler& a, const StubOffsets& offsets, int depth);

}  // namespace reprise::jit
