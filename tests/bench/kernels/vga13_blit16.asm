; Mode 13h, frame by frame: REP STOSD prepares a picture in RAM, REP MOVSD copies it to the screen.
%define NAME "vga13_blit16"
%define BITS_WANTED 16
%define INSTRUCTIONS 80040
%include "start.inc"

FRAME_SEGMENT equ 0x2000
FRAME_DWORDS equ 320 * 200 / 4

setup:  mov ax, 0x13
        int 0x10
        ret

step:   mov ax, FRAME_SEGMENT
        mov es, ax
        mov eax, [steps]
        imul eax, eax, 0x01010101
        xor di, di
        mov cx, FRAME_DWORDS
        rep stosd
        push es
        pop ds
        mov ax, 0xA000
        mov es, ax
        mov dx, 4                       ; frames shown for one prepared
.frame: xor si, si
        xor di, di
        mov cx, FRAME_DWORDS
        rep movsd
        dec dx
        jnz .frame
        xor ax, ax
        mov ds, ax
        mov eax, [es:4 * (FRAME_DWORDS - 1)]
        FOLD eax
        ret
