#include "machine/overlay.h"

#include <fmt/core.h>

#include <algorithm>

#include "machine/base/error.h"

namespace reprise {

bool OverlayImage::read(u64 offset, std::span<u8> out)
{
    if (!base_->read(offset, out)) return false;
    const u64 end = offset + out.size(), end_block = (end + kBlockBytes - 1) / kBlockBytes;
    for (auto block = blocks_.lower_bound(offset / kBlockBytes);
         block != blocks_.end() && block->first < end_block; ++block) {
        const u64 begin = block->first * kBlockBytes;
        const u64 from = std::max(begin, offset), to = std::min(begin + kBlockBytes, end);
        std::copy_n(block->second.begin() + static_cast<std::ptrdiff_t>(from - begin), to - from,
                    out.begin() + static_cast<std::ptrdiff_t>(from - offset));
    }
    return true;
}

bool OverlayImage::write(u64 offset, std::span<const u8> data)
try {
    if (offset > size_bytes() || data.size() > size_bytes() - offset) return false;
    while (!data.empty()) {
        const u64 number = offset / kBlockBytes, begin = number * kBlockBytes;
        const u64 at = offset - begin;
        const auto piece = data.first(std::min<u64>(data.size(), kBlockBytes - at));
        auto found = blocks_.find(number);
        if (found == blocks_.end()) {
            Block block{};
            const u64 size = std::min(kBlockBytes, size_bytes() - begin);
            if (piece.size() != size && !base_->read(begin, std::span(block).first(size)))
                return false;
            found = blocks_.emplace(number, block).first;
        }
        std::ranges::copy(piece, found->second.begin() + static_cast<std::ptrdiff_t>(at));
        data = data.subspan(piece.size());
        offset += piece.size();
    }
    return true;
} catch (const std::bad_alloc&) {
    return false;  // the host has no more memory: the guest sees a write error
}

Medium open_medium(const DriveConfig& drive, ImageKind kind, MessageSink on_message)
{
    const bool snapshot = drive.snapshot && kind != ImageKind::Cdrom && !drive.read_only;
    const DiskImage::Options options{kind, drive.read_only || snapshot};
    auto image = std::make_unique<DiskImage>(drive.path, options, std::move(on_message));
    Medium medium{nullptr, nullptr, image->info()};
    if (drive.geometry && kind != ImageKind::Cdrom) {
        if (drive.geometry->total() == 0 || drive.geometry->total() * 512 > medium.info.size_bytes)
            throw HostError(
                fmt::format("'{}' has {} sectors; the geometry that was asked for, {} "
                            "x {} x {}, does not fit in",
                            drive.path, medium.info.size_bytes / 512, drive.geometry->cylinders,
                            drive.geometry->heads, drive.geometry->sectors));
        medium.info.geometry = *drive.geometry;
    }
    if (snapshot) {
        auto overlay = std::make_unique<OverlayImage>(std::move(image));
        medium.overlay = overlay.get();
        medium.device = std::move(overlay);
    } else {
        medium.device = std::move(image);
    }
    return medium;
}

}  // namespace reprise
