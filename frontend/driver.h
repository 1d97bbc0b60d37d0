/// Runs a machine in guest time and types into it.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "frontend/keymap.h"
#include "machine/machine.h"

namespace reprise {

/// How long a typed key stays down, and the pause after it, in guest time.
struct TypingPace {
    Time down = 20 * kMillisecond;
    Time up = 20 * kMillisecond;
};

/// Everything here is counted in guest time, so that a run does not depend on the host's speed or
/// on how its calls divide it.
class Driver {
public:
    explicit Driver(Machine& machine, TypingPace pace = {}) : machine_(machine), pace_(pace) {}

    /// Types after whatever is still being typed, and not before `delay` has passed.
    void type(const std::vector<Keystroke>& strokes, Time delay = 0);
    /// A key that a person pressed or released just now.
    void key(u8 usage, bool pressed) { machine_.inject(KeyInput{usage, pressed}); }
    bool typing() const { return !due_.empty(); }
    /// When the last typed key is up again.
    Time typed_until() const { return typed_until_; }

    /// Runs to `time`, or to the end set below if that comes first.
    Stop run_until(Time time);

    void end_at_time(Time time) { end_time_ = time; }
    void end_at_instruction(u64 count) { end_instruction_ = count; }
    bool reached_end() const;

private:
    struct Due {
        Time time;
        KeyInput input;
    };

    Stop run_to(Time time);

    Machine& machine_;
    TypingPace pace_;
    std::deque<Due> due_;
    Time typed_until_ = 0;
    Time end_time_ = kNever;
    std::optional<u64> end_instruction_;
};

}  // namespace reprise
