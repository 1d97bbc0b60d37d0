/// What tests of the host's side share: a folder that goes away, and the sentence of an error.
#pragma once

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "machine/base/error.h"
#include "machine/base/types.h"

namespace reprise::test {

class TemporaryFolder {
public:
    TemporaryFolder()
    {
        std::string name = (std::filesystem::temp_directory_path() / "reprise.XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
        std::filesystem::permissions(folder_, std::filesystem::perms(0755));
    }
    ~TemporaryFolder() { std::filesystem::remove_all(folder_); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    std::string path() const { return folder_.string(); }
    std::string operator/(const std::string& name) const { return (folder_ / name).string(); }

    std::string file(const std::string& name, std::span<const u8> bytes) const
    {
        std::ofstream out(*this / name, std::ios::binary);
        out.write(reinterpret_cast<const char*>(bytes.data()),
                  static_cast<std::streamsize>(bytes.size()));
        return *this / name;
    }
    std::string text(const std::string& name, const std::string& text) const
    {
        return file(name, {reinterpret_cast<const u8*>(text.data()), text.size()});
    }
    std::string zeros(const std::string& name, u64 size) const
    {
        file(name, {});
        std::filesystem::resize_file(*this / name, size);
        return *this / name;
    }

    std::size_t entries() const
    {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(folder_), {}));
    }

private:
    std::filesystem::path folder_;
};

inline std::vector<u8> contents(const std::string& path)
{
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// What the HostError says that `action` throws; empty if it throws none.
std::string error_of(auto action)
{
    try {
        action();
    } catch (const HostError& error) {
        return error.what();
    }
    return "";
}

/// Root may read and write everything, so give that up while this lives.
class AsNobody {
public:
    AsNobody() : was_root_(::geteuid() == 0 && ::seteuid(65534) == 0) {}
    ~AsNobody()
    {
        if (was_root_) static_cast<void>(!::seteuid(0));
    }
    AsNobody(const AsNobody&) = delete;
    AsNobody& operator=(const AsNobody&) = delete;

private:
    bool was_root_;
};

/// A disk that is full: no file can grow beyond `bytes` while this lives.
class FileSizeLimit {
public:
    explicit FileSizeLimit(u64 bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN))
    {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FileSizeLimit()
    {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;

private:
    rlimit before_{};
    void (*handler_)(int);
};

}  // namespace reprise::test
