; Loads and stores: 64 KB copied dword by dword, unrolled twice, and summed on the way.
%define NAME "copy32"
%define BITS_WANTED 32
%define INSTRUCTIONS 327708
%include "start.inc"

SOURCE  equ HEAP
TARGET  equ HEAP + 0x20000
DWORDS  equ 64 * 1024 / 4

setup:  mov ecx, DWORDS
        mov edi, SOURCE
        mov eax, 99
.fill:  imul eax, eax, 1664525
        add eax, 1013904223
        stosd
        loop .fill
        ret

step:   mov ebp, 4                      ; times
        xor edx, edx
.again: mov esi, SOURCE
        mov edi, TARGET
        mov ecx, DWORDS / 2
.next:  mov eax, [esi]
        mov ebx, [esi + 4]
        add edx, eax
        mov [edi], eax
        add edx, ebx
        mov [edi + 4], ebx
        add esi, 8
        add edi, 8
        dec ecx
        jnz .next
        dec ebp
        jnz .again
        FOLD edx
        ret
