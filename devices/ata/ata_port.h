/// The drive's end of an ATA cable: task file, status, and the transfer of data blocks.
///
/// Sources: T13 1410D ("ATA/ATAPI-6"). Names below are the standard's: BSY, DRDY,
/// DF, DSC, DRQ, ERR, INTRQ, HOB, nIEN, SRST, PIO data-in and data-out, DMARQ.
///
/// Hard disks and CD-ROM drives both consist of one of these and a command set. The port stores
/// registers and moves blocks between its buffer and the host; the command set is called when a
/// command is due and when a block has moved. Commands take guest time: one event marks the end of
/// the present BSY period.
#pragma once

#include <array>
#include <functional>
#include <span>
#include <string>

#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

namespace ata {
// Status register
inline constexpr u8 kBsy = 0x80, kDrdy = 0x40, kDf = 0x20, kDsc = 0x10, kDrq = 0x08, kErr = 0x01;
// Error register
inline constexpr u8 kUnc = 0x40, kIdnf = 0x10, kAbrt = 0x04;
// Device register, Device Control register
inline constexpr u8 kLba = 0x40, kDev = 0x10;
inline constexpr u8 kHob = 0x80, kSrst = 0x04, kNien = 0x02;
}  // namespace ata

class AtaPort {
public:
    static constexpr u32 kBufferSize = 65'536;
    /// Media and cable together move 33 MB/s.
    static constexpr Time kByteTime = 30;

    enum class Transfer : u8 { None, PioIn, PioOut, DmaIn, DmaOut };
    /// What the end of the BSY period means.
    enum class Due : u8 { Nothing, Reset, Command, Block };

    struct State {
        u8 error = 1;  // Error register: diagnostic code "passed"
        u8 status = 0;
        u8 device = 0;
        u8 command = 0;
        // The registers that a 48-bit command reads twice: what was written last, and before that.
        std::array<u8, 2> features{}, count{}, lba_low{}, lba_mid{}, lba_high{};
        bool intrq = false;
        bool dmarq = false;
        Due due = Due::Nothing;

        Transfer transfer = Transfer::None;
        bool last = false;  // no BSY period follows this PIO data-in block
        u32 position = 0;   // of the next byte in the buffer
        u32 end = 0;
        u32 length = 0;  // of the block
        std::array<u8, kBufferSize> buffer{};

        constexpr void visit(auto& v)
        {
            v("error", error);
            v("status", status);
            v("device", device);
            v("command", command);
            v("features", features);
            v("count", count);
            v("lba_low", lba_low);
            v("lba_mid", lba_mid);
            v("lba_high", lba_high);
            v("intrq", intrq);
            v("dmarq", dmarq);
            v("due", due);
            v("transfer", transfer);
            v("last", last);
            v("position", position);
            v("end", end);
            v("length", length);
            v.bytes("buffer", buffer);
        }
    };

    /// `name` distinguishes the port's event from those of other drives. `packet`: the drive
    /// answers with the signature of the PACKET command set.
    AtaPort(Scheduler& scheduler, const std::string& name, bool packet);

    // Connected by the command set.
    std::function<void()> on_command;             // state.command is to be executed
    std::function<void()> on_block;               // the block in the buffer has moved, either way
    std::function<void(bool power_on)> on_reset;  // SRST, DEVICE RESET, or the RESET pin

    // Connected by the channel.
    std::function<void()> on_change;  // INTRQ or DMARQ may have changed

    // The cable.
    u8 read(u16 offset, bool hob);  // 1..7; reading Status clears INTRQ
    void write(u16 offset, u8 value);
    u8 alternate_status() const { return state.status; }
    u32 read_data(int size);
    void write_data(u32 value, int size);
    std::size_t dma_read(std::span<u8> out);  // as many bytes as the drive offers
    std::size_t dma_write(std::span<const u8> data);
    bool dma_to_host() const { return state.transfer == Transfer::DmaIn; }
    u32 dma_available() const { return state.dmarq ? state.end - state.position : 0; }
    void set_srst(bool level);
    void diagnose(bool interrupt);  // EXECUTE DEVICE DIAGNOSTIC, which both drives execute

    // For the command set.
    void busy(Due due, Time delay);
    void complete();                                          // success, with an interrupt
    void complete_quietly();                                  // success, without
    void fail(u8 error, u8 status = ata::kDrdy | ata::kDsc);  // ERR, with an interrupt
    /// Offers `length` bytes of the buffer from `start` on to the host, or asks for them.
    void transfer(Transfer direction, u32 start, u32 length, bool interrupt, bool last = false);
    void place_signature();
    void power_on();
    std::span<u8> buffer() { return state.buffer; }

    State state;

private:
    void run();
    void set_intrq(bool level);
    void set_dmarq(bool level);
    void block_moved();
    void start_command(u8 command);

    Event event_;
    bool packet_;
};

static_assert(visits_every_member<AtaPort::State>);

}  // namespace reprise
