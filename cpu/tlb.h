/// The software TLB: linear page to host memory, one compare away.
#pragma once

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <vector>

#include "cpu/bus.h"
#include "machine/base/fields.h"
#include "machine/base/types.h"

namespace reprise {

inline constexpr u64 kPageSize = 4096;
inline constexpr u64 kPageMask = ~(kPageSize - 1);
inline constexpr u8 kPageShift = 12;

constexpr u64 page_of(u64 address) { return address & kPageMask; }

/// With whose rights memory is accessed. Each has a TLB of its own, as what is allowed differs.
enum class Rights : u8 {
    Supervisor,
    User,
    SupervisorAc,  // CR4.SMAP is on and EFLAGS.AC lets explicit accesses reach the user's pages
};
inline constexpr std::size_t kRightsCount = 3;

/// What paging says about one 4 KiB page.
struct PageMapping {
    u64 physical = 0;       // where it begins
    bool writable = false;  // a write has passed all checks, the dirty bit is set
    bool global = false;    // stays when CR3 is loaded
    u8 shift = kPageShift;  // log2 of the size of the page that it is part of

    constexpr void visit(auto& v)
    {
        v("physical", physical);
        v("writable", writable);
        v("global", global);
        v("shift", shift);
    }
};

static_assert(visits_every_member<PageMapping>);

/// The three tags decide the fast path; they are set only if an access needs nothing but the host's memory. They
/// hold the negated page, so that `page + tag` is 0 for a hit: code that must not touch the host's
/// flags can add, but not compare. A tag without a page names one that belongs to another entry.
struct alignas(64) TlbEntry {
    static constexpr u64 kNoPage = 1;  // no page begins there

    u64 read_tag = 0;
    u64 write_tag = 0;
    u64 plain_tag = 0;  // as write_tag, for pages that no code was decoded from: see Cpu::code_page_appeared
    u64 addend = 0;     // host address = linear address + addend; or offset in the chip's memory
    const u64* code_granules = nullptr;  // BlockCache::granules of the page

    // What is known about the page, for the slow path.
    u64 page_tag = kNoPage;
    union {
        u8* host = nullptr;  // of the page
        DeviceMemory* chip;
    };
    u64 is_chip : 1 = 0;  // `chip` answers, else `host`; if that is null, the bus
    u64 writes_there : 1 = 0;  // writes go to `host` too; else through the bus
    u64 writable : 1 = 0;      // PageMapping, packed
    u64 global : 1 = 0;
    u64 shift : 6 = kPageShift;
    u64 frame : 52 = 0;

    static constexpr u64 tag(u64 page) { return 0 - page; }
    u8* read_host() const { return is_chip ? nullptr : host; }
    DeviceMemory* device() const { return is_chip ? chip : nullptr; }
    bool has_page() const { return page_tag % kPageSize == 0; }

    u64 physical() const { return u64{frame} << kPageShift; }
    PageMapping mapping() const
    {
        return {physical(), writable != 0, global != 0, static_cast<u8>(shift)};
    }
};
static_assert(sizeof(TlbEntry) == 64);

/// For accesses to data.
class Tlb {
public:
    static constexpr u64 kEntries = 512;

    Tlb()
    {
        for (TlbEntry& e : entries_) forget(e, TlbEntry::kNoPage);
    }

    TlbEntry& entry(u64 linear) { return entries_[linear / kPageSize % kEntries]; }

    /// Forgets what `entry` held and names it `page`; the caller fills it.
    TlbEntry& claim(u64 page, const PageMapping& mapping)
    {
        TlbEntry& e = entry(page);
        if (e.page_tag == TlbEntry::kNoPage) filled_.push_back(static_cast<u16>(&e - &entries_[0]));
        forget(e, page);
        e.writable = mapping.writable;
        e.global = mapping.global;
        e.shift = mapping.shift;
        e.frame = mapping.physical >> kPageShift;
        has_large_ = has_large_ || mapping.shift != kPageShift;
        return e;
    }

    void flush(bool keep_global)
    {
        std::size_t kept = 0;
        has_large_ = false;
        for (const u16 index : filled_) {
            TlbEntry& e = entries_[index];
            if (keep_global && e.global && e.has_page()) {
                has_large_ = has_large_ || e.shift != kPageShift;
                filled_[kept++] = index;
            } else {
                forget(e, TlbEntry::kNoPage);
            }
        }
        filled_.resize(kept);
    }

    /// INVLPG: forgets all of the page around `linear`, whatever its size.
    void flush_page(u64 linear)
    {
        if (!has_large_) {
            if (entry(linear).page_tag == page_of(linear)) forget(entry(linear), kInFilled);
            return;
        }
        for (const u16 index : filled_) {
            TlbEntry& e = entries_[index];
            if ((e.page_tag ^ linear) >> e.shift == 0) forget(e, kInFilled);
        }
    }

    void for_each(auto&& f)
    {
        for (TlbEntry& e : entries_)
            if (e.has_page()) f(e);
    }
    void for_each(auto&& f) const
    {
        for (const TlbEntry& e : entries_)
            if (e.has_page()) f(e);
    }

    /// Nothing is fast on this page any more; it is known as before.
    void slow_down(TlbEntry& e)
    {
        const u64 other = static_cast<u64>(&e - &entries_[0]) ^ (kEntries / 2);
        e.read_tag = e.write_tag = e.plain_tag = TlbEntry::tag(other * kPageSize);
    }

    /// Stores into the page of these granules are no longer plain.
    void code_page_appeared(const u64* granules)
    {
        for (const u16 index : filled_)
            if (TlbEntry& e = entries_[index]; e.code_granules == granules)
                e.plain_tag = TlbEntry::tag((index ^ (kEntries / 2)) * kPageSize);
    }

private:
    static constexpr u64 kInFilled = 3;  // as it still stands in filled_; names no page, and is not kNoPage

    void forget(TlbEntry& e, u64 page)
    {
        e = TlbEntry{};
        e.page_tag = page;
        slow_down(e);
    }

    std::array<TlbEntry, kEntries> entries_{};
    std::vector<u16> filled_;
    bool has_large_ = false;  // perhaps some are part of large pages
};

/// For instruction fetches. It forgets nothing unless it is told to: a link between blocks does not
/// ask again, and that must not be seen.
class FetchTlb {
public:
    static constexpr std::size_t kMax = 4096;

    const PageMapping* find(u64 page) const
    {
        for (const auto& pages : pages_)
            if (const auto found = pages.find(page); found != pages.end()) return &found->second;
        return nullptr;
    }
    void add(u64 page, const PageMapping& mapping)
    {
        pages_[mapping.global][page] = mapping;
        largest_ = std::max(largest_, mapping.shift);
    }
    bool full() const { return pages_[0].size() + pages_[1].size() >= kMax; }

    /// Both say whether anything was forgotten.
    bool flush(bool keep_global)
    {
        const bool any = !pages_[0].empty() || (!keep_global && !pages_[1].empty());
        pages_[0].clear();
        if (!keep_global) {
            pages_[1].clear();
            largest_ = kPageShift;
        }
        return any;
    }
    bool flush_page(u64 linear)
    {
        const u64 around = (u64{1} << largest_) - 1;
        bool any = false;
        for (auto& pages : pages_) {
            auto at = pages.lower_bound(linear & ~around);
            while (at != pages.end() && at->first <= (linear | around)) {
                const bool gone = (at->first ^ linear) >> at->second.shift == 0;
                any = any || gone;
                at = gone ? pages.erase(at) : std::next(at);
            }
        }
        return any;
    }

    void for_each(auto&& f) const
    {
        for (const auto& pages : pages_)
            for (const auto& [page, mapping] : pages) f(page, mapping);
    }

private:
    std::array<std::map<u64, PageMapping>, 2> pages_;  // local, global
    u8 largest_ = kPageShift;  // shift of the largest page among them, or more
};

/// One translation, as it is saved: the guest can tell whether a page was still known.
struct Translation {
    u64 page = 0;
    PageMapping mapping;
    u8 rights = 0;
    bool fetch = false;

    constexpr void visit(auto& v)
    {
        v("page", page);
        v("mapping", mapping);
        v("rights", rights);
        v("fetch", fetch);
    }
};

static_assert(visits_every_member<Translation>);

}  // namespace reprise
