#include <gtest/gtest.h>

#include <algorithm>

#include "frontend/layout.h"
#include "frontend/osd.h"
#include "frontend/speaker_mixer.h"

namespace reprise {
namespace {

TEST(Layout, PicturesAreStretchedToAMonitors4To3)
{
    EXPECT_EQ(monitor_size(720, 400, false), (Placement{0, 0, 720, 540}));
    EXPECT_EQ(monitor_size(320, 200, false), (Placement{0, 0, 320, 240}));
    EXPECT_EQ(monitor_size(640, 480, false), (Placement{0, 0, 640, 480}));
    EXPECT_EQ(monitor_size(1280, 1024, true), (Placement{0, 0, 1280, 1024}));
}

TEST(Layout, TheLargestWholeMultipleIsCentred)
{
    EXPECT_EQ(fit_picture(320, 200, false, 1000, 600, true), (Placement{180, 60, 640, 480}));
    EXPECT_EQ(fit_picture(320, 200, false, 1000, 600, false), (Placement{100, 0, 800, 600}));
}

TEST(Layout, ATinyWindowStillShowsEverything)
{
    const Placement place = fit_picture(640, 480, false, 320, 100, true);
    EXPECT_LE(place.width, 320);
    EXPECT_LE(place.height, 100);
    EXPECT_EQ(fit_picture(0, 0, false, 100, 100, true), Placement{});
}

TEST(Osd, TextIsSixPixelsACharacter)
{
    const Frame frame = osd_picture("Speed 100%");
    EXPECT_EQ(frame.width, 61U);
    EXPECT_EQ(frame.pixels.size(), std::size_t{frame.width} * frame.height);
    EXPECT_GT(std::ranges::count(frame.pixels, 0xFFFFFFU), 50);
    EXPECT_EQ(osd_picture("abc").pixels, osd_picture("ABC").pixels);
}

TEST(SpeakerMixer, GivesOneSampleFor1Over48000Second)
{
    SpeakerMixer mixer;
    std::vector<float> samples;
    mixer.take(kSecond, samples);
    EXPECT_EQ(samples.size(), 48'000U);
    mixer.take(2 * kSecond, samples);
    EXPECT_EQ(samples.size(), 96'000U);
    EXPECT_EQ(std::ranges::count(samples, 0.0F), 96'000);
}

TEST(SpeakerMixer, AToneKeepsItsFrequency)
{
    SpeakerMixer mixer;
    for (Time t = 0; t < kSecond; t += kMillisecond) {  // 1 kHz
        mixer.edge(t, true);
        mixer.edge(t + kMillisecond / 2, false);
    }
    std::vector<float> samples;
    mixer.take(kSecond, samples);
    int rising = 0;
    for (std::size_t i = 1; i < samples.size(); ++i)
        rising += samples[i - 1] < 0 && samples[i] >= 0;
    EXPECT_NEAR(rising, 999, 2);
}

TEST(SpeakerMixer, ATooHighToneBecomesItsAverage)
{
    SpeakerMixer mixer;
    for (Time t = 0; t < kSecond / 100; t += 10 * kMicrosecond) {  // 100 kHz, one quarter high
        mixer.edge(t, true);
        mixer.edge(t + 2500, false);
    }
    std::vector<float> samples;
    mixer.take(10 * kMillisecond, samples);
    ASSERT_GT(samples.size(), 10U);
    // Volume 0.25 times a quarter, as the first samples show it before the high-pass takes it away.
    EXPECT_NEAR(samples[1], 0.0625F, 0.04F);
    EXPECT_LT(*std::ranges::max_element(samples), 0.13F);
}

TEST(SpeakerMixer, AConstantLevelFadesToSilence)
{
    SpeakerMixer mixer;
    mixer.edge(0, true);
    std::vector<float> samples;
    mixer.take(kSecond, samples);
    EXPECT_GT(samples.front(), 0.2F);
    EXPECT_NEAR(samples.back(), 0.0F, 1e-6F);
}

TEST(SpeakerMixer, AtDoubleSpeedASampleIsTwiceAsLongForTheGuest)
{
    SpeakerMixer mixer;
    mixer.set_speed(200);
    std::vector<float> samples;
    mixer.take(kSecond, samples);
    EXPECT_EQ(samples.size(), 24'000U);
}

}  // namespace
}  // namespace reprise
