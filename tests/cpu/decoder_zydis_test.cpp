/// The decoder against an independent disassembler, Zydis, on random code in all three modes.
///
/// REPRISE_SEED=<number> repeats a run or tries another.
#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "cpu/decoder.h"
#include "cpu/opcodes.h"

namespace reprise {
namespace {

constexpr u64 kDefaultSeed = 0x5EED;
constexpr int kStructuredCases = 1'200'000, kRandomCases = 600'000;

/// One byte string, decoded twice.
struct Case {
    CodeSize size = CodeSize::Bits16;
    std::array<u8, 20> code{};
    DecodeResult result{};
    Insn insn;
    const Opcode* row = nullptr;  // ours, of an instruction found
    ZyanStatus status{};
    ZydisDecodedInstruction z{};
    std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands{};

    bool ours() const { return result == DecodeResult::Ok; }
    bool theirs() const { return ZYAN_SUCCESS(status); }
    bool long_mode() const { return size == CodeSize::Bits64; }
    std::string_view name() const { return ours() ? row->mnemonic : ""; }
    /// As in Opcode::code.
    int opcode() const { return ours() ? row->code : -1; }
};

enum class What : u8 {
    OnlyOurs,
    OnlyTheirs,
    TooLong,
    Length,
    Name,
    Size,
    AddressSize,
    Prefix,
    OperandBits,
    Operand
};

constexpr std::array<const char*, 10> kWhatNames = {
    "only ours",    "only theirs",  "too long", "length",       "name",
    "operand size", "address size", "prefix",   "operand bits", "operand"};

template <class... T>
bool one_of(const auto& value, const T&... values)
{
    return ((value == values) || ...);
}

// ---- What the two may differ in ----------------------------------------------------------------

/// A choice of ours, or of Zydis, that is no mistake.
struct Rule {
    const char* name;
    const char* why;
    bool (*explains)(const Case&, What);
};

constexpr Rule kRules[] = {
    // Only Zydis accepts it.
    {"later generations",
     "AVX, virtualization and the rest came after SSE4.2, or from another maker.",
     [](const Case& c, What what) {
         return what == What::OnlyTheirs &&
                !one_of(c.z.meta.isa_set, ZYDIS_ISA_SET_I86, ZYDIS_ISA_SET_I186,
                        ZYDIS_ISA_SET_I286REAL, ZYDIS_ISA_SET_I286PROTECTED, ZYDIS_ISA_SET_I386,
                        ZYDIS_ISA_SET_I486, ZYDIS_ISA_SET_I486REAL, ZYDIS_ISA_SET_PENTIUMREAL,
                        ZYDIS_ISA_SET_PPRO, ZYDIS_ISA_SET_CMOV, ZYDIS_ISA_SET_FAT_NOP,
                        ZYDIS_ISA_SET_RDPMC, ZYDIS_ISA_SET_LAHF, ZYDIS_ISA_SET_LONGMODE,
                        ZYDIS_ISA_SET_PAUSE, ZYDIS_ISA_SET_X87, ZYDIS_ISA_SET_FCMOV,
                        ZYDIS_ISA_SET_PENTIUMMMX, ZYDIS_ISA_SET_SSE, ZYDIS_ISA_SET_SSEMXCSR,
                        ZYDIS_ISA_SET_SSE_PREFETCH, ZYDIS_ISA_SET_SSE2, ZYDIS_ISA_SET_SSE2MMX,
                        ZYDIS_ISA_SET_CLFSH, ZYDIS_ISA_SET_SSE3, ZYDIS_ISA_SET_SSSE3,
                        ZYDIS_ISA_SET_SSSE3MMX, ZYDIS_ISA_SET_SSE4, ZYDIS_ISA_SET_SSE42,
                        ZYDIS_ISA_SET_POPCNT);
     }},
    {"RDPMC", "No model has performance counters.",
     [](const Case& c, What what) {
         return what == What::OnlyTheirs && c.z.mnemonic == ZYDIS_MNEMONIC_RDPMC;
     }},
    {"UD0 and UD1", "They exist to be undefined.",
     [](const Case& c, What what) {
         return what == What::OnlyTheirs &&
                one_of(c.z.mnemonic, ZYDIS_MNEMONIC_UD0, ZYDIS_MNEMONIC_UD1);
     }},
    // Only we accept it.
    {"coprocessor opcodes",
     "D8..DF go to the coprocessor, and it is not the processor that refuses one.",
     [](const Case& c, What what) { return what == What::OnlyOurs && c.name() == "esc"; }},
    {"registers that do not exist",
     "CR1, DR8 and CS as a destination are refused by `execute`, which knows the model.",
     [](const Case& c, What what) {
         const bool special = (c.opcode() >= 0x120 && c.opcode() <= 0x123) ||
                              (c.opcode() == 0x8E && c.insn.dst == CS);
         return what == What::OnlyOurs && special && c.status == ZYDIS_STATUS_BAD_REGISTER;
     }},
    {"test registers",
     "TR3..TR7 of the 386 and 486, which Zydis does not know; `execute` knows the model.",
     [](const Case& c, What what) {
         return what == What::OnlyOurs && one_of(c.opcode(), 0x124, 0x126);
     }},
    {"undefined and too long", "Of two reasons to refuse, either may come first.",
     [](const Case& c, What what) { return what == What::TooLong && !c.ours() && !c.theirs(); }},

    // Names.
    {"CMPXCHG16B", "0F C7 /1 with REX.W is of a later generation; the row is that of CMPXCHG8B.",
     [](const Case& c, What what) {
         return one_of(what, What::Name, What::Size) && c.z.mnemonic == ZYDIS_MNEMONIC_CMPXCHG16B &&
                c.name() == "cmpxchg8b";
     }},
    {"NOP",
     "90 is XCHG of the accumulator with itself, or with R8, or after F3 PAUSE: to us one row and "
     "one operand.",
     [](const Case& c, What what) {
         return one_of(what, What::Name, What::Operand) && c.opcode() == 0x90 &&
                (c.z.mnemonic == ZYDIS_MNEMONIC_XCHG ? what == What::Name && c.insn.dst == 8
                                                     : c.insn.dst == RAX);
     }},
    {"PAUSE with REX.B", "F3 REX.B 90, which the SDM does not list, is XCHG with R8 to us.",
     [](const Case& c, What what) {
         return one_of(what, What::Name, What::Operand) && c.opcode() == 0x90 && c.insn.dst == 8 &&
                c.z.mnemonic == ZYDIS_MNEMONIC_PAUSE;
     }},

    {"REX.W in a name", "MOVQ, PEXTRQ and PINSRQ are one row with MOVD, PEXTRD and PINSRD.",
     [](const Case& c, What what) {
         return what == What::Name && c.insn.size == 8 &&
                ((c.name() == "movd" && c.z.mnemonic == ZYDIS_MNEMONIC_MOVQ) ||
                 (c.name() == "pextrd" && c.z.mnemonic == ZYDIS_MNEMONIC_PEXTRQ) ||
                 (c.name() == "pinsrd" && c.z.mnemonic == ZYDIS_MNEMONIC_PINSRQ));
     }},

    // Sizes of what has none, or of memory operands that are not of the operand size.
    {"no operand size", "CMPXCHG8B moves 64 bits and INVLPG none, whatever the operand size.",
     [](const Case& c, What what) {
         return what == What::Size && one_of(c.name(), "cmpxchg8b", "invlpg");
     }},
    {"vectors",
     "Operands of MMX and SSE have sizes of their own, which are compared one by one; the operand "
     "size is an accident of the prefixes.",
     [](const Case& c, What what) {
         using enum Feature;
         return what == What::Size && c.ours() &&
                one_of(c.row->feature, Mmx, Sse, Sse2, Sse3, Ssse3, Sse41, Sse42, Clfsh);
     }},
    {"CRC32 of a byte", "To us its size is that of the source.",
     [](const Case& c, What what) { return what == What::OperandBits && c.opcode() == 0x2F0; }},
    {"INSD and OUTSD with REX.W", "Zydis calls them 64 bits wide, though it names them for 32.",
     [](const Case& c, What what) {
         return what == What::Size && c.z.operand_width == 64 && c.insn.size == 4 &&
                one_of(c.z.mnemonic, ZYDIS_MNEMONIC_INSD, ZYDIS_MNEMONIC_OUTSD);
     }},
    {"selectors in memory",
     "Stored to memory a selector and the MSW have 16 bits; `execute` knows.",
     [](const Case& c, What what) {
         return what == What::OperandBits && c.insn.memory &&
                (c.opcode() == 0x8C || one_of(c.name(), "sldt", "str", "smsw"));
     }},
    {"LAR and LSL",
     "Their source is listed as wide as the destination where it is a register; 16 bits of it "
     "count.",
     [](const Case& c, What what) {
         return what == What::OperandBits && one_of(c.name(), "lar", "lsl");
     }},
    {"MOVSXD", "Its source has 32 bits whatever the operand size.",
     [](const Case& c, What what) {
         return what == What::OperandBits && c.name() == "movsxd" && c.insn.size != 4;
     }},

    // Operands.
    {"0F 1E", "Where ENDBR32 came later, 66 means nothing to Zydis, nor to anyone.",
     [](const Case& c, What what) {
         return one_of(what, What::Size, What::OperandBits) && c.opcode() == 0x11E;
     }},
    {"PREFETCHW", "0F 0D is a NOP on processors with 64 bits; Zydis knows what it hints at.",
     [](const Case& c, What what) {
         return one_of(what, What::Name, What::Size, What::OperandBits, What::Operand) &&
                c.opcode() == 0x10D;
     }},
    {"long NOP", "To Zydis ModRM.reg of 0F 18 to 0F 1F is an operand too.",
     [](const Case& c, What what) {
         return what == What::Operand && c.name() == "nop" && c.opcode() != 0x90;
     }},
    {"R13D without displacement",
     "After 67, for a SIB byte with REX.B that says \"no base\", Zydis names R13D and loses the "
     "displacement it counts in the length.",
     [](const Case& c, What what) {
         if (what != What::Operand || c.insn.base != kZeroRegister || !c.long_mode() ||
             c.insn.address_bytes() != 4)
             return false;
         return c.z.raw.rex.B == 1 && c.z.raw.modrm.mod == 0 && c.z.raw.modrm.rm == 4 &&
                c.z.raw.sib.base == 5 && c.z.raw.disp.size == 32;
     }},
};

// ---- Comparison --------------------------------------------------------------------------------

using Report = std::vector<std::pair<What, std::string>>;

/// The number of a general register in our terms, or -1.
int gpr_number(ZydisRegister reg)
{
    if (reg == ZYDIS_REGISTER_NONE) return kZeroRegister;
    if (one_of(reg, ZYDIS_REGISTER_RIP, ZYDIS_REGISTER_EIP)) return kBlockIpRegister;
    if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
        return (reg - ZYDIS_REGISTER_AH) | kHighByte;
    if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B)
        return reg - ZYDIS_REGISTER_SPL + RSP;
    return ZydisRegisterGetId(reg);
}

bool is_mmx(Form f) { return one_of(f, Form::Pq, Form::Nq, Form::Qd, Form::Qq); }
bool is_xmm(Form f)
{
    return one_of(f, Form::Vdq, Form::Udq, Form::Ww, Form::Wd, Form::Wq, Form::Wdq);
}

int register_number(ZydisRegister reg, Form form)
{
    if (is_mmx(form) || is_xmm(form)) {
        const ZydisRegisterClass wanted = is_mmx(form) ? ZYDIS_REGCLASS_MMX : ZYDIS_REGCLASS_XMM;
        return ZydisRegisterGetClass(reg) == wanted ? ZydisRegisterGetId(reg) : -1;
    }
    if (one_of(form, Form::Sw, Form::Cd, Form::Dd, Form::Td)) {
        const ZydisRegisterClass wanted = form == Form::Sw   ? ZYDIS_REGCLASS_SEGMENT
                                          : form == Form::Cd ? ZYDIS_REGCLASS_CONTROL
                                          : form == Form::Dd ? ZYDIS_REGCLASS_DEBUG
                                                             : ZYDIS_REGCLASS_TEST;
        return ZydisRegisterGetClass(reg) == wanted ? ZydisRegisterGetId(reg) : -1;
    }
    return gpr_number(reg);
}

int segment_number(ZydisRegister reg)
{
    return ZydisRegisterGetClass(reg) == ZYDIS_REGCLASS_SEGMENT ? ZydisRegisterGetId(reg) : -1;
}

bool in_modrm_rm(Form f)
{
    return one_of(f, Form::Eb, Form::Ew, Form::Ev, Form::Ey, Form::Rv, Form::M, Form::RdMb,
                  Form::RdMw, Form::Nq, Form::Qd, Form::Qq, Form::Udq, Form::Ww, Form::Wd, Form::Wq,
                  Form::Wdq);
}
bool in_modrm_reg(Form f)
{
    return one_of(f, Form::Gb, Form::Gw, Form::Gv, Form::Gy, Form::Sw, Form::Cd, Form::Dd, Form::Td,
                  Form::Pq, Form::Vdq);
}

/// Bits that a form says are read or written in memory, or 0.
int memory_bits(Form f)
{
    switch (f) {
    case Form::RdMb: return 8;
    case Form::RdMw:
    case Form::Ww: return 16;
    case Form::Qd:
    case Form::Wd: return 32;
    case Form::Qq:
    case Form::Wq: return 64;
    case Form::Wdq: return 128;
    default: return 0;
    }
}
bool is_immediate(Form f)
{
    return one_of(f, Form::Ib, Form::Ibs, Form::Iw, Form::Iz, Form::Iv, Form::IwIb, Form::Jb,
                  Form::Jz, Form::Ap);
}
bool is_fixed(Form f)
{
    return one_of(f, Form::AL, Form::AX, Form::eAX, Form::CL, Form::DX, Form::One);
}

/// The operands of a row, without a lone AL or eAX or one after M, which only tell the operand
/// size.
std::vector<Form> real_operands(const Opcode& row)
{
    std::vector<Form> forms;
    for (const Form f : row.operands)
        if (f != Form::None) forms.push_back(f);
    const bool lone = forms.size() == 1 && is_fixed(forms[0]);
    const bool after_memory = forms.size() == 2 && forms[0] == Form::M && forms[1] == Form::eAX;
    if (lone || after_memory) forms.pop_back();
    return forms;
}

class Comparison {
public:
    explicit Comparison(const Case& c) : c_(c) {}

    Report run()
    {
        if (c_.ours() && !c_.theirs()) fail(What::OnlyOurs, "");
        if (!c_.ours() && c_.theirs()) fail(What::OnlyTheirs, "");
        if ((c_.result == DecodeResult::TooLong) !=
            (c_.status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG))
            fail(What::TooLong, "");
        if (c_.ours() && c_.theirs()) instruction();
        return report_;
    }

private:
    void fail(What what, std::string text) { report_.emplace_back(what, std::move(text)); }
    void equal(What what, const char* name, i64 ours, i64 theirs)
    {
        if (ours != theirs)
            fail(what, std::string(name) + ' ' + std::to_string(ours) + ", not " +
                           std::to_string(theirs));
    }

    void instruction()
    {
        equal(What::Length, "length", c_.insn.length, c_.z.length);
        equal(What::AddressSize, "bits", 8 * c_.insn.address_bytes(), c_.z.address_width);
        if (c_.name() == "esc") return coprocessor();
        if (normal(c_.row->mnemonic) != normal(ZydisMnemonicGetString(c_.z.mnemonic)))
            fail(What::Name,
                 std::string(c_.row->mnemonic) + ", not " + ZydisMnemonicGetString(c_.z.mnemonic));
        equal(What::Size, "bits", 8 * c_.insn.size, c_.z.operand_width);
        prefixes();
        operands();
        if (c_.row->rules & kStringOp || c_.name() == "xlat") hidden_memory();
    }

    /// To us an instruction of the coprocessor is ESC with what may be a memory operand.
    void coprocessor()
    {
        u8 at = 0;
        const ZydisDecodedOperand* z = next(at);
        while (z && z->type != ZYDIS_OPERAND_TYPE_MEMORY) z = next(at);
        if (z) memory(*z);
        else if (c_.insn.memory) fail(What::Operand, "is in memory");
    }

    /// Names differ where the operand size or a segment is part of them.
    static std::string normal(std::string_view name)
    {
        static const std::map<std::string_view, std::string_view> same = {
            {"movsd", "movsw"},  {"movsq", "movsw"}, {"cmpsd", "cmpsw"},  {"cmpsq", "cmpsw"},
            {"stosd", "stosw"},  {"stosq", "stosw"}, {"lodsd", "lodsw"},  {"lodsq", "lodsw"},
            {"scasd", "scasw"},  {"scasq", "scasw"}, {"insd", "insw"},    {"outsd", "outsw"},
            {"cwde", "cbw"},     {"cdqe", "cbw"},    {"cdq", "cwd"},      {"cqo", "cwd"},
            {"pushad", "pusha"}, {"popad", "popa"},  {"pushfd", "pushf"}, {"pushfq", "pushf"},
            {"popfd", "popf"},   {"popfq", "popf"},  {"iretd", "iret"},   {"iretq", "iret"},
            {"jecxz", "jcxz"},   {"jrcxz", "jcxz"},  {"sal", "shl"},      {"fwait", "wait"},
            {"retf", "ret"},      {"feni8087_nop", "fneni"}, {"fdisi8087_nop", "fndisi"},
            {"fsetpm287_nop", "fnsetpm"}, {"fxsave64", "fxsave"}, {"fxrstor64", "fxrstor"}};
        std::string s(name);
        for (const char* tail : {" far", " es", " cs", " ss", " ds", " fs", " gs"})
            if (s.ends_with(tail)) s.erase(s.size() - std::string_view(tail).size());
        const auto found = same.find(s);
        return found == same.end() ? s : std::string(found->second);
    }

    void prefixes()
    {
        equal(What::Prefix, "LOCK", (c_.insn.prefixes & kPrefixLock) != 0,
              (c_.z.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0);
        if (!(c_.row->rules & kStringOp)) return;
        const ZydisInstructionAttributes rep = ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE;
        equal(What::Prefix, "REP", (c_.insn.prefixes & kPrefixRep) != 0,
              (c_.z.attributes & rep) != 0);
        equal(What::Prefix, "REPNE", (c_.insn.prefixes & kPrefixRepne) != 0,
              (c_.z.attributes & ZYDIS_ATTRIB_HAS_REPNE) != 0);
    }

    /// Ours in order are theirs in order, leaving out what Zydis lists but the encoding does not
    /// hold.
    void operands()
    {
        const std::vector<Form> forms = real_operands(*c_.row);
        u8 at = 0;
        for (std::size_t i = 0; i < forms.size(); ++i) {
            if (forms[i] == Form::IwIb) {  // two of theirs
                immediate(static_cast<u16>(c_.insn.imm), next(at));
                immediate(c_.insn.imm >> 32, next(at));
                continue;
            }
            const ZydisDecodedOperand* z = is_fixed(forms[i]) ? &c_.operands[at++] : next(at);
            if (!z) fail(What::Operand, "one too many");
            else operand(forms[i], position_of(forms[i]), *z);
        }
        if (next(at)) fail(What::Operand, "one too few");
    }

    std::size_t position_of(Form form) const
    {
        for (std::size_t i = 0; i < 3; ++i)
            if (c_.row->operands[i] == form) return i;
        return 3;
    }

    /// The next operand that is in the encoding.
    const ZydisDecodedOperand* next(u8& at) const
    {
        while (at < c_.z.operand_count) {
            const ZydisDecodedOperand& z = c_.operands[at++];
            if (z.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN) continue;
            if (z.encoding != ZYDIS_OPERAND_ENCODING_NONE || z.type == ZYDIS_OPERAND_TYPE_POINTER)
                return &z;
        }
        return nullptr;
    }

    void operand(Form form, std::size_t position, const ZydisDecodedOperand& z)
    {
        const u8 reg = position == 0 ? c_.insn.dst : c_.insn.src;
        if (form == Form::One) return immediate(1, &z);
        // A handler takes the bits it needs, so that there is but one Form for eight bits.
        if (form == Form::Ib && c_.insn.size == 1 && z.imm.is_signed)
            return immediate(static_cast<i8>(c_.insn.imm), &z);
        if (is_immediate(form)) return immediate(c_.insn.imm, &z);
        if (one_of(form, Form::Ob, Form::Ov)) return memory_offset(z);
        operand_size(form, z);
        if (in_modrm_rm(form) && z.encoding != ZYDIS_OPERAND_ENCODING_MODRM_RM)
            fail(What::Operand, "not ModRM.rm");
        if (in_modrm_reg(form) && z.encoding != ZYDIS_OPERAND_ENCODING_MODRM_REG)
            fail(What::Operand, "not ModRM.reg");
        if (z.type == ZYDIS_OPERAND_TYPE_MEMORY) return memory(z);
        if (z.type != ZYDIS_OPERAND_TYPE_REGISTER) return fail(What::Operand, "is not a register");
        if (in_modrm_rm(form) && c_.insn.memory) return fail(What::Operand, "is a register");
        if (position < 2) equal(What::Operand, "register", reg, register_number(z.reg.value, form));
        else if (form == Form::CL) equal(What::Operand, "register", RCX, gpr_number(z.reg.value));
    }

    void operand_size(Form form, const ZydisDecodedOperand& z)
    {
        if (one_of(form, Form::Eb, Form::Gb, Form::Zb, Form::AL))
            equal(What::OperandBits, "bits", 8, z.size);
        if (one_of(form, Form::Ew, Form::Gw, Form::DX))
            equal(What::OperandBits, "bits", 16, z.size);
        if (one_of(form, Form::Ev, Form::Gv, Form::Zv, Form::Rv, Form::eAX))
            equal(What::OperandBits, "bits", 8 * c_.insn.size, z.size);
        if (z.type == ZYDIS_OPERAND_TYPE_MEMORY && memory_bits(form) != 0)
            equal(What::OperandBits, "bits", memory_bits(form), z.size);
        if (one_of(form, Form::Ey, Form::Gy))
            equal(What::OperandBits, "bits", c_.insn.size == 8 ? 64 : 32, z.size);
    }

    void immediate(i64 ours, const ZydisDecodedOperand* z)
    {
        if (!z) return fail(What::Operand, "no immediate");
        if (z->type == ZYDIS_OPERAND_TYPE_POINTER) {
            equal(What::Operand, "selector", static_cast<u16>(ours >> 32), z->ptr.segment);
            equal(What::Operand, "offset", static_cast<u32>(ours), z->ptr.offset);
        } else if (z->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
            // Of an unsigned immediate as wide as the operand, a handler takes the bits it needs.
            const int unused = z->imm.is_signed ? 0 : 64 - z->size;
            equal(What::Operand, "immediate",
                  static_cast<i64>(static_cast<u64>(ours) << unused >> unused), z->imm.value.s);
        } else {
            fail(What::Operand, "is not an immediate");
        }
    }

    void memory_offset(const ZydisDecodedOperand& z)
    {
        if (z.type != ZYDIS_OPERAND_TYPE_MEMORY || !c_.insn.memory)
            return fail(What::Operand, "is not an offset");
        const u64 mask = c_.insn.address_mask();
        equal(What::Operand, "offset", c_.insn.imm,
              static_cast<i64>(static_cast<u64>(z.mem.disp.value) & mask));
        equal(What::Operand, "segment", c_.insn.seg, segment_number(z.mem.segment));
        equal(What::OperandBits, "bits", 8 * c_.insn.size, z.size);
    }

    void memory(const ZydisDecodedOperand& z)
    {
        const Insn& insn = c_.insn;
        if (!insn.memory) return fail(What::Operand, "is in memory");
        equal(What::Operand, "base", insn.base, gpr_number(z.mem.base));
        equal(What::Operand, "index", insn.index_reg, gpr_number(z.mem.index));
        if (z.mem.index != ZYDIS_REGISTER_NONE)
            equal(What::Operand, "scale", 1 << insn.scale, z.mem.scale);
        equal(What::Operand, "displacement", insn.disp, z.mem.disp.value);
        if (z.mem.type != ZYDIS_MEMOP_TYPE_AGEN)
            equal(What::Operand, "segment", insn.seg, segment_number(z.mem.segment));
    }

    /// Of string instructions and XLAT, what a segment prefix applies to.
    void hidden_memory()
    {
        for (u8 i = 0; i < c_.z.operand_count; ++i) {
            const ZydisDecodedOperand& z = c_.operands[i];
            if (z.type != ZYDIS_OPERAND_TYPE_MEMORY || !one_of(gpr_number(z.mem.base), RSI, RBX))
                continue;
            equal(What::Operand, "segment", c_.insn.seg, segment_number(z.mem.segment));
        }
    }

    const Case& c_;
    Report report_;
};

// ---- Random code -------------------------------------------------------------------------------

class Generator {
public:
    explicit Generator(u64 seed) : random_(seed) {}

    u64 below(u64 n) { return random_() % n; }
    bool chance(int one_in) { return below(static_cast<u64>(one_in)) == 0; }
    CodeSize mode() { return static_cast<CodeSize>(below(3)); }

    std::array<u8, 20> random()
    {
        std::array<u8, 20> code;
        for (u8& b : code) b = static_cast<u8>(random_());
        return code;
    }

    /// Some prefixes, an opcode of the table, and operands that like their extremes.
    std::array<u8, 20> structured(bool long_mode)
    {
        std::array<u8, 20> code;
        for (u8& b : code)
            b = chance(3) ? kExtremes[below(kExtremes.size())] : static_cast<u8>(random_());
        std::size_t at = 0;
        const std::size_t count = chance(50) ? 8 + below(8) : chance(2) ? 0 : below(4);
        while (at < count)
            code[at++] = chance(8) && long_mode ? rex() : kPrefixes[below(kPrefixes.size())];
        if (long_mode && chance(2)) code[at++] = rex();
        const Opcode& row = opcodes()[below(opcodes().size())];
        constexpr std::array<u8, 5> kMandatory = {0, 0, 0x66, 0xF3, 0xF2};
        if (const u8 prefix = kMandatory[static_cast<std::size_t>(row.prefix)];
            prefix && !chance(16)) {
            std::copy_backward(code.begin(), code.end() - 1, code.end());
            code[0] = prefix;
            ++at;
        }
        if (row.code >= 0x100) code[at++] = 0x0F;
        if (row.code >= 0x200) code[at++] = row.code < 0x300 ? 0x38 : 0x3A;
        code[at++] = chance(16) ? static_cast<u8>(random_()) : static_cast<u8>(row.code);
        if (row.reg >= 0 && !chance(16))
            code[at] = static_cast<u8>((code[at] & 0xC7) | row.reg << 3);
        if (row.mod3 >= 0 && !chance(16))
            code[at] = static_cast<u8>(row.mod3 ? code[at] | 0xC0 : code[at] & 0x7F);
        if (row.rm >= 0 && !chance(16)) code[at] = static_cast<u8>((code[at] & 0xF8) | row.rm);
        return code;
    }

private:
    u8 rex() { return static_cast<u8>(0x40 | below(16)); }

    static constexpr std::array<u8, 11> kPrefixes = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65,
                                                     0x66, 0x67, 0xF0, 0xF2, 0xF3};
    static constexpr std::array<u8, 8> kExtremes = {0x00, 0x01, 0x7F, 0x80, 0xFF, 0x04, 0x05, 0x24};
    std::mt19937_64 random_;
};

class Decoders {
public:
    Decoders()
    {
        ZydisDecoderInit(&z_[0], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
        ZydisDecoderInit(&z_[1], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
        ZydisDecoderInit(&z_[2], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
        // Later instructions that took the place of an old one with a prefix, or of a long NOP.
        for (ZydisDecoder& z : z_)
            for (const ZydisDecoderMode later :
                 {ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET, ZYDIS_DECODER_MODE_LZCNT,
                  ZYDIS_DECODER_MODE_TZCNT, ZYDIS_DECODER_MODE_CLDEMOTE})
                ZydisDecoderEnableMode(&z, later, ZYAN_FALSE);
    }

    void decode_both(Case& c) const
    {
        c.result = decode(c.code, {c.size, false}, c.insn);
        c.row = c.ours() ? &opcodes()[c.insn.opcode] : nullptr;
        c.status = ZydisDecoderDecodeFull(&z_[static_cast<std::size_t>(c.size)], c.code.data(),
                                          c.code.size(), &c.z, c.operands.data());
    }

private:
    std::array<ZydisDecoder, 3> z_;
};

std::string describe(const Case& c)
{
    std::string text = c.size == CodeSize::Bits16   ? "16 bit:"
                       : c.size == CodeSize::Bits32 ? "32 bit:"
                                                    : "64 bit:";
    const std::size_t length = c.ours() ? c.insn.length : c.theirs() ? c.z.length : c.code.size();
    for (std::size_t i = 0; i < length; ++i) {
        constexpr std::string_view digits = "0123456789ABCDEF";
        text += ' ';
        text += digits[c.code[i] >> 4];
        text += digits[c.code[i] & 15];
    }
    text += "; we: " + (c.ours() ? std::string(c.name())
                                 : "result " + std::to_string(static_cast<int>(c.result)));
    text += "; Zydis: " + (c.theirs() ? std::string(ZydisMnemonicGetString(c.z.mnemonic)) + " of " +
                                            ZydisISASetGetString(c.z.meta.isa_set)
                                      : "status " + std::to_string(c.status & 0xFFFFF));
    return text;
}

TEST(DecoderAndZydis, AgreeOnRandomCode)
{
    const char* given = std::getenv("REPRISE_SEED");
    const u64 seed = given ? std::strtoull(given, nullptr, 0) : kDefaultSeed;
    std::printf("REPRISE_SEED=%llu\n", static_cast<unsigned long long>(seed));
    Generator generator(seed);
    const Decoders decoders;
    std::array<u64, std::size(kRules)> uses{};
    std::map<std::string, u64> unexplained;  // by kind and our row
    u64 accepted = 0;

    for (int i = 0; i < kStructuredCases + kRandomCases; ++i) {
        Case c;
        c.size = generator.mode();
        c.code = i < kStructuredCases ? generator.structured(c.long_mode()) : generator.random();
        decoders.decode_both(c);
        accepted += c.ours();
        for (const auto& [what, text] : Comparison(c).run()) {
            const auto rule = std::ranges::find_if(
                kRules, [&, kind = what](const Rule& r) { return r.explains(c, kind); });
            if (rule != std::end(kRules)) {
                ++uses[static_cast<std::size_t>(rule - std::begin(kRules))];
                continue;
            }
            const std::string kind = std::string(kWhatNames[static_cast<std::size_t>(what)]) + ' ' +
                                     std::string(c.name());
            if (++unexplained[kind] <= 2)
                ADD_FAILURE() << kWhatNames[static_cast<std::size_t>(what)] << ' ' << text << "; "
                              << describe(c);
        }
    }
    EXPECT_GT(accepted, 1'000'000u);
    for (std::size_t i = 0; i < std::size(kRules); ++i) {
        std::printf("%8llu x %s\n", static_cast<unsigned long long>(uses[i]), kRules[i].name);
        EXPECT_TRUE(given || uses[i] > 0) << kRules[i].name << ": explains nothing any more";
    }
    for (const auto& [kind, count] : unexplained) ADD_FAILURE() << count << " x " << kind;
}

TEST(DecoderAndZydis, EveryBeginningOfAnInstructionIsTruncated)
{
    Generator generator(kDefaultSeed);
    for (int i = 0; i < 50'000; ++i) {
        const CodeSize size = generator.mode();
        const auto code = generator.structured(size == CodeSize::Bits64);
        const DecodeMode mode{size, false};
        Insn insn;
        if (decode(code, mode, insn) != DecodeResult::Ok) continue;
        for (std::size_t n = 0; n < insn.length; ++n) {
            Insn part;
            EXPECT_EQ(decode({code.data(), n}, mode, part), DecodeResult::Truncated);
        }
    }
}

}  // namespace
}  // namespace reprise
