#include "devices/boot_card.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace reprise {

namespace {

constexpr PciDevice::Identity kIdentity{
    .vendor = 0x1234, .device = 0x4B42, .class_code = 0x088000};  // other system peripheral
constexpr u8 kDoorbell = 0x40;
constexpr std::size_t kMinRomBar = 4096;  // a page: boards map nothing smaller
// Plug and Play BIOS Specification 1.0A, 3.2: the expansion header and the pointer to it.
constexpr std::size_t kHeaderPointer = 0x1A, kHeaderBytes = 32, kHeaderChecksum = 9;

/// Makes the bytes' sum a multiple of 256 by means of the one at `at`.
void make_sum_zero(std::span<u8> bytes, std::size_t at)
{
    bytes[at] = 0;
    bytes[at] = static_cast<u8>(-std::accumulate(bytes.begin(), bytes.end(), 0));
}

}  // namespace

BootCard::BootCard(std::span<const u8> rom) : config(kIdentity), rom_(rom.begin(), rom.end())
{
    rom_.resize(std::bit_ceil(std::max(kMinRomBar, rom_.size())));
    const std::size_t header = rom_[kHeaderPointer] | rom_[kHeaderPointer + 1] << 8;
    if (header != 0 && header + kHeaderBytes <= rom_.size())
        make_sum_zero(std::span(rom_).subspan(header, kHeaderBytes), kHeaderChecksum);
    make_sum_zero(rom_, rom_.size() - 1);
    config.declare_bar(PciDevice::kRomBar, PciDevice::BarKind::Rom, static_cast<u32>(rom_.size()));
    for (u8 i = 0; i < 4; ++i) config.declare(static_cast<u8>(kDoorbell + i), 0, 0xFF);
    config.on_written = [this](u8 offset, u8) {
        if (offset == kDoorbell + 3 && on_start) on_start(config.read(kDoorbell, 4));
    };
}

}  // namespace reprise
