/// DMA page registers: a 74LS612 memory mapper used as a 16 x 8 register file (Texas Instruments,
/// "SN74LS610 thru SN74LS613 Memory Mappers"). It supplies the address bits above the 8237A's
/// sixteen; which register belongs to which channel is the board's wiring.
#pragma once

#include <array>

#include "machine/base/fields.h"
#include "machine/base/types.h"

namespace reprise {

class DmaPageRegisters {
public:
    struct State {
        std::array<u8, 16> page{};

        constexpr void visit(auto& v) { v("page", page); }
    };

    u8 read(u16 offset) const { return state.page[offset & 15]; }
    void write(u16 offset, u8 value) { state.page[offset & 15] = value; }
    u8 page(int offset) const { return state.page[offset & 15]; }
    void reset() { state = State{}; }

    State state;
};

static_assert(visits_every_member<DmaPageRegisters::State>);

}  // namespace reprise
