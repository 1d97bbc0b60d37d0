/// x87: arithmetic, comparison, transcendental functions.
#include "cpu/alu.h"
#include "cpu/ops/x87_quick.h"

namespace reprise::ops {

namespace {

using fp::Context;
using fp::F32;
using fp::F64;
using fp::F80;
using fp::Relation;

// ---- Operands in memory -------------------------------------------------------------------------

/// m32fp, m64fp, m16int or m32int as an operand. A denormal signals together with the operation.
template <class Source>
Fallible<F80> memory_operand(X87& x, Context& c)
{
    if constexpr (std::is_integral_v<Source>) {
        const Source value = static_cast<Source>(TRY(x.read<std::make_unsigned_t<Source>>()));
        return fp::from_integer<F80>(c, value);
    } else {
        const Source value{TRY(x.read<decltype(Source::bits)>())};
        c.denormal_source = fp::classify(value) == fp::Kind::Denormal;
        return fp::widen(value);
    }
}

// ---- Two operands -------------------------------------------------------------------------------

using Operation = F80 (*)(Context&, F80, F80);

F80 add(Context& c, F80 a, F80 b) { return fp::add(c, a, b); }
F80 mul(Context& c, F80 a, F80 b) { return fp::mul(c, a, b); }
F80 sub(Context& c, F80 a, F80 b) { return fp::sub(c, a, b); }
F80 div(Context& c, F80 a, F80 b) { return fp::div(c, a, b); }
F80 sub_reversed(Context& c, F80 a, F80 b) { return fp::sub(c, b, a); }
F80 div_reversed(Context& c, F80 a, F80 b) { return fp::div(c, b, a); }

/// ST(n) = value, if there is one.
bool put(X87& x, const Context& c, int n, F80 value)
{
    const bool has_result = x.accept(c);
    if (has_result) x.set(n, value);
    return has_result;
}

bool put_indefinite(X87& x, int n)
{
    const bool masked = x.underflow();
    if (masked) x.set(n, kIndefinite);
    return masked;
}

/// The 8087 and 287 can take the two infinities for one, which has no sign (infinity control, 80287
/// PRM, 1-19).
bool projective(const X87& x) { return !x.cpu.at_least(Level::I80386) && !(x.s.control & 0x1000); }

bool is_infinite(F80 a) { return fp::classify(a) == fp::Kind::Infinity; }

template <Operation op>
F80 apply(X87& x, Context& c, F80 a, F80 b)
{
    constexpr bool sum = op == add || op == sub || op == sub_reversed;
    if (sum && projective(x) && is_infinite(a) && is_infinite(b))
        return c.raise(fp::kInvalid), kIndefinite;
    return op(c, a, b);
}

/// ST(0) = ST(0) op memory.
template <Operation op, class Source>
bool with_memory(X87& x)
{
    Context c = x.context();
    const F80 b = TRY(memory_operand<Source>(x, c));
    if (x.empty(0)) return put_indefinite(x, 0), true;
    const F80 result = apply<op>(x, c, x.st(0), b);
    return put(x, c, 0, result), true;
}

/// ST(to) = ST(to) op ST(other), and pops.
template <Operation op, bool pops>
bool with_register(X87& x, int to, int other)
{
    bool done;
    if (x.empty(to) || x.empty(other)) {
        done = put_indefinite(x, to);
    } else {
        Context c = x.context();
        const F80 result = apply<op>(x, c, x.st(to), x.st(other));
        done = put(x, c, to, result);
    }
    if (pops && done) x.pop();
    return true;
}
template <Operation op>
bool to_top(X87& x)
{
    return with_register<op, false>(x, 0, x.i());
}
template <Operation op>
bool to_sti(X87& x)
{
    return with_register<op, false>(x, x.i(), 0);
}
template <Operation op>
bool to_sti_pop(X87& x)
{
    return with_register<op, true>(x, x.i(), 0);
}

template <Operation op>
[[gnu::always_inline]] inline bool quick_apply(const X87& x, F80 a, F80 b, fp::quick::Result& r)
{
    if (!rounds_quickly(x)) [[unlikely]]
        return false;
    const int drop = dropped_bits(x);
    if constexpr (op == add) return fp::quick::add(a, b, 0, drop, r);
    else if constexpr (op == sub) return fp::quick::add(a, b, 0x8000, drop, r);
    else if constexpr (op == sub_reversed) return fp::quick::add(b, a, 0x8000, drop, r);
    else if constexpr (op == mul) return fp::quick::mul(a, b, drop, r);
    else if constexpr (op == div) return fp::quick::div(a, b, drop, r);
    else return fp::quick::div(b, a, drop, r);
}

template <Operation op, class Source>
bool quick_with_memory(X87& x)
{
    F80 b;
    fp::quick::Result r;
    if (x.empty(0)) return false;
    if (!fp::quick::widen(Source{TRY(quick_read<decltype(Source::bits)>(x))}, b)) return false;
    if (!quick_apply<op>(x, x.st(0), b, r)) return false;
    x.replace(0, r.value);
    put_rounding(x, r.inexact, r.up);
    return true;
}

template <Operation op, bool pops>
[[gnu::always_inline]] inline bool quick_with_register(X87& x, int to, int other)
{
    fp::quick::Result r;
    if (x.empty(to) || x.empty(other)) return false;
    if (!quick_apply<op>(x, x.st(to), x.st(other), r)) return false;
    x.replace(to, r.value);
    put_rounding(x, r.inexact, r.up);
    if (pops) x.pop();
    return true;
}
template <Operation op>
bool quick_to_top(X87& x)
{
    return quick_with_register<op, false>(x, 0, x.i());
}
template <Operation op, bool pops>
bool quick_to_sti(X87& x)
{
    return quick_with_register<op, pops>(x, x.i(), 0);
}

// ---- Comparison ---------------------------------------------------------------------------------

Relation compare(X87& x, Context& c, F80 a, F80 b, bool quiet)
{
    const Relation relation = fp::compare(c, a, b, quiet);
    if (relation != Relation::Unordered && projective(x) && (is_infinite(a) || is_infinite(b)) &&
        !(is_infinite(a) && is_infinite(b))) {
        c.raise(fp::kInvalid);
        return Relation::Unordered;
    }
    return relation != Relation::Unordered && projective(x) && is_infinite(a) ? Relation::Equal
                                                                              : relation;
}

/// SDM vol. 1, table 8-6.
u16 codes_of(Relation relation)
{
    switch (relation) {
    case Relation::Less: return kC0;
    case Relation::Equal: return kC3;
    case Relation::Greater: return 0;
    default: return kC0 | kC2 | kC3;
    }
}

/// Where a comparison puts its result: the condition codes, or EFLAGS (SDM vol. 2A, FCOMI).
template <bool eflags>
void put_relation(X87& x, Relation relation)
{
    const u16 codes = codes_of(relation);
    if constexpr (eflags)
        x.cpu.flags.set((codes & kC0 ? u32{CF} : 0) | (codes & kC2 ? u32{PF} : 0) |
                        (codes & kC3 ? u32{ZF} : 0));
    else x.conditions(kConditionCodes & ~kC1, codes);
}

/// The result is there even after an unmasked exception (as measured on an AMD Zen 4); what is not
/// done then is to pop. FCOMI leaves C1 alone.
template <bool eflags>
bool finish_compare(X87& x, const Context& c, Relation relation)
{
    const u16 c1 = x.s.status & kC1;
    const bool masked = x.accept(c);
    if (eflags) x.conditions(kC1, c1);
    put_relation<eflags>(x, relation);
    return masked;
}

template <bool eflags>
bool compare_empty(X87& x)
{
    put_relation<eflags>(x, Relation::Unordered);
    return x.underflow();
}

template <bool quiet, int pops, bool eflags>
void compare_with(X87& x, int other)
{
    bool done;
    if (x.empty(0) || x.empty(other)) {
        done = compare_empty<eflags>(x);
    } else {
        Context c = x.context();
        const Relation relation = compare(x, c, x.st(0), x.st(other), quiet);
        done = finish_compare<eflags>(x, c, relation);
    }
    for (int n = 0; done && n < pops; ++n) x.pop();
}

template <bool quiet, int pops, bool eflags = false>
bool compare_register(X87& x)
{
    return compare_with<quiet, pops, eflags>(x, x.i()), true;
}
/// FCOMPP and FUCOMPP.
template <bool quiet>
bool compare_both(X87& x)
{
    return compare_with<quiet, 2, false>(x, 1), true;
}

template <class Source, bool pops>
bool compare_memory(X87& x)
{
    Context c = x.context();
    const F80 b = TRY(memory_operand<Source>(x, c));
    bool done;
    if (x.empty(0)) {
        done = compare_empty<false>(x);
    } else {
        const Relation relation = compare(x, c, x.st(0), b, false);
        done = finish_compare<false>(x, c, relation);
    }
    if (pops && done) x.pop();
    return true;
}

template <int pops, bool eflags>
[[gnu::always_inline]] inline bool quick_compare(X87& x, F80 a, F80 b)
{
    Relation relation;
    if (!fp::quick::compare(a, b, relation)) return false;
    if (!eflags) x.conditions(kC1, 0);
    put_relation<eflags>(x, relation);
    for (int n = 0; n < pops; ++n) x.pop();
    return true;
}
template <int pops, bool eflags = false>
bool quick_compare_register(X87& x)
{
    if (x.empty(0) || x.empty(x.i())) return false;
    return quick_compare<pops, eflags>(x, x.st(0), x.st(x.i()));
}
bool quick_compare_both(X87& x)
{
    if (x.empty(0) || x.empty(1)) return false;
    return quick_compare<2, false>(x, x.st(0), x.st(1));
}
template <class Source, bool pops>
bool quick_compare_memory(X87& x)
{
    F80 b;
    if (x.empty(0)) return false;
    if (!fp::quick::widen(Source{TRY(quick_read<decltype(Source::bits)>(x))}, b)) return false;
    return quick_compare<pops, false>(x, x.st(0), b);
}

/// Comparison with +0.
bool ftst(X87& x)
{
    if (x.empty(0)) return compare_empty<false>(x), true;
    Context c = x.context();
    const Relation relation = compare(x, c, x.st(0), F80{}, false);
    return finish_compare<false>(x, c, relation), true;
}

/// SDM vol. 1, table 8-7.
bool fxam(X87& x)
{
    const F80 value = x.st(0);
    u16 codes = kC3 | kC0;
    if (!x.empty(0)) {
        switch (fp::classify(value)) {
        case fp::Kind::Unsupported: codes = 0; break;
        case fp::Kind::QuietNan:
        case fp::Kind::SignalingNan: codes = kC0; break;
        case fp::Kind::Normal: codes = kC2; break;
        case fp::Kind::Infinity: codes = kC2 | kC0; break;
        case fp::Kind::Zero: codes = kC3; break;
        case fp::Kind::Denormal: codes = kC3 | kC2; break;
        }
    }
    x.conditions(kConditionCodes, static_cast<u16>(codes | (value.sign() ? kC1 : 0)));
    return true;
}

// ---- One operand --------------------------------------------------------------------------------

F80 round_to_integral(Context& c, F80 a) { return fp::round_to_integral(c, a, c.rounding); }
F80 sqrt(Context& c, F80 a) { return fp::sqrt(c, a); }

template <F80 (*function)(Context&, F80)>
bool unary(X87& x)
{
    if (x.empty(0)) return put_indefinite(x, 0), true;
    Context c = x.context();
    const F80 result = function(c, x.st(0));
    return put(x, c, 0, result), true;
}

/// FCHS and FABS change the sign of anything, NaNs too.
template <bool complement>
bool change_sign(X87& x)
{
    if (x.empty(0)) return put_indefinite(x, 0), true;
    F80 value = x.st(0);
    value.exponent = complement ? value.exponent ^ 0x8000 : value.exponent & 0x7FFF;
    x.conditions(kC1, 0);
    x.set(0, value);
    return true;
}

template <bool complement>
bool quick_change_sign(X87& x)
{
    return !x.empty(0) && change_sign<complement>(x);
}

bool fscale(X87& x)
{
    if (x.empty(0) || x.empty(1)) return put_indefinite(x, 0), true;
    Context c = x.context();
    const F80 result = fp::scale(c, x.st(0), x.st(1));
    return put(x, c, 0, result), true;
}

template <bool to_nearest>
bool fprem(X87& x)
{
    x.conditions(kC2, 0);
    if (x.empty(0) || x.empty(1)) return put_indefinite(x, 0), true;
    Context c = x.context();
    const fp::Remainder r = fp::remainder(c, x.st(0), x.st(1), to_nearest);
    if (!put(x, c, 0, r.value)) return true;
    const u8 q = r.quotient;
    x.conditions(r.divided ? kConditionCodes : kC1 | kC2,
                 static_cast<u16>((q & 4 ? kC0 : 0) | (q & 2 ? kC3 : 0) | (q & 1 ? kC1 : 0) |
                                  (r.partial ? kC2 : 0)));
    return true;
}

/// ST(0) becomes `first`, then `second` is pushed. Of a stack fault both are the indefinite.
bool put_two(X87& x, const Context& c, F80 first, F80 second)
{
    if (!x.accept(c)) return false;
    x.set(0, first);
    x.push(second);
    return true;
}
/// Is there an operand, and room for a second result? If not, C2 of FPTAN and FSINCOS is clear.
bool room_for_two(X87& x)
{
    if (!x.empty(0) && x.empty(-1)) return true;
    if (x.empty(0) ? x.underflow() : x.overflow()) {
        x.set(0, kIndefinite);
        x.push(kIndefinite);
    }
    return false;
}

bool fxtract(X87& x)
{
    if (!room_for_two(x)) return true;
    Context c = x.context();
    const fp::Parts parts = fp::extract(c, x.st(0));
    return put_two(x, c, parts.exponent, parts.significand), true;
}

// ---- Transcendental -----------------------------------------------------------------------------

/// C2: the operand is too large, and nothing has happened.
bool reducible(X87& x)
{
    const bool beyond = fp::beyond_reduction(x.st(0));
    x.conditions(kC2 | kC1, beyond ? kC2 : 0);
    return !beyond;
}

template <F80 (*function)(Context&, F80)>
bool circular(X87& x)
{
    x.conditions(kC2, 0);
    if (x.empty(0)) return put_indefinite(x, 0), true;
    return reducible(x) ? unary<function>(x) : true;
}

constexpr F80 kOne{u64{1} << 63, 16383};

bool fptan(X87& x)
{
    x.conditions(kC2, 0);
    if (!room_for_two(x) || !reducible(x)) return true;
    Context c = x.context();
    const F80 tangent = fp::tan(c, x.st(0));
    const bool nan = fp::classify(tangent) == fp::Kind::QuietNan;
    return put_two(x, c, tangent, nan ? tangent : kOne), true;
}

bool fsincos(X87& x)
{
    x.conditions(kC2, 0);
    if (!room_for_two(x) || !reducible(x)) return true;
    Context c = x.context();
    const F80 sine = fp::sin(c, x.st(0));
    const F80 cosine = fp::cos(c, x.st(0));
    return put_two(x, c, sine, cosine), true;
}

/// ST(1) = f(ST(1), ST(0)), and pops.
template <F80 (*function)(Context&, F80, F80)>
bool binary_pop(X87& x)
{
    bool done;
    if (x.empty(0) || x.empty(1)) {
        done = put_indefinite(x, 1);
    } else {
        Context c = x.context();
        const F80 result = function(c, x.st(1), x.st(0));
        done = put(x, c, 1, result);
    }
    if (done) x.pop();
    return true;
}

using enum Form;
using enum X87Rule;

template <Operation op, class Source>
constexpr Opcode memory_row(int code, int reg, const char* name)
{
    const Row more = x87_memory(reg);
    using Slow = Esc<with_memory<op, Source>>;
    if constexpr (std::is_integral_v<Source>) return row<Slow, M>(code, name, more);
    else return row<Quickly<quick_with_memory<op, Source>, Slow>, M>(code, name, more);
}
template <class Source, bool pops>
constexpr Opcode compare_row(int code, int reg, const char* name)
{
    const Row more = x87_memory(reg);
    using Slow = Esc<compare_memory<Source, pops>>;
    if constexpr (std::is_integral_v<Source>) return row<Slow, M>(code, name, more);
    else return row<Quickly<quick_compare_memory<Source, pops>, Slow>, M>(code, name, more);
}
template <class Source>
constexpr std::array<Opcode, 8> memory_rows(int code, std::array<const char*, 8> n)
{
    return {
        memory_row<add, Source>(code, 0, n[0]),    memory_row<mul, Source>(code, 1, n[1]),
        compare_row<Source, false>(code, 2, n[2]), compare_row<Source, true>(code, 3, n[3]),
        memory_row<sub, Source>(code, 4, n[4]),    memory_row<sub_reversed, Source>(code, 5, n[5]),
        memory_row<div, Source>(code, 6, n[6]),    memory_row<div_reversed, Source>(code, 7, n[7])};
}

constexpr std::array<const char*, 8> kReal = {"fadd", "fmul",  "fcom", "fcomp",
                                              "fsub", "fsubr", "fdiv", "fdivr"};
constexpr std::array<const char*, 8> kInteger = {"fiadd", "fimul",  "ficom", "ficomp",
                                                 "fisub", "fisubr", "fidiv", "fidivr"};
constexpr auto kI387 = Level::I80386;

// clang-format off
constexpr auto kRegisterRows = std::to_array<Opcode>({
    quick_register_row<quick_to_top<add>, to_top<add>>                 (0xD8, 0, "fadd"),
    quick_register_row<quick_to_top<mul>, to_top<mul>>                 (0xD8, 1, "fmul"),
    quick_register_row<quick_compare_register<0>, compare_register<false, 0>>  (0xD8, 2, "fcom"),
    quick_register_row<quick_compare_register<1>, compare_register<false, 1>>  (0xD8, 3, "fcomp"),
    quick_register_row<quick_to_top<sub>, to_top<sub>>                 (0xD8, 4, "fsub"),
    quick_register_row<quick_to_top<sub_reversed>, to_top<sub_reversed>>        (0xD8, 5, "fsubr"),
    quick_register_row<quick_to_top<div>, to_top<div>>                 (0xD8, 6, "fdiv"),
    quick_register_row<quick_to_top<div_reversed>, to_top<div_reversed>>        (0xD8, 7, "fdivr"),
    quick_register_row<quick_to_sti<add, false>, to_sti<add>>                 (0xDC, 0, "fadd"),
    quick_register_row<quick_to_sti<mul, false>, to_sti<mul>>                 (0xDC, 1, "fmul"),
    quick_register_row<quick_compare_register<0>, compare_register<false, 0>>  (0xDC, 2, "fcom"),
    quick_register_row<quick_compare_register<1>, compare_register<false, 1>>  (0xDC, 3, "fcomp"),
    quick_register_row<quick_to_sti<sub_reversed, false>, to_sti<sub_reversed>>        (0xDC, 4, "fsubr"),
    quick_register_row<quick_to_sti<sub, false>, to_sti<sub>>                 (0xDC, 5, "fsub"),
    quick_register_row<quick_to_sti<div_reversed, false>, to_sti<div_reversed>>        (0xDC, 6, "fdivr"),
    quick_register_row<quick_to_sti<div, false>, to_sti<div>>                 (0xDC, 7, "fdiv"),
    quick_register_row<quick_to_sti<add, true>, to_sti_pop<add>>             (0xDE, 0, "faddp"),
    quick_register_row<quick_to_sti<mul, true>, to_sti_pop<mul>>             (0xDE, 1, "fmulp"),
    quick_register_row<quick_compare_register<1>, compare_register<false, 1>>  (0xDE, 2, "fcomp"),
    quick_single_row<quick_compare_both, compare_both<false>>           (0xDE, 0xD9, "fcompp"),
    quick_register_row<quick_to_sti<sub_reversed, true>, to_sti_pop<sub_reversed>>    (0xDE, 4, "fsubrp"),
    quick_register_row<quick_to_sti<sub, true>, to_sti_pop<sub>>             (0xDE, 5, "fsubp"),
    quick_register_row<quick_to_sti<div_reversed, true>, to_sti_pop<div_reversed>>    (0xDE, 6, "fdivrp"),
    quick_register_row<quick_to_sti<div, true>, to_sti_pop<div>>             (0xDE, 7, "fdivp"),

    register_row<compare_register<true, 0>, kI387>(0xDD, 4, "fucom"),
    register_row<compare_register<true, 1>, kI387>(0xDD, 5, "fucomp"),
    single_row<compare_both<true>, kI387>     (0xDA, 0xE9, "fucompp"),
    register_row<compare_register<true, 0, true>, kI387, Feature::Cmov> (0xDB, 5, "fucomi"),
    register_row<compare_register<false, 0, true>, kI387, Feature::Cmov>(0xDB, 6, "fcomi"),
    register_row<compare_register<true, 1, true>, kI387, Feature::Cmov> (0xDF, 5, "fucomip"),
    register_row<compare_register<false, 1, true>, kI387, Feature::Cmov>(0xDF, 6, "fcomip"),

    quick_single_row<quick_change_sign<true>, change_sign<true>>             (0xD9, 0xE0, "fchs"),
    quick_single_row<quick_change_sign<false>, change_sign<false>>            (0xD9, 0xE1, "fabs"),
    single_row<ftst>                          (0xD9, 0xE4, "ftst"),
    single_row<fxam>                          (0xD9, 0xE5, "fxam"),
    called(single_row<unary<fp::exp2_minus_1>>(0xD9, 0xF0, "f2xm1")),
    called(single_row<binary_pop<fp::y_log2_x>>(0xD9, 0xF1, "fyl2x")),
    called(single_row<fptan>(0xD9, 0xF2, "fptan")),
    called(single_row<binary_pop<fp::atan2>>(0xD9, 0xF3, "fpatan")),
    called(single_row<fxtract>(0xD9, 0xF4, "fxtract")),
    called(single_row<fprem<true>, kI387>(0xD9, 0xF5, "fprem1")),
    called(single_row<fprem<false>>(0xD9, 0xF8, "fprem")),
    called(single_row<binary_pop<fp::y_log2_x_plus_1>>(0xD9, 0xF9, "fyl2xp1")),
    single_row<unary<sqrt>>                   (0xD9, 0xFA, "fsqrt"),
    called(single_row<fsincos, kI387>(0xD9, 0xFB, "fsincos")),
    single_row<unary<round_to_integral>>      (0xD9, 0xFC, "frndint"),
    called(single_row<fscale>(0xD9, 0xFD, "fscale")),
    called(single_row<circular<fp::sin>, kI387>(0xD9, 0xFE, "fsin")),
    called(single_row<circular<fp::cos>, kI387>(0xD9, 0xFF, "fcos")),
});
// clang-format on

constexpr auto kRows =
    concatenate(kRegisterRows, memory_rows<F32>(0xD8, kReal), memory_rows<i32>(0xDA, kInteger),
                memory_rows<F64>(0xDC, kReal), memory_rows<i16>(0xDE, kInteger));

}  // namespace

std::span<const Opcode> x87_arithmetic_rows() { return kRows; }

}  // namespace reprise::ops
