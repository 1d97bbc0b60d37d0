#include "machine/savestate_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "machine/base/error.h"
#include "machine/posix_file.h"
#include "machine/savestate.h"

namespace reprise {

namespace {

constexpr std::string_view kMagic = "REPRISE\x1A";
constexpr u16 kMajor = 2, kMinor = 0;
constexpr std::size_t kFileHeaderBytes = 64, kChunkHeaderBytes = 48, kHashBytes = 8;
constexpr std::string_view kChunkTag = "CHNK", kEndTag = "ENDS";
constexpr u32 kFlagRequired = 1, kFlagCompressed = 2;

/// More than any machine has, so that a file cannot ask for all the memory of the host.
constexpr u64 kMaxTotalBytes = u64{8} << 30;
constexpr std::size_t kMaxNameBytes = 255;

/// Fast enough that saving is bound by the disk.
constexpr int kCompressionLevel = 1;

/// Big enough that zstd runs at full speed.
constexpr std::size_t kBufferBytes = std::size_t{1} << 17;

void store(std::span<u8> header, std::size_t offset, u64 value, std::size_t size)
{
    for (std::size_t i = 0; i < size; ++i) header[offset + i] = static_cast<u8>(value >> 8 * i);
}

u64 load(std::span<const u8> header, std::size_t offset, std::size_t size)
{
    u64 value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= u64{header[offset + i]} << 8 * i;
    return value;
}

void store_text(std::span<u8> header, std::string_view text)
{
    std::ranges::copy(text, header.begin());
}

bool begins_with(std::span<const u8> header, std::string_view text)
{
    return std::ranges::equal(header.first(text.size()), text,
                              [](u8 a, char b) { return a == static_cast<u8>(b); });
}

// ---- Writing -----------------------------------------------------------------------------------

std::vector<u8> compress(std::span<const u8> content)
{
    std::vector<u8> packed(ZSTD_compressBound(content.size()));
    const std::size_t size = ZSTD_compress(packed.data(), packed.size(), content.data(),
                                           content.size(), kCompressionLevel);
    if (ZSTD_isError(size))
        throw HostError(fmt::format("cannot compress a savestate: {}", ZSTD_getErrorName(size)));
    packed.resize(size);
    return packed;
}

std::vector<u8> chunk_header(std::string_view tag, std::string_view name, u32 flags, u64 stored,
                             u64 size, u64 hash)
{
    const std::size_t hashed = kChunkHeaderBytes + name.size();
    std::vector<u8> header(hashed + kHashBytes);
    store_text(header, tag);
    store(header, 4, flags, 4);
    store(header, 8, stored, 8);
    store(header, 16, size, 8);
    store(header, 24, hash, 8);
    store(header, 32, name.size(), 2);
    store_text(std::span(header).subspan(kChunkHeaderBytes), name);
    store(header, hashed, hash_bytes(std::span(header).first(hashed)), kHashBytes);
    return header;
}

std::array<u8, kFileHeaderBytes> file_header(const SavestateFile::Identity& identity)
{
    std::array<u8, kFileHeaderBytes> header{};
    store_text(header, kMagic);
    store(header, 8, kMajor, 2);
    store(header, 10, kMinor, 2);
    store(header, 12, kFileHeaderBytes, 4);
    store(header, 16, identity.machine, 8);
    store(header, 24, identity.state, 8);
    store(header, 32, identity.parent, 8);
    store(header, 56, hash_bytes(std::span(header).first(56)), 8);
    return header;
}

// ---- Reading -----------------------------------------------------------------------------------

struct ChunkHeader {
    bool end = false;
    std::string name;
    u32 flags = 0;
    u64 stored = 0, size = 0, hash = 0;
};

/// Reads a file from front to back, and knows how to say what is wrong with it.
class Source {
public:
    explicit Source(const std::string& path) : path_(path), file_(open_file(path, O_RDONLY))
    {
        struct stat status {};
        if (!file_ || ::fstat(file_.get(), &status) != 0) cannot_read(error_text(errno));
        if (!S_ISREG(status.st_mode)) cannot_read("it is not a regular file");
        size_ = static_cast<u64>(status.st_size);
    }

    u64 offset() const { return offset_; }
    u64 remaining() const { return size_ - offset_; }

    void take(std::span<u8> out)
    {
        if (out.size() > remaining()) damaged("the file ends too early");
        const auto read = read_at(file_.get(), offset_, out);
        if (!read) cannot_read(error_text(errno));
        if (*read != out.size()) damaged("the file ends too early");
        offset_ += out.size();
    }

    [[noreturn]] void refuse(const std::string& why) const
    {
        throw HostError(fmt::format("cannot load '{}': {}", path_, why));
    }

    [[noreturn]] void damaged(const std::string& what) const
    {
        refuse(fmt::format("the savestate is damaged at byte {}: {}", offset_, what));
    }

private:
    [[noreturn]] void cannot_read(const std::string& why) const
    {
        throw HostError(fmt::format("cannot read savestate '{}': {}", path_, why));
    }

    std::string path_;
    FileDescriptor file_;
    u64 size_ = 0, offset_ = 0;
};

SavestateFile::Identity take_file_header(Source& source)
{
    std::array<u8, kFileHeaderBytes> header{};
    if (source.remaining() < kMagic.size()) source.refuse("it is not a savestate of Reprise");
    source.take(std::span(header).first(kMagic.size()));
    if (!begins_with(header, kMagic)) source.refuse("it is not a savestate of Reprise");
    source.take(std::span(header).subspan(kMagic.size()));
    // The version comes first: another one may have another header.
    if (const u64 major = load(header, 8, 2); major != kMajor)
        source.refuse(
            fmt::format("its format version is {}; this program reads version {}", major, kMajor));
    if (load(header, 56, 8) != hash_bytes(std::span(header).first(56)) ||
        load(header, 12, 4) != kFileHeaderBytes)
        source.damaged("the header's checksum is wrong");
    return {load(header, 16, 8), load(header, 24, 8), load(header, 32, 8)};
}

ChunkHeader take_chunk_header(Source& source)
{
    std::vector<u8> header(kChunkHeaderBytes);
    source.take(header);
    ChunkHeader chunk{.end = begins_with(header, kEndTag),
                      .name = {},
                      .flags = static_cast<u32>(load(header, 4, 4)),
                      .stored = load(header, 8, 8),
                      .size = load(header, 16, 8),
                      .hash = load(header, 24, 8)};
    if (!chunk.end && !begins_with(header, kChunkTag)) source.damaged("no chunk begins here");
    const u64 name_size = load(header, 32, 2);
    if (name_size > kMaxNameBytes) source.damaged("the chunk's name is too long");
    header.resize(kChunkHeaderBytes + name_size);
    source.take(std::span(header).subspan(kChunkHeaderBytes));
    chunk.name.assign(header.begin() + kChunkHeaderBytes, header.end());
    std::array<u8, kHashBytes> hash{};
    source.take(hash);
    if (load(hash, 0, kHashBytes) != hash_bytes(header))
        source.damaged("the checksum of the chunk's header is wrong");
    return chunk;
}

/// Grows with what is really there: a size that lies does not allocate.
std::vector<u8> take_compressed(Source& source, const ChunkHeader& chunk)
{
    const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                       &ZSTD_freeDCtx);
    if (!context) throw std::bad_alloc();
    std::vector<u8> content, in(kBufferBytes), out(kBufferBytes);
    std::size_t status = 1;  // zero when a frame is complete
    for (u64 left = chunk.stored; left > 0;) {
        const auto piece = std::span(in).first(std::min<u64>(left, in.size()));
        source.take(piece);
        left -= piece.size();
        ZSTD_inBuffer input{piece.data(), piece.size(), 0};
        bool more = true;  // zstd may hold output back when the buffer was full
        while (input.pos < input.size || more) {
            ZSTD_outBuffer output{out.data(), out.size(), 0};
            status = ZSTD_decompressStream(context.get(), &output, &input);
            if (ZSTD_isError(status))
                source.damaged(fmt::format("chunk '{}' cannot be decompressed", chunk.name));
            if (output.pos > chunk.size - content.size())
                source.damaged(fmt::format("chunk '{}' is larger than it says", chunk.name));
            content.insert(content.end(), out.begin(),
                           out.begin() + static_cast<std::ptrdiff_t>(output.pos));
            more = output.pos == out.size() && status != 0;
        }
    }
    if (status != 0) source.damaged(fmt::format("chunk '{}' is not complete", chunk.name));
    return content;
}

std::vector<u8> take_content(Source& source, const ChunkHeader& chunk)
{
    if (chunk.stored > source.remaining())
        source.damaged(fmt::format("the file ends inside chunk '{}'", chunk.name));
    std::vector<u8> content;
    if (chunk.flags & kFlagCompressed) {
        content = take_compressed(source, chunk);
    } else {
        content.resize(chunk.stored);
        source.take(content);
    }
    if (content.size() != chunk.size || hash_bytes(content) != chunk.hash)
        source.damaged(fmt::format("the checksum of chunk '{}' is wrong", chunk.name));
    return content;
}

}  // namespace

void SavestateFile::add_chunk(std::string name, std::vector<u8> content, Need need)
{
    chunks_.push_back({std::move(name), std::move(content), need});
}

const SavestateFile::Chunk* SavestateFile::find(std::string_view name) const
{
    const auto found = std::ranges::find(chunks_, name, &Chunk::name);
    return found == chunks_.end() ? nullptr : &*found;
}

bool SavestateFile::has_chunk(std::string_view name) const { return find(name) != nullptr; }

const std::vector<u8>& SavestateFile::chunk(std::string_view name) const
{
    const Chunk* found = find(name);
    if (!found) throw HostError(fmt::format("cannot load '{}': it has no chunk '{}'", path_, name));
    return found->content;
}

void SavestateFile::require_known(std::initializer_list<std::string_view> names) const
{
    for (const Chunk& chunk : chunks_)
        if (chunk.need == Need::Required && std::ranges::find(names, chunk.name) == names.end())
            throw HostError(
                fmt::format("cannot load '{}': it needs '{}', which this version does "
                            "not know; a newer version wrote it",
                            path_, chunk.name));
}

void SavestateFile::write(const std::string& path) const
{
    ReplacedFile file(path);
    file.append(file_header(identity));
    for (const Chunk& chunk : chunks_) {
        const std::vector<u8> packed = compress(chunk.content);
        const bool smaller = packed.size() < chunk.content.size();
        const std::vector<u8>& stored = smaller ? packed : chunk.content;
        const u32 flags =
            (chunk.need == Need::Required ? kFlagRequired : 0) | (smaller ? kFlagCompressed : 0);
        file.append(chunk_header(kChunkTag, chunk.name, flags, stored.size(), chunk.content.size(),
                                 hash_bytes(chunk.content)));
        file.append(stored);
    }
    file.append(chunk_header(kEndTag, "", 0, chunks_.size(), 0, 0));
    file.commit();
}

SavestateFile SavestateFile::read(const std::string& path)
try {
    SavestateFile file;
    file.path_ = path;
    Source source(path);
    file.identity = take_file_header(source);
    u64 total = 0;
    for (;;) {
        ChunkHeader chunk = take_chunk_header(source);
        if (chunk.end) {
            if (chunk.stored != file.chunks_.size()) source.damaged("chunks are missing");
            break;
        }
        if (chunk.size > kMaxTotalBytes - total)
            source.damaged(fmt::format("chunk '{}' is too large", chunk.name));
        if (file.has_chunk(chunk.name))
            source.damaged(fmt::format("chunk '{}' is there twice", chunk.name));
        total += chunk.size;
        std::vector<u8> content = take_content(source, chunk);
        file.add_chunk(std::move(chunk.name), std::move(content),
                       chunk.flags & kFlagRequired ? Need::Required : Need::Optional);
    }
    if (source.remaining() != 0) source.damaged("something follows the end");
    return file;
} catch (const std::bad_alloc&) {
    throw HostError(fmt::format("cannot load '{}': not enough memory", path));
}

bool is_savestate(const std::string& path)
{
    const FileDescriptor file{open_file(path, O_RDONLY)};
    std::array<u8, kMagic.size()> head{};
    const auto read = file ? read_at(file.get(), 0, head) : std::nullopt;
    return read == head.size() && begins_with(head, kMagic);
}

}  // namespace reprise
