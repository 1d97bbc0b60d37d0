/// Guest time, and the events that happen in it.
///
/// Guest time is a pure function of retired instructions: nothing in cpu/, devices/ or machine/
/// ever reads a host clock. That is what makes a replay exact.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "machine/base/types.h"

namespace reprise {

using Time = u64;  ///< Nanoseconds of guest time since power-on (u64 lasts 584 years).
inline constexpr Time kNever = ~Time{0};
inline constexpr Time kMicrosecond = 1'000, kMillisecond = 1'000'000, kSecond = 1'000'000'000;

/// A crystal of numerator/denominator Hz. Ticks are counted from power-on rather than added up,
/// so rounding never accumulates, and ticks(time_of(n)) == n for every n (up to 1 GHz).
struct Clock {
    u64 numerator;
    u64 denominator = 1;

    /// Ticks completed by time `t`.
    constexpr u64 ticks(Time t) const
    {
        if (!fits()) return static_cast<u64>(u128{t} * numerator / (u128{denominator} * kSecond));
        const u64 unit = denominator * kSecond;
        return t / unit * numerator + t % unit * numerator / unit;
    }

    /// The first instant at which tick `n` has completed.
    constexpr Time time_of(u64 n) const
    {
        if (!fits())
            return static_cast<Time>((u128{n} * denominator * kSecond + numerator - 1) / numerator);
        const u64 unit = denominator * kSecond;
        return n / numerator * unit + (n % numerator * unit + numerator - 1) / numerator;
    }

private:
    __extension__ using u128 = unsigned __int128;

    /// So slow that nothing overflows 64 bits; dividing 128 of them takes long.
    constexpr bool fits() const
    {
        return u128{denominator} * kSecond * numerator + numerator <= ~u64{0};
    }
};

class Scheduler;

/// One thing that can be due. A device owns its events; it sets their deadlines.
/// The deadline is the event's whole state, so a savestate stores deadlines and no callbacks.
class Event {
public:
    Event(Scheduler& scheduler, std::string name, std::function<void()> fire);
    ~Event();
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    /// Due at `deadline` (a deadline in the past is due at once); kNever: not armed.
    void at(Time deadline);
    /// Due `delay_ns` from now.
    void in(Time delay_ns);
    Time deadline() const { return deadline_; }
    bool armed() const { return deadline_ != kNever; }

private:
    friend class Scheduler;

    Scheduler& scheduler_;
    std::string name_;
    std::function<void()> fire_;
    Time deadline_ = kNever;
};

/// A PC has about two dozen events, so a plain vector searched in order is both the simplest and
/// the fastest queue. Events due at the same instant fire in the order they were created.
class Scheduler {
public:
    Time now() const { return now_; }

    /// The CPU may run undisturbed until this instant.
    Time next_deadline() const
    {
        const Event* event = next();
        return event ? event->deadline_ : kNever;
    }

    /// Fires everything due up to and including `time`, then sets the clock to it.
    void advance_to(Time time)
    {
        for (Event* event = next(); event && event->deadline_ <= time; event = next()) {
            now_ = std::max(now_, event->deadline_);
            event->deadline_ = kNever;
            event->fire_();
        }
        now_ = std::max(now_, time);
    }

    /// Sets the clock in the middle of a run of instructions, so that a chip that is accessed sees
    /// the present. Fires nothing: the CPU never runs past a deadline.
    void set_now(Time time) { now_ = std::max(now_, time); }

    /// Called when an event is armed, with its deadline: the CPU may have to stop earlier.
    std::function<void(Time deadline)> on_armed;

    void visit(auto& v)
    {
        v("now", now_);
        for (Event* event : events_) v(event->name_.c_str(), event->deadline_);
    }

private:
    friend class Event;

    Event* next() const
    {
        Event* earliest = nullptr;
        for (Event* event : events_)
            if (event->deadline_ != kNever && (!earliest || event->deadline_ < earliest->deadline_))
                earliest = event;
        return earliest;
    }

    Time now_ = 0;
    std::vector<Event*> events_;
};

inline Event::Event(Scheduler& scheduler, std::string name, std::function<void()> fire)
    : scheduler_(scheduler), name_(std::move(name)), fire_(std::move(fire))
{
    scheduler_.events_.push_back(this);
}

inline Event::~Event() { std::erase(scheduler_.events_, this); }

inline void Event::at(Time deadline)
{
    deadline_ = deadline;
    if (deadline != kNever && scheduler_.on_armed) scheduler_.on_armed(deadline);
}

inline void Event::in(Time delay_ns) { at(scheduler_.now() + delay_ns); }

}  // namespace reprise
