/// The schematic: which pin of which chip goes where. Addresses and interrupts are those of the IBM
/// PC/AT (Technical Reference 1502494), and of the 440FX chip set for what is on PCI.
#include "machine/board.h"

#include <algorithm>

#include "machine/base/bits.h"
#include "machine/base/error.h"

namespace reprise {

namespace {

constexpr PciDevice::Identity kVgaIdentity{
    .vendor = 0x1234, .device = 0x1111, .class_code = 0x030000, .revision = 2};

const CpuModel& model_of(const MachineConfig& config)
{
    const CpuModel* model = find_cpu_model(config.cpu_model);
    if (!model) throw HostError("unknown CPU model '" + config.cpu_model + "'");
    return *model;
}

/// SeaBIOS executes WBINVD and keeps its variables in the last 64 KB of the first megabyte: with
/// less than it needs it would reset the machine for ever.
FirmwareImage load_system_bios(const MachineConfig& config)
{
    if (!config.bios_path.empty()) return load_bios(config.bios_path);
    if (!model_of(config).at_least(Level::I80486))
        throw HostError("the system BIOS (SeaBIOS) needs a 486, and the CPU is an " +
                        config.cpu_model +
                        "; choose --cpu 80486, or name a BIOS for it with --bios");
    if (config.memory_bytes < u64{1} << 20)
        throw HostError(
            "the system BIOS (SeaBIOS) needs 1 MB of memory; choose at least that with "
            "--memory, or name another BIOS with --bios");
    return load_bios("");
}

/// The drive that is put in when there is none named: the one that suits the medium.
std::array<FloppyType, 4> floppy_types(const std::array<Board::DriveMedium, 2>& media)
{
    std::array<FloppyType, 4> types{};
    for (std::size_t i = 0; i < 2; ++i) {
        const auto& [config, medium] = media[i];
        if (medium.device) types[i] = medium.info.drive;
        else if (config.present || i == 0) types[i] = FloppyType::M1_44;
    }
    return types;
}

std::array<Board::DriveMedium, 2> open_floppies(const MachineConfig& config,
                                                const MessageSink& tell)
{
    std::array<Board::DriveMedium, 2> media;
    for (std::size_t i = 0; i < 2; ++i) {
        media[i].config = config.floppy[i];
        if (!config.floppy[i].path.empty())
            media[i].medium = open_medium(config.floppy[i], ImageKind::Floppy, tell);
    }
    return media;
}

std::array<Board::DriveMedium, 4> open_ata(const MachineConfig& config, const MessageSink& tell)
{
    std::array<Board::DriveMedium, 4> media;
    for (std::size_t i = 0; i < 4; ++i) {
        media[i].config = config.ata[i];
        if (!config.ata[i].path.empty())
            media[i].medium = open_medium(
                config.ata[i], config.ata[i].cdrom ? ImageKind::Cdrom : ImageKind::HardDisk, tell);
    }
    return media;
}

std::unique_ptr<KernelBoot> open_kernel(const MachineConfig& config)
{
    const KernelConfig& kernel = config.kernel;
    if (!kernel.path.empty()) {
        const CpuModel& model = model_of(config);
        return std::make_unique<KernelBoot>(kernel,
                                            KernelHost{.memory_bytes = config.memory_bytes,
                                                       .cpu_model = config.cpu_model,
                                                       .is_32_bit = model.at_least(Level::I80386),
                                                       .is_64_bit = model.has(Feature::LongMode)});
    }
    if (!kernel.initrd.empty() || !kernel.append.empty() || !kernel.entry.empty())
        throw HostError(
            "an initrd, a command line or an entry is for a kernel, and there is none; name one "
            "with --kernel");
    return nullptr;
}

}  // namespace

Board::Board(const MachineConfig& machine_config, MessageSink tell)
    : bios_(load_system_bios(machine_config)),
      vgabios_(load_vgabios(machine_config.vgabios_path)),
      floppy_media_(open_floppies(machine_config, tell)),
      ata_media_(open_ata(machine_config, tell)),
      kernel_(open_kernel(machine_config)),
      config(machine_config),
      on_message(std::move(tell)),
      cpu_clock{config.cpu_mips_numerator * 1'000'000, config.cpu_mips_denominator},
      memory(config.memory_bytes),
      cpu(*this, model_of(config)),
      fdc(scheduler, floppy_types(floppy_media_), config.floppy_speed),
      vga_pci(kVgaIdentity)
{
    scheduler.on_armed = [this](Time deadline) { cpu.limit_run(clock_at(deadline)); };
    memory.on_changed = [this](u64 first, u64 size) {
        cpu.memory_written(first, size);
        cpu.memory_map_changed(first, size);
    };
    memory.on_written = [this](u64 address, u64 size) { cpu.memory_written(address, size); };
    cpu.on_log = [this](std::string_view message) { log(message); };

    connect_firmware();
    connect_interrupts();
    connect_timers();
    connect_dma();
    connect_keyboard();
    connect_serial_and_parallel();
    connect_disks();
    connect_pci();
    connect_vga();
    connect_boot_card();
    if (has_apic()) {
        connect_apic();
        connect_hpet();
        connect_power_management();
    }

    rtc.set_time(config.rtc_base);
    fill_cmos();
    reset();
}

Board::~Board() = default;

// ---- Interrupts --------------------------------------------------------------------------------

/// The interrupt lines of the ISA bus. Each goes to the 8259s, and to the I/O APIC's input of the same
/// number, the timer's too: SeaBIOS's tables name no other for it.
void Board::set_irq(int irq, bool level)
{
    pic[static_cast<std::size_t>(irq / 8 & 1)].set_irq(irq % 8, level);
    io_apic.set_pin(irq, level);
}

void Board::connect_interrupts()
{
    io.map(0x20, 0x21, pic[0]);
    io.map(0xA0, 0xA1, pic[1]);
    // INTR and NMI are the local APIC's LINT0 and LINT1; without one, it is just wires.
    pic[0].on_int = [this](bool level) { local_apic.set_lint(0, level); };
    local_apic.on_external_acknowledge = [this] { return pic[0].acknowledge(); };
    local_apic.on_intr = [this](bool level) { cpu.set_intr(level); };
    local_apic.on_nmi = [this] { cpu.raise_nmi(); };
    port_b.on_nmi = [this](bool level) { local_apic.set_lint(1, level && nmi_enabled_); };
    pic[1].on_int = [this](bool level) { pic[0].set_irq(2, level); };
    pic[0].on_cascade = [this](u8 cas) { return pic[1].acknowledge_cascade(cas); };

    rtc.on_irq = [this](bool) { update_timer_irqs(); };
    keyboard_controller.on_keyboard_irq = [this](bool level) { set_irq(1, level); };
    keyboard_controller.on_mouse_irq = [this](bool level) { set_irq(12, level); };
    uart[0].on_irq = [this](bool) { set_irq(4, uart_interrupt(0)); };
    uart[1].on_irq = [this](bool) { set_irq(3, uart_interrupt(1)); };
    uart[0].on_modem_control = [this](u8) { set_irq(4, uart_interrupt(0)); };
    uart[1].on_modem_control = [this](u8) { set_irq(3, uart_interrupt(1)); };
    parallel.on_irq = [this](bool level) { set_irq(7, level); };
    fdc.on_irq = [this](bool level) { set_irq(6, level); };
    ide.on_irq[0] = [this](bool level) { set_irq(14, level); };
    ide.on_irq[1] = [this](bool level) { set_irq(15, level); };

    cpu.on_ferr = [this](bool level) { coprocessor_error.set_ferr(level); };
    io.map(0xF0, 0xF0, coprocessor_error);
    coprocessor_error.on_irq = [this](bool level) { set_irq(13, level); };
    coprocessor_error.on_ignne = [this](bool level) { cpu.set_ignne(level); };

    io.map(0x4D0, 0x4D1, elcr);
    elcr.on_elcr = [this](u8 low, u8 high) {
        pic[0].set_elcr(low);
        pic[1].set_elcr(high);
    };
    pci.on_interrupt = [this](int wire, bool asserted) { isa_bridge.set_pirq(wire, asserted); };
    isa_bridge.on_irq = [this](int irq, bool level) {
        if (irq == 9) update_irq9();
        else set_irq(irq, level);
    };
}

/// On an AT adapter -OUT2 opens the driver of the interrupt line.
bool Board::uart_interrupt(std::size_t index) const
{
    return uart[index].irq() && (uart[index].modem_control() & 0x08);
}

// ---- Timers, speaker, NMI mask -----------------------------------------------------------------

void Board::connect_timers()
{
    io.map(0x40, 0x43, pit);
    pit.on_out[0] = [this](bool) { update_timer_irqs(); };
    pit.on_out[2] = [this](bool level) { speaker.set_timer_out(level); };
    io.map(0x61, 0x61, port_b);
    port_b.on_gate2 = [this](bool level) { pit.set_gate(2, level); };
    port_b.on_speaker_data = [this](bool level) { speaker.set_data_enable(level); };
    port_b.on_read_refresh = [this] { return (pit.cycles(1) & 1) != 0; };
    port_b.on_read_timer_out = [this] { return pit.out(2); };
    pit.set_gate(2, false);
    // The refresh timer as the power-on self test of an AT leaves it; SeaBIOS does not touch it.
    pit.write(3, 0x54);
    pit.write(1, 18);

    // Bit 7 of the index is not the RTC's: it masks NMI.
    io.map_bytes(
        0x70, 0x71, [this](u16 port) { return rtc.read(port & 1); },
        [this](u16 port, u8 value) {
            if (port == 0x70) nmi_enabled_ = !bit(value, 7);
            rtc.write(port & 1, port == 0x70 ? value & 0x7F : value);
        });
}

// ---- DMA ---------------------------------------------------------------------------------------

void Board::connect_dma()
{
    io.map(0x00, 0x0F, dma[0]);
    io.map_bytes(
        0xC0, 0xDF, [this](u16 port) { return dma[1].read((port >> 1) & 15); },
        [this](u16 port, u8 value) { dma[1].write((port >> 1) & 15, value); });
    io.map(0x80, 0x8F, dma_pages);

    for (int c = 0; c < 2; ++c) {
        auto& controller = dma[static_cast<std::size_t>(c)];
        controller.on_memory_read = [this, c](int channel, u16 address) {
            u8 data[2] = {};
            memory.read_block(dma_address(c, channel, address), {data, c == 0 ? 1u : 2u});
            return static_cast<u16>(data[0] | data[1] << 8);
        };
        controller.on_memory_write = [this, c](int channel, u16 address, u16 data) {
            const u8 bytes[2] = {static_cast<u8>(data), static_cast<u8>(data >> 8)};
            memory.write_block(dma_address(c, channel, address), {bytes, c == 0 ? 1u : 2u});
        };
    }
    dma[0].on_hrq = [this](bool level) { dma[1].set_dreq(0, level); };
    dma[1].on_dack[0] = [this](bool active) { dma[0].set_hlda(active); };

    dma[0].on_device_read[2] = [this] { return u16{fdc.dma_read()}; };
    dma[0].on_device_write[2] = [this](u16 data) { fdc.dma_write(static_cast<u8>(data)); };
    dma[0].on_terminal_count[2] = [this] { fdc.terminal_count(); };
    fdc.on_drq = [this](bool level) { dma[0].set_dreq(2, level); };
}

/// The AT's page registers by channel; the word controller's address is shifted and its page's bit
/// 0 is not connected.
u32 Board::dma_address(int controller, int channel, u16 address) const
{
    static constexpr int kPage[2][4] = {{0x7, 0x3, 0x1, 0x2}, {0xF, 0xB, 0x9, 0xA}};
    const u32 page = dma_pages.page(kPage[controller][channel & 3]);
    if (controller == 0) return page << 16 | address;
    return (page & 0xFE) << 16 | u32{address} << 1;
}

// ---- Keyboard, A20 and reset -------------------------------------------------------------------

void Board::connect_keyboard()
{
    io.map_bytes(
        0x60, 0x60, [this](u16) { return keyboard_controller.read(0); },
        [this](u16, u8 value) { keyboard_controller.write(0, value); });
    io.map_bytes(
        0x64, 0x64, [this](u16) { return keyboard_controller.read(4); },
        [this](u16, u8 value) { keyboard_controller.write(4, value); });
    keyboard_controller.connect_keyboard(keyboard);
    keyboard_controller.connect_mouse(mouse);
    keyboard_controller.on_a20 = [this](bool open) { set_a20(open); };
    keyboard_controller.on_reset = [this] { request_reset(); };

    io.map(0x92, 0x92, port_92);
    port_92.on_a20 = [this](bool open) { set_a20(open); };
    port_92.on_reset = [this] { request_reset(); };
    io.map(0xCF9, 0xCF9, reset_control);
    reset_control.on_reset = [this](bool) { request_reset(); };
}

/// The chip set's gate follows whichever of its two sources was written last.
void Board::set_a20(bool open)
{
    if (open == a20_) return;
    a20_ = open;
    cpu.a20_changed();
}

void Board::request_reset()
{
    reset_requested_ = true;
    cpu.limit_run(0);
}

void Board::reset()
{
    reset_requested_ = false;
    powered_off_ = false;
    local_apic.reset();
    map_local_apic();
    io_apic.reset();
    hpet.reset();
    pm.reset();
    port_b.reset();
    port_92.reset();
    keyboard_controller.reset();
    keyboard.reset();
    mouse.reset();
    dma[0].reset();
    dma[1].reset();
    for (Pic8259& chip : pic) chip.reset();
    elcr.reset();
    rtc.reset();
    for (Uart16550& chip : uart) chip.reset();
    parallel.reset();
    fdc.reset();
    for (AtaChannel& channel : ata) channel.reset();
    pci.reset();
    host_bridge.reset();
    isa_bridge.reset();
    reset_control.reset();
    coprocessor_error.reset();
    ide.reset();
    vga_pci.reset();
    vga.reset();
    if (boot_card) boot_card->reset();
    nmi_enabled_ = true;
    set_a20(true);
    cpu.reset();
}

// ---- Serial, parallel, debugging ---------------------------------------------------------------

void Board::connect_serial_and_parallel()
{
    io.map(0x3F8, 0x3FF, uart[0]);
    io.map(0x2F8, 0x2FF, uart[1]);
    // A null modem with somebody on the other side: CTS, DSR and DCD are active.
    for (Uart16550& chip : uart) chip.set_modem_inputs(0xB0);
    if (!config.parallel_path.empty()) {
        io.map(0x378, 0x37A, parallel);
        parallel.set_connected(true);
    }

    io.map(0xE9, 0xE9, debug_console);
    io.map(0x402, 0x402, debug_console);
    for (const u16 port : {u16{0xF4}, u16{0x501}})
        io.map_wide(
            port, port, [](u16, int) { return 0xFFu; },
            [this](u16, int size, u32 value) { debug_exit.write_wide(0, size, value); });
    debug_exit.on_exit = [this](u32 value) {
        exit_value = value;
        cpu.limit_run(0);
    };
    // Writes of POST codes also reach the page register that lies at the same port.
    const u16 port = config.post_port;
    io.map_bytes(
        port, port,
        [this, port](u16) {
            return port >= 0x80 && port < 0x90 ? dma_pages.read(port & 15) : post.read(0);
        },
        [this, port](u16, u8 value) {
            if (port >= 0x80 && port < 0x90) dma_pages.write(port & 15, value);
            post.write(0, value);
        });
}

// ---- The CPU's side ----------------------------------------------------------------------------

/// Chips see the time of the access.
u64 Board::read_memory(u64 address, int size)
{
    scheduler.set_now(time_of(cpu.clock_now()));
    return memory.read(address, size);
}

void Board::write_memory(u64 address, int size, u64 value)
{
    scheduler.set_now(time_of(cpu.clock_now()));
    memory.write(address, size, value);
}

u32 Board::read_port(u16 port, int size)
{
    scheduler.set_now(time_of(cpu.clock_now()));
    return io.read(port, size);
}

void Board::write_port(u16 port, int size, u32 value)
{
    scheduler.set_now(time_of(cpu.clock_now()));
    io.write(port, size, value);
}

u64 Board::clock_at(Time time) const
{
    const u64 clock = cpu_clock.ticks(time);
    return cpu_clock.time_of(clock) >= time ? clock : clock + 1;
}

void Board::log(std::string_view message)
{
    if (!on_guest_message || logged_.contains(message)) return;
    logged_.emplace(message);
    on_guest_message(message);
}

void Board::state_loaded()
{
    host_bridge.announce();
    ide.announce();
    vga_pci.announce();
    if (boot_card) boot_card->config.announce();
    vga.state_loaded();
    map_vga_window();
    map_local_apic();
    pm.announce();
    cpu.state_loaded();
}
}  // namespace reprise
