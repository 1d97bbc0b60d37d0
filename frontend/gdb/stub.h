/// Answers gdb's requests: GDB manual, appendix E. Knows nothing of sockets.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "frontend/gdb/monitor.h"
#include "frontend/gdb/registers.h"
#include "machine/debugger.h"

namespace reprise {

class GdbStub {
public:
    GdbStub(Machine& machine, Debugger& debugger);

    /// The answer to a packet. Nothing: it is `stop_reply`, when the guest has stopped.
    std::optional<std::string> handle(const std::string& packet);
    /// Ctrl-C.
    void interrupt();

    /// What is to be sent before it, and why the guest has stopped, once.
    struct StopReply {
        std::string message;  // for the person
        std::string packet;
    };
    std::optional<StopReply> stop_reply();

    bool acknowledges() const { return acknowledges_; }
    bool wants_to_detach() const { return detach_; }
    bool wants_to_end() const { return kill_ || monitor_.wants_to_end(); }

    static constexpr std::size_t kPacketSize = 0x4000;

private:
    std::string handle_query(const std::string& packet);
    std::string handle_set(const std::string& packet);
    std::optional<std::string> handle_v(const std::string& packet);
    std::optional<std::string> handle_resume(const std::string& packet);
    std::string supported(std::string_view features);
    std::string transfer_features(std::string_view arguments);
    std::string thread_info() const;
    std::string read_registers() const;
    std::string write_registers(std::string_view hex);
    std::string read_register(std::string_view number) const;
    std::string write_register(std::string_view arguments);
    std::string read_memory(std::string_view arguments, bool binary) const;
    std::string write_memory(std::string_view arguments, bool binary);
    std::string change_point(std::string_view arguments, bool insert);
    std::string inject(const Input& input);
    std::string stop_packet() const;
    void go_on();

    Machine& machine_;
    Debugger& debugger_;
    GdbRegisters registers_;
    GdbMonitor monitor_;
    bool acknowledges_ = true;
    bool knows_swbreak_ = false;
    bool owes_stop_ = false;
    bool interrupted_ = false;
    bool detach_ = false, kill_ = false;
};

}  // namespace reprise
