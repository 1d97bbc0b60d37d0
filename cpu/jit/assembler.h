/// asmjit, set up as this folder uses it. Its names stay in here.
#pragma once

#include <asmjit/asmjit.h>

#include <cstdio>
#include <cstdlib>

#include "cpu/jit/code_memory.h"
#include "cpu/jit/copy.h"

namespace reprise::jit {

inline constexpr auto kCpu = asmjit::x86::r12;
inline constexpr auto kBudget = asmjit::x86::r13;
inline constexpr auto kMemory = asmjit::x86::r14;

/// [r8 + r9], where a memory operand ends up that has been looked for in the TLB.
inline constexpr HostMemory kScratchOperand{.base = 8, .index = 9};

/// The host registers that hold a general register of the guest.
inline asmjit::x86::Gp gpr64(u8 reg) { return asmjit::x86::gpq(host_register(reg)); }
inline asmjit::x86::Gp gpr32(u8 reg) { return asmjit::x86::gpd(host_register(reg)); }
inline asmjit::x86::Gp gpr16(u8 reg) { return asmjit::x86::gpw(host_register(reg)); }

/// Code that will run at `address`. An instruction that cannot be encoded is a bug here, not the
/// guest's.
class HostAssembler : private asmjit::ErrorHandler {
public:
    explicit HostAssembler(const u8* address) { begin(address); }

    /// Starts anew.
    void begin(const u8* address)
    {
        holder_.reset();
        holder_.init(asmjit::Environment::host(), reinterpret_cast<u64>(address));
        holder_.setErrorHandler(this);
        holder_.attach(&assembler_);
    }

    asmjit::x86::Assembler& assembler() { return assembler_; }

    /// Where it now is.
    u8* finish(CodeMemory& memory)
    {
        holder_.flatten();
        holder_.resolveUnresolvedLinks();
        const asmjit::CodeBuffer& buffer = holder_.textSection()->buffer();
        u8* at = memory.add(buffer.data(), buffer.size());
        holder_.detach(&assembler_);
        return at;
    }
    std::size_t offset_of(const asmjit::Label& label) const { return holder_.labelOffset(label); }
    std::size_t size() const { return holder_.textSection()->bufferSize(); }

private:
    void handleError(asmjit::Error, const char* message, asmjit::BaseEmitter*) override
    {
        std::fprintf(stderr,
                     "reprise: the translator wrote an instruction that does not exist: %s\n",
                     message);
        std::abort();
    }

    asmjit::CodeHolder holder_;
    asmjit::x86::Assembler assembler_;
};

}  // namespace reprise::jit
