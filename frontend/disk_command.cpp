#include "frontend/disk_command.h"

#include <fmt/format.h>

#include "frontend/fat_reader.h"
#include "frontend/images.h"
#include "machine/savestate_file.h"

namespace reprise {

namespace {

const char* partition_type_name(u8 type)
{
    switch (type) {
    case 0x01: return "FAT12";
    case 0x04: return "FAT16, below 32 MB";
    case 0x05: return "extended";
    case 0x06: return "FAT16";
    case 0x07: return "NTFS or HPFS";
    case 0x0B: return "FAT32";
    case 0x0C: return "FAT32, LBA";
    case 0x0E: return "FAT16, LBA";
    case 0x0F: return "extended, LBA";
    case 0x82: return "Linux swap";
    case 0x83: return "Linux";
    case 0xEE: return "GPT";
    default: return "other";
    }
}

std::string describe_volume(const FatVolume& volume)
{
    return fmt::format("FAT{}, {}", volume.fat_bits(),
                       volume.label().empty() ? "no label" : "label " + volume.label());
}

std::string describe_contents(const ReadAt& read, ImageKind kind)
{
    if (kind == ImageKind::Cdrom) {
        const auto label = iso_label(read);
        return label ? fmt::format("volume:    ISO 9660, label {}\n", *label) : "";
    }
    if (const auto volume = FatVolume::open(read, 0))
        return fmt::format("volume:    {}\n", describe_volume(*volume));
    if (kind == ImageKind::Floppy) return "volume:    no FAT file system\n";
    std::string text;
    for (const Partition& partition : read_partitions(read)) {
        text += fmt::format("partition: {}, type {:02X} ({}){}, sectors {} to {}, {:.1f} MB",
                            partition.number, partition.type, partition_type_name(partition.type),
                            partition.active ? ", active" : "", partition.first_sector,
                            u64{partition.first_sector} + partition.sectors - 1,
                            static_cast<double>(partition.sectors) / 2048);
        if (const auto volume = FatVolume::open(read, u64{partition.first_sector} * 512))
            text += ", " + describe_volume(*volume);
        text += '\n';
    }
    return text.empty() ? "volume:    no partition table and no FAT file system\n" : text;
}

}  // namespace

std::string describe_image(const std::string& path)
{
    if (is_savestate(path))
        return fmt::format("{}: a saved machine; resume it with 'reprise run'\n", path);
    TemporaryDirectory directory;
    const std::string image = unpacked(path, directory);
    const ImageInfo info = inspect_image(image);
    return fmt::format("file:      {}{}\nkind:      {}\nsize:      {} bytes\nbootable:  {}\n{}",
                       path, image == path ? "" : " (unpacked)", info.explanation, info.file_bytes,
                       info.bootable ? "yes" : "no",
                       describe_contents(open_for_reading(image), info.kind));
}

}  // namespace reprise
