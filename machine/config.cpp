#include "machine/config.h"

#include <fmt/format.h>

// The parser asserts what a wrong file such as "[.a]" does not keep to, just before it reports the
// error properly. Without the assertion it is the error that counts.
#define TOML_ASSERT(expr) static_assert(true)
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <numeric>
#include <sstream>

#include "cpu/model.h"
#include "machine/base/error.h"
#include "machine/base/suggest.h"
#include "machine/posix_file.h"

namespace reprise {

namespace {

constexpr u64 kMegabyte = u64{1} << 20;
constexpr u64 kMinMemory = 128 * 1024, kMaxMemory = 3072 * kMegabyte;  // below the PCI hole
constexpr u64 kMaxMachineFileBytes = kMegabyte;
constexpr i64 kMaxMips = 1'000'000, kMaxMipsDenominator = 1'000'000;
constexpr i64 kMaxRtc = 4'102'444'799;  // the end of 2099
constexpr std::string_view kKernelEntries[] = {"", "16", "32", "64", "multiboot"};
constexpr const char* kDriveNames[] = {"fda", "fdb", "hda", "hdb", "hdc", "hdd"};

DriveConfig& drive_of(MachineConfig& config, std::size_t i)
{
    return i < 2 ? config.floppy[i] : config.ata[i - 2];
}

// ---- Reading -----------------------------------------------------------------------------------

/// Takes a parsed file apart, and knows where everything was in it.
class Reader {
public:
    Reader(std::string name, std::string folder) : name_(std::move(name)), folder_(folder) {}

    MachineConfig read(const toml::table& root);

private:
    using Keys = std::initializer_list<std::string_view>;

    [[noreturn]] void fail(const toml::node& at, const std::string& what) const
    {
        throw HostError(fmt::format("{}:{}: {}", name_, at.source().begin.line, what));
    }

    void require_known(const toml::table& table, const std::string& prefix, Keys keys) const;
    const toml::table* section(const toml::table& root, const char* name, Keys keys) const;

    std::string text(const toml::node& node, const std::string& key) const;
    std::string path(const toml::node& node, const std::string& key) const;
    bool boolean(const toml::node& node, const std::string& key) const;
    i64 integer(const toml::node& node, const std::string& key, i64 min, i64 max) const;
    u64 memory(const toml::node& node) const;
    void mips(const toml::node& node, MachineConfig& config) const;
    std::string cpu_model(const toml::node& node) const;
    std::string boot_order(const toml::node& node) const;
    Geometry geometry(const toml::node& node, const std::string& key) const;
    std::string serial(const toml::node& node, const std::string& key) const;
    i64 rtc_base(const toml::node& node) const;
    KernelConfig kernel(const toml::table& table) const;
    KernelModule kernel_module(const toml::node& node) const;
    DriveConfig drive(const toml::node& node, const std::string& name) const;

    /// Calls `use` with the node of `key`, if it is there.
    static void with(const toml::table* table, std::string_view key, auto use)
    {
        if (const toml::node* node = table ? table->get(key) : nullptr) use(*node);
    }

    std::string name_;
    std::string folder_;  // that relative paths start at; empty: as they are
};

MachineConfig Reader::read(const toml::table& root)
{
    require_known(root, "",
                  {"boot", "memory", "cpu", "fda", "fdb", "hda", "hdb", "hdc", "hdd", "kernel",
                   "firmware", "serial", "parallel", "rtc", "debug", "floppy"});
    const auto* cpu = section(root, "cpu", {"model", "mips"});
    const auto* kernels = section(root, "kernel", {"image", "initrd", "append", "entry"});
    const auto* firmware = section(root, "firmware", {"bios", "vgabios"});
    const auto* serials = section(root, "serial", {"com1", "com2"});
    const auto* parallel = section(root, "parallel", {"lpt1"});
    const auto* rtc = section(root, "rtc", {"base"});
    const auto* debug = section(root, "debug", {"post_port"});
    const auto* floppy = section(root, "floppy", {"speed"});

    MachineConfig config;
    using Node = const toml::node;
    with(&root, "boot", [&](Node& node) { config.boot_order = boot_order(node); });
    with(&root, "memory", [&](Node& node) { config.memory_bytes = memory(node); });
    with(cpu, "model", [&](Node& node) { config.cpu_model = cpu_model(node); });
    with(cpu, "mips", [&](Node& node) { mips(node, config); });
    for (std::size_t i = 0; i < std::size(kDriveNames); ++i)
        with(&root, kDriveNames[i],
             [&](Node& node) { drive_of(config, i) = drive(node, kDriveNames[i]); });
    if (kernels) config.kernel = kernel(*kernels);
    with(firmware, "bios", [&](Node& node) { config.bios_path = path(node, "firmware.bios"); });
    with(firmware, "vgabios",
         [&](Node& node) { config.vgabios_path = path(node, "firmware.vgabios"); });
    with(serials, "com1",
         [&](Node& node) { config.serial[0].backend = serial(node, "serial.com1"); });
    with(serials, "com2", [&](Node& node) {
        config.serial[1].backend = serial(node, "serial.com2");
        if (config.serial[1].backend == "stdio" && config.serial[0].backend == "stdio")
            fail(node, "serial.com2: only one serial port can be on stdio");
    });
    with(parallel, "lpt1", [&](Node& node) { config.parallel_path = path(node, "parallel.lpt1"); });
    with(floppy, "speed", [&](Node& node) {
        config.floppy_speed = static_cast<u32>(integer(node, "floppy.speed", 1, 1000));
    });
    with(rtc, "base", [&](Node& node) { config.rtc_base = rtc_base(node); });
    with(debug, "post_port", [&](Node& node) {
        config.post_port = static_cast<u16>(integer(node, "debug.post_port", 0, 0xFFFF));
    });
    return config;
}

void Reader::require_known(const toml::table& table, const std::string& prefix, Keys keys) const
{
    for (const auto& [key, node] : table)
        if (std::ranges::find(keys, key.str()) == keys.end())
            throw HostError(fmt::format("{}:{}: there is no key '{}{}'{}", name_,
                                        key.source().begin.line, prefix, key.str(),
                                        did_you_mean(key.str(), keys)));
}

const toml::table* Reader::section(const toml::table& root, const char* name, Keys keys) const
{
    const toml::node* node = root.get(name);
    if (!node) return nullptr;
    const toml::table* table = node->as_table();
    if (!table)
        fail(*node, fmt::format("'{}' is a section: write [{}] above its keys", name, name));
    require_known(*table, std::string(name) + '.', keys);
    return table;
}

std::string Reader::text(const toml::node& node, const std::string& key) const
{
    if (const auto* value = node.as_string()) return value->get();
    fail(node, fmt::format("{} must be a text in quotes", key));
}

std::string Reader::path(const toml::node& node, const std::string& key) const
{
    const std::string value = text(node, key);
    if (value.find('\0') != std::string::npos) fail(node, key + " is not a path");
    return value.empty() || value[0] == '/' || folder_.empty() ? value : folder_ + '/' + value;
}

bool Reader::boolean(const toml::node& node, const std::string& key) const
{
    if (const auto* value = node.as_boolean()) return value->get();
    fail(node, fmt::format("{} must be true or false", key));
}

i64 Reader::integer(const toml::node& node, const std::string& key, i64 min, i64 max) const
{
    const auto* value = node.as_integer();
    if (!value) fail(node, fmt::format("{} must be a whole number", key));
    if (value->get() < min || value->get() > max)
        fail(node, fmt::format("{} is {}; it must be from {} to {}", key, value->get(), min, max));
    return value->get();
}

u64 Reader::memory(const toml::node& node) const
{
    constexpr u64 kTooMuch = u64{1} << 32;
    u64 number = 0;
    u64 unit = kMegabyte;
    if (const auto* megabytes = node.as_integer()) {
        number = static_cast<u64>(std::clamp<i64>(megabytes->get(), 0, i64{1} << 20));
    } else {
        const std::string value = text(node, "memory");
        const char* end = value.data() + value.size();
        const auto parsed = std::from_chars(value.data(), end, number);
        const std::string suffix(parsed.ptr, end);
        if (suffix == "K" || suffix == "KB") unit = 1024;
        else if (suffix == "G" || suffix == "GB") unit = 1024 * kMegabyte;
        else if (suffix != "M" && suffix != "MB") number = kTooMuch;
        if (parsed.ec != std::errc{} || number >= kTooMuch)
            fail(node,
                 fmt::format("memory is \"{}\"; write it like \"640K\", \"32M\" or \"2G\"", value));
    }
    const u64 bytes = number * unit;
    if (bytes < kMinMemory || bytes > kMaxMemory || bytes % 4096 != 0)
        fail(node, "memory must be from 128K to 3072M, in steps of 4K");
    return bytes;
}

void Reader::mips(const toml::node& node, MachineConfig& config) const
{
    i64 numerator = 0, denominator = 1;
    if (const auto* whole = node.as_integer()) {
        numerator = whole->get();
    } else if (const auto* real = node.as_floating_point()) {
        const bool possible = real->get() > 0 && real->get() <= static_cast<double>(kMaxMips);
        denominator = kMaxMipsDenominator;
        numerator = possible ? std::llround(real->get() * static_cast<double>(denominator)) : 0;
    } else {
        const std::string value = text(node, "cpu.mips");
        const char* end = value.data() + value.size();
        const auto upper = std::from_chars(value.data(), end, numerator);
        const bool slash = upper.ec == std::errc{} && upper.ptr != end && *upper.ptr == '/';
        const auto lower = slash ? std::from_chars(upper.ptr + 1, end, denominator) : upper;
        if (!slash || lower.ec != std::errc{} || lower.ptr != end)
            fail(node, "cpu.mips must be a number, or a fraction like \"105/88\"");
    }
    if (numerator <= 0 || denominator <= 0 || denominator > kMaxMipsDenominator ||
        numerator / denominator > kMaxMips ||
        (numerator / denominator == kMaxMips && numerator % denominator != 0))
        fail(node, fmt::format("cpu.mips must be more than 0 and at most {}", kMaxMips));
    const i64 common = std::gcd(numerator, denominator);
    config.cpu_mips_numerator = static_cast<u64>(numerator / common);
    config.cpu_mips_denominator = static_cast<u64>(denominator / common);
}

std::string Reader::cpu_model(const toml::node& node) const
{
    const std::string value = text(node, "cpu.model");
    if (find_cpu_model(value)) return value;
    const std::vector<std::string> names = cpu_model_names();
    fail(node, fmt::format("cpu.model '{}' is not one of {}{}", value, fmt::join(names, ", "),
                           did_you_mean(value, names)));
}

std::string Reader::boot_order(const toml::node& node) const
{
    const std::string value = text(node, "boot");
    for (std::size_t i = 0; i < value.size(); ++i)
        if (std::string_view("acd").find(value[i]) == std::string_view::npos ||
            value.find(value[i], i + 1) != std::string::npos)
            fail(node, fmt::format("boot is \"{}\"; it is made of a (floppy), c (hard disk) and d "
                                   "(CD), each at most once",
                                   value));
    return value;
}

Geometry Reader::geometry(const toml::node& node, const std::string& key) const
{
    const toml::array* array = node.as_array();
    if (!array || array->size() != 3) fail(node, key + " must be [cylinders, heads, sectors]");
    return {static_cast<u32>(integer((*array)[0], key + " (cylinders)", 1, 65535)),
            static_cast<u32>(integer((*array)[1], key + " (heads)", 1, 255)),
            static_cast<u32>(integer((*array)[2], key + " (sectors)", 1, 255))};
}

std::string Reader::serial(const toml::node& node, const std::string& key) const
{
    const std::string value = text(node, key);
    static constexpr std::string_view kWords[] = {"none", "null", "stdio", "pty"};
    if (value.empty() || std::ranges::find(kWords, value) != std::end(kWords)) return value;
    if (value.starts_with("tcp:") && value.size() > 4) return value;
    if (!value.starts_with("file:") || value.size() == 5)
        fail(node, fmt::format("{} is \"{}\"; it must be none, stdio, file:PATH, pty or "
                               "tcp:[HOST:]PORT{}",
                               key, value, did_you_mean(value, kWords)));
    const bool absolute = value[5] == '/' || folder_.empty();
    return absolute ? value : "file:" + folder_ + '/' + value.substr(5);
}

i64 Reader::rtc_base(const toml::node& node) const
{
    i64 seconds = 0;
    if (const auto* value = node.as_date_time()) {
        const toml::date_time& when = value->get();
        // Days since 1970 of the proleptic Gregorian calendar; years begin in March, so that the
        // leap day comes last.
        const i64 year = when.date.year - (when.date.month <= 2 ? 1 : 0);
        const i64 month = (when.date.month + 9) % 12;
        const i64 days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 +
                         when.date.day - 1 - 719'468;
        seconds = days * 86'400 + when.time.hour * 3'600 + when.time.minute * 60 + when.time.second;
        if (when.offset) seconds -= when.offset->minutes * 60;
    } else if (const auto* number = node.as_integer()) {
        seconds = number->get();
    } else {
        fail(node,
             "rtc.base must be a date and time like 2001-09-09T01:46:40, or seconds since "
             "1970");
    }
    if (seconds < 0 || seconds > kMaxRtc)
        fail(node, "rtc.base must be in the years from 1970 to 2099");
    return seconds;
}

KernelConfig Reader::kernel(const toml::table& table) const
{
    KernelConfig kernel;
    const auto words = [&](const char* key, std::string& value) {
        with(&table, key, [&](const toml::node& n) {
            value = text(n, std::string("kernel.") + key);
            if (value.find('\0') != std::string::npos)
                fail(n, fmt::format("kernel.{} cannot contain a zero byte", key));
        });
    };
    with(&table, "image", [&](const toml::node& n) { kernel.path = path(n, "kernel.image"); });
    words("append", kernel.append);
    words("entry", kernel.entry);
    if (std::ranges::find(kKernelEntries, kernel.entry) == std::end(kKernelEntries))
        fail(*table.get("entry"),
             fmt::format("kernel.entry is \"{}\"; it must be 16, 32, 64 or multiboot",
                         kernel.entry));
    with(&table, "initrd", [&](const toml::node& n) {
        if (const toml::array* list = n.as_array())
            for (const toml::node& element : *list) kernel.initrd.push_back(kernel_module(element));
        else kernel.initrd.push_back(kernel_module(n));
    });
    return kernel;
}

KernelModule Reader::kernel_module(const toml::node& node) const
{
    KernelModule module;
    const toml::table* table = node.as_table();
    if (!table) {
        module.path = path(node, "kernel.initrd");
        return module;
    }
    require_known(*table, "kernel.initrd.", {"file", "arguments"});
    with(table, "file", [&](const toml::node& n) { module.path = path(n, "kernel.initrd.file"); });
    with(table, "arguments",
         [&](const toml::node& n) { module.arguments = text(n, "kernel.initrd.arguments"); });
    return module;
}

DriveConfig Reader::drive(const toml::node& node, const std::string& name) const
{
    DriveConfig drive;
    if (node.is_string()) {
        drive.path = path(node, name);
        return drive;
    }
    const toml::table* table = node.as_table();
    if (!table)
        fail(node, fmt::format("'{}' must be the path of an image, or a section [{}]", name, name));
    const bool floppy = name[0] == 'f';
    if (floppy)
        require_known(*table, name + '.',
                      {"image", "read_only", "snapshot", "geometry", "present"});
    else
        require_known(*table, name + '.',
                      {"image", "cdrom", "read_only", "snapshot", "geometry", "present"});
    const auto flag = [&](const char* key, bool& value) {
        with(table, key, [&](const toml::node& n) { value = boolean(n, name + '.' + key); });
    };
    with(table, "image", [&](const toml::node& n) { drive.path = path(n, name + ".image"); });
    flag("cdrom", drive.cdrom);
    flag("read_only", drive.read_only);
    flag("snapshot", drive.snapshot);
    flag("present", drive.present);
    with(table, "geometry",
         [&](const toml::node& n) { drive.geometry = geometry(n, name + ".geometry"); });
    return drive;
}

/// TOML 1.0.0, "Comment": control characters are not permitted. The parser does not bear all of
/// them, so they never reach it.
void refuse_control_characters(std::string_view text, const std::string& name)
{
    const auto bad = std::ranges::find_if(text, [](char c) {
        const u8 code = static_cast<u8>(c);
        return (code < 0x20 && c != '\t' && c != '\n' && c != '\r') || code == 0x7F;
    });
    if (bad != text.end())
        throw HostError(fmt::format("{}:{}: there is a control character; a machine file is a text",
                                    name, std::count(text.begin(), bad, '\n') + 1));
}

MachineConfig parse(std::string_view text, const std::string& name, const std::string& folder)
{
    refuse_control_characters(text, name);
    try {
        const toml::table root = toml::parse(text, name);
        return Reader(name, folder).read(root);
    } catch (const toml::parse_error& error) {
        throw HostError(
            fmt::format("{}:{}: {}", name, error.source().begin.line, error.description()));
    }
}

// ---- Writing -----------------------------------------------------------------------------------

toml::table to_toml(const DriveConfig& drive, bool floppy)
{
    toml::table table;
    if (!drive.path.empty()) table.insert("image", drive.path);
    if (!floppy && drive.cdrom) table.insert("cdrom", true);
    if (drive.read_only) table.insert("read_only", true);
    if (drive.snapshot) table.insert("snapshot", true);
    if (drive.present) table.insert("present", true);
    if (drive.geometry)
        table.insert("geometry", toml::array{drive.geometry->cylinders, drive.geometry->heads,
                                             drive.geometry->sectors});
    return table;
}

toml::table to_toml(const KernelConfig& kernel)
{
    toml::array modules;
    for (const KernelModule& module : kernel.initrd)
        modules.push_back(toml::table{{"file", module.path}, {"arguments", module.arguments}});
    return toml::table{{"image", kernel.path},
                       {"initrd", std::move(modules)},
                       {"append", kernel.append},
                       {"entry", kernel.entry}};
}

toml::table to_toml(const MachineConfig& config)
{
    toml::table root{
        {"boot", config.boot_order},
        {"memory", fmt::format("{}K", config.memory_bytes / 1024)},
        {"cpu", toml::table{{"model", config.cpu_model},
                            {"mips", fmt::format("{}/{}", config.cpu_mips_numerator,
                                                 config.cpu_mips_denominator)}}},
        {"firmware", toml::table{{"bios", config.bios_path}, {"vgabios", config.vgabios_path}}},
        {"serial",
         toml::table{{"com1", config.serial[0].backend}, {"com2", config.serial[1].backend}}},
        {"parallel", toml::table{{"lpt1", config.parallel_path}}},
        {"rtc", toml::table{{"base", config.rtc_base}}},
        {"floppy", toml::table{{"speed", i64{config.floppy_speed}}}},
        {"debug", toml::table{{"post_port", i64{config.post_port}}}},
    };
    if (config.kernel != KernelConfig{}) root.insert("kernel", to_toml(config.kernel));
    for (std::size_t i = 0; i < std::size(kDriveNames); ++i) {
        const DriveConfig& drive = i < 2 ? config.floppy[i] : config.ata[i - 2];
        if (drive != DriveConfig{}) root.insert(kDriveNames[i], to_toml(drive, i < 2));
    }
    return root;
}

}  // namespace

std::vector<std::string> cpu_model_names()
{
    std::vector<std::string> names;
    for (const CpuModel& model : kCpuModels) names.emplace_back(model.name);
    return names;
}

MachineConfig load_machine_file(const std::string& path)
{
    const std::vector<u8> bytes = read_whole_file(path, "machine file", kMaxMachineFileBytes);
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash);
    return parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path, folder);
}

MachineConfig parse_machine_toml(std::string_view text, const std::string& name)
{
    return parse(text, name, "");
}

std::string save_machine_toml(const MachineConfig& config)
{
    std::ostringstream text;
    text << to_toml(config) << '\n';
    // Whatever cannot be read back must fail now, not when the savestate is needed.
    if (parse_machine_toml(text.str(), "the machine's configuration") != config)
        throw HostError("the machine's configuration cannot be saved: a value is out of range");
    return text.str();
}

}  // namespace reprise
