#include "frontend/script.h"

#include <gtest/gtest.h>

#include "frontend/errors.h"
#include "frontend/junit.h"
#include "frontend/script_words.h"

namespace reprise {
namespace {

std::optional<std::string> environment(const std::string& name)
{
    if (name == "MEDIA") return "/media";
    return std::nullopt;
}

Script parse(const std::string& text) { return parse_script(text, "tests/x.test", environment); }

std::string refusal(const std::string& text)
{
    try {
        parse(text);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "";
}

template <class T>
T only_step(const std::string& text)
{
    const Script script = parse(text);
    EXPECT_EQ(script.steps.size(), 1U);
    return std::get<T>(script.steps.at(0).action);
}

TEST(ScriptWords, AreDividedByBlanksAndQuotes)
{
    const auto words = split_words("  expect \"a b\" 'c\\d' within 5s # why", environment);
    const std::vector<Word> expected = {
        {"expect"}, {"a b", '"'}, {"c\\d", '\''}, {"within"}, {"5s"}};
    EXPECT_EQ(words, expected);
}

TEST(ScriptWords, DoubleQuotesHaveEscapesAndSingleQuotesNone)
{
    EXPECT_EQ((Word{"A:\\\\>\\n\\\"", '"'}.value()), "A:\\>\n\"");
    EXPECT_EQ((Word{"A:\\>", '\''}.value()), "A:\\>");
    EXPECT_THROW((Word{"A:\\>", '"'}.value()), UsageError);
}

TEST(ScriptWords, VariablesAreReplacedExceptInSingleQuotes)
{
    const auto words = split_words("${MEDIA}/x \"${MEDIA}\" '${MEDIA}' ${NONE:-else}", environment);
    const std::vector<Word> expected = {
        {"/media/x"}, {"/media", '"'}, {"${MEDIA}", '\''}, {"else"}};
    EXPECT_EQ(words, expected);
    EXPECT_THROW(split_words("${NONE}", environment), UsageError);
    EXPECT_THROW(split_words("${NONE", environment), UsageError);
    EXPECT_THROW(split_words("\"open", environment), UsageError);
}

TEST(Script, HeadersDescribeTheMachine)
{
    const Script script = parse(
        "skip-unless ${MEDIA}/dos.img\n"
        "boot ${MEDIA}/dos.img copy\n"
        "floppy b other.img\n"
        "disk hdb big.img\n"
        "option --memory 16M --cpu 486\n"
        "wait 1s\n");
    ASSERT_EQ(script.images.size(), 3U);
    EXPECT_EQ(script.images[0].path, "/media/dos.img");
    EXPECT_TRUE(script.images[0].copy);
    EXPECT_EQ(script.images[1].drive, "fdb");
    EXPECT_EQ(script.images[1].path, "tests/other.img");
    EXPECT_EQ(script.images[2].drive, "hdb");
    EXPECT_EQ(script.options, (std::vector<std::string>{"--memory", "16M", "--cpu", "486"}));
    EXPECT_EQ(script.skip_unless, (std::vector<std::string>{"/media/dos.img"}));
}

TEST(Script, KernelsAreOptionsOfTheMachine)
{
    const Script script = parse(
        "kernel vmlinuz\ninitrd /a,b.gz\ninitrd /c.mod 'x=1 y'\nappend \"quiet single\"\nwait "
        "1s\n");
    EXPECT_EQ(script.options,
              (std::vector<std::string>{"--kernel", "tests/vmlinuz", "--initrd",
                                        "/a,,b.gz,/c.mod x=1 y", "--append", "quiet single"}));
}

TEST(Script, StepsKnowTheirLine)
{
    const Script script = parse("# a comment\n\n  wait 1s\nreset\n");
    ASSERT_EQ(script.steps.size(), 2U);
    EXPECT_EQ(script.steps[0].line, 3);
    EXPECT_EQ(script.steps[0].source, "wait 1s");
    EXPECT_EQ(script.steps[1].line, 4);
}

TEST(Script, ExpectLooksAtThePlaceItsNameSays)
{
    const auto screen = only_step<step::Expect>("expect 'A:\\>' within 5s");
    EXPECT_EQ(screen.text, "A:\\>");
    EXPECT_EQ(screen.within, 5 * kSecond);
    EXPECT_EQ(screen.where, step::Where::Screen);
    const auto serial = only_step<step::Expect>("expect-serial-regex \"ok [0-9]+\\.\"");
    EXPECT_EQ(serial.where, step::Where::Serial);
    EXPECT_TRUE(serial.regex);
    EXPECT_EQ(serial.text, "ok [0-9]+\\.");
    EXPECT_EQ(serial.within, 30 * kSecond);
    EXPECT_TRUE(only_step<step::Expect>("expect-not x").absent);
}

TEST(Script, TypingTakesEscapesOnlyInDoubleQuotes)
{
    EXPECT_EQ(only_step<step::Type>("type \"a\\n\"").strokes, keystrokes("a\\n"));
    EXPECT_EQ(only_step<step::Type>("type 'a\\n'").strokes, literal_keystrokes("a\\n"));
    EXPECT_EQ(only_step<step::Type>("key F1 Ctrl-C").strokes, keystrokes("{F1}{Ctrl-C}"));
}

TEST(Script, MouseStepsMoveAndPress)
{
    const auto move = only_step<step::Mouse>("mouse move 10 -5");
    EXPECT_EQ(move.dx, 10);
    EXPECT_EQ(move.dy, -5);
    const auto click = only_step<step::Mouse>("mouse click right");
    EXPECT_EQ(click.press, 2);
    EXPECT_EQ(click.release, 2);
}

TEST(Script, CompareTakesToleranceMasksAndTime)
{
    const auto compare = only_step<step::Compare>(
        "compare shot.png tolerance 0.5% mask 1,2,3,4 mask 5,6,7,8 within 10s");
    EXPECT_EQ(compare.path, "tests/shot.png");
    EXPECT_EQ(compare.tolerance_percent, 0.5);
    ASSERT_EQ(compare.masked.size(), 2U);
    EXPECT_EQ(compare.masked[1].height, 8U);
    EXPECT_EQ(compare.within, 10 * kSecond);
}

TEST(Script, FilesAreCheckedByTextOrMd5)
{
    const auto text = only_step<step::CheckFile>("file-on c '\\A\\B.TXT' contains \"x\"");
    EXPECT_EQ(text.drive, "hda");
    EXPECT_EQ(text.path, "\\A\\B.TXT");
    EXPECT_EQ(text.contains, "x");
    const auto sum =
        only_step<step::CheckFile>("file-md5 a X.BIN D41D8CD98F00B204E9800998ECF8427E");
    EXPECT_EQ(sum.md5, "d41d8cd98f00b204e9800998ecf8427e");
}

TEST(Script, HashesAreHexadecimal)
{
    EXPECT_EQ(only_step<step::StateHash>("state-hash 00ff").expected, 0xFFU);
    EXPECT_EQ(only_step<step::StateHash>("print-hash").expected, std::nullopt);
}

TEST(Script, MistakesNameFileAndLine)
{
    EXPECT_EQ(refusal("wait 1s\nexpct x\n"),
              "tests/x.test:2: 'expct' is unknown (did you mean expect?)");
    for (const char* text :
         {"", "wait", "wait soon", "wait 1s 2s", "expect", "expect \"x\" within", "expect \"\"",
          "expect-regex \"(\"", "key NoSuchKey", "mouse jump", "compare x.png tolerance much",
          "compare x.png mask 1,2", "insert q x.img", "floppy hda x.img\nreset", "file-on a x",
          "state-hash xyz", "reset now", "reset\nboot x.img", "expect-exit ten"})
        EXPECT_NE(refusal(text), "") << text;
}

TEST(Junit, CountsAndEscapes)
{
    const std::vector<TestReport> reports = {
        {"a<b", {}, 1.5},
        {"c", {TestResult::Outcome::Failed, "x & \"y\"", 0}, 0},
        {"d", {TestResult::Outcome::Skipped, "no file", 0}, 0},
    };
    const std::string text = junit_text(reports);
    EXPECT_NE(text.find("tests=\"3\" failures=\"1\" skipped=\"1\""), std::string::npos);
    EXPECT_NE(text.find("name=\"a&lt;b\" time=\"1.500\""), std::string::npos);
    EXPECT_NE(text.find("x &amp; &quot;y&quot;"), std::string::npos);
    EXPECT_NE(text.find("<skipped message=\"no file\"/>"), std::string::npos);
}

}  // namespace
}  // namespace reprise
