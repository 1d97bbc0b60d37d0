/// The PC speaker: an AND gate, an amplifier and a cone.
///
/// IBM 5170 Technical Reference, System Board, "Speaker Interface": timer channel 2's output and
/// the speaker data bit of port B are combined, so software can make sound with either.
#pragma once

#include <functional>

#include "machine/base/fields.h"
#include "machine/base/scheduler.h"

namespace reprise {

class PcSpeaker {
public:
    struct State {
        bool timer_out = false;
        bool data_enable = false;

        constexpr void visit(auto& v)
        {
            v("timer_out", timer_out);
            v("data_enable", data_enable);
        }
    };

    explicit PcSpeaker(const Scheduler& scheduler) : scheduler_(scheduler) {}

    /// The cone moved: at guest time `when`, to `level`.
    std::function<void(Time when, bool level)> on_level;

    void set_timer_out(bool high);
    void set_data_enable(bool high);
    bool level() const { return state.timer_out && state.data_enable; }

    /// A gate has nothing to reset: its inputs say what it does.
    void reset() {}

    State state;

private:
    void drive(bool before) const;

    const Scheduler& scheduler_;
};

static_assert(visits_every_member<PcSpeaker::State>);

}  // namespace reprise
