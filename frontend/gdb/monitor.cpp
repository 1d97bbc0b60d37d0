#include "frontend/gdb/monitor.h"

#include <fmt/format.h>

#include <sstream>

#include "frontend/engine_text.h"
#include "frontend/gdb/registers.h"
#include "frontend/png_file.h"
#include "frontend/units.h"
#include "machine/base/error.h"

namespace reprise {

namespace {

constexpr const char* kHelp =
    "registers            all of the CPU's registers\n"
    "info jit             what the translator has done\n"
    "time                 guest time and instructions retired\n"
    "reset                the reset button; the guest stays stopped\n"
    "memory physical      addresses are physical from now on (or: linear)\n"
    "stepping into        steps stop in interrupt handlers too (or: over)\n"
    "describe i386        gdb sees a 32 bit processor (or: x86-64); then say: unset tdesc "
    "filename\n"
    "screenshot FILE      write the screen as PNG\n"
    "save FILE            save the machine; 'reprise run FILE' goes on from here\n"
    "state-hash           the hash of the machine's whole state\n"
    "quit                 end the emulator\n";

}  // namespace

std::string GdbMonitor::execute(const std::string& line)
{
    std::istringstream words(line);
    std::string command, argument;
    words >> command >> std::ws;
    std::getline(words, argument);
    try {
        if (command == "help") return kHelp;
        if (command == "info" && argument == "jit") return engine_text(machine_);
        if (command == "registers" || command == "info") return registers();
        if (command == "time") return time();
        if (command == "reset") return debugger_.reset(), "the CPU is at its reset vector\n";
        if (command == "memory" || command == "mem") return set_memory(argument);
        if (command == "stepping") return set_stepping(argument);
        if (command == "describe") return set_description(argument);
        if (command == "screenshot") return screenshot(argument);
        if (command == "save") return save(argument);
        if (command == "state-hash") return fmt::format("{:016x}\n", machine_.state_hash());
        if (command == "quit") return quit_ = true, "the emulator ends\n";
    } catch (const HostError& error) {
        return fmt::format("{}\n", error.what());
    }
    return fmt::format("there is no command '{}'; 'monitor help' lists them\n", command);
}

std::string GdbMonitor::registers() const
{
    std::string text;
    int column = 0;
    for (const DebugRegister& reg : debugger_.registers()) {
        const DebugValue value = debugger_.read(reg);
        std::string digits;
        for (int i = reg.size; i-- > 0;)
            digits += fmt::format("{:02x}", value[static_cast<std::size_t>(i)]);
        text += fmt::format("{:>11} {:<20}", reg.name, digits);
        if (++column % 3 == 0) text += '\n';
    }
    return column % 3 == 0 ? text : text + '\n';
}

std::string GdbMonitor::time() const
{
    return fmt::format("{}, {} instructions\n", time_text(machine_.now()), machine_.instructions());
}

std::string GdbMonitor::screenshot(const std::string& path) const
{
    if (path.empty()) return "which file? monitor screenshot FILE\n";
    Frame frame;
    machine_.render(frame);
    write_png(path, frame);
    return fmt::format("wrote '{}'\n", path);
}

std::string GdbMonitor::save(const std::string& path)
{
    if (path.empty()) return "which file? monitor save FILE\n";
    machine_.save(path);
    return fmt::format("saved the machine as '{}'\n", path);
}

std::string GdbMonitor::set_memory(const std::string& kind)
{
    if (kind == "physical" || kind == "linear") physical = kind == "physical";
    else if (!kind.empty()) return "monitor memory physical, or linear\n";
    return fmt::format("addresses are {}\n", physical ? "physical" : "linear");
}

std::string GdbMonitor::set_stepping(const std::string& kind)
{
    if (kind == "into" || kind == "over") debugger_.steps_into_interrupts = kind == "into";
    else if (!kind.empty()) return "monitor stepping into, or over\n";
    return fmt::format("steps {}\n", debugger_.steps_into_interrupts
                                         ? "stop in interrupt handlers"
                                         : "run interrupt handlers to their end");
}

std::string GdbMonitor::set_description(const std::string& kind)
{
    if (kind == "x86-64" && !GdbRegisters::has_long_mode(debugger_))
        return "this CPU has no long mode\n";
    if (kind != "i386" && kind != "x86-64") return "monitor describe i386, or x86-64\n";
    described_as_64_bit = kind == "x86-64";
    return "now let gdb read the new description: unset tdesc filename\n";
}

}  // namespace reprise
