/// Instructions that are carried over as they are, with other operands: which, and their host
/// machine code.
#pragma once

#include <array>
#include <optional>

#include "cpu/opcodes.h"

namespace reprise::jit {

/// Where an operand of a host instruction is: base + (index << scale) + disp, of host registers.
struct HostMemory {
    static constexpr u8 kNoIndex = 4;  // RSP cannot be an index

    u8 base = 0, index = kNoIndex, scale = 0;
    i32 disp = 0;
};

/// Bytes of one instruction.
struct HostCode {
    std::array<u8, 16> bytes{};
    u8 size = 0;

    void put(u8 byte) { bytes[size++] = byte; }
    void put(u64 value, int count)
    {
        for (int i = 0; i < count; ++i) put(static_cast<u8>(value >> 8 * i));
    }
};

/// ModRM, SIB and displacement of a memory operand; `reg` is what ModRM.reg says.
void put_operand(HostCode& host, u8 reg, const HostMemory& memory);
/// The bits of REX (W R X B from the left) that it needs.
u8 rex_bits(const HostMemory& memory);

/// The host register that holds a general register of the guest.
constexpr u8 host_register(u8 reg) { return reg == RSP ? 15 : reg; }

/// A register operand as Insn has it: 10h says that it is AH CH DH BH.
constexpr bool is_high_byte(u8 reg) { return (reg & kHighByte) != 0; }

/// May the host's own instruction stand for this one, with its operands replaced?
bool is_copied(const Opcode& row, const Insn& insn);

/// Does an instruction with this row write its E operand?
bool writes_memory(const Opcode& row);

/// Bytes of the E operand. `or_zero`: 0 if there is none, else the operand size.
int operand_bytes(const Opcode& row, const Insn& insn, bool or_zero = false);

/// How an instruction uses its operand in memory, if it is one that is copied.
struct MemoryUse {
    int bytes = 0;  // 0: not known
    bool writes = false;
    bool aligned = false;  // it must be
};
MemoryUse memory_use(const Insn& insn, const Opcode& row);
MemoryUse x87_memory_use(const Insn& insn);
MemoryUse vector_memory_use(const Insn& insn, const Opcode& row);

/// May the instruction change registers that the address of `other` is made of, or its segment?
bool may_change_address(const Insn& insn, const Opcode& row, const Insn& other);

/// Host registers that stand for register operands of the instruction, or nothing: those of the
/// same name.
struct Stand {
    std::optional<u8> reg;  // for the G operand
    std::optional<u8> rm;   // for an E operand that is a register, or one in the opcode
};

/// Encodes `insn`. If its E operand is in memory, that is at `memory`. Nothing: it has AH CH DH BH
/// together with a register that only REX can name.
std::optional<HostCode> copy_instruction(const Insn& insn, const Opcode& row,
                                         const HostMemory* memory, const Stand& stand = {});

}  // namespace reprise::jit
