/// The emulators that are compared, and how each is started on a floppy image.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/process.h"

namespace reprise::bench {

enum class ProgramKind { Reprise, Qemu, Bochs };

struct Program {
    std::string name;
    ProgramKind kind{};
    std::vector<std::string> command;  // the program, and options of the user's
    bool bochs_debugger = false;       // a Bochs that waits for a debugger's command
};

/// What the machine named "NAME=COMMAND ..." or "COMMAND ..." is. Throws HostError if there is no
/// such program.
Program reprise_program(const std::string& text);

/// The peers that are installed; `missing` gets a sentence on each that is not.
std::vector<Program> installed_peers(std::vector<std::string>& missing);

struct GuestRun {
    double cpu_seconds = 0;
    std::string serial;  // what the guest sent to COM1
    std::string output;  // what the program printed, for messages
    bool timed_out = false;
};

/// Runs a floppy image, whose file is `image`, until the guest ends the machine. With `count`,
/// Reprise prints the instructions it retired.
GuestRun run_guest(const Program& program, const Workspace& workspace, const std::string& image,
                   int limit_seconds, bool count);

}  // namespace reprise::bench
