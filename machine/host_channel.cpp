#include "machine/host_channel.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <optional>

#include "machine/base/error.h"
#include "machine/base/suggest.h"
#include "machine/posix_file.h"

namespace reprise {

namespace {

using MessageSink = std::function<void(std::string_view message)>;

constexpr std::size_t kMaxWaiting = std::size_t{64} << 10;
constexpr std::size_t kFlushAt = 4096;  // bytes that wait before `send` tries to move them itself

/// Less than a pipe or terminal that is ready for output is sure to take without blocking.
constexpr std::size_t kPiece = 512;

bool ready(int fd, short events)
{
    pollfd request{fd, events, 0};
    return ::poll(&request, 1, 0) == 1 && (request.revents & (events | POLLHUP | POLLERR)) != 0;
}

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

/// Without SIGPIPE where that is possible.
ssize_t write_some(int fd, const u8* data, std::size_t size)
{
    const ssize_t n = ::send(fd, data, size, MSG_NOSIGNAL);
    return n < 0 && errno == ENOTSOCK ? ::write(fd, data, size) : n;
}

class NullChannel : public HostChannel {
public:
    void send(u8) override {}
    std::vector<u8> poll(std::size_t) override { return {}; }
    std::string where() const override { return "nothing"; }
};

/// Bytes in and out of file descriptors. The kinds of channel differ in how they get those, and in
/// what they do when the other end goes away.
class FdChannel : public HostChannel {
public:
    FdChannel(std::string where, MessageSink on_message)
        : where_(std::move(where)), on_message_(std::move(on_message))
    {
    }
    ~FdChannel() override { flush(); }

    void send(u8 byte) override
    {
        if (broken_) return;
        if (waiting_.size() >= kMaxWaiting) {
            if (!lost_) tell("nobody takes what the guest sends; the oldest of it is lost");
            lost_ = true;
            waiting_.pop_front();
        }
        waiting_.push_back(byte);
        if (waiting_.size() % kFlushAt == 0) flush();
    }

    std::vector<u8> poll(std::size_t limit) override
    {
        connect();
        flush();
        std::vector<u8> bytes(limit);
        if (!in_ || limit == 0 || !ready(in_.get(), POLLIN)) return {};
        const ssize_t n = ::read(in_.get(), bytes.data(), bytes.size());
        if (n < 0 && would_block(errno)) return {};
        if (n <= 0) hung_up();
        bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return bytes;
    }

    std::string where() const override { return where_; }

protected:
    /// Called before every poll: a chance for a client to come in.
    virtual void connect() {}
    /// The other end sends no more.
    virtual void hung_up() { in_.close(); }
    /// The other end takes no more, for the reason in errno.
    virtual void broken(int error)
    {
        tell(fmt::format("cannot write ({}); what the guest sends from now on is lost",
                         error_text(error)));
        broken_ = true;
        waiting_.clear();
    }

    void tell(const std::string& what) const
    {
        if (on_message_) on_message_(fmt::format("serial port on {}: {}", where_, what));
    }

    FileDescriptor in_, out_;
    std::string where_;

private:
    void flush()
    {
        while (!waiting_.empty() && out_ && ready(out_.get(), POLLOUT)) {
            std::array<u8, kPiece> piece;
            const std::size_t size = std::min(piece.size(), waiting_.size());
            std::copy_n(waiting_.begin(), size, piece.begin());
            const ssize_t n = write_some(out_.get(), piece.data(), size);
            if (n < 0 && would_block(errno)) return;
            if (n < 0) return broken(errno);
            waiting_.erase(waiting_.begin(), waiting_.begin() + n);
        }
    }

    MessageSink on_message_;
    std::deque<u8> waiting_;
    bool lost_ = false;    // the loss of output has been told
    bool broken_ = false;  // there is no use in keeping output
};

// ---- The terminal this program runs in ---------------------------------------------------------

/// A description of our own of what `fd` is open on, so that making it non-blocking does not change
/// it for the shell; files do not block, and sockets cannot be opened again.
FileDescriptor own_description(int fd, int flags)
{
    struct stat status {};
    const bool stream =
        ::fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode));
    FileDescriptor again;
    if (stream) again = FileDescriptor{open_file(fmt::format("/proc/self/fd/{}", fd), flags)};
    return again ? std::move(again) : FileDescriptor{::fcntl(fd, F_DUPFD_CLOEXEC, 3)};
}

class StdioChannel : public FdChannel {
public:
    explicit StdioChannel(MessageSink on_message) : FdChannel("stdio", std::move(on_message))
    {
        in_ = own_description(STDIN_FILENO, O_RDONLY);
        out_ = own_description(STDOUT_FILENO, O_WRONLY);
        if (!out_) throw HostError("the serial port cannot use stdio: standard output is closed");
        make_raw();
    }

    ~StdioChannel() override
    {
        if (saved_) ::tcsetattr(in_.get(), TCSANOW, &*saved_);
    }

private:
    /// Every key goes to the guest at once and unchanged, except those that make signals: Ctrl-C
    /// still ends the program. In the background the terminal is somebody else's, and would stop
    /// us.
    void make_raw()
    {
        termios now{};
        if (!in_ || ::tcgetattr(in_.get(), &now) != 0) return;
        if (::tcgetpgrp(in_.get()) != ::getpgrp()) return in_.close();
        saved_ = now;
        now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        now.c_iflag &= ~static_cast<tcflag_t>(ICRNL | IXON);
        now.c_cc[VMIN] = 1;
        now.c_cc[VTIME] = 0;
        ::tcsetattr(in_.get(), TCSANOW, &now);
    }

    /// A terminal has to be put back as it was, so it stays open.
    void hung_up() override
    {
        if (!saved_) FdChannel::hung_up();
    }

    std::optional<termios> saved_;
};

// ---- A file ------------------------------------------------------------------------------------

class FileChannel : public FdChannel {
public:
    FileChannel(const std::string& path, MessageSink on_message)
        : FdChannel(fmt::format("'{}'", path), std::move(on_message))
    {
        const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
        out_ = FileDescriptor{::open(path.c_str(), flags, 0666)};
        if (!out_)
            throw HostError(fmt::format(
                "cannot write the serial port's output to '{}': {}", path,
                errno == ENXIO ? "nobody reads the other end of that FIFO" : error_text(errno)));
    }
};

// ---- A pseudo-terminal -------------------------------------------------------------------------

class PtyChannel : public FdChannel {
public:
    explicit PtyChannel(MessageSink on_message) : FdChannel("a pty", std::move(on_message))
    {
        in_ = FileDescriptor{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
        const char* name = nullptr;
        if (!in_ || ::grantpt(in_.get()) != 0 || ::unlockpt(in_.get()) != 0 ||
            (name = ::ptsname(in_.get())) == nullptr)
            throw HostError(
                fmt::format("cannot make a pty for the serial port: {}", error_text(errno)));
        where_ = name;
        ::fcntl(in_.get(), F_SETFL, ::fcntl(in_.get(), F_GETFL) | O_NONBLOCK);
        out_ = FileDescriptor{::fcntl(in_.get(), F_DUPFD_CLOEXEC, 3)};
        // As long as we hold the other end open too, nobody leaving it is an error here.
        terminal_ = FileDescriptor{open_file(where_, O_RDWR)};
        termios mode{};
        if (terminal_ && ::tcgetattr(terminal_.get(), &mode) == 0) {
            ::cfmakeraw(&mode);
            ::tcsetattr(terminal_.get(), TCSANOW, &mode);
        }
        tell(fmt::format("connect to it with, for example, 'screen {}'", where_));
    }

private:
    FileDescriptor terminal_;
};

// ---- A TCP port --------------------------------------------------------------------------------

struct Endpoint {
    std::string host = "127.0.0.1";
    std::string port;
};

/// "[HOST:]PORT"; an IPv6 address is in brackets.
Endpoint parse_endpoint(const std::string& text)
{
    Endpoint endpoint;
    const std::size_t colon = text.rfind(':');
    if (colon != std::string::npos) endpoint.host = text.substr(0, colon);
    endpoint.port = text.substr(colon == std::string::npos ? 0 : colon + 1);
    if (endpoint.host.starts_with('[') && endpoint.host.ends_with(']'))
        endpoint.host = endpoint.host.substr(1, endpoint.host.size() - 2);
    const bool digits =
        !endpoint.port.empty() && endpoint.port.size() <= 5 &&
        std::ranges::all_of(endpoint.port, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || std::stoi(endpoint.port) > 65535 || endpoint.host.empty())
        throw HostError(
            fmt::format("'tcp:{}' is not a place for the serial port; write "
                        "tcp:PORT or tcp:HOST:PORT, with a port from 0 to 65535",
                        text));
    return endpoint;
}

std::string address_text(int fd)
{
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::getsockname(fd, generic, &size) != 0 ||
        ::getnameinfo(generic, size, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return "tcp";
    return address.ss_family == AF_INET6 ? fmt::format("[{}]:{}", host, port)
                                         : fmt::format("{}:{}", host, port);
}

FileDescriptor listen_on(const Endpoint& endpoint)
{
    const auto fail = [&](const std::string& why) {
        throw HostError(fmt::format("the serial port cannot listen on {}:{}: {}", endpoint.host,
                                    endpoint.port, why));
    };
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int status = ::getaddrinfo(endpoint.host.c_str(), endpoint.port.c_str(), &hints, &found);
    if (status != 0) fail(::gai_strerror(status));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);

    int error = 0;
    for (const addrinfo* address = found; address; address = address->ai_next) {
        const int type = address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC;
        FileDescriptor fd{::socket(address->ai_family, type, address->ai_protocol)};
        const int on = 1;
        if (fd) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (fd && ::bind(fd.get(), address->ai_addr, address->ai_addrlen) == 0 &&
            ::listen(fd.get(), 1) == 0)
            return fd;
        error = errno;
    }
    fail(error == EADDRINUSE ? "the port is in use; choose another" : error_text(error));
    return {};
}

class TcpChannel : public FdChannel {
public:
    TcpChannel(const std::string& endpoint, MessageSink on_message)
        : FdChannel("tcp", std::move(on_message)), listener_(listen_on(parse_endpoint(endpoint)))
    {
        where_ = address_text(listener_.get());
        tell("waiting for a client");
    }

private:
    void connect() override
    {
        if (in_) return;
        in_ = FileDescriptor{
            ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (in_) out_ = FileDescriptor{::fcntl(in_.get(), F_DUPFD_CLOEXEC, 3)};
    }

    void hung_up() override
    {
        in_.close();
        out_.close();
    }

    void broken(int) override { hung_up(); }

    FileDescriptor listener_;
};

}  // namespace

std::unique_ptr<HostChannel> open_host_channel(const std::string& backend, MessageSink on_message)
{
    const auto rest_after = [&](std::string_view prefix) { return backend.substr(prefix.size()); };
    if (backend.empty() || backend == "none" || backend == "null")
        return std::make_unique<NullChannel>();
    if (backend == "stdio") return std::make_unique<StdioChannel>(std::move(on_message));
    if (backend == "pty") return std::make_unique<PtyChannel>(std::move(on_message));
    if (backend.starts_with("tcp:"))
        return std::make_unique<TcpChannel>(rest_after("tcp:"), std::move(on_message));
    if (backend.starts_with("file:") && backend.size() > 5)
        return std::make_unique<FileChannel>(rest_after("file:"), std::move(on_message));
    static constexpr std::string_view kWords[] = {"none", "stdio", "pty", "tcp", "file"};
    throw HostError(
        fmt::format("a serial port cannot be connected to '{}': it can be none, stdio, "
                    "file:PATH, pty or tcp:[HOST:]PORT{}",
                    backend, did_you_mean(backend, kWords)));
}

}  // namespace reprise
