/// The code around host code: in, and out to the engine, which says where it goes on.
///
/// Registers while host code runs, for guests of 16 and 32 bits:
///     rax rcx rdx rbx rbp rsi rdi   the guest's of the same name; r15 is ESP
///     flags                         the guest's arithmetic flags
///     r12   the Cpu                 r13   the budget: negative while host code may go on
///     r14   EntryState::memory      r8..r11   free between instructions
///     rsp   the Frame below
///     xmm, x87 and their control words: the guest's or the host's, see Frame
/// C++ code finds all of the guest's state in the Cpu.
#pragma once

#include <array>

#include "cpu/flags.h"
#include "cpu/jit/code.h"
#include "cpu/jit/code_memory.h"

namespace reprise {
class Cpu;
class DeviceMemory;
}  // namespace reprise

namespace reprise::jit {

/// The exception masks of the x87's control word and of MXCSR.
inline constexpr u32 kX87Masks = 0x3F, kMxcsrMasks = 0x1F80;

/// What host code is entered with, and what it has left.
struct EntryState {
    const u8* code = nullptr;
    const void* memory = nullptr;  // the TLB's entries, or a Window
    const u8* const* targets = nullptr;
    i64 budget = 0;
    u64 stop_at = 0;  // Cpu::stop_at_: the budget counts from it
    u32 flags = 0;    // as LAHF and SETO give them: AH and AL
    u64 ip = 0;       // of an indirect jump whose target is unknown
    // What XRSTOR and XSAVE take (SDM vol. 1, 13.4).
    alignas(64) std::array<u8, 576> x87{};
};

/// How an instruction has access to memory that may be a chip's, or beside code.
struct DeviceAccess {
    u8 seg = 0, size = 0;
    bool reads = false, writes = false;

    u32 packed() const { return u32{seg} | u32{size} << 8 | u32{reads} << 16 | u32{writes} << 17; }
    static DeviceAccess of(u32 packed)
    {
        return {static_cast<u8>(packed), static_cast<u8>(packed >> 8), (packed >> 16 & 1) != 0,
                (packed >> 17 & 1) != 0};
    }
};

/// Stands for that memory while the instruction executes.
struct DeviceOperand {
    u64 value = 0;
    u64 written = 0;                 // not 0: the chip has to get it
    u8* host = nullptr;              // where it is
    DeviceMemory* device = nullptr;  // or whose, at `offset`
    u32 offset = 0;
    int size = 0;
};

/// On the host's stack.
struct Frame {
    EntryState* state;
    const u8* const* targets;
    u64 index_mask;  // of PEXT: the bits of a linear address that choose a TLB entry
    u64 one;
    u64 scratch;
    u64 scratch2;
    // 0: the host's registers are the guest's. They are loaded by the first instruction that needs
    // them, and stored before anything else than host code may need the host's.
    u64 sse_absent, x87_absent;
    std::array<u64, 4> shared;  // host addresses, while a block executes
    DeviceOperand device;
    std::array<u64, 6> saved;  // while a chip is called
    u64 x87_masks;             // of PEXT: the control word's exception masks
    u32 host_mxcsr;            // as C++ code expects it
    u16 host_control;
};

/// Offsets from the Cpu that the stubs need.
struct StubOffsets {
    i32 gpr = 0, xmm = 0, mxcsr = 0, sse_usable = 0;
    i32 fpu = 0, x87_usable = 0;
};

/// Addresses of the stubs.
struct Stubs {
    /// Runs host code until it is left.
    void (*enter)(EntryState*, Cpu*) = nullptr;
    const u8* out = nullptr;            // r8 = Exit
    const u8* indirect_miss = nullptr;  // r8 = where to
    // Called if absent; r8 = Exit to be taken if they cannot be loaded: switched off by CR0 or CR4,
    // or an exception is unmasked. They keep r10, general registers and flags.
    const u8* load_sse = nullptr;
    const u8* load_x87 = nullptr;
    // See device_stubs.h.
    const u8* load_device = nullptr;
    const u8* store_device = nullptr;
    const u8* write_back = nullptr;
};

/// What Stubs::out calls, with everything of the guest in the CPU and the EntryState. No exit: an
/// indirect jump to EntryState::ip, where none is known. It answers where host code goes on, with
/// what is in the CPU and the EntryState then, or null: host code is left.
using OutFunction = const u8* (*)(Exit*, Cpu*, EntryState*, i64 budget);

/// Does something with the chip's memory at `offset` in a segment. False: there is none.
using DeviceFunction = bool (*)(Cpu*, u64 offset, u32 access, DeviceOperand*);

struct StubFunctions {
    OutFunction out = nullptr;
    DeviceFunction load_device = nullptr;          // makes it the operand
    DeviceFunction store_device = nullptr;         // writes the operand to it
    void (*write_back)(DeviceOperand*) = nullptr;  // the same after load_device
};

Stubs write_stubs(CodeMemory& memory, const StubOffsets& offsets, const StubFunctions& functions);

/// What LAHF and SETO give for these flags, and back.
inline u32 lahf_seto_of(u32 eflags)
{
    return (eflags & (CF | PF | AF | ZF | SF)) << 8 | (eflags & OF ? 1u : 0u);
}
inline LazyFlags lazy_flags_of(u32 lahf_seto)
{
    const u64 flags = lahf_seto >> 8, of = lahf_seto & 1;
    const u64 zf = flags >> 6 & 1, odd_parity = (zf ^ flags >> 2) & 1;
    return {static_cast<i64>(zf ^ 1), (flags & 1) << 63 | ((flags ^ of) & 1) << 62 | (flags & AF) |
                                          (flags >> 7 & 1) << 1 | odd_parity};
}

}  // namespace reprise::jit
