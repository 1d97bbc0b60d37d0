; Mode 13h, pixel by pixel: a byte store for each pixel of the screen, then a column of byte reads.
%define NAME "vga13_pixels16"
%define BITS_WANTED 16
%define INSTRUCTIONS 322206
%include "start.inc"

WIDTH   equ 320
HEIGHT  equ 200

setup:  mov ax, 0x13
        int 0x10
        mov ax, 0xA000
        mov es, ax
        ret

step:   xor di, di
        mov bl, [steps]                 ; the picture changes with every frame
        xor dx, dx
.line:  mov cx, WIDTH
        mov ax, dx
        add al, bl
.pixel: mov [es:di], al
        inc ax
        inc di
        dec cx
        jnz .pixel
        inc dx
        cmp dx, HEIGHT
        jb .line

        xor eax, eax
        mov di, 7
.read:  add al, [es:di]
        rol eax, 3
        add di, WIDTH
        cmp di, WIDTH * (HEIGHT - 1)
        jb .read
        FOLD eax
        ret
