; facts.asm: what can be known about this PC from inside: the CPU by CPUID, the rest from the BIOS.

%define MAX_RANGES 7                            ; of the memory map, as many as the page shows
%define MAX_DISKS  3

facts:
        call open_text_screen
        call draw_bars
        go 24, 2
        ink C_ACCENT, C_PANEL
        say "Esc"
        ink C_DIM, C_PANEL
        say "  menu"
        call draw_processor
        call draw_memory
        call draw_disks
        call draw_video
        call draw_time
.wait:
        hlt
        call get_key
        jz .tick
        cmp al, KEY_ESC
        je .done
.tick:
        test byte [now], 0x7F
        jnz .wait
        call draw_clock
        call draw_running_time
        jmp .wait
.done:
        ret

; Lines of a panel: [fact_line] is the DI of the current one.

%macro facts_panel 5
        panel %1, %2, %3, %4, %5
        mov word [fact_line], ((%1) * 80 + (%2) + 2) * 2
%endmacro

%macro fact_row 1                               ; label; leaves DI at the value
        call next_line
        ink C_DIM, C_PANEL
        say %1
        mov di, [fact_line]
        add di, 11 * 2
        ink C_TEXT, C_PANEL
%endmacro

next_line:
        add word [fact_line], 160
        mov di, [fact_line]
        ret

; Processor.

draw_processor:
        facts_panel 2, 1, 11, 39, "Processor"
        call next_line
        ink C_BRIGHT, C_PANEL
        call put_cpu_name
        fact_row "Vendor"
        cmp byte [has_cpuid], 0
        je .no_cpuid
        mov si, cpu_vendor
        call put_text
        fact_row "Family"
        movzx eax, byte [cpu_family]
        call put_number
        say ", model "
        mov eax, [cpu_signature]
        mov ebx, eax
        shr al, 4
        shr ebx, 12                             ; extended model, bits 19..16, counts for families 6 and 15
        and bl, 0xF0
        cmp byte [cpu_family], 6
        jb .model
        or al, bl
.model:
        movzx eax, al
        call put_number
        say ", stepping "
        mov eax, [cpu_signature]
        and eax, 0x0F
        call put_number
        jmp .clock
.no_cpuid:
        say "has no CPUID"
        fact_row "Family"
        movzx eax, byte [cpu_family]
        call put_number
.clock:
        fact_row "Clock"
        call put_clock_rate
        fact_row "Speed"
        call measure_loop
        call put_tenths
        say " million loops/s"

        mov eax, [cpu_features]
        cmp byte [has_cpuid], 0
        jne .features
        int 0x11
        shr ax, 1                               ; equipment word bit 1: coprocessor
        and eax, 1
.features:
        mov [feature_words], eax
        mov eax, [cpu_features_ecx]
        mov [feature_words + 4], eax
        mov eax, [cpu_extended_edx]
        mov [feature_words + 8], eax
        call next_line
        mov si, feature_names
        mov bp, di
        add bp, 35 * 2                          ; right edge
.feature:
        lodsw                                   ; AL = bit number in feature_words
        cmp al, 0xFF
        je .done
        movzx ecx, al
        dec si
        ink C_LINE, C_PANEL
        bt [feature_words], ecx
        jnc .absent
        ink C_TEAL, C_PANEL
.absent:
        call text_length
        shl ax, 1
        add ax, di
        cmp ax, bp
        jbe .fits
        call next_line
        add bp, 160
.fits:
        call put_text
        add di, 2
        jmp .feature
.done:
        ret

; AX = length of the text at SI.
text_length:
        xor ax, ax
        push si
.next:
        cmp byte [si], 0
        je .end
        inc si
        inc ax
        jmp .next
.end:
        pop si
        ret

feature_names:                                  ; bit in CPUID 1 EDX; 32 + bit in 1 ECX; 64 + bit in 80000001h EDX
        db 0, "FPU", 0
        db 1, "VME", 0
        db 3, "PSE", 0
        db 4, "TSC", 0
        db 5, "MSR", 0
        db 6, "PAE", 0
        db 7, "MCE", 0
        db 8, "CX8", 0
        db 9, "APIC", 0
        db 11, "SEP", 0
        db 12, "MTRR", 0
        db 13, "PGE", 0
        db 15, "CMOV", 0
        db 16, "PAT", 0
        db 19, "CLFSH", 0
        db 23, "MMX", 0
        db 24, "FXSR", 0
        db 25, "SSE", 0
        db 26, "SSE2", 0
        db 32, "SSE3", 0
        db 32 + 9, "SSSE3", 0
        db 32 + 19, "SSE4.1", 0
        db 32 + 20, "SSE4.2", 0
        db 32 + 23, "POPCNT", 0
        db 64 + 20, "NX", 0
        db 64 + 29, "LM", 0
        db 0xFF, 0

put_clock_rate:
        call measure_tsc
        test eax, eax
        jz .none
        xor edx, edx
        mov ecx, 100
        div ecx
        call put_tenths
        say " MHz (TSC)"
        ret
.none:
        say "no TSC to count"
        ret

put_tenths:                                     ; EAX tenths
        push edx
        push ecx
        xor edx, edx
        mov ecx, 10
        div ecx
        call put_number
        mov al, '.'
        call put_char
        mov al, dl
        add al, '0'
        call put_char
        pop ecx
        pop edx
        ret

; EAX = how often a loop of three instructions runs, in 100000 times per second.
measure_loop:
        xor ebx, ebx
        mov eax, [now]
        inc eax
        call wait_until                         ; start on a tick's edge
        add eax, 40
.count:
        inc ebx
        cmp [now], eax
        js .count
        mov eax, ebx
        xor edx, edx
        mov ecx, 4000
        div ecx
        ret

; Memory.

draw_memory:
        facts_panel 2, 40, 13, 39, "Memory"
        fact_row "INT 12h"
        movzx eax, word [conventional_kib]
        call put_kib
        say " conventional"
        fact_row "INT 15h 88"
        movzx eax, word [extended_kib]
        call put_kib
        say " above 1 MB"
        fact_row "  E801"
        cmp byte [has_e801], 0
        je .no_e801
        movzx eax, word [e801_kib]
        call put_kib
        say " + "
        movzx eax, word [e801_64k_blocks]
        shl eax, 6
        call put_kib
        jmp .map
.no_e801:
        say "not there"
.map:
        fact_row "  E820"
        movzx eax, byte [ranges]
        test eax, eax
        jz .no_map
        call put_number
        say " ranges"
        mov si, range_table
        mov cl, [ranges]
.range:
        call next_line
        push cx
        mov eax, [si]
        mov edx, [si + 4]
        call .address
        mov al, 0xC4
        call put_char
        mov eax, [si]
        mov edx, [si + 4]
        add eax, [si + 8]
        adc edx, [si + 12]
        sub eax, 1
        sbb edx, 0
        call .address
        mov al, ' '
        call put_char
        movzx bx, byte [si + 16]                ; type
        cmp bl, 5
        jbe .known
        mov bl, 2
.known:
        push si
        shl bx, 1
        mov si, [.kinds + bx]
        call put_text
        pop si
        mov di, [fact_line]
        add di, 28 * 2
        mov eax, [si + 8]
        mov edx, [si + 12]
        shrd eax, edx, 10
        call put_kib
        ink C_TEXT, C_PANEL
        add si, 20
        pop cx
        dec cl
        jnz .range
        ret
.no_map:
        say "not there"
        ret
.address:                                       ; EDX:EAX as nine hexadecimal digits
        push eax
        mov al, dl
        and al, 0x0F
        call put_hex_byte.digit
        pop eax
        jmp put_hex_dword
.kinds  dw .reserved, .usable, .reserved, .acpi, .nvs, .bad
.usable   db "usable", 0
.reserved db "kept", 0
.acpi     db "ACPI", 0
.nvs      db "NVS", 0
.bad      db "bad", 0

; Asks the BIOS about everything the pages need, once.
gather_facts:
        int 0x12
        mov [conventional_kib], ax
        mov ah, 0x88
        int 0x15
        jc .no_88
        mov [extended_kib], ax
.no_88:
        mov byte [has_e801], 0
        xor cx, cx
        xor dx, dx
        mov ax, 0xE801
        int 0x15
        jc .no_e801
        mov bp, cx                              ; some BIOSes answer in AX, BX, some in CX, DX, some in both
        or bp, dx
        jz .e801
        mov ax, cx
        mov bx, dx
.e801:
        mov [e801_kib], ax
        mov [e801_64k_blocks], bx
        inc byte [has_e801]
.no_e801:
        call gather_map
        call gather_disks
        jmp gather_video

gather_map:
        mov byte [ranges], 0
        mov dword [memory_kib], 0
        push es
        push ds
        pop es
        mov di, range_table
        xor ebx, ebx
        mov bp, 32                              ; a BIOS that never ends its list
.next:
        mov eax, 0xE820
        mov edx, 0x534D4150                     ; "SMAP"
        mov ecx, 20
        int 0x15
        jc .end
        cmp eax, 0x534D4150
        jne .end
        cmp byte [di + 16], 1
        jne .counted
        mov eax, [di + 8]
        mov edx, [di + 12]
        shrd eax, edx, 10
        add [memory_kib], eax
.counted:
        cmp byte [ranges], MAX_RANGES
        jae .full
        inc byte [ranges]
        add di, 20
.full:
        dec bp
        jz .end
        test ebx, ebx
        jnz .next
.end:
        pop es
        cmp byte [ranges], 0
        jne .done
        movzx eax, word [extended_kib]          ; no map: what the older services said
        cmp byte [has_e801], 0
        je .old
        movzx eax, word [e801_kib]
        movzx edx, word [e801_64k_blocks]
        shl edx, 6
        add eax, edx
.old:
        movzx edx, word [conventional_kib]
        add eax, edx
        mov [memory_kib], eax
.done:
        ret

; Video.

; The VBE information block stays in our own memory, for its pointers and for the second look.
gather_video:
        push es
        push ds
        pop es
        mov di, vbe_info
        mov dword [vbe_info], "VBE2"
        mov ax, 0x4F00
        int 0x10
        pop es
        cmp ax, 0x004F
        je .done
        mov word [vbe_info + 4], 0              ; version 0: no VBE
.done:
        ret

put_vbe_version:
        cmp word [vbe_info + 4], 0
        je .none
        say "VBE "
        movzx eax, byte [vbe_info + 5]
        call put_number
        say "."
        movzx eax, byte [vbe_info + 4]
        call put_number
        say ", "
        movzx eax, word [vbe_info + 18]         ; in blocks of 64 KiB
        shl eax, 6
        call put_kib
        ret
.none:
        say "VGA, no VBE"
        ret

draw_video:
        facts_panel 15, 40, 5, 39, "Video"
        fact_row "Adapter"
        call put_vbe_version
        fact_row "Maker"
        cmp word [vbe_info + 4], 0
        je .no_vbe
        lgs si, [vbe_info + 6]
        mov cx, 25
.maker:
        mov al, [gs:si]
        inc si
        cmp al, ' '
        jb .modes
        call put_char
        loop .maker
.modes:
        fact_row "Modes"
        lgs si, [vbe_info + 14]
        xor eax, eax
.mode:
        cmp word [gs:si], 0xFFFF
        je .counted
        add si, 2
        inc eax
        cmp eax, 999
        jb .mode
.counted:
        call put_number
        ret
.no_vbe:
        say "not told"
        ret

; Time.

draw_time:
        facts_panel 20, 40, 4, 39, "Time"
        fact_row "BIOS date"
        call put_bios_date
        fact_row "Ticks"
        ret

draw_running_time:
        go 22, 53
        ink C_TEXT, C_PANEL
        push es
        xor ax, ax
        mov es, ax
        mov ebx, [es:0x46C]
        pop es
        mov eax, ebx
        call put_number
        say " of the BIOS"
        ret

put_bios_date:                                  ; F000:FFF5, eight characters
        push 0xF000
        pop gs
        mov si, 0xFFF5
        mov cx, 8
.next:
        mov al, [gs:si]
        inc si
        cmp al, '/'                             ; digits and slashes, or it is not a date
        jb .done
        cmp al, '9'
        ja .done
        call put_char
        loop .next
.done:
        ret

        section memory
        alignb 4
memory_kib         resd 1
feature_words      resd 3
range_table        resb (MAX_RANGES + 1) * 20
drive_parameters   resb 32
vbe_info           resb 512
fact_line          resw 1
conventional_kib   resw 1
extended_kib       resw 1
e801_kib           resw 1
e801_64k_blocks    resw 1
geometry_cylinders resw 1
geometry_heads     resb 1
geometry_sectors   resb 1
has_e801           resb 1
ranges             resb 1
floppies           resb 1
hard_disks         resb 1
        section program
