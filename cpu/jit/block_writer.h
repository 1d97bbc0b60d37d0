/// Writes the host code of one block.
///
/// Most instructions are copied: the guest's registers are in the host's of the same name, the
/// guest's flags in the host's, and only memory operands change. Because the flags are the guest's,
/// and any access to memory may show them to a fault's handler, the code around an instruction uses
/// nothing that writes flags: it adds with LEA, shifts with SHRX, masks with PEXT and decides with
/// JRCXZ.
///
/// Whatever is not fast here (memory that the TLB does not have, MMIO, stores beside code, limits)
/// goes to the instruction's handler, with all registers as they were before it.
#pragma once

#include <deque>

#include "cpu/jit/assembler.h"
#include "cpu/jit/assumptions.h"
#include "cpu/jit/engine.h"

namespace reprise::jit {

class BlockWriter {
public:
    BlockWriter(Engine& engine, Code& code, const Assumptions& assumptions, FpChoice fp,
                const u8* address);

    /// False: there is nothing to gain.
    bool write();
    /// After write(): puts the code where it will run.
    void finish(CodeMemory& memory);

private:
    using Label = asmjit::Label;

    /// Host code beside the main line: leaves through `exit`.
    struct Cold {
        Label label;
        Exit* exit = nullptr;
        bool parked = false;             // RCX is in r10
        std::optional<u8> swapped = {};  // low and high byte of this register have changed places
    };
    /// Code between these offsets may fault on the way to its operand.
    struct FaultSite {
        u32 begin = 0, end = 0;
        Label out;
    };
    /// Memory that an instruction accesses: its operand; the stack, `depth` bytes from the top; or
    /// what a register points to.
    struct Place {
        enum class Kind : u8 { Operand, Stack, Pointer };
        Kind kind = Kind::Operand;
        u8 seg = DS;
        int bits = 32;         // of the offset
        int size = 0;          // bytes
        bool aligned = false;  // or else #GP
        const Insn* insn = nullptr;
        int depth = 0;
        Gpr pointer = RSI;
        bool computed = false;  // the operand is to be in r8 and r9, not in the guest's registers
        bool sum = false;  // base and displacement without wrapping: where that differs, it is slow
        bool once = false;  // the instruction has access to nothing else
    };
    /// A store that is not plain: it may be fast in spite of code on its page, and then goes on at
    /// `hit`.
    struct ColdStore {
        Label cold, hit, fail;
        Place place;
    };

    /// An access that may be to the memory of a chip: `exit` if it is not; it goes on at `hit`.
    struct DeviceSite {
        Label cold, hit;
        Exit* exit = nullptr;
        Place place;
        DeviceAccess access;
    };

    /// Where host code goes on behind an instruction that its handler has executed, if XMM
    /// registers or the x87 are in the host's there; `leave` if they cannot be loaded.
    struct Return {
        Label back, behind;
        Exit* leave = nullptr;
        bool sse = false, x87 = false;
    };
    /// Are XMM registers, or the x87, in the host's?
    enum class Presence : u8 { Unknown, Present, Absent };

    /// Where the present instruction may begin once more, and what is known there.
    struct Start {
        Label label;
        Presence sse = Presence::Unknown, x87 = Presence::Unknown;
        X87Pointers pointers{};
        bool charged = false, shared = false;
    };

    /// Memory by the same registers that has been checked in one go. In the Frame is its host
    /// address, or what has to be added to those registers.
    struct Shared {
        const Insn* first = nullptr;  // its operand is where that memory begins
        int bytes = 0;
        bool write = false;
        bool aligned = false;  // it begins at a multiple of 16
        std::size_t slot = 0;  // of Frame::shared
        bool by_base = false;  // the operand is its base register, plus what the slot has
    };

    bool write_insn(u32 index);
    bool write_copy(const Insn& insn, const Opcode& row);
    bool write_copy_with_high_byte(const Insn& insn, const Opcode& row, u8 reg);
    void write_call();
    void write_lea(const Insn& insn);
    asmjit::x86::Mem state_gpr(u8 reg) const;
    asmjit::x86::Gp guest(u8 reg, const asmjit::x86::Gp& otherwise);
    void set_guest(u8 reg, const asmjit::x86::Gp& value, int size);
    void load_target(int size);
    void write_offset_move(const Insn& insn, bool store);
    bool write_push(const Insn& insn, const Opcode& row);
    void write_pop(const Insn& insn);
    bool write_pop_memory(const Insn& insn);
    void write_leave(const Insn& insn);
    bool write_read_time();
    void move_sp(int by);

    void write_indirect_entry();
    void write_entries();

    // charge_writer.cpp
    enum class ChargePoint : u8 { None, Before, BeforeKeepingCarry, BehindAccess };
    ChargePoint charge_point(const Insn& insn) const;
    bool has_charge_point() const;
    void write_charge(ChargePoint point);
    void write_charge_behind_access(const Insn& insn, int size);
    void write_charge_keeping_flags(const Label& used_up = Label());

    // segment_writer.cpp
    bool write_segment_insn(const Insn& insn, const Opcode& row);
    void write_from_segment(const Insn& insn);
    void write_to_segment(const Insn& insn, u8 seg);
    void write_push_segment(const Insn& insn, u8 seg);
    void write_pop_segment(const Insn& insn, u8 seg);
    void write_far_pointer(const Insn& insn, u8 seg);
    void load_segment(u8 seg);

    // string_writer.cpp
    bool write_string(const Insn& insn, const Opcode& row);
    Place pointed(const Insn& insn, Gpr pointer, int size) const;
    void advance(const Insn& insn, Gpr pointer, int size);
    void access_with(const Place& place, bool write, const asmjit::x86::Gp& value);
    void jump_if_none_left(const Insn& insn, const Label& zero);
    void count_down(const Insn& insn);
    void check_count(const Insn& insn, const Label& none);
    bool write_repeated(const Insn& insn, const Opcode& row);

    // vector_writer.cpp
    bool write_vector(const Insn& insn, const Opcode& row);
    bool write_emms();
    static asmjit::x86::Gp guest_result(u8 reg);

    // x87_writer.cpp
    bool write_x87(const Insn& insn, const Opcode& row);
    void write_fldcw(const Insn& insn);
    void need(Presence& presence, std::size_t absent, const u8* load);
    void need_sse();
    void need_x87();
    void write_x87_pointers();
    void write_x87_data_pointer();
    void write_x87_selector(u8 seg, std::size_t member);
    void keep_x87_pointers(const Insn& insn, const Opcode& row);

    // device_writer.cpp
    std::optional<DeviceAccess> device_access(const Place& place, bool write) const;
    void write_device_access(const DeviceSite& site);
    void call_device(const DeviceSite& site, const u8* stub);
    asmjit::x86::Mem device_written() const;
    void write_device_store();

    // shared_access.cpp
    bool share(const Place& place, bool write);
    const Shared* plan_shared(const Place& place, bool write);
    const Shared& look_for_all(const Place& place, Shared all, i64 low, i64 high);
    bool is_by_base(const Place& place, bool write) const;
    HostMemory operand_in(const Shared& shared, const Place& place);
    void forget_shared(const Insn& insn, const Opcode& row);

    // Memory. Afterwards the operand is at operand_, and r10 and r11 are free.
    void access(const Place& place, bool write);
    /// `once`: it is the only one of the instruction.
    void access(const Insn& insn, int size, bool write, bool computed = false, bool once = false);
    void access_stack(int depth, int size, bool write);
    void access_page(const Place& place, bool write);
    void keep_access(const Place& place, bool write);
    void offset_of(const Place& place);
    asmjit::x86::Gp linear_register(const Place& place, bool write) const;
    void find_linear(const Place& place, bool write);
    int stack_bits() const;
    void effective_address(const Insn& insn);
    void check(const Place& place, const Label& fail, i32 tag, bool write,
               const Label& hit = Label(), const Label& ready = Label());
    void test(const Place& place, i32 tag, bool write);
    void cold_store(const ColdStore& store);
    asmjit::x86::Mem entry_field(i32 field) const;
    bool in_window(const Place& place) const;
    bool is_flat(const Place& place, bool write) const;
    bool is_wide(const Place& place, bool write) const;
    void access_window(const Place& place, bool write);
    std::optional<HostMemory> direct(const Place& place) const;
    void begin_fault_site(std::optional<u8> swapped = {});
    void end_fault_site();
    bool may_fault() const { return !fault_sites_.empty() && fault_sites_.back().end == 0; }
    asmjit::x86::Mem operand(int size) const;

    bool write_end(const Insn& insn);
    void push_immediate(int size, u64 value);
    void write_return(const Insn& insn);
    void write_indirect(const Insn& insn, bool call);
    void write_loop(const Insn& insn, bool jcxz, u64 target, u64 behind);
    void jump_to(const Insn& insn, u8 link, u64 ip, int condition);
    void dispatch();

    void begin_retry();
    void end_retry();

    Exit& new_exit(Exit::Kind kind, u32 index);
    void go_out(Exit& exit);
    Label event_label(u32 index);
    Exit& new_call(Exit::Kind kind);
    Label slow_label();
    bool ends_block(const Insn& insn) const;
    void begin_insn();
    void end_insn();
    void write_return_from_handler(const Return& r);
    const Insn* insn_at(u32 index) const { return &block_.insns[index]; }
    bool reachable(u64 ip) const;
    void check_target(int size);
    u64 next_ip(const Insn& insn) const { return block_.ip + insn.offset + insn.length; }

    Engine& engine_;
    Code& code_;
    Block& block_;
    Assumptions assumptions_;
    FpChoice fp_;
    bool long_;  // 64-bit mode
    const u8* address_;
    HostAssembler host_;
    asmjit::x86::Assembler& a_;

    u32 index_ = 0;                         // of the present instruction
    HostMemory operand_ = kScratchOperand;  // what it last had access to
    std::vector<Shared> shared_;
    std::size_t next_shared_ = 0;
    std::optional<std::size_t> held_;  // what this slot of Frame::shared has is in r9 too
    std::deque<Insn> made_;            // stand for those of the block
    bool charged_ = false;
    Presence sse_ = Presence::Unknown, x87_ = Presence::Unknown;
    X87Pointers x87_pointers_;
    Label slow_;  // see slow_label
    Exit* slow_exit_ = nullptr;
    Start start_;
    u32 accesses_ = 0;          // of the present instruction
    Accessed accessed_;         // the last one
    std::vector<Exit*> calls_;  // of the present instruction's handler
    u32 called_ = 0;            // instructions within the block that their handlers execute
    Label entry_, indirect_;
    Label used_up_, used_up_far_;  // see write_indirect_entry
    std::vector<Cold> colds_;
    std::vector<ColdStore> stores_;
    std::vector<DeviceSite> devices_;
    bool device_stored_ = false;  // perhaps, by the present instruction
    std::vector<FaultSite> fault_sites_;
    std::vector<std::pair<Exit*, u32>> sites_;  // offsets of displacements
    std::vector<std::pair<Exit*, Label>> stubs_, backs_, retries_;
    std::vector<Return> returns_;
};

}  // namespace reprise::jit
