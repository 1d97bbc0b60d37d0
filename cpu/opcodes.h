/// The opcode map: one row per instruction form, the only place an instruction is declared.
///
/// Decoder, interpreter, translator, disassembler tests and documentation all read this table.
#pragma once

#include <array>
#include <span>

#include "cpu/insn.h"
#include "cpu/model.h"

namespace reprise {

/// How an operand is encoded, in the notation of SDM vol. 2D, A.2. `b`, `w`, `d`, `q`, `dq`: 1, 2, 4, 8,
/// 16 bytes; `v`, `z`, `y`: operand size, operand size up to 4, 4 or with REX.W 8 bytes. Z: register in
/// the opcode. R: ModRM.rm, general registers only. P, N, Q: MMX register of ModRM.reg, of ModRM.rm, or of
/// ModRM.rm or memory; V, U, W: the same of XMM. RdMb, RdMw: 32-bit general register, or 8 or 16 bits in
/// memory. STi: x87 register of ModRM.rm.
enum class Form : u8 {
    None, Eb, Ew, Ev, Ey, Gb, Gw, Gv, Gy, Zb, Zv, Rv, Ry, M, AL, AX, eAX, CL, DX, One,
    Ib, Ibs, Iw, Iz, Iv, IwIb, Jb, Jz, Ap, Ob, Ov, Sw, Cd, Dd, Td,
    STi, Pq, Nq, Qd, Qq, Vdq, Udq, Ww, Wd, Wq, Wdq, RdMb, RdMw
};

/// The prefix that is part of an opcode (SDM vol. 2A, 2.1.2). F2 and F3 count before 66.
enum class Mandatory : u8 { Any, None, P66, PF3, PF2 };

/// Arithmetic and DF flags (cpu/flags.h). An undefined flag is one that processors disagree on: what
/// `execute` leaves in it is what this emulator's guests see, on every host.
struct FlagUse {
    u32 reads = 0, writes = 0, undefined = 0;
};

/// How a translator for a host of the guest's own architecture carries an instruction over.
enum class Carry : u8 {
    Copy,  // issue the host's instruction with other operands, where it leaves the flags that alu.h defines
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
    kMin32 = 512,        // 66 does not matter: 32, or 64 with REX.W: MOVD, CVTSI2SD
};

/// Handlers by operand size (16, 32, 64: index 0, 2, 4) and E operand (+0 register, +1 memory).
using Handlers = std::array<Handler, 6>;

struct Opcode {
    u16 code = 0;                    // 1xx: 0F xx, 2xx: 0F 38 xx, 3xx: 0F 3A xx
    Mandatory prefix = Mandatory::Any;
    i8 reg = -1;                     // ModRM.reg of a group's member, or -1
    i8 mod3 = -1;                    // 1: registers only, 0: memory only, -1: what the forms say
    i8 rm = -1;                      // ModRM.rm of a member with mod3 = 1, or -1
    const char* mnemonic = nullptr;  // nullptr: no such instruction (#UD)
    std::array<Form, 3> operands{};
    Handlers handlers{};
    FlagUse flags{};
    Carry carry = Carry::Call;
    Level level = Level::I8086;
    Level last = Level::X64;         // a row for old processors only, which comes before later ones'
    Feature feature = Feature::None;
    u16 rules = 0;  // RowFlag
};

/// Every row; Insn::opcode is an index into it.
std::span<const Opcode> opcodes();

/// The row that a processor has for an opcode of map 0 (one byte), 1 (0F), 2 (0F 38) or 3 (0F 3A), or nullptr: #UD. `modrm`
/// and `prefix`, which is not Any, are only looked at where they tell rows apart. `long_mode`: an opcode
/// may mean something else there (63: ARPL, MOVSXD). The row may be of a later processor.
const Opcode* find_opcode(int map, u8 byte, u8 modrm, Mandatory prefix, bool long_mode, Level level);

/// Does the opcode have a ModRM byte, whatever its group's members are?
bool has_modrm(int map, u8 byte, Level level);

}  // namespace reprise
