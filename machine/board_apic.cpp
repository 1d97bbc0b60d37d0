/// The part of the schematic that comes with a processor that has a local APIC: I/O APIC, HPET, and
/// ACPI power management. Addresses and wires are what SeaBIOS tells the guest in its ACPI and
/// MultiProcessor tables: ISA interrupts at the I/O APIC's inputs of the same number, PCI
/// interrupts among them (PIRQRC), and the SCI on IRQ 9.
#include "machine/base/bits.h"
#include "machine/board.h"

namespace reprise {

namespace {

constexpr u64 kIoApicBase = 0xFEC00000, kHpetBase = 0xFED00000, kPage = 0x1000;
// Above whatever PCI devices are moved to: the chip set and the processor look first.
constexpr int kChipsetLayer = 5, kLocalApicLayer = 6;

constexpr int kPmFunction = 3, kIsaSlot = 1;
constexpr u16 kApmPorts = 0xB2;
// Where SeaBIOS's FADT says that the GPE0 block is.
constexpr u16 kGpePorts = 0xAFE0;

// What SeaBIOS's FADT names as the values to be written to the SMI command port.
constexpr u8 kAcpiEnable = 0xF1, kAcpiDisable = 0xF0;

constexpr int kFirstHpetInput = 16;  // from here on inputs of the I/O APIC are low active

}  // namespace

// ---- APICs -------------------------------------------------------------------------------------

void Board::connect_apic()
{
    memory.map_mmio(
        kIoApicBase, kPage,
        [this](u64 offset, int size) { return io_apic.read(static_cast<u16>(offset), size); },
        [this](u64 offset, int size, u64 value) {
            io_apic.write(static_cast<u16>(offset), size, value);
        },
        kChipsetLayer);
    io_apic.on_message = [this](const ApicMessage& message) { return local_apic.receive(message); };
    local_apic.on_eoi = [this](u8 vector) { io_apic.end_of_interrupt(vector); };
    local_apic.on_smi = [this] { cpu.raise_smi(); };
    local_apic.on_log = [this](std::string_view message) { log(message); };
    for (int input = kFirstHpetInput; input < IoApic::kInputs; ++input)
        io_apic.set_pin(input, true);
}

void Board::map_local_apic()
{
    if (local_apic_region_ >= 0) memory.unmap(local_apic_region_);
    local_apic_region_ = -1;
    if (!local_apic.enabled()) return;
    local_apic_region_ = memory.map_mmio(
        local_apic.base_address(), kPage,
        [this](u64 offset, int size) { return local_apic.read(static_cast<u16>(offset), size); },
        [this](u64 offset, int size, u64 value) {
            local_apic.write(static_cast<u16>(offset), size, value);
        },
        kLocalApicLayer);
}

void Board::apic_base_changed(u64 value)
{
    scheduler.set_now(time_of(cpu.clock_now()));
    local_apic.set_base(value);
    map_local_apic();
}

void Board::write_task_priority(u8 cr8)
{
    scheduler.set_now(time_of(cpu.clock_now()));
    local_apic.write_cr8(cr8);
}

// ---- HPET --------------------------------------------------------------------------------------

void Board::connect_hpet()
{
    memory.map_mmio(
        kHpetBase, kPage,
        [this](u64 offset, int size) { return hpet.read(static_cast<u16>(offset), size); },
        [this](u64 offset, int size, u64 value) {
            hpet.write(static_cast<u16>(offset), size, value);
        },
        kChipsetLayer);
    hpet.on_interrupt = [this](int input, bool asserted) { io_apic.set_pin(input, !asserted); };
    hpet.on_legacy_interrupt = [this](int, bool) { update_timer_irqs(); };
    hpet.on_legacy_route = [this](bool) { update_timer_irqs(); };
}

/// "Legacy replacement": timers 0 and 1 of the HPET, or the 8254 and the RTC.
void Board::update_timer_irqs()
{
    const bool legacy = hpet.legacy_route();
    set_irq(0, legacy ? bit(hpet.state.legacy, 0) : pit.state.channel[0].out);
    set_irq(8, legacy ? bit(hpet.state.legacy, 1) : rtc.irq());
}

// ---- Power management --------------------------------------------------------------------------

/// The two commands with which ACPI takes the machine over from the firmware are carried out here:
/// SeaBIOS leaves them to the machine, and with or without an SMI#, its handler does nothing about
/// them.
void Board::connect_power_management()
{
    pci.attach(kIsaSlot, kPmFunction, pm.config);
    pm.on_sci = [this](bool) { update_irq9(); };
    pm.on_io_changed = [this](bool enabled, u16 base) { map_pm_ports(enabled, base); };
    pm.on_soft_off = [this] {
        powered_off_ = true;
        cpu.limit_run(0);
    };
    pm.on_smi = [this] { cpu.raise_smi(); };
    pm.on_apm_command = [this](u8 command) {
        if (command == kAcpiEnable || command == kAcpiDisable)
            pm.set_sci_enable(command == kAcpiEnable);
    };
    io.map_bytes(
        kApmPorts, kApmPorts + 1, [this](u16 port) { return pm.read_apm(port - kApmPorts); },
        [this](u16 port, u8 value) { pm.write_apm(port - kApmPorts, value); });
    io.map_bytes(
        kGpePorts, kGpePorts + Piix4Pm::kGpeBytes - 1,
        [this](u16 port) {
            return pm.read(static_cast<u16>(Piix4Pm::kGpeOffset + (port - kGpePorts)));
        },
        [this](u16 port, u8 value) {
            pm.write(static_cast<u16>(Piix4Pm::kGpeOffset + (port - kGpePorts)), value);
        });
}

void Board::map_pm_ports(bool enabled, u16 base)
{
    io.unmap(pm_ports_);
    pm_ports_ = enabled ? io.map(base, static_cast<u16>(base + Piix4Pm::kIoBytes - 1), pm) : u16{0};
}

/// PCI interrupts may be steered to the interrupt that the SCI is hardwired to.
void Board::update_irq9() { set_irq(9, pm.state.sci || bit(isa_bridge.state.irq, 9)); }

}  // namespace reprise
