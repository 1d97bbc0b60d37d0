/// Instructions with segment registers. Loads only where they cannot fail: in real and virtual-8086
/// mode.
#include "cpu/jit/block_writer.h"
#include "cpu/jit/registers.h"

namespace reprise::jit {

bool BlockWriter::write_segment_insn(const Insn& insn, const Opcode& row)
{
    switch (row.code) {
    case 0x8C: write_from_segment(insn); return true;
    case 0x06: write_push_segment(insn, ES); return true;
    case 0x0E: write_push_segment(insn, CS); return true;
    case 0x16: write_push_segment(insn, SS); return true;
    case 0x1E: write_push_segment(insn, DS); return true;
    case 0x1A0: write_push_segment(insn, FS); return true;
    case 0x1A8: write_push_segment(insn, GS); return true;
    default: break;
    }
    if (!assumptions_.simple_loads()) return false;
    switch (row.code) {
    case 0x8E:
        if (row.reg == SS || row.reg == CS) return false;
        write_to_segment(insn, static_cast<u8>(row.reg));
        return true;
    case 0x07: write_pop_segment(insn, ES); return true;
    case 0x1F: write_pop_segment(insn, DS); return true;
    case 0x1A1: write_pop_segment(insn, FS); return true;
    case 0x1A9: write_pop_segment(insn, GS); return true;
    case 0xC4: write_far_pointer(insn, ES); return true;
    case 0xC5: write_far_pointer(insn, DS); return true;
    case 0x1B4: write_far_pointer(insn, FS); return true;
    case 0x1B5: write_far_pointer(insn, GS); return true;
    default: return false;
    }
}

void BlockWriter::write_from_segment(const Insn& insn)
{
    const x86::Mem selector = x86::word_ptr(
        kCpu, engine_.segment_register(insn.src) + static_cast<i32>(offsetof(Segment, selector)));
    if (!insn.memory) {
        a_.movzx(kFree.r32(), selector);
        set_guest(insn.dst, kFree, insn.size);
        return;
    }
    access(insn, 2, true);
    a_.movzx(kFree.r32(), selector);
    a_.mov(operand(2), kFree.r16());
}

/// The selector is in r11.
void BlockWriter::load_segment(u8 seg)
{
    const i32 at = engine_.segment_register(seg);
    a_.mov(x86::word_ptr(kCpu, at + static_cast<i32>(offsetof(Segment, selector))), kFree.r16());
    a_.lea(kFree, x86::ptr(u64{0}, kFree, 3));
    a_.lea(kFree, x86::ptr(kFree, kFree));
    a_.mov(x86::qword_ptr(kCpu, at + static_cast<i32>(offsetof(Segment, base))), kFree);
    a_.mov(x86::qword_ptr(kCpu, engine_.segment_base(seg)), kFree);
}

void BlockWriter::write_to_segment(const Insn& insn, u8 seg)
{
    if (insn.memory) {
        access(insn, 2, false);
        a_.movzx(kFree.r32(), operand(2));
    } else {
        a_.movzx(kFree.r32(), gpr16(insn.src));
    }
    load_segment(seg);
}

/// Of the operand on the stack, only 16 bits are written: see PushSegment.
void BlockWriter::write_push_segment(const Insn& insn, u8 seg)
{
    const int written = insn.size == 8 ? 8 : 2;
    access_stack(-int{insn.size}, written, true);
    a_.movzx(kFree.r32(), x86::word_ptr(kCpu, engine_.segment_register(seg) +
                                                  static_cast<i32>(offsetof(Segment, selector))));
    a_.mov(operand(written), sized(kFree, written));
    move_sp(-int{insn.size});
}

void BlockWriter::write_pop_segment(const Insn& insn, u8 seg)
{
    access_stack(0, insn.size, false);
    a_.movzx(kIndex.r32(), operand(2));
    move_sp(insn.size);
    a_.mov(kFree.r32(), kIndex.r32());
    load_segment(seg);
}

/// The selector lies behind the offset; both are read before anything changes.
void BlockWriter::write_far_pointer(const Insn& insn, u8 seg)
{
    const int size = insn.size;
    access(insn, size, false);
    a_.mov(sized(kFree, size), operand(size));
    a_.mov(scratch(), kFree);
    Insn selector = insn;
    selector.disp += size;
    access(selector, 2, false);
    a_.movzx(kFree.r32(), operand(2));
    load_segment(seg);
    a_.mov(kAddress, scratch());
    a_.mov(sized(gpr64(insn.dst), size), sized(kAddress, size));
}

}  // namespace reprise::jit
