#include "machine/multiboot_kernel.h"

#include <fmt/core.h>

#include <algorithm>

#include "machine/base/error.h"

namespace reprise {

namespace {

// 3.1: the header, within the first 8192 bytes, aligned to 4.
constexpr u32 kHeaderMagic = 0x1BADB002, kBootMagic = 0x2BADB002;
constexpr std::size_t kSearched = 8192, kFlags = 4, kHeaderAddr = 12, kLoadAddr = 16,
                      kLoadEndAddr = 20, kBssEndAddr = 24, kEntryAddr = 28;
constexpr u32 kWantsVideo = 1 << 2, kHasAddresses = 1 << 16;
constexpr u32 kUnknownRequirements =
    0xFFF8;  // bits 3 to 15: a loader that does not know them must fail

// 3.3: flags of the information.
constexpr u32 kMemoryInfo = 1 << 0, kCommandLineInfo = 1 << 2, kModulesInfo = 1 << 3,
              kMapInfo = 1 << 6, kLoaderNameInfo = 1 << 9, kFramebufferInfo = 1 << 12;
constexpr std::size_t kInfoBytes = 116;

// The block of the boot card is at 1000h; what is below 10000h is left to it and to the
// information.
constexpr u64 kInformation = 0x2000, kInformationEnd = 0x10000, kHigh = 0x100000, kPage = 0x1000;
constexpr u64 kTopOf32Bits = u64{1} << 32;

constexpr u64 round_up(u64 value, u64 unit) { return (value + unit - 1) / unit * unit; }

u64 get(std::span<const u8> bytes, u64 at, std::size_t size)
{
    u64 value = 0;
    for (std::size_t i = 0; i < size; ++i)
        if (at < bytes.size() && i < bytes.size() - at) value |= u64{bytes[at + i]} << 8 * i;
    return value;
}

/// Bytes that will be at `base`.
class Arena {
public:
    explicit Arena(u64 base) : base_(base) {}

    u64 next() const { return base_ + bytes.size(); }
    void put32(std::size_t at, u64 value)
    {
        for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<u8>(value >> 8 * i);
    }
    void add32(u64 value)
    {
        bytes.resize(bytes.size() + 4);
        put32(bytes.size() - 4, value);
    }
    /// The address of the text, which ends with a zero.
    u64 add_text(const std::string& text)
    {
        const u64 address = next();
        bytes.insert(bytes.end(), text.begin(), text.end());
        bytes.resize(round_up(bytes.size() + 1, 4));
        return address;
    }

    std::vector<u8> bytes;

private:
    u64 base_;
};

/// The name comes first, as on any command line, and guests skip it.
std::string command_line(const std::string& path, const std::string& arguments)
{
    return arguments.empty() ? file_name(path) : file_name(path) + ' ' + arguments;
}

}  // namespace

// ---- What the file is --------------------------------------------------------------------------

std::optional<std::size_t> MultibootKernel::find_header(std::span<const u8> image)
{
    const std::size_t searched = std::min(image.size(), kSearched);
    for (std::size_t at = 0; at + 12 <= searched; at += 4) {
        const u64 sum = get(image, at, 4) + get(image, at + 4, 4) + get(image, at + 8, 4);
        if (get(image, at, 4) == kHeaderMagic && static_cast<u32>(sum) == 0) return at;
    }
    return std::nullopt;
}

bool MultibootKernel::recognises(std::span<const u8> image)
{
    return find_header(image).has_value();
}

u32 MultibootKernel::header(std::size_t offset) const
{
    return static_cast<u32>(get(files_.image, header_at_ + offset, 4));
}

u64 MultibootKernel::field(u64 offset, std::size_t size) const
{
    return get(files_.image, offset, size);
}

void MultibootKernel::damaged(const std::string& why) const
{
    throw HostError(
        fmt::format("the multiboot kernel '{}' cannot be loaded: {}", files_.config.path, why));
}

MultibootKernel::MultibootKernel(const KernelFiles& files, const KernelHost& host)
    : files_(files), header_at_(find_header(files.image).value_or(0)), flags_(header(kFlags))
{
    const std::string& entry = files.config.entry;
    if (!entry.empty() && entry != "multiboot")
        damaged(fmt::format("it has no {}-bit entry of Linux; leave the entry out", entry));
    if (flags_ & kUnknownRequirements)
        damaged(fmt::format("it requires what the specification does not define (flags {:08x})",
                            flags_));
    if (flags_ & kHasAddresses) read_address_fields();
    else read_elf();
    check_memory(host);
}

/// 3.1.3, "The address fields of Multiboot header".
void MultibootKernel::read_address_fields()
{
    const u64 load = header(kLoadAddr), header_address = header(kHeaderAddr);
    if (load > header_address || header_address - load > header_at_)
        damaged("its header and the load address do not go together");
    Segment segment;
    segment.address = load;
    segment.file_offset = header_at_ - (header_address - load);
    const u64 end = header(kLoadEndAddr), available = files_.image.size() - segment.file_offset;
    if (end != 0 && end < load) damaged("it ends before it begins");
    if (end != 0 && end - load > available)
        damaged(fmt::format("it is cut off; its header says {} bytes and {} are there", end - load,
                            available));
    segment.file_size = end == 0 ? available : end - load;
    const u64 bss_end = header(kBssEndAddr);
    segment.size = std::max<u64>(segment.file_size, bss_end > load ? bss_end - load : 0);
    segments_ = {segment};
    entry_ = header(kEntryAddr);
}

/// System V ABI, "ELF Header" and "Program Header". 64-bit files are entered in 32-bit mode too.
void MultibootKernel::read_elf()
{
    constexpr u32 kElf = 0x464C457F;
    constexpr u64 kClass = 4, kType = 16, kExecutable = 2, kWide = 2;
    if (field(0, 4) != kElf || field(kType, 2) != kExecutable)
        damaged("it is no ELF program, and its header does not say where it goes");
    const bool wide = field(kClass, 1) == kWide;
    const u64 entry = wide ? field(24, 8) : field(24, 4);
    const u64 table = wide ? field(32, 8) : field(28, 4);
    const u64 entry_size = field(wide ? 54 : 42, 2), count = field(wide ? 56 : 44, 2);
    if (table > files_.image.size() || count * entry_size > files_.image.size() - table)
        damaged("it is cut off; its program headers are not there");
    entry_ = static_cast<u32>(entry);
    read_elf_segments(table, entry_size, count, wide);
    if (segments_.empty()) damaged("nothing in it is to be loaded");
}

void MultibootKernel::read_elf_segments(std::size_t table, std::size_t entry_size,
                                        std::size_t count, bool wide)
{
    constexpr u64 kLoad = 1;
    const std::size_t width = wide ? 8 : 4;
    const u64 entry = entry_;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = table + i * entry_size;
        if (field(at, 4) != kLoad) continue;
        const std::size_t offset = at + width;  // p_offset, p_vaddr, p_paddr, p_filesz, p_memsz
        const u64 begin = field(offset, width), size = field(offset + 3 * width, width);
        if (begin > files_.image.size() || size > files_.image.size() - begin)
            damaged(fmt::format("it is cut off; program header {} is beyond its end", i));
        Segment segment{field(offset + 2 * width, width), field(offset + 4 * width, width), begin,
                        size};
        segment.size = std::max<u64>(segment.size, size);
        // The entry is a virtual address, and the kernel is entered without paging.
        const u64 virtual_address = field(offset + width, width) & 0xFFFFFFFF;
        if (entry >= virtual_address && entry - virtual_address < segment.size)
            entry_ = static_cast<u32>(entry - virtual_address + segment.address);
        if (segment.size != 0) segments_.push_back(segment);
    }
}

u64 MultibootKernel::end_of_segments() const
{
    u64 end = kHigh;
    for (const Segment& segment : segments_) end = std::max(end, segment.address + segment.size);
    return end;
}

void MultibootKernel::check_memory(const KernelHost& host) const
{
    for (const Segment& segment : segments_) {
        if (segment.address < kInformationEnd)
            damaged(fmt::format("it goes to {:x}h, and the memory below {:x}h is in use",
                                segment.address, kInformationEnd));
        if (segment.address >= kTopOf32Bits || segment.size >= kTopOf32Bits)
            damaged("it goes beyond 4 GB");
    }
    u64 end = end_of_segments();
    for (const std::vector<u8>& module : files_.modules) end = round_up(end, kPage) + module.size();
    if (end > host.memory_bytes)
        throw HostError(
            fmt::format("the kernel '{}'{} needs more than {} MB of memory, and the machine "
                        "has {} MB; choose more with --memory",
                        files_.config.path, files_.modules.empty() ? "" : " with its modules",
                        (end + 0xFFFFF) >> 20, host.memory_bytes >> 20));
}

// ---- The start ---------------------------------------------------------------------------------

/// Behind the kernel, each at the beginning of a page.
std::vector<u64> MultibootKernel::module_addresses() const
{
    std::vector<u64> addresses;
    u64 end = end_of_segments();
    for (const std::vector<u8>& module : files_.modules) {
        addresses.push_back(round_up(end, kPage));
        end = addresses.back() + module.size();
    }
    addresses.push_back(end);
    return addresses;
}

/// 3.3, "Boot information format".
std::vector<u8> MultibootKernel::information(std::span<const MemoryRange> map) const
{
    constexpr u64 kMapEntryBytes = 20;
    Arena arena(kInformation);
    arena.bytes.resize(kInfoBytes);
    u32 flags = kMemoryInfo | kCommandLineInfo | kModulesInfo | kMapInfo | kLoaderNameInfo;
    arena.put32(4, end_of_memory_at(map, 0) / 1024);
    arena.put32(8, (std::max(end_of_memory_at(map, kHigh), kHigh) - kHigh) / 1024);
    arena.put32(16, arena.add_text(command_line(files_.config.path, files_.config.append)));
    arena.put32(64, arena.add_text("Reprise"));

    std::vector<u64> names;
    for (const KernelModule& module : files_.config.initrd)
        names.push_back(arena.add_text(command_line(module.path, module.arguments)));
    arena.put32(20, names.size());
    arena.put32(24, arena.next());
    const std::vector<u64> addresses = module_addresses();
    for (std::size_t i = 0; i < names.size(); ++i)
        for (const u64 value :
             {addresses[i], addresses[i] + files_.modules[i].size(), names[i], u64{0}})
            arena.add32(value);

    arena.put32(44, map.size() * (kMapEntryBytes + 4));
    arena.put32(48, arena.next());
    for (const MemoryRange& range : map)
        for (const u64 value : {kMapEntryBytes, range.first, range.first >> 32, range.size,
                                range.size >> 32, u64{range.type}})
            arena.add32(value);

    if (flags_ & kWantsVideo) {  // the text screen, whatever mode it would have liked
        flags |= kFramebufferInfo;
        arena.put32(88, 0xB8000);
        arena.put32(96, 160);  // pitch
        arena.put32(100, 80);
        arena.put32(104, 25);
        arena.put32(108, 16 | 2 << 8);  // bits for each character; type 2: EGA text
    }
    arena.put32(0, flags);
    return arena.bytes;
}

KernelHandover MultibootKernel::start(const GuestMemory& memory,
                                      std::span<const MemoryRange> map) const
{
    const std::vector<u8> info = information(map);
    if (info.size() > kInformationEnd - kInformation)
        return KernelHandover::refused("the names and arguments of the modules are too long");
    const std::vector<u64> addresses = module_addresses();
    for (const Segment& segment : segments_)
        if (segment.address + segment.size > end_of_memory_at(map, segment.address))
            return KernelHandover::refused("the kernel does not fit into memory");
    if (!files_.modules.empty() && addresses.back() > end_of_memory_at(map, addresses.front()))
        return KernelHandover::refused("the modules do not fit into memory");

    for (const Segment& segment : segments_) {
        memory.write(segment.address,
                     std::span(files_.image).subspan(segment.file_offset, segment.file_size));
        const std::vector<u8> zeros(segment.size - segment.file_size);
        memory.write(segment.address + segment.file_size, zeros);
    }
    for (std::size_t i = 0; i < files_.modules.size(); ++i)
        memory.write(addresses[i], files_.modules[i]);
    memory.write(kInformation, info);

    KernelHandover handover;
    handover.kind = BootCard::Kind::ProtectedMode;
    handover.eax = kBootMagic;
    handover.ebx = kInformation;
    handover.entry = entry_;
    return handover;
}

}  // namespace reprise
