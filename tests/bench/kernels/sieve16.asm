; 16-bit integer code in real mode: the sieve of Eratosthenes, then a bitwise CRC-16 of its flags.
; Byte and word ALU, short branches, LOOP, MUL, LODSB, a data segment of its own.
%define NAME "sieve16"
%define BITS_WANTED 16
%define INSTRUCTIONS 328691
%include "start.inc"

FLAGS_SEGMENT equ 0x2000
SIZE    equ 16384
ROOT    equ 128

setup:  ret

step:   mov ax, FLAGS_SEGMENT
        mov ds, ax
        xor di, di
        mov cx, SIZE
.fill:  mov byte [di], 1
        inc di
        loop .fill

        mov si, 2
.prime: cmp byte [si], 0
        je .next
        mov ax, si
        mul si
        mov di, ax
.strike:
        mov byte [di], 0
        add di, si
        cmp di, SIZE
        jb .strike
.next:  inc si
        cmp si, ROOT
        jb .prime

        mov dx, 0xFFFF                  ; CRC-16/CCITT
        xor si, si
        mov cx, 4096
.byte:  lodsb
        xor dh, al
        mov bl, 8
.bit:   shl dx, 1
        jnc .zero
        xor dx, 0x1021
.zero:  dec bl
        jnz .bit
        loop .byte

        xor ax, ax
        mov ds, ax
        movzx eax, dx
        FOLD eax
        ret
