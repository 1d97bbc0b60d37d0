/// System management mode on the whole board: firmware that sets it up, the memory that only it
/// sees, and SeaBIOS.
#include <gtest/gtest.h>

#include <unistd.h>

#include <random>

#include "tests/machine/machine_test.h"

using namespace reprise;
using namespace reprise::test;

namespace {

// clang-format off
/// A boot sector that does what firmware does: it opens SMRAM, puts a handler there, moves SMBASE and closes
/// SMRAM. From then on ([520h] is 1) it calls B800:0000 in the VGA's memory, which counts in [510h], and raises
/// an SMI, whose handler calls B800:0000 in SMRAM, which counts in [514h]. The handler itself counts in SMRAM.
constexpr std::array<u8, 234> kFirmware{
    0xFA,                                           // start: cli
    0x31, 0xC0,                                     // xor ax, ax
    0x8E, 0xD8,                                     // mov ds, ax
    0x8E, 0xD0,                                     // mov ss, ax
    0xBC, 0x00, 0x70,                               // mov sp, 0x7000
    0x66, 0xB8, 0x40, 0x0B, 0x00, 0x80,             // mov eax, 0x80000B40 ; PMBA
    0x66, 0xBB, 0x01, 0x06, 0x00, 0x00,             // mov ebx, 0x601
    0xE8, 0x6F, 0x00,                               // call config
    0xB0, 0x80,                                     // mov al, 0x80 ; PMREGMISC: PMIOSE
    0xB3, 0x01,                                     // mov bl, 1
    0xE8, 0x68, 0x00,                               // call config
    0xB0, 0x58,                                     // mov al, 0x58 ; DEVACTB: APMC_EN
    0x66, 0xBB, 0x00, 0x00, 0x00, 0x02,             // mov ebx, 1 << 25
    0xE8, 0x5D, 0x00,                               // call config
    0xBA, 0x28, 0x06,                               // mov dx, 0x628 ; GLBCTL: SMI_EN
    0xB0, 0x01,                                     // mov al, 1
    0xEE,                                           // out dx, al
    0xB3, 0x4A,                                     // mov bl, 0x4A ; D_OPEN, G_SMRAME
    0xE8, 0x61, 0x00,                               // call smram
    0xB8, 0x00, 0x30,                               // mov ax, 0x3000
    0x8E, 0xC0,                                     // mov es, ax
    0xBE, 0xA9, 0x7C,                               // mov si, relocate
    0xBF, 0x00, 0x80,                               // mov di, 0x8000
    0xB9, 0x1C, 0x00,                               // mov cx, handler - relocate
    0xF3, 0xA4,                                     // rep movsb
    0xB8, 0x00, 0xA0,                               // mov ax, 0xA000
    0x8E, 0xC0,                                     // mov es, ax
    0xBF, 0x00, 0x80,                               // mov di, 0x8000
    0xB9, 0x19, 0x00,                               // mov cx, hidden - handler
    0xF3, 0xA4,                                     // rep movsb
    0xB8, 0x00, 0xB8,                               // mov ax, 0xB800
    0x8E, 0xC0,                                     // mov es, ax
    0x31, 0xFF,                                     // xor di, di
    0xB9, 0x06, 0x00,                               // mov cx, seen - hidden
    0xF3, 0xA4,                                     // rep movsb
    0xB0, 0x01,                                     // mov al, 1
    0xE6, 0xB3,                                     // out 0xB3, al
    0xE6, 0xB2,                                     // out 0xB2, al
    0xE4, 0xB3,                                     // wait_for_it: in al, 0xB3
    0x84, 0xC0,                                     // test al, al
    0x75, 0xFA,                                     // jnz wait_for_it
    0xB3, 0x0A,                                     // mov bl, 0x0A ; G_SMRAME alone
    0xE8, 0x27, 0x00,                               // call smram
    0x31, 0xFF,                                     // xor di, di
    0xB9, 0x06, 0x00,                               // mov cx, end - seen
    0xF3, 0xA4,                                     // rep movsb ; now into the VGA's memory
    0xC6, 0x06, 0x20, 0x05, 0x01,                   // mov byte [0x520], 1 ; ready
    0x9A, 0x00, 0x00, 0x00, 0xB8,                   // again: call 0xB800:0
    0xA0, 0x10, 0x05,                               // mov al, [0x510]
    0xE6, 0xB2,                                     // out 0xB2, al
    0xEB, 0xF4,                                     // jmp again
    0xBA, 0xF8, 0x0C,                               // config: mov dx, 0xCF8
    0x66, 0xEF,                                     // out dx, eax
    0xBA, 0xFC, 0x0C,                               // mov dx, 0xCFC
    0x66, 0x93,                                     // xchg eax, ebx
    0x66, 0xEF,                                     // out dx, eax
    0x66, 0x93,                                     // xchg eax, ebx
    0xC3,                                           // ret
    0x66, 0xB8, 0x70, 0x00, 0x00, 0x80,             // smram: mov eax, 0x80000070
    0xBA, 0xF8, 0x0C,                               // mov dx, 0xCF8
    0x66, 0xEF,                                     // out dx, eax
    0xBA, 0xFE, 0x0C,                               // mov dx, 0xCFE
    0x88, 0xD8,                                     // mov al, bl
    0xEE,                                           // out dx, al
    0xC3,                                           // ret
    0xBB, 0xF8, 0xFE,                               // relocate: mov bx, 0xFEF8
    0x2E, 0x80, 0x3E, 0xFC, 0xFE, 0x00,             // cmp byte [cs:0xFEFC], 0
    0x74, 0x03,                                     // je .store
    0xBB, 0x00, 0xFF,                               // mov bx, 0xFF00 ; AMD's map
    0x2E, 0x66, 0xC7, 0x07, 0x00, 0x00, 0x0A, 0x00, // .store: mov dword [cs:bx], 0xA0000
    0x31, 0xC0,                                     // xor ax, ax
    0xE6, 0xB3,                                     // out 0xB3, al
    0x0F, 0xAA,                                     // rsm
    0xE4, 0xB2,                                     // handler: in al, 0xB2
    0xA2, 0x18, 0x05,                               // mov [0x518], al
    0x31, 0xC0,                                     // xor ax, ax
    0x8E, 0xD0,                                     // mov ss, ax
    0xBC, 0x00, 0x60,                               // mov sp, 0x6000
    0x9A, 0x00, 0x00, 0x00, 0xB8,                   // call 0xB800:0
    0x2E, 0x66, 0xFF, 0x06, 0x00, 0x90,             // inc dword [cs:0x9000]
    0x0F, 0xAA,                                     // rsm
    0x66, 0xFF, 0x06, 0x14, 0x05,                   // hidden: inc dword [0x514]
    0xCB,                                           // retf
    0x66, 0xFF, 0x06, 0x10, 0x05,                   // seen: inc dword [0x510]
    0xCB,                                           // retf
};
// clang-format on

constexpr u32 kSeen = 0x510, kHidden = 0x514, kReady = 0x520, kHandlerCount = 0xA9000;

/// A PC that boots kFirmware from a floppy.
class SmmMachine {
public:
    explicit SmmMachine(const std::string& model, Engine engine = Engine::Interpreter)
    {
        std::vector<u8> image(1440 * 1024);
        std::ranges::copy(kFirmware, image.begin());
        image[510] = 0x55;
        image[511] = 0xAA;
        MachineConfig config;
        config.cpu_model = model;
        config.memory_bytes = 8 << 20;
        config.floppy[0].path = folder_.file("floppy", image);
        config.floppy[0].snapshot = true;
        machine_ = std::make_unique<Machine>(config);
        machine_->set_engine(engine);
        while (machine_->now() < 60 * kSecond && ram(kReady) != 1)
            machine_->run_until(machine_->now() + 10 * kMillisecond);
    }

    /// The four bytes of RAM at an address, whatever lies in front of it.
    u32 ram(u32 address) const
    {
        u32 value = 0;
        std::memcpy(&value, board().memory.ram.data() + address, sizeof value);
        return value;
    }
    bool in_smm() const { return board().cpu.state.smm; }
    Board& board() const { return machine_->board(); }
    Machine& operator*() const { return *machine_; }
    Machine* operator->() const { return machine_.get(); }

    void save_and_load()
    {
        const std::string path = folder_ / "saved.state";
        machine_->save(path);
        machine_.reset();  // frees the image
        machine_ = Machine::load(path);
    }

private:
    TemporaryFolder folder_;
    std::unique_ptr<Machine> machine_;
};

TEST(Smm, FirmwareHidesItsHandlerBehindTheScreen)
{
    for (const char* model : {"pentium2", "x86-64"}) {
        SmmMachine pc(model);
        ASSERT_EQ(pc.ram(kReady), 1u) << model;
        EXPECT_EQ(pc.board().cpu.state.smbase, 0xA0000u) << model;
        pc->run_until(pc->now() + 2 * kMillisecond);
        const u32 seen = pc.ram(kSeen), hidden = pc.ram(kHidden);
        EXPECT_GT(seen, 5000u) << model;
        EXPECT_LE(seen - hidden, 1u) << model << ": each call found its own code";
        EXPECT_LE(hidden - pc.ram(kHandlerCount), 1u) << model;
    }
}

TEST(Smm, BothEnginesSeeTheSameMemory)
{
    SmmMachine interpreted("pentium2"), translated("pentium2", Engine::Translator);
    if (translated->engine() != Engine::Translator) GTEST_SKIP();
    ASSERT_TRUE(same_state(*interpreted, *translated));
    std::mt19937_64 random(72);
    for (int i = 0; i < 200; ++i) {
        const u64 more = 1 + random() % 3000;
        interpreted->run_to_instruction(interpreted->instructions() + more);
        translated->run_to_instruction(translated->instructions() + more);
        ASSERT_TRUE(same_state(*interpreted, *translated)) << "seed 72, round " << i;
    }
}

TEST(Smm, AMachineSavedInsideOfItGoesOn)
{
    for (const char* model : {"pentium2", "x86-64"}) {
        SmmMachine steady(model), traveller(model);
        std::mt19937_64 random(73);
        int inside = 0;
        for (int i = 0; i < 40; ++i) {
            const u64 more = 1 + random() % 200;
            steady->run_to_instruction(steady->instructions() + more);
            traveller->run_to_instruction(traveller->instructions() + more);
            inside += traveller.in_smm();
            traveller.save_and_load();
            ASSERT_TRUE(same_state(*steady, *traveller)) << "seed 73, round " << i;
        }
        EXPECT_GT(inside, 5) << model;
        steady->run_until(steady->now() + kMillisecond);
        traveller->run_until(steady->now());
        EXPECT_TRUE(same_state(*steady, *traveller));
    }
}

TEST(Smm, AResetEndsItAndClosesSmram)
{
    SmmMachine pc("pentium2");
    while (!pc.in_smm()) pc->run_to_instruction(pc->instructions() + 1);
    EXPECT_EQ(pc.board().memory.page(0xA8000).read, pc.board().memory.ram.data() + 0xA8000);
    pc->inject(ResetInput{});
    pc->run_to_instruction(pc->instructions() + 1);
    EXPECT_FALSE(pc.in_smm());
    EXPECT_EQ(pc.board().cpu.state.smbase, 0x30000u);
    EXPECT_FALSE(pc.board().host_bridge.smiact);
    EXPECT_NE(pc.board().memory.page(0xA8000).read, pc.board().memory.ram.data() + 0xA8000);
}

TEST(Smm, BusMastersDoNotSeeSmram)
{
    SmmMachine pc("pentium2");
    Board& board = pc.board();
    board.host_bridge.config.write(0x72, 1, 0x4A);  // D_OPEN
    u8* const ram = board.memory.ram.data() + 0xA8000;
    ASSERT_EQ(board.memory.page(0xA8000).read, ram);
    ASSERT_EQ(ram[0], kFirmware[0xC5]) << "the handler";
    const u8 nops[] = {0x90, 0x90, 0x90, 0x90};
    board.memory.write_block(0xA8000, nops);
    EXPECT_EQ(ram[0], kFirmware[0xC5]);
}

TEST(Smm, ClosedSmramIsLeftToCode)  // 290549, SMRAM: D_CLS
{
    SmmMachine pc("pentium2");
    Board& board = pc.board();
    u8* const ram = board.memory.ram.data() + 0xA8000;
    board.host_bridge.config.write(0x72, 1, 0x2A);
    while (!pc.in_smm()) pc->run_to_instruction(pc->instructions() + 1);
    EXPECT_EQ(board.memory.code_page(0xA8000).read, ram);
    EXPECT_NE(board.memory.page(0xA8000).read, ram);
    const u32 hidden = pc.ram(kHidden);
    pc->run_to_instruction(pc->instructions() + 12);
    EXPECT_EQ(pc.ram(kHidden), hidden + 1) << "code comes from there";
}

// ---- SeaBIOS -----------------------------------------------------------------------------------

/// Debian's image of 256 KB has system management mode in it, the one of 128 KB has not.
class SmmFirmware : public testing::TestWithParam<const char*> {
protected:
    static constexpr const char* kBios = "/usr/share/seabios/bios-256k.bin";
};

TEST_P(SmmFirmware, SeaBiosSetsItUpAndUsesIt)
{
    if (access(kBios, R_OK) != 0) GTEST_SKIP() << "no " << kBios;
    MachineConfig config;
    config.cpu_model = GetParam();
    config.bios_path = kBios;
    Machine machine(config);
    Board& board = machine.board();
    EXPECT_EQ(board.pm.config.read(0x58, 4) & 1 << 25, 0u);
    machine.run_until(3 * kSecond);
    EXPECT_EQ(board.pm.config.read(0x58, 4) & 1 << 25, 1u << 25) << "APMC_EN";
    EXPECT_EQ(board.host_bridge.config.read(0x72, 1), 0x0Au) << "SMRAM is closed, but in SMM";
    EXPECT_EQ(board.cpu.state.smbase, 0xA0000u);
    EXPECT_FALSE(board.cpu.state.smm);
    EXPECT_EQ(board.read_port(0xB3, 1), 0u) << "the handler was there";

    // Its handler answers what it does not know by going back.
    const u64 before = board.cpu.state.gpr[RSP];
    board.cpu.raise_smi();
    const u64 first = machine.instructions();
    machine.run_to_instruction(first + 1);
    EXPECT_TRUE(board.cpu.state.smm);
    while (board.cpu.state.smm && machine.instructions() < first + 10'000)
        machine.run_to_instruction(machine.instructions() + 1);
    EXPECT_FALSE(board.cpu.state.smm);
    EXPECT_EQ(board.cpu.state.gpr[RSP], before);
}

INSTANTIATE_TEST_SUITE_P(Models, SmmFirmware, testing::Values("pentium2", "pentium3", "x86-64"),
                         [](const auto& tested) {
                             std::string name = tested.param;
                             std::ranges::replace(name, '-', '_');
                             return name;
                         });

}  // namespace
