#include <algorithm>

#include "cpu/fault.h"
#include "tests/cpu/host_oracle/comparison.h"

namespace reprise::oracle {

namespace {

constexpr Rule kRules[] = {
    {"PUSH and POP of a segment register",
     "With a 32-bit operand size Intel's processors access 16 bits, and AMD's 32 (SDM vol. 2B, "
     "PUSH; AMD APM vol. 3, PUSH).",
     [](const Results& r, const Difference& d) {
         const bool segment =
             r.named({"push es", "push cs", "push ss", "push ds", "push fs", "push gs", "pop es",
                      "pop ss", "pop ds", "pop fs", "pop gs"});
         return segment && ((d.what == What::Memory && d.host == 0) ||
                            r.host.vector == kAlignmentCheck || r.host.vector == kPageFault);
     },
     Hosts::Amd},
    {"#AC and #PF",
     "Of an unaligned access to a page that is not there: the SDM's order is #PF first (vol. 3A, "
     "table 6-2), AMD's #AC.",
     [](const Results&, const Difference& d) {
         return d.what == What::Vector && d.host == kAlignmentCheck && d.ours == kPageFault;
     },
     Hosts::Amd},
    {"LOCK VERW", "AMD looks at the memory operand of 0F 00 /4 and /5 before it refuses LOCK.",
     [](const Results& r, const Difference& d) {
         return d.what == What::Vector && d.ours == kInvalidOpcode && r.opcode() == 0x100 &&
                r.host.vector != kBreakpoint;
     },
     Hosts::Amd},
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
     Hosts::Virtual},
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
