/// Registers of x87, MMX and SSE: SDM vol. 1, chapters 8 to 10.
#pragma once

#include <array>

#include "machine/base/fields.h"
#include "machine/base/types.h"

namespace reprise {

/// An 80-bit register as it is: the explicit integer bit is bit 63 of the significand.
struct Float80 {
    u64 significand = 0;
    u16 sign_exponent = 0;

    bool operator==(const Float80&) const = default;

    constexpr void visit(auto& v)
    {
        v("significand", significand);
        v("sign_exponent", sign_exponent);
    }
};

struct FpuState {
    std::array<Float80, 8> r{};  // R0..R7 as numbered in the chip: ST(i) is R(TOP + i); MMi is Ri's significand
    u16 control = 0x40;          // after RESET; FNINIT sets 37F (SDM vol. 3A, table 9-1)
    u16 status = 0;              // TOP in bits 13..11
    u8 full = 0xFF;              // bit i: Ri is not empty; the tag word's other values follow from Ri
    u16 opcode = 0;              // FOP: of the last instruction that was no control instruction
    u64 ip = 0, data = 0;        // FIP, FDP
    u16 cs = 0, ds = 0;          // FCS, FDS

    static constexpr u16 kEs = 0x80, kTop = 0x3800;  // of `status`: an unmasked exception waits; TOP

    u8 top() const { return status >> 11 & 7; }

    constexpr void visit(auto& v)
    {
        v("r", r);
        v("control", control);
        v("status", status);
        v("full", full);
        v("opcode", opcode);
        v("ip", ip);
        v("data", data);
        v("cs", cs);
        v("ds", ds);
    }
};

/// 128 bits, of a register or in memory.
struct alignas(16) Xmm {
    u64 low = 0, high = 0;

    bool operator==(const Xmm&) const = default;

    constexpr void visit(auto& v)
    {
        v("low", low);
        v("high", high);
    }
};

struct SseState {
    std::array<Xmm, 16> xmm{};
    u32 mxcsr = 0x1F80;

    constexpr void visit(auto& v)
    {
        v("xmm", xmm);
        v("mxcsr", mxcsr);
    }
};

static_assert(visits_every_member<Float80>);
static_assert(visits_every_member<FpuState>);
static_assert(visits_every_member<Xmm>);
static_assert(visits_every_member<SseState>);

}  // namespace reprise
