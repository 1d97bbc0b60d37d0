#include "tests/cpu/host_oracle/host_entry.h"

#if defined(__x86_64__) && defined(__linux__)

#include <cstddef>

using reprise::oracle::EntryRegisters;
using reprise::oracle::Exit;

static_assert(offsetof(EntryRegisters, set_bases) == 8 && offsetof(EntryRegisters, fs_base) == 16 &&
              offsetof(EntryRegisters, gs_base) == 24 && offsetof(EntryRegisters, ds) == 32);
static_assert(offsetof(Exit, ds) == 0 && offsetof(Exit, es) == 2 && offsetof(Exit, fs) == 4 &&
              offsetof(Exit, gs) == 6 && offsetof(Exit, signal) == 8 &&
              offsetof(Exit, context) == 16);

extern "C" {
Exit reprise_oracle_exit;
reprise::u64 reprise_oracle_fs_base;
}

// System calls by number: 15 rt_sigreturn, 158 arch_prctl with 1001 ARCH_SET_GS and 1002
// ARCH_SET_FS. Nothing between the loads of the segment registers and the end uses FS or the stack
// of the test.
asm(R"(
    .text
    .globl reprise_oracle_enter
    .type reprise_oracle_enter, @function
reprise_oracle_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, reprise_oracle_rsp(%rip)
    mov %rdi, %rbx
    mov 32(%rbx), %eax
    mov %ax, %ds
    shr $16, %eax
    mov %ax, %es
    mov 36(%rbx), %eax
    mov %ax, %fs
    shr $16, %eax
    mov %ax, %gs
    cmpq $0, 8(%rbx)
    je 1f
    mov $158, %eax
    mov $0x1002, %edi
    mov 16(%rbx), %rsi
    syscall
    mov $158, %eax
    mov $0x1001, %edi
    mov 24(%rbx), %rsi
    syscall
1:  mov (%rbx), %rsp
    mov $15, %eax
    syscall
    ud2
    .size reprise_oracle_enter, . - reprise_oracle_enter

    .globl reprise_oracle_handler
    .type reprise_oracle_handler, @function
reprise_oracle_handler:
    pushq $2
    popfq
    mov %ds, reprise_oracle_exit(%rip)
    mov %es, 2+reprise_oracle_exit(%rip)
    mov %fs, 4+reprise_oracle_exit(%rip)
    mov %gs, 6+reprise_oracle_exit(%rip)
    mov %edi, 8+reprise_oracle_exit(%rip)
    mov %rdx, 16+reprise_oracle_exit(%rip)
    mov $158, %eax
    mov $0x1002, %edi
    mov reprise_oracle_fs_base(%rip), %rsi
    syscall
    mov reprise_oracle_rsp(%rip), %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
    .size reprise_oracle_handler, . - reprise_oracle_handler

    .local reprise_oracle_rsp
    .comm reprise_oracle_rsp, 8, 8
)");

#endif
