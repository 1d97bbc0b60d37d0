#include "cpu/jit/fp_stubs.h"

#include <cstddef>

#include "cpu/vector_state.h"

namespace reprise::jit {

using namespace asmjit;

namespace {

constexpr int kXmmRegisters = 16;

// XSAVE's legacy region and header (SDM vol. 1, tables 10-2 and 13-1). `Tags`: a bit for each
// register that is not empty, as FpuState::full.
constexpr int kControl = 0, kStatus = 2, kTags = 4, kStack = 32, kComponents = 512;
constexpr int kX87Component = 1;

constexpr i32 kFpuControl = offsetof(FpuState, control), kFpuStatus = offsetof(FpuState, status),
              kFpuFull = offsetof(FpuState, full), kFpuRegisters = offsetof(FpuState, r);
static_assert(sizeof(Float80) == 16 && offsetof(Float80, sign_exponent) == 8);

x86::Mem in_frame(int depth, std::size_t offset)
{
    return x86::ptr(x86::rsp, depth + static_cast<int>(offset));
}

x86::Mem cpu(i32 offset) { return x86::ptr(kCpu, offset); }

/// r9 = EntryState::x87; edx:eax says that only the x87 is meant.
void prepare_xsave(x86::Assembler& a, int depth)
{
    a.mov(x86::r9, in_frame(depth, offsetof(Frame, state)));
    a.add(x86::r9, offsetof(EntryState, x87));
    a.mov(x86::eax, kX87Component);
    a.mov(x86::edx, 0);
}

/// Registers between the state, which has R0 first, and the image, which has ST(0) first: from the
/// status word in edx. Changes edx and r11.
void copy_registers(x86::Assembler& a, const StubOffsets& offsets, bool to_image)
{
    a.shr(x86::edx, 11 - 4);  // TOP * 16
    for (int i = 0; i < 8; ++i) {
        a.and_(x86::edx, 0x70);
        for (int half = 0; half < 16; half += 8) {
            const x86::Mem in_state =
                x86::ptr(kCpu, x86::rdx, 0, offsets.fpu + kFpuRegisters + half);
            const x86::Mem in_image = x86::ptr(x86::r9, kStack + 16 * i + half);
            a.mov(x86::r11, to_image ? in_state : in_image);
            a.mov(to_image ? in_image : in_state, x86::r11);
        }
        a.add(x86::edx, 16);
    }
}

/// Returns to host code.
void restore_and_return(x86::Assembler& a)
{
    a.popfq();
    a.pop(x86::rdx);
    a.pop(x86::rax);
    a.ret();
}

constexpr int kPushed = 8 + 3 * 8;  // with the return address

void begin_load(x86::Assembler& a)
{
    a.push(x86::rax);
    a.push(x86::rdx);
    a.pushfq();
}

void refuse_load(x86::Assembler& a, const Label& leave)
{
    a.popfq();
    a.pop(x86::rdx);
    a.pop(x86::rax);
    a.lea(x86::rsp, x86::ptr(x86::rsp, 8));
    a.jmp(leave);
}

void store_sse(x86::Assembler& a, const StubOffsets& offsets, int depth)
{
    a.stmxcsr(cpu(offsets.mxcsr));
    a.ldmxcsr(in_frame(depth, offsetof(Frame, host_mxcsr)));
    for (int i = 0; i < kXmmRegisters; ++i)
        a.movaps(cpu(offsets.xmm + 16 * i), x86::xmm(static_cast<u32>(i)));
    a.mov(x86::eax, 1);
    a.mov(in_frame(depth, offsetof(Frame, sse_absent)), x86::rax);
}

void store_x87(x86::Assembler& a, const StubOffsets& offsets, int depth)
{
    prepare_xsave(a, depth);
    a.xsave(x86::ptr(x86::r9), x86::edx, x86::eax);
    a.fninit();
    a.fldcw(in_frame(depth, offsetof(Frame, host_control)));
    a.mov(in_frame(depth, offsetof(Frame, x87_absent)), x86::rax);  // 1
    a.movzx(x86::eax, x86::word_ptr(x86::r9, kControl));
    a.mov(cpu(offsets.fpu + kFpuControl), x86::ax);
    a.movzx(x86::eax, x86::byte_ptr(x86::r9, kTags));
    a.mov(cpu(offsets.fpu + kFpuFull), x86::al);
    a.movzx(x86::edx, x86::word_ptr(x86::r9, kStatus));
    a.mov(cpu(offsets.fpu + kFpuStatus), x86::dx);
    copy_registers(a, offsets, false);
}

}  // namespace

void load_sse(x86::Assembler& a, const StubOffsets& offsets, const Label& leave)
{
    const Label refuse = a.newLabel();
    begin_load(a);
    a.cmp(x86::byte_ptr(kCpu, offsets.sse_usable), 0);
    a.jz(refuse);
    a.mov(x86::eax, cpu(offsets.mxcsr));
    a.not_(x86::eax);
    a.test(x86::eax, kMxcsrMasks);
    a.jnz(refuse);
    a.stmxcsr(in_frame(kPushed, offsetof(Frame, host_mxcsr)));
    a.ldmxcsr(cpu(offsets.mxcsr));
    for (int i = 0; i < kXmmRegisters; ++i)
        a.movaps(x86::xmm(static_cast<u32>(i)), cpu(offsets.xmm + 16 * i));
    a.mov(x86::eax, 0);
    a.mov(in_frame(kPushed, offsetof(Frame, sse_absent)), x86::rax);
    restore_and_return(a);
    a.bind(refuse);
    refuse_load(a, leave);
}

void load_x87(x86::Assembler& a, const StubOffsets& offsets, const Label& leave)
{
    const Label refuse = a.newLabel();
    begin_load(a);
    a.cmp(x86::byte_ptr(kCpu, offsets.x87_usable), 0);
    a.jz(refuse);
    a.test(x86::word_ptr(kCpu, offsets.fpu + kFpuStatus), FpuState::kEs);
    a.jnz(refuse);
    a.movzx(x86::eax, x86::word_ptr(kCpu, offsets.fpu + kFpuControl));
    a.mov(x86::edx, x86::eax);
    a.not_(x86::edx);
    a.test(x86::edx, kX87Masks);
    a.jnz(refuse);

    a.mov(x86::r9, in_frame(kPushed, offsetof(Frame, state)));
    a.add(x86::r9, offsetof(EntryState, x87));
    a.mov(x86::word_ptr(x86::r9, kControl), x86::ax);
    a.movzx(x86::eax, x86::byte_ptr(kCpu, offsets.fpu + kFpuFull));
    a.mov(x86::byte_ptr(x86::r9, kTags), x86::al);
    a.movzx(x86::edx, x86::word_ptr(kCpu, offsets.fpu + kFpuStatus));
    a.mov(x86::word_ptr(x86::r9, kStatus), x86::dx);
    copy_registers(a, offsets, true);
    a.mov(x86::eax, kX87Component);
    a.mov(x86::edx, 0);
    a.mov(in_frame(kPushed, offsetof(Frame, x87_absent)), x86::rdx);
    a.mov(x86::qword_ptr(x86::r9, kComponents), x86::rax);
    a.fnstcw(in_frame(kPushed, offsetof(Frame, host_control)));
    a.xrstor(x86::ptr(x86::r9), x86::edx, x86::eax);
    restore_and_return(a);
    a.bind(refuse);
    refuse_load(a, leave);
}

void store_fp(x86::Assembler& a, const StubOffsets& offsets, int depth)
{
    const Label no_sse = a.newLabel(), no_x87 = a.newLabel();
    a.cmp(x86::qword_ptr(x86::rsp, depth + static_cast<int>(offsetof(Frame, sse_absent))), 0);
    a.jnz(no_sse);
    store_sse(a, offsets, depth);
    a.bind(no_sse);
    a.cmp(x86::qword_ptr(x86::rsp, depth + static_cast<int>(offsetof(Frame, x87_absent))), 0);
    a.jnz(no_x87);
    store_x87(a, offsets, depth);
    a.bind(no_x87);
}

}  // namespace reprise::jit
