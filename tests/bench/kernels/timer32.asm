; Integer code (a CRC without table) that the 8254 interrupts a thousand times a second of the
; guest's clock. How often that is in a step depends on the program; the number declared is for
; 100 million instructions per second, and the checksum knows nothing of it.
%define NAME "timer32"
%define BITS_WANTED 32
%define INSTRUCTIONS 1146957
%include "start.inc"
%include "gates.inc"

WORDS   equ 32 * 1024
DIVISOR equ 1193                        ; of 1.193182 MHz

%macro OUTPUT 2
        mov al, %2
        out %1, al
%endmacro

setup:  LOAD_GATES
        GATE 0x20, tick
        OUTPUT 0x20, 0x11               ; both 8259: edges, cascade, vectors 20h and 28h
        OUTPUT 0xA0, 0x11
        OUTPUT 0x21, 0x20
        OUTPUT 0xA1, 0x28
        OUTPUT 0x21, 0x04
        OUTPUT 0xA1, 0x02
        OUTPUT 0x21, 0x01
        OUTPUT 0xA1, 0x01
        OUTPUT 0x21, 0xFE               ; only IRQ 0
        OUTPUT 0xA1, 0xFF
        OUTPUT 0x43, 0x34               ; channel 0, mode 2
        OUTPUT 0x40, DIVISOR & 0xFF
        OUTPUT 0x40, DIVISOR >> 8
        sti
        ret

step:   mov ecx, WORDS
        mov eax, -1
.next:  xor eax, ecx
%rep 8
        shr eax, 1
        sbb edx, edx
        and edx, 0xEDB88320
        xor eax, edx
%endrep
        dec ecx
        jnz .next
        FOLD eax
        ret

tick:   push eax
        inc dword [ticks]
        mov al, 0x20                    ; end of interrupt
        out 0x20, al
        pop eax
        iret

        align 4
ticks:  dd 0
