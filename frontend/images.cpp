#include "frontend/images.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "frontend/errors.h"
#include "frontend/options.h"
#include "machine/base/error.h"

namespace reprise {

std::string unpacked(const std::string& path, TemporaryDirectory& directory)
{
    if (!is_gzip(path)) return path;
    std::string to = directory.file(std::filesystem::path(path).stem().string());
    unpack(path, to);
    return to;
}

std::string place_image(MachineConfig& config, const std::string& path, ImageKind kind)
{
    if (kind == ImageKind::Floppy) {
        for (std::size_t i = 0; i < config.floppy.size(); ++i) {
            if (!config.floppy[i].path.empty()) continue;
            config.floppy[i].path = path;
            config.floppy[i].present = true;
            return i ? "fdb" : "fda";
        }
        throw UsageError(fmt::format("no floppy drive is left for '{}'", path));
    }
    const bool cdrom = kind == ImageKind::Cdrom;
    const auto empty_cd = [](const DriveConfig& drive) {
        return drive.cdrom && drive.path.empty();
    };
    auto drive = cdrom ? std::ranges::find_if(config.ata, empty_cd) : config.ata.end();
    if (drive == config.ata.end())
        drive = config.ata.begin() + (&free_ata_drive(config, cdrom) - config.ata.data());
    drive->path = path;
    return fmt::format("hd{:c}", static_cast<char>('a' + (drive - config.ata.begin())));
}

DriveConfig& drive_named(MachineConfig& config, const std::string& name)
{
    const auto index = static_cast<std::size_t>(name.at(2) - 'a');
    return name[0] == 'f' ? config.floppy.at(index) : config.ata.at(index);
}

std::string cd_drive_name(const MachineConfig& config)
{
    const auto drive = std::ranges::find_if(config.ata, &DriveConfig::cdrom);
    if (drive == config.ata.end()) return "";
    return fmt::format("hd{:c}", static_cast<char>('a' + (drive - config.ata.begin())));
}

std::string demo_image()
{
    std::vector<std::filesystem::path> places;
#ifdef REPRISE_DEMO_IMAGE
    places.emplace_back(REPRISE_DEMO_IMAGE);
#endif
    std::error_code ignored;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
    if (!program.empty()) {
        places.push_back(program.parent_path() / "demo.img");
        places.push_back(program.parent_path() / "../share/reprise/demo.img");
    }
    for (const auto& place : places)
        if (std::filesystem::exists(place, ignored)) return place.string();
    throw HostError(
        "no image was given and the demo disk 'demo.img' is not next to the program: "
        "name an image, as in 'reprise run IMAGE'");
}

}  // namespace reprise
