/// Segmentation, privilege, interrupts and tasks, by small programs on a CPU with nothing but RAM.
/// Expected values: Intel SDM vol. 3A, chapters 5 to 8 and 20, and vol. 2, "Operation".
#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

#include "cpu/cpu.h"

namespace reprise {
namespace {

class TestBus : public Bus {
public:
    std::vector<u8> ram = std::vector<u8>(2 << 20);
    bool was_shut_down = false;
    u16 last_port = 0;
    u8 vector = 0x20;

    PageAccess page(u64 address) override
    {
        if (address >= ram.size()) return {};
        u8* host = &ram[address & kPageMask];
        return {host, host};
    }
    u64 read_memory(u64, int) override { return ~u64{0}; }
    void write_memory(u64, int, u64) override {}
    u32 read_port(u16 port, int) override
    {
        last_port = port;
        return 0x5A;
    }
    void write_port(u16 port, int, u32) override { last_port = port; }
    u8 acknowledge_interrupt() override { return vector; }
    u64 a20_mask() const override { return ~u64{0}; }
    void shutdown() override { was_shut_down = true; }
};

// Linear addresses of the test machine.
constexpr u32 kGdt = 0x1000, kIdt = 0x2000, kTss = 0x3000, kTssB = 0x3400, kLdt = 0x3800;
constexpr u32 kCode = 0x10000, kUserCode = 0x18000, kHandlers = 0x20000;
constexpr u32 kStack0 = 0x70000, kStack3 = 0x80000;

// Selectors; GDT index * 8.
constexpr u16 kCode0 = 0x08, kData0 = 0x10, kCode3 = 0x1B, kData3 = 0x23, kTssA = 0x28,
              kTssBs = 0x30;
constexpr u16 kGate = 0x38, kConforming = 0x40, kAbsent = 0x48, kReadOnly = 0x50,
              kAbsentCode = 0x58;
constexpr u16 kLdtSelector = 0x60, kTaskGateSelector = 0x68, kSmallStack = 0x70,
              kExecuteOnly = 0x78;
constexpr u16 kCode16 = 0x80, kTss16A = 0x88, kTss16B = 0x90, kLast = 0xF8;

// Access bytes: P DPL S type.
constexpr u8 kCodeRx = 0x9B, kDataRw = 0x93;

class Pc {
public:
    TestBus bus;
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
};

#define EXPECT_FAULT(pc, expected_vector, expected_error) \
    EXPECT_EQ((pc).vector(), expected_vector);            \
    EXPECT_EQ((pc).stack(0), static_cast<u32>(expected_error))

// ---- Real mode ---------------------------------------------------------------------------------

u16 pushed_flags_in_real_mode(const char* model)
{
    Pc pc{model};
    pc.start_real();
    pc.code(0x1000, {0xCD, 0x21});  // INT 21h
    pc.set(0x21 * 4, 4, 0x03000010);
    pc.byte(0x3010) = 0xF4;
    pc.cpu.state.rflags = 2 | IF | CF;
    pc.cpu.state_loaded();
    pc.run();
    EXPECT_TRUE(pc.cpu.state.halted);
    EXPECT_EQ(pc.cpu.state.seg[CS].selector, 0x300);
    EXPECT_EQ(pc.cpu.state.rip, 0x11u);
    EXPECT_EQ(pc.reg(RSP), 0x100u - 6);
    EXPECT_EQ(pc.stack16(0), 2);
    EXPECT_EQ(pc.stack16(2), 0x100);
    EXPECT_EQ(pc.cpu.state.rflags & (IF | TF), 0u);
    return pc.stack16(4);
}

TEST(Interrupts, RealModePushesFlagsCsIpAndClearsIf)
{
    EXPECT_EQ(pushed_flags_in_real_mode("8086"), 0xF203);
    EXPECT_EQ(pushed_flags_in_real_mode("80286"), 0x0203);
    EXPECT_EQ(pushed_flags_in_real_mode("80386"), 0x0203);
    EXPECT_EQ(pushed_flags_in_real_mode("pentium"), 0x0203);
}

TEST(Interrupts, RealModeIretRestoresWhatIntSaved)
{
    Pc pc{"80386"};
    pc.start_real();
    pc.code(0x1000, {0xCD, 0x21, 0xF4});
    pc.set(0x21 * 4, 4, 0x03000010);
    pc.code(0x3010, {0xF8, 0xCF});  // CLC; IRET
    pc.cpu.state.rflags = 2 | IF | CF;
    pc.cpu.state_loaded();
    pc.run();
    EXPECT_EQ(pc.cpu.state.rip, 3u);
    EXPECT_EQ(pc.cpu.state.seg[CS].base, 0x1000u);
    EXPECT_EQ(pc.reg(RSP), 0x100u);
    EXPECT_EQ(pc.cpu.state.rflags, 2u | IF | CF);
}

TEST(Interrupts, RealModeOf286KeepsIoplAndNtClear)
{
    for (const char* model : {"80286", "80386"}) {
        Pc pc{model};
        pc.start_real();
        pc.code(0x1000, {0xCF});
        pc.set(0x2100, 4, 0x01000010);
        pc.set(0x2104, 2, 0xF002);
        pc.byte(0x1010) = 0xF4;
        pc.run();
        EXPECT_EQ(pc.cpu.state.rflags & (IOPL | NT),
                  pc.cpu.at_least(Level::I80386) ? IOPL | NT : 0u);
    }
}

TEST(Interrupts, VectorBehindTheRealModeTableIsAFault)
{
    Pc pc{"pentium"};
    pc.start_real();
    pc.cpu.state.idtr.limit = 0x7F;  // up to vector 1Fh
    pc.code(0x1000, {0xCD, 0x20});
    pc.set(kGeneralProtection * 4, 4, 0x03000000);
    pc.byte(0x3000) = 0xF4;
    pc.run();
    EXPECT_EQ(pc.cpu.state.seg[CS].selector, 0x300);
    EXPECT_EQ(pc.stack16(0), 0) << "the fault returns to INT itself";
}

TEST(Interrupts, StackOf8086WrapsAroundItsSegment)
{
    Pc pc{"8086"};
    pc.start_real();
    pc.cpu.state.gpr[RSP] = 1;
    pc.cpu.state_loaded();
    pc.code(0x1000, {0x9A, 0x10, 0x00, 0x00, 0x03});  // CALL 0300:0010
    pc.byte(0x3010) = 0xF4;
    pc.run();
    EXPECT_EQ(pc.reg(RSP), 0xFFFDu);
    EXPECT_EQ(pc.byte(0x2000 + 0xFFFF), 0x00);  // low byte of CS = 0100h
    EXPECT_EQ(pc.byte(0x2000), 0x01);
}

// ---- Segments ----------------------------------------------------------------------------------

TEST(Segments, ProtectedModeIsEnteredAndLeftWithItsLimits)
{
    Protected pc;
    pc.start();
    pc.cpu.state.cr0 &= ~u64{kCr0Pe};
    pc.start_real();
    pc.cpu.state.gdtr = {0, 0};
    pc.set(0x1800, 2, 0xFF);  // the operand of LGDT: the GDT is behind it
    pc.set(0x1802, 4, 0x5000);
    for (u32 i = 0; i < 0x100; ++i) pc.byte(0x5000 + i) = pc.byte(kGdt + i);
    pc.code(0x1000, {0x2E, 0x0F, 0x01, 0x16, 0x00, 0x08,                // LGDT CS:[0800]
                     0x0F, 0x20, 0xC0, 0x0C, 0x01, 0x0F, 0x22, 0xC0,    // MOV CR0, CR0 | 1
                     0x66, 0xEA, 0x00, 0x40, 0x01, 0x00, 0x08, 0x00});  // JMP 0008:00014000
    pc.code(0x14000, {0xB8, 0x10, 0, 0, 0, 0x8E, 0xD8,                  // MOV DS, 10h
                      0xEA, 0x00, 0x50, 0, 0, 0x80, 0x00});             // JMP 0080:5000 (16 bit)
    // GDT at 5000h overlaps nothing up to 5100h; go on at 5200h instead.
    pc.set(0x14008, 2, 0x5200);
    pc.code(0x5200, {0x0F, 0x20, 0xC0, 0x24, 0xFE, 0x0F, 0x22, 0xC0,    // MOV CR0, CR0 & ~1
                     0xEA, 0x00, 0x00, 0x30, 0x05});                    // JMP 0530:0000
    pc.code(0x5300, {0x31, 0xC0, 0x8E, 0xD8,                            // MOV DS, 0
                     0x67, 0x66, 0xA1, 0x00, 0x00, 0x12, 0x00, 0xF4});  // MOV EAX, [120000h]
    pc.set(0x120000, 4, 0xCAFEBABE);
    pc.run();
    EXPECT_TRUE(pc.cpu.state.halted);
    EXPECT_EQ(pc.reg(RAX), 0xCAFEBABE) << "real mode keeps the limit of 4 GB";
    EXPECT_EQ(pc.cpu.state.seg[CS].base, 0x5300u);
}

struct BadSelector {
    u8 seg;  // as in ModRM of 8E
    u16 selector;
    u8 vector;
    u16 error;
};

TEST(Segments, BadSelectorsFaultWithTheirErrorCodes)
{
    const BadSelector cases[] = {
        {DS, 0x100, kGeneralProtection, 0x100},  // behind the GDT
        {DS, 0x0C, kGeneralProtection, 0x0C},    // no LDT
        {DS, kTssA, kGeneralProtection, kTssA},  // a system segment
        {ES, kExecuteOnly, kGeneralProtection, kExecuteOnly},
        {DS, kData0 | 3, kGeneralProtection, kData0},  // RPL > DPL
        {FS, kAbsent, kSegmentNotPresent, kAbsent},
        {SS, 0, kGeneralProtection, 0},
        {SS, kData3, kGeneralProtection, kData3 & ~3},  // DPL != CPL
        {SS, kData0 | 1, kGeneralProtection, kData0},   // RPL != CPL
        {SS, kReadOnly, kGeneralProtection, kReadOnly},
        {SS, kCode0, kGeneralProtection, kCode0},
    };
    for (const BadSelector& c : cases) {
        Protected pc;
        pc.start();
        pc.code(kCode, {0x66, 0xB8, c.selector & 0xFF, c.selector >> 8, 0x8E, 0xC0 | c.seg << 3});
        pc.run();
        SCOPED_TRACE(::testing::Message() << "selector " << c.selector << " to " << int{c.seg});
        EXPECT_FAULT(pc, c.vector, c.error);
        EXPECT_EQ(pc.stack(4), kCode + 4u);
        EXPECT_TRUE(pc.stack(12) & RF) << "faults push RF set";
    }
}

TEST(Segments, StackSegmentThatIsNotPresentIsAStackFault)
{
    Protected pc;
    pc.descriptor(kAbsent, 0, 0xFFFFF, 0x13, 0xC);
    pc.start();
    pc.code(kCode, {0x66, 0xB8, kAbsent, 0, 0x8E, 0xD0});
    pc.run();
    EXPECT_FAULT(pc, kStackFault, kAbsent);
}

TEST(Segments, NullSelectorLoadsButItsUseFaults)
{
    Protected pc;
    pc.start();
    pc.code(kCode, {0x31, 0xC0, 0x8E, 0xD8, 0xA1, 0, 0, 0, 0});  // MOV DS, 0; MOV EAX, [0]
    pc.run();
    EXPECT_FAULT(pc, kGeneralProtection, 0);
    EXPECT_EQ(pc.stack(4), kCode + 4u);
}

TEST(Segments, LoadingMarksTheDescriptorAccessed)
{
    Protected pc;
    pc.descriptor(kLast, 0x12345678, 0xFFFFF, 0x92, 0xC);
    pc.start();
    ASSERT_TRUE(pc.cpu.load_segment(GS, kLast));
    EXPECT_EQ(pc.byte(kGdt + kLast + 5), 0x93);
    EXPECT_EQ(pc.cpu.state.seg[GS].base, 0x12345678u);
    EXPECT_EQ(pc.cpu.state.seg[GS].limit, 0xFFFFFFFFu);
}

TEST(Segments, A286IgnoresTheLastWordOfADescriptor)
{
    Protected pc{"80286"};
    pc.descriptor(kLast, 0x12345678, 0xF1234, 0x92, 0xC);
    pc.cpu.state.cpl = 0;
    ASSERT_TRUE(pc.cpu.load_segment(ES, kLast));
    EXPECT_EQ(pc.cpu.state.seg[ES].base, 0x345678u);
    EXPECT_EQ(pc.cpu.state.seg[ES].limit, 0x1234u);
    EXPECT_FALSE(pc.cpu.load_tr(kTssBs)) << "a 386 TSS is no TSS to a 286";
}

TEST(Segments, LdtHoldsItsOwnDescriptors)
{
    Protected pc;
    pc.set(kLdt + 8, 4, 0x0000FFFF);
    pc.set(kLdt + 12, 4, 0x00CF9309);  // base 090000h
    pc.start();
    ASSERT_TRUE(pc.cpu.load_ldtr(kLdtSelector));
    EXPECT_TRUE(pc.cpu.load_segment(ES, 0x0C));
    EXPECT_EQ(pc.cpu.state.seg[ES].base, 0x90000u);
    EXPECT_FALSE(pc.cpu.load_segment(ES, 0x14)) << "behind its limit";
    EXPECT_FALSE(pc.cpu.load_ldtr(kTssBs));
    EXPECT_TRUE(pc.cpu.load_ldtr(0));
    EXPECT_FALSE(pc.cpu.load_segment(ES, 0x0C));
}

TEST(Segments, LtrMarksItsTssBusyOnce)
{
    Protected pc;
    pc.start();
    EXPECT_EQ(pc.byte(kGdt + kTssA + 5), 0x8B);
    EXPECT_FALSE(pc.cpu.load_tr(kTssA)) << "busy";
    EXPECT_TRUE(pc.cpu.load_tr(kTssBs));
}

// ---- Transfers ---------------------------------------------------------------------------------

TEST(Transfers, CallGateCopiesParametersInwardsAndRetReleasesThem)
{
    Protected pc;
    pc.gate(kGdt + kGate, kCode0, kCode, 0xEC, 2);
    pc.start(3, kUserCode);
    pc.code(kUserCode, {0x68, 0x11, 0x11, 0, 0, 0x68, 0x22, 0x22, 0, 0,  // PUSH 1111h, 2222h
                        0x9A, 0, 0, 0, 0, kGate | 3, 0,                  // CALL gate
                        0xCD, 0x80});
    pc.code(kCode, {0x8B, 0x44, 0x24, 0x08,              // MOV EAX, [ESP+8]: the last parameter
                    0x8B, 0x5C, 0x24, 0x0C,              // MOV EBX, [ESP+12]
                    0x8B, 0x4C, 0x24, 0x10,              // MOV ECX, [ESP+16]: ESP of the caller
                    0x89, 0xE2,                          // MOV EDX, ESP
                    0x66, 0xBE, 0x10, 0x00, 0x8E, 0xC6,  // MOV ES, 10h: DPL 0
                    0xCA, 0x08, 0x00});                  // RETF 8
    pc.run();
    EXPECT_EQ(pc.vector(), 0x80);
    EXPECT_EQ(pc.reg(RAX), 0x2222u);
    EXPECT_EQ(pc.reg(RBX), 0x1111u);
    EXPECT_EQ(pc.reg(RCX), kStack3 - 8);
    EXPECT_EQ(pc.reg(RDX), kStack0 - 24);
    // INT 80h pushed what the return restored: both stacks are balanced.
    EXPECT_EQ(pc.stack(0), kUserCode + 19);
    EXPECT_EQ(pc.stack(4), kCode3);
    EXPECT_EQ(pc.stack(12), kStack3);
    EXPECT_EQ(pc.stack(16), kData3);
    EXPECT_EQ(pc.cpu.state.seg[ES].selector, 0) << "a return outwards drops inner segments";
    EXPECT_FALSE(pc.cpu.state.seg[ES].present());
    EXPECT_EQ(pc.cpu.state.seg[DS].selector, kData3);
}

TEST(Transfers, CallGateOf16BitsPushesWords)
{
    Protected pc;
    pc.gate(kGdt + kGate, kCode16, 0x5000, 0xE4, 1);
    pc.start(3, kUserCode);
    pc.code(kUserCode, {0x66, 0x68, 0x34, 0x12, 0x9A, 0, 0, 0, 0, kGate | 3, 0});
    pc.byte(0x5000) = 0xF4;
    pc.run();
    EXPECT_EQ(pc.cpu.state.rip, 0x5001u);
    EXPECT_EQ(pc.reg(RSP), kStack0 - 10);
    EXPECT_EQ(pc.stack(0) & 0xFFFF, (kUserCode + 11) & 0xFFFF);
    EXPECT_EQ(pc.stack(0) >> 16, kCode3);
    EXPECT_EQ(pc.stack(4) & 0xFFFF, 0x1234u);
    EXPECT_EQ(pc.stack(4) >> 16, (kStack3 - 2) & 0xFFFF);
}

struct BadTarget {
    u16 selector;
    u8 level;
    u8 vector;
    u16 error;
};

TEST(Transfers, BadFarPointersFaultWithTheirErrorCodes)
{
    const BadTarget cases[] = {
        {0, 0, kGeneralProtection, 0},
        {0x100, 0, kGeneralProtection, 0x100},
        {kData0, 0, kGeneralProtection, kData0},
        {kCode0, 3, kGeneralProtection, kCode0},       // more privileged
        {kCode3, 0, kGeneralProtection, kCode3 & ~3},  // less privileged
        {kAbsentCode, 0, kSegmentNotPresent, kAbsentCode},
        {kTssA, 0, kGeneralProtection, kTssA},    // busy
        {kTssBs, 3, kGeneralProtection, kTssBs},  // DPL 0
        {kLdtSelector, 0, kGeneralProtection, kLdtSelector},
        {kGate, 3, kGeneralProtection, kGate},  // DPL 0
    };
    for (const BadTarget& c : cases) {
        for (const int opcode : {0xEA, 0x9A}) {
            Protected pc;
            pc.gate(kGdt + kGate, kCode0, kCode, 0x8C);
            pc.start(c.level);
            pc.code(kCode, {opcode, 0, 0x40, 1, 0, c.selector & 0xFF, c.selector >> 8});
            pc.run();
            SCOPED_TRACE(::testing::Message() << "selector " << c.selector);
            EXPECT_FAULT(pc, c.vector, c.error);
            EXPECT_EQ(pc.stack(4), kCode);
        }
    }
}

TEST(Transfers, ConformingCodeRunsAtTheCallersLevel)
{
    Protected pc;
    pc.start(3, kUserCode);
    pc.code(kUserCode, {0xEA, 0, 0, 1, 0, kConforming, 0});
    pc.code(kCode, {0xCD, 0x80});
    pc.run();
    EXPECT_EQ(pc.vector(), 0x80);
    EXPECT_EQ(pc.stack(4), kConforming | 3u);
}

TEST(Transfers, InnerStackFaultsNameItsSelector)
{
    struct {
        u16 ss;
        u8 vector;
        u16 error;
    } const cases[] = {
        {0, kInvalidTss, 0},
        {0x100, kInvalidTss, 0x100},
        {kReadOnly, kInvalidTss, kReadOnly},
        {kData3, kInvalidTss, kData3 & ~3},
        {kAbsent, kStackFault, kAbsent},
        {kSmallStack, kStackFault, kSmallStack},  // no room: SP is 8
    };
    for (const auto& c : cases) {
        Protected pc;
        pc.descriptor(kAbsent, 0, 0xFFFFF, 0x13, 0xC);
        pc.gate(kGdt + kGate, kCode0, kCode, 0xEC, 0);
        // Faults get a task of their own, as their stack would be the bad one too.
        pc.gate(kIdt + c.vector * 8, kTssBs, 0, 0x85);
        pc.set(kTssB + 0x20, 4, kHandlers);
        pc.byte(kHandlers) = 0xF4;
        pc.set(kTssB + 0x24, 4, 2);
        pc.set(kTssB + 0x38, 4, kStack0);
        pc.set(kTssB + 0x4C, 2, kCode0);
        pc.set(kTssB + 0x50, 2, kData0);
        pc.set(kTss + 4, 4, 8);
        pc.set(kTss + 8, 2, c.ss);
        pc.start(3, kUserCode);
        pc.code(kUserCode, {0x9A, 0, 0, 0, 0, kGate | 3, 0});
        pc.run();
        SCOPED_TRACE(::testing::Message() << "stack " << c.ss);
        EXPECT_TRUE(pc.cpu.state.halted);
        EXPECT_EQ(pc.cpu.state.tr.selector, kTssBs);
        EXPECT_EQ(pc.stack(0), c.error);
        EXPECT_EQ(pc.get(kTss + 0x20, 4), kUserCode) << "the old task can go on";
        EXPECT_EQ(pc.get(kTss + 0x38, 4), kStack3);
    }
}

TEST(Transfers, ReturnInwardsIsRefused)
{
    Protected pc;
    pc.start(3, kUserCode);
    pc.code(kUserCode, {0x6A, kCode0, 0x68, 0, 0, 1, 0, 0xCB});
    pc.run();
    EXPECT_FAULT(pc, kGeneralProtection, kCode0);
    EXPECT_EQ(pc.stack(16), kStack3 - 8) << "SP is that before RETF";
}

TEST(Transfers, PushBehindTheStacksLimitIsAStackFault)
{
    Protected pc;
    pc.start(3, kUserCode);
    pc.descriptor(kSmallStack, 0x60000, 0xF, kDataRw | 0x60, 4);
    pc.code(kUserCode, {0x66, 0xB8, kSmallStack | 3, 0, 0x8E, 0xD0, 0xBC, 0x12, 0, 0, 0, 0x9A, 0, 0,
                        1, 0, kCode3, 0});  // ESP = 12h: CALL needs 0A..11h
    pc.run();
    EXPECT_FAULT(pc, kStackFault, 0);
    EXPECT_EQ(pc.stack(4), kUserCode + 11);
}

// ---- Interrupts in protected mode --------------------------------------------------------------

TEST(Interrupts, GateLimitsWhoMayUseIt)
{
    Protected pc;
    pc.start(3, kUserCode);
    pc.code(kUserCode, {0xCD, 0x30});  // its gate has DPL 0
    pc.run();
    EXPECT_FAULT(pc, kGeneralProtection, 0x30 * 8 + 2);
    EXPECT_EQ(pc.stack(4), kUserCode);
}

TEST(Interrupts, TrapGateKeepsIfAndInterruptGateClearsIt)
{
    for (const u8 access : {u8{0x8E}, u8{0x8F}}) {
        Protected pc;
        pc.handler(0x30, access);
        pc.start();
        pc.cpu.state.rflags |= IF;
        pc.cpu.state_loaded();
        pc.code(kCode, {0xCD, 0x30});
        pc.run();
        EXPECT_EQ(pc.vector(), 0x30);
        EXPECT_EQ((pc.cpu.state.rflags & IF) != 0, access == 0x8F);
        EXPECT_EQ(pc.reg(RSP), kStack0 - 12) << "no change of stack at the same level";
        EXPECT_TRUE(pc.stack(8) & IF);
    }
}

TEST(Interrupts, FaultWhileDeliveringAnExternalEventHasExtSet)
{
    Protected pc;
    pc.handler(kNmi, 0x0E);  // not present
    pc.start();
    pc.code(kCode, {0x90, 0x90});
    pc.cpu.raise_nmi();
    pc.run();
    EXPECT_FAULT(pc, kSegmentNotPresent, kNmi * 8 + 2 + 1);
}

TEST(Interrupts, VectorBehindTheTableIsAFaultWithIdtBit)
{
    Protected pc;
    pc.start();
    pc.cpu.state.idtr.limit = 0x3FF;
    pc.code(kCode, {0xCD, 0x90});
    pc.run();
    EXPECT_FAULT(pc, kGeneralProtection, 0x90 * 8 + 2);
}

TEST(Interrupts, UserModeIsInterruptedAndResumed)
{
    Protected pc;
    pc.start(3, kUserCode);
    pc.code(kUserCode,
            {0xF9, 0xCD, 0x80, 0x72, 0x02, 0x0F, 0x0B, 0xCD, 0x80});  // STC; INT; JC; UD2
    pc.code(kHandlers + 0x200, {0xEB, 0x0E});                         // JMP 20210h
    // First time: clear CF and return; second time: stop.
    pc.code(kHandlers + 0x210, {0xF8, 0x45, 0x83, 0xFD, 0x02, 0x74, 0x01, 0xCF, 0xF4});
    pc.run();
    EXPECT_EQ(pc.cpu.state.rip, kHandlers + 0x219u);
    EXPECT_EQ(pc.stack(0), kUserCode + 9);
    EXPECT_EQ(pc.stack(12), kStack3);
    EXPECT_EQ(pc.reg(RSP), kStack0 - 20);
}

TEST(Interrupts, IretAtLevel3ChangesNeitherIoplNorIf)
{
    Protected pc;
    pc.start(3, kUserCode);
    pc.code(kUserCode, {0x68, 0x02, 0x32, 0x24, 0, 0x6A, kCode3, 0x68, 0x10, 0x80, 1, 0, 0xCF});
    pc.code(kUserCode + 0x10, {0xCD, 0x80});
    pc.run();
    EXPECT_EQ(pc.vector(), 0x80);
    EXPECT_EQ(pc.stack(8) & (IF | IOPL | AC | ID), static_cast<u32>(AC | ID));
}

TEST(Interrupts, InnerStackAndTablesNeedNoUserRights)
{
    constexpr u32 kDirectory = 0x100000, kTable = 0x101000;
    Protected pc;
    pc.set(kDirectory, 4, kTable | 7);
    for (u32 page = 0; page < 0x100; ++page) {
        const bool user = page << 12 == kUserCode || page << 12 == kStack3 - 0x1000;
        pc.set(kTable + 4 * page, 4, page << 12 | (user ? 7 : 3));
    }
    pc.cpu.state.cr3 = kDirectory;
    pc.cpu.state.cr0 |= kCr0Pg | kCr0Wp;
    pc.start(3, kUserCode);
    pc.code(kUserCode,
            {0x50, 0xCD, 0x80, 0xA1, 0, 0x10, 0, 0});  // PUSH EAX; INT 80h; MOV EAX, [1000h]
    pc.code(kHandlers + 0x200, {0xCF});
    pc.run();
    EXPECT_FAULT(pc, kPageFault, 5);
    EXPECT_EQ(pc.cpu.state.cr2, 0x1000u);
    EXPECT_EQ(pc.stack(4), kUserCode + 3);
    EXPECT_EQ(pc.stack(16), kStack3 - 4);
}

TEST(Interrupts, FaultWhileDeliveringAFaultIsADoubleFault)
{
    Protected pc;
    pc.handler(kGeneralProtection, 0x0E);  // not present
    pc.start();
    pc.code(kCode, {0x66, 0xB8, kTssA, 0, 0x8E, 0xD8});
    pc.run();
    EXPECT_FAULT(pc, kDoubleFault, 0);
    EXPECT_EQ(pc.stack(4), kCode + 4u);

    Protected worse;
    worse.cpu.state.idtr.limit = 0;
    worse.start();
    worse.code(kCode, {0xCC});
    worse.run();
    EXPECT_TRUE(worse.bus.was_shut_down);
}

// ---- Virtual 8086 mode -------------------------------------------------------------------------

TEST(V86, InterruptSavesAllSegmentsAndIretReturns)
{
    Protected pc;
    pc.gate(kIdt + 0x21 * 8, kCode0, kCode + 0x100, 0xEE);
    pc.handler(kBreakpoint, 0xEE);
    pc.start_v86(3);
    pc.code(0x10000, {0xCD, 0x21, 0x8C, 0xD8, 0xCC});        // INT 21h; MOV AX, DS; INT3
    pc.code(kCode + 0x100, {0x89, 0xE3, 0x8C, 0xDA, 0xCF});  // MOV EBX, ESP; MOV EDX, DS; IRETD
    pc.run();
    EXPECT_EQ(pc.vector(), kBreakpoint);
    EXPECT_EQ(pc.reg(RBX), kStack0 - 36);
    EXPECT_EQ(pc.reg(RDX), 0u) << "data segments are null in the handler";
    EXPECT_EQ(pc.reg(RAX), 0xD000u);
    EXPECT_EQ(pc.cpu.state.cpl, 0);
    EXPECT_FALSE(pc.cpu.v86());
    const u32 frame[] = {5, 0x1000, 2 | VM | IOPL, 0x1000, 0x2000, 0xE000, 0xD000, 0xF000, 0x9000};
    for (u32 i = 0; i < 9; ++i) EXPECT_EQ(pc.stack(4 * i), frame[i]) << i;
}

TEST(V86, IntNIsSensitiveToIoplAndInt3IsNot)
{
    Protected pc;
    pc.start_v86(0);
    pc.code(0x10000, {0xCD, 0x21});
    pc.run();
    EXPECT_FAULT(pc, kGeneralProtection, 0);
    EXPECT_EQ(pc.stack(4), 0u);

    Protected other;
    other.handler(kBreakpoint, 0xEE);
    other.start_v86(0);
    other.code(0x10000, {0xCC});
    other.run();
    EXPECT_EQ(other.vector(), kBreakpoint);
}

TEST(V86, HandlerMustBeAtLevel0)
{
    Protected pc;
    pc.descriptor(kLast, 0, 0xFFFFF, kCodeRx | 0x20, 0xC);  // DPL 1
    pc.gate(kIdt + 0x21 * 8, kLast | 1, kCode + 0x100, 0xEE);
    pc.start_v86(3);
    pc.code(0x10000, {0xCD, 0x21});
    pc.run();
    EXPECT_FAULT(pc, kGeneralProtection, kLast);
}

/// A TSS with a redirection bitmap, all of it clear, below an I/O bitmap of one byte.
void add_redirection_bitmap(Protected& pc)
{
    pc.cpu.state.tr.limit = 0x67 + 32 + 2;
    pc.set(kTss + 0x66, 2, 0x68 + 32);
    pc.cpu.state.cr4 |= kCr4Vme;
}

TEST(V86, VmeRedirectsIntToThe8086ProgramWithVirtualIf)
{
    Protected pc;
    add_redirection_bitmap(pc);
    pc.start_v86(0);
    pc.cpu.state.rflags |= IF | VIF;
    pc.cpu.state_loaded();
    pc.set(0x21 * 4, 4, 0x40000010);
    pc.code(0x10000, {0xCD, 0x21, 0xCC});
    pc.code(0x40010, {0xB8, 0x01, 0x00, 0xCF});  // MOV AX, 1; IRET
    pc.run(1);
    EXPECT_TRUE(pc.cpu.v86());
    EXPECT_EQ(pc.cpu.state.rip, 0x10u);
    EXPECT_EQ(pc.stack16(4), 2 | IF | IOPL) << "the program sees VIF as IF";
    EXPECT_EQ(pc.cpu.state.rflags & (IF | VIF | IOPL), static_cast<u32>(IF));
    pc.run(2);
    EXPECT_EQ(pc.cpu.state.rip, 2u);
    EXPECT_EQ(pc.cpu.state.rflags & (IF | VIF | IOPL), static_cast<u32>(IF | VIF));
}

TEST(V86, VmeWithBitSetAndLowIoplFaults)
{
    Protected pc;
    add_redirection_bitmap(pc);
    pc.byte(kTss + 0x68 + 0x21 / 8) = 1 << 0x21 % 8;
    pc.start_v86(0);
    pc.code(0x10000, {0xCD, 0x21});
    pc.run();
    EXPECT_FAULT(pc, kGeneralProtection, 0);
}

TEST(V86, VmeIretThatEnablesAPendingInterruptFaults)
{
    Protected pc;
    add_redirection_bitmap(pc);
    pc.start_v86(0);
    pc.cpu.state.rflags |= VIP;
    pc.cpu.state.gpr[RSP] = 0x0FFA;
    pc.cpu.state_loaded();
    pc.set(0x20FFA, 4, 0x10000010);
    pc.set(0x20FFE, 2, IF);
    pc.code(0x10000, {0xCF});
    pc.run();
    EXPECT_FAULT(pc, kGeneralProtection, 0);
    EXPECT_EQ(pc.stack(16), 0x0FFAu);
}

TEST(V86, ReturnWithVirtualInterruptPendingFaultsAtTheTarget)
{
    Protected pc;
    pc.cpu.state.cr4 |= kCr4Vme;
    pc.start();
    const u32 frame[] = {0x20, 0x1000, 2 | VM | VIF | VIP, 0x1000, 0x2000, 0, 0, 0, 0};
    pc.cpu.state.gpr[RSP] = kStack0 - 36;
    for (u32 i = 0; i < 9; ++i) pc.set(kStack0 - 36 + 4 * i, 4, frame[i]);
    pc.code(kCode, {0xCF});
    pc.run();
    EXPECT_FAULT(pc, kGeneralProtection, 0);
    EXPECT_EQ(pc.stack(4), 0x20u);
    EXPECT_EQ(pc.stack(8), 0x1000u);
    EXPECT_TRUE(pc.stack(12) & VM);
}

// ---- Tasks -------------------------------------------------------------------------------------

/// Task B starts at `ip` with flat segments of level 0.
void prepare_task_b(Protected& pc, u32 ip, u32 flags = 2)
{
    pc.set(kTssB + 0x20, 4, ip);
    pc.set(kTssB + 0x24, 4, flags);
    for (u32 r = 0; r < 8; ++r) pc.set(kTssB + 0x28 + 4 * r, 4, 0xB0000000 + r);
    pc.set(kTssB + 0x38, 4, kStack3);
    for (u32 s = 0; s < 6; ++s) pc.set(kTssB + 0x48 + 4 * s, 2, kData0);
    pc.set(kTssB + 0x4C, 2, kCode0);
    pc.set(kTssB + 0x60, 2, kLdtSelector);
}

TEST(Tasks, JumpSavesTheOldTaskAndLoadsTheNew)
{
    Protected pc;
    prepare_task_b(pc, kUserCode);
    pc.start();
    pc.code(kCode, {0xB8, 0x78, 0x56, 0x34, 0x12, 0xEA, 0, 0, 0, 0, kTssBs, 0});
    pc.code(kUserCode, {0xF4});
    pc.run();
    const CpuState& s = pc.cpu.state;
    EXPECT_TRUE(s.halted);
    EXPECT_EQ(s.rip, kUserCode + 1u);
    EXPECT_EQ(pc.reg(RBX), 0xB0000003u);
    EXPECT_EQ(s.tr.selector, kTssBs);
    EXPECT_EQ(s.ldtr.selector, kLdtSelector);
    EXPECT_EQ(s.ldtr.base, kLdt);
    EXPECT_TRUE(s.cr0 & kCr0Ts);
    EXPECT_FALSE(s.rflags & NT);
    EXPECT_EQ(pc.byte(kGdt + kTssA + 5), 0x89) << "no longer busy";
    EXPECT_EQ(pc.byte(kGdt + kTssBs + 5), 0x8B);
    EXPECT_EQ(pc.get(kTss + 0x20, 4), kCode + 12u);
    EXPECT_EQ(pc.get(kTss + 0x28, 4), 0x12345678u);
    EXPECT_EQ(pc.get(kTss + 0x38, 4), kStack0);
    EXPECT_EQ(pc.get(kTss + 0x4C, 2), kCode0);
    EXPECT_EQ(pc.get(kTssB, 2), 0u) << "a jump leaves no link";
}

TEST(Tasks, CallNestsAndIretReturns)
{
    for (const u16 selector : {kTssBs, kTaskGateSelector}) {
        Protected pc;
        prepare_task_b(pc, kUserCode);
        pc.start();
        pc.code(kCode, {0xB8, 0x78, 0x56, 0x34, 0x12, 0x9A, 0, 0, 0, 0, selector, 0, 0xF4});
        pc.code(kUserCode, {0xCF, 0xEB, 0xFD});  // IRET; JMP back to it
        pc.run(2);
        EXPECT_EQ(pc.cpu.state.rip, kUserCode);
        EXPECT_TRUE(pc.cpu.state.rflags & NT);
        EXPECT_EQ(pc.get(kTssB, 2), kTssA);
        EXPECT_EQ(pc.byte(kGdt + kTssA + 5), 0x8B) << "a nested task's caller stays busy";
        pc.run();
        EXPECT_TRUE(pc.cpu.state.halted);
        EXPECT_EQ(pc.cpu.state.rip, kCode + 13u);
        EXPECT_EQ(pc.reg(RAX), 0x12345678u);
        EXPECT_EQ(pc.cpu.state.tr.selector, kTssA);
        EXPECT_EQ(pc.byte(kGdt + kTssBs + 5), 0x89);
        EXPECT_EQ(pc.get(kTssB + 0x20, 4), kUserCode + 1u);
        EXPECT_FALSE(pc.get(kTssB + 0x24, 4) & NT);
    }
}

TEST(Tasks, ExceptionThroughATaskGatePushesItsErrorCode)
{
    Protected pc;
    prepare_task_b(pc, kUserCode);
    pc.gate(kIdt + kGeneralProtection * 8, kTssBs, 0, 0x85);
    pc.start();
    pc.code(kCode, {0x66, 0xB8, kTssA, 0, 0x8E, 0xD8});
    pc.code(kUserCode, {0xF4});
    pc.run();
    EXPECT_EQ(pc.cpu.state.rip, kUserCode + 1u);
    EXPECT_EQ(pc.reg(RSP), kStack3 - 4);
    EXPECT_EQ(pc.stack(0), kTssA);
    EXPECT_EQ(pc.get(kTss + 0x20, 4), kCode + 4u);
    EXPECT_TRUE(pc.get(kTss + 0x24, 4) & RF);
}

TEST(Tasks, BadSegmentInTheNewTaskFaultsInIt)
{
    Protected pc;
    prepare_task_b(pc, kUserCode);
    pc.set(kTssB + 0x54, 2, kExecuteOnly);  // DS
    pc.start();
    pc.code(kCode, {0xEA, 0, 0, 0, 0, kTssBs, 0});
    pc.run();
    EXPECT_FAULT(pc, kInvalidTss, kExecuteOnly);
    EXPECT_EQ(pc.stack(4), kUserCode);
    EXPECT_EQ(pc.cpu.state.tr.selector, kTssBs);
    EXPECT_EQ(pc.get(kTss + 0x20, 4), kCode + 7u);
}

TEST(Tasks, TooSmallTssFaultsInTheOldTask)
{
    Protected pc;
    pc.descriptor(kTssBs, kTssB, 0x66, 0x89, 0);
    pc.start();
    pc.code(kCode, {0xEA, 0, 0, 0, 0, kTssBs, 0});
    pc.run();
    EXPECT_FAULT(pc, kInvalidTss, kTssBs);
    EXPECT_EQ(pc.cpu.state.tr.selector, kTssA);
    EXPECT_EQ(pc.byte(kGdt + kTssBs + 5), 0x89);
}

TEST(Tasks, NestedReturnNeedsABusyTask)
{
    Protected pc;
    pc.set(kTss, 2, kTssBs);  // available
    pc.start();
    pc.cpu.state.rflags |= NT;
    pc.cpu.state_loaded();
    pc.code(kCode, {0xCF});
    pc.run();
    EXPECT_FAULT(pc, kInvalidTss, kTssBs);
    EXPECT_EQ(pc.stack(4), kCode);
    EXPECT_TRUE(pc.stack(12) & NT);
}

TEST(Tasks, TrapBitRaisesADebugExceptionBeforeTheFirstInstruction)
{
    Protected pc;
    prepare_task_b(pc, kUserCode);
    pc.set(kTssB + 0x64, 2, 1);
    pc.start();
    pc.code(kCode, {0xEA, 0, 0, 0, 0, kTssBs, 0});
    pc.code(kUserCode, {0x0F, 0x0B});
    pc.run();
    EXPECT_EQ(pc.vector(), kDebug);
    EXPECT_EQ(pc.stack(0), kUserCode);
    EXPECT_TRUE(pc.cpu.state.dr[6] & 1 << 15);
}

TEST(Tasks, NewTaskMayBeAVirtual8086Task)
{
    Protected pc;
    prepare_task_b(pc, 0x10, 2 | VM);
    for (u32 s = 0; s < 6; ++s) pc.set(kTssB + 0x48 + 4 * s, 2, 0x4000 + s);
    pc.set(kTssB + 4, 4, kStack0);
    pc.set(kTssB + 8, 2, kData0);
    pc.start();
    pc.code(kCode, {0xEA, 0, 0, 0, 0, kTssBs, 0});
    pc.code(0x40010 + 0x10, {0xF4});  // HLT: #GP(0) in V86 mode
    pc.run();
    EXPECT_FAULT(pc, kGeneralProtection, 0);
    EXPECT_EQ(pc.stack(8), 0x4001u);
    EXPECT_TRUE(pc.stack(12) & VM);
    EXPECT_EQ(pc.stack(24), 0x4000u);
}

TEST(Tasks, A286SwitchesBetweenItsOwnTasks)
{
    Protected pc{"80286"};
    pc.descriptor(kCode0, 0, 0xFFFF, kCodeRx, 0);
    pc.descriptor(kData0, 0, 0xFFFF, kDataRw, 0);
    pc.descriptor(kTss16A, kTss, 0x2B, 0x81, 0);
    pc.descriptor(kTss16B, kTssB, 0x2B, 0x81, 0);
    pc.start(0, 0x4000);
    ASSERT_TRUE(pc.cpu.load_tr(kTss16A));
    pc.cpu.state.gpr[RSP] = 0xF000;
    pc.set(kTssB + 0x0E, 2, 0x5000);
    pc.set(kTssB + 0x10, 2, 2);
    pc.set(kTssB + 0x18, 2, 0xBEEF);  // BX
    pc.set(kTssB + 0x1A, 2, 0xE000);
    for (u32 s = 0; s < 4; ++s) pc.set(kTssB + 0x22 + 2 * s, 2, s == CS ? kCode0 : kData0);
    pc.code(0x4000, {0x9A, 0, 0, kTss16B, 0, 0xF4});
    pc.code(0x5000, {0xCF});
    pc.run(1);
    EXPECT_EQ(pc.cpu.state.rip, 0x5000u);
    EXPECT_EQ(pc.reg(RBX), 0xBEEFu);
    EXPECT_TRUE(pc.cpu.state.rflags & NT);
    EXPECT_EQ(pc.get(kTss + 0x0E, 2), 0x4005u);
    pc.run();
    EXPECT_TRUE(pc.cpu.state.halted);
    EXPECT_EQ(pc.cpu.state.rip, 0x4006u);
    EXPECT_EQ(pc.reg(RSP), 0xF000u);
}

// ---- Ports -------------------------------------------------------------------------------------

TEST(Ports, BitmapDecidesBelowIopl)
{
    Protected pc;
    pc.set(kTss + 0x68, 2, 0xFF02);  // ports 0 to 7 but 1; the closing byte
    pc.start(3, kUserCode);
    pc.code(kUserCode, {0xE4, 0x02, 0xE4, 0x01});  // IN AL, 2; IN AL, 1
    pc.run();
    EXPECT_FAULT(pc, kGeneralProtection, 0);
    EXPECT_EQ(pc.stack(4), kUserCode + 2);
    EXPECT_EQ(pc.bus.last_port, 2);

    Protected allowed;
    allowed.start(3, kUserCode);
    allowed.cpu.state.rflags |= IOPL;
    allowed.cpu.state_loaded();
    allowed.code(kUserCode, {0xE4, 0x71, 0xCD, 0x80});
    allowed.run();
    EXPECT_EQ(allowed.vector(), 0x80);
    EXPECT_EQ(allowed.bus.last_port, 0x71);
}

}  // namespace
}  // namespace reprise
