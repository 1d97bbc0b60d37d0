/// An ATA cable with up to two drives.
///
/// Source: T13 1410D ("ATA/ATAPI-6").
/// Offsets 0..7 are the command block; the control block has one register that counts, Device
/// Control when written and Alternate Status when read.
///
/// Both drives see every register write; the one that DEV selects answers and executes.
#pragma once

#include <array>
#include <functional>
#include <span>

#include "devices/ata/ata_port.h"
#include "machine/base/fields.h"

namespace reprise {

class AtaChannel {
public:
    struct State {
        u8 device = 0;          // as last written: DEV selects
        u8 device_control = 0;  // HOB, SRST, nIEN
        bool irq = false;       // pins
        bool dmarq = false;

        constexpr void visit(auto& v)
        {
            v("device", device);
            v("device_control", device_control);
            v("irq", irq);
            v("dmarq", dmarq);
        }
    };

    std::function<void(bool level)> on_irq;    // INTRQ, if nIEN lets it through
    std::function<void(bool level)> on_dmarq;  // DMARQ, to the bus master

    /// Connects a drive as device 0 or 1. Not owned.
    void attach(int index, AtaPort& drive);

    u8 read(u16 offset);  // offset 0: a data byte
    void write(u16 offset, u8 value);
    u32 read_data(int size);  // the data port: 1, 2 or 4 bytes
    void write_data(u32 value, int size);
    u8 read_control() const;  // Alternate Status
    void write_control(u8 value);

    // The bus master's side of DMARQ and DMACK.
    bool dma_to_host() const;
    u32 dma_available() const;
    std::size_t dma_read(std::span<u8> out);
    std::size_t dma_write(std::span<const u8> data);

    void reset();  // the RESET pin

    State state;

private:
    AtaPort* selected() const { return drives_[(state.device & ata::kDev) != 0]; }
    bool empty() const { return !drives_[0] && !drives_[1]; }
    void update();

    std::array<AtaPort*, 2> drives_{};
};

static_assert(visits_every_member<AtaChannel::State>);

}  // namespace reprise
