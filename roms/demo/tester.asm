; tester.asm: every key and every mouse packet, as they come.
;
; A key on the picture lights up while it is held and stays coloured once it has been seen. Below are the bytes themselves:
; scan codes as the 8042 translates them to set 1, and the mouse's packets.

%define LEFT        4                           ; of the main block, columns
%define NAV         51                          ; of the cursor block
%define PAD         65                          ; of the number block
%define CURSOR_NONE 0xFFFF

tester:
        call open_text_screen
        call draw_bars
        panel 1, 2, 15, 76, "Keyboard"
        panel 16, 2, 8, 37, "Bytes from the keyboard"
        panel 16, 41, 8, 37, "Mouse"
        go 24, 2
        ink C_ACCENT, C_PANEL
        say "Esc"
        ink C_DIM, C_PANEL
        say "  menu, when released       Caps, Num and Scroll Lock switch the lamps"
        call draw_mouse_labels
        push es
        push ds
        pop es
        mov di, keys_seen
        mov cx, 256
        xor al, al
        rep stosb
        mov di, keys_drawn
        mov cx, 256
        mov al, 0xFF
        rep stosb
        pop es
        mov word [mouse_x], 320
        mov word [mouse_y], 264
        mov dword [mouse_packets], 0
        mov word [mouse_wheel], 0
        mov word [cursor_place], CURSOR_NONE
        mov byte [lamps], 0
        mov byte [esc_held], 0
        call flush_keys
        call start_mouse
        call set_lamps
.frame:
        mov eax, [now]
        add eax, 15
        push eax
        call hide_cursor
        call draw_keyboard
        call draw_bytes
        call draw_mouse
        call show_cursor
        pop eax
        call wait_until
.key:
        call get_key
        jz .held
        movzx bx, al
        mov byte [keys_seen + bx], 1
        call .lamp
        cmp al, KEY_ESC
        jne .key
        mov byte [esc_held], 1
        jmp .key
.held:
        cmp byte [esc_held], 0
        je .frame
        cmp byte [key_down + KEY_ESC], 0
        jne .frame
        call stop_mouse
        mov byte [lamps], 0
        call set_lamps
        jmp flush_keys

.lamp:                                          ; AL = a key; does it switch a lamp?
        mov ah, 0x01
        cmp al, 0x46                            ; Scroll Lock
        je .switch
        mov ah, 0x02
        cmp al, 0x45                            ; Num Lock
        je .switch
        mov ah, 0x04
        cmp al, 0x3A                            ; Caps Lock
        jne .no_lamp
.switch:
        xor [lamps], ah
        call set_lamps
.no_lamp:
        ret

; Sends [lamps] to the keyboard: bit 0 Scroll, 1 Num, 2 Caps. Its acknowledgements are read here, not by the interrupt.
set_lamps:
        push ax
        cli
        mov al, 0xED
        call data_8042
        call .acknowledged
        mov al, [lamps]
        call data_8042
        call .acknowledged
        sti
        pop ax
        ret
.acknowledged:
        call read_8042
        jc .silent
        cmp al, 0xFA
        jne .acknowledged                       ; a scan code that was on its way
.silent:
        ret

; The picture of the keyboard.

draw_keyboard:
        mov si, key_pictures
.key:
        mov al, [si]
        test al, al
        jz .lamps
        movzx bx, al
        mov al, [keys_seen + bx]
        cmp byte [key_down + bx], 0
        je .state
        mov al, 2
        mov byte [keys_seen + bx], 1
.state:
        cmp al, [keys_drawn + bx]
        je .skip
        mov [keys_drawn + bx], al
        call draw_key
.skip:
        add si, 7
        jmp .key
.lamps:
        go 2, PAD
        mov al, 'N'
        mov ah, 0x02
        call .lamp
        mov al, 'C'
        mov ah, 0x04
        call .lamp
        mov al, 'S'
        mov ah, 0x01
.lamp:
        ink C_LINE, C_PANEL
        test [lamps], ah
        jz .dark
        ink C_GREEN, C_PANEL
.dark:
        push ax
        mov al, 0xFE
        call put_char
        pop ax
        ink C_DIM, C_PANEL
        call put_char
        add di, 4
        ret

; AL = state, SI = its picture: code, row, column, width, three letters. Half blocks make the face one and a half lines high
; and leave half a column to the neighbour.
draw_key:
        push si
        movzx bx, al
        mov bl, [.faces + bx]                   ; BL = face
        movzx ax, byte [si + 1]
        imul ax, 160
        movzx di, byte [si + 2]
        shl di, 1
        add di, ax
        movzx cx, byte [si + 3]
        dec cx
        push di
        push cx
        mov bh, bl
        shl bh, 4
        or bh, C_BRIGHT
        cmp bl, C_ACCENT
        jne .legible
        and bh, 0xF0                            ; dark on the lit face
.legible:
        mov [text_ink], bh
        add si, 4
        mov dx, 3
.letter:
        lodsb
        test al, al
        jz .blank
        call put_char
        dec cx
        dec dx
        jnz .letter
.blank:
        mov al, ' '
        jcxz .edge
        call put_run
.edge:
        mov bh, bl
        or bh, C_PANEL << 4
        mov [text_ink], bh
        mov al, 0xDD
        call put_char
        pop cx
        pop di
        add di, 160
        mov al, 0xDF
        call put_run
        pop si
        ret
.faces  db C_KEY, C_TESTED, C_ACCENT

%macro key 5                                    ; code, row, column, width, letters
        %strlen %%letters %5
        db %1, %2, %3, %4, %5
        times 3 - %%letters db 0
%endmacro
%macro key_row 3-*                              ; first code, row, column, letters of keys three columns wide
        %assign %%code %1
        %define %%row %2
        %assign %%at %3
        %rotate 3
        %rep %0 - 3
        key %%code, %%row, %%at, 3, %1
        %assign %%code %%code + 1
        %assign %%at %%at + 3
        %rotate 1
        %endrep
%endmacro

key_pictures:
        key     0x01, 2, LEFT, 4, "Esc"
        key_row 0x3B, 2, LEFT + 6, "F1", "F2", "F3", "F4"
        key_row 0x3F, 2, LEFT + 20, "F5", "F6", "F7", "F8"
        key     0x43, 2, LEFT + 33, 3, "F9"
        key     0x44, 2, LEFT + 36, 3, "10"
        key     0x57, 2, LEFT + 39, 3, "11"
        key     0x58, 2, LEFT + 42, 3, "12"
        key     0xB7, 2, NAV, 4, "Prt"
        key     0x46, 2, NAV + 4, 4, "Scr"
        key     KEY_PAUSE, 2, NAV + 8, 4, "Pau"

        key_row 0x29, 5, LEFT, "`"
        key_row 0x02, 5, LEFT + 3, "1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "-", "="
        key     0x0E, 5, LEFT + 39, 6, "Bks"
        key     0x0F, 7, LEFT, 5, "Tab"
        key_row 0x10, 7, LEFT + 5, "Q", "W", "E", "R", "T", "Y", "U", "I", "O", "P", "[", "]"
        key     0x2B, 7, LEFT + 41, 4, "\"
        key     0x3A, 9, LEFT, 6, "Cap"
        key_row 0x1E, 9, LEFT + 6, "A", "S", "D", "F", "G", "H", "J", "K", "L", ";", "'"
        key     0x1C, 9, LEFT + 39, 6, "Ent"
        key     0x2A, 11, LEFT, 8, "Shf"
        key_row 0x2C, 11, LEFT + 8, "Z", "X", "C", "V", "B", "N", "M", ",", ".", "/"
        key     0x36, 11, LEFT + 38, 7, "Shf"
        key     0x1D, 13, LEFT, 5, "Ctl"
        key     0xDB, 13, LEFT + 5, 4, "Win"
        key     0x38, 13, LEFT + 9, 4, "Alt"
        key     0x39, 13, LEFT + 13, 17, ""
        key     0xB8, 13, LEFT + 30, 4, "Alt"
        key     0xDC, 13, LEFT + 34, 3, "Wi"
        key     0xDD, 13, LEFT + 37, 3, "Mn"
        key     0x9D, 13, LEFT + 40, 5, "Ctl"

        key     0xD2, 5, NAV, 4, "Ins"
        key     0xC7, 5, NAV + 4, 4, "Hom"
        key     0xC9, 5, NAV + 8, 4, "PgU"
        key     0xD3, 7, NAV, 4, "Del"
        key     0xCF, 7, NAV + 4, 4, "End"
        key     0xD1, 7, NAV + 8, 4, "PgD"
        key     0xC8, 11, NAV + 4, 4, `\x18`
        key     0xCB, 13, NAV, 4, `\x1B`
        key     0xD0, 13, NAV + 4, 4, `\x19`
        key     0xCD, 13, NAV + 8, 4, `\x1A`

        key     0x45, 5, PAD, 3, "Nu"
        key     0xB5, 5, PAD + 3, 3, "/"
        key     0x37, 5, PAD + 6, 3, "*"
        key     0x4A, 5, PAD + 9, 3, "-"
        key_row 0x47, 7, PAD, "7", "8", "9"
        key     0x4E, 7, PAD + 9, 3, "+"
        key_row 0x4B, 9, PAD, "4", "5", "6"
        key_row 0x4F, 11, PAD, "1", "2", "3"
        key     0x9C, 13, PAD + 9, 3, "En"
        key     0x52, 13, PAD, 6, "0"
        key     0x53, 13, PAD + 6, 3, "."
        db 0

; The last thirty bytes, the newest last and brightest.
draw_bytes:
        mov bx, [raw_count]
        sub bx, 30
        mov bp, 3
        go 18, 5
.row:
        push di
        mov cx, 10
.byte:
        ink C_LINE, C_PANEL
        mov ax, 0xFAFA                          ; two dots where no byte has come yet
        test bx, bx
        js .none
        push bx
        and bx, RAW_LOG - 1
        mov al, [raw_log + bx]
        pop bx
        ink C_TEXT, C_PANEL
        test al, 0x80                           ; releases and prefixes
        jz .ink
        ink C_DIM, C_PANEL
        cmp al, 0xE0
        jb .ink
        ink C_VIOLET, C_PANEL
.ink:
        lea dx, [bx + 1]
        cmp dx, [raw_count]
        jne .old
        ink C_ACCENT, C_PANEL
.old:
        call put_hex_byte
        jmp .next
.none:
        call put_char
        call put_char
.next:
        inc bx
        add di, 2
        loop .byte
        pop di
        add di, 160
        dec bp
        jnz .row
        go 22, 5
        ink C_TEXT, C_PANEL
        say "press  "
        ink C_DIM, C_PANEL
        say "release  "
        ink C_VIOLET, C_PANEL
        say "prefix  "
        ink C_ACCENT, C_PANEL
        say "newest"
        ret

; The mouse.

draw_mouse_labels:
        ink C_DIM, C_PANEL
        go 18, 44
        say "Device"
        go 19, 44
        say "Place"
        go 20, 44
        say "Buttons"
        go 21, 44
        say "Packet"
        go 22, 44
        say "Count"
        ret

draw_mouse:
        ink C_TEXT, C_PANEL
        go 18, 53
        cmp byte [mouse_present], 0
        jne .present
        say "no answer on the second port"
        ret
.present:
        cmp byte [mouse_id], 3
        je .wheel
        say "PS/2 mouse, id "
        jmp .id
.wheel:
        say "PS/2 wheel mouse, id "
.id:
        movzx eax, byte [mouse_id]
        call put_number
        go 19, 53
        movzx eax, word [mouse_x]
        call put_number
        say ", "
        movzx eax, word [mouse_y]
        call put_number
        say "  wheel "
        movsx eax, word [mouse_wheel]
        test eax, eax
        jns .positive
        push ax
        mov al, '-'
        call put_char
        pop ax
        neg eax
.positive:
        call put_number
        say "   "
        go 20, 53
        mov ah, 1
        mov si, .left
        call .button
        mov ah, 4
        mov si, .middle
        call .button
        mov ah, 2
        mov si, .right
        call .button
        ink C_TEXT, C_PANEL
        go 21, 53
        mov si, mouse_packet
        movzx cx, byte [mouse_size]
.byte:
        lodsb
        call put_hex_byte
        add di, 2
        loop .byte
        go 22, 53
        mov eax, [mouse_packets]
        jmp put_number
.button:
        ink C_TEXT, C_KEY
        test [mouse_buttons], ah
        jz .up
        ink C_BACK, C_ACCENT
.up:
        call put_text
        add di, 2
        ret
.left   db " Left ", 0
.middle db " Middle ", 0
.right  db " Right ", 0

; The pointer is a character cell with its colours exchanged.
show_cursor:
        cmp byte [mouse_present], 0
        je .none
        mov ax, [mouse_y]
        shr ax, 4
        imul di, ax, 160
        mov ax, [mouse_x]
        shr ax, 3
        shl ax, 1
        add di, ax
        mov [cursor_place], di
        mov al, [es:di + 1]
        mov [cursor_under], al
        mov byte [es:di + 1], ON(C_BACK, C_WHITE)
.none:
        ret

hide_cursor:
        mov di, [cursor_place]
        cmp di, CURSOR_NONE
        je .none
        mov al, [cursor_under]
        mov [es:di + 1], al
.none:
        ret

        section memory
cursor_place    resw 1
keys_seen       resb 256
keys_drawn      resb 256                        ; state on the screen: 0 not seen, 1 seen, 2 held
cursor_under    resb 1
lamps           resb 1
esc_held        resb 1
        section program
