/// The I/O address space: which chip answers which port. Unclaimed ports read as an idle bus.
#pragma once

#include <array>
#include <concepts>
#include <deque>
#include <functional>

#include "machine/base/types.h"

namespace reprise {

/// A chip with byte registers. It knows its registers' offsets; only the board knows the port.
template <class T>
concept PortDevice = requires(T chip, u16 offset, u8 value)
{
    {
        chip.read(offset)
        } -> std::same_as<u8>;
    {chip.write(offset, value)};
};

class IoBus {
public:
    using Read = std::function<u32(u16 port, int size)>;
    using Write = std::function<void(u16 port, int size, u32 value)>;
    using Range = u16;  // a handle of what map() made; 0: none

    IoBus() : ranges_(1) {}

    /// Ports first..last are the chip's offsets 0 and up. Wider accesses become byte accesses.
    Range map(u16 first, u16 last, PortDevice auto& chip)
    {
        return map_bytes(
            first, last, [&chip, first](u16 port) { return chip.read(port - first); },
            [&chip, first](u16 port, u8 v) { chip.write(port - first, v); });
    }

    Range map_bytes(u16 first, u16 last, std::function<u8(u16 port)> read,
                    std::function<void(u16 port, u8 value)> write)
    {
        return add(first, last, {.read_byte = std::move(read), .write_byte = std::move(write)});
    }

    /// The functions see accesses of every width that lie within the range.
    Range map_wide(u16 first, u16 last, Read read, Write write)
    {
        return add(first, last, {.read_wide = std::move(read), .write_wide = std::move(write)});
    }

    /// Forgets a range; what it covered answers again.
    void unmap(Range range)
    {
        if (range == 0) return;
        const u16 first = ranges_[range].first, last = ranges_[range].last;
        ranges_[range] = {};
        for (u32 port = first; port <= last; ++port)
            if (owner_[port] == range) owner_[port] = youngest(static_cast<u16>(port));
    }

    /// `size` is 1, 2 or 4 bytes.
    u32 read(u16 port, int size) const
    {
        const Handlers& h = ranges_[owner_[port]];
        if (h.read_wide && within(port, size)) return h.read_wide(port, size);
        if (size == 1) return h.read_byte ? h.read_byte(port) : 0xFF;
        const int half = size / 2;
        return read(port, half) | read(static_cast<u16>(port + half), half) << 8 * half;
    }

    void write(u16 port, int size, u32 value) const
    {
        const Handlers& h = ranges_[owner_[port]];
        if (h.write_wide && within(port, size)) return h.write_wide(port, size, value);
        if (size == 1) {
            if (h.write_byte) h.write_byte(port, static_cast<u8>(value));
            return;
        }
        const int half = size / 2;
        write(port, half, value & ((1u << 8 * half) - 1));
        write(static_cast<u16>(port + half), half, value >> 8 * half);
    }

private:
    struct Handlers {
        std::function<u8(u16)> read_byte{};
        std::function<void(u16, u8)> write_byte{};
        Read read_wide{};
        Write write_wide{};
        u16 first = 1, last = 0;
        u64 age = 0;
    };

    Range add(u16 first, u16 last, Handlers handlers)
    {
        const Range range = free_range();
        handlers.first = first;
        handlers.last = last;
        handlers.age = ++ranges_given_;
        ranges_[range] = std::move(handlers);
        for (u32 port = first; port <= last; ++port) owner_[port] = range;
        return range;
    }

    Range free_range()
    {
        for (std::size_t i = 1; i < ranges_.size(); ++i)
            if (ranges_[i].age == 0) return static_cast<Range>(i);
        ranges_.emplace_back();
        return static_cast<Range>(ranges_.size() - 1);
    }

    Range youngest(u16 port) const
    {
        std::size_t best = 0;
        for (std::size_t i = 1; i < ranges_.size(); ++i)
            if (port >= ranges_[i].first && port <= ranges_[i].last &&
                ranges_[i].age > ranges_[best].age)
                best = i;
        return static_cast<Range>(best);
    }

    bool within(u16 port, int size) const
    {
        const u32 last = u32{port} + static_cast<u32>(size) - 1;
        return last <= 0xFFFF && owner_[last] == owner_[port];
    }

    std::deque<Handlers> ranges_;  // a handler may be executing while another range is added
    u64 ranges_given_ = 0;
    std::array<Range, 0x10000> owner_{};
};

}  // namespace reprise
