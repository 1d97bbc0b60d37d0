/// Files that vanish with their owner, and images that have to be unpacked first.
#pragma once

#include <string>

namespace reprise {

/// A directory of its own under the system's temporary directory, removed with all it holds.
class TemporaryDirectory {
public:
    TemporaryDirectory();  // Throws HostError.
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    const std::string& path() const { return path_; }
    /// A path in it that no other call got: "3-name".
    std::string file(const std::string& name);

private:
    std::string path_;
    int next_ = 1;
};

/// Whether a file starts as gzip's do (RFC 1952).
bool is_gzip(const std::string& path);

/// Unpacks a gzip file, or copies any other. Throws HostError.
void unpack(const std::string& from, const std::string& to);

}  // namespace reprise
