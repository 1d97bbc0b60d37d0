; Indirect jumps and calls with targets that nobody can foresee: eight places, chosen by a linear
; congruential generator.
%define NAME "indirect32"
%define BITS_WANTED 32
%define INSTRUCTIONS 800009
%include "start.inc"

ROUNDS  equ 50000

%macro RANDOM 0                         ; ebx: the generator; edx: 0 to 7
        imul ebx, ebx, 1664525
        add ebx, 1013904223
        mov edx, ebx
        shr edx, 29
%endmacro

setup:  ret

step:   mov ecx, ROUNDS
        mov ebx, 1
        xor eax, eax
.next:  RANDOM
        jmp [places + edx * 4]
%assign i 0
%rep 8
place %+ i:
        add eax, i * 0x01010101 + 1
        jmp step.there
%assign i i + 1
%endrep
step.there:
        RANDOM
        call [functions + edx * 4]
        dec ecx
        jnz step.next
        FOLD eax
        ret
%assign i 0
%rep 8
function %+ i:
        xor eax, i * 0x11111111 + 1
        ret
%assign i i + 1
%endrep

        align 4
places: dd place0, place1, place2, place3, place4, place5, place6, place7
functions:
        dd function0, function1, function2, function3
        dd function4, function5, function6, function7
