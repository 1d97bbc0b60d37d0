/// The VGA as the memory window A0000h to BFFFFh shows it: the graphics controller.
///
/// How plane addresses map to our memory. With chain 4 the CPU's A1 and A0 select the plane, and
/// the plane's own address bits 1 and 0 come from above the 64 KB (Memory Mode, and doubleword
/// mode on the display's side), so mode 13h touches every fourth byte of each plane. We store a
/// plane's byte at the CPU address that chain 4 would reach it with:
///
///     chain 4:    plane = A[1:0], plane address = A[15:2] . A[17:16]   -> byte A of our memory
///     otherwise:  plane address a                                      -> word a[1:0] . a[15:2]
///
/// So mode 13h is linear and can be mapped into the CPU's memory, while unchained accesses see
/// what they see on a real card, and all four planes of an address are still one aligned word.
/// DISPI modes have more than 64 KB per plane and simply count words.
#include <bit>
#include <cstring>

#include "devices/vga/vga.h"
#include "machine/base/bits.h"

namespace reprise {

using namespace vga;

static_assert(std::endian::native == std::endian::little, "plane p is byte p of a word");

namespace {

constexpr u32 kEveryPlane = 0x01010101;  // a byte for each plane
constexpr u32 kEvenPlanes = 0x00FF00FF, kOddPlanes = 0xFF00FF00;

/// Bit p of the nibble in all bits of byte p.
constexpr u32 spread(u8 nibble)
{
    u32 word = 0;
    for (int plane = 0; plane < 4; ++plane)
        if (bit(nibble, plane)) word |= 0xFFu << 8 * plane;
    return word;
}

u32 load_word(const u8* from)
{
    u32 word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

void store_word(u8* to, u32 word) { std::memcpy(to, &word, sizeof word); }

/// Function Select of the Data Rotate register.
u32 combine(u8 data_rotate, u32 data, u32 latch)
{
    switch (bits(data_rotate, 4, 3)) {
    case 1: return data & latch;
    case 2: return data | latch;
    case 3: return data ^ latch;
    default: return data;
    }
}

}  // namespace

// ---- Decoding ----------------------------------------------------------------------------------

/// Memory Map of the graphics Miscellaneous register. The bank moves the 64 KB window only.
Vga::Window Vga::decode_window() const
{
    if (!(state.misc_output & kEnableRam)) return {};
    switch (bits(state.graphics[kMiscellaneous], 3, 2)) {
    case 0: return {0x00000, 0x20000, 0};
    case 1: {
        const u32 banks = state.dispi.bpp == 4 ? 0x3F : 0xFF;
        return {0x00000, 0x10000, state.dispi.enabled() ? (state.dispi.bank & banks) << 16 : 0};
    }
    case 2: return {0x10000, 0x08000, 0};
    default: return {0x18000, 0x08000, 0};
    }
}

bool Vga::is_linear() const
{
    const auto& graphics = state.graphics;
    return (state.sequencer[kMemoryMode] & kChain4) && state.sequencer[kMapMask] == 0x0F &&
           graphics[kEnableSetReset] == 0 && graphics[kDataRotate] == 0 &&
           bits(graphics[kGraphicsMode], 1, 0) == 0 && !(graphics[kGraphicsMode] & kReadMode1) &&
           graphics[kBitMask] == 0xFF;
}

std::optional<Vga::LinearWindow> Vga::direct() const
{
    if (!linear_ || window_.size == 0) return std::nullopt;
    return LinearWindow{window_.first, window_.size, window_.base};
}

void Vga::refresh_memory()
{
    const auto before = direct();
    window_ = decode_window();
    linear_ = is_linear();
    operation_ = {spread(state.sequencer[kMapMask]),
                  spread(state.graphics[kSetReset]),
                  spread(state.graphics[kEnableSetReset]),
                  state.graphics[kBitMask] * kEveryPlane,
                  spread(state.graphics[kColorCompare]),
                  spread(state.graphics[kColorDontCare])};
    if (on_mapping_changed && direct() != before) on_mapping_changed();
}

/// Chain odd/even: A0 has selected the plane; in its place comes A16 if the window is 128 KB,
/// otherwise the page bit, with which 1 means the lower half.
u32 Vga::plane_address(u32 address) const
{
    if (!(state.graphics[kMiscellaneous] & kChainOddEven)) return address;
    const bool whole_window = bits(state.graphics[kMiscellaneous], 3, 2) == 0;
    const bool a0 = whole_window ? bit(address, 16) : !(state.misc_output & kPageBit);
    return (address & ~1u) | u32{a0};
}

/// The offset in our memory of the word that an access goes to.
u32 Vga::word_at(u32 address) const
{
    if (state.sequencer[kMemoryMode] & kChain4) return address & (kMemoryBytes - 4);
    const u32 plane = plane_address(address);
    if (state.dispi.enabled()) return plane * 4 & (kMemoryBytes - 4);
    return (plane & 3) << 16 | (plane & 0xFFFC);
}

// ---- Access ------------------------------------------------------------------------------------

u8 Vga::planar_read(u32 address)
{
    state.latch = load_word(vram_ + word_at(address));

    const u8 mode = state.graphics[kGraphicsMode];
    if (mode & kReadMode1) {
        // A bit is set where every plane that matters equals the colour to compare with.
        const u32 differs = (state.latch ^ operation_.color_compare) & operation_.color_dont_care;
        return static_cast<u8>(~(differs | differs >> 8 | differs >> 16 | differs >> 24));
    }
    u32 plane = state.graphics[kReadMapSelect];
    if (state.sequencer[kMemoryMode] & kChain4) plane = address & 3;
    else if (mode & kHostOddEven) plane = (plane & 2) | (address & 1);
    return static_cast<u8>(state.latch >> 8 * plane);
}

void Vga::planar_write(u32 address, u8 value)
{
    const Operation& op = operation_;
    const u8 data_rotate = state.graphics[kDataRotate];
    const u8 rotated = std::rotr(value, bits(data_rotate, 2, 0));
    u32 bit_mask = op.bit_mask;
    u32 data = 0;
    switch (bits(state.graphics[kGraphicsMode], 1, 0)) {
    case 0:
        data = (rotated * kEveryPlane & ~op.enable_set_reset) |
               (op.set_reset & op.enable_set_reset);
        break;
    case 1:
        data = state.latch;
        break;
    case 2: data = spread(value & 0x0F); break;
    case 3:
        data = op.set_reset;
        bit_mask &= rotated * kEveryPlane;
        break;
    }
    if (bits(state.graphics[kGraphicsMode], 1, 0) != 1) {
        data = combine(data_rotate, data, state.latch);
        data = (data & bit_mask) | (state.latch & ~bit_mask);
    }

    u32 planes = op.map_mask;
    const u8 memory_mode = state.sequencer[kMemoryMode];
    if (memory_mode & kChain4) planes &= 0xFFu << 8 * (address & 3);
    else if (!(memory_mode & kOddEvenOff)) planes &= address & 1 ? kOddPlanes : kEvenPlanes;

    u8* const target = vram_ + word_at(address);
    store_word(target, (load_word(target) & ~planes) | (data & planes));
}

}  // namespace reprise
