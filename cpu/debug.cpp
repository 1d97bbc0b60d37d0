/// The CPU as a debugger outside of the guest sees it: see debug_watch.h.
#include "cpu/protection.h"

namespace reprise {

void Cpu::watch(const DebugPoints& points)
{
    if (!debug_) debug_ = std::make_unique<DebugWatch>();
    debug_->set(points);
    watched_pages_changed();
}

void Cpu::stop_watching()
{
    debug_.reset();
    watched_pages_changed();
}

/// What the TLBs hold stays, as the guest could tell; only the fast entries come or go. Links
/// between blocks are followed no more, so that next_block looks at each block once.
void Cpu::watched_pages_changed()
{
    for (Tlb& tlb : tlbs_)
        tlb.for_each([&](TlbEntry& e) {
            fill_entry(tlb, e);
        });
    forget_links();
}

u64 Cpu::linear_ip() const
{
    return linear_address(CS, at_least(Level::I80286) ? state.rip : state.rip & 0xFFFF);
}

bool Cpu::stops_for_debugger()
{
    if (debug_->hit) return true;
    const u64 linear = linear_ip();
    if (!debug_->breaks_at(linear) || debug_->passes(linear, state.clock)) return false;
    debug_->hit = {DebugHit::Kind::Code, linear};
    return true;
}

/// Does a breakpoint lie behind the first instruction of `block`, which was found or is to be used
/// for the code at `linear`? The same code may have been decoded for another address.
bool Cpu::runs_over_breakpoint(const Block& block, u64 linear) const
{
    for (u32 i = 1; i < block.count; ++i)
        if (debug_->breaks_at(linear + block.insns[i].offset)) return true;
    return false;
}

void Cpu::watch_access(u64 linear, int size, bool write)
{
    if (!debug_->access(linear, size, write)) return;
    attention();
    cut_block();
}

// ---- Addresses ---------------------------------------------------------------------------------

/// 0, not present, where there is no memory: chips are not asked.
u64 Cpu::peek_table_entry(u64 physical, int size) const
{
    physical &= a20_mask();
    const u8* page = bus_.page(page_of(physical)).read;
    u64 entry = 0;
    if (page) std::memcpy(&entry, page + physical % kPageSize, static_cast<std::size_t>(size));
    return entry;
}

/// SDM vol. 3A, 4.3 to 4.5; vol. 1, 3.3.7.1 (canonical addresses).
std::optional<u64> Cpu::probe(u64 linear) const
{
    if (!(state.cr0 & kCr0Pg)) return linear & linear_mask_ & a20_mask();
    if (long_mode() ? !is_canonical(linear) : linear >> 32 != 0) return std::nullopt;
    constexpr u64 kPresentBit = 1 << 0, kLargeBit = 1 << 7;
    const bool wide = (state.cr4 & kCr4Pae) != 0;
    const int index_bits = wide ? 9 : 10, entry_bytes = wide ? 8 : 4;
    const u64 frame = wide ? 0x000F'FFFF'FFFF'F000 : 0xFFFF'F000;
    u64 table = state.cr3 & frame;
    int level = long_mode() ? 4 : 2;
    if (wide && !long_mode()) {
        if (!(state.pdpte[linear >> 30 & 3] & kPresentBit)) return std::nullopt;
        table = state.pdpte[linear >> 30 & 3] & frame;
    }
    for (;; --level) {
        const int shift = 12 + index_bits * (level - 1);
        const u64 index = linear >> shift & ((u64{1} << index_bits) - 1);
        const u64 entry =
            peek_table_entry(table + index * static_cast<u64>(entry_bytes), entry_bytes);
        if (!(entry & kPresentBit)) return std::nullopt;
        table = entry & frame;
        const bool is_large = (entry & kLargeBit) && (wide ? level < 4 : state.cr4 & kCr4Pse);
        if (level > 1 && !is_large) continue;
        const u64 within = (u64{1} << shift) - 1;
        // PSE-36: bits 20..13 of a 4 MiB page's entry are bits 39..32 of its address.
        const u64 high = !wide && level == 2 ? (entry & 0x1FE000) << 19 : 0;
        return ((table & ~within) | high | (linear & within)) & a20_mask();
    }
}

// ---- Changes -----------------------------------------------------------------------------------

bool Cpu::poked(bool done, u64 cr2)
{
    if (done) return true;
    fault_pending_ = false;
    state.cr2 = cr2;
    return false;
}

bool Cpu::poke_efer(u64 value)
{
    const u64 cr2 = state.cr2;
    return poked(write_efer(value), cr2);
}

/// All but VM, which is a change of mode.
void Cpu::poke_flags(u32 value)
{
    const u32 mask = defined_flags(*this) & ~static_cast<u32>(VM);
    set_eflags((state.rflags & ~mask) | (value & mask));
    state.rflags = eflags();
}

bool Cpu::poke_segment(u8 seg, u16 selector)
{
    if (state.seg[seg].selector == selector) return true;
    // A far jump would do more than that: privileges and tasks.
    if (seg == CS && !real_or_v86()) return false;
    const u64 cr2 = state.cr2;
    return poked(load_segment(seg, selector), cr2);
}

bool Cpu::poke_cr(int index, u64 value)
{
    const u64 cr2 = state.cr2;
    return poked(write_cr(index, value), cr2);
}

}  // namespace reprise
