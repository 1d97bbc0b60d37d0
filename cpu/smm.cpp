/// System management mode: SDM vol. 3C, chapter 34 (order number 326019); for processors with 64
/// bits AMD64 APM vol. 2, chapter 10 (24593).
///
/// Where the state is saved depends on the model. Those with 32 bits have Intel's map (SDM, table
/// 34-1); what that leaves "saved but not readable" is where the P6 has it. Those with 64 bits have
/// AMD's map (APM vol. 2, table 10-1) and not Intel's: the revision identifier tells firmware which
/// one it is, and SeaBIOS knows 00020000h, the first, and 00020064h, the second. Both say that
/// SMBASE can be moved and that an I/O instruction cannot be restarted: there is no chip that would
/// trap one.
#include "cpu/protection.h"

namespace reprise {

namespace {

constexpr u64 kHandler = 0x8000;  // from SMBASE: entry point, and what the maps' offsets count from
constexpr u32 kRevision32 = 0x00020000, kRevision64 = 0x00020064;
constexpr u64 kPentiumAlignment = 0x8000;  // of SMBASE

struct SavedSegment {
    u16 selector = 0;
    u16 attributes = 0;  // bytes 5 and 6 of a descriptor, without the limit
    u32 limit = 0;
    u64 base = 0;
};

struct SavedState {
    std::array<u64, 16> gpr{};
    u64 rip = 0, rflags = 0, cr0 = 0, cr3 = 0, cr4 = 0, efer = 0, dr6 = 0, dr7 = 0;
    std::array<SavedSegment, 6> seg{};
    SavedSegment ldtr, tr, gdtr, idtr;
    u32 revision = 0, smbase = 0;
    u16 halted = 0;         // the "auto HALT restart" field
    u16 pending_debug = 0;  // a trap that the SMI came before: DR6 bits
};

/// Calls `field(offset, size, value)` for everything in the map of 32-bit processors.
void visit_map_32(auto& field, SavedState& s)
{
    const auto hidden = [&](u64 at, SavedSegment& segment) {
        field(at + 2, 2, segment.attributes);
        field(at + 4, 4, segment.limit);
        field(at + 8, 4, segment.base);
    };
    field(0x7EF8, 4, s.smbase);
    field(0x7EFC, 4, s.revision);
    field(0x7F02, 2, s.halted);
    field(0x7F14, 4, s.cr4);
    field(0x7F24, 2, s.pending_debug);
    hidden(0x7F2C, s.seg[DS]);
    hidden(0x7F38, s.seg[FS]);
    hidden(0x7F44, s.seg[GS]);
    hidden(0x7F50, s.idtr);
    hidden(0x7F5C, s.tr);
    hidden(0x7F6C, s.gdtr);
    hidden(0x7F78, s.ldtr);
    hidden(0x7F84, s.seg[ES]);
    hidden(0x7F90, s.seg[CS]);
    hidden(0x7F9C, s.seg[SS]);
    for (u64 seg = 0; seg < 6; ++seg) field(0x7FA8 + 4 * seg, 4, s.seg[seg].selector);
    field(0x7FC0, 4, s.ldtr.selector);
    field(0x7FC4, 4, s.tr.selector);
    field(0x7FC8, 4, s.dr7);
    field(0x7FCC, 4, s.dr6);
    for (u64 r = 0; r < 8; ++r) field(0x7FD0 + 4 * r, 4, s.gpr[r]);
    field(0x7FF0, 4, s.rip);
    field(0x7FF4, 4, s.rflags);
    field(0x7FF8, 4, s.cr3);
    field(0x7FFC, 4, s.cr0);
}

/// The same for processors with 64 bits. A pending debug trap is in a reserved field.
void visit_map_64(auto& field, SavedState& s)
{
    const auto segment = [&](u64 at, SavedSegment& x) {
        field(at, 2, x.selector);
        field(at + 2, 2, x.attributes);
        field(at + 4, 4, x.limit);
        field(at + 8, 8, x.base);
    };
    for (u64 seg = 0; seg < 6; ++seg) segment(0x7E00 + 0x10 * seg, s.seg[seg]);
    segment(0x7E60, s.gdtr);
    segment(0x7E70, s.ldtr);
    segment(0x7E80, s.idtr);
    segment(0x7E90, s.tr);
    field(0x7EC9, 1, s.halted);
    field(0x7ED0, 8, s.efer);
    field(0x7EFC, 4, s.revision);
    field(0x7F00, 4, s.smbase);
    field(0x7F04, 2, s.pending_debug);
    field(0x7F48, 8, s.cr4);
    field(0x7F50, 8, s.cr3);
    field(0x7F58, 8, s.cr0);
    field(0x7F60, 8, s.dr7);
    field(0x7F68, 8, s.dr6);
    field(0x7F70, 8, s.rflags);
    field(0x7F78, 8, s.rip);
    for (u64 r = 0; r < 16; ++r) field(0x7FF8 - 8 * r, 8, s.gpr[r]);
}

void visit_map(const Cpu& cpu, SavedState& s, auto field)
{
    if (cpu.model().has(Feature::LongMode)) visit_map_64(field, s);
    else visit_map_32(field, s);
}

SavedSegment saved_from(const Segment& s)
{
    const auto attributes = static_cast<u16>(bits(s.access, 7, 0) | bits(s.access, 11, 8) << 12);
    return {s.selector, attributes, s.limit, s.base};
}

SavedSegment saved_from(const TableRegister& t) { return {0, 0, t.limit, t.base}; }

/// Bits 63..48 of what may have been changed are those that the processor has no room for.
u64 canonical(u64 base) { return static_cast<u64>(static_cast<i64>(base << 16) >> 16); }

Segment restored(const SavedSegment& s, bool has_wide_base)
{
    const auto access =
        static_cast<u16>(bits(s.attributes, 7, 0) | bits(s.attributes, 15, 12) << 8);
    return {s.selector, has_wide_base ? canonical(s.base) : s.base & 0xFFFFFFFF, s.limit, access};
}

TableRegister restored(const SavedSegment& s)
{
    return {canonical(s.base), static_cast<u16>(s.limit)};
}

SavedState present_state(const Cpu& cpu)
{
    const CpuState& now = cpu.state;
    SavedState s{.rip = now.rip,
                 .rflags = cpu.eflags(),
                 .cr0 = now.cr0,
                 .cr3 = now.cr3,
                 .cr4 = now.cr4,
                 .efer = now.msr.efer,
                 .dr6 = now.dr[6],
                 .dr7 = now.dr[7],
                 .ldtr = saved_from(now.ldtr),
                 .tr = saved_from(now.tr),
                 .gdtr = saved_from(now.gdtr),
                 .idtr = saved_from(now.idtr),
                 .revision = cpu.model().has(Feature::LongMode) ? kRevision64 : kRevision32,
                 .smbase = now.smbase,
                 .halted = now.halted,
                 .pending_debug = static_cast<u16>(now.pending_debug)};
    std::copy_n(now.gpr.begin(), s.gpr.size(), s.gpr.begin());
    for (std::size_t seg = 0; seg < 6; ++seg) s.seg[seg] = saved_from(now.seg[seg]);
    return s;
}

/// All but the control registers.
void restore(Cpu& cpu, const SavedState& s)
{
    CpuState& now = cpu.state;
    std::copy(s.gpr.begin(), s.gpr.end(), now.gpr.begin());
    for (u8 seg = 0; seg < 6; ++seg) now.seg[seg] = restored(s.seg[seg], seg >= FS);
    now.ldtr = restored(s.ldtr, true);
    now.tr = restored(s.tr, true);
    now.gdtr = restored(s.gdtr);
    now.idtr = restored(s.idtr);
    now.smbase = s.smbase;
    now.halted = s.halted & 1;
    now.pending_debug = s.pending_debug & 0xE00F;
    const bool may_be_v86 = cpu.protected_mode() && !cpu.long_mode();
    const u32 flags = defined_flags(cpu) & (may_be_v86 ? ~u32{0} : ~u32{VM});
    cpu.set_eflags(static_cast<u32>(s.rflags) & flags);
    now.cpl = !cpu.protected_mode() ? 0 : cpu.v86() ? 3 : now.seg[SS].dpl();
    const bool wide = cpu.long_mode() && now.seg[CS].is_long();
    now.rip = wide ? s.rip : s.rip & 0xFFFFFFFF;
}

}  // namespace

// ---- The SMI# pin ------------------------------------------------------------------------------

void Cpu::raise_smi()
{
    if (!has_smm()) return;
    state.smi_pending = true;
    attention();
}

/// An SMI waits for the instruction behind STI, MOV SS and POP SS, as there is no place where their
/// shadow is saved, and for the first one of an interrupt's handler.
bool Cpu::smi_is_due() const
{
    return state.smi_pending && !state.smm && !state.interrupt_shadow && !state.debug_shadow &&
           !state.interrupt_taken;
}

// ---- The state save area -----------------------------------------------------------------------

/// By bytes, as SMBASE and with it the area may lie across pages.
u64 Cpu::read_save_area(u64 offset, int size)
{
    u64 value = 0;
    for (int i = 0; i < size; ++i) {
        const u64 address = state.smbase + kHandler + offset + static_cast<u64>(i);
        value |= read_physical(address & 0xFFFFFFFF, 1) << 8 * i;
    }
    return value;
}

void Cpu::write_save_area(u64 offset, int size, u64 value)
{
    for (int i = 0; i < size; ++i) {
        const u64 address = state.smbase + kHandler + offset + static_cast<u64>(i);
        write_physical(address & 0xFFFFFFFF, 1, value >> 8 * i & 0xFF);
    }
}

// ---- In and out --------------------------------------------------------------------------------

/// SDM vol. 3C, 34.3.1, 34.5.1 and table 34-4. The TLBs are flushed on the way in and out (APM vol.
/// 2, 5.5.2), so that nothing is known of memory as it is seen on the other side.
void Cpu::enter_smm()
{
    SavedState saved = present_state(*this);
    state.smi_pending = false;
    state.smm = true;
    bus_.smm_changed(true);
    visit_map(*this, saved, [this](u64 offset, int size, const auto& value) {
        write_save_area(offset, size, value);
    });

    constexpr u16 kData = 0x893;  // G, present, writable, accessed
    for (Segment& s : state.seg) s = {0, 0, 0xFFFFFFFF, kData};
    // The Pentium's selector stays that of the default SMBASE.
    state.seg[CS].selector =
        at_least(Level::PentiumPro) ? static_cast<u16>(state.smbase >> 4) : u16{0x3000};
    state.seg[CS].base = state.smbase;
    state.rip = kHandler;
    state.cr0 &= ~u64{kCr0Pe | kCr0Em | kCr0Ts | kCr0Pg};
    state.cr4 = 0;
    state.msr.efer = 0;
    state.cpl = 0;
    state.halted = false;
    state.pending_debug = 0;
    state.nmi_blocked = true;
    pending_link_ = nullptr;
    if (debug_) ++debug_->interrupts;
    set_eflags(kReservedSetFlags);
    checked_as_ = ~0u;
    static_cast<void>(write_dr(7, 0x400));  // flushes the TLBs too
}

/// SDM vol. 3C, 34.3.2, 34.10 and 34.11; APM vol. 3, RSM. NMIs are let in again even if the SMI
/// came while one was handled (SDM vol. 3C, 34.8).
bool Cpu::resume_from_smm()
{
    if (!state.smm) return undefined_opcode();
    SavedState saved;
    visit_map(*this, saved, [this](u64 offset, int size, auto& value) {
        value = static_cast<std::remove_reference_t<decltype(value)>>(read_save_area(offset, size));
    });
    state.smm = false;
    bus_.smm_changed(false);
    const bool misaligned = !at_least(Level::PentiumPro) && saved.smbase % kPentiumAlignment != 0;
    if (misaligned || !restore_controls(saved.cr0, saved.cr3, saved.cr4, saved.efer)) {
        enter_shutdown();
        return true;
    }
    restore(*this, saved);
    state.nmi_blocked = false;
    checked_as_ = ~0u;
    static_cast<void>(write_dr(6, static_cast<u32>(saved.dr6)));
    static_cast<void>(write_dr(7, static_cast<u32>(saved.dr7)));  // flushes the TLBs too
    cancel_single_step();
    return true;
}

}  // namespace reprise
