#include "frontend/units.h"

#include <gtest/gtest.h>

namespace reprise {
namespace {

TEST(Units, SizesTakeBinarySuffixes)
{
    EXPECT_EQ(parse_size("640K", 1), 640U << 10);
    EXPECT_EQ(parse_size("16M", 1), 16U << 20);
    EXPECT_EQ(parse_size("1g", 1), 1U << 30);
    EXPECT_EQ(parse_size("64MB", 1), 64U << 20);
    EXPECT_EQ(parse_size("16", 1 << 20), 16U << 20);
}

TEST(Units, WhatIsNoSizeIsRefused)
{
    for (const char* text : {"", "M", "x", "1.5M", "-1", "16MM", "99999999999999999999"})
        EXPECT_EQ(parse_size(text, 1), std::nullopt) << text;
}

TEST(Units, TimesTakeUnitsAndDecimals)
{
    EXPECT_EQ(parse_time("5s"), 5 * kSecond);
    EXPECT_EQ(parse_time("250ms"), 250 * kMillisecond);
    EXPECT_EQ(parse_time("20us"), 20 * kMicrosecond);
    EXPECT_EQ(parse_time("7ns"), 7U);
    EXPECT_EQ(parse_time("1m"), 60 * kSecond);
    EXPECT_EQ(parse_time("2.5"), 2500 * kMillisecond);
}

TEST(Units, WhatIsNoTimeIsRefused)
{
    for (const char* text : {"", "s", "5x", "-5s", "1.2.3", "5 s", "999999999999h"})
        EXPECT_EQ(parse_time(text), std::nullopt) << text;
}

TEST(Units, GeometriesAreThreeNumbers)
{
    EXPECT_EQ(parse_geometry("615/4/17"), (Geometry{615, 4, 17}));
    for (const char* text : {"", "615", "615/4", "615/4/", "0/4/17", "615/4/17/1", "a/b/c"})
        EXPECT_EQ(parse_geometry(text), std::nullopt) << text;
}

TEST(Units, FractionsAreExact)
{
    const auto clock = parse_fraction("4.77");
    ASSERT_TRUE(clock);
    EXPECT_EQ(clock->numerator, 477U);
    EXPECT_EQ(clock->denominator, 100U);
    EXPECT_EQ(parse_fraction("4.7700000"), std::nullopt);
    EXPECT_EQ(parse_fraction("4.x"), std::nullopt);
}

TEST(Units, DatesCountFrom1970)
{
    EXPECT_EQ(parse_date("1970-01-01"), 0);
    EXPECT_EQ(parse_date("2001-09-09T01:46:40"), 1'000'000'000);
    EXPECT_EQ(parse_date("2000-02-29 12:00"), 951'825'600);
    EXPECT_EQ(parse_date("2000-03-01"), 951'868'800);
    EXPECT_EQ(parse_date("1000"), 1000);
    for (const char* text : {"", "2001-13-01", "2001-09-09T", "2001-09-09T25:00", "yesterday"})
        EXPECT_EQ(parse_date(text), std::nullopt) << text;
}

TEST(Units, SuggestionsAreNearAndNeverFar)
{
    const std::vector<std::string> words = {"--headless", "--memory", "--speed"};
    EXPECT_EQ(closest("--headles", words), "--headless");
    EXPECT_EQ(closest("--mem", words), "--memory");
    EXPECT_EQ(closest("--sped", words), "--speed");
    EXPECT_EQ(closest("--xyzzy-plugh", words), std::nullopt);
}

}  // namespace
}  // namespace reprise
