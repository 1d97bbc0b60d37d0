/// A CPU with nothing but RAM, set up for protected mode: what the tests of segmentation,
/// privilege, interrupts and tasks share.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>

#include "cpu/cpu.h"
#include "cpu/flat_bus.h"

namespace reprise {

class PortBus : public FlatBus {
public:
    PortBus() : FlatBus(2 << 20) { vector = 0x20; }

    u32 read_port(u16 port, int) override
    {
        last_port = port;
        return 0x5A;
    }
    void write_port(u16 port, int, u32) override { last_port = port; }

    u16 last_port = 0;
};

// Linear addresses of the test machine.
inline constexpr u32 kGdt = 0x1000, kIdt = 0x2000, kTss = 0x3000, kTssB = 0x3400, kLdt = 0x3800;
inline constexpr u32 kCode = 0x10000, kUserCode = 0x18000, kHandlers = 0x20000;
inline constexpr u32 kStack0 = 0x70000, kStack3 = 0x80000;

// Selectors; GDT index * 8.
inline constexpr u16 kCode0 = 0x08, kData0 = 0x10, kCode3 = 0x1B, kData3 = 0x23, kTssA = 0x28,
                     kTssBs = 0x30;
inline constexpr u16 kGate = 0x38, kConforming = 0x40, kAbsent = 0x48, kReadOnly = 0x50,
                     kAbsentCode = 0x58;
inline constexpr u16 kLdtSelector = 0x60, kTaskGateSelector = 0x68, kSmallStack = 0x70,
                     kExecuteOnly = 0x78;
inline constexpr u16 kCode16 = 0x80, kTss16A = 0x88, kTss16B = 0x90, kLast = 0xF8;

// Access bytes: P DPL S type.
inline constexpr u8 kCodeRx = 0x9B, kDataRw = 0x93;

class Pc {
public:
    PortBus bus;
    Cpu cpu;

    explicit Pc(const char* model) : cpu(bus, *find_cpu_model(model)) {}

    u8& byte(u32 address) { return bus.ram[address]; }
    u32 get(u32 address, int size)
    {
        u32 value = 0;
        for (int i = 0; i < size; ++i) value |= u32{byte(address + u32(i))} << 8 * i;
        return value;
    }
    void set(u32 address, int size, u32 value)
    {
        for (int i = 0; i < size; ++i) byte(address + u32(i)) = static_cast<u8>(value >> 8 * i);
    }
    void code(u32 address, std::initializer_list<int> bytes)
    {
        for (const int b : bytes) byte(address++) = static_cast<u8>(b);
    }
    u32 reg(u8 r) const { return static_cast<u32>(cpu.state.gpr[r]); }
    u32 stack(u32 depth)
    {
        return get(static_cast<u32>(cpu.state.seg[SS].base + reg(RSP)) + depth, 4);
    }
    u16 stack16(u32 depth)
    {
        return static_cast<u16>(
            get(static_cast<u32>(cpu.state.seg[SS].base) + ((reg(RSP) + depth) & 0xFFFF), 2));
    }

    void run(u64 instructions = 1000) { cpu.run(cpu.state.clock + instructions); }
    /// Starts in real mode at 0100:0000 with a stack at 0200:0100.
    void start_real()
    {
        for (Segment& s : cpu.state.seg) s = {0, 0, 0xFFFF, 0x93};
        cpu.state.seg[CS].selector = 0x100;
        cpu.state.seg[CS].base = 0x1000;
        cpu.state.seg[SS].selector = 0x200;
        cpu.state.seg[SS].base = 0x2000;
        cpu.state.gpr[RSP] = 0x100;
        cpu.state.rip = 0;
        cpu.state_loaded();
    }
};

/// A 32-bit protected-mode machine: flat segments, every vector's handler is a HLT of its own.
class Protected : public Pc {
public:
    explicit Protected(const char* model = "pentium") : Pc(model)
    {
        descriptor(kCode0, 0, 0xFFFFF, kCodeRx, 0xC);
        descriptor(kData0, 0, 0xFFFFF, kDataRw, 0xC);
        descriptor(kCode3, 0, 0xFFFFF, kCodeRx | 0x60, 0xC);
        descriptor(kData3, 0, 0xFFFFF, kDataRw | 0x60, 0xC);
        const bool is_286 = !cpu.at_least(Level::I80386);
        descriptor(kTssA, kTss, 0x67 + 2, is_286 ? 0x81 : 0x89, 0);
        descriptor(kTssBs, kTssB, 0x67, 0x89, 0);
        descriptor(kConforming, 0, 0xFFFFF, 0x9F, 0xC);
        descriptor(kAbsent, 0, 0xFFFFF, 0x13 | 0x60, 0xC);
        descriptor(kReadOnly, 0, 0xFFFFF, 0xF1, 0xC);
        descriptor(kAbsentCode, 0, 0xFFFFF, 0x1B, 0xC);
        descriptor(kLdtSelector, kLdt, 0x0F, 0x82, 0);
        descriptor(kSmallStack, 0x60000, 0xF, kDataRw, 4);
        descriptor(kExecuteOnly, 0, 0xFFFFF, 0x99, 0xC);
        descriptor(kCode16, 0, 0xFFFF, kCodeRx, 0);
        gate(kGdt + kTaskGateSelector, kTssBs, 0, 0x85 | 0x60);
        cpu.state.gdtr = {kGdt, 0xFF};
        cpu.state.idtr = {kIdt, 0x7FF};
        for (u32 v = 0; v < 256; ++v) handler(v, 0x8E);
        handler(0x80, 0xEE);
        set(kTss + 4, 4, kStack0);
        set(kTss + 8, 4, kData0);
        set(kTss + 0x66, 2, 0x68);
        cpu.state.cr0 |= kCr0Pe;
        EXPECT_TRUE(cpu.load_tr(kTssA));
    }

    void descriptor(u16 selector, u32 base, u32 limit, u8 access, u8 granularity)
    {
        const u32 at = kGdt + (selector & ~7u);
        set(at, 4, (limit & 0xFFFF) | base << 16);
        set(at + 4, 4,
            (base >> 16 & 0xFF) | u32{access} << 8 | (limit & 0xF0000) | u32{granularity} << 20 |
                (base & 0xFF000000));
    }
    void gate(u32 at, u16 selector, u32 offset, u8 access, u8 parameters = 0)
    {
        set(at, 4, (offset & 0xFFFF) | u32{selector} << 16);
        set(at + 4, 4, parameters | u32{access} << 8 | (offset & 0xFFFF0000));
    }
    void handler(u32 vector, u8 access)
    {
        gate(kIdt + vector * 8, kCode0, kHandlers + vector * 4, access);
        byte(kHandlers + vector * 4) = 0xF4;  // HLT
    }
    /// Starts at `ip` in the flat segments of `level`.
    void start(u8 level = 0, u32 ip = kCode)
    {
        const u16 cs = level == 3 ? kCode3 : kCode0, data = level == 3 ? kData3 : kData0;
        cpu.state.cpl = level;
        for (const u8 seg : {ES, SS, DS, FS, GS})
            cpu.state.seg[seg] = cpu.fetch_descriptor(data).value.segment(data);
        cpu.state.seg[CS] = cpu.fetch_descriptor(cs).value.segment(cs);
        cpu.state.gpr[RSP] = level == 3 ? kStack3 : kStack0;
        cpu.state.rip = ip;
        cpu.state_loaded();
    }
    /// Starts an 8086 task at 1000:0000 with its stack at 2000:1000.
    void start_v86(u32 iopl)
    {
        start();
        cpu.state.rflags |= VM | iopl << 12;
        cpu.state.cpl = 3;
        const u16 selectors[] = {0xE000, 0x1000, 0x2000, 0xD000, 0xF000, 0x9000};
        for (u8 seg = 0; seg < 6; ++seg)
            cpu.state.seg[seg] = {selectors[seg], u64{selectors[seg]} << 4, 0xFFFF, 0xF3};
        cpu.state.gpr[RSP] = 0x1000;
        cpu.state.rip = 0;
        cpu.state_loaded();
    }
    /// The vector in whose handler the machine has halted.
    int vector() const
    {
        if (!cpu.state.halted) return -1;
        return static_cast<int>((cpu.state.rip - 1 - kHandlers) / 4);
    }
    /// Has it halted in this vector's handler, with this error code on the stack?
    testing::AssertionResult faulted(int expected_vector, u32 expected_error)
    {
        if (vector() == expected_vector && stack(0) == expected_error)
            return testing::AssertionSuccess();
        return testing::AssertionFailure() << "vector " << vector() << ", error code " << stack(0)
                                           << ", not " << expected_vector << ", " << expected_error;
    }
};

}  // namespace reprise
