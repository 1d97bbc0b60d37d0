/// The physical address space: RAM, ROM, shadow RAM and memory-mapped chips.
#pragma once

#include <array>
#include <functional>
#include <list>
#include <span>
#include <vector>

#include "cpu/bus.h"
#include "cpu/ram.h"
#include "machine/base/types.h"

namespace reprise {

/// Regions lie over each other; the highest layer answers, and within it the one added last. All
/// begin and end on page boundaries. What the guest can move gets a layer of its own, so that the
/// order does not depend on what it moved last.
class MemoryMap {
public:
    using Read = std::function<u64(u64 offset, int size)>;
    using Write = std::function<void(u64 offset, int size, u64 value)>;
    using Region = i64;

    explicit MemoryMap(u64 ram_size);

    /// Host memory the CPU may access directly. Null `write`: read-only (writes are ignored).
    Region map_memory(u64 first, u64 size, u8* read, u8* write, int layer = 0);
    /// Accesses that do not cross a page, 1 to 8 bytes; offsets count from `first`.
    Region map_mmio(u64 first, u64 size, Read read, Write write, int layer = 0);
    /// Offsets count from `first`.
    Region map_device(u64 first, u64 size, DeviceMemory& device, int layer = 0);
    void unmap(Region region);

    /// Shadow RAM: where reads and writes of a range below 1 MiB go (82441FX, PAM registers).
    void set_shadow(u64 first, u64 size, bool read_ram, bool write_ram);
    /// SMRAM: RAM at A0000..BFFFF in front of the video card, for data and for code (82441FX, SMRAM).
    void set_smram(bool data, bool code);
    /// What lies at C0000..FFFFF where reads do not go to RAM, from offset 0 = C0000h.
    std::span<u8> shadowed_rom() { return rom_; }

    PageAccess page(u64 address);
    PageAccess code_page(u64 address);
    /// Would reading there ask a chip?
    bool is_mmio(u64 address) const
    {
        const Mapping* m = find(address);
        return m && m->is_chip();
    }
    u64 read(u64 address, int size);
    void write(u64 address, int size, u64 value);

    /// Bus masters: any length, may cross pages; they do not see SMRAM.
    void read_block(u64 address, std::span<u8> out);
    void write_block(u64 address, std::span<const u8> data);

    /// Called when page() would answer differently than before for `size` bytes at `first`.
    std::function<void(u64 first, u64 size)> on_changed;
    /// Called after write_block changed RAM.
    std::function<void(u64 address, u64 size)> on_written;

    Ram ram;

private:
    struct Mapping {
        u64 first = 0, size = 0;
        u8* read_host = nullptr;
        u8* write_host = nullptr;
        Read read;
        Write write;
        int layer = 0;
        Region region = 0;
        DeviceMemory* device = nullptr;

        bool is_chip() const { return device || read; }
    };
    struct Shadow {
        bool read_ram = false, write_ram = false;
    };
    static constexpr u64 kShadowFirst = 0xC0000, kShadowSize = 0x40000;

    Region add(Mapping mapping);
    PageAccess bus_page(u64 address);
    bool is_smram(u64 address) const;
    const Mapping* find(u64 address) const;
    const Mapping* find_chip(u64 address);
    void changed(const Mapping& mapping);

    /// Where accesses went that a chip answered, by page: found again without a search.
    struct Recent {
        u64 page = ~u64{0};
        const Mapping* mapping = nullptr;
    };
    static constexpr std::size_t kRecent = 16;
    std::array<Recent, kRecent> recent_{};

    std::list<Mapping> mappings_;  // by layer; a mapping may be executing while others come and go
    Region regions_given_ = 0;
    std::array<Shadow, kShadowSize / 0x1000> shadow_{};
    std::vector<u8> rom_;
    bool smram_data_ = false, smram_code_ = false;
};

}  // namespace reprise
