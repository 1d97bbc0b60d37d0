/// A medium in memory, for tests of drives.
#pragma once

#include <algorithm>
#include <vector>

#include "devices/block_device.h"

namespace reprise {

struct MemoryMedium : BlockDevice {
    std::vector<u8> bytes;
    bool write_protected = false;
    bool broken = false;  // every access fails, as with a host error
    int flushes = 0;

    /// Sector n is filled with the low byte of n * 7 + 1.
    explicit MemoryMedium(u64 size, u64 sector_size = 512) : bytes(size)
    {
        for (u64 i = 0; i < size; ++i) bytes[i] = pattern(i / sector_size);
    }

    static u8 pattern(u64 sector) { return static_cast<u8>(sector * 7 + 1); }

    u64 size_bytes() const override { return bytes.size(); }
    bool read_only() const override { return write_protected; }
    bool read(u64 offset, std::span<u8> out) override
    {
        std::ranges::fill(out, u8{0});
        if (broken || offset + out.size() > bytes.size()) return false;
        std::copy_n(bytes.begin() + static_cast<long>(offset), out.size(), out.begin());
        return true;
    }
    bool write(u64 offset, std::span<const u8> data) override
    {
        if (broken || write_protected || offset + data.size() > bytes.size()) return false;
        std::ranges::copy(data, bytes.begin() + static_cast<long>(offset));
        return true;
    }
    bool flush() override
    {
        ++flushes;
        return !broken;
    }
};

}  // namespace reprise
