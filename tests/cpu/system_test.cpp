/// Instructions for operating systems: Intel SDM vol. 2 and vol. 3A, 2.5 to 2.8, 5.9, 5.10.
#include <gtest/gtest.h>

#include "tests/cpu/program.h"

namespace reprise {
namespace {

constexpr u32 kC = Program::kCode, kD = Program::kData;

class Level0 : public Program {
public:
    explicit Level0(const Bytes& bytes, const char* model = "pentium") : Program(model)
    {
        start_protected();
        code(bytes);
        reg(RBX) = kData;
    }
    bool zf() const { return (cpu.state.rflags & ZF) != 0; }
};

class Level3 : public Program {
public:
    explicit Level3(const Bytes& bytes, const char* model = "pentium") : Program(model)
    {
        start_user();
        code(bytes);
        reg(RBX) = kData;
    }
};

TEST(Privileged, InstructionsAreGeneralProtectionFaultsAtLevel3)
{
    const Program::Bytes cases[] = {
        {0xF4},              // hlt
        {0x0F, 0x01, 0x13},  // lgdt [ebx]
        {0x0F, 0x01, 0x1B},  // lidt [ebx]
        {0x0F, 0x00, 0xD0},  // lldt ax
        {0x0F, 0x00, 0xD8},  // ltr ax
        {0x0F, 0x01, 0xF0},  // lmsw ax
        {0x0F, 0x01, 0x3B},  // invlpg [ebx]
        {0x0F, 0x06},        // clts
        {0x0F, 0x08},        // invd
        {0x0F, 0x09},        // wbinvd
        {0x0F, 0x20, 0xC0},  // mov eax, cr0
        {0x0F, 0x22, 0xC0},  // mov cr0, eax
        {0x0F, 0x20, 0xE0},  // mov eax, cr4
        {0x0F, 0x21, 0xF8},  // mov eax, dr7
        {0x0F, 0x23, 0xF8},  // mov dr7, eax
        {0x0F, 0x30},        // wrmsr
        {0x0F, 0x32},        // rdmsr
        {0xFA},              // cli, IOPL 0
        {0xFB},              // sti
        {0xE4, 0x80},        // in al, 80h
        {0xEE},              // out dx, al
    };
    for (const Program::Bytes& bytes : cases) {
        SCOPED_TRACE(testing::Message()
                     << std::hex << bytes[0] << ' ' << (bytes.size() > 1 ? bytes[1] : 0));
        Level3 p{bytes};
        p.cpu.state.tr.limit = 0x67;  // no port bitmap
        p.reg(RDX) = 0x80;
        EXPECT_EQ(p.run_to_vector(), 13);
        EXPECT_EQ(p.error_code(), 0u);
        EXPECT_EQ(p.error_ip(), kC);
    }
}

TEST(Privileged, SomeAreForEveryone)
{
    for (const Program::Bytes& bytes : {Program::Bytes{0x0F, 0x01, 0xE0},  // smsw eax
                                        Program::Bytes{0x0F, 0x00, 0xC0},  // sldt eax
                                        Program::Bytes{0x0F, 0x00, 0xC8},  // str eax
                                        Program::Bytes{0x0F, 0x01, 0x03},  // sgdt [ebx]
                                        Program::Bytes{0x0F, 0x31},        // rdtsc
                                        Program::Bytes{0x0F, 0xA2}}) {     // cpuid
        Level3 p{bytes};
        p.step();
        EXPECT_EQ(p.ip(), kC + bytes.size());
    }
}

// ---- Descriptor tables
// -----------------------------------------------------------------------------

TEST(Tables, LgdtAndSgdt)
{
    Level0 p{{0x0F, 0x01, 0x13, 0x0F, 0x01, 0x43, 0x10}};  // lgdt [ebx]; sgdt [ebx+10h]
    p.set<u16>(kD, 0x1234);
    p.set<u32>(kD + 2, 0x12345678);
    p.step(2);
    EXPECT_EQ(p.cpu.state.gdtr.limit, 0x1234);
    EXPECT_EQ(p.cpu.state.gdtr.base, 0x12345678u);
    EXPECT_EQ(p.get<u16>(kD + 0x10), 0x1234);
    EXPECT_EQ(p.get<u32>(kD + 0x12), 0x12345678u);
}

TEST(Tables, SixteenBitLoadsTake24BitsOfBase)
{
    Level0 p{{0x66, 0x0F, 0x01, 0x1B}};  // lidt with 16-bit operands
    p.set<u32>(kD + 2, 0x12345678);
    p.step();
    EXPECT_EQ(p.cpu.state.idtr.base, 0x345678u);
}

TEST(Tables, AreUndefinedWithRegisters)
{
    for (const int modrm : {0xC0, 0xC8, 0xD0, 0xD8, 0xF8}) {
        Level0 p{{0x0F, 0x01, modrm}};
        EXPECT_EQ(p.run_to_vector(), 6);
    }
}

TEST(Tables, SgdtThatFaultsWritesNothing)
{
    Level0 p{{0x0F, 0x01, 0x03}};
    p.cpu.state.seg[DS].limit = kD + 4;
    p.cpu.state_loaded();
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.get<u32>(kD), 0u);
}

TEST(Tables, LldtAndSldt)
{
    Level0 p{{0x0F, 0x00, 0xD0, 0x0F, 0x00, 0xC1}};  // lldt ax; sldt ecx
    p.descriptor(Program::kSpare, kD, 0x27, 0x82, 0);
    p.reg(RAX) = Program::kSpare;
    p.reg(RCX) = 0xFFFFFFFF;
    p.step(2);
    EXPECT_EQ(p.cpu.state.ldtr.base, kD);
    EXPECT_EQ(p.cpu.state.ldtr.limit, 0x27u);
    EXPECT_EQ(p.reg(RCX), Program::kSpare);
}

TEST(Tables, LtrMarksTheTaskBusy)
{
    Level0 p{{0x0F, 0x00, 0xD8, 0x0F, 0x00, 0xD8}};  // ltr ax, twice
    p.descriptor(Program::kSpare, kD, 0x67, 0x89, 0);
    p.reg(RAX) = Program::kSpare;
    p.step();
    EXPECT_EQ(p.cpu.state.tr.base, kD);
    EXPECT_EQ(p.get<u8>(Program::kGdt + Program::kSpare + 5), 0x8B);
    EXPECT_EQ(p.run_to_vector(), 13) << "a busy task cannot be loaded";
    EXPECT_EQ(p.error_code(), Program::kSpare);
}

// ---- LAR LSL VERR VERW ARPL
// --------------------------------------------------------------------------

TEST(Selectors, Lar)
{
    Level0 p{{0x0F, 0x02, 0xC8}};  // lar ecx, eax
    p.reg(RAX) = Program::kUserDs;
    p.step();
    EXPECT_TRUE(p.zf());
    // Bits 19..16, the limit's, are undefined.
    EXPECT_EQ(p.reg(RCX) & 0xFFF0FFFF, 0x00C0F300u);
}

TEST(Selectors, Lsl)
{
    Level0 p{{0x0F, 0x03, 0xC8, 0x0F, 0x03, 0xD6}};  // lsl ecx, eax; lsl edx, esi
    p.descriptor(Program::kSpare, 0, 0x1234, 0x92, 0);
    p.reg(RAX) = Program::kDs;
    p.reg(RSI) = Program::kSpare;
    p.step(2);
    EXPECT_EQ(p.reg(RCX), 0xFFFFFFFFu);
    EXPECT_EQ(p.reg(RDX), 0x1234u);
    EXPECT_TRUE(p.zf());
}

TEST(Selectors, InvisibleOnesClearZf)
{
    for (const auto& [selector, access] : {std::pair<u32, int>{0, 0x92},
                                           {0xFFF8, 0x92},
                                           {Program::kSpare, 0x86},
                                           {Program::kSpare, 0x8E},
                                           {Program::kSpare | 3, 0x92}}) {
        for (const int opcode : {0x02, 0x03}) {
            Level0 p{{0x0F, opcode, 0xC8}};
            p.descriptor(Program::kSpare, 0, 0x1234, static_cast<u8>(access), 0);
            p.cpu.state.rflags |= ZF;
            p.reg(RAX) = selector;
            p.reg(RCX) = 77;
            p.step();
            EXPECT_FALSE(p.zf()) << selector << ' ' << access;
            EXPECT_EQ(p.reg(RCX), 77u);
        }
    }
}

TEST(Selectors, VerrAndVerw)
{
    struct Case {
        int access;
        bool readable, writable;
    };
    for (const Case& c : {Case{0xF1, true, false}, Case{0xF3, true, true}, Case{0xF9, false, false},
                          Case{0xFB, true, false}, Case{0x92, false, false},
                          Case{0x9E, true, false}, Case{0x82, false, false}}) {
        Level3 p{{0x0F, 0x00, 0xE0, 0x0F, 0x00, 0xE8}};  // verr ax; verw ax
        p.descriptor(Program::kSpare, 0, 0x1234, static_cast<u8>(c.access), 0);
        p.reg(RAX) = Program::kSpare | 3;
        p.step();
        EXPECT_EQ((p.flags() & ZF) != 0, c.readable) << std::hex << c.access;
        p.step();
        EXPECT_EQ((p.flags() & ZF) != 0, c.writable) << std::hex << c.access;
    }
}

TEST(Selectors, ArplRaisesThePrivilegeLevel)
{
    Level0 p{{0x63, 0xC8, 0x63, 0xC8}};  // arpl ax, cx
    p.reg(RAX) = 0xFFFF0010;
    p.reg(RCX) = 0x3;
    p.step();
    EXPECT_EQ(p.reg(RAX), 0xFFFF0013u);
    EXPECT_TRUE(p.zf());
    p.step();
    EXPECT_FALSE(p.zf());
}

TEST(Selectors, ArplThatRaisesNothingDoesNotWrite)
{
    for (const int rpl : {1, 2, 3}) {
        Level0 p{{0x63, 0x0B}};              // arpl [ebx], cx
        p.cpu.state.seg[DS].access = 0xC91;  // read-only
        p.cpu.state_loaded();
        p.set<u16>(kD, 0x12);
        p.reg(RCX) = static_cast<u64>(rpl);
        p.step();
        if (rpl == 3) EXPECT_EQ(p.ip(), Program::kHandlers + 16 * kGeneralProtection);
        else EXPECT_EQ(p.ip(), kC + 2);
        EXPECT_EQ(p.get<u16>(kD), 0x12);
    }
}

TEST(Selectors, AreUndefinedInRealMode)
{
    for (const Program::Bytes& bytes :
         {Program::Bytes{0x0F, 0x02, 0xC8}, Program::Bytes{0x0F, 0x00, 0xC0},
          Program::Bytes{0x63, 0xC8}}) {
        Program p;
        p.start_real();
        p.code(bytes);
        EXPECT_EQ(p.run_to_vector(), 6);
    }
}

// ---- Control registers
// ---------------------------------------------------------------------------------

TEST(ControlRegisters, Cr0RejectsImpossibleCombinations)
{
    for (const u32 value : {u32{kCr0Pg}, u32{kCr0Pe | kCr0Nw}}) {
        Level0 p{{0x0F, 0x22, 0xC0}};
        const u64 before = p.cpu.state.cr0;
        p.reg(RAX) = value;
        EXPECT_EQ(p.run_to_vector(), 13);
        EXPECT_EQ(p.cpu.state.cr0, before);
    }
}

TEST(ControlRegisters, Cr4RejectsReservedBits)
{
    Level0 p{{0x0F, 0x22, 0xE0, 0x0F, 0x22, 0xE1}};  // mov cr4, eax; mov cr4, ecx
    p.reg(RAX) = kCr4Pse | kCr4Tsd;
    p.reg(RCX) = 1 << 20;
    p.step();
    EXPECT_EQ(p.cpu.state.cr4, u64{kCr4Pse | kCr4Tsd});
    EXPECT_EQ(p.run_to_vector(), 13);
}

TEST(ControlRegisters, Cr1AndCr5AreUndefined)
{
    for (const int modrm : {0xC8, 0xE8, 0xF0, 0xF8}) {
        Level0 from{{0x0F, 0x20, modrm}}, to{{0x0F, 0x22, modrm}};
        EXPECT_EQ(from.run_to_vector(), 6);
        EXPECT_EQ(to.run_to_vector(), 6);
    }
}

TEST(ControlRegisters, SmswLmswAndClts)
{
    Level0 p{{0x0F, 0x01, 0xF0, 0x66, 0x0F, 0x01, 0xE1, 0x0F, 0x06}};  // lmsw ax; smsw cx; clts
    p.reg(RAX) = 0xFFFE;  // PE cannot be cleared; only MP, EM and TS are taken
    p.reg(RCX) = 0xFFFFFFFF;
    const u32 others = static_cast<u32>(p.cpu.state.cr0);
    p.step(2);
    EXPECT_EQ(p.cpu.state.cr0, others | kCr0Mp | kCr0Em | kCr0Ts);
    EXPECT_EQ(p.reg(RCX), 0xFFFF0000u | (p.cpu.state.cr0 & 0xFFFF));
    p.step();
    EXPECT_FALSE(p.cpu.state.cr0 & kCr0Ts);
}

TEST(ControlRegisters, InV86ModeTheyFault)
{
    Program p;
    p.start_protected();
    p.code({0x0F, 0x20, 0xC0});
    for (Segment& s : p.cpu.state.seg) s = {0, 0, 0xFFFF, 0xF3};
    p.cpu.state.seg[CS] = {kC >> 4, kC, 0xFFFF, 0xF3};
    p.cpu.state.rflags |= VM | IOPL;
    p.cpu.state.cpl = 3;
    p.cpu.state.rip = 0;
    p.cpu.state_loaded();
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.error_ip(), 0u);
}

TEST(ControlRegisters, TheNextInstructionIsDecodedInTheNewMode)
{
    // lgdt-less switch: the code segment stays 16-bit until a far jump makes it 32-bit.
    Program p;
    p.start_real();
    p.descriptor(Program::kCs, 0, 0xFFFFF, 0x9B, 0xC);
    p.cpu.state.gdtr = {Program::kGdt, 0xFF};
    p.code({0x0F, 0x22, 0xC0,                                  // mov cr0, eax
            0xB8, 0x34, 0x12,                                  // mov ax, 1234h
            0x66, 0xEA, 0x20, 0x00, 0x01, 0x00, 0x08, 0x00});  // jmp dword 8:10020h
    p.code(kC + 0x20, {0xB8, 0x78, 0x56, 0x34, 0x12});         // mov eax, 12345678h
    p.reg(RAX) = kCr0Pe;
    p.step(2);
    EXPECT_EQ(p.reg(RAX), 0x1234u);
    p.step(2);
    EXPECT_EQ(p.reg(RAX), 0x12345678u);
    EXPECT_EQ(p.ip(), kC + 0x25);
}

// ---- Identification and time
// ------------------------------------------------------------------------------

TEST(Identification, CpuidNamesTheModel)
{
    Level0 p{{0x0F, 0xA2, 0x0F, 0xA2}};
    p.step();
    EXPECT_EQ(p.reg(RAX), 1u);
    EXPECT_EQ(p.reg(RBX), 0x756E6547u);
    EXPECT_EQ(p.reg(RDX), 0x49656E69u);
    EXPECT_EQ(p.reg(RCX), 0x6C65746Eu);
    p.step();
    EXPECT_EQ(p.reg(RAX), p.cpu.model().signature);
    EXPECT_EQ(p.reg(RDX), 0x1BFu);  // FPU VME DE PSE TSC MSR MCE CX8: AP-485, table 5
}

TEST(Identification, TheIdFlagTellsOfCpuid)
{
    for (const auto& [model, has_id] :
         {std::pair{"80386", false}, {"80486", true}, {"pentium", true}}) {
        Level0 p{{0x68, 0x02, 0x00, 0x20, 0x00, 0x9D, 0x9C, 0x58},
                 model};  // push 200002h; popf; pushf; pop eax
        p.step(4);
        EXPECT_EQ((p.reg(RAX) & ID) != 0, has_id) << model;
    }
}

TEST(Identification, TheAcFlagTellsThe486FromThe386)
{
    Level0 p{{0x68, 0x02, 0x00, 0x04, 0x00, 0x9D, 0x9C, 0x58}, "80386"};
    p.step(4);
    EXPECT_FALSE(p.reg(RAX) & AC);
}

TEST(TimeStamp, CountsInstructions)
{
    Level0 p{
        {0x90, 0x0F, 0x31, 0x89, 0xC1, 0x90, 0x0F, 0x31}};  // nop; rdtsc; mov ecx, eax; nop; rdtsc
    p.step(5);
    EXPECT_EQ(p.reg(RAX) - p.reg(RCX), 3u);
}

TEST(TimeStamp, TsdKeepsItFromLevel3)
{
    Level3 p{{0x0F, 0x31}};
    p.cpu.state.cr4 = kCr4Tsd;
    EXPECT_EQ(p.run_to_vector(), 13);
}

TEST(TimeStamp, IsWrittenAsMsr10)
{
    // wrmsr; rdtsc
    Level0 p{{0x0F, 0x30, 0x0F, 0x31, 0x0F, 0x32}};
    p.reg(RCX) = 0x10;
    p.reg(RDX) = 5;
    p.reg(RAX) = 1000;
    p.step(2);
    EXPECT_EQ(p.reg(RDX), 5u);
    EXPECT_EQ(p.reg(RAX), 1001u);
    Level0 q{{0x0F, 0x32}};
    q.reg(RCX) = 0x12345;
    EXPECT_EQ(q.run_to_vector(), 13);
}

// ---- Without an FPU
// ---------------------------------------------------------------------------------------

TEST(Coprocessor, EscAndWaitAskForTheEmulator)
{
    struct Case {
        int opcode;
        u32 cr0;
        int vector;
    };
    for (const Case& c :
         {Case{0xD9, kCr0Em, 7}, Case{0xD9, kCr0Ts, 7}, Case{0xD9, 0, -1}, Case{0x9B, kCr0Ts, -1},
          Case{0x9B, kCr0Mp, -1}, Case{0x9B, kCr0Mp | kCr0Ts, 7}}) {
        Program::Bytes bytes{c.opcode};
        if (c.opcode == 0xD9) bytes.push_back(0xC0);
        bytes.push_back(0xF4);
        Level0 p{bytes};
        p.cpu.state.cr0 |= c.cr0;
        EXPECT_EQ(p.run_to_vector(), c.vector) << std::hex << c.opcode << ' ' << c.cr0;
        if (c.vector == 7) {
            EXPECT_EQ(p.stack(0), kC);
        }
    }
}

// ---- Ports
// ----------------------------------------------------------------------------------------------------

TEST(Ports, WidthsAndNumbers)
{
    Level0 p{{0xE6, 0x80, 0x66, 0xEF, 0xEF, 0xEC, 0xE5,
              0x40}};  // out 80h, al; out dx, ax; out dx, eax; in al, dx; in eax, 40h
    std::vector<std::tuple<u16, int, u32>> writes;
    p.bus.on_write_port = [&](u16 port, int size, u32 value) {
        writes.emplace_back(port, size, value);
    };
    p.bus.on_read_port = [&](u16 port, int size) {
        return port == 0x40 ? 0xCAFEBABE : 0x10u + static_cast<u32>(size);
    };
    p.reg(RAX) = 0x12345678;
    p.reg(RDX) = 0xABCD03F8;
    p.step(4);
    ASSERT_EQ(writes.size(), 3u);
    EXPECT_EQ(writes[0], (std::tuple<u16, int, u32>{0x80, 1, 0x78}));
    EXPECT_EQ(writes[1], (std::tuple<u16, int, u32>{0x3F8, 2, 0x5678}));
    EXPECT_EQ(writes[2], (std::tuple<u16, int, u32>{0x3F8, 4, 0x12345678}));
    EXPECT_EQ(p.reg(RAX), 0x12345611u);
    p.step();
    EXPECT_EQ(p.reg(RAX), 0xCAFEBABEu);
}

TEST(Ports, TheBitmapCoversEveryByteOfAnAccess)
{
    for (const auto& [opcode, allowed] :
         {std::pair{0xEC, true}, {0xED, false}}) {  // in al, dx; in eax, dx
        Level3 p{{opcode, 0x90}};
        p.set<u8>(Program::kTss + 0x68 + 0x40 / 8, 0x08);  // port 43h
        p.reg(RDX) = 0x40;
        p.step();
        EXPECT_EQ(p.ip() == kC + 1, allowed);
    }
}

TEST(Ports, IoplOpensThem)
{
    Level3 p{{0xEC}};
    p.cpu.state.rflags |= IOPL;
    p.cpu.state.tr.limit = 0x67;
    p.step();
    EXPECT_EQ(p.ip(), kC + 1);
}

// ---- Reset
// -----------------------------------------------------------------------------------------------------

TEST(Reset, LeavesTheRegistersOfTable9_1)
{
    Program p;
    p.cpu.reset();
    const CpuState& s = p.cpu.state;
    EXPECT_EQ(s.rip, 0xFFF0u);
    EXPECT_EQ(s.seg[CS].selector, 0xF000);
    EXPECT_EQ(s.seg[CS].base, 0xFFFF0000u);
    EXPECT_EQ(s.seg[CS].limit, 0xFFFFu);
    EXPECT_EQ(s.cr0, 0x60000010u);
    EXPECT_EQ(s.rflags, 2u);
    EXPECT_EQ(s.dr[6], 0xFFFF0FF0u);
    EXPECT_EQ(s.dr[7], 0x400u);
    EXPECT_EQ(s.gpr[RDX], p.cpu.model().signature);
}

}  // namespace
}  // namespace reprise
