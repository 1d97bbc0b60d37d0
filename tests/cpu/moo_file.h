/// Reads MOO files: hardware-captured single-instruction tests (SingleStepTests).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "machine/base/types.h"

namespace reprise {

struct MooTest {
    // ax bx cx dx cs ss ds es sp bp si di ip flags: the order of the file
    using Registers = std::array<u16, 14>;
    struct Byte {
        u32 address;
        u8 value;
    };

    u32 index = 0;
    std::string name;
    std::vector<u8> bytes;
    Registers initial{}, final_{};
    std::vector<Byte> initial_ram, final_ram;
    std::optional<u8> exception;
};

/// All tests of a file, gzip or plain. Throws std::runtime_error if it is not a MOO file.
std::vector<MooTest> read_moo_file(const std::string& path);

}  // namespace reprise
