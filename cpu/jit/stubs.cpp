#include "cpu/jit/stubs.h"

#include <cstddef>

#include "cpu/flags.h"
#include "cpu/jit/assembler.h"
#include "cpu/jit/device_stubs.h"
#include "cpu/jit/fp_stubs.h"
#include "cpu/tlb.h"

namespace reprise::jit {

using namespace asmjit;

namespace {

constexpr int kIndexBits = 9;
static_assert(Tlb::kEntries == 1 << kIndexBits);
constexpr u64 kIndexMask = (u64{Tlb::kEntries} - 1) << kPageShift;

constexpr x86::Gp kSaved[] = {x86::rbx, x86::rbp, x86::r12, x86::r13, x86::r14, x86::r15};

/// After the return address and the six, this leaves rsp aligned for a call.
constexpr int kFrameBytes = (sizeof(Frame) + 15) / 16 * 16 + 8;

x86::Mem field(const x86::Gp& base, std::size_t offset)
{
    return x86::qword_ptr(base, static_cast<i32>(offset));
}
x86::Mem frame(std::size_t offset) { return field(x86::rsp, offset); }

/// `state` is the EntryState, in none of the guest's registers.
void load_guest(x86::Assembler& a, const StubOffsets& offsets, const x86::Gp& state)
{
    for (u8 r = 0; r < 8; ++r)
        if (r != RAX) a.mov(gpr64(r), x86::qword_ptr(kCpu, offsets.gpr + 8 * r));
    a.mov(x86::eax, x86::dword_ptr(state, offsetof(EntryState, flags)));
    a.add(x86::al, 0x7F);  // OF as it was
    a.sahf();
    a.mov(x86::rax, x86::qword_ptr(kCpu, offsets.gpr));
}

/// Keeps r8.
void store_guest(x86::Assembler& a, const StubOffsets& offsets)
{
    for (u8 r = 0; r < 8; ++r) a.mov(x86::qword_ptr(kCpu, offsets.gpr + 8 * r), gpr64(r));
    a.lahf();
    a.seto(x86::al);
    a.mov(x86::r9, frame(offsetof(Frame, state)));
    a.mov(x86::dword_ptr(x86::r9, offsetof(EntryState, flags)), x86::eax);
}

}  // namespace

Stubs write_stubs(CodeMemory& memory, const StubOffsets& offsets, const StubFunctions& functions)
{
    HostAssembler host(memory.next());
    x86::Assembler& a = host.assembler();
    const Label enter = a.newLabel(), on = a.newLabel(), miss = a.newLabel(), out = a.newLabel();

    a.bind(enter);
    for (const x86::Gp& r : kSaved) a.push(r);
    a.sub(x86::rsp, kFrameBytes);
    a.mov(kCpu, x86::rsi);
    a.mov(frame(offsetof(Frame, state)), x86::rdi);
    a.mov(x86::eax, kIndexMask);
    a.mov(frame(offsetof(Frame, index_mask)), x86::rax);
    a.mov(x86::eax, 1);
    a.mov(frame(offsetof(Frame, one)), x86::rax);
    a.mov(frame(offsetof(Frame, sse_absent)), x86::rax);
    a.mov(frame(offsetof(Frame, x87_absent)), x86::rax);
    a.mov(x86::eax, kX87Masks);
    a.mov(frame(offsetof(Frame, x87_masks)), x86::rax);
    a.mov(x86::eax, 0);
    a.mov(frame(offsetof(Frame, device) + offsetof(DeviceOperand, written)), x86::rax);
    a.mov(x86::r11, field(x86::rdi, offsetof(EntryState, code)));

    a.bind(on);  // r11: where
    a.mov(x86::r8, frame(offsetof(Frame, state)));
    a.mov(x86::rax, field(x86::r8, offsetof(EntryState, targets)));
    a.mov(frame(offsetof(Frame, targets)), x86::rax);
    a.mov(kMemory, field(x86::r8, offsetof(EntryState, memory)));
    a.mov(kBudget, field(x86::r8, offsetof(EntryState, budget)));
    load_guest(a, offsets, x86::r8);
    a.jmp(x86::r11);

    a.bind(miss);
    a.mov(x86::r9, frame(offsetof(Frame, state)));
    a.mov(field(x86::r9, offsetof(EntryState, ip)), x86::r8);
    a.mov(x86::r8d, 0);
    a.bind(out);
    store_guest(a, offsets);
    store_fp(a, offsets, 0);
    a.mov(x86::rdi, x86::r8);
    a.mov(x86::rsi, kCpu);
    a.mov(x86::rdx, frame(offsetof(Frame, state)));
    a.mov(x86::rcx, kBudget);
    a.mov(x86::rax, reinterpret_cast<u64>(functions.out));
    a.call(x86::rax);
    a.mov(x86::r11, x86::rax);
    a.test(x86::rax, x86::rax);
    a.jnz(on);
    a.add(x86::rsp, kFrameBytes);
    for (int i = 5; i >= 0; --i) a.pop(kSaved[i]);
    a.ret();

    const Label sse = a.newLabel(), x87 = a.newLabel();
    a.bind(sse);
    load_sse(a, offsets, out);
    a.bind(x87);
    load_x87(a, offsets, out);
    const Label load = a.newLabel(), store = a.newLabel(), back = a.newLabel();
    a.bind(load);
    write_device_call(a, functions.load_device, out);
    a.bind(store);
    write_device_call(a, functions.store_device, out);
    a.bind(back);
    write_device_write_back(a, functions.write_back);

    u8* base = host.finish(memory);
    Stubs stubs;
    stubs.enter = reinterpret_cast<void (*)(EntryState*, Cpu*)>(base + host.offset_of(enter));
    stubs.out = base + host.offset_of(out);
    stubs.indirect_miss = base + host.offset_of(miss);
    stubs.load_sse = base + host.offset_of(sse);
    stubs.load_x87 = base + host.offset_of(x87);
    stubs.load_device = base + host.offset_of(load);
    stubs.store_device = base + host.offset_of(store);
    stubs.write_back = base + host.offset_of(back);
    return stubs;
}

}  // namespace reprise::jit
