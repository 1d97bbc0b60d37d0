/// The software TLB: linear page to host memory, one compare away.
#pragma once

#include <algorithm>
#include <array>
#include <iterator>
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
    const TlbEntry& entry(u64 linear) const { return entries_[linear / kPageSize % kEntries]; }

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

/// Pages and what paging says about them, found by a hash of their address.
class PageSet {
public:
    static constexpr std::size_t kMax = 4096;

    std::size_t size() const { return known_.size(); }

    const PageMapping* find(u64 page) const
    {
        const u16 at = places_[place_of(page)];
        return at != kNone ? &known_[at].mapping : nullptr;
    }
    /// No more than kMax.
    void add(u64 page, const PageMapping& mapping)
    {
        const std::size_t place = place_of(page);
        const u16 at = places_[place];
        if (at != kNone) known_[at].mapping = mapping;
        else if (size() < kMax) put({page, mapping}, place);
        note_size(page, mapping);
    }
    void clear()
    {
        for (const Known& k : known_) places_[k.place] = kNone;
        known_.clear();
        large_.clear();
    }
    /// All 4 KiB pages of the page around `linear`, whatever its size. False: there were none.
    bool forget_around(u64 linear)
    {
        const bool in_large = std::ranges::any_of(
            large_, [&](const Large& l) { return (l.first ^ linear) >> l.shift == 0; });
        if (!in_large && !find(linear & kPageMask)) return false;
        std::vector<Known> kept = known_;
        std::erase_if(kept,
                      [&](const Known& k) { return (k.page ^ linear) >> k.mapping.shift == 0; });
        clear();
        for (const Known& k : kept) add(k.page, k.mapping);
        return true;
    }
    /// In the order of their addresses.
    void for_each(auto&& f) const
    {
        std::vector<Known> all = known_;
        std::ranges::sort(all, {}, &Known::page);
        for (const Known& k : all) f(k.page, k.mapping);
    }

private:
    struct Known {
        u64 page = 0;
        PageMapping mapping;
        std::size_t place = 0;
    };
    struct Large {
        u64 first = 0;
        u8 shift = 0;

        bool operator==(const Large&) const = default;
    };
    static constexpr int kPlaceBits = 13;
    static constexpr std::size_t kPlaces = 1 << kPlaceBits;
    static_assert(kPlaces == 2 * kMax);
    static constexpr u16 kNone = 0xFFFF;

    /// Where the page is, or would be put.
    std::size_t place_of(u64 page) const
    {
        constexpr u64 kMix = 0x9E3779B97F4A7C15;
        std::size_t place = (page >> kPageShift) * kMix >> (64 - kPlaceBits);
        while (places_[place] != kNone && known_[places_[place]].page != page)
            place = (place + 1) % kPlaces;
        return place;
    }
    void put(Known known, std::size_t place)
    {
        known.place = place;
        places_[place] = static_cast<u16>(known_.size());
        known_.push_back(known);
    }
    void note_size(u64 page, const PageMapping& mapping)
    {
        if (mapping.shift == kPageShift) return;
        const Large large{page >> mapping.shift << mapping.shift, mapping.shift};
        if (std::ranges::find(large_, large) == large_.end()) large_.push_back(large);
    }
    static std::vector<u16> no_places() { return std::vector<u16>(kPlaces, kNone); }

    std::vector<Known> known_;
    std::vector<u16> places_ = no_places();  // indices in known_, by hash
    std::vector<Large> large_;               // large pages that some of them are part of
};

/// For instruction fetches. It forgets nothing unless it is told to: a link between blocks does not
/// ask again, and that must not be seen.
class FetchTlb {
public:
    const PageMapping* find(u64 page) const
    {
        for (const PageSet& pages : pages_)
            if (const PageMapping* found = pages.find(page)) return found;
        return nullptr;
    }
    void add(u64 page, const PageMapping& mapping) { pages_[mapping.global].add(page, mapping); }
    bool full() const { return pages_[0].size() + pages_[1].size() >= PageSet::kMax; }

    /// Both say whether anything was forgotten.
    bool flush(bool keep_global)
    {
        const bool any = pages_[0].size() != 0 || (!keep_global && pages_[1].size() != 0);
        pages_[0].clear();
        if (!keep_global) pages_[1].clear();
        return any;
    }
    bool flush_page(u64 linear)
    {
        bool any = false;
        for (PageSet& pages : pages_) any = pages.forget_around(linear) || any;
        return any;
    }

    void for_each(auto&& f) const
    {
        for (const PageSet& pages : pages_) pages.for_each(f);
    }

private:
    std::array<PageSet, 2> pages_;  // local, global
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
