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

; What is drawn once.

draw_near_hills:
        xor bx, bx                              ; column of the page
.column:
        mov ax, bx
        xor dx, dx
        mov cx, PERIOD
        div cx
        mov si, dx
        mov al, [near_outline + si]
        mov [near_page_outline + bx], al
        mov cl, bl
        and cl, 3
        mov ah, 1
        shl ah, cl
        push ax
        mov al, 0x02
        mov dx, VGA_SEQ
        out dx, ax
        pop ax
        mov si, bx
        shr si, 2
        xor cx, cx
.line:
        mov dl, cl
        cmp cl, al
        jb .sky
        sub dl, 120
        shr dl, 1
        add dl, COLOR_NEAR
        jmp .put
.sky:
        mov di, cx
        mov dl, [sky_lines + di]
.put:
        imul di, cx, STRIDE
        add di, si
        mov [es:di + PAGE_A], dl
        mov [es:di + PAGE_B], dl
        inc cx
        cmp cx, LINES
        jb .line
        mov di, bx                              ; no range drawn yet: as if both began at the bottom
        shl di, 1
        mov word [page_outlines + di], LINES << 8 | LINES
        mov word [page_outlines + 480 * 2 + di], LINES << 8 | LINES
        inc bx
        cmp bx, 480
        jb .column
        ret

; The water: waves get closer towards the horizon; a trail of the sun glitters in its own colours.
draw_water:
        xor bx, bx                              ; x
.column:
        mov cl, bl
        and cl, 3
        mov ah, 1
        shl ah, cl
        mov al, 0x02
        mov dx, VGA_SEQ
        out dx, ax
        xor bp, bp                              ; y
.line:
        mov si, bp
        add si, 5
        mov ax, 1200                            ; distance of the line: waves per line fall with depth
        xor dx, dx
        div si
        mov cx, ax
        imul ax, bx, 7                          ; ripples along x, shorter near the horizon
        cwd
        idiv si
        imul dx, bp, 37
        add ax, dx
        add ax, ax
        add ax, ax
        call sin
        sar ax, 5
        add ax, cx
        mov dx, bp                              ; a little grain, so that no two lines are alike
        imul dx, 5
        add ax, dx
        add ax, 60
        xor dx, dx
        mov cx, 15
        div cx
        mov ax, bx                              ; DX = phase of the wave; AX = distance from the sun's trail
        sub ax, SUN_X
        jns .distance
        neg ax
.distance:
        mov cx, bp
        shr cx, 1
        add cx, 10
        sub cx, ax
        mov ax, COLOR_WATER + 14
        sub ax, dx
        add ax, bp                              ; the darker band begins wave by wave
        cmp ax, COLOR_WATER + 38
        mov ax, COLOR_WATER
        jb .band
        add ax, 15
.band:
        cmp cx, 0
        jl .put
        cmp cx, 7
        jg .glitter
        test dl, 1                              ; a ragged edge
        jz .put
.glitter:
        mov ax, COLOR_WATER + 30
.put:
        add ax, dx
        imul di, bp, STRIDE
        mov si, bx
        shr si, 2
        add di, si
        mov [es:di], al
        inc bp
        cmp bp, 60
        jb .line
        inc bx
        cmp bx, 320
        jb .column
        ret

; The outlines: sums of sines for what is near, broken lines for what is far, pines on the nearest.
build_landscape:
        xor bx, bx
.far_and_mid:
        mov ax, bx                              ; far: triangles of period 128 and 64/3, from line 110
        shl ax, 1
        call .triangle
        mov cx, ax
        mov ax, bx
        imul ax, 5
        call .triangle
        shr ax, 1
        add cx, ax
        mov ax, bx
        imul ax, 13
        call .triangle
        shr ax, 2
        add cx, ax
        shr cx, 3
        add cx, 110
        mov [far_outline + bx], cl
        mov ax, bx                              ; middle: rolling
        shr ax, 1
        call sin
        mov cx, ax
        mov ax, bx
        imul ax, 3
        shr ax, 1
        call sin
        sar ax, 1
        add cx, ax
        mov ax, bx
        imul ax, 5
        call sin
        sar ax, 3
        add cx, ax
        sar cx, 4
        add cx, 143
        mov [mid_outline + bx], cl
        inc bx
        cmp bx, 512
        jb .far_and_mid

        xor bx, bx
.near:
        imul ax, bx, 256                        ; one wave in 160 columns
        xor dx, dx
        mov cx, PERIOD
        div cx
        mov si, ax
        call sin
        mov cx, ax
        mov ax, si
        imul ax, 3
        call sin
        sar ax, 1
        add cx, ax
        sar cx, 5
        add cx, 166
        mov [near_outline + bx], cl
        inc bx
        cmp bx, PERIOD
        jb .near
        mov si, .pines
.pine:
        lodsw
        cmp al, 0xFF
        je .done
        mov dh, ah                              ; DH = height, AL = column of its trunk
        movzx di, al
        mov cl, [near_outline + di]
        sub cl, dh                              ; CL = tip
        mov ch, dh
        shr ch, 2                               ; half width at the foot: a quarter of the height
        mov dl, ch
        neg dl
.branch:
        movsx bx, dl
        add bx, di
        jns .not_left
        add bx, PERIOD
.not_left:
        cmp bx, PERIOD
        jb .not_right
        sub bx, PERIOD
.not_right:
        mov al, dl
        test al, al
        jns .positive
        neg al
.positive:
        shl al, 2
        test dl, 1                              ; every other column hangs lower: branches
        jz .smooth
        add al, 2
.smooth:
        add al, cl
        cmp al, [near_outline + bx]
        jae .below
        mov [near_outline + bx], al
.below:
        inc dl
        cmp dl, ch
        jle .branch
        jmp .pine
.done:
        ret
.pines:                                         ; trunk, height
        db  6, 18,  15, 13,  22, 21,  47, 12,  54, 16,  60, 11,  91, 20,  98, 26, 106, 17, 113, 12, 140, 10, 147, 15
        db 0xFF, 0
.triangle:                                      ; AX = 0..127..0 over 256
        test al, 0x80
        jz .rising
        not al
.rising:
        and ax, 0x7F
        ret

; The sky behind the letters: shades, stars, the sun; and the shades alone for all lines.
build_sky:
        push es
        mov ax, SKY_SEG
        mov es, ax
        xor bx, bx
.shade:
        mov ax, bx
        mov cl, 3
        div cl
        mov [sky_lines + bx], al
        inc bx
        cmp bx, LINES
        jb .shade
        xor di, di
.column:
        mov si, sky_lines
        mov cx, 128
        rep movsb
        cmp di, 320 * 128
        jb .column

        mov dword [random_state], 1986
        mov bp, 90
.star:
        mov cx, 320
        call random
        shl ax, 7
        mov di, ax
        mov cx, 60
        call random
        add ax, BAND_TOP
        add di, ax
        mov cx, 4
        call random
        add al, COLOR_STAR
        stosb
        dec bp
        jnz .star

        mov dx, -SUN_RADIUS                     ; the sun, column by column
.sun:
        mov ax, dx
        imul ax, ax
        neg ax
        add ax, SUN_RADIUS * SUN_RADIUS
        movzx eax, ax
        call square_root
        mov cx, ax
        mov di, dx
        add di, SUN_X
        shl di, 7
        add di, SUN_Y
        sub di, cx
        mov bx, SUN_RADIUS
        sub bx, cx
        shl cx, 1
        inc cx
.sun_line:
        mov ax, bx
        shr ax, 2
        add al, COLOR_SUN
        stosb
        inc bx
        loop .sun_line
        inc dx
        cmp dx, SUN_RADIUS
        jle .sun
        pop es
        ret

; While a letter grows it is a picture of one byte per pixel, 64 to a line, with an empty pixel all around.
%define SMALL     (64 + 1)
%define DOUBLE    (SMALL + 64 * 20)
%define QUADRUPLE (DOUBLE + 64 * 36)

; Letters four times the size of the BIOS's 8x16 ones, with round edges: doubled twice by the rule that a corner takes its
; neighbours' colour where they agree and their opposites do not (EPX, Eric Johnston's rule).
build_letters:
        push es
        mov ax, SCALE_SEG
        mov es, ax
        xor di, di
        xor eax, eax
        mov cx, 0x4000
        rep stosd
        xor bx, bx                              ; character - 32
.letter:
        push bx
        lfs si, [font_8x16]
        shl bx, 4
        lea si, [bx + si + 32 * 16]
        mov di, SMALL
        mov cx, 16
.row:
        mov al, [fs:si]
        inc si
        mov dx, 8
.pixel:
        shl al, 1
        setc [es:di]
        inc di
        dec dx
        jnz .pixel
        add di, 64 - 8
        loop .row
        mov si, SMALL
        mov di, DOUBLE
        mov cx, 16 << 8 | 8
        call double_picture
        mov si, DOUBLE
        mov di, QUADRUPLE
        mov cx, 32 << 8 | 16
        call double_picture
        pop bx
        push bx
        call .store
        pop bx
        inc bx
        cmp bx, 96
        jb .letter
        pop es
        ret

.store:                                         ; the 32x64 picture as columns of bits
        mov ax, LETTER_SEG
        mov gs, ax
        shl bx, 8
        mov bp, QUADRUPLE
.column:
        mov di, bp
        mov cx, 64
        xor eax, eax
        xor edx, edx
.bit:
        shrd eax, edx, 1
        shr edx, 1
        cmp byte [es:di], 0
        je .clear
        or edx, 1 << 31
.clear:
        add di, 64
        loop .bit
        mov [gs:bx], eax
        mov [gs:bx + 4], edx
        add bx, 8
        inc bp
        cmp bp, QUADRUPLE + 32
        jb .column
        ret

; Doubles the picture of CL x CH pixels at ES:SI to ES:DI.
double_picture:
.row:
        push cx
        push si
        push di
.pixel:
        mov al, [es:si]
        mov ah, al                              ; upper left, upper right, lower left, lower right: all the pixel
        mov dx, ax
        mov bl, [es:si - 64]                    ; above
        mov bh, [es:si + 64]                    ; below
        push cx
        mov cl, [es:si - 1]                     ; left
        mov ch, [es:si + 1]                     ; right
        cmp bl, bh
        je .flat
        cmp cl, ch
        je .flat
        cmp cl, bl
        jne .1
        mov al, bl
.1:     cmp bl, ch
        jne .2
        mov ah, bl
.2:     cmp cl, bh
        jne .3
        mov dl, bh
.3:     cmp ch, bh
        jne .flat
        mov dh, bh
.flat:
        pop cx
        mov [es:di], ax
        mov [es:di + 64], dx
        inc si
        add di, 2
        dec cl
        jnz .pixel
        pop di
        pop si
        pop cx
        add si, 64
        add di, 128
        dec ch
        jnz .row
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
