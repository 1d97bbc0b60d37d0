#include "frontend/pacer.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace reprise {

HostTime host_now()
{
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<HostTime>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

void sleep_until(HostTime time)
{
    const HostTime now = host_now();
    if (time > now) std::this_thread::sleep_for(std::chrono::nanoseconds(time - now));
}

void Pacer::set_speed(std::optional<u32> percent)
{
    percent_ = percent;
    restart();
}

Time Pacer::goal(HostTime host, Time guest)
{
    if (!anchored_) {
        anchored_ = true;
        host_anchor_ = measure_host_ = host;
        guest_anchor_ = measure_guest_ = guest;
        measured_ = percent_.value_or(0);
    }
    if (host - measure_host_ >= kMeasureOver) {
        measured_ = 100.0 * static_cast<double>(guest - measure_guest_) /
                    static_cast<double>(host - measure_host_);
        measure_host_ = host;
        measure_guest_ = guest;
    }
    if (!percent_) return guest + slice_;
    const Time wanted = guest_anchor_ + (host - host_anchor_) / 100 * *percent_;
    if (wanted > guest + kMostLag) {
        host_anchor_ = host;
        guest_anchor_ = guest;
        return guest + slice_;
    }
    if (wanted < guest + kTick) return guest;
    return std::min(wanted, guest + slice_);
}

void Pacer::ran(HostTime begin, HostTime end, Time guest_ns)
{
    const HostTime busy = end - begin;
    if (busy > 2 * kBusyFor) slice_ /= 2;
    else if (busy < kBusyFor / 2 && guest_ns >= slice_) slice_ *= 2;
    slice_ = std::clamp<Time>(slice_, 50 * kMicrosecond, 50 * kMillisecond);
}

}  // namespace reprise
