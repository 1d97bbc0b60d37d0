/// What the CPU's pins are connected to. Implemented by the machine.
#pragma once

#include "machine/base/types.h"

namespace reprise {

/// One 4 KiB page of physical memory as the CPU may touch it without asking again. A null pointer
/// means that every access of that kind has to go through Bus: MMIO, ROM writes, or no memory.
struct PageAccess {
    u8* read = nullptr;   // also used to fetch instructions
    u8* write = nullptr;
    bool shared = false;  // may change without a write to this page: nothing decoded from it is kept
};

/// Physical addresses have passed the A20 gate already: the bus owns it, see `a20_mask`.
class Bus {
public:
    virtual ~Bus() = default;

    /// Direct access to the page that contains `address`. The answer stays true until the bus
    /// calls Cpu::flush_tlb().
    virtual PageAccess page(u64 address) = 0;

    /// An access that does not cross a page. `size` is 1, 2, 4 or 8 bytes. Unmapped reads give all
    /// ones, and writes to nowhere or to ROM are ignored.
    virtual u64 read_memory(u64 address, int size) = 0;
    virtual void write_memory(u64 address, int size, u64 value) = 0;

    /// `size` is 1, 2 or 4 bytes.
    virtual u32 read_port(u16 port, int size) = 0;
    virtual void write_port(u16 port, int size, u32 value) = 0;

    /// INTA cycle: the vector of the interrupt that the INTR pin asked for.
    virtual u8 acknowledge_interrupt() = 0;

    /// AND mask of the A20 gate: all ones, or all but bit 20.
    virtual u64 a20_mask() const = 0;

    /// The CPU entered shutdown (triple fault): the board resets it.
    virtual void shutdown() = 0;
};

}  // namespace reprise
