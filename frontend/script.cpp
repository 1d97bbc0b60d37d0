#include "frontend/script.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <regex>
#include <sstream>

#include "frontend/errors.h"
#include "frontend/script_words.h"
#include "frontend/units.h"

namespace reprise {

namespace {

constexpr Time kDefaultWithin = 30 * kSecond;

/// The words of one line, taken one after the other.
class Line {
public:
    Line(std::vector<Word> words, std::string folder)
        : words_(std::move(words)), folder_(std::move(folder))
    {
    }

    const std::string& command() const { return words_[0].text; }
    bool at_end() const { return next_ == words_.size(); }

    const Word& word(const char* what)
    {
        if (at_end()) throw UsageError(fmt::format("'{}' needs {}", command(), what));
        return words_[next_++];
    }
    std::string value(const char* what) { return word(what).value(); }

    /// Takes the next word if it is this one.
    bool keyword(std::string_view name)
    {
        if (at_end() || words_[next_].quote || words_[next_].text != name) return false;
        ++next_;
        return true;
    }

    std::string path(const char* what = "a file")
    {
        const std::filesystem::path file = value(what);
        return file.is_absolute() || folder_.empty()
                   ? file.string()
                   : (std::filesystem::path(folder_) / file).lexically_normal().string();
    }

    Time time(const char* what = "a time such as 5s or 250ms")
    {
        const std::string text = value(what);
        if (const auto result = parse_time(text)) return *result;
        throw UsageError(fmt::format("'{}' is no time; write 5s, 250ms or 1m", text));
    }

    i64 number(const char* what, int base = 10)
    {
        const std::string text = value(what);
        i64 result = 0;
        const char* end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, result, base);
        if (text.empty() || error != std::errc{} || stop != end)
            throw UsageError(fmt::format("'{}' is not {}", text, what));
        return result;
    }

    void finish() const
    {
        if (!at_end()) throw UsageError(fmt::format("what is '{}' for?", words_[next_].text));
    }

private:
    std::vector<Word> words_;
    std::string folder_;
    std::size_t next_ = 1;
};

std::string drive_name(const std::string& word)
{
    static const std::map<std::string, std::string> names = {
        {"a", "fda"},   {"a:", "fda"},  {"b", "fdb"},    {"b:", "fdb"},      {"fda", "fda"},
        {"fdb", "fdb"}, {"hda", "hda"}, {"hdb", "hdb"},  {"hdc", "hdc"},     {"hdd", "hdd"},
        {"c", "hda"},   {"c:", "hda"},  {"cd", "cdrom"}, {"cdrom", "cdrom"},
    };
    std::string lower = word;
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const auto found = names.find(lower);
    if (found == names.end())
        throw UsageError(
            fmt::format("there is no drive '{}'; write a, b, hda to hdd, or cd", word));
    return found->second;
}

Time within(Line& line) { return line.keyword("within") ? line.time() : kDefaultWithin; }

// ---- Steps -------------------------------------------------------------------------------------

step::Action parse_expect(Line& line)
{
    step::Expect expect;
    const std::string& command = line.command();
    expect.regex = command.ends_with("-regex");
    expect.absent = command == "expect-not";
    if (command.starts_with("expect-serial")) expect.where = step::Where::Serial;
    if (command.starts_with("expect-printer")) expect.where = step::Where::Printer;
    if (command.starts_with("expect-debugcon")) expect.where = step::Where::Debugcon;
    const Word& word = line.word("a text in quotes");
    expect.text = expect.regex ? word.text : word.value();
    if (expect.text.empty()) throw UsageError("an empty text is always there");
    if (expect.regex) try {
            std::regex check(expect.text);
        } catch (const std::regex_error& error) {
            throw UsageError(
                fmt::format("'{}' is no regular expression: {}", expect.text, error.what()));
        }
    if (!expect.absent) expect.within = within(line);
    return expect;
}

step::Action parse_type(Line& line)
{
    const Word& word = line.word("a text in quotes");
    return step::Type{word.quote == '"' ? keystrokes(word.text) : literal_keystrokes(word.text)};
}

step::Action parse_key(Line& line)
{
    step::Type type;
    do {
        const std::string name = line.value("the name of a key such as F1 or Ctrl-Alt-Del");
        const auto chord = chord_of_name(name);
        if (!chord) throw UsageError(fmt::format("there is no key named '{}'", name));
        type.strokes.push_back({*chord});
    } while (!line.at_end());
    return type;
}

u8 mouse_button(Line& line)
{
    const std::string name = line.value("left, right or middle");
    if (name == "left") return 1;
    if (name == "right") return 2;
    if (name == "middle") return 4;
    throw UsageError(fmt::format("a mouse has no button '{}'; write left, right or middle", name));
}

step::Action parse_mouse(Line& line)
{
    constexpr i64 kFar = 10'000;
    step::Mouse mouse;
    const auto distance = [&](const char* what) {
        return static_cast<i32>(std::clamp(line.number(what), -kFar, kFar));
    };
    const std::string what = line.value("move, click, press, release or wheel");
    if (what == "move") {
        mouse.dx = distance("a distance to the right");
        mouse.dy = distance("a distance down");
    } else if (what == "wheel") {
        mouse.dz = distance("a number of notches");
    } else if (what == "click") {
        mouse.press = mouse.release = mouse_button(line);
    } else if (what == "press") {
        mouse.press = mouse_button(line);
    } else if (what == "release") {
        mouse.release = mouse_button(line);
    } else {
        throw UsageError(
            fmt::format("'mouse {}' is unknown; write move, click, press, release or "
                        "wheel",
                        what));
    }
    return mouse;
}

Rectangle parse_rectangle(Line& line)
{
    const std::string text = line.value("X,Y,WIDTH,HEIGHT");
    Rectangle r;
    char rest = 0;
    if (std::sscanf(text.c_str(), "%u,%u,%u,%u%c", &r.x, &r.y, &r.width, &r.height, &rest) != 4)
        throw UsageError(fmt::format("'{}' is no mask; write X,Y,WIDTH,HEIGHT", text));
    return r;
}

step::Action parse_compare(Line& line)
{
    step::Compare compare;
    compare.path = line.path("a PNG file");
    while (!line.at_end()) {
        if (line.keyword("within")) {
            compare.within = line.time();
        } else if (line.keyword("mask")) {
            compare.masked.push_back(parse_rectangle(line));
        } else if (line.keyword("tolerance")) {
            std::string text = line.value("a percentage");
            if (text.ends_with('%')) text.pop_back();
            const auto percent = parse_fraction(text);
            if (!percent) throw UsageError(fmt::format("'{}' is no percentage", text));
            compare.tolerance_percent =
                static_cast<double>(percent->numerator) / static_cast<double>(percent->denominator);
        } else {
            line.finish();
        }
    }
    return compare;
}

step::Action parse_check_file(Line& line)
{
    step::CheckFile check;
    check.drive = drive_name(line.value("a drive"));
    check.path = line.word("the path of a file").text;
    const bool is_md5 = line.command() == "file-md5";
    if (!is_md5 && line.keyword("md5")) check.md5 = line.value("an MD5");
    else if (is_md5) check.md5 = line.value("an MD5");
    else if (line.keyword("contains")) check.contains = line.value("a text in quotes");
    else throw UsageError("write: file-on DRIVE PATH contains \"text\", or md5 HEX");
    for (char& c : check.md5) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return check;
}

step::Action parse_state_hash(Line& line)
{
    const std::string text = line.value("16 hexadecimal digits");
    u64 value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
    if (error != std::errc{} || stop != end || text.size() > 16)
        throw UsageError(fmt::format("'{}' is no state hash: it has 16 hexadecimal digits", text));
    return step::StateHash{value};
}

using StepParser = step::Action (*)(Line&);

const std::map<std::string, StepParser>& step_parsers()
{
    static const std::map<std::string, StepParser> parsers = {
        {"expect", parse_expect},
        {"expect-not", parse_expect},
        {"expect-regex", parse_expect},
        {"expect-serial", parse_expect},
        {"expect-serial-regex", parse_expect},
        {"expect-printer", parse_expect},
        {"expect-printer-regex", parse_expect},
        {"expect-debugcon", parse_expect},
        {"expect-debugcon-regex", parse_expect},
        {"type", parse_type},
        {"key", parse_key},
        {"mouse", parse_mouse},
        {"compare", parse_compare},
        {"file-on", parse_check_file},
        {"file-md5", parse_check_file},
        {"state-hash", parse_state_hash},
        {"print-hash", [](Line&) -> step::Action { return step::StateHash{}; }},
        {"send-serial",
         [](Line& line) -> step::Action { return step::SendSerial{line.value("a text")}; }},
        {"wait", [](Line& line) -> step::Action { return step::Wait{line.time()}; }},
        {"screenshot",
         [](Line& line) -> step::Action { return step::Screenshot{line.value("a file")}; }},
        {"insert",
         [](Line& line) -> step::Action {
             const std::string drive = drive_name(line.value("a drive"));
             return step::Insert{drive, line.path()};
         }},
        {"eject",
         [](Line& line) -> step::Action {
             return step::Insert{drive_name(line.value("a drive")), ""};
         }},
        {"reset", [](Line&) -> step::Action { return step::Reset{}; }},
        {"power-cycle", [](Line&) -> step::Action { return step::PowerCycle{}; }},
        {"power-button", [](Line&) -> step::Action { return step::PowerButton{}; }},
        {"save", [](Line& line) -> step::Action { return step::Save{line.value("a file")}; }},
        {"resume",
         [](Line& line) -> step::Action {
             return step::Resume{line.at_end() ? "" : line.value("a file")};
         }},
        {"expect-exit",
         [](Line& line) -> step::Action {
             const int code = static_cast<int>(line.number("an exit code"));
             return step::ExpectExit{code, within(line)};
         }},
        {"expect-power-off",
         [](Line& line) -> step::Action { return step::ExpectPowerOff{within(line)}; }},
    };
    return parsers;
}

// ---- Headers -----------------------------------------------------------------------------------

void add_image(Script& script, Line& line, std::string drive)
{
    ScriptImage image{std::move(drive), line.path("an image file"), false};
    image.copy = line.keyword("copy");
    script.images.push_back(std::move(image));
}

/// Several are one option, in which commas divide.
void add_initrd(Script& script, Line& line)
{
    std::string module = line.path("an initrd or module");
    for (std::size_t at = 0; (at = module.find(',', at)) != module.npos; at += 2)
        module.insert(at, 1, ',');
    if (!line.at_end()) module += ' ' + line.value("the module's arguments");
    const auto before = std::ranges::find(script.options, "--initrd");
    if (before == script.options.end())
        script.options.insert(script.options.end(), {"--initrd", module});
    else before[1] += ',' + module;
}

using HeaderParser = void (*)(Script&, Line&);

const std::map<std::string, HeaderParser>& header_parsers()
{
    static const std::map<std::string, HeaderParser> parsers = {
        {"boot", [](Script& script, Line& line) { add_image(script, line, ""); }},
        {"disk",
         [](Script& script, Line& line) {
             for (const char* drive : {"hda", "hdb", "hdc", "hdd"})
                 if (line.keyword(drive)) return add_image(script, line, drive);
             add_image(script, line, "disk");
         }},
        {"cdrom", [](Script& script, Line& line) { add_image(script, line, "cdrom"); }},
        {"floppy",
         [](Script& script, Line& line) {
             const std::string drive = drive_name(line.value("a or b"));
             if (!drive.starts_with("fd"))
                 throw UsageError("write: floppy a FILE, or floppy b FILE");
             add_image(script, line, drive);
         }},
        {"machine",
         [](Script& script, Line& line) {
             script.options.insert(script.options.end(), {"--machine", line.path()});
         }},
        {"kernel",
         [](Script& script, Line& line) {
             script.options.insert(script.options.end(), {"--kernel", line.path()});
         }},
        {"initrd", add_initrd},
        {"append",
         [](Script& script, Line& line) {
             script.options.insert(script.options.end(),
                                   {"--append", line.value("a command line in quotes")});
         }},
        {"option",
         [](Script& script, Line& line) {
             do {
                 script.options.push_back(line.value("an option such as --memory 16M"));
             } while (!line.at_end());
         }},
        {"skip-unless",
         [](Script& script, Line& line) { script.skip_unless.push_back(line.path()); }},
    };
    return parsers;
}

void parse_line(Script& script, Line& line, int number, const std::string& source)
{
    const auto header = header_parsers().find(line.command());
    const auto parser = step_parsers().find(line.command());
    if (header != header_parsers().end()) {
        if (!script.steps.empty())
            throw UsageError(
                fmt::format("'{}' describes the machine and belongs above the first "
                            "step",
                            line.command()));
        header->second(script, line);
    } else if (parser != step_parsers().end()) {
        script.steps.push_back({number, source, parser->second(line)});
    } else {
        std::vector<std::string> names;
        for (const auto& [name, unused] : header_parsers()) names.push_back(name);
        for (const auto& [name, unused] : step_parsers()) names.push_back(name);
        throw UsageError(
            fmt::format("'{}' is unknown{}", line.command(), suggestion(line.command(), names)));
    }
    line.finish();
}

}  // namespace

Script parse_script(const std::string& text, const std::string& name,
                    const Environment& environment)
{
    Script script;
    script.name = name;
    const std::string folder = std::filesystem::path(name).parent_path().string();
    std::istringstream lines(text);
    std::string source;
    for (int number = 1; std::getline(lines, source); ++number) {
        try {
            Line line(split_words(source, environment), folder);
            source.erase(source.find_last_not_of(" \t\r") + 1);
            source.erase(0, source.find_first_not_of(" \t"));
            if (!source.empty() && source[0] != '#') parse_line(script, line, number, source);
        } catch (const UsageError& error) {
            throw UsageError(fmt::format("{}:{}: {}", name, number, error.what()));
        }
    }
    if (script.steps.empty())
        throw UsageError(fmt::format("{}: there is no step in it, so it tests nothing", name));
    return script;
}

}  // namespace reprise
