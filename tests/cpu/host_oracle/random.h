/// Random numbers that like their extremes.
#pragma once

#include <random>

#include "tests/cpu/host_oracle/test_case.h"

namespace reprise::oracle {

class Random {
public:
    explicit Random(u64 seed) : engine_(seed) {}

    u64 bits() { return engine_(); }
    u64 below(u64 n) { return engine_() % n; }
    bool one_in(u64 n) { return below(n) == 0; }

    template <class T, std::size_t n>
    T one_of(const T (&values)[n])
    {
        return values[below(n)];
    }

    /// 0, 1, -1, the edges of all widths and their neighbours, few bits, or anything.
    u64 integer();
    /// Zeros, denormals, infinities, NaNs of both kinds, powers of two, halves, and anything.
    u32 float32();
    u64 float64();
    Float80 float80();
    /// Packed numbers of one of the kinds a vector register may hold.
    Xmm vector(bool floating);
    /// State of x87, MMX and SSE: mostly masked exceptions and valid numbers.
    FxImage fx(bool x87, bool mmx);

private:
    u64 exponent(u64 bias, u64 maximum);
    u64 fraction(int bits);

    std::mt19937_64 engine_;
};

}  // namespace reprise::oracle
