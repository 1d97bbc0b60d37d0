/// Floating point of x86, in integers: every bit of result and flags, the same on every host.
///
/// Three formats. F32 and F64 follow the rules of SSE (SDM vol. 1, 11.5), F80 those of the x87
/// (SDM vol. 1, 8.3 to 8.5), where the two differ:
///
///                              F32, F64 (SSE)                      F80 (x87)
///     which NaN survives       the first operand's                 the one with the larger
///     significand unmasked OE and UE       there is no result                  the exponent is off
///     by 24576 rounding                 to the format                       to Context::precision
///     bits
///
/// An operation takes its operands and a Context, adds what it found to `flags`, and returns what
/// the processor would deliver. With an unmasked IE, DE or ZE there is no result, and the value
/// returned means nothing: ask Context::no_result, or look at `flags & ~masks`.
///
/// To add two SSE registers:
///
///     fp::Context c = ...;               // rounding, masks, daz, ftz from MXCSR; flags = 0
///     const fp::F64 sum = fp::add(c, fp::F64{a}, fp::F64{b});
///     mxcsr |= c.flags;
///     if (c.flags & ~c.masks) ...        // #XM, and no result
///     else xmm = sum.bits;
#pragma once

#include "machine/base/types.h"

namespace reprise::fp {

/// The rounding control field of the x87 control word and of MXCSR (SDM vol. 1, 4.8.4).
enum class Rounding : u8 { Nearest, Down, Up, Zero };

/// Exceptions; masks and flags have these places in MXCSR and in the x87's control and status word.
enum Exception : u8 {
    kInvalid = 1,
    kDenormal = 2,
    kZeroDivide = 4,
    kOverflow = 8,
    kUnderflow = 16,
    kPrecision = 32,
};
inline constexpr u8 kAllExceptions = 0x3F;

struct Context {
    Rounding rounding = Rounding::Nearest;
    u8 precision = 64;             // of add, sub, mul, div, sqrt of F80: 24, 53 or 64 bits
    u8 masks = kAllExceptions;     // a set bit masks
    bool daz = false;              // denormal operands of F32 and F64 are zeros, without DE
    bool ftz = false;              // a tiny result of F32 and F64 is zero, if UE is masked
    bool denormal_source = false;  // an operand was a denormal before it was widened to F80
    u8 flags = 0;                  // of all operations since it was cleared
    bool rounded_up = false;       // the last rounding made the result larger in magnitude: C1

    /// Raises `exception`; is it unmasked, so that there is no result?
    bool raise(u8 exception)
    {
        flags |= exception;
        return (exception & ~masks) != 0;
    }

    /// Was there an unmasked exception that is found before the result is?
    bool no_result() const { return (flags & ~masks & (kInvalid | kDenormal | kZeroDivide)) != 0; }
};

/// Binary32 and binary64 of IEEE 754, and the x87's extended format with its explicit integer bit.
struct F32 {
    u32 bits = 0;
    bool operator==(const F32&) const = default;
};
struct F64 {
    u64 bits = 0;
    bool operator==(const F64&) const = default;
};
struct F80 {
    u64 significand = 0;
    u16 exponent = 0;  // bit 15 is the sign

    bool sign() const { return exponent >> 15; }
    bool operator==(const F80&) const = default;
};

enum class Kind : u8 { Zero, Denormal, Normal, Infinity, QuietNan, SignalingNan, Unsupported };

/// Unsupported are the F80 without integer bit that cannot be denormals: unnormals, pseudo-NaNs,
/// pseudo-infinities (SDM vol. 1, 8.2.2). Pseudo-denormals are Denormal.
template <class F>
Kind classify(F value);

// Arithmetic, for F32, F64 and F80.
template <class F>
F add(Context&, F a, F b);
template <class F>
F sub(Context&, F a, F b);
template <class F>
F mul(Context&, F a, F b);
template <class F>
F div(Context&, F a, F b);
template <class F>
F sqrt(Context&, F a);

enum class Relation : u8 { Less, Equal, Greater, Unordered };

/// `quiet`: a QNaN is not an invalid operand (UCOMISD, FUCOM, CMPEQPD); an SNaN always is.
template <class F>
Relation compare(Context&, F a, F b, bool quiet);

/// MINSD and MAXSD, for F32 and F64: `b` if either is a NaN or both are zeros.
template <class F>
F min(Context&, F a, F b);
template <class F>
F max(Context&, F a, F b);

/// Between formats. From F80 as FST does (no DE, no precision control), to F80 as FLD does, between
/// F32 and F64 as CVTSD2SS and CVTSS2SD do.
template <class To, class From>
To convert(Context&, From value);

/// To F80 without looking at it: for arithmetic with a memory operand, which signals for both
/// operands at once. Set Context::denormal_source if the operand is a denormal.
template <class From>
F80 widen(From value);

/// To an integer. What does not fit is invalid and gives the integer indefinite: only the sign bit.
template <class F>
i16 to_i16(Context&, F value, Rounding);
template <class F>
i32 to_i32(Context&, F value, Rounding);
template <class F>
i64 to_i64(Context&, F value, Rounding);

/// From an integer; to F80 it is always exact.
template <class F>
F from_integer(Context&, i64 value);

/// To an integral value: FRNDINT, and ROUNDSS and ROUNDSD of SSE4.1 (whose imm8 may mask PE: clear
/// it from the flags then).
template <class F>
F round_to_integral(Context&, F value, Rounding);

}  // namespace reprise::fp
