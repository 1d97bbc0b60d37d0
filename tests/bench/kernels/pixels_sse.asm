; SSE2 on integers: 16384 pixels of 4 bytes drawn on others, half transparent, without those of one
; colour (PUNPCKLBW, PMULLW, PSRLW, PACKUSWB, PCMPEQD, PAND, PANDN, POR), then lightened (PADDUSB)
; with their channels changed round (PSHUFD, PSHUFLW). Sources are not aligned (MOVDQU).
%define NAME "pixels_sse"
%define BITS_WANTED 64
%define INSTRUCTIONS 131099
%include "start.inc"

PIXELS  equ 16384
SOURCE  equ HEAP
TARGET  equ HEAP + 0x20000
KEY     equ 0x00FF00FF

setup:  mov edi, SOURCE
        mov ecx, 2 * PIXELS
        mov eax, 1
.make:  imul eax, eax, 1664525
        add eax, 1013904223
        mov edx, eax
        test eax, 0x70000000            ; an eighth of them has the colour that is left out
        jnz .put
        mov edx, KEY
.put:   mov [rdi], edx
        add edi, 4
        dec ecx
        jnz .make
        mov edi, TARGET
        mov ecx, PIXELS
        mov eax, 0x40302010
        rep stosd
        ret

step:   mov esi, [place]                ; another part of the source each time
        add esi, 4
        and esi, 4 * PIXELS - 1
        mov [place], esi
        add rsi, SOURCE
        mov edi, TARGET
        mov ecx, PIXELS / 4
        movdqa xmm8, [key]
        movdqa xmm9, [alpha]
        movdqa xmm10, [rest]
        movdqa xmm11, [light]
        pxor xmm15, xmm15
        pxor xmm14, xmm14
.next:  movdqu xmm0, [rsi]
        movdqa xmm1, [rdi]
        movdqa xmm7, xmm0
        pcmpeqd xmm7, xmm8              ; where the target stays
        movdqa xmm2, xmm0
        punpcklbw xmm0, xmm15
        punpckhbw xmm2, xmm15
        movdqa xmm3, xmm1
        movdqa xmm4, xmm1
        punpcklbw xmm3, xmm15
        punpckhbw xmm4, xmm15
        pmullw xmm0, xmm9
        pmullw xmm2, xmm9
        pmullw xmm3, xmm10
        pmullw xmm4, xmm10
        paddw xmm0, xmm3
        paddw xmm2, xmm4
        psrlw xmm0, 8
        psrlw xmm2, 8
        packuswb xmm0, xmm2
        pand xmm1, xmm7
        pandn xmm7, xmm0
        por xmm1, xmm7
        pshufd xmm5, xmm1, 0x1B
        pshuflw xmm5, xmm5, 0xB1
        paddusb xmm5, xmm11
        movdqa [rdi], xmm5
        paddd xmm14, xmm5
        add rsi, 16
        add rdi, 16
        dec ecx
        jnz .next
        movdqa xmm0, xmm14
        psrldq xmm0, 8
        paddd xmm0, xmm14
        movd eax, xmm0
        FOLD eax
        psrldq xmm0, 4
        movd eax, xmm0
        FOLD eax
        ret

        align 16
key:    times 4 dd KEY
alpha:  times 8 dw 96
rest:   times 8 dw 144
light:  times 4 db 3, 5, 9, 0
place:  dd 0
