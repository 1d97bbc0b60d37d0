; boot_card.asm: the expansion ROM of the card that starts kernels without a disk.
;
; The firmware finds it at the card's ROM BAR, registers its bootstrap entry (Plug and Play BIOS Specification 1.0A, 3.2)
; and calls that as the first boot device. The entry asks the firmware for the memory map, hands it to the card, which
; puts the kernel into memory, and enters the kernel in the mode that the card says. devices/boot_card.h describes the
; block in memory through which both speak.

BLOCK           equ 0x1000                      ; where the block is: linear address
BLOCK_SEGMENT   equ BLOCK >> 4
KIND            equ 0x00                        ; to the card: number of map entries; from it: how to go on
EAX_ESI         equ 0x04                        ; EAX, EBX, ESI of the kernel; in real mode SS, SP
ENTRY           equ 0x10                        ; in real mode IP, CS
PAGE_TABLES     equ 0x14
GDT_POINTER     equ 0x18
FAR_POINTER     equ 0x20                        ; ours
MESSAGE         equ 0x80
MAP             equ 0x200
MAP_ENTRY       equ 20
MAP_ENTRIES     equ 128
REAL_MODE       equ 1
PROTECTED_MODE  equ 2
LONG_MODE       equ 3

VENDOR          equ 0x1234
DEVICE          equ 0x4B42
DOORBELL        equ 0x40                        ; in configuration space

CODE            equ 0x10                        ; selectors of Linux's 32-bit boot protocol
DATA            equ 0x18

SMAP            equ 0x534D4150
EFER            equ 0xC0000080

        cpu x64
        bits 16
        org 0

        db 0x55, 0xAA
        db ROM_SIZE / 512
        jmp near initialise
        times 0x18 - ($ - $$) db 0
        dw pci_data
        dw expansion_header

        align 4, db 0
pci_data:                                       ; PCI Local Bus Specification 2.1, 6.3.1.2
        db "PCIR"
        dw VENDOR, DEVICE
        dw 0, 0x18
        db 0, 0x00, 0x80, 0x08                  ; revision; class: other system peripheral
        dw ROM_SIZE / 512, 0
        db 0, 0x80                              ; x86 code; the last image
        dw 0

        align 16, db 0
expansion_header:                               ; Plug and Play BIOS Specification 1.0A, 3.2
        db "$PnP", 1, 32 / 16
        dw 0
        db 0, 0                                 ; the second is the header's checksum, see the card
        dd 0
        dw manufacturer, product
        db 0x08, 0x80, 0x00                     ; type as above
        db 0x24                                 ; shadowable, and a device to boot from
        dw 0, 0
        dw boot
        dw 0, 0

manufacturer:
        db "Reprise", 0
product:
        db "Kernel", 0

; There is something to boot from. (Plug and Play BIOS Specification 1.0A, 3.5)
initialise:
        mov ax, 0x20
        retf

boot:
        cli
        xor ax, ax
        mov ss, ax
        mov sp, 0x7C00
        sti
        cld
        mov ax, BLOCK_SEGMENT
        mov ds, ax
        mov es, ax
        mov ax, 0x2401                          ; A20 on
        int 0x15
        call ask_for_map
        call ring
        jc refused
        cmp byte [KIND], REAL_MODE
        je enter_real_mode
        cmp byte [KIND], PROTECTED_MODE
        je enter_protected_mode
        cmp byte [KIND], LONG_MODE
        je enter_long_mode

; The reason is in the block. The firmware tries the next device.
refused:
        mov si, MESSAGE
.next:
        lodsb
        test al, al
        jz .done
        mov ah, 0x0E
        mov bx, 7
        int 0x10
        jmp .next
.done:
        int 0x18

; INT 15h, E820h, entry by entry. (ACPI Specification 2.0, 14.1)
ask_for_map:
        xor ebx, ebx
        xor ebp, ebp
        mov di, MAP
.next:
        mov eax, 0xE820
        mov edx, SMAP
        mov ecx, MAP_ENTRY
        int 0x15
        jc .done
        cmp eax, SMAP
        jne .done
        add di, MAP_ENTRY
        inc bp
        cmp bp, MAP_ENTRIES
        jae .done
        test ebx, ebx
        jnz .next
.done:
        mov [KIND], ebp
        ret

; Tells the card where the block is. Carry: there is no card. (PCI BIOS Specification 2.1, 4.3.3 and 4.4.6)
ring:
        mov ax, 0xB102
        mov cx, DEVICE
        mov dx, VENDOR
        xor si, si
        int 0x1A
        jc .done
        mov ax, 0xB10D
        mov di, DOORBELL
        mov ecx, BLOCK
        int 0x1A
.done:
        ret

; Linux's boot protocol: all segments are that of the setup code, interrupts are off.
enter_real_mode:
        cli
        mov ax, [EAX_ESI]
        mov ss, ax
        movzx esp, word [EAX_ESI + 4]
        push dword [ENTRY]
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        retf

; The segment of this ROM is the firmware's choice, so the way into another mode goes through a far pointer.
%macro point_at 1
        xor eax, eax
        mov ax, cs
        shl eax, 4
        add eax, %1
        mov [FAR_POINTER], eax
        mov word [FAR_POINTER + 4], CODE
%endmacro

enter_protected_mode:
        cli
        point_at protected_mode
        lgdt [GDT_POINTER]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp far dword [FAR_POINTER]

enter_long_mode:
        cli
        point_at long_mode
        lgdt [GDT_POINTER]
        mov eax, cr4
        or al, 0x20                             ; PAE
        mov cr4, eax
        mov eax, [PAGE_TABLES]
        mov cr3, eax
        mov ecx, EFER
        rdmsr
        or ah, 1                                ; LME
        wrmsr
        mov eax, cr0
        or eax, 0x80000001                      ; PG, PE
        mov cr0, eax
        jmp far dword [FAR_POINTER]

%macro load_kernel_registers 0
        mov eax, DATA
        mov ds, eax
        mov es, eax
        mov fs, eax
        mov gs, eax
        mov ss, eax
        mov esp, 0x7C00
        mov eax, [BLOCK + EAX_ESI]
        mov ebx, [BLOCK + EAX_ESI + 4]
        mov esi, [BLOCK + EAX_ESI + 8]
        mov ecx, [BLOCK + ENTRY]
        xor edi, edi
        xor ebp, ebp
%endmacro

        bits 32
protected_mode:
        load_kernel_registers
        jmp ecx

        bits 64
long_mode:
        load_kernel_registers
        jmp rcx

        times 4096 - ($ - $$) db 0
ROM_SIZE equ $ - $$
