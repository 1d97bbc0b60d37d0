/// The VGA's colour look-up table: an Inmos IMSG171-style RAMDAC of 256 x 3 x 6 bits, which the
/// Bochs display interface can widen to 8 bits.
///
/// Datasheet: Inmos, "IMSG171 High performance CMOS colour look-up table". One address register
/// serves reads and writes. A colour passes through a register of three bytes: a read address
/// fetches it and moves on, and the third byte of a write stores it and moves on.
#pragma once

#include <array>

#include "machine/base/fields.h"

namespace reprise {

struct Dac {
    std::array<u8, 256 * 3> table{};
    std::array<u8, 3> color{};  // the colour value register
    u8 address = 0;
    u8 component = 0;  // 0 red, 1 green, 2 blue
    bool reading = false;
    u8 pel_mask = 0xFF;

    void set_read_address(u8 value);
    void set_write_address(u8 value);
    /// Bits 1 and 0 of the DAC state register: the kind of the last address.
    u8 access_state() const { return reading ? 3 : 0; }
    u8 read_data();
    void write_data(u8 value, bool eight_bits);

    /// What the three outputs show for a pixel, as 0x00RRGGBB.
    u32 output(u8 pixel, bool eight_bits) const;

    constexpr void visit(auto& v)
    {
        v.bytes("table", table);
        v.bytes("color", color);
        v("address", address);
        v("component", component);
        v("reading", reading);
        v("pel_mask", pel_mask);
    }

private:
    void fetch();
};

static_assert(visits_every_member<Dac>);

}  // namespace reprise
