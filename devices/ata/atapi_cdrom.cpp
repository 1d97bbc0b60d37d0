#include "devices/ata/atapi_cdrom.h"

#include <algorithm>

#include "devices/ata/identify.h"

namespace reprise {

using namespace ata;

namespace {

constexpr Time kPacketTime = 100 * kMicrosecond;
// Interrupt Reason, which is the Sector Count register: C/D and I/O.
constexpr u8 kCommandPhase = 1, kDataToHost = 2, kStatusPhase = 3;

}  // namespace

AtapiCdrom::AtapiCdrom(Scheduler& scheduler, const std::string& name)
    : port(scheduler, name, true), serial_("RC-" + name)
{
    port.on_command = [this] { run_command(); };
    port.on_block = [this] { run_block(); };
    port.on_reset = [this](bool power_on) {
        if (power_on) state = State{.media_event = state.media_event, .tray_open = state.tray_open};
        state.stage = Stage::Idle;
        state.remaining = 0;
    };
    port.power_on();
}

void AtapiCdrom::insert(BlockDevice* disc)
{
    if (!disc) return eject();
    disc_ = disc;
    state.tray_open = false;
    state.unit_attention = 0x28;
    state.media_event = 2;
}

void AtapiCdrom::eject()
{
    if (disc_) state.media_event = 3;
    disc_ = nullptr;
}

u32 AtapiCdrom::disc_sectors() const
{
    return disc_present() ? static_cast<u32>(std::min<u64>(disc_->size_bytes() / kSectorSize, ~0u))
                          : 0;
}

// ---- ATA commands
// ------------------------------------------------------------------------------------

/// Commands for hard disks are aborted, and IDENTIFY DEVICE among others shows the
/// signature that tells why.
void AtapiCdrom::run_command()
{
    state.stage = Stage::Idle;
    switch (port.state.command) {
    case 0xA0: return begin_packet();
    case 0xA1: return identify();
    case 0xEF: return set_features();
    case 0xE0:
    case 0xE1:
    case 0xE2:
    case 0xE3:
    case 0xE6:
    case 0xE7: return port.complete();                              // power management, FLUSH CACHE
    case 0xE5: port.state.count[0] = 0xFF; return port.complete();  // CHECK POWER MODE: active
    case 0x20:
    case 0xEC: port.place_signature(); return port.fail(kAbrt);
    default: return port.fail(kAbrt);
    }
}

void AtapiCdrom::identify()
{
    const u8 mode = state.transfer_mode;
    IdentifyData id;
    id[0] = 0x85C0;  // ATAPI, CD-ROM, removable, DRQ within 50 us of PACKET, 12-byte packets
    id.text(10, 10, serial_);
    id.text(23, 4, "1.0");
    id.text(27, 20, "REPRISE CD-ROM");
    id[49] = 0x0B00;  // IORDY, LBA, DMA
    id[50] = 0x4000;
    id[51] = 0x0200;
    id[53] = 0x0006;  // words 64-70 and 88 are valid
    id[63] = static_cast<u16>(0x0007 | ((mode & 0xF8) == 0x20 ? 0x100 << (mode & 7) : 0));
    id[64] = 0x0003;
    id[65] = id[66] = id[67] = id[68] = 120;
    id[80] = 0x007E;           // ATA-1 to ATA-6
    id[82] = id[85] = 0x0210;  // DEVICE RESET, PACKET
    id[83] = id[84] = id[87] = 0x4000;
    id[88] = static_cast<u16>(0x0007 | ((mode & 0xF8) == 0x40 ? 0x100 << (mode & 7) : 0));
    id[93] = 0x4001;
    id.copy_to(port.buffer().first(512));
    port.transfer(AtaPort::Transfer::PioIn, 0, 512, true, true);
}

void AtapiCdrom::set_features()
{
    const u8 mode = port.state.count[0], kind = mode & 0xF8;
    const bool valid = mode <= 1 || (kind == 0x08 && (mode & 7) <= 4) ||
                       ((kind == 0x20 || kind == 0x40) && (mode & 7) <= 2);
    if (port.state.features[0] != 0x03 || !valid) return port.fail(kAbrt);
    state.transfer_mode = mode;
    port.complete();
}

// ---- PACKET
// --------------------------------------------------------------------------------------------

void AtapiCdrom::begin_packet()
{
    const u8 features = port.state.features[0];
    if (features & 2) return port.fail(kAbrt);  // overlapped commands
    state.dma = (features & 1) != 0;
    const u32 count = port.state.lba_mid[0] | port.state.lba_high[0] << 8;
    state.byte_limit = count == 0 || count == 0xFFFF ? 0xFFFE : count;
    port.state.count[0] = kCommandPhase;
    state.stage = Stage::Packet;
    port.transfer(AtaPort::Transfer::PioOut, 0, 12, false);
}

void AtapiCdrom::run_block()
{
    switch (state.stage) {
    case Stage::Idle: return port.complete();
    case Stage::Packet:
        std::copy_n(port.buffer().begin(), state.packet.size(), state.packet.begin());
        state.stage = Stage::Execute;
        return port.busy(AtaPort::Due::Block, kPacketTime);
    case Stage::Execute: state.remaining = 0; return run_packet();
    case Stage::Data:
        if (state.sent >= state.filled && state.remaining == 0) return succeed();
        if (state.sent >= state.filled) return fill_sectors();
        return send();
    }
}

/// The next DRQ block of what is in the buffer. Its byte count is even unless it is the last one.
void AtapiCdrom::send()
{
    state.stage = Stage::Data;
    const u32 left = state.filled - std::min(state.sent, state.filled);
    u32 length = left;
    if (!state.dma && length > state.byte_limit) length = std::max<u32>(state.byte_limit & ~1u, 2);
    length = std::min(length, left);
    const u32 start = state.sent;
    state.sent += length;
    port.state.count[0] = kDataToHost;
    if (state.dma) return port.transfer(AtaPort::Transfer::DmaIn, start, length, false);
    port.state.lba_mid[0] = static_cast<u8>(length);
    port.state.lba_high[0] = static_cast<u8>(length >> 8);
    port.transfer(AtaPort::Transfer::PioIn, start, length, true);
}

void AtapiCdrom::succeed()
{
    state.stage = Stage::Idle;
    port.state.count[0] = kStatusPhase;
    port.complete();
}

void AtapiCdrom::check_condition(u8 key, u8 asc, u8 ascq)
{
    state.stage = Stage::Idle;
    state.sense_key = key;
    state.asc = asc;
    state.ascq = ascq;
    state.remaining = 0;
    port.state.count[0] = kStatusPhase;
    port.fail(static_cast<u8>(key << 4 | kAbrt));
}

/// `length` zero bytes in which an answer can be built.
std::span<u8> AtapiCdrom::clear_answer(u32 length)
{
    const auto out = port.buffer().first(length);
    std::ranges::fill(out, u8{0});
    return out;
}

void AtapiCdrom::answer(u32 length, u32 allocation_length)
{
    state.filled = std::min(length, allocation_length);
    state.sent = 0;
    if (state.filled == 0) return succeed();
    send();
}

}  // namespace reprise
