/// A handler of system management mode, and the way into it, for tests.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "tests/cpu/long_program.h"

namespace reprise {

inline constexpr u32 kSmbase = 0x30000, kHandler = kSmbase + 0x8000;
inline constexpr u64 kMap = kSmbase + 0x8000;  // the manuals' offsets count from here
inline constexpr u64 kRevision = kMap + 0x7EFC;
inline constexpr u64 kSmbase32 = kMap + 0x7EF8, kSmbase64 = kMap + 0x7F00;
inline constexpr u64 kHalted32 = kMap + 0x7F02, kHalted64 = kMap + 0x7EC9;

inline const Program::Bytes kRsm{0x0F, 0xAA};
inline const Program::Bytes kNopRsm{0x90, 0x0F, 0xAA};

/// Overwrites as much as a handler can reach: all general and segment registers, CR0, CR3, CR4,
/// GDTR, LDTR...
inline const Program::Bytes kTrasher{
    0x66, 0xB8, 0xEF, 0xBE, 0xAD, 0xDE,  // mov eax, 0xDEADBEEF
    0x66, 0x89, 0xC1,                    // mov ecx, eax
    0x66, 0x89, 0xC2,                    // mov edx, eax
    0x66, 0x89, 0xC3,                    // mov ebx, eax
    0x66, 0x89, 0xC4,                    // mov esp, eax
    0x66, 0x89, 0xC5,                    // mov ebp, eax
    0x66, 0x89, 0xC6,                    // mov esi, eax
    0x66, 0x89, 0xC7,                    // mov edi, eax
    0x8E, 0xD8,                          // mov ds, ax
    0x8E, 0xC0,                          // mov es, ax
    0x8E, 0xD0,                          // mov ss, ax
    0x8E, 0xE0,                          // mov fs, ax
    0x8E, 0xE8,                          // mov gs, ax
    0x0F, 0x22, 0xD8,                    // mov cr3, eax
    0x66, 0x31, 0xC0,                    // xor eax, eax
    0x0F, 0x22, 0xE0,                    // mov cr4, eax
    0xB0, 0x10,                          // mov al, 0x10
    0x0F, 0x22, 0xC0,                    // mov cr0, eax
    0x2E, 0x0F, 0x01, 0x16, 0x00, 0x90,  // lgdt cs:[9000h]
    0x2E, 0x0F, 0x01, 0x1E, 0x00, 0x90,  // lidt cs:[9000h]
    0xF9,                                // stc
    0x0F, 0xAA,                          // rsm
};
inline constexpr u64 kTrasherInstructions = 22;

/// Names and values of everything the CPU remembers.
class Snapshot {
public:
    explicit Snapshot(Cpu& cpu)
    {
        const Path path{""};
        Members<Snapshot> members{path, *this};
        cpu.state.visit(members);
    }

    void value(const Path& path, auto& v) { values_[path.text()] = static_cast<u64>(v); }
    void bytes(const Path&, std::span<u8>) {}
    std::size_t size(const Path&, std::size_t n) { return n; }

    std::string difference(const Snapshot& other) const
    {
        std::string text;
        for (const auto& [name, value] : values_)
            if (name != "clock" && other.values_.at(name) != value) text += name + " ";
        return text;
    }

private:
    std::map<std::string, u64> values_;
};

inline void put_handler(Program& p, const Program::Bytes& bytes, u32 at = kHandler)
{
    p.code(at, bytes);
    p.cpu.memory_written(at, bytes.size());
}

/// Takes an SMI and executes the first instruction of its handler.
inline void enter(Program& p)
{
    p.cpu.raise_smi();
    p.step();
    ASSERT_TRUE(p.cpu.state.smm);
}

}  // namespace reprise
