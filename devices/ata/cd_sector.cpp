#include "devices/ata/cd_sector.h"

#include <algorithm>

namespace reprise {

namespace {

constexpr u32 kHeader = 12, kUserData = 16, kEdc = 2064, kP = 2076, kQ = 2248;

constexpr u8 to_bcd(u32 value) { return static_cast<u8>(value / 10 % 10 << 4 | value % 10); }

/// x^32 + x^31 + x^16 + x^15 + x^4 + x^3 + x + 1, least significant bit first.
u32 edc(std::span<const u8> data)
{
    u32 value = 0;
    for (u8 byte : data) {
        value ^= byte;
        for (int i = 0; i < 8; ++i) value = value >> 1 ^ (value & 1 ? 0xD801'8001 : 0);
    }
    return value;
}

/// Times alpha in GF(2^8) with x^8 + x^4 + x^3 + x^2 + 1.
constexpr u8 times_alpha(u8 value)
{
    return static_cast<u8>(value << 1 ^ (value & 0x80 ? 0x1D : 0));
}

/// What a byte gives when it is divided by alpha + 1.
constexpr std::array<u8, 256> make_quotients()
{
    std::array<u8, 256> table{};
    for (u32 x = 0; x < 256; ++x) {
        const u8 byte = static_cast<u8>(x);
        table[static_cast<u8>(times_alpha(byte) ^ byte)] = byte;
    }
    return table;
}
constexpr std::array<u8, 256> kOverAlphaPlus1 = make_quotients();

/// The two parity bytes of each of `codewords` words of `length` bytes. Byte j of word i lies at
/// `index(i, j)` after the sync pattern.
void add_parity(std::span<u8> sector, u32 at, u32 codewords, u32 length, auto index)
{
    for (u32 i = 0; i < codewords; ++i) {
        u8 weighted = 0, sum = 0;
        for (u32 j = 0; j < length; ++j) {
            const u8 byte = sector[kHeader + index(i, j)];
            weighted = times_alpha(weighted ^ byte);
            sum ^= byte;
        }
        // Solves p0 + p1 = sum, alpha p0 + p1 = alpha weighted for the two bytes that follow.
        const u8 p0 = kOverAlphaPlus1[static_cast<u8>(times_alpha(weighted) ^ sum)];
        sector[at + i] = p0;
        sector[at + codewords + i] = p0 ^ sum;
    }
}

}  // namespace

Msf to_msf(u32 lba)
{
    const u32 frames = lba + 150;
    return {static_cast<u8>(frames / (60 * 75)), static_cast<u8>(frames / 75 % 60),
            static_cast<u8>(frames % 75)};
}

std::array<u8, kCdRawSector> raw_cd_sector(u32 lba, std::span<const u8, kCdUserData> user_data)
{
    std::array<u8, kCdRawSector> sector{};
    std::fill(sector.begin() + 1, sector.begin() + 11, u8{0xFF});
    const Msf msf = to_msf(lba);
    sector[kHeader] = to_bcd(msf.minute);
    sector[kHeader + 1] = to_bcd(msf.second);
    sector[kHeader + 2] = to_bcd(msf.frame);
    sector[kHeader + 3] = 1;  // mode
    std::copy(user_data.begin(), user_data.end(), sector.begin() + kUserData);
    const u32 check = edc(std::span(sector).first(kEdc));
    for (u32 i = 0; i < 4; ++i) sector[kEdc + i] = static_cast<u8>(check >> 8 * i);

    // 16-bit words, whose lower and upper bytes are coded separately, in 43 columns; P
    // along 24 rows, Q along the diagonals of the 26 rows that result.
    add_parity(sector, kP, 86, 24, [](u32 i, u32 j) { return i + 86 * j; });
    add_parity(sector, kQ, 52, 43,
               [](u32 i, u32 j) { return (i / 2 * 86 + j * 88) % 2236 + i % 2; });
    return sector;
}

}  // namespace reprise
