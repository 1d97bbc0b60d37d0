#include "tests/cpu/host_oracle/guest.h"

#include <algorithm>

#include "cpu/fault.h"
#include "cpu/opcodes.h"

namespace reprise::oracle {

namespace {

// The system's own tables: physical addresses, and where they are mapped, for level 0 only.
constexpr u64 kRamBytes = 4 << 20;
constexpr u64 kSystem = 0x200000, kSystemLinear = 0xFFFF'8000'0000'0000;
constexpr u32 kGdt = 0x0000, kIdt = 0x1000, kTss = 0x2000, kLdtTable = 0x3000, kHandlers = 0x4000,
              kStackTop = 0x7000, kSystemBytes = 0x8000;
// Page tables: PML4, then PDPT, directory and table of the area, and those of the system.
constexpr u64 kPml4 = 0x210000, kAreaTables = 0x211000, kSystemTables = 0x214000;
constexpr u16 kKernelCs = 0x10, kTssSelector = 0x40, kLdtSelector = 0x50;
constexpr u16 kPerCpu = 0x78;  // data that says which CPU this is, to those who can read a limit
constexpr u32 kGdtBytes = 0x80, kTssBytes = 0x68;
constexpr u64 kPresent = 1, kWritable = 2, kUser = 4, kNoExecute = u64{1} << 63;
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

/// Its own vector looks like that of the INT3 behind it.
bool is_software_interrupt(const TestCase& test)
{
    if (test.row < 0) return false;
    const u16 code = opcodes()[static_cast<std::size_t>(test.row)].code;
    return (code >= 0xCC && code <= 0xCE) || code == 0xF1;
}

}  // namespace

/// As Linux has it: IA-32e mode for code of all sizes.
Guest::Guest(Engine engine) : bus_(kRamBytes), cpu_(bus_, model())
{
    cpu_.set_engine(engine, 1);
    build_descriptors();
    build_handlers();
    build_page_tables();
    CpuState& s = cpu_.state;
    s.cr0 = kCr0Pe | kCr0Pg | kCr0Wp | kCr0Am | kCr0Ne | kCr0Mp | kCr0Et;
    s.cr3 = kPml4;
    s.cr4 = kCr4Pae | kCr4Osfxsr | kCr4Osxmmexcpt;
    s.msr.efer = kEferLme | kEferLma | kEferNxe | kEferSce;
    s.gdtr = {kSystemLinear + kGdt, kGdtBytes - 1};
    s.idtr = {kSystemLinear + kIdt, 0xFFF};
    s.tr = {kTssSelector, kSystemLinear + kTss, kTssBytes - 1, 0x8B};
    s.ldtr = {kLdtSelector, kSystemLinear + kLdtTable, kLdtEntries * 8 - 1, 0x82};
    s.gpr = {};
    cpu_.state_loaded();
}

void Guest::build_descriptors()
{
    const u64 gdt = kSystem + kGdt;
    const auto system_segment = [&](u16 selector, u32 offset, u32 limit, u8 access) {
        const u64 base = kSystemLinear + offset;
        set<u64>(gdt + selector, raw_descriptor(static_cast<u32>(base), limit, access, 0));
        set<u64>(gdt + selector + 8, base >> 32);
    };
    set<u64>(gdt + kKernelCs, raw_descriptor(0, 0xFFFFF, 0x9B, 0xA));
    for (const u16 selector : {kUserCs32, kUserDs, kUserCs64})
        set<u64>(gdt + (selector & ~7u), raw_descriptor(selector));
    set<u64>(gdt + kPerCpu, raw_descriptor(0, 0, 0xF5, 4));
    system_segment(kTssSelector, kTss, kTssBytes - 1, 0x8B);
    system_segment(kLdtSelector, kLdtTable, kLdtEntries * 8 - 1, 0x82);
    for (u32 i = 0; i < kLdtEntries; ++i)
        set<u64>(kSystem + kLdtTable + i * 8, raw_descriptor(kLdt[i]));
}

void Guest::build_handlers()
{
    for (u32 v = 0; v < 256; ++v) {
        const u64 handler = kSystemLinear + kHandlers + kHandlerBytes * v;
        // User code may call the handlers of INT3 and INTO (Linux: idt.c).
        const u64 access = v == kBreakpoint || v == kOverflow ? 0xEE : 0x8E;
        const u64 gate = kSystem + kIdt + 16 * v;
        set<u64>(gate, (handler & 0xFFFF) | u64{kKernelCs} << 16 | access << 40 |
                           (handler >> 16 & 0xFFFF) << 48);
        set<u64>(gate + 8, handler >> 32);
        set<u8>(kSystem + kHandlers + kHandlerBytes * v, 0xF4);  // HLT
    }
    set<u64>(kSystem + kTss + 4, kSystemLinear + kStackTop);
    set<u16>(kSystem + kTss + 0x66, kTssBytes);
}

void Guest::build_page_tables()
{
    const auto map = [&](u64 tables, u64 linear, u64 physical, u64 rights) {
        const u64 upper = kPresent | kWritable | kUser;
        set<u64>(kPml4 + (linear >> 39 & 0x1FF) * 8, tables | upper);
        set<u64>(tables + (linear >> 30 & 0x1FF) * 8, (tables + 0x1000) | upper);
        set<u64>(tables + 0x1000 + (linear >> 21 & 0x1FF) * 8, (tables + 0x2000) | upper);
        set<u64>(tables + 0x2000 + (linear >> 12 & 0x1FF) * 8, physical | rights);
    };
    for (u32 i = 0; i < kPages.size(); ++i) {
        const u64 page = kArea + i * kPageBytes;
        const u64 rights = kPresent | kUser | (kPages[i] == PageKind::Data ? kWritable : 0) |
                           (kPages[i] == PageKind::Code ? 0 : kNoExecute);
        if (kPages[i] != PageKind::Hole) map(kAreaTables, page, page, rights);
    }
    for (u64 i = 0; i < kSystemBytes; i += kPageBytes)
        map(kSystemTables, kSystemLinear + i, kSystem + i, kPresent | kWritable);
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
    if (test.mode == Mode::Bits64) {
        cpu_.set_segment_base(FS, test.fs_base);
        cpu_.set_segment_base(GS, test.gs_base);
    }

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
    // INT3 is again where the last one was.
    cpu_.memory_written(last_code_, sizeof test.code);
    last_code_ = test.linear;
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

/// A budget that host code can be entered with: it goes on into the INT3 behind the instruction, or
/// whatever else is where it jumped to.
void Guest::execute_translated(const TestCase& test)
{
    constexpr u64 kBudget = 100'000;
    first_ip_ = test.start.rip;
    behind_ = Behind::Unknown;
    cpu_.on_vector = [this](const Fault& fault, bool) { return stops_at(fault); };
    cpu_.run(cpu_.state.clock + kBudget);
    cpu_.on_vector = nullptr;
    // As the host's handler does.
    if (behind_ == Behind::Breakpoint) --cpu_.state.rip;
    endless_ = behind_ == Behind::Unknown && cpu_.state.cpl == 3;
}

/// Is this vector not the instruction's own? Then it is not delivered.
bool Guest::stops_at(const Fault& fault)
{
    if (cpu_.state.cpl != 3) return false;
    if (fault.vector == kBreakpoint) behind_ = Behind::Breakpoint;
    else if (cpu_.state.rip != first_ip_) behind_ = Behind::Fault;
    return behind_ != Behind::Unknown;
}

Outcome Guest::run(const TestCase& test)
{
    load(test);
    if (cpu_.engine() == Engine::Translator && !is_software_interrupt(test))
        execute_translated(test);
    else execute(test);
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
        const u64 value = get<u64>(at);
        at += 8;
        return value;
    };
    if (has_error_code(result.vector)) result.error_code = static_cast<u32>(pop());
    Registers& r = result.end;
    r.rip = pop();
    r.selector[CS] = static_cast<u16>(pop());
    r.eflags = static_cast<u32>(pop());
    r.gpr[RSP] = pop();
    r.selector[SS] = static_cast<u16>(pop());
}

}  // namespace reprise::oracle
