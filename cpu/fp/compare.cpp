/// Comparison, minimum and maximum.
#include "cpu/fp/format.h"

namespace reprise::fp {

namespace {

/// -1, 0 or 1 as |a| is less than, equal to or greater than |b|.
int compare_magnitudes(const Unpacked& a, const Unpacked& b)
{
    const auto rank = [](const Unpacked& u) {
        return u.kind == Kind::Zero ? 0 : u.kind == Kind::Infinity ? 2 : 1;
    };
    if (rank(a) != rank(b)) return rank(a) < rank(b) ? -1 : 1;
    if (rank(a) != 1) return 0;
    if (a.exponent != b.exponent) return a.exponent < b.exponent ? -1 : 1;
    return a.significand == b.significand ? 0 : a.significand < b.significand ? -1 : 1;
}

Relation order(const Unpacked& a, const Unpacked& b)
{
    if (a.kind == Kind::Zero && b.kind == Kind::Zero) return Relation::Equal;
    if (a.sign != b.sign) return a.sign ? Relation::Less : Relation::Greater;
    const int magnitudes = a.sign ? -compare_magnitudes(a, b) : compare_magnitudes(a, b);
    return magnitudes < 0 ? Relation::Less : magnitudes > 0 ? Relation::Greater : Relation::Equal;
}

template <class F>
F pick(Context& c, F x, F y, Relation wanted)
{
    const Unpacked a = unpack(c, x), b = unpack(c, y);
    const F second = after_daz(c, y);
    if (a.nan() || b.nan()) {
        c.raise(kInvalid);
        return second;
    }
    denormal_operand(c, a, b);
    return order(a, b) == wanted ? after_daz(c, x) : second;
}

}  // namespace

template <class F>
Relation compare(Context& c, F x, F y, bool quiet)
{
    c.rounded_up = false;
    const Unpacked a = unpack(c, x), b = unpack(c, y);
    if (a.kind >= Kind::QuietNan || b.kind >= Kind::QuietNan) {
        if (!quiet || a.invalid() || b.invalid()) c.raise(kInvalid);
        return Relation::Unordered;
    }
    denormal_operand(c, a, b);
    return order(a, b);
}

template <class F>
F min(Context& c, F a, F b)
{
    return pick(c, a, b, Relation::Less);
}

template <class F>
F max(Context& c, F a, F b)
{
    return pick(c, a, b, Relation::Greater);
}

template Relation compare(Context&, F32, F32, bool);
template Relation compare(Context&, F64, F64, bool);
template Relation compare(Context&, F80, F80, bool);
template F32 min(Context&, F32, F32);
template F64 min(Context&, F64, F64);
template F32 max(Context&, F32, F32);
template F64 max(Context&, F64, F64);

}  // namespace reprise::fp
