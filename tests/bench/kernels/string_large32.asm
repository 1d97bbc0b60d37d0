; Long string instructions: REP STOSD of 64 KB and REP MOVSD of 64 KB.
%define NAME "string_large32"
%define BITS_WANTED 32
%define INSTRUCTIONS 262217
%include "start.inc"

SOURCE  equ HEAP
TARGET  equ HEAP + 0x20000
DWORDS  equ 64 * 1024 / 4

setup:  ret

step:   mov ebx, 8
        mov eax, [steps]
.again: mov edi, SOURCE
        mov ecx, DWORDS
        rep stosd
        mov esi, SOURCE
        mov edi, TARGET
        mov ecx, DWORDS
        rep movsd
        inc eax
        dec ebx
        jnz .again
        mov eax, [TARGET + 4 * (DWORDS - 1)]
        FOLD eax
        ret
