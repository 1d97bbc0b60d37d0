/// The PC speaker through SDL's audio.
#pragma once

#include <SDL.h>

#include <vector>

#include "frontend/speaker_mixer.h"

namespace reprise {

/// A consumer: it takes what the guest has played so far. A guest that runs too slowly is heard
/// with gaps, one that runs too fast loses samples; neither is steered.
class SdlAudio {
public:
    SdlAudio();
    ~SdlAudio();
    SdlAudio(const SdlAudio&) = delete;
    SdlAudio& operator=(const SdlAudio&) = delete;

    void edge(Time when, bool level) { mixer_.edge(when, level); }
    /// `percent` is the guest's speed; 0 is silence.
    void update(Time now, u32 percent);

private:
    SDL_AudioDeviceID device_ = 0;
    SpeakerMixer mixer_;
    std::vector<float> samples_;
    u32 percent_ = 100;
};

}  // namespace reprise
