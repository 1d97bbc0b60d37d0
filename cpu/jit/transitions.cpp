/// In and out of host code: what runs in C++ because host code cannot do it, and where it goes on.
#include "cpu/jit/engine.h"

namespace reprise::jit {

/// More than Event leaves with: a block that has less is the interpreter's.
bool Engine::has_time() const
{
    return cpu_.stop_at_ > cpu_.state.clock + kReserve + Block::kMaxInsns;
}

bool Engine::may_enter() const { return has_time() && !cpu_.debug_ && has_ordinary_state(); }

/// What host code relies on besides the assumptions it was made for: no access is checked for
/// alignment, and outside of 64-bit mode the upper halves of registers are clear. Only that mode
/// leaves something there.
bool Engine::has_ordinary_state() const
{
    if (cpu_.check_alignment_) return false;
    if (cpu_.mode64()) return true;
    u64 all = 0;
    for (u8 r = 0; r < 8; ++r) all |= cpu_.state.gpr[r];
    return all >> 32 == 0;
}

/// A block that has host code begins. If that is within an instruction that `finish` executes, it
/// will go on there.
const Insn* Engine::enter(const Insn* first)
{
    if (inside_) return first;
    Block& block = *cpu_.block_;
    const Code* code = may_enter() ? code_for(block) : nullptr;
    if (!code) return block.first(cpu_, first);
    graveyard_.clear();
    ++statistics_.entries;
    prepare(*code);
    inside_ = true;
    {
        const FaultScope scope(*this);
        stubs_.enter(&entry_, &cpu_);
    }
    inside_ = false;
    return chain(cpu_, next_);
}

void Engine::prepare(const Code& code)
{
    const Present& now = present();
    cpu_.via_ = nullptr;
    entry_.code = code.entry;
    entry_.memory = now.memory;
    entry_.targets = now.targets;
    entry_.stop_at = cpu_.stop_at_;
    entry_.budget = static_cast<i64>(cpu_.state.clock + kReserve - cpu_.stop_at_);
    store_flags();
}

/// Those that host code was left with, for C++.
void Engine::load_flags() { flags_ = cpu_.flags = lazy_flags_of(entry_.flags); }

/// The same for host code: mostly nobody has changed them.
void Engine::store_flags()
{
    if (cpu_.flags.result == flags_.result && cpu_.flags.carries == flags_.carries) return;
    flags_ = cpu_.flags;
    entry_.flags = lahf_seto_of(flags_.get());
}

/// The clock at the beginning of a block of which `charged` instructions have been charged.
u64 Engine::clock_before(u64 charged) const
{
    return entry_.stop_at - kReserve + static_cast<u64>(entry_.budget) - charged;
}

void Engine::arrive(const Exit& exit)
{
    cpu_.state.clock = clock_before(exit.charged);
    cpu_.enter(*exit.code->block);
    load_flags();
    if (exit.x87.last || exit.x87.memory) remember(exit.x87);
}

/// In the block that has been arrived in.
void Engine::remember(const X87Pointers& x87)
{
    FpuState& s = cpu_.state.fpu;
    if (x87.last) {
        s.ip = cpu_.ip_of(*x87.last);
        s.cs = cpu_.state.seg[CS].selector;
        s.opcode = static_cast<u16>(x87.last->imm);
    }
    if (x87.memory) {
        s.data = cpu_.address(*x87.memory);
        s.ds = cpu_.state.seg[x87.memory->seg].selector;
    }
}

const u8* Engine::out(Exit* exit, Cpu* cpu, EntryState* entry, i64 budget)
{
    Engine& engine = of(*cpu);
    entry->budget = budget;
    if (!exit) return engine.look_up_target();
    engine.arrive(*exit);
    switch (exit->kind) {
    case Exit::Kind::Call: ++engine.statistics_.calls; return engine.call(*exit);
    case Exit::Kind::Access: return engine.access(*exit);
    case Exit::Kind::Finish: return engine.finish(*exit);
    case Exit::Kind::Jump: return engine.jump(*exit);
    case Exit::Kind::Event: ++engine.statistics_.events; break;
    case Exit::Kind::Leave: ++engine.statistics_.leaves; break;
    }
    engine.next_ = exit->insn;
    return nullptr;
}

/// Executes one instruction by its handler, and decides whether host code may go on behind it.
const u8* Engine::call(const Exit& exit)
{
    const Block& block = *exit.code->block;
    alone_[0] = *exit.insn;
    if (exit.insn == block.insns) alone_[0].exec = block.first;
    const Insn* next = alone_[0].exec(cpu_, alone_);
    if (next != &alone_[1]) {
        const Code* code = next_code(next);
        return code ? code->entry : nullptr;
    }
    if (exit.behind && is_unchanged(exit)) {
        store_flags();
        return exit.behind;
    }
    ++statistics_.leaves;
    next_ = exit.insn + 1;
    return nullptr;
}

/// Is everything still as host code was made for, and entered with?
bool Engine::is_unchanged(const Exit& exit)
{
    if (cpu_.stop_at_ != entry_.stop_at || !exit.code->live) return false;
    if (!cpu_.mode_changed_ && !((cpu_.state.rflags ^ present_.df) & DF)) return true;
    const Present before = present_;
    const Present& now = present();
    return now.ordinary && now.key == before.key && now.memory == before.memory &&
           now.targets == before.targets;
}

/// Memory that was not fast.
const u8* Engine::access(const Exit& exit)
{
    ++statistics_.accesses;
    if (exit.retry && fill(exit)) return exit.retry;
    if (cpu_.fault_pending_) {
        const Code* code = next_code(cpu_.faulted(exit.insn));
        return code ? code->entry : nullptr;
    }
    if (fault_.happened) faulted(exit);
    if (exit.shared_bytes) count_crossing(exit);
    if (exit.fp_refused && ++exit.code->fp_refusals == kFpRefusals) forget(*exit.code->block);
    return call(exit);
}

/// If all that the instruction lacks is the TLB's entry: does what its handler would do for that,
/// whereupon host code can execute it. It may have faulted instead.
bool Engine::fill(const Exit& exit)
{
    const Accessed& memory = exit.memory;
    u64 offset = 0;
    switch (memory.kind) {
    case Accessed::Kind::Memory: offset = cpu_.address(*exit.insn); break;
    case Accessed::Kind::Stack:
        offset = cpu_.state.gpr[RSP] + static_cast<u64>(i64{memory.depth});
        break;
    case Accessed::Kind::Pointer: offset = cpu_.state.gpr[memory.pointer]; break;
    }
    offset &= memory.mask;
    const Cpu::FastSegment& segment = cpu_.fast_[memory.seg];
    const u64 linear = segment.base + offset, last = linear + memory.size - 1;
    const u64 end = memory.write ? segment.write_end : segment.read_end;
    const bool plain = offset + memory.size <= end && page_of(last) == page_of(linear);
    if (!plain || last > cpu_.linear_mask_ || !is_canonical(linear)) return false;
    if (memory.aligned && linear % 16 != 0) return false;
    const TlbEntry& entry = cpu_.tlb_->entry(linear);
    const bool known = entry.page_tag == page_of(linear);
    if (known && (!memory.write || entry.writable)) return false;
    // Earlier looks, which the rest of the block relies on, are not to become untrue.
    if (memory.shared_before && entry.has_page()) return false;
    cpu_.at(*exit.insn);
    if (!cpu_.translate(linear, memory.write ? Access::Write : Access::Read, cpu_.rights_))
        return false;
    const u64 tag = memory.write ? entry.write_tag : entry.read_tag;
    return page_of(linear) + tag == 0 && is_unchanged(exit);
}

/// The last instruction of a block, by its handler, which may execute blocks that have no host code
/// after it.
const u8* Engine::finish(const Exit& exit)
{
    ++statistics_.finishes;
    if (exit.retry && fill(exit)) return exit.retry;
    if (fault_.happened) faulted(exit);
    if (exit.shared_bytes) count_crossing(exit);
    const Block& block = *exit.code->block;
    const Handler handler = exit.insn == block.insns ? block.first : exit.insn->exec;
    const Insn* next = cpu_.fault_pending_ ? cpu_.faulted(exit.insn) : handler(cpu_, exit.insn);
    const Code* code = next_code(next);
    return code ? code->entry : nullptr;
}

/// To a block that the jump is not linked to yet.
const u8* Engine::jump(Exit& exit)
{
    ++statistics_.jumps;
    const u32 context = cpu_.context_;
    Code* code = next_code(cpu_.continue_at(exit.code->block->count, exit.link, exit.ip));
    if (!code) return nullptr;
    // It may be the handler of a fault instead, as there was nothing to fetch.
    const bool is_meant = code->block->ip == exit.ip && cpu_.context_ == context;
    if (is_meant && code->key == exit.code->key && exit.code->live) link(exit, *code);
    return code->entry;
}

/// A return or indirect jump to where the table has nothing, or something else.
const u8* Engine::look_up_target()
{
    ++statistics_.indirect_misses;
    cpu_.state.clock = clock_before(0);
    load_flags();
    cpu_.state.rip = entry_.ip;
    const Code* code = next_code(nullptr);
    if (!code) return nullptr;
    if (code->block->ip == entry_.ip) table_->add(entry_.ip, code->indirect);
    return code->entry;
}

/// The code of the block that comes next: `next` is its first instruction, or null if an
/// instruction has left its block or faulted. Null: the interpreter goes on with `next_`.
Code* Engine::next_code(const Insn* next)
{
    if (!next)
        if (Block* block = cpu_.next_if_quiet()) next = cpu_.enter(*block);
    next_ = next;
    const bool begins = next && next == cpu_.block_->insns;
    Code* code = nullptr;
    if (begins && has_time() && present().ordinary) code = find_code(*cpu_.block_, present_.key);
    if (code) prepare(*code);
    else ++statistics_.leaves;
    return code;
}

}  // namespace reprise::jit
