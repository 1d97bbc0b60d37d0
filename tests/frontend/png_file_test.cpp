#include "frontend/png_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "frontend/temporary.h"
#include "machine/base/error.h"

namespace reprise {
namespace {

Frame gradient(u32 width, u32 height)
{
    Frame frame;
    frame.width = width;
    frame.height = height;
    for (u32 i = 0; i < width * height; ++i) frame.pixels.push_back(i * 0x010307 & 0xFFFFFF);
    return frame;
}

TEST(PngFile, WhatIsWrittenIsReadBack)
{
    TemporaryDirectory directory;
    const Frame frame = gradient(37, 11);
    const std::string path = directory.file("x.png");
    write_png(path, frame);
    const Frame read = read_png(path);
    EXPECT_EQ(read.width, 37U);
    EXPECT_EQ(read.height, 11U);
    EXPECT_EQ(read.pixels, frame.pixels);
}

TEST(PngFile, TroubleIsAHostError)
{
    TemporaryDirectory directory;
    EXPECT_THROW(read_png(directory.file("missing.png")), HostError);
    const std::string path = directory.file("bad.png");
    std::ofstream(path) << "this is no picture";
    EXPECT_THROW(read_png(path), HostError);
    EXPECT_THROW(write_png(directory.file("x.png"), Frame{}), HostError);
    EXPECT_THROW(write_png("/nonexistent/x.png", gradient(2, 2)), HostError);
}

TEST(CompareFrames, CountsPixelsThatDiffer)
{
    const Frame expected = gradient(10, 10);
    Frame actual = expected;
    EXPECT_EQ(compare_frames(actual, expected).different, 0U);
    actual.pixels[5] ^= 0x800000;
    actual.pixels[17] ^= 0x000004;  // a rounding difference of a DAC
    const FrameDifference difference = compare_frames(actual, expected);
    EXPECT_EQ(difference.different, 1U);
    EXPECT_EQ(difference.percent(), 1.0);
}

TEST(CompareFrames, MasksLeavePixelsOut)
{
    const Frame expected = gradient(10, 10);
    Frame actual = expected;
    actual.pixels[5] ^= 0x800000;
    const FrameDifference difference = compare_frames(actual, expected, {{5, 0, 1, 1}});
    EXPECT_EQ(difference.different, 0U);
    EXPECT_EQ(difference.compared, 99U);
}

TEST(CompareFrames, RepeatedPixelsAreTheSamePicture)
{
    const Frame small = gradient(4, 3);
    Frame large;
    large.width = 8;
    large.height = 6;
    for (u32 y = 0; y < 6; ++y)
        for (u32 x = 0; x < 8; ++x) large.pixels.push_back(small.pixels[y / 2 * 4 + x / 2]);
    EXPECT_TRUE(compare_frames(small, large).same_size);
    EXPECT_EQ(compare_frames(small, large).different, 0U);
    EXPECT_EQ(compare_frames(large, small).different, 0U);
    EXPECT_FALSE(compare_frames(gradient(5, 3), small).same_size);
    EXPECT_FALSE(compare_frames(Frame{}, small).same_size);
}

}  // namespace
}  // namespace reprise
