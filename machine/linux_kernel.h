/// Linux kernels in the format bzImage (or, older, zImage).
///
/// Source: the kernel's Documentation/arch/x86/boot.rst, "The Linux/x86 Boot Protocol", versions
/// 2.00 to 2.15. Names of fields are the document's.
#pragma once

#include "machine/kernel_boot.h"

namespace reprise {

class LinuxKernel : public Kernel {
public:
    static bool recognises(std::span<const u8> image);

    /// Throws HostError. `files` outlives this.
    LinuxKernel(const KernelFiles& files, const KernelHost& host);

    KernelHandover start(const GuestMemory& memory,
                         std::span<const MemoryRange> map) const override;

private:
    enum class Entry : u8 { RealMode, Bits32, Bits64 };

    u64 field(std::size_t offset, std::size_t size) const;
    void check_image(const KernelHost& host) const;
    void choose_entry(const KernelHost& host);
    void check_memory(const KernelHost& host) const;
    std::vector<u8> initrd() const;
    u64 initrd_size() const;
    u64 load_address() const;
    u64 end_of_kernel() const;
    u64 setup_address() const;
    u32 heap_end() const;
    void fill_header(std::span<u8> setup, u64 initrd_address) const;
    std::vector<u8> zero_page(const GuestMemory& memory, std::span<const MemoryRange> map,
                              u64 initrd_address) const;
    KernelHandover enter_setup(const GuestMemory& memory, u64 initrd_address) const;
    KernelHandover enter_kernel(const GuestMemory& memory, std::span<const MemoryRange> map,
                                u64 initrd_address) const;

    const KernelFiles& files_;
    u16 version_ = 0;
    std::size_t setup_bytes_ = 0;
    Entry entry_ = Entry::RealMode;
};

}  // namespace reprise
