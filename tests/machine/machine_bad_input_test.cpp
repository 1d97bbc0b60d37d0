/// What a machine cannot be made of is refused with a sentence, and a machine that is refused
/// something stays as it was.
#include <gtest/gtest.h>

#include "machine/savestate_file.h"
#include "tests/machine/machine_test.h"

using namespace reprise;
using namespace reprise::test;

namespace {

std::string refusal(const MachineConfig& config)
{
    return error_of([&] { Machine machine(config); });
}

TEST(MachineBadInput, MissingFirmwareNamesTheFile)
{
    MachineConfig config;
    config.bios_path = "/nowhere/bios.bin";
    EXPECT_EQ(refusal(config), "cannot read BIOS '/nowhere/bios.bin': No such file or directory");
    config = {};
    config.vgabios_path = "/nowhere/vga.bin";
    EXPECT_EQ(refusal(config),
              "cannot read VGA BIOS '/nowhere/vga.bin': No such file or directory");
}

TEST(MachineBadInput, AnUnknownProcessorIsNamed)
{
    MachineConfig config;
    config.cpu_model = "z80";
    EXPECT_NE(refusal(config).find("unknown CPU model 'z80'"), std::string::npos);
}

TEST(MachineBadInput, AMissingImageIsNamedForEveryDrive)
{
    for (int drive = 0; drive < 6; ++drive) {
        MachineConfig config;
        DriveConfig& place = drive < 2 ? config.floppy[static_cast<std::size_t>(drive)]
                                       : config.ata[static_cast<std::size_t>(drive - 2)];
        place.path = "/nowhere/disk.img";
        EXPECT_NE(refusal(config).find("'/nowhere/disk.img'"), std::string::npos)
            << "drive " << drive;
        EXPECT_NE(refusal(config).find("No such file or directory"), std::string::npos)
            << "drive " << drive;
    }
}

TEST(MachineBadInput, AFolderIsNoImage)
{
    const TemporaryFolder folder;
    MachineConfig config;
    config.ata[0].path = folder.path();
    EXPECT_NE(refusal(config).find(folder.path()), std::string::npos);
}

TEST(MachineBadInput, TwoMachinesCannotWriteTheSameImage)
{
    const TemporaryFolder folder;
    MachineConfig config;
    config.floppy[0].path = folder.zeros("floppy.img", 1440 * 1024);
    const Machine first(config);
    EXPECT_NE(refusal(config).find(config.floppy[0].path), std::string::npos);
}

// ---- Savestates
// ------------------------------------------------------------------------------------

std::string load_refusal(const std::string& path)
{
    return error_of([&] { Machine::load(path); });
}

/// A small machine, saved.
struct Saved {
    Saved()
    {
        MachineConfig config;
        config.memory_bytes = 1 << 20;
        config.floppy[0].path = folder.zeros("floppy.img", 1440 * 1024);
        Machine(config).save(path);
    }
    TemporaryFolder folder;
    std::string path = folder / "machine.state";
};

TEST(MachineBadInput, AMissingSavestateIsNamed)
{
    EXPECT_NE(load_refusal("/nowhere/a.state").find("'/nowhere/a.state'"), std::string::npos);
}

TEST(MachineBadInput, AnImageThatChangedSinceTheSaveIsRefused)
{
    const Saved saved;
    EXPECT_EQ(load_refusal(saved.path), "");
    saved.folder.text("floppy.img", std::string(1440 * 1024, 'x'));
    EXPECT_NE(load_refusal(saved.path).find("has changed since the machine was saved"),
              std::string::npos);
}

TEST(MachineBadInput, ASavestateWhoseImageIsGoneNamesIt)
{
    const Saved saved;
    std::filesystem::remove(saved.folder / "floppy.img");
    EXPECT_NE(load_refusal(saved.path).find(saved.folder / "floppy.img"), std::string::npos);
}

TEST(MachineBadInput, ASavestateWithoutAPartOfTheMachineIsRefused)
{
    const Saved saved;
    const SavestateFile whole = SavestateFile::read(saved.path);
    for (const char* missing : {"config", "media", "state", "ram"}) {
        SavestateFile part;
        part.identity = whole.identity;
        for (const char* name : {"config", "media", "state", "ram"})
            if (name != std::string_view(missing)) part.add_chunk(name, whole.chunk(name));
        part.write(saved.path);
        EXPECT_NE(load_refusal(saved.path), "") << missing;
    }
}

TEST(MachineBadInput, ASavestateCutShortAtAnyChunkIsRefused)
{
    const Saved saved;
    const SavestateFile whole = SavestateFile::read(saved.path);
    for (const char* shortened : {"config", "media", "state", "ram"}) {
        SavestateFile file;
        file.identity = whole.identity;
        for (const char* name : {"config", "media", "state", "ram"}) {
            std::vector<u8> content = whole.chunk(name);
            if (name == std::string_view(shortened)) content.resize(content.size() / 2);
            file.add_chunk(name, content);
        }
        file.write(saved.path);
        EXPECT_NE(load_refusal(saved.path), "") << shortened;
    }
}

TEST(MachineBadInput, AStateForAnotherMachineIsRefused)
{
    const Saved saved;
    const SavestateFile whole = SavestateFile::read(saved.path);
    MachineConfig other;
    other.memory_bytes = 2 << 20;
    other.floppy[0].path = saved.folder / "floppy.img";
    other.ata[2].cdrom = true;
    SavestateFile file;
    const std::string toml = save_machine_toml(other);
    file.add_chunk("config", {toml.begin(), toml.end()});
    for (const char* name : {"media", "state", "ram"}) file.add_chunk(name, whole.chunk(name));
    file.write(saved.path);
    EXPECT_NE(load_refusal(saved.path), "");
}

TEST(MachineBadInput, SavingToWhereNothingCanBeWrittenLeavesTheMachineAsItWas)
{
    const auto machine = booted().start({}), untouched = booted().start({});
    EXPECT_NE(error_of([&] { machine->save("/nowhere/a.state"); }).find("/nowhere"),
              std::string::npos);
    EXPECT_TRUE(same_state(*untouched, *machine));
}

// ---- Media
// -----------------------------------------------------------------------------------------

TEST(MachineBadInput, AMediumThatCannotBeOpenedLeavesTheOldOneInTheDrive)
{
    const auto machine = booted().start({}), untouched = booted().start({});
    const std::string refused = error_of([&] {
        machine->inject(MediaInput{"fda", "/nowhere/b.img"});
    });
    EXPECT_NE(refused.find("'/nowhere/b.img'"), std::string::npos);
    EXPECT_TRUE(same_state(*untouched, *machine));
    EXPECT_EQ(machine->config().floppy[0].path, booted().config().floppy[0].path);
}

TEST(MachineBadInput, ADriveThatIsNotThereIsNamed)
{
    const auto machine = booted().start({});
    for (const char* drive : {"fdc", "hda", "hdx", "", "floppy"})
        EXPECT_NE(error_of([&] {
                      machine->inject(MediaInput{drive, ""});
                  }).find("'" + std::string(drive) + "'"),
                  std::string::npos)
            << drive;
}

TEST(MachineBadInput, InputThatNoKeyboardOrMouseCouldSendIsIgnored)
{
    const auto machine = booted().start({});
    for (int usage = 0; usage < 256; ++usage)
        machine->inject(KeyInput{static_cast<u8>(usage), usage % 2 == 0});
    machine->inject(MouseInput{1 << 30, -(1 << 30), 1 << 30, 0xFF});
    machine->inject(SerialInput{7, std::vector<u8>(10'000, 0xAA)});
    machine->inject(SerialInput{-1, {1, 2, 3}});
    EXPECT_EQ(machine->run_until(machine->now() + 100 * kMillisecond), Stop::Reached);
}

}  // namespace
