#include "tests/cpu/vector_host.h"

#if defined(__x86_64__) && defined(__linux__)

#include <ucontext.h>

asm(R"(
    .text
    .globl reprise_test_trampoline
    .type reprise_test_trampoline, @function
reprise_test_trampoline:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rsi
    push %rdi
    ldmxcsr 456(%rdi)
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps 16*\i(%rdi), %xmm\i
    .endr
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    movq 256+8*\i(%rdi), %mm\i
    .endr
    pushq 448(%rdi)
    popfq
    mov 320(%rdi), %rax
    mov 328(%rdi), %rcx
    mov 336(%rdi), %rdx
    mov 344(%rdi), %rbx
    mov 360(%rdi), %rbp
    mov 368(%rdi), %rsi
    .irp i, 8, 9, 10, 11, 12, 13, 14, 15
    mov 320+8*\i(%rdi), %r\i
    .endr
    mov 376(%rdi), %rdi
    call *8(%rsp)
    push %rdi
    mov 8(%rsp), %rdi
    mov %rax, 320(%rdi)
    mov %rcx, 328(%rdi)
    mov %rdx, 336(%rdi)
    mov %rbx, 344(%rdi)
    mov %rbp, 360(%rdi)
    mov %rsi, 368(%rdi)
    .irp i, 8, 9, 10, 11, 12, 13, 14, 15
    mov %r\i, 320+8*\i(%rdi)
    .endr
    pushfq
    popq 448(%rdi)
    popq 376(%rdi)
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movaps %xmm\i, 16*\i(%rdi)
    .endr
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    movq %mm\i, 256+8*\i(%rdi)
    .endr
    stmxcsr 456(%rdi)
    emms
    cld
    pushq $0x1F80
    ldmxcsr (%rsp)
    add $24, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
    .size reprise_test_trampoline, . - reprise_test_trampoline
)");

namespace reprise::host {

namespace {

volatile Outcome outcome;
volatile u8 length_of_present;

void skip(int signal, siginfo_t*, void* context)
{
    outcome = signal == SIGILL ? Outcome::Undefined : Outcome::SimdException;
    static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] += length_of_present;
}

}  // namespace

SkipExceptions::SkipExceptions()
{
    struct sigaction action = {};
    action.sa_sigaction = skip;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGFPE, &action, &before_fpe_);
    sigaction(SIGILL, &action, &before_ill_);
}

SkipExceptions::~SkipExceptions()
{
    sigaction(SIGFPE, &before_fpe_, nullptr);
    sigaction(SIGILL, &before_ill_, nullptr);
}

Outcome SkipExceptions::run(Registers& registers, const u8* code, u8 length)
{
    outcome = Outcome::Done;
    length_of_present = length;
    reprise_test_trampoline(&registers, code);
    return outcome;
}

}  // namespace reprise::host

#endif
