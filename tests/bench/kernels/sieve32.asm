; 32-bit integer code: the sieve of Eratosthenes over 128 KB, then a sum over the flags.
%define NAME "sieve32"
%define BITS_WANTED 32
%define INSTRUCTIONS 2206497
%include "start.inc"

SIZE    equ 128 * 1024
ROOT    equ 363

setup:  ret

step:   mov edi, HEAP
        mov ecx, SIZE
.fill:  mov byte [edi], 1
        inc edi
        dec ecx
        jnz .fill

        mov ebx, HEAP
        mov esi, 2
.prime: cmp byte [ebx + esi], 0
        je .next
        mov eax, esi
        imul eax, eax
.strike:
        mov byte [ebx + eax], 0
        add eax, esi
        cmp eax, SIZE
        jb .strike
.next:  inc esi
        cmp esi, ROOT
        jb .prime

        xor edx, edx
        xor esi, esi
.sum:   movzx eax, byte [ebx + esi]
        add edx, eax
        inc esi
        cmp esi, SIZE
        jb .sum
        FOLD edx
        ret
