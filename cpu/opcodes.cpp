#include "cpu/opcodes.h"

#include <vector>

#include "cpu/ops/operands.h"

namespace reprise {

namespace {

/// The rows of all files, and for each opcode byte the row, or eight of them by ModRM.reg.
struct OpcodeMap {
    struct Entry {
        std::array<i16, 8> by_reg = {-1, -1, -1, -1, -1, -1, -1, -1};
        i16 only64 = -1;  // in 64-bit mode instead
        bool modrm = false;
    };

    std::vector<Opcode> rows;
    std::array<std::array<Entry, 256>, 2> map{};

    OpcodeMap()
    {
        for (const auto part : {ops::arithmetic_rows(), ops::shift_rows(), ops::data_rows(),
                                ops::string_rows(), ops::flow_rows(), ops::system_rows()})
            rows.insert(rows.end(), part.begin(), part.end());
        for (std::size_t i = 0; i < rows.size(); ++i) add(rows[i], static_cast<i16>(i));
    }

private:
    static bool in_modrm(Form f)
    {
        switch (f) {
        case Form::Eb:
        case Form::Ew:
        case Form::Ev:
        case Form::Gb:
        case Form::Gw:
        case Form::Gv:
        case Form::Rv:
        case Form::M:
        case Form::Sw:
        case Form::Cd:
        case Form::Dd:
        case Form::Td: return true;
        default: return false;
        }
    }

    void add(const Opcode& row, i16 index)
    {
        Entry& entry = map[row.code >> 8 & 1][row.code & 0xFF];
        for (const Form f : row.operands) entry.modrm = entry.modrm || in_modrm(f);
        if (row.reg >= 0) {
            entry.modrm = true;
            entry.by_reg[static_cast<std::size_t>(row.reg)] = index;
        } else if (row.rules & kOnly64) {
            entry.only64 = index;
        } else {
            entry.by_reg.fill(index);
        }
    }
};

const OpcodeMap& opcode_map()
{
    static const OpcodeMap map;
    return map;
}

}  // namespace

std::span<const Opcode> opcodes() { return opcode_map().rows; }

const Opcode* find_opcode(int map, u8 byte, u8 modrm, bool long_mode)
{
    const auto& entry = opcode_map().map[static_cast<std::size_t>(map)][byte];
    const i16 index = long_mode && entry.only64 >= 0 ? entry.only64 : entry.by_reg[modrm >> 3 & 7];
    return index < 0 ? nullptr : &opcode_map().rows[static_cast<std::size_t>(index)];
}

bool has_modrm(int map, u8 byte) { return opcode_map().map[static_cast<std::size_t>(map)][byte].modrm; }

}  // namespace reprise
