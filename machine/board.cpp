/// The schematic: which pin of which chip goes where. Addresses and interrupts are those of the IBM
/// PC/AT (Technical Reference 1502494), and of the 440FX chip set for what is on PCI.
#include "machine/board.h"

#include <algorithm>

#include "machine/base/bits.h"
#include "machine/base/error.h"

namespace reprise {

namespace {

constexpr u64 kMegabyte = 1 << 20;
constexpr u64 kVgaWindow = 0xA0000, kVgaWindowSize = 0x20000;
// What lies over what where the guest lets regions overlap.
constexpr int kDirectWindowLayer = 1, kVgaRegistersLayer = 2, kFramebufferLayer = 3, kVgaRomLayer = 4;

// PCI slots, as QEMU's "pc" and with it SeaBIOS has them.
constexpr int kChipsetSlot = 0, kIsaSlot = 1, kVgaSlot = 2;

constexpr PciDevice::Identity kVgaIdentity{
    .vendor = 0x1234, .device = 0x1111, .class_code = 0x030000, .revision = 2};
constexpr int kVgaFramebufferBar = 0, kVgaRegistersBar = 2;

const CpuModel& model_of(const MachineConfig& config)
{
    const CpuModel* model = find_cpu_model(config.cpu_model);
    if (!model) throw HostError("unknown CPU model '" + config.cpu_model + "'");
    return *model;
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

std::array<Board::DriveMedium, 2> open_floppies(const MachineConfig& config, const MessageSink& tell)
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
            media[i].medium = open_medium(config.ata[i],
                                          config.ata[i].cdrom ? ImageKind::Cdrom : ImageKind::HardDisk, tell);
    }
    return media;
}

}  // namespace

Board::Board(const MachineConfig& machine_config, MessageSink tell)
    : bios_(load_bios(machine_config.bios_path)), vgabios_(load_vgabios(machine_config.vgabios_path)),
      floppy_media_(open_floppies(machine_config, tell)), ata_media_(open_ata(machine_config, tell)),
      config(machine_config), on_message(std::move(tell)),
      cpu_clock{config.cpu_mips_numerator * 1'000'000, config.cpu_mips_denominator},
      memory(config.memory_bytes), cpu(*this, model_of(config)),
      fdc(scheduler, floppy_types(floppy_media_), config.floppy_speed), vga_pci(kVgaIdentity)
{
    scheduler.on_armed = [this](Time deadline) { cpu.limit_run(clock_at(deadline)); };
    memory.on_changed = [this](u64 first, u64 size) {
        cpu.memory_written(first, size);
        cpu.flush_tlb();
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

    rtc.set_time(config.rtc_base);
    fill_cmos();
    reset();
}

Board::~Board() = default;

// ---- Interrupts --------------------------------------------------------------------------------

void Board::connect_interrupts()
{
    io.map(0x20, 0x21, pic[0]);
    io.map(0xA0, 0xA1, pic[1]);
    pic[0].on_int = [this](bool level) { cpu.set_intr(level); };
    pic[1].on_int = [this](bool level) { pic[0].set_irq(2, level); };
    pic[0].on_cascade = [this](u8 cas) { return pic[1].acknowledge_cascade(cas); };

    rtc.on_irq = [this](bool level) { pic[1].set_irq(0, level); };                   // IRQ 8
    keyboard_controller.on_keyboard_irq = [this](bool level) { pic[0].set_irq(1, level); };
    keyboard_controller.on_mouse_irq = [this](bool level) { pic[1].set_irq(4, level); };  // IRQ 12
    uart[0].on_irq = [this](bool) { pic[0].set_irq(4, uart_interrupt(0)); };
    uart[1].on_irq = [this](bool) { pic[0].set_irq(3, uart_interrupt(1)); };
    uart[0].on_modem_control = [this](u8) { pic[0].set_irq(4, uart_interrupt(0)); };
    uart[1].on_modem_control = [this](u8) { pic[0].set_irq(3, uart_interrupt(1)); };
    parallel.on_irq = [this](bool level) { pic[0].set_irq(7, level); };
    fdc.on_irq = [this](bool level) { pic[0].set_irq(6, level); };
    ide.on_irq[0] = [this](bool level) { pic[1].set_irq(6, level); };  // IRQ 14
    ide.on_irq[1] = [this](bool level) { pic[1].set_irq(7, level); };  // IRQ 15

    io.map(0x4D0, 0x4D1, elcr);
    elcr.on_elcr = [this](u8 low, u8 high) {
        pic[0].set_elcr(low);
        pic[1].set_elcr(high);
    };
    pci.on_interrupt = [this](int wire, bool asserted) { isa_bridge.set_pirq(wire, asserted); };
    isa_bridge.on_irq = [this](int irq, bool level) {
        pic[static_cast<std::size_t>(irq / 8 & 1)].set_irq(irq % 8, level);
    };
    port_b.on_nmi = [this](bool level) {
        if (level && nmi_enabled_) cpu.raise_nmi();
    };
}

/// On an AT adapter -OUT2 opens the driver of the interrupt line.
bool Board::uart_interrupt(std::size_t index) const
{
    return uart[index].irq() && (uart[index].modem_control() & 0x08);
}

u8 Board::acknowledge_interrupt() { return pic[0].acknowledge(); }

// ---- Timers, speaker, NMI mask -----------------------------------------------------------------

void Board::connect_timers()
{
    io.map(0x40, 0x43, pit);
    pit.on_out[0] = [this](bool level) { pic[0].set_irq(0, level); };
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
    io.map_bytes(0x70, 0x71, [this](u16 port) { return rtc.read(port & 1); },
                 [this](u16 port, u8 value) {
                     if (port == 0x70) nmi_enabled_ = !bit(value, 7);
                     rtc.write(port & 1, port == 0x70 ? value & 0x7F : value);
                 });
}

// ---- DMA ---------------------------------------------------------------------------------------

void Board::connect_dma()
{
    io.map(0x00, 0x0F, dma[0]);
    io.map_bytes(0xC0, 0xDF, [this](u16 port) { return dma[1].read((port >> 1) & 15); },
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

/// The AT's page registers by channel; the word controller's address is shifted and its page's bit 0
/// is not connected.
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
    io.map_bytes(0x60, 0x60, [this](u16) { return keyboard_controller.read(0); },
                 [this](u16, u8 value) { keyboard_controller.write(0, value); });
    io.map_bytes(0x64, 0x64, [this](u16) { return keyboard_controller.read(4); },
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
    cpu.flush_tlb();
}

void Board::request_reset()
{
    reset_requested_ = true;
    cpu.limit_run(0);
}

void Board::reset()
{
    reset_requested_ = false;
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
    ide.reset();
    vga_pci.reset();
    vga.reset();
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
        io.map_wide(port, port, [](u16, int) { return 0xFFu; },
                    [this](u16, int size, u32 value) { debug_exit.write_wide(0, size, value); });
    debug_exit.on_exit = [this](u32 value) {
        exit_value = value;
        cpu.limit_run(0);
    };
    // Writes of POST codes also reach the page register that lies at the same port.
    const u16 port = config.post_port;
    io.map_bytes(port, port,
                 [this, port](u16) { return port >= 0x80 && port < 0x90 ? dma_pages.read(port & 15) : post.read(0); },
                 [this, port](u16, u8 value) {
                     if (port >= 0x80 && port < 0x90) dma_pages.write(port & 15, value);
                     post.write(0, value);
                 });
}

// ---- Disks -------------------------------------------------------------------------------------

void Board::connect_disks()
{
    fdc.on_log = [this](std::string_view message) { log(message); };
    io.map(0x3F0, 0x3F5, fdc);
    io.map_bytes(0x3F7, 0x3F7, [this](u16) { return fdc.read(7); },
                 [this](u16, u8 value) { fdc.write(7, value); });
    for (int i = 0; i < 2; ++i) {
        const Medium& medium = floppy_medium(i).medium;
        if (medium.device) fdc.insert(i, medium.device.get(), medium.info.geometry);
    }

    for (std::size_t i = 0; i < 4; ++i) {
        const auto& [drive, medium] = ata_media_[i];
        const std::string name = "ata" + std::to_string(i / 2) + '.' + std::to_string(i % 2);
        if (drive.cdrom) {
            cdroms[i] = std::make_unique<AtapiCdrom>(scheduler, name);
            if (medium.device) cdroms[i]->insert(medium.device.get());
            ata[i / 2].attach(static_cast<int>(i % 2), cdroms[i]->port);
        } else if (medium.device) {
            disks[i] = std::make_unique<AtaDisk>(scheduler, name, medium.device.get(), medium.info.geometry);
            ata[i / 2].attach(static_cast<int>(i % 2), disks[i]->port);
        }
    }

    static constexpr u16 kCommandBlock[2] = {0x1F0, 0x170}, kControl[2] = {0x3F6, 0x376};
    for (std::size_t c = 0; c < 2; ++c) {
        AtaChannel& channel = ata[c];
        const u16 base = kCommandBlock[c];
        const auto on = [this, c] { return ide.channel_enabled(static_cast<int>(c)); };
        io.map_wide(base, base + 7,
                    [&channel, base, on](u16 port, int size) -> u32 {
                        if (!on()) return ~0u;
                        if (port == base) return channel.read_data(size);
                        u32 value = 0;
                        for (int i = 0; i < size; ++i)
                            value |= u32{channel.read(static_cast<u16>(port - base + i))} << 8 * i;
                        return value;
                    },
                    [&channel, base, on](u16 port, int size, u32 value) {
                        if (!on()) return;
                        if (port == base) return channel.write_data(value, size);
                        for (int i = 0; i < size; ++i)
                            channel.write(static_cast<u16>(port - base + i), static_cast<u8>(value >> 8 * i));
                    });
        io.map_bytes(kControl[c], kControl[c],
                     [&channel, on](u16) { return on() ? channel.read_control() : u8{0xFF}; },
                     [&channel, on](u16, u8 value) { if (on()) channel.write_control(value); });
    }
    ide.on_memory_read = [this](u64 address, std::span<u8> out) { memory.read_block(address, out); };
    ide.on_memory_write = [this](u64 address, std::span<const u8> data) { memory.write_block(address, data); };
}

// ---- PCI ---------------------------------------------------------------------------------------

void Board::connect_pci()
{
    io.map_wide(0xCF8, 0xCFF, [this](u16 port, int size) -> u32 {
                    if (port == 0xCF9 && size == 1) return reset_control.read(0);
                    return pci.read(port - 0xCF8, size);
                },
                [this](u16 port, int size, u32 value) {
                    if (port == 0xCF9 && size == 1) return reset_control.write(0, static_cast<u8>(value));
                    pci.write(port - 0xCF8, size, value);
                });
    pci.attach(kChipsetSlot, 0, host_bridge.config);
    pci.attach(kIsaSlot, 0, isa_bridge.config);
    pci.attach(kIsaSlot, 1, ide.config);
    pci.attach(kVgaSlot, 0, vga_pci);

    host_bridge.on_pam_changed = [this](u32 first, u32 last, bool read_ram, bool write_ram) {
        memory.set_shadow(first, u64{last} - first + 1, read_ram, write_ram);
    };
    ide.config.on_bar_changed = [this](int bar, const PciDevice::Mapping& mapping) {
        if (bar != PiixIde::kBusMasterBar) return;
        io.unmap(bus_master_ports_);
        bus_master_ports_ = 0;
        if (mapping.enabled && mapping.base + mapping.size <= 0x10000)
            bus_master_ports_ = io.map(static_cast<u16>(mapping.base),
                                       static_cast<u16>(mapping.base + mapping.size - 1), ide);
    };
}

// ---- VGA ---------------------------------------------------------------------------------------

void Board::connect_vga()
{
    io.map_bytes(0x3B0, 0x3DF, [this](u16 port) { return vga.read(port - 0x3B0); },
                 [this](u16 port, u8 value) { vga.write(port - 0x3B0, value); });
    // The parallel port of an MDA card lies in this range and is not there.
    io.map_bytes(0x3BC, 0x3BF, {}, {});
    io.map_wide(0x1CE, 0x1D0,
                [this](u16 port, int size) -> u32 {
                    return size == 2 ? vga.dispi_read(port == 0x1CE ? 0 : 1) : 0xFFFFFFFF;
                },
                [this](u16 port, int size, u32 value) {
                    if (size >= 2) vga.dispi_write(port == 0x1CE ? 0 : 1, static_cast<u16>(value));
                });
    connect_vga_window();
    vga.on_mapping_changed = [this] { map_vga_window(); };

    vga_pci.declare_bar(kVgaFramebufferBar, PciDevice::BarKind::Prefetchable, static_cast<u32>(vga.vram().size()));
    vga_pci.declare_bar(kVgaRegistersBar, PciDevice::BarKind::Memory, 0x1000);
    vga_pci.declare_bar(PciDevice::kRomBar, PciDevice::BarKind::Rom, 0x10000);
    vga_pci.declare(0x04, 0, 0x07);  // Command: the VGA ports are I/O space without a BAR
    vga_pci.on_bar_changed = [this](int bar, const PciDevice::Mapping& mapping) {
        MemoryMap::Region& region = bar == kVgaFramebufferBar ? vga_linear_
                                    : bar == kVgaRegistersBar ? vga_registers_
                                                              : vga_rom_region_;
        if (region >= 0) memory.unmap(region);
        region = -1;
        if (!mapping.enabled) return;
        if (bar == kVgaFramebufferBar) region = memory.map_memory(mapping.base, mapping.size, vga.vram().data(), vga.vram().data(), kFramebufferLayer);
        else if (bar == kVgaRegistersBar) region = map_vga_registers(mapping.base, mapping.size);
        else region = memory.map_memory(mapping.base, mapping.size, vga_rom_.data(), nullptr, kVgaRomLayer);
    };
}

/// The second BAR of QEMU's stdvga (docs/specs/standard-vga): VGA ports from 400h, DISPI registers
/// from 500h.
MemoryMap::Region Board::map_vga_registers(u64 base, u64 size)
{
    const auto read = [this](u64 offset, int width) -> u64 {
        if (offset >= 0x400 && offset < 0x420) {
            u64 value = 0;
            for (int i = 0; i < width; ++i)
                value |= u64{vga.read(static_cast<u16>(0x10 + offset - 0x400 + static_cast<u64>(i)))} << 8 * i;
            return value;
        }
        if (offset >= 0x500 && offset < 0x516 && width == 2) return vga.dispi_register(static_cast<u16>((offset - 0x500) / 2));
        return offset < 0x400 ? 0 : ~u64{0};  // no EDID
    };
    const auto write = [this](u64 offset, int width, u64 value) {
        if (offset >= 0x400 && offset < 0x420)
            for (int i = 0; i < width; ++i)
                vga.write(static_cast<u16>(0x10 + offset - 0x400 + static_cast<u64>(i)), static_cast<u8>(value >> 8 * i));
        if (offset >= 0x500 && offset < 0x516 && width == 2)
            vga.set_dispi_register(static_cast<u16>((offset - 0x500) / 2), static_cast<u16>(value));
    };
    return memory.map_mmio(base, size, read, write, kVgaRegistersLayer);
}

/// The window of the card below 1 MB: every access is the VGA's, except while part of it is nothing
/// but memory, which the CPU then reaches by itself.
void Board::map_vga_window()
{
    const std::optional<DirectWindow> direct = vga.direct_window();
    if (vga_direct_ >= 0) memory.unmap(vga_direct_);
    vga_direct_ = -1;
    if (direct)
        vga_direct_ = memory.map_memory(kVgaWindow + direct->window_offset, direct->size, direct->host, direct->host, kDirectWindowLayer);
}

void Board::connect_vga_window()
{
    memory.map_mmio(kVgaWindow, kVgaWindowSize,
        [this](u64 offset, int size) {
            u64 value = 0;
            for (int i = 0; i < size; ++i) value |= u64{vga.memory_read(static_cast<u32>(offset + static_cast<u64>(i)))} << 8 * i;
            return value;
        },
        [this](u64 offset, int size, u64 value) {
            for (int i = 0; i < size; ++i)
                vga.memory_write(static_cast<u32>(offset + static_cast<u64>(i)), static_cast<u8>(value >> 8 * i));
        });
}

// ---- Firmware and CMOS -------------------------------------------------------------------------

/// The BIOS ends at 4 GB, and its last 128 KB are seen below 1 MB until shadow RAM takes over.
void Board::connect_firmware()
{
    std::vector<u8>& rom = bios_.bytes;
    memory.map_memory(0x100000000 - rom.size(), rom.size(), rom.data(), nullptr);
    const std::size_t low = std::min<std::size_t>(rom.size(), 0x20000);
    std::span<u8> shadowed = memory.shadowed_rom();
    std::copy(rom.end() - static_cast<std::ptrdiff_t>(low), rom.end(), shadowed.end() - static_cast<std::ptrdiff_t>(low));

    vga_rom_ = vgabios_.bytes;
    vga_rom_.resize(0x10000, 0xFF);
}

/// What the set-up program of an AT would have stored (IBM PC/AT Technical Reference, "RT/CMOS RAM"),
/// with SeaBIOS's boot order in 3Dh and 38h.
void Board::fill_cmos()
{
    const u64 bytes = memory.ram.size();
    const u64 extended_kb = bytes > kMegabyte ? std::min<u64>((bytes - kMegabyte) / 1024, 0xFC00) : 0;
    const u64 above_16m = bytes > 16 * kMegabyte ? std::min<u64>((bytes - 16 * kMegabyte) / 0x10000, 0xFFFF) : 0;
    const auto set16 = [this](u8 index, u64 value) {
        rtc.set_ram(index, static_cast<u8>(value));
        rtc.set_ram(index + 1, static_cast<u8>(value >> 8));
    };
    set16(0x15, 640);
    set16(0x17, extended_kb);
    set16(0x30, extended_kb);
    set16(0x34, above_16m);

    // Types: 1 360K, 2 1.2M, 3 720K, 4 1.44M, 5 2.88M: FloppyType in the same order.
    const u8 a = static_cast<u8>(fdc.drive(0).type()), b = static_cast<u8>(fdc.drive(1).type());
    rtc.set_ram(0x10, static_cast<u8>(a << 4 | b));
    const int floppies = (a != 0) + (b != 0);
    u8 equipment = 0x04;  // PS/2 mouse
    if (floppies != 0) equipment |= static_cast<u8>(1 | (floppies - 1) << 6);
    rtc.set_ram(0x14, equipment);

    u8 translation = 0;  // two bits a drive: 0 none, 1 LBA
    for (std::size_t i = 0; i < 4; ++i)
        if (disks[i] && disks[i]->geometry().cylinders > 1024) translation |= static_cast<u8>(1 << 2 * i);
    rtc.set_ram(0x39, translation);
    rtc.set_ram(0x12, static_cast<u8>((disks[0] ? 0xF0 : 0) | (disks[1] ? 0x0F : 0)));
    if (disks[0]) rtc.set_ram(0x19, 47);
    if (disks[1]) rtc.set_ram(0x1A, 47);

    u8 order[3] = {};
    std::size_t n = 0;
    for (const char c : boot_order())
        if (n < 3) order[n++] = c == 'a' ? 1 : c == 'c' ? 2 : 3;
    rtc.set_ram(0x3D, static_cast<u8>(order[0] | order[1] << 4));
    rtc.set_ram(0x38, static_cast<u8>(order[2] << 4 | 1));  // bit 0: any floppy may be booted

    u32 sum = 0;
    for (u8 i = 0x10; i < 0x2E; ++i) sum += rtc.ram(i);
    rtc.set_ram(0x2E, static_cast<u8>(sum >> 8));
    rtc.set_ram(0x2F, static_cast<u8>(sum));
}

/// As configured, or: what has a medium, floppy before hard disk before CD.
std::string Board::boot_order() const
{
    if (!config.boot_order.empty()) return config.boot_order;
    std::string order;
    const auto add = [&](bool present, char drive) { if (present) order += drive; };
    const auto any = [](const auto& drives) { return std::ranges::any_of(drives, [](const auto& d) { return d != nullptr; }); };
    bool disc = false;
    for (const auto& [drive, medium] : ata_media_) disc = disc || (drive.cdrom && medium.device);
    add(floppy_media_[0].medium.device != nullptr, 'a');
    add(any(disks), 'c');
    add(disc, 'd');
    for (const char drive : {'a', 'c', 'd'})
        if (order.find(drive) == std::string::npos) order += drive;
    return order;
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
    vga.state_loaded();
    map_vga_window();
    cpu.state_loaded();
}

// ---- Media -------------------------------------------------------------------------------------

void Board::change_medium(const MediaInput& change)
{
    const auto& [drive, path, read_only, snapshot] = change;
    const bool floppy = drive == "fda" || drive == "fdb";
    const bool disc = drive.size() == 3 && drive.starts_with("hd") && drive[2] >= 'a' && drive[2] <= 'd';
    const std::size_t index = floppy ? drive[2] - 'a' : disc ? drive[2] - 'a' : 0;
    if (!floppy && !(disc && cdroms[index]))
        throw HostError("there is no drive '" + drive + "' whose medium could be changed; floppy drives are fda and fdb, CD-ROM drives hda to hdd");
    DriveMedium& place = floppy ? floppy_media_[index] : ata_media_[index];
    DriveConfig wanted = place.config;
    wanted.path = path;
    wanted.geometry.reset();
    wanted.read_only = read_only;
    wanted.snapshot = snapshot;
    Medium opened;
    if (!path.empty()) opened = open_medium(wanted, floppy ? ImageKind::Floppy : ImageKind::Cdrom, on_message);
    if (place.medium.device && !place.medium.device->flush())
        throw HostError("could not write '" + place.config.path + "' before ejecting it; it stays in the drive");

    if (floppy) fdc.eject(static_cast<int>(index));
    else cdroms[index]->eject();
    place.medium = std::move(opened);
    place.config = wanted;
    (floppy ? config.floppy[index] : config.ata[index]) = wanted;
    if (!place.medium.device) return;
    if (floppy) fdc.insert(static_cast<int>(index), place.medium.device.get(), place.medium.info.geometry);
    else cdroms[index]->insert(place.medium.device.get());
}

void Board::flush_media()
{
    const auto flush = [](DriveMedium& place) {
        if (place.medium.device && !place.medium.device->flush())
            throw HostError("could not write everything to '" + place.config.path + "'; is its disk full?");
    };
    for (DriveMedium& place : floppy_media_) flush(place);
    for (DriveMedium& place : ata_media_) flush(place);
}

}  // namespace reprise
