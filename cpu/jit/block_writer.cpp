#include "cpu/jit/block_writer.h"

#include <cstddef>

#include "cpu/jit/host.h"
#include "cpu/jit/registers.h"

namespace reprise::jit {

using namespace asmjit;

namespace {

bool is_repeated(const Insn& insn) { return (insn.prefixes & (kPrefixRep | kPrefixRepne)) != 0; }

constexpr u32 group(const Opcode& row) { return static_cast<u32>(row.reg < 0 ? 8 : row.reg); }

bool is_shift(u16 code) { return code == 0xC0 || code == 0xC1 || (code >= 0xD0 && code <= 0xD3); }
bool is_double_shift(u16 code)
{
    return code == 0x1A4 || code == 0x1A5 || code == 0x1AC || code == 0x1AD;
}
bool is_multiply(const Opcode& row)
{
    return row.code == 0x1AF || row.code == 0x69 || row.code == 0x6B ||
           ((row.code == 0xF6 || row.code == 0xF7) && row.reg >= 4);
}

/// May the host's own instruction stand for this one? Also where a flag is undefined: see host.h.
bool is_copied(const Opcode& row, const Insn& insn)
{
    const u16 code = row.code;
    const HostTraits& host = host_traits();
    if (row.carry != Carry::Copy) return false;
    if (is_multiply(row)) return host.multiply_flags;
    if (is_shift(code)) return row.reg < 4 || host.shift_flags;
    if (is_double_shift(code)) return host.shift_flags && insn.size != 2;
    if (code < 0x40) return true;
    switch (code) {
    case 0x80:
    case 0x81:
    case 0x82:
    case 0x83:
    case 0x84:
    case 0x85:
    case 0x86:
    case 0x87:
    case 0x63:
    case 0x88:
    case 0x89:
    case 0x8A:
    case 0x8B:
    case 0x98:
    case 0x99:
    case 0x9E:
    case 0x9F:
    case 0xA8:
    case 0xA9:
    case 0xC6:
    case 0xC7:
    case 0xF5:
    case 0xF8:
    case 0xF9:
    case 0xF6:
    case 0xF7:
    case 0xFE:
    case 0x1C0:
    case 0x1C1:
    case 0x1B0:
    case 0x1B1:
    case 0x1B6:
    case 0x1B7:
    case 0x1BE:
    case 0x1BF:
    case 0x1BA: return true;
    case 0xFF: return row.reg < 2;
    case 0x1A3:
    case 0x1AB:
    case 0x1B3:
    case 0x1BB: return !insn.memory;
    case 0x1BC:
    case 0x1BD: return host.scan_flags;
    default: break;
    }
    if (code >= 0x40 && code < 0x50) return true;
    if (code >= 0x90 && code < 0x98) return true;
    if (code >= 0xB0 && code < 0xC0) return true;
    if (code >= 0x1C8 && code < 0x1D0) return insn.size != 2;
    return (code >= 0x140 && code < 0x150) || (code >= 0x190 && code < 0x1A0);
}

/// Does it write its memory operand?
bool writes_memory(const Opcode& row)
{
    switch (row.code) {
    case 0x84:
    case 0x85:
    case 0x1A3: return false;
    case 0xF6:
    case 0xF7: return row.reg == 2 || row.reg == 3;
    case 0x80:
    case 0x81:
    case 0x82:
    case 0x83: return row.reg != 7;
    case 0x1BA: return row.reg != 4;
    default: break;
    }
    if (row.code < 0x40 && (row.code >> 3) == 7) return false;  // CMP
    const Form first = row.operands[0];
    return first == Form::Eb || first == Form::Ew || first == Form::Ev;
}

/// Of the E operand. `or_zero`: 0 if there is none, else the operand size.
int operand_bytes(const Opcode& row, const Insn& insn, bool or_zero = false)
{
    for (const Form f : row.operands) {
        if (f == Form::Eb) return 1;
        if (f == Form::Ew) return 2;
        if (f == Form::Ev) return row.code == 0x63 ? 4 : insn.size;
    }
    return or_zero ? 0 : insn.size;
}

}  // namespace

BlockWriter::BlockWriter(Engine& engine, Code& code, const Assumptions& assumptions, bool paging,
                         const u8* address)
    : engine_(engine),
      code_(code),
      block_(*code.block),
      assumptions_(assumptions), paging_(paging),
      long_(static_cast<CodeSize>(block_.mode & 3) == CodeSize::Bits64),
      host_(address),
      a_(host_.assembler())
{
}

// ---- The block --------------------------------------------------------------------------------

bool BlockWriter::write()
{
    entry_ = a_.newLabel();
    indirect_ = a_.newLabel();
    const Label right = a_.newLabel();
    a_.bind(indirect_);
    a_.mov(kSavedRcx, x86::rcx);
    if (!long_) {
        a_.lea(x86::ecx, x86::ptr(kAddress, -static_cast<i32>(block_.ip)));
        a_.jecxz(x86::ecx, right);
    } else {
        a_.mov(kFree, 0 - block_.ip);
        a_.lea(x86::rcx, x86::ptr(kAddress, kFree));
        a_.jecxz(x86::rcx, right);
    }
    a_.mov(x86::rcx, kSavedRcx);
    a_.jmp(reinterpret_cast<u64>(engine_.stubs().indirect_miss));
    a_.bind(right);
    a_.mov(x86::rcx, kSavedRcx);
    a_.bind(entry_);

    bool ended = false;
    for (index_ = 0; index_ < block_.count && !ended; ++index_) {
        const Insn& insn = *insn_at(index_);
        const Opcode& row = opcodes()[insn.opcode];
        resume_ = Label();
        if (row.carry == Carry::End || ((row.rules & kStringOp) && is_repeated(insn))) {
            ended = true;
            if (write_end(insn)) ++copied_;
            else a_.jmp(exit_label(Exit::Kind::Resume, index_));
            continue;
        }
        if (!charged_ && is_charge_point(insn)) write_charge(index_);
        if (write_insn(index_)) ++copied_;
        else write_call(index_);
    }
    if (!ended) {
        index_ = block_.count;
        resume_ = Label();
        if (!charged_) write_charge_keeping_flags(index_);
        jump_to(*insn_at(index_ - 1), Block::kBehind, block_.ip + block_.length, -1);
    }
    if (copied_ == 0) return false;

    for (std::size_t i = 0; i < stores_.size(); ++i) cold_store(stores_[i]);
    for (const Cold& cold : colds_) {
        a_.bind(cold.label);
        if (cold.parked) a_.mov(x86::rcx, kSavedRcx);
        a_.mov(kAddress, reinterpret_cast<u64>(cold.exit));
        a_.jmp(reinterpret_cast<u64>(engine_.stubs().leave));
    }
    return true;
}

void BlockWriter::finish(CodeMemory& memory)
{
    u8* base = host_.finish(memory);
    code_.entry = base + host_.offset_of(entry_);
    code_.indirect = base + host_.offset_of(indirect_);
    for (const auto& [exit, offset] : sites_) exit->site = base + offset;
    for (const auto& [exit, label] : stubs_) exit->stub = base + host_.offset_of(label);
}

Exit& BlockWriter::new_exit(Exit::Kind kind, u32 index)
{
    Exit& exit = code_.exits.emplace_back();
    exit.kind = kind;
    exit.charged = charged_ ? static_cast<u8>(block_.count) : 0;
    exit.code = &code_;
    exit.insn = insn_at(index);
    return exit;
}

Label BlockWriter::exit_label(Exit::Kind kind, u32 index)
{
    const Label label = a_.newLabel();
    colds_.push_back({label, &new_exit(kind, index), false});
    return label;
}

/// Where an access of the present instruction goes that is not fast: RCX is in r10.
Label BlockWriter::resume_label()
{
    if (!resume_.isValid()) {
        resume_ = a_.newLabel();
        colds_.push_back({resume_, &new_exit(Exit::Kind::Resume, index_), true});
    }
    return resume_;
}

// ---- The budget -------------------------------------------------------------------------------

/// An instruction that cannot fault and replaces all flags: they may be anything before it.
bool BlockWriter::is_charge_point(const Insn& insn) const
{
    if (insn.memory || opcodes()[insn.opcode].carry != Carry::Copy) return false;
    const u16 code = opcodes()[insn.opcode].code;
    const u32 reg = group(opcodes()[insn.opcode]);
    if (code < 0x40) return code >> 3 != 2 && code >> 3 != 3;  // ADC, SBB
    if (code >= 0x80 && code <= 0x83) return reg != 2 && reg != 3;
    if (code == 0x84 || code == 0x85 || code == 0xA8 || code == 0xA9) return true;
    return (code == 0xF6 || code == 0xF7) && (reg <= 1 || reg == 3);
}

void BlockWriter::write_charge(u32 index)
{
    charged_ = true;
    a_.add(kBudget, block_.count);
    a_.jns(exit_label(Exit::Kind::End, index));
}

void BlockWriter::write_charge_keeping_flags(u32 index)
{
    charged_ = true;
    const Label on = a_.newLabel();
    a_.lea(kBudget, x86::ptr(kBudget, static_cast<i32>(block_.count)));
    a_.mov(kSavedRcx, x86::rcx);
    a_.mov(kFree.r32(), 63);
    a_.sarx(x86::rcx, kBudget, kFree);
    a_.not_(x86::rcx);
    a_.jecxz(x86::rcx, on);
    const Label out = a_.newLabel();
    colds_.push_back({out, &new_exit(Exit::Kind::End, index), true});
    a_.jmp(out);
    a_.bind(on);
    a_.mov(x86::rcx, kSavedRcx);
}

// ---- Instructions -----------------------------------------------------------------------------

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
    default: break;
    }
    if (row.code >= 0x50 && row.code < 0x58) return write_push(insn, row);
    if (row.code >= 0x58 && row.code < 0x60) return write_pop(insn), true;
    if (row.rules & kStringOp) return write_string(insn, row);
    return write_segment_insn(insn, row) || write_vector(insn, row) ||
           (is_copied(row, insn) && write_copy(insn, row));
}

bool is_g_form(Form f) { return f == Form::Gb || f == Form::Gw || f == Form::Gv; }
bool is_comparison(u16 code)
{
    return code == 0x84 || code == 0x85 || (code < 0x40 && code >> 3 == 7) || code == 0x1A3;
}

/// Copies the instruction. Registers that the host keeps in memory (R8 to R15) take part as r10 and r11.
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
    const auto host = copy_instruction(insn, row, insn.memory ? &kOperand : nullptr, stand);
    if (!host) return false;
    if (insn.memory) access(insn, operand_bytes(row, insn), writes_memory(row));
    if (stand.reg) a_.mov(kFree, state_gpr(g));
    if (stand.rm) a_.mov(kSavedRcx, state_gpr(other));
    a_.embed(host->bytes.data(), host->size);
    // Both may be the same register: what was only read must not be stored over the result.
    if (is_comparison(row.code)) return true;
    const bool exchanges = row.code == 0x86 || row.code == 0x87 || row.code == 0x1C0 || row.code == 0x1C1;
    if (stand.reg && (g_first || exchanges)) a_.mov(state_gpr(g), kFree);
    if (stand.rm && !g_first) a_.mov(state_gpr(other), kSavedRcx);
    return true;
}

/// AH CH DH BH cannot be named beside r8 and r9, where the memory operand is: they change places with AL CL DL BL.
bool BlockWriter::write_copy_with_high_byte(const Insn& insn, const Opcode& row, u8 reg)
{
    if (row.code == 0x1B0) return false;  // CMPXCHG also uses AL
    const auto host = copy_instruction(insn, row, &kOperand, {.reg = reg & 15, .rm = {}});
    if (!host) return false;
    access(insn, operand_bytes(row, insn), writes_memory(row));
    const x86::Gp low = x86::gpb_lo(reg & 3), high = x86::gpb_hi(reg & 3);
    a_.xchg(low, high);
    a_.embed(host->bytes.data(), host->size);
    a_.xchg(low, high);
    return true;
}

x86::Mem BlockWriter::state_gpr(u8 reg) const { return x86::qword_ptr(kCpu, engine_.gpr(reg)); }

/// The host register with a register of the guest: `otherwise`, after loading it, if it is kept in memory.
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

void BlockWriter::write_call(u32 index)
{
    Call& call = code_.calls.emplace_back();
    call.insns[0] = *insn_at(index);
    if (index == 0) call.insns[0].exec = block_.first;
    call.insns[1].exec = [](Cpu&, const Insn* insn) { return insn; };
    call.charged = charged_ ? static_cast<u8>(block_.count) : 0;
    call.code = &code_;
    call.after = {.kind = Exit::Kind::Resume,
                  .charged = call.charged,
                  .code = &code_,
                  .insn = insn_at(index + 1)};
    a_.mov(kAddress, reinterpret_cast<u64>(&call));
    a_.call(reinterpret_cast<u64>(engine_.stubs().call));
}

void BlockWriter::write_lea(const Insn& insn)
{
    effective_address(insn);
    set_guest(insn.dst, kAddress, insn.size);
}

void BlockWriter::write_offset_move(const Insn& insn, bool store)
{
    access(insn, insn.size, store);
    const x86::Gp r = sized(x86::rax, insn.size);
    if (store) a_.mov(operand(insn.size), r);
    else a_.mov(r, operand(insn.size));
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
    access({.kind = Place::Kind::Pointer, .seg = SS, .bits = stack_bits(), .size = size, .pointer = RBP},
           false);
    a_.mov(sized(kIndex, size), operand(size));
    a_.lea(kAddress, x86::ptr(x86::rbp, size));
    const int bytes = stack_bits() / 8;
    a_.mov(sized(x86::r15, bytes), sized(kAddress, bytes));
    a_.mov(sized(x86::rbp, size), sized(kIndex, size));
}

// ---- Memory -----------------------------------------------------------------------------------

/// The offset within the segment, in r8.
void BlockWriter::effective_address(const Insn& insn)
{
    const Form second = opcodes()[insn.opcode].operands[1],
               first = opcodes()[insn.opcode].operands[0];
    const auto is_offset = [](Form f) { return f == Form::Ob || f == Form::Ov; };
    const u64 mask = insn.address_mask(), disp = static_cast<u64>(i64{insn.disp});
    const bool relative = insn.base == kBlockIpRegister;
    const bool has_base = insn.base != kZeroRegister && !relative;
    const bool has_index = insn.index_reg < kZeroRegister;
    if (is_offset(first) || is_offset(second)) {
        a_.mov(kAddress, static_cast<u64>(insn.imm) & mask);
        return;
    }
    if (!has_base && !has_index) {
        const u64 page = insn.index_reg == kPageSizeRegister ? kPageSize : 0;
        a_.mov(kAddress, ((relative ? block_.ip : 0) + page + disp) & mask);
        return;
    }
    const x86::Gp base = has_base ? guest(insn.base, kAddress) : x86::Gp();
    const x86::Gp index = has_index ? guest(insn.index_reg, kIndex) : x86::Gp();
    x86::Mem sum;
    if (has_base && has_index) sum = x86::ptr(base, index, insn.scale, insn.disp);
    else if (has_base) sum = x86::ptr(base, insn.disp);
    else sum = x86::ptr(disp, index, insn.scale);
    if (insn.address_bytes() == 8) a_.lea(kAddress, sum);
    else a_.lea(kAddress.r32(), sum);
    if (mask == 0xFFFF) a_.movzx(kAddress.r32(), kAddress.r16());
}

/// The offset of `place` within its segment, in r8.
void BlockWriter::offset_of(const Place& place)
{
    if (place.kind == Place::Kind::Operand) return effective_address(*place.insn);
    const bool pointer = place.kind == Place::Kind::Pointer;
    const x86::Mem sum = pointer ? x86::ptr(gpr64(place.pointer)) : x86::ptr(x86::r15, place.depth);
    if (place.bits == 64) a_.lea(kAddress, sum);
    else a_.lea(kAddress.r32(), sum);
    if (place.bits == 16) a_.movzx(kAddress.r32(), kAddress.r16());
}

int BlockWriter::stack_bits() const { return long_ ? 64 : assumptions_.wide_stack() ? 32 : 16; }

void BlockWriter::access(const Insn& insn, int size, bool write)
{
    access({.kind = Place::Kind::Operand, .seg = insn.seg, .bits = 8 * insn.address_bytes(),
            .size = size, .insn = &insn},
           write);
}

void BlockWriter::access_stack(int depth, int size, bool write)
{
    access({.kind = Place::Kind::Stack, .seg = SS, .bits = stack_bits(), .size = size, .depth = depth},
           write);
}

void BlockWriter::access(const Place& place, bool write)
{
    offset_of(place);
    if (!write) return check(place, resume_label(), kReadTag, false);
    const ColdStore store{a_.newLabel(), a_.newLabel(), resume_label(), place};
    stores_.push_back(store);
    check(place, store.cold, kPlainTag, true, store.hit);
}

x86::Mem BlockWriter::operand(int size) const
{
    return x86::ptr(kAddress, kIndex, 0, 0, static_cast<u32>(size));
}

/// From the offset in r8 to host memory at [r8 + r9], if the TLB knows the page by `tag` and the
/// access lies within the segment; else to `fail`, with RCX in r10. All conditions add up to zero
/// in rcx.
void BlockWriter::check(const Place& place, const Label& fail, i32 tag, bool write,
                        const Label& hit)
{
    test(place, tag, write);
    const Label yes = hit.isValid() ? hit : a_.newLabel();
    a_.jecxz(x86::rcx, yes);
    a_.jmp(fail);
    a_.bind(yes);
    a_.mov(x86::rcx, kSavedRcx);
    a_.mov(kIndex, entry_field(kAddend));
}

void BlockWriter::test(const Place& place, i32 tag, bool write)
{
    const int size = place.size;
    const u8 bits = assumptions_.segment(place.seg);
    const bool flat = long_ ? place.seg < FS : (bits & (write ? kFlatWrite : kFlatRead)) != 0;
    const bool wide = place.bits == 16 && (bits & (write ? kWideWrite : kWideRead));
    const bool limit = !long_ && !flat && (!wide || size > 1);
    a_.mov(kSavedRcx, x86::rcx);
    if (limit && wide) {
        // 10000h if the last byte is beyond FFFFh, or 0.
        a_.lea(x86::ecx, x86::ptr(kAddress, size - 1));
        a_.movzx(kFree.r32(), x86::cx);
        a_.not_(kFree);
        a_.lea(x86::rcx, x86::ptr(x86::rcx, kFree, 0, 1));
    } else if (limit) {
        // end - (offset + size): its upper bits, if it is negative.
        a_.mov(x86::rcx, x86::qword_ptr(kCpu, engine_.segment_end(place.seg, write)));
        a_.mov(kFree, kAddress);
        a_.not_(kFree);
        a_.lea(x86::rcx, x86::ptr(x86::rcx, kFree, 0, 1 - size));
        a_.mov(kFree.r32(), 45);
        a_.shrx(x86::rcx, x86::rcx, kFree);
    }
    if (!flat) {
        a_.mov(kFree, x86::qword_ptr(kCpu, engine_.segment_base(place.seg)));
        a_.lea(kAddress, x86::ptr(kAddress, kFree));
    }
    a_.pext(kIndex, kAddress, frame(offsetof(Frame, index_mask)));
    a_.lea(kIndex.r32(), x86::ptr(u64{0}, kIndex, 3));
    if (limit) {
        a_.mov(kFree, entry_field(tag));
        a_.lea(kFree, x86::ptr(kFree, kAddress, 0, size - 1));
        a_.lea(x86::rcx, x86::ptr(x86::rcx, kFree));
    } else {
        a_.mov(x86::rcx, entry_field(tag));
        a_.lea(x86::rcx, x86::ptr(x86::rcx, kAddress, 0, size - 1));
    }
    a_.mov(kFree.r32(), kPageShift);
    a_.shrx(x86::rcx, x86::rcx, kFree);
    if (!place.aligned) return;
    a_.mov(kFree.r32(), 60);  // the lowest four bits, far above the rest
    a_.shlx(kFree, kAddress, kFree);
    a_.lea(x86::rcx, x86::ptr(x86::rcx, kFree));
}

/// A store into a page that holds code: does it touch 64 bytes that code was decoded from?
void BlockWriter::cold_store(const ColdStore& store)
{
    a_.bind(store.cold);
    a_.mov(x86::rcx, kSavedRcx);
    offset_of(store.place);
    test(store.place, kWriteTag, true);
    const Label known = a_.newLabel();
    a_.jecxz(x86::rcx, known);
    a_.jmp(store.fail);
    a_.bind(known);
    const auto granule_of = [&](const x86::Gp& linear) { a_.rorx(kFree, linear, 6); };
    a_.mov(frame(offsetof(Frame, scratch2)), x86::rax);
    a_.mov(x86::rcx, entry_field(kGranules));
    granule_of(kAddress);
    a_.shrx(x86::rax, x86::qword_ptr(x86::rcx), kFree);
    a_.pext(x86::rax, x86::rax, frame(offsetof(Frame, one)));
    if (store.place.size > 1) {
        a_.lea(kFree, x86::ptr(kAddress, store.place.size - 1));
        granule_of(kFree);
        a_.shrx(x86::rcx, x86::qword_ptr(x86::rcx), kFree);
        a_.pext(x86::rcx, x86::rcx, frame(offsetof(Frame, one)));
        a_.lea(x86::rcx, x86::ptr(x86::rcx, x86::rax));
    } else {
        a_.mov(x86::rcx, x86::rax);
    }
    a_.mov(x86::rax, frame(offsetof(Frame, scratch2)));
    const Label plain = a_.newLabel();
    a_.jecxz(x86::rcx, plain);
    a_.jmp(store.fail);
    a_.bind(plain);
    a_.jmp(store.hit);
}

// ---- The end of the block ---------------------------------------------------------------------

/// May execution go on there, as far as CS's limit is concerned, or in 64-bit mode the address?
bool BlockWriter::reachable(u64 ip) const
{
    return long_ ? is_canonical(ip) : ip <= assumptions_.code_limit();
}

/// The target of an indirect jump, in r8: canonical in 64-bit mode; of 32 bits in a segment of 64 KB.
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
    a_.jmp(resume_label());
    a_.bind(within);
    a_.mov(x86::rcx, kSavedRcx);
}

/// False: the interpreter has to execute the last instruction.
bool BlockWriter::write_end(const Insn& insn)
{
    const Opcode& row = opcodes()[insn.opcode];
    const int size = insn.size;
    if (row.last != Level::X64) return false;
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
    if (!charged_) write_charge_keeping_flags(index_);

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
        a_.mov(operand(size), size == 2 ? imm(static_cast<i16>(value)) : imm(static_cast<i32>(value)));
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
/// others only while pages are where they are.
void BlockWriter::jump_to(const Insn& insn, u8 link, u64 ip, int condition)
{
    const i64 in_page =
        static_cast<i64>(block_.physical % kPageSize) + static_cast<i64>(ip - block_.ip);
    const bool same_page = in_page >= 0 && in_page < static_cast<i64>(kPageSize);
    if (paging_ && !same_page) {
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
