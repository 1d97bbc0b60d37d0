#include "frontend/media.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "frontend/errors.h"
#include "machine/base/error.h"
#include "machine/savestate_file.h"

namespace reprise {

std::string unpacked_image_text(const std::string& path)
{
    return fmt::format(
        "a machine that uses '{}' cannot be saved, because it was unpacked for this "
        "run only: unpack it with gunzip first",
        path);
}

namespace {

void place(Media& media, const std::string& path, const std::string& shown_name)
{
    const ImageInfo info = inspect_image(path);
    if (info.kind == ImageKind::Floppy && !media.config.floppy[0].path.empty()) {
        media.floppies.push_back(path);
        fmt::print(stderr, "reprise: {}: {}, for drive A: later\n", shown_name, info.explanation);
        return;
    }
    const std::string drive = place_image(media.config, path, info.kind);
    if (info.kind == ImageKind::Floppy) media.floppies.push_back(path);
    fmt::print(stderr, "reprise: {}: {}, in {}\n", shown_name, info.explanation, drive);
}

std::string unpack_with_note(Media& media, const std::string& path, TemporaryDirectory& directory)
{
    std::string to = unpacked(path, directory);
    if (to != path) {
        media.unpacked_image = path;
        fmt::print(stderr, "reprise: {} was unpacked: what the guest writes is not kept\n", path);
    }
    return to;
}

/// Absolute paths, so that a saved machine finds its media from any directory.
void settle_drives(Media& media, TemporaryDirectory& directory)
{
    const auto settle = [&](DriveConfig& drive) {
        if (drive.path.empty()) return;
        drive.path = std::filesystem::absolute(unpack_with_note(media, drive.path, directory))
                         .lexically_normal()
                         .string();
    };
    std::ranges::for_each(media.config.floppy, settle);
    std::ranges::for_each(media.config.ata, settle);
    const auto make_absolute = [](std::string& path) {
        if (!path.empty()) path = std::filesystem::absolute(path).lexically_normal().string();
    };
    make_absolute(media.config.kernel.path);
    for (KernelModule& module : media.config.kernel.initrd) make_absolute(module.path);
}

}  // namespace

Media prepare_media(const MachineOptions& options, std::vector<std::string> images,
                    TemporaryDirectory& directory)
{
    Media media;
    const auto saved = std::ranges::find_if(images, is_savestate);
    if (saved != images.end()) {
        if (images.size() > 1 || options.any())
            throw UsageError(
                fmt::format("'{}' is a saved machine and brings its own hardware and "
                            "media: no other image or machine option goes with it",
                            *saved));
        media.saved_machine = *saved;
        return media;
    }
    media.config = options.config();
    media.config.floppy[0].present = true;
    if (images.empty() && !options.any()) images = {demo_image()};
    for (const std::string& image : images)
        place(media, unpack_with_note(media, image, directory), image);
    settle_drives(media, directory);
    return media;
}

}  // namespace reprise
