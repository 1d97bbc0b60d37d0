; disk.asm: the whole floppy, as one assembly.
;
;   nasm -f bin -o demo.img disk.asm
;
; The image is an ordinary FAT12 volume, so that any PC can mount it and read README.TXT. The program itself hides where
; FAT12 allows it: in the reserved sectors between the boot sector and the first FAT.
;
;   sector     0          boot.asm, with the BIOS parameter block
;              1..126     the program (everything included below), at most 63 KiB
;              127        the game's high score
;              128..145   two FATs of nine sectors
;              146..159   root directory, 224 entries
;              160..2879  files: cluster n is sector 158 + n
;
; In memory the program lives in one segment, 0800h:0000, with its variables behind it and the stack at the segment's
; end. CS, DS and SS always point there; ES is whatever the code at hand likes. Above 2000h:0 everything is scratch.

%assign SECTOR            512
%define TOTAL_SECTORS     2880
%define RESERVED_SECTORS  128
%assign SCORE_SECTOR      127
%assign VOLUME_START      SCORE_SECTOR * SECTOR
%define FAT_SECTORS       9
%define ROOT_ENTRIES      224
%define PROGRAM_SEG       0x0800

        section boot    start=0      vstart=0x7C00
        section program start=SECTOR vstart=0
        section memory  nobits vfollows=program valign=4
        sectalign off                           ; alignb must not reset it
        section volume  start=VOLUME_START

%include "boot.asm"

        section program
program_start:
%include "main.asm"
%include "lib/timer.inc"
%include "lib/keyboard.inc"
%include "lib/mouse.inc"
%include "lib/speaker.inc"
%include "lib/text.inc"
%include "lib/video.inc"
%include "lib/math.inc"
%include "lib/cpu.inc"
%include "menu.asm"
%include "facts.asm"
%include "facts_disks.asm"
%include "plasma.asm"
%include "scroller.asm"
%include "scroller_world.asm"
%include "tune.asm"
%include "tune_pieces.asm"
%include "tester.asm"
%include "game.asm"
%include "game_view.asm"
program_end:

        section memory
memory_end:
        section program

%if program_end - program_start > (SCORE_SECTOR - 1) * SECTOR
%error "the program has outgrown the reserved sectors"
%endif
PROGRAM_SECTORS equ (program_end - program_start + SECTOR - 1) / SECTOR

        section volume
volume_start:
        times SECTOR db 0                       ; no high score yet

%macro fat 0
%%start:
        db 0xF0, 0xFF, 0xFF                     ; media descriptor, end mark
        db 0xFF, 0x0F, 0x00                     ; cluster 2 is README.TXT's only and last one
        times FAT_SECTORS * SECTOR - ($ - %%start) db 0
%endmacro
        fat
        fat

%define VOLUME_DATE ((2026 - 1980) << 9 | 1 << 5 | 1)

%macro directory_entry 4                        ; name, attributes, cluster, size
        db %1
        db %2
        times 10 db 0
        dw 0, VOLUME_DATE, %3
        dd %4
%endmacro
root_start:
        directory_entry "REPRISE    ", 0x08, 0, 0
        directory_entry "README  TXT", 0x21, 2, readme_end - readme
        times ROOT_ENTRIES * 32 - ($ - root_start) db 0

readme:
        db "This is the demo disk of Reprise, the PC you can rewind.", 13, 10, 13, 10
        db "Boot it: everything on it starts from the menu. It was written in assembly", 13, 10
        db "language for the BIOS, the VGA, the 8254, the 8042 and nothing else; the", 13, 10
        db "source is in the project's folder roms/demo.", 13, 10
readme_end:
%if readme_end - readme > SECTOR
%error "README.TXT must fit one cluster"
%endif
        times (TOTAL_SECTORS - SCORE_SECTOR) * SECTOR - ($ - volume_start) db 0
