#include "devices/ata/ata_disk.h"

#include <algorithm>
#include <bit>

#include "devices/ata/identify.h"
#include "machine/base/bits.h"

namespace reprise {

using namespace ata;

namespace {

Geometry default_geometry(Geometry wanted, u64 total)
{
    const bool usable = wanted.heads >= 1 && wanted.heads <= 16 && wanted.sectors >= 1 &&
                        wanted.sectors <= 63 && wanted.cylinders >= 1;
    if (!usable) wanted = {0, 16, 63};
    const u64 fitting = total / (u64{wanted.heads} * wanted.sectors);
    if (wanted.cylinders == 0) wanted.cylinders = static_cast<u32>(std::min<u64>(fitting, 16'383));
    wanted.cylinders = std::clamp<u32>(wanted.cylinders, 1, 16'383);
    return wanted;
}

bool valid_transfer_mode(u8 mode)
{
    if (mode <= 1) return true;                         // default PIO
    if ((mode & 0xF8) == 0x08) return (mode & 7) <= 4;  // PIO 0..4
    return (mode & 0xF8) == 0x20 ? (mode & 7) <= 2 : (mode & 0xF8) == 0x40 && (mode & 7) <= 2;
}

}  // namespace

AtaDisk::AtaDisk(Scheduler& scheduler, const std::string& name, BlockDevice* medium,
                 Geometry geometry)
    : port(scheduler, name, false),
      medium_(medium),
      geometry_(default_geometry(geometry, total())),
      serial_("RD-" + name)
{
    port.on_command = [this] { run_command(); };
    port.on_block = [this] { continue_access(); };
    port.on_reset = [this](bool power_on) {
        if (power_on) state = State{};
        state.remaining = 0;
        state.power_mode = 0xFF;
    };
    port.power_on();
}

std::optional<AtaDisk::Access> AtaDisk::access_of(u8 command)
{
    switch (command) {
    case 0x20:
    case 0x21: return Access{Method::Pio, false, false};      // READ SECTORS
    case 0x24: return Access{Method::Pio, false, true};       // READ SECTORS EXT
    case 0x25: return Access{Method::Dma, false, true};       // READ DMA EXT
    case 0x29: return Access{Method::Multiple, false, true};  // READ MULTIPLE EXT
    case 0x30:
    case 0x31: return Access{Method::Pio, true, false};      // WRITE SECTORS
    case 0x34: return Access{Method::Pio, true, true};       // WRITE SECTORS EXT
    case 0x35: return Access{Method::Dma, true, true};       // WRITE DMA EXT
    case 0x39: return Access{Method::Multiple, true, true};  // WRITE MULTIPLE EXT
    case 0x40:
    case 0x41: return Access{Method::Verify, false, false};    // READ VERIFY SECTORS
    case 0x42: return Access{Method::Verify, false, true};     // READ VERIFY SECTORS EXT
    case 0xC4: return Access{Method::Multiple, false, false};  // READ MULTIPLE
    case 0xC5: return Access{Method::Multiple, true, false};   // WRITE MULTIPLE
    case 0xC8:
    case 0xC9: return Access{Method::Dma, false, false};  // READ DMA
    case 0xCA:
    case 0xCB: return Access{Method::Dma, true, false};  // WRITE DMA
    default: return std::nullopt;
    }
}

/// Everything that is not here, SMART among it, is aborted.
void AtaDisk::run_command()
{
    const u8 command = port.state.command;
    if (const auto access = access_of(command)) return begin_access(*access);
    if ((command & 0xF0) == 0x10) return port.complete();  // RECALIBRATE
    if ((command & 0xF0) == 0x70)                          // SEEK
        return address(false).value_or(total()) < total() ? port.complete() : port.fail(kIdnf);
    switch (command) {
    case 0x27: return read_native_max(true);
    case 0xF8: return read_native_max(false);
    case 0x91: return initialize_parameters();
    case 0xA1: port.place_signature(); return port.fail(kAbrt);  // IDENTIFY PACKET DEVICE
    case 0xC6: return set_multiple();
    case 0xE7:
    case 0xEA: return flush();
    case 0xEC: return identify();
    case 0xEF: return set_features();
    case 0x94:
    case 0x95:
    case 0x96:
    case 0x97:
    case 0x98:
    case 0x99:
    case 0xE0:
    case 0xE1:
    case 0xE2:
    case 0xE3:
    case 0xE5:
    case 0xE6: return set_power_mode(command);
    default: return port.fail(kAbrt);
    }
}

// ---- Addresses
// ------------------------------------------------------------------------

std::optional<u64> AtaDisk::address(bool ext) const
{
    const AtaPort::State& r = port.state;
    const u64 low = r.lba_low[0] | r.lba_mid[0] << 8 | u64{r.lba_high[0]} << 16;
    if (ext)
        return low | u64{r.lba_low[1]} << 24 | u64{r.lba_mid[1]} << 32 | u64{r.lba_high[1]} << 40;
    if (r.device & kLba) return low | u64{r.device & 15u} << 24;

    const u32 cylinder = r.lba_mid[0] | r.lba_high[0] << 8;
    const u32 head = r.device & 15, sector = r.lba_low[0];
    if (sector == 0 || sector > sectors() || head >= heads()) return std::nullopt;
    return (u64{cylinder} * heads() + head) * sectors() + sector - 1;
}

/// The registers follow the transfer, so that after an error they name the sector it happened at.
void AtaDisk::set_address(u64 lba, bool ext)
{
    AtaPort::State& r = port.state;
    const auto byte = [](u64 value, int index) { return static_cast<u8>(value >> 8 * index); };
    if (!ext && !(r.device & kLba)) {
        const u64 track = lba / sectors(), cylinder = track / heads();
        r.lba_low[0] = static_cast<u8>(lba % sectors() + 1);
        r.lba_mid[0] = byte(cylinder, 0);
        r.lba_high[0] = byte(cylinder, 1);
        r.device = static_cast<u8>((r.device & 0xF0) | track % heads());
        return;
    }
    r.lba_low[0] = byte(lba, 0);
    r.lba_mid[0] = byte(lba, 1);
    r.lba_high[0] = byte(lba, 2);
    if (ext) {
        r.lba_low[1] = byte(lba, 3);
        r.lba_mid[1] = byte(lba, 4);
        r.lba_high[1] = byte(lba, 5);
    } else {
        r.device = static_cast<u8>((r.device & 0xF0) | (byte(lba, 3) & 15));
    }
}

// ---- Reading and writing
// ----------------------------------------------------------------------------

void AtaDisk::begin_access(Access access)
{
    state.power_mode = 0xFF;
    const u32 count = port.state.count[0] | (access.ext ? port.state.count[1] << 8 : 0);
    state.remaining = count ? count : (access.ext ? 65'536 : 256);
    if (access.method == Method::Multiple && state.multiple == 0) return port.fail(kAbrt);
    const auto lba = address(access.ext);
    if (!lba || *lba >= total()) return port.fail(kIdnf);
    if (access.write && medium_->read_only()) return port.fail(kAbrt);
    state.lba = *lba;
    next_block(access, true);
}

u32 AtaDisk::block_size(Access access) const
{
    u32 most = 1;
    if (access.method == Method::Multiple) most = std::max<u32>(state.multiple, 1);
    if (access.method == Method::Dma || access.method == Method::Verify)
        most = AtaPort::kBufferSize / kSectorSize;
    return std::min(state.remaining, most);
}

/// Gets the next block from the medium, or asks the host for it.
void AtaDisk::next_block(Access access, bool first)
{
    using Transfer = AtaPort::Transfer;
    const u32 count = block_size(access), length = count * kSectorSize;
    if (state.lba + count > total()) {
        set_address(std::max(state.lba, total()), access.ext);
        return port.fail(kIdnf);
    }
    if (access.write) {
        const bool dma = access.method == Method::Dma;
        return port.transfer(dma ? Transfer::DmaOut : Transfer::PioOut, 0, length, !dma && !first);
    }
    if (!medium_->read(state.lba * kSectorSize, port.buffer().first(length))) {
        set_address(state.lba, access.ext);
        return port.fail(kUnc);
    }
    if (access.method == Method::Dma) return port.transfer(Transfer::DmaIn, 0, length, false);
    if (access.method == Method::Verify)
        return port.busy(AtaPort::Due::Block, length * AtaPort::kByteTime);
    finish_block(access);  // nothing can go wrong any more
    port.transfer(Transfer::PioIn, 0, length, true, state.remaining == 0);
}

/// Counts a block as done.
void AtaDisk::finish_block(Access access)
{
    const u32 count = block_size(access);
    state.lba += count;
    state.remaining -= count;
    set_address(state.lba - 1, access.ext);
    port.state.count = {static_cast<u8>(state.remaining),
                        static_cast<u8>(access.ext ? state.remaining >> 8 : 0)};
}

void AtaDisk::continue_access()
{
    const auto access = access_of(port.state.command);
    if (!access || !medium_) return port.complete();
    const bool counted =
        !access->write && (access->method == Method::Pio || access->method == Method::Multiple);
    if (access->write) {
        const u32 length = block_size(*access) * kSectorSize;
        if (!medium_->write(state.lba * kSectorSize, port.buffer().first(length))) {
            set_address(state.lba, access->ext);
            return port.fail(kAbrt);
        }
    }
    if (!counted) finish_block(*access);
    if (state.remaining == 0) return port.complete();
    next_block(*access, false);
}

// ---- The other commands
// ------------------------------------------------------------------------------

/// IDENTIFY DEVICE.
void AtaDisk::identify()
{
    const u64 all = total();
    const u32 lba28 = static_cast<u32>(std::min<u64>(all, 0x0FFF'FFFF));
    const u32 track = heads() * sectors();
    const u32 cylinders = static_cast<u32>(std::min<u64>(all / std::max<u32>(track, 1), 65'535));
    const u8 mode = state.transfer_mode;
    IdentifyData id;
    id[0] = 0x0040;  // fixed disk
    id[1] = static_cast<u16>(geometry_.cylinders);
    id[3] = static_cast<u16>(geometry_.heads);
    id[6] = static_cast<u16>(geometry_.sectors);
    id.text(10, 10, serial_);
    id.text(23, 4, "1.0");
    id.text(27, 20, "REPRISE HARD DISK");
    id[47] = 0x8000 | kMaxMultiple;
    id[48] = 0x0001;  // 32-bit data port
    id[49] = 0x0F00;  // IORDY, LBA, DMA
    id[50] = 0x4000;
    id[51] = id[52] = 0x0200;  // PIO and DMA timing of old
    id[53] = 0x0007;           // words 54-58, 64-70 and 88 are valid
    id[54] = static_cast<u16>(cylinders);
    id[55] = static_cast<u16>(heads());
    id[56] = static_cast<u16>(sectors());
    id.dword(57, static_cast<u32>(std::min<u64>(u64{cylinders} * track, lba28)));
    id[59] = state.multiple ? 0x0100 | state.multiple : 0;
    id.dword(60, lba28);
    id[63] = static_cast<u16>(0x0007 | ((mode & 0xF8) == 0x20 ? 0x100 << (mode & 7) : 0));
    id[64] = 0x0003;                          // PIO 3 and 4
    id[65] = id[66] = id[67] = id[68] = 120;  // cycle times in ns
    id[80] = 0x007E;                          // ATA-1 to ATA-6
    id[82] = 0x4068;                          // NOP, look-ahead, write cache, power management
    id[83] = 0x7400;                          // FLUSH CACHE (EXT), 48-bit addresses
    id[84] = 0x4000;
    id[85] = static_cast<u16>(0x4008 | state.look_ahead << 6 | state.write_cache << 5);
    id[86] = 0x3400;
    id[87] = 0x4000;
    id[88] = static_cast<u16>(0x0007 | ((mode & 0xF8) == 0x40 ? 0x100 << (mode & 7) : 0));
    id[93] = 0x4001;  // a cable of 40 wires
    id.dword(100, static_cast<u32>(all));
    id.dword(102, static_cast<u32>(all >> 32));
    id.copy_to(port.buffer().first(kSectorSize));
    port.transfer(AtaPort::Transfer::PioIn, 0, kSectorSize, true, true);
}

void AtaDisk::read_native_max(bool ext)
{
    const u64 last = std::max<u64>(total(), 1) - 1;
    if (!ext) port.state.device |= kLba;
    set_address(ext ? last : std::min<u64>(last, 0x0FFF'FFFF), ext);
    port.complete();
}

/// Sectors per track in Sector Count, the last head in Device/Head.
void AtaDisk::initialize_parameters()
{
    if (port.state.count[0] == 0 || port.state.count[0] > 63) return port.fail(kAbrt);
    state.sectors = port.state.count[0];
    state.heads = (port.state.device & 15) + 1;
    port.complete();
}

void AtaDisk::set_multiple()
{
    const u8 count = port.state.count[0];
    if (count > kMaxMultiple || (count != 0 && !std::has_single_bit(count))) {
        state.multiple = 0;
        return port.fail(kAbrt);
    }
    state.multiple = count;
    port.complete();
}

void AtaDisk::set_features()
{
    switch (port.state.features[0]) {
    case 0x02: state.write_cache = true; break;
    case 0x82: state.write_cache = false; break;
    case 0xAA: state.look_ahead = true; break;
    case 0x55: state.look_ahead = false; break;
    case 0x66:  // keep or drop settings at a soft reset: they are always kept
    case 0xCC: break;
    case 0x03:
        if (!valid_transfer_mode(port.state.count[0])) return port.fail(kAbrt);
        state.transfer_mode = port.state.count[0];
        break;
    default: return port.fail(kAbrt);
    }
    port.complete();
}

void AtaDisk::flush()
{
    if (medium_ && !medium_->read_only() && !medium_->flush())
        return port.fail(kAbrt, kDrdy | kDf | kDsc);
    port.complete();
}

/// SLEEP is left by any command, so that firmware without a driver finds the disk.
void AtaDisk::set_power_mode(u8 command)
{
    switch (command) {
    case 0x95:
    case 0x97:
    case 0xE1:
    case 0xE3: state.power_mode = 0x80; break;  // IDLE, IDLE IMMEDIATE
    case 0x98:
    case 0xE5: port.state.count[0] = state.power_mode; break;  // CHECK POWER MODE
    default: state.power_mode = 0x00;                          // STANDBY, SLEEP
    }
    port.complete();
}

}  // namespace reprise
