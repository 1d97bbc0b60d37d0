/// Registers and memory as code of the translator names them; for its writers only.
#pragma once

#include <cstddef>

#include "cpu/jit/assembler.h"
#include "cpu/jit/stubs.h"
#include "cpu/tlb.h"

namespace reprise::jit {

namespace x86 = asmjit::x86;

// Free between instructions.
inline constexpr auto kAddress = x86::r8, kIndex = x86::r9, kSavedRcx = x86::r10, kFree = x86::r11;

inline constexpr i32 kReadTag = offsetof(TlbEntry, read_tag),
                     kWriteTag = offsetof(TlbEntry, write_tag),
                     kPlainTag = offsetof(TlbEntry, plain_tag),
                     kAddend = offsetof(TlbEntry, addend),
                     kGranules = offsetof(TlbEntry, code_granules);

inline x86::Mem frame(std::size_t offset)
{
    return x86::qword_ptr(x86::rsp, static_cast<i32>(offset));
}
inline x86::Mem scratch() { return frame(offsetof(Frame, scratch)); }
inline x86::Gp sized(const x86::Gp& r, int size)
{
    if (size == 1) return x86::gpb_lo(r.id());
    if (size == 2) return r.r16();
    if (size == 4) return r.r32();
    return r.r64();
}

}  // namespace reprise::jit
