#include "cpu/cpuid.h"

#include <algorithm>
#include <array>
#include <string>

#include "cpu/cpu.h"

namespace reprise {

namespace {

constexpr u32 kExtended = 0x80000000;

u32 highest_basic(const Cpu& cpu)
{
    if (!cpu.at_least(Level::PentiumPro)) return 1;
    constexpr u64 kLimitCpuid = 1 << 22;  // IA32_MISC_ENABLE
    const bool limited = (cpu.state.msr.misc_enable & kLimitCpuid) != 0;
    return cpu.at_least(Level::X64) && !limited ? 7 : 2;
}

u32 highest_extended(const Cpu& cpu) { return cpu.at_least(Level::X64) ? kExtended + 8 : 0; }

/// Features that come and go with a register.
bool is_shown(const Cpu& cpu, Feature feature)
{
    constexpr u64 kApicEnabled = 1 << 11;
    switch (feature) {
    case Feature::Apic: return (cpu.state.msr.apic_base & kApicEnabled) != 0;
    case Feature::Syscall: return cpu.mode64();  // Intel's is undefined elsewhere
    default: return true;
    }
}

void add_features(const Cpu& cpu, u32 leaf, CpuidLeaf& result)
{
    for (const CpuidFlag& f : kCpuidFlags) {
        if (f.leaf != leaf || !cpu.model().has(f.feature) || !is_shown(cpu, f.feature)) continue;
        (f.reg == 'b' ? result.ebx : f.reg == 'c' ? result.ecx : result.edx) |= 1u << f.bit;
    }
}

CpuidLeaf version(const Cpu& cpu)
{
    CpuidLeaf result;
    result.eax = cpu.model().signature;
    // Bits 15..8: CLFLUSH flushes 8 quadwords; 23..16: one logical processor.
    if (cpu.model().has(Feature::Clfsh)) result.ebx = 1 << 16 | 8 << 8;
    add_features(cpu, 1, result);
    return result;
}

/// Descriptors of SDM table 3-12: TLBs, 16 KB of each first level cache, and 512 KB (43) or 256 KB
/// (82) of second level; or FF: see leaf 4.
CpuidLeaf cache_descriptors(const Cpu& cpu)
{
    if (cpu.at_least(Level::X64)) return {0xFF01, 0, 0, 0};
    return {0x03020101, 0, 0, cpu.model().has(Feature::Sse) ? 0x0C040882u : 0x0C040843u};
}

/// Deterministic cache parameters: lines of 64 bytes, 32 KB and 32 KB of 8 ways, 4 MB of 16 ways.
CpuidLeaf cache_parameters(u32 subleaf)
{
    struct Cache {
        u32 type, level, ways, sets;
    };
    static constexpr Cache kCaches[] = {{1, 1, 8, 64}, {2, 1, 8, 64}, {3, 2, 16, 4096}};
    if (subleaf >= std::size(kCaches)) return {};
    const Cache& c = kCaches[subleaf];
    constexpr u32 kSelfInitializing = 1 << 8, kLine = 64;
    return {c.type | c.level << 5 | kSelfInitializing, (c.ways - 1) << 22 | (kLine - 1), c.sets - 1,
            0};
}

CpuidLeaf basic(const Cpu& cpu, u32 leaf, u32 subleaf)
{
    switch (leaf) {
    case 0: return {highest_basic(cpu), 0x756E6547, 0x6C65746E, 0x49656E69};  // "GenuineIntel"
    case 1: return version(cpu);
    case 2: return cache_descriptors(cpu);
    case 4: return cache_parameters(subleaf);
    case 7: {
        CpuidLeaf result;
        if (subleaf == 0) add_features(cpu, 7, result);
        return result;
    }
    default: return {};  // no serial number, MONITOR or thermal sensor
    }
}

/// 48 characters in three leaves.
CpuidLeaf brand(const Cpu& cpu, u32 leaf)
{
    std::string text = "Reprise " + std::string(cpu.model().name) + " processor";
    text.resize(48, '\0');
    const auto word = [&](u32 i) {
        u32 value = 0;
        for (u32 byte = 0; byte < 4; ++byte)
            value |= u32{static_cast<u8>(text[(leaf - kExtended - 2) * 16 + i * 4 + byte])}
                     << 8 * byte;
        return value;
    };
    return {word(0), word(1), word(2), word(3)};
}

CpuidLeaf extended(const Cpu& cpu, u32 leaf)
{
    CpuidLeaf result;
    switch (leaf - kExtended) {
    case 0: result.eax = highest_extended(cpu); break;
    case 1: add_features(cpu, leaf, result); break;
    case 2:
    case 3:
    case 4: return brand(cpu, leaf);
    case 6: result.ecx = 4096u << 16 | 8 << 12 | 64; break;  // second level: KB, 16 ways, line
    case 7: result.edx = 1 << 8; break;  // the TSC counts at one rate, whatever the CPU does
    case 8: result.eax = static_cast<u32>(cpu.model().physical_bits()) | 48 << 8; break;
    default: break;
    }
    return result;
}

}  // namespace

/// A leaf above the highest gives the data of the highest basic one.
CpuidLeaf cpuid(const Cpu& cpu, u32 leaf, u32 subleaf)
{
    if (leaf >= kExtended && leaf <= highest_extended(cpu)) return extended(cpu, leaf);
    return basic(cpu, std::min(leaf, highest_basic(cpu)), subleaf);
}

}  // namespace reprise
