#include "frontend/cpu_tools/test_runner.h"

#include <fmt/format.h>

#include <algorithm>

#include "cpu/decoder.h"
#include "cpu/opcodes.h"
#include "machine/base/error.h"

namespace reprise {

namespace {

constexpr u64 kMemoryBytes = u64{16} << 20;  // all that a 286 can address; the sets assume it
constexpr int kMostSteps = 200'000;  // the longest test repeats a string instruction 65,535 times

constexpr const char* kNames[2][kMooRegisters] = {
    {"cr0", "cr3", "ax", "bx", "cx", "dx", "si", "di",    "bp",  "sp",
     "cs",  "ds",  "es", "fs", "gs", "ss", "ip", "flags", "dr6", "dr7"},
    {"cr0", "cr3", "eax", "ebx", "ecx", "edx", "esi", "edi",    "ebp", "esp",
     "cs",  "ds",  "es",  "fs",  "gs",  "ss",  "eip", "eflags", "dr6", "dr7"}};

struct RegisterPlace {
    u8 moo;
    u8 ours;
};
constexpr RegisterPlace kGprs[] = {{kMooEax, RAX}, {kMooEbx, RBX}, {kMooEcx, RCX}, {kMooEdx, RDX},
                                   {kMooEsi, RSI}, {kMooEdi, RDI}, {kMooEbp, RBP}, {kMooEsp, RSP}};
constexpr RegisterPlace kSegs[] = {{kMooCs, CS}, {kMooDs, DS}, {kMooEs, ES},
                                   {kMooFs, FS}, {kMooGs, GS}, {kMooSs, SS}};

/// These sets were captured with a queue status pin: a test ends at the next instruction's first
/// byte. In the others it ends with HLT.
bool ends_at_next_instruction(const std::string& moo_cpu)
{
    return moo_cpu == "8086" || moo_cpu == "8088" || moo_cpu == "V20" || moo_cpu == "V30";
}

bool repeats(const MooTest& test, Level level)
{
    Insn insn;
    const DecodeMode mode{CodeSize::Bits16, true, level};
    std::vector<u8> code = test.bytes;
    code.resize(code.size() + 15, 0x90);
    if (decode(code, mode, insn) != DecodeResult::Ok) return false;
    return (opcodes()[insn.opcode].rules & kStringOp) &&
           (insn.prefixes & (kPrefixRep | kPrefixRepne));
}

}  // namespace

bool Outcome::equal_where_defined() const
{
    return ended && std::ranges::none_of(differences, &Difference::counts);
}

MooModel model_of_moo(const std::string& moo_cpu)
{
    if (moo_cpu == "8086" || moo_cpu == "8088") return {find_cpu_model("8086"), ""};
    if (moo_cpu == "V20" || moo_cpu == "V30")
        return {
            find_cpu_model("8086"),
            "there is no NEC " + moo_cpu + " here: these run on an 8086, and differ where it does"};
    if (moo_cpu == "186" || moo_cpu == "188")
        return {find_cpu_model("80286"),
                "there is no 80186 here: these run on an 80286, and differ where it does"};
    if (moo_cpu == "286" || moo_cpu == "C286") return {find_cpu_model("80286"), ""};
    if (moo_cpu == "386" || moo_cpu == "386E" || moo_cpu == "386D" || moo_cpu == "386S")
        return {find_cpu_model("80386"), ""};
    throw HostError(
        fmt::format("these tests are of a processor '{}' that has no model here; "
                    "choose one with --cpu",
                    moo_cpu));
}

TestRunner::TestRunner(const CpuModel& model) : model_(model), bus_(kMemoryBytes), cpu_(bus_, model)
{
}

Outcome TestRunner::run(const MooTest& test, const std::string& moo_cpu, bool wide,
                        u32 defined_flags)
{
    const bool one_instruction = ends_at_next_instruction(moo_cpu);
    for (const auto& b : test.initial_ram) byte(b.address) = b.value;
    load(test, wide);
    const bool ended = execute(test, one_instruction);
    Outcome outcome = compare(test, wide, one_instruction, defined_flags);
    outcome.ended = ended;
    for (const auto& b : test.initial_ram) byte(b.address) = 0;
    for (const auto& b : test.final_ram) byte(b.address) = 0;
    return outcome;
}

void TestRunner::load(const MooTest& test, bool wide)
{
    const auto& r = test.initial;
    cpu_.reset();
    CpuState& state = cpu_.state;
    for (const auto& [moo, ours] : kGprs) state.gpr[ours] = r[moo];
    for (const auto& [moo, ours] : kSegs) {
        state.seg[ours].selector = static_cast<u16>(r[moo]);
        state.seg[ours].base = u64{state.seg[ours].selector} << 4;
    }
    state.rip = r[kMooEip];
    // IOPL and NT are random in the 286's sets, but it has none in real mode.
    const u32 flags = wide ? r[kMooEflags] & ~u32{VM} : r[kMooEflags] & 0x0FFF;
    state.rflags = flags | kReservedSetFlags;
    if (wide) {
        state.dr[6] = r[kMooDr6];
        state.dr[7] = r[kMooDr7];
    }
    cpu_.state_loaded();
}

/// False: it does not end.
bool TestRunner::execute(const MooTest& test, bool one_instruction)
{
    if (one_instruction) {
        const u64 start = cpu_.state.rip;
        const bool again = repeats(test, model_.level);
        int steps = 0;
        do cpu_.run(cpu_.state.clock + 1);
        while (again && cpu_.state.rip == start && ++steps < kMostSteps);
        return steps < kMostSteps;
    }
    for (int i = 0; i < kMostSteps && !cpu_.halted(); ++i) cpu_.run(cpu_.state.clock + 1);
    return cpu_.halted();
}

MooTest::Registers TestRunner::registers() const
{
    const CpuState& state = cpu_.state;
    MooTest::Registers got{};
    for (const auto& [moo, ours] : kGprs) got[moo] = static_cast<u32>(state.gpr[ours]);
    for (const auto& [moo, ours] : kSegs) got[moo] = state.seg[ours].selector;
    got[kMooCr0] = static_cast<u32>(state.cr0);
    got[kMooCr3] = static_cast<u32>(state.cr3);
    got[kMooEip] = static_cast<u32>(state.rip);
    got[kMooEflags] = state.rflags;
    got[kMooDr6] = static_cast<u32>(state.dr[6]);
    got[kMooDr7] = static_cast<u32>(state.dr[7]);
    return got;
}

/// `high_flags`: bits 12 to 15 of FLAGS always read as ones.
Outcome TestRunner::compare(const MooTest& test, bool wide, bool high_flags,
                            u32 defined_flags) const
{
    Outcome outcome;
    const MooTest::Registers got = registers();
    const auto compare_register = [&](u8 i, u32 defined) {
        const u32 ones = i == kMooEflags && high_flags ? 0xF000 : 0;
        const u32 width = wide ? ~u32{0} : 0xFFFF;
        const Difference d{kNames[wide][i],
                           test.initial[i],
                           (test.final[i] | ones) & width,
                           (got[i] | ones) & width,
                           defined & test.defined[i],
                           wide && (i < kMooCs || i > kMooSs) ? 8 : 4};
        if (d.expected != d.got) outcome.differences.push_back(d);
    };
    for (u8 i = wide ? 0 : kMooEax; i < (wide ? kMooRegisters : std::size_t{kMooDr6}); ++i)
        if (wide || (i != kMooFs && i != kMooGs))
            compare_register(i, i == kMooEflags ? defined_flags : ~u32{0});

    // FLAGS that an exception has pushed has the same undefined bits. Where they are is computed:
    // the address that 80286 files give is wrong when SP is odd.
    const u32 ss = test.final[kMooSs] << 4, sp = test.final[kMooEsp];
    const bool vectored = test.exception || ((test.initial[kMooEsp] - sp) & 0xFFFF) == 6;
    const u32 pushed[2] = {ss + ((sp + 4) & 0xFFFF), ss + ((sp + 5) & 0xFFFF)};
    const u32 address_mask = high_flags ? 0xFFFFF : 0xFFFFFF;
    for (const auto& b : test.final_ram) {
        const u8 value = byte(b.address);
        if (value == b.value) continue;
        u32 defined = 0xFF;
        if (vectored && b.address == (pushed[0] & address_mask)) defined = defined_flags & 0xFF;
        if (vectored && b.address == (pushed[1] & address_mask))
            defined = defined_flags >> 8 & 0xFF;
        const auto before = std::ranges::find(test.initial_ram, b.address, &MooTest::Byte::address);
        const u32 was = before == test.initial_ram.end() ? 0u : before->value;
        outcome.differences.push_back(
            {fmt::format("[{:05X}]", b.address), was, b.value, value, defined, 2});
    }
    return outcome;
}

}  // namespace reprise
