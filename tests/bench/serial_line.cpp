#include "tests/bench/serial_line.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "machine/base/error.h"

namespace reprise::bench {

SerialLine::SerialLine()
{
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (listener_ < 0 || bind(listener_, generic, size) != 0 || listen(listener_, 1) != 0 ||
        getsockname(listener_, generic, &size) != 0)
        throw HostError(fmt::format("cannot listen on loopback: {}", std::strerror(errno)));
    port_ = ntohs(address.sin_port);
}

SerialLine::~SerialLine()
{
    if (connection_ >= 0) close(connection_);
    close(listener_);
}

const std::string& SerialLine::poll()
{
    if (connection_ < 0)
        connection_ = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    char bytes[256];
    for (;;) {
        const ssize_t count = connection_ < 0 ? -1 : recv(connection_, bytes, sizeof bytes, 0);
        if (count <= 0) return text_;
        text_.append(bytes, static_cast<std::size_t>(count));
    }
}

}  // namespace reprise::bench
