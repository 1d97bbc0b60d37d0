/// A medium that is read and written in sectors: what a drive sees of an image file.
#pragma once

#include <span>

#include "machine/base/types.h"

namespace reprise {

/// Implemented in machine/ by image files and overlays. Drives hold a pointer that is null while
/// no medium is in them. A call that returns false failed on the host; the drive reports it to the
/// guest as its own kind of medium error, and the implementation has told the person.
class BlockDevice {
public:
    virtual ~BlockDevice() = default;

    virtual u64 size_bytes() const = 0;
    virtual bool read_only() const = 0;

    /// Reads `out.size()` bytes at byte `offset`. False, with `out` zeroed: beyond the end, or a
    /// host error.
    [[nodiscard]] virtual bool read(u64 offset, std::span<u8> out) = 0;
    /// Writes `data` at byte `offset`. False: read-only, beyond the end, or a host error.
    [[nodiscard]] virtual bool write(u64 offset, std::span<const u8> data) = 0;
    /// Makes what was written durable on the host.
    [[nodiscard]] virtual bool flush() = 0;
};

/// Cylinders, heads (sides) and sectors per track.
struct Geometry {
    u32 cylinders = 0, heads = 0, sectors = 0;

    constexpr u64 total() const { return u64{cylinders} * heads * sectors; }
    bool operator==(const Geometry&) const = default;
};

}  // namespace reprise
