/// Makes instructions from the rows of the opcode table, and states in which most of them do
/// something.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cpu/decoder.h"
#include "cpu/opcodes.h"
#include "tests/cpu/host_oracle/random.h"

namespace reprise::oracle {

enum class Class : u8 { Integer, X87, Mmx, Sse };
inline constexpr std::array<std::string_view, 4> kClassNames = {"integer", "x87", "mmx", "sse"};

/// What a row belongs to.
Class class_of(const Opcode& row);

class Generator {
public:
    /// Of these classes (by Class) and, unless it is empty, mnemonic.
    Generator(Mode mode, std::array<bool, 4> classes, std::string_view mnemonic);

    bool empty() const { return rows_.empty(); }

    /// The test of that number: nothing else decides what it is. Nothing: another number, please.
    std::optional<TestCase> make(u64 seed) const;

private:
    Mode mode_;
    std::vector<std::vector<u16>> rows_;  // of each class, all of which come equally often
};

/// How the decoder sees code in this mode.
DecodeMode decode_mode(Mode mode);

}  // namespace reprise::oracle
