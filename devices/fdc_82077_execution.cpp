// The execution phase of the commands that read, write, compare or format sectors.
#include <algorithm>

#include "devices/fdc_82077.h"
#include "machine/base/bits.h"

namespace reprise {

using namespace fdc;

namespace {

// Bytes of a track between the start of an ID address mark and the data: IDAM 4, ID 4, CRC 2,
// gap 2 of 22, sync 12, data address mark 4 (IBM System 34 format).
constexpr u32 kIdBytes = 10, kBytesBeforeData = 48;
// The CRC, and time for the host to fetch the last bytes.
constexpr u32 kBytesAfterData = 18;

constexpr u8 kMultiTrack = 0x80, kSkip = 0x20;  // MT, SK in the first command byte
constexpr u8 kImpliedSeek = 0x40, kFifoOff = 0x20, kFifoThreshold = 0x0F;

bool is_scan(u8 opcode)
{
    return opcode == kScanEqual || opcode == kScanLow || opcode == kScanHigh;
}

bool is_write(u8 opcode) { return opcode == kWriteData || opcode == kWriteDeleted; }

}  // namespace

Fdc82077::Direction Fdc82077::direction() const
{
    const u8 op = opcode();
    if (is_write(op) || is_scan(op) || op == kFormat) return Direction::FromHost;
    return op == kVerify || op == kReadId ? Direction::None : Direction::ToHost;
}

u16 Fdc82077::unit_length() const { return opcode() == kFormat ? 4 : FloppyDrive::kSectorSize; }

/// DMA moves a FIFO full at a time. Without DMA the FIFO threshold decides, and without the FIFO
/// every byte.
u16 Fdc82077::burst_length() const
{
    if (direction() == Direction::None) return unit_length();
    if (!non_dma()) return 16;
    return state.configuration & kFifoOff ? 1 : 16 - (state.configuration & kFifoThreshold);
}

u16 Fdc82077::fifo_depth() const { return non_dma() && (state.configuration & kFifoOff) ? 1 : 16; }

// ---- The way to the sector ----------------------------------------------------------------------

void Fdc82077::begin_execution()
{
    Execution& x = state.execution;
    const auto& command = state.command;
    x = Execution{};
    x.head = bit(command[1], 2);
    state.phase = Phase::Execution;

    if (opcode() == kFormat) {
        x.n = command[2];
        state.sc_eot = command[3];
    } else if (opcode() != kReadId) {
        x.c = command[2];
        x.h = command[3];
        x.r = command[4];
        x.n = command[5];
        state.sc_eot = command[6];
        // Commands that look for a sector seek by themselves if EIS is set.
        if (state.configuration & kImpliedSeek && state.seek[command[1] & 3].pcn != x.c) {
            x.step = Step::ImpliedSeek;
            x.st0 = kSeekEnd;
            return execution_.in(step_time());
        }
    }
    load_head();
}

void Fdc82077::step_implied_seek()
{
    Seek& seek = state.seek[state.command[1] & 3];
    const u8 target = state.execution.c;
    seek.busy = seek.pcn != target;
    if (!seek.busy) return load_head();
    selected().step(target > seek.pcn);
    seek.pcn = static_cast<u8>(target > seek.pcn ? seek.pcn + 1 : seek.pcn - 1);
    execution_.in(step_time());
}

/// A head that is still loaded from the last command needs no time to settle.
void Fdc82077::load_head()
{
    state.execution.step = Step::Search;
    execution_.in(scheduler_.now() < state.head_unload ? 0 : head_load_time());
}

void Fdc82077::run_execution()
{
    Execution& x = state.execution;
    switch (x.step) {
    case Step::Idle: return;
    case Step::ImpliedSeek: return step_implied_seek();
    case Step::Search: return search();
    case Step::Transfer: return pass_bytes();
    case Step::SectorEnd: return end_sector();
    case Step::ReadId: return finish_read_id();
    case Step::Format: return format_sector();
    case Step::Fail: return finish(kAbnormal);
    }
}

void Fdc82077::search()
{
    Execution& x = state.execution;
    FloppyDrive& drive = selected();
    const Time now = scheduler_.now();
    const bool writes = is_write(opcode()) || opcode() == kFormat;
    if (writes && drive.write_protected()) return fail(kNotWritable, 0);

    const bool mfm = bit(state.command[0], 6);
    if (!mfm || !drive.readable(x.head, rate_kbps()))
        return fail_after_search(kMissingAddressMark, 0);

    if (opcode() == kReadTrack) return search_read_track();
    if (opcode() == kFormat) return search_format();
    if (opcode() == kReadId) {
        x.step = Step::ReadId;
        x.r = drive.next_sector(now);
        return execution_.at(drive.next_start_of(x.r, now) + kIdBytes * byte_time());
    }
    const FloppyDrive::Id id{x.c, x.h, x.r, x.n};
    if (!drive.finds(x.head, id))
        return fail_after_search(kNoData, drive.finds_cylinder(x.c) ? 0 : kWrongCylinder);
    begin_sector(id, drive.next_start_of(x.r, now));
}

/// READ TRACK takes the sectors as they come after the index hole, whatever their IDs; ND only
/// tells that one was not the expected one.
void Fdc82077::search_read_track()
{
    Execution& x = state.execution;
    FloppyDrive& drive = selected();
    const u8 physical = static_cast<u8>(x.sectors % std::max<u8>(drive.sectors_per_track(), 1) + 1);
    const FloppyDrive::Id id = drive.id_of(x.head, physical);
    if (id != FloppyDrive::Id{x.c, x.h, x.r, x.n}) x.st1 |= kNoData;
    begin_sector(id, drive.next_start_of(physical, scheduler_.now()));
}

void Fdc82077::fail_after_search(u8 st1, u8 st2)
{
    state.execution.st1 |= st1;
    state.execution.st2 |= st2;
    state.execution.step = Step::Fail;
    FloppyDrive& drive = selected();
    execution_.at(drive.next_index(scheduler_.now()) + drive.revolution());  // second index pulse
}

void Fdc82077::finish_read_id()
{
    Execution& x = state.execution;
    const FloppyDrive::Id id = selected().id_of(x.head, x.r);
    x.c = id.c;
    x.h = id.h;
    x.n = id.n;
    finish(0);
}

// ---- One sector ---------------------------------------------------------------------------------

/// The ID of the sector passes the head at `start`. SK decides what is done about the other kind
/// of data address mark.
void Fdc82077::begin_sector(FloppyDrive::Id id, Time start)
{
    Execution& x = state.execution;
    FloppyDrive& drive = selected();
    x.media = x.host = 0;
    x.skip = x.stop = false;
    const Time data = start + kBytesBeforeData * byte_time();

    const bool wants_deleted = opcode() == kReadDeleted;
    if (!is_write(opcode()) && drive.has_deleted_mark(x.head, id) != wants_deleted) {
        x.st2 |= kControlMark;
        x.skip = (state.command[0] & kSkip) != 0 && opcode() != kReadTrack;
        x.stop = !x.skip && opcode() != kReadTrack;
    }
    if (x.skip) {
        x.step = Step::SectorEnd;
        return execution_.at(data);
    }
    if (direction() != Direction::FromHost && !drive.read(x.head, id, state.buffer)) {
        x.st1 |= kDataError;
        x.st2 |= kDataFieldError;
    }
    x.step = Step::Transfer;
    execution_.at(data + burst_length() * byte_time());
    update_request();
}

/// A burst has passed the head. A host that did not keep up gets OR.
void Fdc82077::pass_bytes()
{
    Execution& x = state.execution;
    const u16 unit = unit_length();
    const u16 burst = std::min<u16>(burst_length(), unit - x.media);
    const u16 passed = x.media + burst;
    if (!x.tc) {
        const bool to_host = direction() == Direction::ToHost;
        const bool from_host = direction() == Direction::FromHost;
        if (to_host && passed - x.host > fifo_depth()) return fail(kOverrun, 0);
        if (from_host && x.host < passed) return fail(kOverrun, 0);
    }
    x.media = passed;
    if (passed == unit) {
        x.step = Step::SectorEnd;
        execution_.in(kBytesAfterData * byte_time());
    } else {
        execution_.in(std::min<u16>(burst_length(), unit - passed) * byte_time());
    }
    update_request();
}

void Fdc82077::end_sector()
{
    Execution& x = state.execution;
    if (x.skip) return next_sector();
    if (direction() == Direction::ToHost && !x.tc && x.host < x.media) return fail(kOverrun, 0);
    if (is_write(opcode())) {
        // After a TC in the middle of a sector the rest of it is written as zeros.
        std::fill(state.buffer.begin() + std::min<u16>(x.host, unit_length()), state.buffer.end(),
                  u8{0});
        const FloppyDrive::Id id{x.c, x.h, x.r, x.n};
        if (!selected().write(x.head, id, state.buffer, opcode() == kWriteDeleted)) {
            x.st0 |= kEquipmentCheck;
            return fail(0, 0);
        }
    }
    if (is_scan(opcode())) compare_sector();
    if (x.st1 & kDataError) return fail(0, 0);
    if (is_scan(opcode()) && !(x.st2 & kScanNotSatisfied)) return finish(0);
    if (x.tc || x.stop) {
        advance_id();
        return finish(0);
    }
    next_sector();
}

void Fdc82077::next_sector()
{
    Execution& x = state.execution;
    const u8 op = opcode();
    ++x.sectors;
    if (op == kReadTrack) {
        ++x.r;
        const u16 count = state.sc_eot ? state.sc_eot : 256;
        return x.sectors == count || x.tc ? finish(0) : search();
    }
    const bool counted = op == kVerify && (state.command[1] & 0x80);  // EC: SC sectors
    const u16 count = state.command[8] ? state.command[8] : 256;
    const bool at_end = advance_id();
    if (counted && x.sectors == count) return finish(0);
    if (at_end) {
        // A scan or a verify ends here as it should; a transfer should have seen TC by now.
        if (is_scan(op) || (op == kVerify && !counted)) return finish(0);
        return fail(kEndOfCylinder, 0);
    }
    if (state.command[0] & kMultiTrack) x.head = x.h & 1;
    search();
}

/// The result phase gives the ID after the last sector. True: that sector was the last one of
/// the cylinder.
bool Fdc82077::advance_id()
{
    Execution& x = state.execution;
    const u8 eot = state.sc_eot;
    const u8 stp = is_scan(opcode()) && state.command[8] == 2 ? 2 : 1;
    if (x.r != eot && (stp == 1 || x.r + stp <= eot)) {
        x.r += stp;
        return false;
    }
    x.r = 1;
    const bool multi_track = (state.command[0] & kMultiTrack) != 0;
    if (multi_track) x.h ^= 1;
    if (multi_track && x.head == 0) return false;
    ++x.c;
    return true;
}

/// SCAN: FFh on either side compares as equal. The host's bytes are in the buffer.
void Fdc82077::compare_sector()
{
    Execution& x = state.execution;
    std::array<u8, FloppyDrive::kSectorSize> disk{};
    x.st2 &= static_cast<u8>(~(kScanEqualHit | kScanNotSatisfied));
    if (!selected().read(x.head, {x.c, x.h, x.r, x.n}, disk)) {
        x.st1 |= kDataError;
        x.st2 |= kDataFieldError | kScanNotSatisfied;
        return;
    }
    bool equal = true, low = true, high = true;
    const int length = std::min<u16>(x.host, FloppyDrive::kSectorSize);
    for (int i = 0; i < length; ++i) {
        const u8 host = state.buffer[i];
        if (host == 0xFF || disk[i] == 0xFF || host == disk[i]) continue;
        equal = false;
        (disk[i] < host ? high : low) = false;
    }
    const u8 op = opcode();
    const bool satisfied = op == kScanEqual ? equal : op == kScanLow ? low : high;
    if (!satisfied) x.st2 |= kScanNotSatisfied;
    else if (equal) x.st2 |= kScanEqualHit;
}

// ---- FORMAT TRACK -------------------------------------------------------------------------------

/// The host gives C, H, R, N of every sector between two index pulses. A medium that is an image
/// keeps its own layout: sectors with other IDs leave no trace, and are not found afterwards.
void Fdc82077::search_format()
{
    Execution& x = state.execution;
    const FloppyDrive& drive = selected();
    const Time index = drive.next_index(scheduler_.now());
    if (state.sc_eot == 0) {
        x.step = Step::Fail;
        return execution_.at(index + drive.revolution());
    }
    x.step = Step::Format;
    execution_.at(index + drive.revolution() / state.sc_eot);
    update_request();
}

void Fdc82077::format_sector()
{
    Execution& x = state.execution;
    FloppyDrive& drive = selected();
    if (x.host < unit_length()) return x.tc ? finish(0) : fail(kOverrun, 0);

    const FloppyDrive::Id id{state.buffer[0], state.buffer[1], state.buffer[2], state.buffer[3]};
    x.c = id.c;
    x.h = id.h;
    x.r = id.r;
    x.n = id.n;
    if (drive.finds(x.head, id)) {
        state.buffer.fill(state.command[5]);  // D
        if (!drive.write(x.head, id, state.buffer, false)) {
            x.st0 |= kEquipmentCheck;
            return fail(0, 0);
        }
    }
    x.host = 0;
    if (++x.sectors == state.sc_eot) return finish(0);
    execution_.in(drive.revolution() / state.sc_eot);
    update_request();
}

// ---- The end ------------------------------------------------------------------------------------

void Fdc82077::fail(u8 st1, u8 st2)
{
    state.execution.st1 |= st1;
    state.execution.st2 |= st2;
    finish(kAbnormal);
}

void Fdc82077::finish(u8 interrupt_code)
{
    Execution& x = state.execution;
    execution_.at(kNever);
    x.step = Step::Idle;
    const u8 drive = state.command[1] & 3;
    answer({static_cast<u8>(interrupt_code | x.st0 | x.head << 2 | drive), x.st1, x.st2, x.c, x.h,
            x.r, x.n});
    state.head_unload = scheduler_.now() + head_unload_time();
    state.data_interrupt = true;
    set_drq(false);
    update_irq();
}

// ---- Bytes between FIFO and host
// -----------------------------------------------------------------

bool Fdc82077::requests_byte() const
{
    const Execution& x = state.execution;
    if (state.phase != Phase::Execution || x.tc) return false;
    const bool transferring = x.step == Step::Transfer || x.step == Step::SectorEnd;
    switch (direction()) {
    case Direction::ToHost: return transferring && x.host < x.media;
    case Direction::FromHost:
        if (x.step == Step::Format) return x.host < unit_length();
        return x.step == Step::Transfer && x.host < unit_length() &&
               x.host < x.media + fifo_depth();
    default: return false;
    }
}

void Fdc82077::update_request()
{
    if (state.phase != Phase::Execution) return;
    const bool request = requests_byte();
    if (!non_dma()) return set_drq(request);
    state.data_interrupt = request;
    update_irq();
}

u8 Fdc82077::byte_to_host()
{
    if (direction() != Direction::ToHost || !requests_byte()) return 0xFF;
    const u8 value = state.buffer[state.execution.host++ % state.buffer.size()];
    update_request();
    return value;
}

void Fdc82077::byte_from_host(u8 value)
{
    if (direction() != Direction::FromHost || !requests_byte()) return;
    state.buffer[state.execution.host++ % state.buffer.size()] = value;
    update_request();
}

}  // namespace reprise
