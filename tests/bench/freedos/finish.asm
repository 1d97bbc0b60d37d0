; FINISH.COM: the last line of AUTOEXEC.BAT. Says on COM1 that DOS is up and ends the machine.
        bits 16
        org 0x100

        mov esi, text
        cld
        cli
        call open_console
        call print
        jmp finish

text:   db "bench freedos start end 00000000", 10, 0

%include "console.inc"
