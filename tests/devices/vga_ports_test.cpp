/// Registers, the DAC's sequence and the DISPI protocol as a guest's port accesses see them.

#include <gtest/gtest.h>

#include "tests/devices/vga_bench.h"

using namespace reprise;
using namespace reprise::vga_bench;

namespace {

u8 read_indexed(Bench& bench, u16 port, u8 index)
{
    bench.vga.write(port, index);
    return bench.vga.read(static_cast<u16>(port + 1));
}

void write_colour(Bench& bench, u8 index, std::array<u8, 3> colour)
{
    bench.vga.write(0x18, index);
    for (u8 value : colour) bench.vga.write(0x19, value);
}

std::array<u8, 3> read_colour(Bench& bench, u8 index)
{
    bench.vga.write(0x17, index);
    std::array<u8, 3> colour;
    for (u8& value : colour) value = bench.vga.read(0x19);
    return colour;
}

using Colour = std::array<u8, 3>;

}  // namespace

TEST(VgaPorts, RegistersReadBackTheBitsThatExist)
{
    Bench bench(kText80);
    const std::array<u8, 5> sequencer{0x03, 0x3D, 0x0F, 0x3F, 0x0E};
    for (u8 i = 0; i < sequencer.size(); ++i) {
        bench.sequencer(i, 0xFF);
        EXPECT_EQ(read_indexed(bench, 0x14, i), sequencer[i]) << int{i};
    }
    const std::array<u8, 9> graphics{0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF};
    for (u8 i = 0; i < graphics.size(); ++i) {
        bench.graphics(i, 0xFF);
        EXPECT_EQ(read_indexed(bench, 0x1E, i), graphics[i]) << int{i};
    }
    bench.crtc(0x11, 0);
    for (u8 i = 0; i < 0x19; ++i) {
        const u8 value = i == 0x11 ? 0x5A : 0xA5;
        const u8 expected = i == 0x08 || i == 0x0B || i == 0x14 ? value & 0x7F
                            : i == 0x0A                         ? value & 0x3F
                            : i == 0x17                         ? value & 0xEF
                                                                : value;
        bench.crtc(i, value);
        EXPECT_EQ(read_indexed(bench, 0x24, i), expected) << int{i};
    }
    bench.vga.write(0x12, 0xFF);
    EXPECT_EQ(bench.vga.read(0x1C), 0xEF);
    bench.vga.write(0x2A, 0xFF);
    EXPECT_EQ(bench.vga.read(0x1A), 0x08);
}

TEST(VgaPorts, MiscellaneousBit0MovesTheCrtcAndInputStatus)
{
    Bench bench(kText80);
    bench.vga.write(0x24, 0x0E);
    EXPECT_EQ(bench.vga.read(0x04), 0xFF);
    EXPECT_EQ(bench.vga.read(0x0A), 0xFF);
    bench.vga.write(0x12, 0x66);
    EXPECT_EQ(bench.vga.read(0x04), 0x0E);
    EXPECT_EQ(bench.vga.read(0x24), 0xFF);
    EXPECT_EQ(bench.vga.read(0x2A), 0xFF);
    EXPECT_NE(bench.vga.read(0x0A), 0xFF);
}

TEST(VgaPorts, ProtectionSparesLineCompareBit8)
{
    Bench bench(kText80);
    bench.crtc(0x11, 0x8E);
    bench.crtc(0x00, 0x11);
    bench.crtc(0x07, 0x00);
    EXPECT_EQ(read_indexed(bench, 0x24, 0x00), 0x5F);
    EXPECT_EQ(read_indexed(bench, 0x24, 0x07), 0x0F);
    bench.crtc(0x12, 0x33);
    EXPECT_EQ(read_indexed(bench, 0x24, 0x12), 0x33);
}

TEST(VgaPorts, ReadingInputStatusResetsTheAttributeFlipFlop)
{
    Bench bench(kText80);
    bench.status();
    bench.vga.write(0x10, 0x11);
    EXPECT_EQ(read_indexed(bench, 0x24, 0x24), 0x80);
    bench.vga.write(0x10, 0x2A);
    EXPECT_EQ(read_indexed(bench, 0x24, 0x24), 0x00);
    bench.vga.write(0x10, 0x14);
    bench.status();
    bench.vga.write(0x10, 0x11);
    EXPECT_EQ(bench.vga.read(0x10), 0x11);
    EXPECT_EQ(bench.vga.read(0x11), 0x2A);
}

TEST(VgaPorts, ThePaletteIsClosedWhileItDrivesThePicture)
{
    Bench bench(kText80);
    bench.status();
    bench.vga.write(0x10, 0x23);
    bench.vga.write(0x10, 0x3F);
    EXPECT_EQ(bench.vga.read(0x11), 3);
    bench.vga.write(0x10, 0x03);
    bench.vga.write(0x10, 0x3F);
    EXPECT_EQ(bench.vga.read(0x11), 0x3F);
}

TEST(VgaPorts, DacTakesWholeColoursAndMovesOn)
{
    Bench bench(kText80);
    bench.vga.write(0x18, 0xFF);
    EXPECT_EQ(bench.vga.read(0x17), 0);  // writing
    bench.vga.write(0x19, 0xC1);         // six bits count
    bench.vga.write(0x19, 0x02);
    EXPECT_EQ(bench.vga.read(0x18), 0xFF);
    bench.vga.write(0x19, 0x03);
    EXPECT_EQ(bench.vga.read(0x18), 0x00);
    EXPECT_EQ(read_colour(bench, 0xFF), (Colour{0x01, 0x02, 0x03}));
    EXPECT_EQ(bench.vga.read(0x17), 3);  // reading
    EXPECT_EQ(bench.vga.read(0x19), 0);  // goes on with colour 0
}

TEST(VgaPorts, AnUnfinishedColourChangesNothing)
{
    Bench bench(kText80);
    write_colour(bench, 9, {1, 2, 3});
    bench.vga.write(0x18, 9);
    bench.vga.write(0x19, 0x3F);
    bench.vga.write(0x19, 0x3F);
    EXPECT_EQ(read_colour(bench, 9), (Colour{1, 2, 3}));
}

/// IMS G176: SENSE is low while an output is above 335 mV.
TEST(VgaPorts, TheMonitorIsSensed)
{
    Bench bench(kText80);
    write_colour(bench, 0, {0x04, 0x04, 0x04});
    EXPECT_EQ(bench.vga.read(0x12) & 0x10, 0x10);
    write_colour(bench, 0, {0x04, 0x2D, 0x04});
    EXPECT_EQ(bench.vga.read(0x12) & 0x10, 0x00);
}

TEST(VgaDispiProtocol, IdTellsTheRevisionAskedFor)
{
    Bench bench;
    EXPECT_EQ(bench.dispi(0), 0xB0C5);
    for (u16 id = 0xB0C0; id <= 0xB0C5; ++id) {
        bench.dispi(0, id);
        EXPECT_EQ(bench.dispi(0), id);
    }
    bench.dispi(0, 0xB0C6);
    EXPECT_EQ(bench.dispi(0), 0xB0C5);
    EXPECT_EQ(bench.dispi(0x0A), 256);
}

TEST(VgaDispiProtocol, GetCapsShowsTheMaxima)
{
    Bench bench;
    bench.dispi(1, 800);
    bench.dispi(4, 0x02);
    EXPECT_EQ(bench.dispi(1), 16'000);
    EXPECT_EQ(bench.dispi(2), 12'000);
    EXPECT_EQ(bench.dispi(3), 32);
    bench.dispi(4, 0x00);
    EXPECT_EQ(bench.dispi(1), 800);
}

TEST(VgaDispiProtocol, EnablingClearsMemoryUnlessToldNotTo)
{
    Bench bench(kText80);
    bench.dispi(1, 800);
    bench.dispi(2, 600);
    bench.dispi(3, 16);
    bench.vga.vram()[1000] = 0x55;
    bench.dispi(4, 0xC1);
    EXPECT_EQ(bench.vga.vram()[1000], 0x55);
    bench.dispi(4, 0x00);
    bench.dispi(4, 0x41);
    EXPECT_EQ(bench.vga.vram()[1000], 0x00);
    EXPECT_EQ(bench.dispi(6), 800);
    EXPECT_EQ(bench.dispi(7), (16 << 20) / 1600);
    bench.dispi(6, 1024);
    EXPECT_EQ(bench.dispi(7), (16 << 20) / 2048);
}

TEST(VgaDispiProtocol, ColoursKeepTheirBrightnessInAnEightBitDac)
{
    Bench bench(kText80);
    write_colour(bench, 7, {0x3F, 0x20, 0x00});
    bench.dispi(4, 0x20);
    EXPECT_EQ(read_colour(bench, 7), (Colour{0xFF, 0x82, 0x00}));
    write_colour(bench, 7, {0x81, 0xC2, 0xFF});
    EXPECT_EQ(read_colour(bench, 7), (Colour{0x81, 0xC2, 0xFF}));
    bench.dispi(4, 0x00);
    EXPECT_EQ(read_colour(bench, 7), (Colour{0x20, 0x30, 0x3F}));
}
