; What a task switch costs: CR3 is loaded with one of two page directories, then twelve pages are
; touched, one of which is another one in each address space.
%define NAME "cr3_32"
%define BITS_WANTED 32
%define INSTRUCTIONS 670009
%define PAGING
%include "start.inc"

SWITCHES equ 10000
OTHER   equ 0x70000                     ; the second directory, and its first table
DATA    equ HEAP
PAGES   equ 12

setup:  mov esi, PAGE_DIRECTORY
        mov edi, OTHER
        mov ecx, 1024
        rep movsd
        mov dword [OTHER], OTHER + 0x1000 + PAGE
        mov esi, PAGE_TABLES
        mov edi, OTHER + 0x1000
        mov ecx, 1024
        rep movsd
        mov dword [OTHER + 0x1000 + (DATA >> 12) * 4], DATA + 0x100000 + PAGE
        mov dword [DATA + 0x100000], 7
        ret

step:   mov ebx, SWITCHES
        xor edx, edx
        mov ebp, OTHER
.next:  mov eax, cr3
        xchg eax, ebp
        mov cr3, eax
        mov esi, DATA
        mov ecx, PAGES
.touch: add edx, [esi]
        inc dword [esi]
        add esi, 0x1000
        dec ecx
        jnz .touch
        dec ebx
        jnz .next
        FOLD edx
        ret
