/// Guest memory without paging as one range of host addresses: linear address + base() is where the
/// host has it, if it is plain RAM. Everything else, and stores beside code, faults; see
/// host_faults.h.
#pragma once

#include <vector>

#include "cpu/blocks.h"
#include "cpu/bus.h"

namespace reprise::jit {

class Window {
public:
    /// What may be added to a linear address before the sum leaves what is reserved: eight times an
    /// index of 32 bits, and a displacement.
    static constexpr u64 kSpan = u64{1} << 32;
    static constexpr u64 kGuardBelow = kSpan + (kSpan >> 1);
    static constexpr u64 kGuardAbove = 11 * kSpan;

    /// `a20_mask`: as the bus's while this window is in use.
    Window(Bus& bus, BlockCache& blocks, u64 a20_mask);
    ~Window();
    Window(const Window&) = delete;
    Window& operator=(const Window&) = delete;

    /// Null: the host has refused it, in the beginning or later.
    u8* base() const { return base_; }

    /// After a fault at `host`: true if the same access will not fault again.
    bool repair(const u8* host, bool write);
    /// Code is decoded from the page of this physical address: stores fault from now on.
    void protect(u64 physical);
    /// Bus::page may answer differently for these addresses.
    void forget(u64 first, u64 size);

private:
    // Filled in units, as far as a group reaches: fewer faults than pages, and few mappings to
    // undo.
    static constexpr u64 kUnit = 64 << 10, kGroup = 2 << 20;
    static constexpr u64 kUnits = kSpan / kUnit, kPages = kSpan / kPageSize;
    /// Each such page may be a mapping of its own, of which a process has 65,530.
    static constexpr std::size_t kMaxProtected = 8192;

    /// What is to be mapped at consecutive pages.
    struct Run {
        u64 linear = 0, offset = 0, size = 0;  // offset: in the file
        bool writable = false;
    };

    u64 physical(u64 linear) const { return linear & a20_mask_; }
    bool is_code(u64 linear) { return *blocks_.granules(physical(linear)) != 0; }
    void fill(u64 linear);
    void map(const Run& run);
    void protect_page(u64 linear);
    void unmap(u64 first, u64 size);

    Bus& bus_;
    BlockCache& blocks_;
    const u64 a20_mask_;
    const RamFile file_;
    u8* reserved_ = nullptr;
    u8* base_ = nullptr;
    std::vector<bool> filled_;  // units: what is RAM there is mapped
    u64 units_filled_ = 0;
    std::vector<bool> mapped_, writable_;  // pages
    std::size_t protected_ = 0;            // pages that are mapped, but not writable
};

}  // namespace reprise::jit
