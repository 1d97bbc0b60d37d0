#include "cpu/jit/copy.h"

namespace reprise::jit {

namespace {

/// What the encoding is made of (SDM vol. 2A, chapter 2).
struct Parts {
    u16 code = 0;  // Opcode::code
    u8 reg = 0;    // ModRM.reg, with REX.R
    u8 rm = 0;     // ModRM.rm as a register, with REX.B
    bool modrm = false;
    bool reg_is_byte = false, rm_is_byte = false;
    bool reg_is_high = false, rm_is_high = false;
};

struct Register {
    u8 number;
    bool high;
};

constexpr Register encoded(u8 reg, bool is_byte)
{
    if (is_byte && is_high_byte(reg)) return {static_cast<u8>((reg & 15) + 4), true};
    return {host_register(reg & 15), false};
}

constexpr bool is_e(Form f) { return f == Form::Eb || f == Form::Ew || f == Form::Ev; }
constexpr bool is_g(Form f) { return f == Form::Gb || f == Form::Gw || f == Form::Gv; }
constexpr bool is_byte_form(Form f)
{
    return f == Form::Eb || f == Form::Gb || f == Form::Zb || f == Form::AL;
}
/// Is the operand as wide as the operand size says?
constexpr bool is_sized(Form f)
{
    return f == Form::Ev || f == Form::Gv || f == Form::Zv || f == Form::eAX;
}

int immediate_bytes(Form f, u8 size)
{
    switch (f) {
    case Form::Ib:
    case Form::Ibs: return 1;
    case Form::Iw: return 2;
    case Form::Iz: return size == 2 ? 2 : 4;
    case Form::Iv: return size;
    default: return 0;
    }
}

/// Rows whose register is part of the opcode, as ones with ModRM where the host has no such row:
/// INC and DEC are REX prefixes there, and 90 is NOP.
void without_register_in_opcode(Parts& p, const Insn& insn, u8 base)
{
    const u8 rm = insn.dst & 15;
    if (base == 0x40 || base == 0x48) {
        p = {.code = 0xFF,
             .reg = static_cast<u8>(base == 0x48),
             .rm = host_register(rm),
             .modrm = true};
    } else if (base == 0x90) {
        p = {.code = 0x87, .reg = RAX, .rm = host_register(rm), .modrm = true};
    }
}

void operands(Parts& p, const Insn& insn, const Opcode& row)
{
    for (std::size_t i = 0; i < 2; ++i) {
        const Form f = row.operands[i];
        const u8 number = i == 0 ? insn.dst : insn.src;
        const Register r = encoded(number, is_byte_form(f));
        if (is_e(f)) {
            p.modrm = true;
            p.rm = r.number;
            p.rm_is_high = r.high;
            p.rm_is_byte = is_byte_form(f);
        } else if (is_g(f)) {
            p.modrm = true;
            p.reg = r.number;
            p.reg_is_high = r.high;
            p.reg_is_byte = is_byte_form(f);
        }
    }
    if (row.reg >= 0) p.reg = static_cast<u8>(row.reg);
}

}  // namespace

std::optional<HostCode> copy_instruction(const Insn& insn, const Opcode& row,
                                         const HostMemory* memory, const Stand& stand)
{
    Parts p{.code = row.code};
    if (row.code == 0x82) p.code = 0x80;  // #UD in 64-bit mode
    operands(p, insn, row);
    const Form first = row.operands[0];
    Register opcode_register{0, false};
    if (first == Form::Zb || first == Form::Zv) {
        const u8 base = row.code < 0x100 ? static_cast<u8>(row.code & 0xF8) : 0;
        without_register_in_opcode(p, insn, base);
        if (!p.modrm) {
            opcode_register = encoded(insn.dst, first == Form::Zb);
            p.rm_is_high = opcode_register.high;
        }
    }
    if (stand.reg) {
        p.reg = *stand.reg;
        p.reg_is_high = false;
    }
    if (stand.rm) p.rm = opcode_register.number = *stand.rm;

    bool wide = false, narrow = false;
    for (const Form f : row.operands)
        if (is_sized(f)) (insn.size == 8 ? wide : narrow) |= insn.size == 8 || insn.size == 2;
    const bool uses_memory = memory && p.modrm;
    u8 rex = wide ? 0x48 : 0;
    if (p.modrm && p.reg >= 8) rex |= 0x44;
    if (uses_memory) rex |= 0x40 | (memory->base >= 8 ? 1 : 0) | (memory->index >= 8 ? 2 : 0);
    else if (p.modrm && p.rm >= 8) rex |= 0x41;
    if (!p.modrm && opcode_register.number >= 8) rex |= 0x41;
    if (!p.modrm && first == Form::Zb && !opcode_register.high && opcode_register.number >= 4)
        rex |= 0x40;
    const bool needs_rex_for_byte = (p.reg_is_byte && !p.reg_is_high && p.reg >= 4) ||
                                    (!uses_memory && p.rm_is_byte && !p.rm_is_high && p.rm >= 4);
    if (needs_rex_for_byte) rex |= 0x40;
    if (rex && (p.reg_is_high || (p.rm_is_high && !uses_memory))) return std::nullopt;

    HostCode host;
    if (narrow) host.put(0x66);
    if (rex) host.put(rex);
    if (p.code >= 0x100) host.put(0x0F);
    if (p.code >> 8 == 2) host.put(0x38);
    if (p.code >> 8 == 3) host.put(0x3A);
    u8 opcode = static_cast<u8>(p.code);
    if (!p.modrm && (first == Form::Zb || first == Form::Zv))
        opcode = static_cast<u8>((opcode & 0xF8) | (opcode_register.number & 7));
    host.put(opcode);
    if (p.modrm && uses_memory) {
        // [base + index]: a SIB byte; with mod 1 and a displacement of zero any base will do.
        host.put(static_cast<u8>(0x44 | (p.reg & 7) << 3));
        host.put(static_cast<u8>((memory->index & 7) << 3 | (memory->base & 7)));
        host.put(0);
    } else if (p.modrm) {
        host.put(static_cast<u8>(0xC0 | (p.reg & 7) << 3 | (p.rm & 7)));
    }
    for (const Form f : row.operands)
        if (const int bytes = immediate_bytes(f, insn.size))
            host.put(static_cast<u64>(insn.imm), bytes);
    return host;
}

}  // namespace reprise::jit
