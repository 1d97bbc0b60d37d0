/// Lets gdb debug the guest over TCP: reprise run --gdb. One client at a time, any number after
/// each other; without one the guest is on its own.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "frontend/gdb/packets.h"
#include "frontend/gdb/socket.h"
#include "frontend/gdb/stub.h"

namespace reprise {

class GdbServer {
public:
    /// With `waits` the guest stays where it is until a client lets it run. Throws HostError.
    GdbServer(Machine& machine, const std::string& where, bool waits);
    ~GdbServer();

    const std::string& address() const { return socket_.address(); }
    int port() const { return socket_.port(); }

    /// Does what the client has asked for by now, and tells it when the guest has stopped. To be
    /// called whenever the machine has run for a while. False: there was nothing to do.
    bool poll();
    /// Until there is something to do, or until `until`.
    void wait(HostTime until) { socket_.wait(until); }

    /// The guest is to stay where it is.
    bool holds_guest() const { return debugger_ && debugger_->is_stopped(); }
    bool wants_to_end() const { return ends_; }
    /// The last thing the client hears.
    void guest_exited(int exit_code);

private:
    void attach();
    void let_go();
    void handle(const GdbPackets::Message& message);
    void reply(const std::string& payload);
    bool serve();
    bool tell_stop();
    bool handle_all();

    Machine& machine_;
    GdbSocket socket_;
    GdbPackets packets_;
    std::unique_ptr<Debugger> debugger_;
    std::unique_ptr<GdbStub> stub_;
    std::string last_reply_;
    bool ends_ = false;
};

}  // namespace reprise
