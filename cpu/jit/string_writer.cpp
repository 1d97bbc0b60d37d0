/// String instructions, upwards; with REP those of a few elements.
#include "cpu/jit/block_writer.h"
#include "cpu/jit/registers.h"

namespace reprise::jit {

BlockWriter::Place BlockWriter::pointed(const Insn& insn, Gpr pointer, int size) const
{
    return {.kind = Place::Kind::Pointer,
            .seg = pointer == RDI ? u8{ES} : insn.seg,
            .bits = 8 * insn.address_bytes(),
            .size = size,
            .pointer = pointer};
}

void BlockWriter::advance(const Insn& insn, Gpr pointer, int size)
{
    if (insn.address_bytes() == 8) {
        a_.lea(gpr64(pointer), x86::ptr(gpr64(pointer), size));
        return;
    }
    if (insn.address_bytes() == 4) {
        a_.lea(gpr32(pointer), x86::ptr(gpr64(pointer), size));
        return;
    }
    a_.lea(kFree.r32(), x86::ptr(gpr64(pointer), size));
    a_.mov(gpr16(pointer), kFree.r16());
}

/// Keeps `value` while `place` is made accessible.
void BlockWriter::access_with(const Place& place, bool write, const x86::Gp& value)
{
    const bool free = in_window(place) && is_flat(place, write);
    if (!free) a_.mov(scratch(), value);
    access(place, write);
    if (!free) a_.mov(value, scratch());
}

bool BlockWriter::write_string(const Insn& insn, const Opcode& row)
{
    if (assumptions_.backwards()) return false;
    const int size = insn.size;
    const x86::Gp accumulator = sized(x86::rax, size), value = sized(kFree, size);
    const Place from = pointed(insn, RSI, size), to = pointed(insn, RDI, size);
    switch (row.code) {
    case 0xA4:
    case 0xA5:  // MOVS
        access(from, false);
        a_.mov(value, operand(size));
        access_with(to, true, kFree);
        a_.mov(operand(size), value);
        advance(insn, RSI, size);
        advance(insn, RDI, size);
        return true;
    case 0xA6:
    case 0xA7:  // CMPS
        access(from, false);
        a_.mov(value, operand(size));
        access_with(to, false, kFree);
        a_.cmp(value, operand(size));
        advance(insn, RSI, size);
        advance(insn, RDI, size);
        return true;
    case 0xAA:
    case 0xAB:  // STOS
        access(to, true);
        a_.mov(operand(size), accumulator);
        advance(insn, RDI, size);
        return true;
    case 0xAC:
    case 0xAD:  // LODS
        access(from, false);
        a_.mov(accumulator, operand(size));
        advance(insn, RSI, size);
        return true;
    case 0xAE:
    case 0xAF:  // SCAS
        access(to, false);
        a_.cmp(accumulator, operand(size));
        advance(insn, RDI, size);
        return true;
    default: return false;
    }
}

/// Goes to `zero` if the count of a repeated instruction is zero, with RCX in r10 if the count has
/// 16 bits.
void BlockWriter::jump_if_none_left(const Insn& insn, const Label& zero)
{
    const int bytes = insn.address_bytes();
    if (bytes == 8) {
        a_.jecxz(x86::rcx, zero);
    } else if (bytes == 4) {
        a_.jecxz(x86::ecx, zero);
    } else {
        a_.mov(kSavedRcx, x86::rcx);
        a_.movzx(x86::ecx, x86::cx);
        a_.jecxz(x86::ecx, zero);
        a_.mov(x86::rcx, kSavedRcx);
    }
}

void BlockWriter::count_down(const Insn& insn)
{
    const int bytes = insn.address_bytes();
    if (bytes == 8) {
        a_.lea(x86::rcx, x86::ptr(x86::rcx, -1));
    } else if (bytes == 4) {
        a_.lea(x86::ecx, x86::ptr(x86::rcx, -1));
    } else {
        a_.lea(kAddress.r32(), x86::ptr(x86::rcx, -1));
        a_.mov(x86::cx, kAddress.r16());
    }
}

/// Leaves to the interpreter unless there are few elements to go, and the next event is farther
/// away than that: it has faster ways for many. Goes to `none` if there are none.
void BlockWriter::check_count(const Insn& insn, const Label& none)
{
    constexpr int kFewBits = 6;
    const bool narrow = insn.address_bytes() == 2;
    const Label few = a_.newLabel(), zero = a_.newLabel();
    jump_if_none_left(insn, zero);
    a_.mov(kSavedRcx, x86::rcx);
    if (narrow) a_.movzx(x86::ecx, x86::cx);
    else if (long_ && insn.address_bytes() == 4) a_.mov(x86::ecx, x86::ecx);
    a_.lea(kIndex, x86::ptr(kBudget, x86::rcx));
    a_.mov(kFree.r32(), kFewBits);
    a_.shrx(x86::rcx, x86::rcx, kFree);
    a_.mov(kFree.r32(), 63);
    a_.sarx(kIndex, kIndex, kFree);  // -1 while the budget lasts
    a_.lea(x86::rcx, x86::ptr(x86::rcx, kIndex, 0, 1));
    a_.jecxz(x86::rcx, few);
    a_.jmp(slow_label());
    a_.bind(zero);
    if (narrow) a_.mov(x86::rcx, kSavedRcx);
    a_.jmp(none);
    a_.bind(few);
    a_.mov(x86::rcx, kSavedRcx);
}

/// Each iteration but the last is charged for as it ends: the block has been charged for one. So
/// registers and budget are as they have to be wherever an access leaves to the interpreter.
bool BlockWriter::write_repeated(const Insn& insn, const Opcode& row)
{
    const bool compares =
        row.code == 0xA6 || row.code == 0xA7 || row.code == 0xAE || row.code == 0xAF;
    if (row.code < 0xA4 || row.code > 0xAF || assumptions_.backwards()) return false;
    if (code_.marks.checked >> index_ & 1) return false;
    if (!charged_) write_charge_keeping_flags();
    const Label again = a_.newLabel(), last = a_.newLabel(), done = a_.newLabel();
    check_count(insn, done);
    a_.bind(again);
    write_string(insn, row);
    end_fault_site();
    count_down(insn);
    const bool until_equal = (insn.prefixes & kPrefixRepne) != 0;
    if (compares) a_.j(until_equal ? x86::CondCode::kE : x86::CondCode::kNE, done);
    jump_if_none_left(insn, last);
    a_.lea(kBudget, x86::ptr(kBudget, 1));
    a_.jmp(again);
    a_.bind(last);
    if (insn.address_bytes() == 2) a_.mov(x86::rcx, kSavedRcx);
    a_.bind(done);
    jump_to(insn, Block::kBehind, next_ip(insn), -1);
    return true;
}

}  // namespace reprise::jit
