; plasma.asm: mode 13h, two moving windows and a palette that never rests.
;
; A picture of 512x400 heights (rings and bent waves, 0..126) is computed once. Each frame lays two 320x200 windows of it
; over each other, each drifting along its own Lissajous curve, and adds them: four pixels per 32-bit addition, which never
; carries from one pixel into the next because 126 + 126 fits a byte. Colour is left to the palette, computed anew each frame.

%define PLASMA_WIDTH   512
%define PLASMA_HEIGHT  400
%define PLASMA_SEG     0x2000
%define PLASMA_ROW     (PLASMA_WIDTH / 16)      ; paragraphs: rows have their own segments
%define PLASMA_STYLES  4

plasma:
        call open_mode_13h
        mov byte [plasma_hint], 200             ; frames that the hint stays
        call compute_plasma
        call draw_plasma_hint
        call flush_keys
.frame:
        call compute_plasma_palette
        call wait_frame
        push eax
        mov si, plasma_palette
        xor al, al
        mov cx, 253                             ; 253 is the hint's background, 255 its text
        call write_dac
        pop eax
        add [plasma_time], eax
        call draw_plasma
        call get_key
        jz .frame
        cmp al, KEY_ESC
        je .done
        cmp al, KEY_SPACE
        jne .frame
        inc byte [plasma_style]
        and byte [plasma_style], PLASMA_STYLES - 1
        jmp .frame
.done:
        ret

draw_plasma_hint:
        mov al, 253
        mov si, .colours
        mov cx, 3
        call write_dac
        push es
        mov ax, 0xA000
        mov es, ax
        mov di, 187 * 320
        mov al, 253
        mov cx, 13 * 320
        rep stosb
        mov di, 190 * 320 + 8
        mov ah, 255
        mov si, .text
        call draw_text_8x8
        pop es
        ret
.text   db "Space: colours    Esc: menu", 0
.colours db 0, 0, 0,  0, 0, 0,  63, 63, 63

compute_plasma:
        push es
        mov ax, PLASMA_SEG
        mov es, ax
        xor dx, dx                              ; y
.row:
        xor di, di
.pixel:
        mov ax, di                              ; rings: the distance from the middle
        sub ax, PLASMA_WIDTH / 2
        movsx ebx, ax
        imul ebx, ebx
        mov ax, dx
        sub ax, PLASMA_HEIGHT / 2
        movsx eax, ax
        imul eax, eax
        add eax, ebx
        shl eax, 2
        call square_root
        imul ax, 3
        shr ax, 2
        call sin
        mov cx, ax
        mov ax, dx                              ; waves along x, bent by a wave along y
        shl ax, 1
        call sin
        sar ax, 1
        add ax, di
        mov bx, dx
        shr bx, 1
        add ax, bx
        call sin
        add ax, cx                              ; -254..254
        sar ax, 2
        add ax, 64
        cmp al, 126                             ; twice that is the last colour of the palette's own
        jbe .fits
        mov al, 126
.fits:
        stosb
        cmp di, PLASMA_WIDTH
        jb .pixel
        mov ax, es
        add ax, PLASMA_ROW
        mov es, ax
        inc dx
        cmp dx, PLASMA_HEIGHT
        jb .row
        pop es
        ret

; The windows' corners: AX = middle + reach * sin(time / speed).
%macro drift 3                                  ; shift of the time, phase, reach of the movement in both directions
        mov eax, [plasma_time]
        shr eax, %1
        add al, %2
        call sin
        imul ax, %3
        sar ax, 7
        add ax, %3
%endmacro

draw_plasma:
        drift 5, 0, 95
        mov si, ax
        drift 6, 64, 99
        imul ax, PLASMA_ROW
        add ax, PLASMA_SEG
        mov bp, ax
        drift 6, 150, 95
        mov bx, ax
        drift 5, 30, 99
        imul ax, PLASMA_ROW
        add ax, PLASMA_SEG
        mov fs, ax

        mov dx, 200
        cmp byte [plasma_hint], 0
        je .all
        dec byte [plasma_hint]
        mov dx, 187
.all:
        push ds
        mov ax, 0xA000
        mov es, ax
        mov ds, bp
        xor di, di
.row:
        mov cx, 80
.four:
        mov eax, [si]
        add eax, [fs:bx]
        stosd
        add si, 4
        add bx, 4
        dec cx
        jnz .four
        sub si, 320
        sub bx, 320
        mov ax, ds
        add ax, PLASMA_ROW
        mov ds, ax
        mov ax, fs
        add ax, PLASMA_ROW
        mov fs, ax
        dec dx
        jnz .row
        pop ds
        ret

; Each channel is 32 + 31 * sin(frequency * colour + phase), and the phases run at different speeds.
compute_plasma_palette:
        push es
        push ds
        pop es
        mov di, plasma_palette
        movzx si, byte [plasma_style]
        imul si, 6
        add si, plasma_styles
        mov eax, [plasma_time]
        shr eax, 4
        mov dx, ax                              ; DL, DH, BH: phases
        shr ax, 1
        add dl, [si + 3]
        mov dh, al
        add dh, [si + 4]
        neg al
        mov bh, al
        add bh, [si + 5]
        mov cx, 256
.colour:
        movzx ax, dl
        call .channel
        movzx ax, dh
        call .channel
        movzx ax, bh
        call .channel
        add dl, [si]
        add dh, [si + 1]
        add bh, [si + 2]
        loop .colour
        pop es
        ret
.channel:
        call sin
        imul ax, 31
        sar ax, 7
        add al, 32
        stosb
        ret

plasma_styles:                                  ; frequencies of red, green, blue; phases
        db 1, 1, 2,   0,  40, 128
        db 2, 1, 1,   0, 128,  90
        db 2, 2, 2,   0,  30,  60
        db 3, 1, 2,  64,   0, 192

        section memory
        alignb 4
plasma_time     resd 1
plasma_palette  resb 768
plasma_style    resb 1
plasma_hint     resb 1
        section program
