/// Model specific registers: SDM vol. 4, chapter 2. What an address means, and to which models, is
/// one row of the table in msr.cpp.
#pragma once

#include <array>

#include "cpu/fault.h"
#include "machine/base/fields.h"

namespace reprise {

class Cpu;
struct CpuModel;

/// IA32_EFER (SDM vol. 3A, 2.2.1).
enum Efer : u32 {
    kEferSce = 1u << 0,
    kEferLme = 1u << 8,
    kEferLma = 1u << 10,
    kEferNxe = 1u << 11
};

/// Those that are not part of another register: FS and GS have their bases in the segment register,
/// and the TSC follows from the clock.
struct MsrState {
    u64 efer = 0;
    u64 star = 0, lstar = 0, cstar = 0, sfmask = 0;
    u64 kernel_gs_base = 0;
    u64 tsc_aux = 0;
    u64 sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
    u64 apic_base = 0;
    u64 pat = 0x0007040600070406;  // after RESET (SDM vol. 3A, table 11-12)
    u64 mtrr_default = 0;
    std::array<u64, 11> mtrr_fixed{};
    std::array<u64, 16> mtrr_variable{};  // base and mask in turn
    u64 misc_enable = 0;
    u64 microcode_signature = 0;
    u64 mcg_status = 0;
    u64 debug_control = 0;

    constexpr void visit(auto& v)
    {
        v("efer", efer);
        v("star", star);
        v("lstar", lstar);
        v("cstar", cstar);
        v("sfmask", sfmask);
        v("kernel_gs_base", kernel_gs_base);
        v("tsc_aux", tsc_aux);
        v("sysenter_cs", sysenter_cs);
        v("sysenter_esp", sysenter_esp);
        v("sysenter_eip", sysenter_eip);
        v("apic_base", apic_base);
        v("pat", pat);
        v("mtrr_default", mtrr_default);
        v("mtrr_fixed", mtrr_fixed);
        v("mtrr_variable", mtrr_variable);
        v("misc_enable", misc_enable);
        v("microcode_signature", microcode_signature);
        v("mcg_status", mcg_status);
        v("debug_control", debug_control);
    }
};

static_assert(visits_every_member<MsrState>);

MsrState msrs_after_reset(const CpuModel& model);

/// RDMSR and WRMSR. #GP(0): the model has no such register, or a reserved bit was to be set.
Fallible<u64> read_msr(Cpu& cpu, u32 index);
[[nodiscard]] bool write_msr(Cpu& cpu, u32 index, u64 value);

}  // namespace reprise
