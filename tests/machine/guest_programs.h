/// Guests for tests of the machine as a whole: programs at 0000:7C00, given as what they assemble to.
/// They run for ever, and keep sums of what they saw at 500h and above.
#pragma once

#include <array>
#include <ostream>
#include <span>
#include <string_view>

#include "machine/base/types.h"

namespace reprise::test {

// clang-format off
/// IRQ 0 about every 1 ms, HLT, a busy loop, STI and POPF beside each other.
inline constexpr std::array<u8, 84> kTimer{
    0xFA,                                              // cli
    0x31, 0xC0,                                        // xor ax, ax
    0x8E, 0xD8,                                        // mov ds, ax
    0x8E, 0xC0,                                        // mov es, ax
    0x8E, 0xD0,                                        // mov ss, ax
    0xBC, 0x00, 0x7C,                                  // mov sp, 0x7C00
    0xC7, 0x06, 0x20, 0x00, 0x42, 0x7C,                // mov word [0x20], tick
    0xA3, 0x22, 0x00,                                  // mov [0x22], ax
    0xB0, 0x34,                                        // mov al, 0x34
    0xE6, 0x43,                                        // out 0x43, al
    0xB0, 0x53,                                        // mov al, 0x53
    0xE6, 0x40,                                        // out 0x40, al
    0xB0, 0x04,                                        // mov al, 0x04
    0xE6, 0x40,                                        // out 0x40, al
    0xFB,                                              // sti
    0xF4,                                              // wait_: hlt
    0x66, 0xFF, 0x06, 0x00, 0x05,                      // inc dword [0x500]
    0xF6, 0x06, 0x04, 0x05, 0x07,                      // test byte [0x504], 7
    0x75, 0xF3,                                        // jnz wait_
    0xB9, 0xD0, 0x07,                                  // mov cx, 2000
    0x66, 0x01, 0xC8,                                  // busy: add eax, ecx
    0x66, 0x31, 0xC3,                                  // xor ebx, eax
    0xE2, 0xF8,                                        // loop busy
    0xFB,                                              // sti
    0x90,                                              // nop
    0xFA,                                              // cli
    0x9C,                                              // pushf
    0x9D,                                              // popf
    0xFB,                                              // sti
    0xEB, 0xE0,                                        // jmp wait_
    0x50,                                              // tick: push ax
    0x66, 0xFF, 0x06, 0x04, 0x05,                      // inc dword [0x504]
    0xE4, 0x40,                                        // in al, 0x40
    0x00, 0x06, 0x08, 0x05,                            // add [0x508], al
    0xB0, 0x20,                                        // mov al, 0x20
    0xE6, 0x20,                                        // out 0x20, al
    0x58,                                              // pop ax
    0xCF,                                              // iret
};

/// REP string instructions of random lengths, both directions, overlapping, interrupted by the timer.
inline constexpr std::array<u8, 182> kStrings{
    0xFA,                                              // cli
    0x31, 0xC0,                                        // xor ax, ax
    0x8E, 0xD8,                                        // mov ds, ax
    0x8E, 0xC0,                                        // mov es, ax
    0x8E, 0xD0,                                        // mov ss, ax
    0xBC, 0x00, 0x7C,                                  // mov sp, 0x7C00
    0xC7, 0x06, 0x20, 0x00, 0xAA, 0x7C,                // mov word [0x20], tick
    0xA3, 0x22, 0x00,                                  // mov [0x22], ax
    0xB0, 0x34,                                        // mov al, 0x34
    0xE6, 0x43,                                        // out 0x43, al
    0xB0, 0x31,                                        // mov al, 0x31
    0xE6, 0x40,                                        // out 0x40, al
    0xB0, 0x00,                                        // mov al, 0x00
    0xE6, 0x40,                                        // out 0x40, al
    0xFB,                                              // sti
    0x66, 0xBD, 0x39, 0x30, 0x00, 0x00,                // mov ebp, 12345
    0x66, 0x69, 0xED, 0x6D, 0x4E, 0xC6, 0x41,          // next: imul ebp, ebp, 1103515245
    0x66, 0x81, 0xC5, 0x39, 0x30, 0x00, 0x00,          // add ebp, 12345
    0x66, 0x89, 0xE9,                                  // mov ecx, ebp
    0x66, 0xC1, 0xE9, 0x14,                            // shr ecx, 20
    0x66, 0x89, 0xEE,                                  // mov esi, ebp
    0x66, 0xC1, 0xEE, 0x09,                            // shr esi, 9
    0x66, 0x81, 0xE6, 0xFF, 0x3F, 0x00, 0x00,          // and esi, 0x3FFF
    0x66, 0x81, 0xC6, 0x00, 0xA0, 0x00, 0x00,          // add esi, 0xA000
    0x66, 0x89, 0xEF,                                  // mov edi, ebp
    0x66, 0xC1, 0xEF, 0x03,                            // shr edi, 3
    0x66, 0x81, 0xE7, 0xFF, 0x3F, 0x00, 0x00,          // and edi, 0x3FFF
    0x66, 0x81, 0xC7, 0x00, 0xA0, 0x00, 0x00,          // add edi, 0xA000
    0x66, 0x89, 0xE8,                                  // mov eax, ebp
    0xFC,                                              // cld
    0x66, 0xF7, 0xC5, 0x00, 0x00, 0x04, 0x00,          // test ebp, 0x40000
    0x74, 0x01,                                        // jz up
    0xFD,                                              // std
    0x51,                                              // up: push cx
    0xF3, 0xA4,                                        // rep movsb
    0x59,                                              // pop cx
    0x51,                                              // push cx
    0xC1, 0xE9, 0x02,                                  // shr cx, 2
    0x8D, 0x7C, 0x03,                                  // lea di, [si+3]
    0xF3, 0x66, 0xAB,                                  // rep stosd
    0x59,                                              // pop cx
    0x81, 0xE1, 0xFF, 0x03,                            // and cx, 0x3FF
    0x51,                                              // push cx
    0xF3, 0xA7,                                        // repe cmpsw
    0x01, 0x0E, 0x10, 0x05,                            // add [0x510], cx
    0x59,                                              // pop cx
    0xF2, 0xAE,                                        // repne scasb
    0x01, 0x0E, 0x14, 0x05,                            // add [0x514], cx
    0xAD,                                              // lodsw
    0x01, 0x06, 0x18, 0x05,                            // add [0x518], ax
    0xFC,                                              // cld
    0xBE, 0x01, 0xA0,                                  // mov si, 0xA001
    0xBF, 0x05, 0xA0,                                  // mov di, 0xA005
    0xB9, 0xC8, 0x00,                                  // mov cx, 200
    0xF3, 0xA5,                                        // rep movsw
    0xE9, 0x7E, 0xFF,                                  // jmp next
    0x50,                                              // tick: push ax
    0x66, 0xFF, 0x06, 0x04, 0x05,                      // inc dword [0x504]
    0xB0, 0x20,                                        // mov al, 0x20
    0xE6, 0x20,                                        // out 0x20, al
    0x58,                                              // pop ax
    0xCF,                                              // iret
};

/// Code that writes the instructions behind it, before it and in its own block; the timer writes some too.
inline constexpr std::array<u8, 127> kSelfModifying{
    0xFA,                                              // cli
    0x31, 0xC0,                                        // xor ax, ax
    0x8E, 0xD8,                                        // mov ds, ax
    0x8E, 0xC0,                                        // mov es, ax
    0x8E, 0xD0,                                        // mov ss, ax
    0xBC, 0x00, 0x7C,                                  // mov sp, 0x7C00
    0xC7, 0x06, 0x20, 0x00, 0x73, 0x7C,                // mov word [0x20], tick
    0xA3, 0x22, 0x00,                                  // mov [0x22], ax
    0xB0, 0x34,                                        // mov al, 0x34
    0xE6, 0x43,                                        // out 0x43, al
    0xB0, 0x35,                                        // mov al, 0x35
    0xE6, 0x40,                                        // out 0x40, al
    0x30, 0xC0,                                        // xor al, al
    0xE6, 0x40,                                        // out 0x40, al
    0xFB,                                              // sti
    0xFE, 0x06, 0x27, 0x7C,                            // next: inc byte [imm+1]
    0xB0, 0x00,                                        // imm: mov al, 0
    0x00, 0x06, 0x10, 0x05,                            // add [0x510], al
    0x8A, 0x1E, 0x10, 0x05,                            // mov bl, [0x510]
    0x83, 0xE3, 0x01,                                  // and bx, 1
    0x8A, 0x9F, 0x71, 0x7C,                            // mov bl, [choice+bx]
    0x88, 0x1E, 0x3E, 0x7C,                            // mov [pick], bl
    0xB9, 0x03, 0x00,                                  // mov cx, 3
    0x42,                                              // pick: inc dx
    0xE2, 0xFD,                                        // loop pick
    0xB0, 0x42,                                        // mov al, 0x42
    0xF6, 0xC2, 0x04,                                  // test dl, 4
    0x74, 0x02,                                        // jz fill
    0xB0, 0x4A,                                        // mov al, 0x4A
    0xBF, 0x52, 0x7C,                                  // fill: mov di, filled
    0xB9, 0x06, 0x00,                                  // mov cx, 6
    0xF3, 0xAA,                                        // rep stosb
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90,                // times 6 nop
    0x01, 0x16, 0x14, 0x05,                            // add [0x514], dx
    0xFE, 0x06, 0x64, 0x7C,                            // inc byte [back+1]
    0xB9, 0x05, 0x00,                                  // mov cx, 5
    0xB3, 0x00,                                        // back: mov bl, 0
    0x01, 0x1E, 0x18, 0x05,                            // add [0x518], bx
    0xFE, 0x0E, 0x64, 0x7C,                            // dec byte [back+1]
    0xE2, 0xF4,                                        // loop back
    0xEB, 0xB1,                                        // jmp next
    0x42,                                              // choice: inc dx
    0x4A,                                              // dec dx
    0x50,                                              // tick: push ax
    0x80, 0x36, 0x71, 0x7C, 0x08,                      // xor byte [choice], 0x08
    0xB0, 0x20,                                        // mov al, 0x20
    0xE6, 0x20,                                        // out 0x20, al
    0x58,                                              // pop ax
    0xCF,                                              // iret
};

/// Mode 13h, the DAC, retrace polling, mode X planes and latches, and text again.
inline constexpr std::array<u8, 136> kGraphics{
    0xFA,                                              // cli
    0x31, 0xC0,                                        // xor ax, ax
    0x8E, 0xD8,                                        // mov ds, ax
    0x8E, 0xC0,                                        // mov es, ax
    0x8E, 0xD0,                                        // mov ss, ax
    0xBC, 0x00, 0x7C,                                  // mov sp, 0x7C00
    0xFB,                                              // sti
    0xB8, 0x13, 0x00,                                  // start: mov ax, 0x13
    0xCD, 0x10,                                        // int 0x10
    0x68, 0x00, 0xA0,                                  // frame: push word 0xA000
    0x07,                                              // pop es
    0x45,                                              // inc bp
    0x31, 0xFF,                                        // xor di, di
    0xB9, 0x80, 0x3E,                                  // mov cx, 16000
    0x66, 0x89, 0xE8,                                  // mov eax, ebp
    0xF3, 0x66, 0xAB,                                  // rep stosd
    0xBE, 0xC8, 0x00,                                  // mov si, 200
    0x69, 0xFD, 0xFB, 0x00,                            // plot: imul di, bp, 251
    0x01, 0xF7,                                        // add di, si
    0x26, 0x30, 0x05,                                  // es xor [di], al
    0x26, 0xFF, 0x05,                                  // es inc word [di]
    0x4E,                                              // dec si
    0x75, 0xF1,                                        // jnz plot
    0xBA, 0xDA, 0x03,                                  // mov dx, 0x3DA
    0xEC,                                              // retrace: in al, dx
    0xA8, 0x08,                                        // test al, 8
    0x74, 0xFB,                                        // jz retrace
    0xBA, 0xC8, 0x03,                                  // mov dx, 0x3C8
    0x89, 0xE8,                                        // mov ax, bp
    0xEE,                                              // out dx, al
    0x42,                                              // inc dx
    0xEE,                                              // out dx, al
    0xEE,                                              // out dx, al
    0xEE,                                              // out dx, al
    0xBA, 0xC4, 0x03,                                  // mov dx, 0x3C4
    0xB8, 0x04, 0x06,                                  // mov ax, 0x0604
    0xEF,                                              // out dx, ax
    0xBB, 0x3C, 0x00,                                  // mov bx, 60
    0xBA, 0xC4, 0x03,                                  // modex: mov dx, 0x3C4
    0xB0, 0x02,                                        // mov al, 2
    0x88, 0xDC,                                        // mov ah, bl
    0x80, 0xE4, 0x0F,                                  // and ah, 15
    0xEF,                                              // out dx, ax
    0x89, 0xDF,                                        // mov di, bx
    0xB9, 0x2C, 0x01,                                  // mov cx, 300
    0xF3, 0xAA,                                        // rep stosb
    0xBA, 0xCE, 0x03,                                  // mov dx, 0x3CE
    0xB8, 0x05, 0x41,                                  // mov ax, 0x4105
    0xEF,                                              // out dx, ax
    0x1E,                                              // push ds
    0x06,                                              // push es
    0x1F,                                              // pop ds
    0x89, 0xDE,                                        // mov si, bx
    0xB9, 0x64, 0x00,                                  // mov cx, 100
    0xF3, 0xA4,                                        // rep movsb
    0x1F,                                              // pop ds
    0xB8, 0x05, 0x40,                                  // mov ax, 0x4005
    0xEF,                                              // out dx, ax
    0x4B,                                              // dec bx
    0x75, 0xD5,                                        // jnz modex
    0xF7, 0xC5, 0x03, 0x00,                            // test bp, 3
    0x75, 0x91,                                        // jnz frame
    0xB8, 0x03, 0x00,                                  // mov ax, 3
    0xCD, 0x10,                                        // int 0x10
    0xEB, 0x85,                                        // jmp start
};

/// Chips read in a loop: PIT latches, CMOS, port 61h, PCI, A20 by port 92h, a UART that sends.
inline constexpr std::array<u8, 161> kPorts{
    0xFA,                                              // cli
    0x31, 0xC0,                                        // xor ax, ax
    0x8E, 0xD8,                                        // mov ds, ax
    0x8E, 0xC0,                                        // mov es, ax
    0x8E, 0xD0,                                        // mov ss, ax
    0xBC, 0x00, 0x7C,                                  // mov sp, 0x7C00
    0xFB,                                              // sti
    0x45,                                              // next: inc bp
    0xB0, 0x00,                                        // mov al, 0
    0xE6, 0x43,                                        // out 0x43, al
    0xE4, 0x40,                                        // in al, 0x40
    0x88, 0xC4,                                        // mov ah, al
    0xE4, 0x40,                                        // in al, 0x40
    0x01, 0x06, 0x10, 0x05,                            // add [0x510], ax
    0xB0, 0x0A,                                        // mov al, 0x0A
    0xE6, 0x70,                                        // out 0x70, al
    0xE4, 0x71,                                        // in al, 0x71
    0x00, 0x06, 0x14, 0x05,                            // add [0x514], al
    0xB0, 0x00,                                        // mov al, 0
    0xE6, 0x70,                                        // out 0x70, al
    0xE4, 0x71,                                        // in al, 0x71
    0x00, 0x06, 0x15, 0x05,                            // add [0x515], al
    0xE4, 0x61,                                        // in al, 0x61
    0x34, 0x03,                                        // xor al, 3
    0xE6, 0x61,                                        // out 0x61, al
    0x00, 0x06, 0x16, 0x05,                            // add [0x516], al
    0xBA, 0xF6, 0x03,                                  // mov dx, 0x3F6
    0xEC,                                              // in al, dx
    0xBA, 0xF0, 0x01,                                  // mov dx, 0x1F0
    0xED,                                              // in ax, dx
    0xBA, 0xF8, 0x0C,                                  // mov dx, 0xCF8
    0x66, 0xB8, 0x00, 0x00, 0x00, 0x80,                // mov eax, 0x80000000
    0x66, 0xEF,                                        // out dx, eax
    0xB2, 0xFC,                                        // mov dl, 0xFC
    0x66, 0xED,                                        // in eax, dx
    0x66, 0x01, 0x06, 0x18, 0x05,                      // add [0x518], eax
    0xB8, 0xFF, 0xFF,                                  // mov ax, 0xFFFF
    0x8E, 0xC0,                                        // mov es, ax
    0x26, 0xC6, 0x06, 0x10, 0x05, 0x90,                // mov byte [es:0x0510], 0x90
    0xE4, 0x92,                                        // in al, 0x92
    0x34, 0x02,                                        // xor al, 2
    0xE6, 0x92,                                        // out 0x92, al
    0xC6, 0x06, 0x00, 0x05, 0x00,                      // mov byte [0x500], 0
    0x26, 0xFE, 0x06, 0x10, 0x05,                      // inc byte [es:0x510]
    0xA0, 0x00, 0x05,                                  // mov al, [0x500]
    0x00, 0x06, 0x1C, 0x05,                            // add [0x51C], al
    0xE4, 0x64,                                        // in al, 0x64
    0x00, 0x06, 0x1D, 0x05,                            // add [0x51D], al
    0xF7, 0xC5, 0x3F, 0x00,                            // test bp, 63
    0x75, 0x89,                                        // jnz next
    0xB0, 0xAE,                                        // mov al, 0xAE
    0xE6, 0x64,                                        // out 0x64, al
    0xBA, 0xFB, 0x03,                                  // mov dx, 0x3FB
    0xB0, 0x03,                                        // mov al, 3
    0xEE,                                              // out dx, al
    0xB2, 0xF8,                                        // mov dl, 0xF8
    0x89, 0xE8,                                        // mov ax, bp
    0xEE,                                              // out dx, al
    0xB2, 0xFD,                                        // mov dl, 0xFD
    0xEC,                                              // line: in al, dx
    0xFF, 0x06, 0x20, 0x05,                            // inc word [0x520]
    0xA8, 0x20,                                        // test al, 0x20
    0x74, 0xF7,                                        // jz line
    0xE9, 0x6C, 0xFF,                                  // jmp next
};

/// Code at FFFF:0810 closes A20 under itself and goes on in the code that lies 1 MB below.
inline constexpr std::array<u8, 91> kA20{
    0xFA,                                              // cli
    0x31, 0xC0,                                        // xor ax, ax
    0x8E, 0xD8,                                        // mov ds, ax
    0x8E, 0xC0,                                        // mov es, ax
    0x8E, 0xD0,                                        // mov ss, ax
    0xBC, 0x00, 0x7C,                                  // mov sp, 0x7C00
    0xBB, 0xFF, 0xFF,                                  // mov bx, 0xFFFF
    0x8E, 0xC3,                                        // mov es, bx
    0xB0, 0x02,                                        // mov al, 2
    0xE6, 0x92,                                        // out 0x92, al
    0xFC,                                              // cld
    0xBE, 0x35, 0x7C,                                  // mov si, high
    0xBF, 0x10, 0x08,                                  // mov di, 0x0810
    0xB9, 0x13, 0x00,                                  // mov cx, high_end - high
    0xF3, 0xA4,                                        // rep movsb
    0xBE, 0x48, 0x7C,                                  // mov si, low
    0xBF, 0x00, 0x08,                                  // mov di, 0x0800
    0xB9, 0x13, 0x00,                                  // mov cx, low_end - low
    0x1E,                                              // push ds
    0x07,                                              // pop es
    0xF3, 0xA4,                                        // rep movsb
    0x9A, 0x10, 0x08, 0xFF, 0xFF,                      // next: call 0xFFFF:0x0810
    0xEB, 0xF9,                                        // jmp next
    0x30, 0xC0,                                        // high: xor al, al
    0xE6, 0x92,                                        // out 0x92, al
    0x66, 0xFF, 0x06, 0x10, 0x05,                      // inc dword [0x510]
    0x66, 0xFF, 0x06, 0x10, 0x05,                      // inc dword [0x510]
    0xB0, 0x02,                                        // mov al, 2
    0xE6, 0x92,                                        // out 0x92, al
    0xCB,                                              // retf
    0x90, 0x90, 0x90, 0x90,                            // times 4 nop
    0x66, 0xFF, 0x06, 0x14, 0x05,                      // inc dword [0x514]
    0x66, 0xFF, 0x06, 0x14, 0x05,                      // inc dword [0x514]
    0xB0, 0x02,                                        // mov al, 2
    0xE6, 0x92,                                        // out 0x92, al
    0xCB,                                              // retf
};

/// Floppy and hard disk sectors read and written through the BIOS.
inline constexpr std::array<u8, 100> kDisks{
    0xFA,                                              // cli
    0x31, 0xC0,                                        // xor ax, ax
    0x8E, 0xD8,                                        // mov ds, ax
    0x8E, 0xC0,                                        // mov es, ax
    0x8E, 0xD0,                                        // mov ss, ax
    0xBC, 0x00, 0x7C,                                  // mov sp, 0x7C00
    0xFB,                                              // sti
    0x45,                                              // next: inc bp
    0xB8, 0x03, 0x02,                                  // mov ax, 0x0203
    0xBB, 0x00, 0x90,                                  // mov bx, 0x9000
    0x89, 0xE9,                                        // mov cx, bp
    0x83, 0xE1, 0x07,                                  // and cx, 7
    0x41,                                              // inc cx
    0x88, 0xCD,                                        // mov ch, cl
    0x89, 0xEA,                                        // mov dx, bp
    0x88, 0xD6,                                        // mov dh, dl
    0x81, 0xE2, 0x00, 0x01,                            // and dx, 0x0100
    0xCD, 0x13,                                        // int 0x13
    0x11, 0x06, 0x10, 0x05,                            // adc word [0x510], ax
    0xB8, 0x04, 0x02,                                  // mov ax, 0x0204
    0xBB, 0x00, 0xA0,                                  // mov bx, 0xA000
    0x89, 0xE9,                                        // mov cx, bp
    0x83, 0xE1, 0x0F,                                  // and cx, 15
    0x41,                                              // inc cx
    0xBA, 0x80, 0x00,                                  // mov dx, 0x0080
    0xCD, 0x13,                                        // int 0x13
    0x11, 0x06, 0x12, 0x05,                            // adc word [0x512], ax
    0xB8, 0x01, 0x03,                                  // mov ax, 0x0301
    0xFF, 0x06, 0x00, 0xA0,                            // inc word [0xA000]
    0xBB, 0x00, 0xA0,                                  // mov bx, 0xA000
    0xB9, 0x02, 0x01,                                  // mov cx, 0x0102
    0xBA, 0x80, 0x00,                                  // mov dx, 0x0080
    0xCD, 0x13,                                        // int 0x13
    0x11, 0x06, 0x14, 0x05,                            // adc word [0x514], ax
    0xBE, 0x00, 0xA0,                                  // mov si, 0xA000
    0xB9, 0x00, 0x02,                                  // mov cx, 512
    0xAD,                                              // sum: lodsw
    0x01, 0x06, 0x16, 0x05,                            // add [0x516], ax
    0xE2, 0xF9,                                        // loop sum
    0xEB, 0xA9,                                        // jmp next
};

/// Protected mode with paging: page faults, accessed and dirty bits cleared without a flush of the TLB, and a V86 task that calls interrupts.
inline constexpr std::array<u8, 444> kPaging{
    0xFA,                                              // cli
    0x31, 0xC0,                                        // xor ax, ax
    0x8E, 0xD8,                                        // mov ds, ax
    0x8E, 0xC0,                                        // mov es, ax
    0x8E, 0xD0,                                        // mov ss, ax
    0xBC, 0x00, 0x7C,                                  // mov sp, 0x7C00
    0x0F, 0x01, 0x16, 0x64, 0x7C,                      // lgdt [gdtr]
    0x0F, 0x01, 0x1E, 0x6A, 0x7C,                      // lidt [idtr]
    0xB8, 0x00, 0x10,                                  // mov ax, 0x1000
    0x8E, 0xC0,                                        // mov es, ax
    0x31, 0xFF,                                        // xor di, di
    0xB9, 0x00, 0x08,                                  // mov cx, 0x800
    0x66, 0x31, 0xC0,                                  // xor eax, eax
    0xFC,                                              // cld
    0xF3, 0x66, 0xAB,                                  // rep stosd
    0x26, 0x66, 0xC7, 0x06, 0x00, 0x00, 0x07, 0x10, 0x01, // mov dword [es:0], 0x11007
    0x00,
    0xBF, 0x00, 0x10,                                  // mov di, 0x1000
    0x66, 0xB8, 0x07, 0x00, 0x00, 0x00,                // mov eax, 7
    0xB9, 0x00, 0x04,                                  // mov cx, 1024
    0x66, 0xAB,                                        // table: stosd
    0x66, 0x05, 0x00, 0x10, 0x00, 0x00,                // add eax, 0x1000
    0xE2, 0xF6,                                        // loop table
    0x66, 0xB8, 0x00, 0x00, 0x01, 0x00,                // mov eax, 0x10000
    0x0F, 0x22, 0xD8,                                  // mov cr3, eax
    0x0F, 0x20, 0xC0,                                  // mov eax, cr0
    0x66, 0x0D, 0x01, 0x00, 0x00, 0x80,                // or eax, 0x80000001
    0x0F, 0x22, 0xC0,                                  // mov cr0, eax
    0xEA, 0x70, 0x7C, 0x08, 0x00,                      // jmp 8:start32
    0x90, 0x90, 0x90,                                  // align 4
    0x2F, 0x00,                                        // gdtr: dw 0x2F
    0x8C, 0x7D, 0x00, 0x00,                            // dd gdt
    0xFF, 0x01,                                        // idtr: dw 0x1FF
    0x00, 0x06, 0x00, 0x00,                            // dd 0x600
    0x66, 0xB8, 0x10, 0x00,                            // start32: mov ax, 0x10
    0x8E, 0xD8,                                        // mov ds, ax
    0x8E, 0xC0,                                        // mov es, ax
    0x8E, 0xD0,                                        // mov ss, ax
    0xBC, 0x00, 0x7C, 0x00, 0x00,                      // mov esp, 0x7C00
    0xBF, 0x00, 0x06, 0x00, 0x00,                      // mov edi, 0x600
    0xB9, 0x40, 0x00, 0x00, 0x00,                      // mov ecx, 64
    0xB8, 0x35, 0x7D, 0x08, 0x00,                      // gates: mov eax, 0x80000 + count
    0x89, 0x07,                                        // mov [edi], eax
    0xC7, 0x47, 0x04, 0x00, 0xEE, 0x00, 0x00,          // mov dword [edi+4], 0x0000EE00
    0x83, 0xC7, 0x08,                                  // add edi, 8
    0xE2, 0xED,                                        // loop gates
    0x66, 0xC7, 0x05, 0x70, 0x06, 0x00, 0x00,          // mov word [0x600+14*8], page_fault
    0x41, 0x7D,
    0x66, 0xC7, 0x05, 0x68, 0x06, 0x00, 0x00,          // mov word [0x600+13*8], monitor
    0x62, 0x7D,
    0x66, 0xC7, 0x05, 0x08, 0x25, 0x00, 0x00, 0x10, 0x00, // mov word [0x2508], 0x10
    0xC7, 0x05, 0x04, 0x25, 0x00, 0x00, 0x00, 0x70, 0x00, // mov dword [0x2504], 0x7000
    0x00,
    0x66, 0xC7, 0x05, 0x66, 0x25, 0x00, 0x00, 0x68, 0x00, // mov word [0x2566], 0x68
    0x66, 0xB8, 0x28, 0x00,                            // mov ax, 0x28
    0x0F, 0x00, 0xD8,                                  // ltr ax
    0xB0, 0x34,                                        // mov al, 0x34
    0xE6, 0x43,                                        // out 0x43, al
    0xB0, 0x77,                                        // mov al, 0x77
    0xE6, 0x40,                                        // out 0x40, al
    0xB0, 0x02,                                        // mov al, 0x02
    0xE6, 0x40,                                        // out 0x40, al
    0xFB,                                              // next: sti
    0xBE, 0x00, 0x00, 0x18, 0x00,                      // mov esi, 0x180000
    0xB9, 0xBC, 0x02, 0x00, 0x00,                      // mov ecx, 700
    0x8B, 0x06,                                        // touch: mov eax, [esi]
    0xFF, 0x86, 0x00, 0x01, 0x00, 0x00,                // inc dword [esi+0x100]
    0x81, 0xC6, 0x00, 0x10, 0x00, 0x00,                // add esi, 0x1000
    0x83, 0x25, 0x00, 0x14, 0x01, 0x00, 0x9F,          // and dword [0x11000+0x100*4], -97
    0x83, 0x25, 0x40, 0x15, 0x01, 0x00, 0x9F,          // and dword [0x11000+0x150*4], -97
    0x83, 0x35, 0xC4, 0x15, 0x01, 0x00, 0x01,          // xor dword [0x11000+0x171*4], 1
    0x81, 0xE6, 0xFF, 0xFF, 0x1F, 0x00,                // and esi, 0x1FFFFF
    0x81, 0xCE, 0x00, 0x00, 0x10, 0x00,                // or esi, 0x100000
    0xE2, 0xCF,                                        // loop touch
    0x31, 0xC0,                                        // xor eax, eax
    0x50,                                              // push eax
    0x50,                                              // push eax
    0x50,                                              // push eax
    0x50,                                              // push eax
    0x50,                                              // push eax
    0x68, 0x00, 0x60, 0x00, 0x00,                      // push dword 0x6000
    0x9C,                                              // pushfd
    0x58,                                              // pop eax
    0x0D, 0x00, 0x32, 0x02, 0x00,                      // or eax, 0x23200
    0x50,                                              // push eax
    0x6A, 0x00,                                        // push dword 0
    0x68, 0x78, 0x7D, 0x00, 0x00,                      // push dword v86
    0xCF,                                              // iretd
    0x36, 0xFF, 0x05, 0x00, 0x26, 0x00, 0x00,          // count: inc dword [ss:0x2600]
    0xB0, 0x20,                                        // mov al, 0x20
    0xE6, 0x20,                                        // out 0x20, al
    0xCF,                                              // iretd
    0x60,                                              // page_fault: pushad
    0x0F, 0x20, 0xD0,                                  // mov eax, cr2
    0xC1, 0xE8, 0x0C,                                  // shr eax, 12
    0x83, 0x0C, 0x85, 0x00, 0x10, 0x01, 0x00, 0x01,    // or dword [0x11000+eax*4], 1
    0x0F, 0x01, 0x3D, 0x00, 0x10, 0x01, 0x00,          // invlpg [0x11000]
    0xFF, 0x05, 0x04, 0x26, 0x00, 0x00,                // inc dword [0x2604]
    0x61,                                              // popad
    0x83, 0xC4, 0x04,                                  // add esp, 4
    0xCF,                                              // iretd
    0x83, 0xC4, 0x28,                                  // monitor: add esp, 36+4
    0x66, 0xB8, 0x10, 0x00,                            // mov ax, 0x10
    0x8E, 0xD8,                                        // mov ds, ax
    0x8E, 0xC0,                                        // mov es, ax
    0xFF, 0x05, 0x08, 0x26, 0x00, 0x00,                // inc dword [0x2608]
    0xE9, 0x65, 0xFF, 0xFF, 0xFF,                      // jmp next
    0xB9, 0x2C, 0x01,                                  // v86: mov cx, 300
    0xFF, 0x06, 0x00, 0x27,                            // v86_loop: inc word [0x2700]
    0x51,                                              // push cx
    0xCD, 0x33,                                        // int 0x33
    0x59,                                              // pop cx
    0xE2, 0xF6,                                        // loop v86_loop
    0xA1, 0x00, 0x27,                                  // mov ax, [0x2700]
    0xFA,                                              // cli
    0xF4,                                              // hlt
    0x90, 0x90,                                        // align 4
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,    // gdt: dq 0
    0xFF, 0xFF, 0x00, 0x00, 0x00, 0x9A, 0xCF, 0x00,    // dq 0x00CF9A000000FFFF
    0xFF, 0xFF, 0x00, 0x00, 0x00, 0x92, 0xCF, 0x00,    // dq 0x00CF92000000FFFF
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // dq 0, 0
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0xFF, 0x1F, 0x00, 0x25, 0x00, 0x89, 0x00, 0x00,    // dw 0x1FFF, 0x2500, 0x8900, 0
};

/// Goes into long mode, and to an alias of its code in the upper half, where it counts at 6000h.
inline constexpr std::array<u8, 177> kLongMode{
    0xFA,                                              // cli
    0x31, 0xC0,                                        // xor ax, ax
    0x8E, 0xD8,                                        // mov ds, ax
    0x8E, 0xC0,                                        // mov es, ax
    0x8E, 0xD0,                                        // mov ss, ax
    0xBC, 0x00, 0x7C,                                  // mov sp, 0x7c00
    0x66, 0xBF, 0x00, 0x10, 0x00, 0x00,                // mov edi, 0x1000
    0x0F, 0x22, 0xDF,                                  // mov cr3, edi
    0x66, 0x31, 0xC0,                                  // xor eax, eax
    0xB9, 0x00, 0x0C,                                  // mov cx, 0xC00
    0xF3, 0x66, 0xAB,                                  // rep stosd
    0xC7, 0x06, 0x00, 0x10, 0x03, 0x20,                // mov word [0x1000], 0x2003
    0xC7, 0x06, 0x00, 0x18, 0x03, 0x20,                // mov word [0x1800], 0x2003
    0xC7, 0x06, 0x00, 0x20, 0x03, 0x30,                // mov word [0x2000], 0x3003
    0xC7, 0x06, 0x00, 0x30, 0x83, 0x00,                // mov word [0x3000], 0x0083
    0xB0, 0x20,                                        // mov al, 0x20
    0x0F, 0x22, 0xE0,                                  // mov cr4, eax
    0x66, 0xB9, 0x80, 0x00, 0x00, 0xC0,                // mov ecx, 0xC0000080
    0x0F, 0x32,                                        // rdmsr
    0x80, 0xCC, 0x01,                                  // or ah, 1
    0x0F, 0x30,                                        // wrmsr
    0x0F, 0x01, 0x16, 0x76, 0x7C,                      // lgdt [gdtr]
    0x0F, 0x20, 0xC0,                                  // mov eax, cr0
    0x66, 0x0D, 0x01, 0x00, 0x00, 0x80,                // or eax, 0x80000001
    0x0F, 0x22, 0xC0,                                  // mov cr0, eax
    0xEA, 0x7C, 0x7C, 0x08, 0x00,                      // jmp 8:long_
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,    // gdt: dq 0
    0xFF, 0xFF, 0x00, 0x00, 0x00, 0x9A, 0xAF, 0x00,    // dw 0xFFFF, 0, 0x9A00, 0x00AF
    0xFF, 0xFF, 0x00, 0x00, 0x00, 0x92, 0xCF, 0x00,    // dw 0xFFFF, 0, 0x9200, 0x00CF
    0x17, 0x00,                                        // gdtr: dw 23
    0x5E, 0x7C,                                        // dw gdt
    0x00, 0x00,                                        // dw 0
    0xB8, 0x10, 0x00, 0x00, 0x00,                      // long_: mov eax, 0x10
    0x8E, 0xD0,                                        // mov ss, eax
    0x48, 0xBC, 0x00, 0x7C, 0x00, 0x00, 0x00, 0x80, 0xFF, 0xFF, // mov rsp, 0xFFFF800000007C00
    0x48, 0xB8, 0x99, 0x7C, 0x00, 0x00, 0x00, 0x80, 0xFF, 0xFF, // mov rax, 0xFFFF800000000000+high
    0xFF, 0xE0,                                        // jmp rax
    0x49, 0xBF, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, // high: mov r15, 0x1122334455667788
    0x48, 0xFF, 0x04, 0x25, 0x00, 0x60, 0x00, 0x00,    // again: inc qword [0x6000]
    0x41, 0x57,                                        // push r15
    0x41, 0x5E,                                        // pop r14
    0xEB, 0xF2,                                        // jmp again
};
// clang-format on

struct Program {
    std::string_view name;
    std::span<const u8> code;
};

inline void PrintTo(const Program& program, std::ostream* out) { *out << program.name; }

inline constexpr std::array<Program, 8> kPrograms{{
    {"Timer", kTimer},
    {"Strings", kStrings},
    {"SelfModifying", kSelfModifying},
    {"Graphics", kGraphics},
    {"Ports", kPorts},
    {"A20", kA20},
    {"Disks", kDisks},
    {"Paging", kPaging},
}};

}  // namespace reprise::test
