; Self-modifying code: a loop that rewrites an immediate operand of its own each time round.
%define NAME "smc32"
%define BITS_WANTED 32
%define INSTRUCTIONS 6008
%include "start.inc"

ROUNDS  equ 1000

setup:  ret

step:   mov ecx, ROUNDS
        xor ebx, ebx
.next:  add dword [.patched + 1], 3
.patched:
        mov eax, 0x12345678
        add ebx, eax
        rol ebx, 1
        dec ecx
        jnz .next
        FOLD ebx
        ret
