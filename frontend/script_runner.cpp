#include "frontend/script_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <regex>

#include "frontend/driver.h"
#include "frontend/errors.h"
#include "frontend/fat_reader.h"
#include "frontend/images.h"
#include "frontend/md5.h"
#include "frontend/options.h"
#include "frontend/png_file.h"
#include "frontend/stop_signal.h"
#include "frontend/units.h"
#include "machine/base/error.h"

namespace reprise {

namespace {

constexpr Time kPollEvery = 50 * kMillisecond;
constexpr Time kSendWithin = 60 * kSecond;
constexpr u64 kSwitchedEvery = 40 * kMillisecond;  // at most
constexpr Time kClickLasts = 50 * kMillisecond;
constexpr std::size_t kRegexWindow = 8192;  // std::regex recurses; a long log would be too deep

const char* place_name(step::Where where)
{
    switch (where) {
    case step::Where::Serial: return "from COM1";
    case step::Where::Printer: return "from LPT1";
    case step::Where::Debugcon: return "on the debug console";
    case step::Where::Screen: break;
    }
    return "on the screen";
}

/// Why a step did not do what it should.
struct StepFailed {
    std::string message;
};

class Runner {
public:
    Runner(const Script& script, const RunnerOptions& options);

    TestResult run();

private:
    void build();
    void place(const ScriptImage& image);
    std::string temporary_copy(const std::string& path);
    void take(std::unique_ptr<Machine> machine);
    TestResult failed(const Step& step, const std::string& message);

    void run_for(Time time) { run_until(machine_->now() + time); }
    void run_until(Time time);
    void run_slice(Time time);
    bool poll(Time within, const std::function<bool()>& satisfied);
    bool matches(const step::Expect& expect);
    std::string& output(step::Where where);

    void act(const step::Expect& expect);
    void act(const step::Type& type);
    void act(const step::SendSerial& send);
    void act(const step::Mouse& mouse);
    void act(const step::Wait& wait) { run_for(wait.time); }
    void act(const step::Screenshot& screenshot);
    void act(const step::Compare& compare);
    void act(const step::Insert& insert);
    void act(const step::Reset&);
    void act(const step::PowerCycle&);
    void act(const step::PowerButton&) { machine_->inject(PowerButtonInput{}); }
    void act(const step::Save& save);
    void act(const step::Resume& resume);
    void act(const step::CheckFile& check);
    void act(const step::StateHash& hash);
    void act(const step::ExpectExit& expect);
    void act(const step::ExpectPowerOff& expect);

    const Script& script_;
    const RunnerOptions& options_;
    TemporaryDirectory directory_;
    MachineConfig config_;
    std::unique_ptr<Machine> machine_;
    std::unique_ptr<Driver> driver_;
    std::map<std::string, std::string> writable_;  // drive to the copy that is in it
    std::string serial_, printer_, debug_;         // what was not yet expected
    Stop last_stop_ = Stop::Reached;
    std::mt19937_64 random_;  // of switched engines
    u8 buttons_ = 0;
    std::string last_saved_;
    u64 saved_hash_ = 0;
};

Runner::Runner(const Script& script, const RunnerOptions& options)
    : script_(script), options_(options), random_(options.switch_engines.value_or(0))
{
}

TestResult Runner::run()
{
    for (const std::string& file : script_.skip_unless) {
        if (std::filesystem::exists(file)) continue;
        const auto outcome =
            options_.require_media ? TestResult::Outcome::Failed : TestResult::Outcome::Skipped;
        return {outcome, fmt::format("{}: '{}' is missing", script_.name, file), 0};
    }
    try {
        build();
    } catch (const std::runtime_error& error) {  // HostError or UsageError
        return {TestResult::Outcome::Failed, fmt::format("{}: {}", script_.name, error.what()), 0};
    }
    for (const Step& step : script_.steps) {
        if (options_.verbose)
            options_.on_line(fmt::format("  {:>12}  {}", machine_ ? time_text(machine_->now()) : "",
                                         step.source));
        try {
            std::visit([this](const auto& action) { act(action); }, step.action);
        } catch (const StepFailed& failure) {
            return failed(step, failure.message);
        } catch (const std::runtime_error& error) {
            return failed(step, error.what());
        }
    }
    return {TestResult::Outcome::Passed, "", machine_->now(), machine_->instructions(),
            machine_->state_hash()};
}

// ---- The machine -------------------------------------------------------------------------------

void Runner::build()
{
    config_ = parse_machine_options(script_.options).config();
    config_.floppy[0].present = true;
    for (const ScriptImage& image : script_.images) place(image);
    take(std::make_unique<Machine>(config_));
}

void Runner::place(const ScriptImage& image)
{
    const bool copy = image.copy;
    const std::string path = copy ? temporary_copy(image.path) : unpacked(image.path, directory_);
    std::string drive = image.drive;
    if (drive.empty()) {
        drive = place_image(config_, path, inspect_image(path).kind);
    } else if (drive == "disk") {
        drive = place_image(config_, path, ImageKind::HardDisk);
    } else if (drive == "cdrom") {
        drive = place_image(config_, path, ImageKind::Cdrom);
    } else {
        DriveConfig& named = drive_named(config_, drive);
        named.path = path;
        named.present = true;
    }
    drive_named(config_, drive).snapshot = !copy;
    if (copy) writable_[drive] = path;
}

std::string Runner::temporary_copy(const std::string& path)
{
    std::string to = directory_.file(std::filesystem::path(path).filename().string());
    unpack(path, to);
    return to;
}

void Runner::take(std::unique_ptr<Machine> machine)
{
    machine_ = std::move(machine);
    choose_engine(*machine_, options_.engine);
    machine_->on_serial_output = [this](int port, u8 byte) {
        if (port == 0) serial_ += static_cast<char>(byte);
    };
    machine_->on_parallel_output = [this](u8 byte) { printer_ += static_cast<char>(byte); };
    machine_->on_debug_output = [this](u8 byte) { debug_ += static_cast<char>(byte); };
    machine_->on_message = [this](std::string_view message) {
        options_.on_line(fmt::format("  {}", message));
    };
    driver_ = std::make_unique<Driver>(*machine_);
    last_stop_ = Stop::Reached;
    buttons_ = 0;
}

TestResult Runner::failed(const Step& step, const std::string& message)
{
    std::string report =
        fmt::format("{}:{}: {}\n  {}", script_.name, step.line, step.source, message);
    if (!machine_) return {TestResult::Outcome::Failed, report, 0};
    const TextScreen screen = machine_->text_screen();
    report += fmt::format("\n  at guest time {}, {} instructions", time_text(machine_->now()),
                          machine_->instructions());
    if (screen.graphics) {
        report += fmt::format("\n  the screen is in graphics mode, {}x{}", screen.graphics_width,
                              screen.graphics_height);
    } else {
        report += "\n  the screen:";
        std::string text = screen.to_utf8();
        text.erase(text.find_last_not_of('\n') + 1);
        report += "\n    | " + std::regex_replace(text, std::regex("\n"), "\n    | ");
    }
    if (!serial_.empty())
        report += "\n  COM1 said lately: " +
                  serial_.substr(serial_.size() - std::min<std::size_t>(serial_.size(), 500));
    try {
        Frame frame;
        machine_->render(frame);
        std::filesystem::create_directories(options_.artifacts);
        const std::string stem = std::filesystem::path(script_.name).stem().string();
        const std::string path =
            fmt::format("{}/{}-line{}.png", options_.artifacts, stem, step.line);
        write_png(path, frame);
        report += "\n  picture: " + path;
    } catch (const std::runtime_error& error) {
        report += fmt::format("\n  no picture: {}", error.what());
    }
    return {TestResult::Outcome::Failed, report, machine_->now()};
}

// ---- Time --------------------------------------------------------------------------------------

void Runner::run_until(Time time)
{
    do {
        if (last_stop_ == Stop::Exit)
            throw StepFailed{
                fmt::format("the guest has exited with code {}", machine_->exit_code())};
        if (last_stop_ == Stop::PoweredOff)
            throw StepFailed{"the guest has turned the machine off"};
        if (stop_requested()) throw StepFailed{"stopped by a signal"};
        run_slice(time);
    } while (last_stop_ == Stop::Reached && machine_->now() < time);
}

/// Ends no later than `time`; with switched engines much earlier, and with any of the two.
void Runner::run_slice(Time time)
{
    Time length = kSecond;
    if (options_.switch_engines) {
        const bool translate = random_() % 2;
        choose_engine(*machine_, translate ? options_.engine : EngineChoice::Interpreter);
        length = static_cast<Time>(1 + random_() % kSwitchedEvery);
    }
    last_stop_ = driver_->run_until(std::min(time, machine_->now() + length));
}

/// Runs until `satisfied`, which is asked at the same instants of guest time on every host.
bool Runner::poll(Time within, const std::function<bool()>& satisfied)
{
    const Time deadline = machine_->now() + within;
    for (;;) {
        if (satisfied()) return true;
        if (machine_->now() >= deadline) return false;
        if (last_stop_ == Stop::Halted) throw StepFailed{"the guest has halted the CPU for good"};
        run_until(std::min(deadline, machine_->now() + kPollEvery));
    }
}

// ---- Steps -------------------------------------------------------------------------------------

std::string& Runner::output(step::Where where)
{
    switch (where) {
    case step::Where::Serial: return serial_;
    case step::Where::Printer: return printer_;
    default: return debug_;
    }
}

bool Runner::matches(const step::Expect& expect)
{
    const bool on_screen = expect.where == step::Where::Screen;
    std::string screen;
    if (on_screen) screen = machine_->text_screen().to_utf8();
    std::string& text = on_screen ? screen : output(expect.where);
    std::size_t end = std::string::npos;
    if (expect.regex) {
        const std::size_t from = text.size() - std::min(text.size(), kRegexWindow);
        std::smatch match;
        const auto begin = text.cbegin() + static_cast<std::ptrdiff_t>(from);
        if (std::regex_search(begin, text.cend(), match, std::regex(expect.text)))
            end = from + static_cast<std::size_t>(match.position() + match.length());
    } else if (const std::size_t at = text.find(expect.text); at != text.npos) {
        end = at + expect.text.size();
    }
    if (end != std::string::npos && !on_screen) text.erase(0, end);  // the next one comes later
    return end != std::string::npos;
}

void Runner::act(const step::Expect& expect)
{
    if (expect.absent) {
        if (matches(expect)) throw StepFailed{fmt::format("'{}' is on the screen", expect.text)};
        return;
    }
    if (!poll(expect.within, [&] { return matches(expect); }))
        throw StepFailed{fmt::format("'{}' did not come {} within {} of guest time", expect.text,
                                     place_name(expect.where), time_text(expect.within))};
}

void Runner::act(const step::Type& type)
{
    driver_->type(type.strokes);
    run_until(driver_->typed_until());
}

/// No faster than the port takes it.
void Runner::act(const step::SendSerial& send)
{
    std::string_view left = send.text;
    const bool sent = poll(kSendWithin, [&] {
        const std::string_view now = left.substr(0, machine_->serial_space(0));
        if (!now.empty()) machine_->inject(SerialInput{0, {now.begin(), now.end()}});
        left.remove_prefix(now.size());
        return left.empty();
    });
    if (!sent) throw StepFailed{fmt::format("the guest did not take '{}' from COM1", left)};
}

void Runner::act(const step::Mouse& mouse)
{
    buttons_ |= mouse.press;
    machine_->inject(MouseInput{mouse.dx, mouse.dy, mouse.dz, buttons_});
    run_for(kClickLasts);
    if (!mouse.release) return;
    buttons_ &= static_cast<u8>(~mouse.release);
    machine_->inject(MouseInput{0, 0, 0, buttons_});
    run_for(kClickLasts);
}

void Runner::act(const step::Screenshot& screenshot)
{
    Frame frame;
    machine_->render(frame);
    std::filesystem::create_directories(options_.artifacts);
    write_png((std::filesystem::path(options_.artifacts) / screenshot.path).string(), frame);
}

void Runner::act(const step::Compare& compare)
{
    const Frame expected = read_png(compare.path);
    FrameDifference difference;
    Frame frame;
    const bool same = poll(compare.within, [&] {
        machine_->render(frame);
        difference = compare_frames(frame, expected, compare.masked);
        return difference.same_size && difference.percent() <= compare.tolerance_percent;
    });
    if (same) return;
    if (!difference.same_size)
        throw StepFailed{fmt::format("the screen is {}x{}, the picture {}x{}", frame.width,
                                     frame.height, expected.width, expected.height)};
    throw StepFailed{fmt::format("{:.3f}% of the pixels differ, {} of {}; allowed are {}%",
                                 difference.percent(), difference.different, difference.compared,
                                 compare.tolerance_percent)};
}

void Runner::act(const step::Insert& insert)
{
    const std::string drive =
        insert.drive == "cdrom" ? cd_drive_name(machine_->config()) : insert.drive;
    if (drive.empty()) throw StepFailed{"the machine has no CD drive; write 'option --cdrom FILE'"};
    const std::string path = insert.path.empty() ? "" : temporary_copy(insert.path);
    machine_->inject(MediaInput{drive, path});
    writable_.erase(drive);
    if (!path.empty()) writable_[drive] = path;
}

void Runner::act(const step::Reset&)
{
    machine_->inject(ResetInput{});
    last_stop_ = Stop::Reached;
}

void Runner::act(const step::PowerCycle&)
{
    machine_->flush_media();
    driver_.reset();
    machine_.reset();  // its images are locked until then
    for (const auto& [drive, path] : writable_) drive_named(config_, drive).path = path;
    take(std::make_unique<Machine>(config_));
}

void Runner::act(const step::Save& save)
{
    last_saved_ = directory_.path() + '/' + std::filesystem::path(save.path).filename().string();
    machine_->flush_media();
    saved_hash_ = machine_->state_hash();
    machine_->save(last_saved_);
}

void Runner::act(const step::Resume& resume)
{
    const std::string path =
        resume.path.empty()
            ? last_saved_
            : directory_.path() + '/' + std::filesystem::path(resume.path).filename().string();
    if (path.empty()) throw StepFailed{"nothing was saved yet"};
    driver_.reset();
    machine_.reset();
    take(Machine::load(path));
    const u64 hash = machine_->state_hash();
    if (path == last_saved_ && hash != saved_hash_)
        throw StepFailed{
            fmt::format("the machine was saved with state {:016x} and came back as "
                        "{:016x}",
                        saved_hash_, hash)};
}

void Runner::act(const step::CheckFile& check)
{
    const auto image = writable_.find(check.drive);
    if (image == writable_.end())
        throw StepFailed{
            fmt::format("{} has no image that the guest could write to: add 'copy' to "
                        "its line",
                        check.drive)};
    machine_->flush_media();
    const auto volume = FatVolume::find(open_for_reading(image->second));
    if (!volume) throw StepFailed{fmt::format("there is no FAT volume on {}", check.drive)};
    const auto content = volume->read_file(check.path);
    if (!content)
        throw StepFailed{fmt::format("there is no file '{}' on {}", check.path, check.drive)};
    if (!check.md5.empty()) {
        if (const std::string found = md5(*content); found != check.md5)
            throw StepFailed{fmt::format("the MD5 of '{}', {} bytes, is {}", check.path,
                                         content->size(), found)};
        return;
    }
    const std::string& wanted = check.contains;
    if (std::search(content->begin(), content->end(), wanted.begin(), wanted.end()) ==
        content->end())
        throw StepFailed{fmt::format("'{}', {} bytes, does not contain '{}'", check.path,
                                     content->size(), check.contains)};
}

void Runner::act(const step::StateHash& hash)
{
    const u64 found = machine_->state_hash();
    if (!hash.expected)
        options_.on_line(fmt::format("  state-hash {:016x} at {} instructions, {} ns", found,
                                     machine_->instructions(), machine_->now()));
    else if (found != *hash.expected)
        throw StepFailed{fmt::format("the state hash is {:016x}", found)};
}

void Runner::act(const step::ExpectExit& expect)
{
    const Time deadline = machine_->now() + expect.within;
    while (last_stop_ == Stop::Reached && machine_->now() < deadline) run_until(deadline);
    if (last_stop_ == Stop::Halted) throw StepFailed{"the guest has halted the CPU for good"};
    if (last_stop_ != Stop::Exit)
        throw StepFailed{fmt::format("the guest did not exit within {} of guest time",
                                     time_text(expect.within))};
    if (machine_->exit_code() != expect.code)
        throw StepFailed{fmt::format("the guest exited with code {}", machine_->exit_code())};
}

void Runner::act(const step::ExpectPowerOff& expect)
{
    const Time deadline = machine_->now() + expect.within;
    while (last_stop_ == Stop::Reached && machine_->now() < deadline) run_until(deadline);
    if (last_stop_ != Stop::PoweredOff)
        throw StepFailed{
            fmt::format("the guest did not turn the machine off within {} of guest time",
                        time_text(expect.within))};
}

}  // namespace

TestResult run_script(const Script& script, const RunnerOptions& options)
{
    try {
        return Runner(script, options).run();
    } catch (const HostError& error) {
        return {TestResult::Outcome::Failed, fmt::format("{}: {}", script.name, error.what()), 0};
    }
}

}  // namespace reprise
