; A bytecode interpreter: a stack machine whose handlers end in one indirect jump each. It sums
; i * i + 7 for i from 20000 down to 1.
%define NAME "vm32"
%define BITS_WANTED 32
%define INSTRUCTIONS 2100041
%include "start.inc"

LOOPS   equ 20000
STACK   equ HEAP + 0x1000               ; the machine's, at edi; its variables are at HEAP

%macro DISPATCH 0
        movzx eax, byte [esi]
        inc esi
        jmp [handlers + eax * 4]
%endmacro

setup:  ret

step:   mov esi, program
        mov edi, STACK
        DISPATCH

op_push:                                ; 0: push the dword that follows
        mov ebx, [esi]
        add esi, 4
        sub edi, 4
        mov [edi], ebx
        DISPATCH
op_load:                                ; 1: push variable n
        movzx edx, byte [esi]
        inc esi
        mov ebx, [HEAP + edx * 4]
        sub edi, 4
        mov [edi], ebx
        DISPATCH
op_store:                               ; 2: pop into variable n
        movzx edx, byte [esi]
        inc esi
        mov ebx, [edi]
        add edi, 4
        mov [HEAP + edx * 4], ebx
        DISPATCH
op_add: mov ebx, [edi]                  ; 3
        add edi, 4
        add [edi], ebx
        DISPATCH
op_multiply:                            ; 4
        mov ebx, [edi]
        add edi, 4
        imul ebx, [edi]
        mov [edi], ebx
        DISPATCH
op_loop:                                ; 5: jump back n bytes while the popped value is not 0
        movzx edx, byte [esi]
        inc esi
        mov ebx, [edi]
        add edi, 4
        test ebx, ebx
        jz .out
        sub esi, edx
.out:   DISPATCH
op_end: mov ebx, [HEAP]                 ; 6
        FOLD ebx
        ret

        align 4
handlers:
        dd op_push, op_load, op_store, op_add, op_multiply, op_loop, op_end

program:
        db 0
        dd 0
        db 2, 0                         ; sum = 0
        db 0
        dd LOOPS
        db 2, 1                         ; i = LOOPS
.loop:  db 1, 1, 1, 1, 4                ; i * i
        db 0
        dd 7
        db 3                            ; + 7
        db 1, 0, 3, 2, 0                ; + sum, kept
        db 1, 1, 0
        dd -1
        db 3, 2, 1                      ; i = i - 1
        db 1, 1, 5, .end - .loop        ; again while i is not 0
.end:   db 6
