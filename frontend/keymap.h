/// Text to keystrokes of a US keyboard, and the names of keys.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "machine/base/scheduler.h"
#include "machine/input.h"

namespace reprise {

/// USB HID usages (page 7) that the code itself speaks of.
namespace hid {
inline constexpr u8 kA = 0x04, k1 = 0x1E, k0 = 0x27, kEnter = 0x28, kEscape = 0x29,
                    kBackspace = 0x2A, kTab = 0x2B, kSpace = 0x2C, kF1 = 0x3A, kDelete = 0x4C,
                    kLeftCtrl = 0xE0, kLeftShift = 0xE1, kLeftAlt = 0xE2, kRightCtrl = 0xE4;
}

/// Keys that are held together, modifiers first: {kLeftShift, kA} types "A".
using Chord = std::vector<u8>;

/// One thing to do: press and release a chord, or (empty chord) let guest time pass.
struct Keystroke {
    Chord chord;
    Time wait = 0;
    bool operator==(const Keystroke&) const = default;
};

/// The chord that types an ASCII character; nothing for one a US keyboard has no key for.
std::optional<Chord> chord_of_character(char character);

/// The chord of a name such as "F1", "Enter", "a", "Ctrl-Alt-Del". Case does not matter.
std::optional<Chord> chord_of_name(std::string_view name);

/// Every character as it stands, line ends as Enter. Characters without a key are left out.
std::vector<Keystroke> literal_keystrokes(std::string_view text);

/// Text with the escapes \n (Enter), \t (Tab), \b (Backspace), \e (Esc), \\, \" and the forms
/// {Name}, {wait TIME} and {{ for a brace. Throws UsageError.
std::vector<Keystroke> keystrokes(std::string_view text);

}  // namespace reprise
