/// The other end of a guest's serial port, for an emulator that sends it to a TCP port.
#pragma once

#include <string>

namespace reprise::bench {

/// Listens on loopback, at a port that the system chooses.
class SerialLine {
public:
    SerialLine();  // Throws HostError.
    ~SerialLine();
    SerialLine(const SerialLine&) = delete;
    SerialLine& operator=(const SerialLine&) = delete;

    int port() const { return port_; }
    /// Takes what has come, without waiting. All of it until now.
    const std::string& poll();

private:
    int listener_ = -1, connection_ = -1;
    int port_ = 0;
    std::string text_;
};

}  // namespace reprise::bench
