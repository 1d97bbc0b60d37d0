; CRC-64 (ECMA-182, reflected) with a table of 256 entries over 64 KB: a chain of loads, XOR and
; shifts of 64 bits.
%define NAME "crc64"
%define BITS_WANTED 64
%define INSTRUCTIONS 524298
%include "start.inc"

TABLE   equ HEAP
DATA    equ HEAP + 0x1000
SIZE    equ 64 * 1024

setup:  mov r8, 0xC96C5795D7870F42
        xor ebx, ebx                    ; the table
.entry: mov rax, rbx
        mov ecx, 8
.bit:   shr rax, 1
        jnc .zero
        xor rax, r8
.zero:  loop .bit
        mov [TABLE + rbx * 8], rax
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
        mov [rdi], dl
        inc rdi
        loop .byte
        ret

step:   mov esi, DATA
        mov ecx, SIZE
        mov rax, -1
.next:  movzx edx, byte [rsi]
        movzx ebx, al
        xor ebx, edx
        shr rax, 8
        xor rax, [TABLE + rbx * 8]
        inc rsi
        dec ecx
        jnz .next
        not rax
        FOLD eax
        shr rax, 32
        FOLD eax
        ret
