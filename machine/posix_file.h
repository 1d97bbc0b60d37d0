/// Small helpers around POSIX file descriptors. No call here throws unless it says so.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "machine/base/types.h"

namespace reprise {

/// Owns a file descriptor.
class FileDescriptor {
public:
    FileDescriptor() = default;
    explicit FileDescriptor(int fd) : fd_(fd) {}
    ~FileDescriptor() { close(); }
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    void close();

private:
    int fd_ = -1;
};

/// `open` for a file that exists, retried when a signal interrupts it; -1 and errno on failure.
/// Never waits for the other end of a FIFO.
int open_file(const std::string& path, int flags);

/// Reads at `offset` until `out` is full or the file ends. The number of bytes read; nothing and
/// errno on failure.
std::optional<std::size_t> read_at(int fd, u64 offset, std::span<u8> out);
/// Writes all of `data` at `offset`. False and errno on failure.
bool write_at(int fd, u64 offset, std::span<const u8> data);

/// "No space left on device" and the like, for errno's value `error`.
std::string error_text(int error);

/// The whole of a regular file of at most `max_bytes`. Throws HostError: "WHAT 'path' ...".
std::vector<u8> read_whole_file(const std::string& path, const std::string& what, u64 max_bytes);

/// Replaces `path` by a file of these bytes, which is complete and durable or not there at all:
/// temporary file in the same directory, fsync, rename, fsync of the directory. Throws HostError
/// after removing the temporary: "cannot save 'path': ...".
class ReplacedFile {
public:
    explicit ReplacedFile(std::string path);
    ~ReplacedFile();
    ReplacedFile(const ReplacedFile&) = delete;
    ReplacedFile& operator=(const ReplacedFile&) = delete;

    void append(std::span<const u8> data);
    void commit();

private:
    [[noreturn]] void fail(int error);

    std::string path_;
    std::string temporary_;
    FileDescriptor file_;
    u64 size_ = 0;
};

}  // namespace reprise
