#include "frontend/sdl_audio.h"

#include <fmt/format.h>

#include <cstdio>

namespace reprise {

namespace {

constexpr u32 kBytesPerSecond = SpeakerMixer::kSampleRate * sizeof(float);
constexpr u32 kMostQueued = kBytesPerSecond / 6;  // further behind than this is disturbing
constexpr u32 kCushion = kBytesPerSecond / 30;    // bridges the time between two updates

}  // namespace

SdlAudio::SdlAudio()
{
    SDL_AudioSpec wanted{};
    wanted.freq = SpeakerMixer::kSampleRate;
    wanted.format = AUDIO_F32SYS;
    wanted.channels = 1;
    wanted.samples = 512;
    if (SDL_InitSubSystem(SDL_INIT_AUDIO) == 0)
        device_ = SDL_OpenAudioDevice(nullptr, 0, &wanted, nullptr, 0);
    if (!device_) fmt::print(stderr, "reprise: no sound: {}\n", SDL_GetError());
    else SDL_PauseAudioDevice(device_, 0);
}

SdlAudio::~SdlAudio()
{
    if (device_) SDL_CloseAudioDevice(device_);
}

void SdlAudio::update(Time now, u32 percent)
{
    if (percent && percent != percent_) mixer_.set_speed(percent_ = percent);
    samples_.clear();
    mixer_.take(now, samples_);
    if (!device_) return;
    const u32 queued = SDL_GetQueuedAudioSize(device_);
    if (!percent) {
        if (queued) SDL_ClearQueuedAudio(device_);
        return;
    }
    if (samples_.empty() || queued > kMostQueued) return;
    if (queued == 0) samples_.insert(samples_.begin(), kCushion / sizeof(float), samples_.front());
    SDL_QueueAudio(device_, samples_.data(), static_cast<u32>(samples_.size() * sizeof(float)));
}

}  // namespace reprise
