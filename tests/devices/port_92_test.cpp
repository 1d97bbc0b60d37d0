#include "devices/port_92.h"

#include <gtest/gtest.h>

#include <vector>

using namespace reprise;

TEST(Port92, GatesA20OnChanges)
{
    Port92 port;
    std::vector<bool> a20;
    port.on_a20 = [&](bool level) { a20.push_back(level); };
    port.write(0, 0x02);
    port.write(0, 0x02);
    EXPECT_TRUE(port.a20());
    port.write(0, 0x00);
    EXPECT_EQ(a20, (std::vector<bool>{true, false}));
}

TEST(Port92, PulsesResetOncePerRisingBit0)
{
    Port92 port;
    int resets = 0;
    port.on_reset = [&] { ++resets; };
    port.write(0, 0x01);
    port.write(0, 0x03);
    EXPECT_EQ(resets, 1);
    port.write(0, 0x02);
    port.write(0, 0x03);
    EXPECT_EQ(resets, 2);
}

TEST(Port92, ReservedBitsReadAsZero)
{
    Port92 port;
    port.write(0, 0xFE);
    EXPECT_EQ(port.read(0), 0x02);
}

TEST(Port92, MayBeResetFromItsOwnResetPulse)
{
    Port92 port;
    bool a20 = false;
    port.on_a20 = [&](bool level) { a20 = level; };
    port.on_reset = [&] { port.reset(); };
    port.write(0, 0x03);
    EXPECT_FALSE(a20);
    EXPECT_EQ(port.read(0), 0x00);
}
