/// What segment loads, far transfers, interrupts and task switches share: segmentation and
/// privilege as in Intel SDM vol. 3A, chapters 3 and 5 to 8 (order number 253668).
#pragma once

#include "cpu/cpu.h"
#include "machine/base/bits.h"

namespace reprise {

/// Types of system segments and gates (SDM vol. 3A, table 3-2).
enum SystemType : u8 {
    kNotSystem = 0,  // reserved by Intel; here also what is no system descriptor at all
    kTss16Available = 1,
    kLdt = 2,
    kTss16Busy = 3,
    kCallGate16 = 4,
    kTaskGate = 5,
    kInterruptGate16 = 6,
    kTrapGate16 = 7,
    kTss32Available = 9,
    kTss32Busy = 0xB,
    kCallGate32 = 0xC,
    kInterruptGate32 = 0xE,
    kTrapGate32 = 0xF,
};

inline constexpr u8 kTssBusyBit = 2;   // the available and busy types differ in it
inline constexpr u8 kAnyTss32Bit = 8;  // the 16- and 32-bit types differ in it
inline constexpr u64 kAccessByte = 5;  // of a descriptor: P, DPL, S and type

/// The selector's part of an error code (SDM vol. 3A, 6.13): without RPL.
constexpr u16 selector_error(u16 selector) { return selector & 0xFFFC; }
constexpr bool is_null(u16 selector) { return selector_error(selector) == 0; }
constexpr u8 rpl_of(u16 selector) { return selector & 3; }
constexpr bool in_ldt(u16 selector) { return bit(selector, 2); }  // TI
constexpr u16 with_rpl(u16 selector, u8 rpl) { return selector_error(selector) | rpl; }

/// A data segment register after a null selector: every use faults.
inline Segment null_segment(u16 selector = 0) { return {selector, 0, 0, 0}; }

/// SS without a descriptor, as 64-bit mode allows at levels 0 to 2.
inline Segment null_stack(u16 selector, u8 level)
{
    return {selector, 0, 0, static_cast<u16>(level << 5)};
}

/// kNotSystem for code, data, reserved types, and the 32-bit types of a 286.
u8 system_type(const Cpu& cpu, const Cpu::Descriptor& descriptor);

/// FLAGS as PUSHF and interrupts store them in 16 bits.
u16 flags_image16(const Cpu& cpu);

/// The EFLAGS bits that this model has.
u32 defined_flags(const Cpu& cpu);

/// The EFLAGS bits that POPF of `size` bytes may change in real or protected mode (SDM vol. 2B,
/// POPF, table 4-16). RF, VM, VIF and VIP are left to IRET.
u32 writable_flags(const Cpu& cpu, int size);

/// May `size` bytes at `offset` be accessed as far as the limit is concerned?
bool within_limit(const Cpu& cpu, const Segment& segment, u64 offset, int size);

/// In IA-32e mode L and D together are reserved: #GP(selector).
[[nodiscard]] bool check_code_size(Cpu& cpu, const Segment& cs);

/// #GP(0) if execution cannot go on at `ip`: it is beyond CS's limit, or in 64-bit mode not canonical.
[[nodiscard]] bool check_ip(Cpu& cpu, const Segment& cs, u64 ip);

/// A stack on which a frame is built or taken down before the registers follow: nothing that the
/// guest can see changes until its SP is committed.
class Stack {
public:
    /// Faults are #SS(`error_code`); memory is accessed with the rights of `cpl`.
    Stack(Cpu& cpu, const Segment& ss, u64 sp, u8 cpl, u16 error_code);
    /// That of 64-bit mode.
    static Stack flat(Cpu& cpu, u64 sp, u8 cpl, u16 error_code);
    /// The present SS:SP.
    static Stack present(Cpu& cpu);

    /// Raises #SS unless `count` pushes of `size` bytes stay within the limit.
    [[nodiscard]] bool has_room(int size, int count);
    /// `bytes` will be popped, or fewer: mostly they need to be looked for only once.
    void foresee(int bytes) { look_for(sp_, bytes, false); }
    [[nodiscard]] bool push(int size, u64 value);
    Fallible<u64> pop(int size);
    void release(u64 bytes) { sp_ = (sp_ + bytes) & mask_; }
    u64 sp() const { return sp_; }

private:
    bool check(u64 offset, int size) const;
    bool is_aligned(u64 at, int size, Access access);
    u64 linear(u64 offset) const;
    bool look_for(u64 offset, int bytes, bool write);
    u8* plain(u64 offset, int size) const
    {
        const u64 at = offset - plain_begin_;
        return at < plain_bytes_ && at + static_cast<u64>(size) <= plain_bytes_ ? plain_ + at : nullptr;
    }

    Cpu& cpu_;
    Segment ss_;
    u64 sp_;
    u64 mask_;
    Rights rights_;
    bool flat_ = false;
    u16 error_code_;
    // Host memory for all that is pushed, or popped, if nothing has to be checked there any more.
    u8* plain_ = nullptr;
    u64 plain_begin_ = 0, plain_bytes_ = 0;
};

/// Where a more privileged level's stack begins.
struct InnerStack {
    Segment ss;
    u64 sp = 0;
};

/// Reads and checks SS:SP of privilege level `level` from the current TSS. #TS and #SS as in SDM
/// vol. 2A, CALL, "CALL-GATE MORE-PRIVILEGE".
[[nodiscard]] bool find_inner_stack(Cpu& cpu, u8 level, InnerStack& stack);

/// The code segment that RET or IRET returns to, checked (SDM vol. 2B, RET).
[[nodiscard]] bool find_return_code(Cpu& cpu, u16 selector, Segment& cs);
/// The stack segment of a return to `level`. 64-bit code above level 3 needs none.
[[nodiscard]] bool find_return_stack(Cpu& cpu, u16 selector, u8 level, const Segment& cs, Segment& ss);
/// RSP of `level`, or with `stack` 1 to 7 that of the interrupt stack table, from the 64-bit TSS (SDM
/// vol. 3A, 7.7).
Fallible<u64> find_long_stack(Cpu& cpu, u8 level, u8 stack = 0);

/// After a return to an outer level: data segments of the inner level become null.
void drop_inner_segments(Cpu& cpu);

/// Does the current TSS have the 32-bit layout?
bool has_tss32(const Cpu& cpu);

/// Faults whose handler returns to the faulting instruction, with RF set so that an instruction
/// breakpoint there does not hit again (SDM vol. 3B, 17.3.1.1).
bool resumes_with_rf(u8 vector);

}  // namespace reprise
