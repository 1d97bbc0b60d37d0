#include "tests/cpu/translated_program.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "tests/cpu/fp_operands.h"

namespace reprise {

namespace {

// Descriptors of level 3 in the GDT, behind those of Program.
enum Spare : u16 {
    kCode16 = 0x43,
    kData16 = 0x4B,
    kShortData = 0x53,
    kDown16 = 0x5B,
    kDown32 = 0x63,
    kReadOnlyData = 0x6B,
    kStack16 = 0x73,
    kStack32 = 0x7B,
    kAlias = 0x83,
    kCode32 = 0x8B,
};
constexpr u32 kShortLimit = 0x4FF6, kDownLimit = 0x3FFF;
constexpr u8 kInterrupt = 0x30;

struct SpareSegment {
    u16 selector;
    u32 base, limit;
    u8 access, flags;
};
constexpr SpareSegment kSpares[] = {
    {kCode16, Program::kCode, 0xFFFF, 0xFB, 0},
    {kData16, Program::kData + 0x20, 0xFFFF, 0xF3, 0},
    {kShortData, Program::kData + 0x10, kShortLimit, 0xF3, 4},
    {kDown16, Program::kData, kDownLimit, 0xF7, 0},
    {kDown32, Program::kData, kDownLimit, 0xF7, 4},
    {kReadOnlyData, Program::kData, 0xFFFF, 0xF1, 4},
    {kStack16, Program::kUserStack - 0x10000, 0xFFFF, 0xF3, 0},
    {kStack32, Program::kUserStack - 0x10000, 0xFFFF, 0xF3, 4},
    {kAlias, Program::kCode, 0xFFFF, 0xF3, 4},
    {kCode32, Program::kCode, 0xFFFF, 0xFB, 4},
};

u32 base_of(u16 selector)
{
    for (const SpareSegment& s : kSpares)
        if (s.selector == selector) return s.base;
    return 0;
}

bool has(const Opcode& row, std::initializer_list<Form> forms)
{
    return std::ranges::any_of(row.operands,
                               [&](Form f) { return std::ranges::find(forms, f) != forms.end(); });
}

bool is_sized(const Opcode& row)
{
    return has(row, {Form::Ev, Form::Gv, Form::Zv, Form::eAX, Form::Iz, Form::Iv, Form::Ov}) ||
           (row.rules & kStringOp) != 0 || row.operands[0] == Form::None;
}

/// What would end a program at level 0: it halts, or changes mode, tables or the stack's segment.
bool ends_programs(const Opcode& row)
{
    static constexpr std::string_view kNames[] = {
        "hlt",  "lgdt", "lidt",   "lldt", "ltr",    "lmsw",   "clts",     "wrmsr",
        "invd", "rsm",  "wbinvd", "popf", "invlpg", "mov cr", "sysenter", "syscall"};
    return std::ranges::find(kNames, std::string_view(row.mnemonic)) != std::end(kNames) ||
           has(row, {Form::Cd, Form::Dd, Form::Td});
}

bool is_vector(const Opcode& row)
{
    return has(row, {Form::Pq, Form::Nq, Form::Qd, Form::Qq, Form::Vdq, Form::Udq, Form::Ww,
                     Form::Wd, Form::Wq, Form::Wdq});
}

bool is_x87(const Opcode& row)
{
    return (row.code >= 0xD8 && row.code <= 0xDF) || row.code == 0x9B;
}

u32 size_mask(bool narrow) { return narrow ? 0xFFFF : 0xFFFFFFFF; }

std::unique_ptr<Program> make_program(const ProgramOptions& options)
{
    if (options.mode != ProgramMode::Long) return std::make_unique<Program>(options.model);
    return std::make_unique<LongProgram>(Program::Bytes{}, u8{0}, options.model);
}

void append(std::vector<u8>& code, u64 value, int bytes)
{
    for (int i = 0; i < bytes; ++i) code.push_back(static_cast<u8>(value >> 8 * i));
}

}  // namespace

TranslatedProgram::TranslatedProgram(u64 seed, const ProgramOptions& options)
    : owned_(make_program(options)),
      program(*owned_),
      options_(options),
      random_(seed),
      rows_(opcodes().size())
{
    if (options_.mode == ProgramMode::Segmented || options_.mode == ProgramMode::Small)
        options_.user = true;
    const bool bits16 = is_real() || options_.mode == ProgramMode::Small;
    const CodeSize wide = is_long() ? CodeSize::Bits64 : CodeSize::Bits32;
    decode_mode_ = {bits16 ? CodeSize::Bits16 : wide, is_real(), program.cpu.model().level,
                    program.cpu.model().features};
    for (const Opcode& row : opcodes()) {
        if (!row.mnemonic || row.last < Level::X64) continue;
        if (row.rules & (is_long() ? kInvalid64 : kOnly64)) continue;
        if (row.level > program.cpu.model().level) continue;
        if (row.carry == Carry::Copy)
            (is_vector(row) ? vectors_ : is_x87(row) ? floats_ : copied_).push_back(&row);
        if (row.carry == Carry::Call && row.code < 0x200 && (options_.user || !ends_programs(row)))
            called_.push_back(&row);
    }
    if (options_.mode == ProgramMode::Real) program.start_real();
    else if (!is_long()) program.start_protected();
    for (u32 i = 0; i < 0x10000; ++i) program.bus.ram[kData + i] = static_cast<u8>(random_());
    write_operands();
    next_vector_ = seed / 4 * 40;
    choose_segments();
    write_descriptors();
    write_handlers();
    write_code();
    if (options_.paging) write_pages();
    for (int r = 0; r < (is_long() ? 16 : 8); ++r)
        if (r != RSP)
            program.reg(static_cast<Gpr>(r)) =
                pick(3) ? pick(0x10000) : static_cast<u32>(random_());
    CpuState& s = program.cpu.state;
    if (program.cpu.model().has(Feature::Sse)) s.cr4 |= kCr4Osfxsr | kCr4Osxmmexcpt;
    if (program.cpu.at_least(Level::I80486) && one_in(3)) s.cr0 |= kCr0Am;
    if (program.cpu.model().has(Feature::Tsc) && one_in(4)) s.cr4 |= kCr4Tsd;
    s.tsc_offset = random_();
    set_floating_point();
    s.cr0 |= kCr0Ne;  // an unmasked x87 exception is a fault: with IGNNE it would freeze
    s.rflags |= one_in(2) ? IF : 0u;
    if (one_in(2)) s.rflags |= IOPL;
    if (is_long()) {  // SYSCALL goes to a handler that does nothing but SYSRET
        constexpr u32 kSystemCalls = Program::kHandlers + 16 * (kInterrupt + 1);
        program.code(kSystemCalls, {0x48, 0x0F, 0x07});
        s.msr.efer |= kEferSce;
        s.msr.star = u64{LongProgram::kUserCs32} << 48 | u64{LongProgram::kCs64} << 32;
        s.msr.lstar = kSystemCalls;
        s.msr.sfmask = IF | TF;
    }
    start_ = s;
    put_back();
    connect();
}

/// Numbers of all formats that are worth something, in the first page, and control words that mask
/// everything, all but two.
void TranslatedProgram::write_operands()
{
    fp::Operands operands(random_());
    auto& ram = program.bus.ram;
    const auto put_at = [&](u32 linear, const auto& value, std::size_t bytes) {
        std::memcpy(&ram[linear], &value, bytes);
    };
    for (u32 at = kData; at < kData + 0x1000; at += 16) {
        const fp::F80 extended = operands.next<fp::F80>();
        switch (pick(5)) {
        case 0:
            put_at(at, extended.significand, 8);
            put_at(at + 8, extended.exponent, 2);
            break;
        case 1: put_at(at, operands.next<fp::F64>().bits, 8); break;
        case 2:
            for (u32 i = 0; i < 16; i += 4) put_at(at + i, operands.next<fp::F32>().bits, 4);
            break;
        case 3: put_at(at, static_cast<i64>(random_()) >> pick(64), 8); break;
        default: break;
        }
    }
    for (u32 i = 0; i < kControlWordCount; ++i) {
        const u16 masks = i < 2 ? static_cast<u16>(random_()) : 0x3F;
        put_at(kControlWords + 2 * i, static_cast<u16>((random_() & 0x1F00) | masks), 2);
    }
}

/// Registers of all kinds; mostly, everything is masked.
void TranslatedProgram::set_floating_point()
{
    CpuState& s = program.cpu.state;
    fp::Operands operands(random_());
    for (Float80& r : s.fpu.r) {
        const fp::F80 value = operands.next<fp::F80>();
        r = {value.significand, value.exponent};
    }
    s.fpu.full = static_cast<u8>(random_());
    s.fpu.status = random_() & 0x477F;
    s.fpu.control = static_cast<u16>(0x7F | (random_() & 0x1F00));
    if (!(s.cr4 & kCr4Osfxsr)) return;
    for (Xmm& x : s.sse.xmm) {
        x = {random_(), random_()};
        if (one_in(2)) x.low = operands.next<fp::F64>().bits;
    }
    s.sse.mxcsr = 0x1F80 | (random_() & 0xE03F);
}

// ---- Around the code --------------------------------------------------------------------------

void TranslatedProgram::choose_segments()
{
    static constexpr u16 kAny[] = {kData16, kShortData,    kDown16, kDown32,         kStack32,
                                   kAlias,  kReadOnlyData, kData16, Program::kUserDs};
    static constexpr u16 kStacks[] = {kStack16, kStack32, Program::kUserDs};
    if (is_real()) {
        // Mostly not at the start of a page, so that a segment ends within one.
        const auto data = [&] { return static_cast<u16>((Program::kData >> 4) + pick(4)); };
        const u16 code = Program::kCode >> 4;
        const u16 values[] = {data(), code, Program::kStack >> 4, data(), code, data()};
        std::ranges::copy(values, selectors_);
        for (u32 i = 0; i < 6; ++i) bases_[i] = u32{selectors_[i]} << 4;
        stack_top_ = one_in(2) ? 0xFF00 : 0xFF01;
        return;
    }
    const u16 flat = options_.user ? Program::kUserDs : Program::kDs;
    std::ranges::fill(selectors_, flat);
    selectors_[CS] = options_.user ? Program::kUserCs : Program::kCs;
    if (is_long()) selectors_[CS] = options_.user ? LongProgram::kUserCs64 : LongProgram::kCs64;
    if (options_.mode == ProgramMode::Segmented || options_.mode == ProgramMode::Small) {
        if (small() || one_in(2)) selectors_[CS] = small() ? kCode16 : kCode32;
        selectors_[SS] = kStacks[pick(3)];
        for (const Seg seg : {ES, DS, GS}) selectors_[seg] = kAny[pick(std::size(kAny))];
        selectors_[FS] = kAlias;
    }
    for (u32 i = 0; i < 6; ++i) bases_[i] = base_of(selectors_[i]);
    code_offset_ = Program::kCode - bases_[CS];
    const u32 top = options_.user ? Program::kUserStack : Program::kStack;
    stack_top_ = top - 0x100 - bases_[SS] + (one_in(4) ? pick(4) : 0);
}

void TranslatedProgram::write_descriptors()
{
    for (const SpareSegment& s : kSpares)
        if (!is_real() && !is_long())
            program.descriptor(s.selector, s.base, s.limit, s.access, s.flags);
    CpuState& s = program.cpu.state;
    if (options_.mode == ProgramMode::V86) {
        s.rflags |= VM;
        s.cpl = 3;
    }
    for (u8 seg = 0; seg < 6; ++seg) {
        const u16 selector = selectors_[seg];
        if (is_real()) {
            s.seg[seg] = {selector, bases_[seg], 0xFFFF,
                          static_cast<u16>(options_.mode == ProgramMode::V86 ? 0xF3 : 0x93)};
        } else {
            Cpu::Descriptor d;
            d.raw = program.get<u64>(Program::kGdt + (selector & ~7u));
            s.seg[seg] = d.segment(selector);
        }
    }
    if (!is_real()) s.cpl = options_.user ? 3 : 0;
    s.rip = offset_of(0);
    s.gpr[RSP] = stack_top_;
}

/// Handlers go on with the next slot; those of interrupts and single steps where they were.
void TranslatedProgram::write_handlers()
{
    const int step = static_cast<int>(kSlotBytes), mask = -step & 0xFF;
    for (u32 v = 0; v < 256; ++v) {
        const bool has_code = v == 8 || (v >= 10 && v <= 14) || v == 17;
        const u32 at = Program::kHandlers + 16 * v;
        if (v == 1 || v == 2 || v == kInterrupt)
            program.code(at, is_long() ? Program::Bytes{0x48, 0xCF} : Program::Bytes{0xCF});
        else if (options_.mode == ProgramMode::Real)
            // push bp; mov bp, sp; and word [bp+2], mask; add word [bp+2], step; pop bp; iret
            program.code(at,
                         {0x55, 0x89, 0xE5, 0x83, 0x66, 2, mask, 0x83, 0x46, 2, step, 0x5D, 0xCF});
        else if (is_long() && has_code)  // the same in 64 bits as below
            program.code(at, {0x48, 0x83, 0xC4, 8, 0x48, 0x83, 0x24, 0x24, mask, 0x48, 0x83, 0x04,
                              0x24, step, 0x48, 0xCF});
        else if (is_long())
            program.code(at,
                         {0x48, 0x83, 0x24, 0x24, mask, 0x48, 0x83, 0x04, 0x24, step, 0x48, 0xCF});
        else if (has_code)  // add esp, 4; and dword [esp], mask; add dword [esp], step; iret
            program.code(at, {0x83, 0xC4, 4, 0x83, 0x24, 0x24, mask, 0x83, 0x04, 0x24, step, 0xCF});
        else program.code(at, {0x83, 0x24, 0x24, mask, 0x83, 0x04, 0x24, step, 0xCF});
    }
}

void TranslatedProgram::write_pages()
{
    if (!is_long()) program.enable_paging();
    const u32 all = Program::P | Program::W | Program::U;
    map(kAbsent, kAbsent);
    map(kReadOnly, kReadOnly | Program::P | Program::U);
    map(kSupervisor, kSupervisor | Program::P | Program::W);
    // The pages of the program's data are not where they seem to be.
    map(kData + 0x1000, (kData + 0x2000) | all);
    map(kData + 0x2000, (kData + 0x1000) | all);
    if (one_in(2)) program.cpu.state.cr0 |= kCr0Wp;
}

void TranslatedProgram::map(u32 linear, u32 entry)
{
    const u64 address = is_long() ? LongProgram::pte64(linear) : Program::pte(linear);
    program.set<u32>(address, entry);
    program.cpu.memory_written(address, 4);
}

void TranslatedProgram::remap(u32 choice)
{
    if (!options_.paging) return program.cpu.flush_tlb();
    const u32 page = kData + 0x1000 * (choice % 7), all = Program::P | Program::W | Program::U;
    map(page, (kData + 0x1000 * (choice / 7 % 7)) | all);
    program.cpu.flush_tlb();
}

void TranslatedProgram::exchange_code()
{
    if (!options_.paging) return;
    constexpr u32 kSecond = Program::kCode + 0x1000;
    other_code_ = !other_code_;
    map(kSecond, (other_code_ ? kOtherCode : kSecond) | Program::P | Program::W | Program::U);
    program.cpu.flush_tlb();
}

/// Not with paging, whose tables lie above.
void TranslatedProgram::toggle_a20()
{
    if (options_.paging) return;
    program.bus.address_mask ^= 1 << 20;
    program.cpu.a20_changed();
}

void TranslatedProgram::put_back()
{
    Cpu& cpu = program.cpu;
    CpuState& s = cpu.state;
    const u64 offset = s.rip - offset_of(0);
    const bool inside =
        s.seg[CS].selector == selectors_[CS] && offset < (kSlots + kSubroutines) * kSlotBytes;
    const u64 linear = s.rip + s.seg[CS].base;
    const bool in_handler = linear - Program::kHandlers < 256 * 16;
    if (s.clock != 0 && !s.halted && !s.shutdown && (inside || in_handler)) return;
    const u64 clock = s.clock, idle = s.idle;
    s = start_;
    s.clock = clock;
    s.idle = idle;
    cpu.state_loaded();
}

/// The device and the ports tell the clock, ask for interrupts and end runs.
void TranslatedProgram::connect()
{
    Cpu& cpu = program.cpu;
    ProgramBus& bus = program.bus;
    bus.device_page = kDevice;
    bus.chip_page = kChip;
    bus.rom_page = kRom;
    bus.vector = kInterrupt;
    const auto told = [&](u64 value) {
        if (value % 16 == 1) cpu.set_intr(true);
        if (value % 16 == 2) cpu.limit_run(cpu.clock_now() + (value >> 4) % 64);
    };
    bus.on_read_device = [&](u64 address, int) { return cpu.clock_now() * 0x10001 + address; };
    bus.on_write_device = [told](u64, int, u64 value) { told(value); };
    bus.on_read_port = [&](u16 port, int size) {
        return static_cast<u32>((cpu.clock_now() + port) & ((u64{1} << 8 * size) - 1));
    };
    bus.on_write_port = [told](u16, int, u32 value) { told(value); };
    bus.on_acknowledge = [&] { cpu.set_intr(false); };
}

// ---- Slots ------------------------------------------------------------------------------------

void TranslatedProgram::write_code()
{
    write_prologue();
    for (u32 slot = 6; slot < kSlots - 1; ++slot) fill_slot(slot);
    begin(kSlots - 1);
    put(near(0xE9, offset_of(0)));
    for (u32 i = 0; i < kSubroutines; ++i) write_subroutine(kSlots + i);
    write_crossing();
}

/// Anew the last slot of the first page: with an instruction that ends in the next one, and
/// perhaps a jump to it.
void TranslatedProgram::write_crossing()
{
    constexpr u32 kLongest = 15, kPage = 0x1000;
    begin(kLastOfPage + 1);
    at_ += kLongest;
    for (int tries = 0; tries < 3; ++tries) put_random();
    begin(kLastOfPage);
    const u32 page_end = end_;
    end_ -= kLongest;
    Code code;
    for (Insn insn; code.size() < 2;) code = random_instruction(choose_row(), insn);
    const u32 at = page_end - 1 - pick(static_cast<u32>(code.size()) - 1);
    if (one_in(2)) put({static_cast<u8>(0x70 + pick(16)), static_cast<u8>(at - at_ - 2)});
    put_random();
    at_ = at;
    put(code);
    auto& ram = program.bus.ram;
    std::copy_n(ram.begin() + page_end, kPage, ram.begin() + kOtherCode);
    for (u32 i = 0; i < at_ - page_end; ++i) ram[kOtherCode + i] ^= static_cast<u8>(pick(4));
}

void TranslatedProgram::begin(u32 slot)
{
    at_ = Program::kCode + kFirst + slot * kSlotBytes;
    end_ = at_ + kSlotBytes;
    std::fill_n(program.bus.ram.begin() + at_, kSlotBytes, u8{0x90});
}

void TranslatedProgram::put(const Code& code)
{
    std::ranges::copy(code, program.bus.ram.begin() + at_);
    at_ += static_cast<u32>(code.size());
}

/// With the operand size prefix if it takes one.
TranslatedProgram::Code TranslatedProgram::sized(bool narrow, Code code) const
{
    if (narrow != small()) code.insert(code.begin(), 0x66);
    return code;
}

/// MOV reg, value
TranslatedProgram::Code TranslatedProgram::load(u8 reg, u32 value, bool narrow) const
{
    if (is_long() && (reg >= 8 || value >> 31)) {  // with the sign
        Code code{static_cast<u8>(0x48 | reg >> 3), 0xC7, static_cast<u8>(0xC0 | (reg & 7))};
        append(code, value, 4);
        return code;
    }
    Code code = sized(narrow, {static_cast<u8>(0xB8 + reg)});
    append(code, value, narrow ? 2 : 4);
    return code;
}

/// CALL or JMP to an offset, from at_.
TranslatedProgram::Code TranslatedProgram::near(u8 opcode, u32 target) const
{
    Code code{opcode};
    const u32 bytes = small() ? 3 : 5;
    append(code, target - (at_ - bases_[CS] + bytes), static_cast<int>(bytes) - 1);
    return code;
}

/// Segment registers and the stack as they should be, in as many slots.
void TranslatedProgram::write_prologue()
{
    static constexpr u8 kOrder[] = {ES, SS, DS, FS, GS};
    for (u32 i = 0; i < std::size(kOrder); ++i) {
        begin(i);
        put(load(RAX, selectors_[kOrder[i]], true));
        put({0x8E, static_cast<u8>(0xC0 | kOrder[i] << 3)});
        if (kOrder[i] == SS) put(load(RSP, stack_top_, false));
        if (i > 1) put(load(static_cast<u8>(RBP + pick(3)), static_cast<u32>(random_()), false));
    }
    begin(5);
    if (one_in(2)) put({0xFC});         // CLD
    if (!one_in(4)) put({0xDB, 0xE3});  // FNINIT
    put_fldcw();
}

void TranslatedProgram::fill_slot(u32 slot)
{
    begin(slot);
    switch (pick(24)) {
    case 0: put_loop(); break;
    case 1:
    case 2: put_patch(); break;
    case 3: put_paging_change(); break;
    case 4:
    case 5: put(load(RSP, stack_top_, false)); break;
    case 6:
    case 7:
    case 8: put_floats(); break;
    case 9: put_fldcw(); break;
    case 10:
    case 11:
    case 12: put_fields(); break;
    case 13: put_system(slot); break;
    default: break;
    }
    for (int tries = 0; tries < 6; ++tries) put_random();
    if (one_in(3)) put_branch(slot);
}

void TranslatedProgram::write_subroutine(u32 slot)
{
    begin(slot);
    end_ -= 3;
    for (int tries = 0; tries < 3; ++tries) put_random();
    end_ += 3;
    const u8 opcode = slot == kFarSubroutine ? 0xCB : 0xC3;  // or with an operand: one less
    if (one_in(2)) put({opcode});
    else put({static_cast<u8>(opcode - 1), 0, 0});
}

/// Vectors one after the other, as there are many.
const Opcode& TranslatedProgram::choose_row()
{
    if (one_in(8)) return *called_[pick(static_cast<u32>(called_.size()))];
    if (one_in(6)) return *floats_[pick(static_cast<u32>(floats_.size()))];
    if (one_in(3)) return *vectors_[next_vector_++ % vectors_.size()];
    return *copied_[pick(static_cast<u32>(copied_.size()))];
}

/// One instruction, with what it takes to make its operand be somewhere. False: there is no room.
bool TranslatedProgram::put_row(const Opcode& row)
{
    Insn insn;
    Code code = random_instruction(row, insn);
    if (code.empty()) return false;
    code = aimed(row, std::move(code), insn);
    if (!fits(code)) return false;
    ++rows_[insn.opcode];
    put(code);
    return true;
}

/// To a slot further on, to a subroutine, or to the target that a register or memory holds.
void TranslatedProgram::put_branch(u32 slot)
{
    // Returns to nowhere would end too many programs.
    if (const Code stack = load(RSP, stack_top_, false); fits(stack) && !one_in(3)) put(stack);
    const u32 target = offset_of(std::min(slot + 1 + pick(3), kSlots - 1));
    const u32 subroutine = offset_of(kSlots + pick(kSubroutines - 1));
    Code code;
    switch (pick(8)) {
    case 0: code = near(0xE9, target); break;
    case 1: code = near(0xE8, subroutine); break;
    case 2:  // mov eax, target; jmp eax
        code = load(RAX, target, small());
        append(code, 0xE0FF, 2);
        break;
    case 3:  // mov ebx, subroutine; call
        code = load(RBX, subroutine, small());
        append(code, 0xD3FF, 2);
        break;
    case 4:  // push target; ret
        code = {0x68};
        append(code, target, small() ? 2 : 4);
        code.push_back(0xC3);
        break;
    case 5: {  // jcxz, loop, loopne; with the other address size now and then
        code = {static_cast<u8>(0xE0 + pick(4)), static_cast<u8>(end_ - at_ - 2)};
        if (one_in(3)) code = {0x67, code[0], static_cast<u8>(code[1] - 1)};
        break;
    }
    default: {
        const u32 distance = target - (at_ - bases_[CS]) - 2;
        if (distance < 0x80) {
            code = {static_cast<u8>(0x70 + pick(16)), static_cast<u8>(distance)};
        } else {
            code = {0x0F, static_cast<u8>(0x80 + pick(16))};
            append(code, distance + 2 - (small() ? 4 : 6), small() ? 2 : 4);
        }
    }
    }
    if (fits(code)) put(code);
}

/// A load of an immediate, and a store into the immediate of another: FS is where code is.
void TranslatedProgram::put_patch()
{
    const Code code =
        load(static_cast<u8>(one_in(2) ? RAX : RDI), static_cast<u32>(random_()), false);
    put(code);
    immediates_.push_back(at_ - 4);
    const u32 offset = immediates_[pick(static_cast<u32>(immediates_.size()))] - bases_[FS];
    // fs: add byte [offset], imm8
    Code store = small() ? Code{0x64, 0x80, 0x06} : Code{0x64, 0x80, 0x04, 0x25};
    append(store, offset + pick(4), small() ? 2 : 4);
    store.push_back(static_cast<u8>(random_()));
    if (fits(store)) put(store);
}

/// mov ecx, n; add eax, ecx; rol edx, 1; loop
void TranslatedProgram::put_loop()
{
    put(load(RCX, 1 + pick(40), false));
    put({0x01, 0xC8, 0xD1, 0xC2, 0xE2, 0xFA});
}

/// As much x87 as there is room for.
void TranslatedProgram::put_floats()
{
    for (int tries = 0; tries < 10; ++tries)
        put_row(*floats_[pick(static_cast<u32>(floats_.size()))]);
}

/// Instructions with operands beside each other, of which RSI is the address.
void TranslatedProgram::put_fields()
{
    put(load(RSI, target_offset(DS, 16), small()));
    fields_ = true;
    for (int tries = 0; tries < 8; ++tries) put_random();
    fields_ = false;
}

/// fldcw [one of those there are]
void TranslatedProgram::put_fldcw()
{
    Code code = small() ? Code{0xD9, 0x2E} : is_long() ? Code{0xD9, 0x2C, 0x25} : Code{0xD9, 0x2D};
    append(code, kControlWords + 2 * pick(kControlWordCount) - bases_[DS], small() ? 2 : 4);
    if (fits(code)) put(code);
}

/// At level 0: mov eax, cr3; mov cr3, eax; or invlpg [esi]
void TranslatedProgram::put_paging_change()
{
    if (!options_.paging || options_.user || small()) return;
    put(one_in(2) ? Code{0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8} : Code{0x0F, 0x01, 0x3E});
}

/// What ends a block and is no near jump.
void TranslatedProgram::put_system(u32 slot)
{
    if (const Code stack = load(RSP, stack_top_, false); fits(stack) && !one_in(3)) put(stack);
    const u32 next = offset_of(slot + 1);
    Code code;
    switch (pick(8)) {
    case 0:
    case 1: code = {0xCD, kInterrupt}; break;
    case 2: code = {0xCC}; break;  // int3: its handler goes on with the next slot
    case 3: code = {one_in(2) ? u8{0xFA} : u8{0xFB}}; break;
    case 4: code = flag_change(); break;
    case 5: code = far_transfer(next); break;
    case 6:
        if (is_long()) code = options_.user ? Code{0x0F, 0x05} : Code{0xCD, kInterrupt};
        else code = {0xCE};  // into
        break;
    default:  // to itself: mov eax, ss; mov ss, eax
        code = {0x8C, 0xD0, 0x8E, 0xD0};
    }
    if (fits(code)) put(code);
}

/// pushf; pop eax; xor eax, some of TF, IF, DF, NT; push eax; popf
TranslatedProgram::Code TranslatedProgram::flag_change()
{
    static constexpr u16 kFlags[] = {IF, IF, IF, DF, IF | DF, CF | ZF, TF, NT};
    const u16 change = kFlags[pick(std::size(kFlags))];
    Code code{0x9C, 0x58, 0x35};
    append(code, change, small() ? 2 : 4);
    append(code, 0x9D50, 2);
    return code;
}

/// To `target`, or to the far subroutine and back, or with IRET.
TranslatedProgram::Code TranslatedProgram::far_transfer(u32 target)
{
    const bool call = !is_long() && one_in(2);
    if (call) target = offset_of(kFarSubroutine);
    Code code;
    if (is_long()) {
        // mov eax, esp; mov ecx, ss; push rcx; push rax; pushf; mov eax, cs; push rax; push target;
        // iret
        code = {0x89, 0xE0, 0x8C, 0xD1, 0x51, 0x50, 0x9C, 0x8C, 0xC8, 0x50, 0x68};
        append(code, target, 4);
        append(code, 0xCF48, 2);
        return code;
    }
    if (!call && one_in(2)) {  // pushf; push cs; push target; iret
        code = {0x9C, 0x0E, 0x68};
        append(code, target, small() ? 2 : 4);
        code.push_back(0xCF);
        return code;
    }
    code = {call ? u8{0x9A} : u8{0xEA}};
    append(code, target, small() ? 2 : 4);
    append(code, selectors_[CS], 2);
    return code;
}

// ---- Instructions -----------------------------------------------------------------------------

/// Empty: this row cannot be had.
TranslatedProgram::Code TranslatedProgram::random_instruction(const Opcode& row, Insn& insn)
{
    static constexpr u8 kSegments[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65};
    for (int tries = 0; tries < 16; ++tries) {
        Code code;
        if (one_in(8)) code.push_back(kSegments[pick(6)]);
        if (one_in(6)) code.push_back(0x67);
        if (is_sized(row) && one_in(3)) code.push_back(0x66);
        if (row.rules & kLockable && one_in(16)) code.push_back(0xF0);
        if (row.rules & kStringOp && one_in(2)) code.push_back(one_in(2) ? 0xF2 : 0xF3);
        static constexpr u8 kMandatory[] = {0, 0, 0x66, 0xF3, 0xF2};
        if (const u8 prefix = kMandatory[static_cast<std::size_t>(row.prefix)])
            code.push_back(prefix);
        if (is_long() && one_in(2)) code.push_back(static_cast<u8>(0x40 | pick(16)));
        if (row.code >= 0x100) code.push_back(0x0F);
        if (row.code >= 0x200) code.push_back(row.code < 0x300 ? 0x38 : 0x3A);
        code.push_back(static_cast<u8>(row.code));
        const std::size_t modrm = code.size();
        while (code.size() < 16) code.push_back(static_cast<u8>(random_()));
        if (row.reg >= 0) code[modrm] = static_cast<u8>((code[modrm] & 0xC7) | row.reg << 3);
        if (row.mod3 >= 0 || one_in(3))
            code[modrm] = static_cast<u8>(row.mod3 == 0 ? code[modrm] & 0x7F : code[modrm] | 0xC0);
        if (fields_ && row.mod3 != 1) {  // [rsi + disp8]
            code[modrm] = static_cast<u8>((code[modrm] & 0x38) | 0x40 | (small() ? 4 : 6));
            code[modrm + 1] = static_cast<u8>(pick(40) - 4);
        }
        if (row.rm >= 0) code[modrm] = static_cast<u8>((code[modrm] & 0xF8) | row.rm);
        if (decode(code, decode_mode_, insn) != DecodeResult::Ok) continue;
        if (&opcodes()[insn.opcode] != &row) continue;
        // The stack pointer is seldom worth losing.
        if (!insn.memory && insn.dst == RSP && row.operands[0] != Form::Eb && !one_in(8)) continue;
        code.resize(insn.length);
        return code;
    }
    return {};
}

/// Puts loads of the address's registers before an instruction.
TranslatedProgram::Code TranslatedProgram::aimed(const Opcode& row, Code code, const Insn& insn)
{
    Code all;
    if (row.rules & kStringOp) {
        all = aim_string(insn);
    } else if (insn.memory && !fields_ && !one_in(8)) {
        const bool narrow = insn.address_bytes() == 2;
        const bool base = insn.base < 16, index = insn.index_reg < 16;
        u32 target = target_offset(insn.seg, insn.size);
        if (is_vector(row) && !one_in(4)) target -= (target + bases_[insn.seg]) % 16;
        u32 wanted = target - static_cast<u32>(insn.disp);
        if (!base && !index) return code;
        if (index) {
            const u32 value = base ? pick(64) : (wanted & size_mask(narrow)) >> insn.scale;
            all = load(insn.index_reg, value, narrow);
            wanted -= value << insn.scale;
        }
        if (base && insn.base != RSP && insn.base != insn.index_reg) {
            const Code first = load(insn.base, wanted, narrow);
            all.insert(all.end(), first.begin(), first.end());
        }
    }
    all.insert(all.end(), code.begin(), code.end());
    return all;
}

TranslatedProgram::Code TranslatedProgram::aim_string(const Insn& insn)
{
    const bool narrow = insn.address_bytes() == 2;
    Code all = load(RSI, target_offset(insn.seg, insn.size), narrow);
    const Code to = load(RDI, target_offset(ES, insn.size), narrow);
    all.insert(all.end(), to.begin(), to.end());
    if (insn.prefixes & (kPrefixRep | kPrefixRepne)) {
        const Code count = load(RCX, pick(20), narrow);
        all.insert(all.end(), count.begin(), count.end());
    }
    return all;
}

/// An offset in a segment at which there is something to find.
u32 TranslatedProgram::target_offset(u8 seg, int bytes)
{
    const u32 before = pick(static_cast<u32>(bytes) + 2);
    const auto at = [&](u32 linear) { return linear - bases_[seg]; };
    switch (pick(16)) {
    case 0: return at(kData + 0x1000 * (1 + pick(6)) - before);  // across pages
    case 1: return (one_in(2) ? 0x10000 : 0) - before;           // across 64 KB
    case 2: return (one_in(2) ? kShortLimit : kDownLimit) + 1 - before;
    case 3: return at(kDevice + pick(0x1004) - 2);
    case 4: return at((one_in(2) ? kChip : kRom) + pick(0x1004) - 2);
    case 5: return at(kAbsent + 0x1000 * pick(3) + pick(0x1004) - 2);
    case 6: return at(Program::kCode + kFirst - 1 - pick(0x100));  // beside the code
    case 7: return at(Program::kCode + 0x1F00 + pick(0x200));
    case 8: return at(Program::kStack - pick(0x200));
    case 9: return at((one_in(2) ? 0x100000 : 0x200000) + kData + pick(0x7000));
    default: return at(kData + (one_in(3) ? pick(0x7000) : pick(0x1C00) * 4));
    }
}

}  // namespace reprise
