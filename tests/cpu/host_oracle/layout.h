/// Where everything is that a test can see: the same linear addresses and selectors on both
/// processors.
#pragma once

#include <array>

#include "machine/base/types.h"

namespace reprise::oracle {

enum class Mode : u8 { Bits16, Bits32, Bits64 };

inline constexpr u32 kPageBytes = 0x1000;

/// What a test works in: 64 KB, so that 16-bit addresses reach all of it and wrap around in it.
inline constexpr u32 kArea = 0x100000, kAreaBytes = 0x10000;

enum class PageKind : u8 { Hole, Data, ReadOnly, Code };

inline constexpr std::array<PageKind, kAreaBytes / kPageBytes> kPages = [] {
    std::array<PageKind, kAreaBytes / kPageBytes> pages{};
    pages[0] = pages[4] = pages[5] = pages[15] = PageKind::Data;
    pages[6] = PageKind::ReadOnly;
    pages[8] = pages[9] = PageKind::Code;
    return pages;
}();
inline constexpr u32 kCode = kArea + 0x8000, kCodeEnd = kArea + 0xA000;

/// Selectors of Linux (arch/x86/include/asm/segment.h), which the emulated processor gets too.
inline constexpr u16 kUserCs32 = 0x23, kUserDs = 0x2B, kUserCs64 = 0x33;

/// A descriptor of the LDT, as modify_ldt(2) makes it: code or data of level 3, accessed.
struct LdtEntry {
    u32 base;
    u32 limit;
    u8 contents;  // 0 data, 1 data that expands down, 2 code
    bool read_exec_only;
    bool big;    // D or B
    bool pages;  // G
    bool present;
};

enum LdtIndex : u8 {
    kCode16,
    kData16,
    kData32,
    kShortData,
    kDownData16,
    kReadOnlyData,
    kCode32,
    kExecuteOnly,
    kDownData32,
    kAbsentData,
    kFlatCode32,
    kFlatCode16,
    kLdtEntries
};

inline constexpr std::array<LdtEntry, kLdtEntries> kLdt = {{
    {kArea, 0xFFFF, 2, false, false, false, true},
    {kArea, 0xFFFF, 0, false, false, false, true},
    {kArea, 0xFFFF, 0, false, true, false, true},
    {kArea, 0x4FF6, 0, false, true, false, true},
    {kArea, 0x3FFF, 1, false, false, false, true},
    {kArea, 0xFFFF, 0, true, true, false, true},
    {kArea, 0xFFFF, 2, false, true, false, true},
    {kArea, 0xFFFF, 2, true, false, false, true},
    {kArea, 0x3FFF, 1, false, true, false, true},
    {kArea, 0xFFFF, 0, false, true, false, false},
    {0, 0xFFFFF, 2, false, true, true, true},
    {0, 0xFFFFF, 2, false, false, true, true},
}};

constexpr u16 ldt_selector(LdtIndex index) { return static_cast<u16>(index << 3 | 7); }

/// The descriptor as it stands in memory (SDM vol. 3A, 3.4.5).
constexpr u64 raw_descriptor(u32 base, u32 limit, u16 access, u8 flags)
{
    return (limit & 0xFFFF) | u64{base & 0xFFFFFF} << 16 | u64{access} << 40 |
           u64{limit >> 16 & 0xF} << 48 | u64{flags} << 52 | u64{base >> 24} << 56;
}
constexpr u64 raw_descriptor(const LdtEntry& e)
{
    const u16 type = static_cast<u16>(1 | (e.read_exec_only ? 0 : 2) | e.contents << 2);
    const u16 access = static_cast<u16>(0x70 | (e.present ? 0x80 : 0) | type);
    return raw_descriptor(e.base, e.limit, access,
                          static_cast<u8>((e.big ? 4 : 0) | (e.pages ? 8 : 0)));
}

inline constexpr u64 kGdtCode32 = raw_descriptor(0, 0xFFFFF, 0xFB, 0xC);
inline constexpr u64 kGdtData = raw_descriptor(0, 0xFFFFF, 0xF3, 0xC);
inline constexpr u64 kGdtCode64 = raw_descriptor(0, 0xFFFFF, 0xFB, 0xA);

/// What a selector of user mode stands for; 0: nothing.
constexpr u64 raw_descriptor(u16 selector)
{
    if (selector & 4) return selector >> 3 < kLdtEntries ? raw_descriptor(kLdt[selector >> 3]) : 0;
    switch (selector | 3) {
    case kUserCs32: return kGdtCode32;
    case kUserDs: return kGdtData;
    case kUserCs64: return kGdtCode64;
    default: return 0;
    }
}
/// Its D or B bit.
constexpr bool is_big(u16 selector) { return raw_descriptor(selector) >> 54 & 1; }
constexpr u32 segment_base(u16 selector)
{
    return selector & 4 && selector >> 3 < kLdtEntries ? kLdt[selector >> 3].base : 0;
}

}  // namespace reprise::oracle
