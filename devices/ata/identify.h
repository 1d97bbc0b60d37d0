/// The 256 words that IDENTIFY DEVICE and IDENTIFY PACKET DEVICE answer with.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "machine/base/types.h"

namespace reprise {

class IdentifyData {
public:
    u16& operator[](int word) { return words_[word & 0xFF]; }

    void dword(int word, u32 value)
    {
        (*this)[word] = static_cast<u16>(value);
        (*this)[word + 1] = static_cast<u16>(value >> 16);
    }

    /// Text padded with blanks; the first character of each pair is in the upper byte.
    void text(int word, int word_count, std::string_view value)
    {
        const auto at = [value](std::size_t i) {
            return static_cast<u8>(i < value.size() ? value[i] : ' ');
        };
        for (int i = 0; i < word_count; ++i)
            (*this)[word + i] = static_cast<u16>(at(i * 2u) << 8 | at(i * 2u + 1));
    }

    void copy_to(std::span<u8> out) const
    {
        for (std::size_t i = 0; i < out.size() && i < 512; ++i)
            out[i] = static_cast<u8>(words_[i / 2] >> (i % 2 * 8));
    }

private:
    std::array<u16, 256> words_{};
};

}  // namespace reprise
