/// The software TLB: linear page to host memory, one compare away.
#pragma once

#include <array>
#include <vector>

#include "machine/base/fields.h"
#include "machine/base/types.h"

namespace reprise {

inline constexpr u64 kPageSize = 4096;
inline constexpr u64 kPageMask = ~(kPageSize - 1);

constexpr u64 page_of(u64 address) { return address & kPageMask; }

struct alignas(64) TlbEntry {
    static constexpr u64 kNoTag = 1;  // no page begins there

    // The two tags are the fast path: set only if an access needs nothing but the host's memory.
    u64 read_tag = kNoTag;
    u64 write_tag = kNoTag;
    u64 addend = 0;  // host address = linear address + addend

    // What is known about the page, for the slow path.
    u64 page_tag = kNoTag;
    u64 physical = 0;
    u8* read_host = nullptr;   // of the page; nullptr: through the bus
    u8* write_host = nullptr;
    const u64* code_granules = nullptr;  // BlockCache::granules of the page
    bool writable = false;     // a write has passed all checks, the dirty bit is set
};

/// One for supervisor and one for user accesses, as their rights differ.
class Tlb {
public:
    static constexpr u64 kEntries = 512;

    TlbEntry& entry(u64 linear) { return entries_[linear / kPageSize % kEntries]; }

    /// Forgets what `entry` held and names it `page`; the caller fills it.
    TlbEntry& claim(u64 page)
    {
        TlbEntry& e = entry(page);
        if (e.page_tag == TlbEntry::kNoTag) filled_.push_back(static_cast<u16>(&e - &entries_[0]));
        e = TlbEntry{};
        e.page_tag = page;
        return e;
    }

    void flush()
    {
        for (const u16 index : filled_) entries_[index] = TlbEntry{};
        filled_.clear();
    }

    /// Forgets the pages of the naturally aligned `size` bytes around `linear`.
    void flush_range(u64 linear, u64 size)
    {
        for (const u16 index : filled_) {
            TlbEntry& e = entries_[index];
            if ((e.page_tag ^ linear) & ~(size - 1)) continue;
            e = TlbEntry{};
            e.page_tag = kInFilled;  // as it still stands there
        }
    }

    void for_each(auto&& f) const
    {
        for (const TlbEntry& e : entries_)
            if (e.page_tag % kPageSize == 0) f(e);
    }

private:
    static constexpr u64 kInFilled = 3;  // names no page, and is not kNoTag

    std::array<TlbEntry, kEntries> entries_{};
    std::vector<u16> filled_;
};

/// One translation, as it is saved: the guest can tell whether a page was still known.
struct Translation {
    u64 page = 0;
    u64 physical = 0;
    bool user = false;
    bool fetch = false;
    bool writable = false;

    constexpr void visit(auto& v)
    {
        v("page", page);
        v("physical", physical);
        v("user", user);
        v("fetch", fetch);
        v("writable", writable);
    }
};

static_assert(visits_every_member<Translation>);

}  // namespace reprise
