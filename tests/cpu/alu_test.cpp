/// The arithmetic unit against the operations as SDM vol. 2 writes them down, and on x86-64 against
/// the processor this runs on: exhaustive on bytes, sampled on 16, 32 and 64 bits.
///
/// REPRISE_SEED=<number> repeats a run or tries another.
#include "cpu/alu.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "tests/cpu/flag_combination.h"

namespace reprise {
namespace {

enum class Op : u8 {
    Add,
    Or,
    Adc,
    Sbb,
    And,
    Sub,
    Xor,
    Inc,
    Dec,
    Neg,
    Rol,
    Ror,
    Rcl,
    Rcr,
    Shl,
    Shr,
    Sal,
    Sar,
    Shld,
    Shrd,
    Mul,
    Imul,
};
constexpr std::array<const char*, 22> kOpNames = {
    "add", "or",  "adc", "sbb", "and", "sub", "xor", "inc",  "dec",  "neg", "rol",
    "ror", "rcl", "rcr", "shl", "shr", "sal", "sar", "shld", "shrd", "mul", "imul"};
constexpr Op kBinary[] = {Op::Add, Op::Or,  Op::Adc, Op::Sbb, Op::And,
                          Op::Sub, Op::Xor, Op::Mul, Op::Imul};
constexpr Op kUnary[] = {Op::Inc, Op::Dec, Op::Neg};
constexpr Op kShifts[] = {Op::Rol, Op::Ror, Op::Rcl, Op::Rcr, Op::Shl, Op::Shr, Op::Sal, Op::Sar};
constexpr Op kDoubleShifts[] = {Op::Shld, Op::Shrd};

struct Input {
    u64 a = 0, b = 0;
    u32 count = 0;  // already masked
    u32 flags = 0;
};
struct Output {
    u64 value = 0;
    u64 high = 0;  // of a product
    u32 flags = 0;
    u32 defined = kArithmeticFlags;
};

// ---- The three processors ----------------------------------------------------------------------

template <class T>
Output ours(Op op, const Input& in)
{
    const T a = static_cast<T>(in.a), b = static_cast<T>(in.b);
    LazyFlags f;
    f.set(in.flags);
    Output out;
    const auto product = [&](Wide<T> wide) {
        out.high = wide.high;
        return wide.low;
    };
    switch (op) {
    case Op::Add: out.value = alu<AluOp::Add>(f, a, b); break;
    case Op::Or: out.value = alu<AluOp::Or>(f, a, b); break;
    case Op::Adc: out.value = alu<AluOp::Adc>(f, a, b); break;
    case Op::Sbb: out.value = alu<AluOp::Sbb>(f, a, b); break;
    case Op::And: out.value = alu<AluOp::And>(f, a, b); break;
    case Op::Sub: out.value = alu<AluOp::Sub>(f, a, b); break;
    case Op::Xor: out.value = alu<AluOp::Xor>(f, a, b); break;
    case Op::Inc: out.value = step<true>(f, a); break;
    case Op::Dec: out.value = step<false>(f, a); break;
    case Op::Neg: out.value = sub<T>(f, 0, a); break;
    case Op::Rol: out.value = shift<ShiftOp::Rol>(f, a, in.count); break;
    case Op::Ror: out.value = shift<ShiftOp::Ror>(f, a, in.count); break;
    case Op::Rcl: out.value = shift<ShiftOp::Rcl>(f, a, in.count); break;
    case Op::Rcr: out.value = shift<ShiftOp::Rcr>(f, a, in.count); break;
    case Op::Shl: out.value = shift<ShiftOp::Shl>(f, a, in.count); break;
    case Op::Shr: out.value = shift<ShiftOp::Shr>(f, a, in.count); break;
    case Op::Sal: out.value = shift<ShiftOp::Sal>(f, a, in.count); break;
    case Op::Sar: out.value = shift<ShiftOp::Sar>(f, a, in.count); break;
    case Op::Shld:
        if constexpr (sizeof(T) > 1) out.value = double_shift<true>(f, a, b, in.count);
        break;
    case Op::Shrd:
        if constexpr (sizeof(T) > 1) out.value = double_shift<false>(f, a, b, in.count);
        break;
    case Op::Mul: out.value = product(multiply_unsigned(f, a, b)); break;
    case Op::Imul: out.value = product(multiply_signed(f, a, b)); break;
    }
    out.flags = f.get();
    return out;
}

/// The "Operation" sections of SDM vol. 2, in integers too wide to overflow and bit by bit.
template <class T>
class Manual {
public:
    Manual(Op op, const Input& in)
        : a_(static_cast<T>(in.a)),
          b_(static_cast<T>(in.b)),
          count_(in.count),
          carry_(in.flags & CF)
    {
        out_.flags = in.flags;
        switch (op) {
        case Op::Add: sum(b_, 0); break;
        case Op::Adc: sum(b_, carry_); break;
        case Op::Sub: difference(a_, b_, 0); break;
        case Op::Sbb: difference(a_, b_, carry_); break;
        case Op::Neg: difference(0, a_, 0); break;
        case Op::Inc: sum(1, 0), assign(CF, carry_); break;
        case Op::Dec: difference(a_, 1, 0), assign(CF, carry_); break;
        case Op::And: logic(a_ & b_); break;
        case Op::Or: logic(a_ | b_); break;
        case Op::Xor: logic(a_ ^ b_); break;
        case Op::Mul: product(u128{a_} * b_); break;
        case Op::Imul:
            product(static_cast<u128>(i128{sign_extend(a_)} * sign_extend(b_))), imul_carry();
            break;
        case Op::Shld:
        case Op::Shrd: double_shift(op == Op::Shld); break;
        default: shift_or_rotate(op); break;
        }
    }
    const Output& output() const { return out_; }

private:
    static constexpr int n = kBits<T>;

    static bool top(T value) { return value >> (n - 1) & 1; }
    void assign(u32 flag, bool value) { out_.flags = (out_.flags & ~flag) | (value ? flag : 0); }
    void result(T value)
    {
        out_.value = value;
        int ones = 0;
        for (int bit = 0; bit < 8; ++bit) ones += value >> bit & 1;
        assign(ZF, value == 0);
        assign(SF, top(value));
        assign(PF, ones % 2 == 0);
    }
    static bool out_of_range(i128 value)
    {
        const i128 limit = i128{1} << (n - 1);
        return value >= limit || value < -limit;
    }

    void sum(T b, bool carry)
    {
        const u128 wide = u128{a_} + b + carry;
        result(static_cast<T>(wide));
        assign(CF, wide >> n != 0);
        assign(OF, out_of_range(i128{sign_extend(a_)} + sign_extend(b) + carry));
        assign(AF, (a_ & 15) + (b & 15) + carry > 15);
    }
    void difference(T a, T b, bool borrow)
    {
        result(static_cast<T>(u128{a} - b - borrow));
        assign(CF, u128{a} < u128{b} + borrow);
        assign(OF, out_of_range(i128{sign_extend(a)} - sign_extend(b) - borrow));
        assign(AF, (a & 15) < (b & 15) + borrow);
    }
    void logic(T value)
    {
        result(value);
        assign(CF | OF, false);
        out_.defined &= ~AF;
    }
    void product(u128 wide)
    {
        out_.value = static_cast<T>(wide);
        out_.high = static_cast<T>(wide >> n);
        assign(CF | OF, out_.high != 0);
        out_.defined = CF | OF;
    }
    void imul_carry()
    {
        assign(CF | OF,
               out_.high != (top(static_cast<T>(out_.value)) ? static_cast<T>(~T{0}) : T{0}));
    }

    /// One bit at a time.
    void shift_or_rotate(Op op)
    {
        out_.value = a_;
        if (count_ == 0) return;
        const bool through_carry = op == Op::Rcl || op == Op::Rcr;
        T value = a_;
        bool cf = carry_;
        for (u32 i = 0; i < (through_carry ? count_ % (n + 1) : count_); ++i) {
            const bool left = op == Op::Rol || op == Op::Rcl || op == Op::Shl || op == Op::Sal;
            const bool out = left ? top(value) : value & 1;
            const bool in = op == Op::Rol || op == Op::Ror ? out
                            : through_carry                ? cf
                                                           : op == Op::Sar && top(value);
            value = left ? static_cast<T>(value << 1 | in)
                         : static_cast<T>(value >> 1 | T{in} << (n - 1));
            cf = out;
        }
        const bool second = value >> (n - 2) & 1;
        if (op >= Op::Shl) result(value), out_.defined &= ~AF;
        out_.value = value;
        assign(CF, cf);
        assign(OF, op == Op::Rol || op == Op::Rcl || op == Op::Shl || op == Op::Sal
                       ? top(value) != cf
                   : op == Op::Shr ? top(a_)
                   : op == Op::Sar ? false
                                   : top(value) != second);
        if (count_ != 1) out_.defined &= ~OF;
        if (op >= Op::Shl && op <= Op::Sal && count_ >= n) out_.defined &= ~CF;
    }

    void double_shift(bool left)
    {
        out_.value = a_;
        if (count_ == 0) return;
        T value = a_, filler = b_;
        bool cf = false;
        for (u32 i = 0; i < count_; ++i) {
            cf = left ? top(value) : value & 1;
            value = left ? static_cast<T>(value << 1 | T{top(filler)})
                         : static_cast<T>(value >> 1 | (filler & 1) << (n - 1));
            filler = static_cast<T>(left ? filler << 1 : filler >> 1);
        }
        result(value);
        assign(CF, cf);
        assign(OF, top(value) != top(a_));
        out_.defined &= ~AF;
        if (count_ != 1) out_.defined &= ~OF;
    }

    T a_, b_;
    u32 count_;
    bool carry_;
    Output out_;
};

#if defined(__x86_64__)

// The flags go in and out on the stack, below the red zone.
#define REPRISE_ON_HOST(code)                                              \
    asm volatile("leaq -128(%%rsp), %%rsp\n\tpushq %[f]\n\tpopfq\n\t" code \
                 "\n\tpushfq\n\tpopq %[f]\n\tleaq 128(%%rsp), %%rsp"       \
                 : [a] "+a"(a), [d] "+d"(d), [f] "+r"(flags)               \
                 : [b] "r"(b), [c] "c"(count)                              \
                 : "cc", "memory")

/// For `name` followed by the suffix and registers of each operand size.
#define REPRISE_HOST_OPERATION(name, operands)                                 \
    if constexpr (sizeof(T) == 1) REPRISE_ON_HOST(name "b " operands(b));      \
    else if constexpr (sizeof(T) == 2) REPRISE_ON_HOST(name "w " operands(w)); \
    else if constexpr (sizeof(T) == 4) REPRISE_ON_HOST(name "l " operands(k)); \
    else REPRISE_ON_HOST(name "q " operands(q));                               \
    break
#define REPRISE_BINARY(size) "%" #size "[b], %" #size "[a]"
#define REPRISE_UNARY(size) "%" #size "[a]"
#define REPRISE_SHIFT(size) "%%cl, %" #size "[a]"
#define REPRISE_PRODUCT(size) "%" #size "[b]"
#define REPRISE_DOUBLE(size) "%%cl, %" #size "[b], %" #size "[a]"

template <class T>
Output host(Op op, const Input& in)
{
    u64 a = in.a, d = 0, flags = in.flags | kReservedSetFlags | IF;
    const u64 b = in.b, count = in.count;
    switch (op) {
    case Op::Add: REPRISE_HOST_OPERATION("add", REPRISE_BINARY);
    case Op::Or: REPRISE_HOST_OPERATION("or", REPRISE_BINARY);
    case Op::Adc: REPRISE_HOST_OPERATION("adc", REPRISE_BINARY);
    case Op::Sbb: REPRISE_HOST_OPERATION("sbb", REPRISE_BINARY);
    case Op::And: REPRISE_HOST_OPERATION("and", REPRISE_BINARY);
    case Op::Sub: REPRISE_HOST_OPERATION("sub", REPRISE_BINARY);
    case Op::Xor: REPRISE_HOST_OPERATION("xor", REPRISE_BINARY);
    case Op::Inc: REPRISE_HOST_OPERATION("inc", REPRISE_UNARY);
    case Op::Dec: REPRISE_HOST_OPERATION("dec", REPRISE_UNARY);
    case Op::Neg: REPRISE_HOST_OPERATION("neg", REPRISE_UNARY);
    case Op::Rol: REPRISE_HOST_OPERATION("rol", REPRISE_SHIFT);
    case Op::Ror: REPRISE_HOST_OPERATION("ror", REPRISE_SHIFT);
    case Op::Rcl: REPRISE_HOST_OPERATION("rcl", REPRISE_SHIFT);
    case Op::Rcr: REPRISE_HOST_OPERATION("rcr", REPRISE_SHIFT);
    case Op::Sal:
    case Op::Shl: REPRISE_HOST_OPERATION("shl", REPRISE_SHIFT);
    case Op::Shr: REPRISE_HOST_OPERATION("shr", REPRISE_SHIFT);
    case Op::Sar: REPRISE_HOST_OPERATION("sar", REPRISE_SHIFT);
    case Op::Mul: REPRISE_HOST_OPERATION("mul", REPRISE_PRODUCT);
    case Op::Imul: REPRISE_HOST_OPERATION("imul", REPRISE_PRODUCT);
    case Op::Shld:
        if constexpr (sizeof(T) == 2) REPRISE_ON_HOST("shldw " REPRISE_DOUBLE(w));
        else if constexpr (sizeof(T) == 4) REPRISE_ON_HOST("shldl " REPRISE_DOUBLE(k));
        else if constexpr (sizeof(T) == 8) REPRISE_ON_HOST("shldq " REPRISE_DOUBLE(q));
        break;
    case Op::Shrd:
        if constexpr (sizeof(T) == 2) REPRISE_ON_HOST("shrdw " REPRISE_DOUBLE(w));
        else if constexpr (sizeof(T) == 4) REPRISE_ON_HOST("shrdl " REPRISE_DOUBLE(k));
        else if constexpr (sizeof(T) == 8) REPRISE_ON_HOST("shrdq " REPRISE_DOUBLE(q));
        break;
    }
    Output out{.value = static_cast<T>(a), .flags = static_cast<u32>(flags) & kArithmeticFlags};
    if (op == Op::Mul || op == Op::Imul)
        out.high = sizeof(T) == 1 ? static_cast<u8>(a >> 8) : static_cast<T>(d);
    return out;
}

#undef REPRISE_DOUBLE
#undef REPRISE_PRODUCT
#undef REPRISE_SHIFT
#undef REPRISE_UNARY
#undef REPRISE_BINARY
#undef REPRISE_HOST_OPERATION
#undef REPRISE_ON_HOST

#endif

// ---- Comparison --------------------------------------------------------------------------------

void expect_same(const char* by, int bits, Op op, const Input& in, const Output& us,
                 const Output& them, u32 defined)
{
    if (us.value == them.value && us.high == them.high && ((us.flags ^ them.flags) & defined) == 0)
        return;
    ADD_FAILURE() << by << ": " << kOpNames[static_cast<std::size_t>(op)] << ' ' << bits << std::hex
                  << " a=" << in.a << " b=" << in.b << " count=" << in.count
                  << " flags=" << in.flags << ": " << us.high << ':' << us.value << " flags "
                  << us.flags << ", expected " << them.high << ':' << them.value << " flags "
                  << them.flags << " (defined: " << defined << ')';
}

template <class T>
void check(Op op, const Input& in)
{
    const Output us = ours<T>(op, in), manual = Manual<T>(op, in).output();
    expect_same("manual", kBits<T>, op, in, us, manual, manual.defined);
#if defined(__x86_64__)
    expect_same("host", kBits<T>, op, in, us, host<T>(op, in), manual.defined);
#endif
}

class Values {
public:
    Values()
    {
        const char* given = std::getenv("REPRISE_SEED");
        const u64 seed = given ? std::strtoull(given, nullptr, 0) : 0x5EED;
        std::printf("REPRISE_SEED=%llu\n", static_cast<unsigned long long>(seed));
        random_.seed(seed);
    }
    u64 bits() { return random_(); }
    u32 flags() { return flag_combination(static_cast<u32>(random_() % 64)); }

    /// Half of them near an end of the range, or a run of ones.
    template <class T>
    T operand()
    {
        const u64 random = random_();
        const T one_bit = static_cast<T>(T{1} << (random >> 8) % kBits<T>);
        switch (random % 8) {
        case 0: return static_cast<T>(T{0} - static_cast<T>(random >> 16 & 3));
        case 1:
            return static_cast<T>((T{1} << (kBits<T> - 1)) + static_cast<T>(random >> 16 & 3) -
                                  T{2});
        case 2: return one_bit;
        case 3: return static_cast<T>(one_bit - T{1});
        default: return static_cast<T>(random_());
        }
    }

private:
    std::mt19937_64 random_;
};

constexpr int kSamples = 100'000;  // per operation and operand size

template <class T>
u32 highest_count()
{
    return sizeof(T) == 8 ? 63 : 31;
}

template <class T>
void sample(Values& values)
{
    for (int i = 0; i < kSamples; ++i) {
        Input in{.a = values.operand<T>(), .b = values.operand<T>(), .flags = values.flags()};
        for (const Op op : kBinary) check<T>(op, in);
        for (const Op op : kUnary) check<T>(op, in);
        in.count = static_cast<u32>(values.bits()) & highest_count<T>();
        for (const Op op : kShifts) check<T>(op, in);
        // The result of a count above the operand's width is undefined.
        if (in.count > kBits<T>) in.count -= kBits<T>;
        for (const Op op : kDoubleShifts) check<T>(op, in);
        if (::testing::Test::HasFailure()) return;
    }
}

TEST(Alu, OperationsOnTwoBytesAreExact)
{
    for (const Op op : kBinary)
        for (u64 a = 0; a < 256; ++a)
            for (u64 b = 0; b < 256; ++b)
                for (const u32 flags : {u32{0}, u32{CF}}) {
                    check<u8>(op, {.a = a, .b = b, .flags = flags});
                    if (HasFailure()) return;
                }
}

TEST(Alu, OperationsOnOneByteAreExact)
{
    for (const Op op : kUnary)
        for (u64 a = 0; a < 256; ++a)
            for (u32 i = 0; i < 64; ++i) check<u8>(op, {.a = a, .flags = flag_combination(i)});
}

TEST(Alu, ShiftsOfBytesAreExactForEveryCountAndLeaveTheOtherFlags)
{
    for (const Op op : kShifts)
        for (u64 a = 0; a < 256; ++a)
            for (u32 count = 0; count <= 31; ++count)
                for (u32 i = 0; i < 64; ++i) {
                    check<u8>(op, {.a = a, .count = count, .flags = flag_combination(i)});
                    if (HasFailure()) return;
                }
}

TEST(Alu, OperationsOnWordsAreRightOnSamples)
{
    Values values;
    sample<u16>(values);
}
TEST(Alu, OperationsOnDoublewordsAreRightOnSamples)
{
    Values values;
    sample<u32>(values);
}
TEST(Alu, OperationsOnQuadwordsAreRightOnSamples)
{
    Values values;
    sample<u64>(values);
}

TEST(Alu, CompareLeavesTheFlagsOfASubtraction)
{
    for (int a = 0; a < 256; ++a)
        for (int b = 0; b < 256; ++b) {
            LazyFlags compared, subtracted;
            alu<AluOp::Cmp>(compared, static_cast<u8>(a), static_cast<u8>(b));
            alu<AluOp::Sub>(subtracted, static_cast<u8>(a), static_cast<u8>(b));
            ASSERT_EQ(compared.get(), subtracted.get());
        }
}

// The undefined, as cpu/alu.h promises it.

/// The undefined ones too: the host oracle has them from AMD's Zen.
TEST(Alu, LogicClearsAfAndShiftsSetIt)
{
    LazyFlags f;
    f.set(kArithmeticFlags);
    alu<AluOp::And>(f, u8{0xFF}, u8{0xFF});
    EXPECT_FALSE(f.af());
    for (const auto& operate : std::vector<void (*)(LazyFlags&)>{
             [](LazyFlags& x) { shift<ShiftOp::Shl>(x, u8{0xFF}, 1); },
             [](LazyFlags& x) { shift<ShiftOp::Sar>(x, u8{0xFF}, 1); },
             [](LazyFlags& x) { double_shift<true>(x, u16{0xFFFF}, u16{0xFFFF}, 1); }}) {
        f.set(0);
        operate(f);
        EXPECT_TRUE(f.af());
    }
}

TEST(Alu, ProductsLeaveTheOtherFourFlagsAlone)
{
    for (const u32 before : {0u, u32{kArithmeticFlags}}) {
        LazyFlags f;
        f.set(before);
        multiply_unsigned(f, u8{0xFF}, u8{0xFF});
        EXPECT_EQ(f.get(), (before & (SF | ZF | AF | PF)) | CF | OF);
        multiply_signed(f, u8{0xFF}, u8{0x02});
        EXPECT_EQ(f.get(), before & (SF | ZF | AF | PF));
    }
}

TEST(Alu, ShiftsByMoreThanTheWidthLeaveNoCarry)
{
    LazyFlags f;
    f.set(CF);
    EXPECT_EQ(shift<ShiftOp::Shl>(f, u8{0xFF}, 9), 0);
    EXPECT_FALSE(f.cf());
    f.set(CF);
    EXPECT_EQ(shift<ShiftOp::Shr>(f, u8{0xFF}, 31), 0);
    EXPECT_FALSE(f.cf());
    shift<ShiftOp::Shl>(f, u8{0x01}, 8);
    EXPECT_TRUE(f.cf());
}

TEST(Alu, ShiftsOfThe8086ByAnyCountOfEightBitsEndAsManyShiftsByOne)
{
    for (const Op op : kShifts)
        for (u32 count = 1; count < 256; ++count)
            for (const u64 a : {0x01, 0x80, 0xA5, 0xFF}) {
                const Output us = ours<u8>(op, {.a = a, .count = count, .flags = CF});
                const Output manual =
                    Manual<u8>(op, {.a = a, .count = count, .flags = CF}).output();
                expect_same("manual", 8, op, {.a = a, .count = count, .flags = CF}, us, manual,
                            manual.defined);
            }
}

TEST(Alu, DoubleShiftsOfWordsByMoreThanSixteenGoOnWithTheDestination)
{
    LazyFlags f;
    EXPECT_EQ(double_shift<true>(f, u16{0x1234}, u16{0xABCD}, 20), 0xBCD1);
    EXPECT_EQ(double_shift<false>(f, u16{0x1234}, u16{0xABCD}, 20), 0x4ABC);
}

}  // namespace
}  // namespace reprise
