; INVLPG: one page changes between two frames, with a few accesses in between.
%define NAME "invlpg32"
%define BITS_WANTED 32
%define INSTRUCTIONS 200010
%define PAGING
%include "start.inc"

ROUNDS  equ 20000
WINDOW  equ HEAP + 0x100000
ENTRY   equ PAGE_TABLES + (WINDOW >> 12) * 4

setup:  ret

step:   mov ecx, ROUNDS
        mov ebx, WINDOW
        mov edi, HEAP + PAGE
        xor edx, edx
.next:  mov [ENTRY], edi
        invlpg [ebx]
        add edx, [ebx]
        inc dword [ebx]
        add edx, [ebx + 64]
        mov [ebx + 128], edx
        add [ebx + 64], ecx
        xor edi, 0x1000
        dec ecx
        jnz .next
        FOLD edx
        ret
