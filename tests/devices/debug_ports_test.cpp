#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "devices/debug_console.h"
#include "devices/debug_exit.h"
#include "devices/post_port.h"

using namespace reprise;

TEST(DebugConsole, TellsThatItIsThere)
{
    DebugConsole console;
    EXPECT_EQ(console.read(0), 0xE9);
}

TEST(DebugConsole, PassesOnEveryCharacter)
{
    DebugConsole console;
    console.write(0, 'x');  // nobody listens
    std::string text;
    console.on_byte = [&](u8 byte) { text += static_cast<char>(byte); };
    for (char c : std::string("hello\n")) console.write(0, static_cast<u8>(c));
    EXPECT_EQ(text, "hello\n");
}

TEST(DebugExit, GivesTheValueInTheWidthOfTheWrite)
{
    DebugExit exit;
    exit.write(0, 1);  // nobody listens
    std::vector<u32> values;
    exit.on_exit = [&](u32 value) { values.push_back(value); };
    exit.write(0, 0x31);
    exit.write_wide(0, 1, 0xFFFF'FF32);
    exit.write_wide(0, 2, 0xFFFF'1234);
    exit.write_wide(0, 4, 0x1234'5678);
    EXPECT_EQ(values, (std::vector<u32>{0x31, 0x32, 0x1234, 0x1234'5678}));
}

TEST(DebugExit, IgnoresItsOtherAddresses)
{
    DebugExit exit;
    bool ended = false;
    exit.on_exit = [&](u32) { ended = true; };
    exit.write(1, 0);
    EXPECT_FALSE(ended);
    EXPECT_EQ(exit.read(0), 0);
}

TEST(PostPort, ShowsAndReadsBackTheLastCode)
{
    PostPort post;
    std::vector<u8> codes;
    post.on_code = [&](u8 code) { codes.push_back(code); };
    post.write(0, 0x12);
    post.write(0, 0x34);
    EXPECT_EQ(codes, (std::vector<u8>{0x12, 0x34}));
    EXPECT_EQ(post.read(0), 0x34);
    post.reset();
    EXPECT_EQ(post.read(0), 0);
}
