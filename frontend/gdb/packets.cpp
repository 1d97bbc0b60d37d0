#include "frontend/gdb/packets.h"

#include "machine/base/types.h"

namespace reprise {

namespace {

constexpr char kInterrupt = 0x03;
constexpr char kEscape = '}';
constexpr u8 kEscapeBit = 0x20;
constexpr char kDigits[] = "0123456789abcdef";

u8 checksum(std::string_view bytes)
{
    u8 sum = 0;
    for (const char c : bytes) sum = static_cast<u8>(sum + static_cast<u8>(c));
    return sum;
}

int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// `}` stands before a byte whose bit 5 is inverted.
std::string without_escapes(std::string_view raw)
{
    std::string result;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] == kEscape && i + 1 < raw.size())
            result += static_cast<char>(static_cast<u8>(raw[++i]) ^ kEscapeBit);
        else result += raw[i];
    }
    return result;
}

}  // namespace

std::string gdb_packet(std::string_view payload)
{
    std::string body;
    for (const char c : payload) {
        // An asterisk would mean a repetition.
        if (c == '$' || c == '#' || c == kEscape || c == '*') {
            body += kEscape;
            body += static_cast<char>(static_cast<u8>(c) ^ kEscapeBit);
        } else {
            body += c;
        }
    }
    const u8 sum = checksum(body);
    return '$' + body + '#' + kDigits[sum >> 4] + kDigits[sum & 15];
}

std::optional<GdbPackets::Message> GdbPackets::next()
{
    std::size_t skipped = 0;
    while (skipped < waiting_.size()) {
        const char c = waiting_[skipped];
        if (c == '$') break;
        ++skipped;
        if (c != kInterrupt && c != '-') continue;  // acknowledgements, and noise
        waiting_.erase(0, skipped);
        return Message{c == '-' ? Message::Kind::Resend : Message::Kind::Interrupt, {}};
    }
    waiting_.erase(0, skipped);
    return next_packet();
}

std::optional<GdbPackets::Message> GdbPackets::next_packet()
{
    const std::size_t end = waiting_.find('#');
    if (end == std::string::npos || end + 2 >= waiting_.size()) {
        if (waiting_.size() <= kMaxPayload) return std::nullopt;
        waiting_.clear();
        return Message{Message::Kind::Damaged, {}};
    }
    const std::string_view raw = std::string_view(waiting_).substr(1, end - 1);
    const int high = digit(waiting_[end + 1]), low = digit(waiting_[end + 2]);
    Message message;
    if (high < 0 || low < 0 || checksum(raw) != high * 16 + low || raw.size() > kMaxPayload)
        message.kind = Message::Kind::Damaged;
    else message.payload = without_escapes(raw);
    waiting_.erase(0, end + 3);
    return message;
}

std::string to_hex(std::string_view bytes)
{
    std::string hex;
    for (const char c : bytes) {
        hex += kDigits[static_cast<u8>(c) >> 4];
        hex += kDigits[static_cast<u8>(c) & 15];
    }
    return hex;
}

std::optional<std::string> from_hex(std::string_view hex)
{
    if (hex.size() % 2 != 0) return std::nullopt;
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        const int high = digit(hex[i]), low = digit(hex[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        bytes += static_cast<char>(high * 16 + low);
    }
    return bytes;
}

}  // namespace reprise
