/// A bus with nothing on it but RAM from address 0: enough for a bare CPU.
#pragma once

#include <cstring>
#include <vector>

#include "cpu/ram.h"

namespace reprise {

class FlatBus : public Bus {
public:
    explicit FlatBus(u64 size, u64 mask = ~u64{0}) : ram(size), address_mask(mask) {}

    PageAccess page(u64 address) override
    {
        const u64 page = address & ~u64{0xFFF};
        if (page >= behind_at && page - behind_at + 0x1000 <= behind.size())
            return {behind.data() + (page - behind_at), behind.data() + (page - behind_at)};
        if (page + 0x1000 > ram.size()) return {};
        return {ram.data() + page, ram.data() + page};
    }
    RamFile ram_file() const override { return ram.file(); }
    u64 read_memory(u64, int size) override { return size == 8 ? ~u64{0} : (u64{1} << 8 * size) - 1; }
    void write_memory(u64, int, u64) override {}
    u32 read_port(u16 port, int size) override
    {
        static_cast<void>(port);
        return size == 4 ? 0xFFFFFFFF : (1u << 8 * size) - 1;
    }
    void write_port(u16, int, u32) override {}
    u8 acknowledge_interrupt() override { return vector; }
    u64 a20_mask() const override { return address_mask; }
    void shutdown() override { was_shut_down = true; }

    Ram ram;
    std::vector<u8> behind;  // more of it, at `behind_at`, where no program looks for it
    u64 behind_at = 0;
    u8 vector = 0;
    bool was_shut_down = false;
    u64 address_mask;
};

}  // namespace reprise
