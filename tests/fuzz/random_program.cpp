#include "tests/fuzz/random_program.h"

#include <algorithm>
#include <array>

#include "machine/board.h"

namespace reprise::fuzz {

namespace {

constexpr u64 kCode = 0x7C00;
constexpr u64 kGdt = 0x10000, kIdt = 0x11000, kTss = 0x12000, kLdt = 0x13000;
constexpr u64 kStubs = 0x8400, kStubSize = 8;  // behind the program
constexpr u64 kPageDirectory = 0x14000, kPageTable = 0x15000;
constexpr u16 kCode32 = 0x08, kData32 = 0x10, kUserCode = 0x18, kUserData = 0x20,
              kTssSelector = 0x28;

bool one_in(Random& random, u64 n) { return random() % n == 0; }

void write(Machine& machine, u64 address, u64 value, std::size_t size)
{
    std::array<u8, 8> bytes{};
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<u8>(value >> 8 * i);
    machine.board().memory.write_block(address, {bytes.data(), size});
}

u64 descriptor(u64 base, u64 limit, u64 access, u64 flags)
{
    return (limit & 0xFFFF) | (base & 0xFFFFFF) << 16 | access << 40 | (limit >> 16 & 0xF) << 48 |
           flags << 52 | (base >> 24 & 0xFF) << 56;
}

Segment flat(u16 selector, u16 access)
{
    Segment s;
    s.selector = selector;
    s.limit = 0xFFFFFFFF;
    s.access = access;
    return s;
}

/// Handlers that go on one byte behind where an exception happened, so that programs live long: for
/// 32-bit frames without and with an error code, and for real mode.
constexpr std::array<std::array<u8, kStubSize>, 3> kStubCode = {{
    {0xFF, 0x04, 0x24, 0xCF},                    // inc dword [esp]; iretd
    {0x83, 0xC4, 0x04, 0xFF, 0x04, 0x24, 0xCF},  // add esp, 4; inc dword [esp]; iretd
    {0x55, 0x89, 0xE5, 0xFF, 0x46, 0x02, 0x5D,
     0xCF},  // push bp; mov bp, sp; inc word [bp+2]; pop bp; iret
}};

void write_stubs(Machine& machine, Random& random)
{
    for (u64 i = 0; i < kStubCode.size(); ++i)
        machine.board().memory.write_block(kStubs + i * kStubSize, kStubCode[i]);
    if (one_in(random, 2)) return;
    for (const u64 vector : {0, 1, 3, 4, 5, 6, 7, 12, 13})
        write(machine, 4 * vector, kStubs + 2 * kStubSize, 4);
}

/// A gate's target: the stub that suits the vector, or just anywhere in the program.
u64 handler_for(u64 vector, Random& random)
{
    if (one_in(random, 4)) return kCode + random() % 0x400;
    const bool error_code = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
    return kStubs + (error_code ? kStubSize : 0);
}

/// Some descriptors that work, then some that are anything.
void write_tables(Machine& machine, Random& random)
{
    const std::array<u64, 9> gdt = {0,
                                    descriptor(0, 0xFFFFF, 0x9A, 0xC),
                                    descriptor(0, 0xFFFFF, 0x92, 0xC),
                                    descriptor(0, 0xFFFFF, 0xFA, 0xC),
                                    descriptor(0, 0xFFFFF, 0xF2, 0xC),
                                    descriptor(kTss, 0x2FF, 0x89, 0),
                                    descriptor(kLdt, 0xFF, 0x82, 0),
                                    descriptor(0, 0xFFFF, 0x9A, 0),
                                    descriptor(0, 0xFFFF, 0x92, 0)};
    for (u64 i = 0; i < gdt.size(); ++i) write(machine, kGdt + 8 * i, gdt[i], 8);
    for (u64 i = gdt.size(); i < 64; ++i) write(machine, kGdt + 8 * i, random(), 8);
    for (u64 i = 0; i < 32; ++i) write(machine, kLdt + 8 * i, random(), 8);
    for (u64 i = 0; i < 256; ++i) {
        const u64 type = std::array<u64, 6>{0x8E, 0x8F, 0xEE, 0xEF, 0x86, 0xE5}[random() % 6];
        const u64 target = handler_for(i, random);
        const u64 selector = type == 0xE5 ? kTssSelector : kCode32;
        const u64 gate = (target & 0xFFFF) | selector << 16 | type << 40;
        write(machine, kIdt + 8 * i, one_in(random, 16) ? random() : gate, 8);
    }
    for (u64 i = 0; i < 0x300; i += 4)
        write(machine, kTss + i, one_in(random, 2) ? 0 : random() & 0xFFFF, 4);
    write(machine, kTss + 4, 0x7000, 4);
    write(machine, kTss + 8, kData32, 4);
    write(machine, kTss + 0x66, 0x88, 2);
    write(machine, kPageDirectory, kPageTable | 7, 4);
    for (u64 i = 1; i < 1024; ++i)
        write(machine, kPageDirectory + 4 * i, one_in(random, 2) ? 0 : random(), 4);
    for (u64 i = 0; i < 1024; ++i)
        write(machine, kPageTable + 4 * i, i << 12 | (one_in(random, 24) ? random() & 0xFFF : 7),
              4);
}

void enter_protected_mode(Machine& machine, Random& random)
{
    write_tables(machine, random);
    CpuState& cpu = machine.board().cpu.state;
    const bool user = one_in(random, 2), paging = one_in(random, 2);
    cpu.gdtr = {kGdt, 64 * 8 - 1};
    cpu.idtr = {kIdt, 256 * 8 - 1};
    cpu.cr3 = kPageDirectory;
    cpu.cr0 |= kCr0Pe | (paging ? kCr0Pg : 0u) | (one_in(random, 2) ? kCr0Wp : 0u);
    cpu.cpl = user ? 3 : 0;
    cpu.seg[CS] = user ? flat(kUserCode | 3, 0xCFB) : flat(kCode32, 0xC9B);
    for (const u8 seg : {ES, SS, DS, FS, GS})
        cpu.seg[seg] = user ? flat(kUserData | 3, 0xCF3) : flat(kData32, 0xC93);
    cpu.tr = flat(kTssSelector, 0x8B);
    cpu.tr.base = kTss;
    cpu.tr.limit = 0x2FF;
    if (!one_in(random, 3)) return;

    cpu.cpl = 3;
    cpu.rflags |= VM;
    for (Segment& s : cpu.seg) {
        s = Segment{};
        s.access = 0xF3;
    }
}

}  // namespace

std::vector<u8> random_code(Random& random, std::size_t size)
{
    static constexpr auto kPrefixes =
        std::to_array<u8>({0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3});
    static constexpr auto kFrequent = std::to_array<u8>(
        {0x01, 0x03, 0x11, 0x29, 0x33, 0x3B, 0x50, 0x58, 0x60, 0x61, 0x6C, 0x6D, 0x6E, 0x6F, 0x74,
         0x75, 0x80, 0x83, 0x87, 0x88, 0x89, 0x8B, 0x8C, 0x8E, 0x8F, 0x9C, 0x9D, 0xA4, 0xA5, 0xA6,
         0xAA, 0xAB, 0xAC, 0xAE, 0xC3, 0xC4, 0xC5, 0xC7, 0xC8, 0xCD, 0xCF, 0xD3, 0xE2, 0xE4, 0xE6,
         0xE8, 0xEB, 0xEC, 0xED, 0xEE, 0xEF, 0xF6, 0xF7, 0xFA, 0xFB, 0xFD, 0xFF});
    std::vector<u8> code;
    while (code.size() < size) {
        while (one_in(random, 6)) code.push_back(kPrefixes[random() % kPrefixes.size()]);
        switch (random() % 8) {
        case 0: code.push_back(static_cast<u8>(random())); break;
        case 1:
            code.push_back(0x0F);
            code.push_back(static_cast<u8>(random()));
            break;
        case 2:  // the instructions that change how the machine works
            code.push_back(0x0F);
            code.push_back(
                std::array<u8, 8>{0x00, 0x01, 0x20, 0x21, 0x22, 0x23, 0x30, 0x32}[random() % 8]);
            break;
        case 3:  // a chip's port in DX: mov dx, imm16
            code.insert(code.end(), {0x66, 0xBA, static_cast<u8>(random()),
                                     static_cast<u8>(random() % 4), 0, 0});
            code.push_back(static_cast<u8>(0xEC + random() % 4));
            continue;
        default: code.push_back(kFrequent[random() % kFrequent.size()]);
        }
        const u64 operands = random() % 6;
        for (u64 i = 0; i < operands; ++i)
            code.push_back(static_cast<u8>(random() >> (one_in(random, 2) ? 0 : 4)));
    }
    code.resize(size);
    return code;
}

void start_random_program(Machine& machine, Random& random)
{
    Board& board = machine.board();
    std::vector<u8> bytes(0x800);
    if (one_in(random, 3)) std::ranges::generate(bytes, [&] { return static_cast<u8>(random()); });
    else bytes = random_code(random, bytes.size());
    board.memory.write_block(kCode, bytes);
    write_stubs(machine, random);

    CpuState& cpu = board.cpu.state;
    for (int i = 0; i < 8; ++i) {
        u64& r = cpu.gpr[static_cast<std::size_t>(i)];
        r = random() & (one_in(random, 2) ? 0xFFFF : 0xFFFFFFFF);
        if (!board.cpu.at_least(Level::I80386)) r &= 0xFFFF;
    }
    cpu.halted = cpu.shutdown = false;
    cpu.cr0 &= ~u64{kCr0Pe | kCr0Pg};
    cpu.cr4 = 0;
    cpu.rflags = kReservedSetFlags | (one_in(random, 2) ? u32{IF} : 0u);
    cpu.cpl = 0;
    cpu.idtr = {0, 0x3FF};
    for (Segment& s : cpu.seg) s = Segment{};
    const u16 data = static_cast<u16>(random() % 2 ? 0 : random());
    for (const u8 seg : {ES, DS}) {
        cpu.seg[seg].selector = data;
        cpu.seg[seg].base = u64{data} << 4;
    }
    cpu.rip = kCode;
    if (board.cpu.at_least(Level::I80386) && one_in(random, 2))
        enter_protected_mode(machine, random);
    board.cpu.state_loaded();
}

}  // namespace reprise::fuzz
