#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "cpu/fault.h"
#include "tests/cpu/host_oracle/comparison.h"
#include "tests/cpu/host_oracle/generator.h"

namespace reprise::oracle {

namespace {

/// Two pairs of floats whose values are within 2^-10 of each other, or of 0 as tiny results may be.
bool are_close(u64 a, u64 b)
{
    for (const int shift : {0, 32}) {
        const float x = std::bit_cast<float>(static_cast<u32>(a >> shift));
        const float y = std::bit_cast<float>(static_cast<u32>(b >> shift));
        const bool same = static_cast<u32>(a >> shift) == static_cast<u32>(b >> shift);
        const float tiny = 2 * std::numeric_limits<float>::min();
        if (!same && !(std::abs(x - y) <= std::abs(x) / 1024 + tiny)) return false;
    }
    return true;
}

/// Does a memory operand with a 16-bit address reach beyond FFFF?
bool ends_beyond_64k(const TestCase& test, u64 bytes)
{
    const Insn& insn = test.insn;
    if (!insn.memory || insn.address_bytes() != 2) return false;
    const auto gpr = [&](u8 r) { return r < 16 ? test.start.gpr[r] : 0; };
    const u64 address = gpr(insn.base) + gpr(insn.index_reg) + static_cast<u64>(i64{insn.disp});
    return (address & 0xFFFF) + bytes > 0x10000;
}

constexpr Rule kRules[] = {
    {"PUSH and POP of a segment register",
     "With a 32-bit operand size Intel's processors access 16 bits, and AMD's 32 (SDM vol. 2B, "
     "PUSH; AMD APM vol. 3, PUSH).",
     [](const Results& r, const Difference& d) {
         const bool segment =
             r.named({"push es", "push cs", "push ss", "push ds", "push fs", "push gs", "pop es",
                      "pop ss", "pop ds", "pop fs", "pop gs"});
         return segment &&
                ((d.what == What::Memory && d.host == 0) || r.host.vector == kAlignmentCheck ||
                 r.host.vector == kPageFault || r.host.vector == kStackFault);
     },
     Hosts::Amd},
    {"#AC and #PF",
     "Of an unaligned access to a page that is not there: the SDM's order is #PF first (vol. 3A, "
     "table 6-2), AMD's #AC.",
     [](const Results&, const Difference& d) {
         return d.what == What::Vector && d.host == kAlignmentCheck && d.ours == kPageFault;
     },
     Hosts::Amd},
    {"LOCK VERW",
     "Of memory, AMD's Zen 4 executes it, whatever the selector; LOCK allows none but the listed "
     "instructions (SDM vol. 2A, LOCK; APM vol. 3, 1.2.5).",
     [](const Results& r, const Difference&) {
         return r.test.row < 0 && r.opcode() == 0x100 && r.modrm_reg() == 5 &&
                r.ours.vector == kInvalidOpcode;
     },
     Hosts::Some},
    {"CALL with two faults",
     "With neither room on the stack nor a target within CS, Intel raises #GP (SDM vol. 2A, CALL), "
     "AMD what the push does.",
     [](const Results& r, const Difference& d) {
         return d.what == What::Vector &&
                (d.host == kStackFault || d.host == kPageFault || d.host == kAlignmentCheck) &&
                d.ours == kGeneralProtection && r.named({"call"});
     },
     Hosts::Amd},
    {"LOOPcc after F2 and F3",
     "AMD's LOOPE and LOOPNE take the condition from a REP prefix; it has no meaning (SDM vol. 2A, "
     "2.1.1).",
     [](const Results& r, const Difference&) {
         return r.named({"loope", "loopne"}) &&
                (r.test.insn.prefixes & (kPrefixRep | kPrefixRepne));
     },
     Hosts::Amd},
    {"66 and near branches in 64-bit mode",
     "Intel ignores it; AMD's branches get 16 bits wide (SDM vol. 2A, JMP; APM vol. 3, 1.2.2).",
     [](const Results& r, const Difference&) {
         const auto& code = r.test.code;
         return r.test.mode == Mode::Bits64 && r.row() && (r.row()->rules & kForce64) &&
                r.row()->carry == Carry::End && std::ranges::find(code, 0x66) != code.end();
     },
     Hosts::Amd},
    {"LSS, LFS and LGS with REX.W", "AMD's have no 64-bit offset (APM vol. 3, LxS).",
     [](const Results& r, const Difference&) {
         return r.named({"lss", "lfs", "lgs"}) && r.test.insn.size == 8;
     },
     Hosts::Amd},
    {"far transfers with REX.W",
     "AMD's have no 64-bit offset in memory (SDM vol. 2A, JMP; APM vol. 3, JMP).",
     [](const Results& r, const Difference&) {
         return r.named({"jmp far", "call far"}) && r.test.insn.size == 8;
     },
     Hosts::Amd},
    {"far returns with two faults",
     "AMD reads flags or the outer stack before it looks at the selector.",
     [](const Results& r, const Difference& d) {
         return (d.what == What::Vector || d.what == What::Cr2 || d.what == What::ErrorCode) &&
                r.named({"retf", "iret"}) && r.host.vector != kBreakpoint &&
                r.ours.vector != kNoVector;
     },
     Hosts::Amd},
    {"far calls with two faults",
     "AMD pushes first, and as the new code would, then looks whether its address is within the "
     "segment.",
     [](const Results& r, const Difference& d) {
         return (d.what == What::Vector || d.what == What::Cr2 || d.what == What::ErrorCode ||
                 d.what == What::Memory) &&
                r.named({"call far"}) && r.host.vector != kBreakpoint && r.ours.vector != kNoVector;
     },
     Hosts::Some},
    {"far calls to compatibility mode",
     "AMD pushes as the new code would, with ESP; by the SDM (vol. 2A, CALL) it is RSP until CS is "
     "loaded.",
     [](const Results& r, const Difference&) {
         return r.named({"call far"}) && r.test.mode == Mode::Bits64 &&
                r.test.start.gpr[RSP] >> 32 != 0 && r.host.vector == kBreakpoint &&
                r.host.end.selector[CS] != r.test.start.selector[CS];
     },
     Hosts::Some},
    {"approximations",
     "RCPPS and RSQRTPS are only good to 1.5 * 2^-12 (SDM vol. 2B, RCPPS), and every maker has "
     "others.",
     [](const Results& r, const Difference& d) {
         return d.what == What::Xmm && r.named({"rcpps", "rcpss", "rsqrtps", "rsqrtss"}) &&
                are_close(d.host, d.ours);
     }},
    {"#AC of 16 bytes",
     "Of an unaligned XMM operand in memory it is up to the processor (SDM vol. 3A, 6.15).",
     [](const Results& r, const Difference&) {
         return r.host.vector == kAlignmentCheck && r.row() && class_of(*r.row()) == Class::Sse;
     },
     Hosts::Amd},
    {"16 unaligned bytes beyond the stack",
     "Both are faults: AMD's #GP for the alignment comes before #SS.",
     [](const Results& r, const Difference& d) {
         return d.what == What::Vector && d.host == kGeneralProtection && d.ours == kStackFault &&
                r.row() && class_of(*r.row()) == Class::Sse;
     },
     Hosts::Amd},
    {"CVTPI2PS of memory",
     "AMD's does not switch x87 to MMX; Intel's does (SDM vol. 2A, CVTPI2PS).",
     [](const Results& r, const Difference& d) {
         return d.what == What::X87 && r.named({"cvtpi2ps"}) && r.test.insn.memory;
     },
     Hosts::Amd},
    {"MMX and a fault", "AMD has switched x87 to MMX when the fault of the same instruction comes.",
     [](const Results& r, const Difference& d) {
         return d.what == What::X87 && r.host.end.fx.tags == 0xFF && r.host.end.fx.top() == 0 &&
                r.host.vector != kBreakpoint && r.ours.vector != kNoVector;
     },
     Hosts::Amd},
    {"bytes that MASKMOVDQU leaves out",
     "Whether they can fault is up to the processor (SDM vol. 2B, MASKMOVDQU).",
     [](const Results& r, const Difference& d) {
         // They are behind the segment's end, and a byte that is not left out has no page.
         const bool beyond = d.what == What::Vector && d.ours == kPageFault &&
                             (d.host == kGeneralProtection || d.host == kStackFault);
         return r.named({"maskmovdqu", "maskmovq"}) && r.host.vector != kBreakpoint &&
                (r.ours.vector == kNoVector || d.what == What::Cr2 || beyond);
     }},
    {"LOCK MOV CR", "AMD's way to CR8 in 32-bit code (APM vol. 3, MOV CRn).",
     [](const Results& r, const Difference& d) {
         return d.what == What::Vector && r.test.row < 0 &&
                (r.opcode() == 0x120 || r.opcode() == 0x122);
     },
     Hosts::Some},
    {"MXCSR.MM", "Bit 17 is AMD's (APM vol. 1, 4.2.2, misaligned exception mask).",
     [](const Results& r, const Difference& d) {
         if (r.named({"fxsave"}))
             return d.what == What::Memory && (d.host ^ d.ours) == 2;  // the mask
         return r.named({"ldmxcsr", "fxrstor"}) && (r.host.end.fx.mxcsr & 0x20000);
     },
     Hosts::Amd},
    {"transcendental functions",
     "They are good to one unit in the last place, and C1 says which way (SDM vol. 1, 8.3.10).",
     [](const Results& r, const Difference& d) {
         constexpr u64 kC1 = 0x200;
         return d.what == What::X87 &&
                r.named(
                    {"f2xm1", "fcos", "fpatan", "fptan", "fsin", "fsincos", "fyl2x", "fyl2xp1"}) &&
                (d.host - d.ours + 1 <= 2 || (d.host ^ d.ours) == kC1 ||
                 (d.host ^ d.ours) == ~u64{0} >> 1);  // on both sides of a power of two
     }},
    {"x87 environments beyond 64 KB",
     "With 16-bit addresses ours wrap around with each word, AMD's end in a fault or elsewhere; "
     "the SDM "
     "(vol. 3A, 5.3) leaves it open.",
     [](const Results& r, const Difference&) {
         return r.named({"fldenv", "fnstenv", "fnsave", "frstor"}) && ends_beyond_64k(r.test, 108);
     },
     Hosts::Some},
    {"x87 environments across pages",
     "AMD reports the first byte of the access that faulted, we that of the page; and of a limit, "
     "a missing page and #AC the SDM gives no order (vol. 3A, 6.9: within a class it is the "
     "processor's).",
     [](const Results& r, const Difference& d) {
         if (!r.named({"fldenv", "fnstenv", "fnsave", "frstor"})) return false;
         if (d.what == What::Cr2) return d.host / kPageBytes == d.ours / kPageBytes;
         if (d.what != What::Vector || r.host.vector == kBreakpoint) return false;
         const bool beyond = d.ours == kGeneralProtection || d.ours == kStackFault;
         return d.ours == kPageFault || (beyond && d.host == kAlignmentCheck);
     },
     Hosts::Amd},
    {"PREFETCH of a register", "0F 0D was 3DNow's, which had no register form; Intel's is a NOP.",
     [](const Results& r, const Difference&) {
         return r.row() && r.row()->code == 0x10D && !r.test.insn.memory;
     },
     Hosts::Amd},
    {"RDFSBASE and its like", "The model is older, and Linux allows them (SDM vol. 2B, RDFSBASE).",
     [](const Results& r, const Difference&) { return r.test.row < 0 && r.opcode() == 0x1AE; },
     Hosts::Some},
    {"TZCNT and LZCNT",
     "F3 0F BC and BD, BSF and BSR to the model, are instructions of their own on newer hosts (SDM "
     "vol. 2B, LZCNT).",
     [](const Results& r, const Difference&) {
         return r.named({"bsf", "bsr"}) && (r.test.insn.prefixes & kPrefixRep);
     }},
    {"INT1 under a hypervisor",
     "One that intercepts debug exceptions leaves RIP at INT1, though it is a trap (SDM vol. 2A, "
     "INT n).",
     [](const Results& r, const Difference& d) {
         return d.what == What::Ip && r.named({"int1"}) && d.host == r.test.start.rip;
     },
     Hosts::Some},
    {"LSL of the number of the CPU",
     "Linux keeps it in the limit of GDT entry 15 (arch/x86/include/asm/segment.h, "
     "CPUNODE_SEG).",
     [](const Results& r, const Difference& d) {
         constexpr u64 kMaxCpus = 0x1000;
         return d.what == What::Register && r.named({"lsl"}) && (d.ours & 0xFFFF) == 0 &&
                d.host - d.ours < kMaxCpus;
     },
     Hosts::Some},
    {"SHLD and SHRD by more than the operand",
     "Undefined (SDM vol. 2B, SHLD). Of 16 bits by more than 16, Intel's shift in the destination "
     "again, AMD's the source.",
     [](const Results& r, const Difference& d) {
         return (d.what == What::Register || d.what == What::Memory || d.what == What::Flags) &&
                r.named({"shld", "shrd"}) && r.test.insn.size == 2 &&
                ((r.test.code[r.test.length - 1u] & 31) > 16 || (r.test.start.gpr[RCX] & 31) > 16);
     },
     Hosts::Amd},
    {"CMPS with two faults", "AMD reads the second operand first; the SDM gives no order.",
     [](const Results& r, const Difference& d) {
         return (d.what == What::Vector || d.what == What::Cr2 || d.what == What::ErrorCode) &&
                r.named({"cmpsb", "cmpsw"}) && r.host.vector != kBreakpoint &&
                r.ours.vector != kNoVector;
     },
     Hosts::Amd},
    {"POPA that faults",
     "AMD has loaded the registers before the fault by then; (E)SP stays, so it can start again.",
     [](const Results& r, const Difference& d) {
         return d.what == What::Register && r.named({"popa"}) && r.ours.vector != kNoVector;
     },
     Hosts::Amd},
    {"x87 pointers without an exception",
     "AMD saves FOP, FIP and FDP as zeros unless an unmasked exception is pending (APM vol. 5, "
     "FXSAVE).",
     [](const Results& r, const Difference& d) {
         constexpr u16 kErrorSummary = 0x80;
         return d.what == What::X87Pointer && d.host == 0 &&
                !(r.host.end.fx.status & kErrorSummary);
     },
     Hosts::Amd},
    {"undefined flags",
     "The row's column `undefined`: processors disagree, and each is right (SDM vol. 2, \"Flags "
     "Affected\").",
     [](const Results&, const Difference& d) { return d.what == What::UndefinedFlags; }},
};

}  // namespace

std::span<const Rule> rules() { return kRules; }

int explanation(const Results& results, const Difference& difference)
{
    const auto rule = std::ranges::find_if(
        kRules, [&](const Rule& r) { return r.explains(results, difference); });
    return rule == std::end(kRules) ? -1 : static_cast<int>(rule - std::begin(kRules));
}

}  // namespace reprise::oracle
