#include "devices/ata/ata_channel.h"

namespace reprise {

using namespace ata;

namespace {

constexpr u8 kExecuteDeviceDiagnostic = 0x90;

}  // namespace

void AtaChannel::attach(int index, AtaPort& drive)
{
    drives_[index & 1] = &drive;
    drive.on_change = [this] { update(); };
}

void AtaChannel::reset()
{
    state.device = state.device_control = 0;
    for (AtaPort* drive : drives_)
        if (drive) drive->power_on();
    update();
}

/// A channel without drives floats high. A drive that is not there while the other one is reads as
/// zeros: neither BSY nor DRDY ever appear.
u8 AtaChannel::read(u16 offset)
{
    if (empty()) return 0xFF;
    AtaPort* drive = selected();
    if (!drive) return 0;
    if (offset == 0) return static_cast<u8>(drive->read_data(1));
    return drive->read(offset, (state.device_control & kHob) != 0);
}

void AtaChannel::write(u16 offset, u8 value)
{
    state.device_control &= static_cast<u8>(~kHob);  // any write to the command block clears it
    if (offset == 0) return write_data(value, 1);
    if (offset == 7) {
        if (value == kExecuteDeviceDiagnostic && !empty()) {
            state.device = 0;
            for (AtaPort* drive : drives_)
                if (drive) drive->diagnose(true);
        } else if (AtaPort* drive = selected()) {
            drive->write(7, value);
        }
        return update();
    }
    if (offset == 6) state.device = value;
    for (AtaPort* drive : drives_)
        if (drive) drive->write(offset, value);
    if (offset == 6) update();
}

u32 AtaChannel::read_data(int size)
{
    AtaPort* drive = selected();
    return drive ? drive->read_data(size) : empty() ? ~u32{0} : 0;
}

void AtaChannel::write_data(u32 value, int size)
{
    if (AtaPort* drive = selected()) drive->write_data(value, size);
}

u8 AtaChannel::read_control() const
{
    if (empty()) return 0xFF;
    const AtaPort* drive = selected();
    return drive ? drive->alternate_status() : 0;
}

void AtaChannel::write_control(u8 value)
{
    const bool was_reset = (state.device_control & kSrst) != 0, is_reset = (value & kSrst) != 0;
    state.device_control = value;
    if (was_reset != is_reset) {
        state.device = 0;
        for (AtaPort* drive : drives_)
            if (drive) drive->set_srst(is_reset);
    }
    update();
}

bool AtaChannel::dma_to_host() const
{
    const AtaPort* drive = selected();
    return drive && drive->dma_to_host();
}

u32 AtaChannel::dma_available() const
{
    const AtaPort* drive = selected();
    return drive ? drive->dma_available() : 0;
}

std::size_t AtaChannel::dma_read(std::span<u8> out)
{
    AtaPort* drive = selected();
    return drive ? drive->dma_read(out) : 0;
}

std::size_t AtaChannel::dma_write(std::span<const u8> data)
{
    AtaPort* drive = selected();
    return drive ? drive->dma_write(data) : 0;
}

void AtaChannel::update()
{
    const AtaPort* drive = selected();
    const bool irq = drive && drive->state.intrq && !(state.device_control & kNien);
    const bool dmarq = drive && drive->state.dmarq;
    if (irq != state.irq) {
        state.irq = irq;
        if (on_irq) on_irq(irq);
    }
    if (dmarq != state.dmarq) {
        state.dmarq = dmarq;
        if (on_dmarq) on_dmarq(dmarq);
    }
}

}  // namespace reprise
