/// SSE instructions: the host's own, on two of its registers, loaded from and stored to the state
/// around each.
///
/// Those that no host executes as we do are marked in the table. While host code runs, MXCSR is the
/// guest's, which has all exceptions masked or SSE is left to the handlers.
#include "cpu/jit/block_writer.h"
#include "cpu/jit/host.h"
#include "cpu/jit/registers.h"

namespace reprise::jit {

namespace {

constexpr u8 kRegXmm = 0, kRmXmm = 1;  // of the host, for ModRM.reg and ModRM.rm

enum class Operand : u8 { None, RegXmm, RmXmm, RegGpr, RmGpr, Immediate, Other };

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
    case Form::Gy: return Operand::RegGpr;
    case Form::Ey: return Operand::RmGpr;
    case Form::Ib: return Operand::Immediate;
    default: return Operand::Other;
    }
}

bool is_rm(Operand o) { return o == Operand::RmXmm || o == Operand::RmGpr; }

int memory_bytes(Form f, u8 size)
{
    switch (f) {
    case Form::Ww: return 2;
    case Form::Wd: return 4;
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

/// Operands that the encoding does not name, and that would be in the wrong registers: BLENDVxx and
/// PBLENDVB read XMM0, PCMPxSTRM write it; with REX.W PCMPESTRx take lengths of 64 bits.
bool has_hidden_operands(const Opcode& row, const Insn& insn)
{
    switch (row.code) {
    case 0x210:
    case 0x214:
    case 0x215:
    case 0x360:
    case 0x362: return true;
    case 0x361: return insn.size == 8;
    default: return false;
    }
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
    if (insn.memory) {
        put_operand(host, reg, memory);
    } else {
        host.put(static_cast<u8>(0xC0 | (reg & 7) << 3 | (rm & 7)));
    }
    for (const Form f : row.operands)
        if (f == Form::Ib) host.put(static_cast<u8>(insn.imm));
    return host;
}

}  // namespace

bool BlockWriter::write_vector(const Insn& insn, const Opcode& row)
{
    if (row.carry != Carry::Copy || !assumptions_.sse() || !host_traits().sse42) return false;
    if (has_hidden_operands(row, insn)) return false;
    const std::array<Operand, 3> kinds = {operand_of(row.operands[0]), operand_of(row.operands[1]),
                                          operand_of(row.operands[2])};
    bool any_xmm = false;
    for (const Operand o : kinds) {
        if (o == Operand::Other) return false;
        any_xmm = any_xmm || o == Operand::RegXmm || o == Operand::RmXmm;
    }
    if (!any_xmm) return false;

    u8 reg = row.reg < 0 ? kRegXmm : static_cast<u8>(row.reg), rm = kRmXmm;
    bool general = false;
    const bool stores = row.flags.writes == 0;
    if (insn.memory) {
        const std::size_t at = is_rm(kinds[0]) ? 0 : 1;
        const int bytes = memory_bytes(row.operands[at], insn.size);
        access({.kind = Place::Kind::Operand,
                .seg = insn.seg,
                .bits = 8 * insn.address_bytes(),
                .size = bytes,
                .aligned = bytes == 16 && !may_be_unaligned(row),
                .insn = &insn},
               at == 0 && stores);
    }
    for (std::size_t i = 0; i < 2; ++i) {
        const u8 number = i == 0 ? insn.dst : insn.src;
        if (kinds[i] == Operand::RegXmm) a_.movaps(x86::xmm(kRegXmm), xmm(number));
        if (kinds[i] == Operand::RmXmm && !insn.memory) a_.movaps(x86::xmm(kRmXmm), xmm(number));
        if (kinds[i] == Operand::RegGpr) reg = static_cast<u8>(kFree.id());
        if (kinds[i] == Operand::RmGpr && !insn.memory) {
            a_.mov(kSavedRcx, guest(number, kSavedRcx));
            rm = static_cast<u8>(kSavedRcx.id());
        }
        general = general || kinds[i] == Operand::RegGpr || kinds[i] == Operand::RmGpr;
    }
    const HostCode host = encode(insn, row, reg, rm, general && insn.size == 8, operand_);
    a_.embed(host.bytes.data(), host.size);
    if (!stores) return true;
    if (kinds[0] == Operand::RegXmm) a_.movaps(xmm(insn.dst), x86::xmm(kRegXmm));
    if (kinds[0] == Operand::RmXmm && !insn.memory) a_.movaps(xmm(insn.dst), x86::xmm(kRmXmm));
    if (kinds[0] == Operand::RegGpr) set_guest(insn.dst, kFree, insn.size == 8 ? 8 : 4);
    if (kinds[0] == Operand::RmGpr && !insn.memory)
        set_guest(insn.dst, kSavedRcx, insn.size == 8 ? 8 : 4);
    return true;
}

x86::Mem BlockWriter::xmm(u8 number) const { return x86::xmmword_ptr(kCpu, engine_.xmm(number)); }

}  // namespace reprise::jit
