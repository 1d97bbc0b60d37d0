/// MMX and SSE instructions: the host's own, on its registers of the same name, with general
/// registers and operands in memory somewhere else.
///
/// Those that no host executes as we do are marked in the table. While XMM registers are in the
/// host's, MXCSR is too, and has all exceptions masked.
#include <algorithm>

#include "cpu/jit/block_writer.h"
#include "cpu/jit/host.h"
#include "cpu/jit/registers.h"

namespace reprise::jit {

namespace {

constexpr u16 kEmms = 0x177;

enum class Operand : u8 { None, RegXmm, RmXmm, RegMm, RmMm, RegGpr, RmGpr, Immediate, Other };

Operand operand_of(Form f)
{
    switch (f) {
    case Form::None: return Operand::None;
    case Form::Vdq: return Operand::RegXmm;
    case Form::Udq:
    case Form::Ww:
    case Form::Wd:
    case Form::Wq:
    case Form::Wdq: return Operand::RmXmm;
    case Form::Pq: return Operand::RegMm;
    case Form::Nq:
    case Form::Qd:
    case Form::Qq: return Operand::RmMm;
    case Form::Gy: return Operand::RegGpr;
    case Form::Ey: return Operand::RmGpr;
    case Form::Ib: return Operand::Immediate;
    default: return Operand::Other;
    }
}

bool is_rm(Operand o) { return o == Operand::RmXmm || o == Operand::RmMm || o == Operand::RmGpr; }
bool is_xmm(Operand o) { return o == Operand::RegXmm || o == Operand::RmXmm; }
bool is_mm(Operand o) { return o == Operand::RegMm || o == Operand::RmMm; }
bool is_gpr(Operand o) { return o == Operand::RegGpr || o == Operand::RmGpr; }

int memory_bytes(Form f, u8 size)
{
    switch (f) {
    case Form::Ww: return 2;
    case Form::Qd:
    case Form::Wd: return 4;
    case Form::Qq:
    case Form::Wq: return 8;
    case Form::Wdq: return 16;
    default: return size == 8 ? 8 : 4;
    }
}

bool may_be_unaligned(const Opcode& row)
{
    const bool moves = row.code == 0x110 || row.code == 0x111 || row.code == 0x1F0;
    return moves || ((row.code == 0x16F || row.code == 0x17F) && row.prefix == Mandatory::PF3);
}

/// PCMPESTRI and PCMPESTRM with REX.W take lengths of 64 bits.
bool has_wide_lengths(const Opcode& row, const Insn& insn)
{
    return (row.code == 0x360 || row.code == 0x361) && insn.size == 8;
}

/// `memory`: where the operand is, if it is in memory.
HostCode encode(const Insn& insn, const Opcode& row, u8 reg, u8 rm, bool wide,
                const HostMemory& memory)
{
    HostCode host;
    if (row.prefix == Mandatory::P66) host.put(0x66);
    if (row.prefix == Mandatory::PF3) host.put(0xF3);
    if (row.prefix == Mandatory::PF2) host.put(0xF2);
    const u8 extension = insn.memory ? rex_bits(memory) : rm >= 8;
    const u8 rex = static_cast<u8>((wide ? 8 : 0) | (reg >= 8 ? 4 : 0) | extension);
    if (rex) host.put(static_cast<u8>(0x40 | rex));
    host.put(0x0F);
    if (row.code >> 8 == 2) host.put(0x38);
    if (row.code >> 8 == 3) host.put(0x3A);
    host.put(static_cast<u8>(row.code));
    if (insn.memory) put_operand(host, reg, memory);
    else host.put(static_cast<u8>(0xC0 | (reg & 7) << 3 | (rm & 7)));
    for (const Form f : row.operands)
        if (f == Form::Ib) host.put(static_cast<u8>(insn.imm));
    return host;
}

}  // namespace

MemoryUse vector_memory_use(const Insn& insn, const Opcode& row)
{
    const std::size_t at = is_rm(operand_of(row.operands[0])) ? 0 : 1;
    if (!is_rm(operand_of(row.operands[at]))) return {};
    const int bytes = memory_bytes(row.operands[at], insn.size);
    return {bytes, at == 0 && row.flags.writes == 0, bytes == 16 && !may_be_unaligned(row)};
}

bool BlockWriter::write_vector(const Insn& insn, const Opcode& row)
{
    if (row.carry != Carry::Copy) return false;
    if (row.code == kEmms) return write_emms();
    const std::array<Operand, 3> kinds = {operand_of(row.operands[0]), operand_of(row.operands[1]),
                                          operand_of(row.operands[2])};
    const bool xmm = std::ranges::any_of(kinds, is_xmm), mm = std::ranges::any_of(kinds, is_mm);
    if (!(xmm || mm) || (xmm && !fp_.sse) || (mm && !fp_.x87)) return false;
    if (std::ranges::find(kinds, Operand::Other) != kinds.end()) return false;

    // CVTPI2PS and CVTPI2PD of memory: do they enter MMX state? Processors disagree.
    const auto is_mm_in_memory = [&](Operand o) { return o == Operand::RmMm && insn.memory; };
    if (xmm && std::ranges::any_of(kinds, is_mm_in_memory)) return false;
    if (xmm) need_sse();
    if (mm) need_x87();
    if (insn.memory) {
        const MemoryUse use = vector_memory_use(insn, row);
        access({.kind = Place::Kind::Operand,
                .seg = insn.seg,
                .bits = 8 * insn.address_bytes(),
                .size = use.bytes,
                .aligned = use.aligned,
                .insn = &insn},
               use.writes);
    }
    u8 reg = row.reg < 0 ? u8{0} : static_cast<u8>(row.reg), rm = 0;
    for (std::size_t i = 0; i < 2; ++i) {
        const u8 number = i == 0 ? insn.dst : insn.src;
        if (kinds[i] == Operand::RegXmm || kinds[i] == Operand::RegMm) reg = number;
        if (insn.memory && is_rm(kinds[i])) continue;
        if (kinds[i] == Operand::RmXmm || kinds[i] == Operand::RmMm) rm = number;
        if (kinds[i] == Operand::RegGpr) reg = static_cast<u8>(guest_result(number).id());
        if (kinds[i] == Operand::RmGpr) rm = static_cast<u8>(guest(number, kSavedRcx).id());
    }
    const bool wide =
        (std::ranges::any_of(kinds, is_gpr) && insn.size == 8) || has_wide_lengths(row, insn);
    const HostCode host = encode(insn, row, reg, rm, wide, operand_);
    a_.embed(host.bytes.data(), host.size);
    // Results that are in the host's registers are where they belong.
    const bool result = kinds[0] == Operand::RegGpr || (kinds[0] == Operand::RmGpr && !insn.memory);
    if (result && insn.dst >= 8)
        a_.mov(state_gpr(insn.dst), kinds[0] == Operand::RegGpr ? kFree : kSavedRcx);
    return true;
}

bool BlockWriter::write_emms()
{
    if (!fp_.x87) return false;
    need_x87();
    a_.emms();
    return true;
}

/// Where an instruction puts a general register: in its own place, or in r11 if that is in memory.
x86::Gp BlockWriter::guest_result(u8 reg) { return reg < 8 ? gpr64(reg) : x86::Gp(kFree); }

}  // namespace reprise::jit
