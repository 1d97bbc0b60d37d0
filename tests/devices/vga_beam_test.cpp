/// The beam: input status 1, vertical retrace, and what waits for it.
///
/// Expected times are the modes' own: 25.175 MHz / (8 x 100) and 28.322 MHz / (9 x 100) are lines
/// of 31.47 kHz; 449 lines make 70.09 Hz and 525 make 59.94 Hz.

#include <gtest/gtest.h>

#include "machine/savestate.h"
#include "tests/devices/vga_bench.h"

using namespace reprise;
using namespace reprise::vga_bench;

namespace {

constexpr u8 kNotDisplaying = 0x01, kRetrace = 0x08;

/// The first instant from now at which `mask` of input status 1 goes up, to 20 ns.
Time next_rise(Bench& bench, u8 mask)
{
    constexpr Time kStep = 20;  // far less than a character
    const auto level = [&] { return (bench.status() & mask) != 0; };
    while (level()) bench.run_to(bench.scheduler.now() + kStep);
    while (!level()) bench.run_to(bench.scheduler.now() + kStep);
    return bench.scheduler.now();
}

double hertz(Bench& bench, u8 mask)
{
    const Time first = next_rise(bench, mask);
    return 1e9 / static_cast<double>(next_rise(bench, mask) - first);
}

/// Moves to character `character` of line `line` of the frame after the next retrace.
void go_to(Bench& bench, u64 line, u64 character, u64 retrace_line, u64 lines, Clock clock)
{
    const Time retrace = next_rise(bench, kRetrace);
    // 30 ns later than the retrace was found: within the character, whatever the step was.
    const u64 ahead = (lines - retrace_line + line) * 100 + character;
    bench.run_to(retrace + clock.time_of(ahead) + 30);
}

}  // namespace

TEST(VgaBeam, LinesAndFramesHaveTheStandardRates)
{
    const struct {
        const Mode* mode;
        double frames;
    } cases[] = {{&kText80, 70.087}, {&kMode12h, 59.940}, {&kMode13h, 70.086}};
    for (const auto& c : cases) {
        Bench bench(*c.mode);
        EXPECT_NEAR(hertz(bench, kRetrace), c.frames, 0.003);
        bench.run_to(bench.scheduler.now() + 2 * kMillisecond);  // into the picture
        EXPECT_NEAR(hertz(bench, kNotDisplaying), 31'469, 30);
    }
}

TEST(VgaBeam, DisplayEnableEndsAfterEightyCharactersAnd480Lines)
{
    const Clock clock{25'175'000, 8};
    const struct {
        u64 line, character;
        bool displaying;
    } cases[] = {{0, 0, true},    {0, 79, true},   {0, 80, false},  {0, 99, false},
                 {479, 79, true}, {480, 0, false}, {524, 50, false}};
    for (const auto& c : cases) {
        Bench bench(kMode12h);
        go_to(bench, c.line, c.character, 490, 525, clock);
        EXPECT_EQ((bench.status() & kNotDisplaying) == 0, c.displaying)
            << c.line << ", " << c.character;
    }
}

TEST(VgaBeam, RetraceOfMode12hLastsTwoLines)
{
    Bench bench(kMode12h);
    const Time begin = next_rise(bench, kRetrace);
    while (bench.status() & kRetrace) bench.run_to(bench.scheduler.now() + 20);
    EXPECT_NEAR(static_cast<double>(bench.scheduler.now() - begin), 2 * 31'778.0, 45);
}

TEST(VgaBeam, StartAddressWaitsForRetraceAndNothingElseIsScheduled)
{
    Bench bench(kMode13h);
    bench.run_to(20 * kMillisecond);
    EXPECT_EQ(bench.scheduler.next_deadline(), kNever);
    bench.vga.memory_write(0x3000 * 4, 0x2A);
    const Time retrace = next_rise(bench, kRetrace);
    bench.run_to(retrace + kMillisecond);
    bench.crtc(0x0C, 0x30);
    EXPECT_EQ(bench.index_at(0, 0), 0u);
    // 449 lines of 800 dots later.
    EXPECT_NEAR(static_cast<double>(bench.scheduler.next_deadline() - retrace),
                449 * 800 / 0.025175, 45);
    bench.run_to(bench.scheduler.next_deadline());
    EXPECT_EQ(bench.index_at(0, 0), 0x2Au);
    EXPECT_EQ(bench.scheduler.next_deadline(), kNever);
}

TEST(VgaBeam, RetraceInterruptIsLatchedUntilCleared)
{
    Bench bench(kText80);
    bench.crtc(0x11, 0x0E);  // cleared and held
    bench.run_to(100 * kMillisecond);
    EXPECT_TRUE(bench.irqs.empty());
    EXPECT_EQ(bench.vga.read(0x12) & 0x80, 0);
    bench.crtc(0x11, 0x1E);
    bench.run_to(200 * kMillisecond);
    EXPECT_EQ(bench.irqs, (std::vector<bool>{true}));
    EXPECT_EQ(bench.vga.read(0x12) & 0x80, 0x80);
    bench.crtc(0x11, 0x3E);  // disabled: the pin falls, the latch stays
    EXPECT_EQ(bench.irqs, (std::vector<bool>{true, false}));
    EXPECT_EQ(bench.vga.read(0x12) & 0x80, 0x80);
    bench.crtc(0x11, 0x1E);
    bench.crtc(0x11, 0x0E);
    EXPECT_EQ(bench.irqs, (std::vector<bool>{true, false, true, false}));
    EXPECT_EQ(bench.vga.read(0x12) & 0x80, 0);
}

TEST(VgaBeam, DispiModesRefreshAtSixtyHertz)
{
    Bench bench(kText80);
    bench.dispi(1, 1024);
    bench.dispi(2, 768);
    bench.dispi(3, 8);
    bench.dispi(4, 1);
    EXPECT_NEAR(hertz(bench, kRetrace), 60, 0.01);
}

TEST(VgaBeam, AnUnprogrammedVgaStillHasABeam)
{
    Bench bench;
    bench.vga.write(0x12, 1);
    bench.run_to(kSecond);
    EXPECT_GT(hertz(bench, kRetrace), 0);
}

TEST(VgaState, ASavedVgaGoesOnAsTheOriginalDoes)
{
    Bench original(kMode12h);
    original.crtc(0x11, 0x0C);
    original.crtc(0x11, 0x1C);
    original.crtc(0x0D, 0x28);
    original.vga.memory_write(17, 0xC3);
    original.run_to(3 * kMillisecond);

    StateWriter writer;
    writer.save("bench", original);
    Bench copy;
    StateReader reader(writer.saved);
    reader.load("bench", copy);
    reader.finish();
    copy.vga.state_loaded();

    EXPECT_EQ(copy.vga.memory_read(17), original.vga.memory_read(17));
    for (Bench* bench : {&original, &copy}) bench->run_to(40 * kMillisecond);
    EXPECT_EQ(copy.irqs, original.irqs);
    StateWriter first, second;
    first.save("bench", original);
    second.save("bench", copy);
    EXPECT_TRUE(first.saved == second.saved);
}

TEST(VgaState, ADamagedStateIsMadeHarmless)
{
    Bench bench(kMode13h);
    auto& state = bench.vga.state;
    state.sequencer_index = state.graphics_index = state.crtc_index = state.attribute_index = 0xFF;
    state.dac_component = 0xFF;
    state.dispi.fill(0xFFFF);
    state.sequencer.fill(0xFF);
    state.crtc.fill(0xFF);
    state.graphics.fill(0xFF);
    state.attribute.fill(0xFF);
    state.epoch = state.epoch_position = ~u64{0};
    bench.vga.state_loaded();
    for (u16 offset = 0; offset < 0x30; ++offset) bench.vga.read(offset);
    bench.vga.memory_write(0xFFFF, bench.vga.memory_read(0xFFFF));
    Frame frame;
    bench.vga.render(frame);
    EXPECT_EQ(frame.pixels.size(), std::size_t{frame.width} * frame.height);
}
