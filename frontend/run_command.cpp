#include "frontend/run_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "frontend/engine_text.h"
#include "frontend/errors.h"
#include "frontend/gdb/server.h"
#include "frontend/media.h"
#include "frontend/outputs.h"
#include "frontend/png_file.h"
#include "frontend/session.h"
#include "frontend/stop_signal.h"
#include "frontend/terminal.h"
#include "frontend/units.h"
#include "machine/base/error.h"
#include "machine/savestate_file.h"

#ifdef REPRISE_HAVE_SDL
#include "frontend/sdl_window.h"
#endif

namespace reprise {

namespace {

constexpr HostTime kFrameTime = kSecond / 60;
constexpr Time kHeadlessSlice = 20 * kMillisecond;

// ---- The display -------------------------------------------------------------------------------

std::unique_ptr<Display> make_window([[maybe_unused]] const RunOptions& options)
{
#ifdef REPRISE_HAVE_SDL
    return make_sdl_window({options.scale, options.smooth, options.fullscreen});
#else
    throw HostError(
        "this program was built without SDL2 and has no window: use --display "
        "terminal or --headless");
#endif
}

bool desktop_available()
{
    for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"})
        if (const char* value = std::getenv(name); value && *value) return true;
    return false;
}

/// A window if there is a desktop, else the terminal; null: headless.
std::unique_ptr<Display> automatic_display(const RunOptions& options, bool terminal_is_free)
{
    std::string why_no_window;
    if (desktop_available()) {
        try {
            return make_window(options);
        } catch (const HostError& error) {
            why_no_window = fmt::format(" ({})", error.what());
        }
    }
    if (terminal_is_free && terminal_available()) return make_terminal();
    if (!options.exit_after && !options.exit_at_instruction)
        throw HostError(fmt::format(
            "there is no desktop and no terminal to show the machine on{}: say when to end, as "
            "with --exit-after 10s, or run it --headless until the guest ends",
            why_no_window));
    return nullptr;
}

std::unique_ptr<Display> make_display(const RunOptions& options, const MachineConfig& config)
{
    const auto uses_stdio = [](const SerialConfig& serial) { return serial.backend == "stdio"; };
    const bool terminal_is_free =
        std::ranges::none_of(config.serial, uses_stdio) && options.debugcon != "-";
    switch (options.display) {
    case DisplayKind::Window: return make_window(options);
    case DisplayKind::Headless: return nullptr;
    case DisplayKind::Automatic: return automatic_display(options, terminal_is_free);
    case DisplayKind::Terminal: break;
    }
    if (!terminal_is_free)
        throw UsageError("the terminal cannot show the screen and be a serial or debug port too");
    return make_terminal();
}

// ---- The machine -------------------------------------------------------------------------------


// ---- Running -----------------------------------------------------------------------------------

void set_end(Driver& driver, const RunOptions& options, Time now)
{
    if (options.exit_after) driver.end_at_time(now + *options.exit_after);
    if (options.exit_at_instruction) driver.end_at_instruction(*options.exit_at_instruction);
    for (const std::string& text : options.type) driver.type(keystrokes(text));
}

std::unique_ptr<GdbServer> make_gdb_server(Machine& machine, const RunOptions& options)
{
    if (options.gdb.empty()) return nullptr;
    auto server = std::make_unique<GdbServer>(machine, options.gdb, options.gdb_waits);
    fmt::print(stderr, "reprise: gdb can connect to {}{}\n", server->address(),
               options.gdb_waits ? "; the guest waits for it" : "");
    return server;
}

/// Does what gdb asks for. True if that leaves the guest free to run; else it has waited a little.
bool serve_gdb(GdbServer* gdb)
{
    if (!gdb) return true;
    gdb->poll();
    if (!gdb->holds_guest()) return true;
    gdb->wait(host_now() + kFrameTime);
    return false;
}

/// True if the guest chose to exit.
bool run_headless(Machine& machine, const RunOptions& options, GdbServer* gdb)
{
    Driver driver(machine, options.pace);
    set_end(driver, options, machine.now());
    Pacer pacer;
    pacer.set_speed(options.speed_given ? options.speed : std::nullopt);
    while (!stop_requested() && !driver.reached_end()) {
        if (gdb && gdb->wants_to_end()) return false;
        if (!serve_gdb(gdb)) {
            pacer.restart();
            continue;
        }
        Time goal = machine.now() + kHeadlessSlice;
        if (pacer.speed()) {
            goal = pacer.goal(host_now(), machine.now());
            if (goal == machine.now()) sleep_until(host_now() + kMillisecond);
        }
        const Stop stop = driver.run_until(goal);
        if (stop == Stop::Exit) return true;
        if (stop == Stop::PoweredOff) return false;
        if (stop == Stop::Halted) {
            fmt::print(stderr, "reprise: the guest halted the CPU for good after {}\n",
                       time_text(machine.now()));
            return false;
        }
    }
    return false;
}

bool run_interactive(Machine& machine, std::unique_ptr<Display> display, const RunOptions& options,
                     const Media& media, GdbServer* gdb)
{
    SessionOptions session_options;
    session_options.save_path = options.save;
    session_options.floppies = media.floppies;
    if (!media.unpacked_image.empty())
        session_options.why_no_save = unpacked_image_text(media.unpacked_image);
    session_options.snapshot = options.machine.snapshot;
    session_options.read_only = options.machine.read_only;
    session_options.muted = options.mute;
    session_options.speed = options.speed;
    session_options.pace = options.pace;
    session_options.print_messages = !display->covers_terminal();
    Session session(machine, std::move(session_options));
    set_end(session.driver(), options, machine.now());
    machine.on_speaker = [&](Time when, bool level) { display->speaker(when, level); };
    while (session.state() != Session::State::Finished && !stop_requested()) {
        const HostTime begin = host_now();
        display->update(session);
        // A host that draws slowly draws less often, so that the guest gets most of the time.
        const HostTime frame_end = begin + std::max(kFrameTime, 3 * (host_now() - begin));
        while (host_now() < frame_end && session.state() != Session::State::Finished) {
            const HostTime slice_end = std::min(frame_end, host_now() + kFrameTime);
            session.advance(slice_end);
            if (!gdb) {
                sleep_until(slice_end);
                continue;
            }
            if (!gdb->poll()) gdb->wait(slice_end);
            if (gdb->wants_to_end()) session.quit();
        }
    }
    machine.on_speaker = nullptr;
    machine.on_message = nullptr;
    display.reset();
    for (const std::string& message : session.kept_messages())
        fmt::print(stderr, "reprise: {}\n", message);
    return session.guest_exited();
}

void write_outcome(Machine& machine, const RunOptions& options)
{
    if (options.screen_text) fmt::print("{}", machine.text_screen().to_utf8());
    if (options.statistics) fmt::print("{}", engine_text(machine));
    if (options.state_hash)
        fmt::print("state-hash {:016x} at {} instructions, {} ns\n", machine.state_hash(),
                   machine.instructions(), machine.now());
    if (!options.screenshot.empty()) {
        Frame frame;
        machine.render(frame);
        write_png(options.screenshot, frame);
    }
    machine.flush_media();
    if (!options.save.empty()) machine.save(options.save);
}

}  // namespace

int run_command(const RunOptions& options)
{
    TemporaryDirectory directory;
    Media media = prepare_media(options.machine, options.images, directory);
    if (!options.save.empty() && !media.unpacked_image.empty())
        throw UsageError(unpacked_image_text(media.unpacked_image));
    if (options.post_port) media.config.post_port = *options.post_port;
    std::unique_ptr<Display> display = make_display(options, media.config);
    catch_stop_signals();
    // A machine file or --rtc says what the clock shows; else a person expects the time of day,
    // and a run that nobody watches the same time whenever it runs.
    if (display && media.config.rtc_base == MachineConfig{}.rtc_base && options.machine.rtc.empty())
        media.config.rtc_base = host_wall_clock();
    std::unique_ptr<Machine> machine = media.saved_machine.empty()
                                           ? std::make_unique<Machine>(media.config)
                                           : Machine::load(media.saved_machine);
    choose_engine(*machine, options.engine);
    if (options.statistics) measure_translation(*machine);
    connect_outputs(*machine, options);
    bool guest_exited = false;
    const std::unique_ptr<GdbServer> gdb = make_gdb_server(*machine, options);
    if (display)
        guest_exited = run_interactive(*machine, std::move(display), options, media, gdb.get());
    else guest_exited = run_headless(*machine, options, gdb.get());
    if (gdb) gdb->guest_exited(guest_exited ? machine->exit_code() : kSuccess);
    write_outcome(*machine, options);
    return guest_exited ? machine->exit_code() : kSuccess;
}

}  // namespace reprise
