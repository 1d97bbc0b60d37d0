/// The Bochs display interface: registers, and the pictures of its modes.

#include <algorithm>

#include "devices/vga/vga.h"

namespace reprise {

namespace {

enum Index : u16 {
    kId,
    kXres,
    kYres,
    kBpp,
    kEnable,
    kBank,
    kVirtWidth,
    kVirtHeight,
    kXOffset,
    kYOffset,
    kVideoMemory64k
};

constexpr u16 kOldestId = 0xB0C0, kNewestId = 0xB0C5;
constexpr u16 kEnabled = 0x01, kGetCaps = 0x02, k8BitDac = 0x20, kLinear = 0x40, kNoClear = 0x80;
constexpr u16 kMaxXres = 16'000, kMaxYres = 12'000, kMaxBpp = 32;  // what GETCAPS tells
constexpr u32 kMaxWidth = 2560, kMaxHeight = 1600;                 // what 16 MiB show in 32 bits

constexpr bool valid_bpp(u16 bpp)
{
    return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
}

/// Five or six bits to eight.
constexpr u32 widen(u32 value, int width)
{
    return value << (8 - width) | value >> (2 * width - 8);
}

constexpr u32 rgb(u32 red, u32 green, u32 blue) { return red << 16 | green << 8 | blue; }

constexpr u32 from_555(u32 v)
{
    return rgb(widen(v >> 10 & 31, 5), widen(v >> 5 & 31, 5), widen(v & 31, 5));
}

constexpr u32 from_565(u32 v)
{
    return rgb(widen(v >> 11 & 31, 5), widen(v >> 5 & 63, 6), widen(v & 31, 5));
}

}  // namespace

u16 Vga::dispi_read(u16 offset) const
{
    return offset == 0 ? state.dispi_index : dispi_register(state.dispi_index);
}

void Vga::dispi_write(u16 offset, u16 value)
{
    if (offset == 0) state.dispi_index = value;
    else set_dispi_register(state.dispi_index, value);
}

u16 Vga::dispi_register(u16 index) const
{
    if (index == kVideoMemory64k) return kVramSize / 0x10000;
    if (index >= state.dispi.size()) return 0;
    if (state.dispi[kEnable] & kGetCaps) {
        if (index == kXres) return kMaxXres;
        if (index == kYres) return kMaxYres;
        if (index == kBpp) return kMaxBpp;
    }
    return state.dispi[index];
}

void Vga::set_dispi_register(u16 index, u16 value)
{
    auto& dispi = state.dispi;
    switch (index) {
    case kId:
        if (value >= kOldestId && value <= kNewestId) dispi[kId] = value;
        break;
    case kBpp:
        if (value == 0) value = 8;
        if (valid_bpp(value)) dispi[kBpp] = value;
        break;
    case kEnable: set_dispi_enable(value); break;
    case kBank: dispi[kBank] = value % (kVramSize / 0x10000); break;
    case kVirtHeight:
    case kVideoMemory64k: break;  // read-only
    default:
        if (index < dispi.size()) dispi[index] = value;
    }
    if (dispi_enabled()) {
        const DispiMode mode = dispi_mode();
        dispi[kVirtWidth] = static_cast<u16>(mode.virtual_width);
        dispi[kVirtHeight] = static_cast<u16>(std::min(kVramSize / mode.pitch, u32{0xFFFF}));
    }
    update_timing();
    update_window();
}

/// Switching a mode on starts it at the top left with black memory, unless NOCLEARMEM.
void Vga::set_dispi_enable(u16 value)
{
    auto& dispi = state.dispi;
    const bool was_enabled = dispi_enabled(), was_8_bit = dispi[kEnable] & k8BitDac;
    dispi[kEnable] = value & (kEnabled | kGetCaps | k8BitDac | kLinear | kNoClear);
    if (const bool is_8_bit = value & k8BitDac; is_8_bit != was_8_bit) set_dac_width(is_8_bit);
    if (dispi_enabled() && !was_enabled) {
        if (dispi[kBpp] == 0) dispi[kBpp] = 8;
        dispi[kVirtWidth] = dispi[kXres];
        dispi[kXOffset] = dispi[kYOffset] = dispi[kBank] = 0;
        if (!(value & kNoClear)) std::fill_n(vram_, kVramSize, u8{0});
    }
}

/// The registers as far as they make sense: a picture of at least one pixel, within memory.
Vga::DispiMode Vga::dispi_mode() const
{
    DispiMode mode;
    mode.bits_per_pixel = valid_bpp(state.dispi[kBpp]) ? state.dispi[kBpp] : 8;
    mode.width = std::clamp(u32{state.dispi[kXres]}, 1u, kMaxWidth);
    mode.virtual_width = std::max({u32{state.dispi[kVirtWidth]}, mode.width, 8u});
    const u32 bits_stored = mode.bits_per_pixel == 15 ? 16 : mode.bits_per_pixel;
    mode.pitch = mode.virtual_width * bits_stored / 8;
    if (bits_stored == 4) mode.pitch = mode.virtual_width / 8 * 4;  // four planes
    mode.height =
        std::clamp(u32{state.dispi[kYres]}, 1u, std::min(kMaxHeight, kVramSize / mode.pitch));
    return mode;
}

void Vga::render_dispi(Frame& frame) const
{
    const DispiMode mode = dispi_mode();
    // Smaller modes are those of the VGA, made for the whole of a 4:3 screen.
    frame.square_pixels = mode.width >= 640 && mode.height >= 480;
    frame.width = mode.width;
    frame.height = mode.height;
    frame.pixels.assign(std::size_t{mode.width} * mode.height, 0);
    if (bit(state.sequencer[1], 5) || !bit(state.attribute_index, 5)) return;

    const auto byte = [&](u64 at) -> u32 { return at < kVramSize ? vram_[at] : 0; };
    const auto word = [&](u64 at) -> u32 { return byte(at) | byte(at + 1) << 8; };
    const auto draw = [&](auto pixel) {
        for (u32 y = 0; y < mode.height; ++y) {
            const u64 line = (u64{state.dispi[kYOffset]} + y) * mode.pitch;
            u32* out = &frame.pixels[std::size_t{y} * mode.width];
            for (u32 x = 0; x < mode.width; ++x) out[x] = pixel(line, state.dispi[kXOffset] + x);
        }
    };
    switch (mode.bits_per_pixel) {
    case 4:
        draw([&, colours = attribute_colours()](u64 line, u32 x) {
            u32 pixel = 0;
            for (u32 p = 0; p < 4; ++p)
                pixel |= (byte(line + x / 8 * 4 + p) >> (7 - x % 8) & 1) << p;
            return colours[pixel];
        });
        break;
    case 8: {
        std::array<u32, 256> colours;
        for (u32 i = 0; i < 256; ++i) colours[i] = dac_colour(static_cast<u8>(i));
        draw([&](u64 line, u32 x) { return colours[byte(line + x)]; });
        break;
    }
    case 15: draw([&](u64 line, u32 x) { return from_555(word(line + x * 2)); }); break;
    case 16: draw([&](u64 line, u32 x) { return from_565(word(line + x * 2)); }); break;
    case 24:
        draw([&](u64 line, u32 x) { return word(line + x * 3) | byte(line + x * 3 + 2) << 16; });
        break;
    default:
        draw([&](u64 line, u32 x) { return word(line + x * 4) | byte(line + x * 4 + 2) << 16; });
    }
}

}  // namespace reprise
