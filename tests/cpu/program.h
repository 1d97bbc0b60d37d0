/// A bare CPU on RAM, and what a test of a few instructions needs around it: a stack, handlers that
/// name their vector, flat segments, page tables, and ports that a test can watch.
#pragma once

#include <functional>
#include <vector>

#include "cpu/cpu.h"
#include "cpu/flat_bus.h"

namespace reprise {

/// RAM and ports that call the test.
/// A chip that answers with more than is stored, and stores what depends on the byte read last.
class LatchedMemory final : public DeviceMemory {
public:
    using DeviceMemory::memory_read, DeviceMemory::memory_write;
    std::vector<u8> bytes = std::vector<u8>(4096);
    u8 latch = 0;
    bool operator==(const LatchedMemory& other) const
    {
        return bytes == other.bytes && latch == other.latch;
    }

    u8 memory_read(u32 offset) override
    {
        latch = bytes[offset % bytes.size()];
        return static_cast<u8>(latch * 5 + offset);
    }
    void memory_write(u32 offset, u8 value) override
    {
        bytes[offset % bytes.size()] = value ^ latch;
    }
};

class ProgramBus : public FlatBus {
public:
    using FlatBus::FlatBus;

    std::function<u32(u16, int)> on_read_port = [](u16, int size) {
        return static_cast<u32>((u64{1} << 8 * size) - 1);
    };
    std::function<void(u16, int, u32)> on_write_port = [](u16, int, u32) {};
    std::function<void()> on_acknowledge = [] {};

    // Pages that are a device or a chip's memory instead of RAM, and one that cannot be written.
    static constexpr u64 kNowhere = ~u64{0};
    u64 device_page = kNowhere, chip_page = kNowhere, rom_page = kNowhere;
    LatchedMemory chip;
    std::function<u64(u64, int)> on_read_device = [](u64, int) { return ~u64{0}; };
    std::function<void(u64, int, u64)> on_write_device = [](u64, int, u64) {};

    PageAccess page(u64 address) override
    {
        const u64 page = address & ~u64{0xFFF};
        if (page == device_page) return {};
        if (page == chip_page) return {.device = &chip};
        PageAccess access = FlatBus::page(address);
        if (page == rom_page) access.write = nullptr;
        return access;
    }
    u64 read_memory(u64 address, int size) override
    {
        const u64 page = address & ~u64{0xFFF};
        if (page == chip_page) return chip.memory_read(static_cast<u32>(address - page), size);
        if (page != device_page) return FlatBus::read_memory(address, size);
        return on_read_device(address, size) & (size == 8 ? ~u64{0} : (u64{1} << 8 * size) - 1);
    }
    void write_memory(u64 address, int size, u64 value) override
    {
        const u64 page = address & ~u64{0xFFF};
        if (page == chip_page) chip.memory_write(static_cast<u32>(address - page), size, value);
        if (page == device_page) on_write_device(address, size, value);
    }

    u32 read_port(u16 port, int size) override { return on_read_port(port, size); }
    void write_port(u16 port, int size, u32 value) override { on_write_port(port, size, value); }
    void smm_changed(bool active) override { smiact = active; }
    bool smiact = false;
    u8 acknowledge_interrupt() override
    {
        on_acknowledge();
        return vector;
    }
};

class Program {
public:
    // Linear addresses.
    static constexpr u32 kGdt = 0x1000, kIdt = 0x2000, kTss = 0x3000, kHandlers = 0x4000;
    static constexpr u32 kCode = 0x10000, kStack = 0x20000, kUserStack = 0x30000, kData = 0x40000;
    static constexpr u32 kPageDirectory = 0x100000, kPageTable = 0x101000;
    // Selectors of protected mode; kSpare and the ones behind are for the test.
    static constexpr u16 kCs = 0x08, kDs = 0x10, kUserCs = 0x1B, kUserDs = 0x23,
                         kTssSelector = 0x28;
    static constexpr u16 kSpare = 0x40;
    // What page table entries consist of.
    static constexpr u32 P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80;

    explicit Program(const char* model = "pentium", u64 ram = 2 << 20)
        : Program(*find_cpu_model(model), ram)
    {
    }
    explicit Program(const CpuModel& model, u64 ram = 2 << 20) : bus(ram), cpu(bus, model)
    {
        for (u32 v = 0; v < 256; ++v) bus.ram[kHandlers + 16 * v] = 0xF4;  // hlt
        cpu.state.gpr = {};
    }

    ProgramBus bus;
    Cpu cpu;

    template <class T>
    T get(u64 address) const
    {
        T value;
        std::memcpy(&value, bus.ram.data() + address, sizeof value);
        return value;
    }
    template <class T>
    void set(u64 address, T value)
    {
        std::memcpy(bus.ram.data() + address, &value, sizeof value);
    }
    using Bytes = std::vector<int>;  // of machine code
    void code(u64 address, const Bytes& bytes)
    {
        for (const int b : bytes) bus.ram[address++] = static_cast<u8>(b);
    }
    void code(const Bytes& bytes) { code(kCode, bytes); }

    u64& reg(Gpr r) { return cpu.state.gpr[r]; }
    u32 ip() const { return static_cast<u32>(cpu.state.rip); }
    u32 flags() const { return cpu.state.rflags; }

    void run(u64 instructions = 1000) { cpu.run(cpu.state.clock + instructions); }
    void step(u64 instructions = 1) { run(instructions); }

    /// The vector in whose handler the CPU halted, or -1.
    int vector() const
    {
        const u64 linear = cpu.state.seg[CS].base + cpu.state.rip - 1;
        const bool in_handler =
            cpu.state.halted && linear >= kHandlers && linear < kHandlers + 16 * 256;
        return in_handler && (linear - kHandlers) % 16 == 0
                   ? static_cast<int>(linear - kHandlers) / 16
                   : -1;
    }
    /// Runs into a handler and names it.
    int run_to_vector()
    {
        run();
        return vector();
    }

    /// Depth in units of `T` below the stack's top.
    template <class T = u32>
    T stack(u32 depth) const
    {
        const u64 mask = cpu.stack_mask();
        const u64 sp = (cpu.state.gpr[RSP] + depth * sizeof(T)) & mask;
        return get<T>(cpu.state.seg[SS].base + sp);
    }
    // The frame of an exception with an error code, in a 32-bit handler.
    u32 error_code() const { return stack(0); }
    u32 error_ip() const { return stack(1); }
    u32 error_flags() const { return stack(3); }

    // ---- Starting points: code at kCode, data at kData
    // -------------------------------------------

    /// CS 1000, SS 2000, DS and ES 4000; SP FF00; interrupts are off.
    void start_real()
    {
        for (u32 v = 0; v < 256; ++v) set<u32>(v * 4, kHandlers + 16 * v);
        const auto segment = [&](Seg seg, u32 base) {
            cpu.state.seg[seg] = {static_cast<u16>(base >> 4), base, 0xFFFF, 0x93};
        };
        segment(CS, kCode);
        segment(SS, kStack);
        for (const Seg seg : {DS, ES, FS, GS}) segment(seg, kData);
        cpu.state.rip = 0;
        cpu.state.gpr[RSP] = 0xFF00;
        cpu.state_loaded();
    }

    /// 32-bit protected mode, flat segments, CPL 0, ESP at kStack, a TSS for inner stacks.
    void start_protected()
    {
        descriptor(kCs, 0, 0xFFFFF, 0x9B, 0xC);
        descriptor(kDs, 0, 0xFFFFF, 0x93, 0xC);
        descriptor(kUserCs, 0, 0xFFFFF, 0xFB, 0xC);
        descriptor(kUserDs, 0, 0xFFFFF, 0xF3, 0xC);
        for (u32 v = 0; v < 256; ++v) gate(v, kHandlers + 16 * v, 0xEE);
        set<u32>(kTss + 4, kStack);
        set<u16>(kTss + 8, kDs);
        set<u16>(kTss + 0x66, 0x68);
        CpuState& s = cpu.state;
        s.cr0 |= kCr0Pe;
        s.gdtr = {kGdt, 0xFF};
        s.idtr = {kIdt, 0x7FF};
        s.tr = {kTssSelector, kTss, 0xFFF, 0x8B};
        s.rip = kCode;
        s.gpr[RSP] = kStack;
        set_level(0);
    }

    /// The same at CPL 3, ESP at kUserStack.
    void start_user()
    {
        start_protected();
        cpu.state.gpr[RSP] = kUserStack;
        set_level(3);
    }

    void set_level(u8 cpl)
    {
        const u16 data = cpl == 3 ? kUserDs : kDs;
        for (Segment& s : cpu.state.seg)
            s = {data, 0, 0xFFFFFFFF, static_cast<u16>(cpl == 3 ? 0xCF3 : 0xC93)};
        cpu.state.seg[CS] = {cpl == 3 ? kUserCs : kCs, 0, 0xFFFFFFFF,
                             static_cast<u16>(cpl == 3 ? 0xCFB : 0xC9B)};
        cpu.state.cpl = cpl;
        cpu.state_loaded();
    }

    /// The first 4 MB map to themselves, for everyone; then paging is on.
    void enable_paging()
    {
        set<u32>(kPageDirectory, kPageTable | P | W | U);
        for (u32 page = 0; page < 1024; ++page) map(page << 12, page << 12 | P | W | U);
        cpu.state.cr3 = kPageDirectory;
        cpu.state.cr0 |= kCr0Pg;
        cpu.state_loaded();
    }
    /// The page table entry of a page in the first 4 MB. The TLB is not told.
    void map(u32 linear, u32 entry) { set<u32>(pte(linear), entry); }
    static u32 pte(u32 linear) { return kPageTable + (linear >> 12) * 4; }

    void descriptor(u16 selector, u32 base, u32 limit, u8 access, u8 flags)
    {
        const u64 raw = (limit & 0xFFFF) | u64{base & 0xFFFFFF} << 16 | u64{access} << 40 |
                        u64{limit >> 16 & 0xF} << 48 | u64{flags} << 52 | u64{base >> 24} << 56;
        set<u64>(kGdt + (selector & 0xFFF8), raw);
    }
    void gate(u32 v, u32 offset, u8 access)
    {
        set<u64>(kIdt + 8 * v,
                 (offset & 0xFFFF) | u64{kCs} << 16 | u64{access} << 40 | u64{offset >> 16} << 48);
    }
};

}  // namespace reprise
