/// One decoded instruction, as the interpreter executes it.
#pragma once

#include "cpu/state.h"

namespace reprise {

class Cpu;
struct Insn;

/// Executes an instruction and continues with the next one. Returns the first instruction of the
/// block to go on with, or nullptr to leave to Cpu::run.
using Handler = const Insn* (*)(Cpu&, const Insn*);

/// Prefixes that matter to `execute`.
enum Prefix : u8 { kPrefixRep = 1, kPrefixRepne = 2, kPrefixLock = 4, kPrefixSegment = 8, kPrefixRex = 16 };

/// Operands are already resolved: a register is its number, a memory operand its parts, an
/// immediate its value. At most one operand is in memory.
struct Insn {
    Handler exec = nullptr;
    i64 imm = 0;      // immediate, sign-extended; far pointer: offset | selector << 32; x87: FOP
    i32 disp = 0;     // memory: displacement
    u16 opcode = 0;   // row of the opcode table
    u16 offset = 0;   // from the start of its block, in bytes
    u8 index = 0;     // of this instruction in its block
    u8 length = 0;    // bytes of machine code
    u8 size = 0;      // operand size in bytes: 1, 2, 4, 8
    u8 dst = 0;       // register; of a byte register bit 4 says bits 15..8 (AH CH DH BH)
    u8 src = 0;
    u8 base = kZeroRegister;        // memory: address = base + (index_reg << scale) + disp
    u8 index_reg = kZeroRegister;
    u8 scale = 0;
    u8 seg = DS;
    u8 address_shift = 32;  // ~0 >> this masks an address: 48, 32 or 0 for 16, 32, 64 bits
    u8 prefixes = 0;
    bool memory = false;    // the E operand is in memory

    u64 address_mask() const { return ~u64{0} >> address_shift; }
    u8 address_bytes() const { return static_cast<u8>((64 - address_shift) / 8); }
};

inline constexpr u8 kHighByte = 0x10;  // in Insn::dst and src

}  // namespace reprise
