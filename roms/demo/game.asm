; game.asm: Cascade, a game of falling blocks in mode 13h.
;
; Seven shapes of four cells fall into a well of 10x20; full lines go, and every ten of them the fall gets faster. Shapes come
; in shuffled bags of seven, may be turned against walls (they step aside), kept for later, and show where they would land.
; All timing is in milliseconds of guest time. The best score is kept on the disk, in the last sector before the FAT.

%define WELL_W      10
%define WELL_H      22                          ; two lines above the visible twenty
%define CELL         9                          ; pixels
%define WELL_X     115
%define WELL_Y      10

%define FALL_FASTEST 15                         ; levels in the table of speeds
%define SOFT_DROP_MS 40
%define LOCK_MS     500                         ; a shape that lies may still be moved this long
%define LOCK_MOVES   15                         ; and this often
%define SHIFT_DELAY 170                         ; sideways repeat: first, then
%define SHIFT_MS     45
%define CLEAR_MS    300

%define GAME_SKY      1                         ; 50 shades, tinted by the level
%define GAME_WELL    52
%define GAME_WELL_LINE 53
%define GAME_FRAME   54                         ; 3 shades
%define GAME_LABEL   58
%define GAME_VALUE   59
%define GAME_TITLE   60                         ; 16 shades
%define GAME_CELLS   80                         ; 7 shapes of 4 shades: shadow, body, light, glint; then grey, then white

; What is going on.
%define PLAYING      0
%define CLEARING     1
%define PAUSED       2
%define OVER         3

game:
        call open_mode_13h
        mov si, game_palette
        call write_gradients
        call draw_game_background
        call new_game
.frame:
        call draw_game
        call wait_frame
        push eax
        cmp byte [repaint_sky], 0
        je .same_sky
        call tint_sky
.same_sky:
        call show_back_buffer
        pop eax
        cmp eax, 50                             ; a machine too slow for the retrace gets a slower game, not a jumping one
        jbe .elapsed
        mov eax, 50
.elapsed:
        mov [elapsed], ax
        call flush_keys
        cmp byte [key_hits + KEY_ESC], 0
        jne .done
        movzx bx, byte [game_state]
        shl bx, 1
        call [.states + bx]
        jmp .frame
.done:
        call keep_high_score
        call clear_hits
        jmp silence
.states dw play, clear_lines, paused, over

new_game:
        push es
        push ds
        pop es
        mov di, game_start                      ; everything to zero
        mov cx, game_end - game_start
        xor al, al
        rep stosb
        pop es
        mov eax, [now]                          ; chance is when the person pressed the key
        mov [random_state], eax
        mov byte [level], 1
        mov byte [held], 0xFF
        mov byte [bag_left], 0
        mov byte [repaint_sky], 1
        mov cx, 3
.next:
        push cx
        call draw_from_bag
        pop cx
        mov bx, 3
        sub bx, cx
        mov [next_shapes + bx], al
        loop .next
        mov si, sound_start
        call start_effect
        call clear_hits
        jmp next_shape

clear_hits:
        push es
        push ds
        pop es
        mov di, key_hits
        mov cx, 256
        xor al, al
        rep stosb
        pop es
        jmp flush_keys

; AL = the next shape of the bag; an empty bag is filled and shuffled (Fisher and Yates).
draw_from_bag:
        cmp byte [bag_left], 0
        jne .take
        mov bx, 6
.fill:
        mov [bag + bx], bl
        dec bx
        jns .fill
        mov bx, 6
.shuffle:
        lea cx, [bx + 1]
        call random
        mov si, ax
        mov al, [bag + bx]
        xchg al, [bag + si]
        mov [bag + bx], al
        dec bx
        jnz .shuffle
        mov byte [bag_left], 7
.take:
        dec byte [bag_left]
        movzx bx, byte [bag_left]
        mov al, [bag + bx]
        ret

next_shape:
        mov al, [next_shapes]
        mov bx, [next_shapes + 1]
        mov [next_shapes], bx
        push ax
        call draw_from_bag
        mov [next_shapes + 2], al
        pop ax
        mov byte [hold_used], 0

enter_shape:                                    ; AL = shape
        mov [shape], al
        mov byte [turn], 0
        mov word [shape_x], 3
        mov word [shape_y], 1
        mov byte [lock_moves], 0
        mov word [lock_left], LOCK_MS
        call fall_time
        mov [fall_left], ax
        call shape_fits
        jnc .fits
        mov byte [game_state], OVER
        mov word [state_ms], 0
        mov si, sound_over
        call start_effect
        call keep_high_score
.fits:
        ret

; AX = milliseconds per line at this level.
fall_time:
        movzx bx, byte [level]
        cmp bx, FALL_FASTEST
        jbe .table
        mov bx, FALL_FASTEST
.table:
        shl bx, 1
        mov ax, [.times - 2 + bx]
        ret
.times  dw 800, 700, 600, 510, 430, 360, 300, 240, 190, 150, 120, 95, 75, 60, 48

; Carry set if the shape, as it stands, touches a wall or another cell.
shape_fits:
        mov bp, .test
        jmp each_cell
.test:
        cmp ax, WELL_W                          ; unsigned: below 0 is far right
        jae .hit
        cmp dx, WELL_H
        jae .hit
        imul di, dx, WELL_W
        add di, ax
        cmp byte [well + di], 1                 ; carry if it is 0
        cmc
        ret
.hit:
        stc
        ret

; Calls BP for each cell of the shape with AX, DX = its place in the well; stops when it returns carry set.
each_cell:
        movzx bx, byte [shape]
        shl bx, 2
        add bl, [turn]
        shl bx, 1
        mov bx, [shapes + bx]
        mov dx, [shape_y]
        mov ch, 4
.line:
        mov ax, [shape_x]
        mov cl, 4
.cell:
        shl bx, 1
        jnc .empty
        push ax
        push bx
        push cx
        push dx
        call bp
        pop dx
        pop cx
        pop bx
        pop ax
        jc .done
.empty:
        inc ax
        dec cl
        jnz .cell
        inc dx
        dec ch
        jnz .line
        clc
.done:
        ret

; 4x4 cells, the top line in the top four bits; four turns each: I, O, T, S, Z, J, L.
shapes:
        dw 0x0F00, 0x2222, 0x00F0, 0x4444
        dw 0x6600, 0x6600, 0x6600, 0x6600
        dw 0x4E00, 0x4640, 0x0E40, 0x4C40
        dw 0x6C00, 0x4620, 0x06C0, 0x8C40
        dw 0xC600, 0x2640, 0x0C60, 0x4C80
        dw 0x8E00, 0x6440, 0x0E20, 0x44C0
        dw 0x2E00, 0x4460, 0x0E80, 0xC440

; Playing.

play:
        mov bx, KEY_P
        call hit
        jnc .no_pause
        mov byte [game_state], PAUSED
        jmp silence
.no_pause:
        mov bx, KEY_C
        call hit
        jnc .no_hold
        call hold_shape
.no_hold:
        mov bx, KEY_UP
        call hit
        jc .right_turn
        mov bx, KEY_X
        call hit
        jnc .no_right_turn
.right_turn:
        mov al, 1
        call turn_shape
.no_right_turn:
        mov bx, KEY_Z
        call hit
        jnc .no_left_turn
        mov al, 3
        call turn_shape
.no_left_turn:
        mov bx, KEY_LEFT
        mov dx, -1
        mov si, shift_left_ms
        call sideways
        mov bx, KEY_RIGHT
        mov dx, 1
        mov si, shift_right_ms
        call sideways
        mov bx, KEY_SPACE
        call hit
        jc hard_drop

        inc word [shape_y]                      ; lying on something?
        call shape_fits
        dec word [shape_y]                      ; keeps carry
        jc .lying
        mov ax, [elapsed]
        sub [fall_left], ax
        cmp byte [key_down + KEY_DOWN], 0
        je .fall
        cmp word [fall_left], SOFT_DROP_MS
        jle .fall
        mov word [fall_left], SOFT_DROP_MS
.fall:
        cmp word [fall_left], 0
        jg .done
        call fall_time
        cmp byte [key_down + KEY_DOWN], 0
        je .by_itself
        inc dword [score]
        cmp ax, SOFT_DROP_MS
        jbe .by_itself
        mov ax, SOFT_DROP_MS
.by_itself:
        add [fall_left], ax
        inc word [shape_y]
        mov word [lock_left], LOCK_MS
        inc word [shape_y]
        call shape_fits
        dec word [shape_y]
        jc .done                                ; it lies now
        cmp word [fall_left], 0                 ; fast levels fall several lines a frame
        jle .fall
.done:
        ret
.lying:
        mov ax, [elapsed]
        sub [lock_left], ax
        jle lock_shape
        ret

; Carry set if key BX has been pressed since the last time it was asked for.
hit:
        cmp byte [key_hits + bx], 1
        cmc
        jnc .no
        dec byte [key_hits + bx]
        stc
.no:
        ret

; Moves by DX when key BX is hit, and repeatedly while it is held; SI = its countdown.
sideways:
        call hit
        jnc .held
        mov word [si], SHIFT_DELAY
        jmp .move
.held:
        cmp byte [key_down + bx], 0
        je .done
        mov ax, [elapsed]
        sub [si], ax
        jg .done
        add word [si], SHIFT_MS
.move:
        add [shape_x], dx
        push dx
        call shape_fits
        pop dx
        jnc .moved
        sub [shape_x], dx
.done:
        ret
.moved:
        mov si, sound_move
        call start_effect

; A shape that lies gets its time anew when it is moved, but not for ever.
touch_lock:
        cmp byte [lock_moves], LOCK_MOVES
        jae .no
        inc byte [lock_moves]
        mov word [lock_left], LOCK_MS
.no:
        ret

; Turns by AL quarters; where that does not fit, one or two cells aside or one up.
turn_shape:
        mov ah, [turn]
        push word [shape_x]
        push word [shape_y]
        push ax
        add al, ah
        and al, 3
        mov [turn], al
        mov si, .steps
.try:
        push si
        call shape_fits
        pop si
        jnc .fits
        lodsw
        add [shape_x], ax
        lodsw
        add [shape_y], ax
        cmp si, .steps_end
        jb .try
        pop ax
        mov [turn], ah
        pop word [shape_y]
        pop word [shape_x]
        ret
.fits:
        add sp, 6
        mov si, sound_turn
        call start_effect
        jmp touch_lock
.steps:                                         ; from one attempt to the next
        dw -1, 0,  2, 0,  -1, -1,  -2, 1,  4, 0
        dw 0, 0
.steps_end:

hold_shape:
        cmp byte [hold_used], 0
        jne .no
        mov al, [shape]
        xchg al, [held]
        cmp al, 0xFF
        jne .swap
        call next_shape
        jmp .used
.swap:
        call enter_shape
.used:
        mov byte [hold_used], 1
        mov si, sound_turn
        call start_effect
.no:
        ret

hard_drop:
.fall:
        inc word [shape_y]
        call shape_fits
        jc .ground
        add dword [score], 2
        jmp .fall
.ground:
        dec word [shape_y]

; The shape becomes part of the well; full lines are marked and start to go.
lock_shape:
        mov bp, .put
        call each_cell
        mov si, sound_lock
        call start_effect
        mov byte [full_count], 0
        xor bx, bx
.line:
        imul si, bx, WELL_W
        mov cx, WELL_W
.cell:
        cmp byte [well + si], 0
        je .gap
        inc si
        loop .cell
        movzx di, byte [full_count]
        mov [full_lines + di], bl
        inc byte [full_count]
.gap:
        inc bx
        cmp bx, WELL_H
        jb .line
        cmp byte [full_count], 0
        je next_shape
        mov byte [game_state], CLEARING
        mov word [state_ms], 0
        mov si, sound_lines
        cmp byte [full_count], 4
        jb .sound
        mov si, sound_four
.sound:
        jmp start_effect
.put:
        imul di, dx, WELL_W
        add di, ax
        mov al, [shape]
        inc al
        mov [well + di], al
        clc
        ret

clear_lines:
        mov ax, [elapsed]
        add [state_ms], ax
        cmp word [state_ms], CLEAR_MS
        jb .done
        push es
        push ds
        pop es
        xor bp, bp
.line:                                          ; everything above a full line moves down by one
        movzx bx, byte [full_lines + bp]
        imul cx, bx, WELL_W
        mov di, cx
        add di, well + WELL_W - 1
        mov si, di
        sub si, WELL_W
        std
        rep movsb
        cld
        mov di, well
        mov cx, WELL_W
        xor al, al
        rep stosb
        inc bp
        mov ax, bp
        cmp al, [full_count]
        jb .line
        pop es
        movzx bx, byte [full_count]
        add [lines], bx
        shl bx, 1
        movzx eax, word [.points - 2 + bx]
        movzx ecx, byte [level]
        mul ecx
        add [score], eax
        mov ax, [lines]
        xor dx, dx
        mov cx, 10
        div cx
        inc ax
        cmp al, [level]
        je .same_level
        mov [level], al
        mov byte [repaint_sky], 1
        mov si, sound_level
        call start_effect
.same_level:
        mov byte [game_state], PLAYING
        jmp next_shape
.done:
        ret
.points dw 100, 300, 500, 800

paused:
        mov bx, KEY_P
        call hit
        jnc .still
        call clear_hits
        mov byte [game_state], PLAYING
.still:
        ret

over:
        mov ax, [elapsed]
        add [state_ms], ax
        cmp word [state_ms], 4000
        jb .counting
        mov word [state_ms], 4000
.counting:
        mov bx, KEY_ENTER
        call hit
        jc new_game
        mov bx, KEY_ENTER + 0x80
        call hit
        jc new_game
        ret

; The best score. The sector holds a mark and the number; a disk that cannot be written keeps its old one.

load_high_score:
        call score_sector_read
        jc .none
        push es
        mov ax, BACK_SEG
        mov es, ax
        cmp dword [es:0], "CASC"
        jne .other
        mov eax, [es:4]
        mov [high_score], eax
        mov [saved_score], eax
.other:
        pop es
.none:
        ret

keep_high_score:
        mov eax, [score]
        cmp eax, [high_score]
        jbe .no_record
        mov [high_score], eax
.no_record:
        mov eax, [high_score]
        cmp eax, [saved_score]
        je .done
        mov [saved_score], eax                  ; tried once per record, whatever comes of it
        push es
        mov dx, BACK_SEG
        mov es, dx
        xor di, di
        mov cx, SECTOR / 4
        push eax
        xor eax, eax
        rep stosd
        pop eax
        mov dword [es:0], "CASC"
        mov [es:4], eax
        pop es
        mov byte [score_service], 0x03          ; INT 13h, write
        jmp score_sector
.done:
        ret

score_sector_read:
        mov byte [score_service], 0x02          ; INT 13h, read

score_sector:                                   ; carry set on failure
        cmp byte [boot_disk], 2                 ; the layout is a floppy's
        cmc
        jc .failed
        push es
        mov byte [score_tries], 3
.try:
        mov ax, BACK_SEG                        ; a buffer that crosses no 64 KiB line
        mov es, ax
        xor bx, bx
        mov ah, [score_service]
        mov al, 1
        mov cx, (SCORE_SECTOR / 36) << 8 | (SCORE_SECTOR % 18 + 1)
        mov dh, SCORE_SECTOR / 18 % 2
        mov dl, [boot_disk]
        int 0x13
        jnc .done
        xor ah, ah
        mov dl, [boot_disk]
        int 0x13
        dec byte [score_tries]
        jnz .try
        stc
.done:
        pop es
.failed:
        ret

; Sounds.

sound_move:     db 6
                dw HZ(420)
                db 0
sound_turn:     db 8
                dw HZ(620)
                db 8
                dw HZ(780)
                db 0
sound_lock:     db 12
                dw HZ(170)
                db 20
                dw HZ(110)
                db 0
sound_lines:    db 45
                dw HZ(523)
                db 45
                dw HZ(659)
                db 45
                dw HZ(784)
                db 90
                dw HZ(1047)
                db 0
sound_four:     db 40
                dw HZ(523)
                db 40
                dw HZ(784)
                db 40
                dw HZ(659)
                db 40
                dw HZ(1047)
                db 40
                dw HZ(784)
                db 40
                dw HZ(1319)
                db 140
                dw HZ(1568)
                db 0
sound_level:    db 70
                dw HZ(784)
                db 70
                dw HZ(988)
                db 70
                dw HZ(1175)
                db 140
                dw HZ(1568)
                db 0
sound_start:    db 60
                dw HZ(392)
                db 60
                dw HZ(523)
                db 110
                dw HZ(784)
                db 0
sound_over:     db 140
                dw HZ(392)
                db 140
                dw HZ(370)
                db 140
                dw HZ(349)
                db 250
                dw HZ(262)
                db 250
                dw HZ(131)
                db 0

        section memory
        alignb 4
high_score      resd 1
saved_score     resd 1                          ; what the disk has
game_start:
score           resd 1
lines           resw 1
shape_x         resw 1
shape_y         resw 1
fall_left       resw 1                          ; ms to the next line
lock_left       resw 1                          ; ms a lying shape may still move
shift_left_ms   resw 1
shift_right_ms  resw 1
elapsed         resw 1                          ; ms of the last frame
state_ms        resw 1                          ; since the state began
game_state      resb 1
level           resb 1
shape           resb 1
turn            resb 1
held            resb 1                          ; shape kept for later, or FFh
hold_used       resb 1
lock_moves      resb 1
bag             resb 7
bag_left        resb 1
next_shapes     resb 3
full_lines      resb 4
full_count      resb 1
well            resb WELL_W * WELL_H
game_end:
sky_gradient    resb 10
repaint_sky     resb 1
score_service   resb 1
score_tries     resb 1
        section program
