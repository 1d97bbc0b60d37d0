/// Machine code to Insn, driven by the forms in the opcode table.
#pragma once

#include <span>

#include "cpu/insn.h"
#include "cpu/model.h"

namespace reprise {

/// Of the code segment: its D and L bits.
enum class CodeSize : u8 { Bits16, Bits32, Bits64 };

struct DecodeMode {
    CodeSize code_size = CodeSize::Bits16;
    bool real_or_v86 = true;  // instructions of protected mode are undefined
    Level level = Level::X64;
    FeatureSet features = FeatureSet::all();
};

enum class DecodeResult : u8 {
    Ok,
    Undefined,  // #UD
    TooLong,    // more than 15 bytes: #GP(0)
    Truncated,  // `code` ends inside the instruction
};

/// Decodes the instruction at the start of `code`. `insn` is complete except for offset and index
/// in a block. With Undefined, `insn.length` is what was looked at.
DecodeResult decode(std::span<const u8> code, const DecodeMode& mode, Insn& insn);

}  // namespace reprise
