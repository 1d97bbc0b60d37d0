#include <gtest/gtest.h>

#include <vector>

#include "devices/pci/i440fx.h"
#include "devices/pci/pci_bus.h"
#include "devices/pci/piix3.h"

using namespace reprise;

namespace {

u32 config_read(PciBus& bus, int slot, int function, u32 offset, int size)
{
    bus.write(0, 4, 0x8000'0000u | static_cast<u32>(slot << 11 | function << 8) | (offset & 0xFC));
    return bus.read(static_cast<u16>(4 + (offset & 3)), size);
}

/// The display controller that SeaBIOS expects: frame buffer, registers and a ROM.
PciDevice make_display()
{
    PciDevice device(
        {.vendor = 0x1234, .device = 0x1111, .class_code = 0x03'00'00, .interrupt_pin = 1});
    device.declare_bar(0, PciDevice::BarKind::Prefetchable, 16 << 20);
    device.declare_bar(2, PciDevice::BarKind::Memory, 4096);
    device.declare_bar(PciDevice::kRomBar, PciDevice::BarKind::Rom, 65'536);
    return device;
}

}  // namespace

TEST(PciBus, ConfigAddressReadsBackOnlyAsADword)
{
    PciBus bus;
    bus.write(0, 4, 0x8000'0000);
    EXPECT_EQ(bus.read(0, 4), 0x8000'0000u);
    EXPECT_EQ(bus.read(0, 1), 0xFFu);
    bus.write(1, 1, 0x55);
    EXPECT_EQ(bus.read(0, 4), 0x8000'0000u);
    bus.write(0, 4, 0xFFFF'FFFF);
    EXPECT_EQ(bus.read(0, 4), 0x80FF'FFFCu);
}

TEST(PciBus, AbsentDevicesReadAsAllOnes)
{
    PciBus bus;
    I440Fx bridge;
    bus.attach(0, 0, bridge.config);
    EXPECT_EQ(config_read(bus, 0, 0, 0, 4), 0x1237'8086u);
    EXPECT_EQ(config_read(bus, 0, 1, 0, 4), 0xFFFF'FFFFu);
    EXPECT_EQ(config_read(bus, 5, 0, 0, 2), 0xFFFFu);
    bus.write(0, 4, 0x8001'0000);  // bus 1
    EXPECT_EQ(bus.read(4, 4), 0xFFFF'FFFFu);
    bus.write(0, 4, 0x0000'0000);  // not enabled
    EXPECT_EQ(bus.read(4, 1), 0xFFu);
}

TEST(PciBus, ConfigDataIsReadInBytesAndWords)
{
    PciBus bus;
    Piix3 bridge;
    bus.attach(1, 0, bridge.config);
    EXPECT_EQ(config_read(bus, 1, 0, 0x02, 2), 0x7000u);
    EXPECT_EQ(config_read(bus, 1, 0, 0x0B, 1), 0x06u);
    EXPECT_EQ(config_read(bus, 1, 0, 0x0A, 1), 0x01u);
    EXPECT_EQ(config_read(bus, 1, 0, 0x0E, 1), 0x80u);
}

TEST(PciBus, InterruptPinsRotateFromSlotToSlotAndAreShared)
{
    PciBus bus;
    std::vector<std::pair<int, bool>> log;
    bus.on_interrupt = [&](int wire, bool level) { log.emplace_back(wire, level); };
    bus.set_interrupt(1, 1, true);  // INTA# of slot 1
    bus.set_interrupt(2, 4, true);  // INTD# of slot 2: the same wire
    bus.set_interrupt(1, 1, false);
    bus.set_interrupt(2, 4, false);
    bus.set_interrupt(3, 1, true);
    EXPECT_EQ(log, (std::vector<std::pair<int, bool>>{{0, true}, {0, false}, {2, true}}));
}

TEST(PciDevice, BarsAreSizedByWritingAllOnes)
{
    PciDevice device = make_display();
    device.write(0x10, 4, ~0u);
    EXPECT_EQ(device.read(0x10, 4), 0xFF00'0008u);
    device.write(0x18, 4, ~0u);
    EXPECT_EQ(device.read(0x18, 4), 0xFFFF'F000u);
    device.write(0x30, 4, ~0u);
    EXPECT_EQ(device.read(0x30, 4), 0xFFFF'0001u);
    device.write(0x14, 4, ~0u);
    EXPECT_EQ(device.read(0x14, 4), 0u);
}

TEST(PciDevice, MappingsAreAnnouncedWhenTheyBeginMoveAndEnd)
{
    PciDevice device = make_display();
    std::vector<std::pair<int, PciDevice::Mapping>> log;
    device.on_bar_changed = [&](int bar, const PciDevice::Mapping& m) { log.emplace_back(bar, m); };
    device.write(0x10, 4, 0xFD00'0000);
    EXPECT_TRUE(log.empty());
    device.write(0x04, 2, 0x0007);  // I/O space is hardwired to 0 without an I/O BAR
    EXPECT_EQ(device.read(0x04, 2), 0x0006u);
    ASSERT_EQ(log.size(), 1u);
    EXPECT_EQ(log[0].first, 0);
    EXPECT_EQ(log[0].second, (PciDevice::Mapping{true, 0xFD00'0000, 16 << 20}));
    device.write(0x13, 1, 0xE0);
    EXPECT_EQ(log.back().second.base, 0xE000'0000u);
    device.write(0x04, 1, 0);
    EXPECT_FALSE(log.back().second.enabled);
    EXPECT_EQ(log.size(), 3u);
}

TEST(PciDevice, TheRomNeedsItsOwnEnableBit)
{
    PciDevice device = make_display();
    device.write(0x04, 2, 0x0002);
    device.write(0x30, 4, 0xFEB0'0000);
    EXPECT_FALSE(device.mapping(PciDevice::kRomBar).enabled);
    device.write(0x30, 4, 0xFEB0'0001);
    EXPECT_EQ(device.mapping(PciDevice::kRomBar), (PciDevice::Mapping{true, 0xFEB0'0000, 65'536}));
}

TEST(PciDevice, IdentityCannotBeWrittenAndResetRestores)
{
    PciDevice device = make_display();
    device.write(0x00, 4, 0);
    device.write(0x08, 4, 0);
    device.write(0x3C, 2, 0xFF0B);
    EXPECT_EQ(device.read(0x00, 4), 0x1111'1234u);
    EXPECT_EQ(device.read(0x0B, 1), 0x03u);
    EXPECT_EQ(device.read(0x3C, 2), 0x010Bu);
    device.reset();
    EXPECT_EQ(device.read(0x3C, 2), 0x0100u);
}

TEST(PciDevice, AnnounceRepeatsWhatALoadedStateSays)
{
    PciDevice device = make_display();
    device.write(0x10, 4, 0xFD00'0000);
    device.write(0x04, 2, 0x0002);
    PciDevice copy = make_display();
    copy.state = device.state;
    std::vector<int> bars;
    copy.on_bar_changed = [&](int bar, const PciDevice::Mapping& m) {
        if (m.enabled) bars.push_back(bar);
    };
    copy.announce();
    EXPECT_EQ(bars, (std::vector<int>{0}));
}

TEST(I440Fx, PamRegistersSwitchSegmentsBetweenRomAndRam)
{
    struct Segment {
        u32 first, last;
        bool read, write;
        bool operator==(const Segment&) const = default;
    };
    I440Fx bridge;
    std::vector<Segment> log;
    bridge.on_pam_changed = [&](u32 first, u32 last, bool read, bool write) {
        log.push_back({first, last, read, write});
    };
    bridge.config.write(0x59, 1, 0x30);
    EXPECT_EQ(log, (std::vector<Segment>{{0xF0000, 0xFFFFF, true, true}}));
    log.clear();
    bridge.config.write(0x5A, 1, 0x12);
    EXPECT_EQ(log, (std::vector<Segment>{{0xC0000, 0xC3FFF, false, true},
                                         {0xC4000, 0xC7FFF, true, false}}));
    log.clear();
    bridge.config.write(0x5C, 4, 0x3333'3333);
    EXPECT_EQ(log.front(), (Segment{0xD0000, 0xD3FFF, true, true}));
    EXPECT_EQ(log.back(), (Segment{0xEC000, 0xEFFFF, true, true}));
    EXPECT_EQ(log.size(), 8u);
    log.clear();
    bridge.reset();
    EXPECT_EQ(log.size(), 13u);
    for (const Segment& segment : log) EXPECT_FALSE(segment.read || segment.write);
}

TEST(I440Fx, SmramIsLockedUntilReset)
{
    I440Fx bridge;
    bool open = false;
    bridge.on_smram_changed = [&](bool data, bool) { open = data; };
    EXPECT_EQ(bridge.config.read(0x72, 1), 0x02u);
    bridge.config.write(0x72, 1, 0x48);
    EXPECT_TRUE(open);
    bridge.config.write(0x72, 1, 0x58);
    EXPECT_FALSE(open);
    bridge.config.write(0x72, 1, 0x48);
    EXPECT_FALSE(open);
    EXPECT_EQ(bridge.config.read(0x72, 1), 0x1Au);
    bridge.set_smiact(true);
    EXPECT_TRUE(open) << "for the handler it is not locked";
    bridge.config.write(0x72, 1, 0x00);
    EXPECT_TRUE(open) << "G_SMRAME is locked too";
    bridge.set_smiact(false);
    EXPECT_FALSE(open);
    bridge.reset();
    EXPECT_EQ(bridge.config.read(0x72, 1), 0x02u);
}

TEST(I440Fx, SmramIsVisibleAsItsRegisterSays)  // 290549, SMRAM
{
    struct Case {
        u8 smram;
        bool data, code;          // of programs
        bool smm_data, smm_code;  // in system management mode
    };
    for (const Case& c :
         {Case{0x00, false, false, false, false},  // G_SMRAME is off
          Case{0x40, false, false, false, false}, Case{0x08, false, false, true, true},
          Case{0x48, true, true, true, true},        // D_OPEN
          Case{0x28, false, false, false, true}}) {  // D_CLS
        I440Fx bridge;
        bool data = false, code = false;
        bridge.on_smram_changed = [&](bool for_data, bool for_code) {
            data = for_data;
            code = for_code;
        };
        bridge.config.write(0x72, 1, c.smram);
        EXPECT_EQ(data, c.data) << int{c.smram};
        EXPECT_EQ(code, c.code) << int{c.smram};
        bridge.set_smiact(true);
        EXPECT_EQ(data, c.smm_data) << int{c.smram};
        EXPECT_EQ(code, c.smm_code) << int{c.smram};
        bridge.set_smiact(false);
        EXPECT_EQ(data, c.data) << int{c.smram};
        EXPECT_EQ(code, c.code) << int{c.smram};
    }
}

TEST(Piix3, PirqsFollowTheirRouting)
{
    Piix3 bridge;
    std::vector<std::pair<int, bool>> irqs;
    std::vector<std::pair<int, int>> routes;
    bridge.on_irq = [&](int irq, bool level) { irqs.emplace_back(irq, level); };
    bridge.on_pirq_route = [&](int pirq, int irq) { routes.emplace_back(pirq, irq); };
    bridge.set_pirq(0, true);
    EXPECT_TRUE(irqs.empty());  // routing is disabled after reset
    bridge.config.write(0x60, 4, 0x0B0A'0B0A);
    EXPECT_EQ(routes.size(), 4u);
    EXPECT_EQ(irqs, (std::vector<std::pair<int, bool>>{{10, true}}));
    bridge.set_pirq(2, true);  // shares interrupt 10
    bridge.set_pirq(0, false);
    EXPECT_EQ(irqs.size(), 1u);
    bridge.set_pirq(2, false);
    EXPECT_EQ(irqs.back(), (std::pair<int, bool>{10, false}));
    bridge.set_pirq(1, true);
    bridge.config.write(0x61, 1, 0x80);
    EXPECT_EQ(irqs.back(), (std::pair<int, bool>{11, false}));
    bridge.config.write(0x61, 1, 0x02);  // not a steerable interrupt
    EXPECT_EQ(routes.back(), (std::pair<int, int>{1, -1}));
}

TEST(Elcr, SystemInterruptsStayEdgeTriggered)
{
    Elcr elcr;
    u8 low = 0, high = 0;
    elcr.on_elcr = [&](u8 l, u8 h) {
        low = l;
        high = h;
    };
    elcr.write(0, 0xFF);
    elcr.write(1, 0xFF);
    EXPECT_EQ(low, 0xF8);
    EXPECT_EQ(high, 0xDE);
    EXPECT_EQ(elcr.read(0), 0xF8);
}

TEST(ResetControl, RcpuResetsOnItsRisingEdge)
{
    ResetControl control;
    std::vector<bool> resets;
    control.on_reset = [&](bool hard) { resets.push_back(hard); };
    control.write(0, 0x02);
    EXPECT_TRUE(resets.empty());
    control.write(0, 0x06);
    control.write(0, 0x06);
    control.write(0, 0x00);
    control.write(0, 0x04);
    EXPECT_EQ(resets, (std::vector<bool>{true, false}));
}
