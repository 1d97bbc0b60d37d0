#include "machine/disk_image.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "machine/base/error.h"
#include "machine/savestate.h"

namespace reprise {

namespace {

bool may_not_write(int error) { return error == EACCES || error == EPERM || error == EROFS; }

/// Locks belong to the open file, not to the process, so that a second machine in this process is
/// kept out as well. 0 or errno.
int lock_file(int fd, bool writable)
{
#ifdef F_OFD_SETLK
    struct flock lock {};
    lock.l_type = static_cast<short>(writable ? F_WRLCK : F_RDLCK);
    lock.l_whence = SEEK_SET;
    return ::fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
#else
    return ::flock(fd, (writable ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 ? 0 : errno;
#endif
}

}  // namespace

OpenImage open_image_file(const std::string& path, bool writable)
{
    OpenImage image{FileDescriptor{open_file(path, writable ? O_RDWR : O_RDONLY)}, 0};
    const int error = errno;
    struct stat status {};
    if ((image.file ? ::fstat(image.file.get(), &status) : ::stat(path.c_str(), &status)) != 0)
        throw HostError(fmt::format("cannot open '{}': {}; check the path", path,
                                    error_text(image.file ? errno : error)));
    if (S_ISDIR(status.st_mode))
        throw HostError(fmt::format("'{}' is a directory; name an image file in it", path));
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
        throw HostError(fmt::format("'{}' is neither a file nor a disk; name an image file", path));
    if (!image.file) {
        if (!writable || !may_not_write(error))
            throw HostError(fmt::format("cannot open '{}': {}; check its permissions", path,
                                        error_text(error)));
        errno = error;
        return image;
    }
    image.size_bytes = S_ISBLK(status.st_mode)
                           ? static_cast<u64>(::lseek(image.file.get(), 0, SEEK_END))
                           : static_cast<u64>(status.st_size);
    if (image.size_bytes == 0)
        throw HostError(
            fmt::format("'{}' is empty; make an image with, for example, 'truncate "
                        "-s 100M' first",
                        path));
    return image;
}

DiskImage::DiskImage(const std::string& path, const Options& options, MessageSink on_message)
    : path_(path), on_message_(std::move(on_message)), read_only_(options.read_only)
{
    // A CD is never opened for writing, and neither is a file before it is known what it is.
    info_ = inspect_image(path, options.kind);
    open(!read_only_ && info_.kind != ImageKind::Cdrom);
    lock();
    // Once more: until it was locked somebody could have changed it.
    const auto read = [this](u64 offset, std::span<u8> out) {
        return read_at(file_.get(), offset, out) == out.size();
    };
    info_ = inspect_image(path, file_bytes_, read, info_.kind);
}

void DiskImage::open(bool writable)
{
    OpenImage image = open_image_file(path_, writable);
    if (!image.file) {
        const std::string reason = error_text(errno);
        if (info_.kind != ImageKind::Floppy)
            throw HostError(
                fmt::format("cannot write to '{}': {}; attach it read-only or as a "
                            "snapshot, which keeps what is written in memory",
                            path_, reason));
        if (on_message_)
            on_message_(fmt::format("'{}' cannot be written ({}): the floppy is write-protected",
                                    path_, reason));
        writable = false;
        image = open_image_file(path_, false);
    }
    read_only_ = !writable;
    file_ = std::move(image.file);
    file_bytes_ = image.size_bytes;
}

void DiskImage::lock()
{
    const int error = lock_file(file_.get(), !read_only_);
    if (error == EAGAIN || error == EACCES || error == EWOULDBLOCK)
        throw HostError(
            read_only_
                ? fmt::format("'{}' is in use by a machine that writes to it; stop that machine "
                              "or copy the image",
                              path_)
                : fmt::format("'{}' is in use by another machine; stop that machine, copy the "
                              "image, or attach it everywhere read-only or as a snapshot",
                              path_));
    if (error != 0 && on_message_)
        on_message_(fmt::format("'{}' cannot be locked ({}): do not use it in two machines at once",
                                path_, error_text(error)));
}

bool DiskImage::read(u64 offset, std::span<u8> out)
{
    std::ranges::fill(out, u8{0});
    if (offset > info_.size_bytes || out.size() > info_.size_bytes - offset) return false;
    if (offset >= file_bytes_) return true;

    const auto in_file = out.first(std::min<u64>(out.size(), file_bytes_ - offset));
    const auto read = read_at(file_.get(), offset, in_file);
    if (read == in_file.size()) return true;
    if (!read)
        tell(kCannotRead, fmt::format("cannot read '{}': {}; the guest sees a bad sector", path_,
                                      error_text(errno)));
    else
        tell(kCutOff, fmt::format("'{}' was cut off while it was in use; the guest sees bad "
                                  "sectors",
                                  path_));
    std::ranges::fill(out, u8{0});
    return false;
}

bool DiskImage::write(u64 offset, std::span<const u8> data)
{
    if (read_only_ || offset > info_.size_bytes || data.size() > info_.size_bytes - offset)
        return false;
    if (write_at(file_.get(), offset, data)) {
        file_bytes_ = std::max<u64>(file_bytes_, offset + data.size());
        return true;
    }
    const int error = errno;
    const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    tell(kCannotWrite,
         fmt::format("cannot write to '{}': {}; the guest sees a write error{}", path_,
                     error_text(error), full ? "; free some space on the host" : ""));
    return false;
}

bool DiskImage::flush()
{
    if (read_only_) return true;
#ifdef __APPLE__
    const int result = ::fsync(file_.get());
#else
    const int result = ::fdatasync(file_.get());
#endif
    if (result == 0) return true;
    tell(kCannotFlush, fmt::format("cannot make '{}' durable: {}; check the disk it is on", path_,
                                   error_text(errno)));
    return false;
}

/// Once for each kind: a failing disk would otherwise repeat itself with every sector.
void DiskImage::tell(Trouble kind, const std::string& message)
{
    if ((told_ & kind) == 0 && on_message_) on_message_(message);
    told_ = static_cast<u8>(told_ | kind);
}

u64 content_hash(BlockDevice& medium)
{
    StateHasher hasher;
    std::vector<u8> block(std::size_t{1} << 20);
    for (u64 offset = 0; offset < medium.size_bytes();) {
        const auto piece =
            std::span(block).first(std::min<u64>(block.size(), medium.size_bytes() - offset));
        if (!medium.read(offset, piece))
            throw HostError(
                fmt::format("cannot read a medium at byte {}; check the disk its image "
                            "is on",
                            offset));
        hasher.bytes(Path{""}, piece);
        offset += piece.size();
    }
    return hasher.hash();
}

MediaIdentity identify_medium(const std::string& path, BlockDevice& medium)
{
    return {path, medium.size_bytes(), content_hash(medium)};
}

MediaIdentity identify_file(const std::string& path, std::span<const u8> content)
{
    return {path, content.size(), hash_bytes(content)};
}

}  // namespace reprise
