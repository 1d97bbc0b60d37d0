#include "frontend/fat_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <fstream>
#include <memory>

#include "machine/base/error.h"

namespace reprise {

namespace {

constexpr u32 kSectorBytes = 512;
constexpr u8 kAttributeVolume = 0x08, kAttributeDirectory = 0x10, kAttributeLongName = 0x0F;
constexpr u64 kLargestFile = u64{256} << 20;
constexpr u64 kLargestDirectory = u64{2} << 20;

using Sector = std::array<u8, kSectorBytes>;

u32 word(std::span<const u8> bytes, std::size_t at)
{
    return u32{bytes[at]} | u32{bytes[at + 1]} << 8;
}

u32 dword(std::span<const u8> bytes, std::size_t at)
{
    return word(bytes, at) | word(bytes, at + 2) << 16;
}

std::string trimmed(std::span<const u8> bytes)
{
    std::string text(bytes.begin(), bytes.end());
    text.erase(text.find_last_not_of(std::string(" \0", 2)) + 1);
    return text;
}

std::string upper_case(std::string_view text)
{
    std::string result(text);
    for (char& c : result) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return result;
}

bool is_fat_type(u8 type)
{
    constexpr u8 kTypes[] = {0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E};
    return std::ranges::find(kTypes, type) != std::end(kTypes);
}

}  // namespace

ReadAt open_for_reading(const std::string& path)
{
    const auto file = std::make_shared<std::ifstream>(path, std::ios::binary);
    if (!*file) throw HostError(fmt::format("cannot open '{}': {}", path, std::strerror(errno)));
    return [file](u64 offset, std::span<u8> out) {
        file->clear();
        file->seekg(static_cast<std::streamoff>(offset));
        file->read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size()));
        return file->good();
    };
}

std::vector<Partition> read_partitions(const ReadAt& read)
{
    std::vector<Partition> partitions;
    Sector sector{};
    if (!read(0, sector) || word(sector, 510) != 0xAA55) return partitions;
    for (int i = 0; i < 4; ++i) {
        const auto entry =
            std::span(sector).subspan(446 + std::size_t{16} * static_cast<std::size_t>(i), 16);
        if (entry[0] & 0x7F) return {};  // neither active nor inactive: this is no table
        const Partition found{i + 1, entry[4], entry[0] == 0x80, dword(entry, 8), dword(entry, 12)};
        if (found.type && found.first_sector && found.sectors) partitions.push_back(found);
    }
    return partitions;
}

std::optional<FatVolume> FatVolume::open(ReadAt read, u64 start)
{
    Sector boot{};
    if (!read(start, boot)) return std::nullopt;
    const u32 sector_bytes = word(boot, 11), cluster_sectors = boot[13], reserved = word(boot, 14);
    const u32 fats = boot[16], root_entries = word(boot, 17);
    const u32 total = word(boot, 19) ? word(boot, 19) : dword(boot, 32);
    const u32 fat_sectors = word(boot, 22) ? word(boot, 22) : dword(boot, 36);
    const bool jump = boot[0] == 0xEB || boot[0] == 0xE9;
    const bool power = cluster_sectors && !(cluster_sectors & (cluster_sectors - 1));
    if (!jump || sector_bytes != kSectorBytes || !power || !reserved || !fats || fats > 2 ||
        !fat_sectors || !total)
        return std::nullopt;
    FatVolume volume;
    volume.root_bytes_ = u64{root_entries} * 32;
    volume.fat_ = start + u64{reserved} * kSectorBytes;
    volume.root_ = volume.fat_ + u64{fats} * fat_sectors * kSectorBytes;
    volume.data_ =
        volume.root_ + (volume.root_bytes_ + kSectorBytes - 1) / kSectorBytes * kSectorBytes;
    const u64 used = (volume.data_ - start) / kSectorBytes;
    if (used >= total) return std::nullopt;
    volume.cluster_bytes_ = cluster_sectors * kSectorBytes;
    volume.clusters_ = static_cast<u32>((total - used) / cluster_sectors);
    // The number of clusters alone decides what the volume is.
    volume.fat_bits_ = volume.clusters_ < 4085 ? 12 : volume.clusters_ < 65525 ? 16 : 32;
    if (volume.root_bytes_ == 0) volume.root_cluster_ = dword(boot, 44);
    volume.read_ = std::move(read);
    for (const Entry& entry : volume.entries(volume.root()))
        if (entry.attributes & kAttributeVolume) volume.label_ = entry.name;
    return volume;
}

std::optional<FatVolume> FatVolume::find(const ReadAt& read)
{
    if (auto volume = open(read, 0)) return volume;
    for (const Partition& partition : read_partitions(read))
        if (is_fat_type(partition.type))
            if (auto volume = open(read, u64{partition.first_sector} * kSectorBytes)) return volume;
    return std::nullopt;
}

std::optional<std::vector<u8>> FatVolume::read_file(std::string_view path) const
{
    std::vector<u8> directory = root();
    for (;;) {
        while (!path.empty() && (path[0] == '\\' || path[0] == '/')) path.remove_prefix(1);
        const std::size_t end = std::min(path.find_first_of("\\/"), path.size());
        const std::string wanted = upper_case(path.substr(0, end));
        path.remove_prefix(end);
        const std::vector<Entry> all = entries(directory);
        const auto entry = std::ranges::find_if(all, [&](const Entry& e) {
            return e.name == wanted && !(e.attributes & kAttributeVolume);
        });
        if (entry == all.end()) return std::nullopt;
        const bool is_directory = entry->attributes & kAttributeDirectory;
        if (path.empty()) {
            if (is_directory) return std::nullopt;
            std::vector<u8> content = read_chain(entry->cluster, entry->size);
            if (content.size() < entry->size) return std::nullopt;
            content.resize(entry->size);
            return content;
        }
        if (!is_directory) return std::nullopt;
        directory = read_chain(entry->cluster, kLargestDirectory);
    }
}

std::vector<u8> FatVolume::root() const
{
    if (!root_bytes_) return read_chain(root_cluster_, kLargestDirectory);
    std::vector<u8> directory(root_bytes_);
    if (!read_(root_, directory)) directory.clear();
    return directory;
}

/// As many whole clusters of a chain as hold `most` bytes.
std::vector<u8> FatVolume::read_chain(u32 cluster, u64 most) const
{
    std::vector<u8> content;
    most = std::min(most, kLargestFile);
    for (u32 steps = 0; steps <= clusters_ && content.size() < most; ++steps) {
        if (cluster < 2 || cluster >= clusters_ + 2) break;
        const std::size_t at = content.size();
        content.resize(at + cluster_bytes_);
        const u64 offset = data_ + u64{cluster - 2} * cluster_bytes_;
        if (!read_(offset, std::span(content).subspan(at))) {
            content.resize(at);
            break;
        }
        cluster = next_cluster(cluster);
    }
    return content;
}

/// 0 at the end of the chain.
u32 FatVolume::next_cluster(u32 cluster) const
{
    std::array<u8, 4> bytes{};
    const u64 offset = fat_ + u64{cluster} * static_cast<u32>(fat_bits_) / 8;
    if (!read_(offset, std::span(bytes).first(fat_bits_ == 32 ? 4 : 2))) return 0;
    u32 value = dword(bytes, 0);
    if (fat_bits_ == 12) value = (cluster & 1 ? value >> 4 : value) & 0xFFF;
    if (fat_bits_ == 32) value &= 0x0FFF'FFFF;
    return value >= 2 && value < clusters_ + 2 ? value : 0;
}

std::vector<FatVolume::Entry> FatVolume::entries(const std::vector<u8>& directory) const
{
    std::vector<Entry> result;
    for (std::size_t at = 0; at + 32 <= directory.size() && directory[at]; at += 32) {
        const auto raw = std::span(directory).subspan(at, 32);
        if (raw[0] == 0xE5 || (raw[11] & 0x3F) == kAttributeLongName) continue;
        Entry entry;
        entry.attributes = raw[11];
        if (entry.attributes & kAttributeVolume) {
            entry.name = trimmed(raw.first(11));
        } else {
            entry.name = trimmed(raw.first(8));
            if (raw[0] == 0x05) entry.name[0] = '\xE5';
            const std::string extension = trimmed(raw.subspan(8, 3));
            if (!extension.empty()) entry.name += '.' + extension;
        }
        entry.cluster = word(raw, 26) | (fat_bits_ == 32 ? word(raw, 20) << 16 : 0);
        entry.size = dword(raw, 28);
        result.push_back(std::move(entry));
    }
    return result;
}

std::optional<std::string> iso_label(const ReadAt& read)
{
    // ECMA-119, 8.4: the primary volume descriptor is in sector 16, its label at byte 40.
    std::array<u8, 72> descriptor{};
    if (!read(u64{16} * 2048, descriptor) || std::memcmp(&descriptor[1], "CD001", 5) != 0)
        return std::nullopt;
    return trimmed(std::span(descriptor).subspan(40, 32));
}

}  // namespace reprise
