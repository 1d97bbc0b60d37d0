/// The debug console that Bochs introduced at port E9h and firmware uses at 402h: every byte
/// written is a character, and reading back E9h tells the guest that somebody listens.
#pragma once

#include <functional>

#include "machine/base/types.h"

namespace reprise {

class DebugConsole {
public:
    /// A character the guest wrote.
    std::function<void(u8 byte)> on_byte;

    u8 read(u16 offset) const;
    void write(u16 offset, u8 value);
};

}  // namespace reprise
