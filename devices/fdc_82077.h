/// Intel 82077AA floppy disk controller, with the drives that are connected to it.
///
/// Datasheet: Intel 290166, "82077AA CHMOS Single-Chip Floppy Disk Controller". Names below are
/// the datasheet's: DOR, TDR, MSR, DSR, DIR, CCR; C, H, R, N; EOT, MT, MFM, SK; ST0..ST3; PCN.
/// The chip is in PC-AT mode (IDENT high, MFM low): SRA and SRB are not decoded.
///
/// The execution phase is one event: the end of a search, the next burst of bytes at the data
/// rate, the end of a sector. Seeks run beside it, one event per drive and step pulse.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <string_view>

#include "devices/floppy_drive.h"
#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

class Fdc82077 {
public:
    enum class Phase : u8 { Command, Execution, Result };

    /// What the execution event does next.
    enum class Step : u8 { Idle, ImpliedSeek, Search, Transfer, SectorEnd, ReadId, Format, Fail };

    /// A seek in progress, and what SENSE INTERRUPT STATUS will say about it.
    struct Seek {
        enum class Kind : u8 { None, Recalibrate, Absolute, Relative };

        Kind kind = Kind::None;
        bool busy = false;  // DRV BUSY in the MSR: until SENSE INTERRUPT STATUS
        bool done = false;
        u8 pcn = 0;
        u8 ncn = 0;    // new cylinder number
        u8 steps = 0;  // Recalibrate: pulses given; Relative: pulses left
        bool inwards = false;
        u8 st0 = 0;

        constexpr void visit(auto& v)
        {
            v("kind", kind);
            v("busy", busy);
            v("done", done);
            v("pcn", pcn);
            v("ncn", ncn);
            v("steps", steps);
            v("inwards", inwards);
            v("st0", st0);
        }
    };

    /// The command in its execution phase.
    struct Execution {
        Step step = Step::Idle;
        u8 st0 = 0, st1 = 0, st2 = 0;
        u8 c = 0, h = 0, r = 0, n = 0;  // the sector being looked for or transferred
        u8 head = 0;                    // the head that is selected, HDS
        bool tc = false;                // terminal count was seen
        bool skip = false;              // this sector's data mark is of the other kind: pass over
        bool stop = false;              // the same without SK: this sector is the last
        u16 media = 0;                  // bytes of the sector that passed the head
        u16 host = 0;                   // bytes of it that the host read or wrote
        u16 sectors = 0;                // VERIFY: left; READ TRACK, FORMAT TRACK: done

        constexpr void visit(auto& v)
        {
            v("step", step);
            v("st0", st0);
            v("st1", st1);
            v("st2", st2);
            v("c", c);
            v("h", h);
            v("r", r);
            v("n", n);
            v("head", head);
            v("tc", tc);
            v("skip", skip);
            v("stop", stop);
            v("media", media);
            v("host", host);
            v("sectors", sectors);
        }
    };

    struct State {
        // Registers.
        u8 dor = 0;
        u8 tdr = 0;
        u8 dsr = 0x02;
        u8 data_rate = 2;  // DRATE SEL of whichever of DSR and CCR was written last: 250 kbps
        u8 srt_hut = 0;    // SPECIFY
        u8 hlt_nd = 0;
        u8 configuration = 0x20;  // CONFIGURE: EIS, EFIFO, POLL, FIFOTHR
        u8 pretrk = 0;
        u8 sc_eot = 0;         // SC or EOT of the last command that had one, for DUMPREG
        u8 perpendicular = 0;  // D3..D0, GAP, WGATE
        bool lock = false;

        // The command in hand.
        Phase phase = Phase::Command;
        std::array<u8, 9> command{};
        u8 command_length = 0;  // bytes received
        std::array<u8, 10> result{};
        u8 result_length = 0;
        u8 result_next = 0;
        Execution execution{};

        // Seeks and interrupts.
        std::array<Seek, 4> seek{};
        bool resetting = false;  // the reset has ended, polling has not found the drives yet
        u8 reset_senses = 0;     // drives whose polling interrupt has not been sensed
        bool reset_interrupt = false;
        bool data_interrupt = false;  // result phase, or a byte to move without DMA
        Time head_unload = 0;         // when the head of the last command is unloaded
        bool irq = false;             // pins
        bool drq = false;

        std::array<u8, FloppyDrive::kSectorSize> buffer{};

        constexpr void visit(auto& v)
        {
            v("dor", dor);
            v("tdr", tdr);
            v("dsr", dsr);
            v("data_rate", data_rate);
            v("srt_hut", srt_hut);
            v("hlt_nd", hlt_nd);
            v("configuration", configuration);
            v("pretrk", pretrk);
            v("sc_eot", sc_eot);
            v("perpendicular", perpendicular);
            v("lock", lock);
            v("phase", phase);
            v("command", command);
            v("command_length", command_length);
            v("result", result);
            v("result_length", result_length);
            v("result_next", result_next);
            v("execution", execution);
            v("seek", seek);
            v("resetting", resetting);
            v("reset_senses", reset_senses);
            v("reset_interrupt", reset_interrupt);
            v("data_interrupt", data_interrupt);
            v("head_unload", head_unload);
            v("irq", irq);
            v("drq", drq);
            v.bytes("buffer", buffer);
        }
    };

    /// With `speed` n, drives and data rate are n times as fast as real ones; software that waits for
    /// the chip cannot tell, software that measures can.
    Fdc82077(Scheduler& scheduler, std::array<FloppyType, 4> types, u32 speed = 1);

    std::function<void(bool level)> on_irq;  // INT
    std::function<void(bool level)> on_drq;  // DRQ
    std::function<void(std::string_view message)> on_log;

    u8 read(u16 offset);               // 2 DOR, 3 TDR, 4 MSR, 5 FIFO, 7 DIR
    void write(u16 offset, u8 value);  // 2 DOR, 3 TDR, 4 DSR, 5 FIFO, 7 CCR

    u8 dma_read();             // DACK# with RD#: disk to memory
    void dma_write(u8 value);  // DACK# with WR#: memory to disk
    void terminal_count();     // TC

    void reset();  // the RESET pin; the drives stay as they are, but stop turning

    /// A medium goes into drive 0..3. Not owned. `geometry` says how it is formatted.
    void insert(int drive, BlockDevice* medium, Geometry geometry);
    void eject(int drive);
    const FloppyDrive& drive(int index) const { return drives_[index & 3]; }

    void visit(auto& v)
    {
        v("state", state);
        v("drives", drives_);
    }

    State state;

private:
    enum class Direction { None, ToHost, FromHost };

    // Registers and the three phases (fdc_82077.cpp).
    u8 msr() const;
    void write_dor(u8 value);
    void write_dsr(u8 value);
    void begin_reset();
    void end_reset();
    u8 read_fifo();
    void write_fifo(u8 value);
    void run_command();
    void answer(std::initializer_list<u8> bytes);
    void update_irq();
    void set_drq(bool level);

    // Commands without a data transfer (fdc_82077_control.cpp).
    void begin_seek(Seek::Kind kind);
    void step_seek(int drive);
    void end_seek(int drive, u8 st0);
    void sense_interrupt();
    void sense_drive();
    void configure();
    void dump_registers();
    void set_lock();

    // Commands that move data (fdc_82077_execution.cpp).
    void begin_execution();
    void run_execution();
    void step_implied_seek();
    void load_head();
    void search();
    void search_read_track();
    void begin_sector(FloppyDrive::Id id, Time start);
    void pass_bytes();
    void end_sector();
    void next_sector();
    bool advance_id();
    void compare_sector();
    void search_format();
    void format_sector();
    void finish_read_id();
    void fail_after_search(u8 st1, u8 st2);
    void fail(u8 st1, u8 st2);
    void finish(u8 interrupt_code);
    bool requests_byte() const;
    void update_request();
    u8 byte_to_host();
    void byte_from_host(u8 value);

    u8 opcode() const { return state.command[0] & 0x1F; }
    Direction direction() const;
    bool non_dma() const { return (state.hlt_nd & 1) != 0; }
    u16 unit_length() const;   // bytes per sector or per ID that is formatted
    u16 burst_length() const;  // bytes between two looks at the FIFO
    u16 fifo_depth() const;    // bytes by which the host may be late
    u32 rate_kbps() const;
    Time byte_time() const { return 8'000'000 / (rate_kbps() * speed_); }
    Time step_time() const;
    Time head_load_time() const;
    Time head_unload_time() const;
    FloppyDrive& selected() { return drives_[state.command[1] & 3]; }

    Scheduler& scheduler_;
    u32 speed_;
    std::array<FloppyDrive, 4> drives_;
    Event execution_;
    Event reset_end_;
    std::array<Event, 4> seek_;
};

static_assert(visits_every_member<Fdc82077::Seek>);
static_assert(visits_every_member<Fdc82077::Execution>);
static_assert(visits_every_member<Fdc82077::State>);

/// The commands by the low five bits of their first byte.
namespace fdc {
inline constexpr u8 kReadTrack = 0x02, kSpecify = 0x03, kSenseDrive = 0x04, kWriteData = 0x05,
                    kReadData = 0x06, kRecalibrate = 0x07, kSenseInterrupt = 0x08,
                    kWriteDeleted = 0x09, kReadId = 0x0A, kReadDeleted = 0x0C, kFormat = 0x0D,
                    kDumpRegisters = 0x0E, kSeek = 0x0F, kVersion = 0x10, kScanEqual = 0x11,
                    kPerpendicular = 0x12, kConfigure = 0x13, kLock = 0x14, kVerify = 0x16,
                    kScanLow = 0x19, kScanHigh = 0x1D;

// Status register 0
inline constexpr u8 kAbnormal = 0x40, kInvalid = 0x80, kChanged = 0xC0, kSeekEnd = 0x20,
                    kEquipmentCheck = 0x10;
// Status register 1
inline constexpr u8 kEndOfCylinder = 0x80, kDataError = 0x20, kOverrun = 0x10, kNoData = 0x04,
                    kNotWritable = 0x02, kMissingAddressMark = 0x01;
// Status register 2
inline constexpr u8 kControlMark = 0x40, kDataFieldError = 0x20, kWrongCylinder = 0x10,
                    kScanEqualHit = 0x08, kScanNotSatisfied = 0x04;
}  // namespace fdc

}  // namespace reprise
