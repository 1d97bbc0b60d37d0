/// Disks, what is in them, and what the firmware and its set-up memory say about them.
#include <algorithm>

#include "machine/base/error.h"
#include "machine/board.h"

namespace reprise {

namespace {
constexpr u64 kMegabyte = 1 << 20;
}  // namespace

// ---- Disks -------------------------------------------------------------------------------------

void Board::connect_disks()
{
    fdc.on_log = [this](std::string_view message) { log(message); };
    io.map(0x3F0, 0x3F5, fdc);
    io.map_bytes(
        0x3F7, 0x3F7, [this](u16) { return fdc.read(7); },
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
            disks[i] = std::make_unique<AtaDisk>(scheduler, name, medium.device.get(),
                                                 medium.info.geometry);
            ata[i / 2].attach(static_cast<int>(i % 2), disks[i]->port);
        }
    }

    static constexpr u16 kCommandBlock[2] = {0x1F0, 0x170}, kControl[2] = {0x3F6, 0x376};
    for (std::size_t c = 0; c < 2; ++c) {
        AtaChannel& channel = ata[c];
        const u16 base = kCommandBlock[c];
        const auto on = [this, c] { return ide.channel_enabled(static_cast<int>(c)); };
        io.map_wide(
            base, base + 7,
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
                    channel.write(static_cast<u16>(port - base + i),
                                  static_cast<u8>(value >> 8 * i));
            });
        io.map_bytes(
            kControl[c], kControl[c],
            [&channel, on](u16) { return on() ? channel.read_control() : u8{0xFF}; },
            [&channel, on](u16, u8 value) {
                if (on()) channel.write_control(value);
            });
    }
    ide.on_memory_read = [this](u64 address, std::span<u8> out) {
        memory.read_block(address, out);
    };
    ide.on_memory_write = [this](u64 address, std::span<const u8> data) {
        memory.write_block(address, data);
    };
}

// ---- Firmware and CMOS -------------------------------------------------------------------------

/// The BIOS ends at 4 GB, and its last 128 KB are seen below 1 MB until shadow RAM takes over.
void Board::connect_firmware()
{
    std::vector<u8>& rom = bios_.bytes;
    memory.map_memory(0x100000000 - rom.size(), rom.size(), rom.data(), nullptr);
    const std::size_t low = std::min<std::size_t>(rom.size(), 0x20000);
    std::span<u8> shadowed = memory.shadowed_rom();
    std::copy(rom.end() - static_cast<std::ptrdiff_t>(low), rom.end(),
              shadowed.end() - static_cast<std::ptrdiff_t>(low));

    vga_rom_ = vgabios_.bytes;
    vga_rom_.resize(0x10000, 0xFF);
}

/// What the set-up program of an AT would have stored (IBM PC/AT Technical Reference, "RT/CMOS
/// RAM"), with SeaBIOS's boot order in 3Dh and 38h.
void Board::fill_cmos()
{
    const u64 bytes = memory.ram.size();
    const u64 extended_kb =
        bytes > kMegabyte ? std::min<u64>((bytes - kMegabyte) / 1024, 0xFC00) : 0;
    const u64 above_16m =
        bytes > 16 * kMegabyte ? std::min<u64>((bytes - 16 * kMegabyte) / 0x10000, 0xFFFF) : 0;
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
        if (disks[i] && disks[i]->geometry().cylinders > 1024)
            translation |= static_cast<u8>(1 << 2 * i);
    rtc.set_ram(0x39, translation);
    rtc.set_ram(0x12, static_cast<u8>((disks[0] ? 0xF0 : 0) | (disks[1] ? 0x0F : 0)));
    if (disks[0]) rtc.set_ram(0x19, 47);
    if (disks[1]) rtc.set_ram(0x1A, 47);

    u8 order[3] = {};
    std::size_t n = 0;
    if (kernel_) order[n++] = 4;  // expansion ROMs that boot
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
    const auto add = [&](bool present, char drive) {
        if (present) order += drive;
    };
    const auto any = [](const auto& drives) {
        return std::ranges::any_of(drives, [](const auto& d) { return d != nullptr; });
    };
    bool disc = false;
    for (const auto& [drive, medium] : ata_media_) disc = disc || (drive.cdrom && medium.device);
    add(floppy_media_[0].medium.device != nullptr, 'a');
    add(any(disks), 'c');
    add(disc, 'd');
    for (const char drive : {'a', 'c', 'd'})
        if (order.find(drive) == std::string::npos) order += drive;
    return order;
}

// ---- Media -------------------------------------------------------------------------------------

void Board::change_medium(const MediaInput& change)
{
    const auto& [drive, path, read_only, snapshot] = change;
    const bool floppy = drive == "fda" || drive == "fdb";
    const bool disc =
        drive.size() == 3 && drive.starts_with("hd") && drive[2] >= 'a' && drive[2] <= 'd';
    const std::size_t index = floppy ? drive[2] - 'a' : disc ? drive[2] - 'a' : 0;
    if (!floppy && !(disc && cdroms[index]))
        throw HostError("there is no drive '" + drive +
                        "' whose medium could be changed; floppy drives are fda and fdb, CD-ROM "
                        "drives hda to hdd");
    DriveMedium& place = floppy ? floppy_media_[index] : ata_media_[index];
    DriveConfig wanted = place.config;
    wanted.path = path;
    wanted.geometry.reset();
    wanted.read_only = read_only;
    wanted.snapshot = snapshot;
    Medium opened;
    if (!path.empty())
        opened = open_medium(wanted, floppy ? ImageKind::Floppy : ImageKind::Cdrom, on_message);
    if (place.medium.device && !place.medium.device->flush())
        throw HostError("could not write '" + place.config.path +
                        "' before ejecting it; it stays in the drive");

    if (floppy) fdc.eject(static_cast<int>(index));
    else cdroms[index]->eject();
    place.medium = std::move(opened);
    place.config = wanted;
    (floppy ? config.floppy[index] : config.ata[index]) = wanted;
    if (!place.medium.device) return;
    if (floppy)
        fdc.insert(static_cast<int>(index), place.medium.device.get(), place.medium.info.geometry);
    else cdroms[index]->insert(place.medium.device.get());
}

void Board::flush_media()
{
    const auto flush = [](DriveMedium& place) {
        if (place.medium.device && !place.medium.device->flush())
            throw HostError("could not write everything to '" + place.config.path +
                            "'; is its disk full?");
    };
    for (DriveMedium& place : floppy_media_) flush(place);
    for (DriveMedium& place : ata_media_) flush(place);
}
}  // namespace reprise
