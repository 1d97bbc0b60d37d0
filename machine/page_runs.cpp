#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>

#include "machine/base/error.h"
#include "machine/savestate_file.h"

namespace reprise {

namespace {

constexpr u64 kPageBytes = 4096;
constexpr std::size_t kRunHeaderBytes = 16;
constexpr u32 kMaxRunPages = 1 << 20;

enum class Run : u32 { Bytes, Zero };

void put(std::vector<u8>& out, u64 value, std::size_t size)
{
    for (std::size_t i = 0; i < size; ++i) out.push_back(static_cast<u8>(value >> 8 * i));
}

u64 get(std::span<const u8> in, std::size_t size)
{
    u64 value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= u64{in[i]} << 8 * i;
    return value;
}

std::span<const u8> page_of(std::span<const u8> ram, u64 page)
{
    const u64 begin = page * kPageBytes;
    return ram.subspan(begin, std::min<u64>(kPageBytes, ram.size() - begin));
}

bool all_zero(std::span<const u8> bytes)
{
    return bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

/// Packs the pages for which `kind_of` names a kind of run.
std::vector<u8> pack(std::span<const u8> ram,
                     const std::function<std::optional<Run>(u64 page)>& kind_of)
{
    std::vector<u8> packed;
    put(packed, ram.size(), 8);
    const u64 pages = (ram.size() + kPageBytes - 1) / kPageBytes;
    for (u64 first = 0; first < pages;) {
        const auto kind = kind_of(first);
        u64 end = first + 1;
        while (end < pages && end - first < kMaxRunPages && kind_of(end) == kind) ++end;
        if (kind) {
            put(packed, first, 8);
            put(packed, end - first, 4);
            put(packed, static_cast<u32>(*kind), 4);
        }
        for (u64 page = first; kind == Run::Bytes && page < end; ++page) {
            const auto bytes = page_of(ram, page);
            packed.insert(packed.end(), bytes.begin(), bytes.end());
            packed.resize(packed.size() + kPageBytes - bytes.size());
        }
        first = end;
    }
    return packed;
}

}  // namespace

std::vector<u8> pack_pages(std::span<const u8> ram)
{
    return pack(ram, [&](u64 page) {
        return all_zero(page_of(ram, page)) ? std::nullopt : std::optional(Run::Bytes);
    });
}

std::vector<u8> pack_changed_pages(std::span<const u8> ram, const std::vector<bool>& changed)
{
    return pack(ram, [&](u64 page) -> std::optional<Run> {
        if (page >= changed.size() || !changed[page]) return std::nullopt;
        return all_zero(page_of(ram, page)) ? Run::Zero : Run::Bytes;
    });
}

void unpack_pages(std::span<const u8> packed, std::span<u8> ram)
{
    const auto take = [&](u64 size) {
        if (size > packed.size()) throw HostError("savestate: the memory ends too early");
        const auto head = packed.first(size);
        packed = packed.subspan(size);
        return head;
    };
    if (const u64 size = get(take(8), 8); size != ram.size())
        throw HostError(fmt::format("savestate: its memory has {} bytes, this machine's has {}",
                                    size, ram.size()));
    const u64 pages = (ram.size() + kPageBytes - 1) / kPageBytes;
    while (!packed.empty()) {
        const auto header = take(kRunHeaderBytes);
        const u64 first = get(header, 8), count = get(header.subspan(8), 4);
        const u64 kind = get(header.subspan(12), 4);
        if (first > pages || count > pages - first || kind > static_cast<u64>(Run::Zero))
            throw HostError(fmt::format("savestate: there is no page {} of memory", first));
        const u64 begin = first * kPageBytes;
        const u64 end = std::min<u64>(begin + count * kPageBytes, ram.size());
        const auto target = ram.subspan(std::min<u64>(begin, end), end - std::min(begin, end));
        if (kind == static_cast<u64>(Run::Zero)) std::ranges::fill(target, u8{0});
        else std::ranges::copy(take(count * kPageBytes).first(target.size()), target.begin());
    }
}

}  // namespace reprise
