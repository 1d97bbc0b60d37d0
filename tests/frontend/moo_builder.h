/// Writes MOO files for tests: doc/moo_format_v1.md of github.com/dbalsom/moo.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "machine/base/types.h"

namespace reprise::test {

using Bytes = std::vector<u8>;

inline void append(Bytes& bytes, u64 value, int size)
{
    for (int i = 0; i < size; ++i) bytes.push_back(static_cast<u8>(value >> 8 * i));
}

inline Bytes chunk(const std::string& id, const Bytes& payload)
{
    Bytes bytes(id.begin(), id.end());
    append(bytes, payload.size(), 4);
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return bytes;
}

inline Bytes operator+(Bytes a, const Bytes& b)
{
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

inline Bytes text_chunk(const std::string& id, const std::string& text)
{
    Bytes payload;
    append(payload, text.size(), 4);
    return chunk(id, payload + Bytes(text.begin(), text.end()));
}

/// Registers by their number in a REGS bitmap: 0 ax, 8 sp, 12 ip, 13 flags ...
inline Bytes regs(const std::map<int, u16>& values)
{
    Bytes payload;
    u16 bitmap = 0;
    for (const auto& [number, value] : values) bitmap |= static_cast<u16>(1u << number);
    append(payload, bitmap, 2);
    for (const auto& [number, value] : values) append(payload, value, 2);
    return chunk("REGS", payload);
}

inline Bytes ram(const std::map<u32, u8>& values)
{
    Bytes payload;
    append(payload, values.size(), 4);
    for (const auto& [address, value] : values) {
        append(payload, address, 4);
        append(payload, value, 1);
    }
    return chunk("RAM ", payload);
}

/// All 14 registers; those not given are 0.
inline Bytes all_regs(std::map<int, u16> values)
{
    for (int i = 0; i < 14; ++i) values.try_emplace(i, u16{0});
    return regs(values);
}

inline Bytes moo_test(const std::string& name, const Bytes& code, const Bytes& initial,
                      const Bytes& final)
{
    Bytes payload(4, 0);  // index
    payload = payload + text_chunk("NAME", name) +
              text_chunk("BYTS", std::string(code.begin(), code.end())) + chunk("INIT", initial) +
              chunk("FINA", final);
    return chunk("TEST", payload);
}

inline Bytes moo_file(const std::string& cpu, const Bytes& tests)
{
    Bytes header = {1, 0, 0, 0};
    append(header, 1, 4);
    return chunk("MOO ", header + Bytes(cpu.begin(), cpu.end())) + tests;
}

}  // namespace reprise::test
