; SSE, all lanes at once: y = a * x + b * y over 4096 singles (MULPS, ADDPS), their extremes (MINPS,
; MAXPS), and the length of y as a vector of doubles (CVTPS2PD, MULPD, ADDPD, SQRTSD, DIVSD).
%define NAME "saxpy_sse"
%define BITS_WANTED 64
%define INSTRUCTIONS 21549
%include "start.inc"

SINGLES equ 4096
XS      equ HEAP
YS      equ HEAP + 0x8000

setup:  mov edi, XS                     ; 8192 singles, -1 to 1
        mov ecx, 2 * SINGLES
        mov eax, 1
.make:  imul eax, eax, 1664525
        add eax, 1013904223
        mov edx, eax
        sar edx, 8
        cvtsi2ss xmm0, edx
        mulss xmm0, [scale]
        movss [rdi], xmm0
        add edi, 4
        dec ecx
        jnz .make
        mov edi, YS
        mov ecx, SINGLES
        xor eax, eax
        rep stosd
        ret

step:   mov esi, [place]                ; another part of x each time
        add esi, 16
        and esi, 4 * SINGLES - 1
        mov [place], esi
        add rsi, XS
        mov edi, YS
        mov ecx, SINGLES / 4
        movaps xmm4, [a]
        movaps xmm5, [b]
        movaps xmm6, [rsi]
        movaps xmm7, xmm6
.next:  movaps xmm0, [rsi]
        movaps xmm1, [rdi]
        mulps xmm0, xmm4
        mulps xmm1, xmm5
        addps xmm0, xmm1
        minps xmm6, xmm0
        maxps xmm7, xmm0
        movaps [rdi], xmm0
        add rsi, 16
        add rdi, 16
        dec ecx
        jnz .next

        mov edi, YS
        mov ecx, SINGLES / 4
        xorpd xmm2, xmm2
        xorpd xmm3, xmm3
.square:
        cvtps2pd xmm0, [rdi]
        cvtps2pd xmm1, [rdi + 8]
        mulpd xmm0, xmm0
        mulpd xmm1, xmm1
        addpd xmm2, xmm0
        addpd xmm3, xmm1
        add rdi, 16
        dec ecx
        jnz .square
        addpd xmm2, xmm3
        movhlps xmm3, xmm2
        addsd xmm2, xmm3
        sqrtsd xmm2, xmm2
        movsd xmm0, [large]
        divsd xmm0, xmm2
        cvttsd2si rax, xmm0
        FOLD eax
        shr rax, 32
        FOLD eax
        subps xmm7, xmm6
        movaps [YS + 4 * SINGLES], xmm7
%assign i 0
%rep 4
        mov eax, [YS + 4 * SINGLES + i]
        FOLD eax
%assign i i + 4
%endrep
        ret

        align 16
a:      dd 0.7, 0.9, 1.1, 1.3
b:      dd 0.6, 0.5, 0.4, 0.3
large:  dq 1.0e16
scale:  dd 1.1920929e-7                 ; 2^-23
place:  dd 0
