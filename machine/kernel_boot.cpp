#include "machine/kernel_boot.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "machine/base/error.h"
#include "machine/linux_kernel.h"
#include "machine/multiboot_kernel.h"
#include "machine/posix_file.h"

#ifdef REPRISE_HAVE_BOOT_CARD_ROM
#include "boot_card_rom.h"
#endif

namespace reprise {

namespace {

constexpr u64 kMaxFileBytes = u64{3} << 30;  // as much as a machine may have of memory
constexpr std::size_t kMaxMessage = BootCard::kMapOffset - BootCard::kMessageOffset - 1;

void put32(std::span<u8> bytes, std::size_t at, u64 value)
{
    for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<u8>(value >> 8 * i);
}

u64 get(std::span<const u8> bytes, std::size_t at, std::size_t size)
{
    u64 value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= u64{bytes[at + i]} << 8 * i;
    return value;
}

std::unique_ptr<Kernel> make_kernel(const KernelFiles& files, const KernelHost& host)
{
    const KernelConfig& config = files.config;
    const bool is_linux = LinuxKernel::recognises(files.image);
    const bool multiboot = MultibootKernel::recognises(files.image);
    if (config.entry == "multiboot" ? multiboot : multiboot && !is_linux)
        return std::make_unique<MultibootKernel>(files, host);
    if (is_linux && config.entry != "multiboot") return std::make_unique<LinuxKernel>(files, host);
    if (config.entry == "multiboot")
        throw HostError(
            fmt::format("'{}' has no multiboot header, so it cannot be started by that "
                        "protocol; leave the entry out",
                        config.path));
    throw HostError(
        fmt::format("'{}' is not a kernel: it has neither the header of Linux (bzImage) nor that "
                    "of multiboot; disk images are named without --kernel",
                    config.path));
}

/// Flat segments from selector 10h on. (Linux boot protocol: __BOOT_CS, __BOOT_DS.)
void fill_gdt(std::span<u8> block, u32 address, bool long_mode)
{
    constexpr u32 kEntries = 4, kCode = 2, kData = 3;
    constexpr u32 kCode32 = 0x00CF9B00, kCode64 = 0x00AF9B00, kData32 = 0x00CF9300;
    const auto set = [&](u32 index, u32 high) {
        put32(block, BootCard::kGdtOffset + 8 * index, 0x0000FFFF);
        put32(block, BootCard::kGdtOffset + 8 * index + 4, high);
    };
    set(kCode, long_mode ? kCode64 : kCode32);
    set(kData, kData32);
    const u32 base = address + BootCard::kGdtOffset, limit = 8 * kEntries - 1;
    put32(block, BootCard::kGdtPointerOffset, limit | base << 16);
    put32(block, BootCard::kGdtPointerOffset + 4, base >> 16);
}

std::vector<MemoryRange> read_map(std::span<const u8> block)
{
    const u64 count = std::min<u64>(get(block, 0, 4), BootCard::kMaxMapEntries);
    std::vector<MemoryRange> map;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = BootCard::kMapOffset + i * BootCard::kMapEntryBytes;
        map.push_back(
            {get(block, at, 8), get(block, at + 8, 8), static_cast<u32>(get(block, at + 16, 4))});
    }
    return map;
}

}  // namespace

KernelBoot::KernelBoot(const KernelConfig& config, const KernelHost& host)
{
    if (!host.is_32_bit)
        throw HostError(
            fmt::format("kernels need a 386, and the CPU model is {}; choose another "
                        "with --cpu",
                        host.cpu_model));
    files_.config = config;
    files_.image = read_whole_file(config.path, "kernel", kMaxFileBytes);
    for (const KernelModule& module : config.initrd)
        files_.modules.push_back(read_whole_file(module.path, "initrd", kMaxFileBytes));
    kernel_ = make_kernel(files_, host);
}

std::string KernelBoot::start(const GuestMemory& memory, u32 address) const
{
    std::array<u8, BootCard::kBlockBytes> block{};
    memory.read(address, block);
    const std::vector<MemoryRange> map = read_map(block);
    const KernelHandover handover =
        map.empty() ? KernelHandover::refused(
                          "the firmware has no memory map (INT 15h, E820h), which kernels need")
                    : kernel_->start(memory, map);

    put32(block, 0, static_cast<u32>(handover.kind));
    put32(block, BootCard::kRegistersOffset, handover.eax);
    put32(block, BootCard::kRegistersOffset + 4, handover.ebx);
    put32(block, BootCard::kRegistersOffset + 8, handover.esi);
    put32(block, BootCard::kEntryOffset, handover.entry);
    put32(block, BootCard::kPageTablesOffset, handover.page_tables);
    fill_gdt(block, address, handover.kind == BootCard::Kind::LongMode);
    const std::string text = handover.refusal.substr(0, kMaxMessage);
    std::ranges::copy(text, block.begin() + BootCard::kMessageOffset);
    block[BootCard::kMessageOffset + text.size()] = 0;
    memory.write(address, std::span(block).first(BootCard::kMapOffset));
    return handover.refusal;
}

std::span<const u8> KernelBoot::card_rom()
{
#ifdef REPRISE_HAVE_BOOT_CARD_ROM
    return kBootCardRom;
#else
    throw HostError(
        "this program was built without NASM and cannot start kernels; install the package 'nasm' "
        "and build again, or boot from a disk image");
#endif
}

u64 end_of_memory_at(std::span<const MemoryRange> map, u64 address)
{
    for (const MemoryRange& range : map)
        if (range.type == 1 && range.first <= address && address - range.first < range.size)
            return range.size > ~u64{0} - range.first ? ~u64{0} : range.first + range.size;
    return 0;
}

std::string file_name(const std::string& path)
{
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

}  // namespace reprise
