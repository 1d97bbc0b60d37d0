/// The language of `reprise test`, as README.md in this folder describes it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "frontend/keymap.h"
#include "frontend/png_file.h"
#include "machine/base/scheduler.h"

namespace reprise {

/// An image that the machine starts with.
struct ScriptImage {
    std::string drive;  // "fda" .. "hdd", "cdrom", "disk" (next free), "" (judged by content)
    std::string path;
    bool copy = false;  // the guest writes to a copy that outlives resets and can be looked at
};

namespace step {

enum class Where { Screen, Serial, Printer, Debugcon };

struct Expect {
    Where where = Where::Screen;
    std::string text;
    bool regex = false, absent = false;
    Time within = 0;
};
struct Type {
    std::vector<Keystroke> strokes;
};
struct SendSerial {
    std::string text;
};
struct Mouse {
    i32 dx = 0, dy = 0, dz = 0;
    u8 press = 0, release = 0;  // buttons, as in MouseInput; a click is both
};
struct Wait {
    Time time = 0;
};
struct Screenshot {
    std::string path;
};
struct Compare {
    std::string path;
    double tolerance_percent = 0;
    Time within = 0;
    std::vector<Rectangle> masked;
};
struct Insert {
    std::string drive;
    std::string path;  // empty: eject
};
struct Reset {};
struct PowerCycle {};
struct PowerButton {};
struct Save {
    std::string path;
};
struct Resume {
    std::string path;  // empty: what was saved last
};
struct CheckFile {
    std::string drive, path;
    std::string contains, md5;  // one of them
};
struct StateHash {
    std::optional<u64> expected;  // nothing: print it
};
struct ExpectExit {
    int code = 0;
    Time within = 0;
};
struct ExpectPowerOff {
    Time within = 0;
};

using Action = std::variant<Expect, Type, SendSerial, Mouse, Wait, Screenshot, Compare, Insert,
                            Reset, PowerCycle, PowerButton, Save, Resume, CheckFile, StateHash,
                            ExpectExit, ExpectPowerOff>;

}  // namespace step

struct Step {
    int line = 0;
    std::string source;  // as it is written
    step::Action action;
};

struct Script {
    std::string name;  // the file's, for messages
    std::vector<ScriptImage> images;
    std::vector<std::string> options;      // for the machine, as on the command line
    std::vector<std::string> skip_unless;  // files without which there is nothing to test
    std::vector<Step> steps;
};

/// What ${NAME} stands for; nothing if it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// Relative paths start at the script's folder. Throws UsageError: "name:line: sentence".
Script parse_script(const std::string& text, const std::string& name,
                    const Environment& environment);

}  // namespace reprise
