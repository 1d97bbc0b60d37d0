#include "machine/config.h"

#include <gtest/gtest.h>

#include "machine/base/suggest.h"
#include "tests/machine/host_test.h"

using namespace reprise;
using namespace reprise::test;

namespace {

MachineConfig parsed(const std::string& text) { return parse_machine_toml(text, "m.toml"); }

std::string refusal(const std::string& text)
{
    return error_of([&] { parsed(text); });
}

}  // namespace

TEST(MachineFile, EmptyIsTheDefaultMachine) { EXPECT_EQ(parsed(""), MachineConfig{}); }

TEST(MachineFile, SetsEverything)
{
    const MachineConfig config = parsed(R"(
        boot = "ca"
        memory = "64M"
        fdb = "b.img"
        [cpu]
        model = "80486"
        mips = "105/88"
        [fda]
        image = "a.img"
        snapshot = true
        geometry = [80, 2, 18]
        [hda]
        image = "c.img"
        geometry = [306, 4, 17]
        read_only = true
        [hdc]
        cdrom = true
        present = true
        [firmware]
        bios = "bios.bin"
        vgabios = "/vga.bin"
        [serial]
        com1 = "tcp:4555"
        com2 = "file:out.txt"
        [parallel]
        lpt1 = "print.txt"
        [rtc]
        base = 2001-09-09T01:46:40
        [debug]
        post_port = 0x84
    )");
    EXPECT_EQ(config.boot_order, "ca");
    EXPECT_EQ(config.memory_bytes, u64{64} << 20);
    EXPECT_EQ(config.cpu_model, "80486");
    EXPECT_EQ(config.cpu_mips_numerator, 105u);
    EXPECT_EQ(config.cpu_mips_denominator, 88u);
    EXPECT_EQ(config.floppy[0].path, "a.img");
    EXPECT_TRUE(config.floppy[0].snapshot);
    EXPECT_EQ(config.floppy[0].geometry, (Geometry{80, 2, 18}));
    EXPECT_EQ(config.floppy[1].path, "b.img");
    EXPECT_EQ(config.ata[0].geometry, (Geometry{306, 4, 17}));
    EXPECT_TRUE(config.ata[0].read_only);
    EXPECT_TRUE(config.ata[2].cdrom);
    EXPECT_TRUE(config.ata[2].present);
    EXPECT_EQ(config.bios_path, "bios.bin");
    EXPECT_EQ(config.serial[0].backend, "tcp:4555");
    EXPECT_EQ(config.serial[1].backend, "file:out.txt");
    EXPECT_EQ(config.parallel_path, "print.txt");
    EXPECT_EQ(config.rtc_base, 1'000'000'000);
    EXPECT_EQ(config.post_port, 0x84);
    EXPECT_EQ(parsed(save_machine_toml(config)), config);
}

TEST(MachineFile, WritesWhatItReads)
{
    EXPECT_EQ(parsed(save_machine_toml(MachineConfig{})), MachineConfig{});
    MachineConfig config;
    config.ata[3].path = "/tmp/quote\" back\\slash\nnew line \xC3\xA4.img";
    config.rtc_base = 0;
    config.memory_bytes = 640 * 1024;
    EXPECT_EQ(parsed(save_machine_toml(config)), config);
}

TEST(MachineFile, RefusesToWriteWhatItCouldNotRead)
{
    MachineConfig config;
    config.ata[0].path = "latin1-\xE4.img";
    EXPECT_NE(error_of([&] { save_machine_toml(config); }), "");
}

TEST(MachineFile, UnderstandsTimesAndRates)
{
    EXPECT_EQ(parsed("rtc.base = 1970-01-01T00:00:00").rtc_base, 0);
    EXPECT_EQ(parsed("rtc.base = 2000-02-29T12:00:00Z").rtc_base, 951'825'600);
    EXPECT_EQ(parsed("rtc.base = 2000-02-29T12:00:00+01:00").rtc_base, 951'822'000);
}

TEST(MachineFile, NamesFileLineAndKey)
{
    EXPECT_EQ(refusal("boot = \"a\"\nmemroy = \"1M\""),
              "m.toml:2: there is no key 'memroy'; did you mean 'memory'?");
    EXPECT_EQ(refusal("[hda]\nimage = \"x\"\ngeometrie = [1,2,3]"),
              "m.toml:3: there is no key 'hda.geometrie'; did you mean 'geometry'?");
    EXPECT_EQ(refusal("[fda]\ncdrom = true"), "m.toml:2: there is no key 'fda.cdrom'");
    EXPECT_EQ(refusal("[cpu]\nmodel = \"pentum\""),
              "m.toml:2: cpu.model 'pentum' is not one of 8086, 80286, 80386, 80486, pentium, "
              "pentium-mmx, pentium2, pentium3, x86-64, x86-64-v2; did you mean 'pentium'?");
    EXPECT_EQ(refusal("cpu = 5"), "m.toml:1: 'cpu' is a section: write [cpu] above its keys");
    EXPECT_EQ(refusal("\n\nhda = 5"),
              "m.toml:3: 'hda' must be the path of an image, or a section [hda]");
    EXPECT_EQ(refusal("[hda]\nread_only = 1"), "m.toml:2: hda.read_only must be true or false");
    EXPECT_EQ(refusal("[debug]\npost_port = 65536"),
              "m.toml:2: debug.post_port is 65536; it must be from 0 to 65535");
    EXPECT_EQ(refusal("[hda]\ngeometry = [0, 16, 63]"),
              "m.toml:2: hda.geometry (cylinders) is 0; it must be from 1 to 65535");
    EXPECT_EQ(refusal("[serial]\ncom1 = \"studio\""),
              "m.toml:2: serial.com1 is \"studio\"; it must be none, stdio, file:PATH, pty or "
              "tcp:[HOST:]PORT; did you mean 'stdio'?");
    EXPECT_EQ(refusal("[serial]\ncom1 = \"stdio\"\ncom2 = \"stdio\""),
              "m.toml:3: serial.com2: only one serial port can be on stdio");
}

TEST(MachineFile, ChecksRanges)
{
    for (const char* memory : {"0", "-1", "4096", "\"3073M\"", "\"100\"", "\"1T\"", "\"\"",
                               "\"99999999999999999999M\"", "\"4G\"", "true", "\"1025\""})
        EXPECT_NE(refusal(std::string("memory = ") + memory), "") << memory;
    for (const char* mips : {"0", "-5", "0.0", "-1.5", "nan", "inf", "1e300", "2000000", "\"1/0\"",
                             "\"0/5\"", "\"1\"", "\"1/2x\"", "\"-1/-2\"", "[]"})
        EXPECT_NE(refusal(std::string("cpu.mips = ") + mips), "") << mips;
    for (const char* boot : {"\"x\"", "\"aa\"", "5"})
        EXPECT_NE(refusal(std::string("boot = ") + boot), "") << boot;
    for (const char* base : {"-1", "99999999999", "\"now\"", "2001-01-01", "01:02:03"})
        EXPECT_NE(refusal(std::string("rtc.base = ") + base), "") << base;
    EXPECT_EQ(parsed("cpu.mips = 0.33").cpu_mips_numerator, 33u);
    EXPECT_EQ(parsed("cpu.mips = 0.33").cpu_mips_denominator, 100u);
    EXPECT_EQ(parsed("memory = 16").memory_bytes, u64{16} << 20);
    EXPECT_EQ(parsed("memory = \"1G\"").memory_bytes, u64{1} << 30);
    EXPECT_EQ(parsed("memory = \"640K\"").memory_bytes, u64{640} << 10);
}

TEST(MachineFile, SyntaxErrorsNameTheLine)
{
    EXPECT_EQ(refusal("a = 1\nb = = 2").find("m.toml:2: "), 0u);
    EXPECT_EQ(refusal("\n[.cpu]").find("m.toml:2: "), 0u);
    EXPECT_EQ(refusal("\n\x01"),
              "m.toml:2: there is a control character; a machine file is a text");
    EXPECT_NE(refusal("memory = \"\xFF\xFE\""), "");
    EXPECT_NE(refusal(std::string("\0\0\0", 3)), "");
    EXPECT_NE(refusal(std::string(100'000, '[')), "");
    EXPECT_NE(refusal("x = " + std::string(100'000, '[')), "");
}

TEST(MachineFile, PathsAreRelativeToTheFile)
{
    TemporaryFolder folder;
    const std::string path = folder.text("pc.toml", R"(
        fda = "a.img"
        hda = "/disks/c.img"
        [firmware]
        bios = ""
        [serial]
        com1 = "file:out.txt"
        com2 = "file:/out.txt"
    )");
    const MachineConfig config = load_machine_file(path);
    EXPECT_EQ(config.floppy[0].path, folder / "a.img");
    EXPECT_EQ(config.ata[0].path, "/disks/c.img");
    EXPECT_EQ(config.bios_path, "");
    EXPECT_EQ(config.serial[0].backend, "file:" + (folder / "out.txt"));
    EXPECT_EQ(config.serial[1].backend, "file:/out.txt");
}

TEST(MachineFile, ThatCannotBeReadIsNamed)
{
    TemporaryFolder folder;
    EXPECT_EQ(
        error_of([&] { load_machine_file(folder / "none.toml"); }),
        "cannot read machine file '" + (folder / "none.toml") + "': No such file or directory");
    EXPECT_EQ(error_of([&] { load_machine_file(folder.path()); }),
              "cannot read machine file '" + folder.path() + "': it is a directory, not a file");
    EXPECT_NE(error_of([&] { load_machine_file(folder.zeros("big.toml", u64{8} << 30)); }), "");
}

TEST(ClosestMatch, FindsWhatWasMeant)
{
    const std::vector<std::string> words{"snapshot", "read_only", "cdrom", "image"};
    EXPECT_EQ(closest_match("snaphsot", words), "snapshot");
    EXPECT_EQ(closest_match("readonly", words), "read_only");
    EXPECT_EQ(closest_match("imge", words), "image");
    EXPECT_EQ(closest_match("xyz", words), std::nullopt);
    EXPECT_EQ(closest_match("", words), std::nullopt);
    EXPECT_EQ(closest_match(std::string(1'000'000, 'x'), words), std::nullopt);
}

TEST(MachineFile, KernelWithItsModules)
{
    const MachineConfig config = parsed(R"(
        [kernel]
        image = "vmlinuz"
        initrd = ["a.gz", {file = "b.mod", arguments = "x=1 y"}]
        append = "quiet"
        entry = "32"
    )");
    EXPECT_EQ(config.kernel.path, "vmlinuz");
    EXPECT_EQ(config.kernel.initrd, (std::vector<KernelModule>{{"a.gz", ""}, {"b.mod", "x=1 y"}}));
    EXPECT_EQ(config.kernel.append, "quiet");
    EXPECT_EQ(config.kernel.entry, "32");
    EXPECT_EQ(parse_machine_toml(save_machine_toml(config), "saved"), config);
    EXPECT_EQ(parsed("[kernel]\nimage = \"k\"\ninitrd = \"i\"").kernel.initrd,
              (std::vector<KernelModule>{{"i", ""}}));
    EXPECT_EQ(refusal("[kernel]\nentry = \"8\""),
              "m.toml:2: kernel.entry is \"8\"; it must be 16, 32, 64 or multiboot");
    EXPECT_EQ(refusal("[kernel]\ninitrd = [{fil = \"a\"}]"),
              "m.toml:2: there is no key 'kernel.initrd.fil'; did you mean 'file'?");
}
