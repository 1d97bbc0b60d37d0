// The packet commands of the CD-ROM drive (MMC-3; SPC-2 for the general ones).
#include <algorithm>

#include "devices/ata/atapi_cdrom.h"
#include "devices/ata/cd_sector.h"
#include "machine/base/bits.h"

namespace reprise {

namespace {

// Sense keys
constexpr u8 kNotReady = 2, kMediumError = 3, kIllegalRequest = 5, kUnitAttention = 6;
// Additional sense codes
constexpr u8 kUnrecoveredReadError = 0x11, kInvalidCommand = 0x20, kLbaOutOfRange = 0x21,
             kInvalidField = 0x24, kSavingNotSupported = 0x39, kMediumNotPresent = 0x3A,
             kMediumRemovalPrevented = 0x53;

constexpr u8 kSync = 0x80, kHeader = 0x20, kUserData = 0x10, kEdcEcc = 0x08;  // READ CD, byte 9
constexpr u8 kDataTrack = 0x14;  // ADR 1: position; CONTROL 4: data
constexpr u8 kLeadOut = 0xAA;
constexpr u32 kDvdSectors = 450'000;  // an image of more does not fit on a CD
constexpr u32 kReadSpeed = 24 * 176;  // KB/s

constexpr void put(std::span<u8> out, u32 at, u32 value, int bytes)
{
    for (int i = 0; i < bytes; ++i) out[at + i] = static_cast<u8>(value >> 8 * (bytes - 1 - i));
}

constexpr void put_text(std::span<u8> out, u32 at, std::string_view text)
{
    for (char c : text) out[at++] = static_cast<u8>(c);
}

u32 part_bytes(u8 parts)
{
    return (parts & kSync ? 12 : 0) + (parts & kHeader ? 4 : 0) + (parts & kUserData ? 2048 : 0) +
           (parts & kEdcEcc ? 288 : 0);
}

}  // namespace

u32 AtapiCdrom::packet_number(int index, int bytes) const
{
    u32 value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | state.packet[index + i];
    return value;
}

/// A position as the packet asked for it: an LBA, or 0, minute, second, frame.
void AtapiCdrom::put_address(std::span<u8> out, u32 lba, bool msf) const
{
    if (!msf) return put(out, 0, lba, 4);
    const Msf position = to_msf(lba);
    out[0] = 0;
    out[1] = position.minute;
    out[2] = position.second;
    out[3] = position.frame;
}

/// Commands that work without a disc, and that do not report a unit attention, come first.
void AtapiCdrom::run_packet()
{
    switch (packet(0)) {
    case 0x03: return request_sense();
    case 0x12: return inquiry();
    case 0x46: return get_configuration();
    case 0x4A: return get_event_status();
    default: break;
    }
    if (state.unit_attention) {
        const u8 asc = state.unit_attention;
        state.unit_attention = 0;
        return check_condition(kUnitAttention, asc);
    }
    state.sense_key = state.asc = state.ascq = 0;
    switch (packet(0)) {
    case 0x1A:
    case 0x5A: return mode_sense();
    case 0x1B: return start_stop_unit();
    case 0x1E: state.prevent_removal = (packet(4) & 1) != 0; return succeed();
    case 0xBB: return succeed();  // SET CD SPEED
    case 0xBD: return mechanism_status();
    default: return run_media_packet();
    }
}

void AtapiCdrom::run_media_packet()
{
    static constexpr std::array<u8, 14> kNeedDisc{0x00, 0x25, 0x28, 0x2B, 0x42, 0x43, 0x44,
                                                  0x4E, 0x51, 0x52, 0xA8, 0xB9, 0xBE, 0x01};
    const u8 op = packet(0);
    if (std::ranges::find(kNeedDisc, op) == kNeedDisc.end())
        return check_condition(kIllegalRequest, kInvalidCommand);
    if (!disc_present())
        return check_condition(kNotReady, kMediumNotPresent, state.tray_open ? 2 : 1);
    switch (op) {
    case 0x25: return read_capacity();
    case 0x28: return begin_read(packet_number(2, 4), packet_number(7, 2), kUserData);
    case 0xA8: return begin_read(packet_number(2, 4), packet_number(6, 4), kUserData);
    case 0x2B:  // SEEK
        if (packet_number(2, 4) >= disc_sectors())
            return check_condition(kIllegalRequest, kLbaOutOfRange);
        return succeed();
    case 0x42: return read_subchannel();
    case 0x43: return read_toc();
    case 0x44: return read_header();
    case 0x51: return read_disc_information();
    case 0x52: return read_track_information();
    case 0xB9: return read_cd(true);
    case 0xBE: return read_cd(false);
    default: return succeed();  // TEST UNIT READY, REZERO, STOP PLAY/SCAN
    }
}

// ---- The drive
// -----------------------------------------------------------------------------------------

void AtapiCdrom::request_sense()
{
    const auto out = clear_answer(18);
    if (state.unit_attention && state.sense_key == 0) {
        state.sense_key = kUnitAttention;
        state.asc = state.unit_attention;
        state.unit_attention = 0;
    }
    out[0] = 0x70;  // current error, fixed format
    out[2] = state.sense_key;
    out[7] = 10;  // additional length
    out[12] = state.asc;
    out[13] = state.ascq;
    state.sense_key = state.asc = state.ascq = 0;
    answer(18, packet(4));
}

void AtapiCdrom::inquiry()
{
    if (packet(1) & 1)
        return check_condition(kIllegalRequest, kInvalidField);  // vital product data
    const auto out = clear_answer(36);
    out[0] = 0x05;  // CD-ROM
    out[1] = 0x80;  // removable
    out[3] = 0x21;  // ATAPI, response format 1
    out[4] = 31;
    put_text(out, 8, "REPRISE CD-ROM          1.0 ");
    answer(36, packet(4));
}

/// Fills in one page, or nothing if there is no such page, and tells its length.
u32 AtapiCdrom::mode_page(u8 page, std::span<u8> out) const
{
    switch (page) {
    case 0x01:  // read error recovery
        put(out, 0, 0x0106'0005, 4);
        return 8;
    case 0x0E:  // audio control
        put(out, 0, 0x0E0E'0400, 4);
        put(out, 8, 0x01FF'02FF, 4);  // both channels at full volume
        return 16;
    case 0x2A:                        // capabilities and mechanical status
        put(out, 0, 0x2A12'0300, 4);  // reads CD-R and CD-RW
        out[4] = 0x70;                // mode 2 forms 1 and 2, multisession
        out[6] = static_cast<u8>(0x29 | state.prevent_removal << 1);  // tray, eject, lock
        put(out, 8, kReadSpeed, 2);
        put(out, 10, 256, 2);  // volume levels
        put(out, 12, 128, 2);  // buffer, KB
        put(out, 14, kReadSpeed, 2);
        return 20;
    default: return 0;
    }
}

/// MODE SENSE (6) and (10). Nothing can be changed or saved.
void AtapiCdrom::mode_sense()
{
    const bool ten = packet(0) == 0x5A;
    const u8 control = packet(2) >> 6, page = packet(2) & 0x3F;
    if (control == 3) return check_condition(kIllegalRequest, kSavingNotSupported);
    const u32 header = ten ? 8 : 4;
    const auto out = clear_answer(128);
    u32 length = header;
    for (u8 candidate : {0x01, 0x0E, 0x2A}) {
        if (page != candidate && page != 0x3F) continue;
        const u32 page_length = mode_page(candidate, out.subspan(length));
        if (control == 1) std::ranges::fill(out.subspan(length + 2, page_length - 2), u8{0});
        length += page_length;
    }
    if (length == header) return check_condition(kIllegalRequest, kInvalidField);

    const u8 medium = state.tray_open ? 0x71 : disc_ ? 0x01 : 0x70;
    put(out, 0, length - (ten ? 2 : 1), ten ? 2 : 1);
    out[ten ? 2 : 1] = medium;
    answer(length, ten ? packet_number(7, 2) : packet(4));
}

void AtapiCdrom::start_stop_unit()
{
    const bool load_eject = bit(packet(4), 1), start = bit(packet(4), 0);
    if (!load_eject) return succeed();
    const bool open = !start;
    if (open && state.prevent_removal) {
        state.media_event = 1;
        return check_condition(kIllegalRequest, kMediumRemovalPrevented, 2);
    }
    if (open != state.tray_open) {
        state.tray_open = open;
        if (disc_) state.media_event = open ? 3 : 2;
        if (disc_ && !open) state.unit_attention = 0x28;
        if (on_tray) on_tray(open);
    }
    succeed();
}

void AtapiCdrom::get_event_status()
{
    if (!(packet(1) & 1)) return check_condition(kIllegalRequest, kInvalidField);  // asynchronous
    const u16 allocation = static_cast<u16>(packet_number(7, 2));
    const auto out = clear_answer(8);
    out[3] = 0x10;  // supported: media events
    if (!(packet(4) & 0x10)) {
        out[1] = 2;
        out[2] = 0x80;  // no event available
        return answer(4, allocation);
    }
    out[1] = 6;
    out[2] = 4;
    out[4] = state.media_event;
    out[5] = static_cast<u8>(disc_present() << 1 | (state.tray_open ? 1 : 0));
    if (allocation > 4) state.media_event = 0;
    answer(8, allocation);
}

/// Profile list, core, removable medium, CD read and DVD read.
void AtapiCdrom::get_configuration()
{
    const u32 sectors = disc_sectors();
    const bool dvd = sectors > kDvdSectors, cd = sectors != 0 && !dvd;
    const u32 wanted = packet_number(2, 2), type = packet(1) & 3;
    const auto out = clear_answer(64);
    put(out, 6, dvd ? 0x10 : cd ? 0x08 : 0, 2);
    u32 length = 8;
    const auto feature = [&](u32 code, u32 version_bits, bool current, u32 data, u8 size) {
        if (type == 2 ? code != wanted : code < wanted || (type == 1 && !current)) return;
        put(out, length, code, 2);
        out[length + 2] = static_cast<u8>(version_bits | (current ? 1 : 0));
        out[length + 3] = size;
        if (size >= 4) put(out, length + 4, data, 4);
        if (code == 0) put(out, length + 8, 0x0008'0000 | cd << 8, 4);
        length += 4 + size;
    };
    feature(0x0000, 0x02, true, 0x0010'0000 | dvd << 8, 8);
    feature(0x0001, 0x02, true, 2, 4);            // core: ATAPI
    feature(0x0003, 0x02, true, 0x2900'0000, 4);  // tray, eject, lock
    feature(0x001E, 0x00, cd, 0, 4);
    feature(0x001F, 0x00, dvd, 0, 0);
    put(out, 0, length - 4, 4);
    answer(length, packet_number(7, 2));
}

void AtapiCdrom::mechanism_status()
{
    const auto out = clear_answer(8);
    out[1] = static_cast<u8>(state.tray_open << 4);
    answer(8, packet_number(8, 2));
}

// ---- Data
// ------------------------------------------------------------------------------------------------

void AtapiCdrom::begin_read(u32 lba, u32 count, u8 parts)
{
    if (u64{lba} + count > disc_sectors() || lba >= disc_sectors())
        return check_condition(kIllegalRequest, kLbaOutOfRange);
    if (count == 0 || part_bytes(parts) == 0) return succeed();
    state.lba = lba;
    state.remaining = count;
    state.parts = parts;
    fill_sectors();
}

void AtapiCdrom::read_cd(bool msf)
{
    const u8 parts = packet(9), type = packet(1) >> 2 & 7;
    if (type > 2 || type == 1) return check_condition(kIllegalRequest, 0x64);  // not mode 1
    if ((parts & 0x06) != 0 || (packet(10) & 7) != 0)  // C2 errors, subchannels
        return check_condition(kIllegalRequest, kInvalidField);
    const u8 wanted = parts & (kSync | kHeader | kUserData | kEdcEcc);
    if (!msf) return begin_read(packet_number(2, 4), packet_number(6, 3), wanted);

    const auto frames = [this](int at) {
        return static_cast<i32>((packet(at) * 60 + packet(at + 1)) * 75 + packet(at + 2)) - 150;
    };
    const i32 first = frames(3), last = frames(6);
    if (first < 0 || last < first) return check_condition(kIllegalRequest, kInvalidField);
    begin_read(static_cast<u32>(first), static_cast<u32>(last - first), wanted);
}

/// Reads as many sectors as the port's buffer takes.
void AtapiCdrom::fill_sectors()
{
    const u32 size = std::max<u32>(part_bytes(state.parts), 1);
    const u32 count = std::min(state.remaining, AtaPort::kBufferSize / kCdRawSector);
    auto out = port.buffer();
    if (!disc_present())
        return check_condition(kNotReady, kMediumNotPresent, state.tray_open ? 2 : 1);
    for (u32 i = 0; i < count; ++i) {
        const u32 lba = state.lba + i;
        std::array<u8, kCdUserData> data;
        if (!disc_->read(u64{lba} * kSectorSize, data))
            return check_condition(kMediumError, kUnrecoveredReadError);
        if (state.parts == kUserData) {
            std::ranges::copy(data, out.begin() + i * size);
            continue;
        }
        const auto raw = raw_cd_sector(lba, data);
        auto at = out.begin() + i * size;
        if (state.parts & kSync) at = std::copy_n(raw.begin(), 12, at);
        if (state.parts & kHeader) at = std::copy_n(raw.begin() + 12, 4, at);
        if (state.parts & kUserData) at = std::copy_n(raw.begin() + 16, 2048, at);
        if (state.parts & kEdcEcc) std::copy_n(raw.begin() + 2064, 288, at);
    }
    state.lba += count;
    state.remaining -= count;
    state.filled = count * size;
    state.sent = 0;
    send();
}

// ---- What is on the disc
// -----------------------------------------------------------------------------------

void AtapiCdrom::read_capacity()
{
    const auto out = clear_answer(8);
    put(out, 0, std::max<u32>(disc_sectors(), 1) - 1, 4);
    put(out, 4, kSectorSize, 4);
    answer(8, 8);
}

void AtapiCdrom::read_toc()
{
    const bool msf = bit(packet(1), 1);
    const u8 start = packet(6);
    // SFF-8020i had the format in the two upper bits of the last byte.
    const u8 format = packet(2) & 15 ? packet(2) & 15 : packet(9) >> 6;
    const auto out = clear_answer(64);
    u32 length = 4;
    out[2] = out[3] = 1;  // first and last track, or session
    const auto entry = [&](u8 track, u32 lba) {
        out[length + 1] = kDataTrack;
        out[length + 2] = track;
        put_address(out.subspan(length + 4), lba, msf);
        length += 8;
    };
    const auto raw_entry = [&](u8 point, Msf position) {
        out[length] = 1;  // session
        out[length + 1] = kDataTrack;
        out[length + 3] = point;
        out[length + 8] = position.minute;
        out[length + 9] = position.second;
        out[length + 10] = position.frame;
        length += 11;
    };
    switch (format) {
    case 0:
        if (start > 1 && start != kLeadOut) return check_condition(kIllegalRequest, kInvalidField);
        if (start <= 1) entry(1, 0);
        entry(kLeadOut, disc_sectors());
        break;
    case 1: entry(1, 0); break;
    case 2:
        raw_entry(0xA0, {1, 0, 0});
        raw_entry(0xA1, {1, 0, 0});
        raw_entry(0xA2, to_msf(disc_sectors()));
        raw_entry(1, to_msf(0));
        break;
    default: return check_condition(kIllegalRequest, kInvalidField);
    }
    put(out, 0, length - 2, 2);
    answer(length, packet_number(7, 2));
}

void AtapiCdrom::read_header()
{
    const u32 lba = packet_number(2, 4);
    if (lba >= disc_sectors()) return check_condition(kIllegalRequest, kLbaOutOfRange);
    const auto out = clear_answer(8);
    out[0] = 1;  // mode 1
    put_address(out.subspan(4), lba, bit(packet(1), 1));
    answer(8, packet_number(7, 2));
}

void AtapiCdrom::read_subchannel()
{
    const auto out = clear_answer(24);
    out[1] = 0x15;  // no audio status
    if (!bit(packet(2), 6)) return answer(4, packet_number(7, 2));
    const u8 format = packet(3);
    if (format < 1 || format > 3) return check_condition(kIllegalRequest, kInvalidField);
    out[4] = format;
    if (format != 1) {  // no catalogue number, no ISRC
        out[3] = 20;
        return answer(24, packet_number(7, 2));
    }
    const bool msf = bit(packet(1), 1);
    out[3] = 12;
    out[5] = kDataTrack;
    out[6] = out[7] = 1;  // track, index
    put_address(out.subspan(8), state.lba, msf);
    put_address(out.subspan(12), state.lba, msf);
    answer(16, packet_number(7, 2));
}

void AtapiCdrom::read_disc_information()
{
    const auto out = clear_answer(34);
    out[1] = 32;
    out[2] = 0x0E;                          // last session complete, disc finalized
    out[3] = out[4] = out[5] = out[6] = 1;  // first track, sessions, first and last track of it
    out[7] = 0x20;                          // unrestricted use
    put(out, 16, 0xFFFF'FFFF, 4);           // no further session, no further lead-out
    put(out, 20, 0xFFFF'FFFF, 4);
    answer(34, packet_number(7, 2));
}

void AtapiCdrom::read_track_information()
{
    const auto out = clear_answer(28);
    out[1] = 26;
    out[2] = out[3] = 1;  // track, session
    out[5] = 4;           // data track
    out[6] = 1;           // mode 1
    put(out, 24, disc_sectors(), 4);
    answer(28, packet_number(7, 2));
}

}  // namespace reprise
