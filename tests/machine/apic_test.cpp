/// The chips that come with a local APIC, seen by a guest, on the whole board.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/machine/machine_test.h"

using namespace reprise;
using namespace reprise::test;

namespace {

// clang-format off
/// From the boot sector's address to 32-bit protected mode, and there HLT, with four sources of
/// interrupts, each of which counts: local APIC timer every 1 ms ([504h]); 8254 through the I/O APIC, every
/// 1193 of its clocks ([508h]); the PM timer's overflow, IRQ 9 ([50Ch]); HPET through input 20, low active,
/// every 2 ms ([510h]). [514h] is the PM timer as the local APIC's timer saw it last, and [500h] counts
/// returns from HLT.
constexpr std::array<u8, 438> kApicGuest{
    0xFA,                                                        // cli
    0x31, 0xC0,                                                  // xor ax, ax
    0x8E, 0xD8,                                                  // mov ds, ax
    0x0F, 0x01, 0x16, 0x98, 0x7D,                                // lgdt [gdt]
    0x0F, 0x01, 0x1E, 0xB0, 0x7D,                                // lidt [idt]
    0x0F, 0x20, 0xC0,                                            // mov eax, cr0
    0x0C, 0x01,                                                  // or al, 1
    0x0F, 0x22, 0xC0,                                            // mov cr0, eax
    0x66, 0xEA, 0x1F, 0x7C, 0x00, 0x00, 0x08, 0x00,              // jmp dword 8:flat
    0x66, 0xB8, 0x10, 0x00,                                      // flat: mov ax, 16
    0x8E, 0xD8,                                                  // mov ds, ax
    0x8E, 0xC0,                                                  // mov es, ax
    0x8E, 0xD0,                                                  // mov ss, ax
    0xBC, 0x00, 0x70, 0x00, 0x00,                                // mov esp, 0x7000
    0xBB, 0x20, 0x7D, 0x00, 0x00,                                // mov ebx, timer
    0xBF, 0x00, 0x12, 0x00, 0x00,                                // mov edi, 0x1000 + 8 * 0x40
    0xB8, 0x00, 0x00, 0x08, 0x00,                                // gate: mov eax, 0x80000
    0x66, 0x89, 0xD8,                                            // mov ax, bx
    0xAB,                                                        // stosd
    0xB8, 0x00, 0x8E, 0x00, 0x00,                                // mov eax, 0x8E00
    0xAB,                                                        // stosd
    0x83, 0xC3, 0x20,                                            // add ebx, pit - timer
    0x81, 0xFF, 0x20, 0x12, 0x00, 0x00,                          // cmp edi, 0x1000 + 8 * 0x44
    0x75, 0xE6,                                                  // jne gate
    0xB0, 0xFF,                                                  // mov al, 0xFF
    0xE6, 0x21,                                                  // out 0x21, al
    0xE6, 0xA1,                                                  // out 0xA1, al
    0xB8, 0x40, 0x0B, 0x00, 0x80,                                // mov eax, 0x80000B40
    0xBA, 0x01, 0xB0, 0x00, 0x00,                                // mov edx, 0xB001
    0xE8, 0xAC, 0x00, 0x00, 0x00,                                // call pci
    0xB8, 0x80, 0x0B, 0x00, 0x80,                                // mov eax, 0x80000B80
    0xBA, 0x01, 0x00, 0x00, 0x00,                                // mov edx, 1
    0xE8, 0x9D, 0x00, 0x00, 0x00,                                // call pci
    0x66, 0xBA, 0x02, 0xB0,                                      // mov dx, 0xB002
    0x66, 0xB8, 0x01, 0x00,                                      // mov ax, 1
    0x66, 0xEF,                                                  // out dx, ax
    0xB0, 0xF1,                                                  // mov al, 0xF1
    0xE6, 0xB2,                                                  // out 0xB2, al
    0xB0, 0x34,                                                  // mov al, 0x34
    0xE6, 0x43,                                                  // out 0x43, al
    0xB0, 0xA9,                                                  // mov al, 0xA9
    0xE6, 0x40,                                                  // out 0x40, al
    0xB0, 0x04,                                                  // mov al, 0x04
    0xE6, 0x40,                                                  // out 0x40, al
    0xBE, 0x00, 0x00, 0xC0, 0xFE,                                // mov esi, 0xFEC00000
    0xC7, 0x06, 0x10, 0x00, 0x00, 0x00,                          // mov dword [esi], 0x10
    0xC7, 0x46, 0x10, 0x41, 0x00, 0x00, 0x00,                    // mov dword [esi+16], 0x41
    0xC7, 0x06, 0x22, 0x00, 0x00, 0x00,                          // mov dword [esi], 0x22
    0xC7, 0x46, 0x10, 0x42, 0x80, 0x00, 0x00,                    // mov dword [esi+16], 0x8042
    0xC7, 0x06, 0x38, 0x00, 0x00, 0x00,                          // mov dword [esi], 0x38
    0xC7, 0x46, 0x10, 0x43, 0xA0, 0x00, 0x00,                    // mov dword [esi+16], 0xA043
    0xBF, 0x00, 0x00, 0xD0, 0xFE,                                // mov edi, 0xFED00000
    0xC7, 0x87, 0x00, 0x01, 0x00, 0x00, 0x4E, 0x29, 0x00, 0x00,  // mov dword [edi+0x100], 0x294E
    0xC7, 0x87, 0x08, 0x01, 0x00, 0x00, 0x40, 0x0D, 0x03, 0x00,  // mov dword [edi+0x108], 200000
    0xC7, 0x47, 0x10, 0x01, 0x00, 0x00, 0x00,                    // mov dword [edi+0x10], 1
    0xBD, 0x00, 0x00, 0xE0, 0xFE,                                // mov ebp, 0xFEE00000
    0xC7, 0x85, 0xF0, 0x00, 0x00, 0x00, 0xFF, 0x01, 0x00, 0x00,  // mov dword [ebp+0xF0], 0x1FF
    0xC7, 0x85, 0xE0, 0x03, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00,  // mov dword [ebp+0x3E0], 3
    0xC7, 0x85, 0x20, 0x03, 0x00, 0x00, 0x40, 0x00, 0x02, 0x00,  // mov dword [ebp+0x320], 0x20040
    0xC7, 0x85, 0x80, 0x03, 0x00, 0x00, 0x6A, 0x18, 0x00, 0x00,  // mov dword [ebp+0x380], 6250
    0xFB,                                                        // sti
    0xF4,                                                        // sleep: hlt
    0xFF, 0x05, 0x00, 0x05, 0x00, 0x00,                          // inc dword [0x500]
    0xEB, 0xF7,                                                  // jmp sleep
    0x52,                                                        // pci: push edx
    0x66, 0xBA, 0xF8, 0x0C,                                      // mov dx, 0xCF8
    0xEF,                                                        // out dx, eax
    0xB2, 0xFC,                                                  // mov dl, 0xFC
    0x58,                                                        // pop eax
    0xEF,                                                        // out dx, eax
    0xC3,                                                        // ret
    0x90, 0x90,                                                  // 2h>              align 32, nop
    0xFF, 0x05, 0x04, 0x05, 0x00, 0x00,                          // timer: inc dword [0x504]
    0x66, 0xBA, 0x08, 0xB0,                                      // mov dx, 0xB008
    0xED,                                                        // in eax, dx
    0xA3, 0x14, 0x05, 0x00, 0x00,                                // mov [0x514], eax
    0xC7, 0x85, 0xB0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // mov dword [ebp+0xB0], 0
    0xCF,                                                        // iretd
    0x90, 0x90, 0x90, 0x90, 0x90,                                // 5h>              align 32, nop
    0xFF, 0x05, 0x08, 0x05, 0x00, 0x00,                          // pit: inc dword [0x508]
    0xC7, 0x85, 0xB0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // mov dword [ebp+0xB0], 0
    0xCF,                                                        // iretd
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,  // Fh>              align 32, nop
    0x90, 0x90, 0x90, 0x90, 0x90,
    0xFF, 0x05, 0x0C, 0x05, 0x00, 0x00,                          // sci: inc dword [0x50C]
    0x66, 0xBA, 0x00, 0xB0,                                      // mov dx, 0xB000
    0x66, 0xB8, 0x01, 0x00,                                      // mov ax, 1
    0x66, 0xEF,                                                  // out dx, ax
    0xC7, 0x85, 0xB0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // mov dword [ebp+0xB0], 0
    0xCF,                                                        // iretd
    0x90, 0x90, 0x90, 0x90, 0x90,                                // 5h>              align 32, nop
    0xFF, 0x05, 0x10, 0x05, 0x00, 0x00,                          // hpet: inc dword [0x510]
    0xC7, 0x47, 0x20, 0x01, 0x00, 0x00, 0x00,                    // mov dword [edi+0x20], 1
    0xC7, 0x85, 0xB0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // mov dword [ebp+0xB0], 0
    0xCF,                                                        // iretd
    0x17, 0x00,                                                  // gdt: dw 23
    0x98, 0x7D, 0x00, 0x00,                                      // dd gdt
    0x00, 0x00,                                                  // dw 0
    0xFF, 0xFF, 0x00, 0x00, 0x00, 0x9B, 0xCF, 0x00,              // dq 0x00CF9B000000FFFF
    0xFF, 0xFF, 0x00, 0x00, 0x00, 0x93, 0xCF, 0x00,              // dq 0x00CF93000000FFFF
    0xFF, 0x07,                                                  // idt: dw 0x7FF
    0x00, 0x10, 0x00, 0x00,                                      // dd 0x1000
};
// clang-format on

/// A machine with a local APIC, whose ROM does nothing but go to 0000:7C00.
class ApicMachine {
public:
    ApicMachine()
    {
        std::vector<u8> rom(0x10000, 0xF4);
        const std::array<u8, 5> jump{0xEA, 0x00, 0x7C, 0x00, 0x00};  // jmp 0000:7C00
        std::ranges::copy(jump, rom.end() - 16);
        config_.bios_path = folder_.file("rom", rom);
        config_.cpu_model = "pentium2";
        config_.memory_bytes = 2 << 20;
    }

    std::unique_ptr<Machine> start(std::span<const u8> program) const
    {
        auto machine = std::make_unique<Machine>(config_);
        machine->board().memory.write_block(0x7C00, program);
        return machine;
    }

    const TemporaryFolder& folder() const { return folder_; }

private:
    TemporaryFolder folder_;
    MachineConfig config_;
};

u32 counted(Machine& machine, u32 address)
{
    return static_cast<u32>(machine.board().memory.read(address, 4));
}

TEST(ApicGuest, EveryTimerInterruptsAtItsOwnPace)
{
    const ApicMachine apic;
    const auto machine = apic.start(kApicGuest);
    ASSERT_EQ(machine->run_until(5 * kSecond), Stop::Reached);
    // 5 s less the few hundred instructions, 10 ns each, before they are started.
    EXPECT_EQ(counted(*machine, 0x504), 4999u);
    EXPECT_EQ(counted(*machine, 0x508), static_cast<u32>(5 * 105e6 / 88 / 1193));
    EXPECT_EQ(counted(*machine, 0x50C), 2u) << "at 2^23 and 2^24 clocks: 2.34 and 4.69 s";
    EXPECT_EQ(counted(*machine, 0x510), 2499u);
    EXPECT_GT(counted(*machine, 0x500), 4999u);

    // The PM timer when the local APIC's interrupted last, some time after 4.999 s.
    const double seconds = (counted(*machine, 0x514) + (1 << 24)) / 3'579'545.0;
    EXPECT_NEAR(seconds, 4.999, 0.0001);
}

TEST(ApicGuest, ASavedMachineGoesOnAsTheOneThatWasNotStopped)
{
    const ApicMachine apic;
    const auto steady = apic.start(kApicGuest);
    auto traveller = apic.start(kApicGuest);
    const std::string path = apic.folder() / "saved.state";
    for (int i = 0; i < 20; ++i) {
        const Time goal = steady->now() + 1'234'567;
        steady->run_until(goal);
        traveller->run_until(goal);
        steady->run_to_instruction(steady->instructions() + 5, goal + kMillisecond);
        traveller->run_to_instruction(traveller->instructions() + 5, goal + kMillisecond);
        traveller->save(path);
        traveller.reset();
        traveller = Machine::load(path);
        ASSERT_TRUE(same_state(*steady, *traveller)) << i;
    }
    EXPECT_GT(counted(*traveller, 0x504), 20u);
}

TEST(ApicGuest, SoftOffEndsTheRunAndAResetTurnsTheMachineOn)
{
    const ApicMachine apic;
    const auto machine = apic.start(kApicGuest);
    machine->run_until(kMillisecond);
    Board& board = machine->board();
    board.write_port(0xB004, 2, 0x2000);  // SUS_EN, S5
    const Time off = machine->now();
    EXPECT_EQ(machine->run_until(kSecond), Stop::PoweredOff);
    EXPECT_EQ(machine->now(), off);
    machine->inject(ResetInput{});
    EXPECT_EQ(machine->run_until(kSecond), Stop::Reached);
    EXPECT_EQ(counted(*machine, 0x504), 998u) << "it began again at 1 ms";
}

TEST(ApicGuest, ThePowerButtonIsAnScI)
{
    const ApicMachine apic;
    const auto machine = apic.start(kApicGuest);
    machine->run_until(kMillisecond);
    Board& board = machine->board();
    board.write_port(0xB002, 2, 0x0101);  // PMEN: power button, timer
    machine->inject(PowerButtonInput{});
    machine->run_to_instruction(machine->instructions() + 2);
    EXPECT_EQ(counted(*machine, 0x50C), 1u);
    EXPECT_EQ(board.read_port(0xB000, 2), 0x0100u);
}

// ---- The board ---------------------------------------------------------------------------------

constexpr std::array<u8, 3> kSleep{0xFB, 0xF4, 0xEB};  // sti; hlt

TEST(ApicBoard, TheLocalApicAnswersWhereItsMsrSays)
{
    const ApicMachine apic;
    const auto machine = apic.start(kSleep);
    Board& board = machine->board();
    EXPECT_EQ(board.read_memory(0xFEE00030, 4), 0x00050014u);
    board.apic_base_changed(0xFEE10900);
    EXPECT_EQ(board.read_memory(0xFEE00030, 4), 0xFFFFFFFFu);
    EXPECT_EQ(board.read_memory(0xFEE10030, 4), 0x00050014u);
    board.apic_base_changed(0x00100900);
    EXPECT_EQ(board.read_memory(0x00100030, 4), 0x00050014u) << "it lies over RAM";
    board.apic_base_changed(0x00100100);
    EXPECT_EQ(board.read_memory(0x00100030, 4), 0u);
    board.reset();
    EXPECT_EQ(board.read_memory(0xFEE00030, 4), 0x00050014u);
}

TEST(ApicBoard, Cr8IsTheTaskPriority)
{
    const ApicMachine apic;
    const auto machine = apic.start(kSleep);
    Board& board = machine->board();
    board.write_task_priority(9);
    EXPECT_EQ(board.read_memory(0xFEE00080, 4), 0x90u);
    board.write_memory(0xFEE00080, 4, 0x5F);
    EXPECT_EQ(board.read_task_priority(), 5);
}

TEST(ApicBoard, LegacyReplacementPutsTheHpetInPlaceOfPitAndRtc)
{
    const ApicMachine apic;
    const auto machine = apic.start(kSleep);
    Board& board = machine->board();
    const auto pins = [&] { return board.io_apic.state.pins & 0x101; };
    board.write_port(0x43, 1, 0x30);  // counter 0, mode 0: OUT is low until it is through
    EXPECT_EQ(pins(), 0u);
    board.write_port(0x40, 1, 1);
    board.write_port(0x40, 1, 0);
    board.scheduler.advance_to(kMillisecond);
    EXPECT_EQ(pins(), 1u);
    board.hpet.write(0x10, 8, 3);
    EXPECT_EQ(pins(), 0u);
    board.hpet.write(0x100, 8, 4);
    board.hpet.write(0x108, 8, board.hpet.read(0xF0, 8) + 10);
    board.hpet.write(0x120, 8, 4);
    board.hpet.write(0x128, 8, board.hpet.read(0xF0, 8) + 20);
    board.scheduler.advance_to(board.scheduler.now() + 100);
    EXPECT_EQ(pins(), 1u);
    board.scheduler.advance_to(board.scheduler.now() + 100);
    EXPECT_EQ(pins(), 0x101u);
    board.hpet.write(0x10, 8, 0);
    EXPECT_EQ(pins(), 1u) << "the 8254's again";
}

TEST(ApicBoard, APciInterruptReachesBothControllersWherePirqrcSteersIt)
{
    const ApicMachine apic;
    const auto machine = apic.start(kSleep);
    Board& board = machine->board();
    board.write_port(0xCF8, 4, 0x80000860);  // PIRQRC of the ISA bridge
    board.write_port(0xCFC, 4, 0x0B0B0A09);
    board.pci.set_interrupt(1, 1, true);  // slot 1, INTA#: PIRQA#
    EXPECT_EQ(board.io_apic.state.pins & 0xFFFF, 1u << 9);
    EXPECT_EQ(board.pic[1].state.lines, 1u << 1);
    board.pm.set_sci_enable(true);
    board.write_port(0xCF8, 4, 0x80000B80);
    board.write_port(0xCFC, 1, 1);
    board.write_port(0xCF8, 4, 0x80000B40);
    board.write_port(0xCFC, 4, 0xB001);
    board.write_port(0xB002, 2, 0x0100);
    machine->inject(PowerButtonInput{});
    board.pci.set_interrupt(1, 1, false);
    EXPECT_EQ(board.io_apic.state.pins & 0xFFFF, 1u << 9) << "the SCI still asks";
    board.write_port(0xB000, 2, 0x0100);
    EXPECT_EQ(board.io_apic.state.pins & 0xFFFF, 0u);
}

TEST(ApicBoard, AnNmiThroughTheIoApicMayEndAHaltWithInterruptsOff)
{
    const ApicMachine apic;
    const auto machine = apic.start(std::to_array<u8>({0xFA, 0xF4}));  // cli; hlt
    EXPECT_EQ(machine->run_until(kMillisecond), Stop::Halted);
    machine->board().io_apic.write(0x00, 4, 0x10);
    machine->board().io_apic.write(0x10, 4, 4 << 8);
    EXPECT_EQ(machine->run_until(2 * kMillisecond), Stop::Reached);
    machine->board().write_port(0x43, 1, 0x30);
    machine->board().write_port(0x40, 1, 1);
    machine->board().write_port(0x40, 1, 0);
    EXPECT_TRUE(machine->board().cpu.halted());
    machine->run_until(3 * kMillisecond);
    EXPECT_FALSE(machine->board().cpu.state.nmi_pending);
    EXPECT_TRUE(machine->board().cpu.state.nmi_blocked) << "it was taken";
}

TEST(ApicBoard, AProcessorWithoutAnApicHasNoneOfThese)
{
    const auto machine = booted().start({});
    Board& board = machine->board();
    for (const u64 address : {0xFEE00030u, 0xFEC00000u, 0xFED00000u})
        EXPECT_EQ(board.read_memory(address, 4), 0xFFFFFFFFu) << std::hex << address;
    board.write_port(0xCF8, 4, 0x80000B00);
    EXPECT_EQ(board.read_port(0xCFC, 4), 0xFFFFFFFFu);
    EXPECT_EQ(board.read_port(0xB2, 1), 0xFFu);
}

// ---- What the firmware says about them ---------------------------------------------------------

/// Physical memory as ACPI's tables see it: little-endian, and found by its signatures.
struct Tables {
    Machine& machine;

    u64 read(u64 address, int size) const { return machine.board().memory.read(address, size); }
    std::string text(u64 address, int size) const
    {
        std::string result;
        for (int i = 0; i < size; ++i)
            result += static_cast<char>(read(address + static_cast<u64>(i), 1));
        return result;
    }
    u64 root() const  // ACPI 1.0b, 5.2.4.1: on a 16-byte boundary in the BIOS
    {
        for (u64 at = 0xE0000; at < 0x100000; at += 16)
            if (text(at, 8) == "RSD PTR ") return read(at + 16, 4);
        return 0;
    }
    u64 find(const std::string& signature) const
    {
        const u64 rsdt = root();
        for (u64 at = 36; rsdt && at < read(rsdt + 4, 4); at += 4)
            if (const u64 table = read(rsdt + at, 4); text(table, 4) == signature) return table;
        return 0;
    }
};

/// The board is wired as these say; should they ever say something else, it has to follow.
TEST(ApicFirmware, SeaBiosMakesAcpiTablesOfThisBoard)
{
    MachineConfig config;
    config.cpu_model = "pentium2";
    Machine machine(config);
    machine.run_until(2 * kSecond);
    const Tables acpi{machine};
    const u64 fadt = acpi.find("FACP"), madt = acpi.find("APIC"), hpet = acpi.find("HPET");
    ASSERT_NE(fadt, 0u);
    ASSERT_NE(madt, 0u);
    ASSERT_NE(hpet, 0u);
    EXPECT_EQ(acpi.text(acpi.read(fadt + 40, 4), 4), "DSDT");

    EXPECT_EQ(acpi.read(fadt + 46, 2), 9u);       // SCI_INT
    EXPECT_EQ(acpi.read(fadt + 48, 4), 0xB2u);    // SMI_CMD
    EXPECT_EQ(acpi.read(fadt + 52, 2), 0xF0F1u);  // ACPI_ENABLE, ACPI_DISABLE
    const u64 pm = acpi.read(fadt + 56, 4);       // PM1a_EVT_BLK
    EXPECT_EQ(acpi.read(fadt + 76, 4), pm + 8);   // PM_TMR_BLK
    EXPECT_EQ(acpi.read(fadt + 80, 4), 0xAFE0u);  // GPE0_BLK
    Board& board = machine.board();
    const u32 before = board.read_port(static_cast<u16>(pm + 8), 4);
    machine.run_until(machine.now() + kMillisecond);
    EXPECT_NEAR(board.read_port(static_cast<u16>(pm + 8), 4) - before, 3579.5, 2);
    EXPECT_EQ(board.read_port(0xAFE0, 4), 0u);

    EXPECT_EQ(acpi.read(madt + 36, 4), 0xFEE00000u);
    bool io_apic = false;
    for (u64 at = 44; at < acpi.read(madt + 4, 4); at += acpi.read(madt + at + 1, 1)) {
        const u64 type = acpi.read(madt + at, 1);
        if (type == 1) io_apic = acpi.read(madt + at + 4, 4) == 0xFEC00000;
        if (type == 2) {  // interrupt source override: another input?
            EXPECT_EQ(acpi.read(madt + at + 3, 1), acpi.read(madt + at + 4, 4));
        }
    }
    EXPECT_TRUE(io_apic);
    EXPECT_EQ(acpi.read(hpet + 36, 4), board.read_memory(0xFED00000, 4));
    EXPECT_EQ(acpi.read(hpet + 44, 4), 0xFED00000u);
}

TEST(ApicFirmware, APicThatSeaBiosLeftInVirtualWireModeStillInterrupts)
{
    MachineConfig config;
    config.cpu_model = "pentium2";
    Machine machine(config);
    machine.run_until(2 * kSecond);
    const u64 ticks = machine.board().memory.read(0x46C, 4);
    machine.run_until(machine.now() + kSecond);
    EXPECT_NEAR(static_cast<double>(machine.board().memory.read(0x46C, 4) - ticks), 18.2, 1);
    EXPECT_EQ(machine.board().read_memory(0xFEE00350, 4) & 0x10700, 0x700u) << "LINT0: ExtINT";
}

}  // namespace
