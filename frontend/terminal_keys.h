/// What a terminal sends when keys are pressed, turned back into keys.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "frontend/keymap.h"

namespace reprise {

/// Either a chord for the guest or, after the prefix Ctrl-], a command for the emulator.
struct TerminalKey {
    Chord chord;
    char command = 0;
    bool operator==(const TerminalKey&) const = default;
};

/// Knows the sequences of xterm and its descendants, of the Linux console and of rxvt. A terminal
/// tells of presses only, and never of a modifier alone.
class TerminalKeys {
public:
    static constexpr char kPrefix = 0x1D;  // Ctrl-]

    /// Takes what arrived and returns the keys that are complete.
    std::vector<TerminalKey> feed(std::string_view bytes);
    /// Nothing followed for a while: a lone ESC was the Esc key.
    std::vector<TerminalKey> settle();
    bool waiting_for_command() const { return prefix_seen_; }

private:
    bool take_one(std::vector<TerminalKey>& keys);
    std::size_t escape_length() const;
    void escape_sequence(std::string_view sequence, std::vector<TerminalKey>& keys) const;

    std::string pending_;
    bool prefix_seen_ = false;
};

}  // namespace reprise
