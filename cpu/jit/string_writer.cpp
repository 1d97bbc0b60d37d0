/// String instructions without REP, upwards.
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
        a_.mov(scratch(), kFree);
        access(to, true);
        a_.mov(kFree, scratch());
        a_.mov(operand(size), value);
        advance(insn, RSI, size);
        advance(insn, RDI, size);
        return true;
    case 0xA6:
    case 0xA7:  // CMPS
        access(from, false);
        a_.mov(value, operand(size));
        a_.mov(scratch(), kFree);
        access(to, false);
        a_.mov(kFree, scratch());
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

}  // namespace reprise::jit
