#include "tests/cpu/host_oracle/comparison.h"

#include <fmt/format.h>

#include <algorithm>

#include "cpu/fault.h"
#include "tests/cpu/host_oracle/generator.h"

namespace reprise::oracle {

namespace {

constexpr std::array<const char*, 16> kGprNames = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP",
                                                   "RSI", "RDI", "R8",  "R9",  "R10", "R11",
                                                   "R12", "R13", "R14", "R15"};
constexpr std::array<const char*, 6> kSegmentNames = {"ES", "CS", "SS", "DS", "FS", "GS"};

class Comparison {
public:
    explicit Comparison(const Results& r) : r_(r), host_(r.host.end), ours_(r.ours.end) {}

    std::vector<Difference> run()
    {
        ending();
        // Where 32-bit code is left, the upper halves are undefined (SDM vol. 1, 3.4.1.1).
        const bool wide = r_.test.mode == Mode::Bits64 && (host_.selector[CS] | 3) == kUserCs64;
        const u64 mask = wide ? ~u64{0} : 0xFFFFFFFF;
        for (std::size_t i = 0; i < 16; ++i)
            check(What::Register, kGprNames[i], host_.gpr[i] & mask, ours_.gpr[i] & mask);
        flags();
        // Of a null selector RPL is lost on the kernel's way out (SDM vol. 2A, IRET, "Return to
        // outer").
        const auto selector = [](u16 value) -> u16 { return value < 4 ? 0 : value; };
        for (std::size_t i = 0; i < 6; ++i)
            check(What::Selector, kSegmentNames[i], selector(host_.selector[i]),
                  selector(ours_.selector[i]));
        x87();
        for (std::size_t i = 0; i < 16; ++i) {
            const auto name = fmt::format("XMM{}", i);
            check(What::Xmm, name + " low", host_.fx.xmm[i].low, ours_.fx.xmm[i].low);
            check(What::Xmm, name + " high", host_.fx.xmm[i].high, ours_.fx.xmm[i].high);
        }
        check(What::Mxcsr, "MXCSR", host_.fx.mxcsr, ours_.fx.mxcsr);
        return std::move(found_);
    }

private:
    void check(What what, std::string_view name, u64 host, u64 ours)
    {
        if (host != ours)
            found_.push_back(
                {what, fmt::format("{}: host {:X}, we {:X}", name, host, ours), host, ours});
    }

    /// Ours ends behind the instruction, which is where the host finds an INT3, or cannot fetch
    /// one.
    void ending()
    {
        const u64 linear = ours_.rip + segment_base(ours_.selector[CS]);
        const bool traps = r_.ours.vector == kNoVector && linear >= kCode && linear < kCodeEnd;
        if (r_.ours.vector != kNoVector) {
            check_number(What::Vector, "vector", r_.host.vector, r_.ours.vector);
            check(What::Ip, "RIP", host_.rip, ours_.rip);
            if (r_.host.vector == r_.ours.vector) fault();
        } else if (traps) {
            check_number(What::Vector, "vector", r_.host.vector, kBreakpoint, "none");
            check(What::Ip, "RIP", host_.rip - (r_.host.vector == kBreakpoint), ours_.rip);
        } else {
            const bool cannot_fetch =
                r_.host.vector == kPageFault || r_.host.vector == kGeneralProtection;
            if (!cannot_fetch)
                check_number(What::Vector, "vector", r_.host.vector, kPageFault, "none");
            check(What::Ip, "RIP", host_.rip, ours_.rip);
        }
    }

    void check_number(What what, std::string_view name, int host, int ours,
                      std::string_view ours_is = {})
    {
        if (host == ours) return;
        found_.push_back({what,
                          fmt::format("{}: host {}, we {}", name, host,
                                      ours_is.empty() ? std::to_string(ours) : ours_is),
                          static_cast<u64>(host), static_cast<u64>(ours)});
    }

    void fault()
    {
        // Bit 0 of a page fault's code, "protection", tells where the system has its tables.
        const u32 mask = r_.ours.vector == kPageFault ? 0xFFFE : 0xFFFF;
        check(What::ErrorCode, "error code", r_.host.error_code & mask, r_.ours.error_code & mask);
        if (r_.ours.vector == kPageFault) check(What::Cr2, "CR2", r_.host.cr2, r_.ours.cr2);
    }

    void flags()
    {
        constexpr u32 kCompared = kArithmeticFlags | DF | TF | NT | AC | ID;
        const Opcode* row = r_.row();
        const u32 undefined = row && r_.ours.vector == kNoVector ? row->flags.undefined : 0;
        check(What::Flags, "EFLAGS", host_.eflags & kCompared & ~undefined,
              ours_.eflags & kCompared & ~undefined);
        check(What::UndefinedFlags, "undefined flags", host_.eflags & undefined,
              ours_.eflags & undefined);
    }

    void x87()
    {
        const FxImage& a = host_.fx;
        const FxImage& b = ours_.fx;
        check(What::X87, "FCW", a.control, b.control);
        check(What::X87, "FSW", a.status, b.status);
        check(What::X87, "FTW", a.tags, b.tags);
        check(What::X87Pointer, "FOP", a.opcode & 0x7FF, b.opcode & 0x7FF);
        check(What::X87Pointer, "FIP", static_cast<u32>(a.ip), static_cast<u32>(b.ip));
        check(What::X87Pointer, "FDP", static_cast<u32>(a.data), static_cast<u32>(b.data));
        for (std::size_t i = 0; i < 8; ++i) {
            check(What::X87, fmt::format("ST{} significand", i), a.st[i].low, b.st[i].low);
            check(What::X87, fmt::format("ST{} sign and exponent", i), a.st[i].high & 0xFFFF,
                  b.st[i].high & 0xFFFF);
        }
    }

    const Results& r_;
    const Registers& host_;
    const Registers& ours_;
    std::vector<Difference> found_;
};

std::string code_of(const TestCase& test)
{
    std::string text;
    for (std::size_t i = 0; i < test.length; ++i)
        text += fmt::format("{}{:02X}", i ? " " : "", test.code[i]);
    return text;
}

constexpr std::array<const char*, 3> kModeNames = {"16", "32", "64"};

/// How many bytes of the code are prefixes.
std::size_t prefixes(const TestCase& test)
{
    constexpr std::array<u8, 11> kPrefixes = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65,
                                              0x66, 0x67, 0xF0, 0xF2, 0xF3};
    std::size_t i = 0;
    while (i < test.code.size() && (std::ranges::find(kPrefixes, test.code[i]) != kPrefixes.end() ||
                                    (test.mode == Mode::Bits64 && (test.code[i] & 0xF0) == 0x40)))
        ++i;
    return i;
}

}  // namespace

bool Results::named(std::initializer_list<std::string_view> names) const
{
    return std::ranges::find(names, name_of(test)) != names.end();
}

int Results::opcode() const
{
    const std::size_t i = prefixes(test);
    if (i + 3 > test.code.size()) return -1;
    if (test.code[i] != 0x0F) return test.code[i];
    const int byte = test.code[i + 1];
    if (byte != 0x38 && byte != 0x3A) return 0x100 | byte;
    return (byte == 0x38 ? 0x200 : 0x300) | test.code[i + 2];
}

int Results::modrm_reg() const
{
    const std::size_t i = prefixes(test) + 2;
    return i < test.code.size() ? test.code[i] >> 3 & 7 : -1;
}

std::vector<Difference> compare(const Results& results) { return Comparison(results).run(); }

std::string_view name_of(const TestCase& test)
{
    return test.row < 0 ? "(undefined)" : opcodes()[static_cast<std::size_t>(test.row)].mnemonic;
}

std::string describe(const Results& results, std::span<const Difference> differences)
{
    const TestCase& test = results.test;
    const Registers& start = test.start;
    std::string text =
        fmt::format("{} bit, {}: {}\n", kModeNames[static_cast<std::size_t>(test.mode)],
                    name_of(test), code_of(test));
    for (const Difference& d : differences) text += fmt::format("    {}\n", d.text);
    text += fmt::format("  start: RIP {:X} EFLAGS {:X}", start.rip, start.eflags);
    for (std::size_t i = 0; i < 6; ++i)
        text += fmt::format(" {} {:04X}", kSegmentNames[i], start.selector[i]);
    const std::size_t registers = test.mode == Mode::Bits64 ? 16 : 8;
    for (std::size_t i = 0; i < registers; ++i)
        text += fmt::format("{}{} {:X}", i % 8 ? " " : "\n    ", kGprNames[i], start.gpr[i]);
    if (test.row >= 0 && class_of(*results.row()) != Class::Integer) {
        const FxImage& fx = start.fx;
        text += fmt::format("\n    FCW {:04X} FSW {:04X} FTW {:02X} MXCSR {:X}", fx.control,
                            fx.status, fx.tags, fx.mxcsr);
        for (std::size_t i = 0; i < 8; ++i)
            text += fmt::format("{}ST{} {:04X}:{:016X}", i % 4 ? " " : "\n    ", i, fx.st[i].high,
                                fx.st[i].low);
        for (std::size_t i = 0; i < registers; ++i)
            text += fmt::format("{}XMM{} {:016X}:{:016X}", i % 4 ? " " : "\n    ", i,
                                fx.xmm[i].high, fx.xmm[i].low);
    }
    for (const Patch& p : test.patches) {
        text += fmt::format("\n    at {:X}:", p.address);
        for (u32 i = 0; i < p.size; ++i) text += fmt::format(" {:02X}", p.bytes[i]);
    }
    return text + '\n';
}

}  // namespace reprise::oracle
