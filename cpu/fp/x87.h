/// What only the x87 can do with its F80 (SDM vol. 1, 8.3; vol. 2A, the instructions named below).
#pragma once

#include <array>

#include "cpu/fp/fp.h"

namespace reprise::fp {

/// FSCALE: a * 2^b, b truncated to an integer.
F80 scale(Context&, F80 a, F80 b);

/// FXTRACT.
struct Parts {
    F80 exponent, significand;
};
Parts extract(Context&, F80 value);

/// FPREM (quotient truncated) and FPREM1 (quotient rounded to nearest), exactly.
struct Remainder {
    F80 value;
    u8 quotient = 0;  // its lowest three bits
    bool divided = false;  // the quotient means something: no operand was special
    bool partial = false;  // C2: `value` has to be reduced further
};
Remainder remainder(Context&, F80 dividend, F80 divisor, bool to_nearest);

/// FBLD and FBSTP: 18 digits, two a byte, the lowest first, then the sign.
using PackedBcd = std::array<u8, 10>;
F80 from_bcd(const PackedBcd& bcd);
PackedBcd to_bcd(Context&, F80 value);

/// FSIN, FCOS and FPTAN leave a finite operand of 2^63 or more alone and set C2.
bool beyond_reduction(F80 value);

/// For operands that are not beyond reduction. Angles are reduced with the x87's pi of 66 bits (SDM
/// vol. 1, 8.3.8), which is what programs have seen on Intel's and AMD's processors.
F80 sin(Context&, F80 x);
F80 cos(Context&, F80 x);
F80 tan(Context&, F80 x);

F80 atan2(Context&, F80 y, F80 x);            // FPATAN
F80 exp2_minus_1(Context&, F80 x);            // F2XM1
F80 y_log2_x(Context&, F80 y, F80 x);         // FYL2X
F80 y_log2_x_plus_1(Context&, F80 y, F80 x);  // FYL2XP1

}  // namespace reprise::fp
