/// Memory of a chip that does more than to remember.
#pragma once

#include "machine/base/types.h"

namespace reprise {

/// Accesses do nothing that anyone but the chip could notice: none looks at the time, drives a
/// line, or changes what answers where. So they need no more than the call, and to read twice is
/// the same as to read once.
class DeviceMemory {
public:
    /// Offsets count from where the chip's memory begins.
    virtual u8 memory_read(u32 offset) = 0;
    virtual void memory_write(u32 offset, u8 value) = 0;

    /// `size` bytes one after the other, the lowest one first.
    u64 memory_read(u32 offset, int size)
    {
        u64 value = memory_read(offset);
        for (int i = 1; i < size; ++i)
            value |= u64{memory_read(offset + static_cast<u32>(i))} << 8 * i;
        return value;
    }
    void memory_write(u32 offset, int size, u64 value)
    {
        for (int i = 0; i < size; ++i)
            memory_write(offset + static_cast<u32>(i), static_cast<u8>(value >> 8 * i));
    }

protected:
    ~DeviceMemory() = default;
};

}  // namespace reprise
