#include <algorithm>

#include "cpu/fault.h"
#include "tests/cpu/host_oracle/comparison.h"

namespace reprise::oracle {

namespace {

constexpr Rule kRules[] = {
    {"PUSH of a segment register",
     "With a 32-bit operand size Intel's processors write 16 bits, and AMD's 32 (SDM vol. 2B, PUSH; AMD APM vol. 3, PUSH).",
     [](const Results& r, const Difference& d) {
         return d.what == What::Memory && d.host == 0 && r.named({"push es", "push cs", "push ss", "push ds", "push fs", "push gs"});
     },
     true},
    {"undefined flags", "The row's column `undefined`: processors disagree, and each is right (SDM vol. 2, \"Flags Affected\").",
     [](const Results&, const Difference& d) { return d.what == What::UndefinedFlags; }},
};

}  // namespace

std::span<const Rule> rules() { return kRules; }

int explanation(const Results& results, const Difference& difference)
{
    const auto rule = std::ranges::find_if(kRules, [&](const Rule& r) { return r.explains(results, difference); });
    return rule == std::end(kRules) ? -1 : static_cast<int>(rule - std::begin(kRules));
}

}  // namespace reprise::oracle
