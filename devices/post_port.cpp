#include "devices/post_port.h"

namespace reprise {

u8 PostPort::read(u16) const { return state.code; }

void PostPort::write(u16, u8 value)
{
    state.code = value;
    if (on_code) on_code(value);
}

}  // namespace reprise
