#include "cpu/jit/block_writer.h"

#include "cpu/jit/registers.h"

namespace reprise::jit {

using namespace asmjit;

namespace {

bool is_repeated(const Insn& insn) { return (insn.prefixes & (kPrefixRep | kPrefixRepne)) != 0; }

}  // namespace

BlockWriter::BlockWriter(Engine& engine, Code& code, const Assumptions& assumptions, FpChoice fp,
                         const u8* address)
    : engine_(engine),
      code_(code),
      block_(*code.block),
      assumptions_(assumptions),
      fp_(fp),
      long_(static_cast<CodeSize>(block_.mode & 3) == CodeSize::Bits64),
      address_(address),
      host_(address),
      a_(host_.assembler())
{
}

// ---- The block --------------------------------------------------------------------------------

/// The way in of jumps that have the address in r8. In front of it, the way out if the budget is
/// used up, if that has to be in reach of JRCXZ.
void BlockWriter::write_indirect_entry()
{
    indirect_ = a_.newLabel();
    used_up_ = has_charge_point() ? Label() : a_.newLabel();
    used_up_far_ = a_.newLabel();
    const Label right = a_.newLabel();
    if (used_up_.isValid()) {
        a_.bind(used_up_);
        a_.jmp(used_up_far_);
    }
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
}

/// The entry of direct jumps, which may be the head of a loop, is aligned; nothing is executed for
/// that.
void BlockWriter::write_entries()
{
    constexpr u64 kAlignment = 32;
    write_indirect_entry();
    const u64 beyond = (reinterpret_cast<u64>(address_) + host_.size()) % kAlignment;
    if (beyond != 0) {
        host_.begin(address_);
        for (u64 i = beyond; i < kAlignment; ++i) a_.int3();
        write_indirect_entry();
    }
    entry_ = a_.newLabel();
    a_.bind(entry_);
    if (!used_up_.isValid()) return;
    write_charge_keeping_flags(used_up_);
    colds_.push_back({used_up_far_, &new_exit(Exit::Kind::Event, 0), true});
}

bool BlockWriter::write()
{
    write_entries();
    bool ended = false;
    for (index_ = 0; index_ < block_.count && !ended; ++index_) {
        const Insn& insn = *insn_at(index_);
        begin_insn();
        if (ends_block(insn)) {
            ended = true;
            write_x87_pointers();
            if (!write_end(insn)) go_out(new_exit(Exit::Kind::Finish, index_));
            end_fault_site();
            end_retry();
            continue;
        }
        if (const ChargePoint point = charge_point(insn);
            !charged_ && point != ChargePoint::None && point != ChargePoint::BehindAccess)
            write_charge(point);
        keep_x87_pointers(insn, opcodes()[insn.opcode]);
        begin_retry();
        if (!write_insn(index_)) write_call();
        end_retry();
        end_fault_site();
        forget_shared(insn, opcodes()[insn.opcode]);
        end_insn();
    }
    if (!ended) {
        index_ = block_.count;
        begin_insn();
        write_x87_pointers();
        if (!charged_) write_charge_keeping_flags();
        jump_to(*insn_at(index_ - 1), Block::kBehind, block_.ip + block_.length, -1);
    }
    // Calls of handlers cost more than the interpreter does: they have to be the smaller part.
    if (called_ * 2 > block_.count) return false;

    for (std::size_t i = 0; i < stores_.size(); ++i) cold_store(stores_[i]);
    for (const DeviceSite& site : devices_) write_device_access(site);
    for (const Cold& cold : colds_) {
        a_.bind(cold.label);
        if (cold.parked) a_.mov(x86::rcx, kSavedRcx);
        if (cold.swapped) a_.xchg(x86::gpb_lo(*cold.swapped), x86::gpb_hi(*cold.swapped));
        go_out(*cold.exit);
    }
    for (const Return& r : returns_) write_return_from_handler(r);
    return true;
}

void BlockWriter::finish(CodeMemory& memory)
{
    u8* base = host_.finish(memory);
    code_.entry = base + host_.offset_of(entry_);
    code_.indirect = base + host_.offset_of(indirect_);
    for (const auto& [exit, offset] : sites_) exit->site = base + offset;
    for (const auto& [exit, label] : stubs_) exit->stub = base + host_.offset_of(label);
    for (const auto& [exit, label] : backs_) exit->behind = base + host_.offset_of(label);
    for (const auto& [exit, label] : retries_) exit->retry = base + host_.offset_of(label);
    for (const FaultSite& site : fault_sites_)
        engine_.add_fault_site(base + site.begin, base + site.end,
                               base + host_.offset_of(site.out));
}

bool BlockWriter::ends_block(const Insn& insn) const
{
    const Opcode& row = opcodes()[insn.opcode];
    return row.carry == Carry::End || ((row.rules & kStringOp) && is_repeated(insn));
}

// ---- Ways out ---------------------------------------------------------------------------------

Exit& BlockWriter::new_exit(Exit::Kind kind, u32 index)
{
    Exit& exit = code_.exits.emplace_back();
    exit.kind = kind;
    exit.charged = charged_ ? static_cast<u8>(block_.count) : 0;
    exit.code = &code_;
    exit.insn = insn_at(index);
    exit.x87 = x87_pointers_;
    return exit;
}

void BlockWriter::go_out(Exit& exit)
{
    a_.mov(kAddress, reinterpret_cast<u64>(&exit));
    a_.jmp(reinterpret_cast<u64>(engine_.stubs().out));
}

/// Where the interpreter takes over before instruction `index`.
Label BlockWriter::event_label(u32 index)
{
    const Label label = a_.newLabel();
    colds_.push_back({label, &new_exit(Exit::Kind::Event, index), false});
    return label;
}

/// Its handler executes the present instruction, and host code goes on behind it.
Exit& BlockWriter::new_call(Exit::Kind kind)
{
    Exit& exit = new_exit(kind, index_);
    calls_.push_back(&exit);
    return exit;
}

/// Where an access of the present instruction goes that is not fast: RCX is in r10.
Label BlockWriter::slow_label()
{
    if (slow_.isValid()) return slow_;
    slow_ = a_.newLabel();
    slow_exit_ = ends_block(*insn_at(index_)) ? &new_exit(Exit::Kind::Finish, index_)
                                              : &new_call(Exit::Kind::Access);
    colds_.push_back({slow_, slow_exit_, true});
    return slow_;
}

void BlockWriter::begin_insn()
{
    slow_ = Label();
    start_ = {};
    calls_.clear();
}

/// From here on the present instruction's code has no effect before its access to memory.
void BlockWriter::begin_retry()
{
    if (!assumptions_.paging()) return;
    start_ = {a_.newLabel(), sse_, x87_, x87_pointers_, charged_, !shared_.empty()};
    a_.bind(start_.label);
    accesses_ = 0;
}

/// An instruction with one access to memory may begin once more when the TLB knows the page.
void BlockWriter::end_retry()
{
    if (!start_.label.isValid() || !slow_.isValid() || accesses_ != 1) return;
    slow_exit_->memory = accessed_;
    slow_exit_->memory.shared_before = start_.shared;
    const bool sse = start_.sse == Presence::Present, x87 = start_.x87 == Presence::Present;
    if (!sse && !x87) {
        retries_.emplace_back(slow_exit_, start_.label);
        return;
    }
    Exit& leave = new_exit(Exit::Kind::Leave, index_);
    leave.charged = start_.charged ? static_cast<u8>(block_.count) : 0;
    leave.x87 = start_.pointers;
    retries_.emplace_back(slow_exit_, a_.newLabel());
    returns_.push_back({retries_.back().second, start_.label, &leave, sse, x87});
}

/// A handler's C++ may have used the host's registers: what the next instructions take to be there
/// is loaded first. It may also have changed the TLB: where they rely on an earlier look into it,
/// the interpreter executes them.
void BlockWriter::end_insn()
{
    if (calls_.empty() || !shared_.empty()) return;
    const Label back = a_.newLabel();
    for (Exit* exit : calls_) backs_.emplace_back(exit, back);
    const bool sse = sse_ == Presence::Present, x87 = x87_ == Presence::Present;
    if (!sse && !x87) {
        a_.bind(back);
        return;
    }
    const Label behind = a_.newLabel();
    a_.bind(behind);
    returns_.push_back({back, behind, &new_exit(Exit::Kind::Leave, index_ + 1), sse, x87});
}

void BlockWriter::write_return_from_handler(const Return& r)
{
    a_.bind(r.back);
    a_.mov(kAddress, reinterpret_cast<u64>(r.leave));
    if (r.sse) a_.call(reinterpret_cast<u64>(engine_.stubs().load_sse));
    if (r.x87) a_.call(reinterpret_cast<u64>(engine_.stubs().load_x87));
    a_.jmp(r.behind);
}

}  // namespace reprise::jit
