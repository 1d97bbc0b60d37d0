#include "cpu/jit/engine.h"

#include <algorithm>
#include <utility>

#include "cpu/jit/block_writer.h"
#include "cpu/jit/host.h"

namespace reprise::jit {

/// Handlers of a block's first instruction.
struct Handlers {
    static const Insn* count(Cpu& cpu, const Insn* insn) { return Engine::of(cpu).count(insn); }
    static const Insn* enter(Cpu& cpu, const Insn* insn) { return Engine::of(cpu).enter(insn); }
};

Engine& Engine::of(Cpu& cpu) { return static_cast<Engine&>(*cpu.translator_); }

Engine::Engine(Cpu& cpu, u32 hot) : cpu_(cpu), hot_(hot), memory_(kCodeBytes)
{
    if (!memory_.ok()) return;
    const auto offset = [&](const void* member) {
        return static_cast<i32>(static_cast<const char*>(member) -
                                reinterpret_cast<const char*>(&cpu_));
    };
    offsets_ = {offset(&cpu_.state.gpr[0]), offset(&cpu_.fast_[0]), offset(&cpu_.state.seg[0]),
                offset(&cpu_.state.fpu), offset(&cpu_.tlbs_[0].entry(0))};
    time_ = {cpu_.model().has(Feature::Tsc), offset(&cpu_.stop_at_), offset(&cpu_.state.tsc_offset),
             offset(&cpu_.state.cr4)};
    stubs_ = write_stubs(memory_,
                         {.gpr = offsets_.gpr,
                          .xmm = offset(&cpu_.state.sse.xmm[0]),
                          .mxcsr = offset(&cpu_.state.sse.mxcsr),
                          .sse_usable = offset(&cpu_.sse_usable_),
                          .fpu = offsets_.fpu,
                          .x87_usable = offset(&cpu_.x87_usable_)},
                         {out, load_device, store_device, write_back});
    kept_ = memory_.used();
    alone_[1].exec = [](Cpu&, const Insn* insn) { return insn; };
}

const TranslatorStatistics& Engine::statistics() const
{
    statistics_.code_bytes = memory_.used();
    return statistics_;
}

// ---- Blocks come and go -----------------------------------------------------------------------

void Engine::added(Block& block)
{
    for (auto& window : windows_) {
        if (!window) continue;
        window->protect(block.physical);
        if (block.crosses_page) window->protect(block.second_page);
    }
    block.insns[0].exec = Handlers::count;
}

void Engine::retired(Block& block)
{
    const auto found = codes_.find(&block);
    if (found == codes_.end()) return;
    for (auto& code : found->second.codes) drop(std::move(code));
    codes_.erase(found);
    apart_.erase(&block);
}

/// Its host code; it is counted anew.
void Engine::forget(Block& block)
{
    retired(block);
    if (!block.valid) return;
    block.code = nullptr;
    block.entries = 0;
    block.insns[0].exec = Handlers::count;
}

/// If it is for crossing pages that the block was left, and not for the first time, its operands
/// are checked one by one from now on.
void Engine::count_crossing(const Exit& exit)
{
    const Insn& insn = *exit.insn;
    const u64 offset = cpu_.address(insn) + static_cast<u64>(i64{exit.shared_from});
    const u64 linear = cpu_.linear_address(insn.seg, offset & insn.address_mask());
    const u64 in_page = linear % kPageSize;
    if (in_page + static_cast<u64>(exit.shared_bytes) <= kPageSize) return;
    if (++exit.code->crossings < kCrossings) return;
    Block& block = *exit.code->block;
    const u32 bits = apart(block) | u32{1} << insn.index;
    forget(block);
    if (block.valid) apart_[&block] = bits;
}

/// It may be executing: kept until the interpreter enters host code again.
void Engine::drop(std::unique_ptr<Code> code)
{
    code->live = false;
    Block& block = *code->block;
    if (block.code == code.get()) block.code = code->next;
    for (Code* c = static_cast<Code*>(block.code); c; c = c->next)
        if (c->next == code.get()) c->next = code->next;
    for (Exit* exit : std::vector<Exit*>(code->incoming)) unlink(*exit);
    for (Exit& exit : code->exits)
        if (exit.target) unlink(exit);
    for (auto& table : tables_)
        if (table) table->remove(block.ip, code->indirect, stubs_.indirect_miss);
    graveyard_.push_back(std::move(code));
}

void Engine::cleared()
{
    apart_.clear();
    for (auto& [block, translations] : codes_) {
        block->code = nullptr;
        for (auto& code : translations.codes) {
            code->live = false;
            graveyard_.push_back(std::move(code));
        }
    }
    codes_.clear();
    fault_sites_.clear();
    between_pages_.clear();
    for (auto& table : tables_) {
        if (!table) continue;
        table->clear(stubs_.indirect_miss);
        table->context = 0;
    }
    table_ = nullptr;
    cpu_.mode_changed_ = true;
    memory_.reset(kept_);
}

void Engine::mapping_changed()
{
    is_window_known_ = false;
    cpu_.mode_changed_ = true;
    // All at once: each of them would be looked for in the list.
    for (Exit* exit : std::exchange(between_pages_, {})) unlink(*exit);
}

void Engine::memory_map_changed(u64 first, u64 size)
{
    for (auto& window : windows_)
        if (window) window->forget(first, size);
}

/// Its host code is all dropped; the blocks stay, and are counted anew.
void Engine::flush()
{
    ++statistics_.flushes;
    for (auto& [block, translations] : codes_) {
        block->entries = 0;
        block->insns[0].exec = Handlers::count;
    }
    cleared();
}

void Engine::link(Exit& exit, Code& target)
{
    ++statistics_.links;
    exit.target = &target;
    target.incoming.push_back(&exit);
    if (!exit.same_page) between_pages_.push_back(&exit);
    memory_.patch(exit.site, target.entry);
}

void Engine::unlink(Exit& exit)
{
    std::erase(exit.target->incoming, &exit);
    exit.target = nullptr;
    if (!exit.same_page) std::erase(between_pages_, &exit);
    memory_.patch(exit.site, exit.stub);
}

// ---- Translating ------------------------------------------------------------------------------

Assumptions Engine::assumptions()
{
    if (cpu_.segments_changed_) assumptions_ = look_at_segments();
    const Window* memory = window();
    return assumptions_.with(cpu_.state.rflags & DF, cpu_.state.cr0 & kCr0Pg,
                             memory && memory->base());
}

void Engine::look_at_mode()
{
    const Assumptions all = assumptions();
    present_ = {.key = all.key,
                .memory = memory_of(all),
                .targets = targets(all.key).data(),
                .df = cpu_.state.rflags & DF,
                .ordinary = has_ordinary_state()};
    // Registers have no upper halves later, without anybody saying so.
    cpu_.mode_changed_ = !present_.ordinary;
}

FpChoice Engine::fp_choice() const
{
    const HostTraits& host = host_traits();
    const auto masked = [](u32 control, u32 masks) { return (control & masks) == masks; };
    return {.x87 = host.x87 && cpu_.model().has(Feature::Fpu) &&
                   masked(cpu_.state.fpu.control, kX87Masks),
            .sse = host.sse42 && cpu_.model().has(Feature::Sse) &&
                   masked(cpu_.state.sse.mxcsr, kMxcsrMasks)};
}

Assumptions Engine::look_at_segments()
{
    cpu_.segments_changed_ = false;
    if (cpu_.mode64()) return {};
    u8 bits[6] = {};
    const bool real = cpu_.real_or_v86();
    bool all_present = true, low_bases = true;
    for (u8 seg = 0; seg < 6; ++seg) {
        const Cpu::FastSegment& s = cpu_.fast_[seg];
        const auto of = [&](u64 end, SegmentBit wide, SegmentBit flat) {
            const bool is_flat = !real && s.base == 0 && end == u64{1} << 32;
            return (end > 0xFFFF ? wide : 0) | (is_flat ? flat : 0);
        };
        bits[seg] = static_cast<u8>(of(s.read_end, kWideRead, kFlatRead) |
                                    of(s.write_end, kWideWrite, kFlatWrite));
        all_present = all_present && cpu_.state.seg[seg].present();
        low_bases = low_bases && s.base < 1 << 20;
    }
    return Assumptions::of(bits, cpu_.stack_mask_ != 0xFFFF, real && all_present, low_bases,
                           cpu_.state.seg[CS].limit);
}

Code* Engine::code_for(Block& block)
{
    if (Code* code = find_code(block, present().key)) return code;
    return codes_[&block].codes.size() < kVariants ? translate(block) : nullptr;
}

Code* Engine::translate(Block& block)
{
    if (!cpu_.host_clock_ns) return write_code(block);
    const u64 begin = cpu_.host_clock_ns();
    Code* code = write_code(block);
    statistics_.translation_ns += cpu_.host_clock_ns() - begin;
    return code;
}

/// Null: it stays with the interpreter.
Code* Engine::write_code(Block& block)
{
    if (memory_.left() < kLargestBlock) flush();
    auto code = std::make_unique<Code>();
    code->block = &block;
    code->key = assumptions().key;
    code->marks = codes_[&block].marks;
    BlockWriter writer(*this, *code, assumptions(), fp_choice(), memory_.next());
    if (!writer.write()) {
        block.insns[0].exec = block.first;
        return nullptr;
    }
    writer.finish(memory_);
    ++statistics_.blocks;
    code->next = static_cast<Code*>(block.code);
    block.code = code.get();
    block.insns[0].exec = Handlers::enter;
    return codes_[&block].codes.emplace_back(std::move(code)).get();
}

TargetTable& Engine::targets(u64 key)
{
    const auto is_meant = [&](const TargetTable& t) {
        return t.context == cpu_.context_ && t.key == key;
    };
    if (table_ && is_meant(*table_)) return *table_;
    // One address space after the other uses the same set, the user's code and the system's not.
    constexpr u64 kMix = 0x9E3779B97F4A7C15;
    const u64 place = cpu_.context_place_ ^ cpu_.context_place_ >> 4;
    const std::size_t set = (place + (key * kMix >> 48)) % kTableSets * kTableWays;
    for (std::size_t i = set; i < set + kTableWays; ++i)
        if (tables_[i] && is_meant(*tables_[i])) return *(table_ = tables_[i].get());
    auto& table = tables_[set + next_way_++ % kTableWays];
    if (!table) table = std::make_unique<TargetTable>(stubs_.indirect_miss);
    table->clear(stubs_.indirect_miss);
    table->context = cpu_.context_;
    table->key = key;
    table_ = table.get();
    return *table;
}

/// The number of executions decides what is translated.
const Insn* Engine::count(const Insn* first)
{
    Block& block = *cpu_.block_;
    if (++block.entries >= hot_ && may_enter()) {
        if (inside_) return first;  // translating may drop the code that is executing
        if (translate(block)) return enter(first);
    }
    return block.first(cpu_, first);
}

}  // namespace reprise::jit

namespace reprise {

std::string_view why_no_translator(const Cpu& cpu)
{
    if (!cpu.at_least(Level::I80386)) return "it translates for processors since the 80386";
    return jit::missing_features();
}

std::unique_ptr<Translator> make_translator(Cpu& cpu, u32 hot)
{
    if (!why_no_translator(cpu).empty()) return nullptr;
    auto engine = std::make_unique<jit::Engine>(cpu, hot);
    return engine->ok() ? std::move(engine) : nullptr;
}

}  // namespace reprise
