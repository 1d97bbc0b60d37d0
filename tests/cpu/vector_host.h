/// Machine code on the processor this runs on: with all registers given, and all of them looked at
/// after it.
#pragma once

#if defined(__x86_64__) && defined(__linux__)

#include <sys/mman.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "cpu/vector_state.h"

namespace reprise::host {

/// Laid out for the trampoline.
struct alignas(16) Registers {
    std::array<Xmm, 16> xmm{};
    std::array<u64, 8> mm{};
    std::array<u64, 16> gpr{};  // not RSP
    u64 flags = 0x202;
    u64 mxcsr = 0x1F80;

    bool operator==(const Registers&) const = default;
};
static_assert(offsetof(Registers, mm) == 256 && offsetof(Registers, gpr) == 320);
static_assert(offsetof(Registers, flags) == 448 && offsetof(Registers, mxcsr) == 456);

/// Loads all registers, calls `code`, stores them.
extern "C" void reprise_test_trampoline(Registers* registers, const void* code);

/// Memory that holds many pieces of code, each followed by RET; first all are written, then they
/// may be executed.
class Code {
public:
    explicit Code(std::size_t bytes)
        : size_(bytes),
          memory_(static_cast<u8*>(
              mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)))
    {
    }
    ~Code() { munmap(memory_, size_); }
    Code(const Code&) = delete;
    Code& operator=(const Code&) = delete;

    bool has_room(std::size_t bytes) const
    {
        return memory_ != MAP_FAILED && used_ + bytes < size_;
    }
    const u8* add(std::span<const u8> instruction)
    {
        u8* const at = memory_ + used_;
        std::memcpy(at, instruction.data(), instruction.size());
        at[instruction.size()] = 0xC3;
        used_ += instruction.size() + 1;
        return at;
    }
    bool seal() { return mprotect(memory_, size_, PROT_READ | PROT_EXEC) == 0; }

private:
    std::size_t size_, used_ = 0;
    u8* memory_;
};

enum class Outcome : u8 { Done, SimdException, Undefined };

/// While it exists, an instruction that raises #XM or #UD is left out: execution goes on behind it.
class SkipExceptions {
public:
    SkipExceptions();
    ~SkipExceptions();

    /// Runs one instruction of `length` bytes.
    Outcome run(Registers& registers, const u8* code, u8 length);

private:
    struct sigaction before_fpe_ = {}, before_ill_ = {};
};

}  // namespace reprise::host

#endif
