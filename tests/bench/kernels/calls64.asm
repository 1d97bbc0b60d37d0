; Calls and returns: Fibonacci's numbers by their definition, with the frame and the saved registers
; that compilers make.
%define NAME "calls64"
%define BITS_WANTED 64
%define INSTRUCTIONS 1344662
%include "start.inc"

setup:  ret

step:   mov edi, 23
        call fibonacci
        FOLD eax
        ret

fibonacci:                              ; of rdi, in rax
        push rbp
        mov rbp, rsp
        push rbx
        push r12
        mov rax, rdi
        cmp rdi, 2
        jb .done
        mov rbx, rdi
        lea rdi, [rbx - 1]
        call fibonacci
        mov r12, rax
        lea rdi, [rbx - 2]
        call fibonacci
        add rax, r12
.done:  pop r12
        pop rbx
        pop rbp
        ret
