/// Kernels that are started without a disk, after the firmware has done its work.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "machine/base/bits.h"
#include "tests/machine/kernels.h"
#include "tests/machine/machine_test.h"

using namespace reprise;
using namespace reprise::test;

namespace {

constexpr u64 kMegabyte = 1 << 20;

/// A machine with a kernel, which it runs until the kernel has stopped the processor.
class Booted {
public:
    MachineConfig config;

    Booted(const Bytes& kernel)
    {
        config.memory_bytes = 32 * kMegabyte;
        config.kernel.path = folder_.file("kernel", kernel);
    }

    std::string add_initrd(const std::string& name, const Bytes& bytes, std::string arguments = "")
    {
        config.kernel.initrd.push_back({folder_.file(name, bytes), std::move(arguments)});
        return config.kernel.initrd.back().path;
    }

    CpuState& run()
    {
        machine = std::make_unique<Machine>(config);
        return go_on();
    }
    CpuState& go_on()
    {
        EXPECT_EQ(machine->run_until(machine->now() + 60 * kSecond), Stop::Halted)
            << machine->text_screen().to_utf8();
        return machine->board().cpu.state;
    }

    u64 peek(u64 address, int size) { return machine->board().memory.read(address, size); }
    Bytes block(u64 address, std::size_t size)
    {
        Bytes bytes(size);
        machine->board().memory.read_block(address, bytes);
        return bytes;
    }
    std::string text(u64 address)
    {
        std::string result;
        while (const u64 c = peek(address++, 1)) result += static_cast<char>(c);
        return result;
    }
    std::string refusal()
    {
        return error_of([&] { Machine refused(config); });
    }
    const TemporaryFolder& folder() const { return folder_; }

    std::unique_ptr<Machine> machine;

private:
    TemporaryFolder folder_;
};

Bytes pattern(std::size_t size, u8 factor)
{
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<u8>(i * factor + i / 256);
    return bytes;
}

Bytes part(const Bytes& bytes, std::size_t from, std::size_t size)
{
    return Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                 bytes.begin() + static_cast<std::ptrdiff_t>(from + size));
}

}  // namespace

// ---- Linux, entered in real mode ---------------------------------------------------------------

/// boot.rst, "Running the Kernel": all segments are that of the setup code, CS is 20h more.
TEST(LinuxBoot, SetupCodeRunsInRealMode)
{
    const Bytes kernel = linux_kernel(0x20F);
    Booted booted(kernel);
    const CpuState& cpu = booted.run();
    EXPECT_EQ(cpu.cr0 & 1, 0u);
    EXPECT_EQ(cpu.rflags & IF, 0u);
    const u16 segment = cpu.seg[DS].selector;
    for (const int s : {ES, SS, FS, GS}) EXPECT_EQ(cpu.seg[s].selector, segment) << "segment " << s;
    EXPECT_EQ(cpu.seg[CS].selector, segment + 0x20);
    EXPECT_EQ(cpu.rip, 0x82u);
    EXPECT_EQ(booted.block(u64{segment} * 16 + 0x280, 2), part(kernel, 0x280, 2));
    EXPECT_EQ(booted.block(0x100000, 8192), part(kernel, 3 * 512, 8192));
}

TEST(LinuxBoot, TheHeaderTellsAboutLoaderHeapAndCommandLine)
{
    Booted booted(linux_kernel(0x20F));
    booted.config.kernel.append = "console=ttyS0 quiet";
    const u64 setup = u64{booted.run().seg[DS].selector} * 16;
    EXPECT_EQ(booted.peek(setup + 0x210, 1), 0xFFu);    // type_of_loader: not registered
    EXPECT_EQ(booted.peek(setup + 0x211, 1), 0x81u);    // LOADED_HIGH, CAN_USE_HEAP
    EXPECT_EQ(booted.peek(setup + 0x224, 2), 0xDE00u);  // heap_end_ptr: 0xE000 - 0x200
    EXPECT_EQ(booted.peek(setup + 0x218, 8), 0u);       // no initrd
    const u64 line = booted.peek(setup + 0x228, 4);
    EXPECT_EQ(line, setup + 0xE000);
    EXPECT_EQ(booted.text(line), "console=ttyS0 quiet");
}

TEST(LinuxBoot, InitrdsLieBehindEachOtherAtTheEndOfMemory)
{
    const Bytes first = pattern(10'001, 3), second = pattern(5'000, 5);
    Booted booted(linux_kernel(0x20F));
    booted.add_initrd("a", first);
    booted.add_initrd("b", second);
    const u64 setup = u64{booted.run().seg[DS].selector} * 16;
    const u64 address = booted.peek(setup + 0x218, 4), size = booted.peek(setup + 0x21C, 4);
    EXPECT_EQ(size, 10'004u + 5'000u);  // archives begin at multiples of 4
    EXPECT_EQ(address % 4096, 0u);
    EXPECT_GT(address, 31 * kMegabyte);
    EXPECT_EQ(booted.block(address, first.size()), first);
    EXPECT_EQ(booted.block(address + 10'004, second.size()), second);
}

TEST(LinuxBoot, InitrdStaysBelowWhatHeaderAndCommandLineAllow)
{
    Bytes kernel = linux_kernel(0x20F);
    kernel.set(0x22C, 0xFFFFFF, 4);
    Booted booted(kernel);
    booted.add_initrd("a", pattern(4096, 3));
    EXPECT_EQ(booted.peek(u64{booted.run().seg[DS].selector} * 16 + 0x218, 4), 0xFFF000u);
    booted.config.kernel.append = "quiet mem=8M";
    EXPECT_EQ(booted.peek(u64{booted.run().seg[DS].selector} * 16 + 0x218, 4), 0x7FF000u);
}

/// boot.rst, "The kernel command line": how protocols before 2.02 are told.
TEST(LinuxBoot, OldKernelsGetTheirCommandLineTheOldWay)
{
    Booted booted(linux_kernel(0x201));
    booted.config.kernel.append = "root=/dev/fd0";
    EXPECT_EQ(booted.run().seg[DS].selector, 0x9000u);
    EXPECT_EQ(booted.peek(0x90020, 2), 0xA33Fu);
    EXPECT_EQ(booted.peek(0x90022, 2), 0x9800u);
    EXPECT_EQ(booted.text(0x99800), "root=/dev/fd0");
    EXPECT_EQ(booted.peek(0x90224, 2), 0x9600u);
}

TEST(LinuxBoot, ZImagesAreLoadedLow)
{
    Bytes kernel = linux_kernel(0x200);
    kernel.set(0x211, 0, 1);
    Booted booted(kernel);
    EXPECT_EQ(booted.run().seg[DS].selector, 0x9000u);
    EXPECT_EQ(booted.block(0x10000, 8192), part(kernel, 3 * 512, 8192));
}

TEST(LinuxBoot, VideoModeIsForTheBootLoader)
{
    for (const auto& [text, mode] : {std::pair{"vga=ask", 0xFFFDu}, std::pair{"vga=0x305", 0x305u},
                                     std::pair{"vga=791", 791u}}) {
        Booted booted(linux_kernel(0x20F));
        booted.config.kernel.append = text;
        EXPECT_EQ(booted.peek(u64{booted.run().seg[DS].selector} * 16 + 0x1FA, 2), mode) << text;
    }
}

// ---- Linux, entered beyond its setup code ------------------------------------------------------

/// boot.rst, "32-bit Boot Protocol".
TEST(LinuxBoot, The32BitEntryGetsAZeroPage)
{
    const Bytes kernel = linux_kernel(0x20F);
    Booted booted(kernel);
    booted.config.kernel.entry = "32";
    booted.config.kernel.append = "quiet";
    booted.add_initrd("a", pattern(4096, 3));
    const CpuState& cpu = booted.run();
    EXPECT_EQ(cpu.cr0 & 0x80000001, 1u);
    EXPECT_EQ(cpu.rip, 0x100002u);
    EXPECT_EQ(cpu.seg[CS].selector, 0x10u);
    for (const int s : {DS, ES, SS}) EXPECT_EQ(cpu.seg[s].selector, 0x18u);
    for (const int r : {RBP, RDI, RBX}) EXPECT_EQ(cpu.gpr[static_cast<std::size_t>(r)], 0u);
    const u64 page = cpu.gpr[RSI];
    EXPECT_EQ(booted.peek(page + 0x202, 4), 0x53726448u);
    EXPECT_EQ(booted.peek(page + 0x210, 1), 0xFFu);
    EXPECT_EQ(booted.text(booted.peek(page + 0x228, 4)), "quiet");
    EXPECT_EQ(booted.peek(page + 0x21C, 4), 4096u);
    EXPECT_EQ(booted.peek(page + 0x06, 1), 3u);   // orig_video_mode
    EXPECT_EQ(booted.peek(page + 0x07, 1), 80u);  // orig_video_cols
    EXPECT_EQ(booted.peek(page + 0x0E, 1), 25u);  // orig_video_lines
    const u64 entries = booted.peek(page + 0x1E8, 1);
    u64 usable = 0;
    for (u64 i = 0; i < entries; ++i)
        if (booted.peek(page + 0x2D0 + 20 * i + 16, 4) == 1)
            usable += booted.peek(page + 0x2D0 + 20 * i + 8, 8);
    EXPECT_GT(usable, 31 * kMegabyte);
    EXPECT_LE(usable, 32 * kMegabyte);
}

// ---- Multiboot ---------------------------------------------------------------------------------

/// Multiboot Specification 0.6.96, 3.2: "Machine state".
TEST(Multiboot, ElfProgramIsEnteredIn32BitMode)
{
    Booted booted(multiboot_elf());
    const CpuState& cpu = booted.run();
    EXPECT_EQ(cpu.gpr[RAX], 0x2BADB002u);
    EXPECT_EQ(cpu.rip, 0x200012u);
    EXPECT_EQ(cpu.cr0 & 0x80000001, 1u);
    EXPECT_EQ(cpu.rflags & (IF | VM), 0u);
    for (const int s : {CS, DS, ES, SS, FS, GS}) {
        EXPECT_EQ(cpu.seg[s].base, 0u);
        EXPECT_EQ(cpu.seg[s].limit, 0xFFFFFFFFu);
    }
    EXPECT_EQ(booted.peek(0x2000FF, 1), 0x5Au);
    for (u64 at = 0x200100; at < 0x203000; ++at) ASSERT_EQ(booted.peek(at, 1), 0u) << at;
}

TEST(Multiboot, TheInformationSaysWhatThereIs)
{
    const Bytes first = pattern(5'000, 3), second = pattern(100, 5);
    Booted booted(multiboot_elf());
    booted.config.kernel.append = "one two";
    booted.add_initrd("a.mod", first, "x=1 y");
    booted.add_initrd("b.mod", second);
    const u64 info = booted.run().gpr[RBX];
    const auto field = [&](u64 offset) { return booted.peek(info + offset, 4); };
    EXPECT_EQ(field(0) & 0x24D, 0x24Du);  // memory, command line, modules, map, loader's name
    EXPECT_EQ(field(4), 639u);            // up to the extended BIOS data area
    EXPECT_GT(field(8), 30u * 1024);
    EXPECT_EQ(booted.text(field(16)), "kernel one two");
    ASSERT_EQ(field(20), 2u);
    const u64 modules = field(24);
    const u64 begin = booted.peek(modules, 4);
    EXPECT_GE(begin, 0x203000u);  // behind the kernel's zeros
    EXPECT_EQ(begin % 4096, 0u);
    EXPECT_EQ(booted.peek(modules + 4, 4), begin + first.size());
    EXPECT_EQ(booted.block(begin, first.size()), first);
    EXPECT_EQ(booted.text(booted.peek(modules + 8, 4)), "a.mod x=1 y");
    EXPECT_EQ(booted.block(booted.peek(modules + 16, 4), second.size()), second);
    EXPECT_EQ(booted.text(booted.peek(modules + 24, 4)), "b.mod");
    EXPECT_EQ(booted.text(field(64)), "Reprise");

    u64 usable = 0;
    for (u64 at = field(48); at < field(48) + field(44); at += booted.peek(at, 4) + 4)
        if (booted.peek(at + 20, 4) == 1) usable += booted.peek(at + 12, 8);
    EXPECT_GT(usable, 31 * kMegabyte);
}

TEST(Multiboot, TheHeaderMaySayWhereEverythingGoes)
{
    Bytes image(0x800);
    add_multiboot_header(image, 0x40, 0x10004);  // addresses, video
    image.set(0x40 + 12, 0x300040, 4);           // header_addr
    image.set(0x40 + 16, 0x300020, 4);           // load_addr: from byte 20h of the file
    image.set(0x40 + 20, 0x300420, 4);           // load_end_addr
    image.set(0x40 + 24, 0x301000, 4);           // bss_end_addr
    image.set(0x40 + 28, 0x300100, 4);           // entry_addr
    image.set(0x100, kStop, 2);
    image.set(0x41F, 0x77, 1);
    image.set(0x420, 0x88, 1);
    Booted booted(image);
    const CpuState& cpu = booted.run();
    EXPECT_EQ(cpu.rip, 0x300102u);
    EXPECT_EQ(booted.peek(0x30041F, 1), 0x77u);
    EXPECT_EQ(booted.peek(0x300420, 1), 0u);  // not loaded
    const u64 info = cpu.gpr[RBX];
    EXPECT_TRUE(booted.peek(info, 4) & 1 << 12);  // framebuffer
    EXPECT_EQ(booted.peek(info + 88, 8), 0xB8000u);
    EXPECT_EQ(booted.peek(info + 109, 1), 2u);  // EGA text
}

// ---- The machine around it ---------------------------------------------------------------------

TEST(KernelBoot, ResetStartsTheKernelAgain)
{
    Booted booted(linux_kernel(0x20F));
    booted.run();
    booted.machine->board().memory.write(0x100010, 4, 0xDEADBEEF);
    booted.machine->inject(ResetInput{});
    booted.go_on();
    EXPECT_EQ(booted.peek(0x100010, 4), 0x857E7770u);  // 10h * 7 and so on
}

TEST(KernelBoot, IsTheSameEveryTimeWhereverItWasSaved)
{
    Booted booted(linux_kernel(0x20F));
    booted.add_initrd("a", pattern(50'000, 3));
    booted.run();
    Machine steady(booted.config), begun(booted.config);
    begun.run_until(300 * kMillisecond);  // the firmware is at work
    begun.save(booted.folder() / "saved");
    auto resumed = Machine::load(booted.folder() / "saved");
    for (Machine* machine : {&steady, resumed.get()}) machine->run_until(booted.machine->now());
    EXPECT_TRUE(same_state(*booted.machine, steady));
    EXPECT_TRUE(same_state(*booted.machine, *resumed));
}

TEST(KernelBoot, ASavedMachineWantsTheSameFiles)
{
    Booted booted(linux_kernel(0x20F));
    const std::string initrd = booted.add_initrd("a", pattern(5000, 3));
    booted.run();
    const std::string saved = booted.folder() / "saved";
    booted.machine->save(saved);
    EXPECT_EQ(error_of([&] { Machine::load(saved); }), "");
    booted.folder().file("a", pattern(5000, 9));
    EXPECT_NE(error_of([&] {
                  Machine::load(saved);
              }).find(fmt::format("'{}' has changed since the machine was saved", initrd)),
              std::string::npos);
}

TEST(KernelBoot, TheGuestCannotHarmAnythingWithTheDoorbell)
{
    Booted booted(linux_kernel(0x20F));
    booted.run();
    BootCard& card = *booted.machine->board().boot_card;
    for (const u32 block : {0u, 0x1000u, 0xB8000u, 0xFFFFF000u, 0xFFFFFFFFu, 0x1FFFFFFu}) {
        for (u64 i = 0; i < 0x1000; i += 4)
            booted.machine->board().memory.write(0x1000 + i, 4, 0xFFFFFFF0 + i);
        card.config.write(0x40, 4, block);
    }
    EXPECT_NE(booted.machine->state_hash(), 0u);
}

TEST(KernelBoot, WithoutAKernelThereIsNoCard)
{
    MachineConfig config;
    Machine machine(config);
    EXPECT_EQ(machine.board().boot_card, nullptr);
}

// ---- What cannot be started --------------------------------------------------------------------

TEST(KernelBoot, WhatIsNoKernelIsRefused)
{
    Booted booted(pattern(4096, 3));
    EXPECT_EQ(booted.refusal(),
              fmt::format("'{}' is not a kernel: it has neither the header of Linux (bzImage) nor "
                          "that of multiboot; disk images are named without --kernel",
                          booted.config.kernel.path));
    Booted empty(Bytes{});
    EXPECT_NE(empty.refusal().find("is not a kernel"), std::string::npos);
    empty.config.kernel.path = "/nowhere/vmlinuz";
    EXPECT_EQ(empty.refusal(), "cannot read kernel '/nowhere/vmlinuz': No such file or directory");
}

TEST(KernelBoot, WhatIsCutOffIsRefused)
{
    Bytes kernel = linux_kernel(0x20F);
    for (const std::size_t size : {9727u, 1536u, 1000u, 0x210u}) {
        kernel.resize(size);
        EXPECT_NE(Booted(kernel).refusal().find("is cut off"), std::string::npos) << size;
    }
    Bytes elf = multiboot_elf();
    elf.resize(0x10FF);
    EXPECT_NE(Booted(elf).refusal().find("is cut off"), std::string::npos);
}

TEST(KernelBoot, WhatDoesNotFitIntoMemoryIsRefused)
{
    Bytes kernel = linux_kernel(0x20F);
    kernel.set(0x258, 16 * kMegabyte, 8);  // pref_address
    kernel.set(0x260, 30 * kMegabyte, 4);  // init_size
    Booted booted(kernel);
    EXPECT_EQ(booted.refusal(),
              fmt::format("the kernel '{}' needs more than 46 MB of memory, and the machine has 32 "
                          "MB; choose more with --memory",
                          booted.config.kernel.path));
    booted.config.memory_bytes = 64 * kMegabyte;
    EXPECT_EQ(booted.refusal(), "");
    booted.add_initrd("big", Bytes(20 * kMegabyte));
    EXPECT_NE(booted.refusal().find("with its initrd needs more than 66 MB"), std::string::npos);
    Bytes elf = multiboot_elf();
    elf.set(72, 40 * kMegabyte, 4);
    EXPECT_NE(Booted(elf).refusal().find("needs more than 42 MB"), std::string::npos);
}

TEST(KernelBoot, A64BitKernelNeedsA64BitProcessor)
{
    Bytes kernel = linux_kernel(0x20F);
    kernel.set(0x236, 1, 2);  // XLF_KERNEL_64
    Booted booted(kernel);
    EXPECT_EQ(booted.refusal(),
              fmt::format("the kernel '{}' is for 64-bit processors, and the CPU model is pentium; "
                          "choose another with --cpu, or a 32-bit kernel",
                          booted.config.kernel.path));
}

TEST(KernelBoot, OtherNonsenseGetsASentence)
{
    Booted booted(linux_kernel(0x20F));
    booted.config.kernel.append = std::string(3000, 'x');
    EXPECT_NE(booted.refusal().find("has 3000 characters"), std::string::npos);
    booted.config.kernel.append = "";
    booted.config.kernel.entry = "multiboot";
    EXPECT_NE(booted.refusal().find("has no multiboot header"), std::string::npos);
    booted.config.kernel.entry = "64";
    EXPECT_NE(booted.refusal().find("has no 64-bit entry"), std::string::npos);
    booted.config.kernel.path = "";
    EXPECT_NE(booted.refusal().find("name one with --kernel"), std::string::npos);
    EXPECT_NE(Booted(linux_kernel(0x1FF)).refusal().find("boot protocol 1.255"), std::string::npos);
    EXPECT_NE(Booted(multiboot_elf(1 << 5)).refusal().find("does not define"), std::string::npos);
    Bytes low = multiboot_elf();
    low.set(64, 0x1000, 4);
    EXPECT_NE(Booted(low).refusal().find("it goes to 1000h"), std::string::npos);
}
