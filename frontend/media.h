/// The machine that a command line's images and options make.
#pragma once

#include <string>
#include <vector>

#include "frontend/images.h"
#include "frontend/options.h"

namespace reprise {

/// What the images on the command line come to.
struct Media {
    MachineConfig config;
    std::string saved_machine;
    std::vector<std::string> floppies;
    std::string unpacked_image;  // one that will be gone after this run
};

/// Finds out what each image is for, says so, and unpacks into `directory` what has to be. Throws
/// UsageError, HostError.
Media prepare_media(const MachineOptions& options, std::vector<std::string> images,
                    TemporaryDirectory& directory);

/// Why a machine with this image cannot be saved.
std::string unpacked_image_text(const std::string& path);

}  // namespace reprise
