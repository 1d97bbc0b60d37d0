; Demand paging: 64 pages are not present; the first access to each is a page fault, whose handler
; maps the page and returns. Then all are unmapped again, and INVLPG tells the processor.
; The exception itself counts as one instruction.
%define NAME "pagefault32"
%define BITS_WANTED 32
%define INSTRUCTIONS 1233
%define PAGING
%include "start.inc"
%include "gates.inc"

PAGES   equ 64
AREA    equ HEAP + 0x100000
ENTRIES equ PAGE_TABLES + (AREA >> 12) * 4

setup:  LOAD_GATES
        GATE 14, fault
        call unmap
        ret

step:   xor ebx, ebx                    ; faults
        mov esi, AREA
        mov ecx, PAGES
.touch: add dword [esi], ecx
        add esi, 0x1000
        dec ecx
        jnz .touch
        mov eax, [AREA]
        FOLD eax
        FOLD ebx
        call unmap
        ret

unmap:  mov edi, ENTRIES
        mov esi, AREA
        mov ecx, PAGES
.next:  and dword [edi], ~1
        invlpg [esi]
        add edi, 4
        add esi, 0x1000
        dec ecx
        jnz .next
        ret

fault:  push eax
        mov eax, cr2
        shr eax, 12
        or dword [PAGE_TABLES + eax * 4], 1
        inc ebx
        pop eax
        add esp, 4                      ; the error code
        iret
