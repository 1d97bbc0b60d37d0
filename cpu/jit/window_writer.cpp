/// Access to memory through a Window: no check but what the host's own paging does. Whatever must
/// not be reached this way becomes an address that faults.
#include "cpu/jit/block_writer.h"
#include "cpu/jit/registers.h"

namespace reprise::jit {

using namespace asmjit;

bool BlockWriter::in_window(const Place& place) const
{
    // An operand that is not aligned is for the TLB's check to find.
    return assumptions_.window() && !place.aligned && !(code_.marks.checked >> index_ & 1);
}

/// The operand by the guest's own registers, where its address is their sum or the sum faults.
std::optional<HostMemory> BlockWriter::direct(const Place& place) const
{
    if (place.computed || place.bits != 32 || (code_.marks.wraps >> index_ & 1)) return {};
    HostMemory m{.base = static_cast<u8>(kMemory.id())};
    if (place.kind == Place::Kind::Stack) {
        m.index = host_register(RSP);
        m.disp = place.depth;
    } else if (place.kind == Place::Kind::Pointer) {
        m.index = host_register(place.pointer);
    } else {
        const Insn& insn = *place.insn;
        const bool has_base = insn.base < 16, has_index = insn.index_reg < 16;
        if (!insn.memory || has_base == has_index) return {};
        m.index = host_register(has_base ? insn.base : insn.index_reg);
        m.scale = has_base ? u8{0} : insn.scale;
        m.disp = insn.disp;
    }
    return m;
}

void BlockWriter::access_window(const Place& place, bool write)
{
    held_.reset();
    constexpr u8 kWindow = 14;
    static_assert(kMemory.id() == kWindow);
    const bool flat = is_flat(place, write);
    if (const auto operand = direct(place); operand && flat) {
        operand_ = *operand;
        return begin_fault_site();
    }
    offset_of(place);
    if (flat) {
        operand_ = {.base = kWindow, .index = static_cast<u8>(kAddress.id())};
        return begin_fault_site();
    }
    const auto segment_base = x86::dword_ptr(kCpu, engine_.segment_base(place.seg));
    operand_ = kScratchOperand;
    if (is_wide(place, write) && (place.size == 1 || assumptions_.low_bases())) {
        a_.mov(kIndex.r32(), segment_base);
        if (place.size == 1) {
            a_.lea(kIndex, x86::ptr(kMemory, kIndex));
        } else {
            // offset + size - 1 - 10000h: from FFFF0000h on, or if it would end beyond FFFFh,
            // almost 4 GB too low for what is added then.
            constexpr i32 kHalf = -0x7FFF'8000;
            a_.lea(kAddress.r32(), x86::ptr(kAddress, place.size - 1 - 0x10000));
            a_.lea(kIndex, x86::ptr(kMemory, kIndex, 0, kHalf));
            operand_.disp = kHalf - (place.size - 1);
        }
        return begin_fault_site();
    }
    // end - (offset + size) is negative if it would end beyond the segment: then almost 16 GB too
    // high.
    a_.mov(kIndex, x86::qword_ptr(kCpu, engine_.segment_end(place.seg, write)));
    a_.mov(kFree, kAddress);
    a_.not_(kFree);
    a_.lea(kIndex, x86::ptr(kIndex, kFree, 0, 1 - place.size));
    a_.mov(kFree.r32(), 33);
    a_.shrx(kIndex, kIndex, kFree);
    a_.mov(kFree.r32(), segment_base);
    a_.lea(kAddress.r32(), x86::ptr(kAddress, kFree));
    a_.lea(kAddress, x86::ptr(kAddress, kMemory));
    operand_.scale = 3;
    begin_fault_site();
}

/// The code from here on has the operand; if it faults, the handler executes the instruction.
void BlockWriter::begin_fault_site(std::optional<u8> swapped)
{
    end_fault_site();
    const Label out = a_.newLabel();
    Exit& exit = ends_block(*insn_at(index_)) ? new_exit(Exit::Kind::Finish, index_)
                                              : new_call(Exit::Kind::Access);
    colds_.push_back({out, &exit, false, swapped});
    fault_sites_.push_back({static_cast<u32>(host_.size()), 0, out});
}

void BlockWriter::end_fault_site()
{
    if (may_fault()) fault_sites_.back().end = static_cast<u32>(host_.size());
}

}  // namespace reprise::jit
