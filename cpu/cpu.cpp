/// The run loop: blocks, events between instructions, faults on their way to their handlers.
#include "cpu/cpu.h"

#include <limits>
#include <string>

#include "cpu/opcodes.h"

namespace reprise {

/// Handlers of the engine itself; instructions never see them.
struct CpuInternals {
    /// Replaces the handler of the instruction at which a block is to be left.
    static const Insn* stop(Cpu& cpu, const Insn* insn) { return cpu.interrupted(insn); }

    /// All that is left of a block whose code was overwritten.
    static const Insn* stale(Cpu& cpu, const Insn* insn)
    {
        if (cpu.via_) cpu.via_->context = 0;
        return cpu.interrupted(insn);
    }

    static const Insn* end_of_block(Cpu& cpu, const Insn* insn)
    {
        return chain(cpu, cpu.fall_through(insn));
    }
};

Cpu::Cpu(Bus& bus, const CpuModel& model) : bus_(bus), model_(model)
{
    blocks_.stale_handler = CpuInternals::stale;
    decode_mode_.level = model.level;
    decode_mode_.features = model.features;
    blocks_.on_code_page = [this](const u64* granules) {
        for (Tlb& tlb : tlbs_) tlb.code_page_appeared(granules);
    };
    reset();
}

void Cpu::set_engine(Engine engine, u32 hot)
{
    if (engine == this->engine()) return;
    forget_blocks();
    blocks_.translator = nullptr;
    translator_ = engine == Engine::Translator ? make_translator(*this, hot) : nullptr;
    blocks_.translator = translator_.get();
}

const TranslatorStatistics* Cpu::translator_statistics() const
{
    return translator_ ? &translator_->statistics() : nullptr;
}

void Cpu::reset()
{
    CpuState fresh;
    fresh.clock = state.clock;
    fresh.idle = state.idle;
    fresh.tsc_offset = 0 - state.clock;
    fresh.intr = state.intr;
    fresh.msr = msrs_after_reset(model_);
    fresh.ignne = state.ignne;
    if (state.smm) bus_.smm_changed(false);
    if (at_least(Level::I80386)) fresh.cr0 = kCr0Et;
    if (at_least(Level::I80486)) fresh.cr0 |= kCr0Cd | kCr0Nw;
    fresh.gpr[RDX] = model_.signature;
    fresh.dr[6] = 0xFFFF0FF0;
    fresh.dr[7] = 0x400;
    fresh.idtr = {0, 0x3FF};
    fresh.ldtr.access = 0x82;
    fresh.tr.access = at_least(Level::I80386) ? 0x8B : 0x83;

    // The first instruction is fetched from 16 bytes below the top of the address space, except
    // that the 8086 starts at FFFF:0000.
    Segment& cs = fresh.seg[CS];
    cs.selector = 0xF000;
    cs.base = at_least(Level::I80386) ? 0xFFFF0000 : 0xFF0000;
    fresh.rip = 0xFFF0;
    if (!at_least(Level::I80286)) {
        cs.selector = 0xFFFF;
        cs.base = 0xFFFF0;
        fresh.rip = 0;
    }
    state = fresh;
    restored_.clear();
    state_loaded();
}

void Cpu::state_loaded()
{
    fault_pending_ = false;
    checked_as_ = ~0u;
    contexts_ = {};
    contexts_given_ = 0;
    state.gpr[kZeroRegister] = state.gpr[kBlockIpRegister] = 0;
    state.gpr[kPageSizeRegister] = kPageSize;
    blocks_.clear();
    jumps_.fill({});
    pending_link_ = via_ = nullptr;
    flags.set(state.rflags);
    update_breakpoints();
    flush_tlb();
    restore_translations();
}

// ---- Mode --------------------------------------------------------------------------------------

u32 Cpu::mode_key() const
{
    return static_cast<u32>(decode_mode_.code_size) | u32{decode_mode_.real_or_v86} << 2 |
           u32{user_} << 3;
}

/// What linear addresses are cut to: the 8086 and 286 have 20 and 24 address lines, later processors
/// compute in 32 bits, 64-bit mode in 64.
u64 Cpu::linear_mask() const
{
    if (mode64()) return ~u64{0};
    if (at_least(Level::I80386)) return 0xFFFFFFFF;
    return at_least(Level::I80286) ? 0xFFFFFF : 0xFFFFF;
}

Cpu::ModeInputs Cpu::mode_inputs() const
{
    return {state.cr0, state.cr4, state.msr.efer, (state.rflags & (VM | AC)) | u64{state.cpl} << 32,
            u32{state.seg[CS].access} << 16 | state.seg[SS].access};
}

void Cpu::update_mode()
{
    const ModeInputs inputs = mode_inputs();
    if (inputs == mode_inputs_ && checked_as_ != ~0u) return update_context();
    mode_inputs_ = inputs;
    mode_changed_ = true;

    const Segment& cs = state.seg[CS];
    const bool paging = (state.cr0 & kCr0Pg) != 0;
    const bool reaches_user_pages = (state.cr4 & kCr4Smap) && (state.rflags & AC);
    user_ = state.cpl == 3 && paging;
    rights_ = user_                           ? Rights::User
              : paging && reaches_user_pages ? Rights::SupervisorAc
                                              : Rights::Supervisor;
    tlb_ = &tlbs_[static_cast<std::size_t>(rights_)];
    check_alignment_ = (state.cr0 & kCr0Am) && (state.rflags & AC) && state.cpl == 3;
    mmx_usable_ = !(state.cr0 & (kCr0Em | kCr0Ts));
    x87_usable_ = mmx_usable_ && model_.has(Feature::Fpu);
    sse_usable_ = mmx_usable_ && (state.cr4 & kCr4Osfxsr);
    decode_mode_.real_or_v86 = real_or_v86();
    const bool wide = long_mode() && cs.is_long();
    decode_mode_.code_size = wide ? CodeSize::Bits64 : cs.is_big() ? CodeSize::Bits32 : CodeSize::Bits16;
    linear_mask_ = linear_mask();
    const u64 stack_mask = wide ? ~u64{0} : state.seg[SS].is_big() ? 0xFFFFFFFF : 0xFFFF;
    segments_changed_ = segments_changed_ || stack_mask != stack_mask_;
    stack_mask_ = stack_mask;
    const u32 checked_as = u32{real_or_v86()} | u32{check_alignment_} << 1 | u32{wide} << 2 |
                           u32{long_mode()} << 3;
    if (checked_as != checked_as_) {
        checked_as_ = checked_as;
        for (u8 seg = 0; seg < 6; ++seg) refresh_segment(seg);
    }
    update_context();
}

/// Which blocks and links between them are true, from the mode, CS, and what is known of pages.
void Cpu::update_context()
{
    const bool wide = mode64();
    const u32 mode = mode_key();
    const u64 base = wide ? 0 : state.seg[CS].base;
    const u32 limit = wide ? 0 : state.seg[CS].limit;
    const u64 generation = generation_[user_];
    const u64 place = (base >> 4 ^ base >> 12 ^ mode << 4) % kContexts;
    Context& c = contexts_[place];
    if (c.id == 0 || c.cs_base != base || c.cs_limit != limit || c.mode != mode ||
        c.generation != generation)
        c = {base, generation, limit, mode, ++contexts_given_};
    if (context_ == c.id) return;
    context_ = c.id;
    context_place_ = static_cast<u32>(place);
    mode_changed_ = true;
}

void Cpu::set_eflags(u32 value)
{
    const u32 changed = value ^ state.rflags;
    flags.set(value);
    state.rflags = (value & ~kArithmeticFlags) | kReservedSetFlags;
    if (changed & (VM | AC)) update_mode();
    if (changed & (VM | AC | TF | IF | RF)) attention();
}

void Cpu::set_cr0(u64 value)
{
    const u64 changed = state.cr0 ^ value;
    state.cr0 = value;
    // Without paging before and after, protected mode changes no mapping.
    if (changed & (kCr0Pg | kCr0Wp) || ((changed & kCr0Pe) && (value & kCr0Pg))) forget_translations();
    else update_mode();
}

// ---- Pins --------------------------------------------------------------------------------------

void Cpu::set_intr(bool level)
{
    state.intr = level;
    if (level) attention();
}

void Cpu::raise_nmi()
{
    state.nmi_pending = true;
    attention();
}

void Cpu::limit_run(u64 until)
{
    until_ = std::min(until_, std::max(until, clock_now()));
    stop_at_ = std::min(stop_at_, until_);
}

void Cpu::halt(const Insn&)
{
    state.halted = true;
    attention();
}

// ---- Faults ------------------------------------------------------------------------------------

bool Cpu::raise(u8 vector)
{
    fault_ = {vector, false, 0};
    fault_pending_ = true;
    return false;
}

bool Cpu::raise(u8 vector, u16 error_code)
{
    fault_ = {vector, true, error_code};
    fault_pending_ = true;
    return false;
}

/// SDM vol. 3B, 22.25.3; for SSE vol. 2A, 2.4.
bool Cpu::refuse_mmx()
{
    if (state.cr0 & kCr0Em) return undefined_opcode();
    if (state.cr0 & kCr0Ts) return raise(kDeviceNotAvailable);
    return report_x87_error();
}

bool Cpu::report_x87_error()
{
    if (!(state.fpu.status & FpuState::kEs)) return true;
    if (state.cr0 & kCr0Ne) return raise(kFloatingPoint);
    if (state.ignne) return true;
    state.halted = true;
    attention();
    return false;
}

bool Cpu::refuse_sse()
{
    if ((state.cr0 & kCr0Em) || !(state.cr4 & kCr4Osfxsr)) return undefined_opcode();
    return raise(kDeviceNotAvailable);
}

/// SDM vol. 3A, 6.15, interrupt 8: which second exception makes a double fault.
static bool makes_double_fault(u8 first, u8 second)
{
    const auto contributory = [](u8 v) { return v == kDivideError || (v >= kInvalidTss && v <= kGeneralProtection); };
    if (first == kPageFault) return second == kPageFault || contributory(second);
    return contributory(first) && contributory(second);
}

/// A delivered exception counts as one tick, so that a guest whose handlers fault forever still
/// lets time pass.
void Cpu::deliver_fault()
{
    ++state.clock;
    current_ = nullptr;
    pending_link_ = nullptr;  // the handler does not follow the block before it
    state.interrupt_shadow = state.debug_shadow = state.interrupt_taken = false;
    Fault fault = fault_;
    for (;;) {
        fault_pending_ = false;
        if (fault.vector == kDebug) state.dr[7] &= ~u64{1 << 13};
        if (deliver(fault, false, false, false, state.rip)) return;
        const Fault second = fault_;
        if (fault.vector == kDoubleFault) {
            enter_shutdown();
            return;
        }
        fault = makes_double_fault(fault.vector, second.vector) ? Fault{kDoubleFault, true, 0}
                                                                 : second;
    }
}

/// The board resets the processor, which does nothing any more.
void Cpu::enter_shutdown()
{
    fault_pending_ = false;
    state.shutdown = true;
    bus_.shutdown();
    attention();
}

// ---- Between instructions ----------------------------------------------------------------------

/// Takes what is due before the next instruction, in the order of SDM vol. 3A, table 6-2. False:
/// the run is over.
bool Cpu::service_events()
{
    for (;;) {
        stop_at_ = until_;
        if (state.clock >= until_ || state.shutdown || (debug_ && debug_->hit)) return false;

        if (smi_is_due()) {
            enter_smm();
            continue;
        }
        if (state.pending_debug && !state.debug_shadow) {
            state.halted = false;
            state.dr[6] |= state.pending_debug;
            state.pending_debug = 0;
            raise(kDebug);
            deliver_fault();
            continue;
        }
        const bool shadow = state.interrupt_shadow || state.interrupt_taken;
        const bool nmi = state.nmi_pending && !state.nmi_blocked && !shadow;
        const bool intr = state.intr && (state.rflags & IF) && !shadow;
        if (state.interrupt_taken) stop_at_ = std::min(until_, state.clock + 1);
        if (!nmi && !intr) return !state.halted;
        if (!take_interrupt(nmi)) {
            deliver_fault();
            continue;
        }
        // An interrupt takes no time, so one instruction comes before the next: a line that stays
        // active must not stop the clock.
        if (state.pending_debug) continue;
        stop_at_ = std::min(until_, state.clock + 1);
        return true;
    }
}

bool Cpu::take_interrupt(bool nmi)
{
    state.halted = false;
    pending_link_ = nullptr;
    Fault interrupt;
    if (nmi) {
        state.nmi_pending = false;
        state.nmi_blocked = true;
        interrupt.vector = kNmi;
    } else {
        interrupt.vector = bus_.acknowledge_interrupt();
    }
    if (!deliver(interrupt, false, false, true, state.rip)) return false;
    state.interrupt_taken = true;
    if (debug_) ++debug_->interrupts;
    return true;
}

bool Cpu::hits_code_breakpoint(u64 linear)
{
    u32 hits = 0;
    for (int i = 0; i < 4; ++i)
        if ((state.dr[7] >> (2 * i) & 3) && (state.dr[7] >> (16 + 4 * i) & 3) == 0 &&
            state.dr[i] == linear)
            hits |= 1u << i;
    if (!hits) return false;
    state.dr[6] |= hits;
    raise(kDebug);
    return true;
}

static bool is_repeated_string(const Insn& insn)
{
    return (opcodes()[insn.opcode].rules & kStringOp) &&
           (insn.prefixes & (kPrefixRep | kPrefixRepne));
}

void Cpu::run(u64 until)
{
    until_ = until;
    sync_in();
    while (service_events()) {
        if (debug_ && stops_for_debugger()) break;
        const bool single_step = (state.rflags & TF) != 0;
        const bool resume = (state.rflags & RF) != 0;
        const bool shadow = state.interrupt_shadow || state.debug_shadow;
        const bool one = single_step || resume || shadow || code_breakpoints_;
        // MOV SS and POP SS hold back instruction breakpoints too (SDM vol. 3B, 17.3.1.1).
        if (code_breakpoints_ && !resume && !state.debug_shadow &&
            hits_code_breakpoint(linear_address(CS, state.rip))) {
            deliver_fault();
            continue;
        }
        if (blocks_.full() || contexts_given_ > kMaxContexts) forget_blocks();
        Block* block = next_block();
        if (!block) {
            pending_link_ = nullptr;
            deliver_fault();
            continue;
        }
        const bool is_found = block != &scratch_ && !(debug_ && debug_->breaks_at(linear_ip()));
        if (pending_link_ && is_found) *pending_link_ = {block, context_, block->count};
        via_ = is_found ? pending_link_ : nullptr;
        pending_link_ = nullptr;

        state.interrupt_shadow = state.debug_shadow = state.interrupt_taken = false;
        step_cancelled_ = false;
        // RF ends where its instruction begins, so that IRET can set it anew (SDM vol. 3B, 17.3.1.1).
        if (resume) state.rflags &= ~static_cast<u32>(RF);
        const u32 traps_before = state.pending_debug;
        run_block(*block, one ? 1 : ~u64{0});

        if (fault_pending_) {
            state.pending_debug = traps_before;  // the faulting instruction's will come again
            if (debug_) debug_->hit.reset();     // likewise
            deliver_fault();
            continue;
        }
        // Between iterations an instruction breakpoint does not hit again.
        if ((code_breakpoints_ || debug_) && block_ == block && !pending_link_ &&
            state.rip == block->ip && is_repeated_string(block->insns[0])) {
            if (code_breakpoints_) state.rflags |= RF;
            if (debug_) debug_->pass(linear_ip(), state.clock);
        }
        if (single_step && !step_cancelled_ && !state.debug_shadow) state.pending_debug |= 1u << 14;
    }
    sync_out();
}

/// For host code, which has come to the end of a block, by a fault perhaps: what run() would do before
/// the next block if there is nothing else to do than to find it. Null: run() has to look.
Block* Cpu::next_if_quiet()
{
    for (;;) {
        if (fault_pending_) {
            // As in run(): with any before the block, it would not be host code.
            state.pending_debug = 0;
            deliver_fault();
        }
        // A shadow may hold back the SMI, and only run() counts the instruction that it lasts for.
        const bool smi = state.smi_pending && !state.smm;
        const bool interrupts = smi || state.nmi_pending || (state.intr && (state.rflags & IF));
        const bool traps =
            state.pending_debug || code_breakpoints_ || debug_ || (state.rflags & TF);
        const bool full = blocks_.full() || contexts_given_ > kMaxContexts;
        if (interrupts || traps || full || cut_ || halted() || state.clock >= until_) return nullptr;

        const u64 stop_at = stop_at_ = until_;
        current_ = nullptr;
        Block* block = next_block();
        if (!block) {
            pending_link_ = nullptr;
            continue;
        }
        // Fetching may have made the run shorter: then the interpreter executes what is left of it.
        if (stop_at_ != stop_at) begin_block(*block, ~u64{0});
        else if (state.clock + block->count > until_) return nullptr;
        via_ = block != &scratch_ ? pending_link_ : nullptr;
        if (via_) *via_ = {block, context_, block->count};
        pending_link_ = nullptr;
        state.interrupt_shadow = state.debug_shadow = false;
        state.rflags &= ~static_cast<u32>(RF);
        return block;
    }
}

/// No block is executing. Links die with their blocks, so that contexts may be numbered anew.
void Cpu::forget_blocks()
{
    blocks_.clear();
    jumps_.fill({});
    pending_link_ = nullptr;
    contexts_ = {};
    contexts_given_ = 0;
    update_mode();
}

void Cpu::sync_in()
{
    flags.set(state.rflags);
    state.rflags &= ~kArithmeticFlags;
    running_ = true;
}

void Cpu::sync_out()
{
    state.rflags = eflags();
    state.gpr[kBlockIpRegister] = 0;
    pending_link_ = nullptr;
    running_ = false;
}

/// Execution goes on with `block`, of which no more than `budget` instructions are executed.
void Cpu::begin_block(Block& block, u64 budget)
{
    // Fetching may have asked for the run to end: then it does after this instruction.
    const u64 left = stop_at_ > state.clock ? stop_at_ - state.clock : 1;
    const u64 limit = std::min(budget, left);
    stop_at_ = state.clock + limit;
    enter(block);
    if (limit < block.count) {
        cut_ = &block.insns[limit];
        cut_handler_ = cut_->exec;
        cut_->exec = CpuInternals::stop;
    }
}

void Cpu::run_block(Block& block, u64 budget)
{
    begin_block(block, budget);
    for (const Insn* insn = block.insns; insn;) insn = insn->exec(*this, insn);
    uncut();
    current_ = nullptr;
}

/// Within an instruction that made the run shorter: the present block must not outlast it.
void Cpu::cut_block()
{
    if (!running_ || !current_ || stop_at_ >= state.clock + block_->count) return;
    const u64 after = current_->index + u64{1};
    const u64 at = std::max(after, stop_at_ > state.clock ? stop_at_ - state.clock : 0);
    if (at > block_->count) return;
    Insn* insn = &block_->insns[at];
    if (cut_ && cut_ <= insn) return;
    uncut();
    cut_ = insn;
    cut_handler_ = insn->exec;
    insn->exec = CpuInternals::stop;
}

void Cpu::uncut()
{
    if (cut_ && cut_->exec == CpuInternals::stop) cut_->exec = cut_handler_;
    cut_ = nullptr;
}

const Insn* Cpu::follow_indirect(const Insn* insn, u64 ip)
{
    state.clock += insn->index + 1;
    const Jump& jump = jumps_[ip % kJumps];
    if (jump.ip == ip && jump.context == context_ &&
        state.clock + jump.block->count <= stop_at_ && jump.block->valid) [[likely]] {
        via_ = nullptr;
        return enter(*jump.block);
    }
    state.rip = ip;
    state.clock -= fault_pending_;  // see leave
    return nullptr;
}

// ---- Finding and decoding blocks ---------------------------------------------------------------

/// The last byte that may be fetched from CS.
u64 Cpu::code_limit() const { return mode64() ? ~u64{0} : state.seg[CS].limit; }

/// The block at state.rip, or nullptr after a fetch fault or an undefined opcode.
Block* Cpu::next_block()
{
    Jump& jump = jumps_[state.rip % kJumps];
    Block* const recent = jump.ip == state.rip && jump.block && jump.block->valid ? jump.block : nullptr;
    if (recent && jump.context == context_) return recent;

    const u64 limit = code_limit();
    if (!at_least(Level::I80286)) state.rip &= 0xFFFF;
    if (state.rip > limit || (mode64() && !is_canonical(state.rip))) {
        raise(kGeneralProtection, 0);
        return nullptr;
    }
    const Fallible<u64> page = translate_fetch(linear_address(CS, state.rip));
    if (!page.ok) return nullptr;
    const u64 physical = page.value + linear_address(CS, state.rip) % kPageSize;

    const bool again = recent && recent->physical == physical && recent->mode == mode_key();
    Block* block = again ? recent : blocks_.find(physical, state.rip, mode_key());
    if (block && (block->crosses_page || state.rip + block->length - 1 > limit)) {
        // Rare: whether the rest of its code is still there is found out by decoding it again.
        blocks_.invalidate(block->physical, 1);
        block = nullptr;
    }
    const u64 linear = linear_ip();
    if (block && debug_ && runs_over_breakpoint(*block, linear)) {
        blocks_.invalidate(block->physical, 1);
        block = nullptr;
    }
    if (!block) block = decode_block(physical);
    if (block && block != &scratch_ && !(debug_ && debug_->breaks_at(linear)))
        jump = {state.rip, block, context_};
    return block;
}

/// Adds to the `have` bytes of code at `ip` what is left of 15, either in the first page or in the next,
/// and says how many there are before the limit or a fault. A pending page fault is that of the first
/// byte missing.
u32 Cpu::gather(u64 ip, u8* bytes, u32 have, bool& crosses, u64& second_page, bool& limit_hit)
{
    const u64 first_page = page_of(linear_address(CS, ip));
    const bool wraps = !at_least(Level::I80286);
    crosses = limit_hit = false;
    for (u32 i = have; i < 15; ++i) {
        u64 at = ip + i;
        if (wraps) at &= 0xFFFF;
        if (at > code_limit() || (mode64() && !is_canonical(at))) {
            limit_hit = true;
            return i;
        }
        const u64 linear = linear_address(CS, at);
        if (have == 0 && page_of(linear) != first_page) return i;
        const Fallible<u64> page = translate_fetch(linear);
        if (!page.ok) return i;
        if (page_of(linear) != first_page) {
            crosses = true;
            second_page = page.value;
        }
        bytes[i] = fetch_byte(page.value + linear % kPageSize);
    }
    return 15;
}

/// Worth a line: it may be an instruction of a processor that the guest was not promised.
void Cpu::log_undefined(std::span<const u8> bytes)
{
    if (!on_log) return;
    std::string text = "undefined opcode";
    static constexpr char kDigits[] = "0123456789abcdef";
    for (const u8 byte : bytes.first(std::min<std::size_t>(bytes.size(), 4))) {
        text += ' ';
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    on_log(text);
}

static bool ends_block(const Insn& insn)
{
    return opcodes()[insn.opcode].carry == Carry::End || is_repeated_string(insn);
}

/// RIP-relative operands count from the next instruction; kBlockIpRegister holds the block's address. A
/// block is shorter than a page.
static void make_relative_to_block(Insn& insn)
{
    if (!insn.memory || insn.base != kBlockIpRegister) return;
    i64 disp = i64{insn.disp} + insn.offset + insn.length;
    if (disp > std::numeric_limits<i32>::max()) {
        insn.index_reg = kPageSizeRegister;
        disp -= static_cast<i64>(kPageSize);
    }
    insn.disp = static_cast<i32>(disp);
}

/// The page around `physical`, if code decoded from it may be kept.
const u8* Cpu::code_memory(u64 physical)
{
    if (physical >> 32 != 0) return nullptr;
    const PageAccess access = bus_.code_page(page_of(physical));
    return access.shared ? nullptr : access.read;
}

Block* Cpu::decode_block(u64 physical)
{
    const u64 ip = state.rip;
    const u64 limit = code_limit();
    const u8* page = code_memory(physical);
    const u64 in_page = physical % kPageSize;

    Block fresh;
    fresh.ip = ip;
    fresh.physical = physical;
    fresh.mode = mode_key();
    building_.clear();
    DecodeResult result = DecodeResult::Truncated;
    while (page && building_.size() < Block::kMaxInsns) {
        if (ip + fresh.length > limit) break;
        const u64 available = std::min(
            {u64{15}, kPageSize - in_page - fresh.length,
             std::min(limit - (ip + fresh.length), u64{14}) + 1});
        if (available == 0) break;
        if (debug_ && fresh.length != 0 && debug_->breaks_at(linear_address(CS, ip + fresh.length)))
            break;
        Insn insn;
        result = decode({page + in_page + fresh.length, available}, decode_mode_, insn);
        if (result != DecodeResult::Ok) break;
        insn.offset = static_cast<u16>(fresh.length);
        insn.index = static_cast<u8>(building_.size());
        make_relative_to_block(insn);
        fresh.length += insn.length;
        building_.push_back(insn);
        if (ends_block(insn)) break;
    }

    bool keep = true;
    if (building_.empty()) {
        u8 bytes[15];
        bool limit_hit = false;
        Insn insn;
        u32 available = gather(ip, bytes, 0, fresh.crosses_page, fresh.second_page, limit_hit);
        result = decode({bytes, available}, decode_mode_, insn);
        // The next page is not touched unless the instruction reaches into it.
        if (result == DecodeResult::Truncated && available != 0 && !limit_hit && !fault_pending_) {
            available = gather(ip, bytes, available, fresh.crosses_page, fresh.second_page, limit_hit);
            result = decode({bytes, available}, decode_mode_, insn);
        }
        if (result == DecodeResult::Truncated) {
            if (available == 15) raise(kGeneralProtection, 0);
            else if (limit_hit) raise(kGeneralProtection, 0);
            return nullptr;  // else gather raised a page fault
        }
        if (result == DecodeResult::TooLong) {
            raise(kGeneralProtection, 0);
            return nullptr;
        }
        if (result == DecodeResult::Undefined) {
            log_undefined({bytes, available});
            raise(kInvalidOpcode);
            return nullptr;
        }
        make_relative_to_block(insn);
        building_.push_back(insn);
        fresh.length = insn.length;
        fresh.crosses_page = in_page + fresh.length > kPageSize;
        if (!fresh.crosses_page) fresh.second_page = 0;
        keep = page != nullptr && at_least(Level::I80286) && physical >> 32 == 0 &&
               (!fresh.crosses_page || code_memory(fresh.second_page));
    }

    fresh.count = static_cast<u32>(building_.size());
    Insn end;
    end.exec = CpuInternals::end_of_block;
    end.offset = static_cast<u16>(fresh.length);
    end.index = static_cast<u8>(fresh.count);
    building_.push_back(end);

    if (!keep) {
        scratch_insns_ = building_;
        scratch_ = fresh;
        scratch_.insns = scratch_insns_.data();
        return &scratch_;
    }
    return blocks_.add(fresh, building_);
}

}  // namespace reprise
