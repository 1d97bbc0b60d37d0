/// Reads MOO files: hardware-captured tests of single instructions (SingleStepTests). The format is
/// described in doc/moo_format_v1.md of github.com/dbalsom/moo.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "machine/base/types.h"

namespace reprise {

/// The registers of a test, in the order of the RG32 chunk. The 16-bit sets have the low halves.
enum MooRegister : u8 {
    kMooCr0,
    kMooCr3,
    kMooEax,
    kMooEbx,
    kMooEcx,
    kMooEdx,
    kMooEsi,
    kMooEdi,
    kMooEbp,
    kMooEsp,
    kMooCs,
    kMooDs,
    kMooEs,
    kMooFs,
    kMooGs,
    kMooSs,
    kMooEip,
    kMooEflags,
    kMooDr6,
    kMooDr7
};
inline constexpr std::size_t kMooRegisters = 20;

struct MooTest {
    using Registers = std::array<u32, kMooRegisters>;
    struct Byte {
        u32 address;
        u8 value;
    };

    u32 number = 0;  // in this file, from 0
    u32 index = 0;   // in the file it was published in, if that was known
    std::string name;
    std::string hash;  // its identity, 40 hexadecimal digits; empty: none in the file
    std::vector<u8> bytes;
    Registers initial{}, final{};  // `final` is complete: what did not change is as before
    Registers defined{};           // AND masks of the bits that the makers trust
    std::vector<Byte> initial_ram, final_ram;
    std::optional<u8> exception;  // vector
};

struct MooFile {
    std::string cpu;    // as in the header, without blanks: 8086 8088 V20 C286 386E
    bool wide = false;  // registers have 32 bits
    std::vector<MooTest> tests;
};

/// Throws HostError with one sentence about `path` if it cannot be read, is damaged or no MOO file.
MooFile read_moo_file(const std::string& path);

/// The same from memory; `path` is for messages.
MooFile parse_moo(std::span<const u8> data, const std::string& path);

}  // namespace reprise
