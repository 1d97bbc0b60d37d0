/// What kind of medium an image file is, and its geometry.
///
/// A raw image says neither, so both are guessed: an ISO 9660 file system makes a CD (a hybrid ISO
/// too), the boot sector's BIOS parameter block or the size makes a floppy, and everything else is
/// a hard disk whose geometry is the one its partition table was made with.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "devices/block_device.h"
#include "devices/floppy_drive.h"
#include "machine/base/types.h"

namespace reprise {

enum class ImageKind : u8 { Floppy, HardDisk, Cdrom };

struct ImageInfo {
    ImageKind kind = ImageKind::HardDisk;
    Geometry geometry;                    // all zero for a CD
    FloppyType drive = FloppyType::None;  // the drive that suits a floppy
    u64 file_bytes = 0;
    u64 size_bytes = 0;       // as the guest sees it: a short floppy or CD is filled up with zeros
    bool bootable = false;    // has the signature of a boot sector, or an El Torito boot record
    std::string explanation;  // "1.44 MB floppy, 80 cylinders, 2 heads, 18 sectors (from ...)"
};

/// Looks at an image file. With `expected`, as the drive it is put into sees it. Throws HostError
/// if it cannot be read, is empty, is in a container format, or cannot be what is expected.
ImageInfo inspect_image(const std::string& path, std::optional<ImageKind> expected = {});

/// As above, of an open image; `read` is BlockDevice::read, `path` is for messages.
ImageInfo inspect_image(const std::string& path, u64 file_bytes,
                        const std::function<bool(u64 offset, std::span<u8> out)>& read,
                        std::optional<ImageKind> expected);

}  // namespace reprise
