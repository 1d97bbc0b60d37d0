; boot.asm: the boot sector. Loads the program behind it and jumps there.
;
; The BIOS reads this sector to 0000:7C00 and jumps to it with the boot drive in DL and nothing else promised. Everything
; here runs on an 8086, because what follows needs a 386 and the person in front of the screen deserves to be told so.

        section boot
        cpu 8086

        jmp short boot_start
        nop

; BIOS parameter block of a 1.44 MB floppy (field names as in the FAT specification).
        db "REPRISE "                           ; BS_OEMName
        dw SECTOR                               ; BPB_BytsPerSec
        db 1                                    ; BPB_SecPerClus
        dw RESERVED_SECTORS                     ; BPB_RsvdSecCnt
        db 2                                    ; BPB_NumFATs
        dw ROOT_ENTRIES                         ; BPB_RootEntCnt
        dw TOTAL_SECTORS                        ; BPB_TotSec16
        db 0xF0                                 ; BPB_Media
        dw FAT_SECTORS                          ; BPB_FATSz16
boot_sectors_per_track:
        dw 18                                   ; BPB_SecPerTrk
boot_heads:
        dw 2                                    ; BPB_NumHeads
        dd 0, 0                                 ; BPB_HiddSec, BPB_TotSec32
        db 0, 0, 0x29                           ; BS_DrvNum, reserved, BS_BootSig
        dd 0x31415926                           ; BS_VolID
        db "REPRISE    FAT12   "                ; BS_VolLab, BS_FilSysType

boot_start:
        cli
        xor ax, ax
        mov ss, ax
        mov sp, 0x7C00
        mov ds, ax
        sti
        cld
        mov [boot_drive], dl
        mov si, boot_message
        call boot_print

; The family of the CPU shows in FLAGS: an 8086 has bits 15..12 stuck at one, a 286 in real mode has 14..12 stuck at
; zero, a 386 lets us change them.
        pushf
        pop ax
        and ax, 0x0FFF
        push ax
        popf
        pushf
        pop ax
        mov si, boot_8086
        and ah, 0xF0
        cmp ah, 0xF0
        je boot_give_up
        mov ax, 0x7000
        push ax
        popf
        pushf
        pop ax
        xor cx, cx                              ; nested task off again, interrupts on
        push cx
        popf
        sti
        mov si, boot_286
        test ah, 0x70
        jz boot_give_up

; Read the program in the longest runs that INT 13h takes: to the end of the track, and never across a 64 KiB line, which
; the DMA controller's 16-bit counter cannot cross. (Sector by sector, each would miss its turn and cost a revolution.)
        mov ax, PROGRAM_SEG
        mov es, ax
boot_next_run:
        mov ax, [boot_lba]
        xor dx, dx
        div word [boot_sectors_per_track]
        mov cx, dx                              ; CX = sector on the track, from 0
        xor dx, dx
        div word [boot_heads]                   ; AX = cylinder, DX = head
        mov dh, dl
        mov ch, al
        mov bx, [boot_sectors_per_track]
        sub bl, cl                              ; BX = sectors to the end of the track
        inc cl                                  ; INT 13h counts sectors from 1

        mov ax, es                              ; sectors to the 64 KiB line: (1000h - segment mod 1000h) / 20h
        and ax, 0x0FFF
        neg ax
        add ax, 0x1000
        push cx
        mov cl, 5
        shr ax, cl
        pop cx
        cmp bx, ax
        jbe boot_fits
        mov bx, ax
boot_fits:
        cmp bx, [boot_left]
        jbe boot_read
        mov bx, [boot_left]

boot_read:
        mov byte [boot_tries], 5                ; a motor that is still spinning up fails the first reads
boot_try:
        mov al, bl
        mov ah, 0x02                            ; INT 13h, read sectors
        mov dl, [boot_drive]
        push bx
        xor bx, bx
        int 0x13
        pop bx
        jnc boot_have_run
        xor ah, ah                              ; INT 13h, reset: recalibrates the drive
        mov dl, [boot_drive]
        int 0x13
        dec byte [boot_tries]
        jnz boot_try
        mov si, boot_disk_error
boot_give_up:
        call boot_print
boot_halt:
        hlt
        jmp boot_halt

boot_have_run:
        mov ax, 0x0E2E                          ; one dot per run
        push bx
        mov bx, 7
        int 0x10
        pop bx
        add [boot_lba], bx
        mov ax, es
        mov dx, bx
        mov cl, 5
        shl dx, cl
        add ax, dx
        mov es, ax
        sub [boot_left], bx
        jnz boot_next_run
        mov dl, [boot_drive]
        jmp PROGRAM_SEG:0

boot_print:                                     ; SI = text, ended by 0
        lodsb
        test al, al
        jz boot_printed
        mov ah, 0x0E
        mov bx, 7
        int 0x10
        jmp boot_print
boot_printed:
        ret

boot_message    db 13, 10, "Reprise demo disk ", 0
boot_8086       db "needs a 386 or newer; this CPU is an 8086 or 80186.", 0
boot_286        db "needs a 386 or newer; this CPU is a 286.", 0
boot_disk_error db " cannot be read.", 0
boot_drive      db 0
boot_tries      db 0
boot_lba        dw 1
boot_left       dw PROGRAM_SECTORS

        times 510 - ($ - $$) db 0
        dw 0xAA55
