/// The "isa-debug-exit" register: the value that a test program writes ends the run.
#pragma once

#include <functional>

#include "machine/base/types.h"

namespace reprise {

class DebugExit {
public:
    /// The guest asked to end the run with this value.
    std::function<void(u32 value)> on_exit;

    u8 read(u16 offset) const;
    void write(u16 offset, u8 value) { write_wide(offset, 1, value); }
    /// One bus cycle of `size` = 1, 2 or 4 bytes. Only the first address of the register counts.
    void write_wide(u16 offset, int size, u32 value);
};

}  // namespace reprise
