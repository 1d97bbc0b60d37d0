/// The host's end of a serial line: a terminal, a file, a pseudo-terminal or a TCP port.
///
/// Nothing here blocks and there is no thread: what the guest sends waits in a bounded buffer until
/// the host takes it, and `poll` fetches what has arrived. A program that uses it should ignore
/// SIGPIPE, so that a closed pipe becomes a message.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "machine/base/types.h"

namespace reprise {

class HostChannel {
public:
    virtual ~HostChannel() = default;

    /// A byte from the guest. What nobody takes is kept, the newest 64 KB of it.
    virtual void send(u8 byte) = 0;
    /// Moves waiting bytes to the host, and returns at most `limit` bytes that arrived from it.
    virtual std::vector<u8> poll(std::size_t limit = 256) = 0;
    /// Where the other end is, such as "/dev/pts/3" or "127.0.0.1:4555".
    virtual std::string where() const = 0;
};

/// Opens "", "none" or "null" (nothing is connected), "stdio", "file:PATH" (output only; an old
/// file is replaced), "pty", or "tcp:[HOST:]PORT" (waits for one client at a time; HOST defaults to
/// 127.0.0.1, and port 0 picks a free one). `on_message` is told where a pty or port is, and of
/// trouble later, each kind once. Throws HostError if it cannot be opened.
std::unique_ptr<HostChannel> open_host_channel(
    const std::string& backend, std::function<void(std::string_view message)> on_message = {});

}  // namespace reprise
