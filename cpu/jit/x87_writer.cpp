/// x87 instructions: the host's own, on its own register stack, with the operand in memory
/// somewhere else.
///
/// While the guest's x87 is in the host's, all its exceptions are masked. FIP, FDP and their like
/// (SDM vol. 1, 8.1.8) cannot be the host's: the Cpu gets them at the end of the block, and on
/// every way out before it.
#include <utility>

#include "cpu/jit/block_writer.h"
#include "cpu/jit/host.h"
#include "cpu/jit/registers.h"

namespace reprise::jit {

using namespace asmjit;

namespace {

constexpr u16 kWait = 0x9B;

/// Operands in memory by opcode and ModRM.reg (SDM vol. 2D, tables ). None: not copied.
constexpr MemoryUse kNone{}, kIn2{2, false}, kIn4{4, false}, kIn8{8, false}, kIn10{10, false},
    kOut2{2, true}, kOut4{4, true}, kOut8{8, true}, kOut10{10, true};
constexpr MemoryUse kMemoryForms[8][8] = {
    {kIn4, kIn4, kIn4, kIn4, kIn4, kIn4, kIn4, kIn4},
    {kIn4, kNone, kOut4, kOut4, kNone, kIn2, kNone, kOut2},
    {kIn4, kIn4, kIn4, kIn4, kIn4, kIn4, kIn4, kIn4},
    {kIn4, kOut4, kOut4, kOut4, kNone, kIn10, kNone, kOut10},
    {kIn8, kIn8, kIn8, kIn8, kIn8, kIn8, kIn8, kIn8},
    {kIn8, kOut8, kOut8, kOut8, kNone, kNone, kNone, kOut2},
    {kIn2, kIn2, kIn2, kIn2, kIn2, kIn2, kIn2, kIn2},
    {kIn2, kOut2, kOut2, kOut2, kNone, kIn8, kNone, kOut8},
};

/// The last three bits of the first byte, and ModRM, as FOP has them.
u8 opcode_of(const Insn& insn) { return insn.imm >> 8 & 7; }
u8 modrm_of(const Insn& insn) { return static_cast<u8>(insn.imm); }
u8 reg_of(const Insn& insn) { return modrm_of(insn) >> 3 & 7; }

bool is_fldcw(const Insn& insn) { return insn.memory && opcode_of(insn) == 1 && reg_of(insn) == 5; }
bool is_fnstsw_ax(const Insn& insn) { return !insn.memory && (insn.imm & 0x7FF) == 0x7E0; }

/// Control instructions leave the pointers alone: FLDCW, FNSTCW, FNSTSW, FNCLEX.
bool is_control(const Insn& insn)
{
    const u8 opcode = opcode_of(insn), reg = reg_of(insn);
    if (!insn.memory) return is_fnstsw_ax(insn) || (opcode == 3 && reg == 4);
    return (opcode == 1 && reg >= 4) || (opcode == 5 && reg == 7);
}

enum class Group : u8 { Common, Free, Moves, Compares, Truncates };

/// FFREE; FCMOVcc; FCOMI and its like; FISTTP; all others.
Group group_of(const Insn& insn)
{
    const u8 opcode = opcode_of(insn), reg = reg_of(insn);
    if (insn.memory)
        return reg == 1 && (opcode == 3 || opcode == 5 || opcode == 7) ? Group::Truncates
                                                                       : Group::Common;
    if (opcode == 5 && reg == 0) return Group::Free;
    if ((opcode == 2 || opcode == 3) && reg < 4) return Group::Moves;
    if ((opcode == 3 || opcode == 7) && (reg == 5 || reg == 6)) return Group::Compares;
    return Group::Common;
}

/// Does the model have it, and does the host do the same?
bool is_shared(const Insn& insn, const CpuModel& model, const HostTraits& host)
{
    switch (group_of(insn)) {
    case Group::Free: return host.x87_free;
    case Group::Moves: return model.has(Feature::Cmov) && host.x87_moves;
    case Group::Compares: return model.has(Feature::Cmov) && host.x87_compares;
    case Group::Truncates: return model.has(Feature::Sse3) && host.sse42;
    default: return true;
    }
}

/// `memory`: where the operand is, if it is in memory.
HostCode encode(const Insn& insn, const HostMemory& memory)
{
    HostCode host;
    if (insn.memory && rex_bits(memory)) host.put(static_cast<u8>(0x40 | rex_bits(memory)));
    host.put(static_cast<u8>(0xD8 | opcode_of(insn)));
    if (insn.memory) put_operand(host, reg_of(insn), memory);
    else host.put(modrm_of(insn));
    return host;
}

}  // namespace

MemoryUse x87_memory_use(const Insn& insn) { return kMemoryForms[opcode_of(insn)][reg_of(insn)]; }

bool BlockWriter::write_x87(const Insn& insn, const Opcode& row)
{
    const bool wait = row.code == kWait;
    if (!fp_.x87 || row.carry != Carry::Copy || !(wait || (row.code >= 0xD8 && row.code <= 0xDF)))
        return false;
    if (wait) return need_x87(), true;  // it would wait for exceptions, and there are none
    if (!is_shared(insn, engine_.cpu().model(), host_traits())) return false;
    need_x87();
    if (is_fldcw(insn)) return write_fldcw(insn), true;
    if (insn.memory) {
        const MemoryUse use = x87_memory_use(insn);
        access(insn, use.bytes, use.writes);
    }
    const HostCode host = encode(insn, operand_);
    a_.embed(host.bytes.data(), host.size);
    if (is_control(insn)) return true;
    x87_pointers_.last = &insn;
    if (insn.memory) x87_pointers_.memory = &insn;
    return true;
}

/// Its handler does it if that unmasks an exception.
void BlockWriter::write_fldcw(const Insn& insn)
{
    access(insn, 2, false);
    const asmjit::Label masked = a_.newLabel();
    a_.mov(kSavedRcx, x86::rcx);
    a_.movzx(x86::ecx, operand(2));
    a_.not_(x86::rcx);
    a_.pext(x86::rcx, x86::rcx, frame(offsetof(Frame, x87_masks)));
    a_.jecxz(x86::rcx, masked);
    a_.jmp(slow_label());
    a_.bind(masked);
    a_.mov(x86::rcx, kSavedRcx);
    a_.fldcw(operand(2));
}

// ---- Whose the host's registers are -----------------------------------------------------------

void BlockWriter::need(Presence& presence, std::size_t absent, const u8* load)
{
    if (presence == Presence::Present) return;
    held_.reset();
    const asmjit::Label present = a_.newLabel();
    if (presence == Presence::Unknown) {
        a_.mov(kSavedRcx, x86::rcx);
        a_.mov(x86::rcx, frame(absent));
        a_.jecxz(x86::rcx, present);
        a_.mov(x86::rcx, kSavedRcx);
    }
    Exit& refused = new_call(Exit::Kind::Access);
    refused.fp_refused = true;
    a_.mov(kAddress, reinterpret_cast<u64>(&refused));
    a_.call(reinterpret_cast<u64>(load));
    if (presence == Presence::Unknown) {
        a_.bind(present);
        a_.mov(x86::rcx, kSavedRcx);
    }
    presence = Presence::Present;
}

void BlockWriter::need_sse() { need(sse_, offsetof(Frame, sse_absent), engine_.stubs().load_sse); }

void BlockWriter::need_x87() { need(x87_, offsetof(Frame, x87_absent), engine_.stubs().load_x87); }

// ---- Pointers ---------------------------------------------------------------------------------

/// Before an instruction that may change what they follow from.
void BlockWriter::keep_x87_pointers(const Insn& insn, const Opcode& row)
{
    if (x87_pointers_.memory && may_change_address(insn, row, *x87_pointers_.memory))
        write_x87_data_pointer();
}

void BlockWriter::write_x87_data_pointer()
{
    const Insn& insn = *std::exchange(x87_pointers_.memory, nullptr);
    effective_address(insn);
    a_.mov(x86::qword_ptr(kCpu, engine_.fpu(offsetof(FpuState, data))), kAddress);
    write_x87_selector(insn.seg, offsetof(FpuState, ds));
}

void BlockWriter::write_x87_selector(u8 seg, std::size_t member)
{
    held_.reset();
    a_.movzx(kIndex.r32(), x86::word_ptr(kCpu, engine_.segment_register(seg) +
                                                   static_cast<i32>(offsetof(Segment, selector))));
    a_.mov(x86::word_ptr(kCpu, engine_.fpu(member)), kIndex.r16());
}

/// At the end of the block: the next one does not know its instructions.
void BlockWriter::write_x87_pointers()
{
    if (x87_pointers_.memory) write_x87_data_pointer();
    if (!x87_pointers_.last) return;
    const Insn& insn = *std::exchange(x87_pointers_.last, nullptr);
    a_.mov(kAddress, block_.ip + insn.offset);
    a_.mov(x86::qword_ptr(kCpu, engine_.fpu(offsetof(FpuState, ip))), kAddress);
    a_.mov(kAddress.r32(), static_cast<u32>(insn.imm));
    a_.mov(x86::word_ptr(kCpu, engine_.fpu(offsetof(FpuState, opcode))), kAddress.r16());
    write_x87_selector(CS, offsetof(FpuState, cs));
}

}  // namespace reprise::jit
