#include "frontend/session.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "frontend/images.h"
#include "frontend/png_file.h"
#include "machine/base/error.h"

namespace reprise {

namespace {

constexpr HostTime kNoticeLasts = 3 * kSecond;

}  // namespace

Session::Session(Machine& machine, SessionOptions options)
    : machine_(machine), options_(std::move(options)), driver_(machine_, options_.pace)
{
    pacer_.set_speed(options_.speed);
    machine_.on_message = [this](std::string_view message) {
        tell(std::string(message));
        set_notice(std::string(message));
    };
}

std::string Session::status() const
{
    switch (state_) {
    case State::Paused: return "paused";
    case State::Halted: return "halted";
    case State::Finished: return "finished";
    case State::Running: break;
    }
    if (stopped_by_debugger_) return "stopped by gdb";
    return fmt::format("{:.0f}%", pacer_.measured_percent());
}

std::optional<std::string> Session::notice() const
{
    if (notice_.empty() || host_now() > notice_until_) return std::nullopt;
    return notice_;
}

void Session::set_notice(const std::string& text)
{
    notice_ = text;
    notice_until_ = host_now() + kNoticeLasts;
}

void Session::tell(const std::string& message)
{
    if (options_.print_messages) fmt::print(stderr, "reprise: {}\n", message);
    else kept_messages_.push_back(message);
}

void Session::attempt(const std::function<void()>& action)
{
    try {
        action();
    } catch (const HostError& error) {
        tell(error.what());
        set_notice(error.what());
    }
}

void Session::toggle_pause()
{
    if (state_ == State::Running) state_ = State::Paused;
    else if (state_ == State::Paused) state_ = State::Running;
    pacer_.restart();
}

void Session::reset()
{
    machine_.inject(ResetInput{});
    if (state_ == State::Halted) state_ = State::Running;
    pacer_.restart();
    set_notice("Reset");
}

void Session::ctrl_alt_del() { driver_.type({{*chord_of_name("Ctrl-Alt-Del")}}); }

void Session::save()
{
    const std::string path =
        options_.save_path.empty() ? dated_file_name("reprise") : options_.save_path;
    attempt([&] {
        if (!options_.why_no_save.empty()) throw HostError(options_.why_no_save);
        machine_.save(path);
        tell(fmt::format("saved the machine as '{}'", path));
        set_notice("Saved " + path);
    });
    pacer_.restart();
}

void Session::screenshot()
{
    const std::string path = dated_file_name("png");
    attempt([&] {
        Frame frame;
        machine_.render(frame);
        write_png(path, frame);
        tell(fmt::format("wrote the picture '{}'", path));
        set_notice("Picture " + path);
    });
}

void Session::next_floppy()
{
    if (options_.floppies.size() < 2) {
        set_notice("No other floppy was given");
        return;
    }
    floppy_ = (floppy_ + 1) % options_.floppies.size();
    insert(options_.floppies[floppy_]);
}

void Session::insert(const std::string& path)
{
    attempt([&] {
        const ImageKind kind = inspect_image(path).kind;
        if (kind == ImageKind::HardDisk)
            throw HostError(fmt::format("'{}' is neither a floppy nor a CD image", path));
        const std::string drive =
            kind == ImageKind::Floppy ? "fda" : cd_drive_name(machine_.config());
        if (drive.empty()) throw HostError("this machine has no CD drive: start it with --cdrom");
        machine_.inject(MediaInput{drive, path, options_.read_only, options_.snapshot});
        const std::string name = std::filesystem::path(path).filename().string();
        set_notice(drive == "fda" ? "A: " + name : "CD: " + name);
    });
}

void Session::paste(const std::string& text) { driver_.type(literal_keystrokes(text)); }

void Session::set_speed(std::optional<u32> percent)
{
    pacer_.set_speed(percent);
    set_notice(percent ? fmt::format("Speed {}%", *percent) : "Full speed");
}

void Session::toggle_mute()
{
    options_.muted = !options_.muted;
    set_notice(options_.muted ? "Sound off" : "Sound on");
}

void Session::advance(HostTime until)
{
    while (state_ == State::Running) {
        const HostTime begin = host_now();
        if (begin >= until) return;
        const Time from = machine_.now();
        const Time goal = pacer_.goal(begin, from);
        if (goal <= from) return;
        const Stop stop = driver_.run_until(goal);
        pacer_.ran(begin, host_now(), machine_.now() - from);
        stopped_by_debugger_ = stop == Stop::Debugger;
        if (stopped_by_debugger_) return pacer_.restart();
        guest_exited_ = stop == Stop::Exit;
        if (guest_exited_ || stop == Stop::PoweredOff || driver_.reached_end())
            state_ = State::Finished;
        if (stop == Stop::Halted) {
            state_ = State::Halted;
            set_notice("The CPU has halted for good");
        }
    }
}

std::string dated_file_name(const std::string& extension)
{
    const std::time_t now = std::time(nullptr);
    const std::string stem = fmt::format("reprise-{:%Y%m%d-%H%M%S}", fmt::localtime(now));
    std::string name = stem + '.' + extension;
    for (int i = 2; std::filesystem::exists(name); ++i)
        name = fmt::format("{}-{}.{}", stem, i, extension);
    return name;
}

}  // namespace reprise
