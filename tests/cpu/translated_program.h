/// Random programs for comparing the engines: endless loops of slots of equal size, so that a
/// fault's handler knows where to go on, in all modes since the 80386.
#pragma once

#include <memory>
#include <random>
#include <vector>

#include "cpu/decoder.h"
#include "cpu/opcodes.h"
#include "tests/cpu/long_program.h"

namespace reprise {

enum class ProgramMode : u8 { Real, V86, Flat, Segmented, Small, Long };  // Small: code of 16 bits
inline constexpr const char* kProgramModes[] = {
    "real", "virtual-8086", "32 bit, flat", "32 bit, segmented", "protected 16 bit", "64 bit"};

struct ProgramOptions {
    ProgramMode mode = ProgramMode::Real;
    bool paging = false;
    bool user = false;  // level 3; always where the stack may be unfit for a handler
    const char* model = "pentium2";
};

/// The same for the same seed, whichever engine executes it.
class TranslatedProgram {
public:
    TranslatedProgram(u64 seed, const ProgramOptions& options);

private:
    std::unique_ptr<Program> owned_;

public:
    Program& program;

    /// How often each row of the opcode table is in the code.
    const std::vector<u32>& rows() const { return rows_; }

    /// After a shutdown, a HLT, or a jump out of the program: to its start again.
    void put_back();
    /// Other pages, for the program to find out.
    void remap(u32 choice);
    /// The second page of the code is that of kOtherCode, or itself again.
    void exchange_code();
    /// Address line 20 is held down, or released again.
    void toggle_a20();

private:
    using Code = std::vector<u8>;

    static constexpr u32 kSlotBytes = 32, kSlots = 48, kSubroutines = 8;
    static constexpr u32 kFarSubroutine = kSlots + kSubroutines - 1;  // ends in RETF
    static constexpr u32 kFirst = 0xC00;  // offset of the first slot in CS: a page ends among them
    static constexpr u32 kLastOfPage = (0x1000 - kFirst) / kSlotBytes - 1;
    /// Like the second page of the code, but for the end of an instruction that crosses the pages.
    static constexpr u32 kOtherCode = Program::kCode + 0x8000;
    /// At the end of the data: what FLDCW loads.
    static constexpr u32 kControlWords = Program::kData + 0x6F00, kControlWordCount = 16;
    static constexpr u32 kData = Program::kData, kDevice = kData + 0x8000, kRom = kData + 0x9000,
                         kAbsent = kData + 0xA000, kReadOnly = kData + 0xB000,
                         kSupervisor = kData + 0xC000, kChip = kData + 0xD000;

    u32 pick(u32 n) { return static_cast<u32>(random_() % n); }
    bool one_in(u32 n) { return pick(n) == 0; }
    bool small() const { return decode_mode_.code_size == CodeSize::Bits16; }
    bool is_long() const { return options_.mode == ProgramMode::Long; }
    bool is_real() const
    {
        return options_.mode == ProgramMode::Real || options_.mode == ProgramMode::V86;
    }

    void choose_segments();
    void write_descriptors();
    void write_handlers();
    void write_operands();
    void set_floating_point();
    void write_pages();
    void map(u32 linear, u32 entry);
    void write_code();
    void connect();

    void begin(u32 slot);
    bool fits(const Code& code) const { return at_ + code.size() <= end_; }
    void put(const Code& code);
    u32 offset_of(u32 slot) const { return kFirst + code_offset_ + slot * kSlotBytes; }

    void write_prologue();
    void fill_slot(u32 slot);
    void write_subroutine(u32 slot);
    const Opcode& choose_row();
    bool put_random() { return put_row(choose_row()); }
    bool put_row(const Opcode& row);
    void put_branch(u32 slot);
    void put_patch();
    void put_loop();
    void write_crossing();
    void put_floats();
    void put_fields();
    void put_fldcw();
    void put_paging_change();
    void put_system(u32 slot);
    Code flag_change();
    Code far_transfer(u32 target);

    Code random_instruction(const Opcode& row, Insn& insn);
    Code aimed(const Opcode& row, Code code, const Insn& insn);
    Code aim_string(const Insn& insn);
    u32 target_offset(u8 seg, int bytes);
    Code load(u8 reg, u32 value, bool narrow) const;
    Code sized(bool narrow, Code code) const;
    Code near(u8 opcode, u32 target) const;

    ProgramOptions options_;
    std::mt19937_64 random_;
    DecodeMode decode_mode_;
    std::vector<const Opcode*> copied_, vectors_, floats_, called_;
    u64 next_vector_ = 0;
    bool fields_ = false;  // operands in memory are near [RSI]
    std::vector<u32> rows_;
    u16 selectors_[6] = {};
    u32 bases_[6] = {};
    u32 code_offset_ = 0;  // of the code's page within CS
    u32 stack_top_ = 0;
    u32 at_ = 0, end_ = 0;         // linear, of the present slot
    std::vector<u32> immediates_;  // linear: of bytes that may change
    bool other_code_ = false;
    CpuState start_;
};

}  // namespace reprise
