; Quicksort of 4096 records of 16 bytes: comparisons that cannot be foreseen, recursion, structures.
%define NAME "sort32"
%define BITS_WANTED 32
%define INSTRUCTIONS 512760
%include "start.inc"

RECORDS equ 4096
KEY     equ 0                           ; a record: key, number, two words for alignment
NUMBER  equ 4
RECORD  equ 16

setup:  ret

step:   mov edi, HEAP                   ; new records, the same in every step
        mov eax, 12345
        xor ecx, ecx
.make:  imul eax, eax, 1664525
        add eax, 1013904223
        mov edx, eax
        shr edx, 8
        mov [edi + KEY], edx
        mov [edi + NUMBER], ecx
        add edi, RECORD
        inc ecx
        cmp ecx, RECORDS
        jb .make

        mov esi, HEAP
        lea edi, [HEAP + (RECORDS - 1) * RECORD]
        call quicksort

        mov esi, HEAP                   ; the order of the numbers is the result
        mov ecx, RECORDS
        xor edx, edx
.check: rol edx, 5
        xor edx, [esi + NUMBER]
        add esi, RECORD
        dec ecx
        jnz .check
        FOLD edx
        ret

; Sorts the records from esi to edi, both included (Hoare's partition).
quicksort:
        cmp esi, edi
        jae .done
        mov ebx, esi
        mov edx, edi
        lea eax, [esi + edi]
        shr eax, 1
        and eax, -RECORD
        mov eax, [eax + KEY]            ; the middle one's key divides
.left:  cmp [ebx + KEY], eax
        jae .right
        add ebx, RECORD
        jmp .left
.right: cmp [edx + KEY], eax
        jbe .meet
        sub edx, RECORD
        jmp .right
.meet:  cmp ebx, edx
        ja .split
        mov ecx, [ebx + KEY]
        mov ebp, [edx + KEY]
        mov [ebx + KEY], ebp
        mov [edx + KEY], ecx
        mov ecx, [ebx + NUMBER]
        mov ebp, [edx + NUMBER]
        mov [ebx + NUMBER], ebp
        mov [edx + NUMBER], ecx
        add ebx, RECORD
        sub edx, RECORD
        cmp ebx, edx
        jbe .left
.split: push edi
        push ebx
        mov edi, edx
        call quicksort
        pop esi
        pop edi
        jmp quicksort
.done:  ret
