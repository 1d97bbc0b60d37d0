/// The window at A0000h: the graphics controller against a model that works bit by bit, and the
/// parts of the window that are plain memory.

#include <gtest/gtest.h>

#include <random>

#include "tests/devices/vga_bench.h"

using namespace reprise;
using namespace reprise::vga_bench;

namespace {

/// One bit of one plane, as the data flow diagram of the technical reference has it.
struct Bits {
    u8 mode, rotate, function, set_reset, enable, mask;

    bool write(u8 data, bool latch, int plane, int n) const
    {
        const u8 rotated = static_cast<u8>(data >> rotate | data << (8 - rotate));
        bool value = bit(rotated, n), enabled = bit(mask, n);
        switch (mode) {
        case 0:
            if (bit(enable, plane)) value = bit(set_reset, plane);
            break;
        case 1: return latch;
        case 2: value = bit(data, plane); break;
        default: enabled = enabled && value; value = bit(set_reset, plane);
        }
        switch (function) {
        case 1: value = value && latch; break;
        case 2: value = value || latch; break;
        case 3: value = value != latch; break;
        default: break;
        }
        return enabled ? value : latch;
    }
};

std::array<u8, 4> planes_at(Bench& bench, u32 address)
{
    std::array<u8, 4> planes;
    for (u32 p = 0; p < 4; ++p) planes[p] = bench.vga.vram()[address * 4 + p];
    return planes;
}

}  // namespace

TEST(VgaWindow, EveryWriteModeAndFunctionDoesWhatTheDataFlowSays)
{
    constexpr u32 kSeed = 1987;
    SCOPED_TRACE(kSeed);
    std::mt19937 random(kSeed);
    const auto byte = [&] { return static_cast<u8>(random()); };
    Bench bench(kMode12h);
    for (int i = 0; i < 4096; ++i) {
        const Bits bits_of{static_cast<u8>(i & 3),       static_cast<u8>(i >> 4 & 7),
                           static_cast<u8>(i >> 2 & 3),  static_cast<u8>(byte() & 15),
                           static_cast<u8>(byte() & 15), byte()};
        const u8 data = byte(), map_mask = byte() & 15;
        std::array<u8, 4> latch, before;
        for (u32 p = 0; p < 4; ++p) {
            bench.vga.vram()[100 * 4 + p] = latch[p] = byte();
            bench.vga.vram()[200 * 4 + p] = before[p] = byte();
        }
        bench.graphics(5, bits_of.mode);
        bench.graphics(3, static_cast<u8>(bits_of.rotate | bits_of.function << 3));
        bench.graphics(0, bits_of.set_reset);
        bench.graphics(1, bits_of.enable);
        bench.graphics(8, bits_of.mask);
        bench.sequencer(2, map_mask);
        bench.vga.memory_read(100);
        bench.vga.memory_write(200, data);
        for (int p = 0; p < 4; ++p) {
            const u32 plane = static_cast<u32>(p);
            u8 expected = 0;
            for (int n = 0; n < 8; ++n)
                expected |= static_cast<u8>(bits_of.write(data, bit(latch[plane], n), p, n) << n);
            if (!bit(map_mask, p)) expected = before[plane];
            ASSERT_EQ(planes_at(bench, 200)[plane], expected)
                << "plane " << p << ", write mode " << int{bits_of.mode};
        }
    }
}

TEST(VgaWindow, Chain4MemoryIsLinearAndUnchainedItIsEveryFourthPixel)
{
    Bench bench(kMode13h);
    for (u32 a = 0; a < 16; ++a) bench.vga.memory_write(a, static_cast<u8>(0x40 + a));
    bench.vga.memory_write(0xFFFF, 0x77);
    EXPECT_EQ(bench.vga.vram()[5], 0x45);
    bench.sequencer(4, 0x06);
    for (u8 plane = 0; plane < 4; ++plane) {
        bench.graphics(4, plane);
        EXPECT_EQ(bench.vga.memory_read(0), 0x40 + plane);
        EXPECT_EQ(bench.vga.memory_read(3), 0x4C + plane);
    }
    EXPECT_EQ(bench.vga.memory_read(0x3FFF), 0x77);
}

TEST(VgaWindow, SwitchingToModeXKeepsThePicture)
{
    Bench bench(kMode13h);
    for (u32 x = 0; x < 320; ++x) bench.vga.memory_write(320 * 20 + x, static_cast<u8>(x));
    bench.sequencer(4, 0x06);
    bench.crtc(0x11, 0);
    bench.crtc(0x14, 0x00);
    bench.crtc(0x17, 0xE3);
    for (u32 x = 0; x < 320; x += 7) EXPECT_EQ(bench.index_at(x, 20), x & 255);
}

TEST(VgaWindow, Mode13hIsMappableUntilTheGraphicsControllerHasWork)
{
    Bench bench(kMode13h);
    const DirectWindow whole{0, 0x10000, bench.vga.vram().data(), 0};
    EXPECT_EQ(bench.vga.direct_window(), whole);
    const struct {
        bool sequencer;
        u8 index, value;
    } changes[] = {{true, 2, 0x07},  {true, 4, 0x06},  {false, 1, 0x01}, {false, 3, 0x01},
                   {false, 3, 0x08}, {false, 5, 0x41}, {false, 5, 0x48}, {false, 8, 0x7F}};
    for (const auto& change : changes) {
        bench.mapping_changes = 0;
        if (change.sequencer) bench.sequencer(change.index, change.value);
        else bench.graphics(change.index, change.value);
        EXPECT_EQ(bench.vga.direct_window(), std::nullopt) << int{change.index};
        EXPECT_EQ(bench.mapping_changes, 1);
        if (change.sequencer) bench.sequencer(change.index, kMode13h.sequencer[change.index]);
        else bench.graphics(change.index, kMode13h.graphics[change.index]);
        EXPECT_EQ(bench.vga.direct_window(), whole);
        EXPECT_EQ(bench.mapping_changes, 2);
    }
    bench.mapping_changes = 0;
    bench.graphics(4, 3);  // which map is read does not matter in chain 4
    EXPECT_EQ(bench.mapping_changes, 0);
}

/// Otherwise a guest could tell whether the host has mapped the window.
TEST(VgaWindow, ADirectWindowLeavesTheLatchesAlone)
{
    Bench bench(kMode12h);
    for (u32 p = 0; p < 4; ++p) bench.vga.vram()[p] = 0x11;
    bench.vga.memory_read(0);
    bench.set(kMode13h);
    bench.vga.vram()[40] = 0x99;
    EXPECT_EQ(bench.vga.memory_read(40), 0x99);
    EXPECT_EQ(bench.vga.state.latch, 0x1111'1111u);
}

TEST(VgaWindow, DispiBanksAreMappable)
{
    Bench bench(kText80);
    bench.dispi(1, 640);
    bench.dispi(2, 480);
    bench.dispi(3, 16);
    bench.dispi(4, 0x41);
    bench.dispi(5, 255);
    EXPECT_EQ(bench.vga.direct_window(),
              (DirectWindow{0, 0x10000, bench.vga.vram().data() + 0xFF'0000, 0xFF'0000}));
    bench.vga.memory_write(0xFFFF, 0x5A);
    EXPECT_EQ(bench.vga.vram()[Vga::kVramSize - 1], 0x5A);
    bench.vga.memory_write(0x18000, 0x5A);  // the text window is closed
    EXPECT_EQ(bench.vga.memory_read(0x18000), 0xFF);
    bench.dispi(4, 0);
    EXPECT_EQ(bench.vga.direct_window(), std::nullopt);
}
