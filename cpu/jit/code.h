/// What is known about the host code of a block.
#pragma once

#include <deque>
#include <vector>

#include "cpu/blocks.h"

namespace reprise::jit {

struct Code;

/// Instructions of a block that the x87's pointers are of, where the state does not say so yet.
struct X87Pointers {
    const Insn* last = nullptr;    // FIP, FCS, FOP
    const Insn* memory = nullptr;  // FDP, FDS: registers and segment are still those of its address
};

/// A way out of host code, back to the interpreter.
struct Exit {
    enum class Kind : u8 {
        Resume,  // the interpreter goes on with `insn`
        End,     // the same, because of the next event
        Jump,    // the block is done and continues with its `link`
        Leave,   // an instruction left the block: the run loop decides
    };
    Kind kind = Kind::Resume;
    u8 charged = 0;          // instructions of this block that the budget has been charged with
    u8 link = 0;             // Block::kBehind or kJump
    bool same_page = false;  // Jump: so the link holds as long as the block
    Code* code = nullptr;
    Code* target = nullptr;  // Jump: what it is linked to
    const Insn* insn = nullptr;
    X87Pointers x87{};
    // What was checked together for several operands: from so far behind that of `insn`.
    i32 shared_from = 0;
    int shared_bytes = 0;      // 0: nothing
    bool fp_refused = false;   // x87 or SSE could not be loaded
    u64 ip = 0;                // Jump: where to
    u8* site = nullptr;        // Jump: the displacement that leads here, or to the target
    const u8* stub = nullptr;  // where `site` leads while it is not linked
};

/// An instruction that its handler executes.
struct Call {
    Insn insns[2];  // the second one makes the handler return
    u8 charged = 0;
    Code* code = nullptr;
    X87Pointers x87{};
    Exit after;  // Resume at the next instruction
};

/// A block's host code under the assumptions in `key`.
struct Code {
    Block* block = nullptr;
    u64 key = 0;
    u8* entry = nullptr;     // of direct jumps
    u8* indirect = nullptr;  // of jumps that have the address in r8: checks that it is this block's
    std::deque<Exit> exits;
    std::deque<Call> calls;
    std::vector<Exit*> incoming;  // jumps of other blocks that are linked to this one
    u32 crossings = 0;            // executions left because what was checked together crosses pages
    u32 fp_refusals = 0;          // executions left because x87 or SSE could not be loaded
};

}  // namespace reprise::jit
