#include "machine/linux_kernel.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "machine/base/error.h"

namespace reprise {

namespace {

// The header's fields (boot.rst, "The Real-Mode Kernel Header").
constexpr std::size_t kCmdLineMagic = 0x20, kCmdLineOffset = 0x22, kSetupSects = 0x1F1,
                      kSyssize = 0x1F4, kVidMode = 0x1FA, kBootFlag = 0x1FE, kJump = 0x200,
                      kHeader = 0x202, kVersion = 0x206, kTypeOfLoader = 0x210, kLoadflags = 0x211,
                      kSetupMoveSize = 0x212, kCode32Start = 0x214, kRamdiskImage = 0x218,
                      kRamdiskSize = 0x21C, kHeapEndPtr = 0x224, kCmdLinePtr = 0x228,
                      kInitrdAddrMax = 0x22C, kKernelAlignment = 0x230, kRelocatableKernel = 0x234,
                      kXloadflags = 0x236, kCmdlineSize = 0x238, kPrefAddress = 0x258,
                      kInitSize = 0x260;
constexpr u8 kLoadedHigh = 0x01, kCanUseHeap = 0x80, kUndefinedLoader = 0xFF;
constexpr u64 kKernel64 = 0x01;  // XLF_KERNEL_64
constexpr u32 kHdrS = 0x53726448;
constexpr std::size_t kSector = 512, kMaxSetup = 0x8000;

// Where things are put. Old kernels insist on 90000h for the setup code.
constexpr u64 kSetup = 0x10000, kOldSetup = 0x90000, kLowKernel = 0x10000, kHighKernel = 0x100000;
constexpr u64 kZeroPage = 0x10000, kZeroPageCommandLine = 0x11000, kPageTables = 0x3000;
constexpr u64 kDefaultInitrdMax = 0x37FFFFFF, kDefaultCmdlineSize = 255, kPage = 0x1000;
constexpr std::size_t kZeroPageBytes = 0x1000;

void put(std::span<u8> bytes, std::size_t at, u64 value, std::size_t size)
{
    for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<u8>(value >> 8 * i);
}

constexpr u64 round_up(u64 value, u64 unit) { return (value + unit - 1) / unit * unit; }

std::string megabytes(u64 bytes) { return fmt::format("{} MB", (bytes + 0xFFFFF) >> 20); }

/// The value of the last `name=value` of a command line.
std::optional<std::string> parameter(const std::string& line, const std::string& name)
{
    std::optional<std::string> value;
    for (std::size_t at = 0; at < line.size();) {
        const std::size_t end = std::min(line.find(' ', at), line.size());
        if (line.compare(at, name.size(), name) == 0)
            value = line.substr(at + name.size(), end - at - name.size());
        at = end + 1;
    }
    return value;
}

/// boot.rst, "Special Command Line Options": vga=, which is for the boot loader.
std::optional<u16> video_mode(const std::string& line)
{
    const auto text = parameter(line, "vga=");
    if (!text) return std::nullopt;
    if (*text == "normal") return 0xFFFF;
    if (*text == "ext") return 0xFFFE;
    if (*text == "ask") return 0xFFFD;
    const bool hex = text->starts_with("0x") || text->starts_with("0X");
    u16 mode = 0;
    const char* begin = text->data() + (hex ? 2 : 0);
    std::from_chars(begin, text->data() + text->size(), mode, hex ? 16 : 10);
    return mode;
}

/// The same section: mem=, beyond which the initrd must not lie.
u64 memory_limit(const std::string& line)
{
    const auto text = parameter(line, "mem=");
    if (!text) return ~u64{0};
    u64 value = 0;
    const char* end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, value);
    if (parsed.ec != std::errc{} || value > u64{1} << 32) return ~u64{0};
    switch (parsed.ptr == end ? 'b' : *parsed.ptr | 0x20) {
    case 'g': return value << 30;
    case 'm': return value << 20;
    case 'k': return value << 10;
    default: return value;
    }
}

/// Identity for the first 4 GB in pages of 2 MB. (boot.rst, "64-bit Boot Protocol"; SDM vol.
/// 3A, 4.5.)
std::vector<u8> page_tables()
{
    constexpr u64 kTable = 0x03, kLargePage = 0x83;  // present, writable; and PS
    constexpr std::size_t kDirectories = 4, kEntries = 512;
    std::vector<u8> tables((2 + kDirectories) * kPage);
    put(tables, 0, (kPageTables + kPage) | kTable, 8);
    for (std::size_t i = 0; i < kDirectories; ++i)
        put(tables, kPage + 8 * i, (kPageTables + (2 + i) * kPage) | kTable, 8);
    for (std::size_t i = 0; i < kDirectories * kEntries; ++i)
        put(tables, 2 * kPage + 8 * i, (u64{i} << 21) | kLargePage, 8);
    return tables;
}

/// What the firmware left on the screen, for a kernel that cannot ask it. (The kernel's
/// struct screen_info; the BIOS data area of the IBM PC/AT Technical Reference.)
void fill_screen_info(std::span<u8> page, const GuestMemory& memory)
{
    constexpr u64 kBiosData = 0x400;
    std::array<u8, 0x100> bios{};
    memory.read(kBiosData, bios);
    const auto copy = [&](std::size_t to, std::size_t from, std::size_t size) {
        std::copy_n(bios.begin() + static_cast<std::ptrdiff_t>(from), size,
                    page.begin() + static_cast<std::ptrdiff_t>(to));
    };
    copy(0x00, 0x50, 2);                           // orig_x, orig_y
    copy(0x04, 0x62, 1);                           // orig_video_page
    copy(0x06, 0x49, 1);                           // orig_video_mode
    copy(0x07, 0x4A, 1);                           // orig_video_cols
    page[0x0E] = static_cast<u8>(bios[0x84] + 1);  // orig_video_lines
    page[0x0F] = 1;                                // orig_video_isVGA
    copy(0x10, 0x85, 2);                           // orig_video_points
}

}  // namespace

// ---- What the file is --------------------------------------------------------------------------

u64 LinuxKernel::field(std::size_t offset, std::size_t size) const
{
    u64 value = 0;
    for (std::size_t i = 0; i < size; ++i)
        if (offset + i < files_.image.size()) value |= u64{files_.image[offset + i]} << 8 * i;
    return value;
}

bool LinuxKernel::recognises(std::span<const u8> image)
{
    if (image.size() < kVersion) return false;
    const u32 magic = static_cast<u32>(image[kHeader] | image[kHeader + 1] << 8 |
                                       image[kHeader + 2] << 16 | image[kHeader + 3] << 24);
    return magic == kHdrS && image[kBootFlag] == 0x55 && image[kBootFlag + 1] == 0xAA;
}

LinuxKernel::LinuxKernel(const KernelFiles& files, const KernelHost& host) : files_(files)
{
    version_ = static_cast<u16>(field(kVersion, 2));
    const u64 sectors = field(kSetupSects, 1);
    setup_bytes_ = ((sectors == 0 ? 4 : sectors) + 1) * kSector;
    check_image(host);
    choose_entry(host);
    check_memory(host);
}

void LinuxKernel::check_image(const KernelHost& host) const
{
    const std::string& path = files_.config.path;
    if (version_ < 0x200)
        throw HostError(
            fmt::format("the kernel '{}' has boot protocol {}.{:02}; 2.00 or later is "
                        "needed (Linux 1.3.73, 1996)",
                        path, version_ >> 8, version_ & 0xFF));
    if (setup_bytes_ > kMaxSetup)
        throw HostError(
            fmt::format("the kernel '{}' is damaged: its setup code has {} bytes, and {} "
                        "are possible",
                        path, setup_bytes_, kMaxSetup));
    const u64 body = version_ >= 0x204 ? field(kSyssize, 4) * 16 : 1;
    if (files_.image.size() < setup_bytes_ + body)
        throw HostError(
            fmt::format("the kernel '{}' is cut off: it has {} bytes, and its header "
                        "says {}; get it again",
                        path, files_.image.size(), setup_bytes_ + body));
    const bool needs_64_bit = version_ >= 0x20C && (field(kXloadflags, 2) & kKernel64);
    if (needs_64_bit && !host.is_64_bit)
        throw HostError(
            fmt::format("the kernel '{}' is for 64-bit processors, and the CPU model "
                        "is {}; choose another with --cpu, or a 32-bit kernel",
                        path, host.cpu_model));
    const u64 most = version_ >= 0x206 ? field(kCmdlineSize, 4) : kDefaultCmdlineSize;
    if (files_.config.append.size() > most)
        throw HostError(
            fmt::format("the kernel's command line has {} characters, and the kernel "
                        "'{}' takes {}; shorten --append",
                        files_.config.append.size(), path, most));
}

void LinuxKernel::choose_entry(const KernelHost& host)
{
    const std::string& wanted = files_.config.entry;
    entry_ = wanted == "32" ? Entry::Bits32 : wanted == "64" ? Entry::Bits64 : Entry::RealMode;
    const bool has_64 = version_ >= 0x20C && (field(kXloadflags, 2) & kKernel64);
    if (entry_ == Entry::Bits64 && !(has_64 && host.is_64_bit))
        throw HostError(fmt::format("the kernel '{}' has no 64-bit entry; leave the entry out",
                                    files_.config.path));
    if (entry_ == Entry::Bits32 && !(field(kLoadflags, 1) & kLoadedHigh))
        throw HostError(
            fmt::format("the kernel '{}' is a zImage and has no 32-bit entry; leave the "
                        "entry out",
                        files_.config.path));
}

void LinuxKernel::check_memory(const KernelHost& host) const
{
    const u64 kernel = end_of_kernel(), all = kernel + initrd_size();
    if (load_address() == kLowKernel && kernel > kOldSetup)
        throw HostError(fmt::format("the kernel '{}' is damaged: a zImage has at most {} KB",
                                    files_.config.path, (kOldSetup - kLowKernel) / 1024));
    if (all > host.memory_bytes)
        throw HostError(
            fmt::format("the kernel '{}'{} needs more than {} of memory, and the machine has {}; "
                        "choose more with --memory",
                        files_.config.path, files_.modules.empty() ? "" : " with its initrd",
                        megabytes(all), megabytes(host.memory_bytes)));
}

// ---- Where it goes -----------------------------------------------------------------------------

u64 LinuxKernel::load_address() const
{
    return field(kLoadflags, 1) & kLoadedHigh ? kHighKernel : kLowKernel;
}

/// The end of what the kernel uses before it knows its memory map: itself, and from protocol 2.10
/// on the place that it unpacks itself to.
u64 LinuxKernel::end_of_kernel() const
{
    const u64 end = load_address() + files_.image.size() - setup_bytes_;
    if (version_ < 0x20A) return end;
    const u64 alignment = std::max<u64>(field(kKernelAlignment, 4), 1);
    const u64 preferred = std::min<u64>(field(kPrefAddress, 8), u64{1} << 40);
    const u64 aligned = field(kRelocatableKernel, 1) ? round_up(load_address(), alignment) : 0;
    return std::max(end, std::max(preferred, aligned) + field(kInitSize, 4));
}

u64 LinuxKernel::setup_address() const
{
    return version_ >= 0x202 && load_address() == kHighKernel ? kSetup : kOldSetup;
}

u32 LinuxKernel::heap_end() const { return setup_address() == kSetup ? 0xE000 : 0x9800; }

/// Several are one: an archive in each, begun at a multiple of 4. (The kernel's
/// Documentation/driver-api/early-userspace/buffer-format.rst.)
std::vector<u8> LinuxKernel::initrd() const
{
    std::vector<u8> all;
    for (const std::vector<u8>& module : files_.modules) {
        all.resize(round_up(all.size(), 4));
        all.insert(all.end(), module.begin(), module.end());
    }
    return all;
}

u64 LinuxKernel::initrd_size() const
{
    u64 size = 0;
    for (const std::vector<u8>& module : files_.modules) size = round_up(size, 4) + module.size();
    return size;
}

// ---- The start ---------------------------------------------------------------------------------

KernelHandover LinuxKernel::start(const GuestMemory& memory, std::span<const MemoryRange> map) const
{
    const u64 end = end_of_memory_at(map, kHighKernel);
    u64 initrd_address = 0;
    if (const u64 size = initrd_size()) {
        const u64 initrd_max = version_ >= 0x203 ? field(kInitrdAddrMax, 4) : kDefaultInitrdMax;
        const u64 top = std::min({end, initrd_max + 1, memory_limit(files_.config.append)});
        initrd_address = top > size ? (top - size) / kPage * kPage : 0;
        if (initrd_address < std::max(end_of_kernel(), kHighKernel))
            return KernelHandover::refused("the kernel and its initrd do not fit into memory");
    }
    if (load_address() == kHighKernel && end_of_kernel() > end)
        return KernelHandover::refused("the kernel does not fit into memory");

    if (initrd_address != 0) memory.write(initrd_address, initrd());
    memory.write(load_address(), std::span(files_.image).subspan(setup_bytes_));
    return entry_ == Entry::RealMode ? enter_setup(memory, initrd_address)
                                     : enter_kernel(memory, map, initrd_address);
}

/// What every boot loader writes into the header, in the file's image or in the zero page.
void LinuxKernel::fill_header(std::span<u8> setup, u64 initrd_address) const
{
    setup[kTypeOfLoader] = kUndefinedLoader;
    if (const auto mode = video_mode(files_.config.append)) put(setup, kVidMode, *mode, 2);
    if (initrd_address == 0) return;
    put(setup, kRamdiskImage, initrd_address, 4);
    put(setup, kRamdiskSize, initrd_size(), 4);
}

KernelHandover LinuxKernel::enter_setup(const GuestMemory& memory, u64 initrd_address) const
{
    const auto end = files_.image.begin() + static_cast<std::ptrdiff_t>(setup_bytes_);
    std::vector<u8> setup(files_.image.begin(), end);
    fill_header(setup, initrd_address);
    const std::string& line = files_.config.append;
    if (version_ >= 0x201) {
        setup[kLoadflags] |= kCanUseHeap;
        put(setup, kHeapEndPtr, heap_end() - 0x200, 2);
    }
    if (version_ >= 0x202) {
        put(setup, kCmdLinePtr, setup_address() + heap_end(), 4);
    } else {
        put(setup, kCmdLineMagic, 0xA33F, 2);
        put(setup, kCmdLineOffset, heap_end(), 2);
        put(setup, kSetupMoveSize, heap_end() + line.size() + 1, 2);
    }
    memory.write(setup_address(), setup);
    memory.write(setup_address() + heap_end(),
                 {reinterpret_cast<const u8*>(line.c_str()), line.size() + 1});

    KernelHandover handover;
    handover.kind = BootCard::Kind::RealMode;
    const u32 segment = static_cast<u32>(setup_address() >> 4);
    handover.eax = segment;
    handover.ebx = heap_end();
    handover.entry = (segment + 0x20) << 16;  // CS:IP
    return handover;
}

std::vector<u8> LinuxKernel::zero_page(const GuestMemory& memory, std::span<const MemoryRange> map,
                                       u64 initrd_address) const
{
    constexpr std::size_t kE820Entries = 0x1E8, kE820Table = 0x2D0, kE820EntryBytes = 20,
                          kZeroPageHeaderEnd = 0x290;
    std::vector<u8> page(kZeroPageBytes);
    const std::size_t header_end =
        std::min<std::size_t>(kHeader + field(kJump + 1, 1), kZeroPageHeaderEnd);
    for (std::size_t i = kSetupSects; i < header_end; ++i) page[i] = files_.image[i];
    fill_header(page, initrd_address);
    put(page, kCmdLinePtr, kZeroPageCommandLine, 4);
    fill_screen_info(page, memory);
    page[kE820Entries] = static_cast<u8>(map.size());
    for (std::size_t i = 0; i < map.size(); ++i) {
        const std::size_t at = kE820Table + i * kE820EntryBytes;
        put(page, at, map[i].first, 8);
        put(page, at + 8, map[i].size, 8);
        put(page, at + 16, map[i].type, 4);
    }
    return page;
}

KernelHandover LinuxKernel::enter_kernel(const GuestMemory& memory,
                                         std::span<const MemoryRange> map, u64 initrd_address) const
{
    constexpr u32 kEntry64 = 0x200;
    const std::string& line = files_.config.append;
    memory.write(kZeroPage, zero_page(memory, map, initrd_address));
    memory.write(kZeroPageCommandLine,
                 {reinterpret_cast<const u8*>(line.c_str()), line.size() + 1});
    KernelHandover handover;
    handover.kind = BootCard::Kind::ProtectedMode;
    handover.esi = kZeroPage;
    handover.entry = static_cast<u32>(field(kCode32Start, 4));
    if (entry_ == Entry::Bits32) return handover;
    memory.write(kPageTables, page_tables());
    handover.kind = BootCard::Kind::LongMode;
    handover.page_tables = kPageTables;
    handover.entry = static_cast<u32>(load_address()) + kEntry64;
    return handover;
}

}  // namespace reprise
