/// The 2352 bytes of a CD-ROM mode 1 sector, made from its 2048 bytes of user data.
///
/// Source: ECMA-130, annexes A and B (Reed-Solomon product code, EDC).
#pragma once

#include <array>
#include <span>

#include "machine/base/types.h"

namespace reprise {

inline constexpr u32 kCdUserData = 2048, kCdRawSector = 2352;

/// A frame address as minutes, seconds and frames (75 per second), the 2 second lead counted in.
struct Msf {
    u8 minute, second, frame;
};
Msf to_msf(u32 lba);

/// Sync 12, header 4, user data 2048, EDC 4, zeros 8, P parity 172, Q parity 104.
std::array<u8, kCdRawSector> raw_cd_sector(u32 lba, std::span<const u8, kCdUserData> user_data);

}  // namespace reprise
