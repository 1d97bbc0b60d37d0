; Indirect jumps and calls with targets that nobody can foresee: eight places, chosen by a linear
; congruential generator.
%define NAME "indirect64"
%define BITS_WANTED 64
%define INSTRUCTIONS 800013
%include "start.inc"

ROUNDS  equ 50000

%macro RANDOM 0                         ; rbx: the generator; rdx: 0 to 7
        imul rbx, r8
        add rbx, r9
        mov rdx, rbx
        shr rdx, 61
%endmacro

setup:  ret

step:   mov r8, 6364136223846793005
        mov r9, 1442695040888963407
        mov r10d, places
        mov r11d, functions
        mov ecx, ROUNDS
        mov ebx, 1
        xor eax, eax
.next:  RANDOM
        jmp [r10 + rdx * 8]
%assign i 0
%rep 8
place %+ i:
        add rax, i * 0x01010101 + 1
        jmp step.there
%assign i i + 1
%endrep
step.there:
        RANDOM
        call [r11 + rdx * 8]
        dec ecx
        jnz step.next
        FOLD eax
        ret
%assign i 0
%rep 8
function %+ i:
        xor rax, i * 0x0F0F0F0F + 1
        ret
%assign i i + 1
%endrep

        align 8
places: dq place0, place1, place2, place3, place4, place5, place6, place7
functions:
        dq function0, function1, function2, function3
        dq function4, function5, function6, function7
