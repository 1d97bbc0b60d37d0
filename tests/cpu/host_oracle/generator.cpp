#include "tests/cpu/host_oracle/generator.h"

#include <algorithm>

#include "tests/cpu/host_oracle/guest.h"

namespace reprise::oracle {

namespace {

bool has_form(const Opcode& row, std::initializer_list<Form> forms)
{
    return std::ranges::any_of(row.operands,
                               [&](Form f) { return std::ranges::find(forms, f) != forms.end(); });
}

bool is_named(const Opcode& row, std::initializer_list<std::string_view> names)
{
    return std::ranges::find(names, std::string_view(row.mnemonic)) != names.end();
}

/// Not comparable: it leaves user mode, tells of the machine, or the kernel answers in its place.
bool is_excluded(const Opcode& row)
{
    if (row.code == 0x124 || row.code == 0x126) return true;  // test registers: of the 386 and 486
    return is_named(
        row, {"rdtsc", "rdtscp", "rdpmc", "cpuid", "syscall", "sysenter", "sysexit", "sysret",
              "sgdt", "sidt", "sldt", "str", "smsw",  // UMIP: emulated by Linux (umip.c)
              "esc"});
}

/// An instruction under construction, with the places of its parts.
struct Code {
    std::array<u8, 15> bytes{};
    u8 length = 0;
    u8 modrm_at = 0;  // 0: none

    void add(u64 byte)
    {
        if (length < bytes.size()) bytes[length++] = static_cast<u8>(byte);
    }
};

/// Builds one test case.
class Maker {
public:
    Maker(Mode mode, const Opcode& row, u64 seed) : random_(seed), row_(row)
    {
        test_.seed = seed;
        test_.mode = mode;
    }

    std::optional<TestCase> make()
    {
        build_code();
        decode_code();
        if (test_.row < 0 && !random_.one_in(20)) return {};
        if (enters_the_kernel() || ends_early_on_some() || loops_on_some()) return {};
        choose_segments();
        place_code();
        choose_registers();
        if (test_.row >= 0) {
            aim_memory_operand();
            prepare_implicit_operands();
        }
        std::copy_n(code_.bytes.begin(), code_.length, test_.code.begin());
        test_.length = code_.length;
        return test_;
    }

private:
    bool long_mode() const { return test_.mode == Mode::Bits64; }
    u64& gpr(int r) { return test_.start.gpr[static_cast<std::size_t>(r)]; }
    u16& selector(Seg s) { return test_.start.selector[s]; }

    // ---- Code
    // ------------------------------------------------------------------------------------

    void build_code()
    {
        add_prefixes();
        if (row_.code >= 0x100) code_.add(0x0F);
        if (row_.code >= 0x200) code_.add(row_.code < 0x300 ? 0x38 : 0x3A);
        code_.add(row_.code & 0xFF);
        code_.modrm_at = code_.length;
        const u8 opcode_end = code_.length;
        while (code_.length < code_.bytes.size())
            code_.add(random_.one_in(3) ? random_.integer() : random_.bits());
        u8& modrm = code_.bytes[opcode_end];
        if (row_.reg >= 0) modrm = static_cast<u8>((modrm & 0xC7) | row_.reg << 3);
        if (row_.mod3 >= 0) modrm = static_cast<u8>(row_.mod3 ? modrm | 0xC0 : modrm & 0x7F);
        else if (random_.one_in(4)) modrm |= 0xC0;
        if (row_.rm >= 0) modrm = static_cast<u8>((modrm & 0xF8) | row_.rm);
        if (!has_modrm(row_.code >> 8, static_cast<u8>(row_.code), row_.last)) code_.modrm_at = 0;
    }

    void add_prefixes()
    {
        static constexpr u8 kSegments[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};
        static constexpr u8 kRepeats[] = {0xF2, 0xF3};
        const bool fixed = row_.prefix != Mandatory::Any;
        if (random_.one_in(6)) code_.add(random_.one_of(kSegments));
        if (random_.one_in(8)) code_.add(0x67);
        if (!fixed && random_.one_in(4)) code_.add(0x66);
        if (random_.one_in(row_.rules & kLockable ? 6 : 100)) code_.add(0xF0);
        if (!fixed && random_.one_in(row_.rules & kStringOp ? 2 : 40))
            code_.add(random_.one_of(kRepeats));
        constexpr std::array<u8, 5> kMandatory = {0, 0, 0x66, 0xF3, 0xF2};
        if (const u8 prefix = kMandatory[static_cast<std::size_t>(row_.prefix)]) code_.add(prefix);
        if (random_.one_in(40)) code_.add(0x66);
        if (long_mode() && random_.one_in(2)) code_.add(0x40 | random_.below(16));
    }

    void decode_code()
    {
        Insn insn;
        const DecodeResult result = decode(code_.bytes, decode_mode(test_.mode), insn);
        code_.length = insn.length;
        if (result != DecodeResult::Ok) return;
        const Opcode& row = opcodes()[insn.opcode];
        if (is_excluded(row)) return;
        test_.row = insn.opcode;
        test_.insn = insn;
    }

    /// AMD's displacement after 66 has 16 bits in 64-bit mode too; what we take for the rest is
    /// code.
    bool ends_early_on_some() const
    {
        const auto end = code_.bytes.begin() + code_.length;
        return long_mode() && has_form(row_, {Form::Jz}) &&
               std::find(code_.bytes.begin(), end, 0x66) != end;
    }

    /// LOOPcc to itself: after F2 and F3 AMD's take the condition from there, and go on for ever.
    bool loops_on_some() const
    {
        if (!is_named(row_, {"loope", "loopne"})) return false;
        const int target = code_.length + static_cast<i8>(code_.bytes[code_.length - 1u]);
        return target >= 0 && target < code_.length;
    }

    /// SYSCALL and its like, INT n, hypercalls, and what the host may know and we do not.
    bool enters_the_kernel() const
    {
        for (std::size_t i = 0; i + 1 < code_.length; ++i) {
            const u8 byte = code_.bytes[i], next = code_.bytes[i + 1];
            if (byte == 0x0F && (next == 0x05 || next == 0x34)) return true;
            if (byte == 0x0F && next == 0x01 && test_.row < 0) return true;
            if (byte == 0xCD && next == 0x80) return true;
        }
        return test_.row < 0 && is_excluded(row_);
    }

    void place_code()
    {
        u64 linear = kCode + 0x800 + random_.below(0x100);
        // At the very end of the code, and across its two pages.
        if (random_.one_in(100)) linear = kCodeEnd - random_.below(16) - 1;
        else if (random_.one_in(50)) linear = kCode + kPageBytes - random_.below(16);
        test_.linear = linear;
        test_.start.rip = linear - segment_base(selector(CS));
        // What is beyond the code pages is not ours to write.
        code_.length = static_cast<u8>(std::min<u64>(code_.length, kCodeEnd - linear));
    }

    // ---- Registers
    // -------------------------------------------------------------------------------

    void choose_segments()
    {
        static constexpr u16 kAny[] = {ldt_selector(kData16),
                                       ldt_selector(kData32),
                                       ldt_selector(kShortData),
                                       ldt_selector(kDownData16),
                                       ldt_selector(kReadOnlyData),
                                       ldt_selector(kCode32),
                                       ldt_selector(kDownData32),
                                       kUserDs,
                                       kUserCs32,
                                       0};
        static constexpr u16 kStacks[] = {ldt_selector(kData16),     ldt_selector(kData32),
                                          ldt_selector(kShortData),  ldt_selector(kDownData16),
                                          ldt_selector(kDownData32), kUserDs};
        static constexpr u16 kCodes16[] = {ldt_selector(kCode16), ldt_selector(kCode16),
                                           ldt_selector(kExecuteOnly)};
        static constexpr u16 kCodes32[] = {kUserCs32, kUserCs32, ldt_selector(kCode32)};
        test_.start.selector = {kUserDs, kUserCs64, kUserDs, kUserDs, 0, 0};
        test_.fs_base = kArea;
        test_.gs_base = kArea + 0x10;
        if (long_mode()) return;
        const bool small = test_.mode == Mode::Bits16 || test_.insn.address_bytes() == 2;
        const u16 usual = small ? ldt_selector(kData16) : kUserDs;
        test_.start.selector = {
            usual, 0, usual, usual, ldt_selector(kData32), ldt_selector(kData16)};
        selector(CS) =
            test_.mode == Mode::Bits16 ? random_.one_of(kCodes16) : random_.one_of(kCodes32);
        for (const Seg seg : {ES, DS, FS, GS})
            if (random_.one_in(8)) selector(seg) = random_.one_of(kAny);
        if (random_.one_in(6)) selector(SS) = random_.one_of(kStacks);
        // Towards 64-bit code it pushes with all of RSP, of which Linux leaves 16 bits with a
        // 16-bit stack (espfix).
        if (is_named(row_, {"call far"})) selector(SS) = kUserDs;
    }

    void choose_registers()
    {
        for (u64& r : test_.start.gpr) r = random_.one_in(4) ? data_address() : random_.integer();
        if (!long_mode()) {
            for (int r = 8; r < 16; ++r) gpr(r) = 0;
            for (int r = 0; r < 8; ++r) gpr(r) = static_cast<u32>(gpr(r));
        }
        // AC, RF and the flags that user mode may change; not TF, ID and NT.
        test_.start.eflags =
            static_cast<u32>(kReservedSetFlags | IF | (random_.bits() & (kArithmeticFlags | DF)));
        if (!random_.one_in(4)) test_.start.eflags &= ~static_cast<u32>(DF);
        if (random_.one_in(16)) test_.start.eflags |= AC;
        const Class kind = class_of(row_);
        if (kind != Class::Integer || random_.one_in(64))
            test_.start.fx = random_.fx(kind == Class::X87, kind == Class::Mmx);
        if (!long_mode())
            for (std::size_t i = 8; i < 16; ++i) test_.start.fx.xmm[i] = {};
        if (random_.one_in(2)) gpr(RCX) = (gpr(RCX) & ~u64{0xFF}) | random_.below(70);
        aim(RSP, SS, data_address() & (random_.one_in(8) ? ~u64{0} : ~u64{15}), false);
        if (random_.one_in(2)) aim(RBP, SS, data_address(), false);
    }

    /// A linear address in or at the edges of the data pages.
    u64 data_address()
    {
        static constexpr u32 kPagesOfData[] = {4, 4, 4, 5, 5, 5, 0, 15, 6};
        const u64 page = kArea + random_.one_of(kPagesOfData) * kPageBytes;
        if (random_.one_in(12)) return page + kPageBytes - random_.below(36);
        if (random_.one_in(24)) return page - random_.below(16);
        const u64 offset = 0x40 + random_.below(kPageBytes - 0x80);
        return page + (random_.one_in(3) ? offset : offset & ~u64{15});
    }

    u64 base_of(u8 seg) const
    {
        if (long_mode()) return seg == FS ? test_.fs_base : seg == GS ? test_.gs_base : 0;
        return segment_base(test_.start.selector[seg]);
    }

    /// Makes a register point at a linear address. Addresses of 16 bits leave the upper half
    /// random.
    void aim(int reg, u8 seg, u64 linear, bool small)
    {
        const u64 offset = linear - base_of(seg);
        if (long_mode()) gpr(reg) = offset;
        else if (small && random_.one_in(2)) gpr(reg) = (gpr(reg) & 0xFFFF0000) | (offset & 0xFFFF);
        else gpr(reg) = static_cast<u32>(offset);
    }

    // ---- Memory operands
    // -------------------------------------------------------------------------

    void aim_memory_operand()
    {
        const Insn& insn = test_.insn;
        if (!insn.memory || code_.length != insn.length || random_.one_in(32)) return;
        const u64 linear = data_address();
        if (has_form(row_of(), {Form::Ob, Form::Ov})) {
            patch_code(code_.length - insn.address_bytes(), insn.address_bytes(),
                       linear - base_of(insn.seg));
            decode_again();
        } else if (!aim_registers(linear)) {
            return;
        }
        fill_operand(linear);
    }

    const Opcode& row_of() const { return opcodes()[static_cast<std::size_t>(test_.row)]; }

    bool aim_registers(u64 linear)
    {
        const Insn& insn = test_.insn;
        const u64 mask = insn.address_mask();
        const u64 wanted = (linear - base_of(insn.seg) - static_cast<u64>(i64{insn.disp})) & mask;
        const bool base = insn.base < 16, index = insn.index_reg < 16;
        if (insn.base == kBlockIpRegister) {
            patch_displacement(linear - test_.start.rip - insn.length);
        } else if (!base && !index) {
            patch_displacement(linear - base_of(insn.seg));
        } else if (!base) {
            set_address_register(insn.index_reg, wanted >> insn.scale, mask);
        } else if (!index) {
            set_address_register(insn.base, wanted, mask);
        } else if (insn.base == insn.index_reg) {
            set_address_register(insn.base, wanted / ((1u << insn.scale) + 1), mask);
        } else {
            set_address_register(insn.base, wanted - (gpr(insn.index_reg) << insn.scale), mask);
        }
        return true;
    }

    void set_address_register(u8 reg, u64 value, u64 mask)
    {
        u64& r = gpr(reg);
        r = (r & ~mask) | (value & mask);
        if (!long_mode()) r = static_cast<u32>(r);
    }

    void patch_displacement(u64 value)
    {
        const Insn& insn = test_.insn;
        const int bytes = insn.address_bytes() == 2 ? 2 : 4;
        const bool sib = bytes == 4 && (code_.bytes[code_.modrm_at] & 7) == 4;
        patch_code(code_.modrm_at + 1 + sib, bytes, value);
        decode_again();
    }

    void patch_code(int at, int bytes, u64 value)
    {
        for (int i = 0; i < bytes; ++i)
            code_.bytes[static_cast<std::size_t>(at + i)] = static_cast<u8>(value >> 8 * i);
    }

    void decode_again() { decode(code_.bytes, decode_mode(test_.mode), test_.insn); }

    /// Numbers that mean something to the instruction, where it will look for them.
    void fill_operand(u64 linear)
    {
        Patch patch;
        patch.address = static_cast<u32>(linear);
        patch.size = 16;
        const auto put = [&](std::size_t at, auto value) {
            std::memcpy(patch.bytes.data() + at, &value, sizeof value);
        };
        const Class kind = class_of(row_of());
        if (kind == Class::X87) {
            switch (random_.below(5)) {
            case 0: put(0, random_.float32()); break;
            case 1: put(0, random_.float64()); break;
            case 2: put(0, random_.integer()); break;
            case 3: put_decimal(patch); break;
            default: {
                const Float80 value = random_.float80();
                put(0, value.significand);
                put(8, value.sign_exponent);
            }
            }
        } else if (kind == Class::Integer) {
            put(0, random_.integer());
            put(8, random_.integer());
            // What CMPXCHG compares with.
            if (random_.one_in(3))
                put(0, is_named(row_of(), {"cmpxchg8b"})
                           ? gpr(RDX) << 32 | static_cast<u32>(gpr(RAX))
                           : gpr(RAX));
            if (random_.one_in(3)) put(8, gpr(RDX));
        } else {
            const Xmm value = random_.vector(kind == Class::Sse);
            put(0, value.low);
            put(8, value.high);
        }
        test_.patches.push_back(patch);
    }

    void put_decimal(Patch& patch)
    {
        for (std::size_t i = 0; i < 9; ++i)
            patch.bytes[i] = static_cast<u8>(random_.below(10) << 4 | random_.below(10));
        patch.bytes[9] = static_cast<u8>(random_.below(2) << 7);
    }

    /// Operands that the code does not name.
    void prepare_implicit_operands()
    {
        const Opcode& row = row_of();
        const bool small = test_.insn.address_bytes() == 2;
        if (row.rules & kStringOp) {
            if (!random_.one_in(16)) aim(RSI, test_.insn.seg, data_address(), small);
            if (!random_.one_in(16)) aim(RDI, ES, data_address(), small);
            if (!random_.one_in(16)) gpr(RCX) = random_.below(20);
        } else if (is_named(row, {"xlat"})) {
            aim(RBX, test_.insn.seg, data_address(), small);
        } else if (is_named(row, {"maskmovq", "maskmovdqu"})) {
            aim(RDI, test_.insn.seg, data_address(), small);
        } else if (is_named(row, {"div", "idiv"}) && !random_.one_in(4)) {
            // Mostly a quotient that fits.
            gpr(RDX) = random_.one_in(2) ? random_.below(4) : u64{0} - random_.one_in(2);
            if (!long_mode()) gpr(RDX) = static_cast<u32>(gpr(RDX));
            gpr(RAX) &= ~u64{0xFF00};
        } else if (is_named(row, {"leave", "enter"}) && !random_.one_in(8)) {
            aim(RBP, SS, data_address(), false);
        }
        if (row.carry == Carry::End && random_.one_in(2)) prepare_target();
    }

    /// Indirect branches and returns mostly find an address of code.
    void prepare_target()
    {
        const Opcode& row = row_of();
        if (is_named(row, {"jmp far", "call far", "retf", "iret"})) return prepare_far_target();
        const u64 target = code_address() - segment_base(selector(CS));
        if (test_.insn.memory || random_.one_in(2)) put(target_address(), target, 8);
        else gpr(test_.insn.dst & 7) = target;
    }

    u64 code_address() { return kCode + 0x400 + random_.below(0x100); }

    /// Where the memory operand is, or the stack.
    u32 target_address()
    {
        if (test_.insn.memory && !test_.patches.empty()) return test_.patches.back().address;
        return static_cast<u32>(gpr(RSP) + base_of(SS));
    }

    void put(u32 address, u64 value, u32 bytes)
    {
        Patch patch;
        patch.address = address;
        patch.size = bytes;
        std::memcpy(patch.bytes.data(), &value, bytes);
        test_.patches.push_back(patch);
    }

    /// A far pointer, or what RETF and IRET pop: offset, selector, flags, stack pointer, stack.
    void prepare_far_target()
    {
        static constexpr u16 kCodes[] = {kUserCs32,
                                         kUserCs32,
                                         kUserCs64,
                                         kUserCs64,
                                         kUserDs,
                                         0,
                                         ldt_selector(kCode16),
                                         ldt_selector(kCode32),
                                         ldt_selector(kExecuteOnly),
                                         ldt_selector(kData16)};
        static constexpr u16 kStacks[] = {kUserDs, kUserDs, kUserDs, ldt_selector(kData16), 0};
        u16 code = random_.one_of(kCodes);
        if (random_.one_in(8)) code ^= static_cast<u16>(random_.below(4));
        const u64 offset = code_address() - segment_base(code);
        const Opcode& row = row_of();
        const u32 size = test_.insn.size;
        if (row.operands[0] == Form::Ap) {
            if (code_.length != test_.insn.length) return;
            const int bytes = test_.insn.size == 2 ? 2 : 4;
            patch_code(code_.length - 2 - bytes, bytes, offset);
            patch_code(code_.length - 2, 2, code);
            return decode_again();
        }
        const u32 at = target_address();
        put(at, offset, size);
        put(at + size, code, 2);
        if (!is_named(row, {"iret"})) return;
        put(at + 2 * size, random_.bits(), size);
        put(at + 3 * size, data_address(), size);
        put(at + 4 * size, random_.one_of(kStacks), 2);
    }

    Random random_;
    const Opcode& row_;
    TestCase test_;
    Code code_;
};

}  // namespace

Class class_of(const Opcode& row)
{
    const int byte = row.code & 0xFF;
    if (row.code < 0x100 && ((byte >= 0xD8 && byte <= 0xDF) || byte == 0x9B)) return Class::X87;
    if (has_form(row, {Form::Vdq, Form::Udq, Form::Ww, Form::Wd, Form::Wq, Form::Wdq}))
        return Class::Sse;
    if (has_form(row, {Form::Pq, Form::Nq, Form::Qd, Form::Qq}) || row.feature == Feature::Mmx)
        return Class::Mmx;
    switch (row.feature) {
    case Feature::Fxsr:
    case Feature::Sse:
    case Feature::Sse2:
    case Feature::Sse3:
    case Feature::Ssse3:
    case Feature::Sse41: return Class::Sse;
    default: return Class::Integer;
    }
}

DecodeMode decode_mode(Mode mode)
{
    const CpuModel& model = Guest::model();
    return {static_cast<CodeSize>(mode), false, model.level, model.features};
}

Generator::Generator(Mode mode, std::array<bool, 4> classes, std::string_view mnemonic)
    : mode_(mode)
{
    std::array<std::vector<u16>, kClassNames.size()> rows;
    for (u16 i = 0; i < opcodes().size(); ++i) {
        const Opcode& row = opcodes()[i];
        if (!row.mnemonic || is_excluded(row) || !classes[static_cast<std::size_t>(class_of(row))])
            continue;
        if (!mnemonic.empty() && mnemonic != row.mnemonic) continue;
        if (row.last < Level::X64) continue;  // of processors older than the host
        if (row.rules & (mode == Mode::Bits64 ? kInvalid64 : kOnly64)) continue;
        rows[static_cast<std::size_t>(class_of(row))].push_back(i);
    }
    for (auto& r : rows)
        if (!r.empty()) rows_.push_back(std::move(r));
}

std::optional<TestCase> Generator::make(u64 seed) const
{
    // The row comes from the seed too, but not from the same numbers.
    const u64 mixed = seed * 0x9E3779B97F4A7C15;
    const std::vector<u16>& rows = rows_[(mixed >> 54) % rows_.size()];
    const Opcode& row = opcodes()[rows[(mixed >> 20) % rows.size()]];
    return Maker(mode_, row, seed).make();
}

}  // namespace reprise::oracle
