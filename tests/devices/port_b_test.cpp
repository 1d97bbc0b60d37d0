#include "devices/port_b.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "devices/pit_8254.h"
#include "devices/speaker.h"

using namespace reprise;

TEST(PortB, DrivesGateAndSpeakerOnChanges)
{
    PortB port;
    std::string calls;
    port.on_gate2 = [&](bool level) { calls += level ? "G" : "g"; };
    port.on_speaker_data = [&](bool level) { calls += level ? "S" : "s"; };
    port.write(0, 0x01);
    port.write(0, 0x01);
    port.write(0, 0x03);
    port.write(0, 0x00);
    EXPECT_EQ(calls, "GSsg");
}

TEST(PortB, ReadsTheLatchAndTheWires)
{
    PortB port;
    EXPECT_EQ(port.read(0), 0x00);
    port.write(0, 0xFD);  // the upper half cannot be written
    EXPECT_EQ(port.read(0), 0x0D);
    bool refresh = true, timer_out = false;
    port.on_read_refresh = [&] { return refresh; };
    port.on_read_timer_out = [&] { return timer_out; };
    EXPECT_EQ(port.read(0), 0x1D);
    refresh = false;
    timer_out = true;
    EXPECT_EQ(port.read(0), 0x2D);
}

TEST(PortB, ChecksRaiseNmiUntilTheirDisableBitClearsThem)
{
    PortB port;
    std::vector<bool> nmi;
    port.on_nmi = [&](bool level) { nmi.push_back(level); };
    port.signal_parity_check();
    EXPECT_EQ(port.read(0), 0x80);
    port.signal_channel_check();
    EXPECT_EQ(port.read(0), 0xC0);
    EXPECT_EQ(nmi, (std::vector<bool>{true}));
    port.write(0, 0x04);
    EXPECT_EQ(port.read(0), 0x44);
    port.write(0, 0x0C);
    EXPECT_EQ(nmi, (std::vector<bool>{true, false}));
    port.signal_parity_check();
    port.signal_channel_check();
    EXPECT_EQ(port.read(0), 0x0C);
    EXPECT_EQ(nmi.size(), 2u);
}

TEST(PortB, ResetClearsEverything)
{
    PortB port;
    bool gate = false, nmi = false;
    port.on_gate2 = [&](bool level) { gate = level; };
    port.on_nmi = [&](bool level) { nmi = level; };
    port.write(0, 0x03);
    port.signal_parity_check();
    EXPECT_TRUE(gate && nmi);
    port.reset();
    EXPECT_FALSE(gate || nmi);
    EXPECT_EQ(port.read(0), 0x00);
}

TEST(PortB, RefreshTogglesOnceAPeriodOfTimerChannel1)
{
    Scheduler scheduler;
    Pit8254 pit{scheduler};
    PortB port;
    port.on_read_refresh = [&] { return (pit.cycles(1) & 1) != 0; };
    pit.write(3, 0x54);  // channel 1, LSB only, mode 2
    pit.write(1, 18);
    int toggles = 0;
    bool last = false;
    for (int tick = 1; tick <= 1 + 18 * 100; ++tick) {
        scheduler.advance_to(Pit8254::kClk.time_of(static_cast<u64>(tick)));
        const bool now = (port.read(0) & 0x10) != 0;
        toggles += now != last;
        last = now;
    }
    EXPECT_EQ(toggles, 100);
}

TEST(PcSpeaker, IsTheAndOfTimerAndDataEnable)
{
    Scheduler scheduler;
    PcSpeaker speaker{scheduler};
    std::vector<std::pair<Time, bool>> edges;
    speaker.on_level = [&](Time when, bool level) { edges.emplace_back(when, level); };
    speaker.set_timer_out(true);
    scheduler.advance_to(10);
    speaker.set_data_enable(true);
    scheduler.advance_to(20);
    speaker.set_timer_out(false);
    speaker.set_data_enable(false);
    scheduler.advance_to(30);
    speaker.set_timer_out(true);
    EXPECT_EQ(edges, (std::vector<std::pair<Time, bool>>{{10, true}, {20, false}}));
}

TEST(PcSpeaker, PlaysASquareWaveFromTimerChannel2)
{
    Scheduler scheduler;
    Pit8254 pit{scheduler};
    PcSpeaker speaker{scheduler};
    PortB port;
    std::vector<Time> edges;
    port.on_gate2 = [&](bool level) { pit.set_gate(2, level); };
    port.on_speaker_data = [&](bool level) { speaker.set_data_enable(level); };
    pit.on_out[2] = [&](bool level) { speaker.set_timer_out(level); };
    speaker.on_level = [&](Time when, bool) { edges.push_back(when); };
    port.write(0, 0x00);
    pit.set_gate(2, false);
    pit.write(3, 0xB6);
    pit.write(2, 0xA9);  // 1193: a tone of 1000 Hz
    pit.write(2, 0x04);
    port.write(0, 0x03);
    scheduler.advance_to(kSecond);
    EXPECT_NEAR(static_cast<double>(edges.size()), 2000, 2);
}
