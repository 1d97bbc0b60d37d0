#include "cpu/jit/device_stubs.h"

#include <cstddef>

#include "cpu/jit/registers.h"

namespace reprise::jit {

using namespace asmjit;

namespace {

/// The guest's registers that C++ functions do not keep.
constexpr x86::Gp kSaved[] = {x86::rcx, x86::rdx, x86::rsi, x86::rdi};

constexpr int kReturnAddress = 8;

x86::Mem in_frame(std::size_t offset)
{
    return x86::qword_ptr(x86::rsp, kReturnAddress + static_cast<i32>(offset));
}

x86::Mem saved(std::size_t index) { return in_frame(offsetof(Frame, saved) + sizeof(u64) * index); }
const std::size_t kRax = std::size(kSaved), kFlags = kRax + 1;

void save(x86::Assembler& a)
{
    for (std::size_t i = 0; i < std::size(kSaved); ++i) a.mov(saved(i), kSaved[i]);
    a.mov(saved(kRax), x86::rax);
    a.lahf();
    a.seto(x86::al);
    a.mov(saved(kFlags), x86::rax);
}

void restore(x86::Assembler& a)
{
    for (std::size_t i = 0; i < std::size(kSaved); ++i) a.mov(kSaved[i], saved(i));
    a.mov(x86::rax, saved(kFlags));
    a.add(x86::al, 0x7F);  // OF as it was
    a.sahf();
    a.mov(x86::rax, saved(kRax));
}

void call(x86::Assembler& a, u64 function)
{
    a.mov(x86::rax, function);
    a.sub(x86::rsp, kReturnAddress);  // aligned again
    a.call(x86::rax);
    a.add(x86::rsp, kReturnAddress);
}

}  // namespace

void write_device_call(x86::Assembler& a, DeviceFunction function, const Label& out)
{
    static_assert(sizeof(Frame::saved) == (std::size(kSaved) + 2) * sizeof(u64));
    const Label refused = a.newLabel();
    save(a);
    a.mov(in_frame(offsetof(Frame, scratch)), x86::r10);
    // The function may use XMM registers and the x87: rare enough to go the long way.
    a.mov(x86::rax, in_frame(offsetof(Frame, sse_absent)));
    a.and_(x86::rax, in_frame(offsetof(Frame, x87_absent)));
    a.jz(refused);
    a.mov(x86::rdi, kCpu);
    a.mov(x86::rsi, x86::r8);
    a.mov(x86::rdx, x86::r9);
    a.lea(x86::rcx, in_frame(offsetof(Frame, device)));
    call(a, reinterpret_cast<u64>(function));
    a.test(x86::eax, x86::eax);
    a.jz(refused);
    restore(a);
    a.lea(kAddress, in_frame(offsetof(Frame, device) + offsetof(DeviceOperand, value)));
    a.mov(kIndex.r32(), 0);
    a.ret();

    a.bind(refused);
    a.mov(x86::eax, 0);
    a.mov(in_frame(offsetof(Frame, device) + offsetof(DeviceOperand, written)), x86::rax);
    restore(a);
    a.mov(x86::r8, in_frame(offsetof(Frame, scratch)));
    a.lea(x86::rsp, x86::ptr(x86::rsp, kReturnAddress));
    a.jmp(out);
}

void write_device_write_back(x86::Assembler& a, void (*function)(DeviceOperand*))
{
    save(a);
    a.lea(x86::rdi, in_frame(offsetof(Frame, device)));
    call(a, reinterpret_cast<u64>(function));
    restore(a);
    a.ret();
}

}  // namespace reprise::jit
