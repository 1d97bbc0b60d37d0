#include "frontend/temporary.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <zlib.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "machine/base/error.h"
#include "machine/base/types.h"

namespace reprise {

TemporaryDirectory::TemporaryDirectory()
{
    std::error_code ignored;
    const auto parent = std::filesystem::temp_directory_path(ignored);
    path_ = (parent.empty() ? "/tmp" : parent.string()) + "/reprise-XXXXXX";
    if (!mkdtemp(path_.data()))
        throw HostError(
            fmt::format("cannot make a temporary directory '{}': {}", path_, std::strerror(errno)));
}

TemporaryDirectory::~TemporaryDirectory()
{
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryDirectory::file(const std::string& name)
{
    return fmt::format("{}/{}-{}", path_, next_++, name);
}

bool is_gzip(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    std::array<char, 3> head{};
    return file.read(head.data(), head.size()) && head == std::array<char, 3>{'\x1F', '\x8B', 8};
}

void unpack(const std::string& from, const std::string& to)
{
    // gzopen reads a file that is not compressed as it stands.
    const std::unique_ptr<gzFile_s, int (*)(gzFile)> in(gzopen(from.c_str(), "rb"), gzclose);
    if (!in) throw HostError(fmt::format("cannot open '{}': {}", from, std::strerror(errno)));
    std::ofstream out(to, std::ios::binary | std::ios::trunc);
    std::vector<char> block(1 << 18);
    int size = 0;
    while ((size = gzread(in.get(), block.data(), static_cast<unsigned>(block.size()))) > 0)
        out.write(block.data(), size);
    int error = Z_OK;
    const char* text = gzerror(in.get(), &error);
    if (size < 0 || (error != Z_OK && error != Z_STREAM_END))
        throw HostError(fmt::format("cannot unpack '{}': {}", from, text));
    if (!out.flush()) throw HostError(fmt::format("cannot write '{}': is the disk full?", to));
}

}  // namespace reprise
