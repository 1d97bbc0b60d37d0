/// A TCP port that one client at a time can connect to. Nothing here waits unless asked to.
#pragma once

#include <string>
#include <string_view>

#include "frontend/pacer.h"
#include "machine/posix_file.h"

namespace reprise {

class GdbSocket {
public:
    /// `where` is [ADDRESS:]PORT; without an address, only this host can connect. Throws HostError.
    explicit GdbSocket(const std::string& where);

    /// "127.0.0.1:1234"
    const std::string& address() const { return address_; }
    int port() const { return port_; }

    /// True if a client has just come. Those that come while there is one are turned away.
    bool accept();
    bool connected() const { return static_cast<bool>(client_); }
    void disconnect();

    /// What has arrived. The client may be gone afterwards.
    std::string receive();
    /// A client that does not take what it is sent for long is let go.
    void send(std::string_view bytes);

    /// Until a client comes or sends something, or until `until`.
    void wait(HostTime until);

private:
    void flush();

    FileDescriptor listener_, client_;
    std::string address_;
    std::string unsent_;
    int port_ = 0;
};

}  // namespace reprise
