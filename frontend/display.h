/// How a person sees the machine and acts on it. The run loop knows nothing else of windows,
/// terminals, keyboards or sound.
#pragma once

#include "machine/base/scheduler.h"

namespace reprise {

class Session;

class Display {
public:
    virtual ~Display() = default;

    /// Shows what the machine shows now, and does what the person asked for since the last call.
    /// Called about 60 times a second; asks the session to quit when the person wants that.
    virtual void update(Session& session) = 0;

    /// Whether it covers the terminal, so that nothing else may be printed there.
    virtual bool covers_terminal() const { return false; }

    /// The PC speaker changed at guest time `when`.
    virtual void speaker(Time when, bool level);
};

inline void Display::speaker(Time, bool) {}

}  // namespace reprise
