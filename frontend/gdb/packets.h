/// How the GDB remote serial protocol packs its messages: GDB manual, appendix E.1.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace reprise {

/// `payload` as it goes over the line: $, escapes where needed, #, checksum.
std::string gdb_packet(std::string_view payload);

/// Finds messages in what arrives, whatever it is.
class GdbPackets {
public:
    struct Message {
        enum class Kind { Packet, Damaged, Interrupt, Resend };
        Kind kind = Kind::Packet;
        std::string payload;  // of a packet, without escapes
    };

    static constexpr std::size_t kMaxPayload = 64 << 10;  // longer packets are damaged

    void receive(std::string_view bytes) { waiting_ += bytes; }
    /// The next message that is complete.
    std::optional<Message> next();

private:
    std::optional<Message> next_packet();

    std::string waiting_;
};

std::string to_hex(std::string_view bytes);
/// Nothing if `hex` is not an even number of hex digits.
std::optional<std::string> from_hex(std::string_view hex);

}  // namespace reprise
