; Quicksort of 4096 records of 16 bytes with keys of 64 bits: comparisons that cannot be foreseen,
; recursion, structures.
%define NAME "sort64"
%define BITS_WANTED 64
%define INSTRUCTIONS 511786
%include "start.inc"

RECORDS equ 4096
KEY     equ 0                           ; a record: key and number
NUMBER  equ 8
RECORD  equ 16

setup:  ret

step:   mov edi, HEAP                   ; new records, the same in every step
        mov r8, 6364136223846793005
        mov r9, 1442695040888963407
        mov eax, 12345
        xor ecx, ecx
.make:  imul rax, r8
        add rax, r9
        mov rdx, rax
        shr rdx, 16
        mov [rdi + KEY], rdx
        mov [rdi + NUMBER], rcx
        add rdi, RECORD
        inc rcx
        cmp rcx, RECORDS
        jb .make

        mov esi, HEAP
        mov edi, HEAP + (RECORDS - 1) * RECORD
        call quicksort

        mov esi, HEAP                   ; the order of the numbers is the result
        mov ecx, RECORDS
        xor edx, edx
.check: rol edx, 5
        xor edx, [rsi + NUMBER]
        add rsi, RECORD
        dec ecx
        jnz .check
        FOLD edx
        ret

; Sorts the records from rsi to rdi, both included (Hoare's partition).
quicksort:
        cmp rsi, rdi
        jae .done
        mov rbx, rsi
        mov rdx, rdi
        lea rax, [rsi + rdi]
        shr rax, 1
        and rax, -RECORD
        mov rax, [rax + KEY]            ; the middle one's key divides
.left:  cmp [rbx + KEY], rax
        jae .right
        add rbx, RECORD
        jmp .left
.right: cmp [rdx + KEY], rax
        jbe .meet
        sub rdx, RECORD
        jmp .right
.meet:  cmp rbx, rdx
        ja .split
        mov r10, [rbx + KEY]
        mov r11, [rdx + KEY]
        mov [rbx + KEY], r11
        mov [rdx + KEY], r10
        mov r10, [rbx + NUMBER]
        mov r11, [rdx + NUMBER]
        mov [rbx + NUMBER], r11
        mov [rdx + NUMBER], r10
        add rbx, RECORD
        sub rdx, RECORD
        cmp rbx, rdx
        jbe .left
.split: push rdi
        push rbx
        mov rdi, rdx
        call quicksort
        pop rsi
        pop rdi
        jmp quicksort
.done:  ret
