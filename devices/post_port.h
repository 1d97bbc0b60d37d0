/// The latch that shows where the power-on self-test is: the two digits of a POST card.
#pragma once

#include <functional>

#include "machine/base/fields.h"

namespace reprise {

class PostPort {
public:
    struct State {
        u8 code = 0;

        constexpr void visit(auto& v) { v("code", code); }
    };

    /// A code the guest wrote.
    std::function<void(u8 code)> on_code;

    u8 read(u16 offset) const;
    void write(u16 offset, u8 value);
    void reset() { state = State{}; }

    State state;
};

static_assert(visits_every_member<PostPort::State>);

}  // namespace reprise
