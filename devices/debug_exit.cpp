#include "devices/debug_exit.h"

namespace reprise {

u8 DebugExit::read(u16) const { return 0; }

void DebugExit::write_wide(u16 offset, int size, u32 value)
{
    if (offset != 0 || !on_exit) return;
    on_exit(size == 1 ? value & 0xFF : size == 2 ? value & 0xFFFF : value);
}

}  // namespace reprise
