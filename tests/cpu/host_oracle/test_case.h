/// One instruction with everything that it starts from, and what became of it.
#pragma once

#include <array>
#include <cstring>
#include <vector>

#include "cpu/insn.h"
#include "tests/cpu/host_oracle/layout.h"

namespace reprise::oracle {

/// FXSAVE's image (SDM vol. 2A, table 3-43), in the form of 64-bit mode with REX.W.
struct alignas(16) FxImage {
    u16 control = 0x37F;
    u16 status = 0;
    u8 tags = 0;  // bit i: Ri is not empty
    u8 reserved = 0;
    u16 opcode = 0;
    u64 ip = 0, data = 0;
    u32 mxcsr = 0x1F80, mxcsr_mask = 0;
    std::array<Xmm, 8> st{};  // ST(i), 10 bytes each
    std::array<Xmm, 16> xmm{};
    std::array<u8, 96> rest{};

    u8 top() const { return status >> 11 & 7; }
};
static_assert(sizeof(FxImage) == 512);

struct Registers {
    std::array<u64, 16> gpr{};
    u64 rip = 0;
    u32 eflags = 2;
    std::array<u16, 6> selector{};  // by Seg
    FxImage fx;
};

/// Bytes that differ from what the pages hold otherwise.
struct Patch {
    u32 address = 0;
    u32 size = 0;
    std::array<u8, 32> bytes{};
};

struct TestCase {
    u64 seed = 0;
    Mode mode = Mode::Bits32;
    std::array<u8, 16> code{};
    u8 length = 0;
    u64 linear = 0;  // of the code
    Registers start;
    u64 fs_base = 0, gs_base = 0;  // in 64-bit mode
    std::vector<Patch> patches;
    int row = -1;  // of the opcode table; -1: no instruction of ours
    Insn insn;     // if `row` is not -1
};

inline constexpr int kNoVector = -1;

struct Outcome {
    Registers end;
    int vector = kNoVector;  // of the exception; the host always has one
    u32 error_code = 0;
    u64 cr2 = 0;           // of a page fault
    bool endless = false;  // of the emulated one: executed too long
};

}  // namespace reprise::oracle
