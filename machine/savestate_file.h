/// The file that a saved machine is kept in: named chunks of bytes, compressed and checksummed.
///
/// All numbers are little-endian. The file begins with 64 bytes:
///
///      0  "REPRISE" 1Ah
///      8  u16 major, u16 minor version; a reader refuses another major
///     12  u32 size of this header
///     16  u64 machine id, u64 state id, u64 parent id (see SavestateFile)
///     40  16 reserved bytes, zero
///     56  u64 XXH3 of the 56 bytes before
///
/// Then chunks, each a 48-byte header, the name, the XXH3 of both, and the content:
///
///      0  "CHNK", u32 flags: bit 0 required, bit 1 content is compressed by zstd
///      8  u64 size of the content in the file
///     16  u64 size of the content
///     24  u64 XXH3 of the content
///     32  u16 length of the name; 14 reserved bytes, zero
///
/// The end is one more such header with the tag "ENDS", an empty name and no content, whose u64 at
/// 8 is the number of chunks: a file that was cut off is recognised. A reader that does not know a
/// chunk skips it unless it is marked as required.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "machine/base/types.h"

namespace reprise {

class SavestateFile {
public:
    /// Which machine and which instant. A file whose `parent` is not zero holds only what changed
    /// since the state of that id.
    struct Identity {
        u64 machine = 0;
        u64 state = 0;
        u64 parent = 0;

        bool operator==(const Identity&) const = default;
    };

    /// A reader that does not know the chunk must refuse (`Required`) or may skip it (`Optional`).
    enum class Need : u8 { Optional, Required };

    Identity identity;

    void add_chunk(std::string name, std::vector<u8> content, Need need = Need::Required);
    bool has_chunk(std::string_view name) const;
    /// Throws HostError when there is no such chunk.
    const std::vector<u8>& chunk(std::string_view name) const;
    /// Throws HostError if there is a required chunk of another name: a newer program wrote it.
    void require_known(std::initializer_list<std::string_view> names) const;

    /// Writes a temporary file, fsync, rename. Throws HostError and leaves `path` as it was.
    void write(const std::string& path) const;
    /// Throws HostError saying what is wrong and where, for whatever is not a complete savestate.
    static SavestateFile read(const std::string& path);

private:
    struct Chunk {
        std::string name;
        std::vector<u8> content;
        Need need;
    };

    const Chunk* find(std::string_view name) const;

    std::vector<Chunk> chunks_;
    std::string path_;  // for messages, when the chunks came from a file
};

/// Whether the file begins as a savestate does. False if it cannot be read.
bool is_savestate(const std::string& path);

/// What a "ram" chunk contains: runs of 4 KiB pages. Pages not listed are zero, or as in the
/// parent when only the changed ones were packed.
///
///      0  u64 size of the memory in bytes
///      8  runs until the end: u64 number of the first page, u32 pages, u32 kind: 0 the pages'
///         bytes follow, 1 all of them are zero
///
/// Packs all of `ram`, or the pages that `changed` marks (one element for each page). A last page
/// that is not complete is filled up with zeros.
std::vector<u8> pack_pages(std::span<const u8> ram);
std::vector<u8> pack_changed_pages(std::span<const u8> ram, const std::vector<bool>& changed);
/// Puts the pages that are listed into `ram` and leaves the others. Throws HostError, with `ram`
/// partly replaced, if the sizes differ or the chunk is damaged.
void unpack_pages(std::span<const u8> packed, std::span<u8> ram);

}  // namespace reprise
