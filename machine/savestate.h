/// Saving, loading, hashing and comparing states, all from the same `visit`.
///
/// A saved state is a list of records (path, size, little-endian value) such as
/// ("pit.channel[0].mode", 1, 3). It does not depend on the layout, padding or endianness of the
/// host, a mismatch names the field, and two saved states can be compared field by field to find
/// where a replay went wrong. savestate_file.h puts saved states into files.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "machine/base/error.h"
#include "machine/base/fields.h"

struct XXH3_state_s;

namespace reprise {

class StateWriter {
public:
    template <class T>
    void save(const std::string& name, T& state)
    {
        walk(Path{name}, state, *this);
    }

    void value(const Path& path, auto& field)
    {
        put_header(path, sizeof field);
        put(static_cast<u64>(field), sizeof field);
    }

    void bytes(const Path& path, std::span<const u8> block)
    {
        put_header(path, block.size());
        saved.insert(saved.end(), block.begin(), block.end());
    }

    std::size_t size(const Path& path, u64 size)
    {
        value(path, size);
        return size;
    }

    std::vector<u8> saved;

private:
    void put_header(const Path& path, u64 size)
    {
        text_.clear();
        path.append_to(text_);
        put(text_.size(), 2);
        saved.insert(saved.end(), text_.begin(), text_.end());
        put(size, 8);
    }

    void put(u64 value, std::size_t size)
    {
        for (std::size_t i = 0; i < size; ++i) saved.push_back(static_cast<u8>(value >> 8 * i));
    }

    std::string text_;
};

/// Takes the records of a saved state one after the other. Throws HostError when they end early or
/// are not the ones expected; what was loaded until then stays, so load into a new machine.
class StateReader {
public:
    static constexpr bool kLoads = true;

    explicit StateReader(std::span<const u8> saved) : saved_(saved) {}

    template <class T>
    void load(const std::string& name, T& state)
    {
        walk(Path{name}, state, *this);
    }

    /// Throws HostError unless every record has been taken.
    void finish() const;

    template <class T>
    void value(const Path& path, T& field)
    {
        take_header(path, sizeof field);
        field = static_cast<T>(get(sizeof field));
    }

    void bytes(const Path& path, std::span<u8> block)
    {
        take_header(path, block.size());
        std::ranges::copy(take(block.size()), block.begin());
    }

    std::size_t size(const Path& path, u64 size);

private:
    void take_header(const Path& path, u64 size);
    std::span<const u8> take(u64 size);
    u64 get(std::size_t size);

    std::span<const u8> saved_;
    std::string text_;
};

/// XXH3 (64 bits) over all values, blocks and container sizes in little-endian order: the same
/// number on every host.
class StateHasher {
public:
    StateHasher();
    ~StateHasher();

    void value(const Path&, auto& field)
    {
        if (used_ + 8 > pending_.size()) flush();
        const u64 value = static_cast<u64>(field);
        for (std::size_t i = 0; i < sizeof field; ++i)
            pending_[used_++] = static_cast<u8>(value >> 8 * i);
    }

    void bytes(const Path&, std::span<const u8> block);

    std::size_t size(const Path& path, u64 size)
    {
        value(path, size);
        return size;
    }

    /// Of everything visited so far.
    u64 hash();

private:
    void flush();
    struct Free {
        void operator()(XXH3_state_s* state) const;
    };

    std::array<u8, 4096> pending_;
    std::size_t used_ = 0;
    std::unique_ptr<XXH3_state_s, Free> xxh3_;
};

/// Of every field, in order: what a replay compares at every checkpoint.
template <class T>
u64 state_hash(T& state)
{
    StateHasher hasher;
    walk(Path{""}, state, hasher);
    return hasher.hash();
}

/// XXH3 (64 bits) of a block of bytes.
u64 hash_bytes(std::span<const u8> bytes);

struct StateDifference {
    std::string path;    // of a block, the first byte that differs: "ram+0x1234"
    std::string before;  // hexadecimal; empty: there is no such field
    std::string after;
};

/// The fields that differ between two saved states, in the order of the first, at most `limit`.
/// Throws HostError if one of them is damaged.
std::vector<StateDifference> diff_states(std::span<const u8> before, std::span<const u8> after,
                                         std::size_t limit = 1000);

}  // namespace reprise
