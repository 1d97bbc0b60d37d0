/// The translator and the interpreter are the same processor: random programs in loops, in all
/// modes since the 80386, stopped at random, with the whole state and memory compared. The other
/// seeds: REPRISE_TRANSLATOR_SEEDS=N, from REPRISE_TRANSLATOR_FIRST on.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "tests/cpu/translated_program.h"

namespace reprise {
namespace {

u64 number_from(const char* variable, u64 otherwise)
{
    const char* text = std::getenv(variable);
    return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

/// Everything the CPU remembers, in the order it names it.
struct Values {
    std::vector<u64> values;

    void value(const Path&, auto& v) { values.push_back(static_cast<u64>(v)); }
    void bytes(const Path&, std::span<u8> data)
    {
        values.insert(values.end(), data.begin(), data.end());
    }
    std::size_t size(const Path&, std::size_t n)
    {
        values.push_back(n);
        return n;
    }
};

/// The names of those that differ.
struct Names {
    const std::vector<u64>&a, &b;
    std::string text;
    std::size_t at = 0;

    void look(const Path& path)
    {
        if (at < a.size() && at < b.size() && a[at] != b[at])
            text +=
                path.text() + ": " + std::to_string(a[at]) + " or " + std::to_string(b[at]) + "\n";
        ++at;
    }
    void value(const Path& path, auto&) { look(path); }
    void bytes(const Path& path, std::span<u8> data)
    {
        for (std::size_t i = 0; i < data.size(); ++i) look(path);
    }
    std::size_t size(const Path& path, std::size_t n)
    {
        look(path);
        return n;
    }
};

template <class Visitor>
void visit(Cpu& cpu, Visitor& visitor)
{
    const Path path{"cpu"};
    Members<Visitor> members{path, visitor};
    cpu.visit(members);
}

struct Totals {
    u64 programs = 0, instructions = 0, stops = 0;
    u64 blocks = 0, entries = 0, accesses = 0, finishes = 0;
    std::vector<u32> rows = std::vector<u32>(opcodes().size());
};

/// One program on both engines.
class Pair {
public:
    Pair(u64 seed, const ProgramOptions& options, u32 hot)
        : random_(seed ^ 0x5EED), interpreted_(seed, options), translated_(seed, options)
    {
        translated_.program.cpu.set_engine(Engine::Translator, hot);
    }

    /// Empty, or in what they differ.
    std::string run(u64 instructions, Totals& totals)
    {
        u64 clock = 0;
        while (clock < instructions) {
            const double gap = std::uniform_real_distribution<>(0, std::log(6000.0))(random_);
            const u64 last = clock;
            clock += static_cast<u64>(std::exp(gap)) + 1;
            run_to(interpreted_.program.cpu, clock);
            run_to(translated_.program.cpu, clock);
            ++totals.stops;
            if (const std::string text = difference(); !text.empty())
                return "between " + std::to_string(last) + " and " + std::to_string(clock) + ":\n" +
                       text;
            disturb();
        }
        count(clock, totals);
        return {};
    }

private:
    static void run_to(Cpu& cpu, u64 clock)
    {
        while (cpu.state.clock < clock && !cpu.state.shutdown) {
            cpu.run(clock);
            if (cpu.state.shutdown) break;
            if (cpu.waiting()) cpu.idle(clock - cpu.state.clock);
        }
    }

    std::string difference()
    {
        Cpu &a = interpreted_.program.cpu, &b = translated_.program.cpu;
        Values x, y;
        visit(a, x);
        visit(b, y);
        std::string text;
        if (x.values != y.values) {
            Names names{x.values, y.values, {}};
            visit(a, names);
            text = "interpreter or translator: " + names.text;
        }
        if (interpreted_.program.bus.chip != translated_.program.bus.chip) text += "chip\n";
        const auto &m = interpreted_.program.bus.ram, &n = translated_.program.bus.ram;
        if (std::ranges::equal(m, n)) return text;
        const auto at = std::ranges::mismatch(m, n).in1 - m.begin();
        return text + "memory at " + std::to_string(at);
    }

    /// What comes from outside.
    void disturb()
    {
        const u64 choice = random_();
        for (TranslatedProgram* p : {&interpreted_, &translated_}) {
            p->put_back();
            p->program.cpu.set_intr(choice % 8 == 0);
            if (choice % 16 == 1) p->remap(static_cast<u32>(choice >> 8));
            if (choice % 64 == 2) p->program.cpu.raise_nmi();
            if (choice % 32 == 3) p->toggle_a20();
            if (choice % 16 == 4) p->exchange_code();
        }
    }

    void count(u64 instructions, Totals& totals)
    {
        const TranslatorStatistics& s = *translated_.program.cpu.translator_statistics();
        ++totals.programs;
        totals.instructions += instructions;
        totals.blocks += s.blocks;
        totals.entries += s.entries;
        totals.accesses += s.accesses;
        totals.finishes += s.finishes;
        for (std::size_t i = 0; i < totals.rows.size(); ++i)
            totals.rows[i] += translated_.rows()[i];
    }

    std::mt19937_64 random_;
    TranslatedProgram interpreted_, translated_;
};

ProgramOptions options_for(u64 seed, ProgramMode mode)
{
    static constexpr const char* kModels[] = {"80386", "80486", "pentium2", "x86-64-v2"};
    const bool is_long = mode == ProgramMode::Long;
    return {mode, is_long || (mode != ProgramMode::Real && seed / 4 % 2 == 0), seed / 8 % 2 == 0,
            kModels[is_long ? 3 : seed % 4]};
}

u32 hot_for(u64 seed) { return seed % 3 == 0 ? 1 : kHotBlock; }

bool has_translator() { return why_no_translator(Program("pentium2").cpu).empty(); }

class TranslatorTest : public ::testing::TestWithParam<ProgramMode> {};

/// Programs of 60,000 instructions in each mode.
TEST_P(TranslatorTest, RandomProgramsEndAsWithTheInterpreter)
{
    if (!has_translator()) GTEST_SKIP() << "no translator for this host";
    const u64 first = number_from("REPRISE_TRANSLATOR_FIRST", 1),
              seeds = number_from("REPRISE_TRANSLATOR_SEEDS", 40);
    Totals totals;
    for (u64 seed = first; seed < first + seeds; ++seed) {
        const ProgramOptions options = options_for(seed, GetParam());
        const std::string text = Pair(seed, options, hot_for(seed)).run(60'000, totals);
        EXPECT_EQ(text, "") << kProgramModes[static_cast<int>(GetParam())] << ", seed " << seed
                            << ", " << options.model << (options.paging ? ", paging" : "")
                            << (options.user ? ", level 3" : "");
        if (!text.empty()) break;
    }
    if (HasFailure()) return;
    // The translator took part.
    EXPECT_GT(totals.blocks, totals.programs * 20);
    EXPECT_GT(totals.entries, totals.programs * 200);
    RecordProperty("instructions", std::to_string(totals.instructions));
    RecordProperty("stops", std::to_string(totals.stops));
    RecordProperty("blocks", std::to_string(totals.blocks));
    RecordProperty("entries", std::to_string(totals.entries));
    RecordProperty("accesses", std::to_string(totals.accesses));
    RecordProperty("finishes", std::to_string(totals.finishes));
}

/// A store that is reached by indirect calls while DS is flat, and then while it is null. The other
/// call has gone to a RET until then, so that it is host code too.
TEST(Translator, AnIndirectCallFindsNoCodeForOtherSegments)
{
    if (!has_translator()) GTEST_SKIP() << "no translator for this host";
    Program p("pentium2");
    p.start_protected();
    p.code({0xB9, 100,  0,    0,    0,                // mov ecx, 100
            0xBA, 0x80, 0,    1,    0,                // mov edx, 10080h
            0xFF, 0xD2,                               // call edx
            0x49, 0x75, 0xFB,                         // dec ecx; jnz to the call
            0x31, 0xDB, 0x8E, 0xDB,                   // xor ebx, ebx; mov ds, bx
            0xB9, 100,  0,    0,    0,                // mov ecx, 100
            0xBA, 0x90, 0,    1,    0,                // mov edx, 10090h
            0xBE, 0x80, 0,    1,    0,                // mov esi, 10080h
            0x83, 0xF9, 1,                            // cmp ecx, 1
            0x0F, 0x44, 0xD6,                         // cmovz edx, esi
            0xFF, 0xD2,                               // call edx
            0x49, 0x75, 0xF5, 0xF4});                 // dec ecx; jnz to the comparison; hlt
    p.code(0x10080, {0x89, 0x0D, 0, 0, 4, 0, 0xC3});  // mov [40000h], ecx; ret
    p.code(0x10090, {0xC3});                          // ret
    p.cpu.set_engine(Engine::Translator);
    p.run(100'000);
    EXPECT_EQ(p.vector(), kGeneralProtection);
    EXPECT_EQ(p.error_ip(), 0x10080u);
    EXPECT_EQ(p.reg(RCX), 1u);
    EXPECT_GT(p.cpu.translator_statistics()->entries, 0u);
}

/// RCX takes part in looking into the TLB: as an address, with a page whose entry is that of page
/// 0.
TEST(Translator, FindsTheOperandThatEcxPointsTo)
{
    if (!has_translator()) GTEST_SKIP() << "no translator for this host";
    Program p("pentium2");
    p.start_protected();
    p.enable_paging();
    constexpr u32 kSameEntry = Tlb::kEntries * kPageSize;
    p.set<u32>(Program::pte(kSameEntry), Program::kData | Program::P | Program::W);
    p.set<u32>(0, 5);
    p.set<u32>(Program::kData, 3);
    p.code({0xB9, 0,    0,    0x20, 0,     // mov ecx, 200000h
            0xBB, 100,  0,    0,    0,     // mov ebx, 100
            0x31, 0xC0, 0x31, 0xD2,        // xor eax, eax; xor edx, edx
            0x03, 0x15, 0,    0,    0, 0,  // add edx, [0]
            0x03, 0x01,                    // add eax, [ecx]
            0x4B, 0x75, 0xF5, 0xF4});      // dec ebx; jnz; hlt
    p.cpu.set_engine(Engine::Translator, 1);
    p.run(100'000);
    EXPECT_EQ(p.reg(RDX), 500u);
    EXPECT_EQ(p.reg(RAX), 300u);
    EXPECT_GT(p.cpu.translator_statistics()->entries, 0u);
}

/// 90 with REX.B is no NOP (SDM vol. 2B, XCHG).
TEST(Translator, ExchangesR8AndRax)
{
    if (!has_translator()) GTEST_SKIP() << "no translator for this host";
    LongProgram p({0x49, 0x90,                      // xchg r8, rax
                   0xFF, 0xC9, 0x75, 0xFA, 0xF4});  // dec ecx; jnz; hlt
    p.reg(RAX) = 1;
    p.cpu.state.gpr[8] = 2;
    p.reg(RCX) = 99;
    p.cpu.set_engine(Engine::Translator, 1);
    p.run(100'000);
    EXPECT_EQ(p.reg(RAX), 2u);
    EXPECT_EQ(p.cpu.state.gpr[8], 1u);
    EXPECT_GT(p.cpu.translator_statistics()->entries, 0u);
}

/// The generator leaves out nothing that may be copied. The rows of one mode are those of a few
/// hundred programs.
TEST_P(TranslatorTest, EveryRowThatMayBeCopiedOccurs)
{
    std::vector<u32> rows(opcodes().size());
    for (u64 seed = 1; seed <= 400; ++seed) {
        const TranslatedProgram program(seed, options_for(seed, GetParam()));
        for (std::size_t i = 0; i < rows.size(); ++i) rows[i] += program.rows()[i];
    }
    const u16 absent = GetParam() == ProgramMode::Long ? kInvalid64 : kOnly64;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const Opcode& row = opcodes()[i];
        const bool is_here = row.mnemonic && row.carry == Carry::Copy && row.last == Level::X64 &&
                             !(row.rules & absent);
        EXPECT_TRUE(!is_here || rows[i] > 0)
            << row.mnemonic << ", opcode " << std::hex << row.code << ", does not occur";
    }
}

INSTANTIATE_TEST_SUITE_P(Modes, TranslatorTest,
                         ::testing::Values(ProgramMode::Real, ProgramMode::V86, ProgramMode::Flat,
                                           ProgramMode::Segmented, ProgramMode::Small,
                                           ProgramMode::Long));

}  // namespace
}  // namespace reprise
