#include "devices/piix_ide.h"

#include <algorithm>

namespace reprise {

namespace {

constexpr u8 kSsbm = 0x01, kRwcon = 0x08;  // BMICX: start, and 1 = the drive writes to memory
constexpr u8 kActive = 0x01, kInterrupt = 0x04, kCapabilities = 0x60;  // BMISX
constexpr u8 kError = 0x02;
constexpr u8 kIdetim = 0x40, kIdetimLast = 0x44;

}  // namespace

PiixIde::PiixIde(AtaChannel& primary, AtaChannel& secondary)
    : config({.vendor = 0x8086, .device = 0x7010, .class_code = 0x01'01'80}),
      ata_{&primary, &secondary}
{
    config.declare_bar(kBusMasterBar, PciDevice::BarKind::Io, 16);
    config.declare(0x0C, 0x00, 0x00);
    config.declare(0x0D, 0x00, 0xF0);
    for (u8 offset = kIdetim; offset <= kIdetimLast; ++offset) config.declare(offset, 0x00, 0xFF);
    config.on_written = [this](u8 offset, u8) {
        if (offset < 0x40 || offset <= kIdetimLast) announce_channels();
        for (int i = 0; i < 2; ++i) run(i);
    };
    for (int i = 0; i < 2; ++i) {
        ata_[i]->on_irq = [this, i](bool level) { set_irq(i, level); };
        ata_[i]->on_dmarq = [this, i](bool level) {
            if (level) run(i);
        };
    }
}

/// IDETIM bit 15 enables a channel's decoding, together with I/O space in the Command register.
bool PiixIde::channel_enabled(int index) const
{
    const u8 timing = config.config(static_cast<u8>(kIdetim + 1 + 2 * (index & 1)));
    return (timing & 0x80) && (config.config(0x04) & 1);
}

void PiixIde::announce_channels()
{
    if (on_channels_enabled) on_channels_enabled(channel_enabled(0), channel_enabled(1));
}

void PiixIde::announce()
{
    config.announce();
    announce_channels();
}

void PiixIde::reset()
{
    for (Channel& channel : state.channel) channel = Channel{.irq = channel.irq};
    config.reset();
}

u8 PiixIde::read(u16 offset)
{
    const Channel& channel = state.channel[offset >> 3 & 1];
    switch (offset & 7) {
    case 0: return channel.bmic;
    case 2: return channel.bmis;
    case 4:
    case 5:
    case 6:
    case 7: return static_cast<u8>(channel.bmidtp >> 8 * (offset & 3));
    default: return 0;
    }
}

void PiixIde::write(u16 offset, u8 value)
{
    const int index = offset >> 3 & 1;
    Channel& channel = state.channel[index];
    const int shift = 8 * (offset & 3);
    switch (offset & 7) {
    case 0: return write_command(index, value);
    case 2:  // interrupt and error are cleared by writing 1
        channel.bmis = static_cast<u8>((channel.bmis & ~kCapabilities & ~(value & 0x06)) |
                                       (value & kCapabilities));
        return;
    case 4:
    case 5:
    case 6:
    case 7:
        channel.bmidtp = ((channel.bmidtp & ~(u32{0xFF} << shift)) | u32{value} << shift) & ~3u;
        return;
    default: return;
    }
}

/// Setting SSBM starts at the head of the table. Clearing it ends the transfer at once: it cannot
/// be resumed.
void PiixIde::write_command(int index, u8 value)
{
    Channel& channel = state.channel[index];
    const bool was_started = (channel.bmic & kSsbm) != 0;
    channel.bmic = value & (kSsbm | kRwcon);
    if (!(value & kSsbm)) {
        channel.bmis &= static_cast<u8>(~kActive);
        return;
    }
    if (was_started) return;
    channel.bmis |= kActive;
    channel.next_prd = channel.bmidtp;
    channel.left = 0;
    channel.end_of_table = false;
    run(index);
}

/// IDEINTS follows the rising edge of the drive's interrupt, whatever it is for.
void PiixIde::set_irq(int index, bool level)
{
    Channel& channel = state.channel[index];
    if (level && !channel.irq) channel.bmis |= kInterrupt;
    channel.irq = level;
    if (on_irq[index]) on_irq[index](level);
}

/// A descriptor: base address; byte count, where 0 is 64 KB; EOT in the top bit. False: there is
/// none after the one that had EOT.
bool PiixIde::fetch_prd(Channel& channel)
{
    if (channel.end_of_table) {
        channel.bmis &= static_cast<u8>(~kActive);
        return false;
    }
    std::array<u8, 8> prd{};
    if (on_memory_read) on_memory_read(channel.next_prd, prd);
    channel.next_prd += 8;
    channel.address = (prd[0] | prd[1] << 8 | prd[2] << 16 | u32{prd[3]} << 24) & ~1u;
    channel.left = (prd[4] | u32{prd[5]} << 8) & ~1u;
    if (channel.left == 0) channel.left = 65'536;
    channel.end_of_table = (prd[7] & 0x80) != 0;
    return true;
}

/// Moves what the drive offers or asks for. With the last descriptor used up BMIDEA goes to 0,
/// even if the drive wants more.
void PiixIde::run(int index)
{
    Channel& channel = state.channel[index];
    AtaChannel& ata = *ata_[index];
    std::array<u8, 4096> block;
    while ((channel.bmic & kSsbm) && (channel.bmis & kActive) && config.bus_master_enabled()) {
        const u32 wanted = ata.dma_available();
        if (wanted == 0) return;
        const bool to_memory = ata.dma_to_host();
        if (to_memory != ((channel.bmic & kRwcon) != 0)) {
            channel.bmis = static_cast<u8>((channel.bmis & ~kActive) | kError);
            return;
        }
        if (channel.left == 0 && !fetch_prd(channel)) return;
        const u32 length = std::min({wanted, channel.left, static_cast<u32>(block.size())});
        const auto span = std::span(block).first(length);
        const u32 address = channel.address;
        channel.address += length;
        channel.left -= length;
        if (channel.left == 0 && channel.end_of_table) channel.bmis &= static_cast<u8>(~kActive);
        if (to_memory) {
            ata.dma_read(span);
            if (on_memory_write) on_memory_write(address, span);
        } else {
            std::ranges::fill(span, u8{0xFF});
            if (on_memory_read) on_memory_read(address, span);
            ata.dma_write(span);
        }
    }
}

}  // namespace reprise
