/// gdb's `monitor` command: what only this emulator can do.
#pragma once

#include <string>
#include <vector>

#include "machine/debugger.h"

namespace reprise {

class GdbMonitor {
public:
    GdbMonitor(Machine& machine, Debugger& debugger) : machine_(machine), debugger_(debugger) {}

    /// What is shown for a line that was typed.
    std::string execute(const std::string& line);

    bool wants_to_end() const { return quit_; }

    /// Whether gdb's addresses are physical.
    bool physical = false;
    /// Whether gdb is to see a processor with long mode as one of 64 bits. It asks when it
    /// connects, and when the person says so.
    bool described_as_64_bit = true;

private:
    std::string registers() const;
    std::string time() const;
    std::string screenshot(const std::string& path) const;
    std::string save(const std::string& path);
    std::string set_memory(const std::string& kind);
    std::string set_stepping(const std::string& kind);
    std::string set_description(const std::string& kind);

    Machine& machine_;
    Debugger& debugger_;
    bool quit_ = false;
};

}  // namespace reprise
