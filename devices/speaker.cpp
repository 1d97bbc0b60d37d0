#include "devices/speaker.h"

namespace reprise {

void PcSpeaker::set_timer_out(bool high)
{
    const bool before = level();
    state.timer_out = high;
    drive(before);
}

void PcSpeaker::set_data_enable(bool high)
{
    const bool before = level();
    state.data_enable = high;
    drive(before);
}

void PcSpeaker::drive(bool before) const
{
    if (level() != before && on_level) on_level(scheduler_.now(), level());
}

}  // namespace reprise
