; SSE2, one double at a time: nbody87's five bodies in 64-bit code. ADDSD, SUBSD, MULSD, DIVSD,
; SQRTSD, UCOMISD and conversions.
%define NAME "nbody_sse"
%define BITS_WANTED 64
%define INSTRUCTIONS 60024
%include "start.inc"

BODIES  equ 5
ROUNDS  equ 100
X       equ 0                           ; a body: place and speed in 64 bits, mass in 32
V       equ 24
MASS    equ 48
BODY    equ 64
SYSTEM  equ HEAP
END     equ SYSTEM + BODIES * BODY

setup:  ret

step:   mov esi, bodies                 ; the same in every step
        mov edi, SYSTEM
        mov ecx, BODIES * BODY / 8
        rep movsq
        movsd xmm15, [portion]
        mov ebx, ROUNDS
        xor r9d, r9d
.round: call attract
        call move
        dec ebx
        jnz .round

        FOLD r9d
        mov esi, SYSTEM
        mov ecx, BODIES
.sum:   mov eax, [rsi + X]
        FOLD eax
        mov eax, [rsi + X + 12]
        FOLD eax
        cvtss2sd xmm0, [million]
        mulsd xmm0, [rsi + V + 16]
        cvttsd2si eax, xmm0
        FOLD eax
        add esi, BODY
        dec ecx
        jnz .sum
        ret

attract:
        mov esi, SYSTEM
.first: lea rdi, [rsi + BODY]
.second:
        movsd xmm0, [rsi + X]
        movsd xmm1, [rsi + X + 8]
        movsd xmm2, [rsi + X + 16]
        subsd xmm0, [rdi + X]
        subsd xmm1, [rdi + X + 8]
        subsd xmm2, [rdi + X + 16]
        movapd xmm3, xmm0
        mulsd xmm3, xmm0
        movapd xmm4, xmm1
        mulsd xmm4, xmm1
        addsd xmm3, xmm4
        movapd xmm4, xmm2
        mulsd xmm4, xmm2
        addsd xmm3, xmm4                ; the square of the distance
        sqrtsd xmm5, xmm3
        mulsd xmm3, xmm5
        movapd xmm4, xmm15
        divsd xmm4, xmm3                ; the strength
        cvtss2sd xmm6, [rsi + MASS]
        cvtss2sd xmm7, [rdi + MASS]
        mulsd xmm6, xmm4
        mulsd xmm7, xmm4
        ucomisd xmm0, xmm1
        adc r9d, 0                      ; how often dx is below dy
        movsd xmm8, [rsi + V]
        movapd xmm11, xmm0
        mulsd xmm11, xmm7
        subsd xmm8, xmm11
        movsd [rsi + V], xmm8
        movsd xmm9, [rsi + V + 8]
        movapd xmm12, xmm1
        mulsd xmm12, xmm7
        subsd xmm9, xmm12
        movsd [rsi + V + 8], xmm9
        movsd xmm10, [rsi + V + 16]
        mulsd xmm7, xmm2
        subsd xmm10, xmm7
        movsd [rsi + V + 16], xmm10
        mulsd xmm0, xmm6
        mulsd xmm1, xmm6
        mulsd xmm2, xmm6
        addsd xmm0, [rdi + V]
        addsd xmm1, [rdi + V + 8]
        addsd xmm2, [rdi + V + 16]
        movsd [rdi + V], xmm0
        movsd [rdi + V + 8], xmm1
        movsd [rdi + V + 16], xmm2
        add rdi, BODY
        cmp rdi, END
        jb .second
        add rsi, BODY
        cmp rsi, END - BODY
        jb .first
        ret

move:   mov esi, SYSTEM
.next:
%assign i 0
%rep 3
        movsd xmm0, [rsi + V + i]
        mulsd xmm0, xmm15
        addsd xmm0, [rsi + X + i]
        movsd [rsi + X + i], xmm0
%assign i i + 8
%endrep
        add rsi, BODY
        cmp rsi, END
        jb .next
        ret

%include "bodies.inc"
