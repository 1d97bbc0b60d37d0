/// Descriptors and segment registers: SDM vol. 3A, 3.4, 3.5 and 5.2 to 5.8; LLDT and LTR.
#include "cpu/protection.h"

namespace reprise {

Segment Cpu::Descriptor::segment(u16 selector) const
{
    Segment s;
    s.selector = selector;
    s.base = bits(raw, 39, 16) | bits(raw, 63, 56) << 24;
    const u32 limit = static_cast<u32>(bits(raw, 15, 0) | bits(raw, 51, 48) << 16);
    s.limit = bit(raw, 55) ? limit << 12 | 0xFFF : limit;  // G
    s.access = static_cast<u16>(bits(raw, 47, 40) | bits(raw, 55, 52) << 8);
    return s;
}

Fallible<Cpu::Descriptor> Cpu::fetch_descriptor(u16 selector, u8 vector)
{
    const u16 offset = selector & 0xFFF8;
    const u64 base = in_ldt(selector) ? state.ldtr.base : state.gdtr.base;
    const u32 limit = in_ldt(selector) ? state.ldtr.limit : state.gdtr.limit;
    if ((in_ldt(selector) && !state.ldtr.present()) || offset + 7u > limit) {
        raise(vector, selector_error(selector));
        return {};
    }
    Descriptor d;
    d.address = base + offset;
    d.raw = TRY(read_system(d.address, 8));
    // The 286 has no bits for the last word: software for it leaves zeros there, as told.
    if (!at_least(Level::I80386)) d.raw = bits(d.raw, 47, 0);
    return d;
}

Fallible<u64> Cpu::fetch_upper_descriptor(u16 selector, const Descriptor& descriptor)
{
    const u32 limit = in_ldt(selector) ? state.ldtr.limit : state.gdtr.limit;
    if ((selector & 0xFFF8) + 15u > limit) {
        general_protection(selector_error(selector));
        return {};
    }
    const u64 upper = TRY(read_system(descriptor.address + 8, 8));
    if (bits(upper, 44, 40) != 0) {  // its type has to be zero (SDM vol. 3A, 5.8.3.1)
        general_protection(selector_error(selector));
        return {};
    }
    return upper;
}

bool Cpu::set_accessed(Descriptor& descriptor)
{
    constexpr int kAccessed = 40;
    if (bit(descriptor.raw, kAccessed)) return true;
    descriptor.raw = with_bit(descriptor.raw, kAccessed, true);
    return write_system(descriptor.address + kAccessByte, 1, bits(descriptor.raw, 47, 40));
}

void Cpu::set_segment(u8 seg, const Segment& segment)
{
    state.seg[seg] = segment;
    refresh_segment(seg);
    if (seg == CS || seg == SS) update_mode();
}

void Cpu::set_segment_base(u8 seg, u64 base)
{
    state.seg[seg].base = base;
    refresh_segment(seg);
}

void Cpu::set_cpl(u8 cpl)
{
    state.cpl = cpl;
    update_mode();
}

/// In real mode limit and rights stay as they are: they may be those of protected mode. In virtual
/// 8086 mode they are those of an 8086 (SDM vol. 3A, 20.2.1).
void Cpu::load_segment_real(u8 seg, u16 selector)
{
    if (!v86() && load_data_segment_real(seg, selector)) {
        if (seg == CS) update_mode();
        return;
    }
    Segment s = state.seg[seg];
    s.selector = selector;
    s.base = u64{selector} << 4;
    if (v86()) {
        s.limit = 0xFFFF;
        s.access = 0xF3;
    } else if (!s.present()) {  // left over from a null selector
        s.limit = 0xFFFF;
        s.access = 0x93;
    }
    set_segment(seg, s);
}

namespace {

/// SDM vol. 2B, MOV: "IF SS is loaded".
bool check_stack_segment(Cpu& cpu, u16 selector, const Cpu::Descriptor& d)
{
    const Segment s = d.segment(selector);
    if (rpl_of(selector) != cpu.state.cpl || !s.is_writable() || s.dpl() != cpu.state.cpl)
        return cpu.general_protection(selector_error(selector));
    return s.present() || cpu.raise(kStackFault, selector_error(selector));
}

/// The same for DS, ES, FS and GS: data or readable code, and conforming code whatever its level.
bool check_data_segment(Cpu& cpu, u16 selector, const Cpu::Descriptor& d)
{
    const Segment s = d.segment(selector);
    const u8 level = std::max(rpl_of(selector), cpu.state.cpl);
    if (!s.is_readable() || (!s.is_conforming() && level > s.dpl()))
        return cpu.general_protection(selector_error(selector));
    return s.present() || cpu.raise(kSegmentNotPresent, selector_error(selector));
}

}  // namespace

bool Cpu::load_segment(u8 seg, u16 selector)
{
    if (real_or_v86()) {
        load_segment_real(seg, selector);
        return true;
    }
    if (is_null(selector)) {
        // Above level 3, 64-bit mode does without SS (SDM vol. 2B, MOV).
        const bool no_stack_needed = mode64() && state.cpl < 3 && rpl_of(selector) == state.cpl;
        if (seg == SS && !no_stack_needed) return general_protection();
        set_segment(seg, seg == SS ? null_stack(selector, state.cpl) : null_segment(selector));
        return true;
    }
    Descriptor d = TRY(fetch_descriptor(selector));
    const bool allowed = seg == SS ? check_stack_segment(*this, selector, d)
                                   : check_data_segment(*this, selector, d);
    if (!allowed || !set_accessed(d)) return false;
    set_segment(seg, d.segment(selector));
    return true;
}

/// LDT and TSS have 64 bits of base in IA-32e mode (SDM vol. 3A, figure 7-4).
static bool widen_base(Cpu& cpu, u16 selector, const Cpu::Descriptor& d, Segment& segment)
{
    const u64 upper = TRY(cpu.fetch_upper_descriptor(selector, d));
    segment.base |= upper << 32;
    return is_canonical(segment.base) || cpu.general_protection(selector_error(selector));
}

bool Cpu::load_ldtr(u16 selector)
{
    if (state.cpl != 0) return general_protection();
    if (is_null(selector)) {
        state.ldtr = null_segment(selector);
        return true;
    }
    if (in_ldt(selector)) return general_protection(selector_error(selector));
    const Descriptor d = TRY(fetch_descriptor(selector));
    if (system_type(*this, d) != kLdt) return general_protection(selector_error(selector));
    if (!d.present()) return raise(kSegmentNotPresent, selector_error(selector));
    Segment ldt = d.segment(selector);
    if (long_mode() && !widen_base(*this, selector, d, ldt)) return false;
    state.ldtr = ldt;
    return true;
}

bool Cpu::load_tr(u16 selector)
{
    if (state.cpl != 0 || is_null(selector)) return general_protection();
    if (in_ldt(selector)) return general_protection(selector_error(selector));
    const Descriptor d = TRY(fetch_descriptor(selector));
    const u8 type = system_type(*this, d);
    if (type != kTss16Available && type != kTss32Available)
        return general_protection(selector_error(selector));
    if (!d.present()) return raise(kSegmentNotPresent, selector_error(selector));
    Segment tss = d.segment(selector);
    if (long_mode() && !widen_base(*this, selector, d, tss)) return false;
    if (!write_system(d.address + kAccessByte, 1, bits(d.raw, 47, 40) | kTssBusyBit)) return false;
    state.tr = tss;
    state.tr.access |= kTssBusyBit;
    return true;
}

// ---- Shared with transfers, interrupts and tasks -----------------------------------------------

u8 system_type(const Cpu& cpu, const Cpu::Descriptor& descriptor)
{
    if (descriptor.is_code_or_data()) return kNotSystem;
    const u8 type = descriptor.type();
    const bool only_32_bit = type > kTrapGate16;
    if (only_32_bit && !cpu.at_least(Level::I80386)) return kNotSystem;
    // IA-32e mode has no 16-bit gates and TSSs, and no tasks (SDM vol. 3A, table 3-2).
    if (cpu.long_mode() && !only_32_bit && type != kLdt) return kNotSystem;
    return type;
}

u16 flags_image16(const Cpu& cpu)
{
    const u16 image = static_cast<u16>(cpu.eflags());
    if (!cpu.at_least(Level::I80286)) return image | 0xF000;  // bits without a flag float high
    if (!cpu.at_least(Level::I80386) && !cpu.protected_mode()) return image & 0x0FFF;
    return image;
}

u32 defined_flags(const Cpu& cpu)
{
    u32 defined = kArithmeticFlags | TF | IF | DF;
    if (cpu.at_least(Level::I80286)) defined |= IOPL | NT;
    if (cpu.at_least(Level::I80386)) defined |= RF | VM;
    if (cpu.at_least(Level::I80486)) defined |= AC;
    if (cpu.model().has(Feature::Vme)) defined |= VIF | VIP;
    if (cpu.model().has_cpuid) defined |= ID;
    return defined;
}

u32 writable_flags(const Cpu& cpu, int size)
{
    u32 writable = defined_flags(cpu) & ~static_cast<u32>(RF | VM | VIF | VIP);
    if (size == 2) writable &= 0xFFFF;
    if (cpu.protected_mode()) {
        if (cpu.state.cpl != 0) writable &= ~static_cast<u32>(IOPL);
        if (cpu.state.cpl > cpu.iopl()) writable &= ~static_cast<u32>(IF);
    } else if (!cpu.at_least(Level::I80386)) {
        writable &= ~static_cast<u32>(IOPL | NT);  // always clear in the 286's real mode
    }
    return writable;
}

bool within_limit(const Cpu& cpu, const Segment& segment, u64 offset, int size)
{
    const u64 last = offset + static_cast<u64>(size) - 1;
    if (cpu.protected_mode() && segment.is_expand_down())
        return offset > segment.limit && last <= (segment.is_big() ? 0xFFFFFFFF : 0xFFFF);
    return last <= segment.limit || segment.limit == 0xFFFFFFFF;
}

bool check_code_size(Cpu& cpu, const Segment& cs)
{
    const bool reserved = cpu.long_mode() && cs.is_long() && cs.is_big();
    return !reserved || cpu.general_protection(selector_error(cs.selector));
}

bool check_ip(Cpu& cpu, const Segment& cs, u64 ip)
{
    const bool wide = cpu.long_mode() && cs.is_long();
    return (wide ? is_canonical(ip) : ip <= cs.limit) || cpu.general_protection();
}

Stack::Stack(Cpu& cpu, const Segment& ss, u64 sp, u8 cpl, u16 error_code)
    : cpu_(cpu),
      ss_(ss),
      mask_(ss.is_big() ? 0xFFFFFFFF : 0xFFFF),
      rights_(cpl == 3 ? Rights::User : Rights::Supervisor),
      error_code_(error_code)
{
    sp_ = sp & mask_;
}

Stack Stack::flat(Cpu& cpu, u64 sp, u8 cpl, u16 error_code)
{
    Stack stack{cpu, null_segment(), 0, cpl, error_code};
    stack.flat_ = true;
    stack.mask_ = ~u64{0};
    stack.sp_ = sp;
    return stack;
}

Stack Stack::present(Cpu& cpu)
{
    const CpuState& state = cpu.state;
    return cpu.mode64() ? flat(cpu, state.gpr[RSP], state.cpl, 0)
                        : Stack{cpu, state.seg[SS], cpu.sp(), state.cpl, 0};
}

bool Stack::check(u64 offset, int size) const
{
    if (flat_)
        return (is_canonical(offset) && is_canonical(offset + static_cast<u64>(size) - 1)) ||
               cpu_.raise(kStackFault, error_code_);
    if (!cpu_.at_least(Level::I80286)) return true;  // wraps around within the segment
    const bool usable = !cpu_.protected_mode() || (ss_.present() && ss_.is_writable());
    if (usable && within_limit(cpu_, ss_, offset, size)) return true;
    // In real mode the 286 has one "segment overrun" interrupt for all segments.
    const bool overrun = !cpu_.at_least(Level::I80386) && !cpu_.protected_mode();
    return cpu_.raise(overrun ? kGeneralProtection : kStackFault, error_code_);
}

u64 Stack::linear(u64 offset) const
{
    if (flat_) return offset;
    return (ss_.base + offset) & (cpu_.at_least(Level::I80386) ? 0xFFFFFFFF : 0xFFFFFF);
}

/// #AC is for the stack of level 3 only.
bool Stack::is_aligned(u64 at, int size, Access access)
{
    return rights_ != Rights::User || cpu_.check_alignment(at, size, access);
}

/// Are all of these bytes plain memory within the limits?
bool Stack::look_for(u64 offset, int bytes, bool write)
{
    const u64 size = static_cast<u64>(bytes), last = offset + size - 1;
    if (!cpu_.at_least(Level::I80286) || last > mask_ || last < offset) return false;
    if (flat_ ? !is_canonical(offset) || !is_canonical(last)
              : (cpu_.protected_mode() && !(ss_.present() && ss_.is_writable())) ||
                    !within_limit(cpu_, ss_, offset, bytes))
        return false;
    plain_ = cpu_.plain_memory(linear(offset), size, rights_, write);
    plain_begin_ = offset;
    plain_bytes_ = plain_ ? size : 0;
    return plain_ != nullptr;
}

bool Stack::has_room(int size, int count)
{
    if (look_for((sp_ - static_cast<u64>(size * count)) & mask_, size * count, true)) return true;
    for (int i = 1; i <= count; ++i)
        if (!check((sp_ - static_cast<u64>(i * size)) & mask_, size)) return false;
    return true;
}

bool Stack::push(int size, u64 value)
{
    const u64 offset = (sp_ - static_cast<u64>(size)) & mask_;
    if (u8* host = plain(offset, size)) {
        if (size == 2) std::memcpy(host, &value, 2);
        else if (size == 4) std::memcpy(host, &value, 4);
        else std::memcpy(host, &value, 8);
        sp_ = offset;
        return true;
    }
    if (!check(offset, size)) return false;
    if (!cpu_.at_least(Level::I80286)) {  // 20 address lines; a word at FFFF continues at 0
        for (u64 i = 0; i < static_cast<u64>(size); ++i)
            if (!cpu_.write_linear((ss_.base + ((offset + i) & mask_)) & 0xFFFFF, 1,
                                   value >> 8 * i & 0xFF, Rights::Supervisor))
                return false;
    } else {
        const u64 at = linear(offset);
        if (!is_aligned(at, size, Access::Write) || !cpu_.write_linear(at, size, value, rights_)) return false;
    }
    sp_ = offset;
    return true;
}

Fallible<u64> Stack::pop(int size)
{
    const u64 offset = sp_;
    u64 value = 0;
    if (const u8* host = plain(offset, size)) {
        if (size == 2) std::memcpy(&value, host, 2);
        else if (size == 4) std::memcpy(&value, host, 4);
        else std::memcpy(&value, host, 8);
        release(static_cast<u64>(size));
        return value;
    }
    if (!check(offset, size)) return {};
    if (!cpu_.at_least(Level::I80286)) {
        for (u64 i = 0; i < static_cast<u64>(size); ++i)
            value |= TRY(cpu_.read_linear((ss_.base + ((offset + i) & mask_)) & 0xFFFFF, 1,
                                          Rights::Supervisor))
                     << 8 * i;
    } else {
        const u64 at = linear(offset);
        if (!is_aligned(at, size, Access::Read)) return {};
        value = TRY(cpu_.read_linear(at, size, rights_));
    }
    release(static_cast<u64>(size));
    return value;
}

}  // namespace reprise
