/// From an operand to host memory: offset, segment, TLB. With a Window: window_writer.cpp.
#include "cpu/jit/block_writer.h"
#include "cpu/jit/registers.h"

namespace reprise::jit {

using namespace asmjit;

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
    held_.reset();
    if (is_offset(first) || is_offset(second)) {
        a_.mov(kAddress, static_cast<u64>(insn.imm) & mask);
        return;
    }
    if (!has_base && !has_index) {
        const u64 page = insn.index_reg == kPageSizeRegister ? kPageSize : 0;
        a_.mov(kAddress, ((relative ? block_.ip : 0) + page + disp) & mask);
        return;
    }
    const u8 only = has_base ? insn.base : insn.index_reg;
    if (mask == 0xFFFF && has_base != has_index && only < 8 && insn.scale == 0 && insn.disp == 0) {
        a_.movzx(kAddress.r32(), gpr16(only));
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
    if (place.bits == 16 && (pointer || place.depth == 0)) {
        a_.movzx(kAddress.r32(), gpr16(pointer ? place.pointer : RSP));
        return;
    }
    const x86::Mem sum = pointer ? x86::ptr(gpr64(place.pointer)) : x86::ptr(x86::r15, place.depth);
    if (place.bits == 64) a_.lea(kAddress, sum);
    else a_.lea(kAddress.r32(), sum);
    if (place.bits == 16) a_.movzx(kAddress.r32(), kAddress.r16());
}

int BlockWriter::stack_bits() const { return long_ ? 64 : assumptions_.wide_stack() ? 32 : 16; }

void BlockWriter::access(const Insn& insn, int size, bool write, bool computed, bool once)
{
    access({.kind = Place::Kind::Operand,
            .seg = insn.seg,
            .bits = 8 * insn.address_bytes(),
            .size = size,
            .insn = &insn,
            .computed = computed,
            .once = once},
           write);
}

void BlockWriter::access_stack(int depth, int size, bool write)
{
    access(
        {.kind = Place::Kind::Stack, .seg = SS, .bits = stack_bits(), .size = size, .depth = depth},
        write);
}

void BlockWriter::access(const Place& place, bool write)
{
    keep_access(place, write);
    if (in_window(place)) return access_window(place, write);
    if (device_access(place, write)) {
        Place anywhere = place;
        anywhere.computed = true;
        return access_page(anywhere, write);
    }
    if (!share(place, write)) access_page(place, write);
}

/// The register that has the linear address: a register of the guest's, if it is the address as it
/// is, or r8. Not RCX, which is in r10 meanwhile.
x86::Gp BlockWriter::linear_register(const Place& place, bool write) const
{
    if (place.computed || !is_flat(place, write) || place.bits != (long_ ? 64 : 32))
        return kAddress;
    u8 reg = RSP;
    if (place.kind == Place::Kind::Pointer) {
        reg = place.pointer;
    } else if (place.kind == Place::Kind::Stack) {
        if (place.depth != 0) return kAddress;
    } else {
        const Insn& insn = *place.insn;
        if (!insn.memory || insn.index_reg < kZeroRegister || insn.disp != 0) return kAddress;
        reg = insn.base;
    }
    return reg < 8 && reg != RCX ? gpr64(reg) : x86::Gp(kAddress);
}

void BlockWriter::find_linear(const Place& place, bool write)
{
    if (linear_register(place, write) != kAddress) return;
    if (place.sum) a_.lea(kAddress, x86::ptr(gpr64(place.insn->base), place.insn->disp));
    else offset_of(place);
}

void BlockWriter::access_page(const Place& place, bool write)
{
    held_.reset();
    operand_ = {.base = static_cast<u8>(linear_register(place, write).id()),
                .index = static_cast<u8>(kIndex.id())};
    find_linear(place, write);
    Label slow = slow_label(), ready;
    if (const auto device = device_access(place, write)) {
        const DeviceSite site{a_.newLabel(), a_.newLabel(), slow_exit_, place, *device};
        devices_.push_back(site);
        slow = site.cold;
        ready = site.hit;
        device_stored_ = write;
    }
    if (!write) return check(place, slow, kReadTag, false, Label(), ready);
    const ColdStore store{a_.newLabel(), a_.newLabel(), slow, place};
    stores_.push_back(store);
    check(place, store.cold, kPlainTag, true, store.hit, ready);
}

/// For begin_retry().
void BlockWriter::keep_access(const Place& place, bool write)
{
    ++accesses_;
    const auto kind = place.kind == Place::Kind::Operand ? Accessed::Kind::Memory
                      : place.kind == Place::Kind::Stack ? Accessed::Kind::Stack
                                                         : Accessed::Kind::Pointer;
    accessed_ = {.kind = kind,
                 .seg = place.seg,
                 .size = static_cast<u8>(place.size),
                 .pointer = place.pointer,
                 .write = write,
                 .aligned = place.aligned,
                 .depth = place.depth,
                 .mask = ~u64{0} >> (64 - place.bits)};
    // The handler finds an operand without registers in another way.
    if (kind == Accessed::Kind::Memory && place.insn != insn_at(index_)) ++accesses_;
    for (const Form form : opcodes()[insn_at(index_)->opcode].operands)
        if (form == Form::Ob || form == Form::Ov) ++accesses_;
}

x86::Mem BlockWriter::operand(int size) const
{
    const x86::Gp base = x86::gpq(operand_.base);
    const u32 bytes = static_cast<u32>(size);
    if (operand_.index == HostMemory::kNoIndex) return x86::ptr(base, operand_.disp, bytes);
    return x86::ptr(base, x86::gpq(operand_.index), operand_.scale, operand_.disp, bytes);
}

/// A field of the TLB entry whose index, times 8, is in kIndex.
x86::Mem BlockWriter::entry_field(i32 field) const
{
    if (assumptions_.window()) return x86::qword_ptr(kCpu, kIndex, 3, engine_.tlb() + field);
    return x86::qword_ptr(kMemory, kIndex, 3, field);
}

/// From the offset in r8, or the linear address in linear_register, to host memory at [that + r9],
/// if the TLB knows the page by `tag` and the access lies within the segment; else to `fail`, with
/// RCX in r10. All conditions add up to zero in rcx. `ready` is where the operand is there, and RCX
/// in its place.
void BlockWriter::check(const Place& place, const Label& fail, i32 tag, bool write,
                        const Label& hit, const Label& ready)
{
    test(place, tag, write);
    const Label yes = hit.isValid() ? hit : a_.newLabel();
    a_.jecxz(x86::rcx, yes);
    a_.jmp(fail);
    a_.bind(yes);
    a_.mov(x86::rcx, kSavedRcx);
    a_.mov(kIndex, entry_field(kAddend));
    if (ready.isValid()) a_.bind(ready);
}

bool BlockWriter::is_flat(const Place& place, bool write) const
{
    if (long_) return place.seg < FS;
    return (assumptions_.segment(place.seg) & (write ? kFlatWrite : kFlatRead)) != 0;
}

bool BlockWriter::is_wide(const Place& place, bool write) const
{
    return place.bits == 16 &&
           (assumptions_.segment(place.seg) & (write ? kWideWrite : kWideRead)) != 0;
}

void BlockWriter::test(const Place& place, i32 tag, bool write)
{
    const int size = place.size;
    const bool flat = is_flat(place, write), wide = is_wide(place, write);
    const bool limit = !long_ && !flat && (!wide || size > 1);
    const x86::Gp linear = linear_register(place, write);
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
    a_.pext(kIndex, linear, frame(offsetof(Frame, index_mask)));
    a_.lea(kIndex.r32(), x86::ptr(u64{0}, kIndex, 3));
    if (limit) {
        a_.mov(kFree, entry_field(tag));
        a_.lea(kFree, x86::ptr(kFree, linear, 0, size - 1));
        a_.lea(x86::rcx, x86::ptr(x86::rcx, kFree));
    } else {
        a_.mov(x86::rcx, entry_field(tag));
        a_.lea(x86::rcx, x86::ptr(x86::rcx, linear, 0, size - 1));
    }
    a_.mov(kFree.r32(), kPageShift);
    a_.shrx(x86::rcx, x86::rcx, kFree);
    if (!place.aligned) return;
    a_.mov(kFree.r32(), 60);  // the lowest four bits, far above the rest
    a_.shlx(kFree, linear, kFree);
    a_.lea(x86::rcx, x86::ptr(x86::rcx, kFree));
}

/// A store into a page that holds code: does it touch 64 bytes that code was decoded from?
void BlockWriter::cold_store(const ColdStore& store)
{
    a_.bind(store.cold);
    a_.mov(x86::rcx, kSavedRcx);
    find_linear(store.place, true);
    const x86::Gp linear = linear_register(store.place, true);
    test(store.place, kWriteTag, true);
    const Label known = a_.newLabel();
    a_.jecxz(x86::rcx, known);
    a_.jmp(store.fail);
    a_.bind(known);
    const auto granule_of = [&](const x86::Gp& address) { a_.rorx(kFree, address, 6); };
    a_.mov(frame(offsetof(Frame, scratch2)), x86::rax);
    a_.mov(x86::rcx, entry_field(kGranules));
    granule_of(linear);
    a_.shrx(x86::rax, x86::qword_ptr(x86::rcx), kFree);
    a_.pext(x86::rax, x86::rax, frame(offsetof(Frame, one)));
    if (store.place.size > 1) {
        a_.lea(kFree, x86::ptr(linear, store.place.size - 1));
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

}  // namespace reprise::jit
