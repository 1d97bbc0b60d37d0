; Short string instructions: REP MOVSD of 2 to 7 dwords and REP MOVSB of 0 to 3 bytes, as compilers
; and C libraries of the time wrote small copies.
%define NAME "string_small32"
%define BITS_WANTED 32
%define INSTRUCTIONS 377508
%include "start.inc"

SOURCE  equ HEAP
TARGET  equ HEAP + 0x1000
COPIES  equ 20000

setup:  mov ecx, 64
        mov edi, SOURCE
.fill:  lea eax, [ecx + ecx * 4]
        stosb
        loop .fill
        ret

step:   mov ebx, COPIES
        xor edx, edx
.next:  mov esi, SOURCE
        mov edi, TARGET
        mov eax, ebx
        and eax, 31                     ; 8 to 31 bytes
        mov ecx, eax
        shr ecx, 2
        cmp ecx, 2
        jae .long
        mov ecx, 2
.long:  rep movsd
        mov ecx, eax
        and ecx, 3
        rep movsb
        add edx, [edi - 4]
        dec ebx
        jnz .next
        FOLD edx
        ret
