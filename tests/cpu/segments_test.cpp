/// What segments allow: Intel SDM vol. 3A, 5.2 to 5.5; real mode: 20.1; alignment: 6.15,
/// interrupt 17.
#include <gtest/gtest.h>

#include "tests/cpu/program.h"

namespace reprise {
namespace {

constexpr u32 kC = Program::kCode;
constexpr u32 kBase = Program::kData;

// mov [ebx], eax and mov eax, [ebx], with bytes and words
const Program::Bytes kStore32 = {0x89, 0x03}, kStore16 = {0x66, 0x89, 0x03}, kStore8 = {0x88, 0x03};
const Program::Bytes kLoad32 = {0x8B, 0x03}, kLoad16 = {0x66, 0x8B, 0x03}, kLoad8 = {0x8A, 0x03};

/// One access through DS with the given descriptor: the vector, or -1.
struct Access1 {
    u16 access;  // as in Segment: 93 is writable data, 400 the big bit
    u32 limit;
    u32 offset;
    const Program::Bytes& bytes;

    int vector() const
    {
        Program p;
        p.start_protected();
        p.code(bytes);
        p.cpu.state.seg[DS] = {Program::kDs, kBase, limit, access};
        p.cpu.state_loaded();
        p.reg(RBX) = offset;
        p.step();
        if (p.ip() == kC + bytes.size()) return -1;
        EXPECT_EQ(p.error_code(), 0u);
        EXPECT_EQ(p.error_ip(), kC);
        p.run();
        return p.vector();
    }
};

TEST(Limits, TheLastByteMustBeWithin)
{
    EXPECT_EQ((Access1{0x493, 0xFF, 0xFF, kLoad8}.vector()), -1);
    EXPECT_EQ((Access1{0x493, 0xFF, 0x100, kLoad8}.vector()), 13);
    EXPECT_EQ((Access1{0x493, 0xFF, 0xFE, kStore16}.vector()), -1);
    EXPECT_EQ((Access1{0x493, 0xFF, 0xFF, kStore16}.vector()), 13);
    EXPECT_EQ((Access1{0x493, 0xFF, 0xFC, kStore32}.vector()), -1);
    EXPECT_EQ((Access1{0x493, 0xFF, 0xFD, kLoad32}.vector()), 13);
    EXPECT_EQ((Access1{0x493, 0xFF, 0xFFFFFFFF, kLoad32}.vector()), 13) << "offsets do not wrap";
    EXPECT_EQ((Access1{0x493, 0xFFFFFFFF, 0xFFFFFFFE, kStore32}.vector()), 13)
        << "in a segment of 4 GB neither (host processors)";
}

TEST(Limits, ExpandDownSegmentsBeginAboveTheirLimit)
{
    EXPECT_EQ((Access1{0x497, 0xFFF, 0x1000, kStore8}.vector()), -1);
    EXPECT_EQ((Access1{0x497, 0xFFF, 0xFFF, kStore8}.vector()), 13);
    EXPECT_EQ((Access1{0x497, 0xFFF, 0xFFE, kLoad32}.vector()), 13);
    EXPECT_EQ((Access1{0x497, 0xFFF, 0x100000, kLoad32}.vector()), -1) << "up to 4 GB with B";
    EXPECT_EQ((Access1{0x097, 0xFFF, 0xFFFC, kLoad32}.vector()), -1) << "up to 64 KB without";
    EXPECT_EQ((Access1{0x097, 0xFFF, 0xFFFD, kLoad32}.vector()), 13);
    EXPECT_EQ((Access1{0x097, 0xFFF, 0x10000, kLoad8}.vector()), 13);
}

TEST(Rights, OfDataAndCodeSegments)
{
    EXPECT_EQ((Access1{0x491, 0xFFFF, 0, kLoad32}.vector()), -1) << "read-only";
    EXPECT_EQ((Access1{0x491, 0xFFFF, 0, kStore32}.vector()), 13);
    EXPECT_EQ((Access1{0x49B, 0xFFFF, 0, kLoad32}.vector()), -1) << "code that can be read";
    EXPECT_EQ((Access1{0x49B, 0xFFFF, 0, kStore32}.vector()), 13);
    EXPECT_EQ((Access1{0x499, 0xFFFF, 0, kLoad8}.vector()), 13) << "execute-only";
    EXPECT_EQ((Access1{0x000, 0, 0, kLoad8}.vector()), 13) << "null";
}

TEST(Rights, ReadOnlySegmentsFaultReadModifyWritesBeforeTheyRead)
{
    Program p;
    p.start_protected();
    p.code({0xFF, 0x03});  // inc dword [ebx]
    p.cpu.state.seg[DS] = {Program::kDs, 0, 0xFFFFFFFF, 0x491};
    p.cpu.state_loaded();
    p.reg(RBX) = kBase;
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.get<u32>(kBase), 0u);
}

TEST(Rights, TheStackSegmentsFaultIsItsOwn)
{
    Program p;
    p.start_user();
    p.code({0x50});  // push eax
    p.cpu.state.seg[SS] = {Program::kUserDs, 0, 0x1FFF, 0x4F3};
    p.cpu.state_loaded();
    EXPECT_EQ(p.run_to_vector(), 12);
    EXPECT_EQ(p.error_code(), 0u);
    EXPECT_EQ(p.stack(4), Program::kUserStack) << "ESP as it was";

    Program q;
    q.start_user();
    q.code({0x8B, 0x45, 0x00});  // mov eax, [ebp]: SS by default
    q.cpu.state.seg[SS] = {Program::kUserDs, 0, 0x3FFFF, 0x4F3};
    q.cpu.state_loaded();
    q.reg(RBP) = 0x40000;
    EXPECT_EQ(q.run_to_vector(), 12);
}

TEST(Rights, CodeIsNotWrittenThroughAnOverride)
{
    Program p;
    p.start_protected();
    p.code({0x2E, 0x89, 0x03});  // mov cs:[ebx], eax
    p.reg(RBX) = kBase;
    EXPECT_EQ(p.run_to_vector(), 13);
}

TEST(Limits, OffsetsWrapInAFlat4GBSegment)
{
    // FFFFFFFE..1 in a segment whose base moves it to RAM.
    Program p;
    p.start_protected();
    p.code(kStore32);
    p.cpu.state.seg[DS] = {Program::kDs, kBase, 0xFFFFFFFF, 0xC93};
    p.cpu.state_loaded();
    p.reg(RBX) = 0xFFFFF000;  // linear kBase - 1000h
    p.reg(RAX) = 0x12345678;
    p.step();
    EXPECT_EQ(p.get<u32>(kBase - 0x1000), 0x12345678u);
}

TEST(Limits, JumpsBeyondTheCodeLimitFaultAtTheJump)
{
    for (const Program::Bytes& bytes :
         {Program::Bytes{0xE9, 0x00, 0x10, 0x00, 0x00}, Program::Bytes{0xFF, 0xE0},
          Program::Bytes{0xE8, 0x00, 0x10, 0x00, 0x00}, Program::Bytes{0xFF, 0xD0}}) {
        Program p;
        p.start_user();
        p.code(bytes);
        p.cpu.state.seg[CS] = {Program::kUserCs, kC, 0xFFF, 0x4FB};
        p.cpu.state.rip = 0;
        p.cpu.state_loaded();
        p.reg(RAX) = 0x1005;
        EXPECT_EQ(p.run_to_vector(), 13);
        EXPECT_EQ(p.error_ip(), 0u);
        EXPECT_EQ(p.stack(4), Program::kUserStack);
    }
}

TEST(Limits, ExecutionRunsIntoTheCodeLimit)
{
    Program p;
    p.start_user();
    p.code({0x40, 0x40, 0xB8, 1, 0, 0, 0});  // the MOV is cut off
    p.cpu.state.seg[CS] = {Program::kUserCs, kC, 4, 0x4FB};
    p.cpu.state.rip = 0;
    p.cpu.state_loaded();
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.error_ip(), 2u);
    EXPECT_EQ(p.reg(RAX), 2u);
}

TEST(Limits, ABlockDecodedUnderALargerLimitIsCutBySmallerOne)
{
    Program p;
    p.start_protected();
    p.code({0x40, 0x40, 0x40, 0x40, 0xF4});
    p.run();
    EXPECT_EQ(p.reg(RAX), 4u);
    p.cpu.state.halted = false;
    p.cpu.set_segment(CS, {Program::kCs, 0, kC + 1, 0x49B});
    p.cpu.state.rip = kC;
    p.step(3);
    EXPECT_EQ(p.reg(RAX), 6u);
    EXPECT_EQ(p.ip(), Program::kHandlers + 16 * 13);
}

// ---- Real mode
// ------------------------------------------------------------------------------------------

TEST(RealMode, AWordAtFFFFFaults)
{
    Program p;
    p.start_real();
    p.code({0x8B, 0x07});  // mov ax, [bx]
    p.reg(RBX) = 0xFFFF;
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.stack<u16>(0), 0);

    Program q;
    q.start_real();
    q.code({0x8B, 0x46, 0x00});  // mov ax, [bp]
    q.reg(RBP) = 0xFFFF;
    EXPECT_EQ(q.run_to_vector(), 12);
}

TEST(RealMode, TheOffsetIsComputedModulo64K)
{
    Program p;
    p.start_real();
    p.code({0x8A, 0x47, 0x10});  // mov al, [bx+10h]
    p.reg(RBX) = 0xFFF8;
    p.set<u8>(Program::kData + 8, 0x5A);
    p.step();
    EXPECT_EQ(p.reg(RAX) & 0xFF, 0x5Au);
}

TEST(RealMode, ThirtyTwoBitOffsetsBeyond64KFault)
{
    Program p;
    p.start_real();
    p.code({0x67, 0x8A, 0x03});  // mov al, [ebx]
    p.reg(RBX) = 0x10000;
    EXPECT_EQ(p.run_to_vector(), 13);
}

TEST(RealMode, TheFirst64KAboveOneMegabyteAreReached)
{
    Program p;
    p.start_real();
    p.code({0x8E, 0xD8, 0xA0, 0x10, 0x00});  // mov ds, ax; mov al, [10h]
    p.reg(RAX) = 0xFFFF;
    p.set<u8>(0x100000, 0x66);
    p.step(2);
    EXPECT_EQ(p.reg(RAX) & 0xFF, 0x66u);
}

TEST(RealMode, The8086WrapsAtOneMegabyteAndAt64K)
{
    Program p{"8086"};
    p.start_real();
    p.code({0x8E, 0xD8, 0xA0, 0x10, 0x00,  // mov ds, ax; mov al, [10h]
            0x8B, 0x1E, 0xFF, 0xFF});      // mov bx, [FFFFh]
    p.reg(RAX) = 0xFFFF;
    p.set<u8>(0, 0x77);
    p.step(2);
    EXPECT_EQ(p.reg(RAX) & 0xFF, 0x77u);
    p.set<u8>(0xFFFF0 + 0xFFFF - 0x100000, 0x11);
    p.set<u8>(0xFFFF0, 0x22);
    p.step();
    EXPECT_EQ(p.reg(RBX), 0x2211u);
}

TEST(RealMode, LimitsOfProtectedModeStay)
{
    // "Unreal" mode: DS gets a limit of 4 GB in protected mode and keeps it.
    Program p;
    p.start_real();
    p.descriptor(Program::kDs, 0, 0xFFFFF, 0x93, 0x8);
    p.cpu.state.gdtr = {Program::kGdt, 0xFF};
    p.code({0x0F, 0x20, 0xC0,        // mov eax, cr0
            0x40, 0x0F, 0x22, 0xC0,  // inc ax; mov cr0, eax
            0x8E, 0xDB,              // mov ds, bx
            0x48, 0x0F, 0x22, 0xC0,  // dec ax; mov cr0, eax
            0x8E, 0xD9,              // mov ds, cx
            0x67, 0x8A, 0x02});      // mov al, [edx]
    p.reg(RBX) = Program::kDs;
    p.reg(RCX) = 0x10;
    p.reg(RDX) = 0x150000;
    p.set<u8>(0x150100, 0x99);
    p.step(8);
    EXPECT_EQ(p.ip(), 17u + 1);
    EXPECT_EQ(p.reg(RAX) & 0xFF, 0x99u);
    EXPECT_EQ(p.cpu.state.seg[DS].base, 0x100u);
}

TEST(RealMode, CodeMayBeWritten)
{
    Program p;
    p.start_real();
    p.code({0x2E, 0xC6, 0x06, 0x00, 0x01, 0x5A});  // mov byte cs:[100h], 5Ah
    p.step();
    EXPECT_EQ(p.get<u8>(kC + 0x100), 0x5A);
}

TEST(RealMode, IpDoesNotWrapOnThe386)
{
    // A NOP at FFFF: the next instruction is at 10000, beyond the limit.
    Program p{"80386"};
    p.start_real();
    p.code(kC + 0xFFFF, {0x90});
    p.cpu.state.rip = 0xFFFF;
    EXPECT_EQ(p.run_to_vector(), 13);
}

TEST(RealMode, SixteenBitJumpsWrapAt64K)
{
    Program p{"80386"};
    p.start_real();
    p.code({0xEB, 0x80});                     // jmp -80h
    p.code(kC + 0xFF82, {0xE9, 0x7B, 0x01});  // jmp +17Bh: to 100h
    p.step(2);
    EXPECT_EQ(p.ip(), 0x100u);
}

// ---- Alignment
// ---------------------------------------------------------------------------------------------

class Aligned : public Program {
public:
    explicit Aligned(const Bytes& bytes, u8 cpl = 3) : Program("80486")
    {
        if (cpl == 3) start_user();
        else start_protected();
        code(bytes);
        cpu.state.cr0 |= kCr0Am;
        cpu.state.rflags |= AC;
        cpu.state_loaded();
    }
};

TEST(AlignmentCheck, FaultsMisalignedAccessesAtLevel3)
{
    for (const Program::Bytes& bytes : {kLoad16, kLoad32, kStore16, kStore32}) {
        Aligned p{bytes};
        p.reg(RBX) = kBase + 1;
        EXPECT_EQ(p.run_to_vector(), 17);
        EXPECT_EQ(p.error_code(), 0u);
        EXPECT_EQ(p.error_ip(), kC);
    }
    Aligned p{{0xFF, 0x03}};  // inc dword [ebx]
    p.reg(RBX) = kBase + 2;
    EXPECT_EQ(p.run_to_vector(), 17);
    EXPECT_EQ(p.get<u32>(kBase + 2), 0u);
}

TEST(AlignmentCheck, NeedsAlignedAddressesOnlyToTheirSize)
{
    for (const Program::Bytes& bytes : {kLoad8, kStore8}) {
        Aligned p{bytes};
        p.reg(RBX) = kBase + 1;
        p.step();
        EXPECT_EQ(p.ip(), kC + 2);
    }
    Aligned p{kLoad16};
    p.reg(RBX) = kBase + 2;
    p.step();
    EXPECT_EQ(p.ip(), kC + 3);
}

TEST(AlignmentCheck, NeedsAmAndAcAndLevel3)
{
    Aligned supervisor{kLoad32, 0}, without_am{kLoad32}, without_ac{kLoad32};
    without_am.cpu.state.cr0 &= ~u64{kCr0Am};
    without_ac.cpu.state.rflags &= ~u32{AC};
    for (Aligned* p : {&supervisor, &without_am, &without_ac}) {
        p->cpu.state_loaded();
        p->reg(RBX) = kBase + 1;
        p->step();
        EXPECT_EQ(p->ip(), kC + 2);
    }
}

TEST(AlignmentCheck, FollowsPopf)
{
    // push 40002h; popf; mov eax, [ebx]: AC is set on the way
    Aligned p{{0x68, 0x02, 0x00, 0x04, 0x00, 0x9D, 0x8B, 0x03}};
    p.cpu.state.rflags &= ~u32{AC};
    p.cpu.state_loaded();
    p.reg(RBX) = kBase + 1;
    EXPECT_EQ(p.run_to_vector(), 17);
    EXPECT_EQ(p.error_ip(), kC + 6);
}

TEST(AlignmentCheck, TheHandlerIsFree)
{
    Aligned p{kLoad32};
    p.reg(RBX) = kBase + 1;
    p.code(Program::kHandlers + 16 * 17, {0x8B, 0x13, 0xF4});  // mov edx, [ebx]; hlt
    p.set<u32>(kBase + 1, 0x1234);
    p.run();
    EXPECT_EQ(p.reg(RDX), 0x1234u);
}

TEST(AlignmentCheck, PageFaultsComeFirst)
{
    Aligned p{kLoad32};
    p.enable_paging();
    p.map(kBase, 0);
    p.cpu.state_loaded();
    p.reg(RBX) = kBase + 1;
    EXPECT_EQ(p.run_to_vector(), 14);
}

TEST(AlignmentCheck, SystemAccessesAreExempt)
{
    // mov ds, ax with a GDT at an odd address
    Aligned p{{0x8E, 0xD8}};
    std::memmove(&p.bus.ram[Program::kGdt + 1], &p.bus.ram[Program::kGdt], 0x100);
    p.cpu.state.gdtr.base = Program::kGdt + 1;
    p.reg(RAX) = Program::kUserDs;
    p.step();
    EXPECT_EQ(p.ip(), kC + 2);
}

TEST(Alignment, FarReturnsLookAtTheirStack)
{
    for (const int opcode : {0xCB, 0xCF}) {
        for (const u32 sp : {Program::kUserStack - 16, Program::kUserStack - 14}) {
            Program p;
            p.start_user();
            p.code({opcode});  // retf, iret
            p.set<u32>(sp, kC + 0x100);
            p.set<u32>(sp + 4, Program::kUserCs);
            p.set<u32>(sp + 8, AC | kReservedSetFlags);
            p.reg(RSP) = sp;
            p.cpu.state.cr0 |= kCr0Am;
            p.cpu.state.rflags |= AC;
            p.cpu.state_loaded();
            p.step();
            EXPECT_EQ(p.ip(), sp % 4 ? Program::kHandlers + 16 * kAlignmentCheck : kC + 0x100);
        }
    }
}

}  // namespace
}  // namespace reprise
