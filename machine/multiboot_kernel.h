/// Kernels for the Multiboot Specification, version 0.6.96: ELF files, or anything whose header
/// says where it goes. Names are the specification's.
#pragma once

#include <optional>

#include "machine/kernel_boot.h"

namespace reprise {

class MultibootKernel : public Kernel {
public:
    static bool recognises(std::span<const u8> image);

    /// Throws HostError. `files` outlives this.
    MultibootKernel(const KernelFiles& files, const KernelHost& host);

    KernelHandover start(const GuestMemory& memory,
                         std::span<const MemoryRange> map) const override;

private:
    /// Part of the file, and where it goes. Beyond the file's bytes memory is zero.
    struct Segment {
        u64 address = 0, size = 0;
        std::size_t file_offset = 0, file_size = 0;
    };

    static std::optional<std::size_t> find_header(std::span<const u8> image);
    u32 header(std::size_t offset) const;
    u64 field(u64 offset, std::size_t size) const;
    [[noreturn]] void damaged(const std::string& why) const;
    void read_address_fields();
    void read_elf();
    void read_elf_segments(std::size_t table, std::size_t entry_size, std::size_t count, bool wide);
    void check_memory(const KernelHost& host) const;
    u64 end_of_segments() const;
    std::vector<u64> module_addresses() const;
    std::vector<u8> information(std::span<const MemoryRange> map) const;

    const KernelFiles& files_;
    std::size_t header_at_ = 0;
    u32 flags_ = 0;
    std::vector<Segment> segments_;
    u32 entry_ = 0;
};

}  // namespace reprise
