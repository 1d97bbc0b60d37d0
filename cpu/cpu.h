/// The guest processor: its state, the interpreter that executes it, and the operations that
/// instructions (cpu/ops/) are written with.
///
/// Outside of run(), `state` is complete and canonical. While a block executes, three things live
/// elsewhere because they change with every instruction: RIP is the block's plus the instruction's
/// offset, the clock is that of the block's start plus the instruction's index, and the arithmetic
/// flags are in `flags`.
#pragma once

#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "cpu/blocks.h"
#include "cpu/bus.h"
#include "cpu/debug_watch.h"
#include "cpu/decoder.h"
#include "cpu/fault.h"
#include "cpu/insn.h"
#include "cpu/model.h"
#include "cpu/state.h"
#include "cpu/tlb.h"
#include "cpu/translator.h"

namespace reprise {

/// Goes on with the block that a handler has found, if it has. Where the compiler is known to turn this
/// into a jump (REPRISE_TAIL_CALLS, set for optimized builds), blocks follow each other without
/// returning to Cpu::run_block; elsewhere that would only fill the stack. Only for handlers whose
/// frame is empty by then.
inline const Insn* chain(Cpu& cpu, const Insn* insn)
{
#if REPRISE_TAIL_CALLS
    return insn ? insn->exec(cpu, insn) : nullptr;
#else
    static_cast<void>(cpu);
    return insn;
#endif
}

static_assert(std::endian::native == std::endian::little,
              "guest memory is accessed in host byte order");

/// `value`, with the compiler not knowing where it came from.
inline u64 opaque(u64 value)
{
    asm("" : "+r"(value));
    return value;
}

enum class Access : u8 { Read, Write, Fetch };

/// Bits 63..47 are all the same (SDM vol. 1, 3.3.7.1).
constexpr bool is_canonical(u64 address) { return (address + (u64{1} << 47)) >> 48 == 0; }

/// How hard an access to memory tries. Handlers try Fast first: it fails, without a trace, unless the
/// TLB has the answer. Then they execute again with Full, which always has one: a value or a fault.
/// That keeps every call, and so every saved register, out of the fast handlers.
enum class Attempt : u8 { Full, Fast };

class Cpu {
public:
    Cpu(Bus& bus, const CpuModel& model);

    CpuState state;

    /// The state, and what the TLBs hold.
    void visit(auto& v)
    {
        state.visit(v);
        restored_ = translations();
        v.resizable("translations", restored_);
    }

    // ---- For the machine --------------------------------------------------------------------------

    /// The RESET pin (SDM vol. 3A, table 9-1). The clock goes on.
    void reset();

    /// Executes until the clock is exactly `until` or the CPU waits in HLT or shutdown.
    void run(u64 until);

    /// Makes the present run() end no later than clock `until`, but after the present instruction.
    void limit_run(u64 until);

    /// The clock as an access by the present instruction sees it.
    u64 clock_now() const { return state.clock + (current_ ? current_->index : 0); }

    void set_intr(bool level);
    void set_ignne(bool level) { state.ignne = level; }
    void raise_nmi();
    /// An edge on SMI#: taken between instructions, once, outside of system management mode.
    void raise_smi();

    /// Lets `ticks` go by while halted.
    void idle(u64 ticks)
    {
        state.clock += ticks;
        state.idle += ticks;
    }
    bool halted() const { return state.halted || state.shutdown; }
    /// Halted, and nothing that has happened so far will end it.
    bool waiting() const
    {
        const bool wakes = (state.intr && (state.rflags & IF)) || state.pending_debug ||
                           (state.nmi_pending && !state.nmi_blocked) ||
                           (state.smi_pending && !state.smm);
        return state.shutdown || (state.halted && !wakes);
    }

    /// What the bus answered to Bus::page or Bus::a20_mask is no longer true.
    void flush_tlb();
    /// The same of Bus::page for `size` bytes at `first`, and of Bus::a20_mask alone.
    void memory_map_changed(u64 first, u64 size);
    void a20_changed() { forget_translations(); }
    /// Somebody else (DMA, a loader, a mapping change) changed memory.
    void memory_written(u64 physical, u64 size);
    /// After `state` was replaced.
    void state_loaded();

    /// Whether blocks executed often run as code of the host. It changes nothing that the guest could see, and
    /// may be changed between runs. `hot`: executions before a block is translated, 1 for tests.
    void set_engine(Engine engine, u32 hot = kHotBlock);
    Engine engine() const { return translator_ ? Engine::Translator : Engine::Interpreter; }
    /// What the translator has done so far; null without one.
    const TranslatorStatistics* translator_statistics() const;
    /// May be empty. Measures how long translating takes, and nothing else.
    std::function<u64()> host_clock_ns;

    const CpuModel& model() const { return model_; }
    u64 blocks_decoded() const { return blocks_.blocks_decoded(); }

    // ---- For a debugger outside of the guest: debug.cpp ---------------------------------------------

    /// Stops run() at these from now on, outside of run() only. The guest cannot tell.
    void watch(const DebugPoints& points);
    void stop_watching();
    /// Null without watch().
    DebugWatch* debug_watch() { return debug_.get(); }
    /// Where the present instruction begins.
    u64 linear_ip() const;
    /// The physical address behind a linear one as the page tables in memory say, whatever its rights;
    /// nothing if it has none. Changes nothing, accessed bits included.
    std::optional<u64> probe(u64 linear) const;
    /// As the guest would change them; false and nothing has changed if it could not.
    bool poke_segment(u8 seg, u16 selector);
    bool poke_cr(int index, u64 value);
    bool poke_efer(u64 value);
    void poke_flags(u32 value);

    /// The FERR# pin: active from an unmasked exception of the x87 until it is cleared, unless CR0.NE.
    std::function<void(bool level)> on_ferr;
    /// Asked before an exception or a software interrupt is delivered. True: it is not, and the run ends
    /// there, at the instruction that faulted, or behind the one that asked for the interrupt.
    std::function<bool(const Fault&, bool software)> on_vector;

    /// Guest nonsense worth a line in the log.
    std::function<void(std::string_view)> on_log;

    // ---- Registers, for instructions ----------------------------------------------------------------

    LazyFlags flags;

    template <class T>
    T reg(u8 r) const
    {
        if constexpr (sizeof(T) == 1) return static_cast<u8>(state.gpr[r & 15] >> (r >> 1 & 8));
        else return static_cast<T>(state.gpr[r]);
    }

    /// 32-bit results clear bits 63..32, narrower ones leave the rest (SDM vol. 1, 3.4.1.1). Always stored as
    /// 64 bits: a processor cannot forward a narrow store to the wide load that comes next, and waits.
    template <class T>
    void set_reg(u8 r, T value)
    {
        if constexpr (sizeof(T) == 1) {
            const int shift = r >> 1 & 8;
            u64& full = state.gpr[r & 15];
            full = opaque((full & ~(u64{0xFF} << shift)) | u64{value} << shift);
        } else if constexpr (sizeof(T) == 2) {
            state.gpr[r] = opaque((state.gpr[r] & ~u64{0xFFFF}) | value);
        } else {
            state.gpr[r] = value;
        }
    }

    u32 eflags() const { return (state.rflags & ~kArithmeticFlags) | flags.get(); }
    /// Sets all of EFLAGS; the caller has masked what may not change.
    void set_eflags(u32 value);

    bool protected_mode() const { return (state.cr0 & kCr0Pe) != 0; }
    bool v86() const { return (state.rflags & VM) != 0; }
    bool real_or_v86() const { return !protected_mode() || v86(); }
    /// IA-32e mode: 64-bit and compatibility mode.
    bool long_mode() const { return (state.msr.efer & kEferLma) != 0; }
    bool mode64() const { return decode_mode_.code_size == CodeSize::Bits64; }
    u8 iopl() const { return state.rflags >> 12 & 3; }
    bool at_least(Level level) const { return model_.at_least(level); }
    /// System management mode and its pins.
    bool has_smm() const { return at_least(Level::Pentium); }

    /// CR0 and CR4 allow SSE.
    bool sse_usable() const { return sse_usable_; }
    /// There is an x87, CR0 allows it, and no exception waits.
    bool x87_usable() const { return x87_usable_ && !(state.fpu.status & FpuState::kEs); }
    /// CR0 allows MMX, and no x87 exception waits.
    bool mmx_usable() const { return mmx_usable_ && !(state.fpu.status & FpuState::kEs); }
    /// Raises what an MMX or SSE instruction raises when it is not usable. True: IGNNE# lets it go on.
    bool refuse_mmx();
    bool refuse_sse();
    /// What waiting instructions do about an unmasked x87 exception (SDM vol. 1, 8.7): with CR0.NE it is #MF.
    /// Without, FERR# has asked the board for an interrupt, and the processor stops before the instruction
    /// until one comes, unless IGNNE# is active. True: go on; false: leave the block.
    [[nodiscard]] bool report_x87_error();

    u64 ip_of(const Insn& insn) const { return block_->ip + insn.offset; }
    u64 next_ip(const Insn& insn) const { return block_->ip + insn.offset + insn.length; }

    // ---- Memory, for instructions ------------------------------------------------------------------

    /// The offset of the instruction's memory operand within its segment.
    u64 address(const Insn& insn) const
    {
        return (state.gpr[insn.base] + (state.gpr[insn.index_reg] << insn.scale) +
                static_cast<u64>(i64{insn.disp})) &
               insn.address_mask();
    }

    template <class T, Attempt attempt = Attempt::Full>
    Fallible<T> read(const Insn& insn, u8 seg, u64 offset);
    /// Is the linear address of 16 bytes a multiple of 16? If not: #GP(0).
    template <Attempt attempt>
    [[nodiscard]] bool check_aligned_16(u8 seg, u64 offset, bool write);
    template <class T, Attempt attempt = Attempt::Full>
    [[nodiscard]] bool write(const Insn& insn, u8 seg, u64 offset, T value);
    /// Reads, applies `f`, writes back; all rights are checked before `f` is called, so that `f`
    /// may commit flags.
    template <class T, Attempt attempt = Attempt::Full, class F>
    [[nodiscard]] bool modify(const Insn& insn, u8 seg, u64 offset, F f);

    template <class T, Attempt attempt = Attempt::Full>
    [[nodiscard]] bool push(const Insn& insn, T value);
    /// The value on top of the stack, `depth` bytes below it; SP is not changed.
    template <class T, Attempt attempt = Attempt::Full>
    Fallible<T> peek(const Insn& insn, u64 depth = 0);

    u64 sp() const { return state.gpr[RSP] & stack_mask_; }
    void set_sp(u64 value)
    {
        state.gpr[RSP] = opaque((state.gpr[RSP] & ~stack_mask_) | (value & stack_mask_));
    }
    u64 stack_mask() const { return stack_mask_; }

    /// Checks that a write would succeed, without writing.
    [[nodiscard]] bool probe_write(const Insn& insn, u8 seg, u64 offset, int size);
    /// The same for a byte that would be read.
    [[nodiscard]] bool probe_read(const Insn& insn, u8 seg, u64 offset);

    /// Accesses by the processor itself, at a linear address with supervisor rights (descriptor
    /// tables, TSS, gates). `size` is 1, 2, 4 or 8; they may cross pages.
    Fallible<u64> read_system(u64 linear, int size);
    [[nodiscard]] bool write_system(u64 linear, int size, u64 value);
    /// The same with rights as given (stacks of another privilege level).
    Fallible<u64> read_linear(u64 linear, int size, Rights rights);
    [[nodiscard]] bool write_linear(u64 linear, int size, u64 value, Rights rights);

    /// Host memory behind `size` bytes on one page, if every access there with these rights needs no
    /// more than the memory; else null.
    u8* plain_memory(u64 linear, u64 size, Rights rights, bool write);

    /// #AC, if it is on.
    [[nodiscard]] bool check_alignment(u64 linear, int size, Access access);
    /// Without any check.
    u64 linear_address(u8 seg, u64 offset) const { return (fast_[seg].base + offset) & linear_mask_; }

    /// What a repeated string instruction can have access to without asking again: the host's memory, or a
    /// chip's. No bytes: each access has to be checked.
    struct Run {
        u8* host = nullptr;
        DeviceMemory* device = nullptr;
        u32 offset = 0;  // in the chip's
        u64 bytes = 0;   // to the end of page and segment, and when writing up to the next code

        template <class T>
        T load(u64 at) const;
        template <class T>
        void store(u64 at, T value) const;
    };
    Run run_from(u8 seg, u64 offset, bool write);
    /// Of a chip, nothing else.
    Run device_run(u8 seg, u64 offset, bool write) const;

    // ---- Ports --------------------------------------------------------------------------------------

    /// #GP(0) unless IOPL or the TSS's bitmap allows the access (SDM vol. 1, 19.5).
    [[nodiscard]] bool check_port(const Insn& insn, u16 port, int size);
    u32 read_port(const Insn& insn, u16 port, int size);
    void write_port(const Insn& insn, u16 port, int size, u32 value);

    // ---- Faults and control flow --------------------------------------------------------------------

    /// Records a fault. Always false, so that `return cpu.raise(...)` leaves an instruction.
    bool raise(u8 vector);
    bool raise(u8 vector, u16 error_code);
    bool general_protection(u16 error_code = 0) { return raise(kGeneralProtection, error_code); }
    bool undefined_opcode() { return raise(kInvalidOpcode); }

    /// After a handler's `execute` failed: leaves the block for the fault's delivery.
    const Insn* faulted(const Insn* insn)
    {
        state.rip = ip_of(*insn);
        state.clock += insn->index;
        return nullptr;
    }

    /// Ends a block at `ip`, which the block's link remembers.
    const Insn* follow(const Insn* insn, u8 link, u64 ip)
    {
        return continue_at(insn->index + 1, link, ip);
    }
    /// Ends a block whose next address is computed: a return or an indirect jump.
    const Insn* follow_indirect(const Insn* insn, u64 ip);
    /// The pseudo instruction at the end of a block without a jump.
    const Insn* fall_through(const Insn* insn) { return continue_at(insn->index, Block::kBehind, ip_of(*insn)); }
    /// Ends a block after an instruction that has set state.rip.
    const Insn* leave(const Insn* insn)
    {
        // A fault left for after the instruction (a task switch that could not be completed) is counted
        // when it is delivered; both together are one tick.
        state.clock += insn->index + u64{!fault_pending_};
        return nullptr;
    }
    /// The instruction is about to do something that looks at the clock.
    void at(const Insn& insn) { current_ = &insn; }

    /// Instructions, REP iterations included, that may still be executed, of which `insn` is the first.
    u64 budget(const Insn& insn) const
    {
        const u64 now = state.clock + insn.index;
        return stop_at_ > now ? stop_at_ - now : 0;
    }
    /// False: the present block has to be fetched again, as its code was written to or may be without
    /// notice.
    bool code_is_kept() const { return block_->valid && block_ != &scratch_; }
    /// A repeated string instruction has done `count` iterations more.
    void count_iterations(u64 count) { state.clock += count; }
    /// Leaves a repeated string instruction between two iterations; it goes on later.
    const Insn* interrupted(const Insn* insn)
    {
        state.rip = ip_of(*insn);
        state.clock += insn->index;
        return nullptr;
    }

    /// Something changed that Cpu::run has to look at before the next instruction: IF, a shadow, HLT.
    void attention() { stop_at_ = 0; }

    // ---- Segmentation and privilege: segments.cpp, transfers.cpp, interrupts.cpp, tasks.cpp -----------

    struct Descriptor {
        u64 raw = 0;   // the 8 bytes as in the table
        u64 address = 0;  // linear address of the descriptor

        Segment segment(u16 selector) const;
        u8 type() const { return raw >> 40 & 0xF; }
        bool is_code_or_data() const { return raw >> 44 & 1; }
        u8 dpl() const { return raw >> 45 & 3; }
        bool present() const { return raw >> 47 & 1; }
        // Gates
        u16 gate_selector() const { return static_cast<u16>(raw >> 16); }
        u32 gate_offset() const
        {
            return static_cast<u32>((raw & 0xFFFF) | (raw >> 32 & 0xFFFF0000));
        }
        u8 gate_parameters() const { return raw >> 32 & 0x1F; }
        u8 gate_stack() const { return raw >> 32 & 7; }  // IST of a 64-bit gate
    };

    /// Fetches the descriptor `selector` names. `vector` is raised with the selector if it lies outside
    /// its table (#GP, or #TS, #NP while switching tasks).
    Fallible<Descriptor> fetch_descriptor(u16 selector, u8 vector = kGeneralProtection);
    /// Marks a code or data descriptor accessed in memory, if it is not yet.
    [[nodiscard]] bool set_accessed(Descriptor& descriptor);
    /// In IA-32e mode, the second half of a system descriptor: LDT, TSS, call gate.
    Fallible<u64> fetch_upper_descriptor(u16 selector, const Descriptor& descriptor);

    /// MOV, POP, LDS ...: loads ES, SS, DS, FS or GS with all checks of the present mode.
    [[nodiscard]] bool load_segment(u8 seg, u16 selector);
    /// Real and virtual-8086 mode: base = selector * 16.
    void load_segment_real(u8 seg, u16 selector);
    /// The same for a data segment that has been loaded before, without looking at anything else.
    /// False: it takes the long way.
    bool load_data_segment_real(u8 seg, u16 selector)
    {
        Segment& s = state.seg[seg];
        if (!real_or_v86() || !s.present()) return false;
        s.selector = selector;
        s.base = fast_[seg].base = u64{selector} << 4;
        return true;
    }
    /// Puts `segment` into a segment register; everything cached from it follows.
    void set_segment(u8 seg, const Segment& segment);
    void set_cpl(u8 cpl);
    /// FS or GS in 64-bit mode; the rest of the segment register stays.
    void set_segment_base(u8 seg, u64 base);

    /// JMP, CALL, RET and IRET to another code segment. `size` is the operand size in bytes. They set
    /// state.rip; `next` is the address behind the instruction.
    [[nodiscard]] bool far_jump(u16 selector, u64 offset, int size, u64 next);
    [[nodiscard]] bool far_call(u16 selector, u64 offset, int size, u64 next);
    [[nodiscard]] bool far_return(int size, u16 release);
    [[nodiscard]] bool interrupt_return(int size);
    /// INT n, INT3, INTO, INT1: `next` is where the handler returns to.
    [[nodiscard]] bool software_interrupt(u8 vector, u64 next, bool is_int_n);

    enum class TaskSwitch : u8 { Jump, Call, Return };
    [[nodiscard]] bool switch_task(u16 selector, TaskSwitch reason, u64 next,
                                   const Fault* error = nullptr);
    [[nodiscard]] bool load_ldtr(u16 selector);
    [[nodiscard]] bool load_tr(u16 selector);

    /// Follows from CR0, CR4, EFLAGS.VM, CPL, CS, SS and DR7; called after any of them changed.
    void update_mode();
    void set_cr0(u64 value);
    /// CR3 as a task switch loads it; MOV checks more.
    [[nodiscard]] bool load_cr3(u64 value);
    u64 read_cr(int index);
    [[nodiscard]] bool write_cr(int index, u64 value);
    [[nodiscard]] bool write_dr(int index, u64 value);
    [[nodiscard]] bool write_efer(u64 value);
    void flush_page(u64 linear);

    /// SYSCALL, SYSRET, SYSENTER, SYSEXIT; they set state.rip. `wide`: the operand size is 64 bits.
    void system_call(u64 next);
    [[nodiscard]] bool system_return(bool wide);
    [[nodiscard]] bool system_enter();
    [[nodiscard]] bool system_exit(bool wide);

    /// RSM.
    [[nodiscard]] bool resume_from_smm();

    u64 time_stamp() const { return clock_now() + state.tsc_offset; }
    Bus& bus() { return bus_; }
    void halt(const Insn& insn);
    /// INT n and its like clear TF before the trap could happen.
    void cancel_single_step() { step_cancelled_ = true; }

private:
    friend struct CpuInternals;
    friend class jit::Engine;

    /// What update_mode computes from, but for the context.
    struct ModeInputs {
        u64 cr0 = 0, cr4 = 0, efer = 0, flags = 0;
        u32 segments = 0;

        bool operator==(const ModeInputs&) const = default;
    };

    struct FastSegment {
        u64 base = 0;
        u64 read_end = 0;   // an access that ends at or below needs no check; 0: always check
        u64 write_end = 0;
    };

    static int granule(u64 linear) { return static_cast<int>(linear >> BlockCache::kGranuleShift & 63); }

    template <class T>
    u8* writable_host(u8 seg, u64 offset);

    const Insn* continue_at(u32 retired, u8 number, u64 ip)
    {
        state.clock += retired;
        Link& link = block_->link[number];
        if (link.context == context_ && state.clock + link.count <= stop_at_) [[likely]] {
            via_ = &link;
            return enter(*link.block);
        }
        state.rip = ip;
        pending_link_ = &link;
        return nullptr;
    }

    const Insn* enter(Block& block)
    {
        block_ = &block;
        state.gpr[kBlockIpRegister] = block.ip;
        if (!block.insns) __builtin_unreachable();
        return block.insns;
    }

    // memory.cpp
    Fallible<u64> read_slow(const Insn& insn, u8 seg, u64 offset, int size);
    Fallible<Xmm> read_slow_16(const Insn& insn, u8 seg, u64 offset);
    void refuse_unaligned_16(u8 seg, u64 offset, bool write);
    bool write_slow_16(const Insn& insn, u8 seg, u64 offset, const Xmm& value);
    bool write_slow(const Insn& insn, u8 seg, u64 offset, int size, u64 value);
    Fallible<u64> read_for_modify_slow(const Insn& insn, u8 seg, u64 offset, int size);
    void write_back_slow(u64 value);
    bool check_segment(u8 seg, u64 offset, int size, bool write);
    bool check_canonical(u8 seg, u64 offset, int size);
    void check_data_breakpoints(u64 linear, int size, bool write);
    void check_port_breakpoints(u16 port, int size);
    void check_breakpoints(u64 address, int size, u32 kinds);
    void watch_access(u64 linear, int size, bool write);
    void watched_pages_changed();
    bool stops_for_debugger();
    bool runs_over_breakpoint(const Block& block, u64 linear) const;
    u64 peek_table_entry(u64 physical, int size) const;
    bool poked(bool done, u64 cr2);
    u64 next_page(u64 linear) const;

    // paging.cpp
    TlbEntry* translate(u64 linear, Access access, Rights rights);
    TlbEntry& fill_entry(Tlb& tlb, TlbEntry& e);
    Fallible<u64> translate_fetch(u64 linear);
    std::vector<Translation> translations() const;
    void restore_translations();
    void flush_local_tlb();
    void forget_translations();
    void forget_links();
    bool load_pdptes(u64 cr3);
    bool walk(u64 linear, Access access, Rights rights, PageMapping& mapping);
    bool walk_32(u64 linear, Access access, Rights rights, PageMapping& mapping);
    bool walk_64(u64 linear, Access access, Rights rights, PageMapping& mapping);
    bool page_allows(Access access, Rights rights, u64 entries, bool no_execute) const;
    bool page_fault(u64 linear, Access access, Rights rights, bool present, bool reserved);

    // memory.cpp
    u64 read_piece(const TlbEntry& e, u64 linear, int size);
    void write_piece(const TlbEntry& e, u64 linear, int size, u64 value);
    u64 read_physical(u64 address, int size);
    void write_physical(u64 address, int size, u64 value);
    u8 fetch_byte(u64 physical);
    u64 a20_mask() const;
    const PageAccess& bus_page(u64 physical);
    void code_written(u64 physical, int size);
    void refresh_segment(u8 seg);

    // control_registers.cpp
    bool write_cr0(u64 value);
    bool write_cr3(u64 value);
    bool write_cr4(u64 value);
    [[nodiscard]] bool restore_controls(u64 cr0, u64 cr3, u64 cr4, u64 efer);
    void update_breakpoints();

    // cpu.cpp
    void sync_in();
    void sync_out();
    Block* next_block();
    Block* next_if_quiet();
    Block* decode_block(u64 physical);
    const u8* code_memory(u64 physical);
    u32 gather(u64 ip, u8* bytes, u32 have, bool& crosses, u64& second_page, bool& limit_hit);
    void log_undefined(std::span<const u8> bytes);
    bool service_events();
    [[nodiscard]] bool take_interrupt(bool nmi);
    void deliver_fault();
    void enter_shutdown();
    void run_block(Block& block, u64 budget);
    void begin_block(Block& block, u64 budget);
    void cut_block();
    void uncut();
    bool hits_code_breakpoint(u64 linear);
    u32 mode_key() const;
    void update_context();
    ModeInputs mode_inputs() const;
    u64 linear_mask() const;
    u64 code_limit() const;
    void forget_blocks();

    // smm.cpp
    bool smi_is_due() const;
    void enter_smm();
    u64 read_save_area(u64 offset, int size);
    void write_save_area(u64 offset, int size, u64 value);

    // interrupts.cpp
    [[nodiscard]] bool deliver(const Fault& fault, bool software, bool is_int_n, bool external,
                               u64 return_ip);

    Bus& bus_;
    const CpuModel& model_;

    std::array<FastSegment, 6> fast_{};
    Tlb* tlb_ = nullptr;
    Block* block_ = nullptr;
    u64 stop_at_ = 0;
    u64 stack_mask_ = 0xFFFF;
    u32 context_ = 0;
    Link* via_ = nullptr;
    Link* pending_link_ = nullptr;
    const Insn* current_ = nullptr;

    Fault fault_;
    bool fault_pending_ = false;
    bool running_ = false;
    bool step_cancelled_ = false;    // no trap after the present instruction in spite of TF
    bool user_ = false;              // CPL 3: user rights for paging
    Rights rights_ = Rights::Supervisor;  // of explicit accesses
    u64 linear_mask_ = 0xFFFFFFFF;
    bool data_breakpoints_ = false;  // some are on: every access takes the slow path
    bool code_breakpoints_ = false;
    bool check_alignment_ = false;   // CR0.AM, EFLAGS.AC and CPL 3
    bool sse_usable_ = false, mmx_usable_ = false, x87_usable_ = false;
    bool segments_changed_ = true;   // what a translator assumes about them: it clears this
    bool mode_changed_ = true;       // the same of these, and of everything that update_mode sets
    std::unique_ptr<DebugWatch> debug_;  // null: nobody watches
    u64 until_ = 0;
    u32 checked_as_ = ~0u;  // what refresh_segment last depended on, besides the segment
    ModeInputs mode_inputs_{~u64{0}};  // nothing has been computed

    // A block being left early: the instruction whose handler was replaced.
    Insn* cut_ = nullptr;
    Handler cut_handler_ = nullptr;

    struct WriteBack {
        u64 linear[2] = {};
        int size[2] = {};
    };
    WriteBack write_back_;

    struct Context {
        u64 cs_base = 0;
        u64 generation = 0;  // of the page mapping, see generation_
        u32 cs_limit = 0;
        u32 mode = 0;
        u32 id = 0;
    };
    static constexpr std::size_t kContexts = 256;
    std::array<Context, kContexts> contexts_{};
    u32 contexts_given_ = 0;
    u32 context_place_ = 0;  // of the present one in contexts_
    static constexpr u32 kMaxContexts = ~u32{0} - (1 << 24);  // far from the last one: a block may use many
    std::array<u64, 2> generation_{1, 1};  // of supervisor's and user's: grows when FetchTlb forgets

    struct Jump {
        u64 ip = 0;
        Block* block = nullptr;
        u32 context = 0;
    };
    static constexpr std::size_t kJumps = 8192;
    std::array<Jump, kJumps> jumps_{};

    /// What the bus has answered, until it says that this is no longer true.
    struct BusPage {
        u64 page = 1;  // no page begins there
        PageAccess access;
    };
    static constexpr std::size_t kBusPages = 64;
    std::array<BusPage, kBusPages> bus_pages_{};
    mutable u64 a20_mask_ = 0;  // 0: it has to be asked

    std::unique_ptr<Translator> translator_;  // null: the interpreter alone
    DecodeMode decode_mode_;
    BlockCache blocks_;
    Block scratch_;                       // runs a block that must not be kept
    std::vector<Insn> scratch_insns_;
    std::vector<Insn> building_;
    std::array<Tlb, kRightsCount> tlbs_{};  // by Rights
    std::array<FetchTlb, 2> fetches_;       // supervisor, user
    std::vector<Translation> restored_;   // for state_loaded
};

}  // namespace reprise

#include "cpu/fast_memory.h"
