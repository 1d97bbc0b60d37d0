#include "devices/fdc_82077.h"

#include <algorithm>

#include "machine/base/bits.h"

namespace reprise {

namespace {

constexpr u8 kDorReset = 0x04, kDorDmaGate = 0x08;  // both act when 0
constexpr u8 kRqm = 0x80, kDio = 0x40, kNonDma = 0x20, kCmdBusy = 0x10;
constexpr Time kResetTime = 20 * kMicrosecond;

/// How many bytes the command phase takes; 0: not a command. PART ID (18h) came with the 82078, an
/// 82077AA answers it as an invalid command.
u8 command_length(u8 first)
{
    switch (first & 0x1F) {
    case fdc::kReadData:
    case fdc::kReadDeleted:
    case fdc::kVerify:
    case fdc::kScanEqual:
    case fdc::kScanLow:
    case fdc::kScanHigh: return 9;
    case fdc::kWriteData:
    case fdc::kWriteDeleted: return (first & 0x20) == 0 ? 9 : 0;
    case fdc::kReadTrack: return (first & 0x80) == 0 ? 9 : 0;
    case fdc::kFormat: return (first & 0xA0) == 0 ? 6 : 0;
    case fdc::kReadId: return (first & 0xA0) == 0 ? 2 : 0;
    case fdc::kSeek: return (first & 0xE0) == 0 || (first & 0xA0) == 0x80 ? 3 : 0;
    case fdc::kLock: return (first & 0x60) == 0 ? 1 : 0;
    default: break;
    }
    switch (first) {
    case fdc::kSenseInterrupt:
    case fdc::kDumpRegisters:
    case fdc::kVersion: return 1;
    case fdc::kRecalibrate:
    case fdc::kSenseDrive:
    case fdc::kPerpendicular: return 2;
    case fdc::kSpecify: return 3;
    case fdc::kConfigure: return 4;
    default: return 0;
    }
}

}  // namespace

Fdc82077::Fdc82077(Scheduler& scheduler, std::array<FloppyType, 4> types, u32 speed)
    : scheduler_(scheduler), speed_(speed),
      drives_{FloppyDrive{types[0], speed}, FloppyDrive{types[1], speed},
              FloppyDrive{types[2], speed}, FloppyDrive{types[3], speed}},
      execution_{scheduler, "fdc.execution", [this] { run_execution(); }},
      reset_end_{scheduler, "fdc.reset", [this] { end_reset(); }},
      seek_{Event{scheduler, "fdc.seek0", [this] { step_seek(0); }},
            Event{scheduler, "fdc.seek1", [this] { step_seek(1); }},
            Event{scheduler, "fdc.seek2", [this] { step_seek(2); }},
            Event{scheduler, "fdc.seek3", [this] { step_seek(3); }}}
{
}

void Fdc82077::insert(int drive, BlockDevice* medium, Geometry geometry)
{
    drives_[drive & 3].insert(medium, geometry);
}

void Fdc82077::eject(int drive) { drives_[drive & 3].eject(); }

// ---- Registers ---------------------------------------------------------------------------------

u8 Fdc82077::read(u16 offset)
{
    switch (offset) {
    case 2: return state.dor;
    case 3: return static_cast<u8>(0xFC | state.tdr);  // bits 7..2 are not driven
    case 4: return msr();
    case 5: return read_fifo();
    // DIR in PC-AT mode drives bit 7 only; the others are left to the hard disk on the same port.
    case 7: return drives_[state.dor & 3].disk_changed() ? 0xFF : 0x7F;
    default: return 0xFF;
    }
}

void Fdc82077::write(u16 offset, u8 value)
{
    switch (offset) {
    case 2: return write_dor(value);
    case 3: state.tdr = value & 3; return;
    case 4: return write_dsr(value);
    case 5: return write_fifo(value);
    case 7: state.data_rate = value & 3; return;
    default: return;
    }
}

u8 Fdc82077::msr() const
{
    if (!(state.dor & kDorReset) || state.resetting) return 0;
    u8 value = 0;
    for (int i = 0; i < 4; ++i) value = with_bit(value, i, state.seek[i].busy);
    switch (state.phase) {
    case Phase::Command: value |= kRqm | (state.command_length ? kCmdBusy : 0); break;
    case Phase::Result: value |= kRqm | kDio | kCmdBusy; break;
    case Phase::Execution:
        value |= kCmdBusy;
        if (!non_dma()) break;
        value |= kNonDma;
        if (requests_byte()) value |= kRqm | (direction() == Direction::ToHost ? kDio : 0);
    }
    return value;
}

void Fdc82077::write_dor(u8 value)
{
    const u8 old = state.dor;
    state.dor = value;
    for (int i = 0; i < 4; ++i) drives_[i].state.motor = bit(value, 4 + i);
    if (!(value & kDorReset)) {
        if (old & kDorReset) begin_reset();
    } else if (!(old & kDorReset)) {
        state.resetting = true;
        reset_end_.in(kResetTime);
    }
    update_irq();
    update_request();
}

/// Bit 7 is a reset that ends by itself; bits 1..0 are shared with the CCR.
void Fdc82077::write_dsr(u8 value)
{
    state.dsr = value & 0x7F;
    state.data_rate = value & 3;
    if (!(value & 0x80) || !(state.dor & kDorReset)) return;
    begin_reset();
    state.resetting = true;
    reset_end_.in(kResetTime);
}

/// What a reset through DOR or DSR changes. LOCK protects EFIFO, FIFOTHR and PRETRK from it; the
/// SPECIFY parameters and the PCNs keep their values anyway.
void Fdc82077::begin_reset()
{
    execution_.at(kNever);
    reset_end_.at(kNever);
    for (Event& event : seek_) event.at(kNever);
    for (Seek& seek : state.seek) seek = Seek{.pcn = seek.pcn};
    state.phase = Phase::Command;
    state.command_length = 0;
    state.execution = Execution{};
    state.resetting = false;
    state.reset_senses = 0;
    state.reset_interrupt = state.data_interrupt = false;
    state.configuration = state.lock ? state.configuration & 0x2F : 0x20;
    if (!state.lock) state.pretrk = 0;
    state.perpendicular &= 0x3C;
    set_drq(false);
    update_irq();
}

/// Polling, which a reset enables, finds that the ready state of all four drives has changed.
void Fdc82077::end_reset()
{
    state.resetting = false;
    state.reset_senses = 0x0F;
    state.reset_interrupt = true;
    update_irq();
}

void Fdc82077::reset()
{
    begin_reset();
    write_dor(0);
    state = State{};
    for (FloppyDrive& drive : drives_) drive.state.motor = false;
}

// ---- Command and result phase -------------------------------------------------------------------

void Fdc82077::write_fifo(u8 value)
{
    if (!(state.dor & kDorReset) || state.resetting) return;
    if (state.phase == Phase::Execution) {
        if (non_dma()) byte_from_host(value);
        return;
    }
    if (state.phase == Phase::Result) return;

    state.command[state.command_length++ % state.command.size()] = value;
    const u8 expected = command_length(state.command[0]);
    if (expected == 0) {
        if (on_log) on_log("FDC: invalid command");
        return answer({fdc::kInvalid});
    }
    if (state.command_length == expected) run_command();
}

void Fdc82077::run_command()
{
    state.command_length = 0;
    switch (opcode()) {
    case fdc::kSpecify:
        state.srt_hut = state.command[1];
        state.hlt_nd = state.command[2];
        break;
    case fdc::kSenseDrive: return sense_drive();
    case fdc::kSenseInterrupt: return sense_interrupt();
    case fdc::kRecalibrate: return begin_seek(Seek::Kind::Recalibrate);
    case fdc::kSeek:
        return begin_seek(state.command[0] & 0x80 ? Seek::Kind::Relative : Seek::Kind::Absolute);
    case fdc::kDumpRegisters: return dump_registers();
    case fdc::kVersion: return answer({0x90});
    case fdc::kConfigure: return configure();
    case fdc::kPerpendicular:
        // D3..D0 are written only if OW is set.
        if (state.command[1] & 0x80) state.perpendicular = state.command[1] & 0x3F;
        else state.perpendicular = (state.perpendicular & 0x3C) | (state.command[1] & 3);
        break;
    case fdc::kLock: return set_lock();
    default: begin_execution();
    }
}

void Fdc82077::answer(std::initializer_list<u8> bytes)
{
    state.command_length = 0;
    state.result_length = static_cast<u8>(std::min(bytes.size(), state.result.size()));
    std::copy_n(bytes.begin(), state.result_length, state.result.begin());
    state.result_next = 0;
    state.phase = Phase::Result;
}

u8 Fdc82077::read_fifo()
{
    if (!(state.dor & kDorReset) || state.resetting) return 0xFF;
    if (state.phase == Phase::Execution) return non_dma() ? byte_to_host() : 0xFF;
    if (state.phase != Phase::Result) return 0xFF;

    const u8 value = state.result[state.result_next % state.result.size()];
    if (++state.result_next >= state.result_length) state.phase = Phase::Command;
    // Reading the first result byte clears the interrupt.
    state.data_interrupt = false;
    update_irq();
    return value;
}

// ---- Pins ---------------------------------------------------------------------------------------

/// DMAGATE# in the DOR enables the INT and DRQ drivers in PC-AT mode.
void Fdc82077::update_irq()
{
    bool level = state.data_interrupt || state.reset_interrupt;
    for (const Seek& seek : state.seek) level = level || seek.done;
    level = level && (state.dor & kDorDmaGate);
    if (level == state.irq) return;
    state.irq = level;
    if (on_irq) on_irq(level);
}

void Fdc82077::set_drq(bool level)
{
    level = level && (state.dor & kDorDmaGate);
    if (level == state.drq) return;
    state.drq = level;
    if (on_drq) on_drq(level);
}

u8 Fdc82077::dma_read() { return state.drq ? byte_to_host() : 0xFF; }

void Fdc82077::dma_write(u8 value)
{
    if (state.drq) byte_from_host(value);
}

void Fdc82077::terminal_count()
{
    if (state.phase != Phase::Execution) return;
    state.execution.tc = true;
    update_request();
}

}  // namespace reprise
