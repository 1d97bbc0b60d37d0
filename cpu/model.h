/// What kind of processor the guest sees.
#pragma once

#include <string_view>

#include "machine/base/types.h"

namespace reprise {

/// Generations in order: an instruction or behaviour belongs to one and all later ones.
enum class Level : u8 { I8086, I80286, I80386, I80486, Pentium, PentiumPro };

/// CPUID feature flags, leaf 1 EDX (SDM vol. 2A, CPUID, table 3-11).
enum Feature : u32 {
    kFeatureVme = 1 << 1,
    kFeatureDe = 1 << 2,
    kFeaturePse = 1 << 3,
    kFeatureTsc = 1 << 4,
    kFeatureMsr = 1 << 5,
    kFeatureCx8 = 1 << 8,
    kFeatureApic = 1 << 9,
};

struct CpuModel {
    std::string_view name;
    Level level;
    bool has_cpuid;
    u32 signature;  // CPUID.1:EAX: family, model, stepping; also EDX after reset
    u32 features;   // CPUID.1:EDX
    std::string_view description;

    bool at_least(Level other) const { return level >= other; }
    bool has(Feature feature) const { return (features & feature) != 0; }
};

inline constexpr CpuModel kCpuModels[] = {
    {"8086", Level::I8086, false, 0, 0, "Intel 8086, 1978: 16 bit, 1 MB"},
    {"80286", Level::I80286, false, 0, 0, "Intel 80286, 1982: 16 bit protected mode, 16 MB"},
    {"80386", Level::I80386, false, 0x0308, 0, "Intel 80386DX, 1985: 32 bit, paging"},
    {"80486", Level::I80486, true, 0x0435, kFeatureVme,
     "Intel 486SX with CPUID, 1993, no FPU"},
    {"pentium", Level::Pentium, true, 0x0543,
     kFeatureVme | kFeatureDe | kFeaturePse | kFeatureTsc | kFeatureMsr | kFeatureCx8,
     "Intel Pentium, 1993, integer unit"},
};

/// nullptr: no model of that name.
constexpr const CpuModel* find_cpu_model(std::string_view name)
{
    for (const CpuModel& model : kCpuModels)
        if (model.name == name) return &model;
    return nullptr;
}

}  // namespace reprise
