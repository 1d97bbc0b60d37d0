/// What is compared, and how each is started: emulators on a floppy image; the host itself.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/kernel.h"
#include "tests/bench/process.h"

namespace reprise::bench {

enum class ProgramKind { Reprise, Qemu, Bochs, DosBox, Native };

struct Program {
    std::string name;
    ProgramKind kind{};
    std::vector<std::string> command;  // the program, and options of the user's
    std::string long_mode;             // the program for 64-bit guests if it is another one
    bool bochs_debugger = false;       // a Bochs that waits for a debugger's command
};

/// What the machine named "NAME=COMMAND ..." or "COMMAND ..." is. Throws HostError if there is no
/// such program.
Program reprise_program(const std::string& text);

/// The host's own processor, which executes kernels as its programs.
Program host_itself();

/// The peers that are installed; `missing` gets a sentence on each that is not.
std::vector<Program> installed_peers(std::vector<std::string>& missing);

/// Can it run a kernel for a processor of so many bits?
bool can_run(const Program& program, const Kernel& kernel);

struct GuestRun {
    double cpu_seconds = 0;
    std::string serial;  // what the guest sent to COM1
    std::string output;  // what the program printed, for messages
    bool timed_out = false;
};

/// What is run, and how.
struct GuestPlan {
    std::string image;       // the file of the floppy, or for the host itself the program
    bool long_mode = false;  // it needs a 64-bit processor
    int limit_seconds = 0;
    bool count = false;  // Reprise prints the instructions it retired
};

/// Runs a floppy image until the guest ends the machine.
GuestRun run_guest(const Program& program, const Workspace& workspace, const GuestPlan& plan);

}  // namespace reprise::bench
