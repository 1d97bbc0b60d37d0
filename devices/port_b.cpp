#include "devices/port_b.h"

#include "machine/base/bits.h"

namespace reprise {

namespace {

constexpr int kGate2 = 0, kSpeakerData = 1, kParityDisable = 2, kChannelDisable = 3;

}  // namespace

u8 PortB::read(u16) const
{
    const bool refresh = on_read_refresh && on_read_refresh();
    const bool timer_out = on_read_timer_out && on_read_timer_out();
    return static_cast<u8>(state.parity_check << 7 | state.channel_check << 6 | timer_out << 5 |
                           refresh << 4 | state.latch);
}

void PortB::write(u16, u8 value) { store(bits(value, 3, 0)); }

/// The speaker's enable comes first, so that switching it off together with GATE is silent.
void PortB::store(u8 latch)
{
    const bool nmi_before = nmi();
    const u8 changed = state.latch ^ latch;
    state.latch = latch;
    if (bit(latch, kParityDisable)) state.parity_check = false;
    if (bit(latch, kChannelDisable)) state.channel_check = false;
    if (bit(changed, kSpeakerData) && on_speaker_data) on_speaker_data(bit(latch, kSpeakerData));
    if (bit(changed, kGate2) && on_gate2) on_gate2(bit(latch, kGate2));
    drive_nmi(nmi_before);
}

void PortB::signal_parity_check()
{
    const bool before = nmi();
    if (!bit(state.latch, kParityDisable)) state.parity_check = true;
    drive_nmi(before);
}

void PortB::signal_channel_check()
{
    const bool before = nmi();
    if (!bit(state.latch, kChannelDisable)) state.channel_check = true;
    drive_nmi(before);
}

void PortB::reset()
{
    const bool before = nmi();
    state.parity_check = false;
    state.channel_check = false;
    drive_nmi(before);
    store(0);
}

void PortB::drive_nmi(bool before) const
{
    if (nmi() != before && on_nmi) on_nmi(nmi());
}

}  // namespace reprise
