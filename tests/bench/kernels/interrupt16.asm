; Software interrupts in real mode: INT 60h to a handler of three instructions and IRET.
%define NAME "interrupt16"
%define BITS_WANTED 16
%define INSTRUCTIONS 700009
%include "start.inc"

CALLS   equ 100000
VECTOR  equ 0x60

setup:  mov word [VECTOR * 4], handler
        mov word [VECTOR * 4 + 2], 0
        ret

step:   mov ecx, CALLS
        xor eax, eax
        mov bx, 1
.next:  int VECTOR
        dec ecx
        jnz .next
        FOLD eax
        ret

handler:
        add ax, bx
        rol bx, 3
        inc ax
        iret
