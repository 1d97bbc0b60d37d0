#include "machine/image_info.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "machine/base/error.h"
#include "machine/disk_image.h"

namespace reprise {

namespace {

constexpr u64 kSectorBytes = 512, kCdSectorBytes = 2048;
constexpr u64 kVolumeDescriptors = 16 * kCdSectorBytes;  // ECMA-119, 6.2.1 and 8.1

// ATA/ATAPI-4, 8.12.8: at most 16383 cylinders of 16 heads and 63 sectors in the default geometry.
constexpr u32 kMaxCylinders = 16383, kMaxHeads = 16, kMaxSectors = 63;

struct FloppyFormat {
    const char* name;
    Geometry geometry;
};

constexpr FloppyFormat kFloppyFormats[] = {
    {"160 KB", {40, 1, 8}},   {"180 KB", {40, 1, 9}},   {"320 KB", {40, 2, 8}},
    {"360 KB", {40, 2, 9}},   {"640 KB", {80, 2, 8}},   {"720 KB", {80, 2, 9}},
    {"1.2 MB", {80, 2, 15}},  {"1.44 MB", {80, 2, 18}}, {"1.68 MB (DMF)", {80, 2, 21}},
    {"1.72 MB", {82, 2, 21}}, {"2.88 MB", {80, 2, 36}},
};
constexpr Geometry k1440K{80, 2, 18};
constexpr u64 kMaxFloppyBytes = Geometry{80, 2, 36}.total() * kSectorBytes;

using Reader = std::function<bool(u64 offset, std::span<u8> out)>;
using BootSector = std::array<u8, kSectorBytes>;

u16 word(std::span<const u8> bytes, std::size_t offset)
{
    return static_cast<u16>(bytes[offset] | bytes[offset + 1] << 8);
}

u32 dword(std::span<const u8> bytes, std::size_t offset)
{
    return word(bytes, offset) | u32{word(bytes, offset + 2)} << 16;
}

bool has_text(std::span<const u8> bytes, std::size_t offset, std::string_view text)
{
    return bytes.size() >= offset + text.size() &&
           std::memcmp(bytes.data() + offset, text.data(), text.size()) == 0;
}

bool has_boot_signature(const BootSector& sector) { return word(sector, 510) == 0xAA55; }

std::string describe(const Geometry& geometry)
{
    const auto count = [](u32 n, const char* what) {
        return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
    };
    return fmt::format("{}, {}, {}", count(geometry.cylinders, "cylinder"),
                       count(geometry.heads, "head"), count(geometry.sectors, "sector"));
}

// ---- Formats that look like images but are not raw ---------------------------------------------

void refuse_containers(const std::string& path, const BootSector& head)
{
    struct Container {
        std::string_view magic;
        const char* name;
        const char* advice;
    };
    static constexpr const char* kConvert = "convert it with 'qemu-img convert -O raw'";
    static constexpr const char* kUnpack = "unpack it first";
    static const Container kContainers[] = {
        {"QFI\xFB", "a QCOW image", kConvert},
        {"KDMV", "a VMDK image", kConvert},
        {"vhdxfile", "a VHDX image", kConvert},
        {"conectix", "a VHD image", kConvert},
        {"<<< Oracle VM VirtualBox Disk Image", "a VDI image", kConvert},
        {"\x1F\x8B\x08", "compressed by gzip", kUnpack},
        {"\xFD"
         "7zXZ",
         "compressed by xz", kUnpack},
        {"\x28\xB5\x2F\xFD", "compressed by zstd", kUnpack},
        {"PK\x03\x04", "a ZIP archive", kUnpack},
        {"7z\xBC\xAF\x27\x1C", "a 7-Zip archive", kUnpack},
    };
    for (const Container& container : kContainers)
        if (has_text(head, 0, container.magic))
            throw HostError(fmt::format("'{}' is {}; only raw images can be used: {}", path,
                                        container.name, container.advice));
}

// ---- CDs ---------------------------------------------------------------------------------------

ImageInfo cdrom(u64 file_bytes, const Reader& read, bool iso9660, const BootSector& head)
{
    // El Torito 1.0, figure 2: the boot record volume descriptor is at sector 17.
    std::array<u8, 64> record{};
    const u64 boot_record = kVolumeDescriptors + kCdSectorBytes;
    const bool bootable = iso9660 && file_bytes >= boot_record + record.size() &&
                          read(boot_record, record) && has_text(record, 1, "CD001") &&
                          has_text(record, 7, "EL TORITO SPECIFICATION");
    std::string text =
        iso9660 ? "CD-ROM with an ISO 9660 file system" : "CD-ROM without an ISO 9660 file system";
    if (bootable) text += ", bootable (El Torito)";
    if (iso9660 && has_boot_signature(head)) text += ", also made to boot as a disk (hybrid)";
    const u64 sectors = (file_bytes + kCdSectorBytes - 1) / kCdSectorBytes;
    return {.kind = ImageKind::Cdrom,
            .geometry = {},
            .drive = FloppyType::None,
            .file_bytes = file_bytes,
            .size_bytes = sectors * kCdSectorBytes,
            .bootable = bootable,
            .explanation = text};
}

// ---- Floppies ----------------------------------------------------------------------------------

FloppyType drive_for(const Geometry& geometry)
{
    if (geometry.sectors > 24) return FloppyType::M2_88;
    if (geometry.sectors > 15) return FloppyType::M1_44;
    if (geometry.sectors > 10) return FloppyType::M1_2;
    return geometry.cylinders > 45 ? FloppyType::K720 : FloppyType::K360;
}

/// The geometry in a BIOS parameter block, if that describes a floppy. (Microsoft, "FAT: General
/// Overview of On-Disk Format", 1.03: BPB_BytsPerSec, BPB_TotSec16, BPB_SecPerTrk, BPB_NumHeads.)
std::optional<Geometry> geometry_from_bpb(const BootSector& sector)
{
    const bool jump = sector[0] == 0xE9 || (sector[0] == 0xEB && sector[2] == 0x90);
    const u32 total = word(sector, 0x13), per_track = word(sector, 0x18);
    const u32 heads = word(sector, 0x1A);
    if (!jump || word(sector, 0x0B) != kSectorBytes) return std::nullopt;
    if (heads < 1 || heads > 2 || per_track < 8 || per_track > 36) return std::nullopt;
    const u32 cylinders = total / (per_track * heads);
    if (total % (per_track * heads) != 0 || cylinders < 35 || cylinders > 86) return std::nullopt;
    return Geometry{cylinders, heads, per_track};
}

/// Smaller than a 1.44 MB floppy and without a parameter block: somebody's boot sector and a few
/// more, which the tools that write them expect on a 1.44 MB floppy.
Geometry geometry_from_size(u64 file_bytes)
{
    for (const FloppyFormat& format : kFloppyFormats)
        if (format.geometry.total() * kSectorBytes == file_bytes) return format.geometry;
    for (const FloppyFormat& format : kFloppyFormats)
        if (format.geometry.total() >= k1440K.total() &&
            format.geometry.total() * kSectorBytes >= file_bytes)
            return format.geometry;
    return kFloppyFormats[std::size(kFloppyFormats) - 1].geometry;
}

std::string floppy_name(const Geometry& geometry)
{
    for (const FloppyFormat& format : kFloppyFormats)
        if (format.geometry == geometry) return format.name;
    return fmt::format("{} KB", geometry.total() / 2);
}

ImageInfo floppy(u64 file_bytes, const BootSector& head)
{
    const auto bpb = geometry_from_bpb(head);
    const bool from_bpb = bpb && bpb->total() * kSectorBytes >= file_bytes;
    const Geometry geometry = from_bpb ? *bpb : geometry_from_size(file_bytes);
    const u64 size = geometry.total() * kSectorBytes;
    std::string text = fmt::format("{} floppy, {} (from its {})", floppy_name(geometry),
                                   describe(geometry), from_bpb ? "boot sector" : "size");
    if (size != file_bytes)
        text += fmt::format("; the file has only {} bytes, the rest reads as zeros", file_bytes);
    return {.kind = ImageKind::Floppy,
            .geometry = geometry,
            .drive = drive_for(geometry),
            .file_bytes = file_bytes,
            .size_bytes = size,
            .bootable = has_boot_signature(head),
            .explanation = text};
}

// ---- Hard disks --------------------------------------------------------------------------------

/// One of the four entries of a master boot record.
struct Partition {
    u8 status, type;
    u32 end_head, end_sector, end_cylinder;
    u32 first_lba, sectors;

    bool used() const { return type != 0; }
    bool plausible(u64 total) const
    {
        if (!used()) return status == 0;
        return (status & 0x7F) == 0 && first_lba != 0 && sectors != 0 &&
               u64{first_lba} + sectors <= total + kMaxHeads * kMaxSectors;
    }
};

std::array<Partition, 4> partitions(const BootSector& mbr)
{
    std::array<Partition, 4> table{};
    for (std::size_t i = 0; i < table.size(); ++i) {
        const auto entry = std::span(mbr).subspan(446 + 16 * i, 16);
        table[i] = {entry[0],
                    entry[4],
                    entry[5],
                    entry[6] & 0x3Fu,
                    entry[7] | (entry[6] & 0xC0u) << 2,
                    dword(entry, 8),
                    dword(entry, 12)};
    }
    return table;
}

bool has_partitions(const BootSector& mbr, u64 total)
{
    const auto table = partitions(mbr);
    return has_boot_signature(mbr) &&
           std::ranges::any_of(table, [](const Partition& p) { return p.used(); }) &&
           std::ranges::all_of(table, [&](const Partition& p) { return p.plausible(total); });
}

/// Partitions end at the end of a cylinder, so the end's head and sector tell the geometry they
/// were made with; it counts only if it agrees with the end's LBA.
std::optional<Geometry> geometry_from_partitions(const BootSector& mbr, u64 total)
{
    if (!has_partitions(mbr, total)) return std::nullopt;
    for (const Partition& p : partitions(mbr)) {
        const u32 heads = p.end_head + 1, sectors = p.end_sector;
        if (!p.used() || sectors == 0 || heads > kMaxHeads) continue;
        const u64 end = (u64{p.end_cylinder} * heads + p.end_head) * sectors + sectors - 1;
        if (end == u64{p.first_lba} + p.sectors - 1) return Geometry{0, heads, sectors};
    }
    return std::nullopt;
}

ImageInfo hard_disk(u64 file_bytes, const BootSector& head)
{
    const u64 total = file_bytes / kSectorBytes;
    const auto table = geometry_from_partitions(head, total);
    Geometry geometry = table.value_or(Geometry{0, kMaxHeads, kMaxSectors});
    if (u64{geometry.heads} * geometry.sectors > total) {  // smaller than one cylinder
        geometry.sectors = static_cast<u32>(std::min<u64>(total, geometry.sectors));
        geometry.heads = static_cast<u32>(total / geometry.sectors);
    }
    const u64 cylinders = total / (u64{geometry.heads} * geometry.sectors);
    geometry.cylinders = static_cast<u32>(std::min<u64>(cylinders, kMaxCylinders));
    return {.kind = ImageKind::HardDisk,
            .geometry = geometry,
            .drive = FloppyType::None,
            .file_bytes = file_bytes,
            .size_bytes = file_bytes,
            .bootable = has_boot_signature(head),
            .explanation = fmt::format(
                "{:.1f} MB hard disk, {} ({})", static_cast<double>(file_bytes) / (1 << 20),
                describe(geometry), table ? "from its partition table" : "the usual geometry")};
}

ImageKind guess_kind(u64 file_bytes, bool iso9660, const BootSector& head)
{
    if (iso9660) return ImageKind::Cdrom;
    const bool standard_floppy =
        std::ranges::any_of(kFloppyFormats, [&](const FloppyFormat& format) {
            return format.geometry.total() * kSectorBytes == file_bytes;
        });
    if (standard_floppy) return ImageKind::Floppy;
    if (file_bytes > kMaxFloppyBytes) return ImageKind::HardDisk;
    const bool partitioned = !geometry_from_bpb(head) && file_bytes % kSectorBytes == 0 &&
                             has_partitions(head, file_bytes / kSectorBytes);
    return partitioned ? ImageKind::HardDisk : ImageKind::Floppy;
}

}  // namespace

ImageInfo inspect_image(const std::string& path, u64 file_bytes, const Reader& read,
                        std::optional<ImageKind> expected)
{
    BootSector head{};
    std::array<u8, 8> descriptor{};
    const u64 head_bytes = std::min<u64>(file_bytes, head.size());
    const bool has_descriptor = file_bytes >= kVolumeDescriptors + kCdSectorBytes;
    if (!read(0, std::span(head).first(head_bytes)) ||
        (has_descriptor && !read(kVolumeDescriptors, descriptor)))
        throw HostError(fmt::format("cannot read '{}'; check the disk it is on", path));
    refuse_containers(path, head);

    const bool iso9660 = has_descriptor && has_text(descriptor, 1, "CD001");
    switch (expected.value_or(guess_kind(file_bytes, iso9660, head))) {
    case ImageKind::Cdrom: return cdrom(file_bytes, read, iso9660, head);
    case ImageKind::Floppy:
        if (file_bytes > kMaxFloppyBytes && !geometry_from_bpb(head))
            throw HostError(
                fmt::format("'{}' has {} bytes, too many for a floppy; it may be a "
                            "hard disk or CD image",
                            path, file_bytes));
        return floppy(file_bytes, head);
    case ImageKind::HardDisk: break;
    }
    if (file_bytes % kSectorBytes != 0)
        throw HostError(
            fmt::format("'{}' has {} bytes, which is not a whole number of 512-byte "
                        "sectors; it may have been cut off",
                        path, file_bytes));
    return hard_disk(file_bytes, head);
}

ImageInfo inspect_image(const std::string& path, std::optional<ImageKind> expected)
{
    const OpenImage image = open_image_file(path, false);
    const auto read = [&](u64 offset, std::span<u8> out) {
        return read_at(image.file.get(), offset, out) == out.size();
    };
    return inspect_image(path, image.size_bytes, read, expected);
}

}  // namespace reprise
