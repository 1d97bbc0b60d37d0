/// Who executes guest code. The guest cannot tell.
#pragma once

#include "machine/base/types.h"

namespace reprise {

enum class Engine : u8 { Interpreter, Translator };

struct TranslatorStatistics {
    u64 blocks = 0;          // translated
    u64 code_bytes = 0;      // of host code in use
    u64 entries = 0;         // from the interpreter into host code
    u64 events = 0;          // back to it because of the next event
    u64 leaves = 0;          // back to it for another reason: where it goes on is no host code yet, mostly
    u64 faults = 0;          // of the host: memory that is not plain RAM, found out the hard way
    u64 calls = 0;           // instructions that their handlers executed, from host code
    u64 accesses = 0;        // the same, because memory was not fast
    u64 finishes = 0;        // the same with the last one of a block
    u64 jumps = 0;           // to a block not linked yet
    u64 indirect_misses = 0; // returns and indirect jumps to where none was known
    u64 links = 0;           // jumps patched to their target
    u64 translation_ns = 0;  // of host time; 0 without Cpu::host_clock_ns
    u64 flushes = 0;         // times that all host code was dropped
};

}  // namespace reprise
