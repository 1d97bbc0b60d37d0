#include "frontend/options.h"

#include <gtest/gtest.h>

#include "frontend/errors.h"

namespace reprise {
namespace {

using Arguments = std::vector<std::string>;

std::string refusal(const Arguments& arguments)
{
    try {
        parse_run(arguments).machine.config();
    } catch (const UsageError& error) {
        return error.what();
    }
    return "";
}

TEST(Options, ImagesAndOptionsMix)
{
    const RunOptions options = parse_run({"dos.img", "--headless", "--exit-after", "5s", "cd.iso"});
    EXPECT_EQ(options.images, (Arguments{"dos.img", "cd.iso"}));
    EXPECT_EQ(options.display, DisplayKind::Headless);
    EXPECT_EQ(options.exit_after, 5 * kSecond);
}

TEST(Options, QemusShortFormsWork)
{
    const RunOptions options = parse_run(
        {"-fda", "a.img", "-hda", "c.img", "-cdrom", "d.iso", "-boot", "order=dc", "-m", "16"});
    const MachineConfig config = options.machine.config();
    EXPECT_EQ(config.floppy[0].path, "a.img");
    EXPECT_EQ(config.ata[0].path, "c.img");
    EXPECT_EQ(config.ata[2].path, "d.iso");
    EXPECT_TRUE(config.ata[2].cdrom);
    EXPECT_EQ(config.boot_order, "dc");
    EXPECT_EQ(config.memory_bytes, u64{16} << 20);
}

TEST(Options, ClockRatesAreExactFractions)
{
    const MachineConfig config = parse_run({"--mips", "4.77"}).machine.config();
    EXPECT_EQ(config.cpu_mips_numerator, 477U);
    EXPECT_EQ(config.cpu_mips_denominator, 100U);
}

TEST(Options, CpuModelsHaveShortNames)
{
    EXPECT_EQ(parse_run({"--cpu", "386"}).machine.config().cpu_model, "80386");
    EXPECT_EQ(parse_run({"--cpu", "8088"}).machine.config().cpu_model, "8086");
    EXPECT_NE(refusal({"--cpu", "pentum"}).find("did you mean pentium?"), std::string::npos);
}

TEST(Options, DriveFlagsHoldForAllDrives)
{
    const MachineConfig config = parse_run({"--hda", "c.img", "--snapshot"}).machine.config();
    EXPECT_TRUE(config.ata[0].snapshot);
    EXPECT_TRUE(config.floppy[0].snapshot);
}

TEST(Options, GeometriesReachTheDrives)
{
    const MachineConfig config =
        parse_run({"--hda", "c.img", "--geometry", "615/4/17", "--floppy-type", "360K"})
            .machine.config();
    EXPECT_EQ(config.ata[0].geometry, (Geometry{615, 4, 17}));
    EXPECT_EQ(config.floppy[0].geometry, (Geometry{40, 2, 9}));
}

TEST(Options, AnUnknownOptionGetsASuggestion)
{
    EXPECT_NE(refusal({"--headles"}).find("did you mean --headless?"), std::string::npos);
    EXPECT_NE(refusal({"--exitafter=5s"}).find("--exit-after"), std::string::npos);
}

TEST(Options, BadValuesSayWhatIsExpected)
{
    EXPECT_NE(refusal({"--memory", "lots"}).find("16M"), std::string::npos);
    EXPECT_NE(refusal({"--boot", "xyz"}).find("letters"), std::string::npos);
    EXPECT_NE(refusal({"--geometry", "1/2"}).find("615/4/17"), std::string::npos);
    EXPECT_NE(refusal({"--exit-after", "soon"}).find("5s"), std::string::npos);
    EXPECT_NE(refusal({"--mips", "0"}).find("--mips"), std::string::npos);
    EXPECT_NE(refusal({"--display", "hologram"}).find("terminal"), std::string::npos);
    EXPECT_NE(refusal({"--speed", "0"}).find("max"), std::string::npos);
    EXPECT_NE(refusal({"--rtc", "noon"}).find("2001-09-09"), std::string::npos);
    EXPECT_NE(refusal({"--headless", "--display", "window"}), "");
}

TEST(Options, TextToTypeIsCheckedAtOnceAndMayRepeat)
{
    EXPECT_NE(refusal({"--type", "{Nokey}"}), "");
    EXPECT_EQ(parse_run({"--type", "a", "--type", "b", "x.img"}).type, (Arguments{"a", "b"}));
}

TEST(Options, SpeedIsAPercentageOrMax)
{
    EXPECT_EQ(parse_run({}).speed, 100U);
    EXPECT_EQ(parse_run({"--speed", "250%"}).speed, 250U);
    EXPECT_EQ(parse_run({"--speed", "max"}).speed, std::nullopt);
}

TEST(Options, PostPortsAreOptional)
{
    EXPECT_EQ(parse_run({"--post", "post.log"}).post, "post.log");
    const RunOptions options = parse_run({"--post", "0x84:post.log"});
    EXPECT_EQ(options.post, "post.log");
    EXPECT_EQ(options.post_port, 0x84);
}

TEST(Options, AFifthDriveIsRefused)
{
    MachineConfig config;
    for (int i = 0; i < 4; ++i) free_ata_drive(config, false).path = "x";
    EXPECT_THROW(free_ata_drive(config, true), UsageError);
}

TEST(Options, AKernelComesWithModulesAndACommandLine)
{
    const auto kernel = [](const std::vector<std::string>& arguments) {
        return parse_run(arguments).machine.config().kernel;
    };
    const KernelConfig all = kernel({"-kernel", "k", "-initrd", "a.mod x=1 y,b,,c", "--append",
                                     "quiet single", "--kernel-entry", "multiboot"});
    EXPECT_EQ(all.path, "k");
    EXPECT_EQ(all.initrd, (std::vector<KernelModule>{{"a.mod", "x=1 y"}, {"b,c", ""}}));
    EXPECT_EQ(all.append, "quiet single");
    EXPECT_EQ(all.entry, "multiboot");
    EXPECT_THROW(kernel({"--initrd", "a"}), UsageError);
    EXPECT_THROW(kernel({"--append", "a"}), UsageError);
    EXPECT_THROW(kernel({"--kernel", "k", "--initrd", "a,,b,"}), UsageError);
    EXPECT_THROW(kernel({"--kernel", "k", "--kernel-entry", "8"}), UsageError);
}

TEST(Options, HelpIsNoError)
{
    EXPECT_THROW(parse_run({"--help"}), HelpRequested);
    EXPECT_THROW(parse_test({"--help"}), HelpRequested);
}

}  // namespace
}  // namespace reprise
