; 64-bit integer code: the sieve of Eratosthenes over 128 KB, then a sum over the flags.
%define NAME "sieve64"
%define BITS_WANTED 64
%define INSTRUCTIONS 2206497
%include "start.inc"

SIZE    equ 128 * 1024
ROOT    equ 363

setup:  ret

step:   mov edi, HEAP
        mov ecx, SIZE
.fill:  mov byte [rdi], 1
        inc rdi
        dec ecx
        jnz .fill

        mov ebx, HEAP
        mov esi, 2
.prime: cmp byte [rbx + rsi], 0
        je .next
        mov rax, rsi
        imul rax, rax
.strike:
        mov byte [rbx + rax], 0
        add rax, rsi
        cmp rax, SIZE
        jb .strike
.next:  inc rsi
        cmp rsi, ROOT
        jb .prime

        xor r8d, r8d
        xor esi, esi
.sum:   movzx eax, byte [rbx + rsi]
        add r8, rax
        inc rsi
        cmp rsi, SIZE
        jb .sum
        FOLD r8d
        ret
