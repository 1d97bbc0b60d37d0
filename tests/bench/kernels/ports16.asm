; Port input and output in real mode: IN from port 61h (system control port B) and OUT to port 80h
; (the POST code). No value that is read counts: bit 4 of port 61h follows the time.
%define NAME "ports16"
%define BITS_WANTED 16
%define INSTRUCTIONS 800008
%include "start.inc"

PAIRS   equ 100000

setup:  ret

step:   mov ecx, PAIRS
        xor ebx, ebx
.next:  in al, 0x61
        and al, 2                       ; the speaker's gate: off
        add bl, al
        rol ebx, 1
        inc ebx
        out 0x80, al
        dec ecx
        jnz .next
        FOLD ebx
        ret
