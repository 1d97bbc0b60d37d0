; game_view.asm: the picture of Cascade. It only looks; game.asm has the rules.

; What never changes, composed once in SPARE_SEG: the sky with a fine weave, the well and its frame.
draw_game_background:
        push es
        mov ax, SPARE_SEG
        mov es, ax
        xor di, di
        xor dx, dx                              ; y
.line:
        mov ax, dx
        shr ax, 2
        add al, GAME_SKY
        xor cx, cx
.pixel:
        mov bx, cx                              ; dithered between one shade and the next
        xor bx, dx
        and bx, 1
        shl bx, 1
        mov ah, al
        test dl, 2
        jz .plain
        test bl, 2
        jz .plain
        inc ah
.plain:
        mov [es:di], ah
        inc di
        inc cx
        cmp cx, 320
        jb .pixel
        inc dx
        cmp dx, 200
        jb .line

        mov di, (WELL_Y - 4) * 320 + WELL_X - 4
        mov cx, WELL_W * CELL + 7
        mov dx, 20 * CELL + 7
        mov al, GAME_FRAME
        call fill_rect
        add di, 321
        sub cx, 2
        sub dx, 2
        mov al, GAME_FRAME + 2
        call fill_rect
        add di, 321
        sub cx, 2
        sub dx, 2
        mov al, GAME_FRAME + 1
        call fill_rect
        add di, 321
        sub cx, 2
        sub dx, 2
        mov al, GAME_WELL
        call fill_rect
        mov bx, WELL_Y * 320 + WELL_X + CELL - 1
        mov si, WELL_W - 1
.grid:                                          ; faint lines between the columns
        mov di, bx
        mov cx, 20 * CELL - 1
.dot:
        mov byte [es:di], GAME_WELL_LINE
        add di, 320
        loop .dot
        add bx, CELL
        dec si
        jnz .grid
        pop es
        ret

draw_game:
        push ds
        mov ax, BACK_SEG
        mov es, ax
        mov ax, SPARE_SEG
        mov ds, ax
        xor si, si
        xor di, di
        mov cx, 16000
        rep movsd
        pop ds
        call draw_panels
        cmp byte [game_state], PAUSED           ; no thinking with the clock stopped
        je .pause
        call draw_well
        cmp byte [game_state], PLAYING
        jne .no_shape
        call draw_ghost
        mov bp, .shape_cell
        call each_cell
.no_shape:
        cmp byte [game_state], OVER
        jne .done
        cmp word [state_ms], 900
        jb .done
        mov si, .over_text
        mov di, 80 * 320 + WELL_X + 13
        call draw_big_text
        mov si, .over_text + 5
        mov di, 98 * 320 + WELL_X + 13
        call draw_big_text
        mov si, .again
        mov di, 122 * 320 + WELL_X + 1
        mov ah, GAME_VALUE
        jmp draw_text_8x8
.pause:
        mov si, .pause_text
        mov di, 90 * 320 + WELL_X + 5
        call draw_big_text
.done:
        ret
.shape_cell:
        mov cl, [shape]
        inc cl
        call draw_well_cell
        clc
        ret
.over_text  db "GAME", 0, "OVER", 0
.pause_text db "PAUSE", 0
.again      db "Enter again", 0

; Cell CL (1..7 a shape's colour, 8 grey, 9 white) at AX, DX in the well; the two lines above it are not shown.
draw_well_cell:
        sub dx, 2
        jl .hidden
        call well_place
        jmp draw_cell
.hidden:
        ret

well_place:                                     ; DI = address of cell AX, DX of the visible well
        imul di, dx, CELL * 320
        imul ax, CELL
        add di, ax
        add di, WELL_Y * 320 + WELL_X
        ret

; Cell of colour CL at ES:DI: 8x8 pixels, lit from the upper left.
draw_cell:
        movzx ax, cl
        shl ax, 2
        add al, GAME_CELLS - 4
        mov cx, 8
        mov dx, 8
        call fill_rect                          ; shadow
        inc al
        mov cx, 7
        mov dx, 7
        push ax
        inc al
        call fill_rect                          ; light
        pop ax
        add di, 321
        mov cx, 6
        mov dx, 6
        call fill_rect                          ; body
        sub di, 321
        add al, 2
        mov [es:di], al                         ; glint
        mov [es:di + 1], al
        mov [es:di + 320], al
        ret

draw_well:
        xor bx, bx
        mov dx, 2
.line:
        xor ax, ax
.cell:
        imul si, dx, WELL_W
        add si, ax
        mov cl, [well + si]
        test cl, cl
        jz .empty
        cmp byte [game_state], PLAYING
        je .draw
        call .special
        jc .empty
.draw:
        pusha
        call draw_well_cell
        popa
.empty:
        inc ax
        cmp ax, WELL_W
        jb .cell
        inc dx
        cmp dx, WELL_H
        jb .line
        ret

.special:                                       ; cells that go, cells that turn grey; carry: not to be drawn
        cmp byte [game_state], OVER
        je .over
        movzx si, byte [full_count]
.full:
        dec si
        js .as_it_is
        cmp dl, [full_lines + si]
        jne .full
        mov cl, 9
        push ax                                 ; from the middle outwards, a column per 60 ms
        sub ax, 5
        jns .right
        not ax
.right:
        imul ax, CLEAR_MS / 5
        cmp ax, [state_ms]
        pop ax
        ret
.over:                                          ; grey rises from the ground, a line per 40 ms
        push ax
        mov ax, WELL_H - 1
        sub ax, dx
        imul ax, 40
        cmp ax, [state_ms]
        pop ax
        jae .as_it_is
        mov cl, 8
.as_it_is:
        clc
        ret

; Where the shape would land: its outline.
draw_ghost:
        push word [shape_y]
.fall:
        inc word [shape_y]
        call shape_fits
        jnc .fall
        dec word [shape_y]
        mov bp, .cell
        call each_cell
        pop word [shape_y]
        ret
.cell:
        sub dx, 2
        jl .hidden
        call well_place
        movzx ax, byte [shape]
        shl ax, 2
        add al, GAME_CELLS
        mov cx, 8
        mov dx, 8
        call fill_rect
        add di, 321
        mov al, GAME_WELL
        mov cx, 6
        mov dx, 6
        call fill_rect
.hidden:
        clc
        ret

%macro value 4                                  ; label, x, y, digits; the number is in EAX
        push eax
        mov si, %%label
        mov di, (%3) * 320 + (%2)
        mov ah, GAME_LABEL
        call draw_text_8x8
        pop eax
        mov di, ((%3) + 10) * 320 + (%2)
        mov cx, GAME_VALUE << 8 | (%4)
        call draw_number_8x8
        jmp %%end
%%label db %1, 0
%%end:
%endmacro

draw_panels:
        mov si, .title
        mov di, 10 * 320 + 4
        call draw_title_text
        mov eax, [score]
        value "Score", 12, 40, 7
        mov eax, [high_score]
        cmp eax, [score]
        jae .best
        mov eax, [score]
.best:
        value "Best", 12, 66, 7
        movzx eax, byte [level]
        value "Level", 12, 92, 2
        movzx eax, word [lines]
        value "Lines", 60, 92, 3
        mov si, .hold
        mov di, 122 * 320 + 12
        mov ah, GAME_LABEL
        call draw_text_8x8
        mov al, [held]
        cmp al, 0xFF
        je .nothing_held
        mov di, 136 * 320 + 12
        call draw_preview
.nothing_held:
        mov si, .next
        mov di, 10 * 320 + 224
        mov ah, GAME_LABEL
        call draw_text_8x8
        mov al, [next_shapes]
        mov di, 24 * 320 + 224
        call draw_preview
        mov al, [next_shapes + 1]
        mov di, 50 * 320 + 224
        call draw_preview
        mov al, [next_shapes + 2]
        mov di, 76 * 320 + 224
        call draw_preview
        mov si, .help
        mov di, 112 * 320 + 224
        mov cx, 9
.line:
        push di
        mov ah, GAME_LABEL
        call draw_text_8x8
        pop di
        add di, 9 * 320
        loop .line
        ret
.title  db "CASCADE", 0
.hold   db "Kept", 0
.next   db "Next", 0
.help   db 27, " ", 26, " move", 0
        db 25, "   faster", 0
        db 24, " X turn", 0
        db "Z   back", 0
        db "Spc drop", 0
        db "C   keep", 0
        db "P   pause", 0
        db " ", 0
        db "Esc menu", 0

; Shape AL in its first turn at ES:DI.
draw_preview:
        movzx bx, al
        mov cl, al
        inc cl
        shl bx, 3
        mov bx, [shapes + bx]
        mov ch, 4
        cmp al, 0                               ; the long one lies in the second line of its square
        jne .line
        sub di, CELL * 320 / 2 / 320 * 320
.line:
        mov dx, 4
        push di
.cell:
        shl bx, 1
        jnc .empty
        pusha
        call draw_cell
        popa
.empty:
        add di, CELL
        dec dx
        jnz .cell
        pop di
        add di, CELL * 320
        dec ch
        jnz .line
        ret

; Text in characters twice as large, shaded from top to bottom, with a shadow.
draw_big_text:
        mov dx, 16
        jmp draw_shaded_text
draw_title_text:
        mov dx, 14
draw_shaded_text:                               ; DX = pixels per character
        lodsb
        test al, al
        jz .done
        push si
        push di
        add di, 321
        xor bl, bl
        call draw_large_char
        pop di
        push di
        mov bl, GAME_TITLE
        call draw_large_char
        pop di
        pop si
        add di, dx
        jmp draw_shaded_text
.done:
        ret

draw_large_char:                                ; AL at ES:DI, first shade BL or 0 for black
        push ax
        push dx
        lfs si, [font_8x8]
        movzx ax, al
        shl ax, 3
        add si, ax
        mov dx, 8
.line:
        mov bh, [fs:si]
        inc si
        mov cx, 8
        push di
.pixel:
        shl bh, 1
        jnc .clear
        mov al, bl
        mov ah, bl
        mov [es:di], ax
        mov [es:di + 320], ax
.clear:
        add di, 2
        loop .pixel
        pop di
        add di, 640
        test bl, bl
        jz .black
        add bl, 2
.black:
        dec dx
        jnz .line
        pop dx
        pop ax
        ret

; Colours.

game_palette:
        db GAME_WELL, 1,        2, 3, 7,        2, 3, 7
        db GAME_WELL_LINE, 1,   4, 6, 12,       4, 6, 12
        db GAME_FRAME, 3,       8, 10, 18,      44, 48, 58
        db GAME_LABEL, 1,      38, 42, 54,      38, 42, 54
        db GAME_VALUE, 1,      63, 63, 63,      63, 63, 63
        db GAME_TITLE, 16,     63, 62, 44,      63, 30, 16
%macro cell_colour 4                            ; colour, red, green, blue of the body
        db GAME_CELLS + (%1 - 1) * 4, 2,  %2 / 2, %3 / 2, %4 / 2,   %2, %3, %4
        db GAME_CELLS + (%1 - 1) * 4 + 2, 2,  (%2 + 63) / 2, (%3 + 63) / 2, (%4 + 63) / 2,   63, 63, 63
%endmacro
        cell_colour 1,  8, 48, 56
        cell_colour 2, 58, 48, 10
        cell_colour 3, 42, 20, 56
        cell_colour 4, 18, 50, 18
        cell_colour 5, 58, 14, 18
        cell_colour 6, 14, 26, 60
        cell_colour 7, 60, 30,  6
        cell_colour 8, 20, 21, 26
        cell_colour 9, 60, 61, 63
        db 0, 0

; The sky's lower end takes its colour from the level.
tint_sky:
        mov byte [repaint_sky], 0
        movzx ax, byte [level]
        dec ax
        and ax, 7
        imul si, ax, 3
        mov eax, [.tints + si]
        mov [sky_gradient + 5], ax
        shr eax, 16
        mov [sky_gradient + 7], al
        mov word [sky_gradient], 51 << 8 | GAME_SKY
        mov word [sky_gradient + 2], 2 << 8 | 2
        mov byte [sky_gradient + 4], 8
        mov si, sky_gradient
        jmp write_gradients
.tints  db  8, 14, 34,   6, 24, 28,  22, 10, 34,  34, 10, 18
        db 34, 20,  6,  10, 28, 12,  30, 12, 28,  24, 24, 30, 0
