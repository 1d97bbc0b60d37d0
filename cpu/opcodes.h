/// The opcode map: one row per instruction form, the only place an instruction is declared.
///
/// Decoder, interpreter, translator, disassembler tests and documentation all read this table.
#pragma once

#include <array>
#include <span>

#include "cpu/insn.h"
#include "cpu/model.h"

namespace reprise {

/// How an operand is encoded, in the notation of SDM vol. 2D, A.2. `b`, `w`, `v`, `z`: 1, 2, operand
/// size, operand size up to 4 bytes. Z: register in the opcode. R: ModRM.rm, registers only.
enum class Form : u8 {
    None, Eb, Ew, Ev, Gb, Gw, Gv, Zb, Zv, Rv, M, AL, AX, eAX, CL, DX, One,
    Ib, Ibs, Iw, Iz, Iv, IwIb, Jb, Jz, Ap, Ob, Ov, Sw, Cd, Dd, Td
};

/// Arithmetic and DF flags (cpu/flags.h). An undefined flag is one that processors disagree on: what
/// `execute` leaves in it is what this emulator's guests see, on every host.
struct FlagUse {
    u32 reads = 0, writes = 0, undefined = 0;
};

/// How a translator for a host of the guest's own architecture carries an instruction over.
enum class Carry : u8 {
    Copy,  // issue the host's instruction with the same operands; Call while an undefined flag lives
    Call,  // call `execute` and go on
    End,   // the last instruction of its block
};

/// Decoding rules that the forms do not say.
enum RowFlag : u16 {
    kDefault64 = 1,      // operand size is 64 in 64-bit mode without REX.W: PUSH, near branches
    kInvalid64 = 2,      // #UD in 64-bit mode
    kOnly64 = 4,         // #UD elsewhere
    kLockable = 8,       // LOCK is allowed with a memory destination
    kFullWidth = 16,     // 66 and REX.W do not matter: 64 in 64-bit mode, else 32: MOV CR
    kStringOp = 32,      // REP applies
    kProtected = 64,     // #UD in real and virtual-8086 mode
    kForce64 = 128,      // operand size is always 64 in 64-bit mode: near branches, LGDT
    kMax32 = 256,        // REX.W does not matter: IN, OUT
};

/// Handlers by operand size (16, 32, 64: index 0, 2, 4) and E operand (+0 register, +1 memory).
using Handlers = std::array<Handler, 6>;

struct Opcode {
    u16 code = 0;                    // 1xx: 0F xx
    i8 reg = -1;                     // ModRM.reg of a group's member, or -1
    i8 mod3 = -1;                    // 1: registers only, 0: memory only, -1: what the forms say
    const char* mnemonic = nullptr;  // nullptr: no such instruction (#UD)
    std::array<Form, 3> operands{};
    Handlers handlers{};
    FlagUse flags{};
    Carry carry = Carry::Call;
    Level level = Level::I8086;
    u16 rules = 0;  // RowFlag
};

/// Every row; Insn::opcode is an index into it.
std::span<const Opcode> opcodes();

/// The row for an opcode of map 0 (one byte) or 1 (0F), or nullptr: #UD. `modrm` is only looked at
/// for groups. `long_mode`: an opcode may mean something else there (63: ARPL, MOVSXD).
const Opcode* find_opcode(int map, u8 byte, u8 modrm, bool long_mode);

/// Does the opcode have a ModRM byte, whatever its group's members are?
bool has_modrm(int map, u8 byte);

}  // namespace reprise
