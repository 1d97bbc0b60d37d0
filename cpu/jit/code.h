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

/// Memory that an instruction accesses: its operand; the stack, `depth` bytes from the top; or what
/// a register points to.
struct Accessed {
    enum class Kind : u8 { Memory, Stack, Pointer };
    Kind kind = Kind::Memory;
    u8 seg = 0, size = 0, pointer = 0;
    bool write = false;
    bool aligned = false;        // or else #GP
    bool shared_before = false;  // the instruction relies on earlier looks into the TLB
    i32 depth = 0;
    u64 mask = 0;  // of offsets
};

/// A way out of host code, into the engine.
struct Exit {
    enum class Kind : u8 {
        Call,    // its handler executes `insn`, and host code goes on `behind` it
        Access,  // the same, because the memory that it accesses is not fast
        Finish,  // its handler executes `insn`, the last one of the block
        Jump,    // the block is done and continues with its `link`
        Event,   // the next event is near: the interpreter goes on with `insn`
        Leave,   // the same for another reason; not with the first one
    };
    Kind kind = Kind::Call;
    u8 charged = 0;          // instructions of this block that the budget has been charged with
    u8 link = 0;             // Block::kBehind or kJump
    bool same_page = false;  // Jump: so the link holds as long as the block
    Code* code = nullptr;
    Code* target = nullptr;  // Jump: what it is linked to
    const Insn* insn = nullptr;
    X87Pointers x87{};
    // What was checked together for several operands: from so far behind that of `insn`.
    i32 shared_from = 0;
    int shared_bytes = 0;        // 0: nothing
    bool fp_refused = false;     // Access: because x87 or SSE could not be loaded
    u64 ip = 0;                  // Jump: where to
    u8* site = nullptr;          // Jump: the displacement that leads here, or to the target
    const u8* stub = nullptr;    // where `site` leads while it is not linked
    const u8* behind = nullptr;  // Call, Access; null: the interpreter goes on behind it
    const u8* retry =
        nullptr;  // where `insn` begins once more, if `memory` is all that it accesses
    Accessed memory{};
};

/// What has been learned about a block's instructions; bit n is that of the one with this index.
struct Marks {
    u32 checked = 0;  // the operand was not plain RAM: look it up in the TLB
    u32 wraps = 0;    // base and displacement were not the linear address: wrap it first
};

/// A block's host code under the assumptions in `key`.
struct Code {
    Block* block = nullptr;
    u64 key = 0;
    Marks marks;
    Code* next = nullptr;    // of the same block under other assumptions
    bool live = true;        // false: it may be executing, but is not entered or linked any more
    u8* entry = nullptr;     // of direct jumps
    u8* indirect = nullptr;  // of jumps that have the address in r8: checks that it is this block's
    std::deque<Exit> exits;
    std::vector<Exit*> incoming;  // jumps of other blocks that are linked to this one
    u32 crossings = 0;            // times that what was checked together crossed pages
    u32 fp_refusals = 0;          // times that x87 or SSE could not be loaded
};

}  // namespace reprise::jit
