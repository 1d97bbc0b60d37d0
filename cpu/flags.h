/// EFLAGS, and how the interpreter keeps the arithmetic six of them without computing them.
#pragma once

#include <bit>

#include "machine/base/types.h"

namespace reprise {

/// EFLAGS bits (Intel SDM vol. 1, 3.4.3).
enum Flag : u32 {
    CF = 1 << 0,
    PF = 1 << 2,
    AF = 1 << 4,
    ZF = 1 << 6,
    SF = 1 << 7,
    TF = 1 << 8,
    IF = 1 << 9,
    DF = 1 << 10,
    OF = 1 << 11,
    IOPL = 3 << 12,
    NT = 1 << 14,
    RF = 1 << 16,
    VM = 1 << 17,
    AC = 1 << 18,
    VIF = 1 << 19,
    VIP = 1 << 20,
    ID = 1 << 21,
};
inline constexpr u32 kArithmeticFlags = CF | PF | AF | ZF | SF | OF;
inline constexpr u32 kReservedSetFlags = 1 << 1;  // always reads as one

/// PF of a result: its low byte has an even number of ones.
constexpr bool even_parity(u64 value) { return std::popcount(static_cast<u8>(value)) % 2 == 0; }

/// The arithmetic flags as the last instruction's result and its carries: an ALU instruction
/// stores two words, and only the instruction that asks pays for a flag.
///
///     result: sign-extended to 64 bits          carries: bit 63  CF
///       ZF: result == 0                                  bit 62  CF ^ OF (carry into the sign)
///       SF: result < 0,         toggled by bit 1         bit  4  AF
///       PF: even low byte,      toggled by bit 0
///
/// The two toggles exist for POPF and its like, which may set SF, ZF and PF as no result can.
struct LazyFlags {
    i64 result = 1;
    u64 carries = 0;

    bool cf() const { return static_cast<i64>(carries) < 0; }
    bool zf() const { return result == 0; }
    bool sf() const { return (static_cast<u64>(result) ^ carries << 62) >> 63; }
    bool of() const { return (carries ^ carries << 1) >> 63; }
    bool af() const { return carries >> 4 & 1; }
    bool pf() const { return even_parity(static_cast<u64>(result)) != (carries & 1); }
    /// SF != OF: "less" of a signed comparison.
    bool less() const
    {
        return (static_cast<u64>(result) ^ carries << 62 ^ carries ^ carries << 1) >> 63;
    }

    u32 get() const
    {
        return (cf() ? CF : 0u) | (pf() ? PF : 0u) | (af() ? AF : 0u) | (zf() ? ZF : 0u) |
               (sf() ? SF : 0u) | (of() ? OF : 0u);
    }

    void set(u32 flags)
    {
        const bool negative = (flags & SF) != 0;
        result = flags & ZF ? 0 : 1;
        const bool parity = even_parity(static_cast<u64>(result));
        const u64 sign_toggle = negative ? 2 : 0;  // `result` is never negative here
        const u64 parity_toggle = parity != ((flags & PF) != 0) ? 1 : 0;
        const bool carry = (flags & CF) != 0, overflow = (flags & OF) != 0;
        carries = u64{carry} << 63 | u64{carry != overflow} << 62 | (flags & AF) | sign_toggle |
                  parity_toggle;
    }

    /// Sets CF and OF, and leaves the other four as they are.
    void set_cf_of(bool carry, bool overflow)
    {
        carries = (carries & ~(u64{3} << 62)) | u64{carry} << 63 | u64{carry != overflow} << 62;
    }
    void set_cf(bool carry) { set_cf_of(carry, of()); }
};

/// The sixteen conditions of Jcc, SETcc and CMOVcc in encoding order (SDM vol. 1, appendix B).
template <int code>
bool condition(const LazyFlags& flags)
{
    bool holds = false;
    switch (code >> 1) {
    case 0: holds = flags.of(); break;
    case 1: holds = flags.cf(); break;
    case 2: holds = flags.zf(); break;
    case 3: holds = flags.cf() || flags.zf(); break;
    case 4: holds = flags.sf(); break;
    case 5: holds = flags.pf(); break;
    case 6: holds = flags.less(); break;
    default: holds = flags.zf() || flags.less(); break;
    }
    return holds != (code & 1);
}

}  // namespace reprise
