; CRC-32 with a table of 256 entries over 64 KB: a chain of loads, XOR and shifts.
%define NAME "crc32"
%define BITS_WANTED 32
%define INSTRUCTIONS 524298
%include "start.inc"

TABLE   equ HEAP
DATA    equ HEAP + 0x1000
SIZE    equ 64 * 1024

setup:  xor ebx, ebx                    ; the table
.entry: mov eax, ebx
        mov ecx, 8
.bit:   shr eax, 1
        jnc .zero
        xor eax, 0xEDB88320
.zero:  loop .bit
        mov [TABLE + ebx * 4], eax
        inc ebx
        cmp ebx, 256
        jb .entry

        mov edi, DATA                   ; arbitrary bytes
        mov ecx, SIZE
        mov eax, 1
.byte:  imul eax, eax, 1664525
        add eax, 1013904223
        mov edx, eax
        shr edx, 24
        mov [edi], dl
        inc edi
        loop .byte
        ret

step:   mov esi, DATA
        mov ecx, SIZE
        mov eax, -1
.next:  movzx edx, byte [esi]
        movzx ebx, al
        xor ebx, edx
        shr eax, 8
        xor eax, [TABLE + ebx * 4]
        inc esi
        dec ecx
        jnz .next
        not eax
        FOLD eax
        ret
