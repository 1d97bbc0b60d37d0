/// The main board of a PC/AT with PCI: every chip, and every wire between them. board.cpp is the
/// schematic; this is the parts list, and the only place that knows ports, addresses and IRQ
/// numbers.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "cpu/cpu.h"
#include "devices/ata/ata_channel.h"
#include "devices/ata/ata_disk.h"
#include "devices/ata/atapi_cdrom.h"
#include "devices/boot_card.h"
#include "devices/debug_console.h"
#include "devices/debug_exit.h"
#include "devices/dma_8237.h"
#include "devices/dma_page_registers.h"
#include "devices/fdc_82077.h"
#include "devices/hpet.h"
#include "devices/io_apic.h"
#include "devices/keyboard_8042.h"
#include "devices/local_apic.h"
#include "devices/parallel_port.h"
#include "devices/pci/i440fx.h"
#include "devices/pci/pci_bus.h"
#include "devices/pci/piix3.h"
#include "devices/pci/piix4_pm.h"
#include "devices/pic_8259.h"
#include "devices/piix_ide.h"
#include "devices/pit_8254.h"
#include "devices/port_92.h"
#include "devices/port_b.h"
#include "devices/post_port.h"
#include "devices/ps2_keyboard.h"
#include "devices/ps2_mouse.h"
#include "devices/rtc_mc146818.h"
#include "devices/speaker.h"
#include "devices/uart_16550.h"
#include "devices/vga/vga.h"
#include "machine/config.h"
#include "machine/firmware.h"
#include "machine/input.h"
#include "machine/io_bus.h"
#include "machine/kernel_boot.h"
#include "machine/memory_map.h"
#include "machine/overlay.h"

namespace reprise {

class Board : public Bus {
public:
    /// Throws HostError: firmware or an image cannot be used.
    Board(const MachineConfig& config, MessageSink on_message);
    ~Board() override;

    // ---- What the CPU is connected to ----------------------------------------------------------
    PageAccess page(u64 address) override { return memory.page(address); }
    RamFile ram_file() const override { return memory.ram.file(); }
    u64 read_memory(u64 address, int size) override;
    void write_memory(u64 address, int size, u64 value) override;
    u32 read_port(u16 port, int size) override;
    void write_port(u16 port, int size, u32 value) override;
    u8 acknowledge_interrupt() override { return local_apic.acknowledge(); }
    void apic_base_changed(u64 value) override;
    u8 read_task_priority() override { return local_apic.read_cr8(); }
    void write_task_priority(u8 cr8) override;
    PageAccess code_page(u64 address) override { return memory.code_page(address); }
    void smm_changed(bool active) override { host_bridge.set_smiact(active); }
    u64 a20_mask() const override { return a20_ ? ~u64{0} : ~(u64{1} << 20); }
    void shutdown() override { request_reset(); }

    /// The RESET line goes to everybody as soon as the present instruction has ended.
    void request_reset();
    bool reset_requested() const { return reset_requested_; }
    void reset();

    /// The chips that come with a local APIC: I/O APIC, HPET, ACPI power management.
    bool has_apic() const { return cpu.model().has(Feature::Apic); }
    bool powered_off() const { return powered_off_; }
    /// A processor that waits with its interrupts off may still be woken.
    bool may_raise_nmi() const { return local_apic.may_raise_nmi() || io_apic.may_raise_nmi(); }

    /// Guest time at the CPU's clock, and the first clock tick at or after a time.
    Time time_of(u64 clock) const
    {
        return tick_ns ? clock * tick_ns : cpu_clock.time_of(clock);
    }
    u64 clock_at(Time time) const;

    /// Changes the medium of a floppy or CD-ROM drive. Throws HostError and changes nothing if that
    /// cannot be done.
    void change_medium(const MediaInput& change);
    /// Throws HostError naming the medium that could not be made durable.
    void flush_media();
    /// What a drive holds; nullptr: nothing.
    struct DriveMedium {
        DriveConfig config;
        Medium medium;
    };
    const DriveMedium& floppy_medium(int index) const
    {
        return floppy_media_[static_cast<std::size_t>(index)];
    }
    DriveMedium& ata_medium(int index) { return ata_media_[static_cast<std::size_t>(index)]; }
    /// The kernel that is started instead of a disk; nullptr: none.
    const KernelBoot* kernel() const { return kernel_.get(); }
    DriveMedium& floppy_medium(int index) { return floppy_media_[static_cast<std::size_t>(index)]; }

    /// For a debugger: bytes of a page as the CPU would read them at a physical address, with no effect on
    /// anything. False: a chip would have to be asked.
    bool peek(u64 physical, std::span<u8> out);
    /// The same for writing; a chip is written to. False: read-only memory.
    bool poke(u64 physical, std::span<const u8> bytes);

    /// After everything was loaded by `visit` and RAM was filled: what follows from it follows.
    void state_loaded();

    /// Everything but RAM, whose pages are saved apart.
    void visit(auto& v)
    {
        v("a20", a20_);
        v("nmi_enabled", nmi_enabled_);
        v("reset_requested", reset_requested_);
        v("powered_off", powered_off_);
        v("scheduler", scheduler);
        v("cpu", cpu);
        v("pic_master", pic[0].state);
        v("pic_slave", pic[1].state);
        v("local_apic", local_apic.state);
        v("io_apic", io_apic.state);
        v("hpet", hpet.state);
        v("pit", pit.state);
        v("dma_low", dma[0].state);
        v("dma_high", dma[1].state);
        v("dma_pages", dma_pages.state);
        v("rtc", rtc.state);
        v("keyboard_controller", keyboard_controller.state);
        v("keyboard", keyboard.state);
        v("mouse", mouse.state);
        v("com1", uart[0].state);
        v("com2", uart[1].state);
        v("lpt1", parallel.state);
        v("port_b", port_b.state);
        v("port_92", port_92.state);
        v("speaker", speaker.state);
        v("post", post.state);
        v("fdc", fdc);
        v("ata_primary", ata[0].state);
        v("ata_secondary", ata[1].state);
        for (std::size_t i = 0; i < disks.size(); ++i) {
            if (disks[i]) v("disk", *disks[i]);
            if (cdroms[i]) v("cdrom", *cdroms[i]);
        }
        v("ide", ide);
        v("pci", pci.state);
        v("host_bridge", host_bridge);
        v("isa_bridge", isa_bridge);
        v("elcr", elcr.state);
        v("reset_control", reset_control.state);
        v("pm", pm);
        v("coprocessor_error", coprocessor_error.state);
        v("vga_pci", vga_pci.state);
        v("vga", vga);
        if (boot_card) v("boot_card", boot_card->config.state);
    }

private:
    // Made before the drives that they are put into.
    FirmwareImage bios_, vgabios_;
    std::array<DriveMedium, 2> floppy_media_;
    std::array<DriveMedium, 4> ata_media_;
    std::unique_ptr<KernelBoot> kernel_;

public:
    MachineConfig config;
    MessageSink on_message;
    std::function<void(std::string_view)> on_guest_message;
    std::optional<u32> exit_value;  // what the guest wrote to a debug-exit port

    Clock cpu_clock;
    /// Nanoseconds of a CPU clock tick; 0: not a whole number. Chips ask for the time so often that a
    /// division of 128 bits is felt.
    const u64 tick_ns = cpu_clock.denominator * kSecond % cpu_clock.numerator == 0
                            ? cpu_clock.denominator * kSecond / cpu_clock.numerator
                            : 0;
    Scheduler scheduler;
    MemoryMap memory;
    IoBus io;
    Cpu cpu;

    std::array<Pic8259, 2> pic{Pic8259{true}, Pic8259{false}};
    LocalApic local_apic{scheduler, cpu.model().has(Feature::Apic)};
    IoApic io_apic;
    Hpet hpet{scheduler, kHpetRoutes};
    Pit8254 pit{scheduler};
    std::array<Dma8237, 2> dma{Dma8237{Dma8237::Width::Byte}, Dma8237{Dma8237::Width::Word}};
    DmaPageRegisters dma_pages;
    RtcMc146818 rtc{scheduler};
    Keyboard8042 keyboard_controller{scheduler};
    Ps2Keyboard keyboard{scheduler};
    Ps2Mouse mouse{scheduler};
    std::array<Uart16550, 2> uart{Uart16550{scheduler, "com1"}, Uart16550{scheduler, "com2"}};
    ParallelPort parallel{scheduler};
    PortB port_b;
    Port92 port_92;
    PcSpeaker speaker{scheduler};
    PostPort post;
    DebugConsole debug_console;
    DebugExit debug_exit;
    Fdc82077 fdc;
    std::array<AtaChannel, 2> ata;
    std::array<std::unique_ptr<AtaDisk>, 4> disks;
    std::array<std::unique_ptr<AtapiCdrom>, 4> cdroms;
    PciBus pci;
    I440Fx host_bridge;
    Piix3 isa_bridge;
    Elcr elcr;
    ResetControl reset_control;
    Piix4Pm pm{scheduler};
    CoprocessorError coprocessor_error;
    PiixIde ide{ata[0], ata[1]};
    PciDevice vga_pci;
    Vga vga{scheduler};
    std::unique_ptr<BootCard> boot_card;  // in its slot only if there is a kernel to start

private:
    static constexpr u32 kHpetRoutes = 0xF0'0000;  // inputs 20 to 23 of the I/O APIC

    void connect_interrupts();
    void connect_apic();
    void connect_hpet();
    void connect_power_management();
    void set_irq(int irq, bool level);
    void update_timer_irqs();
    void update_irq9();
    void map_local_apic();
    void map_pm_ports(bool enabled, u16 base);
    void connect_dma();
    void connect_keyboard();
    void connect_timers();
    void connect_serial_and_parallel();
    void connect_disks();
    void connect_pci();
    void connect_vga();
    void connect_firmware();
    void connect_boot_card();
    void map_vga_window();
    MemoryMap::Region map_vga_registers(u64 base, u64 size);
    void fill_cmos();
    std::string boot_order() const;
    bool uart_interrupt(std::size_t index) const;
    void set_a20(bool open);
    void log(std::string_view message);
    u32 dma_address(int controller, int channel, u16 address) const;

    bool a20_ = true;
    bool nmi_enabled_ = true;  // bit 7 of port 70h
    bool reset_requested_ = false;
    bool powered_off_ = false;
    std::vector<u8> vga_rom_;  // filled up to its BAR's size
    std::set<std::string, std::less<>> logged_;
    MemoryMap::Region vga_direct_ = -1, vga_linear_ = -1, vga_registers_ = -1, vga_rom_region_ = -1,
                      boot_card_rom_region_ = -1, local_apic_region_ = -1;
    IoBus::Range bus_master_ports_ = 0, pm_ports_ = 0;
};

}  // namespace reprise
