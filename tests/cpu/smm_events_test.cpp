/// When an SMI is taken, what waits for its handler, and that both engines agree: SDM vol. 3C,
/// chapter 34.
#include <random>

#include "tests/cpu/smm_program.h"

namespace reprise {

TEST(Smm, ProcessorsBeforeThePentiumHaveNoSuchPin)
{
    Program p("80486");
    p.start_protected();
    p.code({0x90, 0x90});
    p.cpu.raise_smi();
    p.step();
    EXPECT_FALSE(p.cpu.state.smm);
    EXPECT_EQ(p.ip(), Program::kCode + 1);
}

TEST(Smm, AnOutThatRaisesItIsCompleteBeforehand)  // 34.3.1: synchronous SMIs
{
    Program p("pentium2");
    p.start_protected();
    p.code({0xE6, 0xB2, 0x40, 0x40});  // out 0xB2, al; inc eax; inc eax
    put_handler(p, kNopRsm);
    p.bus.on_write_port = [&](u16, int, u32) { p.cpu.raise_smi(); };
    p.run(2);
    EXPECT_TRUE(p.cpu.state.smm);
    EXPECT_EQ(p.get<u32>(kMap + 0x7FF0), Program::kCode + 2);
    EXPECT_EQ(p.get<u32>(kMap + 0x7FD0), 0u) << "nothing behind it";
    p.run(3);
    EXPECT_EQ(p.reg(RAX), 2u);
}

TEST(Smm, NmiWaitsForRsm)  // 34.8
{
    Program p("pentium2");
    p.start_protected();
    p.code({0x40, 0x40});
    put_handler(p, {0x90, 0x90, 0x0F, 0xAA});
    p.cpu.raise_nmi();
    p.cpu.raise_smi();  // comes first
    p.step();
    EXPECT_TRUE(p.cpu.state.smm);
    p.step();
    EXPECT_EQ(p.cpu.linear_ip(), kHandler + 2);
    p.run();
    EXPECT_EQ(p.vector(), kNmi);
    EXPECT_EQ(p.stack(0), Program::kCode) << "before the program's next instruction";
}

TEST(Smm, IretLetsNmisIntoTheHandler)  // 34.8
{
    Program p("pentium2");
    p.start_protected();
    // IRET to the next instruction, and the vector of NMI to a HLT.
    p.set<u16>(0x7000, 0x8010);
    p.set<u16>(0x7002, 0x3000);
    p.set<u16>(0x7004, 0x0002);
    p.set<u32>(Program::kIdt + 2 * 4, 0x3000'8100);  // IDTR is as it was
    put_handler(p, {0xBC, 0x00, 0x70, 0xCF});        // mov sp, 0x7000; iret
    put_handler(p, {0x90, 0x90, 0x0F, 0xAA}, kHandler + 0x10);
    put_handler(p, {0xF4}, kHandler + 0x100);
    p.cpu.raise_smi();
    p.cpu.raise_nmi();
    p.run();
    EXPECT_TRUE(p.cpu.state.smm);
    EXPECT_TRUE(p.cpu.state.halted);
    EXPECT_EQ(p.cpu.linear_ip(), kHandler + 0x101);
}

TEST(Smm, OneSmiIsRememberedUntilRsm)  // 34.3.1
{
    Program p("pentium2");
    p.start_protected();
    p.code({0x40, 0x40, 0x40, 0x40});
    put_handler(p, {0x2E, 0xFE, 0x06, 0x00, 0x90, 0x0F, 0xAA});  // inc byte cs:[9000h]; rsm
    enter(p);
    p.cpu.raise_smi();
    p.cpu.raise_smi();
    p.step();
    EXPECT_FALSE(p.cpu.state.smm);
    p.step();
    EXPECT_EQ(p.get<u8>(kSmbase + 0x9000), 2);
    p.step(3);
    EXPECT_EQ(p.get<u8>(kSmbase + 0x9000), 2);
    EXPECT_EQ(p.reg(RAX), 2u);
}

TEST(Smm, AHaltGoesOnUnlessTheHandlerSaysOtherwise)  // 34.10
{
    for (const bool restarts : {true, false}) {
        for (const bool is_64 : {true, false}) {
            Program p(is_64 ? "x86-64" : "pentium2");
            p.start_protected();
            p.code({0xF4, 0x40});  // hlt; inc eax
            put_handler(p, kNopRsm);
            p.run();
            ASSERT_TRUE(p.cpu.state.halted);
            ASSERT_TRUE(p.cpu.waiting());
            p.cpu.raise_smi();
            EXPECT_FALSE(p.cpu.waiting());
            p.step();
            EXPECT_FALSE(p.cpu.state.halted);
            const u64 field = is_64 ? kHalted64 : kHalted32;
            EXPECT_EQ(p.get<u8>(field), 1);
            if (!restarts) p.set<u8>(field, 0);
            p.step(2);
            EXPECT_EQ(p.cpu.state.halted, restarts);
            EXPECT_EQ(p.reg(RAX), restarts ? 0u : 1u);
            EXPECT_EQ(p.ip(), Program::kCode + (restarts ? 1 : 2));
        }
    }
}

TEST(Smm, ItWaitsForTheShadowOfMovSs)
{
    Program p("pentium2");
    p.start_protected();
    p.code({0x8C, 0xD0, 0x8E, 0xD0, 0x40, 0x40});  // mov eax, ss; mov ss, ax; inc eax; inc eax
    put_handler(p, kNopRsm);
    p.step(2);
    p.cpu.raise_smi();
    p.step();
    EXPECT_FALSE(p.cpu.state.smm);
    EXPECT_EQ(p.ip(), Program::kCode + 5);
    p.step();
    EXPECT_TRUE(p.cpu.state.smm);
}

TEST(Smm, ASingleStepTrapComesAfterIt)  // 34.3.1: SMIs have priority over debug exceptions
{
    for (const char* model : {"pentium2", "x86-64"}) {
        Program p(model);
        p.start_protected();
        p.cpu.state.rflags |= TF;
        p.cpu.state_loaded();
        p.code({0xE6, 0xB2, 0x40, 0x40});  // out 0xB2, al; inc eax
        put_handler(p, kNopRsm);
        p.bus.on_write_port = [&](u16, int, u32) { p.cpu.raise_smi(); };
        p.run(2);
        EXPECT_TRUE(p.cpu.state.smm) << model;
        EXPECT_EQ(p.run_to_vector(), kDebug) << model;
        EXPECT_EQ(p.stack(0), Program::kCode + 2) << model;
        EXPECT_EQ(p.cpu.state.dr[6] & 0x4000, 0x4000u) << model;
    }
}

TEST(Smm, ARepeatedStringInstructionGoesOnBehindIt)
{
    Program p("pentium2");
    p.start_protected();
    p.code({0xF3, 0xAA});  // rep stosb
    p.reg(RCX) = 100;
    p.reg(RDI) = Program::kData;
    p.reg(RAX) = 0x5A;
    put_handler(p, kTrasher);
    p.set<u64>(kSmbase + 0x9000, 0);
    p.run(40);
    p.cpu.raise_smi();
    p.run(kTrasherInstructions + 60);
    EXPECT_EQ(p.reg(RCX), 0u);
    for (u32 i = 0; i < 100; ++i) EXPECT_EQ(p.bus.ram[Program::kData + i], 0x5A) << i;
}

TEST(Smm, TheP6IgnoresTheA20Gate)  // 34.5.1: A20M is inhibited
{
    for (const char* model : {"pentium", "pentium2"}) {
        FlatBus closed(2 << 20, ~(u64{1} << 20));
        Cpu cpu(closed, *find_cpu_model(model));
        cpu.state.smbase = 0x100000;
        cpu.state.seg[CS] = {0x1000, 0x10000, 0xFFFF, 0x93};
        cpu.state.rip = 0;
        cpu.state_loaded();
        const bool is_p6 = model == std::string("pentium2");
        const u64 base = is_p6 ? 0x100000 : 0;
        closed.ram[base + 0x8000] = 0x90;
        cpu.raise_smi();
        cpu.run(cpu.state.clock + 1);
        EXPECT_EQ(cpu.state.rip, 0x8001u);
        EXPECT_EQ(closed.ram[base + 0xFEFE], 2) << "bit 17 of the revision";
        EXPECT_EQ(closed.ram[0x100000 - base + 0xFEFE], 0);
    }
}

// ---- Both engines ------------------------------------------------------------------------------

namespace {

/// A loop of 32-bit code of which a handler, that counts, knows nothing.
class Looping {
public:
    explicit Looping(Engine engine, bool paging)
    {
        program_.start_protected();
        if (paging) program_.enable_paging();
        program_.code({0x01, 0xC3,                                  // loop: add ebx, eax
                       0x40,                                        // inc eax
                       0x89, 0x1C, 0x85, 0x00, 0x00, 0x04, 0x00,    // mov [eax*4 + kData], ebx
                       0x25, 0xFF, 0x0F, 0x00, 0x00,                // and eax, 0xFFF
                       0xE8, 0x05, 0x00, 0x00, 0x00,                // call sub
                       0xEB, 0xEA});                                // jmp loop
        program_.code(Program::kCode + 0x19, {0x31, 0xC3, 0xC3});   // sub: xor ebx, eax; ret
        put_handler(program_, {0x2E, 0x66, 0xFF, 0x06, 0x00, 0x90,  // inc dword cs:[9000h]
                               0xB9, 0x28, 0x00,                    // mov cx, 40
                               0x49,                                // again: dec cx
                               0x75, 0xFD,                          // jnz again
                               0x0F, 0xAA});                        // rsm
        program_.cpu.set_engine(engine, 1);
    }

    void go(u64 instructions)
    {
        program_.cpu.raise_smi();
        program_.run(instructions);
    }
    Program& program() { return program_; }

private:
    Program program_{"pentium2"};
};

}  // namespace

TEST(Smm, BothEnginesGoInAndOutAlike)
{
    for (const bool paging : {false, true}) {
        Looping interpreted(Engine::Interpreter, paging), translated(Engine::Translator, paging);
        if (translated.program().cpu.engine() != Engine::Translator) GTEST_SKIP();
        std::mt19937 random(34);
        for (int i = 0; i < 500; ++i) {
            const u64 count = 1 + random() % (i % 2 ? 2000 : 100);
            interpreted.go(count);
            translated.go(count);
            ASSERT_EQ(
                Snapshot(interpreted.program().cpu).difference(Snapshot(translated.program().cpu)),
                "")
                << "seed 34, round " << i;
        }
        EXPECT_TRUE(
            std::ranges::equal(interpreted.program().bus.ram, translated.program().bus.ram));
        EXPECT_GT(interpreted.program().get<u32>(kSmbase + 0x9000), 300u);
        EXPECT_GT(translated.program().cpu.translator_statistics()->blocks, 3u);
    }
}

}  // namespace reprise
