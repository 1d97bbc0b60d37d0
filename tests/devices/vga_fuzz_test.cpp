/// Whatever a guest writes, pictures stay within bounds and time goes on.

#include <gtest/gtest.h>

#include <random>

#include "tests/devices/vga_bench.h"

using namespace reprise;
using namespace reprise::vga_bench;

TEST(VgaNonsense, TwentyThousandRandomWritesDoNoHarm)
{
    constexpr u32 kSeed = 0xB0C5;
    SCOPED_TRACE(kSeed);
    std::mt19937 random(kSeed);
    const auto byte = [&] { return static_cast<u8>(random()); };
    Bench bench(kText80);
    for (int i = 0; i < 20'000; ++i) {
        switch (random() % 8) {
        case 0: bench.vga.write(random() % 0x30, byte()); break;
        case 1: bench.sequencer(byte(), byte()); break;
        case 2: bench.crtc(byte() & 31, byte()); break;
        case 3: bench.graphics(byte(), byte()); break;
        case 4: bench.attribute(byte(), byte()); break;
        case 5: bench.vga.read(random() % 0x30); break;
        case 6: bench.run_to(bench.scheduler.now() + random() % (20 * kMillisecond)); break;
        default:
            if (i % 50 == 0) bench.dispi(random() % 12, static_cast<u16>(random()));
        }
        bench.vga.memory_write(random() % 0x20000, byte());
        bench.vga.memory_read(random() % 0x20000);
        if (const auto window = bench.vga.direct_window()) {
            ASSERT_LE(window->window_offset + window->size, 0x20000u);
            ASSERT_LE(window->vram_offset + window->size, Vga::kVramSize);
        }
        if (i % 64 != 0) continue;
        Frame frame;
        bench.vga.render(frame);
        ASSERT_EQ(frame.pixels.size(), std::size_t{frame.width} * frame.height);
        ASSERT_GE(frame.pixels.size(), 1u);
        ASSERT_LE(frame.width, 2560u);
        ASSERT_LE(frame.height, 2048u);
        const TextScreen screen = bench.vga.text_screen();
        ASSERT_EQ(screen.cells.size(), std::size_t{screen.columns} * screen.rows);
        screen.to_utf8();
    }
}
