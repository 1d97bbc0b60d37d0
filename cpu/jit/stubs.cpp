#include "cpu/jit/stubs.h"

#include <cstddef>

#include "cpu/flags.h"
#include "cpu/jit/assembler.h"
#include "cpu/jit/fp_stubs.h"
#include "cpu/tlb.h"

namespace reprise::jit {

using namespace asmjit;

namespace {

constexpr int kIndexBits = 9;
static_assert(Tlb::kEntries == 1 << kIndexBits);
constexpr u64 kIndexMask = (u64{Tlb::kEntries} - 1) << kPageShift;

constexpr x86::Gp kSaved[] = {x86::rbx, x86::rbp, x86::r12, x86::r13, x86::r14, x86::r15};

/// Pushing the six, and then this, leaves rsp where a call from host code finds it aligned.
constexpr int kFrameBytes = (sizeof(Frame) + 15) / 16 * 16;

x86::Mem state(x86::Gp base, std::size_t offset)
{
    return x86::qword_ptr(base, static_cast<i32>(offset));
}

void load_guest(x86::Assembler& a, const StubOffsets& offsets)
{
    for (u8 r = 0; r < 8; ++r)
        if (r != RAX) a.mov(gpr64(r), x86::qword_ptr(kCpu, offsets.gpr + 8 * r));
    a.mov(x86::r8, x86::qword_ptr(x86::rsp, offsetof(Frame, state)));
    a.mov(x86::eax, x86::dword_ptr(x86::r8, offsetof(EntryState, flags)));
    a.add(x86::al, 0x7F);  // OF as it was
    a.sahf();
    a.mov(x86::rax, x86::qword_ptr(kCpu, offsets.gpr));
}

/// Keeps r8. Afterwards rax to rdi and r9 to r11 are free.
void store_guest(x86::Assembler& a, const StubOffsets& offsets)
{
    for (u8 r = 0; r < 8; ++r) a.mov(x86::qword_ptr(kCpu, offsets.gpr + 8 * r), gpr64(r));
    a.lahf();
    a.seto(x86::al);
    a.mov(x86::r9, x86::qword_ptr(x86::rsp, offsetof(Frame, state)));
    a.mov(x86::dword_ptr(x86::r9, offsetof(EntryState, flags)), x86::eax);
}

}  // namespace

Stubs write_stubs(CodeMemory& memory, const StubOffsets& offsets, CallFunction call)
{
    HostAssembler host(memory.next());
    x86::Assembler& a = host.assembler();
    const Label enter = a.newLabel(), leave = a.newLabel(), miss = a.newLabel(),
                do_call = a.newLabel(), finish = a.newLabel();

    a.bind(enter);
    for (const x86::Gp& r : kSaved) a.push(r);
    a.sub(x86::rsp, kFrameBytes);
    a.mov(kCpu, x86::rsi);
    a.mov(x86::qword_ptr(x86::rsp, offsetof(Frame, state)), x86::rdi);
    a.mov(x86::rax, state(x86::rdi, offsetof(EntryState, targets)));
    a.mov(x86::qword_ptr(x86::rsp, offsetof(Frame, targets)), x86::rax);
    a.mov(x86::eax, kIndexMask);
    a.mov(x86::qword_ptr(x86::rsp, offsetof(Frame, index_mask)), x86::rax);
    a.mov(x86::eax, 1);
    a.mov(x86::qword_ptr(x86::rsp, offsetof(Frame, one)), x86::rax);
    a.mov(x86::qword_ptr(x86::rsp, offsetof(Frame, sse_absent)), x86::rax);
    a.mov(x86::qword_ptr(x86::rsp, offsetof(Frame, x87_absent)), x86::rax);
    a.mov(x86::eax, kX87Masks);
    a.mov(x86::qword_ptr(x86::rsp, offsetof(Frame, x87_masks)), x86::rax);
    a.mov(kTlb, state(x86::rdi, offsetof(EntryState, tlb)));
    a.mov(kBudget, state(x86::rdi, offsetof(EntryState, budget)));
    a.mov(x86::rax, state(x86::rdi, offsetof(EntryState, code)));
    a.mov(x86::qword_ptr(x86::rsp, offsetof(Frame, scratch)), x86::rax);
    load_guest(a, offsets);
    a.jmp(x86::qword_ptr(x86::rsp, offsetof(Frame, scratch)));

    a.bind(miss);
    a.mov(x86::r9, x86::qword_ptr(x86::rsp, offsetof(Frame, state)));
    a.mov(x86::qword_ptr(x86::r9, offsetof(EntryState, ip)), x86::r8);
    a.mov(x86::r8d, 0);
    a.bind(leave);
    store_guest(a, offsets);
    store_fp(a, offsets, 0);
    a.mov(x86::rax, x86::r8);
    a.bind(finish);
    a.mov(x86::r9, x86::qword_ptr(x86::rsp, offsetof(Frame, state)));
    a.mov(x86::qword_ptr(x86::r9, offsetof(EntryState, budget)), kBudget);
    a.add(x86::rsp, kFrameBytes);
    for (int i = 5; i >= 0; --i) a.pop(kSaved[i]);
    a.ret();

    // Called, so everything on the stack lies eight bytes further away.
    a.bind(do_call);
    for (u8 r = 0; r < 8; ++r) a.mov(x86::qword_ptr(kCpu, offsets.gpr + 8 * r), gpr64(r));
    a.lahf();
    a.seto(x86::al);
    a.mov(x86::r9, x86::qword_ptr(x86::rsp, 8 + offsetof(Frame, state)));
    a.mov(x86::dword_ptr(x86::r9, offsetof(EntryState, flags)), x86::eax);
    store_fp(a, offsets, 8);
    a.mov(x86::rdx, x86::qword_ptr(x86::rsp, 8 + offsetof(Frame, state)));
    a.mov(x86::rdi, x86::r8);
    a.mov(x86::rsi, kCpu);
    a.mov(x86::rcx, kBudget);
    a.mov(x86::rax, reinterpret_cast<u64>(call));
    a.call(x86::rax);
    const Label out = a.newLabel();
    a.test(x86::rax, x86::rax);
    a.jnz(out);
    a.pop(x86::qword_ptr(x86::rsp, offsetof(Frame, scratch)));
    load_guest(a, offsets);
    a.jmp(x86::qword_ptr(x86::rsp, offsetof(Frame, scratch)));
    a.bind(out);
    a.add(x86::rsp, 8);
    a.jmp(finish);

    const Label sse = a.newLabel(), x87 = a.newLabel();
    a.bind(sse);
    load_sse(a, offsets, leave);
    a.bind(x87);
    load_x87(a, offsets, leave);

    u8* base = host.finish(memory);
    Stubs stubs;
    stubs.enter =
        reinterpret_cast<const Exit* (*)(EntryState*, Cpu*)>(base + host.offset_of(enter));
    stubs.leave = base + host.offset_of(leave);
    stubs.indirect_miss = base + host.offset_of(miss);
    stubs.call = base + host.offset_of(do_call);
    stubs.load_sse = base + host.offset_of(sse);
    stubs.load_x87 = base + host.offset_of(x87);
    return stubs;
}

u32 eflags_of(u32 lahf_seto)
{
    return (lahf_seto >> 8 & (CF | PF | AF | ZF | SF)) | (lahf_seto & 1 ? OF : 0u);
}

u32 lahf_seto_of(u32 eflags)
{
    return (eflags & (CF | PF | AF | ZF | SF)) << 8 | (eflags & OF ? 1u : 0u);
}

}  // namespace reprise::jit
