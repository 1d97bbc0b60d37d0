/// What the CPU's pins are connected to. Implemented by the machine.
#pragma once

#include "machine/base/device_memory.h"
#include "machine/base/types.h"

namespace reprise {

/// One 4 KiB page of physical memory as the CPU may touch it without asking again. A null pointer
/// means that every access of that kind has to go through Bus: MMIO, ROM writes, or no memory.
struct PageAccess {
    u8* read = nullptr;   // also used to fetch instructions
    u8* write = nullptr;
    bool shared = false;  // may change without a write to this page: nothing decoded from it is kept
    DeviceMemory* device = nullptr;  // the chip that answers, if it is one; then there is no host memory
    u32 device_offset = 0;           // of the page in it
};

/// RAM as a file of the host, which can be mapped once more: what lies at `data` is also what the file begins
/// with. No file: fd is negative.
struct RamFile {
    int fd = -1;
    const u8* data = nullptr;
    u64 size = 0;
};

/// IA32_APIC_BASE after RESET of the bootstrap processor: enabled, at FEE00000h.
inline constexpr u64 kApicBaseAfterReset = 0xFEE00900;

/// Physical addresses have passed the A20 gate already: the bus owns it, see `a20_mask`.
class Bus {
public:
    virtual ~Bus() = default;

    /// Direct access to the page that contains `address`. The answer stays true until the bus
    /// calls Cpu::memory_map_changed() or Cpu::flush_tlb().
    virtual PageAccess page(u64 address) = 0;
    /// What page() answers with where there is RAM, if that is a file; always the same one.
    virtual RamFile ram_file() const { return {}; }

    /// An access that does not cross a page. `size` is 1, 2, 4 or 8 bytes. Unmapped reads give all
    /// ones, and writes to nowhere or to ROM are ignored.
    virtual u64 read_memory(u64 address, int size) = 0;
    virtual void write_memory(u64 address, int size, u64 value) = 0;

    /// `size` is 1, 2 or 4 bytes.
    virtual u32 read_port(u16 port, int size) = 0;
    virtual void write_port(u16 port, int size, u32 value) = 0;

    /// INTA cycle: the vector of the interrupt that the INTR pin asked for.
    virtual u8 acknowledge_interrupt() = 0;

    /// The guest wrote IA32_APIC_BASE (SDM vol. 3A, 10.4.4). RESET needs no call: the board knows it, and
    /// what the register then holds (kApicBaseAfterReset). Only models with Feature::Apic call this and the
    /// next two; a bus without a local APIC leaves them as they are.
    virtual void apic_base_changed(u64 value) { static_cast<void>(value); }

    /// CR8: bits 7..4 of the local APIC's task priority register (SDM vol. 3A, 10.8.6.1).
    virtual u8 read_task_priority() { return 0; }
    virtual void write_task_priority(u8 cr8) { static_cast<void>(cr8); }

    /// The page that instructions at `address` are fetched from, where that is not the one of data.
    virtual PageAccess code_page(u64 address) { return page(address); }

    /// SMIACT#: accesses are made in system management mode from now on, or no longer.
    virtual void smm_changed(bool active) { static_cast<void>(active); }

    /// AND mask of the A20 gate: all ones, or all but bit 20. See Cpu::a20_changed().
    virtual u64 a20_mask() const = 0;

    /// The CPU entered shutdown (triple fault): the board resets it.
    virtual void shutdown() = 0;
};

}  // namespace reprise
