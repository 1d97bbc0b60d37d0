#include "machine/savestate.h"

#include <fmt/core.h>
#include <xxhash.h>

#include <unordered_map>

namespace reprise {

namespace {

/// A saved state, record by record.
struct Records {
    std::span<const u8> saved;

    std::span<const u8> take(u64 size)
    {
        if (size > saved.size()) throw HostError("savestate: ends too early");
        const auto head = saved.first(size);
        saved = saved.subspan(size);
        return head;
    }

    u64 get(std::size_t size)
    {
        u64 value = 0;
        const auto found = take(size);
        for (std::size_t i = 0; i < size; ++i) value |= u64{found[i]} << 8 * i;
        return value;
    }

    std::string_view take_path()
    {
        const auto found = take(get(2));
        return {reinterpret_cast<const char*>(found.data()), found.size()};
    }
};

constexpr std::size_t kMaxIntegerBytes = 8;

std::string hex(std::span<const u8> value)
{
    std::string text;
    for (std::size_t i = value.size(); i > 0; --i) text += fmt::format("{:02x}", value[i - 1]);
    return text;
}

StateDifference difference(std::string_view path, std::span<const u8> before,
                           std::span<const u8> after)
{
    if (before.size() != after.size() || before.size() <= kMaxIntegerBytes)
        return {std::string(path), hex(before.first(std::min(before.size(), kMaxIntegerBytes))),
                hex(after.first(std::min(after.size(), kMaxIntegerBytes)))};
    const auto at =
        static_cast<std::size_t>(std::ranges::mismatch(before, after).in1 - before.begin());
    return {fmt::format("{}+0x{:x}", path, at), hex(before.subspan(at, 1)),
            hex(after.subspan(at, 1))};
}

}  // namespace

void StateReader::finish() const
{
    if (saved_.empty()) return;
    Records records{saved_};
    throw HostError(fmt::format("savestate: {} is not known here", records.take_path()));
}

/// Each element takes at least one byte, so a size that lies cannot make anything large.
std::size_t StateReader::size(const Path& path, u64)
{
    u64 size = 0;
    value(path, size);
    if (size > saved_.size())
        throw HostError(fmt::format("savestate: {} is larger than the file", path.text()));
    return size;
}

void StateReader::take_header(const Path& path, u64 size)
{
    text_.clear();
    path.append_to(text_);
    Records records{saved_};
    const std::string_view found = records.take_path();
    if (found != text_)
        throw HostError(fmt::format("savestate: expected {}, found {}", text_, found));
    if (records.get(8) != size) throw HostError("savestate: " + text_ + " has another size");
    saved_ = records.saved;
}

std::span<const u8> StateReader::take(u64 size)
{
    Records records{saved_};
    const auto taken = records.take(size);
    saved_ = records.saved;
    return taken;
}

u64 StateReader::get(std::size_t size)
{
    Records records{saved_};
    const u64 value = records.get(size);
    saved_ = records.saved;
    return value;
}

StateHasher::StateHasher() : xxh3_(XXH3_createState())
{
    if (!xxh3_) throw std::bad_alloc();
    XXH3_64bits_reset(xxh3_.get());
}

StateHasher::~StateHasher() = default;

void StateHasher::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

void StateHasher::bytes(const Path&, std::span<const u8> block)
{
    flush();
    XXH3_64bits_update(xxh3_.get(), block.data(), block.size());
}

u64 StateHasher::hash()
{
    flush();
    return XXH3_64bits_digest(xxh3_.get());
}

void StateHasher::flush()
{
    XXH3_64bits_update(xxh3_.get(), pending_.data(), used_);
    used_ = 0;
}

u64 hash_bytes(std::span<const u8> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::vector<StateDifference> diff_states(std::span<const u8> before, std::span<const u8> after,
                                         std::size_t limit)
{
    std::unordered_map<std::string_view, std::span<const u8>> others;
    for (Records records{after}; !records.saved.empty();) {
        const auto path = records.take_path();
        others[path] = records.take(records.get(8));
    }
    std::vector<StateDifference> differences;
    for (Records records{before}; !records.saved.empty();) {
        const auto path = records.take_path();
        const auto value = records.take(records.get(8));
        const auto other = others.find(path);
        if (other == others.end()) differences.push_back(difference(path, value, {}));
        else if (!std::ranges::equal(value, other->second))
            differences.push_back(difference(path, value, other->second));
        if (other != others.end()) others.erase(other);
        if (differences.size() >= limit) return differences;
    }
    // What only the second has, in its own order.
    for (Records records{after}; !records.saved.empty() && differences.size() < limit;) {
        const auto path = records.take_path();
        const auto value = records.take(records.get(8));
        if (others.contains(path)) differences.push_back(difference(path, {}, value));
    }
    return differences;
}

}  // namespace reprise
