/// Paging: SDM vol. 3A, chapter 4. The tables, and the TLBs that remember what they said.
#include "cpu/cpu.h"

namespace reprise {

namespace {

/// Bits of the entries of all paging structures (SDM vol. 3A, figures 4-4, 4-7 and 4-11).
enum Entry : u64 {
    kPresent = 1 << 0,
    kWritable = 1 << 1,
    kUser = 1 << 2,
    kAccessed = 1 << 5,
    kDirty = 1 << 6,
    kPageSizeBit = 1 << 7,
    kGlobal = 1 << 8,
    kPatOfLargePage = 1 << 12,
    kFrame = 0x000FFFFFFFFFF000,
    kNoExecute = u64{1} << 63,
};

constexpr u64 ones(int first, int last) { return (~u64{0} >> (63 - last)) & (~u64{0} << first); }

}  // namespace

// ---- Walking the tables ------------------------------------------------------------------------

/// Error code of #PF: SDM vol. 3A, 4.7.
bool Cpu::page_fault(u64 linear, Access access, Rights rights, bool present, bool reserved)
{
    const bool tells_fetches =
        (state.cr4 & kCr4Smep) || ((state.cr4 & kCr4Pae) && (state.msr.efer & kEferNxe));
    state.cr2 = linear;
    return raise(kPageFault, static_cast<u16>(present | (access == Access::Write) << 1 |
                                              (rights == Rights::User) << 2 | reserved << 3 |
                                              (tells_fetches && access == Access::Fetch) << 4));
}

/// SDM vol. 3A, 4.6. `entries`: the bits that all entries on the way have set.
bool Cpu::page_allows(Access access, Rights rights, u64 entries, bool no_execute) const
{
    const bool user = rights == Rights::User, users_page = (entries & kUser) != 0;
    if (user && !users_page) return false;
    if (access == Access::Fetch)
        return !no_execute && (user || !users_page || !(state.cr4 & kCr4Smep));
    if (rights == Rights::Supervisor && users_page && (state.cr4 & kCr4Smap)) return false;
    return access == Access::Read || (entries & kWritable) || !(user || (state.cr0 & kCr0Wp));
}

/// False after a fault.
bool Cpu::walk(u64 linear, Access access, Rights rights, PageMapping& mapping)
{
    return state.cr4 & kCr4Pae ? walk_64(linear, access, rights, mapping)
                               : walk_32(linear, access, rights, mapping);
}

/// 32-bit paging with 4 KiB pages and, with CR4.PSE, 4 MiB pages (SDM vol. 3A, 4.3).
bool Cpu::walk_32(u64 linear, Access access, Rights rights, PageMapping& mapping)
{
    constexpr u64 kFrame32 = 0xFFFFF000;
    const u64 dirty = access == Access::Write ? u64{kDirty} : 0;
    const u64 pde_address = (state.cr3 & kFrame32) + (linear >> 22 & 0x3FF) * 4;
    const u64 pde = read_physical(pde_address, 4);
    if (!(pde & kPresent)) return page_fault(linear, access, rights, false, false);

    u64 leaf_address = pde_address, leaf = pde, both = pde;
    const bool large = (pde & kPageSizeBit) && (state.cr4 & kCr4Pse);
    if (large) {
        // With PSE-36, bits 20..13 are bits 39..32 of the address.
        const int high_bits = model_.has(Feature::Pse36) ? model_.physical_bits() - 32 : 0;
        u64 reserved = ones(13 + std::min(high_bits, 8), 21);
        if (!model_.has(Feature::Pat)) reserved |= kPatOfLargePage;
        if (pde & reserved) return page_fault(linear, access, rights, true, true);
        mapping.physical = (pde & 0xFFC00000) | (pde & 0x1FE000) << 19 | (linear & 0x3FF000);
        mapping.shift = 22;
    } else {
        leaf_address = (pde & kFrame32) + (linear >> 12 & 0x3FF) * 4;
        leaf = read_physical(leaf_address, 4);
        if (!(leaf & kPresent)) return page_fault(linear, access, rights, false, false);
        both &= leaf;
        mapping.physical = leaf & kFrame32;
        mapping.shift = kPageShift;
    }
    if (!page_allows(access, rights, both, false))
        return page_fault(linear, access, rights, true, false);

    if (!large && !(pde & kAccessed)) write_physical(pde_address, 4, pde | kAccessed);
    const u64 marked = leaf | kAccessed | dirty;
    if (marked != leaf) write_physical(leaf_address, 4, marked);
    mapping.writable = (marked & kDirty) && page_allows(Access::Write, rights, both, false);
    mapping.global = (leaf & kGlobal) && (state.cr4 & kCr4Pge);
    return true;
}

/// PAE and 4-level paging: entries of 64 bits, nine bits of the address for each level (SDM vol.
/// 3A, 4.4 and 4.5). PAE paging begins at a register instead of its third level.
bool Cpu::walk_64(u64 linear, Access access, Rights rights, PageMapping& mapping)
{
    const bool four_levels = long_mode();
    if (four_levels && !is_canonical(linear)) return general_protection();
    u64 reserved = ones(model_.physical_bits(), four_levels ? 51 : 62);
    if (!(state.msr.efer & kEferNxe)) reserved |= kNoExecute;

    u64 table = state.cr3 & kFrame;
    int level = 4;
    if (!four_levels) {
        const u64 pdpte = state.pdpte[linear >> 30 & 3];
        if (!(pdpte & kPresent)) return page_fault(linear, access, rights, false, false);
        table = pdpte & kFrame;
        level = 2;
    }

    std::array<u64, 4> address{}, entry{};  // of the levels passed, the last one in front
    u64 all = ~u64{0};
    bool no_execute = false, leaf = false;
    std::size_t depth = 0;
    int shift = 0;
    for (; !leaf; --level, ++depth) {
        shift = 3 + 9 * level;
        address[depth] = table + (linear >> shift & 0x1FF) * 8;
        const u64 e = entry[depth] = read_physical(address[depth], 8);
        if (!(e & kPresent)) return page_fault(linear, access, rights, false, false);
        u64 wrong = reserved;
        if (level == 4 || (level == 3 && !model_.has(Feature::Page1Gb))) wrong |= kPageSizeBit;
        leaf = level == 1 || (e & kPageSizeBit);
        if (leaf && level > 1) wrong |= ones(13, shift - 1);
        if (e & wrong) return page_fault(linear, access, rights, true, true);
        all &= e;
        no_execute = no_execute || (e & kNoExecute);
        table = e & kFrame;
    }
    if (!page_allows(access, rights, all, no_execute))
        return page_fault(linear, access, rights, true, false);

    const std::size_t last = depth - 1;
    for (std::size_t i = 0; i < last; ++i)
        if (!(entry[i] & kAccessed)) write_physical(address[i], 8, entry[i] | kAccessed);
    const u64 marked = entry[last] | kAccessed | (access == Access::Write ? u64{kDirty} : 0);
    if (marked != entry[last]) write_physical(address[last], 8, marked);

    const u64 within = (u64{1} << shift) - 1;
    mapping.physical = (marked & kFrame & ~within) | (page_of(linear) & within);
    mapping.writable = (marked & kDirty) && page_allows(Access::Write, rights, all, no_execute);
    mapping.global = (marked & kGlobal) && (state.cr4 & kCr4Pge);
    mapping.shift = static_cast<u8>(shift);
    return true;
}

/// PAE paging reads its four top entries when CR3 is loaded, and not again (SDM vol. 3A, 4.4.1).
bool Cpu::load_pdptes(u64 cr3)
{
    const u64 reserved = ones(1, 2) | ones(5, 8) | ones(model_.physical_bits(), 63);
    std::array<u64, 4> pdpte{};
    for (u64 i = 0; i < 4; ++i) {
        pdpte[i] = read_physical((cr3 & 0xFFFFFFE0) + i * 8, 8);
        if ((pdpte[i] & kPresent) && (pdpte[i] & reserved)) return general_protection();
    }
    state.pdpte = pdpte;
    return true;
}

// ---- TLBs --------------------------------------------------------------------------------------

/// The TLB entry of a page, filled, or nullptr after a fault.
TlbEntry* Cpu::translate(u64 linear, Access access, Rights rights)
{
    const bool paging = (state.cr0 & kCr0Pg) != 0;
    Tlb& tlb = tlbs_[static_cast<std::size_t>(paging ? rights : Rights::Supervisor)];
    const u64 page = page_of(linear);
    TlbEntry& known = tlb.entry(linear);
    if (known.page_tag == page && (access != Access::Write || known.writable)) return &known;

    PageMapping mapping{page, true};
    if (paging && !walk(linear, access, rights, mapping)) return nullptr;
    mapping.physical &= a20_mask();
    return &fill_entry(tlb, tlb.claim(page, mapping));
}

TlbEntry& Cpu::fill_entry(Tlb& tlb, TlbEntry& e)
{
    const u64 page = e.page_tag, physical = e.physical();
    const PageAccess& host = bus_page(physical);
    tlb.slow_down(e);
    e.host = host.read;
    e.is_chip = host.device != nullptr;
    if (host.device) {
        e.chip = host.device;
        e.addend = host.device_offset - page;
    }
    e.writes_there = host.read && host.write == host.read;
    e.code_granules = blocks_.granules(physical);
    if (data_breakpoints_ || !host.read || (debug_ && debug_->watches_page(page))) return e;
    e.read_tag = TlbEntry::tag(page);
    e.addend = reinterpret_cast<u64>(host.read) - page;
    if (!e.writable || !e.writes_there) return e;
    e.write_tag = TlbEntry::tag(page);
    if (*e.code_granules == 0) e.plain_tag = e.write_tag;
    return e;
}

/// The physical page to fetch from.
Fallible<u64> Cpu::translate_fetch(u64 linear)
{
    const u64 page = page_of(linear);
    if (!(state.cr0 & kCr0Pg)) return page & a20_mask();
    FetchTlb& fetches = fetches_[user_];
    if (const PageMapping* known = fetches.find(page)) return known->physical;

    if (fetches.full()) {
        fetches.flush(false);
        ++generation_[user_];
        update_mode();
    }
    PageMapping mapping;
    if (!walk(linear, Access::Fetch, user_ ? Rights::User : Rights::Supervisor, mapping)) return {};
    mapping.physical &= a20_mask();
    fetches.add(page, mapping);
    return mapping.physical;
}

std::vector<Translation> Cpu::translations() const
{
    std::vector<Translation> all;
    if (!(state.cr0 & kCr0Pg)) return all;
    for (std::size_t rights = 0; rights < kRightsCount; ++rights)
        tlbs_[rights].for_each([&](const TlbEntry& e) {
            all.push_back({e.page_tag, e.mapping(), static_cast<u8>(rights), false});
        });
    for (std::size_t user = 0; user < fetches_.size(); ++user)
        fetches_[user].for_each([&](u64 page, const PageMapping& mapping) {
            all.push_back({page, mapping, static_cast<u8>(user), true});
        });
    return all;
}

/// What was saved may have been damaged.
void Cpu::restore_translations()
{
    for (Translation t : restored_) {
        t.page = page_of(t.page);
        t.mapping.physical = page_of(t.mapping.physical) & ones(0, 51);
        t.mapping.shift = std::clamp(t.mapping.shift, kPageShift, u8{30});
        const std::size_t rights = t.rights % kRightsCount;
        if (t.fetch) fetches_[rights % 2].add(t.page, t.mapping);
        else fill_entry(tlbs_[rights], tlbs_[rights].claim(t.page, t.mapping));
    }
    restored_.clear();
}

/// Links between blocks are followed no more before they have been looked at.
void Cpu::forget_links()
{
    for (u64& generation : generation_) ++generation;
    if (translator_) translator_->mapping_changed();
    update_mode();
}

void Cpu::flush_tlb() { memory_map_changed(0, ~u64{0}); }

void Cpu::memory_map_changed(u64 first, u64 size)
{
    if (translator_) translator_->memory_map_changed(first, size);
    forget_translations();
}

/// Those of all pages; the bus answers as before.
void Cpu::forget_translations()
{
    bus_pages_ = {};
    a20_mask_ = 0;
    for (Tlb& tlb : tlbs_) tlb.flush(false);
    for (FetchTlb& fetches : fetches_) fetches.flush(false);
    forget_links();
    attention();  // the rest of the present block may not be there any more
}

/// A load of CR3: global pages stay (SDM vol. 3A, 4.10.2.4). The caller leaves the block.
void Cpu::flush_local_tlb()
{
    const bool keep_global = (state.cr4 & kCr4Pge) != 0;
    for (Tlb& tlb : tlbs_) tlb.flush(keep_global);
    for (std::size_t user = 0; user < fetches_.size(); ++user)
        generation_[user] += fetches_[user].flush(keep_global);
    update_mode();
}

/// INVLPG.
void Cpu::flush_page(u64 linear)
{
    for (Tlb& tlb : tlbs_) tlb.flush_page(linear);
    for (std::size_t user = 0; user < fetches_.size(); ++user)
        generation_[user] += fetches_[user].flush_page(linear);
    update_mode();
}

}  // namespace reprise
