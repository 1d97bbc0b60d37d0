#include "cpu/decoder.h"

#include <algorithm>

#include "cpu/opcodes.h"

namespace reprise {

namespace {

class Decoder {
public:
    Decoder(std::span<const u8> code, const DecodeMode& mode, Insn& insn)
        : code_(code), mode_(mode), insn_(insn), max_length_(max_length(mode.level))
    {
    }

    DecodeResult decode()
    {
        prefixes();
        u8 byte = opcode_byte_;
        int map = 0;
        if (byte == 0x0F && at_least(Level::I80286)) {
            map = 1;
            byte = fetch8();
            if ((byte == 0x38 || byte == 0x3A) && mode_.features.has(Feature::Ssse3)) {
                map = byte == 0x38 ? 2 : 3;
                byte = fetch8();
            }
        }
        if (has_modrm(map, byte, mode_.level)) modrm_ = fetch8();
        if (map == 0 && (byte & 0xF8) == 0xD8) insn_.imm = (byte & 7) << 8 | modrm_;  // the x87's FOP
        const Opcode* row = stopped() ? nullptr
                                      : find_opcode(map, byte, modrm_, mandatory_prefix(), long_mode(), mode_.level);
        if (!row) {
            if (failed_ == DecodeResult::Ok) failed_ = DecodeResult::Undefined;
        } else {
            sizes(*row);
            operands(*row, byte);
            if (failed_ == DecodeResult::Ok && !allowed(*row)) failed_ = DecodeResult::Undefined;
            insn_.opcode = static_cast<u16>(row - opcodes().data());
            const int size_index = operand_bytes_ == 2 ? 0 : operand_bytes_ == 4 ? 2 : 4;
            insn_.exec = row->handlers[size_index + insn_.memory];
        }
        insn_.length = static_cast<u8>(position_);
        return failed_;
    }

private:
    /// The 286 stops at 10 bytes (iAPX 286 PRM, B.1), the 386 and later at 15; the 8086 has no limit,
    /// and redundant prefixes beyond ours are of no use to anyone.
    static std::size_t max_length(Level level) { return level == Level::I80286 ? 10 : 15; }

    bool at_least(Level level) const { return mode_.level >= level; }
    bool long_mode() const { return mode_.code_size == CodeSize::Bits64; }
    bool stopped() const { return failed_ != DecodeResult::Ok; }

    u64 fetch(int bytes)
    {
        const std::size_t end = position_ + static_cast<std::size_t>(bytes);
        if (stopped() || end > max_length_ || end > code_.size()) {
            if (!stopped()) failed_ = end > max_length_ ? DecodeResult::TooLong : DecodeResult::Truncated;
            return 0;
        }
        u64 value = 0;
        for (int i = 0; i < bytes; ++i) value |= u64{code_[position_++]} << 8 * i;
        return value;
    }
    u8 fetch8() { return static_cast<u8>(fetch(1)); }
    i64 fetch_signed(int bytes)
    {
        const int shift = 64 - 8 * bytes;
        return static_cast<i64>(fetch(bytes) << shift) >> shift;
    }

    /// SDM vol. 2A, 2.1.1 and 2.2.1. A REX prefix counts only right before the opcode.
    void prefixes()
    {
        for (;;) {
            const u8 byte = fetch8();
            if (stopped()) return;
            if (long_mode() && (byte & 0xF0) == 0x40) {
                rex_ = byte;
                continue;
            }
            if (!legacy_prefix(byte)) {
                opcode_byte_ = byte;
                if (rex_) insn_.prefixes |= kPrefixRex;
                return;
            }
            rex_ = 0;
        }
    }

    bool legacy_prefix(u8 byte)
    {
        switch (byte) {
        case 0x26: return override_segment(ES);
        case 0x2E: return override_segment(CS);
        case 0x36: return override_segment(SS);
        case 0x3E: return override_segment(DS);
        case 0x64: return at_least(Level::I80386) && override_segment(FS);
        case 0x65: return at_least(Level::I80386) && override_segment(GS);
        case 0x66: return at_least(Level::I80386) && (operand_prefix_ = true);
        case 0x67: return at_least(Level::I80386) && (address_prefix_ = true);
        case 0xF1:  // another LOCK in the 8086
            if (at_least(Level::I80286)) return false;
            [[fallthrough]];
        case 0xF0: insn_.prefixes |= kPrefixLock; return true;
        case 0xF2: return repeat(kPrefixRepne);
        case 0xF3: return repeat(kPrefixRep);
        default: return false;
        }
    }

    /// In 64-bit mode ES, CS, SS and DS overrides are ignored (SDM vol. 1, 3.3.7.1).
    bool override_segment(Seg seg)
    {
        if (long_mode() && seg < FS) return true;
        segment_ = seg;
        insn_.prefixes |= kPrefixSegment;
        return true;
    }

    /// The last of several counts.
    bool repeat(u8 prefix)
    {
        insn_.prefixes = static_cast<u8>((insn_.prefixes & ~(kPrefixRep | kPrefixRepne)) | prefix);
        return true;
    }

    Mandatory mandatory_prefix() const
    {
        if (insn_.prefixes & kPrefixRep) return Mandatory::PF3;
        if (insn_.prefixes & kPrefixRepne) return Mandatory::PF2;
        return operand_prefix_ ? Mandatory::P66 : Mandatory::None;
    }

    void sizes(const Opcode& row)
    {
        if (row.prefix == Mandatory::P66 || (row.rules & kMin32)) operand_prefix_ = false;
        if (long_mode()) {
            operand_bytes_ = rex_ & 8 ? 8 : operand_prefix_ ? 2 : row.rules & kDefault64 ? 8 : 4;
            if (row.rules & kMax32) operand_bytes_ = std::min(operand_bytes_, 4);
            if (row.rules & (kForce64 | kFullWidth)) operand_bytes_ = 8;
            address_bytes_ = address_prefix_ ? 4 : 8;
        } else {
            const bool wide = mode_.code_size == CodeSize::Bits32;
            operand_bytes_ = wide != operand_prefix_ ? 4 : 2;
            if (row.rules & (kFullWidth | kMin32)) operand_bytes_ = 4;
            address_bytes_ = wide != address_prefix_ ? 4 : 2;
        }
        insn_.size = static_cast<u8>(operand_bytes_);
        insn_.address_shift = static_cast<u8>(64 - 8 * address_bytes_);
        if (segment_ != kNoSegment) insn_.seg = segment_;
    }

    bool allowed(const Opcode& row) const
    {
        if (!at_least(row.level) || !mode_.features.has(row.feature)) return false;
        if ((row.rules & kInvalid64) && long_mode()) return false;
        if ((row.rules & kOnly64) && !long_mode()) return false;
        if ((row.rules & kProtected) && mode_.real_or_v86) return false;
        if (row.mod3 >= 0 && (row.mod3 == 1) == insn_.memory) return false;
        // LOCK is checked since the 386 (80386 PRM, LOCK).
        if ((insn_.prefixes & kPrefixLock) && at_least(Level::I80386))
            return (row.rules & kLockable) && insn_.memory;
        return true;
    }

    // ---- Operands ------------------------------------------------------------------------------

    void operands(const Opcode& row, u8 byte)
    {
        for (std::size_t i = 0; i < 3; ++i) {
            if (row.operands[i] == Form::None) continue;
            u8 third = 0;  // an immediate, or CL, which the instruction knows of
            operand(row.operands[i], byte, i == 0 ? insn_.dst : i == 1 ? insn_.src : third);
        }
        // MOVZX and MOVSX are as wide as their destination.
        if (row.operands[0] == Form::Gv) insn_.size = static_cast<u8>(operand_bytes_);
    }

    void operand(Form form, u8 byte, u8& reg)
    {
        const u8 rex_r = rex_ & 4 ? 8 : 0, rex_b = rex_ & 1 ? 8 : 0;
        const u8 reg_field = modrm_ >> 3 & 7;
        switch (form) {
        case Form::None: break;
        case Form::Eb:
            if (modrm_ >= 0xC0) reg = byte_register((modrm_ & 7) | rex_b);
            else memory_operand();
            insn_.size = 1;
            break;
        case Form::Ew:
        case Form::Ev:
        case Form::Ey:
        case Form::RdMb:
        case Form::RdMw:
        case Form::Ww:
        case Form::Wd:
        case Form::Wq:
        case Form::Wdq:
            if (modrm_ >= 0xC0) reg = (modrm_ & 7) | rex_b;
            else memory_operand();
            break;
        case Form::Qd:
        case Form::Qq:  // REX.B means nothing to MMX registers
            if (modrm_ >= 0xC0) reg = modrm_ & 7;
            else memory_operand();
            break;
        case Form::STi: reg = modrm_ & 7; break;
        case Form::Pq: reg = reg_field; break;
        case Form::Nq: reg = modrm_ & 7; break;
        case Form::Udq:
        case Form::Ry:
        case Form::Rv: reg = (modrm_ & 7) | rex_b; break;  // mod is ignored: MOV CR, DR
        case Form::M:
            if (modrm_ >= 0xC0) fail();
            else memory_operand();
            break;
        case Form::Gb:
            reg = byte_register(reg_field | rex_r);
            insn_.size = 1;
            break;
        case Form::Vdq:
        case Form::Gw:
        case Form::Gy:
        case Form::Gv: reg = reg_field | rex_r; break;
        case Form::Cd:
        case Form::Dd: reg = reg_field | rex_r; break;
        case Form::Td: reg = reg_field; break;
        case Form::Sw:
            reg = at_least(Level::I80286) ? reg_field : reg_field & 3;
            if (reg >= (at_least(Level::I80386) ? 6 : 4)) fail();
            break;
        case Form::Zb: reg = byte_register((byte & 7) | rex_b); insn_.size = 1; break;
        case Form::Zv: reg = (byte & 7) | rex_b; break;
        case Form::AL: reg = RAX; insn_.size = 1; break;
        case Form::AX:
        case Form::eAX: reg = RAX; break;
        case Form::CL: reg = RCX; break;
        case Form::DX: reg = RDX; break;
        default: immediate(form); break;
        }
    }

    void immediate(Form form)
    {
        switch (form) {
        case Form::One: insn_.imm = 1; break;
        case Form::Ib: insn_.imm = static_cast<i64>(fetch(1)); break;
        case Form::Ibs:
        case Form::Jb: insn_.imm = fetch_signed(1); break;
        case Form::Iw: insn_.imm = static_cast<i64>(fetch(2)); break;
        case Form::Iz:
        case Form::Jz: insn_.imm = fetch_signed(std::min(operand_bytes_, 4)); break;
        case Form::Iv: insn_.imm = fetch_signed(operand_bytes_); break;
        case Form::IwIb:
            insn_.imm = static_cast<i64>(fetch(2));
            insn_.imm |= static_cast<i64>(fetch(1) << 32);
            break;
        case Form::Ap:
            insn_.imm = static_cast<i64>(fetch(std::min(operand_bytes_, 4)));
            insn_.imm |= static_cast<i64>(fetch(2) << 32);
            break;
        case Form::Ob:
        case Form::Ov:  // the address itself, in imm
            insn_.imm = static_cast<i64>(fetch(address_bytes_));
            insn_.memory = true;
            if (form == Form::Ob) insn_.size = 1;
            break;
        default: break;
        }
    }

    /// Without REX, byte registers 4..7 are AH CH DH BH (SDM vol. 2A, table 2-2).
    u8 byte_register(int number) const
    {
        const bool high = !rex_ && number >= 4 && number < 8;
        return static_cast<u8>(high ? (number - 4) | int{kHighByte} : number);
    }

    void memory_operand()
    {
        insn_.memory = true;
        if (address_bytes_ == 2) memory_operand_16();
        else memory_operand_32();
    }

    /// SDM vol. 2A, table 2-1.
    void memory_operand_16()
    {
        static constexpr u8 bases[8] = {RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX};
        static constexpr u8 indices[8] = {RSI, RDI, RSI, RDI, kZeroRegister, kZeroRegister,
                                          kZeroRegister, kZeroRegister};
        const u8 mod = modrm_ >> 6, rm = modrm_ & 7;
        if (mod == 0 && rm == 6) {
            insn_.disp = static_cast<i32>(fetch_signed(2));
            return;
        }
        insn_.base = bases[rm];
        insn_.index_reg = indices[rm];
        default_segment(insn_.base == RBP);
        if (mod == 1) insn_.disp = static_cast<i32>(fetch_signed(1));
        if (mod == 2) insn_.disp = static_cast<i32>(fetch_signed(2));
    }

    /// SDM vol. 2A, tables 2-2 and 2-3; 2.2.1.6 for RIP-relative addressing.
    void memory_operand_32()
    {
        const u8 mod = modrm_ >> 6, rm = modrm_ & 7;
        const u8 rex_x = rex_ & 2 ? 8 : 0, rex_b = rex_ & 1 ? 8 : 0;
        u8 base = rm;
        if (rm == 4) {
            const u8 sib = fetch8();
            base = sib & 7;
            const u8 index = (sib >> 3 & 7) | rex_x;
            if (index != RSP) {
                insn_.index_reg = index;
                insn_.scale = sib >> 6;
            }
        }
        if (base == RBP && mod == 0) {
            insn_.disp = static_cast<i32>(fetch_signed(4));
            if (rm == 5 && long_mode()) insn_.base = kBlockIpRegister;
            return;
        }
        insn_.base = base | rex_b;
        default_segment(insn_.base == RBP || insn_.base == RSP);
        if (mod == 1) insn_.disp = static_cast<i32>(fetch_signed(1));
        if (mod == 2) insn_.disp = static_cast<i32>(fetch_signed(4));
    }

    void default_segment(bool stack)
    {
        if (stack && segment_ == kNoSegment) insn_.seg = SS;
    }

    void fail()
    {
        if (!stopped()) failed_ = DecodeResult::Undefined;
    }

    static constexpr u8 kNoSegment = 0xFF;

    std::span<const u8> code_;
    const DecodeMode& mode_;
    Insn& insn_;
    std::size_t max_length_;
    std::size_t position_ = 0;
    DecodeResult failed_ = DecodeResult::Ok;
    u8 opcode_byte_ = 0;
    u8 rex_ = 0;
    u8 segment_ = kNoSegment;
    u8 modrm_ = 0;
    bool operand_prefix_ = false, address_prefix_ = false;
    int operand_bytes_ = 2, address_bytes_ = 2;
};

}  // namespace

DecodeResult decode(std::span<const u8> code, const DecodeMode& mode, Insn& insn)
{
    insn = Insn{};
    return Decoder(code, mode, insn).decode();
}

}  // namespace reprise
