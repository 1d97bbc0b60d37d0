/// The graphics controller: how the CPU reads and writes the four planes.
///
/// A plane's byte is eight bits of a 32-bit word here, so that one operation works on all planes.

#include <bit>
#include <cstring>

#include "devices/vga/vga.h"

namespace reprise {

namespace {

/// One bit per plane to FFh per plane.
constexpr u32 expand(u8 planes)
{
    return (planes & 1) * 0xFFu | (planes >> 1 & 1) * 0xFF00u | (planes >> 2 & 1) * 0xFF'0000u |
           (planes >> 3 & 1) * 0xFF00'0000u;
}

constexpr u32 replicate(u8 value) { return value * 0x0101'0101u; }

struct Range {
    u32 first, size;
};
// Graphics controller 06h, memory map, from A0000h.
constexpr std::array<Range, 4> kMemoryMaps{
    {{0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}}};

}  // namespace

void Vga::update_window()
{
    const auto& sequencer = state.sequencer;
    const auto& graphics = state.graphics;
    const u32 bank = dispi_enabled() ? state.dispi[5] * 0x10000u : 0;
    window_ = {};
    if (dispi_linear()) {
        window_.size = 0x10000;
        window_.base = bank;
        window_.direct = true;
    } else if (bit(state.miscellaneous_output, 1) && bit(state.video_subsystem_enable, 0)) {
        const Range range = kMemoryMaps[bits(graphics[6], 3, 2)];
        window_.first = range.first;
        window_.size = dispi_enabled() ? std::min(range.size, 0x10000u) : range.size;
        window_.base = bank;
    }
    window_.chain4 = bit(sequencer[4], 3);
    window_.odd_even_write = !bit(sequencer[4], 2);
    window_.odd_even_read = bit(graphics[5], 4);
    window_.chain_odd_even = bit(graphics[6], 1);
    window_.a16_to_a0 = window_.size == 0x20000;
    window_.planes = expand(sequencer[2]);
    window_.set_reset = expand(graphics[0]);
    window_.enable_set_reset = expand(graphics[1]);
    window_.colour_compare = expand(graphics[2]);
    window_.rotate = bits(graphics[3], 2, 0);
    window_.function = bits(graphics[3], 4, 3);
    window_.read_plane = graphics[4];
    window_.write_mode = bits(graphics[5], 1, 0);
    window_.compare = bit(graphics[5], 3);
    window_.colour_care = expand(graphics[7]);
    window_.bit_mask = replicate(graphics[8]);
    const bool plain = window_.write_mode == 0 && !window_.rotate && !window_.function &&
                       !window_.enable_set_reset && window_.bit_mask == ~0u && !window_.compare;
    if (window_.chain4 && plain && window_.planes == ~0u && window_.size) window_.direct = true;

    const auto direct = direct_window();
    if (direct == announced_) return;
    announced_ = direct;
    if (on_mapping_changed) on_mapping_changed();
}

std::optional<DirectWindow> Vga::direct_window() const
{
    if (!window_.direct) return {};
    return DirectWindow{window_.first, window_.size, vram_ + window_.base, window_.base};
}

u32 Vga::load_planes(u32 plane_address) const
{
    u32 value;
    std::memcpy(&value, &vram_[plane_address * 4], sizeof value);
    if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap32(value);
    return value;
}

inline void Vga::store_planes(u32 plane_address, u32 value, u32 planes)
{
    value = (load_planes(plane_address) & ~planes) | (value & planes);
    if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap32(value);
    std::memcpy(&vram_[plane_address * 4], &value, sizeof value);
}

/// `address` from the beginning of the window to where it is in every plane.
inline u32 Vga::plane_address(u32 address) const
{
    if (window_.chain4) return (window_.base + address) / 4 % (kVramSize / 4);
    u32 result = address & 0xFFFF;
    if (window_.chain_odd_even) {
        // A0 chooses the plane; in its place comes A16, as far as the map has one.
        result &= ~1u;
        if (window_.a16_to_a0) result |= bits(address, 16, 16);
    }
    return (window_.base + result) % (kVramSize / 4);
}

/// What the four planes get: rotate, set/reset, logical function and bit mask by write mode.
inline u32 Vga::write_data(u8 value) const
{
    const u32 latch = state.latch;
    if (window_.write_mode == 1) return latch;

    const u8 rotated = std::rotr(value, window_.rotate);
    u32 data = replicate(rotated);
    u32 mask = window_.bit_mask;
    if (window_.write_mode == 0) {
        data = (data & ~window_.enable_set_reset) | (window_.set_reset & window_.enable_set_reset);
    } else if (window_.write_mode == 2) {
        data = expand(value & 0x0F);
    } else {
        mask &= data;
        data = window_.set_reset;
    }
    switch (window_.function) {
    case 1: data &= latch; break;
    case 2: data |= latch; break;
    case 3: data ^= latch; break;
    default: break;
    }
    return (data & mask) | (latch & ~mask);
}

u8 Vga::memory_peek(u32 offset)
{
    const u32 latch = state.latch;
    const u8 value = memory_read(offset);
    state.latch = latch;
    return value;
}

/// A direct window does not load the latches: the host reads it without asking.
u8 Vga::memory_read(u32 offset)
{
    const u32 address = offset - window_.first;
    if (address >= window_.size) return 0xFF;
    if (window_.direct) return vram_[window_.base + address];

    state.latch = load_planes(plane_address(address));
    if (window_.compare) {
        const u32 different = (state.latch ^ window_.colour_compare) & window_.colour_care;
        return static_cast<u8>(~(different | different >> 8 | different >> 16 | different >> 24));
    }
    u32 plane = window_.read_plane;
    if (window_.chain4) plane = address & 3;
    else if (window_.odd_even_read) plane = (plane & 2) | (address & 1);
    return static_cast<u8>(state.latch >> 8 * plane);
}

void Vga::memory_write(u32 offset, u8 value)
{
    const u32 address = offset - window_.first;
    if (address >= window_.size) return;
    if (window_.direct) {
        vram_[window_.base + address] = value;
        return;
    }
    u32 planes = window_.planes;
    if (window_.chain4) planes &= 0xFFu << 8 * (address & 3);
    else if (window_.odd_even_write) planes &= 0x00FF'00FFu << 8 * (address & 1);
    store_planes(plane_address(address), write_data(value), planes);
}

}  // namespace reprise
