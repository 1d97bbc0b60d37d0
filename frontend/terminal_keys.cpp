#include "frontend/terminal_keys.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace reprise {

namespace {

constexpr char kEsc = 0x1B;
constexpr std::size_t kLongestSequence = 16;

struct Named {
    std::string_view code;  // what follows ESC, without parameters
    std::string_view name;
};

constexpr Named kFinalLetters[] = {
    {"A", "Up"}, {"B", "Down"}, {"C", "Right"}, {"D", "Left"}, {"H", "Home"},    {"F", "End"},
    {"P", "F1"}, {"Q", "F2"},   {"R", "F3"},    {"S", "F4"},   {"M", "KpEnter"},
};

constexpr Named kTildeNumbers[] = {
    {"1", "Home"},     {"2", "Insert"}, {"3", "Delete"}, {"4", "End"},  {"5", "PageUp"},
    {"6", "PageDown"}, {"7", "Home"},   {"8", "End"},    {"11", "F1"},  {"12", "F2"},
    {"13", "F3"},      {"14", "F4"},    {"15", "F5"},    {"17", "F6"},  {"18", "F7"},
    {"19", "F8"},      {"20", "F9"},    {"21", "F10"},   {"23", "F11"}, {"24", "F12"},
};

constexpr Named kConsoleLetters[] = {
    {"A", "F1"}, {"B", "F2"}, {"C", "F3"}, {"D", "F4"}, {"E", "F5"},
};

template <std::size_t N>
std::string_view name_of(const Named (&table)[N], std::string_view code)
{
    for (const Named& entry : table)
        if (entry.code == code) return entry.name;
    return {};
}

/// xterm's modifier parameter is 1 plus a mask: 1 Shift, 2 Alt, 4 Ctrl.
Chord with_modifiers(int parameter, std::string_view name)
{
    Chord chord;
    const int mask = parameter > 0 ? parameter - 1 : 0;
    if (mask & 4) chord.push_back(hid::kLeftCtrl);
    if (mask & 2) chord.push_back(hid::kLeftAlt);
    if (mask & 1) chord.push_back(hid::kLeftShift);
    if (const auto key = chord_of_name(name)) chord.insert(chord.end(), key->begin(), key->end());
    return chord;
}

Chord plain_key(char character)
{
    const auto c = static_cast<unsigned char>(character);
    if (c == 0x7F || c == 0x08) return {hid::kBackspace};
    if (c == '\r' || c == '\n') return {hid::kEnter};
    if (c == '\t') return {hid::kTab};
    if (c == 0) return {hid::kLeftCtrl, hid::kSpace};
    if (c < 0x1B) return {hid::kLeftCtrl, static_cast<u8>(hid::kA + c - 1)};
    if (c == 0x1B) return {hid::kEscape};
    if (c < 0x20) {  // FS GS RS US are Ctrl with \ ] ^ _
        constexpr std::string_view kKeys = "\\]6-";
        const auto key = chord_of_character(kKeys[c - 0x1CU]);
        return {hid::kLeftCtrl, key->front()};
    }
    return chord_of_character(character).value_or(Chord{});
}

}  // namespace

std::vector<TerminalKey> TerminalKeys::feed(std::string_view bytes)
{
    pending_ += bytes;
    std::vector<TerminalKey> keys;
    while (!pending_.empty() && take_one(keys)) {
    }
    return keys;
}

std::vector<TerminalKey> TerminalKeys::settle()
{
    std::vector<TerminalKey> keys;
    for (const char c : pending_) keys.push_back({plain_key(c), 0});
    pending_.clear();
    return keys;
}

/// False: more bytes are needed.
bool TerminalKeys::take_one(std::vector<TerminalKey>& keys)
{
    const char first = pending_[0];
    if (prefix_seen_ || first != kEsc) {
        pending_.erase(0, 1);
        if (prefix_seen_ && first != kPrefix) {
            keys.push_back(
                {{}, static_cast<char>(std::tolower(static_cast<unsigned char>(first)))});
        } else if (!prefix_seen_ && first == kPrefix) {
            prefix_seen_ = true;
            return true;
        } else if (Chord chord = plain_key(first); !chord.empty()) {
            keys.push_back({std::move(chord), 0});
        }
        prefix_seen_ = false;
        return true;
    }
    const std::size_t length = escape_length();
    if (length == 0) return false;
    escape_sequence(std::string_view(pending_).substr(1, length - 1), keys);
    pending_.erase(0, length);
    return true;
}

/// Length of the sequence that starts with ESC; 0 while it is incomplete. ECMA-48, 5.4: a control
/// sequence ends with a byte from 40h to 7Eh.
std::size_t TerminalKeys::escape_length() const
{
    if (pending_.size() < 2) return 0;
    if (pending_[1] == kEsc) return 1;
    if (pending_[1] == 'O') return pending_.size() < 3 ? 0 : 3;
    if (pending_[1] != '[') return 2;
    if (pending_.size() >= 3 && pending_[2] == '[') return pending_.size() < 4 ? 0 : 4;
    for (std::size_t i = 2; i < pending_.size(); ++i)
        if (pending_[i] >= 0x40 && pending_[i] <= 0x7E) return i + 1;
    return pending_.size() >= kLongestSequence ? pending_.size() : 0;
}

void TerminalKeys::escape_sequence(std::string_view sequence, std::vector<TerminalKey>& keys) const
{
    const auto push = [&](Chord chord) {
        if (!chord.empty()) keys.push_back({std::move(chord), 0});
    };
    if (sequence.empty()) return push({hid::kEscape});
    if (sequence.size() == 1) {  // ESC and a character: Alt with it
        Chord chord = plain_key(sequence[0]);
        if (!chord.empty()) chord.insert(chord.begin(), hid::kLeftAlt);
        return push(std::move(chord));
    }
    if (sequence.starts_with("[[")) {
        const auto name = name_of(kConsoleLetters, sequence.substr(2, 1));
        return push(name.empty() ? Chord{} : with_modifiers(0, name));
    }
    if (sequence == "[Z") return push({hid::kLeftShift, hid::kTab});
    const std::string parameters(sequence.substr(1, sequence.size() - 2));
    const std::size_t semicolon = std::min(parameters.find(';'), parameters.size());
    const int modifiers =
        semicolon < parameters.size() ? std::atoi(parameters.c_str() + semicolon + 1) : 0;
    const std::string_view last = sequence.substr(sequence.size() - 1);
    const std::string_view name = last == "~"
                                      ? name_of(kTildeNumbers, parameters.substr(0, semicolon))
                                      : name_of(kFinalLetters, last);
    if (!name.empty()) push(with_modifiers(modifiers, name));
}

}  // namespace reprise
