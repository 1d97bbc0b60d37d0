/// A medium on a raw image file.
///
/// The file is locked while it is open, for writing by one and otherwise for reading by many, in
/// this process or any other. A floppy image shorter than its format reads as zeros beyond the end
/// of the file, and the file grows when the guest writes there.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "devices/block_device.h"
#include "machine/image_info.h"
#include "machine/posix_file.h"

namespace reprise {

/// Told of host trouble in whole sentences, for the person.
using MessageSink = std::function<void(std::string_view message)>;

class DiskImage : public BlockDevice {
public:
    struct Options {
        std::optional<ImageKind> kind;  // empty: guessed; a CD is always read-only
        bool read_only = false;
    };

    /// Opens and locks the file. A floppy whose file may not be written is write-protected, and
    /// `on_message` says so; a hard disk is refused. Throws HostError for whatever cannot be used.
    DiskImage(const std::string& path, const Options& options, MessageSink on_message = {});

    const std::string& path() const { return path_; }
    const ImageInfo& info() const { return info_; }

    u64 size_bytes() const override { return info_.size_bytes; }
    bool read_only() const override { return read_only_; }
    [[nodiscard]] bool read(u64 offset, std::span<u8> out) override;
    [[nodiscard]] bool write(u64 offset, std::span<const u8> data) override;
    [[nodiscard]] bool flush() override;

private:
    enum Trouble : u8 { kCannotRead = 1, kCutOff = 2, kCannotWrite = 4, kCannotFlush = 8 };

    void open(bool writable);
    void lock();
    void tell(Trouble kind, const std::string& message);

    std::string path_;
    MessageSink on_message_;
    FileDescriptor file_;
    ImageInfo info_;
    u64 file_bytes_ = 0;  // grows with what is written beyond the end
    bool read_only_ = false;
    u8 told_ = 0;
};

/// An image file, and its size in bytes, which is not zero.
struct OpenImage {
    FileDescriptor file;
    u64 size_bytes = 0;
};

/// Opens an image without locking it; no file and errno when it is there but may not be opened so.
/// Throws HostError if it is missing, empty, or not a file or block device.
OpenImage open_image_file(const std::string& path, bool writable);

/// What a savestate remembers of a medium, to recognise it again.
struct MediaIdentity {
    std::string path;
    u64 size = 0;
    u64 hash = 0;  // XXH3 of the content

    bool operator==(const MediaIdentity&) const = default;
    constexpr void visit(auto& v)
    {
        v.resizable("path", path);
        v("size", size);
        v("hash", hash);
    }
};

/// XXH3 (64 bits) of everything on a medium. Throws HostError if it cannot be read.
u64 content_hash(BlockDevice& medium);
MediaIdentity identify_medium(const std::string& path, BlockDevice& medium);
MediaIdentity identify_file(const std::string& path, std::span<const u8> content);

}  // namespace reprise
