#include "cpu/opcodes.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "cpu/ops/operands.h"

namespace reprise {

namespace {

/// The rows of all files, and for each opcode byte those that share it.
struct OpcodeMap {
    struct Entry {
        std::vector<u16> rows;  // those that ask for more come first
        bool modrm = false;
        bool modrm_8086 = false;
    };

    std::vector<Opcode> rows;
    std::array<std::array<Entry, 256>, 4> map{};

    OpcodeMap()
    {
        for (const auto part :
             {ops::arithmetic_rows(), ops::early_rows(), ops::shift_rows(), ops::data_rows(),
              ops::string_rows(), ops::flow_rows(), ops::system_rows(), ops::model_rows(),
              ops::vector_arithmetic_rows(), ops::vector_shuffle_rows(), ops::vector_move_rows(),
              ops::sse_float_rows(), ops::sse_convert_rows(), ops::sse_string_rows(),
              ops::sse_control_rows(), ops::x87_arithmetic_rows(), ops::x87_transfer_rows(),
              ops::x87_control_rows()})
            rows.insert(rows.end(), part.begin(), part.end());
        for (std::size_t i = 0; i < rows.size(); ++i) add(rows[i], static_cast<u16>(i));
        for (auto& entries : map)
            for (Entry& entry : entries) arrange(entry);
    }

    static bool matches(const Opcode& row, u8 modrm, Mandatory prefix, bool long_mode, Level level)
    {
        return (!is_old(row) || (row.level <= level && level <= row.last)) &&
               (row.prefix == Mandatory::Any || row.prefix == prefix) &&
               (row.reg < 0 || row.reg == (modrm >> 3 & 7)) &&
               (row.mod3 < 0 || row.mod3 == (modrm >= 0xC0)) &&
               (row.rm < 0 || row.rm == (modrm & 7)) && (long_mode || !(row.rules & kOnly64));
    }

private:
    static bool is_old(const Opcode& row) { return row.last < Level::X64; }

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
        case Form::Ey:
        case Form::Gy:
        case Form::Ry:
        case Form::M:
        case Form::STi:
        case Form::Pq:
        case Form::Nq:
        case Form::Qd:
        case Form::Qq:
        case Form::Vdq:
        case Form::Udq:
        case Form::Ww:
        case Form::Wd:
        case Form::Wq:
        case Form::Wdq:
        case Form::RdMb:
        case Form::RdMw:
        case Form::Sw:
        case Form::Cd:
        case Form::Dd:
        case Form::Td: return true;
        default: return false;
        }
    }

    /// How much a row asks for before it is the one.
    static int conditions(const Opcode& row)
    {
        constexpr int kMostOthers = 5;
        return (is_old(row) ? kMostOthers + 1 : 0) + (row.prefix != Mandatory::Any) +
               (row.reg >= 0) + (row.mod3 >= 0) + (row.rm >= 0) + ((row.rules & kOnly64) != 0);
    }

    void add(Opcode& row, u16 index)
    {
        Entry& entry = map[row.code >> 8 & 3][row.code & 0xFF];
        for (const Form f : row.operands)
            if (f == Form::M) row.mod3 = 0;
        entry.rows.push_back(index);
    }

    static bool asks_for_modrm(const Opcode& row)
    {
        return std::ranges::any_of(row.operands, in_modrm) || row.reg >= 0 || row.mod3 >= 0;
    }

    void arrange(Entry& entry)
    {
        std::ranges::stable_sort(entry.rows, std::ranges::greater{},
                                 [&](u16 i) { return conditions(rows[i]); });
        const auto any_row = [&](auto matching) {
            return std::ranges::any_of(
                entry.rows, [&](u16 i) { return matching(rows[i]) && asks_for_modrm(rows[i]); });
        };
        const auto is_8086s = [](const Opcode& row) { return row.last == Level::I8086; };
        entry.modrm = any_row(std::not_fn(is_8086s));
        const bool meant_else =
            std::ranges::any_of(entry.rows, [&](u16 i) { return is_8086s(rows[i]); });
        entry.modrm_8086 = meant_else ? any_row(is_8086s) : entry.modrm;
    }
};

const OpcodeMap& opcode_map()
{
    static const OpcodeMap map;
    return map;
}

}  // namespace

std::span<const Opcode> opcodes() { return opcode_map().rows; }

const Opcode* find_opcode(int map, u8 byte, u8 modrm, Mandatory prefix, bool long_mode, Level level)
{
    const OpcodeMap& all = opcode_map();
    for (const u16 index : all.map[static_cast<std::size_t>(map)][byte].rows)
        if (OpcodeMap::matches(all.rows[index], modrm, prefix, long_mode, level))
            return &all.rows[index];
    return nullptr;
}

bool has_modrm(int map, u8 byte, Level level)
{
    const auto& entry = opcode_map().map[static_cast<std::size_t>(map)][byte];
    return level == Level::I8086 ? entry.modrm_8086 : entry.modrm;
}

}  // namespace reprise
