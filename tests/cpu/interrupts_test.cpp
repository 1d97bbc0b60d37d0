/// INTR, NMI, HLT, and faults on the way to handlers: Intel SDM vol. 3A, chapter 6.
#include <gtest/gtest.h>

#include "tests/cpu/program.h"

namespace reprise {
namespace {

constexpr u32 kC = Program::kCode;
constexpr u32 kIrqHandler = Program::kHandlers + 16 * 0x30;
constexpr u32 kNmiHandler = Program::kHandlers + 16 * 2;

/// Level 0 code; the interrupt controller answers with vector 30h, once.
class Interrupted : public Program {
public:
    explicit Interrupted(const Bytes& bytes, u32 flags = IF, const char* model = "pentium")
        : Program(model)
    {
        start_protected();
        for (u32 v = 0; v < 256; ++v) gate(v, kHandlers + 16 * v, 0x8E);
        code(bytes);
        cpu.state.rflags |= flags;
        bus.vector = 0x30;
        bus.on_acknowledge = [this] {
            ++acknowledged;
            cpu.set_intr(false);
        };
    }
    int acknowledged = 0;
};

TEST(Intr, IsTakenBetweenInstructions)
{
    Interrupted p{{0x40, 0x40}};
    p.step();
    p.cpu.set_intr(true);
    p.run();
    EXPECT_EQ(p.vector(), 0x30);
    EXPECT_EQ(p.acknowledged, 1);
    EXPECT_EQ(p.stack(0), kC + 1);
    EXPECT_EQ(p.stack(1), Program::kCs);
    EXPECT_TRUE(p.stack(2) & IF);
    EXPECT_FALSE(p.flags() & IF);
}

TEST(Intr, WaitsForIf)
{
    Interrupted p{{0x40, 0xFB, 0x41, 0x42}, 0};  // inc eax; sti; inc ecx; inc edx
    p.cpu.set_intr(true);
    p.run();
    EXPECT_EQ(p.vector(), 0x30);
    EXPECT_EQ(p.stack(0), kC + 3) << "after the instruction behind STI";
    EXPECT_EQ(p.reg(RCX), 1u);
    EXPECT_EQ(p.reg(RDX), 0u);
}

TEST(Intr, StiCliLetsNothingIn)
{
    Interrupted p{{0xFB, 0xFA, 0x40, 0xF4}, 0};  // sti; cli; inc eax; hlt
    p.cpu.set_intr(true);
    p.run();
    EXPECT_EQ(p.acknowledged, 0);
    EXPECT_EQ(p.reg(RAX), 1u);
}

TEST(Intr, StiWithInterruptsOnCastsNoShadow)
{
    Interrupted p{{0xE6, 0x10, 0xFB, 0x40}};  // out 10h, al; sti; inc eax
    p.step();
    p.step();  // sti
    p.cpu.set_intr(true);
    p.run();
    EXPECT_EQ(p.stack(0), kC + 3);
}

TEST(Intr, MovSsHoldsItBackForOneInstruction)
{
    Interrupted p{{0x8E, 0xD0, 0x41, 0x42}};  // mov ss, ax; inc ecx; inc edx
    p.reg(RAX) = Program::kDs;
    p.step();
    p.cpu.set_intr(true);
    p.run();
    EXPECT_EQ(p.stack(0), kC + 3);
}

TEST(Intr, PopfAndIretLetItInAtOnce)
{
    Interrupted p{{0x68, 0x02, 0x02, 0x00, 0x00, 0x9D, 0x40}, 0};  // push 202h; popf; inc eax
    p.cpu.set_intr(true);
    p.run();
    EXPECT_EQ(p.vector(), 0x30);
    EXPECT_EQ(p.stack(0), kC + 6);

    Interrupted q{{0xCF}, 0};  // iret
    q.set<u32>(Program::kStack - 12, kC + 0x100);
    q.set<u32>(Program::kStack - 8, Program::kCs);
    q.set<u32>(Program::kStack - 4, 0x202);
    q.reg(RSP) = Program::kStack - 12;
    q.cpu.set_intr(true);
    q.run();
    EXPECT_EQ(q.stack(0), kC + 0x100);
}

TEST(Intr, AFaultAfterStiLeavesNoShadow)
{
    // The fault's handler sets IF with its first instruction: STI's own shadow covers only the
    // next.
    Interrupted p{{0xFB, 0x0F, 0x0B}, 0};  // sti; ud2
    p.cpu.set_intr(true);
    p.run();
    // #UD has precedence over an interrupt held back; its gate clears IF.
    EXPECT_EQ(p.vector(), 6);
    EXPECT_FALSE(p.cpu.state.interrupt_shadow);
}

TEST(Intr, ComesBetweenIterationsOfRepeatedStrings)
{
    Interrupted p{{0xF3, 0xA5, 0xF4}};  // rep movsd; hlt
    p.code(kIrqHandler, {0x42, 0xCF});  // inc edx; iret
    p.reg(RSI) = Program::kData;
    p.reg(RDI) = Program::kData + 0x1000;
    p.reg(RCX) = 100;
    p.step(30);
    p.cpu.set_intr(true);
    p.step(1);
    EXPECT_EQ(p.ip(), kIrqHandler + 1);
    EXPECT_EQ(p.stack(0), kC) << "the instruction goes on";
    EXPECT_EQ(p.reg(RCX), 70u);
    EXPECT_EQ(p.reg(RSI), Program::kData + 120u);
    EXPECT_EQ(p.reg(RDI), Program::kData + 0x1000u + 120);
    p.run();
    EXPECT_EQ(p.reg(RCX), 0u);
    EXPECT_EQ(p.reg(RDX), 1u);
}

TEST(Intr, ReturnsToTheFirstPrefixOfARepeatedString)
{
    // rep es: outsb: the bus asks for the interrupt in its first iteration.
    Interrupted p{{0xF3, 0x26, 0x6E, 0xF4}};
    p.bus.on_write_port = [&](u16, int, u32) { p.cpu.set_intr(true); };
    p.reg(RSI) = Program::kData;
    p.reg(RCX) = 3;
    p.run();
    EXPECT_EQ(p.vector(), 0x30);
    EXPECT_EQ(p.stack(0), kC);
    EXPECT_EQ(p.reg(RCX), 2u);
    EXPECT_EQ(p.reg(RSI), Program::kData + 1u);
}

TEST(Intr, FromAPortComesAfterItsInstruction)
{
    Interrupted p{{0xE6, 0x10, 0x40, 0x40}};
    p.bus.on_write_port = [&](u16, int, u32) { p.cpu.set_intr(true); };
    p.run();
    EXPECT_EQ(p.stack(0), kC + 2);
    EXPECT_EQ(p.reg(RAX), 0u);
}

TEST(Intr, EntersThroughTrapGatesWithIfUnchanged)
{
    Interrupted p{{0x90}};
    p.gate(0x30, kIrqHandler, 0x8F);
    p.cpu.set_intr(true);
    p.run();
    EXPECT_EQ(p.vector(), 0x30);
    EXPECT_TRUE(p.flags() & IF);
}

TEST(Intr, ALineThatStaysActiveDoesNotStopTime)
{
    // The handler's gate leaves IF on, and nobody takes the request back.
    Interrupted p{{0x90}};
    p.gate(0x30, kIrqHandler, 0x8F);
    p.code(kIrqHandler, {0x90, 0xCF});
    p.bus.on_acknowledge = [] {};
    p.cpu.set_intr(true);
    p.step(50);
    EXPECT_EQ(p.cpu.state.clock, 50u);
}

TEST(Intr, IgnoresTheGatesPrivilegeLevel)
{
    Program p;
    p.start_user();
    for (u32 v = 0; v < 256; ++v) p.gate(v, Program::kHandlers + 16 * v, 0x8E);  // DPL 0
    p.code({0x90});
    p.bus.vector = 0x30;
    p.bus.on_acknowledge = [&] { p.cpu.set_intr(false); };
    p.cpu.state.rflags |= IF;
    p.cpu.set_intr(true);
    p.run();
    EXPECT_EQ(p.vector(), 0x30);
    EXPECT_EQ(p.cpu.state.cpl, 0);
    EXPECT_EQ(p.stack(3), Program::kUserStack);
    EXPECT_EQ(p.stack(4), Program::kUserDs);
}

TEST(Intr, InRealModePushesThreeWords)
{
    Program p;
    p.start_real();
    p.code({0x90});
    p.bus.vector = 0x30;
    p.bus.on_acknowledge = [&] { p.cpu.set_intr(false); };
    p.cpu.state.rflags |= IF | CF;
    p.cpu.set_intr(true);
    p.run();
    EXPECT_EQ(p.vector(), 0x30);
    EXPECT_EQ(p.reg(RSP), 0xFF00u - 6);
    EXPECT_EQ(p.stack<u16>(0), 0);
    EXPECT_EQ(p.stack<u16>(1), kC >> 4);
    EXPECT_EQ(p.stack<u16>(2), 2 | IF | CF);
}

// ---- HLT
// --------------------------------------------------------------------------------------------

TEST(Hlt, WakesForAnInterruptAndReturnsBehindIt)
{
    Interrupted p{{0xF4, 0x40, 0xF4}};
    p.code(kIrqHandler, {0x42, 0xCF});
    p.run();
    EXPECT_TRUE(p.cpu.waiting());
    p.cpu.set_intr(true);
    EXPECT_FALSE(p.cpu.waiting());
    p.run();
    EXPECT_EQ(p.reg(RAX), 1u);
    EXPECT_EQ(p.reg(RDX), 1u);
    EXPECT_EQ(p.ip(), kC + 3);
}

TEST(Hlt, StaysWithInterruptsOff)
{
    Interrupted p{{0xF4, 0x40}, 0};
    p.run();
    p.cpu.set_intr(true);
    EXPECT_TRUE(p.cpu.waiting());
    p.run();
    EXPECT_EQ(p.reg(RAX), 0u);
}

TEST(Hlt, BehindStiIsReachedBeforeThePendingInterrupt)
{
    Interrupted p{{0xFB, 0xF4, 0x40}, 0};  // sti; hlt
    p.cpu.set_intr(true);
    p.run();
    EXPECT_EQ(p.vector(), 0x30);
    EXPECT_EQ(p.stack(0), kC + 2);
}

TEST(Hlt, WakesForAnNmi)
{
    Interrupted p{{0xF4, 0x40}, 0};
    p.run();
    p.cpu.raise_nmi();
    p.run();
    EXPECT_EQ(p.vector(), 2);
    EXPECT_EQ(p.stack(0), kC + 1);
}

TEST(Hlt, IsPrivileged)
{
    Program p;
    p.start_user();
    p.code({0xF4});
    EXPECT_EQ(p.run_to_vector(), 13);
}

// ---- NMI
// --------------------------------------------------------------------------------------------

TEST(Nmi, DoesNotDependOnIf)
{
    Interrupted p{{0x40, 0x40}, 0};
    p.step();
    p.cpu.raise_nmi();
    p.run();
    EXPECT_EQ(p.vector(), 2);
    EXPECT_EQ(p.stack(0), kC + 1);
}

TEST(Nmi, IsBlockedUntilIret)
{
    Interrupted p{{0x40, 0x40, 0x40, 0x40}, 0};
    p.code(kNmiHandler, {0x41, 0x42, 0xCF});  // inc ecx; inc edx; iret
    p.cpu.raise_nmi();
    p.step();  // inc ecx
    p.cpu.raise_nmi();
    p.step(2);  // inc edx; iret
    EXPECT_EQ(p.ip(), kC);
    EXPECT_EQ(p.reg(RCX), 1u);
    p.step();
    EXPECT_EQ(p.ip(), kNmiHandler + 1) << "the second came right after IRET";
    EXPECT_EQ(p.reg(RCX), 2u);
    EXPECT_EQ(p.reg(RAX), 0u);
}

TEST(Nmi, ComesBeforeIntr)
{
    Interrupted p{{0x40}};
    p.cpu.set_intr(true);
    p.cpu.raise_nmi();
    p.run();
    EXPECT_EQ(p.vector(), 2);
    EXPECT_EQ(p.acknowledged, 0);
}

TEST(Nmi, IsLetInAgainByAnIretThatFaults)
{
    Interrupted p{{0xCF}, 0};  // iret to a null selector
    p.reg(RSP) = Program::kStack - 12;
    p.cpu.state.nmi_blocked = true;
    p.step();
    EXPECT_EQ(p.ip(), Program::kHandlers + 16 * 13);
    EXPECT_FALSE(p.cpu.state.nmi_blocked);
}

// ---- Priorities (table 6-2)
// ---------------------------------------------------------------------------

TEST(Priorities, ADebugTrapComesBeforeInterrupts)
{
    Interrupted p{{0x40, 0x40}, IF | TF};
    p.code(Program::kHandlers + 16, {0x43, 0xCF});  // #DB: inc ebx; iret
    p.code(kNmiHandler, {0x41, 0xF4});              // inc ecx; hlt
    p.step(1);
    p.cpu.set_intr(true);
    p.cpu.raise_nmi();
    p.run();
    // The trap is delivered first; the NMI comes before its handler's first instruction.
    EXPECT_EQ(p.reg(RCX), 1u);
    EXPECT_EQ(p.reg(RBX), 0u);
    EXPECT_EQ(p.stack(0), Program::kHandlers + 16);
    EXPECT_EQ(p.stack(3), kC + 1);
}

TEST(Priorities, AnInterruptComesBeforeAFaultOfTheNextFetch)
{
    Interrupted p{{0x40, 0x0F, 0x0B}};
    p.step();
    p.cpu.set_intr(true);
    p.run();
    EXPECT_EQ(p.vector(), 0x30);
    EXPECT_EQ(p.stack(0), kC + 1);
}

// ---- Faults in delivery (6.15, interrupt 8)
// --------------------------------------------------------------

TEST(DoubleFault, TwoContributoryFaults)
{
    // #GP by a null selector's use; its gate is not present: #NP, together #DF with error code 0.
    Interrupted p{{0x8E, 0xD8, 0x8B, 0x03}, 0};  // mov ds, ax (null); mov eax, [ebx]
    p.gate(13, 0, 0x0E);
    EXPECT_EQ(p.run_to_vector(), 8);
    EXPECT_EQ(p.error_code(), 0u);
    EXPECT_EQ(p.error_ip(), kC + 2);
}

TEST(DoubleFault, ABenignExceptionFirstIsHandledSerially)
{
    // #UD whose gate is not present is an #NP with that gate's number.
    Interrupted p{{0x0F, 0x0B}, 0};
    p.gate(6, 0, 0x0E);
    EXPECT_EQ(p.run_to_vector(), 11);
    EXPECT_EQ(p.error_code(), 6u * 8 + 2 + 1);  // IDT, EXT
    EXPECT_EQ(p.error_ip(), kC);
}

TEST(DoubleFault, AnInterruptWithoutAGateIsAGeneralProtectionFault)
{
    Interrupted p{{0x40}};
    p.cpu.state.idtr.limit = 0x30 * 8 - 1;
    p.cpu.set_intr(true);
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.error_code(), 0x30u * 8 + 2 + 1);
    EXPECT_EQ(p.error_ip(), kC);
}

TEST(DoubleFault, ASoftwareInterruptsFaultHasNoExt)
{
    Interrupted p{{0xCD, 0x30}};
    p.cpu.state.idtr.limit = 0x30 * 8 - 1;
    EXPECT_EQ(p.run_to_vector(), 13);
    EXPECT_EQ(p.error_code(), 0x30u * 8 + 2);
    EXPECT_EQ(p.error_ip(), kC);
}

TEST(DoubleFault, AFaultWhileEnteringItIsShutdown)
{
    Interrupted p{{0x0F, 0x0B}, 0};
    p.cpu.state.idtr.limit = 0;
    p.run();
    EXPECT_TRUE(p.bus.was_shut_down);
    EXPECT_TRUE(p.cpu.state.shutdown);
    EXPECT_TRUE(p.cpu.waiting());
    const u64 clock = p.cpu.state.clock;
    p.run();
    EXPECT_EQ(p.cpu.state.clock, clock) << "nothing happens until reset";
    p.cpu.reset();
    EXPECT_FALSE(p.cpu.state.shutdown);
}

TEST(DoubleFault, InRealModeAShortTableShutsDown)
{
    Program p{"80386"};
    p.start_real();
    p.code({0xCD, 0x20});
    p.cpu.state.idtr.limit = 3;
    p.run();
    EXPECT_TRUE(p.bus.was_shut_down);
}

TEST(DoubleFault, DeliveryTakesTime)
{
    // A handler that faults at once, forever.
    Interrupted p{{0x0F, 0x0B}, 0};
    p.code(Program::kHandlers + 16 * 6, {0x0F, 0x0B});
    p.step(50);
    EXPECT_EQ(p.cpu.state.clock, 50u);
}

}  // namespace
}  // namespace reprise
