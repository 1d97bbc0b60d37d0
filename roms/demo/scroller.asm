; scroller.asm: mode X, big letters over an evening landscape.
;
; The 256-colour mode with its planes unchained gives 256 KiB of video memory and 240 lines, and the CRTC then does most of
; the moving:
;
;   lines   0..179   a window into one of two pages 480 pixels wide. The near hills repeat every 160 pixels, so moving the
;                    window (start address for four pixels, pixel panning for one) scrolls them for ever without drawing.
;   lines 180..239   the split screen: the line compare register restarts the address at 0, where the water lies. Only its
;                    palette moves.
;
; The pages flip. The CPU draws into the hidden one: letters against the sky, column by column, and those pixels of the two
; distant ranges whose outline has moved.
;
; Video memory, per plane:  0 water (60 lines)   7200 page A (180 lines)   28800 page B (180 lines)   50400 end

%define STRIDE      120                         ; bytes per line and plane: 480 pixels
%define PERIOD      160                         ; of the near hills; the window moves this far
%define LINES       180                         ; of a page
%define PAGE_A      7200
%define PAGE_B      28800

%define BAND_TOP    20                          ; the letters' part of the sky
%define BAND_LINES  88
%define LETTER_W    32
%define LETTER_H    64
%define WAVE        12                          ; how far letters swing: BAND_LINES = LETTER_H + 2 * WAVE

%define SKY_SEG     SPARE_SEG                   ; the sky, column after column, 128 bytes each
%define LETTER_SEG  0x4000                      ; letters: 32 columns of 64 bits
%define SCALE_SEG   BACK_SEG                    ; for enlarging them

%define COLOR_SKY     0                         ; 60 shades, one per three lines
%define COLOR_FAR    60                         ; 32 shades each, one per two lines
%define COLOR_MID    92
%define COLOR_NEAR  124
%define COLOR_LETTER 156                        ; 32 shades from top to bottom
%define COLOR_SUN   188                         ; 16 shades
%define COLOR_STAR  204                         ; 4 shades
%define COLOR_SHADOW 208
%define COLOR_WATER 210                         ; 3 bands of 15 that cycle

%define SUN_X       236
%define SUN_Y        74
%define SUN_RADIUS   31

scroller:
        call build_letters
        call build_landscape
        call build_sky
        call open_mode_x
        call draw_water
        call draw_near_hills
        mov dword [scroll_x], 0
        mov word [letter_x], -320
        mov word [hidden_page], PAGE_B
        mov eax, [now]
        mov [frame_start], eax
        call flush_keys
.frame:
        call draw_hidden_page
        call show_hidden_page                   ; EAX = milliseconds of the last frame
        add eax, 8
        xor edx, edx
        mov ecx, 17
        div ecx
        test eax, eax
        jnz .steps
        inc eax
.steps:                                         ; EAX = frames of 60 Hz that have passed
        add [scroll_x], eax
        add [wave_phase], ax
        shl ax, 1
        add ax, [letter_x]
        cmp ax, (letter_text_end - letter_text) * LETTER_W
        jl .next
        mov ax, -320
.next:
        mov [letter_x], ax
        call get_key
        jz .frame
        cmp al, KEY_ESC
        jne .frame
        ret

letter_text:
        db "HELLO!  This landscape scrolls by the CRTC's start address and pixel panning, the water is a split screen "
        db "with a cycling palette, and only these letters and the far mountains are drawn by the CPU.   "
        db "If you missed a word, rewind.   Esc leads back."
letter_text_end:

; The mode.

; 320x240 after mode 13h: chain-4 off, the 480-line timing, byte addressing.
open_mode_x:
        mov ax, 0x0013
        int 0x10
        mov si, scroller_palette
        call write_gradients
        mov dx, VGA_SEQ
        mov ax, 0x0604                          ; memory mode: chain-4 off
        out dx, ax
        mov ax, 0x0100                          ; synchronous reset while the clock changes
        out dx, ax
        mov dx, VGA_MISC
        mov al, 0xE3                            ; 25 MHz, 480 lines
        out dx, al
        mov dx, VGA_SEQ
        mov ax, 0x0300
        out dx, ax
        mov dx, VGA_CRTC
        mov al, 0x11                            ; unlock registers 0..7
        out dx, al
        inc dx
        in al, dx
        and al, 0x7F
        out dx, al
        dec dx
        mov si, .crtc
        mov cx, (.crtc_end - .crtc) / 2
.register:
        lodsw
        out dx, ax
        loop .register
        mov dx, VGA_STATUS                      ; attribute mode control: panning stops at the line compare
        in al, dx
        mov dx, 0x3C0
        mov al, 0x10 | 0x20
        out dx, al
        mov al, 0x61
        out dx, al
        mov ax, 0xA000                          ; all four planes of all of it to colour 0
        mov es, ax
        mov dx, VGA_SEQ
        mov ax, 0x0F02
        out dx, ax
        xor di, di
        xor eax, eax
        mov cx, 0x4000
        rep stosd
        ret
.crtc:
        dw 0x0D06                               ; vertical total
        dw 0x3E07                               ; overflow; bit 4 is line compare bit 8
        dw 0x0109                               ; each line twice; line compare bit 9 = 0
        dw 0xEA10                               ; retrace start
        dw 0xAC11                               ; retrace end, lock
        dw 0xDF12                               ; display end
        dw (STRIDE / 2) << 8 | 0x13             ; offset, in words
        dw 0x0014                               ; no doubleword mode
        dw 0xE715                               ; blank start
        dw 0x0616                               ; blank end
        dw 0xE317                               ; byte mode
        dw ((LINES * 2 - 1) & 0xFF) << 8 | 0x18 ; line compare
        dw PAGE_A & 0xFF00 | 0x0C
        dw (PAGE_A & 0xFF) << 8 | 0x0D
.crtc_end:

; Lets the CRTC show the page just drawn, through a window at [window_x], from the next frame on.
show_hidden_page:
        mov bx, [window_x]
        shr bx, 2
        add bx, [hidden_page]
        mov dx, VGA_CRTC
        mov al, 0x0C
        mov ah, bh
        out dx, ax
        mov al, 0x0D
        mov ah, bl
        out dx, ax
        call wait_frame
        push eax
        mov dx, VGA_STATUS                      ; the attribute controller's flip-flop to "index"
        in al, dx
        mov dx, 0x3C0
        mov al, 0x13 | 0x20                     ; pixel panning counts half pixels in this mode
        out dx, al
        mov al, [window_x]
        and al, 3
        shl al, 1
        out dx, al
        mov ax, PAGE_A ^ PAGE_B
        xor [hidden_page], ax
        call cycle_water
        pop eax
        ret

; Drawing.

; Draws what has changed into the hidden page: letters, far range, middle range. Planes are the outer loop, because choosing
; one takes a port access.
draw_hidden_page:
        mov eax, [scroll_x]
        xor edx, edx
        mov ecx, PERIOD
        div ecx
        mov [window_x], dx
        mov ax, 0xA000
        mov es, ax
        mov ax, SKY_SEG
        mov fs, ax
        mov ax, LETTER_SEG
        mov gs, ax
        xor cl, cl
.plane:
        mov dx, VGA_SEQ
        mov al, 0x02                            ; map mask
        mov ah, 1
        shl ah, cl
        out dx, ax
        movzx ax, cl
        sub ax, [window_x]
        and ax, 3
        mov [column], ax                        ; the first column of the screen that lies in this plane
.column:
        mov ax, [column]
        add ax, [window_x]
        mov [page_column], ax
        push cx
        call draw_letter_column
        call draw_ranges_column
        pop cx
        add word [column], 4
        cmp word [column], 320
        jb .column
        inc cl
        cmp cl, 4
        jb .plane
        ret

; One column of the letters' band, sky included.
draw_letter_column:
        mov di, [page_column]
        shr di, 2
        add di, [hidden_page]
        add di, BAND_TOP * STRIDE
        mov si, [column]
        shl si, 7
        add si, BAND_TOP

        mov ax, [column]                        ; the wave: 12 + 12 * sin
        shr ax, 1
        add ax, [wave_phase]
        add ax, [wave_phase]
        call sin
        imul ax, WAVE
        sar ax, 7
        add ax, WAVE
        mov cx, ax
        neg ax
        add ax, 2 * WAVE
        push ax
        call .sky

        mov ax, [column]                        ; which letter, which column of it
        add ax, [letter_x]
        mov bx, ax
        shr bx, 5
        xor ebp, ebp
        cmp bx, letter_text_end - letter_text
        jae .no_letter
        movzx bx, byte [letter_text + bx]
        sub bx, 32
        shl bx, 8
        and ax, LETTER_W - 1
        shl ax, 3
        add bx, ax
        mov edx, [gs:bx]
        mov [letter_bits], edx
        mov edx, [gs:bx + 4]
        mov [letter_bits + 4], edx
        cmp ax, 3 * 8                           ; the shadow is the letter three columns earlier, three lines lower
        jb .no_shadow
        mov eax, [gs:bx - 3 * 8]
        mov edx, [gs:bx - 3 * 8 + 4]
        shld edx, eax, 3
        shl eax, 3
        jmp .shadow
.no_shadow:
        xor eax, eax
        xor edx, edx
.shadow:
        mov [shadow_bits], edx
        mov ebp, eax
        mov ebx, [letter_bits]
        mov dx, COLOR_LETTER << 8
        mov cx, 32
        call .half
        mov ebp, [shadow_bits]
        mov ebx, [letter_bits + 4]
        mov cx, 32
        call .half
        pop cx
        jmp .sky
.no_letter:
        pop cx
        add cx, LETTER_H

.sky:                                           ; CX lines of sky alone
        jcxz .end
.sky_line:
        mov al, [fs:si]
        inc si
        mov [es:di], al
        add di, STRIDE
        dec cx
        jnz .sky_line
.end:
        ret

.half:                                          ; 32 lines: EBX = letter, EBP = shadow, DH = shade, DL its fraction
        mov al, [fs:si]
        inc si
        shr ebp, 1
        jnc .lit
        mov al, COLOR_SHADOW
.lit:
        shr ebx, 1
        jnc .behind
        mov al, dh
.behind:
        mov [es:di], al
        add di, STRIDE
        add dx, 0x80
        dec cx
        jnz .half
        ret

; The distant ranges in one column: only the lines between the outline this page had and the one it gets.
draw_ranges_column:
        mov ebx, [scroll_x]
        shr ebx, 1
        mov cx, bx
        add bx, [column]
        and bx, 511
        mov dh, [mid_outline + bx]
        shr cx, 1
        mov bx, cx
        add bx, [column]
        and bx, 511
        mov dl, [far_outline + bx]              ; DL = far top, DH = middle top
        mov bx, [page_column]
        mov al, [near_page_outline + bx]
        mov [near_top], al
        mov si, page_outlines
        cmp word [hidden_page], PAGE_A
        je .page
        add si, 480 * 2
.page:
        shl bx, 1
        mov ax, [si + bx]
        cmp ax, dx
        je .same
        mov [si + bx], dx
        push ax
        mov ah, dl                              ; far: from AL to AH
        call .span
        pop ax
        mov al, ah
        mov ah, dh
        jmp .span
.same:
        ret

.span:                                          ; the lines between AL and AH, in whatever order
        cmp al, ah
        je .same
        jb .ordered
        xchg al, ah
.ordered:
        cmp ah, [near_top]
        jbe .clipped
        mov ah, [near_top]
.clipped:
        movzx si, al
        mov cl, ah
        sub cl, al
        jbe .same_span
        imul di, si, STRIDE
        add di, [hidden_page]
        mov ax, [page_column]
        shr ax, 2
        add di, ax
.line:
        mov ax, si
        cmp al, dh
        jae .middle
        cmp al, dl
        jae .far
        mov al, [sky_lines + si]
        jmp .put
.far:
        sub al, 100
        shr al, 1
        add al, COLOR_FAR
        jmp .put
.middle:
        sub al, 110
        shr al, 1
        add al, COLOR_MID
.put:
        mov [es:di], al
        add di, STRIDE
        inc si
        dec cl
        jnz .line
.same_span:
        ret

; Colours.

scroller_palette:
        db COLOR_SKY, 20,         4,  3, 18,   18,  8, 34
        db COLOR_SKY + 20, 15,   18,  8, 34,   50, 20, 34
        db COLOR_SKY + 35, 25,   50, 20, 34,   63, 46, 26
        db COLOR_FAR, 32,        34, 18, 38,   52, 32, 36
        db COLOR_MID, 32,        20, 10, 30,   34, 20, 32
        db COLOR_NEAR, 32,        4,  3, 12,   12,  6, 18
        db COLOR_LETTER, 14,     63, 63, 63,   34, 54, 63
        db COLOR_LETTER + 14, 2, 10, 22, 44,   12, 26, 50
        db COLOR_LETTER + 16, 16, 20, 34, 58,  63, 63, 63
        db COLOR_SUN, 16,        63, 60, 36,   63, 34, 22
        db COLOR_STAR, 4,        30, 26, 44,   58, 56, 63
        db COLOR_SHADOW, 1,       4,  2, 12,    4,  2, 12
        db 0, 0

; The water's colours run around within each band of fifteen, six steps a second.
cycle_water:
        mov eax, [now]
        xor edx, edx
        mov ecx, 60
        div ecx
        xor edx, edx
        mov ecx, 15
        div ecx
        mov bp, dx
        mov dx, 0x3C8
        mov al, COLOR_WATER
        out dx, al
        inc dx
        mov si, .bands
.band:
        xor bx, bx
.colour:
        mov ax, bx                              ; a wave over the fifteen colours, running
        add ax, bp
        imul ax, 17
        push dx
        call sin
        add ax, 128
        mov cx, ax                              ; 0..255
        pop dx
        mov di, 3
.channel:
        mov al, [si + 3]
        sub al, [si]
        mul cl
        mov al, ah
        add al, [si]
        out dx, al
        inc si
        dec di
        jnz .channel
        sub si, 3
        inc bx
        cmp bx, 15
        jb .colour
        add si, 6
        cmp si, .bands_end
        jb .band
        ret
.bands:                                         ; trough, crest
        db 24, 12, 30,  44, 26, 38
        db  8,  6, 22,  24, 16, 36
        db 40, 20, 28,  63, 54, 36
.bands_end:

        section memory
        alignb 4
scroll_x          resd 1                        ; of the near hills, in pixels
letter_bits       resd 2
shadow_bits       resd 1
letter_x          resw 1                        ; of the screen's left edge in the text
wave_phase        resw 1
window_x          resw 1
hidden_page       resw 1
column            resw 1
page_column       resw 1
page_outlines     resw 2 * 480                  ; per page and column: far top, middle top
far_outline       resb 512
mid_outline       resb 512
near_outline      resb PERIOD
near_page_outline resb 480
sky_lines         resb LINES
near_top          resb 1
        section program
