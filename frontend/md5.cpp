#include "frontend/md5.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <vector>

namespace reprise {

namespace {

constexpr std::size_t kBlockBytes = 64;
constexpr int kRotations[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

/// RFC 1321, 3.4: the integer part of 2^32 times the sine of 1 to 64 radians.
const std::array<u32, 64>& sines()
{
    static const std::array<u32, 64> table = [] {
        std::array<u32, 64> values{};
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] =
                static_cast<u32>(std::fabs(std::sin(static_cast<double>(i + 1))) * 4294967296.0);
        return values;
    }();
    return table;
}

void add_block(std::array<u32, 4>& digest, const u8* block)
{
    std::array<u32, 16> words{};
    for (std::size_t i = 0; i < kBlockBytes; ++i) words[i / 4] |= u32{block[i]} << (8 * (i % 4));
    auto [a, b, c, d] = digest;
    for (u32 i = 0; i < 64; ++i) {
        const u32 round = i / 16;
        const u32 mixed = round == 0   ? (b & c) | (~b & d)
                          : round == 1 ? (b & d) | (c & ~d)
                          : round == 2 ? b ^ c ^ d
                                       : c ^ (b | ~d);
        const u32 word = round == 0 ? i : round == 1 ? 5 * i + 1 : round == 2 ? 3 * i + 5 : 7 * i;
        const u32 sum = a + mixed + sines()[i] + words[word % 16];
        a = d;
        d = c;
        c = b;
        b += std::rotl(sum, kRotations[round][i % 4]);
    }
    digest[0] += a;
    digest[1] += b;
    digest[2] += c;
    digest[3] += d;
}

}  // namespace

std::string md5(std::span<const u8> data)
{
    std::vector<u8> padded(data.begin(), data.end());
    padded.push_back(0x80);
    while (padded.size() % kBlockBytes != kBlockBytes - 8) padded.push_back(0);
    for (int i = 0; i < 8; ++i) padded.push_back(static_cast<u8>(u64{data.size()} * 8 >> 8 * i));
    std::array<u32, 4> digest = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476};
    for (std::size_t at = 0; at < padded.size(); at += kBlockBytes) add_block(digest, &padded[at]);
    std::string text;
    for (const u32 word : digest)
        for (int i = 0; i < 4; ++i) text += fmt::format("{:02x}", word >> 8 * i & 0xFF);
    return text;
}

}  // namespace reprise
