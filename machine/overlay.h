/// A medium whose changes stay in memory: what --snapshot gives.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>

#include "machine/config.h"
#include "machine/disk_image.h"

namespace reprise {

/// Blocks that were written, over a base that is never written to. What it holds is part of the
/// machine: a savestate contains it.
class OverlayImage : public BlockDevice {
public:
    static constexpr u64 kBlockBytes = 4096;
    using Block = std::array<u8, kBlockBytes>;

    explicit OverlayImage(std::unique_ptr<BlockDevice> base) : base_(std::move(base)) {}

    BlockDevice& base() { return *base_; }
    const std::map<u64, Block>& blocks() const { return blocks_; }

    u64 size_bytes() const override { return base_->size_bytes(); }
    bool read_only() const override { return false; }
    [[nodiscard]] bool read(u64 offset, std::span<u8> out) override;
    [[nodiscard]] bool write(u64 offset, std::span<const u8> data) override;
    [[nodiscard]] bool flush() override { return true; }

    /// A block beyond the end can only come from a savestate; it is never looked at.
    void visit(auto& v) { v.resizable("blocks", blocks_); }

private:
    std::unique_ptr<BlockDevice> base_;
    std::map<u64, Block> blocks_;  // by number
};

/// What `open_medium` found and made of it.
struct Medium {
    std::unique_ptr<BlockDevice> device;
    OverlayImage* overlay = nullptr;  // `device`, when it is one
    ImageInfo info;                   // with the geometry that the configuration asked for
};

/// Opens the image that a drive is configured with. Throws HostError.
Medium open_medium(const DriveConfig& drive, ImageKind kind, MessageSink on_message = {});

}  // namespace reprise
