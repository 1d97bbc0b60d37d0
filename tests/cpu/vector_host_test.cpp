/// Every instruction of MMX and SSE to SSE4.2 in the opcode table against the processor this runs
/// on: registers, memory, EFLAGS, MXCSR and #XM, for all MXCSR, with operands near the places where
/// rules change.
///
/// REPRISE_SEED=<number> repeats a run or tries another; REPRISE_ROUNDS=<number> multiplies the
/// cases.
#include <gtest/gtest.h>

#include "tests/cpu/fp_operands.h"
#include "tests/cpu/program.h"
#include "tests/cpu/vector_host.h"

#if defined(__x86_64__) && defined(__linux__)

#include <algorithm>
#include <cstdio>
#include <string>

#include "cpu/opcodes.h"

namespace reprise {
namespace {

using host::Registers;

constexpr int kVariants = 16, kCasesPerVariant = 384;
constexpr u8 kNoBase = 0xFF;

template <class... T>
bool one_of(const auto& value, const T&... values)
{
    return ((value == values) || ...);
}

bool may_be_memory(Form f)
{
    return one_of(f, Form::Ey, Form::Eb, Form::Ev, Form::RdMb, Form::RdMw, Form::Qd, Form::Qq,
                  Form::Ww, Form::Wd, Form::Wq, Form::Wdq, Form::M);
}

/// One encoding of a row, for 64-bit mode.
struct Variant {
    const Opcode* row = nullptr;
    std::vector<u8> bytes;
    u8 base = kNoBase;  // register that points to memory
    const u8* code = nullptr;
    std::array<Insn, 2> insns{};
};

class Encoder {
public:
    Encoder(fp::Operands& random, const Opcode& row) : random_(random), row_(row) {}

    Variant encode()
    {
        Variant v;
        v.row = &row_;
        bool memory = false;
        u8 rex = random_.below(2) ? static_cast<u8>(0x40 | random_.below(16)) : 0;
        u8 modrm = static_cast<u8>(random_.word());
        if (row_.reg >= 0) modrm = static_cast<u8>((modrm & 0xC7) | row_.reg << 3);
        for (const Form f : row_.operands) memory = memory || may_be_memory(f);
        if (row_.mod3 >= 0) memory = row_.mod3 == 0;
        else memory = memory && random_.below(2);
        if (memory) modrm &= 0x3F;
        else modrm |= 0xC0;
        avoid_stack_pointer(modrm, memory);
        if (memory) v.base = static_cast<u8>((modrm & 7) | (rex & 1) << 3);
        // A pointer cannot be compared, so it is no operand.
        if (memory && general_in_reg_field() && v.base == ((modrm >> 3 & 7) | (rex & 4) << 1))
            rex = static_cast<u8>((rex ^ 4) | 0x40);
        if (std::string_view(row_.mnemonic).starts_with("maskmov")) v.base = RDI;
        bytes(v.bytes, rex, modrm);
        return v;
    }

private:
    void avoid_stack_pointer(u8& modrm, bool memory)
    {
        // As a base, 4 and 5 have other meanings.
        if ((memory || general_in_rm()) && (modrm & 6) == RSP) modrm ^= 6;
        if (general_in_reg_field() && (modrm >> 3 & 7) == RSP) modrm ^= 8;
    }

    bool general_in_reg_field() const
    {
        return std::ranges::any_of(row_.operands,
                                   [](Form f) { return one_of(f, Form::Gy, Form::Gv); });
    }
    bool general_in_rm() const
    {
        return std::ranges::any_of(row_.operands, [](Form f) {
            return one_of(f, Form::Ey, Form::Eb, Form::Ev, Form::RdMb, Form::RdMw);
        });
    }

    void bytes(std::vector<u8>& out, u8 rex, u8 modrm)
    {
        constexpr std::array<u8, 5> mandatory = {0, 0, 0x66, 0xF3, 0xF2};
        const bool sized = one_of(Form::Ev, row_.operands[0], row_.operands[1]);
        if (sized && random_.below(3) == 0) out.push_back(0x66);
        if (const u8 prefix = mandatory[static_cast<std::size_t>(row_.prefix)])
            out.push_back(prefix);
        if (rex) out.push_back(rex);
        out.push_back(0x0F);
        if (row_.code >= 0x200) out.push_back(row_.code < 0x300 ? 0x38 : 0x3A);
        out.push_back(static_cast<u8>(row_.code));
        if (has_modrm(row_.code >> 8, static_cast<u8>(row_.code), Level::X64)) out.push_back(modrm);
        if (one_of(Form::Ib, row_.operands[1], row_.operands[2]))
            out.push_back(static_cast<u8>(random_.below(3) ? random_.below(32) : random_.word()));
    }

    fp::Operands& random_;
    const Opcode& row_;
};

/// Values of registers and memory.
class Values {
public:
    explicit Values(fp::Operands& random) : random_(random) {}

    void next_style() { style_ = random_.below(7); }

    Xmm vector()
    {
        switch (style_) {
        case 0: return {random_.word(), random_.word()};
        case 1: return {singles(), singles()};
        case 2: return {double_(), double_()};
        case 3: return {few_bytes(), few_bytes()};
        case 4: return {few_words(), few_words()};
        case 5: return {integer(), integer()};
        default: return {u64{random_.below(80)}, random_.word()};
        }
    }
    /// One that has something to do with `other`.
    Xmm vector_near(const Xmm& other)
    {
        if (style_ != 1 && style_ != 2) return random_.below(16) ? vector() : other;
        if (style_ == 2) return {near64(other.low), near64(other.high)};
        return {near32(other.low), near32(other.high)};
    }
    u64 general()
    {
        return random_.below(4) ? integer() : static_cast<u64>(i64{random_.below(48)} - 24);
    }
    u32 mxcsr()
    {
        // Rounding to nearest with PE set has a way of its own (cpu/fp/host.h).
        u32 mxcsr = random_.below(2) ? 0x20 : random_.below(4) << 13;
        if (random_.below(8) == 0) mxcsr |= random_.below(64);
        if (random_.below(4) == 0) mxcsr |= 0x40;
        if (random_.below(4) == 0) mxcsr |= 0x8000;
        // Traps cost a signal each, so most runs are masked.
        return mxcsr | (random_.below(8) == 0 ? random_.below(64) << 7 : 0x1F80);
    }
    u32 flags()
    {
        constexpr u32 bits[] = {CF, PF, AF, ZF, SF, OF};
        u32 flags = 0;
        for (const u32 bit : bits) flags |= random_.below(2) ? bit : 0;
        return flags;
    }

private:
    u64 singles() { return random_.next<fp::F32>().bits | u64{random_.next<fp::F32>().bits} << 32; }
    u64 double_() { return random_.next<fp::F64>().bits; }
    u64 near64(u64 other)
    {
        const fp::F64 o{other};
        return (random_.below(2) ? random_.near(o) : random_.across(o, random_.below(2) != 0)).bits;
    }
    u32 near32(u32 other, bool)
    {
        const fp::F32 o{other};
        return (random_.below(2) ? random_.near(o) : random_.across(o, random_.below(2) != 0)).bits;
    }
    u64 near32(u64 other)
    {
        return near32(static_cast<u32>(other), true) |
               u64{near32(static_cast<u32>(other >> 32), true)} << 32;
    }
    u64 few_bytes()
    {
        constexpr u8 few[] = {0, 1, 0x7F, 0x80, 0xFF, 'a', 'b', 'c'};
        const u32 kinds = random_.below(2) ? 8 : 3;
        u64 value = 0;
        for (int i = 0; i < 8; ++i)
            value = value << 8 | few[random_.below(kinds) + (kinds == 3 ? 5 : 0)];
        return random_.below(3) ? value : value & ~(u64{0xFF} << 8 * random_.below(8));
    }
    u64 few_words()
    {
        constexpr u16 few[] = {0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x8001, 'a', 'b'};
        u64 value = 0;
        for (int i = 0; i < 4; ++i) value = value << 16 | few[random_.below(8)];
        return value;
    }
    u64 integer()
    {
        const u64 value = random_.word() >> random_.below(64);
        return random_.below(2) ? value : 0 - value;
    }

    fp::Operands& random_;
    u32 style_ = 0;
};

bool finished;
const Insn* stop(Cpu&, const Insn*)
{
    finished = true;
    return nullptr;
}

/// The guest: one decoded instruction at a time, without a block around it.
class Guest {
public:
    static constexpr u64 kMemory = Program::kData;

    Guest() : program_("x86-64-v2")
    {
        program_.start_protected();
        program_.cpu.state.cr4 |= kCr4Osfxsr | kCr4Osxmmexcpt;
        program_.cpu.state_loaded();
        program_.code({0x90});
        program_.step();  // what a fault takes RIP from
    }

    bool decode(Variant& v)
    {
        v.insns[1].exec = stop;
        return reprise::decode(v.bytes, {CodeSize::Bits64, false}, v.insns[0]) ==
                   DecodeResult::Ok &&
               v.insns[0].length == v.bytes.size() && &opcodes()[v.insns[0].opcode] == v.row;
    }

    /// Did it raise a fault?
    bool run(Registers& r, std::span<u8, 64> memory, const Variant& v)
    {
        CpuState& s = program_.cpu.state;
        s.sse.xmm = r.xmm;
        s.sse.mxcsr = static_cast<u32>(r.mxcsr);
        for (std::size_t i = 0; i < 8; ++i) s.fpu.r[i] = {r.mm[i], 0xFFFF};
        for (std::size_t i = 0; i < 16; ++i)
            if (i != RSP) s.gpr[i] = r.gpr[i];
        if (v.base != kNoBase) s.gpr[v.base] = kMemory;
        program_.cpu.flags.set(static_cast<u32>(r.flags));
        std::memcpy(program_.bus.ram.data() + kMemory, memory.data(), memory.size());

        finished = false;
        // Handlers either call the next one's or return it.
        const Insn* const next = v.insns[0].exec(program_.cpu, v.insns.data());
        finished = finished || next == &v.insns[1];

        std::memcpy(memory.data(), program_.bus.ram.data() + kMemory, memory.size());
        r.xmm = s.sse.xmm;
        r.mxcsr = s.sse.mxcsr;
        for (std::size_t i = 0; i < 8; ++i) r.mm[i] = s.fpu.r[i].significand;
        for (std::size_t i = 0; i < 16; ++i)
            if (i != RSP && i != v.base) r.gpr[i] = s.gpr[i];
        r.flags = program_.cpu.flags.get();
        return !finished;
    }

private:
    Program program_;
};

std::string hex(std::span<const u8> bytes)
{
    std::string text;
    char digits[4];
    for (const u8 b : bytes) {
        std::snprintf(digits, sizeof digits, "%02X ", b);
        text += digits;
    }
    return text;
}

/// What differs, register by register.
std::string differences(const Registers& before, const Registers& host, const Registers& ours)
{
    std::string text;
    char line[256];
    const auto add = [&](const char* name, std::size_t i, u64 b, u64 h, u64 o) {
        if (h == o && b == h) return;
        std::snprintf(line, sizeof line, "\n  %s%zu before %016llx host %016llx ours %016llx%s",
                      name, i, static_cast<unsigned long long>(b),
                      static_cast<unsigned long long>(h), static_cast<unsigned long long>(o),
                      h == o ? "" : "  <--");
        text += line;
    };
    for (std::size_t i = 0; i < 16; ++i) {
        add("low of xmm", i, before.xmm[i].low, host.xmm[i].low, ours.xmm[i].low);
        add("high of xmm", i, before.xmm[i].high, host.xmm[i].high, ours.xmm[i].high);
        add("gpr", i, before.gpr[i], host.gpr[i], ours.gpr[i]);
    }
    for (std::size_t i = 0; i < 8; ++i) add("mm", i, before.mm[i], host.mm[i], ours.mm[i]);
    add("flags", 0, before.flags, host.flags, ours.flags);
    add("mxcsr", 0, before.mxcsr, host.mxcsr, ours.mxcsr);
    return text;
}

class VectorHost : public testing::Test {
protected:
    void SetUp() override
    {
        if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("popcnt"))
            GTEST_SKIP() << "the host has no SSE4.2";
        std::printf("REPRISE_SEED=%llu\n", static_cast<unsigned long long>(fp::seed()));
        if (const char* rounds = std::getenv("REPRISE_ROUNDS")) rounds_ = std::atoi(rounds);
    }

    /// Rows of MMX and SSE, but for those in which the host may differ or that fault for random
    /// memory.
    static bool wanted(const Opcode& row)
    {
        using enum Feature;
        const std::string_view name = row.mnemonic;
        return row.code >= 0x100 &&
               one_of(row.feature, Mmx, Sse, Sse2, Sse3, Ssse3, Sse41, Sse42, Popcnt) &&
               !one_of(name, "ldmxcsr", "stmxcsr", "rcpps", "rcpss", "rsqrtps", "rsqrtss");
    }

    void encode_all()
    {
        for (const Opcode& row : opcodes()) {
            if (!row.mnemonic || !wanted(row)) continue;
            ++rows_;
            for (int i = 0; i < kVariants * rounds_; ++i) {
                Variant v = Encoder(random_, row).encode();
                ASSERT_TRUE(guest_.decode(v)) << row.mnemonic << ": " << hex(v.bytes);
                ASSERT_TRUE(code_.has_room(v.bytes.size() + 1));
                v.code = code_.add(v.bytes);
                variants_.push_back(v);
            }
        }
        ASSERT_TRUE(code_.seal());
    }

    void randomize(Registers& r, std::span<u8, 64> memory)
    {
        values_.next_style();
        for (Xmm& x : r.xmm) x = values_.vector();
        for (u64& x : r.mm) x = values_.vector().low;
        for (u64& x : r.gpr) x = values_.general();
        const Xmm filler = values_.vector();
        for (std::size_t i = 0; i < 4; ++i) std::memcpy(memory.data() + 16 * i, &filler, 16);
    }

    /// New operands only where the instruction looks.
    void next_case(Registers& r, std::span<u8, 64> memory, const Insn& insn)
    {
        values_.next_style();
        const Xmm a = values_.vector(), b = values_.vector_near(a);
        r.xmm[0] = values_.vector();
        r.xmm[insn.src & 15] = b;
        r.xmm[insn.dst & 15] = a;
        r.mm[insn.src & 7] = b.low;
        r.mm[insn.dst & 7] = a.low;
        for (const u8 g :
             {u8{RAX}, u8{RDX}, static_cast<u8>(insn.dst & 15), static_cast<u8>(insn.src & 15)})
            r.gpr[g] = values_.general();
        std::memcpy(memory.data(), &b, 16);
        r.mxcsr = values_.mxcsr();
        r.flags = values_.flags();
    }

    /// False: enough failures of this variant.
    bool compare(const Variant& v, const Registers& before, std::span<const u8, 64> memory)
    {
        Registers host = before, ours = before;
        alignas(64) std::array<u8, 64> host_memory, our_memory;
        std::ranges::copy(memory, host_memory.begin());
        std::ranges::copy(memory, our_memory.begin());
        if (v.base != kNoBase) host.gpr[v.base] = reinterpret_cast<u64>(host_memory.data());
        host.flags = before.flags | 0x202;
        const bool host_trap =
            exceptions_.run(host, v.code, static_cast<u8>(v.bytes.size())) != host::Outcome::Done;
        host.flags &= kArithmeticFlags;
        if (v.base != kNoBase) host.gpr[v.base] = ours.gpr[v.base];
        const bool our_trap = guest_.run(ours, our_memory, v);
        ++cases_;
        traps_ += host_trap;
        if (host == ours && host_trap == our_trap && host_memory == our_memory) return true;
        ADD_FAILURE() << v.row->mnemonic << ": " << hex(v.bytes) << " host traps " << host_trap
                      << ", we " << our_trap << "\n  memory before " << hex(memory) << "\n  host "
                      << hex(host_memory) << "\n  ours " << hex(our_memory)
                      << differences(before, host, ours);
        return false;
    }

    int rounds_ = 1;
    fp::Operands random_{fp::seed()};
    Values values_{random_};
    Guest guest_;
    host::Code code_{8 << 20};
    host::SkipExceptions exceptions_;
    std::vector<Variant> variants_;
    u64 rows_ = 0, cases_ = 0, traps_ = 0;
};

TEST_F(VectorHost, EveryRowDoesWhatTheHostDoes)
{
    encode_all();
    if (HasFatalFailure()) return;
    const Opcode* failed = nullptr;
    for (const Variant& v : variants_) {
        if (v.row == failed) continue;
        Registers registers;
        alignas(64) std::array<u8, 64> memory{};
        randomize(registers, memory);
        for (int i = 0; i < kCasesPerVariant && failed != v.row; ++i) {
            next_case(registers, memory, v.insns[0]);
            if (!compare(v, registers, memory)) failed = v.row;
        }
    }
    std::printf("%llu rows, %zu encodings, %llu cases, %llu of them raised #XM\n",
                static_cast<unsigned long long>(rows_), variants_.size(),
                static_cast<unsigned long long>(cases_), static_cast<unsigned long long>(traps_));
    EXPECT_GT(rows_, 350u);
    EXPECT_GT(cases_, 1'000'000u);
    EXPECT_GT(traps_, 1'000u);
}

/// With each prefix, the opcodes that MMX and SSE use with some: what is left of them is undefined.
TEST_F(VectorHost, PrefixesThatMakeNoInstructionAreUndefined)
{
    std::vector<u16> codes;
    for (const Opcode& row : opcodes())
        // 0F AE has what touches segment bases; 0F 18 only hints.
        if (wanted(row) && row.code != 0x1AE && row.code != 0x118) codes.push_back(row.code);
    std::ranges::sort(codes);
    codes.erase(std::unique(codes.begin(), codes.end()), codes.end());

    struct Probe {
        std::array<u8, 15> bytes;
        const u8* code;
    };
    std::vector<Probe> probes;
    for (const u16 code : codes)
        for (const u8 prefix : {0x00, 0x66, 0xF3, 0xF2})
            for (const u8 reg : {0, 1, 2, 3, 5, 6, 7}) {  // 4 could be RSP
                Probe p{};
                p.bytes.fill(0x90);
                std::size_t at = 0;
                if (prefix) p.bytes[at++] = prefix;
                p.bytes[at++] = 0x0F;
                if (code >= 0x200) p.bytes[at++] = code < 0x300 ? 0x38 : 0x3A;
                p.bytes[at++] = static_cast<u8>(code);
                if (has_modrm(code >> 8, static_cast<u8>(code), Level::X64))
                    p.bytes[at++] = static_cast<u8>(0xC1 | reg << 3);
                p.code = code_.add(p.bytes);
                probes.push_back(p);
            }
    ASSERT_TRUE(code_.seal());

    u64 undefined = 0;
    alignas(64) std::array<u8, 64> memory{};
    for (const Probe& p : probes) {
        Registers registers;
        registers.gpr[RDI] = reinterpret_cast<u64>(memory.data());  // of MASKMOVQ
        Insn insn;
        const bool ours =
            decode(p.bytes, {CodeSize::Bits64, false}, insn) == DecodeResult::Undefined;
        const bool hosts = exceptions_.run(registers, p.code, 15) == host::Outcome::Undefined;
        EXPECT_EQ(ours, hosts) << hex(p.bytes);
        undefined += hosts;
    }
    EXPECT_GT(undefined, 1'000u);
}

}  // namespace
}  // namespace reprise

#endif
