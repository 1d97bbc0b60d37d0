; main.asm: where the boot sector jumps to. Sets the machine up once, then belongs to the menu.

        cpu 386
        bits 16

        mov ax, cs
        cli
        mov ds, ax
        mov ss, ax
        xor sp, sp                              ; the stack grows down from the end of our segment
        cld

        push ds                                 ; nobits memory holds whatever was there before: clear it
        pop es
        mov di, memory_start
        mov cx, memory_end
        sub cx, di
        xor ax, ax
        rep stosb

        mov [boot_disk], dl
        sti
        call detect_cpu                         ; uses nothing of the below
        call load_high_score
        call find_fonts
        call start_timer
        call start_keyboard
        jmp menu

; Every scene is a subroutine, called with interrupts on, free to use all registers and to leave any video mode behind. It
; ends when the person presses Esc. What it must restore is listed here: nothing but silence and its own hooks.

        section memory
memory_start:
boot_disk       resb 1
        section program
