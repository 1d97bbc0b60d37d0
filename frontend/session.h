/// A machine that a person sits at: what the keys of every display can ask for.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "frontend/driver.h"
#include "frontend/pacer.h"

namespace reprise {

struct SessionOptions {
    std::string save_path;              // where "save" writes; empty: a name with the date
    std::string why_no_save;            // if the machine cannot be saved
    std::vector<std::string> floppies;  // what "next floppy" goes through
    bool snapshot = false;              // media inserted later keep writes in memory
    bool read_only = false;
    bool muted = false;
    bool print_messages = true;      // to stderr as they come; else they are kept
    std::optional<u32> speed = 100;  // percent; nothing: as fast as possible
    TypingPace pace;
};

class Session {
public:
    enum class State { Running, Paused, Halted, Finished };

    Session(Machine& machine, SessionOptions options);

    Machine& machine() { return machine_; }
    Driver& driver() { return driver_; }
    State state() const { return state_; }
    bool guest_exited() const { return guest_exited_; }
    bool muted() const { return options_.muted; }
    std::optional<u32> speed() const { return pacer_.speed(); }
    /// "running 100%", "paused", "halted".
    std::string status() const;
    /// A short message for the person, for as long as it is to be shown.
    std::optional<std::string> notice() const;
    void set_notice(const std::string& text);
    /// What could not be printed because the display is on the terminal.
    const std::vector<std::string>& kept_messages() const { return kept_messages_; }

    // What a person can ask for. What fails on the host becomes a notice.
    void toggle_pause();
    void reset();
    void ctrl_alt_del();
    void save();
    void screenshot();
    void next_floppy();
    /// Puts an image into the floppy drive or the CD drive, whichever it is for.
    void insert(const std::string& path);
    void paste(const std::string& text);
    void set_speed(std::optional<u32> percent);
    void toggle_mute();
    void quit() { state_ = State::Finished; }

    /// Runs the guest for at most until the host time `until`, as far as the pace allows.
    void advance(HostTime until);

private:
    void tell(const std::string& message);
    void attempt(const std::function<void()>& action);

    Machine& machine_;
    SessionOptions options_;
    Driver driver_;
    Pacer pacer_;
    State state_ = State::Running;
    bool guest_exited_ = false;
    bool stopped_by_debugger_ = false;
    std::size_t floppy_ = 0;
    std::vector<std::string> kept_messages_;
    std::string notice_;
    HostTime notice_until_ = 0;
};

/// A name such as "reprise-20010909-014640.png" that is not in use in the current directory.
std::string dated_file_name(const std::string& extension);

}  // namespace reprise
