/// Who executes guest code. The guest cannot tell.
#pragma once

#include "machine/base/types.h"

namespace reprise {

enum class Engine : u8 { Interpreter, Translator };

struct TranslatorStatistics {
    u64 blocks = 0;          // translated
    u64 code_bytes = 0;      // of host code in use
    u64 entries = 0;         // from the interpreter into host code
    u64 resumes = 0;         // back to it: memory that is not fast, or an instruction it has to execute
    u64 ends = 0;            // back because of the next event
    u64 calls = 0;           // instructions executed by their handler, from host code
    u64 jumps = 0;           // to a block not linked yet
    u64 indirect_misses = 0; // returns and indirect jumps to where none was known
    u64 links = 0;           // jumps patched to their target
    u64 flushes = 0;         // times that all host code was dropped
};

}  // namespace reprise
