/// Single steps and breakpoints: Intel SDM vol. 3B, 17.2 and 17.3.
#include <gtest/gtest.h>

#include "tests/cpu/program.h"

namespace reprise {
namespace {

constexpr u32 kB0 = 1, kB1 = 2, kBD = 1 << 13, kBS = 1 << 14;  // DR6
constexpr u32 kDebugHandler = Program::kHandlers + 16;
constexpr u32 kC = Program::kCode;

class Debugged : public Program {
public:
    explicit Debugged(const Bytes& bytes, const char* model = "pentium") : Program(model)
    {
        start_protected();
        code(bytes);
    }
    /// R/W and LEN as DR7 has them: R/W 0 execute, 1 write, 2 I/O, 3 read or write; LEN bytes - 1.
    void breakpoint(u32 number, u32 address, u32 rw, u32 len = 0)
    {
        cpu.state.dr[number] = address;
        cpu.state.dr[7] |= 2u << (2 * number) | rw << (16 + 4 * number) | len << (18 + 4 * number);
        cpu.state_loaded();
    }
    void trace() { cpu.state.rflags |= TF; }

    /// Runs to the next #DB: the address that it returns to; DR6's cause in `cause`. 0: there was
    /// none.
    u32 next_trap()
    {
        cpu.state.halted = false;
        run(200);
        if (vector() != 1) return 0;
        cause = static_cast<u32>(cpu.state.dr[6]) & 0xE00F;
        cpu.state.dr[6] = 0xFFFF0FF0;
        trap_flags = stack(2);
        const u32 where = stack(0);
        // What IRET would do.
        cpu.state.rip = where;
        cpu.state.rflags = trap_flags;
        reg(RSP) += 12;
        cpu.state.halted = false;
        cpu.state_loaded();
        return where;
    }
    u32 cause = 0, trap_flags = 0;
};

// ---- TF
// -------------------------------------------------------------------------------------------

TEST(SingleStep, TrapsAfterEachInstruction)
{
    Debugged p{{0x40, 0x41, 0xEB, 0x00, 0x90}};  // inc eax; inc ecx; jmp +0; nop
    p.trace();
    for (const u32 next : {1, 2, 4, 5}) {
        EXPECT_EQ(p.next_trap(), kC + next);
        EXPECT_EQ(p.cause, kBS);
        EXPECT_TRUE(p.trap_flags & TF);
        EXPECT_FALSE(p.trap_flags & RF);
    }
    EXPECT_EQ(p.reg(RAX), 1u);
    EXPECT_EQ(p.reg(RCX), 1u);
}

TEST(SingleStep, TheHandlerRunsWithoutIt)
{
    Debugged p{{0x40}};
    p.trace();
    p.step(2);
    EXPECT_EQ(p.ip(), kDebugHandler);
    EXPECT_FALSE(p.flags() & TF);
}

TEST(SingleStep, BeginsAfterTheInstructionBehindPopf)
{
    Debugged p{{0x68, 0x02, 0x01, 0x00, 0x00,  // push 102h: TF
                0x9D,                          // popf
                0x40, 0x40}};
    EXPECT_EQ(p.next_trap(), kC + 7);
    EXPECT_EQ(p.reg(RAX), 1u);
}

TEST(SingleStep, PopfThatEndsItStillTraps)
{
    Debugged p{{0x6A, 0x02, 0x9D, 0x40, 0x40}};  // push 2; popf; inc eax
    p.trace();
    EXPECT_EQ(p.next_trap(), kC + 2);
    EXPECT_EQ(p.next_trap(), kC + 3);
    EXPECT_FALSE(p.trap_flags & TF);
    EXPECT_EQ(p.next_trap(), 0u);
}

TEST(SingleStep, BeginsAfterTheInstructionThatIretReturnsTo)
{
    Debugged p{{0x40, 0x40}};
    p.code(Program::kData, {0xCF});  // iret
    p.set<u32>(Program::kStack - 12, kC);
    p.set<u32>(Program::kStack - 8, Program::kCs);
    p.set<u32>(Program::kStack - 4, 0x102);
    p.reg(RSP) = Program::kStack - 12;
    p.cpu.state.rip = Program::kData;
    EXPECT_EQ(p.next_trap(), kC + 1);
}

TEST(SingleStep, TrapsAfterEachIterationOfARepeatedString)
{
    Debugged p{{0xF3, 0xAA, 0x90}};  // rep stosb; nop
    p.reg(RDI) = Program::kData;
    p.reg(RCX) = 3;
    p.trace();
    EXPECT_EQ(p.next_trap(), kC);
    EXPECT_EQ(p.reg(RCX), 2u);
    EXPECT_EQ(p.next_trap(), kC);
    EXPECT_EQ(p.reg(RCX), 1u);
    EXPECT_EQ(p.next_trap(), kC + 2);
    EXPECT_EQ(p.reg(RCX), 0u);
    EXPECT_EQ(p.next_trap(), kC + 3);
}

TEST(SingleStep, NotBetweenMovSsAndTheNextInstruction)
{
    Debugged p{{0x8E, 0xD0, 0x40, 0x40}};  // mov ss, ax; inc eax; inc eax
    p.reg(RAX) = Program::kDs;
    p.trace();
    EXPECT_EQ(p.next_trap(), kC + 3);
    EXPECT_EQ(p.next_trap(), kC + 4);
}

TEST(SingleStep, NotAfterPopSsEither)
{
    Debugged p{{0x16, 0x17, 0x40}};  // push ss; pop ss; inc eax
    p.trace();
    EXPECT_EQ(p.next_trap(), kC + 1);
    EXPECT_EQ(p.next_trap(), kC + 3);
}

TEST(SingleStep, SoftwareInterruptsEnterTheirHandlerWithoutATrap)
{
    Debugged p{{0xCD, 0x40, 0x90}};                        // int 40h
    p.code(Program::kHandlers + 16 * 0x40, {0x90, 0xCF});  // nop; iret
    p.trace();
    // The handler runs untraced; IRET brings TF back, and the instruction after it traps.
    EXPECT_EQ(p.next_trap(), kC + 3);
    EXPECT_EQ(p.cause, kBS);
}

TEST(SingleStep, AFaultingInstructionDoesNotTrap)
{
    Debugged p{{0x0F, 0x0B}};  // ud2
    p.trace();
    EXPECT_EQ(p.run_to_vector(), 6);
    EXPECT_TRUE(p.stack(2) & TF) << "saved with the flags";
}

TEST(SingleStep, HltTrapsInsteadOfHalting)
{
    Debugged p{{0xF4, 0x90}};
    p.trace();
    EXPECT_EQ(p.next_trap(), kC + 1);
}

TEST(SingleStep, InRealMode)
{
    Program p;
    p.start_real();
    p.code({0x40, 0x40});
    p.cpu.state.rflags |= TF;
    EXPECT_EQ(p.run_to_vector(), 1);
    EXPECT_EQ(p.stack<u16>(0), 1);
    EXPECT_EQ(p.reg(RAX), 1u);
}

// ---- Instruction breakpoints
// ------------------------------------------------------------------------

TEST(InstructionBreakpoint, IsAFaultBeforeTheInstruction)
{
    Debugged p{{0x40, 0x41, 0x42}};
    p.breakpoint(1, kC + 1, 0);
    p.run(100);
    EXPECT_EQ(p.vector(), 1);
    EXPECT_EQ(p.stack(0), kC + 1);
    EXPECT_EQ(p.cpu.state.dr[6] & 0xE00F, kB1);
    EXPECT_EQ(p.reg(RAX), 1u);
    EXPECT_EQ(p.reg(RCX), 0u);
}

TEST(InstructionBreakpoint, RfLetsItsInstructionPassOnce)
{
    Debugged p{{0x40, 0x48, 0xEB, 0xFC}};  // inc eax; dec eax; jmp to the start
    p.breakpoint(0, kC, 0);
    p.cpu.state.rflags |= RF;
    p.step(1);
    EXPECT_EQ(p.ip(), kC + 1);
    EXPECT_FALSE(p.flags() & RF) << "an instruction that succeeds clears it";
    EXPECT_EQ(p.next_trap(), kC);
}

TEST(InstructionBreakpoint, IretSetsRf)
{
    // The handler sets RF in its frame and returns.
    Debugged p{{0x40, 0xF4}};
    p.code(kDebugHandler,
           {0x81, 0x4C, 0x24, 0x08, 0x00, 0x00, 0x01, 0x00,  // or dword [esp+8], 10000h
            0x41, 0xCF});                                    // inc ecx; iret
    p.breakpoint(0, kC, 0);
    p.run(100);
    EXPECT_EQ(p.reg(RAX), 1u);
    EXPECT_EQ(p.reg(RCX), 1u);
    EXPECT_EQ(p.ip(), kC + 2);
}

TEST(InstructionBreakpoint, IretSetsRfEvenWhenItWasSet)
{
    Debugged p{{0x40, 0xF4}};
    p.code(Program::kData, {0xCF});
    p.set<u32>(Program::kStack - 12, kC);
    p.set<u32>(Program::kStack - 8, Program::kCs);
    p.set<u32>(Program::kStack - 4, 2 | RF);
    p.reg(RSP) = Program::kStack - 12;
    p.cpu.state.rip = Program::kData;
    p.cpu.state.rflags |= RF;
    p.breakpoint(0, kC, 0);
    p.run(100);
    EXPECT_EQ(p.reg(RAX), 1u);
    EXPECT_EQ(p.ip(), kC + 2);
}

TEST(InstructionBreakpoint, OfARepeatedStringHitsOnce)
{
    Debugged p{{0xF3, 0xAA, 0xF4}};  // rep stosb; hlt
    p.code(kDebugHandler,
           {0x81, 0x4C, 0x24, 0x08, 0x00, 0x00, 0x01, 0x00,  // or dword [esp+8], 10000h
            0x42, 0xCF});                                    // inc edx; iret
    p.reg(RDI) = Program::kData;
    p.reg(RCX) = 5;
    p.breakpoint(0, kC, 0);
    p.run(100);
    EXPECT_EQ(p.ip(), kC + 3);
    EXPECT_EQ(p.reg(RCX), 0u);
    EXPECT_EQ(p.reg(RDX), 1u);
}

TEST(InstructionBreakpoint, IsSuppressedBehindMovSs)
{
    Debugged p{{0x8E, 0xD0, 0x40, 0xF4}};
    p.reg(RAX) = Program::kDs;
    p.breakpoint(0, kC + 2, 0);
    EXPECT_EQ(p.next_trap(), 0u);
    EXPECT_EQ(p.reg(RAX), Program::kDs + 1u);
}

TEST(InstructionBreakpoint, FaultsPushRfButInstructionBreakpointsDoNot)
{
    Debugged p{{0x0F, 0x0B}};
    EXPECT_EQ(p.run_to_vector(), 6);
    EXPECT_TRUE(p.stack(2) & RF);

    Debugged q{{0x90}};
    q.breakpoint(0, kC, 0);
    EXPECT_EQ(q.run_to_vector(), 1);
    EXPECT_FALSE(q.stack(2) & RF);
}

TEST(InstructionBreakpoint, ComesBeforeAFaultOfItsFetch)
{
    Debugged p{{0x0F, 0x0B}};
    p.breakpoint(0, kC, 0);
    EXPECT_EQ(p.run_to_vector(), 1);
}

// ---- Data breakpoints
// ---------------------------------------------------------------------------------

TEST(DataBreakpoint, TrapsAfterTheAccess)
{
    Debugged p{{0x89, 0x03, 0x8B, 0x0B, 0x90}};  // mov [ebx], eax; mov ecx, [ebx]
    p.reg(RBX) = Program::kData;
    p.reg(RAX) = 0x1234;
    p.breakpoint(0, Program::kData, 1, 3);
    EXPECT_EQ(p.next_trap(), kC + 2);
    EXPECT_EQ(p.cause, kB0);
    EXPECT_EQ(p.get<u32>(Program::kData), 0x1234u);
    EXPECT_EQ(p.next_trap(), 0u) << "reads do not hit a write breakpoint";
}

TEST(DataBreakpoint, OnReadsAndWrites)
{
    Debugged p{{0x8B, 0x0B, 0x89, 0x03, 0x90}};
    p.reg(RBX) = Program::kData;
    p.breakpoint(1, Program::kData, 3, 3);
    EXPECT_EQ(p.next_trap(), kC + 2);
    EXPECT_EQ(p.cause, kB1);
    EXPECT_EQ(p.next_trap(), kC + 4);
}

TEST(DataBreakpoint, LengthsAndOverlap)
{
    struct Case {
        u32 address, len;
        u32 access;
        bool hits;
    };  // a dword access at `access`
    const Case cases[] =
        {
            {8, 0, 8, true},   {8, 0, 5, true},   {8, 0, 4, false}, {8, 0, 9, false},
            {8, 1, 9, true},   {8, 1, 10, false}, {8, 3, 11, true}, {8, 3, 12, false},
            {10, 3, 8, true},  // low bits of the address are ignored: 8..11
            {9, 1, 5, true},   // 8..9
            {9, 1, 10, false},
        };
    for (const Case& c : cases) {
        SCOPED_TRACE(testing::Message() << c.address << " len " << c.len << " access " << c.access);
        Debugged p{{0x89, 0x03, 0x90}};
        p.reg(RBX) = Program::kData + c.access;
        p.breakpoint(0, Program::kData + c.address, 1, c.len);
        EXPECT_EQ(p.next_trap(), c.hits ? kC + 2 : 0);
    }
}

TEST(DataBreakpoint, StopsARepeatedStringAfterItsIteration)
{
    Debugged p{{0xF3, 0xAA, 0x90}};  // rep stosb
    p.reg(RDI) = Program::kData;
    p.reg(RCX) = 10;
    p.breakpoint(0, Program::kData + 4, 1);
    EXPECT_EQ(p.next_trap(), kC);
    EXPECT_EQ(p.reg(RCX), 5u);
    EXPECT_EQ(p.next_trap(), 0u);
    EXPECT_EQ(p.reg(RCX), 0u);
}

TEST(DataBreakpoint, OfMovSsIsDelayedByOneInstruction)
{
    Debugged p{{0x8E, 0x13, 0x40, 0x40}};  // mov ss, [ebx]
    p.set<u16>(Program::kData, Program::kDs);
    p.reg(RBX) = Program::kData;
    p.breakpoint(0, Program::kData, 3, 1);
    EXPECT_EQ(p.next_trap(), kC + 3);
    EXPECT_EQ(p.cause, kB0);
}

TEST(DataBreakpoint, AnAccessWhoseInstructionFaultsDoesNotTrap)
{
    // movsb: the read hits, the write is beyond ES's limit.
    Debugged p{{0xA4}};
    p.reg(RSI) = Program::kData;
    p.reg(RDI) = 0x100;
    p.cpu.state.seg[ES].limit = 0xFF;
    p.cpu.state.seg[ES].access = 0x493;
    p.breakpoint(0, Program::kData, 3);
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.ip(), Program::kHandlers + 16 * 13 + 1);
}

TEST(DataBreakpoint, BothCausesAreReportedAtOnce)
{
    Debugged p{{0x89, 0x03, 0x90}};
    p.reg(RBX) = Program::kData;
    p.breakpoint(0, Program::kData, 1, 3);
    p.breakpoint(1, Program::kData + 2, 3, 1);
    p.trace();
    EXPECT_EQ(p.next_trap(), kC + 2);
    EXPECT_EQ(p.cause, kB0 | kB1 | kBS);
}

TEST(DataBreakpoint, PushesAndReadModifyWrites)
{
    Debugged p{{0x50, 0xFF, 0x03, 0x90}};  // push eax; inc dword [ebx]
    p.reg(RBX) = Program::kData;
    p.breakpoint(0, Program::kStack - 4, 1, 3);
    p.breakpoint(1, Program::kData, 1, 3);
    EXPECT_EQ(p.next_trap(), kC + 1);
    EXPECT_EQ(p.cause, kB0);
    EXPECT_EQ(p.next_trap(), kC + 3);
    EXPECT_EQ(p.cause, kB1);
}

TEST(IoBreakpoint, TrapsAfterTheAccessIfDeIsSet)
{
    Debugged p{{0xE6, 0x10, 0xE4, 0x13, 0xE4, 0x14, 0x90}};  // out 10h, al; in al, 13h; in al, 14h
    p.cpu.state.cr4 = kCr4De;
    p.breakpoint(0, 0x10, 2, 3);  // ports 10h..13h
    EXPECT_EQ(p.next_trap(), kC + 2);
    EXPECT_EQ(p.cause, kB0);
    EXPECT_EQ(p.next_trap(), kC + 4);
    EXPECT_EQ(p.next_trap(), 0u);
}

// ---- The registers
// --------------------------------------------------------------------------------------

TEST(DebugRegisters, GeneralDetectFaultsBeforeTheAccess)
{
    Debugged p{{0x0F, 0x23, 0xC0}};  // mov dr0, eax
    p.reg(RAX) = 0x1234;
    p.cpu.state.dr[7] |= 1 << 13;
    EXPECT_EQ(p.run_to_vector(), 1);
    EXPECT_EQ(p.stack(0), kC);
    EXPECT_EQ(p.cpu.state.dr[6] & 0xE00F, kBD);
    EXPECT_EQ(p.cpu.state.dr[0], 0u);
    EXPECT_FALSE(p.cpu.state.dr[7] & (1 << 13)) << "so that the handler may use them";
}

TEST(DebugRegisters, FixedBitsAndAliases)
{
    // mov dr7, eax; mov dr6, eax; mov ebx, dr7; mov ecx, dr6; mov edx, dr5; mov esi, dr4
    Debugged p{{0x0F, 0x23, 0xF8, 0x0F, 0x23, 0xF0, 0x0F, 0x21, 0xFB, 0x0F, 0x21, 0xF1, 0x0F, 0x21,
                0xEA, 0x0F, 0x21, 0xE6}};
    p.step(6);
    EXPECT_EQ(p.reg(RBX), 0x400u);
    EXPECT_EQ(p.reg(RCX), 0xFFFF0FF0u);
    EXPECT_EQ(p.reg(RDX), 0x400u);
    EXPECT_EQ(p.reg(RSI), 0xFFFF0FF0u);
}

TEST(DebugRegisters, Dr4AndDr5AreUndefinedWithDe)
{
    Debugged p{{0x0F, 0x21, 0xE0}};  // mov eax, dr4
    p.cpu.state.cr4 = kCr4De;
    EXPECT_EQ(p.run_to_vector(), 6);
}

TEST(DebugRegisters, ArePrivileged)
{
    Program p;
    p.start_user();
    p.code({0x0F, 0x21, 0xC0});  // mov eax, dr0
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.error_code(), 0u);
}

TEST(DebugRegisters, ABreakpointSetByTheGuestWorksAtOnce)
{
    // mov dr0, eax; mov dr7, edx; nop; nop
    Debugged p{{0x0F, 0x23, 0xC0, 0x0F, 0x23, 0xFA, 0x90, 0x90, 0x90}};
    p.reg(RAX) = kC + 7;
    p.reg(RDX) = 0x402;
    EXPECT_EQ(p.next_trap(), kC + 7);
}

TEST(DebugTrap, Int1EntersVector1WithoutTouchingDr6)
{
    Debugged p{{0xF1, 0x90}};
    EXPECT_EQ(p.next_trap(), kC + 1);
    EXPECT_EQ(p.cause, 0u);
}

TEST(DebugTrap, Int3IsATrapOfItsOwn)
{
    Debugged p{{0xCC}};
    EXPECT_EQ(p.run_to_vector(), 3);
    EXPECT_EQ(p.stack(0), kC + 1);
}

}  // namespace
}  // namespace reprise
