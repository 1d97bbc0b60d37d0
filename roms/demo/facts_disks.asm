; facts_disks.asm: the page's panel of disks, from INT 13h.

gather_disks:
        push es
        mov byte [floppies], 0
        mov byte [hard_disks], 0
        int 0x11                                ; equipment: bit 0 any floppies, bits 7..6 how many besides the first
        test al, 1
        jz .no_floppies
        shr al, 6
        and al, 3
        inc al
        mov [floppies], al
.no_floppies:
        mov ah, 0x08
        mov dl, 0x80
        xor di, di
        mov es, di                              ; works around BIOSes that look at ES:DI
        int 0x13
        jc .done
        mov [hard_disks], dl
.done:
        pop es
        ret

draw_disks:
        facts_panel 13, 1, 11, 39, "Disks"
        xor dl, dl
.floppy:
        cmp dl, [floppies]
        jae .hard
        cmp dl, 2
        jae .hard
        call draw_floppy
        inc dl
        jmp .floppy
.hard:
        mov dl, 0x80
.disk:
        mov al, dl
        sub al, 0x80
        cmp al, [hard_disks]
        jae .done
        cmp al, MAX_DISKS
        jae .done
        call draw_hard_disk
        inc dl
        jmp .disk
.done:
        cmp byte [hard_disks], 0
        jne .end
        call next_line
        call next_line
        ink C_DIM, C_PANEL
        say "The BIOS reports no hard disk."
.end:
        ret

draw_floppy:                                    ; DL = drive
        push dx
        call next_line
        ink C_BRIGHT, C_PANEL
        mov al, dl
        add al, 'A'
        call put_char
        mov al, ':'
        call put_char
        add di, 2 * 2
        ink C_TEXT, C_PANEL
        call get_geometry
        jc .unknown
        cmp bl, 6
        jbe .type
.unknown:
        xor bl, bl
.type:
        push si
        movzx bx, bl
        shl bx, 1
        mov si, [.types + bx]
        call put_text
        pop si
        ink C_DIM, C_PANEL
        say "  "
        call put_geometry
        pop dx
        ret
.types  dw .none, .t360, .t1200, .t720, .t1440, .none, .t2880
.none   db "floppy", 0
.t360   db "360 KB 5", 0xAC, 0
.t1200  db "1.2 MB 5", 0xAC, 0
.t720   db "720 KB 3", 0xAB, 0
.t1440  db "1.44 MB 3", 0xAB, 0
.t2880  db "2.88 MB 3", 0xAB, 0

draw_hard_disk:                                 ; DL = drive
        push dx
        call next_line
        ink C_BRIGHT, C_PANEL
        mov al, dl
        call put_hex_byte
        mov al, 'h'
        call put_char
        add di, 2
        ink C_TEXT, C_PANEL
        call get_geometry
        push di
        add di, 9 * 2
        ink C_DIM, C_PANEL
        call put_geometry
        pop di
        ink C_TEXT, C_PANEL

        mov ah, 0x41                            ; extensions present?
        mov bx, 0x55AA
        int 0x13
        jc .old
        cmp bx, 0xAA55
        jne .old
        push ax
        mov word [drive_parameters], 30
        mov si, drive_parameters
        mov ah, 0x48
        int 0x13
        mov eax, [drive_parameters + 16]        ; sectors, then bytes in each
        mov edx, [drive_parameters + 20]
        shrd eax, edx, 1
        call put_kib
        call next_line
        add di, 4 * 2
        ink C_DIM, C_PANEL
        say "ext. "
        pop ax
        push si
        mov si, .v1
        cmp ah, 0x01
        je .version
        mov si, .v2
        cmp ah, 0x21
        jb .version
        mov si, .v21
        je .version
        mov si, .v3
.version:
        call put_text
        pop si
        say ", "
        mov eax, [drive_parameters + 16]
        call put_number
        say " sectors"
        pop dx
        ret
.old:
        movzx eax, word [geometry_cylinders]
        movzx ecx, byte [geometry_heads]
        mul ecx
        movzx ecx, byte [geometry_sectors]
        mul ecx
        shr eax, 1
        call put_kib
        pop dx
        ret
.v1     db "1.x", 0
.v2     db "2.0", 0
.v21    db "2.1", 0
.v3     db "3.0", 0

; Asks INT 13h/08h about drive DL. BL = floppy type; the geometry goes to memory. Carry set on error.
get_geometry:
        push es
        push di
        push dx
        xor di, di
        mov es, di
        mov ah, 0x08
        xor bl, bl
        int 0x13
        jc .done
        mov al, cl
        and al, 0x3F
        mov [geometry_sectors], al
        mov al, dh
        inc al
        mov [geometry_heads], al
        mov al, ch
        mov ah, cl
        shr ah, 6
        inc ax
        mov [geometry_cylinders], ax
        clc
.done:
        pop dx
        pop di
        pop es
        ret

put_geometry:
        movzx eax, word [geometry_cylinders]
        call put_number
        say "/"
        movzx eax, byte [geometry_heads]
        call put_number
        say "/"
        movzx eax, byte [geometry_sectors]
        call put_number
        say " CHS"
        ret
