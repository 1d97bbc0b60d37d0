#include "tests/cpu/host_oracle/random.h"

namespace reprise::oracle {

u64 Random::integer()
{
    static constexpr int kWidths[] = {8, 16, 32, 64};
    const int width = one_of(kWidths);
    switch (below(8)) {
    case 0: return below(4);
    case 1: return u64{0} - below(4);
    case 2: return (u64{1} << (width - 1)) + below(3) - 1;
    case 3: return ~u64{0} >> (64 - width);
    case 4: return u64{1} << below(64);
    case 5: return bits() >> below(64);
    default: return bits();
    }
}

u64 Random::exponent(u64 bias, u64 maximum)
{
    switch (below(8)) {
    case 0: return below(3);
    case 1: return maximum - below(3);
    case 2: return below(maximum + 1);
    default: return bias - 34 + below(68);
    }
}

u64 Random::fraction(int width)
{
    const u64 mask = ~u64{0} >> (64 - width);
    switch (below(8)) {
    case 0: return 0;
    case 1: return mask;
    case 2: return u64{1} << (width - 1);
    case 3: return below(4);
    case 4: return (u64{1} << below(static_cast<u64>(width))) & mask;
    case 5: return (bits() << below(64)) & mask;
    default: return bits() & mask;
    }
}

u32 Random::float32()
{
    return static_cast<u32>(below(2) << 31 | exponent(0x7F, 0xFF) << 23 | fraction(23));
}

u64 Random::float64() { return below(2) << 63 | exponent(0x3FF, 0x7FF) << 52 | fraction(52); }

Float80 Random::float80()
{
    const u64 e = exponent(0x3FFF, 0x7FFF);
    // Unsupported encodings, without the integer bit, are rare.
    const bool integer_bit = one_in(16) ? below(2) : e != 0;
    return {u64{integer_bit} << 63 | fraction(63), static_cast<u16>(below(2) << 15 | e)};
}

Xmm Random::vector(bool floating)
{
    const u64 kind = floating ? below(4) : 3;
    const auto half = [&]() -> u64 {
        switch (kind) {
        case 0: return float32() | u64{float32()} << 32;
        case 1: return float64();
        case 2: return u64{static_cast<u32>(integer())} << 32 | static_cast<u32>(integer());
        default: return one_in(2) ? integer() : bits();
        }
    };
    const u64 low = half();
    return {low, half()};
}

FxImage Random::fx(bool x87, bool mmx)
{
    FxImage image;
    if (x87 || mmx) {
        const u64 masks = one_in(4) ? below(64) : 0x3F;
        static constexpr u64 kPrecision[] = {3, 3, 3, 2, 0, 1};
        image.control =
            static_cast<u16>(0x40 | masks | (x87 ? one_of(kPrecision) : 3) << 8 | below(4) << 10);
        // ES and B say that an unmasked exception is pending; rarely one is.
        u64 exceptions = one_in(3) ? below(64) : 0;
        if (!one_in(16)) exceptions &= masks;
        const bool pending = (exceptions & ~masks & 0x3F) != 0;
        image.status =
            static_cast<u16>(exceptions | (exceptions & 1 ? below(2) << 6 : 0) |
                             (pending ? 0x8080 : 0) | (bits() & 0x4700) | below(8) << 11);
        image.tags = static_cast<u8>(one_in(2) ? 0xFF : one_in(2) ? bits() | bits() : bits());
        if (pending) {  // else AMD's processors load none of these (APM vol. 5, FXRSTOR)
            image.opcode = static_cast<u16>(below(0x800));
            image.ip = static_cast<u32>(bits());
            image.data = static_cast<u32>(bits());
        }
        for (Xmm& st : image.st) {
            const Float80 value = float80();
            st = {value.significand, value.sign_exponent};
            if (mmx && !one_in(4)) st.low = vector(false).low;
        }
    }
    const u64 masks = one_in(4) ? below(64) : 0x3F;
    image.mxcsr = static_cast<u32>((one_in(3) ? below(64) & masks : 0) | (one_in(4) ? 0x40 : 0) |
                                   masks << 7 | below(4) << 13 | (one_in(4) ? 0x8000 : 0));
    const bool floating = !mmx;
    for (Xmm& x : image.xmm) x = vector(floating);
    return image;
}

}  // namespace reprise::oracle
