/// A few bytes of code and what they leave, for tests of single instructions.
#pragma once

#include "tests/cpu/program.h"

namespace reprise {

inline constexpr u32 kC = Program::kCode, kD = Program::kData, kStack = Program::kStack;

/// Flat 32-bit code at level 0; EBX points at kData.
class Code : public Program {
public:
    explicit Code(const Bytes& bytes, const char* model = "pentium") : Program(model)
    {
        start_protected();
        code(bytes);
        reg(RBX) = kData;
    }
    Code& with(Gpr r, u32 value)
    {
        reg(r) = value;
        return *this;
    }
    Code& memory(u32 value, u32 offset = 0)
    {
        set<u32>(kData + offset, value);
        return *this;
    }
    Code& go(u64 instructions = 1)
    {
        step(instructions);
        return *this;
    }
    u32 r(Gpr which) const { return static_cast<u32>(cpu.state.gpr[which]); }
    u32 m(u32 offset = 0) const { return get<u32>(kData + offset); }
    bool flag(u32 f) const { return (cpu.state.rflags & f) != 0; }
};

/// 16-bit real-mode code.
class Real : public Program {
public:
    explicit Real(const Bytes& bytes, const char* model = "pentium") : Program(model)
    {
        start_real();
        code(bytes);
    }
};

}  // namespace reprise
