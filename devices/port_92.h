/// System control port A (port 92h).
///
/// IBM Personal System/2 Hardware Interface Technical Reference, "System Control Port A"; Intel
/// 290550, 82371 PIIX, "Port 92 Register". Bit 1 is one of the sources that enable A20; bit 0
/// going from 0 to 1 pulses the CPU's reset. The others are reserved and read as 0.
#pragma once

#include <functional>

#include "machine/base/fields.h"
#include "machine/base/types.h"

namespace reprise {

class Port92 {
public:
    struct State {
        u8 value = 0;

        constexpr void visit(auto& v) { v("value", value); }
    };

    std::function<void(bool level)> on_a20;  ///< called on every change
    std::function<void()> on_reset;          ///< one pulse per 0 to 1 of bit 0

    u8 read(u16) const { return state.value; }
    void write(u16 offset, u8 value);
    bool a20() const;

    /// RESET pin.
    void reset();

    State state;
};

static_assert(visits_every_member<Port92::State>);

}  // namespace reprise
