/// Looks at files on FAT images, to see what a guest wrote and to describe images.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "machine/base/types.h"

namespace reprise {

/// Reads bytes at an offset of an image. False: beyond its end.
using ReadAt = std::function<bool(u64 offset, std::span<u8> out)>;

/// An image file that stays open for as long as the function lives. Throws HostError.
ReadAt open_for_reading(const std::string& path);

/// An entry of a master boot record's partition table.
struct Partition {
    int number = 0;  // 1 to 4
    u8 type = 0;
    bool active = false;
    u32 first_sector = 0, sectors = 0;
};

/// The primary partitions; none if there is no partition table.
std::vector<Partition> read_partitions(const ReadAt& read);

/// A FAT12, FAT16 or FAT32 volume. (Microsoft, "FAT: General Overview of On-Disk Format", 1.03.)
/// Damaged structures give missing files, never an endless loop.
class FatVolume {
public:
    /// The volume whose boot sector is at byte `start`; nothing if there is none.
    static std::optional<FatVolume> open(ReadAt read, u64 start);
    /// The volume of an unpartitioned image, or the first one that a partition holds.
    static std::optional<FatVolume> find(const ReadAt& read);

    int fat_bits() const { return fat_bits_; }  // 12, 16 or 32
    const std::string& label() const { return label_; }

    /// The content of a file by its 8.3 path, in any case, with \ or /; nothing if it is missing.
    std::optional<std::vector<u8>> read_file(std::string_view path) const;

private:
    struct Entry {
        std::string name;
        u8 attributes = 0;
        u32 cluster = 0, size = 0;
    };

    FatVolume() = default;
    std::vector<u8> root() const;
    std::vector<u8> read_chain(u32 cluster, u64 most) const;
    u32 next_cluster(u32 cluster) const;
    std::vector<Entry> entries(const std::vector<u8>& directory) const;

    ReadAt read_;
    int fat_bits_ = 0;
    u64 fat_ = 0, root_ = 0, data_ = 0;  // byte offsets
    u64 root_bytes_ = 0;                 // 0: the root directory is a chain (FAT32)
    u32 root_cluster_ = 0, clusters_ = 0, cluster_bytes_ = 0;
    std::string label_;
};

/// The label in an ISO 9660 image's primary volume descriptor; nothing if it has none.
std::optional<std::string> iso_label(const ReadAt& read);

}  // namespace reprise
