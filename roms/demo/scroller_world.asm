; scroller_world.asm: what the scroller computes and draws once: hills, water, outlines, sky, letters.

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
