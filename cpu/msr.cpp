#include "cpu/msr.h"

#include <algorithm>
#include <iterator>

#include "cpu/cpu.h"

namespace reprise {

namespace {

/// What a written value has to be besides having no reserved bit.
enum class Value : u8 { Any, Canonical, MemoryTypes, PatTypes };

/// Registers `first` to `last`. Each names where it is kept, or functions for those that are more than
/// memory; without either it reads as zero.
struct Row {
    u32 first, last;
    Feature feature = Feature::None;  // without it, or below `level`, the register does not exist
    Level level = Level::Pentium;
    Level last_level = Level::X64;
    u64 writable = 0;  // bits that may be one; 0: writing is #GP(0)
    Value value = Value::Any;
    u64 MsrState::*kept = nullptr;
    u64 (*read)(Cpu&, u32 index) = nullptr;
    bool (*write)(Cpu&, u32 index, u64 value) = nullptr;
};

constexpr u64 kAll = ~u64{0};
constexpr u64 kPhysical = u64{1} << 63;  // in `writable`: address bits, as many as the model has

// Memory types (SDM vol. 3A, table 11-8): UC, WC, WT, WP, WB, and in the PAT UC-.
constexpr bool is_memory_type(u64 type) { return type <= 6 && type != 2 && type != 3; }

bool all_bytes(u64 value, bool (*allowed)(u64))
{
    for (int i = 0; i < 8; ++i)
        if (!allowed(value >> 8 * i & 0xFF)) return false;
    return true;
}

bool is_allowed(Value kind, u64 value)
{
    switch (kind) {
    case Value::Canonical: return is_canonical(value);
    case Value::MemoryTypes: return all_bytes(value, is_memory_type);
    case Value::PatTypes:
        return all_bytes(value, [](u64 type) { return type == 7 || is_memory_type(type); });
    default: return true;
    }
}

// ---- Registers that are more than memory -------------------------------------------------------

u64 read_tsc(Cpu& cpu, u32) { return cpu.time_stamp(); }

/// The P6 family loads the lower half only (SDM vol. 3B, 17.17.3).
bool write_tsc(Cpu& cpu, u32, u64 value)
{
    if (!cpu.at_least(Level::X64) && cpu.at_least(Level::PentiumPro)) value &= 0xFFFFFFFF;
    cpu.state.tsc_offset += value - cpu.time_stamp();
    return true;
}

bool write_apic_base(Cpu& cpu, u32, u64 value)
{
    cpu.state.msr.apic_base = value;
    cpu.bus().apic_base_changed(value);
    return true;
}

/// Writing has no effect: machine check registers of the Pentium, its TR12, and microcode updates, after
/// which the revision is what it was.
bool ignore_write(Cpu&, u32, u64) { return true; }

u64 read_efer(Cpu& cpu, u32) { return cpu.state.msr.efer; }
bool write_efer(Cpu& cpu, u32, u64 value) { return cpu.write_efer(value); }

constexpr u32 kFsBase = 0xC0000100;
constexpr u8 segment_of(u32 index) { return index == kFsBase ? FS : GS; }
u64 read_segment_base(Cpu& cpu, u32 index) { return cpu.state.seg[segment_of(index)].base; }
bool write_segment_base(Cpu& cpu, u32 index, u64 value)
{
    cpu.set_segment_base(segment_of(index), value);
    return true;
}

/// Eight variable ranges, fixed ranges, write combining (SDM vol. 3A, 11.11.1).
u64 read_mtrr_capabilities(Cpu&, u32) { return 0x508; }

constexpr u32 kMtrrVariable = 0x200;
u64 read_mtrr_variable(Cpu& cpu, u32 index) { return cpu.state.msr.mtrr_variable[index - kMtrrVariable]; }
bool write_mtrr_variable(Cpu& cpu, u32 index, u64 value)
{
    const bool is_mask = index & 1;
    const u64 low = is_mask ? 0x800 : 0xFF;  // V; the type
    if ((value & 0xFFF & ~low) || (!is_mask && !is_memory_type(value & 0xFF)))
        return cpu.general_protection();
    cpu.state.msr.mtrr_variable[index - kMtrrVariable] = value;
    return true;
}

constexpr u32 kMtrrFixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26A,
                              0x26B, 0x26C, 0x26D, 0x26E, 0x26F};
u64& mtrr_fixed(Cpu& cpu, u32 index)
{
    return cpu.state.msr.mtrr_fixed[static_cast<std::size_t>(
        std::ranges::find(kMtrrFixed, index) - std::begin(kMtrrFixed))];
}
u64 read_mtrr_fixed(Cpu& cpu, u32 index) { return mtrr_fixed(cpu, index); }
bool write_mtrr_fixed(Cpu& cpu, u32 index, u64 value)
{
    mtrr_fixed(cpu, index) = value;
    return true;
}

bool write_mtrr_default(Cpu& cpu, u32, u64 value)
{
    if (!is_memory_type(value & 0xFF)) return cpu.general_protection();
    cpu.state.msr.mtrr_default = value;
    return true;
}

/// IA32_MISC_ENABLE: 11 and 12, no branch trace store and no PEBS, cannot be written.
constexpr u64 kMiscFixed = 1 << 11 | 1 << 12;
constexpr u64 kMiscFastStrings = 1 << 0;
bool write_misc_enable(Cpu& cpu, u32, u64 value)
{
    cpu.state.msr.misc_enable = (value & ~kMiscFixed) | kMiscFixed;
    return true;
}

/// IA32_ARCH_CAPABILITIES: nothing here runs ahead of itself, so that no known leak exists: RDCL_NO,
/// SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO,
/// BHI_NO, GDS_NO, RFDS_NO.
u64 read_arch_capabilities(Cpu&, u32)
{
    return 1 << 0 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 13 | 1 << 14 | 1 << 15 |
           1 << 20 | 1 << 26 | 1 << 27;
}

constexpr u32 kMicrocodeTrigger = 0x79;  // can only be written

using enum Feature;
using enum Level;

// By the names of SDM vol. 4, tables 2-2 (IA-32), 2-50 (P6) and 2-52 (Pentium).
constexpr Row kRows[] = {
    // P5_MC_ADDR, P5_MC_TYPE, TR12
    {.first = 0x00, .last = 0x01, .feature = Mce, .writable = kAll, .write = ignore_write},
    {.first = 0x0E, .last = 0x0E, .last_level = Pentium, .writable = kAll, .write = ignore_write},
    // IA32_TIME_STAMP_COUNTER
    {.first = 0x10, .last = 0x10, .feature = Tsc, .writable = kAll, .read = read_tsc, .write = write_tsc},
    // IA32_PLATFORM_ID
    {.first = 0x17, .last = 0x17, .level = PentiumPro},
    // IA32_APIC_BASE: BSP, the global enable, the address
    {.first = 0x1B, .last = 0x1B, .feature = Apic, .writable = kPhysical | 0x900,
     .kept = &MsrState::apic_base, .write = write_apic_base},
    // IA32_BIOS_UPDT_TRIG, IA32_BIOS_SIGN_ID
    {.first = kMicrocodeTrigger, .last = kMicrocodeTrigger, .level = PentiumPro, .writable = kAll, .write = ignore_write},
    {.first = 0x8B, .last = 0x8B, .level = PentiumPro, .writable = kAll,
     .kept = &MsrState::microcode_signature},
    // IA32_MTRRCAP
    {.first = 0xFE, .last = 0xFE, .feature = Mtrr, .read = read_mtrr_capabilities},
    // IA32_ARCH_CAPABILITIES
    {.first = 0x10A, .last = 0x10A, .feature = ArchCapabilities, .read = read_arch_capabilities},
    // IA32_SYSENTER_CS, ESP, EIP
    {.first = 0x174, .last = 0x174, .feature = Sep, .writable = 0xFFFFFFFF, .kept = &MsrState::sysenter_cs},
    {.first = 0x175, .last = 0x175, .feature = Sep, .writable = kAll, .value = Value::Canonical,
     .kept = &MsrState::sysenter_esp},
    {.first = 0x176, .last = 0x176, .feature = Sep, .writable = kAll, .value = Value::Canonical,
     .kept = &MsrState::sysenter_eip},
    // IA32_MCG_CAP: no banks; IA32_MCG_STATUS
    {.first = 0x179, .last = 0x179, .feature = Mca},
    {.first = 0x17A, .last = 0x17A, .feature = Mca, .writable = 7, .kept = &MsrState::mcg_status},
    // IA32_MISC_ENABLE: fast strings, limit of CPUID
    {.first = 0x1A0, .last = 0x1A0, .level = X64, .writable = kMiscFastStrings | kMiscFixed | 1 << 22,
     .kept = &MsrState::misc_enable, .write = write_misc_enable},
    // IA32_DEBUGCTL; the last branch and the last exception's are not recorded
    {.first = 0x1D9, .last = 0x1D9, .level = PentiumPro, .writable = 0x5FFF,
     .kept = &MsrState::debug_control},
    {.first = 0x1DB, .last = 0x1DE, .level = PentiumPro},
    // IA32_MTRR_PHYSBASEn, PHYSMASKn; the fixed ranges; IA32_PAT; IA32_MTRR_DEF_TYPE
    {.first = 0x200, .last = 0x20F, .feature = Mtrr, .writable = kPhysical | 0xFFF,
     .read = read_mtrr_variable, .write = write_mtrr_variable},
    {.first = 0x250, .last = 0x250, .feature = Mtrr, .writable = kAll, .value = Value::MemoryTypes,
     .read = read_mtrr_fixed, .write = write_mtrr_fixed},
    {.first = 0x258, .last = 0x259, .feature = Mtrr, .writable = kAll, .value = Value::MemoryTypes,
     .read = read_mtrr_fixed, .write = write_mtrr_fixed},
    {.first = 0x268, .last = 0x26F, .feature = Mtrr, .writable = kAll, .value = Value::MemoryTypes,
     .read = read_mtrr_fixed, .write = write_mtrr_fixed},
    {.first = 0x277, .last = 0x277, .feature = Pat, .writable = kAll, .value = Value::PatTypes,
     .kept = &MsrState::pat},
    {.first = 0x2FF, .last = 0x2FF, .feature = Mtrr, .writable = 0xCFF, .kept = &MsrState::mtrr_default,
     .write = write_mtrr_default},
    // IA32_EFER, STAR, LSTAR, CSTAR, FMASK
    {.first = 0xC0000080, .last = 0xC0000080, .feature = LongMode, .writable = kAll, .read = read_efer,
     .write = write_efer},
    {.first = 0xC0000081, .last = 0xC0000081, .feature = LongMode, .writable = kAll, .kept = &MsrState::star},
    {.first = 0xC0000082, .last = 0xC0000082, .feature = LongMode, .writable = kAll,
     .value = Value::Canonical, .kept = &MsrState::lstar},
    {.first = 0xC0000083, .last = 0xC0000083, .feature = LongMode, .writable = kAll,
     .value = Value::Canonical, .kept = &MsrState::cstar},
    {.first = 0xC0000084, .last = 0xC0000084, .feature = LongMode, .writable = 0xFFFFFFFF,
     .kept = &MsrState::sfmask},
    // IA32_FS_BASE, GS_BASE, KERNEL_GS_BASE, TSC_AUX
    {.first = kFsBase, .last = kFsBase + 1, .feature = LongMode, .writable = kAll,
     .value = Value::Canonical, .read = read_segment_base, .write = write_segment_base},
    {.first = 0xC0000102, .last = 0xC0000102, .feature = LongMode, .writable = kAll,
     .value = Value::Canonical, .kept = &MsrState::kernel_gs_base},
    {.first = 0xC0000103, .last = 0xC0000103, .feature = Rdtscp, .writable = 0xFFFFFFFF,
     .kept = &MsrState::tsc_aux},
};

const Row* find_row(const CpuModel& model, u32 index)
{
    for (const Row& row : kRows)
        if (row.first <= index && index <= row.last)
            return model.has(row.feature) && model.at_least(row.level) && model.level <= row.last_level
                       ? &row
                       : nullptr;
    return nullptr;
}

}  // namespace

MsrState msrs_after_reset(const CpuModel& model)
{
    MsrState msr;
    if (model.has(Apic)) msr.apic_base = kApicBaseAfterReset;
    if (model.at_least(X64)) msr.misc_enable = kMiscFastStrings | kMiscFixed;
    return msr;
}

Fallible<u64> read_msr(Cpu& cpu, u32 index)
{
    const Row* row = find_row(cpu.model(), index);
    if (!row || index == kMicrocodeTrigger) return cpu.general_protection(), Fallible<u64>{};
    if (row->read) return row->read(cpu, index);
    return row->kept ? cpu.state.msr.*row->kept : 0;
}

bool write_msr(Cpu& cpu, u32 index, u64 value)
{
    const Row* row = find_row(cpu.model(), index);
    if (!row || row->writable == 0) return cpu.general_protection();
    u64 writable = row->writable;
    if (writable != kAll && (writable & kPhysical))
        writable = (writable & 0xFFF) | (((u64{1} << cpu.model().physical_bits()) - 1) & kPageMask);
    if ((value & ~writable) || !is_allowed(row->value, value)) return cpu.general_protection();
    if (row->write) return row->write(cpu, index, value);
    cpu.state.msr.*row->kept = value;
    return true;
}

}  // namespace reprise
