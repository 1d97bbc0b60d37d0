/// Instructions on general registers and the stack.
#include "cpu/jit/block_writer.h"
#include "cpu/jit/registers.h"

namespace reprise::jit {

using namespace asmjit;

namespace {

bool is_g_form(Form f) { return f == Form::Gb || f == Form::Gw || f == Form::Gv; }
bool is_comparison(u16 code)
{
    return code == 0x84 || code == 0x85 || (code < 0x40 && code >> 3 == 7) || code == 0x1A3;
}

/// Hints, prefetches and fences: their memory operands are not accessed.
bool does_nothing(const Opcode& row)
{
    if (row.carry != Carry::Copy) return false;
    const bool fence = row.code == 0x1AE && row.mod3 == 1 && row.reg >= 5;
    return fence || row.code == 0x10D || (row.code >= 0x118 && row.code <= 0x11F);
}

}  // namespace

/// False: nothing was written, its handler has to execute it.
bool BlockWriter::write_insn(u32 index)
{
    const Insn& insn = *insn_at(index);
    const Opcode& row = opcodes()[insn.opcode];
    switch (row.code) {
    case 0x8D: write_lea(insn); return true;
    case 0xA0:
    case 0xA1: write_offset_move(insn, false); return true;
    case 0xA2:
    case 0xA3: write_offset_move(insn, true); return true;
    case 0xC9: write_leave(insn); return true;
    case 0x68:
    case 0x6A: return write_push(insn, row);
    case 0xFF:
        if (row.reg == 6) return write_push(insn, row);
        break;
    case 0x90:
        if (insn.dst == RAX) return true;  // NOP; with REX.B it is XCHG R8,RAX
        break;
    case 0x8F: return write_pop_memory(insn);
    case 0xFC: return !assumptions_.backwards();  // CLD, where it changes nothing
    case 0x131: return write_read_time();
    default: break;
    }
    if (does_nothing(row)) return true;
    if (row.code >= 0x50 && row.code < 0x58) return write_push(insn, row);
    if (row.code >= 0x58 && row.code < 0x60) return write_pop(insn), true;
    if (row.rules & kStringOp) return write_string(insn, row);
    return write_segment_insn(insn, row) || write_x87(insn, row) || write_vector(insn, row) ||
           (is_copied(row, insn) && write_copy(insn, row));
}

/// RDTSC. While host code runs, the clock at the beginning of a block that has been charged is
/// stop_at - kReserve + budget - count.
bool BlockWriter::write_read_time()
{
    const Engine::TimeOffsets& time = engine_.time_offsets();
    if (!time.has_tsc) return false;
    held_.reset();
    const Label allowed = a_.newLabel();
    a_.mov(kSavedRcx, x86::rcx);
    a_.mov(kFree.r32(), kCr4Tsd);
    a_.pext(x86::ecx, kFree.r32(), x86::dword_ptr(kCpu, time.cr4));
    a_.jecxz(x86::ecx, allowed);
    a_.jmp(slow_label());
    a_.bind(allowed);
    a_.mov(x86::rcx, kSavedRcx);
    const i32 before = static_cast<i32>(Engine::kReserve) + (charged_ ? block_.count : 0);
    a_.mov(kAddress, x86::qword_ptr(kCpu, time.stop_at));
    a_.mov(kIndex, x86::qword_ptr(kCpu, time.tsc_offset));
    a_.lea(kAddress,
           x86::ptr(kAddress, kBudget, 0, static_cast<i32>(insn_at(index_)->index) - before));
    a_.lea(kAddress, x86::ptr(kAddress, kIndex));
    a_.mov(x86::eax, kAddress.r32());
    a_.mov(kFree.r32(), 32);
    a_.shrx(x86::rdx, kAddress, kFree);
    return true;
}

/// Copies the instruction. Registers that the host keeps in memory (R8 to R15) take part as r10 and
/// r11.
bool BlockWriter::write_copy(const Insn& insn, const Opcode& row)
{
    const auto in_memory = [](u8 reg) { return !is_high_byte(reg) && reg >= 8; };
    const bool g_first = is_g_form(row.operands[0]), has_g = g_first || is_g_form(row.operands[1]);
    const u8 g = g_first ? insn.dst : insn.src, other = g_first ? insn.src : insn.dst;
    const bool in_opcode = row.operands[0] == Form::Zb || row.operands[0] == Form::Zv;
    const bool has_e = !insn.memory && (in_opcode || operand_bytes(row, insn, true) != 0);
    if (insn.memory && has_g && is_high_byte(g)) return write_copy_with_high_byte(insn, row, g);

    Stand stand;
    if (has_g && in_memory(g)) stand.reg = static_cast<u8>(kFree.id());
    if (has_e && in_memory(other)) stand.rm = static_cast<u8>(kSavedRcx.id());
    const HostMemory* memory = insn.memory ? &operand_ : nullptr;
    if (!copy_instruction(insn, row, memory, stand)) return false;
    if (insn.memory) {
        access(insn, operand_bytes(row, insn), writes_memory(row), false, true);
        write_charge_behind_access(insn, operand_bytes(row, insn));
    }
    if (stand.reg) a_.mov(kFree, state_gpr(g));
    if (stand.rm) a_.mov(kSavedRcx, state_gpr(other));
    const auto host = copy_instruction(insn, row, memory, stand);
    a_.embed(host->bytes.data(), host->size);
    write_device_store();
    // Both may be the same register: what was only read must not be stored over the result.
    if (is_comparison(row.code)) return true;
    const bool exchanges =
        row.code == 0x86 || row.code == 0x87 || row.code == 0x1C0 || row.code == 0x1C1;
    if (stand.reg && (g_first || exchanges)) a_.mov(state_gpr(g), kFree);
    if (stand.rm && !g_first) a_.mov(state_gpr(other), kSavedRcx);
    return true;
}

/// AH CH DH BH cannot be named beside r8 and r9, where the memory operand is: they change places
/// with AL CL DL BL.
bool BlockWriter::write_copy_with_high_byte(const Insn& insn, const Opcode& row, u8 reg)
{
    if (row.code == 0x1B0) return false;  // CMPXCHG also uses AL
    const Stand low_byte{.reg = reg & 15, .rm = {}};
    if (!copy_instruction(insn, row, &operand_, low_byte)) return false;
    access(insn, operand_bytes(row, insn), writes_memory(row), true, true);
    const x86::Gp low = x86::gpb_lo(reg & 3), high = x86::gpb_hi(reg & 3);
    const auto host = copy_instruction(insn, row, &operand_, low_byte);
    a_.xchg(low, high);
    if (may_fault()) begin_fault_site(reg & 3);
    a_.embed(host->bytes.data(), host->size);
    a_.xchg(low, high);
    write_device_store();
    return true;
}

x86::Mem BlockWriter::state_gpr(u8 reg) const { return x86::qword_ptr(kCpu, engine_.gpr(reg)); }

/// The host register with a register of the guest: `otherwise`, after loading it, if it is kept in
/// memory.
x86::Gp BlockWriter::guest(u8 reg, const x86::Gp& otherwise)
{
    if (reg < 8) return gpr64(reg);
    a_.mov(otherwise, state_gpr(reg));
    return otherwise;
}

/// Its lowest `size` bytes; 4 clear the upper half.
void BlockWriter::set_guest(u8 reg, const x86::Gp& value, int size)
{
    if (reg < 8) {
        a_.mov(sized(gpr64(reg), size), sized(value, size));
    } else if (size == 2) {
        a_.mov(x86::word_ptr(kCpu, engine_.gpr(reg)), value.r16());
    } else {
        if (size == 4) a_.mov(value.r32(), value.r32());
        a_.mov(state_gpr(reg), value);
    }
}

void BlockWriter::write_call()
{
    ++called_;
    go_out(new_call(Exit::Kind::Call));
    x87_pointers_ = {};
    sse_ = x87_ = Presence::Absent;
    shared_.clear();
}

void BlockWriter::write_lea(const Insn& insn)
{
    effective_address(insn);
    set_guest(insn.dst, kAddress, insn.size);
}

void BlockWriter::write_offset_move(const Insn& insn, bool store)
{
    access(insn, insn.size, store, false, true);
    const x86::Gp r = sized(x86::rax, insn.size);
    if (store) a_.mov(operand(insn.size), r);
    else a_.mov(r, operand(insn.size));
    write_device_store();
}

// ---- Stack ------------------------------------------------------------------------------------

void BlockWriter::move_sp(int by)
{
    if (long_) {
        a_.lea(x86::r15, x86::ptr(x86::r15, by));
    } else if (assumptions_.wide_stack()) {
        a_.lea(x86::r15d, x86::ptr(x86::r15, by));
    } else {
        a_.lea(kFree.r32(), x86::ptr(x86::r15, by));
        a_.mov(x86::r15w, kFree.r16());
    }
}

bool BlockWriter::write_push(const Insn& insn, const Opcode& row)
{
    const int size = insn.size;
    const bool immediate = row.code == 0x68 || row.code == 0x6A;
    if (insn.memory) {
        access(insn, size, false);
        a_.mov(sized(kFree, size), operand(size));
        a_.mov(scratch(), kFree);
    }
    access_stack(-size, size, true);
    if (insn.memory) {
        a_.mov(kFree, scratch());
        a_.mov(operand(size), sized(kFree, size));
    } else if (immediate) {
        a_.mov(operand(size),
               size == 2 ? imm(static_cast<i16>(insn.imm)) : imm(static_cast<i32>(insn.imm)));
    } else {
        a_.mov(operand(size), sized(guest(insn.dst, kFree), size));
    }
    move_sp(-size);
    return true;
}

void BlockWriter::write_pop(const Insn& insn)
{
    const int size = insn.size;
    access_stack(0, size, false);
    if (insn.dst < 8 && insn.dst != RSP) {
        a_.mov(sized(gpr64(insn.dst), size), operand(size));
        move_sp(size);
        return;
    }
    a_.mov(sized(kIndex, size), operand(size));
    move_sp(size);
    set_guest(insn.dst, kIndex, size);
}

/// POP to memory. An address with ESP in it counts from behind the operand on the stack: left to
/// the handler.
bool BlockWriter::write_pop_memory(const Insn& insn)
{
    const int size = insn.size;
    if (!insn.memory || insn.base == RSP) return false;
    access_stack(0, size, false);
    a_.mov(sized(kFree, size), operand(size));
    a_.mov(scratch(), kFree);
    access(insn, size, true);
    a_.mov(kFree, scratch());
    a_.mov(operand(size), sized(kFree, size));
    move_sp(size);
    return true;
}

void BlockWriter::write_leave(const Insn& insn)
{
    const int size = insn.size;
    access({.kind = Place::Kind::Pointer,
            .seg = SS,
            .bits = stack_bits(),
            .size = size,
            .pointer = RBP},
           false);
    a_.mov(sized(kIndex, size), operand(size));
    a_.lea(kAddress, x86::ptr(x86::rbp, size));
    const int bytes = stack_bits() / 8;
    a_.mov(sized(x86::r15, bytes), sized(kAddress, bytes));
    a_.mov(sized(x86::rbp, size), sized(kIndex, size));
}

}  // namespace reprise::jit
