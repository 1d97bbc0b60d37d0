#include "machine/posix_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "machine/base/error.h"

namespace reprise {

namespace {

constexpr std::size_t kMaxTransfer = std::size_t{1} << 30;  // Linux moves less than 2 GiB a call

/// The file that `path` finally names, so that saving through a link keeps the link.
std::string resolve_links(const std::string& path)
{
    char resolved[PATH_MAX];
    return ::realpath(path.c_str(), resolved) ? std::string(resolved) : path;
}

std::string directory_of(const std::string& path)
{
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

void FileDescriptor::close()
{
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

int open_file(const std::string& path, int flags)
{
    for (;;) {
        const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd >= 0 || errno != EINTR) return fd;
    }
}

std::optional<std::size_t> read_at(int fd, u64 offset, std::span<u8> out)
{
    std::size_t done = 0;
    while (done < out.size()) {
        const ssize_t n = ::pread(fd, out.data() + done, std::min(out.size() - done, kMaxTransfer),
                                  static_cast<off_t>(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return std::nullopt;
        if (n == 0) break;
        done += static_cast<std::size_t>(n);
    }
    return done;
}

bool write_at(int fd, u64 offset, std::span<const u8> data)
{
    std::size_t done = 0;
    while (done < data.size()) {
        const ssize_t n =
            ::pwrite(fd, data.data() + done, std::min(data.size() - done, kMaxTransfer),
                     static_cast<off_t>(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = EIO;
        if (n <= 0) return false;
        done += static_cast<std::size_t>(n);
    }
    return true;
}

std::string error_text(int error) { return std::generic_category().message(error); }

std::vector<u8> read_whole_file(const std::string& path, const std::string& what, u64 max_bytes)
{
    const auto fail = [&](const std::string& why) {
        throw HostError(fmt::format("cannot read {} '{}': {}", what, path, why));
    };
    const FileDescriptor file{open_file(path, O_RDONLY)};
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) fail(error_text(errno));
    if (S_ISDIR(status.st_mode)) fail("it is a directory, not a file");
    if (!S_ISREG(status.st_mode)) fail("it is not a regular file");
    const u64 size = static_cast<u64>(status.st_size);
    if (size > max_bytes)
        fail(fmt::format("it has {} bytes; at most {} are possible", size, max_bytes));
    std::vector<u8> bytes(size);
    const auto read = read_at(file.get(), 0, bytes);
    if (!read) fail(error_text(errno));
    bytes.resize(*read);
    return bytes;
}

ReplacedFile::ReplacedFile(std::string path) : path_(resolve_links(path))
{
    struct stat status {};
    const bool exists = ::stat(path_.c_str(), &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) fail(EISDIR);
    if (exists && !S_ISREG(status.st_mode)) fail(EINVAL);
    if (exists && ::access(path_.c_str(), W_OK) != 0) fail(errno);
    for (int attempt = 0; !file_; ++attempt) {
        temporary_ = fmt::format("{}.{}-{}.tmp", path_, ::getpid(), attempt);
        const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
        file_ = FileDescriptor{::open(temporary_.c_str(), flags, 0666)};
        if (file_ || errno == EEXIST || errno == EINTR) continue;
        temporary_.clear();  // not ours to remove
        fail(errno);
    }
    if (exists) static_cast<void>(!::fchmod(file_.get(), status.st_mode & 0777));
}

ReplacedFile::~ReplacedFile()
{
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void ReplacedFile::append(std::span<const u8> data)
{
    if (!write_at(file_.get(), size_, data)) fail(errno);
    size_ += data.size();
}

void ReplacedFile::commit()
{
    if (::fsync(file_.get()) != 0) fail(errno);
    file_.close();
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
    temporary_.clear();
    // The new name must survive a power failure too. Some file systems cannot sync a directory;
    // the file itself is safe by then.
    const FileDescriptor directory{open_file(directory_of(path_), O_RDONLY | O_DIRECTORY)};
    if (directory) ::fsync(directory.get());
}

void ReplacedFile::fail(int error)
{
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    temporary_.clear();
    throw HostError(fmt::format("cannot save '{}': {}{}", path_, error_text(error),
                                error == ENOSPC ? "; free some space and save again" : ""));
}

}  // namespace reprise
