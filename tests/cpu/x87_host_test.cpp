/// Every x87 instruction against the processor this runs on: registers, status, control and tag
/// word, memory, EFLAGS and AX after one instruction from a random state. Unmasked exceptions show
/// as ES, as nothing waits for them.
///
/// FIP, FDP and FOP are left out: AMD's processors keep them only when there was an exception. So
/// are the results of transcendental functions (fp_x87_test, fp_transcendental_test).
///
/// REPRISE_SEED=<number> repeats a run or tries another.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <string>

#include "tests/cpu/fp_operands.h"
#include "tests/cpu/program.h"
#include "tests/cpu/x87_host.h"

#if defined(__x86_64__)

namespace reprise {
namespace {

constexpr u8 kMemoryModrm = 6;  // [rsi], [esi]
constexpr u32 kTestedFlags = CF | PF | AF | ZF | SF | OF;

using Encoding = std::array<u8, 2>;

/// Encodings that are #UD (SDM vol. 2D, tables ).
bool undefined(Encoding e)
{
    const u8 modrm = e[1];
    if (modrm < 0xC0) {
        const int reg = modrm >> 3 & 7;
        return (e[0] == 0xD9 && reg == 1) || (e[0] == 0xDB && (reg == 4 || reg == 6)) ||
               (e[0] == 0xDD && reg == 5);
    }
    switch (e[0]) {
    case 0xD9:
        return (modrm >= 0xD1 && modrm <= 0xD7) || modrm == 0xE2 || modrm == 0xE3 ||
               modrm == 0xE6 || modrm == 0xE7 || modrm == 0xEF;
    case 0xDA: return modrm >= 0xE0 && modrm != 0xE9;
    case 0xDB: return (modrm >= 0xE5 && modrm <= 0xE7) || modrm >= 0xF8;
    case 0xDD: return modrm >= 0xF0;
    case 0xDE: return modrm >= 0xD8 && modrm <= 0xDF && modrm != 0xD9;
    case 0xDF: return (modrm >= 0xE1 && modrm <= 0xE7) || modrm >= 0xF8;
    default: return false;
    }
}

bool transcendental(Encoding e)
{
    if (e[0] != 0xD9) return false;
    switch (e[1]) {
    case 0xF0:
    case 0xF1:
    case 0xF2:
    case 0xF3:
    case 0xF9:
    case 0xFB:
    case 0xFE:
    case 0xFF: return true;
    default: return false;
    }
}

class X87Host : public testing::Test {
protected:
    X87Host() : program_("x86-64-v2")
    {
        program_.start_protected();
        program_.reg(RSI) = Program::kData;
        std::printf("seed %llu\n", static_cast<unsigned long long>(fp::seed()));
    }

    using Frame = X87Instruction::Frame;

    Frame random_state()
    {
        static constexpr u16 precisions[] = {0, 2, 3, 3};
        Frame f{};
        const u32 masks = operands_.below(4) == 0 ? operands_.below(64) : 0x3F;
        f.before.control =
            0xFFFF0040 | masks | precisions[operands_.below(4)] << 8 | operands_.below(4) << 10;
        u32 status = operands_.below(0x10000) & 0x4700;  // condition codes
        status |= operands_.below(8) << 11;              // TOP
        if (operands_.below(4) == 0)
            status |= operands_.below(0x80) & (masks | 0x40);  // nothing is pending
        f.before.status = 0xFFFF0000 | status;
        f.before.tags = 0xFFFF0000;
        fp::F80 last = operands_.next<fp::F80>();
        for (int n = 0; n < 8; ++n) {
            f.before.set(n, last);
            last =
                n & 1 ? operands_.across(f.before.get(0), n & 2) : operands_.near(f.before.get(0));
            if (operands_.below(12) == 0) f.before.set_tag(n, 3);
        }
        // Room to push, mostly.
        if (operands_.below(8) != 0) f.before.set_tag(7, 3);
        for (u8& byte : f.memory) byte = static_cast<u8>(operands_.word());
        random_memory_operand(f);
        f.flags = 0x202 | (operands_.word() & kTestedFlags);
        f.rax = operands_.word();
        return f;
    }

    void random_memory_operand(Frame& f)
    {
        const auto put = [&](auto value) { std::memcpy(f.memory.data(), &value, sizeof value); };
        switch (operands_.below(6)) {
        case 0: put(operands_.next<fp::F32>()); break;
        case 1: put(operands_.next<fp::F64>()); break;
        case 2: {
            const fp::F80 value = operands_.next<fp::F80>();
            std::memcpy(f.memory.data(), &value.significand, 8);
            std::memcpy(f.memory.data() + 8, &value.exponent, 2);
            break;
        }
        case 3: put(operands_.word() >> operands_.below(64)); break;
        default: break;
        }
    }

    /// The same with our processor; the frame's `after` is filled in.
    void run_ours(Frame& f)
    {
        CpuState& s = program_.cpu.state;
        s.fpu = {};
        s.fpu.control = static_cast<u16>(f.before.control);
        s.fpu.status = static_cast<u16>(f.before.status);
        s.fpu.full = 0;
        for (int n = 0; n < 8; ++n) {
            const int physical = (s.fpu.top() + n) & 7;
            const fp::F80 value = f.before.get(n);
            s.fpu.r[static_cast<std::size_t>(physical)] = {value.significand, value.exponent};
            if (f.before.tag(n) != 3) s.fpu.full |= static_cast<u8>(1 << physical);
        }
        s.rip = Program::kCode;
        s.rflags = static_cast<u32>(f.flags) & ~u32{IF};
        s.gpr[RAX] = static_cast<u32>(f.rax);
        s.halted = false;
        std::memcpy(program_.bus.ram.data() + Program::kData, f.memory.data(), f.memory.size());
        program_.step();

        f.after = {};
        f.after.control = 0xFFFF0000u | s.fpu.control;
        f.after.status = 0xFFFF0000u | s.fpu.status;
        f.after.tags = 0xFFFF0000;
        for (int n = 0; n < 8; ++n) {
            const std::size_t physical = static_cast<std::size_t>((s.fpu.top() + n) & 7);
            f.after.set(n, {s.fpu.r[physical].significand, s.fpu.r[physical].sign_exponent});
            if (!(s.fpu.full >> physical & 1)) f.after.set_tag(n, 3);
        }
        std::memcpy(f.memory.data(), program_.bus.ram.data() + Program::kData, f.memory.size());
        f.flags = s.rflags;
        f.rax = s.gpr[RAX];
    }

    /// Empty, or what the two differ in.
    std::string difference(Encoding e, const Frame& host, const Frame& ours)
    {
        std::string text;
        char line[160];
        const auto compare = [&](const char* what, u64 h, u64 o) {
            if (h == o) return;
            std::snprintf(line, sizeof line, " %s: host %llx ours %llx;", what,
                          static_cast<unsigned long long>(h), static_cast<unsigned long long>(o));
            text += line;
        };
        const bool about = transcendental(e);
        const u32 status_mask = about ? 0xFFFF & ~0x200u : 0xFFFF;
        compare("status", host.after.status & status_mask, ours.after.status & status_mask);
        compare("control", host.after.control, ours.after.control);
        compare("flags", host.flags & kTestedFlags, ours.flags & kTestedFlags);
        compare("ax", host.rax & 0xFFFF, ours.rax & 0xFFFF);
        for (int n = 0; n < 8; ++n) {
            compare("empty", host.after.tag(n) == 3, ours.after.tag(n) == 3);
            if (about && n < 2) continue;
            compare("significand", host.after.get(n).significand, ours.after.get(n).significand);
            compare("exponent", host.after.get(n).exponent, ours.after.get(n).exponent);
        }
        const bool pointers = (e[0] == 0xD9 || e[0] == 0xDD) && e[1] < 0xC0 && (e[1] >> 3 & 7) == 6;
        for (std::size_t i = 0; i < host.memory.size(); ++i)
            if (!pointers || i < 12 || i >= 28) compare("memory", host.memory[i], ours.memory[i]);
        return text;
    }

    void check(Encoding e)
    {
        const X87Instruction instruction(e);
        if (!instruction.usable()) GTEST_SKIP() << "no code can be made at run time";
        program_.code({e[0], e[1], 0xF4});
        program_.cpu.state_loaded();
        for (int i = 0; i < kRounds; ++i) {
            const Frame before = random_state();
            Frame host = before, ours = before;
            instruction.run(host);
            run_ours(ours);
            const std::string text = difference(e, host, ours);
            if (text.empty()) continue;
            ADD_FAILURE() << describe(e, before) << text;
            return;
        }
    }

    static std::string describe(Encoding e, const Frame& f)
    {
        char line[200];
        std::snprintf(line, sizeof line, "%02X %02X control %x status %x tags %x st", e[0], e[1],
                      f.before.control & 0xFFFF, f.before.status & 0xFFFF, f.before.tags & 0xFFFF);
        std::string text = line;
        for (const int n : {0, 1, e[1] & 7}) {
            const fp::F80 v = f.before.get(n);
            std::snprintf(line, sizeof line, " %04x:%016llx", v.exponent,
                          static_cast<unsigned long long>(v.significand));
            text += line;
        }
        u64 memory;
        std::memcpy(&memory, f.memory.data(), sizeof memory);
        std::snprintf(line, sizeof line,
                      " memory %016llx:", static_cast<unsigned long long>(memory));
        return text + line;
    }

    static constexpr int kRounds = 1500;
    fp::Operands operands_{fp::seed()};
    Program program_;
};

TEST_F(X87Host, EveryInstructionWithRegisters)
{
    for (int opcode = 0xD8; opcode <= 0xDF; ++opcode)
        for (int modrm = 0xC0; modrm <= 0xFF; ++modrm) {
            const Encoding e = {static_cast<u8>(opcode), static_cast<u8>(modrm)};
            if (!undefined(e)) check(e);
        }
}

TEST_F(X87Host, EveryInstructionWithMemory)
{
    for (int opcode = 0xD8; opcode <= 0xDF; ++opcode)
        for (int reg = 0; reg < 8; ++reg) {
            const Encoding e = {static_cast<u8>(opcode), static_cast<u8>(reg << 3 | kMemoryModrm)};
            if (!undefined(e)) check(e);
        }
}

}  // namespace
}  // namespace reprise

#else

TEST(X87Host, NeedsAnX86Host) { GTEST_SKIP() << "the host is not an x86-64"; }

#endif
