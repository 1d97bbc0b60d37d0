#include "devices/port_92.h"

#include "machine/base/bits.h"

namespace reprise {

namespace {

constexpr int kFastReset = 0, kA20 = 1;

}  // namespace

bool Port92::a20() const { return bit(state.value, kA20); }

void Port92::write(u16, u8 value)
{
    const u8 before = state.value;
    state.value = bits(value, 1, 0);
    const u8 changed = before ^ state.value;
    if (bit(changed, kA20) && on_a20) on_a20(a20());
    if (bit(changed, kFastReset) && bit(state.value, kFastReset) && on_reset) on_reset();
}

void Port92::reset() { write(0, 0); }

}  // namespace reprise
