/// The translator for x86-64 hosts: when blocks are translated, how host code is entered and left,
/// how blocks are linked. Writing the code itself: block_writer.h.
#pragma once

#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "cpu/cpu.h"
#include "cpu/jit/assumptions.h"
#include "cpu/jit/code.h"
#include "cpu/jit/code_memory.h"
#include "cpu/jit/host_faults.h"
#include "cpu/jit/stubs.h"
#include "cpu/jit/window.h"
#include "cpu/translator.h"

namespace reprise::jit {

/// Where indirect jumps go: by the low 16 bits of the address, as that many bits can be had without
/// touching the flags. True in one context of the CPU and under the same assumptions: nothing on
/// the way looks at them. The target checks that it is the address meant.
class TargetTable {
public:
    explicit TargetTable(const u8* miss) : targets_(kTargets, miss) {}

    const u8* const* data() const { return targets_.data(); }
    void add(u64 ip, const u8* target)
    {
        const u16 index = static_cast<u16>(ip);
        targets_[index] = target;
        filled_.push_back(index);
    }
    void remove(u64 ip, const u8* target, const u8* miss)
    {
        if (targets_[static_cast<u16>(ip)] == target) targets_[static_cast<u16>(ip)] = miss;
    }
    void clear(const u8* miss)
    {
        for (const u16 index : filled_) targets_[index] = miss;
        filled_.clear();
    }

    u32 context = 0;  // Cpu::context_; 0: none
    u64 key = 0;      // Assumptions::key of all targets

private:
    static constexpr std::size_t kTargets = 1 << 16;
    std::vector<const u8*> targets_;
    std::vector<u16> filled_;
};

class Engine : public Translator, private FaultHandler {
public:
    /// Host code ends this many instructions before the next event; the interpreter executes those.
    /// It looks once in each block, so it may be up to two blocks late.
    static constexpr u64 kReserve = 2 * Block::kMaxInsns + 16;
    static constexpr std::size_t kCodeBytes = 64 << 20;

    /// `hot`: executions of a block before it is translated.
    Engine(Cpu& cpu, u32 hot);

    bool ok() const { return memory_.ok(); }

    void added(Block& block) override;
    void retired(Block& block) override;
    void cleared() override;
    void mapping_changed() override;
    void memory_map_changed(u64 first, u64 size) override;
    const TranslatorStatistics& statistics() const override;

    // ---- For BlockWriter ----------------------------------------------------------------------

    const Stubs& stubs() const { return stubs_; }
    /// Offsets from the Cpu.
    i32 gpr(u8 reg) const { return offsets_.gpr + 8 * reg; }
    i32 fpu(std::size_t member) const { return offsets_.fpu + static_cast<i32>(member); }
    const Cpu& cpu() const { return cpu_; }
    /// Instructions of a block, a bit each, whose operand is to be checked alone.
    u32 apart(const Block& block) const
    {
        const auto found = apart_.find(&block);
        return found == apart_.end() ? 0 : found->second;
    }
    /// Offsets from the Cpu of what its fast path knows about a segment.
    i32 segment_base(u8 seg) const
    {
        return offsets_.segments + seg * static_cast<i32>(sizeof(Cpu::FastSegment));
    }
    i32 segment_end(u8 seg, bool write) const
    {
        return segment_base(seg) + static_cast<i32>(write ? offsetof(Cpu::FastSegment, write_end)
                                                          : offsetof(Cpu::FastSegment, read_end));
    }

    /// Offset from the Cpu of the TLB that is used without paging.
    i32 tlb() const { return offsets_.tlb; }
    /// Host code that may fault between `begin` and `end`, which goes on at `out` then.
    void add_fault_site(const u8* begin, const u8* end, const u8* out);

    i32 segment_register(u8 seg) const
    {
        return offsets_.segment_registers + seg * static_cast<i32>(sizeof(Segment));
    }

    struct TimeOffsets {  // from the Cpu
        bool has_tsc = false;
        i32 stop_at = 0, tsc_offset = 0, cr4 = 0;
    };
    const TimeOffsets& time_offsets() const { return time_; }

private:
    friend struct Handlers;

    static Engine& of(Cpu& cpu);

    /// More than the longest code of a block.
    static constexpr std::size_t kLargestBlock = 64 << 10;
    /// Translations of one block under different assumptions.
    static constexpr std::size_t kVariants = 6;
    /// Firmware goes back and forth between half a dozen contexts.
    static constexpr std::size_t kTableSets = 4, kTableWays = 4;
    /// So often may a block's code have been wrong in what it takes for masked.
    static constexpr u32 kFpRefusals = 16;
    /// So often may operands that are checked together lie on two pages.
    static constexpr u32 kCrossings = 16;

    /// What the CPU is now, as far as host code depends on it.
    struct Present {
        u64 key = 0;  // Assumptions::key
        const void* memory = nullptr;
        const u8* const* targets = nullptr;
        u32 df = 0;
        bool ordinary = false;  // see has_ordinary_state
    };
    const Present& present()
    {
        if (cpu_.mode_changed_ || ((cpu_.state.rflags ^ present_.df) & DF)) look_at_mode();
        return present_;
    }
    void look_at_mode();

    const Insn* count(const Insn* first);
    const u8* way_out(const u8* code, const u8* address, bool write) override;
    void faulted(const Exit& exit);
    Assumptions assumptions();
    Assumptions look_at_segments();
    FpChoice fp_choice() const;
    Code* code_for(Block& block);
    static Code* find_code(const Block& block, u64 key)
    {
        for (Code* code = static_cast<Code*>(block.code); code; code = code->next)
            if (code->key == key) return code;
        return nullptr;
    }
    Code* translate(Block& block);
    Code* write_code(Block& block);
    TargetTable& targets(u64 key);
    void flush();
    void forget(Block& block);
    void count_crossing(const Exit& exit);
    void drop(std::unique_ptr<Code> code);
    Window* window();
    const void* memory_of(const Assumptions& assumptions);
    void link(Exit& exit, Code& target);
    void unlink(Exit& exit);

    // transitions.cpp
    const Insn* enter(const Insn* first);
    static const u8* out(Exit* exit, Cpu* cpu, EntryState* entry, i64 budget);
    // engine_device.cpp
    static bool find_device(const Cpu& cpu, u64 offset, const DeviceAccess& access,
                            DeviceOperand& operand);
    static bool load_device(Cpu* cpu, u64 offset, u32 access, DeviceOperand* operand);
    static bool store_device(Cpu* cpu, u64 offset, u32 access, DeviceOperand* operand);
    static void write_back(DeviceOperand* operand);
    const u8* call(const Exit& exit);
    const u8* access(const Exit& exit);
    bool fill(const Exit& exit);
    bool is_unchanged(const Exit& exit);
    const u8* finish(const Exit& exit);
    const u8* jump(Exit& exit);
    const u8* look_up_target();
    Code* next_code(const Insn* next);
    void prepare(const Code& code);
    bool has_time() const;
    bool may_enter() const;
    bool has_ordinary_state() const;
    u64 clock_before(u64 charged) const;
    void arrive(const Exit& exit);
    void load_flags();
    void store_flags();
    void remember(const X87Pointers& x87);

    struct Offsets {  // from the Cpu
        i32 gpr = 0, segments = 0, segment_registers = 0, fpu = 0, tlb = 0;
    };
    struct FaultSite {  // offsets from the beginning of all code
        u32 begin = 0, end = 0, out = 0;
    };
    struct Fault {
        bool happened = false, write = false;
        const u8* address = nullptr;
    };
    struct Translations {
        std::vector<std::unique_ptr<Code>> codes;
        Marks marks;
    };

    Cpu& cpu_;
    const u32 hot_;
    CodeMemory memory_;
    Stubs stubs_;
    std::size_t kept_ = 0;  // bytes of stubs
    Offsets offsets_;
    TimeOffsets time_;
    EntryState entry_;
    LazyFlags flags_;             // of entry_.flags
    bool inside_ = false;         // host code has been entered, and not left
    const Insn* next_ = nullptr;  // where the interpreter goes on after host code
    Insn alone_[2];  // an instruction to execute, and one that makes its handler return
    Assumptions assumptions_;
    std::unordered_map<Block*, Translations> codes_;
    std::unordered_map<const Block*, u32> apart_;
    std::array<std::unique_ptr<Window>, 2> windows_;  // with address line 20, and without
    Window* window_ = nullptr;                        // the present one, if is_window_known_
    bool is_window_known_ = false;
    Present present_;
    std::vector<FaultSite> fault_sites_;  // in the order of their addresses
    Fault fault_;                         // that host code was left with
    std::vector<std::unique_ptr<Code>>
        graveyard_;                     // of retired blocks, one of which may be executing
    std::vector<Exit*> between_pages_;  // linked
    std::array<std::unique_ptr<TargetTable>, kTableSets * kTableWays> tables_;
    std::size_t next_way_ = 0;
    TargetTable* table_ = nullptr;  // of the context that host code was last entered in
    mutable TranslatorStatistics statistics_;
};

}  // namespace reprise::jit
