/// The budget: where, and how, a block is charged for its instructions.
#include "cpu/jit/block_writer.h"
#include "cpu/jit/registers.h"

namespace reprise::jit {

using namespace asmjit;

namespace {

bool is_inc_or_dec(const Opcode& row)
{
    const u16 code = row.code;
    return (code >= 0x40 && code < 0x50) || ((code == 0xFE || code == 0xFF) && row.reg < 2);
}

/// All six arithmetic flags, whatever they were before.
bool replaces_flags(const Insn& insn, const Opcode& row)
{
    const u16 code = row.code;
    const i8 reg = row.reg;                                                      // -1: no group
    if (code < 0x40) return (code & 7) < 6 && code >> 3 != 2 && code >> 3 != 3;  // ADC, SBB
    if (code >= 0x80 && code <= 0x83) return reg != 2 && reg != 3;
    if (code == 0x84 || code == 0x85 || code == 0xA8 || code == 0xA9) return true;
    if (code == 0xF6 || code == 0xF7) return reg <= 1 || reg == 3;
    if (code == 0xD0 || code == 0xD1) return reg >= 4;
    return (code == 0xC0 || code == 0xC1) && reg >= 4 && (insn.imm & 31) != 0;
}

}  // namespace

/// May the flags be anything before this instruction? Not if it can fault after they were changed.
BlockWriter::ChargePoint BlockWriter::charge_point(const Insn& insn) const
{
    const Opcode& row = opcodes()[insn.opcode];
    const bool replaces = replaces_flags(insn, row), keeps_carry = is_inc_or_dec(row);
    if (!(replaces || keeps_carry) || !is_copied(row, insn)) return ChargePoint::None;
    // Exits behind the access begin the instruction anew.
    // Host code is to go on behind an access that is known to be slow, or to a chip.
    if (insn.memory && (code_.marks.checked >> insn.index & 1)) return ChargePoint::None;
    if (insn.memory) return replaces ? ChargePoint::BehindAccess : ChargePoint::None;
    return replaces ? ChargePoint::Before : ChargePoint::BeforeKeepingCarry;
}

bool BlockWriter::has_charge_point() const
{
    for (u32 i = 0; i < block_.count; ++i)
        if (charge_point(*insn_at(i)) != ChargePoint::None) return true;
    return false;
}

void BlockWriter::write_charge(ChargePoint point)
{
    charged_ = true;
    const i32 count = static_cast<i32>(block_.count);
    if (point == ChargePoint::BeforeKeepingCarry) {
        a_.lea(kBudget, x86::ptr(kBudget, count - 1));
        a_.inc(kBudget);
    } else {
        a_.add(kBudget, count);
    }
    a_.jns(event_label(index_));
}

/// Once the operand is known to be accessible, the interpreter cannot fault at this instruction
/// either, should it have to execute it: so nobody sees the flags.
void BlockWriter::write_charge_behind_access(const Insn& insn, int size)
{
    if (charged_ || charge_point(insn) != ChargePoint::BehindAccess) return;
    const bool window = may_fault();
    if (window) a_.mov(sized(kFree, size), operand(size));
    write_charge(ChargePoint::BehindAccess);
    // Before this the block was not charged: from there host code cannot go on behind it.
    begin_insn();
    if (window) begin_fault_site();
}

/// `used_up`: within reach of JRCXZ, or invalid.
void BlockWriter::write_charge_keeping_flags(const Label& used_up)
{
    charged_ = true;
    a_.lea(kBudget, x86::ptr(kBudget, static_cast<i32>(block_.count)));
    a_.mov(kSavedRcx, x86::rcx);
    a_.mov(kFree.r32(), 63);
    a_.sarx(x86::rcx, kBudget, kFree);
    if (used_up.isValid()) {
        a_.jecxz(x86::rcx, used_up);
    } else {
        const Label on = a_.newLabel(), out = a_.newLabel();
        a_.not_(x86::rcx);
        a_.jecxz(x86::rcx, on);
        colds_.push_back({out, &new_exit(Exit::Kind::Event, index_), true});
        a_.jmp(out);
        a_.bind(on);
    }
    a_.mov(x86::rcx, kSavedRcx);
}

}  // namespace reprise::jit
