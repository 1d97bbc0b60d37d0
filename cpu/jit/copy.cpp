#include "cpu/jit/copy.h"

#include <algorithm>

#include "cpu/jit/host.h"

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

namespace {

struct Codes {
    u16 first, last;
};

/// Of rows with Carry::Copy, those that are copied with their E and G operands. The others have
/// code of their own (integer_writer.cpp and its like) or are left to their handlers.
constexpr Codes kCopied[] = {
    {0x00, 0x4F},   {0x63, 0x63},   {0x80, 0x8B},   {0x90, 0x99},   {0x9E, 0x9F},   {0xA8, 0xA9},
    {0xB0, 0xBF},   {0xC0, 0xC1},   {0xC6, 0xC7},   {0xD0, 0xD3},   {0xF5, 0xF9},   {0xFE, 0xFF},
    {0x69, 0x69},   {0x6B, 0x6B},   {0x140, 0x14F}, {0x190, 0x19F}, {0x1A3, 0x1A5}, {0x1AB, 0x1AD},
    {0x1AF, 0x1B1}, {0x1B3, 0x1B3}, {0x1B6, 0x1B7}, {0x1BA, 0x1BF}, {0x1C0, 0x1C1}, {0x1C8, 0x1CF}};

bool is_listed(u16 code)
{
    return std::ranges::any_of(kCopied, [=](Codes c) { return c.first <= code && code <= c.last; });
}

bool is_shift(u16 code) { return code == 0xC0 || code == 0xC1 || (code >= 0xD0 && code <= 0xD3); }
bool is_double_shift(u16 code)
{
    return code == 0x1A4 || code == 0x1A5 || code == 0x1AC || code == 0x1AD;
}
bool is_multiply(const Opcode& row)
{
    return row.code == 0x1AF || row.code == 0x69 || row.code == 0x6B ||
           ((row.code == 0xF6 || row.code == 0xF7) && row.reg >= 4);
}
bool is_bit_string(u16 code)
{
    return code == 0x1A3 || code == 0x1AB || code == 0x1B3 || code == 0x1BB;
}
bool is_scan(u16 code) { return code == 0x1BC || code == 0x1BD; }

/// Does the host leave the same in flags that the manuals leave undefined? See host.h.
bool flags_agree(const Opcode& row)
{
    const HostTraits& host = host_traits();
    if (is_multiply(row)) return host.multiply_flags;
    if (is_shift(row.code))
        return row.reg < 4 || host.shift_flags;  // rotates leave nothing undefined
    if (is_double_shift(row.code)) return host.shift_flags;
    return !is_scan(row.code) || host.scan_flags;
}

}  // namespace

u8 rex_bits(const HostMemory& memory)
{
    return static_cast<u8>((memory.base >= 8 ? 1 : 0) | (memory.index >= 8 ? 2 : 0));
}

/// Always with a SIB byte, and with a displacement: so any base will do.
void put_operand(HostCode& host, u8 reg, const HostMemory& memory)
{
    const bool is_short = memory.disp >= -128 && memory.disp < 128;
    host.put(static_cast<u8>((is_short ? 0x44 : 0x84) | (reg & 7) << 3));
    host.put(static_cast<u8>(memory.scale << 6 | (memory.index & 7) << 3 | (memory.base & 7)));
    host.put(static_cast<u64>(i64{memory.disp}), is_short ? 1 : 4);
}

bool is_copied(const Opcode& row, const Insn& insn)
{
    const u16 code = row.code;
    if (row.carry != Carry::Copy || !is_listed(code) || !flags_agree(row)) return false;
    if (code == 0xFF) return row.reg < 2;              // INC and DEC
    if (is_bit_string(code)) return !insn.memory;      // the index reaches beyond the operand
    if (is_double_shift(code)) return insn.size != 2;  // counts above 16
    if (code >= 0x1C8 && code <= 0x1CF) return insn.size != 2;  // BSWAP
    return true;
}

bool writes_memory(const Opcode& row)
{
    switch (row.code) {
    case 0x84:
    case 0x85:
    case 0x1A3: return false;
    case 0xF6:
    case 0xF7: return row.reg == 2 || row.reg == 3;
    case 0x80:
    case 0x81:
    case 0x82:
    case 0x83: return row.reg != 7;
    case 0x1BA: return row.reg != 4;
    default: break;
    }
    if (row.code < 0x40 && (row.code >> 3) == 7) return false;  // CMP
    const Form first = row.operands[0];
    return first == Form::Eb || first == Form::Ew || first == Form::Ev;
}

int operand_bytes(const Opcode& row, const Insn& insn, bool or_zero)
{
    for (const Form f : row.operands) {
        if (f == Form::Eb) return 1;
        if (f == Form::Ew) return 2;
        if (f == Form::Ev) return row.code == 0x63 ? 4 : insn.size;
    }
    return or_zero ? 0 : insn.size;
}

MemoryUse memory_use(const Insn& insn, const Opcode& row)
{
    if (!insn.memory || row.carry != Carry::Copy) return {};
    if (row.code >= 0xD8 && row.code <= 0xDF) return x87_memory_use(insn);
    if (is_copied(row, insn)) return {operand_bytes(row, insn), writes_memory(row), false};
    return vector_memory_use(insn, row);
}

namespace {

/// Instructions that change no general register but their first operand, and no segment.
constexpr Codes kOneResult[] = {
    {0x00, 0x05},   {0x08, 0x0D},   {0x10, 0x15},   {0x18, 0x1D},   {0x20, 0x25},   {0x28, 0x2D},
    {0x30, 0x35},   {0x38, 0x3D},   {0x40, 0x4F},   {0x63, 0x63},   {0x69, 0x69},   {0x6B, 0x6B},
    {0x80, 0x85},   {0x88, 0x8B},   {0x8D, 0x8D},   {0x90, 0x90},   {0xA8, 0xA9},   {0xB0, 0xBF},
    {0xC0, 0xC1},   {0xC6, 0xC7},   {0xD0, 0xD3},   {0xD8, 0xDF},   {0xF5, 0xF5},   {0xF8, 0xF9},
    {0xFE, 0xFE},   {0x110, 0x117}, {0x128, 0x12F}, {0x140, 0x17F}, {0x190, 0x19F}, {0x1AF, 0x1AF},
    {0x1B6, 0x1B7}, {0x1BE, 0x1BF}, {0x1C6, 0x1C6}, {0x1D0, 0x1FE}, {0x200, 0x23F}};

bool is_in_memory(Form f)
{
    switch (f) {
    case Form::Eb:
    case Form::Ew:
    case Form::Ev:
    case Form::Ey:
    case Form::M:
    case Form::Qd:
    case Form::Qq:
    case Form::Wd:
    case Form::Wq:
    case Form::Wdq: return true;
    default: return false;
    }
}

}  // namespace

bool may_change_address(const Insn& insn, const Opcode& row, const Insn& other)
{
    const auto is_part = [&](u8 reg) { return reg == other.base || reg == other.index_reg; };
    const u16 code = row.code;
    const bool push = (code >= 0x50 && code < 0x58) || code == 0x68 || code == 0x6A;
    const bool pop = code >= 0x58 && code < 0x60;
    if (push || pop) return is_part(RSP) || (pop && is_part(insn.dst));
    if (row.carry != Carry::Copy) return true;
    if (code == 0x9B) return false;  // WAIT
    if (code == 0xDF && !insn.memory && (insn.imm & 0xFF) == 0xE0)
        return is_part(RAX);                                                 // FNSTSW AX
    const bool short_group = (code == 0xF6 || code == 0xF7) && row.reg < 4;  // TEST, NOT, NEG
    const bool increment = code == 0xFF && row.reg < 2;
    const bool one = short_group || increment || std::ranges::any_of(kOneResult, [&](Codes c) {
                         return c.first <= code && code <= c.last;
                     });
    if (!one) return true;
    const bool in_memory = insn.memory && is_in_memory(row.operands[0]);
    if (code == 0x90 && insn.dst != RAX) return true;  // XCHG R8,RAX
    return !in_memory && is_part(insn.dst & 15);
}

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
    if (uses_memory && rex_bits(*memory)) rex |= 0x40 | rex_bits(*memory);
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
        put_operand(host, p.reg, *memory);
    } else if (p.modrm) {
        host.put(static_cast<u8>(0xC0 | (p.reg & 7) << 3 | (p.rm & 7)));
    }
    for (const Form f : row.operands)
        if (const int bytes = immediate_bytes(f, insn.size))
            host.put(static_cast<u64>(insn.imm), bytes);
    return host;
}

}  // namespace reprise::jit
