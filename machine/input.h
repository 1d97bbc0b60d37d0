/// Everything that reaches the guest from outside. One list, because replay needs every one of
/// them with the instruction count at which it took effect.
#pragma once

#include <array>
#include <string>
#include <variant>
#include <vector>

#include "machine/base/types.h"

namespace reprise {

/// A key of the keyboard by its USB HID usage (page 7), which SDL's scancodes are too.
struct KeyInput {
    u8 usage = 0;
    bool pressed = false;
};

/// Motion in mickeys (x right, y down), wheel in notches (positive: away from the user),
/// and the buttons that are down: bit 0 left, 1 right, 2 middle.
struct MouseInput {
    i32 dx = 0, dy = 0, dz = 0;
    u8 buttons = 0;
};

/// Another medium, or none (empty path), in a drive named "fda", "fdb" or "hda" .. "hdd" (CD-ROM
/// drives only).
struct MediaInput {
    std::string drive;
    std::string path;
    bool read_only = false;
    bool snapshot = false;  // writes stay in memory
};

/// Bytes that arrive at serial port 0 or 1.
struct SerialInput {
    int port = 0;
    std::vector<u8> bytes;
};

/// The reset button.
struct ResetInput {};

/// The power button of a machine with ACPI: a request to the guest. Others have a switch, which the
/// guest does not see.
struct PowerButtonInput {};

/// Memory that a debugger changes.
struct DebugMemoryInput {
    u64 address = 0;  // linear, through the guest's page tables, unless `physical`
    bool physical = false;
    std::vector<u8> bytes;
};

/// A register that a debugger changes, by its name in machine/debug_registers.h.
struct DebugRegisterInput {
    std::string name;
    std::array<u8, 16> value{};  // little-endian
};

using Input = std::variant<KeyInput, MouseInput, MediaInput, SerialInput, ResetInput, PowerButtonInput,
                           DebugMemoryInput, DebugRegisterInput>;

}  // namespace reprise
