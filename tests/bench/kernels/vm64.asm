; A bytecode interpreter: a stack machine of 64-bit words whose handlers end in one indirect jump
; each. It sums i * i + 7 for i from 20000 down to 1.
%define NAME "vm64"
%define BITS_WANTED 64
%define INSTRUCTIONS 2100042
%include "start.inc"

LOOPS   equ 20000
STACK   equ HEAP + 0x1000               ; the machine's, at rdi; its variables are at r8

%macro DISPATCH 0
        movzx eax, byte [rsi]
        inc rsi
        jmp [r9 + rax * 8]
%endmacro

setup:  ret

step:   mov esi, program
        mov edi, STACK
        mov r8d, HEAP
        mov r9d, handlers
        DISPATCH

op_push:                                ; 0: push the dword that follows
        movsxd rbx, dword [rsi]
        add rsi, 4
        sub rdi, 8
        mov [rdi], rbx
        DISPATCH
op_load:                                ; 1: push variable n
        movzx edx, byte [rsi]
        inc rsi
        mov rbx, [r8 + rdx * 8]
        sub rdi, 8
        mov [rdi], rbx
        DISPATCH
op_store:                               ; 2: pop into variable n
        movzx edx, byte [rsi]
        inc rsi
        mov rbx, [rdi]
        add rdi, 8
        mov [r8 + rdx * 8], rbx
        DISPATCH
op_add: mov rbx, [rdi]                  ; 3
        add rdi, 8
        add [rdi], rbx
        DISPATCH
op_multiply:                            ; 4
        mov rbx, [rdi]
        add rdi, 8
        imul rbx, [rdi]
        mov [rdi], rbx
        DISPATCH
op_loop:                                ; 5: jump back n bytes while the popped value is not 0
        movzx edx, byte [rsi]
        inc rsi
        mov rbx, [rdi]
        add rdi, 8
        test rbx, rbx
        jz .out
        sub rsi, rdx
.out:   DISPATCH
op_end: mov rbx, [r8]                   ; 6
        FOLD ebx
        shr rbx, 32
        FOLD ebx
        ret

        align 8
handlers:
        dq op_push, op_load, op_store, op_add, op_multiply, op_loop, op_end

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
