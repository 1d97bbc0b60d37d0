; Generated code: writes a function of five instructions into one of 16 places and calls it eight
; times, then goes on to the next place.
%define NAME "generate32"
%define BITS_WANTED 32
%define INSTRUCTIONS 16808
%include "start.inc"

FUNCTIONS equ 200

setup:  ret

step:   mov ebp, FUNCTIONS
        xor edx, edx
.next:  mov edi, ebp
        and edi, 15
        shl edi, 8
        add edi, HEAP
        mov ebx, edi
        mov al, 0xB8                    ; mov eax, imm32
        stosb
        mov eax, ebp
        stosd
        mov al, 0x35                    ; xor eax, imm32
        stosb
        mov eax, 0x5A5A1234
        stosd
        mov eax, 0xC2D1C201             ; add edx, eax; rol edx, 1
        stosd
        mov al, 0xC3                    ; ret
        stosb
        mov ecx, 8
.call:  call ebx
        dec ecx
        jnz .call
        dec ebp
        jnz .next
        FOLD edx
        ret
