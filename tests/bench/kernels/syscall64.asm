; System calls: SYSCALL from the user's code, two instructions, SYSRET.
%define NAME "syscall64"
%define BITS_WANTED 64
%define INSTRUCTIONS 450018
%include "start.inc"

CALLS   equ 50000
STAR    equ 0xC0000081                  ; then LSTAR, CSTAR, SFMASK

%macro SET_MSR 2                        ; number, value in edx:eax
        mov ecx, %1
        mov rax, %2
        mov rdx, rax
        shr rdx, 32
        wrmsr
%endmacro

setup:  lgdt [register]
        SET_MSR STAR, 0x0020001800000000
        SET_MSR STAR + 1, service
        SET_MSR STAR + 3, 0x200         ; clears IF
        mov ecx, 0xC0000080             ; EFER
        rdmsr
        or al, 1                        ; SCE
        wrmsr
        ret

; All of a step but its first and last instructions is the user's; the last call asks to stay.
step:   mov [kernel_stack], rsp
        mov ecx, user
        mov r11d, 2
        mov r8d, 1
        o64 sysret
user:   mov ebx, CALLS
        xor r9d, r9d
.next:  mov edi, ebx
        syscall
        add r9, rax
        dec ebx
        jnz .next
        xor r8d, r8d
        syscall

service:
        test r8d, r8d
        jz .stay
        lea rax, [rdi + rdi * 2 + 1]
        o64 sysret
.stay:  mov rsp, [kernel_stack]
        FOLD r9d
        ret

        align 8
kernel_stack:
        dq 0
descriptors:
        dq 0
        dq 0x00CF9A000000FFFF
        dq 0x00CF92000000FFFF
        dq 0x00AF9A000000FFFF           ; 18h: 64-bit code, and data after it
        dq 0x00CF92000000FFFF
        dq 0x00CFF2000000FFFF           ; 28h: the user's data, and 64-bit code after it
        dq 0x00AFFA000000FFFF
register:
        dw register - descriptors - 1
        dq descriptors
