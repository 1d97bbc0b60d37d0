#include "frontend/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "frontend/errors.h"
#include "frontend/units.h"

namespace reprise {

namespace {

const std::vector<std::string> drive_names = {"fda", "fdb", "hda", "hdb", "hdc", "hdd", "cdrom"};

std::vector<std::string> option_names(const CLI::App& app)
{
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options())
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    return names;
}

[[noreturn]] void bad_value(const char* option, const std::string& value, const char* expected)
{
    throw UsageError(fmt::format("{} {}: expected {}", option, value, expected));
}

/// `value` through `parser`, or the error that says what was expected.
template <class Parser>
auto required(const char* option, const std::string& value, const char* expected, Parser parser)
{
    auto result = parser(value);
    if (!result) bad_value(option, value, expected);
    return *result;
}

std::string boot_order(std::string text)
{
    static const std::map<std::string, std::string> names = {
        {"floppy", "a"}, {"disk", "c"}, {"hd", "c"}, {"cd", "d"}, {"cdrom", "d"}};
    if (text.starts_with("order=")) text.erase(0, 6);
    if (const auto found = names.find(text); found != names.end()) return found->second;
    if (text.empty() || text.find_first_not_of("acd") != text.npos)
        bad_value("--boot", text, "letters of a (floppy), c (disk), d (CD), such as 'dc'");
    return text;
}

std::optional<Geometry> floppy_geometry(const std::string& name)
{
    static const std::map<std::string, Geometry> types_by_name = {
        {"160K", {40, 1, 8}},   {"180K", {40, 1, 9}},   {"320K", {40, 2, 8}},
        {"360K", {40, 2, 9}},   {"720K", {80, 2, 9}},   {"1.2M", {80, 2, 15}},
        {"1200K", {80, 2, 15}}, {"1.44M", {80, 2, 18}}, {"1440K", {80, 2, 18}},
        {"2.88M", {80, 2, 36}}, {"2880K", {80, 2, 36}}};
    std::string upper = name;
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const auto found = types_by_name.find(upper);
    if (found == types_by_name.end()) return std::nullopt;
    return found->second;
}

void set_clock(MachineConfig& config, const std::string& mips)
{
    const Fraction value =
        required("--mips", mips, "millions of instructions per second, such as 100 or 4.77",
                 [](const std::string& text) { return parse_fraction(text); });
    if (value.numerator == 0 || value.numerator > 100'000 * value.denominator)
        bad_value("--mips", mips, "a number from 0.000001 to 100000");
    config.cpu_mips_numerator = value.numerator;
    config.cpu_mips_denominator = value.denominator;
}

void set_drives(MachineConfig& config, const MachineOptions& options)
{
    for (const auto& [name, path] : options.drives) {
        if (path.empty() || name == "cdrom") continue;
        const auto index = static_cast<std::size_t>(name[2] - 'a');
        DriveConfig& drive = name[0] == 'f' ? config.floppy[index] : config.ata[index];
        drive.path = path;
        drive.present = true;
        drive.cdrom = false;
    }
    const auto cdrom = options.drives.find("cdrom");
    if (cdrom == options.drives.end() || cdrom->second.empty()) return;
    const auto existing = std::ranges::find_if(config.ata, &DriveConfig::cdrom);
    DriveConfig& drive = existing != config.ata.end() ? *existing : free_ata_drive(config, true);
    drive.path = cdrom->second;
}

void set_kernel(KernelConfig& kernel, const MachineOptions& options)
{
    static const std::vector<std::string> entries = {"16", "32", "64", "multiboot"};
    if (!options.kernel.empty()) kernel.path = options.kernel;
    if (!options.initrd.empty()) kernel.initrd = parse_initrd(options.initrd);
    if (!options.append.empty()) kernel.append = options.append;
    if (!options.kernel_entry.empty()) kernel.entry = options.kernel_entry;
    if (!kernel.entry.empty() && std::ranges::find(entries, kernel.entry) == entries.end())
        bad_value("--kernel-entry", kernel.entry, "16, 32, 64 or multiboot");
    if (!kernel.path.empty()) return;
    for (const auto& [name, value] :
         {std::pair{"--initrd", &options.initrd}, std::pair{"--append", &options.append},
          std::pair{"--kernel-entry", &options.kernel_entry}})
        if (!value->empty())
            throw UsageError(fmt::format("{} is for a kernel: name one with --kernel", name));
}

void set_drive_properties(MachineConfig& config, const MachineOptions& options)
{
    if (!options.geometry.empty())
        config.ata[0].geometry =
            required("--geometry", options.geometry, "cylinders/heads/sectors, such as 615/4/17",
                     [](const std::string& text) { return parse_geometry(text); });
    const std::string* types[] = {&options.floppy_type_a, &options.floppy_type_b};
    for (std::size_t i = 0; i < 2; ++i)
        if (!types[i]->empty()) {
            config.floppy[i].present = true;
            config.floppy[i].geometry =
                required(i ? "--floppy-type-b" : "--floppy-type", *types[i],
                         "160K, 180K, 320K, 360K, 720K, 1.2M, 1.44M or 2.88M", floppy_geometry);
        }
    const auto set_flags = [&](DriveConfig& drive) {
        if (options.snapshot) drive.snapshot = true;
        if (options.read_only) drive.read_only = true;
    };
    std::ranges::for_each(config.floppy, set_flags);
    std::ranges::for_each(config.ata, set_flags);
}

/// The raw text of options that need more than CLI11's conversions.
struct RunTexts {
    std::string display, speed, exit_after, type_pace, post;
    bool headless = false;
};

void add_engine_option(CLI::App& app, EngineChoice& engine)
{
    static const std::map<std::string, EngineChoice> names = {{"auto", EngineChoice::Automatic},
                                                              {"interpreter", EngineChoice::Interpreter},
                                                              {"translator", EngineChoice::Translator}};
    app.add_option("--engine", engine, "interpreter, translator, or auto (default): the translator, if the host has one")
        ->transform(CLI::Transformer(names))
        ->check(CLI::IsMember({EngineChoice::Automatic, EngineChoice::Interpreter, EngineChoice::Translator}))
        ->group("Running");
}

void add_run_options(CLI::App& app, RunOptions& options, RunTexts& texts)
{
    app.add_option("IMAGE", options.images,
                   "Disk images (what each is for is seen from its content), or a saved machine");
    app.add_option("--display", texts.display, "window, terminal or headless")->group("Display");
    app.add_flag("--headless", texts.headless, "Same as --display headless")->group("Display");
    app.add_option("--scale", options.scale, "Size of the window, in multiples of the picture")
        ->check(CLI::Range(1, 16))
        ->group("Display");
    app.add_flag("--smooth", options.smooth, "Smooth scaling that fills the window")
        ->group("Display");
    app.add_flag("--fullscreen", options.fullscreen, "Start in full screen")->group("Display");
    app.add_flag("--mute", options.mute, "Start with the sound off")->group("Display");
    app.add_option("--speed", texts.speed, "Percent of real time, or max")->group("Running");
    add_engine_option(app, options.engine);
    app.add_flag("--stats", options.statistics, "Print what the translator did, at exit")
        ->group("At exit");
    app.add_option("--exit-after", texts.exit_after, "Guest time to run: 5s, 250ms, 1m")
        ->group("Running");
    app.add_option("--exit-at-instruction", options.exit_at_instruction,
                   "Stop when so many instructions have retired since power-on")
        ->group("Running");
    app.add_option("--type", options.type,
                   "Keys to type from the start; with \\n, {F1}, {Ctrl-C}, {wait 2s}, {{ and \\\\")
        ->group("Running")
        ->allow_extra_args(false);
    app.add_option("--type-pace", texts.type_pace, "Guest time per typed key (default 40ms)")
        ->group("Running");
    app.add_flag("--state-hash", options.state_hash, "Print the hash of the whole state at exit")
        ->group("At exit");
    app.add_option("--screenshot", options.screenshot, "Write the screen as PNG at exit")
        ->group("At exit");
    app.add_flag("--screen-text", options.screen_text, "Print the text on the screen at exit")
        ->group("At exit");
    app.add_option("--save", options.save, "Save the machine at exit; 'run FILE' resumes it")
        ->group("At exit");
    app.add_option("--debugcon", options.debugcon,
                   "Where bytes written to ports E9h and 402h go: a file, or - for stdout")
        ->group("Connections");
    app.add_option("--post", texts.post, "[PORT:]FILE for power-on codes, - for stdout")
        ->group("Connections");
    app.add_option("--guest-log", options.guest_log,
                   "Where nonsense the guest did is noted: a file, or - for stderr")
        ->group("Connections");
}

void add_gdb_options(CLI::App& app, RunOptions& options)
{
    app.add_option("--gdb", options.gdb,
                   "[ADDRESS:]PORT where gdb can connect; the guest waits for it, stopped")
        ->group("Connections");
    app.add_flag_callback(
           "--gdb-nowait", [&options] { options.gdb_waits = false; },
           "The guest does not wait for gdb")
        ->group("Connections");
}

DisplayKind display_kind(const RunTexts& texts)
{
    if (texts.headless && !texts.display.empty() && texts.display != "headless")
        throw UsageError("--headless and --display " + texts.display + " exclude each other");
    if (texts.headless || texts.display == "headless") return DisplayKind::Headless;
    if (texts.display == "window") return DisplayKind::Window;
    if (texts.display == "terminal") return DisplayKind::Terminal;
    if (!texts.display.empty())
        bad_value("--display", texts.display, "window, terminal or headless");
    return DisplayKind::Automatic;
}

void set_post(RunOptions& options, const std::string& text)
{
    options.post = text;
    const std::size_t colon = text.find(':');
    if (colon == text.npos || colon == 0) return;
    const std::string port_text = text.substr(0, colon);
    if (port_text.find_first_not_of("0123456789abcdefABCDEFxX") != port_text.npos) return;
    char* end = nullptr;
    const unsigned long port = std::strtoul(port_text.c_str(), &end, 0);
    if (*end || port > 0xFFFF) bad_value("--post", text, "PORT:FILE such as 0x84:post.log");
    options.post_port = static_cast<u16>(port);
    options.post = text.substr(colon + 1);
}

constexpr const char* kTimeForm = "a length of guest time such as 5s, 250ms or 1m";

}  // namespace

void parse_arguments(CLI::App& app, const std::vector<std::string>& arguments)
{
    app.allow_extras();
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    try {
        app.parse(reversed);
    } catch (const CLI::CallForHelp&) {
        throw HelpRequested{app.help()};
    } catch (const CLI::ParseError& error) {
        throw UsageError(error.what());
    }
    for (const std::string& extra : app.remaining())
        if (extra.starts_with('-'))
            throw UsageError(fmt::format(
                "there is no option {}{}; see 'reprise {} --help'", extra,
                suggestion(extra.substr(0, extra.find('=')), option_names(app)), app.get_name()));
    if (!app.remaining().empty())
        throw UsageError(fmt::format("what is '{}' for? See 'reprise {} --help'",
                                     app.remaining().front(), app.get_name()));
}

std::string cpu_model(const std::string& name)
{
    static const std::map<std::string, std::string> short_forms = {
        {"8088", "8086"}, {"286", "80286"},  {"386", "80386"},  {"i386", "80386"},
        {"486", "80486"}, {"i486", "80486"}, {"586", "pentium"}};
    if (const auto found = short_forms.find(name); found != short_forms.end()) return found->second;
    const std::vector<std::string> models = cpu_model_names();
    if (std::ranges::find(models, name) != models.end()) return name;
    throw UsageError(fmt::format("--cpu {}: there is no such model{}; known: {}", name,
                                 suggestion(name, models), fmt::join(models, ", ")));
}

void MachineOptions::add_to(CLI::App& app)
{
    const auto option = [&](const char* names, std::string& value, const std::string& text) {
        app.add_option(names, value, text)->group("Machine");
    };
    option("--machine", machine_file, "A machine file (TOML); options override it");
    option("--cpu", cpu, fmt::format("{}", fmt::join(cpu_model_names(), ", ")));
    option("--mips", mips, "Guest instructions per microsecond (default 100)");
    option("-m,--memory", memory, "Size of RAM, such as 640K or 16M (a plain number: MiB)");
    option("--boot", boot, "Boot order: letters of a, c, d");
    for (const std::string& name : drive_names)
        app.add_option("--" + name, drives[name],
                       name == "cdrom" ? "CD image" : "Image in drive " + name)
            ->group("Drives");
    const auto drive_option = [&](const char* names, std::string& value, const char* text) {
        app.add_option(names, value, text)->group("Drives");
    };
    drive_option("--geometry", geometry, "Cylinders/heads/sectors of hda");
    drive_option("--floppy-type", floppy_type_a, "Format in drive A:, such as 360K or 1.44M");
    drive_option("--floppy-type-b", floppy_type_b, "Format in drive B:");
    app.add_flag("--snapshot", snapshot, "Keep all writes in memory")->group("Drives");
    app.add_flag("--read-only", read_only, "Write-protect all media")->group("Drives");
    option("--bios", bios, "System BIOS (default: Debian's seabios)");
    option("--vgabios", vgabios, "VGA BIOS (default: Debian's seabios)");
    option("--kernel", kernel, "Start this Linux or multiboot kernel instead of a disk");
    option("--initrd", initrd, "Its initial RAM disk, or FILE ARGUMENTS,... for its modules");
    option("--append", append, "Its command line");
    option("--kernel-entry", kernel_entry,
           "16, 32, 64 or multiboot (default: what it is made for)");
    option("--rtc", rtc, "What the clock shows at power-on: now, 2001-09-09T01:46, seconds");
    option("--serial", serial, "COM1: none, stdio, file:PATH, pty, tcp:[HOST:]PORT");
    option("--serial2", serial2, "COM2, likewise");
    option("--parallel", parallel, "File that LPT1 writes to");
}

bool MachineOptions::any() const
{
    for (const std::string* text : {&machine_file, &cpu, &mips, &memory, &boot, &bios, &vgabios,
                                    &rtc, &geometry, &floppy_type_a, &floppy_type_b, &serial,
                                    &serial2, &parallel, &kernel, &initrd, &append, &kernel_entry})
        if (!text->empty()) return true;
    return std::ranges::any_of(drives, [](const auto& drive) { return !drive.second.empty(); });
}

MachineConfig MachineOptions::config() const
{
    MachineConfig result = machine_file.empty() ? MachineConfig{} : load_machine_file(machine_file);
    if (!cpu.empty()) result.cpu_model = cpu_model(cpu);
    if (!mips.empty()) set_clock(result, mips);
    if (!memory.empty())
        result.memory_bytes =
            required("--memory", memory, "a size such as 640K, 16M or 1G",
                     [](const std::string& text) { return parse_size(text, u64{1} << 20); });
    if (!boot.empty()) result.boot_order = boot_order(boot);
    if (!bios.empty()) result.bios_path = bios;
    if (!vgabios.empty()) result.vgabios_path = vgabios;
    if (!rtc.empty())
        result.rtc_base =
            rtc == "now" ? host_wall_clock()
                         : required("--rtc", rtc, "now, 2001-09-09T01:46:40 or seconds since 1970",
                                    [](const std::string& text) { return parse_date(text); });
    if (!serial.empty()) result.serial[0].backend = serial;
    if (!serial2.empty()) result.serial[1].backend = serial2;
    if (!parallel.empty()) result.parallel_path = parallel;
    set_kernel(result.kernel, *this);
    set_drives(result, *this);
    set_drive_properties(result, *this);
    return result;
}

RunOptions parse_run(const std::vector<std::string>& arguments)
{
    CLI::App app("Run a PC", "run");
    RunOptions options;
    RunTexts texts;
    add_run_options(app, options, texts);
    add_gdb_options(app, options);
    options.machine.add_to(app);
    parse_arguments(app, with_long_options(arguments));
    options.display = display_kind(texts);
    options.speed_given = !texts.speed.empty();
    if (options.speed_given) options.speed = parse_speed(texts.speed);
    const auto time = [](const std::string& text) { return parse_time(text); };
    if (!texts.exit_after.empty())
        options.exit_after = required("--exit-after", texts.exit_after, kTimeForm, time);
    if (!texts.type_pace.empty()) {
        const Time pace = required("--type-pace", texts.type_pace, kTimeForm, time);
        options.pace = {pace / 2, pace - pace / 2};
    }
    if (!texts.post.empty()) set_post(options, texts.post);
    for (const std::string& text : options.type) keystrokes(text);  // complain now
    if (!options.gdb_waits && options.gdb.empty())
        throw UsageError("--gdb-nowait goes with --gdb PORT");
    return options;
}

TestOptions parse_test(const std::vector<std::string>& arguments)
{
    CLI::App app("Run guest test scripts (the language: frontend/README.md)", "test");
    TestOptions options;
    app.add_option("FILE", options.files, "Scripts, or directories of *.test files")->required();
    app.add_option("--media", options.media, "What ${REPRISE_MEDIA} stands for");
    app.add_option("--artifacts", options.artifacts, "Where pictures of failures go");
    app.add_option("--junit", options.junit, "Write the results as JUnit XML");
    app.add_option("--filter", options.filter, "Only scripts whose name contains this");
    app.add_flag("-v,--verbose", options.verbose, "Print every step");
    app.add_flag("--state-hash", options.state_hash,
                 "Print the hash of the whole state at the end of each script");
    add_engine_option(app, options.engine);
    app.add_option("--switch-engines", options.switch_engines,
                   "Change the engine at random moments, which this number chooses")
        ->group("Running");
    parse_arguments(app, arguments);
    return options;
}

void choose_engine(Machine& machine, EngineChoice choice)
{
    const bool translated = choice != EngineChoice::Interpreter &&
                            machine.set_engine(Engine::Translator);
    if (choice != EngineChoice::Translator || translated) return;
    throw UsageError(fmt::format("--engine translator: {}; use --engine auto or interpreter",
                                 machine.why_no_translator()));
}

MachineOptions parse_machine_options(const std::vector<std::string>& arguments)
{
    CLI::App app("", "run");
    MachineOptions options;
    options.add_to(app);
    parse_arguments(app, with_long_options(arguments));
    options.config();  // complain now
    return options;
}

std::vector<KernelModule> parse_initrd(const std::string& text)
{
    std::vector<std::string> elements(1);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == ',' && i + 1 < text.size() && text[i + 1] == ',')
            elements.back() += text[i++];
        else if (text[i] == ',') elements.emplace_back();
        else elements.back() += text[i];
    }
    std::vector<KernelModule> modules;
    for (const std::string& element : elements) {
        std::error_code ignored;
        const std::size_t blank =
            std::filesystem::exists(element, ignored) ? element.npos : element.find(' ');
        modules.push_back(
            {element.substr(0, blank), blank == element.npos ? "" : element.substr(blank + 1)});
        if (modules.back().path.empty())
            bad_value("--initrd", text, "names of files with commas between them");
    }
    return modules;
}

DriveConfig& free_ata_drive(MachineConfig& config, bool cdrom)
{
    for (const std::size_t i : {0, 1, 2, 3}) {
        DriveConfig& drive = config.ata[cdrom ? (i + 2) % 4 : i];
        if (!drive.path.empty() || drive.present) continue;
        drive.cdrom = cdrom;
        drive.present = true;
        return drive;
    }
    throw UsageError("all four ATA drives are in use");
}

std::vector<std::string> with_long_options(std::vector<std::string> arguments)
{
    static const std::vector<std::string> short_forms = {
        "-fda",      "-fdb",     "-hda",    "-hdb",      "-hdc",      "-hdd",
        "-cdrom",    "-boot",    "-serial", "-snapshot", "-parallel", "-bios",
        "-debugcon", "-display", "-kernel", "-initrd",   "-append"};
    for (std::string& argument : arguments) {
        if (argument == "--") break;
        const std::string name = argument.substr(0, argument.find('='));
        if (std::ranges::find(short_forms, name) != short_forms.end()) argument.insert(0, "-");
    }
    return arguments;
}

std::optional<u32> parse_speed(const std::string& text)
{
    if (text == "max") return std::nullopt;
    std::string digits = text;
    if (digits.ends_with('%')) digits.pop_back();
    const auto percent = parse_fraction(digits);
    if (!percent || percent->denominator != 1 || percent->numerator < 1 ||
        percent->numerator > 10'000)
        bad_value("--speed", text, "a percentage from 1 to 10000, or max");
    return static_cast<u32>(percent->numerator);
}

}  // namespace reprise
