#include "devices/debug_console.h"

namespace reprise {

u8 DebugConsole::read(u16) const { return 0xE9; }

void DebugConsole::write(u16, u8 value)
{
    if (on_byte) on_byte(value);
}

}  // namespace reprise
