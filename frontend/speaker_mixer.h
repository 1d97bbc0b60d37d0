/// Turns the PC speaker's edges into audio samples.
#pragma once

#include <vector>

#include "machine/base/scheduler.h"

namespace reprise {

/// The speaker is one bit with a time stamp at each change. A sample is the average of that bit
/// over the sample's length (a box filter), so that tones far above the sample rate, which PWM
/// players use, come out as the level they stand for. A slow high-pass removes the constant part.
class SpeakerMixer {
public:
    static constexpr u32 kSampleRate = 48'000;

    /// Guest seconds that pass per host second, in percent: it decides how long a sample is in
    /// guest time.
    void set_speed(u32 percent);
    /// Forgets what was before `now`.
    void restart(Time now);
    void edge(Time when, bool level);
    /// Appends the samples that are complete at guest time `now`, each -1..1.
    void take(Time now, std::vector<float>& samples);

private:
    void advance(Time time);
    Time sample_end() const;

    u32 percent_ = 100;
    Time origin_ = 0;    // guest time of sample 0
    u64 index_ = 0;      // the sample that is being filled
    Time position_ = 0;  // guest time up to which it is filled
    Time high_ = 0;      // how much of it the speaker was high
    bool level_ = false;
    float previous_ = 0, output_ = 0;  // of the high-pass
    std::vector<float> ready_;
};

}  // namespace reprise
