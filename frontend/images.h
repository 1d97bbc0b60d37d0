/// From image files to the drives of a machine.
#pragma once

#include <string>

#include "frontend/temporary.h"
#include "machine/config.h"
#include "machine/image_info.h"

namespace reprise {

/// `path`, or where it was unpacked to if it is a gzip file. Throws HostError.
std::string unpacked(const std::string& path, TemporaryDirectory& directory);

/// Puts an image into the first free drive of its kind and returns that drive's name, "fda" to
/// "hdd". Throws UsageError if there is none.
std::string place_image(MachineConfig& config, const std::string& path, ImageKind kind);

/// The drive of that name. `name` is one of "fda", "fdb", "hda" .. "hdd".
DriveConfig& drive_named(MachineConfig& config, const std::string& name);

/// The name of the first CD drive; empty if there is none.
std::string cd_drive_name(const MachineConfig& config);

/// The project's own demo disk. Throws HostError if it is missing.
std::string demo_image();

}  // namespace reprise
