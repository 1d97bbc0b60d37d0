/// All values of the arithmetic flags, by number.
#pragma once

#include <array>

#include "cpu/flags.h"

namespace reprise {

/// The i-th combination of the six arithmetic flags.
inline u32 flag_combination(u32 i)
{
    constexpr std::array<u32, 6> flags = {CF, PF, AF, ZF, SF, OF};
    u32 value = 0;
    for (u32 bit = 0; bit < 6; ++bit)
        if (i >> bit & 1) value |= flags[bit];
    return value;
}

}  // namespace reprise
