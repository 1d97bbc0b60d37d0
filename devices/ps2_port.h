/// The two wires between a keyboard controller and what is plugged into one of its ports.
///
/// A byte at a time instead of a clock edge at a time: the device shows that it has a byte, the
/// controller takes it once it has let the clock run for a whole frame. A device whose clock is
/// held low simply keeps its bytes.
#pragma once

#include <functional>

#include "machine/base/scheduler.h"

namespace reprise {

/// A frame is a start bit, eight data bits, a parity bit and a stop bit at a clock of 60 to 100 us
/// (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller").
inline constexpr Time kPs2FrameTime = kMicrosecond * 80 * 11;

class Ps2Device {
public:
    virtual ~Ps2Device() = default;

    /// A byte waits for the clock.
    virtual bool has_byte() const = 0;
    /// The controller has clocked in the waiting byte. Only called when there is one.
    virtual u8 take_byte() = 0;
    /// The controller has clocked out a byte to the device.
    virtual void receive(u8 byte) = 0;

    /// Called when a byte has come to wait. Connected by the controller.
    std::function<void()> on_byte_waiting;
};

}  // namespace reprise
