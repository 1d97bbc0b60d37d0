; Pointer chase: 16384 nodes, 64 bytes apart (1 MB), in an order that jumps from page to page.
%define NAME "chase64"
%define BITS_WANTED 64
%define INSTRUCTIONS 163849
%include "start.inc"

NODES   equ 16384                       ; a power of two
NODE    equ 64

setup:  xor ecx, ecx
.link:  imul eax, ecx, 1664525          ; a full-period generator visits every node
        add eax, 1013904223
        and eax, NODES - 1
        shl eax, 6
        add eax, HEAP
        mov edx, ecx
        shl edx, 6
        mov [HEAP + rdx], rax
        mov [HEAP + rdx + 8], rcx
        inc ecx
        cmp ecx, NODES
        jb .link
        ret

step:   mov esi, HEAP
        mov ecx, 2 * NODES
        xor eax, eax
.next:  add rax, [rsi + 8]
        rol rax, 1
        mov rsi, [rsi]
        dec ecx
        jnz .next
        FOLD eax
        ret
