; Mode 12h, planar memory with latches: a fill through set/reset (write mode 0), single pixels with
; the bit mask (write mode 2, a read before each write), and a latched copy (write mode 1).
%define NAME "vga12_planar16"
%define BITS_WANTED 16
%define INSTRUCTIONS 184063
%include "start.inc"

LINE    equ 80                          ; bytes
GRAPHICS equ 0x3CE                      ; graphics controller: index, then data

%macro SET_GRAPHICS 2                   ; register, value; dx is GRAPHICS
        mov ax, (%2) << 8 | (%1)
        out dx, ax
%endmacro

setup:  mov ax, 0x12
        int 0x10
        mov ax, 0xA000
        mov es, ax
        ret

step:   mov dx, GRAPHICS
        SET_GRAPHICS 5, 0               ; write mode 0
        SET_GRAPHICS 8, 0xFF            ; bit mask: all
        SET_GRAPHICS 1, 0x0F            ; set/reset enabled in all planes
        mov ah, [steps]
        and ah, 15
        mov al, 0                       ; the colour
        out dx, ax
        xor di, di
        mov cx, LINE * 200
.fill:  mov [es:di], al
        inc di
        dec cx
        jnz .fill

        SET_GRAPHICS 1, 0
        SET_GRAPHICS 5, 2               ; write mode 2: the byte written is the colour
        mov cx, 4000
        mov di, 5
        mov bx, 0x8005                  ; bit in bh, colour in bl
.pixel: mov ah, bh
        mov al, 8
        out dx, ax
        mov al, [es:di]                 ; fills the latches
        mov [es:di], bl
        ror bh, 1
        inc bl
        add di, 3
        dec cx
        jnz .pixel

        SET_GRAPHICS 5, 1               ; write mode 1: the latches go to all planes
        xor si, si
        mov di, LINE * 200
        mov cx, LINE * 200
        push ds
        push es
        pop ds
        rep movsb
        pop ds

        SET_GRAPHICS 5, 0               ; read mode 0
        xor ebx, ebx
        mov cx, 3                       ; planes 3 to 0
.plane: mov ah, cl
        mov al, 4                       ; read map select
        out dx, ax
        mov si, LINE * 200
.read:  add bl, [es:si]
        rol ebx, 1
        inc si
        cmp si, LINE * 240
        jb .read
        dec cx
        jns .plane
        FOLD ebx
        ret
