#include "frontend/gdb/server.h"

#include <fmt/format.h>

namespace reprise {

namespace {

constexpr int kReceivesPerPoll = 64;

}  // namespace

GdbServer::GdbServer(Machine& machine, const std::string& where, bool waits)
    : machine_(machine), socket_(where)
{
    if (waits) debugger_ = std::make_unique<Debugger>(machine_);
}

GdbServer::~GdbServer() = default;

void GdbServer::attach()
{
    if (!debugger_) debugger_ = std::make_unique<Debugger>(machine_);
    stub_ = std::make_unique<GdbStub>(machine_, *debugger_);
    packets_ = {};
    last_reply_.clear();
}

/// The client has gone, in whatever way.
void GdbServer::let_go()
{
    stub_.reset();
    debugger_.reset();
}

void GdbServer::reply(const std::string& payload)
{
    last_reply_ = gdb_packet(payload);
    socket_.send(last_reply_);
}

bool GdbServer::poll()
{
    const bool served = stub_ && serve();
    // Only now is it known whether the client before has gone.
    const bool came = socket_.accept();
    if (came) attach();
    return served || came;
}

bool GdbServer::serve()
{
    const bool told = tell_stop();
    const bool handled = handle_all();
    tell_stop();  // of a guest that was interrupted just now
    ends_ = ends_ || stub_->wants_to_end();
    if (!socket_.connected()) let_go();
    return told || handled;
}

bool GdbServer::tell_stop()
{
    const auto stop = stub_->stop_reply();
    if (!stop) return false;
    if (!stop->message.empty()) reply('O' + to_hex(stop->message));
    reply(stop->packet);
    return true;
}

/// All that has arrived, but not for so long that a client could keep the machine from running.
bool GdbServer::handle_all()
{
    bool any = false;
    for (int i = 0; i < kReceivesPerPoll; ++i) {
        const std::string bytes = socket_.receive();
        if (bytes.empty()) break;
        any = true;
        packets_.receive(bytes);
        while (const auto message = packets_.next()) {
            handle(*message);
            if (stub_->wants_to_detach()) socket_.disconnect();
        }
    }
    return any;
}

void GdbServer::handle(const GdbPackets::Message& message)
{
    using Kind = GdbPackets::Message::Kind;
    switch (message.kind) {
    case Kind::Interrupt: return stub_->interrupt();
    case Kind::Resend: return socket_.send(last_reply_);
    case Kind::Damaged:
        if (stub_->acknowledges()) socket_.send("-");
        return;
    case Kind::Packet: break;
    }
    if (stub_->acknowledges()) socket_.send("+");
    if (const auto answer = stub_->handle(message.payload)) reply(*answer);
}

void GdbServer::guest_exited(int exit_code)
{
    if (stub_) reply(fmt::format("W{:02x}", exit_code & 0xFF));
}

}  // namespace reprise
