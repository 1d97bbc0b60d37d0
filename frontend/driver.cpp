#include "frontend/driver.h"

#include <algorithm>

namespace reprise {

void Driver::type(const std::vector<Keystroke>& strokes, Time delay)
{
    Time time = std::max(typed_until_, machine_.now() + delay);
    for (const Keystroke& stroke : strokes) {
        for (const u8 usage : stroke.chord) due_.push_back({time, {usage, true}});
        if (!stroke.chord.empty()) time += pace_.down;
        for (auto usage = stroke.chord.rbegin(); usage != stroke.chord.rend(); ++usage)
            due_.push_back({time, {*usage, false}});
        time += stroke.chord.empty() ? stroke.wait : pace_.up;
    }
    typed_until_ = time;
}

Stop Driver::run_until(Time time)
{
    time = std::min(time, end_time_);
    for (;;) {
        while (!due_.empty() && due_.front().time <= machine_.now()) {
            machine_.inject(due_.front().input);
            due_.pop_front();
        }
        if (machine_.now() >= time || reached_end()) return Stop::Reached;
        const Stop stop = run_to(due_.empty() ? time : std::min(time, due_.front().time));
        if (stop != Stop::Reached) return stop;
    }
}

bool Driver::reached_end() const
{
    if (machine_.now() >= end_time_) return true;
    return end_instruction_ && machine_.instructions() >= *end_instruction_;
}

Stop Driver::run_to(Time time)
{
    if (!end_instruction_) return machine_.run_until(time);
    // No more than one instruction retires per period, so this long cannot overshoot; a guest that
    // sleeps in HLT retires fewer, and the caller comes again.
    const u64 left = std::min(*end_instruction_ - machine_.instructions(), u64{1'000'000'000});
    const MachineConfig& config = machine_.config();
    const Time safe = left * 1000 * config.cpu_mips_denominator / config.cpu_mips_numerator;
    if (safe == 0) return machine_.run_to_instruction(*end_instruction_, time);
    return machine_.run_until(std::min(time, machine_.now() + safe));
}

}  // namespace reprise
