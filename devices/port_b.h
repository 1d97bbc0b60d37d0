/// System control port B of the PC/AT (port 61h).
///
/// IBM 5170 Technical Reference, System Board, "I/O Channel Check", "Parity", "Speaker" and
/// "Refresh"; Intel 290550, 82371 PIIX, "NMI Status and Control Register".
///
///     bit 0  GATE of timer channel 2        bit 4  refresh detect, toggles with every refresh
///     bit 1  speaker data enable            bit 5  OUT of timer channel 2
///     bit 2  1: disable/clear parity check  bit 6  I/O channel check occurred
///     bit 3  1: disable/clear channel check bit 7  RAM parity check occurred
///
/// Bits 3..0 are a latch; bits 7..4 are wires and cannot be written.
#pragma once

#include <functional>

#include "machine/base/fields.h"
#include "machine/base/types.h"

namespace reprise {

class PortB {
public:
    struct State {
        u8 latch = 0;
        bool parity_check = false;
        bool channel_check = false;

        constexpr void visit(auto& v)
        {
            v("latch", latch);
            v("parity_check", parity_check);
            v("channel_check", channel_check);
        }
    };

    std::function<void(bool level)> on_gate2;
    std::function<void(bool level)> on_speaker_data;
    std::function<void(bool level)> on_nmi;  ///< a check occurred and has not been cleared

    /// Wires that are looked at when the port is read. Unconnected ones read as 0.
    std::function<bool()> on_read_refresh;
    std::function<bool()> on_read_timer_out;

    u8 read(u16 offset) const;
    void write(u16 offset, u8 value);

    void signal_parity_check();   ///< RAM read with bad parity
    void signal_channel_check();  ///< IOCHK pin of the bus

    /// RESET pin: the latch is cleared.
    void reset();

    State state;

private:
    void store(u8 latch);
    bool nmi() const { return state.parity_check || state.channel_check; }
    void drive_nmi(bool before) const;
};

static_assert(visits_every_member<PortB::State>);

}  // namespace reprise
