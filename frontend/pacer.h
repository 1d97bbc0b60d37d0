/// Keeps guest time in step with the host's clock. The only place where the two meet.
#pragma once

#include <optional>

#include "machine/base/scheduler.h"

namespace reprise {

/// Nanoseconds of the host's monotonic clock.
using HostTime = u64;
HostTime host_now();
void sleep_until(HostTime time);

/// Decides how far the guest may run. It is told the time rather than asking for it, so that tests
/// can make time up.
class Pacer {
public:
    /// 100 is real time; nothing means as fast as the host can.
    void set_speed(std::optional<u32> percent);
    std::optional<u32> speed() const { return percent_; }

    /// Starts over from here: after a pause, a resume, or a change of speed.
    void restart() { anchored_ = false; }

    /// The guest time to run to now; `guest` if there is nothing to do yet. Never so far that the
    /// call would keep the host busy for long. A guest that cannot keep up is not hurried later.
    Time goal(HostTime host, Time guest);

    /// Reports a run of the guest that the host began at `begin` and ended at `end`.
    void ran(HostTime begin, HostTime end, Time guest_ns);

    /// Guest speed over the last half second or so, in percent.
    double measured_percent() const { return measured_; }

private:
    static constexpr HostTime kBusyFor = 4 * kMillisecond;
    static constexpr Time kTick = 200 * kMicrosecond;  // less is not worth a call
    static constexpr Time kMostLag = 100 * kMillisecond;
    static constexpr HostTime kMeasureOver = 500 * kMillisecond;

    std::optional<u32> percent_ = 100;
    bool anchored_ = false;
    HostTime host_anchor_ = 0;
    Time guest_anchor_ = 0;
    Time slice_ = kMillisecond;

    HostTime measure_host_ = 0;
    Time measure_guest_ = 0;
    double measured_ = 0;
};

}  // namespace reprise
