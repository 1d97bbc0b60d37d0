/// x87: loads, stores, constants, conditional moves, and moving the stack.
#include <limits>

#include "cpu/ops/x87_quick.h"

namespace reprise::ops {

namespace {

using fp::Context;
using fp::F32;
using fp::F64;
using fp::F80;
using fp::Rounding;

bool push_indefinite(X87& x, bool masked)
{
    if (masked) x.push(kIndefinite);
    return true;
}

// ---- Loads --------------------------------------------------------------------------------------

bool load(X87& x, const Context& c, F80 value)
{
    if (!x.empty(-1)) return push_indefinite(x, x.overflow());
    x.accept(c);
    // An unmasked DE does not keep a denormal out (as measured on an AMD Zen 4).
    if (!(c.flags & ~c.masks & fp::kInvalid)) x.push(value);
    return true;
}

template <class Source>
bool fld(X87& x)
{
    Context c = x.context();
    const Source value{TRY(x.read<decltype(Source::bits)>())};
    return load(x, c, fp::convert<F80>(c, value));
}

bool fld_extended(X87& x)
{
    const F80 value = TRY(x.read_extended());
    return load(x, x.context(), value);
}

template <class Integer>
bool fild(X87& x)
{
    Context c = x.context();
    const auto value = static_cast<Integer>(TRY(x.read<std::make_unsigned_t<Integer>>()));
    const F80 result = fp::from_integer<F80>(c, value);
    return load(x, c, result);
}

bool fbld(X87& x)
{
    fp::PackedBcd bcd;
    const u64 low = TRY(x.read<u64>());
    const u16 high = TRY(x.read<u16>(8));
    for (int i = 0; i < 8; ++i) bcd[static_cast<std::size_t>(i)] = static_cast<u8>(low >> 8 * i);
    bcd[8] = static_cast<u8>(high);
    bcd[9] = high >> 8;
    return load(x, x.context(), fp::from_bcd(bcd));
}

bool fld_register(X87& x)
{
    if (x.empty(x.i())) return push_indefinite(x, x.underflow());
    return load(x, x.context(), x.st(x.i()));
}

/// A constant between two numbers of 64 bits: the lower one, and whether the upper one is nearer
/// (SDM vol. 2A, FLD1; the 8087 and 287 round to nearest).
struct Constant {
    F80 below;
    bool exact, nearer_above;
};

constexpr std::array<Constant, 7> kConstants = {{
    {{0x8000000000000000, 0x3FFF}, true, false},   // 1
    {{0xD49A784BCD1B8AFE, 0x4000}, false, false},  // log2(10)
    {{0xB8AA3B295C17F0BB, 0x3FFF}, false, true},   // log2(e)
    {{0xC90FDAA22168C234, 0x4000}, false, true},   // pi
    {{0x9A209A84FBCFF798, 0x3FFD}, false, true},   // log10(2)
    {{0xB17217F7D1CF79AB, 0x3FFE}, false, true},   // ln(2)
    {{0, 0}, true, false},                         // 0
}};

template <std::size_t number>
bool load_constant(X87& x)
{
    constexpr Constant k = kConstants[number];
    const Rounding rounding = x.cpu.at_least(Level::I80386) ? x.rounding() : Rounding::Nearest;
    const bool up = rounding == Rounding::Up || (rounding == Rounding::Nearest && k.nearer_above);
    F80 value = k.below;
    if (!k.exact && up) ++value.significand;
    return load(x, x.context(), value);
}

[[gnu::always_inline]] inline bool quick_load(X87& x, F80 value)
{
    if (!x.empty(-1)) return false;
    x.conditions(kC1, 0);
    x.push(value);
    return true;
}
template <class Source>
bool quick_fld(X87& x)
{
    F80 value;
    if (!fp::quick::widen(Source{TRY(quick_read<decltype(Source::bits)>(x))}, value)) return false;
    return quick_load(x, value);
}
template <class Integer>
bool quick_fild(X87& x)
{
    const auto value = static_cast<Integer>(TRY(quick_read<std::make_unsigned_t<Integer>>(x)));
    return quick_load(x, fp::quick::from_integer(value));
}
bool quick_fld_register(X87& x) { return !x.empty(x.i()) && quick_load(x, x.st(x.i())); }

/// 1 and 0, which need no rounding.
template <std::size_t number>
bool quick_constant(X87& x)
{
    static_assert(kConstants[number].exact);
    return quick_load(x, kConstants[number].below);
}

// ---- Stores -------------------------------------------------------------------------------------

/// Writes what `write(value)` writes: `value` unless the exceptions in `c` forbid it, or the
/// response to an empty register. Flags and stack change only after it. Memory that cannot be
/// written faults even if nothing is (host processors).
template <int pops, int bytes, class T, class Write>
bool store(X87& x, const Context& c, T value, T indefinite, Write write)
{
    const bool stack_fault = x.empty(0);
    const u8 forbidding =
        fp::kInvalid | fp::kDenormal | fp::kZeroDivide | fp::kOverflow | fp::kUnderflow;
    const bool writes =
        stack_fault ? c.masks & fp::kInvalid : (c.flags & ~c.masks & forbidding) == 0;
    if (writes && !write(stack_fault ? indefinite : value)) return false;
    if (!writes && !(bytes == 10 ? x.probe_extended() : x.probe(0, bytes, bytes))) return false;
    if (stack_fault) x.underflow();
    else x.accept(c);
    if (pops && writes) x.pop();
    return true;
}

template <class Target, bool pops>
bool fst(X87& x)
{
    Context c = x.context();
    const Target value = fp::convert<Target>(c, x.st(0));
    Context ignored;
    return store<pops, sizeof(Target::bits)>(x, c, value, fp::convert<Target>(ignored, kIndefinite),
                                             [&](Target v) { return x.write(v.bits); });
}

bool fstp_extended(X87& x)
{
    return store<1, 10>(x, x.context(), x.st(0), kIndefinite,
                        [&](F80 v) { return x.write_extended(v); });
}

template <class Integer>
Integer to_integer(Context& c, F80 value, Rounding rounding)
{
    if constexpr (sizeof(Integer) == 2) return fp::to_i16(c, value, rounding);
    else if constexpr (sizeof(Integer) == 4) return fp::to_i32(c, value, rounding);
    else return fp::to_i64(c, value, rounding);
}

template <class Integer, bool pops, bool truncates = false>
bool fist(X87& x)
{
    Context c = x.context();
    const Integer value = to_integer<Integer>(c, x.st(0), truncates ? Rounding::Zero : c.rounding);
    using Bits = std::make_unsigned_t<Integer>;
    return store<pops, sizeof(Integer)>(x, c, value, std::numeric_limits<Integer>::min(),
                                        [&](Integer v) { return x.write(static_cast<Bits>(v)); });
}

template <class Target, bool pops>
bool quick_fst(X87& x)
{
    Target value;
    bool inexact, up;
    if (x.empty(0) || !rounds_quickly(x)) return false;
    if (!fp::quick::narrow(x.st(0), value, inexact, up)) return false;
    if (!quick_write(x, value.bits)) return false;
    put_rounding(x, inexact, up);
    if (pops) x.pop();
    return true;
}

/// With PE masked, and rounding to nearest or to zero.
template <class Integer, bool pops>
bool quick_fist(X87& x)
{
    Integer value;
    bool inexact, up;
    const bool truncate = (x.s.control & 0xC00) == 0xC00;
    if (x.empty(0) || !(x.s.control & fp::kPrecision)) return false;
    if (!truncate && !rounds_quickly(x)) return false;
    if (!fp::quick::to_integer(x.st(0), truncate, value, inexact, up)) return false;
    if (!quick_write(x, static_cast<std::make_unsigned_t<Integer>>(value))) return false;
    put_rounding(x, inexact, up);
    if (pops) x.pop();
    return true;
}

bool fbstp(X87& x)
{
    Context c = x.context();
    const fp::PackedBcd value = fp::to_bcd(c, x.st(0));
    Context ignored;
    return store<1, 10>(x, c, value, fp::to_bcd(ignored, kIndefinite),
                        [&](const fp::PackedBcd& bcd) {
                            u64 low = 0;
                            for (std::size_t i = 0; i < 8; ++i) low |= u64{bcd[i]} << 8 * i;
                            return x.probe_extended() && x.write(low) &&
                                   x.write(static_cast<u16>(bcd[8] | bcd[9] << 8), 8);
                        });
}

template <bool pops>
bool fst_register(X87& x)
{
    if (x.empty(0)) {
        if (!x.underflow()) return true;
        x.set(x.i(), kIndefinite);
    } else {
        x.conditions(kC1, 0);
        x.set(x.i(), x.st(0));
    }
    if (pops) x.pop();
    return true;
}

template <bool pops>
bool quick_fst_register(X87& x)
{
    return !x.empty(0) && fst_register<pops>(x);
}

/// D9 D8+i, undocumented: an empty register is not stored and is no stack fault (as measured on an
/// AMD Zen 4).
bool fstpnce(X87& x)
{
    x.conditions(kC1, 0);
    if (!x.empty(0)) x.set(x.i(), x.st(0));
    x.pop();
    return true;
}

// ---- Between registers --------------------------------------------------------------------------

bool fxch(X87& x)
{
    const int i = x.i();
    if (x.empty(0) || x.empty(i)) {
        if (!x.underflow()) return true;
        if (x.empty(0)) x.set(0, kIndefinite);
        if (x.empty(i)) x.set(i, kIndefinite);
    } else {
        x.conditions(kC1, 0);
    }
    const F80 top = x.st(0);
    x.set(0, x.st(i));
    x.set(i, top);
    return true;
}

bool quick_fxch(X87& x)
{
    if (x.empty(0) || x.empty(x.i())) return false;
    x.conditions(kC1, 0);
    const F80 top = x.st(0);
    x.replace(0, x.st(x.i()));
    x.replace(x.i(), top);
    return true;
}

enum class Condition : u8 { Below, Equal, BelowOrEqual, Unordered };

template <Condition condition, bool negated>
bool fcmov(X87& x)
{
    if (x.empty(0) || x.empty(x.i())) {
        if (x.underflow()) x.set(0, kIndefinite);
        return true;
    }
    const u32 flags = x.cpu.flags.get();
    constexpr u32 tested = condition == Condition::Below          ? u32{CF}
                           : condition == Condition::Equal        ? u32{ZF}
                           : condition == Condition::BelowOrEqual ? u32{CF} | u32{ZF}
                                                                  : u32{PF};
    if (((flags & tested) != 0) != negated) x.set(0, x.st(x.i()));
    return true;
}

template <int by>
bool move_top(X87& x)
{
    x.conditions(kC1, 0);
    x.move_top(by);
    return true;
}

template <bool pops>
bool ffree(X87& x)
{
    x.conditions(kC1, 0);
    x.free(x.i());
    if (pops) x.pop();
    return true;
}

bool fnop(X87&) { return true; }

using enum Form;
using enum X87Rule;

template <bool (*body)(X87&), Level level = Level::I8086, Feature feature = Feature::None>
constexpr Opcode memory_row(int code, int reg, const char* name)
{
    return row<Esc<body, Numeric, level, feature>, M>(code, name, x87_memory(reg));
}
template <bool (*quick)(X87&), bool (*body)(X87&)>
constexpr Opcode quick_memory_row(int code, int reg, const char* name)
{
    return row<Quickly<quick, Esc<body>>, M>(code, name, x87_memory(reg));
}
template <Condition condition, bool negated>
constexpr Opcode fcmov_row(int code, int reg, const char* name)
{
    return register_row<fcmov<condition, negated>, Level::I8086, Feature::Cmov>(code, reg, name);
}
template <class Integer>
constexpr Opcode fisttp_row(int code)
{
    return memory_row<fist<Integer, true, true>, Level::I8086, Feature::Sse3>(code, 1, "fisttp");
}

// clang-format off
constexpr auto kRows = std::to_array<Opcode>({
    quick_memory_row<quick_fld<F32>, fld<F32>>         (0xD9, 0, "fld"),
    quick_memory_row<quick_fst<F32, false>, fst<F32, false>>  (0xD9, 2, "fst"),
    quick_memory_row<quick_fst<F32, true>, fst<F32, true>>   (0xD9, 3, "fstp"),
    quick_memory_row<quick_fild<i32>, fild<i32>>        (0xDB, 0, "fild"),
    quick_memory_row<quick_fist<i32, false>, fist<i32, false>> (0xDB, 2, "fist"),
    quick_memory_row<quick_fist<i32, true>, fist<i32, true>>  (0xDB, 3, "fistp"),
    memory_row<fld_extended>     (0xDB, 5, "fld"),
    memory_row<fstp_extended>    (0xDB, 7, "fstp"),
    quick_memory_row<quick_fld<F64>, fld<F64>>         (0xDD, 0, "fld"),
    quick_memory_row<quick_fst<F64, false>, fst<F64, false>>  (0xDD, 2, "fst"),
    quick_memory_row<quick_fst<F64, true>, fst<F64, true>>   (0xDD, 3, "fstp"),
    quick_memory_row<quick_fild<i16>, fild<i16>>        (0xDF, 0, "fild"),
    quick_memory_row<quick_fist<i16, false>, fist<i16, false>> (0xDF, 2, "fist"),
    quick_memory_row<quick_fist<i16, true>, fist<i16, true>>  (0xDF, 3, "fistp"),
    called(memory_row<fbld>(0xDF, 4, "fbld")),
    quick_memory_row<quick_fild<i64>, fild<i64>>        (0xDF, 5, "fild"),
    called(memory_row<fbstp>(0xDF, 6, "fbstp")),
    quick_memory_row<quick_fist<i64, true>, fist<i64, true>>  (0xDF, 7, "fistp"),
    fisttp_row<i32>(0xDB),
    fisttp_row<i64>(0xDD),
    fisttp_row<i16>(0xDF),

    quick_register_row<quick_fld_register, fld_register>       (0xD9, 0, "fld"),
    quick_register_row<quick_fxch, fxch>               (0xD9, 1, "fxch"),
    quick_register_row<quick_fxch, fxch>               (0xDD, 1, "fxch"),
    quick_register_row<quick_fxch, fxch>               (0xDF, 1, "fxch"),
    called(register_row<fstpnce>(0xD9, 3, "fstpnce")),
    quick_register_row<quick_fst_register<false>, fst_register<false>>(0xDD, 2, "fst"),
    quick_register_row<quick_fst_register<true>, fst_register<true>> (0xDD, 3, "fstp"),
    quick_register_row<quick_fst_register<true>, fst_register<true>> (0xDF, 2, "fstp"),
    quick_register_row<quick_fst_register<true>, fst_register<true>> (0xDF, 3, "fstp"),
    register_row<ffree<false>>       (0xDD, 0, "ffree"),
    called(register_row<ffree<true>>(0xDF, 0, "ffreep")),

    fcmov_row<Condition::Below, false>       (0xDA, 0, "fcmovb"),
    fcmov_row<Condition::Equal, false>       (0xDA, 1, "fcmove"),
    fcmov_row<Condition::BelowOrEqual, false>(0xDA, 2, "fcmovbe"),
    fcmov_row<Condition::Unordered, false>   (0xDA, 3, "fcmovu"),
    fcmov_row<Condition::Below, true>        (0xDB, 0, "fcmovnb"),
    fcmov_row<Condition::Equal, true>        (0xDB, 1, "fcmovne"),
    fcmov_row<Condition::BelowOrEqual, true> (0xDB, 2, "fcmovnbe"),
    fcmov_row<Condition::Unordered, true>    (0xDB, 3, "fcmovnu"),

    quick_single_row<quick_constant<0>, load_constant<0>>(0xD9, 0xE8, "fld1"),
    single_row<load_constant<1>>(0xD9, 0xE9, "fldl2t"),
    single_row<load_constant<2>>(0xD9, 0xEA, "fldl2e"),
    single_row<load_constant<3>>(0xD9, 0xEB, "fldpi"),
    single_row<load_constant<4>>(0xD9, 0xEC, "fldlg2"),
    single_row<load_constant<5>>(0xD9, 0xED, "fldln2"),
    quick_single_row<quick_constant<6>, load_constant<6>>(0xD9, 0xEE, "fldz"),
    single_row<move_top<-1>>    (0xD9, 0xF6, "fdecstp"),
    single_row<move_top<1>>     (0xD9, 0xF7, "fincstp"),
    single_row<fnop>            (0xD9, 0xD0, "fnop"),
});
// clang-format on

}  // namespace

std::span<const Opcode> x87_transfer_rows() { return kRows; }

}  // namespace reprise::ops
