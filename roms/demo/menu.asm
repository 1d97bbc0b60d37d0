; menu.asm: the first page: the logo, the choice, and this machine in a few lines.

%define MENU_ITEMS 6
%define LOGO_TOP   2
%define LOGO_LEFT  8

menu:
        call silence
        call open_text_screen
        call gather_facts
        call draw_bars
        call draw_logo
        call draw_machine_panel
        go 24, 2
        ink C_ACCENT, C_PANEL
        say 0x18, 0x19, " Enter"
        ink C_DIM, C_PANEL
        say "  choose      "
        ink C_ACCENT, C_PANEL
        say "1", 0xC4, "6"
        ink C_DIM, C_PANEL
        say "  start at once      "
        ink C_ACCENT, C_PANEL
        say "Esc"
        ink C_DIM, C_PANEL
        say "  back here from anywhere"
        call flush_keys
        call draw_items
        mov eax, [now]
        mov [menu_next], eax

.idle:
        hlt
        call get_key
        jnz .key
        mov eax, [now]
        cmp eax, [menu_next]
        js .idle
        add dword [menu_next], 33
        inc word [menu_phase]
        call colour_logo
        mov al, [menu_phase]                    ; the clocks, four times a second
        and al, 7
        jnz .idle
        call draw_clock
        call draw_uptime
        jmp .idle

.key:
        cmp al, KEY_UP
        je .up
        cmp al, KEY_DOWN
        je .down
        cmp al, KEY_ENTER
        je .enter
        cmp al, KEY_ENTER + 0x80
        je .enter
        sub al, KEY_1
        cmp al, MENU_ITEMS
        jae .idle
        mov [menu_item], al
.enter:
        call draw_items
        movzx bx, byte [menu_item]
        shl bx, 1
        call [menu_scenes + bx]
        jmp menu
.up:
        dec byte [menu_item]
        jns .moved
        mov byte [menu_item], MENU_ITEMS - 1
        jmp .moved
.down:
        inc byte [menu_item]
        cmp byte [menu_item], MENU_ITEMS
        jb .moved
        mov byte [menu_item], 0
.moved:
        call draw_items
        jmp .idle

menu_scenes     dw facts, plasma, scroller, tune, tester, game

menu_texts:
        db "System facts", 0,        "what the BIOS and the CPU say", 0
        db "Plasma", 0,              "mode 13h and a living palette", 0
        db "Big letters", 0,         "mode X, page flips, panning", 0
        db "Two tunes", 0,           "Bach and Petzold for one voice", 0
        db "Keyboard and mouse", 0,  "every key, every packet", 0
        db "Cascade", 0,             "falling blocks; mind the time", 0

draw_items:
        panel 10, 2, 14, 39, "Start"
        mov si, menu_texts
        xor cl, cl
.item:
        mov al, cl
        mov ah, 160
        shl al, 1
        add al, 11
        mul ah
        add ax, 4 * 2
        mov di, ax
        mov bl, ON(C_DIM, C_PANEL)
        mov bh, ON(C_BRIGHT, C_PANEL)
        mov dl, ON(C_ACCENT, C_PANEL)
        cmp cl, [menu_item]
        jne .plain
        mov bl, ON(C_TEXT, C_SELECT)
        mov bh, ON(C_BRIGHT, C_SELECT)
        mov dl, ON(C_ACCENT, C_SELECT)
        call .bar
.plain:
        mov [text_ink], dl
        push di
        mov al, ' '
        call put_char
        mov al, cl
        add al, '1'
        call put_char
        mov al, ' '
        call put_char
        call put_char
        mov [text_ink], bh
        call put_text
        pop di
        add di, 160 + 4 * 2
        mov [text_ink], bl
        call put_text
        inc cl
        cmp cl, MENU_ITEMS
        jb .item
        ret
.bar:
        push di
        push cx
        mov [text_ink], bl
        mov al, ' '
        mov cx, 35
        call put_run
        add di, 160 - 35 * 2
        mov cx, 35
        call put_run
        pop cx
        pop di
        ret

; The logo is drawn in half characters: the upper half block's two colours make two square pixels of each cell. Every row
; of pixels has its own colour register, and colour_logo lets a rainbow run through the registers.
draw_logo:
        mov si, logo
        mov bx, LOGO_TOP * 160 + LOGO_LEFT * 2
.letter:
        mov dx, 0x0808                          ; colours of the cell's two rows: 8..15, ten rows sharing eight
        mov bp, 5
        mov di, bx
.cells:
        movzx ax, byte [.row_colours - 1 + bp]
        mov dl, al
        shr al, 4
        and dl, 0x0F
        mov dh, al                              ; DH = upper colour, DL = lower
        lodsw                                   ; AL = upper row of pixels, AH = lower
        mov cx, 8
.cell:
        push ax
        push dx
        test al, al
        js .upper
        mov dh, C_BACK
.upper:
        test ah, ah
        js .lower
        mov dl, C_BACK
.lower:
        mov ah, dl
        shl ah, 4
        or ah, dh
        mov al, 0xDF
        stosw
        pop dx
        pop ax
        shl ax, 1
        and ah, 0xFE                            ; the lower row's shift must not take the upper row's top bit
        loop .cell
        add di, 160 - 16
        dec bp
        jnz .cells
        add bx, 18
        cmp si, logo_end
        jb .letter
        go 8, 15
        ink C_DIM, C_BACK
        say "a PC you can rewind, fork and hand to someone else"
        ret
.row_colours    db 0xEF, 0xDE, 0xBC, 0x9A, 0x89 ; from the bottom up

; Two rows of pixels per word, the upper one in the low byte.
logo:
%macro logo_letter 10
        db %1, %2, %3, %4, %5, %6, %7, %8, %9, %10
%endmacro
%macro logo_r 0
        logo_letter 11111110b, 11111111b, 11000011b, 11000011b, 11111111b, 11111110b, 11011000b, 11001100b, 11000110b, 11000011b
%endmacro
%macro logo_e 0
        logo_letter 11111111b, 11111111b, 11000000b, 11000000b, 11111100b, 11111100b, 11000000b, 11000000b, 11111111b, 11111111b
%endmacro
        logo_r
        logo_e
        logo_letter 11111110b, 11111111b, 11000011b, 11000011b, 11111111b, 11111110b, 11000000b, 11000000b, 11000000b, 11000000b
        logo_r
        logo_letter 01111110b, 01111110b, 00011000b, 00011000b, 00011000b, 00011000b, 00011000b, 00011000b, 01111110b, 01111110b
        logo_letter 01111111b, 11111111b, 11000000b, 11000000b, 11111110b, 01111111b, 00000011b, 00000011b, 11111111b, 11111110b
        logo_e
logo_end:

colour_logo:
        mov cx, 8
        xor bp, bp
        mov dx, 0x3C8
        mov al, 8
        out dx, al
        inc dx
.colour:
        mov bl, [menu_phase]
        shl bl, 1
        mov ax, bp
        mov ah, 9
        mul ah
        add bl, al
        mov bh, 40                              ; red, green, blue: sines a third of a turn apart, brightened
.channel:
        mov al, bl
        call sin
        imul ax, 21
        sar ax, 7
        add al, bh
        out dx, al
        add bl, 85
        cmp bh, 42
        je .next
        inc bh
        jmp .channel
.next:
        inc bp
        loop .colour
        ret

draw_machine_panel:
        panel 10, 43, 14, 35, "This machine"
        ink C_DIM, C_PANEL
%assign row 11
%macro fact 1
        go row, 45
        ink C_DIM, C_PANEL
        say %1
        go row, 54
        ink C_TEXT, C_PANEL
        %assign row row + 1
%endmacro
        go row, 45
        ink C_BRIGHT, C_PANEL
        call put_cpu_name
        %assign row row + 2
        fact "Clock"
        call put_clock_rate
        fact "Memory"
        mov eax, [memory_kib]
        call put_kib
        fact "Floppies"
        movzx eax, byte [floppies]
        call put_number
        fact "Disks"
        movzx eax, byte [hard_disks]
        call put_number
        fact "Video"
        call put_vbe_version
        fact "BIOS"
        call put_bios_date
        fact "Booted"
        say "from "
        mov al, [boot_disk]
        test al, al
        js .hard
        add al, 'A'
        call put_char
        mov al, ':'
        call put_char
        jmp .uptime
.hard:
        say "drive "
        call put_hex_byte
        say "h"
.uptime:
        fact "Up"
        %assign uptime_row row - 1

draw_uptime:
        go uptime_row, 54
        ink C_TEXT, C_PANEL
        mov eax, [now]
        xor edx, edx
        mov ecx, 1000
        div ecx
        call put_number
        say " s  "
        ret

        section memory
        alignb 4
menu_next       resd 1
menu_phase      resw 1
menu_item       resb 1
        section program
