; tune.asm: two pieces for a loudspeaker that knows one square wave.
;
; The timer interrupt plays, millisecond by millisecond; where two voices sound, it gives the speaker to each in turn, eight
; milliseconds at a time, which the ear takes for both. The picture is only an observer: each frame it looks at the clock of
; the piece and draws which notes will reach the keys when.
;
;   J. S. Bach, Prelude in C major, BWV 846 (1722)
;   Christian Petzold, Minuet in G major, BWV Anh. 114 (about 1725; from the notebook for Anna Magdalena Bach)

%define LOWEST_NOTE   36                        ; MIDI numbers: C2, 29 white keys of 11 pixels
%define HIGHEST_NOTE  84                        ; C6
%define KEYS_TOP      152
%define ROLL_TOP      26
%define VOICE_TURN    8                         ; ms; a power of two

%define END           0xFF                      ; in place of a note
%define REST          1
%define TUNE_ENTRY    8                         ; bytes in the table of tunes

%define TUNE_BACK     1                         ; 32 shades
%define TUNE_NOTE     64                        ; 12 pitch classes of 4 shades: beam, edge, body, light
%define TUNE_IVORY    40                        ; 4 shades
%define TUNE_EBONY    44                        ; 4 shades
%define TUNE_TITLE    48
%define TUNE_HINT     49
%define TUNE_GRID     50

tune:
        call open_mode_13h
        mov si, tune_palette
        call write_gradients             ; the same lists of gradients
        call compute_note_colours
        call start_tune
.frame:
        call draw_tune
        call wait_frame
        call show_back_buffer
        mov eax, [tune_ms]                      ; the end; after a rest the piece begins anew
        cmp eax, [tune_length]
        jb .keys
        call start_tune
.keys:
        call get_key
        jz .frame
        cmp al, KEY_ESC
        je .done
        cmp al, KEY_SPACE
        je .pause
        cmp al, KEY_LEFT
        je .other
        cmp al, KEY_RIGHT
        jne .frame
.other:
        xor byte [tune_number], 1
        call start_tune
        jmp .frame
.pause:
        xor byte [tune_paused], 1
        xor ax, ax
        call speaker_tone
        mov word [sounding], 0
        jmp .frame
.done:
        jmp silence

start_tune:
        call silence
        movzx si, byte [tune_number]
        imul si, TUNE_ENTRY
        add si, tunes
        mov [tune_entry], si
        xor eax, eax
        mov [tune_ms], eax
        mov [sounding], ax
        mov [tune_paused], al
        mov di, voices                          ; both voices at their beginnings
        mov bx, [si]
        mov [di], bx
        mov word [di + 2], 500                  ; after half a second, so that the first notes are seen coming
        mov [di + 4], al
        mov bx, [si + 2]
        mov [di + 6], bx
        mov word [di + 8], 500
        mov [di + 10], al
        mov bx, [si]                            ; length in milliseconds, with a rest of two seconds
        xor ecx, ecx
.event:
        mov ax, [bx]
        cmp al, END
        je .length
        movzx eax, ah
        add ecx, eax
        add bx, 2
        jmp .event
.length:
        movzx eax, byte [si + 4]
        imul eax, ecx
        mov [tune_end], eax
        add dword [tune_end], 500
        add eax, 2500
        mov [tune_length], eax
        mov word [every_millisecond], tune_millisecond
        jmp flush_keys

; Called from the timer interrupt.
tune_millisecond:
        cmp byte [tune_paused], 0
        jne .quiet
        inc dword [tune_ms]
        mov di, voices
        call .voice
        mov di, voices + 6
        call .voice
        mov al, [voices + 4]                    ; who has the speaker?
        mov ah, [voices + 10]
        test al, al
        jz .second
        test ah, ah
        jz .chosen
        test byte [tune_ms], VOICE_TURN
        jz .chosen
.second:
        mov al, ah
.chosen:
        cmp al, [sounding]
        je .quiet
        mov [sounding], al
        xor bx, bx
        test al, al
        jz .tone
        movzx ax, al                            ; divisor of the note an octave or more down, halved per octave
        sub ax, LOWEST_NOTE
        mov cl, 12
        div cl
        movzx bx, ah
        shl bx, 1
        mov bx, [octave_divisors + bx]
        mov cl, al
        shr bx, cl
.tone:
        mov ax, bx
        jmp speaker_tone
.quiet:
        ret

.voice:                                         ; DI = voice: next event, milliseconds left, note sounding
        mov si, [tune_entry]
        dec word [di + 2]
        jz .event
        movzx ax, byte [si + 5]                 ; the breath before the next note
        cmp [di + 2], ax
        ja .voice_done
        mov byte [di + 4], 0
.voice_done:
        ret
.event:
        mov bx, [di]
        mov ax, [bx]                            ; note, length
        cmp al, END
        je .ended
        add word [di], 2
        cmp al, REST
        jne .note
        xor al, al
.note:
        mov [di + 4], al
        mov al, ah
        mul byte [si + 4]
        mov [di + 2], ax
        ret
.ended:
        mov byte [di + 4], 0
        mov word [di + 2], 0xFFFF
        ret

octave_divisors:                                ; 1193182 / frequency, C2 = 65.4 Hz to B2
        dw 18243, 17219, 16253, 15340, 14479, 13667, 12900, 12176, 11492, 10847, 10238, 9664

; The picture.

draw_tune:
        mov ax, BACK_SEG
        mov es, ax
        xor di, di
        mov cx, ROLL_TOP * 80
        xor eax, eax
        rep stosd
        mov si, [tune_entry]
        push si
        mov si, [si + 6]
        mov di, 4 * 320 + 8
        mov ah, TUNE_TITLE
        call draw_text_8x8
        mov si, .hint
        mov di, 14 * 320 + 8
        mov ah, TUNE_HINT
        call draw_text_8x8
        pop si

        mov eax, [tune_ms]                      ; how far it has got
        mov ecx, 320
        mul ecx
        div dword [tune_end]
        cmp ax, 320
        jbe .progress
        mov ax, 320
.progress:
        mov cx, ax
        mov di, 24 * 320
        mov al, TUNE_TITLE
        rep stosb

        mov di, ROLL_TOP * 320                  ; evening behind the notes
        mov dx, (KEYS_TOP - ROLL_TOP) / 4
        mov eax, 0x01010101 * TUNE_BACK
.shade:
        mov cx, 4 * 80
        rep stosd
        add eax, 0x01010101
        dec dx
        jnz .shade
        mov cx, 2 * 80                          ; the two lines that four does not divide
        rep stosd
        mov bx, ROLL_TOP * 320                  ; a line at each C
.grid:
        mov di, bx
        mov cx, KEYS_TOP - ROLL_TOP
.dot:
        mov byte [es:di], TUNE_GRID
        add di, 320
        loop .dot
        add bx, 7 * 11
        cmp bx, ROLL_TOP * 320 + 320
        jb .grid

        mov al, [voices + 4]
        call draw_beam
        mov al, [voices + 10]
        call draw_beam
        mov si, [tune_entry]
        mov bx, [si]
        call draw_roll
        mov si, [tune_entry]
        mov bx, [si + 2]
        call draw_roll
        jmp draw_keys
.hint   db 27, 26, " other piece   Space pause   Esc menu", 0

; AL = a sounding note, or 0: a beam of light over its key.
draw_beam:
        test al, al
        jz .none
        call note_place
        add di, ROLL_TOP * 320
        mov dx, KEYS_TOP - ROLL_TOP
        mov al, bl
        jmp fill_rect
.none:
        ret

; DI = left edge of note AL's bar, CX = its width, BL = first of its four shades.
note_place:
        push ax
        push dx
        sub al, LOWEST_NOTE
        xor ah, ah
        mov dl, 12
        div dl                                  ; AL = octave, AH = pitch class
        movzx bx, ah
        movzx cx, byte [.offsets + bx]
        movzx di, al
        imul di, 77
        add di, cx
        mov cx, 9
        bt word [black_keys], bx
        jnc .white
        mov cx, 7
.white:
        shl bl, 2
        add bl, TUNE_NOTE
        pop dx
        pop ax
        ret
.offsets db 1, 7, 12, 19, 23, 34, 40, 45, 52, 56, 63, 67
black_keys dw 010101001010b                     ; bit n: pitch class n is a black key

; The notes to come of the voice whose events start at BX. A pixel is 16 ms.
draw_roll:
        mov ebp, 500                            ; start of the event
.event:
        mov ax, [bx]
        cmp al, END
        je .done
        mov si, [tune_entry]
        movzx ecx, byte [si + 4]
        movzx edx, ah
        imul edx, ecx
        add edx, ebp                            ; EDX = its end
        mov ecx, edx
        sub ecx, [tune_ms]
        jle .next                               ; over
        cmp al, REST
        je .next
        mov esi, ebp
        sub esi, [tune_ms]
        sar esi, 4
        cmp esi, KEYS_TOP - ROLL_TOP
        jge .done                               ; not yet in sight, nor is anything after it
        push edx
        push bx
        sar ecx, 4
        mov dx, KEYS_TOP
        sub dx, cx                              ; DX = upper edge
        cmp dx, ROLL_TOP
        jge .top
        mov dx, ROLL_TOP
.top:
        inc dx
        mov cx, KEYS_TOP
        test si, si
        js .bottom
        sub cx, si
.bottom:
        sub cx, dx                              ; CX = height
        jle .hidden
        push cx
        call note_place
        imul ax, dx, 320
        add di, ax
        pop dx
        mov al, bl
        inc al
        call fill_rect                          ; edge
        cmp dx, 3
        jb .hidden
        add di, 321
        sub cx, 2
        sub dx, 2
        inc al
        call fill_rect                          ; body
        mov dx, 1
        inc al
        call fill_rect                          ; light on its upper side
.hidden:
        pop bx
        pop edx
.next:
        mov ebp, edx
        add bx, 2
        jmp .event
.done:
        ret

draw_keys:
        mov di, KEYS_TOP * 320
        mov cx, 320
        mov dx, 200 - KEYS_TOP
        mov al, TUNE_EBONY
        call fill_rect
        xor bp, bp                              ; white keys first
        call .pass
        inc bp
.pass:
        mov al, LOWEST_NOTE
.key:
        push ax
        call note_place
        call .is_black
        cmp ax, bp
        jne .skip
        add di, KEYS_TOP * 320 + 320
        pop ax
        push ax
        call .colours                           ; BL = body, BH = foot
        test bp, bp
        jnz .black
        mov cx, 10
        mov dx, 42
        mov al, bl
        call fill_rect
        add di, 42 * 320
        mov dx, 4
        mov al, bh
        call fill_rect
        jmp .skip
.black:
        mov cx, 7
        mov dx, 28
        mov al, TUNE_EBONY
        call fill_rect
        inc di
        mov cx, 5
        mov dx, 24
        mov al, bl
        call fill_rect
        add di, 24 * 320
        mov dx, 2
        mov al, bh
        call fill_rect
.skip:
        pop ax
        inc al
        cmp al, HIGHEST_NOTE
        jbe .key
        ret
.is_black:                                      ; AX = 1 if the note whose shades start at BL is a black key
        push bx
        sub bl, TUNE_NOTE
        shr bl, 2
        xor bh, bh
        xor ax, ax
        bt word [black_keys], bx
        adc ax, 0
        pop bx
        ret
.colours:
        cmp al, [voices + 4]
        je .lit
        cmp al, [voices + 10]
        je .lit
        mov bx, (TUNE_IVORY + 1) << 8 | TUNE_IVORY + 3
        test bp, bp
        jz .plain
        mov bx, (TUNE_EBONY + 3) << 8 | TUNE_EBONY + 1
.plain:
        ret
.lit:
        mov bh, bl
        add bl, 2
        add bh, 1
        ret

; Twelve hues around the circle for the twelve pitch classes, four brightnesses each.
compute_note_colours:
        mov dx, 0x3C8
        mov al, TUNE_NOTE
        out dx, al
        inc dx
        xor bx, bx                              ; BL = hue
.class:
        mov si, .brightness
.shade:
        mov cx, 3
        mov bh, bl
.channel:
        mov al, bh
        call sin
        add ax, 128
        mul byte [si]
        shr ax, 8
        cmp byte [si], 90                       ; a touch of white in the light ones
        jb .put
        add al, 4
.put:
        out dx, al
        add bh, 85
        loop .channel
        inc si
        cmp si, .brightness_end
        jb .shade
        add bl, 21
        cmp bl, 21 * 12
        jb .class
        ret
.brightness:
        db 14, 30, 48, 58
.brightness_end:

tune_palette:
        db TUNE_BACK, 32,   1, 1, 4,     6, 10, 26
        db TUNE_IVORY, 4,  30, 28, 30,  60, 58, 54
        db TUNE_EBONY, 4,   1, 1, 3,    14, 14, 20
        db TUNE_TITLE, 1,  63, 58, 44,  63, 58, 44
        db TUNE_HINT, 1,   26, 28, 40,  26, 28, 40
        db TUNE_GRID, 1,   11, 11, 24,  11, 11, 24
        db 0, 0

        section memory
        alignb 4
tune_ms         resd 1
tune_end        resd 1                          ; of the last note, in ms
tune_length     resd 1                          ; with the rest behind it
tune_entry      resw 1
voices          resb 12                         ; twice: next event (word), ms left (word), note or 0 (byte), unused
sounding        resw 1
tune_number     resb 1
tune_paused     resb 1
        section program
