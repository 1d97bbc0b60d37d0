/// The slow paths of memory access: segment checks, page crossings, MMIO, watched and code pages. The fast path is in cpu.h; it fails for everything that is decided here.
#include "cpu/cpu.h"

namespace reprise {

namespace {

template <class T>
u64 load_as(const u8* host)
{
    T value;
    std::memcpy(&value, host, sizeof value);
    return value;
}

template <class T>
void store_as(u8* host, u64 value)
{
    const T narrow = static_cast<T>(value);
    std::memcpy(host, &narrow, sizeof narrow);
}

/// 1 to 8 bytes; pieces of accesses that cross pages have odd sizes.
u64 load(const u8* host, int size)
{
    switch (size) {
    case 1: return *host;
    case 2: return load_as<u16>(host);
    case 4: return load_as<u32>(host);
    case 8: return load_as<u64>(host);
    default: {
        u64 value = 0;
        std::memcpy(&value, host, static_cast<std::size_t>(size));
        return value;
    }
    }
}

void store(u8* host, int size, u64 value)
{
    switch (size) {
    case 1: *host = static_cast<u8>(value); break;
    case 2: store_as<u16>(host, value); break;
    case 4: store_as<u32>(host, value); break;
    case 8: store_as<u64>(host, value); break;
    default: std::memcpy(host, &value, static_cast<std::size_t>(size));
    }
}

/// Where the second page of an access begins, which is what a fault there reports; or its first byte.
u64 where_split(u64 first, u64 last) { return page_of(first) == page_of(last) ? first : page_of(last); }

}  // namespace

// ---- Segments ----------------------------------------------------------------------------------

/// What the fast path may assume about a segment. Expand-down segments and everything that needs a
/// check on every access get an end of 0.
void Cpu::refresh_segment(u8 seg)
{
    const Segment& s = state.seg[seg];
    FastSegment& fast = fast_[seg];
    segments_changed_ = mode_changed_ = true;
    if (mode64()) {
        // SDM vol. 1, 3.3.4. No non-canonical page is ever in the TLB.
        fast.base = seg < FS ? 0 : s.base;
        fast.read_end = fast.write_end = check_alignment_ ? 0 : ~u64{0};
        return;
    }
    fast.base = s.base;
    const bool unchecked = real_or_v86();  // of rights; the limit holds in every mode
    const bool usable = unchecked || (s.present() && !s.is_expand_down());
    u64 end = usable && !check_alignment_ && !s.is_expand_down() ? u64{s.limit} + 1 : 0;
    // Linear addresses wrap around at 4 GB, and in IA-32e mode the TLB knows pages above.
    if (long_mode()) end = std::min(end, (u64{1} << 32) - (s.base & 0xFFFFFFFF));
    fast.read_end = unchecked || s.is_readable() ? end : 0;
    fast.write_end = unchecked || s.is_writable() ? end : 0;
}

/// SDM vol. 3A, 5.3 to 5.5. Raises #SS(0) for the stack segment and #GP(0) for the others.
bool Cpu::check_segment(u8 seg, u64 offset, int size, bool write)
{
    if (mode64()) return check_canonical(seg, offset, size);
    const Segment& s = state.seg[seg];
    bool allowed = true;
    if (!real_or_v86()) allowed = s.present() && (write ? s.is_writable() : s.is_readable());
    if (allowed) {
        const u64 last = offset + static_cast<u64>(size) - 1;
        if (s.is_expand_down() && !real_or_v86())
            allowed = offset > s.limit && last <= (s.is_big() ? 0xFFFFFFFF : 0xFFFF);
        else
            // Beyond the end of a segment of 4 GB too: processors may fault (SDM vol. 3A, 5.3), and do.
            allowed = last <= s.limit;
    }
    if (allowed) return true;
    // The 286 has no stack fault in real mode (80286 hardware tests; iAPX 286 PRM, table 5-1).
    const bool stack_fault = seg == SS && (at_least(Level::I80386) || protected_mode());
    return raise(stack_fault ? kStackFault : kGeneralProtection, 0);
}

/// In 64-bit mode segments have neither limits nor rights.
bool Cpu::check_canonical(u8 seg, u64 offset, int size)
{
    const u64 linear = linear_address(seg, offset);
    if (is_canonical(linear) && is_canonical(linear + static_cast<u64>(size) - 1)) return true;
    return raise(seg == SS ? kStackFault : kGeneralProtection, 0);
}

bool Cpu::check_alignment(u64 linear, int size, Access access)
{
    if (!check_alignment_ || linear % static_cast<u64>(size) == 0) return true;
    // Page faults come first (SDM vol. 3A, table 6-2).
    const u64 last = (linear + static_cast<u64>(size) - 1) & linear_mask_;
    if (!translate(linear, access, rights_) || !translate(where_split(linear, last), access, rights_))
        return false;
    return raise(kAlignmentCheck, 0);
}

// ---- Accesses that stay within a page ----------------------------------------------------------

u64 Cpu::read_piece(const TlbEntry& e, u64 linear, int size)
{
    const u64 offset = linear % kPageSize;
    if (e.read_host()) return load(e.read_host() + offset, size);
    if (e.device()) return e.device()->memory_read(static_cast<u32>(linear + e.addend), size);
    const u64 value = bus_.read_memory(e.physical() + offset, size);
    cut_block();
    return value;
}

void Cpu::write_piece(const TlbEntry& e, u64 linear, int size, u64 value)
{
    const u64 offset = linear % kPageSize;
    if (e.writes_there) {
        store(e.read_host() + offset, size, value);
        code_written(e.physical() + offset, size);
        return;
    }
    if (e.device()) e.device()->memory_write(static_cast<u32>(linear + e.addend), size, value);
    else write_physical(e.physical() + offset, size, value);
}

/// After a store through the slow path: forgets code decoded from these bytes.
void Cpu::code_written(u64 physical, int size)
{
    const u64 length = static_cast<u64>(size);
    if (blocks_.is_code(physical, length)) blocks_.invalidate(physical, length);
}

/// Since the P6 the A20 gate has no effect in system management mode (SDM vol. 3C, 34.5.1).
u64 Cpu::a20_mask() const
{
    if (!a20_mask_) a20_mask_ = bus_.a20_mask();
    return state.smm && at_least(Level::PentiumPro) ? ~u64{0} : a20_mask_;
}

/// Bus::page, remembered.
const PageAccess& Cpu::bus_page(u64 physical)
{
    BusPage& known = bus_pages_[physical / kPageSize % kBusPages];
    const u64 page = page_of(physical);
    if (known.page != page) known = {page, bus_.page(page)};
    return known.access;
}

u64 Cpu::read_physical(u64 address, int size)
{
    address &= a20_mask();
    const PageAccess& host = bus_page(address);
    if (host.read) return load(host.read + address % kPageSize, size);
    const u64 value = bus_.read_memory(address, size);
    cut_block();
    return value;
}

/// Of an instruction that is not decoded from its page in one piece.
u8 Cpu::fetch_byte(u64 physical)
{
    const PageAccess host = bus_.code_page(page_of(physical));
    return host.read ? host.read[physical % kPageSize] : static_cast<u8>(read_physical(physical, 1));
}

void Cpu::write_physical(u64 address, int size, u64 value)
{
    address &= a20_mask();
    const PageAccess host = bus_page(address);
    if (!host.write) {
        bus_.write_memory(address, size, value);
        cut_block();
        return;
    }
    store(host.write + address % kPageSize, size, value);
    code_written(address, size);
}

void Cpu::memory_written(u64 physical, u64 size) { blocks_.invalidate(physical, size); }

// ---- Accesses to linear addresses --------------------------------------------------------------

/// Where an access that crosses pages goes on. In IA-32e mode the processor's own accesses have 64 bits
/// in compatibility mode too.
u64 Cpu::next_page(u64 linear) const
{
    const u64 next = page_of(linear) + kPageSize;
    return linear >> 32 ? next : next & linear_mask_;
}

Fallible<u64> Cpu::read_linear(u64 linear, int size, Rights rights)
{
    const bool paging = (state.cr0 & kCr0Pg) != 0;
    Tlb& tlb = tlbs_[static_cast<std::size_t>(paging ? rights : Rights::Supervisor)];
    const TlbEntry& known = tlb.entry(linear);
    if (page_of(linear + static_cast<u64>(size) - 1) + known.read_tag == 0)
        return load(reinterpret_cast<const u8*>(linear + known.addend), size);
    const int first = static_cast<int>(
        std::min<u64>(static_cast<u64>(size), kPageSize - linear % kPageSize));
    const TlbEntry* e = translate(linear, Access::Read, rights);
    if (!e) return {};
    if (debug_) watch_access(linear, first, false);
    if (first == size) return read_piece(*e, linear, size);

    const u64 next = next_page(linear);
    if (!translate(next, Access::Read, rights)) return {};
    if (debug_) watch_access(next, size - first, false);
    u64 value = 0;
    for (int i = 0; i < size; ++i) {
        const u64 at = i < first ? linear + static_cast<u64>(i) : next + static_cast<u64>(i - first);
        const TlbEntry* piece = translate(at, Access::Read, rights);
        if (!piece) return {};
        value |= read_piece(*piece, at, 1) << 8 * i;
    }
    return value;
}

bool Cpu::write_linear(u64 linear, int size, u64 value, Rights rights)
{
    const bool paging = (state.cr0 & kCr0Pg) != 0;
    Tlb& tlb = tlbs_[static_cast<std::size_t>(paging ? rights : Rights::Supervisor)];
    const TlbEntry& known = tlb.entry(linear);
    const u64 last = linear + static_cast<u64>(size) - 1;
    if (page_of(last) + known.write_tag == 0) {
        const u64 code =
            *known.code_granules >> granule(linear) | *known.code_granules >> granule(last);
        if (!(code & 1)) return store(reinterpret_cast<u8*>(linear + known.addend), size, value), true;
    }
    const int first = static_cast<int>(
        std::min<u64>(static_cast<u64>(size), kPageSize - linear % kPageSize));
    TlbEntry* e = translate(linear, Access::Write, rights);
    if (!e) return false;
    if (debug_) watch_access(linear, first, true);
    if (first == size) {
        write_piece(*e, linear, size, value);
        return true;
    }
    const u64 next = next_page(linear);
    if (!translate(next, Access::Write, rights)) return false;
    if (debug_) watch_access(next, size - first, true);
    for (int i = 0; i < size; ++i) {
        const u64 at = i < first ? linear + static_cast<u64>(i) : next + static_cast<u64>(i - first);
        const TlbEntry* piece = translate(at, Access::Write, rights);
        if (!piece) return false;
        write_piece(*piece, at, 1, value >> 8 * i & 0xFF);
    }
    return true;
}

u8* Cpu::plain_memory(u64 linear, u64 size, Rights rights, bool write)
{
    const bool paging = (state.cr0 & kCr0Pg) != 0;
    const Tlb& tlb = tlbs_[static_cast<std::size_t>(paging ? rights : Rights::Supervisor)];
    const TlbEntry& known = tlb.entry(linear);
    const u64 last = linear + size - 1, page = page_of(linear);
    const bool same_page = page == page_of(last), may_fault = check_alignment_ && rights == Rights::User;
    if (!same_page || may_fault || page + (write ? known.write_tag : known.read_tag) != 0)
        return nullptr;
    if (write) {
        const u64 first_granule = u64{1} << granule(linear), last_granule = u64{1} << granule(last);
        const u64 touched = (last_granule << 1) - first_granule;
        if (*known.code_granules & touched) return nullptr;
    }
    return reinterpret_cast<u8*>(linear + known.addend);
}

Fallible<u64> Cpu::read_system(u64 linear, int size)
{
    return read_linear(long_mode() ? linear : linear & 0xFFFFFFFF, size, Rights::Supervisor);
}

bool Cpu::write_system(u64 linear, int size, u64 value)
{
    return write_linear(long_mode() ? linear : linear & 0xFFFFFFFF, size, value, Rights::Supervisor);
}

// ---- Accesses to segments ----------------------------------------------------------------------

Fallible<u64> Cpu::read_slow(const Insn& insn, u8 seg, u64 offset, int size)
{
    current_ = &insn;
    if (!at_least(Level::I80286) && offset + static_cast<u64>(size) > 0x10000) {
        u64 value = 0;  // the 8086 wraps around within the segment
        for (int i = 0; i < size; ++i)
            value |= TRY(read_slow(insn, seg, (offset + static_cast<u64>(i)) & 0xFFFF, 1)) << 8 * i;
        return value;
    }
    if (!check_segment(seg, offset, size, false)) return {};
    const u64 linear = linear_address(seg, offset);
    if (!check_alignment(linear, size, Access::Read)) return {};
    const u64 value = TRY(read_linear(linear, size, rights_));
    check_data_breakpoints(linear, size, false);
    return value;
}

/// 16 bytes are checked as one access. MMIO sees two of 8.
Fallible<Xmm> Cpu::read_slow_16(const Insn& insn, u8 seg, u64 offset)
{
    if (!check_segment(seg, offset, 16, false)) return {};
    // MMIO on the first page is not read if the second one faults.
    const u64 linear = linear_address(seg, offset), last = linear_address(seg, offset + 15);
    if (!translate(linear, Access::Read, rights_) ||
        !translate(where_split(linear, last), Access::Read, rights_))
        return {};
    const u64 low = TRY(read_slow(insn, seg, offset, 8));
    const u64 high = TRY(read_slow(insn, seg, (offset + 8) & insn.address_mask(), 8));
    return Xmm{low, high};
}

/// What lies outside of the segment faults for that.
void Cpu::refuse_unaligned_16(u8 seg, u64 offset, bool write)
{
    if (check_segment(seg, offset, 16, write)) general_protection();
}

bool Cpu::write_slow_16(const Insn& insn, u8 seg, u64 offset, const Xmm& value)
{
    return probe_write(insn, seg, offset, 16) && write_slow(insn, seg, offset, 8, value.low) &&
           write_slow(insn, seg, (offset + 8) & insn.address_mask(), 8, value.high);
}

bool Cpu::write_slow(const Insn& insn, u8 seg, u64 offset, int size, u64 value)
{
    current_ = &insn;
    if (!at_least(Level::I80286) && offset + static_cast<u64>(size) > 0x10000) {
        for (int i = 0; i < size; ++i)
            if (!write_slow(insn, seg, (offset + static_cast<u64>(i)) & 0xFFFF, 1,
                            value >> 8 * i & 0xFF))
                return false;
        return true;
    }
    if (!check_segment(seg, offset, size, true)) return false;
    const u64 linear = linear_address(seg, offset);
    if (!check_alignment(linear, size, Access::Write) || !write_linear(linear, size, value, rights_))
        return false;
    check_data_breakpoints(linear, size, true);
    return true;
}

Fallible<u64> Cpu::read_for_modify_slow(const Insn& insn, u8 seg, u64 offset, int size)
{
    current_ = &insn;
    const bool wraps = !at_least(Level::I80286) && offset + static_cast<u64>(size) > 0x10000;
    if (!wraps && !check_segment(seg, offset, size, true)) return {};
    const u64 linear = linear_address(seg, offset);
    if (!check_alignment(linear, size, Access::Write)) return {};
    const u64 last = wraps ? linear_address(seg, 0)
                           : linear_address(seg, offset + static_cast<u64>(size) - 1);
    if (!translate(linear, Access::Write, rights_) ||
        !translate(where_split(linear, last), Access::Write, rights_))
        return {};
    write_back_.size[0] = size;
    write_back_.linear[0] = linear;
    write_back_.size[1] = 0;
    if (wraps) {
        write_back_.size[0] = static_cast<int>(0x10000 - offset);
        write_back_.size[1] = size - write_back_.size[0];
        write_back_.linear[1] = last;
    }
    u64 value = TRY(read_linear(linear, write_back_.size[0], rights_));
    if (wraps)
        value |= TRY(read_linear(last, write_back_.size[1], rights_)) << 8 * write_back_.size[0];
    check_data_breakpoints(linear, size, true);
    return value;
}

void Cpu::write_back_slow(u64 value)
{
    // Cannot fault: both pages were translated for writing.
    const int first = write_back_.size[0];
    static_cast<void>(write_linear(write_back_.linear[0], first, value, rights_));
    if (write_back_.size[1] != 0)
        static_cast<void>(
            write_linear(write_back_.linear[1], write_back_.size[1], value >> 8 * first, rights_));
}

bool Cpu::probe_write(const Insn& insn, u8 seg, u64 offset, int size)
{
    current_ = &insn;
    if (!at_least(Level::I80286)) return true;
    if (!check_segment(seg, offset, size, true)) return false;
    const u64 linear = linear_address(seg, offset);
    if (!check_alignment(linear, size, Access::Write)) return false;
    const u64 last = linear_address(seg, offset + static_cast<u64>(size) - 1);
    return translate(linear, Access::Write, rights_) &&
           translate(where_split(linear, last), Access::Write, rights_);
}

bool Cpu::probe_read(const Insn& insn, u8 seg, u64 offset)
{
    current_ = &insn;
    // Into code that cannot be read too (SDM vol. 2A, CLFLUSH).
    const Segment& s = state.seg[seg];
    const bool in_code = !real_or_v86() && !mode64() && s.present() && s.is_code() && offset <= s.limit;
    return (in_code || check_segment(seg, offset, 1, false)) &&
           translate(linear_address(seg, offset), Access::Read, rights_) != nullptr;
}

/// DR0..DR3 with R/W 1 (writes) or 3 (reads and writes): SDM vol. 3B, 17.2.
void Cpu::check_data_breakpoints(u64 linear, int size, bool write)
{
    if (data_breakpoints_) check_breakpoints(linear, size, write ? 1 << 1 | 1 << 3 : 1 << 3);
}

/// `kinds` has a bit for each value of R/W that the access hits.
void Cpu::check_breakpoints(u64 address, int size, u32 kinds)
{
    for (int i = 0; i < 4; ++i) {
        if (!(state.dr[7] >> (2 * i) & 3)) continue;
        if (!(kinds >> (state.dr[7] >> (16 + 4 * i) & 3) & 1)) continue;
        const u64 length = (state.dr[7] >> (18 + 4 * i) & 3) + 1;
        const u64 first = state.dr[i] & ~(length == 3 ? 7 : length - 1);
        if (address < first + (length == 3 ? 8 : length) && first < address + static_cast<u64>(size)) {
            state.pending_debug |= 1u << i;
            attention();
            cut_block();
        }
    }
}

// ---- Ports -------------------------------------------------------------------------------------

/// SDM vol. 1, 19.5.2: the bitmap's offset is in the 32-bit TSS at 66h; the byte behind the last
/// one is read too.
bool Cpu::check_port(const Insn& insn, u16 port, int size)
{
    if (!protected_mode() || (!v86() && state.cpl <= iopl())) return true;
    current_ = &insn;
    const Segment& tss = state.tr;
    if (!tss.present() || (tss.type() & 0xD) != 9 || tss.limit < 0x67) return general_protection();
    const u64 bitmap = TRY(read_system(tss.base + 0x66, 2));
    const u64 byte = bitmap + port / 8u;
    if (byte + 1 > tss.limit) return general_protection();
    const u64 permissions = TRY(read_system(tss.base + byte, 2));
    if (permissions >> port % 8 & ((1u << size) - 1)) return general_protection();
    return true;
}

/// R/W 2, with CR4.DE.
void Cpu::check_port_breakpoints(u16 port, int size)
{
    if (data_breakpoints_ && (state.cr4 & kCr4De)) check_breakpoints(port, size, 1 << 2);
}

u32 Cpu::read_port(const Insn& insn, u16 port, int size)
{
    current_ = &insn;
    const u32 value = bus_.read_port(port, size);
    check_port_breakpoints(port, size);
    cut_block();
    return value;
}

void Cpu::write_port(const Insn& insn, u16 port, int size, u32 value)
{
    current_ = &insn;
    bus_.write_port(port, size, value);
    check_port_breakpoints(port, size);
    cut_block();
}

}  // namespace reprise
