/// What the command line says.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "frontend/driver.h"
#include "machine/config.h"

namespace CLI {
class App;
}

namespace reprise {

/// Thrown for --help: not an error, but the command ends there.
struct HelpRequested {
    std::string text;
};

/// Options that describe the machine, shared by `run` and the `option` lines of test scripts.
/// An option that was not given changes nothing.
struct MachineOptions {
    std::string machine_file;
    std::string cpu, mips, memory, boot, bios, vgabios, rtc, geometry;
    std::map<std::string, std::string> drives;  // "fda" .. "hdd", "cdrom" to a path
    std::string floppy_type_a, floppy_type_b;
    std::string serial, serial2, parallel;
    std::string kernel, initrd, append, kernel_entry;
    bool snapshot = false, read_only = false;

    void add_to(CLI::App& app);
    /// True if an option was given that a saved machine could not follow.
    bool any() const;
    /// The machine file or the defaults, with the options applied. Throws UsageError, HostError.
    MachineConfig config() const;
};

enum class DisplayKind { Automatic, Window, Terminal, Headless };

/// Automatic: the translator, if there is one for this host.
enum class EngineChoice { Automatic, Interpreter, Translator };

/// Gives a new machine its engine. Throws UsageError if it is to have a translator and there is none.
void choose_engine(Machine& machine, EngineChoice choice);

struct RunOptions {
    MachineOptions machine;
    EngineChoice engine = EngineChoice::Automatic;
    bool statistics = false;
    std::vector<std::string> images;
    DisplayKind display = DisplayKind::Automatic;
    int scale = 0;  // 0: what fits the desktop
    bool smooth = false, fullscreen = false, mute = false;
    std::optional<u32> speed = 100;  // percent; nothing: as fast as possible
    bool speed_given = false;
    std::optional<Time> exit_after;
    std::optional<u64> exit_at_instruction;
    bool state_hash = false, screen_text = false;
    std::string screenshot, save;
    std::vector<std::string> type;
    TypingPace pace;
    std::string debugcon, guest_log, post;
    std::string gdb;         // [ADDRESS:]PORT; empty: no server
    bool gdb_waits = true;  // the guest stays at its first instruction until gdb lets it run
    std::optional<u16> post_port;
};

struct TestOptions {
    std::vector<std::string> files;
    std::string media, artifacts, junit, filter;
    bool verbose = false, state_hash = false;
    EngineChoice engine = EngineChoice::Automatic;
    std::optional<u64> switch_engines;  // the seed of the moments when
};

// `arguments` are what follows the command's name. They throw UsageError and HelpRequested.
RunOptions parse_run(const std::vector<std::string>& arguments);
TestOptions parse_test(const std::vector<std::string>& arguments);
MachineOptions parse_machine_options(const std::vector<std::string>& arguments);

/// Puts a drive where a machine of the family expects it: CD-ROMs from the secondary master on,
/// hard disks from the primary master on. Throws UsageError if all four places are taken.
DriveConfig& free_ata_drive(MachineConfig& config, bool cdrom);

/// "a.mod x=1,b.mod": files with their arguments; a comma in a name is written twice. A file whose
/// name has blanks is recognised if it exists.
std::vector<KernelModule> parse_initrd(const std::string& text);

/// QEMU's single-dash long options (-hda) as this program's (--hda).
std::vector<std::string> with_long_options(std::vector<std::string> arguments);

/// Lets CLI11 have the arguments. Throws UsageError and HelpRequested.
void parse_arguments(CLI::App& app, const std::vector<std::string>& arguments);

/// The model that a name on the command line means ("486": "80486"). Throws UsageError.
std::string cpu_model(const std::string& name);

/// "50" or "50%" percent, or "max" for nothing. Throws UsageError.
std::optional<u32> parse_speed(const std::string& text);

}  // namespace reprise
