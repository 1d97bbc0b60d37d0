/// What the translator has to know about the host's processor.
#pragma once

#include <string_view>

namespace reprise::jit {

/// Where the manuals leave a flag undefined, processors differ. The interpreter's choice is the
/// definition; an instruction is copied only if the host makes the same one, which is found out by
/// trying.
struct HostTraits {
    bool shift_flags = false;     // SHL SHR SAR SHLD SHRD set AF
    bool multiply_flags = false;  // MUL and IMUL leave SF, ZF, AF and PF alone
    bool sse42 = false;           // all of SSE that a guest may have
    bool x87 = false;             // XSAVE and XRSTOR, and condition codes as ours
    bool scan_flags = false;      // BSF and BSR: PF of the index, the others clear
};

const HostTraits& host_traits();

/// Empty, or what the host lacks.
std::string_view missing_features();

}  // namespace reprise::jit
