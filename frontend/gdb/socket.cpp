#include "frontend/gdb/socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>

#include "machine/base/error.h"

namespace reprise {

namespace {

constexpr std::size_t kMaxUnsent = 1 << 20;

[[noreturn]] void cannot_listen(const std::string& where, const std::string& why)
{
    throw HostError(fmt::format("gdb cannot be served on '{}': {}", where, why));
}

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses resolve(const std::string& where)
{
    const std::size_t colon = where.rfind(':');
    std::string host = colon == where.npos || colon == 0 ? "127.0.0.1" : where.substr(0, colon);
    const std::string port = colon == where.npos ? where : where.substr(colon + 1);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found))
        cannot_listen(where, gai_strerror(error));
    return {found, freeaddrinfo};
}

/// "host:port" of what `fd` is bound to, and the port's number.
std::pair<std::string, int> bound_to(int fd)
{
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> port{};
    getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
    getnameinfo(reinterpret_cast<sockaddr*>(&name), size, host.data(), host.size(), port.data(),
                port.size(), NI_NUMERICHOST | NI_NUMERICSERV);
    return {fmt::format("{}:{}", host.data(), port.data()), std::atoi(port.data())};
}

void make_non_blocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

bool try_again(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

GdbSocket::GdbSocket(const std::string& where)
{
    const Addresses addresses = resolve(where);
    int error = 0;
    for (const addrinfo* a = addresses.get(); a && !listener_; a = a->ai_next) {
        FileDescriptor fd(::socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol));
        const int on = 1;
        setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (fd && bind(fd.get(), a->ai_addr, a->ai_addrlen) == 0 && listen(fd.get(), 1) == 0)
            listener_ = std::move(fd);
        else error = errno;
    }
    if (!listener_) cannot_listen(where, error_text(error));
    make_non_blocking(listener_.get());
    std::tie(address_, port_) = bound_to(listener_.get());
}

bool GdbSocket::accept()
{
    FileDescriptor fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd || client_) return false;
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    client_ = std::move(fd);
    unsent_.clear();
    return true;
}

void GdbSocket::disconnect() { client_.close(); }

std::string GdbSocket::receive()
{
    if (!client_) return {};
    flush();
    std::array<char, 4096> buffer;
    const ssize_t n = ::recv(client_.get(), buffer.data(), buffer.size(), 0);
    if (n > 0) return {buffer.data(), static_cast<std::size_t>(n)};
    if (n == 0 || !try_again(errno)) disconnect();
    return {};
}

void GdbSocket::send(std::string_view bytes)
{
    if (!client_) return;
    unsent_ += bytes;
    flush();
    if (unsent_.size() > kMaxUnsent) disconnect();
}

void GdbSocket::flush()
{
    while (client_ && !unsent_.empty()) {
        const ssize_t n = ::send(client_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
        if (n > 0) unsent_.erase(0, static_cast<std::size_t>(n));
        else if (n < 0 && try_again(errno)) return;
        else disconnect();
    }
}

void GdbSocket::wait(HostTime until)
{
    const HostTime now = host_now();
    if (now >= until) return;
    const short writing = unsent_.empty() ? 0 : POLLOUT;
    std::array<pollfd, 2> requests{
        {{listener_.get(), POLLIN, 0}, {client_.get(), static_cast<short>(POLLIN | writing), 0}}};
    const HostTime left = until - now;
    const timespec timeout{static_cast<time_t>(left / kSecond), static_cast<long>(left % kSecond)};
    ::ppoll(requests.data(), client_ ? 2 : 1, &timeout, nullptr);
}

}  // namespace reprise
