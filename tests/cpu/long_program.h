/// A bare CPU in 64-bit mode: four-level tables that map the first 2 MB to themselves, 64-bit
/// handlers that name their vector, and segments for compatibility mode and levels 0 and 3.
#pragma once

#include "tests/cpu/program.h"

namespace reprise {

class LongProgram : public Program {
public:
    static constexpr u64 kPml4 = 0x100000, kPdpt = 0x101000, kPd = 0x102000, kPt = 0x103000;
    static constexpr u64 kIst1 = 0x28000, kInnerStack = 0x2C000;
    // The first 2 MB again, in the upper half: through a PDPT of their own.
    static constexpr u64 kHigh = 0xFFFF800000000000;
    static constexpr u64 kNx = u64{1} << 63;
    static constexpr u32 G = 0x100;
    // Selectors; SYSRET wants 32-bit code, data and 64-bit code of level 3 in this order.
    static constexpr u16 kCs64 = 0x08, kDs64 = 0x10, kUserCs32 = 0x1B, kUserDs64 = 0x23,
                         kUserCs64 = 0x2B, kCs32 = 0x30, kTss64 = 0x38, kGate64 = 0x48,
                         kSpare64 = 0x58;

    explicit LongProgram(const Bytes& bytes = {}, u8 cpl = 0, const char* model = "x86-64-v2",
                         u64 ram = 4 << 20)
        : Program(model, ram)
    {
        start_long(bytes, cpl);
    }
    LongProgram(const CpuModel& model, const Bytes& bytes, u8 cpl = 0) : Program(model, 4 << 20)
    {
        start_long(bytes, cpl);
    }

    /// The leaf entry of a page in the first 2 MB. The TLB is not told.
    void map64(u64 linear, u64 entry) { set<u64>(pte64(linear), entry); }
    static u64 pte64(u64 linear) { return kPt + (linear >> 12 & 0x1FF) * 8; }

    void gate64(u32 v, u64 offset, u8 access, u8 ist = 0, u16 selector = kCs64)
    {
        set<u64>(kIdt + 16 * v, (offset & 0xFFFF) | u64{selector} << 16 | u64{ist} << 32 |
                                    u64{access} << 40 | (offset >> 16 & 0xFFFF) << 48);
        set<u64>(kIdt + 16 * v + 8, offset >> 32);
    }

    void set_level64(u8 cpl, u64 sp)
    {
        CpuState& s = cpu.state;
        s.cpl = cpl;
        const u16 dpl = static_cast<u16>(cpl << 5);
        for (Segment& segment : s.seg)
            segment = {cpl == 3 ? kUserDs64 : kDs64, 0, 0xFFFFFFFF, static_cast<u16>(0xC93 | dpl)};
        s.seg[CS] = {cpl == 3 ? kUserCs64 : kCs64, 0, 0xFFFFFFFF, static_cast<u16>(0xA9B | dpl)};
        s.gpr[RSP] = sp;
        cpu.state_loaded();
    }

    /// What INT or a fault has pushed, from the error code or RIP on.
    u64 pushed(u32 depth) const { return get<u64>(cpu.state.gpr[RSP] + 8 * depth); }
    /// The error code of the fault in whose handler the CPU halted.
    int error() const { return static_cast<int>(pushed(0)); }

private:
    void start_long(const Bytes& bytes, u8 cpl)
    {
        set<u64>(kPml4, kPdpt | P | W | U);
        set<u64>(kPml4 + 256 * 8, kPdpt | P | W | U);
        set<u64>(kPdpt, kPd | P | W | U);
        set<u64>(kPd, kPt | P | W | U);
        for (u64 page = 0; page < 512; ++page) map64(page << 12, page << 12 | P | W | U);

        descriptor(kCs64, 0, 0xFFFFF, 0x9B, 0xA);
        descriptor(kDs64, 0, 0xFFFFF, 0x93, 0xC);
        descriptor(kUserCs32, 0, 0xFFFFF, 0xFB, 0xC);
        descriptor(kUserDs64, 0, 0xFFFFF, 0xF3, 0xC);
        descriptor(kUserCs64, 0, 0xFFFFF, 0xFB, 0xA);
        descriptor(kCs32, 0, 0xFFFFF, 0x9B, 0xC);
        descriptor(kTss64, kTss, 0xFFF, 0x89, 0);
        for (u32 v = 0; v < 256; ++v) gate64(v, kHandlers + 16 * v, 0xEE);
        set<u64>(kTss + 4, kInnerStack);
        set<u64>(kTss + 36, kIst1);
        set<u16>(kTss + 0x66, 0x68);

        CpuState& s = cpu.state;
        s.cr0 = kCr0Pe | kCr0Pg | kCr0Et | kCr0Ne | kCr0Wp;
        s.cr3 = kPml4;
        s.cr4 = kCr4Pae | kCr4Pge;
        s.msr.efer = kEferLme | kEferLma | kEferNxe | kEferSce;
        s.gdtr = {kGdt, 0xFF};
        s.idtr = {kIdt, 0xFFF};
        s.tr = {kTss64, kTss, 0xFFF, 0x8B};
        s.rip = kCode;
        code(bytes);
        set_level64(cpl, cpl == 3 ? kUserStack : kStack);
    }
};

}  // namespace reprise
