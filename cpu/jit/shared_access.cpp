/// One look into the TLB for several operands: those of a block that are near each other and have
/// addresses by the same registers, as fields of a structure do.
///
/// The first of them looks for all, as the block will have access to all of them. They may still be
/// on two pages: then the interpreter executes the block, and if that happens often, the block is
/// translated anew with one look for each.
#include <algorithm>

#include "cpu/jit/block_writer.h"
#include "cpu/jit/registers.h"

namespace reprise::jit {

using namespace asmjit;

namespace {

/// So that they lie in two of the units that BlockCache knows code by at the most: cold_store looks
/// at the first and the last byte.
constexpr i64 kMostBytes = 64;

bool is_offset(Form f) { return f == Form::Ob || f == Form::Ov; }

/// Is the address of both the same but for the displacement?
bool is_beside(const Insn& a, const Insn& b)
{
    return a.base == b.base && a.index_reg == b.index_reg && a.scale == b.scale && a.seg == b.seg &&
           a.address_shift == b.address_shift;
}

i64 distance(const Insn& from, const Insn& to) { return i64{to.disp} - from.disp; }

}  // namespace

bool BlockWriter::share(const Place& place, bool write)
{
    if (place.kind != Place::Kind::Operand) return false;
    const Insn& insn = *place.insn;
    const auto covers = [&](const Shared& s) {
        const i64 at = distance(*s.first, insn);
        return is_beside(*s.first, insn) && at >= 0 && at + place.size <= s.bytes &&
               (s.write || !write) && (!place.aligned || (s.aligned && at % 16 == 0));
    };
    const auto found = std::ranges::find_if(shared_, covers);
    const Shared* shared = found == shared_.end() ? nullptr : &*found;
    if (!shared) shared = plan_shared(place, write);
    if (!shared) return false;
    operand_ = operand_in(*shared, place);
    return true;
}

/// Is the address a base register and a displacement that hardly ever makes it wrap?
bool BlockWriter::is_by_base(const Place& place, bool write) const
{
    constexpr i32 kSmall = 0x8000;
    const Insn& insn = *place.insn;
    return is_flat(place, write) && place.bits == (long_ ? 64 : 32) && insn.base < 8 &&
           insn.index_reg >= kZeroRegister &&
           (long_ || (insn.disp > -kSmall && insn.disp < kSmall));
}

HostMemory BlockWriter::operand_in(const Shared& shared, const Place& place)
{
    const auto slot = frame(offsetof(Frame, shared) + 8 * shared.slot);
    constexpr u8 kIndexNumber = 9;
    static_assert(kIndex.id() == kIndexNumber);
    if (held_ != shared.slot) a_.mov(kIndex, slot);
    held_ = shared.slot;
    if (!shared.by_base)
        return {.base = kIndexNumber,
                .disp = static_cast<i32>(distance(*shared.first, *place.insn))};
    const x86::Gp base = gpr64(place.insn->base);
    if (!place.computed)
        return {
            .base = static_cast<u8>(base.id()), .index = kIndexNumber, .disp = place.insn->disp};
    a_.lea(kAddress, x86::ptr(base, place.insn->disp));
    return kScratchOperand;
}

/// Null: `place` is alone.
const BlockWriter::Shared* BlockWriter::plan_shared(const Place& place, bool write)
{
    const Insn& insn = *place.insn;
    const Insn& present = *insn_at(index_);
    const Opcode& row = opcodes()[present.opcode];
    if ((engine_.apart(block_) >> index_ & 1) || !present.memory) return nullptr;
    if (std::ranges::any_of(row.operands, is_offset)) return nullptr;
    i64 low = 0, high = place.size;  // from the present operand
    Shared all{.write = write, .aligned = place.aligned};
    bool alone = true;
    for (u32 i = index_; i < block_.count; ++i) {
        const Insn& other = *insn_at(i);
        const Opcode& other_row = opcodes()[other.opcode];
        const MemoryUse use = i == index_ ? MemoryUse{} : memory_use(other, other_row);
        const i64 at = distance(insn, other), behind = at + use.bytes;
        if (use.bytes && is_beside(insn, other) && (!use.aligned || at % 16 == 0) &&
            std::max(high, behind) - std::min(low, at) <= kMostBytes) {
            low = std::min(low, at);
            high = std::max(high, behind);
            all.write |= use.writes;
            all.aligned |= use.aligned;
            alone = false;
        }
        if (may_change_address(other, other_row, insn)) break;
    }
    if (alone) return nullptr;
    all.aligned &= low % 16 == 0;
    if (place.aligned && !all.aligned) return nullptr;
    return &look_for_all(place, all, low, high);
}

const BlockWriter::Shared& BlockWriter::look_for_all(const Place& place, Shared all, i64 low,
                                                     i64 high)
{
    Insn& first = made_.emplace_back(*place.insn);
    first.disp = static_cast<i32>(first.disp + low);
    all.first = &first;
    all.bytes = static_cast<int>(high - low);
    all.slot = next_shared_++ % std::tuple_size_v<decltype(Frame::shared)>;
    std::erase_if(shared_, [&](const Shared& s) { return s.slot == all.slot; });

    Place memory = place;
    memory.insn = &first;
    memory.size = all.bytes;
    memory.aligned = all.aligned;
    memory.computed = false;
    memory.sum = all.by_base = is_by_base(memory, all.write);
    slow_label();
    slow_exit_->shared_from = static_cast<i32>(distance(*insn_at(index_), first));
    slow_exit_->shared_bytes = all.bytes;
    access_page(memory, all.write);
    if (!all.by_base) a_.lea(kIndex, x86::ptr(kAddress, kIndex));
    a_.mov(frame(offsetof(Frame, shared) + 8 * all.slot), kIndex);
    held_ = all.slot;
    return shared_.emplace_back(all);
}

void BlockWriter::forget_shared(const Insn& insn, const Opcode& row)
{
    std::erase_if(shared_,
                  [&](const Shared& s) { return may_change_address(insn, row, *s.first); });
}

}  // namespace reprise::jit
