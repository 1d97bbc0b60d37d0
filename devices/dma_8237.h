/// Intel 8237A programmable DMA controller.
///
/// Datasheet: Intel 231466, "8237A High Performance Programmable DMA Controller". Register and
/// bit names below are the datasheet's.
///
/// Transfers take no guest time: as soon as a channel requests service, is not masked and has the
/// bus, they happen, one after the other, for as long as its mode lets it keep the bus. The board
/// adds the page to the sixteen address bits; on the controller whose transfers are words it also
/// shifts them.
///
/// A controller whose `on_hrq` is connected waits for `set_hlda`, which is how it is cascaded:
///
///     first.on_hrq = [&](bool level) { second.set_dreq(0, level); };
///     second.on_dack[0] = [&](bool active) { first.set_hlda(active); };
///
/// Left empty, HRQ is answered at once.
#pragma once

#include <array>
#include <functional>

#include "machine/base/fields.h"
#include "machine/base/types.h"

namespace reprise {

class Dma8237 {
public:
    enum class Width : u8 { Byte, Word };  ///< of the data bus it controls

    struct Channel {
        u16 base_address = 0;
        u16 base_count = 0;
        u16 current_address = 0;
        u16 current_count = 0;
        u8 mode = 0;  // bits 7..2 of the mode register

        constexpr void visit(auto& v)
        {
            v("base_address", base_address);
            v("base_count", base_count);
            v("current_address", current_address);
            v("current_count", current_count);
            v("mode", mode);
        }
    };

    struct State {
        std::array<Channel, 4> channel{};
        bool msb_next = false;  // first/last flip-flop
        u8 command = 0;
        u8 request = 0;  // software requests
        u8 mask = 0x0F;
        u8 terminal_count = 0;  // status bits 3..0
        u8 temporary = 0;
        u8 lowest = 3;  // the channel that has the lowest priority now
        u8 dreq = 0;    // levels of the DREQ pins
        u8 dack = 0;    // DACK pins that are active for a cascaded controller
        bool hrq = false;
        bool hlda = false;

        constexpr void visit(auto& v)
        {
            v("channel", channel);
            v("msb_next", msb_next);
            v("command", command);
            v("request", request);
            v("mask", mask);
            v("terminal_count", terminal_count);
            v("temporary", temporary);
            v("lowest", lowest);
            v("dreq", dreq);
            v("dack", dack);
            v("hrq", hrq);
            v("hlda", hlda);
        }
    };

    explicit Dma8237(Width width = Width::Byte) : width_(width) {}

    // The device's side of a channel: DACK with IOR, DACK with IOW, and EOP. A byte controller uses
    // the low eight bits. A verify transfer is a device read that goes nowhere.
    std::array<std::function<u16()>, 4> on_device_read;
    std::array<std::function<void(u16 data)>, 4> on_device_write;
    std::array<std::function<void()>, 4> on_terminal_count;
    std::array<std::function<void(bool active)>, 4> on_dack;  // cascade mode only

    // The memory's side: the channel selects the page register.
    std::function<u16(int channel, u16 address)> on_memory_read;
    std::function<void(int channel, u16 address, u16 data)> on_memory_write;

    std::function<void(bool level)> on_hrq;

    u8 read(u16 offset);               // offset is A3..A0
    void write(u16 offset, u8 value);  // offset is A3..A0

    void set_dreq(int channel, bool level);
    void set_hlda(bool level);
    /// EOP driven from outside: ends the transfer in progress as its terminal count would. Only
    /// meaningful inside a device callback.
    void signal_eop() { eop_ = true; }

    /// RESET pin: the same as a master clear.
    void reset();

    State state;

private:
    void write_register(u16 offset, u8 value);
    void write_address_or_count(u16 offset, u8 value);
    u8 read_address_or_count(u16 offset);
    u8 status() const;

    u8 requesting() const;  // channels with DREQ active or a software request
    u8 eligible() const;    // of those, the ones that may have the bus
    bool cascading() const { return state.dack != 0; }
    void service();
    void drive_hrq();
    void drive_cascade_dack();
    int next_channel() const;
    int serve(int index);
    bool transfer(int index);
    bool copy_memory();
    bool step(int index, bool hold_address = false);
    bool finish_cycle(int index, bool terminal_count);
    u16 read_memory(int index) const;
    void write_memory(int index, u16 data) const;
    u16 read_device(int index) const;

    Width width_;
    bool busy_ = false;  // inside service(): only ever true within a call
    bool eop_ = false;   // EOP seen during the transfer in progress: likewise
};

static_assert(visits_every_member<Dma8237::Channel>);
static_assert(visits_every_member<Dma8237::State>);

}  // namespace reprise
