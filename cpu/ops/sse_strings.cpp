/// SSE4.2: string comparison (PCMPESTRI and its like), CRC32; and POPCNT.
#include <algorithm>
#include <array>

#include "cpu/ops/vector.h"

namespace reprise::ops {

namespace {

// ---- PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM vol. 2B, 4.1) ------------------------------

/// Two strings of up to 16 bytes or 8 words. Elements are as wide as i32 so that there is one
/// comparison for all four formats.
struct Strings {
    int count = 16;  // elements of a register
    int first_length = 0, second_length = 0;
    std::array<i32, 16> first{}, second{};

    bool first_valid(int i) const { return i < first_length; }
    bool second_valid(int i) const { return i < second_length; }
    i32 a(int i) const { return first[static_cast<std::size_t>(i)]; }
    i32 b(int i) const { return second[static_cast<std::size_t>(i)]; }
};

template <class Lane>
std::array<i32, 16> elements(const Xmm& v)
{
    std::array<i32, 16> all{};
    std::ranges::copy(lanes<Lane>(v), all.begin());
    return all;
}

/// imm8[1:0]: unsigned bytes, unsigned words, signed bytes, signed words.
std::array<i32, 16> elements(const Xmm& v, u8 imm)
{
    switch (imm & 3) {
    case 0: return elements<u8>(v);
    case 1: return elements<u16>(v);
    case 2: return elements<i8>(v);
    default: return elements<i16>(v);
    }
}

bool in_any(const Strings& s, int i)
{
    for (int j = 0; j < s.first_length; ++j)
        if (s.a(j) == s.b(i)) return s.second_valid(i);
    return false;
}

bool in_range(const Strings& s, int i)
{
    for (int j = 0; j + 1 < s.first_length; j += 2)
        if (s.a(j) <= s.b(i) && s.b(i) <= s.a(j + 1)) return s.second_valid(i);
    return false;
}

bool is_equal(const Strings& s, int i)
{
    if (!s.first_valid(i) || !s.second_valid(i)) return s.first_valid(i) == s.second_valid(i);
    return s.a(i) == s.b(i);
}

/// Does the first string, or as much of it as fits, begin at element i of the second?
bool begins(const Strings& s, int i)
{
    for (int j = 0; j < s.first_length && i + j < s.count; ++j)
        if (!s.second_valid(i + j) || s.a(j) != s.b(i + j)) return false;
    return true;
}

/// IntRes2 of vol. 2B, 4.1: a bit for each element of the second string.
u32 compare_strings(const Strings& s, u8 imm)
{
    u32 result = 0, valid = 0;
    for (int i = 0; i < s.count; ++i) {
        bool bit = false;
        switch (imm >> 2 & 3) {
        case 0: bit = in_any(s, i); break;
        case 1: bit = in_range(s, i); break;
        case 2: bit = is_equal(s, i); break;
        default: bit = begins(s, i); break;
        }
        result |= u32{bit} << i;
        valid |= u32{s.second_valid(i)} << i;
    }
    const u32 all = (u32{1} << s.count) - 1;
    if ((imm & 0x30) == 0x10) result ^= all;
    if ((imm & 0x30) == 0x30) result ^= valid;
    return result;
}

/// A length in EAX or EDX, in RAX or RDX with REX.W: its magnitude, at most the number of elements.
int explicit_length(const Cpu& cpu, const Insn& insn, Gpr r, int count)
{
    const i64 value =
        insn.size == 8 ? static_cast<i64>(cpu.reg<u64>(r)) : i64{static_cast<i32>(cpu.reg<u32>(r))};
    if (value >= count || value <= -count) return count;
    return static_cast<int>(value < 0 ? -value : value);
}

/// Elements before the first that is zero.
int implicit_length(const std::array<i32, 16>& string, int count)
{
    return static_cast<int>(std::find(string.begin(), string.begin() + count, 0) - string.begin());
}

/// The mask that PCMPxSTRM leaves: bits, or with imm8[6] whole elements.
Xmm string_mask(u32 bits, int count, u8 imm)
{
    if (!(imm & 0x40)) return {bits, 0};
    std::array<u8, 16> bytes{};
    const int width = 16 / count;
    for (int i = 0; i < 16; ++i)
        bytes[static_cast<std::size_t>(i)] = bits >> (i / width) & 1 ? 0xFF : 0;
    return join<Xmm>(bytes);
}

template <bool explicit_lengths, bool mask>
struct CompareStrings {
    template <class T, Kind D, Kind S>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        if (!usable<D, S, Attempt::Full>(cpu)) return false;
        const u8 imm = static_cast<u8>(insn.imm);
        Strings s;
        s.count = imm & 1 ? 8 : 16;
        s.first = elements(get<D>(cpu, insn.dst), imm);
        s.second = elements(TRY(second<S>(cpu, insn)), imm);
        s.first_length = explicit_lengths ? explicit_length(cpu, insn, RAX, s.count)
                                          : implicit_length(s.first, s.count);
        s.second_length = explicit_lengths ? explicit_length(cpu, insn, RDX, s.count)
                                           : implicit_length(s.second, s.count);
        const u32 result = compare_strings(s, imm);
        if constexpr (mask) put<D>(cpu, 0, string_mask(result, s.count, imm));
        else cpu.set_reg<u32>(RCX, index(result, s.count, imm));
        cpu.flags.set((result != 0 ? u32{CF} : 0u) | (s.second_length < s.count ? u32{ZF} : 0u) |
                      (s.first_length < s.count ? u32{SF} : 0u) | (result & 1 ? u32{OF} : 0u));
        return true;
    }

private:
    /// Unlike other operands of 16 bytes it need not be aligned.
    template <Kind S>
    static Fallible<Xmm> second(Cpu& cpu, const Insn& insn)
    {
        if constexpr (S == Kind::Mem) return cpu.read<Xmm>(insn, insn.seg, cpu.address(insn));
        else return get<S>(cpu, insn.src);
    }

    /// imm8[6]: of the highest bit that is set, or the lowest.
    static u32 index(u32 bits, int count, u8 imm)
    {
        if (bits == 0) return static_cast<u32>(count);
        return static_cast<u32>(imm & 0x40 ? 31 - std::countl_zero(bits) : std::countr_zero(bits));
    }
};

// ---- CRC32, POPCNT ------------------------------------------------------------------------------

/// The polynomial 11EDC6F41 with its bits reflected, one byte at a time (SDM vol. 2A, CRC32).
constexpr std::array<u32, 256> kCrc = [] {
    std::array<u32, 256> table{};
    for (u32 i = 0; i < 256; ++i) {
        u32 value = i;
        for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82F63B78 : 0);
        table[i] = value;
    }
    return table;
}();

struct Crc32 {
    template <class T, Kind, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        T value = TRY((source<T, S, attempt>(cpu, insn)));
        u32 crc = cpu.reg<u32>(insn.dst);
        for (std::size_t i = 0; i < sizeof(T); ++i) {
            crc = crc >> 8 ^ kCrc[(crc ^ static_cast<u32>(value)) & 0xFF];
            if constexpr (sizeof(T) > 1) value >>= 8;
        }
        cpu.set_reg<u32>(insn.dst, crc);
        return true;
    }
};

struct Popcnt {
    template <class T, Kind, Kind S, Attempt attempt>
    static bool execute(Cpu& cpu, const Insn& insn)
    {
        const T value = TRY((source<T, S, attempt>(cpu, insn)));
        cpu.set_reg<T>(insn.dst, static_cast<T>(std::popcount(value)));
        cpu.flags.set(value == 0 ? u32{ZF} : 0u);
        return true;
    }
};

using enum Form;

constexpr Row kStringRow{.flags = {.writes = kArithmeticFlags},
                         .carry = Carry::Copy,
                         .feature = Sse42,
                         .prefix = Mandatory::P66};
constexpr Row kCrcRow = vector_row(Sse42, Mandatory::PF2);

// clang-format off
constexpr auto kRows = std::to_array<Opcode>({
    row<CompareStrings<true, true>, Vdq, Wdq, Ib>(0x360, "pcmpestrm", kStringRow),
    row<CompareStrings<true, false>, Vdq, Wdq, Ib>(0x361, "pcmpestri", kStringRow),
    row<CompareStrings<false, true>, Vdq, Wdq, Ib>(0x362, "pcmpistrm", kStringRow),
    row<CompareStrings<false, false>, Vdq, Wdq, Ib>(0x363, "pcmpistri", kStringRow),
    row<Crc32, Gy, Eb>(0x2F0, "crc32", kCrcRow),
    row<Crc32, Gy, Ev>(0x2F1, "crc32", kCrcRow),
    row<Popcnt, Gv, Ev>(0x1B8, "popcnt", {.flags = {.writes = kArithmeticFlags}, .carry = Carry::Copy,
                                          .feature = Feature::Popcnt, .prefix = Mandatory::PF3}),
});
// clang-format on

}  // namespace

std::span<const Opcode> sse_string_rows() { return kRows; }

}  // namespace reprise::ops
