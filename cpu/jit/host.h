/// What the translator has to know about the host's processor.
#pragma once

#include <string_view>

namespace reprise::jit {

/// Where the manuals leave a flag or condition code undefined, processors differ. The interpreter's
/// choice is the definition; an instruction is copied only if the host makes the same one, which is
/// found out by trying.
struct HostTraits {
    bool shift_flags = false;     // SHL SHR SAR SHLD SHRD set AF
    bool multiply_flags = false;  // MUL and IMUL leave SF, ZF, AF and PF alone
    bool sse42 = false;           // all of SSE that a guest may have
    bool x87 = false;             // has XSAVE, and leaves condition codes as we do
    bool x87_free = false;        // FFREE clears C1
    bool x87_moves = false;       // FCMOVcc leaves C1 alone
    bool x87_compares = false;    // FCOMI and its like leave C1 alone
    bool scan_flags = false;      // BSF and BSR: PF of the index, the others clear
};

const HostTraits& host_traits();

/// Empty, or what the host lacks.
std::string_view missing_features();

}  // namespace reprise::jit
