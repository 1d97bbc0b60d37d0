#include "tests/cpu/host_oracle/guest.h"

#include <algorithm>

#include "cpu/fault.h"
#include "cpu/opcodes.h"

namespace reprise::oracle {

namespace {

// The system's own tables: physical addresses, and where they are mapped, for level 0 only.
constexpr u64 kRamBytes = 4 << 20;
constexpr u32 kSystem = 0x200000, kSystemLinear = 0xC0000000;
constexpr u32 kGdt = 0x0000, kIdt = 0x1000, kTss = 0x2000, kLdtTable = 0x3000, kHandlers = 0x4000,
              kStackTop = 0x7000, kSystemBytes = 0x8000;
constexpr u32 kDirectory = 0x210000, kAreaTable = 0x211000, kSystemTable = 0x212000;
constexpr u16 kKernelCs = 0x08, kKernelDs = 0x18, kTssSelector = 0x40, kLdtSelector = 0x50;
constexpr u16 kPerCpu = 0x78;  // data that says which CPU this is, to those who can read a limit
constexpr u32 kPresent = 1, kWritable = 2, kUser = 4;
constexpr u32 kHandlerBytes = 16;

Segment to_segment(u16 selector)
{
    const u64 raw = raw_descriptor(selector);
    if (raw == 0) return {selector, 0, 0, 0};
    Cpu::Descriptor d;
    d.raw = raw;
    return d.segment(selector);
}

bool has_error_code(int vector)
{
    return vector == kDoubleFault || (vector >= kInvalidTss && vector <= kPageFault) ||
           vector == kAlignmentCheck;
}

}  // namespace

Guest::Guest() : bus_(kRamBytes), cpu_(bus_, model())
{
    build_tables();
    CpuState& s = cpu_.state;
    s.cr0 = kCr0Pe | kCr0Pg | kCr0Wp | kCr0Am | kCr0Ne | kCr0Mp | kCr0Et;
    s.cr3 = kDirectory;
    s.cr4 = kCr4Osfxsr | kCr4Osxmmexcpt;
    s.gdtr = {kSystemLinear + kGdt, 0x7F};
    s.idtr = {kSystemLinear + kIdt, 0x7FF};
    s.tr = {kTssSelector, kSystemLinear + kTss, 0x67, 0x8B};
    s.ldtr = {kLdtSelector, kSystemLinear + kLdtTable, kLdtEntries * 8 - 1, 0x82};
    s.gpr = {};
    cpu_.state_loaded();
}

void Guest::build_tables()
{
    const u64 gdt = kSystem + kGdt;
    set<u64>(gdt + kKernelCs, raw_descriptor(0, 0xFFFFF, 0x9B, 0xC));
    set<u64>(gdt + kKernelDs, raw_descriptor(0, 0xFFFFF, 0x93, 0xC));
    for (const u16 selector : {kUserCs32, kUserDs, kUserCs64})
        set<u64>(gdt + (selector & ~7u), raw_descriptor(selector));
    set<u64>(gdt + kPerCpu, raw_descriptor(0, 0, 0xF5, 4));
    set<u64>(gdt + kTssSelector, raw_descriptor(kSystemLinear + kTss, 0x67, 0x8B, 0));
    set<u64>(gdt + kLdtSelector,
             raw_descriptor(kSystemLinear + kLdtTable, kLdtEntries * 8 - 1, 0x82, 0));
    for (u32 i = 0; i < kLdtEntries; ++i)
        set<u64>(kSystem + kLdtTable + i * 8, raw_descriptor(kLdt[i]));

    for (u32 v = 0; v < 256; ++v) {
        const u32 handler = kSystemLinear + kHandlers + kHandlerBytes * v;
        // User code may call the handlers of INT3 and INTO (Linux: idt.c).
        const u32 access = v == kBreakpoint || v == kOverflow ? 0xEE : 0x8E;
        set<u64>(kSystem + kIdt + 8 * v, (handler & 0xFFFF) | u64{kKernelCs} << 16 |
                                             u64{access} << 40 | u64{handler >> 16} << 48);
        set<u8>(kSystem + kHandlers + kHandlerBytes * v, 0xF4);  // HLT
    }
    set<u32>(kSystem + kTss + 4, kSystemLinear + kStackTop);
    set<u16>(kSystem + kTss + 8, kKernelDs);
    set<u16>(kSystem + kTss + 0x66, 0x68);

    set<u32>(kDirectory, kAreaTable | kPresent | kWritable | kUser);
    set<u32>(kDirectory + (kSystemLinear >> 22) * 4, kSystemTable | kPresent | kWritable);
    for (u32 i = 0; i < kPages.size(); ++i) {
        const u32 page = kArea + i * kPageBytes;
        const u32 rights = kPresent | kUser | (kPages[i] == PageKind::Data ? kWritable : 0);
        if (kPages[i] != PageKind::Hole) set<u32>(kAreaTable + (page >> 12) * 4, page | rights);
    }
    for (u32 i = 0; i < kSystemBytes; i += kPageBytes)
        set<u32>(kSystemTable + (i >> 12) * 4, (kSystem + i) | kPresent | kWritable);
}

void Guest::load(const TestCase& test)
{
    CpuState& s = cpu_.state;
    const Registers& r = test.start;
    std::copy(r.gpr.begin(), r.gpr.end(), s.gpr.begin());
    s.rip = r.rip;
    s.rflags = r.eflags | IF;
    s.halted = s.shutdown = s.interrupt_shadow = s.debug_shadow = false;
    s.pending_debug = 0;
    s.cr2 = 0;
    s.cpl = 3;
    for (const u8 seg : {ES, CS, SS, DS, FS, GS})
        cpu_.set_segment(seg, to_segment(r.selector[seg]));

    const FxImage& fx = r.fx;
    FpuState& f = s.fpu;
    f.control = fx.control;
    f.status = fx.status;
    f.full = fx.tags;
    f.opcode = fx.opcode;
    f.ip = fx.ip;
    f.data = fx.data;
    f.cs = f.ds = 0;
    for (u32 i = 0; i < 8; ++i)
        f.r[(f.top() + i) & 7] = {fx.st[i].low, static_cast<u16>(fx.st[i].high)};
    s.sse.xmm = fx.xmm;
    s.sse.mxcsr = fx.mxcsr;
    cpu_.update_mode();
    cpu_.memory_written(test.linear, test.length);
}

/// One instruction, with all iterations of a repeated one.
void Guest::execute(const TestCase& test)
{
    constexpr int kMaxIterations = 100'000;
    endless_ = false;
    const bool repeats = test.row >= 0 &&
                         (opcodes()[static_cast<std::size_t>(test.row)].rules & kStringOp) &&
                         (test.insn.prefixes & (kPrefixRep | kPrefixRepne));
    for (int i = 0; i < kMaxIterations; ++i) {
        cpu_.run(cpu_.state.clock + 1);
        if (!repeats || cpu_.state.cpl != 3 || cpu_.state.rip != test.start.rip) return;
    }
    endless_ = true;
}

Outcome Guest::run(const TestCase& test)
{
    load(test);
    execute(test);
    return outcome();
}

Outcome Guest::outcome() const
{
    const CpuState& s = cpu_.state;
    Outcome result;
    result.endless = endless_;
    Registers& r = result.end;
    std::copy_n(s.gpr.begin(), 16, r.gpr.begin());
    r.rip = s.rip;
    r.eflags = s.rflags;
    for (std::size_t i = 0; i < 6; ++i) r.selector[i] = s.seg[i].selector;
    if (s.cpl == 0) read_frame(result);
    const FpuState& f = s.fpu;
    FxImage& fx = r.fx;
    fx.control = f.control;
    fx.status = f.status;
    fx.tags = f.full;
    fx.opcode = f.opcode;
    fx.ip = f.ip;
    fx.data = f.data;
    for (u32 i = 0; i < 8; ++i) {
        const Float80& value = f.r[(f.top() + i) & 7];
        fx.st[i] = {value.significand, value.sign_exponent};
    }
    fx.xmm = s.sse.xmm;
    fx.mxcsr = s.sse.mxcsr;
    return result;
}

void Guest::read_frame(Outcome& result) const
{
    const CpuState& s = cpu_.state;
    result.vector = static_cast<int>((s.rip - kSystemLinear - kHandlers) / kHandlerBytes);
    result.cr2 = s.cr2;
    u64 at = s.gpr[RSP] - kSystemLinear + kSystem;
    const auto pop = [&] {
        const u32 value = get<u32>(at);
        at += 4;
        return value;
    };
    if (has_error_code(result.vector)) result.error_code = pop();
    Registers& r = result.end;
    r.rip = pop();
    r.selector[CS] = static_cast<u16>(pop());
    r.eflags = pop();
    r.gpr[RSP] = pop();
    r.selector[SS] = static_cast<u16>(pop());
}

}  // namespace reprise::oracle
