/// Random operands that are worth something: half of them are near the places where rules change.
#pragma once

#include <cstdlib>
#include <random>

#include "cpu/fp/format.h"

namespace reprise::fp {

class Operands {
public:
    explicit Operands(u64 seed) : random_(seed) {}

    /// A number below `n`.
    u32 below(u32 n) { return static_cast<u32>(random_() % n); }
    u64 word() { return random_(); }

    template <class F>
    F next()
    {
        constexpr int bits = Format<F>::kPrecision - 1;
        const u64 fraction = significand(bits);
        const int biased = exponent(Format<F>::kExponentMask);
        if constexpr (std::is_same_v<F, F80>) {
            // One in eight has the wrong integer bit.
            const bool integer_bit = (biased != 0) != (below(8) == 0);
            return {fraction | u64{integer_bit} << 63, static_cast<u16>(biased | below(2) << 15)};
        } else {
            using Bits = typename Format<F>::Bits;
            const Bits sign = Bits{below(2)} << (sizeof(Bits) * 8 - 1);
            return {static_cast<Bits>(sign | static_cast<Bits>(biased) << bits |
                                      static_cast<Bits>(fraction))};
        }
    }

    /// A second operand, often close to the first: the same exponent nearly, or the same number.
    template <class F>
    F near(F other)
    {
        F value = next<F>();
        const u32 kind = below(8);
        if (kind == 0) return other;
        if (kind > 3) return value;
        const int distance = static_cast<int>(below(kind == 1 ? 4 : 140)) - (kind == 1 ? 2 : 70);
        const int mask = Format<F>::kExponentMask;
        if constexpr (std::is_same_v<F, F80>) {
            const int biased = ((other.exponent & mask) + distance) & mask;
            value.exponent = static_cast<u16>((value.exponent & 0x8000) | biased);
            if (biased != 0) value.significand |= kTop;
        } else {
            using Bits = typename Format<F>::Bits;
            constexpr int bits = Format<F>::kPrecision - 1;
            const Bits field = Bits{Format<F>::kExponentMask} << bits;
            const Bits biased =
                static_cast<Bits>(((other.bits & field) >> bits) + static_cast<Bits>(distance));
            value.bits = (value.bits & ~field) | (biased << bits & field);
        }
        return value;
    }

    /// Operands whose product or quotient is near the ends of the range of exponents.
    template <class F>
    F across(F other, bool product)
    {
        F value = next<F>();
        if (below(4) != 0) return value;
        const int mask = Format<F>::kExponentMask, bias = Format<F>::kBias;
        const int edge = below(2) ? mask : 0;
        const int wanted =
            edge + static_cast<int>(below(2 * Format<F>::kPrecision)) - Format<F>::kPrecision;
        if constexpr (std::is_same_v<F, F80>) {
            const int e = other.exponent & mask;
            const int biased = product ? wanted + bias - e : e + bias - wanted;
            if (biased <= 0 || biased >= mask) return value;
            value.exponent = static_cast<u16>((value.exponent & 0x8000) | biased);
            value.significand |= kTop;
        } else {
            using Bits = typename Format<F>::Bits;
            constexpr int bits = Format<F>::kPrecision - 1;
            const int e = static_cast<int>(other.bits >> bits) & mask;
            const int biased = product ? wanted + bias - e : e + bias - wanted;
            if (biased <= 0 || biased >= mask) return value;
            value.bits = (value.bits & ~(Bits{Format<F>::kExponentMask} << bits)) |
                         static_cast<Bits>(biased) << bits;
        }
        return value;
    }

private:
    u64 significand(int bits)
    {
        const u64 mask = (u64{1} << bits) - 1, half = u64{1} << (bits - 1);
        switch (below(8)) {
        case 0: return 0;
        case 1: return mask;
        case 2: return half;  // quiet NaN, ties
        case 3: return (half - 1) & mask;
        case 4: return u64{1} << below(static_cast<u32>(bits));  // one bit
        case 5: return mask << below(static_cast<u32>(bits)) & mask;
        default: return random_() & mask;
        }
    }

    int exponent(int mask)
    {
        const int bias = mask >> 1;
        switch (below(8)) {
        case 0: return 0;
        case 1: return mask;
        case 2: return 1 + static_cast<int>(below(3));
        case 3: return mask - 1 - static_cast<int>(below(3));
        case 4: return bias + static_cast<int>(below(140)) - 70;
        case 5: return bias + static_cast<int>(below(6)) - 3;
        default: return static_cast<int>(random_() & static_cast<u64>(mask));
        }
    }

    std::mt19937_64 random_;
};

inline u64 seed()
{
    const char* text = std::getenv("REPRISE_SEED");
    return text ? std::strtoull(text, nullptr, 0) : 20261125;
}

}  // namespace reprise::fp
