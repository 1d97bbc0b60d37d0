#include "machine/memory_map.h"

#include <algorithm>
#include <cstring>

namespace reprise {

namespace {
constexpr u64 kPage = 4096;
constexpr u64 kVgaWindow = 0xA0000, kVgaWindowSize = 0x20000;
}  // namespace

MemoryMap::MemoryMap(u64 ram_size) : ram(ram_size), rom_(kShadowSize, 0xFF) {}

MemoryMap::Region MemoryMap::map_memory(u64 first, u64 size, u8* read, u8* write, int layer)
{
    return add({first, size, read, write, {}, {}, layer});
}

MemoryMap::Region MemoryMap::map_mmio(u64 first, u64 size, Read read, Write write, int layer)
{
    return add({first, size, nullptr, nullptr, std::move(read), std::move(write), layer});
}

MemoryMap::Region MemoryMap::map_device(u64 first, u64 size, DeviceMemory& device, int layer)
{
    return add({first, size, nullptr, nullptr, {}, {}, layer, 0, &device});
}

MemoryMap::Region MemoryMap::add(Mapping mapping)
{
    mapping.region = regions_given_++;
    const auto above =
        std::ranges::find_if(mappings_, [&](const Mapping& m) { return m.layer > mapping.layer; });
    changed(*mappings_.insert(above, std::move(mapping)));
    return regions_given_ - 1;
}

void MemoryMap::unmap(Region region)
{
    const auto mapping = std::ranges::find(mappings_, region, &Mapping::region);
    if (mapping == mappings_.end()) return;
    const Mapping old = *mapping;
    mappings_.erase(mapping);
    changed(old);
}

/// The mapping there, if it is a chip's. Mappings begin and end on page boundaries.
const MemoryMap::Mapping* MemoryMap::find_chip(u64 address)
{
    const u64 page = address / kPage;
    Recent& recent = recent_[page % kRecent];
    if (recent.page == page) return recent.mapping;
    const Mapping* m = find(address);
    if (!m || !m->is_chip()) return nullptr;
    recent = {page, m};
    return m;
}

void MemoryMap::changed(const Mapping& mapping)
{
    recent_ = {};
    if (on_changed && mapping.size != 0) on_changed(mapping.first, mapping.size);
}

void MemoryMap::set_shadow(u64 first, u64 size, bool read_ram, bool write_ram)
{
    for (u64 at = first; at < first + size; at += kPage) {
        if (at < kShadowFirst || at >= kShadowFirst + kShadowSize) continue;
        shadow_[(at - kShadowFirst) / kPage] = {read_ram, write_ram};
    }
    if (on_changed) on_changed(first, size);
}

void MemoryMap::set_smram(bool data, bool code)
{
    if (data == smram_data_ && code == smram_code_) return;
    smram_data_ = data;
    smram_code_ = code;
    if (on_changed) on_changed(kVgaWindow, kVgaWindowSize);
}

const MemoryMap::Mapping* MemoryMap::find(u64 address) const
{
    for (auto m = mappings_.rbegin(); m != mappings_.rend(); ++m)
        if (address - m->first < m->size) return &*m;
    return nullptr;
}

bool MemoryMap::is_smram(u64 address) const
{
    return address - kVgaWindow < kVgaWindowSize && address < ram.size();
}

PageAccess MemoryMap::page(u64 address)
{
    const u64 page = address & ~(kPage - 1);
    if (smram_data_ && is_smram(page)) return {ram.data() + page, ram.data() + page};
    return bus_page(page);
}

PageAccess MemoryMap::code_page(u64 address)
{
    const u64 page = address & ~(kPage - 1);
    if (smram_code_ && is_smram(page)) return {ram.data() + page, ram.data() + page};
    return bus_page(page);
}

PageAccess MemoryMap::bus_page(u64 address)
{
    const u64 page = address & ~(kPage - 1);
    if (const Mapping* m = find(page)) {
        const u64 offset = page - m->first;
        // Memory of a card is often seen at more than one address, and the card writes it too.
        return {m->read_host ? m->read_host + offset : nullptr,
                m->write_host ? m->write_host + offset : nullptr, m->write_host != nullptr,
                m->device, static_cast<u32>(offset)};
    }
    if (page >= kShadowFirst && page < kShadowFirst + kShadowSize) {
        const Shadow& s = shadow_[(page - kShadowFirst) / kPage];
        const bool has_ram = page < ram.size();
        u8* in_ram = has_ram ? ram.data() + page : nullptr;
        return {s.read_ram ? in_ram : rom_.data() + (page - kShadowFirst),
                s.write_ram ? in_ram : nullptr};
    }
    if (page >= kVgaWindow && page < kVgaWindow + kVgaWindowSize) return {};
    if (page < ram.size()) return {ram.data() + page, ram.data() + page};
    return {};
}

u64 MemoryMap::read(u64 address, int size)
{
    const u64 idle = size == 8 ? ~u64{0} : (u64{1} << 8 * size) - 1;
    if (const Mapping* m = find_chip(address))
        return m->device ? m->device->memory_read(static_cast<u32>(address - m->first), size)
                         : m->read(address - m->first, size);
    const PageAccess access = page(address);
    if (!access.read) return idle;
    u64 value = 0;
    std::memcpy(&value, access.read + address % kPage, static_cast<std::size_t>(size));
    return value;
}

void MemoryMap::write(u64 address, int size, u64 value)
{
    if (const Mapping* m = find_chip(address)) {
        if (m->device) m->device->memory_write(static_cast<u32>(address - m->first), size, value);
        else if (m->write) m->write(address - m->first, size, value);
        return;
    }
    const PageAccess access = page(address);
    if (access.write)
        std::memcpy(access.write + address % kPage, &value, static_cast<std::size_t>(size));
}

void MemoryMap::read_block(u64 address, std::span<u8> out)
{
    while (!out.empty()) {
        const std::size_t n = std::min<std::size_t>(out.size(), kPage - address % kPage);
        const PageAccess access = bus_page(address);
        if (access.read) std::memcpy(out.data(), access.read + address % kPage, n);
        else
            for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<u8>(read(address + i, 1));
        out = out.subspan(n);
        address += n;
    }
}

void MemoryMap::write_block(u64 address, std::span<const u8> data)
{
    while (!data.empty()) {
        const std::size_t n = std::min<std::size_t>(data.size(), kPage - address % kPage);
        const PageAccess access = bus_page(address);
        if (access.write) {
            std::memcpy(access.write + address % kPage, data.data(), n);
            if (on_written) on_written(address, n);
        } else {
            for (std::size_t i = 0; i < n; ++i) write(address + i, 1, data[i]);
        }
        data = data.subspan(n);
        address += n;
    }
}

}  // namespace reprise
