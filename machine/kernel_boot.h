/// Starts a kernel that no disk holds: reads and judges the files when the machine is made, and
/// puts them into the guest's memory when the boot card asks (devices/boot_card.h). By then the
/// firmware has run, so the kernel finds the tables and the memory map that every other system
/// finds.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "devices/boot_card.h"
#include "machine/base/types.h"
#include "machine/config.h"

namespace reprise {

/// An entry of the firmware's memory map (INT 15h, AX = E820h). Type 1 is memory to use.
struct MemoryRange {
    u64 first = 0, size = 0;
    u32 type = 1;
};

/// The guest's memory as a bus master sees it.
struct GuestMemory {
    std::function<void(u64 address, std::span<u8> out)> read;
    std::function<void(u64 address, std::span<const u8> bytes)> write;
};

/// How the kernel is entered, or why it is not.
struct KernelHandover {
    BootCard::Kind kind = BootCard::Kind::Refused;
    std::string refusal;
    u32 eax = 0, ebx = 0, esi = 0;  // in real mode the segment and SP
    u32 entry = 0;                  // in real mode CS:IP
    u32 page_tables = 0;

    static KernelHandover refused(std::string why)
    {
        KernelHandover handover;
        handover.refusal = std::move(why);
        return handover;
    }
};

/// The files, read.
struct KernelFiles {
    KernelConfig config;
    std::vector<u8> image;
    std::vector<std::vector<u8>> modules;  // as in config.initrd
};

/// What the machine offers a kernel.
struct KernelHost {
    u64 memory_bytes = 0;
    std::string cpu_model;
    bool is_32_bit = true;  // at least a 386
    bool is_64_bit = false;
};

/// One format of kernels.
class Kernel {
public:
    virtual ~Kernel() = default;
    /// Puts everything where it belongs. `map` may hold any nonsense.
    virtual KernelHandover start(const GuestMemory& memory,
                                 std::span<const MemoryRange> map) const = 0;
};

class KernelBoot {
public:
    /// Throws HostError naming the file and what is wrong with it.
    KernelBoot(const KernelConfig& config, const KernelHost& host);

    /// Answers the card's doorbell. Empty, or why no kernel was started.
    std::string start(const GuestMemory& memory, u32 block) const;

    /// The files, kernel first: what the guest was started with is part of the machine.
    const KernelFiles& files() const { return files_; }

    /// The boot card's ROM. Throws HostError if the program was built without it.
    static std::span<const u8> card_rom();

private:
    KernelFiles files_;
    std::unique_ptr<Kernel> kernel_;
};

/// The end of the usable memory that `address` is in; 0: in none.
u64 end_of_memory_at(std::span<const MemoryRange> map, u64 address);

/// "vmlinuz" of "/boot/vmlinuz": guests must not see where files of the host are.
std::string file_name(const std::string& path);

}  // namespace reprise
