// Seeks, and the commands that only look at or change the controller.
#include "devices/fdc_82077.h"
#include "machine/base/bits.h"

namespace reprise {

using namespace fdc;

namespace {

constexpr u8 kRecalibrateSteps = 79;

}  // namespace

// ---- SPECIFY timings: given for 500 kbps, inversely proportional to the rate
// ---------

u32 Fdc82077::rate_kbps() const
{
    static constexpr std::array<u32, 4> kRates{500, 300, 250, 1000};
    return kRates[state.data_rate & 3];
}

Time Fdc82077::step_time() const
{
    return (16u - bits(state.srt_hut, 7, 4)) * (kMillisecond * 500 / rate_kbps()) / speed_;
}

Time Fdc82077::head_load_time() const
{
    const u32 hlt = bits(state.hlt_nd, 7, 1);
    return (hlt ? hlt : 128) * (2 * kMillisecond * 500 / rate_kbps()) / speed_;
}

Time Fdc82077::head_unload_time() const
{
    const u32 hut = bits(state.srt_hut, 3, 0);
    return (hut ? hut : 16) * (16 * kMillisecond * 500 / rate_kbps()) / speed_;
}

// ---- SEEK, RELATIVE SEEK, RECALIBRATE
// ----------------------------------------

void Fdc82077::begin_seek(Seek::Kind kind)
{
    const int drive = state.command[1] & 3;
    Seek& seek = state.seek[drive];
    seek = Seek{.kind = kind, .busy = true, .pcn = seek.pcn};
    if (kind == Seek::Kind::Absolute) seek.ncn = state.command[2];
    if (kind == Seek::Kind::Relative) {
        seek.steps = state.command[2];
        seek.inwards = bit(state.command[0], 6);  // DIR
    }
    if (kind != Seek::Kind::Recalibrate) seek.st0 = state.command[1] & 4;
    update_irq();
    seek_[drive].in(step_time());
}

void Fdc82077::step_seek(int drive)
{
    Seek& seek = state.seek[drive];
    FloppyDrive& mechanism = drives_[drive];
    switch (seek.kind) {
    case Seek::Kind::None: return;
    case Seek::Kind::Recalibrate:
        if (mechanism.track0()) {
            seek.pcn = 0;
            return end_seek(drive, kSeekEnd);
        }
        if (seek.steps++ == kRecalibrateSteps)
            return end_seek(drive, kAbnormal | kSeekEnd | kEquipmentCheck);
        mechanism.step(false);
        break;
    case Seek::Kind::Absolute:
        if (seek.pcn == seek.ncn) return end_seek(drive, kSeekEnd);
        mechanism.step(seek.ncn > seek.pcn);
        seek.pcn = static_cast<u8>(seek.ncn > seek.pcn ? seek.pcn + 1 : seek.pcn - 1);
        break;
    case Seek::Kind::Relative:
        if (seek.steps == 0) return end_seek(drive, kSeekEnd);
        --seek.steps;
        mechanism.step(seek.inwards);
        seek.pcn = static_cast<u8>(seek.inwards ? seek.pcn + 1 : seek.pcn - 1);
    }
    seek_[drive].in(step_time());
}

void Fdc82077::end_seek(int drive, u8 st0)
{
    Seek& seek = state.seek[drive];
    seek.kind = Seek::Kind::None;
    seek.done = true;
    seek.st0 = static_cast<u8>(st0 | seek.st0 | drive);
    update_irq();
}

/// One answer per call: first the four drives that a reset found changed, then finished seeks.
/// With nothing to report it is an invalid command.
void Fdc82077::sense_interrupt()
{
    state.reset_interrupt = false;
    for (u8 drive = 0; drive < 4; ++drive) {
        if (!bit(state.reset_senses, drive)) continue;
        state.reset_senses = with_bit(state.reset_senses, drive, false);
        update_irq();
        return answer({static_cast<u8>(kChanged | drive), state.seek[drive].pcn});
    }
    for (Seek& seek : state.seek) {
        if (!seek.done) continue;
        seek.done = seek.busy = false;
        const bool level = state.irq;
        state.irq = false;  // a further finished seek makes a new edge
        if (level && on_irq) on_irq(false);
        update_irq();
        return answer({seek.st0, seek.pcn});
    }
    update_irq();
    answer({kInvalid});
}

// ---- The others ---------------------------------------------------------------------------------

/// ST3: bits 5 and 3 are always set.
void Fdc82077::sense_drive()
{
    const FloppyDrive& drive = selected();
    answer({static_cast<u8>((state.command[1] & 7) | 0x28 | drive.write_protected() << 6 |
                            drive.track0() << 4)});
}

void Fdc82077::configure()
{
    state.configuration = state.command[2] & 0x7F;
    state.pretrk = state.command[3];
}

/// The byte after HLT/ND is SC of the last FORMAT TRACK or EOT of the last transfer.
void Fdc82077::dump_registers()
{
    answer({state.seek[0].pcn, state.seek[1].pcn, state.seek[2].pcn, state.seek[3].pcn,
            state.srt_hut, state.hlt_nd, state.sc_eot,
            static_cast<u8>(state.lock << 7 | state.perpendicular), state.configuration,
            state.pretrk});
}

void Fdc82077::set_lock()
{
    state.lock = (state.command[0] & 0x80) != 0;
    answer({static_cast<u8>(state.lock << 4)});
}

}  // namespace reprise
