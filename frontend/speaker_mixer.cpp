#include "frontend/speaker_mixer.h"

#include <algorithm>

namespace reprise {

namespace {

constexpr float kVolume = 0.25F;
constexpr float kHighPass = 0.995F;  // -3 dB at about 40 Hz
constexpr std::size_t kMostReady = std::size_t{2} * SpeakerMixer::kSampleRate;

}  // namespace

void SpeakerMixer::set_speed(u32 percent)
{
    percent_ = std::clamp(percent, 1U, 10'000U);
    restart(position_);
}

void SpeakerMixer::restart(Time now)
{
    origin_ = position_ = now;
    index_ = 0;
    high_ = 0;
    ready_.clear();
}

void SpeakerMixer::edge(Time when, bool level)
{
    advance(when);
    level_ = level;
}

void SpeakerMixer::take(Time now, std::vector<float>& samples)
{
    advance(now);
    samples.insert(samples.end(), ready_.begin(), ready_.end());
    ready_.clear();
}

Time SpeakerMixer::sample_end() const
{
    return origin_ + (index_ + 1) * kSecond / kSampleRate * percent_ / 100;
}

void SpeakerMixer::advance(Time time)
{
    if (time > position_ + 2 * kSecond) restart(time);  // nobody listens to a long past
    while (position_ < time) {
        const Time end = sample_end();
        const Time next = std::min(time, end);
        if (level_) high_ += next - position_;
        position_ = next;
        if (next < end) return;
        const Time begin = origin_ + index_ * kSecond / kSampleRate * percent_ / 100;
        const Time length = std::max<Time>(end - begin, 1);
        const float input = static_cast<float>(high_) / static_cast<float>(length);
        output_ = input - previous_ + kHighPass * output_;
        previous_ = input;
        if (ready_.size() < kMostReady)
            ready_.push_back(std::clamp(kVolume * output_, -1.0F, 1.0F));
        high_ = 0;
        ++index_;
    }
}

}  // namespace reprise
