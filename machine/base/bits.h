/// Bit fields by the numbers manuals use: bits(value, 5, 3) is "bits 5..3".
#pragma once

#include <concepts>

#include "machine/base/types.h"

namespace reprise {

/// Bits `high` down to `low` of `value`, moved to the right.
template <std::unsigned_integral T>
constexpr T bits(T value, int high, int low)
{
    return static_cast<T>((u64{value} >> low) & ((u64{2} << (high - low)) - 1));
}

/// Bit `index` of `value`.
template <std::unsigned_integral T>
constexpr bool bit(T value, int index)
{
    return (u64{value} >> index & 1) != 0;
}

/// `value` with bit `index` set to `level`.
template <std::unsigned_integral T>
constexpr T with_bit(T value, int index, bool level)
{
    const u64 mask = u64{1} << index;
    return static_cast<T>(level ? value | mask : value & ~mask);
}

}  // namespace reprise
