#include "tests/bench/program.h"

#include <fmt/core.h>

#include <filesystem>
#include <sstream>

#include "machine/base/error.h"
#include "tests/bench/serial_line.h"

namespace reprise::bench {

namespace {

constexpr int kMemoryMegabytes = 32;

std::vector<std::string> qemu_command(const Program& program, const GuestPlan& plan,
                                      const std::string& serial)
{
    std::vector<std::string> command = program.command;
    if (plan.long_mode) command[0] = program.long_mode;
    for (const char* word :
         {"-accel", "tcg", "-display", "none", "-monitor", "none", "-net", "none", "-no-reboot",
          "-boot", "a", "-vga", "std", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"})
        command.emplace_back(word);
    command.insert(command.end(), {"-m", std::to_string(kMemoryMegabytes), "-drive",
                                   fmt::format("if=floppy,format=raw,file={}", plan.image),
                                   "-serial", "file:" + serial});
    return command;
}

constexpr const char* kBochsBios = "/usr/share/bochs/BIOS-bochs-latest";
constexpr const char* kBochsVgaBios = "/usr/share/bochs/VGABIOS-lgpl-latest";

/// Bochs' settings: no sound (a host without a card makes it crash), no window (its RFB display
/// without a client costs nothing), no pacing by the host's clock, and the same instructions per
/// second of guest time as Reprise has by default.
std::string bochs_settings(const GuestPlan& plan, const std::string& serial, const std::string& log)
{
    return fmt::format(
        "config_interface: textconfig\n"
        "display_library: rfb, options=\"timeout=0\"\n"
        "cpu: model={6}, ips=100000000\n"
        "memory: guest={0}, host={0}\n"
        "romimage: file={4}\n"
        "vgaromimage: file={5}\n"
        "floppya: 1_44={1}, status=inserted\n"
        "boot: floppy\n"
        "com1: enabled=1, mode=file, dev={2}\n"
        "sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy\n"
        "speaker: enabled=0\n"
        "clock: sync=none, time0=1000000000\n"
        "log: {3}\n"
        "panic: action=fatal\n"
        "error: action=ignore\n"
        "info: action=ignore\n"
        "debug: action=ignore\n",
        kMemoryMegabytes, plan.image, serial, log, kBochsBios, kBochsVgaBios,
        plan.long_mode ? "core2_penryn_t9600" : "pentium");
}

std::vector<std::string> bochs_command(const Program& program, const Workspace& workspace,
                                       const GuestPlan& plan, const std::string& serial)
{
    write_text(workspace.file("bochsrc"),
               bochs_settings(plan, serial, workspace.file("bochs.log")));
    std::vector<std::string> command = program.command;
    command.insert(command.end(), {"-q", "-f", workspace.file("bochsrc")});
    if (program.bochs_debugger) {
        write_text(workspace.file("commands"), "c\n");
        command.insert(command.end(), {"-rc", workspace.file("commands")});
    }
    return command;
}

/// DOSBox' settings: as fast as the host can, its translator, no sound, COM1 sent to a TCP port.
std::string dosbox_settings(const GuestPlan& plan, int port)
{
    return fmt::format(
        "[sdl]\noutput=surface\n"
        "[dosbox]\nmemsize={}\n"
        "[cpu]\ncore=dynamic\ncputype=pentium_slow\ncycles=max\n"
        "[mixer]\nnosound=true\n"
        "[serial]\nserial1=nullmodem server:127.0.0.1 port:{} transparent:1\n"
        "[autoexec]\nboot {}\n",
        kMemoryMegabytes, port, plan.image);
}

/// A guest cannot end DOSBox: it is ended after the guest's last line.
GuestRun run_dosbox(const Program& program, const Workspace& workspace, const GuestPlan& plan)
{
    SerialLine line;
    const std::string settings = workspace.file("dosbox.conf");
    write_text(settings, dosbox_settings(plan, line.port()));
    std::vector<std::string> command = {"env", "SDL_VIDEODRIVER=dummy", "SDL_AUDIODRIVER=dummy"};
    command.insert(command.end(), program.command.begin(), program.command.end());
    command.insert(command.end(), {"-conf", settings});
    const ProcessResult result = run_process(command, workspace.path(), plan.limit_seconds, [&] {
        return line.poll().find('\n') != std::string::npos;
    });
    return {result.cpu_seconds, line.poll(), result.output, result.timed_out};
}

std::vector<std::string> reprise_command(const Program& program, const GuestPlan& plan,
                                         const std::string& serial)
{
    std::vector<std::string> command = program.command;
    command.insert(command.begin() + 1, "run");
    command.insert(command.end(),
                   {plan.image, "--headless", "--boot", "a", "--memory",
                    fmt::format("{}M", kMemoryMegabytes), "--serial", "file:" + serial});
    if (plan.long_mode) command.insert(command.end(), {"--cpu", "x86-64"});
    if (plan.count) command.emplace_back("--state-hash");
    return command;
}

}  // namespace

Program reprise_program(const std::string& text)
{
    Program program{"reprise", ProgramKind::Reprise, {}, "", false};
    std::string rest = text;
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos && equals < text.find_first_of("/ ")) {
        program.name = text.substr(0, equals);
        rest = text.substr(equals + 1);
    }
    std::istringstream words(rest);
    for (std::string word; words >> word;) program.command.push_back(word);
    const std::string found = program.command.empty() ? "" : find_program(program.command[0]);
    if (found.empty()) throw HostError(fmt::format("'{}': there is no such program", text));
    program.command[0] = found;
    return program;
}

Program host_itself() { return {"native", ProgramKind::Native, {}, "", false}; }

std::vector<Program> installed_peers(std::vector<std::string>& missing)
{
    std::vector<Program> peers;
    const std::string qemu = find_program("qemu-system-i386");
    const std::string qemu_64 = find_program("qemu-system-x86_64");
    if (!qemu.empty() && !qemu_64.empty())
        peers.push_back({"qemu", ProgramKind::Qemu, {qemu}, qemu_64, false});
    else
        missing.push_back(
            "qemu-system-i386 and -x86_64 are not both installed (Debian: qemu-system-x86)");
    const std::string bochs = find_program("bochs");
    if (!bochs.empty() &&
        !(std::filesystem::exists(kBochsBios) && std::filesystem::exists(kBochsVgaBios))) {
        missing.push_back("bochs has no firmware (Debian: bochsbios, vgabios)");
    } else if (!bochs.empty()) {
        Program program{"bochs", ProgramKind::Bochs, {bochs}, "", false};
        const Workspace workspace;
        const ProcessResult help = run_process({bochs, "--help"}, workspace.path(), 10);
        program.bochs_debugger = help.output.find("-rc ") != std::string::npos;
        peers.push_back(program);
    } else {
        missing.push_back("bochs is not installed (Debian: bochs)");
    }
    const std::string dosbox = find_program("dosbox");
    if (dosbox.empty()) missing.push_back("dosbox is not installed (Debian: dosbox)");
    else peers.push_back({"dosbox", ProgramKind::DosBox, {dosbox}, "", false});
    return peers;
}

bool can_run(const Program& program, const Kernel& kernel)
{
    if (program.kind == ProgramKind::Native) return !kernel.native.empty();
    return program.kind != ProgramKind::DosBox || kernel.bits != 64;
}

GuestRun run_guest(const Program& program, const Workspace& workspace, const GuestPlan& plan)
{
    if (program.kind == ProgramKind::DosBox) return run_dosbox(program, workspace, plan);
    const std::string serial = workspace.file("serial.txt");
    std::filesystem::remove(serial);
    std::vector<std::string> command;
    switch (program.kind) {
    case ProgramKind::Reprise: command = reprise_command(program, plan, serial); break;
    case ProgramKind::Qemu: command = qemu_command(program, plan, serial); break;
    case ProgramKind::Bochs: command = bochs_command(program, workspace, plan, serial); break;
    case ProgramKind::DosBox: break;
    case ProgramKind::Native: command = {plan.image}; break;
    }
    const ProcessResult result = run_process(command, workspace.path(), plan.limit_seconds);
    GuestRun run{result.cpu_seconds, "", result.output, result.timed_out};
    if (program.kind == ProgramKind::Native) run.serial = result.output;
    else if (std::filesystem::exists(serial)) run.serial = read_text(serial);
    return run;
}

}  // namespace reprise::bench
