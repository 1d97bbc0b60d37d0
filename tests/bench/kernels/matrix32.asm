; Product of two 48 x 48 matrices of 32-bit integers: IMUL, scaled addressing, three nested loops.
%define NAME "matrix32"
%define BITS_WANTED 32
%define INSTRUCTIONS 792776
%include "start.inc"

N       equ 48
A       equ HEAP
B       equ HEAP + 0x4000
C       equ HEAP + 0x8000

setup:  xor ecx, ecx
.fill:  mov [A + ecx * 4], ecx
        lea eax, [ecx + ecx * 2 + 1]
        mov [B + ecx * 4], eax
        inc ecx
        cmp ecx, N * N
        jb .fill
        ret

step:   mov esi, A                      ; the row of A
        mov ebp, C                      ; the place in C
.row:   xor ebx, ebx                    ; the column of B
.column:
        lea edi, [B + ebx * 4]
        xor ecx, ecx
        xor edx, edx
.inner: mov eax, [esi + ecx * 4]
        imul eax, [edi]
        add edx, eax
        add edi, N * 4
        inc ecx
        cmp ecx, N
        jb .inner
        mov [ebp], edx
        add ebp, 4
        inc ebx
        cmp ebx, N
        jb .column
        add esi, N * 4
        cmp esi, A + N * N * 4
        jb .row
        FOLD edx
        ret
