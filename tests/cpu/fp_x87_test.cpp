/// F80 against the x87 of the processor this runs on: results, flags and C1 for every rounding
/// mode, every precision and every set of masks.
///
/// REPRISE_SEED=<number> repeats a run or tries another.
#include "cpu/fp/x87.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

#include "tests/cpu/fp_operands.h"
#include "tests/cpu/x87_host.h"

#if defined(__x86_64__)

namespace reprise::fp {
namespace {

constexpr u32 kC0 = 0x100, kC1 = 0x200, kC2 = 0x400, kC3 = 0x4000;
constexpr u32 kConditions = kC0 | kC1 | kC2 | kC3;

/// What an operation leaves: registers from the top of the stack, or bytes of memory.
struct Result {
    std::array<F80, 2> st{};
    int registers = 0;
    std::array<u8, 10> memory{};
    int bytes = 0;
    u32 conditions = 0, condition_mask = kC1;
    bool approximate = false;  // processors differ by a unit in the last place
};

Result of(F80 value) { return {.st = {value}, .registers = 1}; }
Result of(F80 st0, F80 st1) { return {.st = {st0, st1}, .registers = 2}; }
template <class T>
Result stored(T value)
{
    Result r{.bytes = sizeof(T)};
    std::memcpy(r.memory.data(), &value, sizeof(T));
    return r;
}

class X87Core : public testing::Test {
protected:
    void SetUp() override { std::printf("seed %llu\n", static_cast<unsigned long long>(seed())); }

    u16 random_control()
    {
        static constexpr u16 kPrecisions[] = {0, 2, 3, 3};
        const u32 masks = operands_.below(4) == 0 ? operands_.below(64) : 0x3F;
        return static_cast<u16>(masks | 0x40 | kPrecisions[operands_.below(4)] << 8 |
                                operands_.below(4) << 10);
    }

    static Context context_of(u16 control)
    {
        static constexpr u8 kBits[] = {24, 24, 53, 64};
        Context c;
        c.rounding = static_cast<Rounding>(control >> 10 & 3);
        c.precision = kBits[control >> 8 & 3];
        c.masks = control & 0x3F;
        return c;
    }

    /// ST(0) = a, ST(1) = b, memory = `source`. `our(c, a, b)` says what comes out.
    template <class Ours>
    void check(std::initializer_list<u8> bytes, Ours our, F80 a, F80 b,
               std::span<const u8> source = {})
    {
        const X87Instruction& instruction = instruction_for(bytes);
        if (!instruction.usable()) GTEST_SKIP() << "no code can be made at run time";
        X87Instruction::Frame frame{};
        const u16 control = random_control();
        frame.before.control = 0xFFFF0000u | control;
        frame.before.status = 0xFFFF0000u | 2 << 11;
        frame.before.set(0, a);
        frame.before.set(1, b);
        frame.before.tags = 0xFFFF0FFF & ~(15u << 4);
        frame.before.tags |= 3u << 8 | 3u << 10;
        std::copy(source.begin(), source.end(), frame.memory.begin());
        instruction.run(frame);

        Context c = context_of(control);
        const Result r = our(c, a, b);
        u32 conditions = r.conditions;
        if ((r.condition_mask & kC1) && !r.bytes && c.rounded_up) conditions |= kC1;
        if (r.bytes && c.rounded_up) conditions |= kC1;
        const u32 status = frame.after.status & 0xFFFF;
        // Where a unit in the last place decides whether there is overflow, either answer will do.
        const bool edge = r.approximate && ((r.st[0].exponent + 2) & 0x7FFF) <= 3;
        const u32 certain = edge ? 0x3F & ~u32{kOverflow | kUnderflow} : 0x3F;
        bool same =
            ((status ^ c.flags) & certain) == 0 && ((status ^ conditions) & r.condition_mask) == 0;
        const bool no_store = r.bytes && (c.flags & ~c.masks & (kOverflow | kUnderflow));
        if (!c.no_result() && !no_store) {
            for (int i = 0; i < r.registers; ++i)
                same = same && (r.approximate ? close(frame.after.get(i), r.st[i])
                                              : frame.after.get(i) == r.st[i]);
            same = same && std::memcmp(frame.memory.data(), r.memory.data(),
                                       static_cast<std::size_t>(r.bytes)) == 0;
        }
        if (!same) report(frame, r, c, conditions);
    }

    template <class Ours>
    void binary(std::initializer_list<u8> bytes, Ours our)
    {
        for (int i = 0; i < kRounds && !HasFailure(); ++i) {
            const F80 a = operands_.next<F80>();
            const F80 b = i & 1 ? operands_.near(a) : operands_.across(a, i & 2);
            check(bytes, our, a, b);
        }
    }

    template <class Ours>
    void unary(std::initializer_list<u8> bytes, Ours our)
    {
        binary(bytes, [&](Context& c, F80 a, F80) { return our(c, a); });
    }

    /// A memory operand of type T besides ST(0).
    template <class T, class Ours>
    void with_memory(std::initializer_list<u8> bytes, Ours our)
    {
        for (int i = 0; i < kRounds && !HasFailure(); ++i) {
            T m;
            if constexpr (std::is_integral_v<T>)
                m = static_cast<T>(operands_.word() >> operands_.below(64));
            else m = operands_.next<T>();
            const auto* const raw = reinterpret_cast<const u8*>(&m);
            const auto operation = [&](Context& c, F80 a, F80) { return our(c, a, m); };
            check(bytes, operation, operands_.next<F80>(), {}, {raw, sizeof m});
        }
    }

    /// Neighbours, across a power of two as well.
    static bool close(F80 a, F80 b)
    {
        const auto place = [](F80 v) {
            return i64{v.exponent & 0x7FFF} * 2 + (v.significand >> 63);
        };
        const u64 distance = a.significand - b.significand;
        if (a.sign() != b.sign()) return false;
        if (place(a) == place(b)) return distance + 1 <= 2;
        const F80 high = place(a) > place(b) ? a : b, low = place(a) > place(b) ? b : a;
        return high.significand == kTop &&
               low.significand >= (low.significand >> 63 ? ~u64{0} : kTop - 1);
    }

    void report(const X87Instruction::Frame& frame, const Result& r, const Context& c,
                u32 conditions)
    {
        const auto& before = frame.before;
        const auto& after = frame.after;
        ADD_FAILURE() << std::hex << "control " << (before.control & 0xFFFF) << "\n a "
                      << text(before.get(0)) << " b " << text(before.get(1)) << "\n host "
                      << text(after.get(0)) << " " << text(after.get(1)) << " status "
                      << (after.status & 0xFFFF) << " memory " << text(frame.memory) << "\n ours "
                      << text(r.st[0]) << " " << text(r.st[1]) << " flags " << int{c.flags}
                      << " conditions " << conditions << " memory " << text(r.memory);
    }

    static std::string text(F80 v)
    {
        char buffer[40];
        std::snprintf(buffer, sizeof buffer, "%04x:%016llx", v.exponent,
                      static_cast<unsigned long long>(v.significand));
        return buffer;
    }
    static std::string text(std::span<const u8> bytes)
    {
        std::string all;
        for (int i = 9; i >= 0; --i) {
            char buffer[4];
            std::snprintf(buffer, sizeof buffer, "%02x", bytes[static_cast<std::size_t>(i)]);
            all += buffer;
        }
        return all;
    }

    const X87Instruction& instruction_for(std::initializer_list<u8> bytes)
    {
        if (!instruction_ ||
            !std::equal(bytes.begin(), bytes.end(), current_.begin(), current_.end())) {
            current_.assign(bytes);
            instruction_.emplace(current_);
        }
        return *instruction_;
    }

    static constexpr int kRounds = 100'000;
    Operands operands_{seed()};
    std::vector<u8> current_;
    std::optional<X87Instruction> instruction_;
};

TEST_F(X87Core, Adds)
{
    binary({0xD8, 0xC1}, [](Context& c, F80 a, F80 b) { return of(add(c, a, b)); });
}
TEST_F(X87Core, Subtracts)
{
    binary({0xD8, 0xE1}, [](Context& c, F80 a, F80 b) { return of(sub(c, a, b)); });
}
TEST_F(X87Core, SubtractsReversed)
{
    binary({0xD8, 0xE9}, [](Context& c, F80 a, F80 b) { return of(sub(c, b, a)); });
}
TEST_F(X87Core, Multiplies)
{
    binary({0xD8, 0xC9}, [](Context& c, F80 a, F80 b) { return of(mul(c, a, b)); });
}
TEST_F(X87Core, Divides)
{
    binary({0xD8, 0xF1}, [](Context& c, F80 a, F80 b) { return of(div(c, a, b)); });
}
TEST_F(X87Core, TakesSquareRoots)
{
    unary({0xD9, 0xFA}, [](Context& c, F80 a) { return of(sqrt(c, a)); });
}
TEST_F(X87Core, RoundsToIntegral)
{
    unary({0xD9, 0xFC}, [](Context& c, F80 a) { return of(round_to_integral(c, a, c.rounding)); });
}
TEST_F(X87Core, Scales)
{
    binary({0xD9, 0xFD}, [](Context& c, F80 a, F80 b) { return of(scale(c, a, b)); });
}
TEST_F(X87Core, Extracts)
{
    unary({0xD9, 0xF4}, [](Context& c, F80 a) {
        const Parts p = extract(c, a);
        return of(p.significand, p.exponent);
    });
}

Result compared(Relation relation)
{
    const u32 codes = relation == Relation::Less        ? kC0
                      : relation == Relation::Equal     ? kC3
                      : relation == Relation::Unordered ? kC0 | kC2 | kC3
                                                        : 0;
    return {.conditions = codes, .condition_mask = kConditions};
}
TEST_F(X87Core, Compares)
{
    binary({0xD8, 0xD1}, [](Context& c, F80 a, F80 b) {
        Result r = compared(compare(c, a, b, false));
        if (c.no_result()) r.condition_mask = 0;
        return r;
    });
}
TEST_F(X87Core, ComparesQuietly)
{
    binary({0xDD, 0xE1}, [](Context& c, F80 a, F80 b) {
        Result r = compared(compare(c, a, b, true));
        if (c.no_result()) r.condition_mask = 0;
        return r;
    });
}

Result remaindered(Context& c, F80 a, F80 b, bool to_nearest)
{
    const Remainder m = remainder(c, a, b, to_nearest);
    Result r = of(m.value);
    r.condition_mask = kConditions;
    r.conditions = (m.quotient & 4 ? kC0 : 0) | (m.quotient & 2 ? kC3 : 0) |
                   (m.quotient & 1 ? kC1 : 0) | (m.partial ? kC2 : 0);
    if (c.no_result()) r.condition_mask = 0;
    return r;
}
TEST_F(X87Core, TakesRemainders)
{
    binary({0xD9, 0xF8}, [](Context& c, F80 a, F80 b) { return remaindered(c, a, b, false); });
}
TEST_F(X87Core, TakesRemaindersToNearest)
{
    binary({0xD9, 0xF5}, [](Context& c, F80 a, F80 b) { return remaindered(c, a, b, true); });
}

TEST_F(X87Core, StoresF32)
{
    unary({0xD9, 0x16}, [](Context& c, F80 a) { return stored(convert<F32>(c, a)); });
}
TEST_F(X87Core, StoresF64)
{
    unary({0xDD, 0x16}, [](Context& c, F80 a) { return stored(convert<F64>(c, a)); });
}
TEST_F(X87Core, StoresI16)
{
    unary({0xDF, 0x16}, [](Context& c, F80 a) { return stored(to_i16(c, a, c.rounding)); });
}
TEST_F(X87Core, StoresI32)
{
    unary({0xDB, 0x16}, [](Context& c, F80 a) { return stored(to_i32(c, a, c.rounding)); });
}
TEST_F(X87Core, StoresI64)
{
    unary({0xDF, 0x3E}, [](Context& c, F80 a) { return stored(to_i64(c, a, c.rounding)); });
}
TEST_F(X87Core, StoresI64Truncated)
{
    unary({0xDD, 0x0E}, [](Context& c, F80 a) { return stored(to_i64(c, a, Rounding::Zero)); });
}
TEST_F(X87Core, StoresBcd)
{
    unary({0xDF, 0x36}, [](Context& c, F80 a) { return stored(to_bcd(c, a)); });
}

TEST_F(X87Core, LoadsF32)
{
    with_memory<F32>({0xD9, 0x06}, [](Context& c, F80, F32 m) { return of(convert<F80>(c, m)); });
}
TEST_F(X87Core, LoadsF64)
{
    with_memory<F64>({0xDD, 0x06}, [](Context& c, F80, F64 m) { return of(convert<F80>(c, m)); });
}
TEST_F(X87Core, LoadsI64)
{
    with_memory<i64>({0xDF, 0x2E},
                     [](Context& c, F80, i64 m) { return of(from_integer<F80>(c, m)); });
}
TEST_F(X87Core, LoadsBcd)
{
    for (int i = 0; i < kRounds && !HasFailure(); ++i) {
        PackedBcd bcd;
        for (u8& byte : bcd)
            byte = static_cast<u8>(i % 2 ? operands_.word()
                                         : operands_.below(10) << 4 | operands_.below(10));
        check(
            {0xDF, 0x26}, [&](Context&, F80, F80) { return of(from_bcd(bcd)); }, {}, {}, bcd);
    }
}

template <class M>
F80 widened(Context& c, M m)
{
    c.denormal_source = classify(m) == Kind::Denormal;
    return widen(m);
}
TEST_F(X87Core, AddsF32)
{
    with_memory<F32>({0xD8, 0x06},
                     [](Context& c, F80 a, F32 m) { return of(add(c, a, widened(c, m))); });
}
TEST_F(X87Core, MultipliesByF64)
{
    with_memory<F64>({0xDC, 0x0E},
                     [](Context& c, F80 a, F64 m) { return of(mul(c, a, widened(c, m))); });
}
TEST_F(X87Core, DividesByF64)
{
    with_memory<F64>({0xDC, 0x36},
                     [](Context& c, F80 a, F64 m) { return of(div(c, a, widened(c, m))); });
}
TEST_F(X87Core, DividesF32)
{
    with_memory<F32>({0xD8, 0x3E}, [](Context& c, F80 a, F32 m) {
        const F80 b = widened(c, m);
        return of(div(c, b, a));
    });
}

// ---- Transcendental: special operands and flags; the results are near ours
// -----------------------

Result approximately(Result r)
{
    r.approximate = true;
    r.condition_mask = kC2;
    return r;
}
template <class F>
Result circular(F80 a, F f)
{
    if (!beyond_reduction(a)) return approximately(f());
    return {.st = {a}, .registers = 1, .conditions = kC2, .condition_mask = kC2};
}
TEST_F(X87Core, Sine)
{
    unary({0xD9, 0xFE},
          [](Context& c, F80 a) { return circular(a, [&] { return of(sin(c, a)); }); });
}
TEST_F(X87Core, Cosine)
{
    unary({0xD9, 0xFF},
          [](Context& c, F80 a) { return circular(a, [&] { return of(cos(c, a)); }); });
}
TEST_F(X87Core, Arctangent)
{
    binary({0xD9, 0xF3},
           [](Context& c, F80 x, F80 y) { return approximately(of(atan2(c, y, x))); });
}
TEST_F(X87Core, Exponential)
{
    unary({0xD9, 0xF0}, [](Context& c, F80 a) { return approximately(of(exp2_minus_1(c, a))); });
}
TEST_F(X87Core, Logarithm)
{
    binary({0xD9, 0xF1},
           [](Context& c, F80 x, F80 y) { return approximately(of(y_log2_x(c, y, x))); });
}
TEST_F(X87Core, LogarithmOfXPlus1)
{
    binary({0xD9, 0xF9},
           [](Context& c, F80 x, F80 y) { return approximately(of(y_log2_x_plus_1(c, y, x))); });
}

}  // namespace
}  // namespace reprise::fp

#else

TEST(X87Core, NeedsAnX86Host) { GTEST_SKIP() << "the host is not an x86-64"; }

#endif
