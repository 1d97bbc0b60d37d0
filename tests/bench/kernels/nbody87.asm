; x87: five bodies attract each other, for 100 portions of time. FLD, FADD, FSUB, FMUL, FDIVR,
; FSQRT, FXCH and FSTP on registers and on operands of 32 and 64 bits.
%define NAME "nbody87"
%define BITS_WANTED 32
%define INSTRUCTIONS 58265
%include "start.inc"

BODIES  equ 5
ROUNDS  equ 100
X       equ 0                           ; a body: place and speed in 64 bits, mass in 32
V       equ 24
MASS    equ 48
BODY    equ 64
SYSTEM  equ HEAP
END     equ SYSTEM + BODIES * BODY

setup:  fninit
        ret

step:   mov esi, bodies                 ; the same in every step
        mov edi, SYSTEM
        mov ecx, BODIES * BODY / 4
        rep movsd
        mov ebx, ROUNDS
.round: call attract
        call move
        dec ebx
        jnz .round

        mov esi, SYSTEM
        mov ecx, BODIES
.sum:   mov eax, [esi + X]
        FOLD eax
        mov eax, [esi + X + 12]
        FOLD eax
        fld qword [esi + V + 16]
        fmul dword [million]
        fistp dword [END]
        mov eax, [END]
        FOLD eax
        add esi, BODY
        dec ecx
        jnz .sum
        ret

attract:
        mov esi, SYSTEM
.first: lea edi, [esi + BODY]
.second:
        fld qword [esi + X]
        fsub qword [edi + X]
        fld qword [esi + X + 8]
        fsub qword [edi + X + 8]
        fld qword [esi + X + 16]
        fsub qword [edi + X + 16]       ; dz, dy, dx
        fld st2
        fmul st0, st0
        fld st2
        fmul st0, st0
        faddp st1, st0
        fld st1
        fmul st0, st0
        faddp st1, st0                  ; the square of the distance
        fld st0
        fsqrt
        fmulp st1, st0
        fdivr qword [portion]           ; strength, dz, dy, dx
        fld dword [esi + MASS]
        fmul st0, st1
        fxch st1
        fmul dword [edi + MASS]         ; that of the second's mass, of the first's, dz, dy, dx
        fld st4
        fmul st0, st1
        fsubr qword [esi + V]
        fstp qword [esi + V]
        fld st3
        fmul st0, st1
        fsubr qword [esi + V + 8]
        fstp qword [esi + V + 8]
        fld st2
        fmul st0, st1
        fsubr qword [esi + V + 16]
        fstp qword [esi + V + 16]
        fxch st1
        fmul st2, st0
        fmul st3, st0
        fmulp st4, st0
        fstp st0
        fadd qword [edi + V + 16]
        fstp qword [edi + V + 16]
        fadd qword [edi + V + 8]
        fstp qword [edi + V + 8]
        fadd qword [edi + V]
        fstp qword [edi + V]
        add edi, BODY
        cmp edi, END
        jb .second
        add esi, BODY
        cmp esi, END - BODY
        jb .first
        ret

move:   fld qword [portion]
        mov esi, SYSTEM
.next:  fld qword [esi + V]
        fmul st0, st1
        fadd qword [esi + X]
        fstp qword [esi + X]
        fld qword [esi + V + 8]
        fmul st0, st1
        fadd qword [esi + X + 8]
        fstp qword [esi + X + 8]
        fld qword [esi + V + 16]
        fmul st0, st1
        fadd qword [esi + X + 16]
        fstp qword [esi + X + 16]
        add esi, BODY
        cmp esi, END
        jb .next
        fstp st0
        ret

%include "bodies.inc"
