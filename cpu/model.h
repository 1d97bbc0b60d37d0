/// What kind of processor the guest sees.
#pragma once

#include <initializer_list>
#include <string_view>

#include "machine/base/types.h"

namespace reprise {

/// Generations in order: an instruction or behaviour belongs to one and all later ones.
enum class Level : u8 { I8086, I80286, I80386, I80486, Pentium, PentiumPro, X64 };

/// What a model has besides its generation: the feature flags of CPUID, by the SDM's names (vol. 2A,
/// CPUID, tables 3-10, 3-11 and 3-8). Where CPUID shows each is in kCpuidFlags.
enum class Feature : u8 {
    None,  // of an opcode: nothing but its level
    Fpu, Vme, De, Pse, Tsc, Msr, Pae, Mce, Cx8, Apic, Sep, Mtrr, Pge, Mca, Cmov, Pat, Pse36, Clfsh,
    Mmx, Fxsr, Sse, Sse2, Sse3, Ssse3, Cx16, Sse41, Sse42, Popcnt,
    Syscall, Nx, Page1Gb, Rdtscp, LongMode, LahfSahf64,
    FsGsBase, Smep, Smap, Umip, ArchCapabilities,
    kCount
};

class FeatureSet {
public:
    constexpr FeatureSet() = default;
    constexpr FeatureSet(std::initializer_list<Feature> features)
    {
        for (const Feature f : features) bits_ |= bit(f);
    }

    static constexpr FeatureSet all()
    {
        FeatureSet set;
        set.bits_ = bit(Feature::kCount) - 1;
        return set;
    }

    /// Everybody has None.
    constexpr bool has(Feature f) const { return f == Feature::None || (bits_ & bit(f)) != 0; }
    constexpr FeatureSet operator|(FeatureSet other) const
    {
        other.bits_ |= bits_;
        return other;
    }

private:
    static constexpr u64 bit(Feature f) { return u64{1} << static_cast<int>(f); }

    u64 bits_ = 0;
};

/// Where CPUID shows a feature.
struct CpuidFlag {
    Feature feature;
    u32 leaf;
    char reg;  // 'b', 'c' or 'd' for EBX, ECX, EDX
    u8 bit;
};

inline constexpr CpuidFlag kCpuidFlags[] = {
    {Feature::Fpu, 1, 'd', 0},       {Feature::Vme, 1, 'd', 1},
    {Feature::De, 1, 'd', 2},        {Feature::Pse, 1, 'd', 3},
    {Feature::Tsc, 1, 'd', 4},       {Feature::Msr, 1, 'd', 5},
    {Feature::Pae, 1, 'd', 6},       {Feature::Mce, 1, 'd', 7},
    {Feature::Cx8, 1, 'd', 8},       {Feature::Apic, 1, 'd', 9},
    {Feature::Sep, 1, 'd', 11},      {Feature::Mtrr, 1, 'd', 12},
    {Feature::Pge, 1, 'd', 13},      {Feature::Mca, 1, 'd', 14},
    {Feature::Cmov, 1, 'd', 15},     {Feature::Pat, 1, 'd', 16},
    {Feature::Pse36, 1, 'd', 17},    {Feature::Clfsh, 1, 'd', 19},
    {Feature::Mmx, 1, 'd', 23},      {Feature::Fxsr, 1, 'd', 24},
    {Feature::Sse, 1, 'd', 25},      {Feature::Sse2, 1, 'd', 26},
    {Feature::Sse3, 1, 'c', 0},      {Feature::Ssse3, 1, 'c', 9},
    {Feature::Cx16, 1, 'c', 13},     {Feature::Sse41, 1, 'c', 19},
    {Feature::Sse42, 1, 'c', 20},    {Feature::Popcnt, 1, 'c', 23},
    {Feature::Syscall, 0x80000001, 'd', 11}, {Feature::Nx, 0x80000001, 'd', 20},
    {Feature::Page1Gb, 0x80000001, 'd', 26}, {Feature::Rdtscp, 0x80000001, 'd', 27},
    {Feature::LongMode, 0x80000001, 'd', 29}, {Feature::LahfSahf64, 0x80000001, 'c', 0},
    {Feature::FsGsBase, 7, 'b', 0},  {Feature::Smep, 7, 'b', 7},
    {Feature::Smap, 7, 'b', 20},     {Feature::Umip, 7, 'c', 2},
    {Feature::ArchCapabilities, 7, 'd', 29},
};

struct CpuModel {
    std::string_view name;
    Level level;
    bool has_cpuid;
    u32 signature;  // CPUID.1:EAX: family, model, stepping; also EDX after reset
    FeatureSet features;
    std::string_view description;

    bool at_least(Level other) const { return level >= other; }
    bool has(Feature feature) const { return features.has(feature); }
    /// MAXPHYADDR (SDM vol. 3A, 4.1.4).
    int physical_bits() const
    {
        if (has(Feature::LongMode)) return 40;
        return has(Feature::Pae) || has(Feature::Pse36) ? 36 : 32;
    }
};

namespace models {

using enum Feature;

inline constexpr FeatureSet kI486{Fpu, Vme};
inline constexpr FeatureSet kPentium = kI486 | FeatureSet{De, Pse, Tsc, Msr, Mce, Cx8};
inline constexpr FeatureSet kPentiumMmx = kPentium | FeatureSet{Mmx};
inline constexpr FeatureSet kPentium2 =
    kPentiumMmx | FeatureSet{Pae, Apic, Sep, Mtrr, Pge, Mca, Cmov, Pat, Pse36, Fxsr};
inline constexpr FeatureSet kPentium3 = kPentium2 | FeatureSet{Sse};
inline constexpr FeatureSet kX64 =
    kPentium3 | FeatureSet{Clfsh, Sse2, Syscall, Nx, LongMode, ArchCapabilities};
inline constexpr FeatureSet kX64V2 =
    kX64 | FeatureSet{Sse3, Ssse3, Cx16, Sse41, Sse42, Popcnt, LahfSahf64, Rdtscp, Page1Gb};

}  // namespace models

inline constexpr CpuModel kCpuModels[] = {
    {"8086", Level::I8086, false, 0, {}, "Intel 8086, 1978: 16 bit, 1 MB"},
    {"80286", Level::I80286, false, 0, {}, "Intel 80286, 1982: 16 bit protected mode, 16 MB"},
    {"80386", Level::I80386, false, 0x0308, {}, "Intel 80386DX, 1985: 32 bit, paging"},
    {"80486", Level::I80486, true, 0x0435, models::kI486, "Intel 486DX with CPUID, 1993"},
    {"pentium", Level::Pentium, true, 0x052C, models::kPentium, "Intel Pentium, 1993"},
    {"pentium-mmx", Level::Pentium, true, 0x0543, models::kPentiumMmx, "Intel Pentium MMX, 1997"},
    {"pentium2", Level::PentiumPro, true, 0x0652, models::kPentium2,
     "Intel Pentium II, 1997: PAE, APIC, CMOV"},
    {"pentium3", Level::PentiumPro, true, 0x0686, models::kPentium3, "Intel Pentium III, 1999: SSE"},
    {"x86-64", Level::X64, true, 0x06FB, models::kX64, "64 bit with SSE2: what every such processor has"},
    {"x86-64-v2", Level::X64, true, 0x0106A5, models::kX64V2, "64 bit with SSE4.2 and POPCNT, as of 2008"},
};

/// nullptr: no model of that name.
constexpr const CpuModel* find_cpu_model(std::string_view name)
{
    for (const CpuModel& model : kCpuModels)
        if (model.name == name) return &model;
    return nullptr;
}

}  // namespace reprise
