/// The end of a block: jumps, calls, returns, loops.
#include "cpu/jit/block_writer.h"
#include "cpu/jit/registers.h"

namespace reprise::jit {

using namespace asmjit;

/// May execution go on there, as far as CS's limit is concerned, or in 64-bit mode the address?
bool BlockWriter::reachable(u64 ip) const
{
    return long_ ? is_canonical(ip) : ip <= assumptions_.code_limit();
}

/// The target of an indirect jump, in r8: canonical in 64-bit mode; of 32 bits in a segment of 64
/// KB.
void BlockWriter::check_target(int size)
{
    const bool narrow = size == 4 && assumptions_.code_limit() == 0xFFFF;
    if (!long_ && !narrow) return;
    const Label within = a_.newLabel();
    a_.mov(kSavedRcx, x86::rcx);
    if (long_) {
        // Bits 63..47 are all the same: 0 or -1, and one more is 0 or 1.
        a_.mov(kFree.r32(), 47);
        a_.sarx(x86::rcx, kAddress, kFree);
        a_.lea(x86::rcx, x86::ptr(x86::rcx, 1));
        a_.mov(kFree.r32(), 1);
        a_.shrx(x86::rcx, x86::rcx, kFree);
    } else {
        a_.mov(kFree.r32(), 16);
        a_.shrx(x86::ecx, kAddress.r32(), kFree.r32());
    }
    a_.jecxz(x86::rcx, within);
    a_.jmp(slow_label());
    a_.bind(within);
    a_.mov(x86::rcx, kSavedRcx);
    ++accesses_;  // no begin_retry(): this fault comes before that of the access
}

/// False: nothing was written, its handler has to execute the last instruction.
bool BlockWriter::write_end(const Insn& insn)
{
    const Opcode& row = opcodes()[insn.opcode];
    const int size = insn.size;
    if (row.last != Level::X64) return false;
    if (row.rules & kStringOp) return write_repeated(insn, row);
    const u64 mask = size == 2 ? 0xFFFF : size == 4 ? 0xFFFFFFFF : ~u64{0};
    const u64 behind = next_ip(insn), target = (behind + static_cast<u64>(insn.imm)) & mask;
    const bool anywhere = long_ || reachable(mask) || assumptions_.code_limit() == 0xFFFF;
    const u16 code = row.code;
    const bool jcc = (code >= 0x70 && code < 0x80) || (code >= 0x180 && code < 0x190);
    const bool relative =
        jcc || code == 0xE9 || code == 0xEB || code == 0xE8 || code == 0xE2 || code == 0xE3;
    const bool indirect =
        code == 0xC3 || code == 0xC2 || (code == 0xFF && (row.reg == 2 || row.reg == 4));
    if (!(relative && reachable(target)) && !(indirect && anywhere)) return false;
    if (!charged_) write_charge_keeping_flags();
    begin_retry();

    if (jcc) {
        jump_to(insn, Block::kJump, target, code & 15);
        jump_to(insn, Block::kBehind, behind, -1);
    } else if (code == 0xE9 || code == 0xEB) {
        jump_to(insn, Block::kJump, target, -1);
    } else if (code == 0xE8) {
        push_immediate(size, behind);
        jump_to(insn, Block::kJump, target, -1);
    } else if (code == 0xE2 || code == 0xE3) {
        write_loop(insn, code == 0xE3, target, behind);
    } else if (code == 0xFF) {
        write_indirect(insn, row.reg == 2);
    } else {
        write_return(insn);
    }
    return true;
}

void BlockWriter::push_immediate(int size, u64 value)
{
    access_stack(-size, size, true);
    if (size == 8) {
        a_.mov(kFree, value);
        a_.mov(operand(size), kFree);
    } else {
        a_.mov(operand(size),
               size == 2 ? imm(static_cast<i16>(value)) : imm(static_cast<i32>(value)));
    }
    move_sp(-size);
}

/// From [r8 + r9] to r8, with zeros in front.
void BlockWriter::load_target(int size)
{
    if (size == 2) a_.movzx(kAddress.r32(), operand(2));
    else a_.mov(sized(kAddress, size), operand(size));
}

void BlockWriter::write_return(const Insn& insn)
{
    const int size = insn.size;
    access_stack(0, size, false);
    load_target(size);
    check_target(size);
    move_sp(size + static_cast<int>(insn.imm));
    dispatch();
}

void BlockWriter::write_indirect(const Insn& insn, bool call)
{
    const int size = insn.size;
    if (insn.memory) {
        access(insn, size, false);
        load_target(size);
    } else if (size == 2) {
        a_.movzx(kAddress.r32(), gpr16(insn.dst));
    } else {
        a_.mov(sized(kAddress, size), sized(guest(insn.dst, kAddress), size));
    }
    check_target(size);
    if (call) {
        a_.mov(scratch(), kAddress);
        push_immediate(size, next_ip(insn));
        a_.mov(kAddress, scratch());
    }
    dispatch();
}

void BlockWriter::write_loop(const Insn& insn, bool jcxz, u64 target, u64 behind)
{
    const Label zero = a_.newLabel();
    const bool narrow = insn.address_bytes() == 2;
    if (insn.address_bytes() == 8) {
        if (!jcxz) a_.lea(x86::rcx, x86::ptr(x86::rcx, -1));
        a_.jecxz(x86::rcx, zero);
    } else if (!narrow) {
        if (!jcxz) a_.lea(x86::ecx, x86::ptr(x86::rcx, -1));
        a_.jecxz(x86::ecx, zero);
    } else {
        if (!jcxz) {
            a_.lea(kAddress.r32(), x86::ptr(x86::rcx, -1));
            a_.mov(x86::cx, kAddress.r16());
        }
        a_.mov(kSavedRcx, x86::rcx);
        a_.movzx(x86::ecx, x86::cx);
        a_.jecxz(x86::ecx, zero);
        a_.mov(x86::rcx, kSavedRcx);
    }
    const u8 other = jcxz ? Block::kBehind : Block::kJump,
             at_zero = jcxz ? Block::kJump : Block::kBehind;
    jump_to(insn, other, jcxz ? behind : target, -1);
    a_.bind(zero);
    if (narrow) a_.mov(x86::rcx, kSavedRcx);
    jump_to(insn, at_zero, jcxz ? target : behind, -1);
}

/// `condition` as in the opcode, or -1. Links within a page hold as long as the block itself;
/// others only while pages are where they are, and so do those to an instruction that may reach
/// into the next page: an instruction has up to 15 bytes.
void BlockWriter::jump_to(const Insn& insn, u8 link, u64 ip, int condition)
{
    const i64 in_page =
        static_cast<i64>(block_.physical % kPageSize) + static_cast<i64>(ip - block_.ip);
    const bool same_page = in_page >= 0 && in_page <= static_cast<i64>(kPageSize) - 15;
    if (assumptions_.paging() && !same_page) {
        const Label over = a_.newLabel();
        if (condition >= 0) a_.j(static_cast<x86::CondCode>(condition ^ 1), over);
        a_.mov(kAddress, ip);
        dispatch();
        a_.bind(over);
        return;
    }
    Exit& exit = new_exit(Exit::Kind::Jump, insn.index);
    exit.link = link;
    exit.ip = ip;
    exit.same_page = same_page;
    const Label stub = a_.newLabel();
    if (condition >= 0) {
        a_.long_().j(static_cast<x86::CondCode>(condition), stub);
    } else {
        a_.long_().jmp(stub);
    }
    sites_.emplace_back(&exit, static_cast<u32>(host_.size()) - 4);
    stubs_.emplace_back(&exit, stub);
    colds_.push_back({stub, &exit, false});
}

void BlockWriter::dispatch()
{
    a_.movzx(kIndex.r32(), kAddress.r16());
    a_.mov(kFree, frame(offsetof(Frame, targets)));
    a_.jmp(x86::qword_ptr(kFree, kIndex, 3));
}

}  // namespace reprise::jit
