; Calls and returns: Fibonacci's numbers by their definition, one push and one pop around each call.
%define NAME "calls32"
%define BITS_WANTED 32
%define INSTRUCTIONS 741883
%include "start.inc"

setup:  ret

step:   mov eax, 23
        call fibonacci
        FOLD eax
        ret

fibonacci:                              ; of eax, in eax
        cmp eax, 2
        jb .done
        push ebx
        push eax
        dec eax
        call fibonacci
        mov ebx, eax
        pop eax
        sub eax, 2
        call fibonacci
        add eax, ebx
        pop ebx
.done:  ret
