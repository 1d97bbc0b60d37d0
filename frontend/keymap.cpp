#include "frontend/keymap.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "frontend/errors.h"
#include "frontend/units.h"

namespace reprise {

namespace {

struct CharacterKey {
    char plain, shifted;
    u8 usage;
};

/// USB HID Usage Tables, section 10: a US keyboard's keys that are neither letters nor digits.
constexpr CharacterKey kCharacterKeys[] = {
    {'1', '!', 0x1E}, {'2', '@', 0x1F},  {'3', '#', 0x20}, {'4', '$', 0x21}, {'5', '%', 0x22},
    {'6', '^', 0x23}, {'7', '&', 0x24},  {'8', '*', 0x25}, {'9', '(', 0x26}, {'0', ')', 0x27},
    {'-', '_', 0x2D}, {'=', '+', 0x2E},  {'[', '{', 0x2F}, {']', '}', 0x30}, {'\\', '|', 0x31},
    {';', ':', 0x33}, {'\'', '"', 0x34}, {'`', '~', 0x35}, {',', '<', 0x36}, {'.', '>', 0x37},
    {'/', '?', 0x38},
};

const std::map<std::string, u8, std::less<>>& key_names()
{
    static const std::map<std::string, u8, std::less<>> names = [] {
        std::map<std::string, u8, std::less<>> table = {
            {"enter", 0x28},     {"return", 0x28},     {"esc", 0x29},         {"escape", 0x29},
            {"backspace", 0x2A}, {"tab", 0x2B},        {"space", 0x2C},       {"minus", 0x2D},
            {"plus", 0x57},      {"capslock", 0x39},   {"printscreen", 0x46}, {"scrolllock", 0x47},
            {"pause", 0x48},     {"insert", 0x49},     {"ins", 0x49},         {"home", 0x4A},
            {"pageup", 0x4B},    {"pgup", 0x4B},       {"delete", 0x4C},      {"del", 0x4C},
            {"end", 0x4D},       {"pagedown", 0x4E},   {"pgdn", 0x4E},        {"right", 0x4F},
            {"left", 0x50},      {"down", 0x51},       {"up", 0x52},          {"numlock", 0x53},
            {"kp/", 0x54},       {"kp*", 0x55},        {"kpminus", 0x56},     {"kpplus", 0x57},
            {"kpenter", 0x58},   {"kp.", 0x63},        {"kp0", 0x62},         {"menu", 0x65},
            {"ctrl", 0xE0},      {"leftctrl", 0xE0},   {"control", 0xE0},     {"shift", 0xE1},
            {"leftshift", 0xE1}, {"alt", 0xE2},        {"leftalt", 0xE2},     {"win", 0xE3},
            {"rightctrl", 0xE4}, {"rightshift", 0xE5}, {"rightalt", 0xE6},    {"altgr", 0xE6},
        };
        for (u8 i = 0; i < 12; ++i)
            table[fmt::format("f{}", i + 1)] = static_cast<u8>(hid::kF1 + i);
        for (u8 i = 1; i <= 9; ++i) table[fmt::format("kp{}", i)] = static_cast<u8>(0x58 + i);
        return table;
    }();
    return names;
}

std::string lower_case(std::string_view text)
{
    std::string result(text);
    for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
}

std::optional<Chord> chord_of_one_name(std::string_view name)
{
    // A letter names its key: Ctrl-C is not Ctrl-Shift-C.
    if (name.size() == 1) return chord_of_character(lower_case(name)[0]);
    const auto found = key_names().find(lower_case(name));
    if (found == key_names().end()) return std::nullopt;
    return Chord{found->second};
}

Keystroke parse_braced(std::string_view name)
{
    if (lower_case(name.substr(0, 5)) == "wait ") {
        if (const auto time = parse_time(name.substr(5))) return {{}, *time};
        throw UsageError(fmt::format("'{{{}}}' is not a wait: write {{wait 500ms}}", name));
    }
    if (const auto chord = chord_of_name(name)) return {*chord};
    std::vector<std::string> names;
    for (const auto& [known, usage] : key_names()) names.push_back(known);
    throw UsageError(fmt::format("there is no key named '{}'{}; a brace itself is {{{{", name,
                                 suggestion(lower_case(name), names)));
}

Keystroke parse_escape(char character)
{
    switch (character) {
    case 'n': return {{hid::kEnter}};
    case 't': return {{hid::kTab}};
    case 'b': return {{hid::kBackspace}};
    case 'e': return {{hid::kEscape}};
    case '\\':
    case '"': return {*chord_of_character(character)};
    default:
        throw UsageError(
            fmt::format("'\\{}' is not an escape; a backslash itself is \\\\", character));
    }
}

}  // namespace

std::optional<Chord> chord_of_character(char character)
{
    const auto c = static_cast<unsigned char>(character);
    if (c == '\n' || c == '\r') return Chord{hid::kEnter};
    if (c == '\t') return Chord{hid::kTab};
    if (c == '\b') return Chord{hid::kBackspace};
    if (c == 0x1B) return Chord{hid::kEscape};
    if (c == ' ') return Chord{hid::kSpace};
    if (c >= 'a' && c <= 'z') return Chord{static_cast<u8>(hid::kA + c - 'a')};
    if (c >= 'A' && c <= 'Z') return Chord{hid::kLeftShift, static_cast<u8>(hid::kA + c - 'A')};
    for (const CharacterKey& key : kCharacterKeys) {
        if (key.plain == character) return Chord{key.usage};
        if (key.shifted == character) return Chord{hid::kLeftShift, key.usage};
    }
    return std::nullopt;
}

std::optional<Chord> chord_of_name(std::string_view name)
{
    Chord result;
    while (!name.empty()) {
        // The separator is searched from the second character on: "Ctrl--" ends in the key "-".
        const std::size_t end = std::min(name.find_first_of("-+", 1), name.size());
        const auto part = chord_of_one_name(name.substr(0, end));
        if (!part) return std::nullopt;
        result.insert(result.end(), part->begin(), part->end());
        if (end + 1 == name.size()) return std::nullopt;
        name.remove_prefix(std::min(end + 1, name.size()));
    }
    if (result.empty()) return std::nullopt;
    return result;
}

std::vector<Keystroke> literal_keystrokes(std::string_view text)
{
    std::vector<Keystroke> result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
        if (auto chord = chord_of_character(text[i])) result.push_back({std::move(*chord)});
    }
    return result;
}

std::vector<Keystroke> keystrokes(std::string_view text)
{
    std::vector<Keystroke> result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char next = i + 1 < text.size() ? text[i + 1] : '\0';
        if (text[i] == '\\' && next) {
            result.push_back(parse_escape(text[++i]));
        } else if (text[i] == '{' && next == '{') {
            result.push_back({*chord_of_character(text[++i])});
        } else if (text[i] == '{') {
            const std::size_t end = text.find('}', i);
            if (end == text.npos)
                throw UsageError("'{' without '}' in text to type; a brace itself is {{");
            result.push_back(parse_braced(text.substr(i + 1, end - i - 1)));
            i = end;
        } else if (auto chord = chord_of_character(text[i])) {
            result.push_back({std::move(*chord)});
        } else {
            throw UsageError(fmt::format("a US keyboard has no key for '{}' (byte {:#04x})",
                                         text[i], static_cast<unsigned char>(text[i])));
        }
    }
    return result;
}

}  // namespace reprise
