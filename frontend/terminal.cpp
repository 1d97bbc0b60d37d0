#include "frontend/terminal.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "frontend/session.h"
#include "frontend/terminal_keys.h"
#include "frontend/terminal_picture.h"
#include "machine/base/error.h"

namespace reprise {

namespace {

constexpr std::string_view kEnter = "\x1B[?1049h\x1B[2J";
constexpr std::string_view kLeave = "\x1B[0m\x1B[?25h\x1B[?1049l";
constexpr HostTime kEscapeSettles = 50 * kMillisecond;
constexpr HostTime kRepaint = 30 * kMillisecond;

// Only a global can be reached from a handler of a fatal signal.
termios g_original;
volatile std::sig_atomic_t g_taken = 0;

void write_all(std::string_view text)
{
    while (!text.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

void give_back()
{
    if (!g_taken) return;
    g_taken = 0;
    write_all(kLeave);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &g_original);
}

void give_back_and_die(int signal)
{
    give_back();
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

class Terminal : public Display {
public:
    Terminal();
    ~Terminal() override { give_back(); }

    void update(Session& session) override;
    bool covers_terminal() const override { return true; }

private:
    void read_keys(Session& session);
    void act(Session& session, const TerminalKey& key);
    void command(Session& session, char letter);
    void draw(Session& session);
    std::string status_line(const Session& session, const TextScreen& screen) const;

    TerminalKeys keys_;
    TerminalPainter painter_;
    HostTime last_byte_ = 0, last_draw_ = 0;
};

Terminal::Terminal() : painter_(colour_depth(std::getenv("COLORTERM"), std::getenv("TERM")))
{
    if (!terminal_available())
        throw HostError(
            "standard input and output are not a terminal: use --headless, or "
            "--display window");
    if (tcgetattr(STDIN_FILENO, &g_original) != 0)
        throw HostError("the terminal cannot be set up: use --headless");
    termios raw = g_original;
    cfmakeraw(&raw);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    g_taken = 1;
    std::atexit(give_back);
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT})
        std::signal(signal, give_back_and_die);
    write_all(kEnter);
}

void Terminal::update(Session& session)
{
    read_keys(session);
    if (host_now() - last_draw_ >= kRepaint) draw(session);
}

void Terminal::read_keys(Session& session)
{
    std::array<char, 256> buffer{};
    pollfd input{STDIN_FILENO, POLLIN, 0};
    while (poll(&input, 1, 0) > 0) {
        const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (got <= 0) {  // the terminal is gone
            session.quit();
            return;
        }
        last_byte_ = host_now();
        for (const TerminalKey& key : keys_.feed({buffer.data(), static_cast<std::size_t>(got)}))
            act(session, key);
    }
    if (host_now() - last_byte_ < kEscapeSettles) return;
    for (const TerminalKey& key : keys_.settle()) act(session, key);
}

void Terminal::act(Session& session, const TerminalKey& key)
{
    if (key.command) command(session, key.command);
    else session.driver().type({{key.chord}});
}

void Terminal::command(Session& session, char letter)
{
    switch (letter) {
    case 'q': session.quit(); break;
    case 'r': session.reset(); break;
    case 's': session.save(); break;
    case 'd': session.ctrl_alt_del(); break;
    case 'p': session.toggle_pause(); break;
    case 'c': session.screenshot(); break;
    case 'f': session.next_floppy(); break;
    case 'x': session.set_speed(session.speed() ? std::nullopt : std::optional<u32>(100)); break;
    default:
        session.set_notice(
            "Ctrl-] then: q quit, r reset, s save, d Ctrl-Alt-Del, p pause, "
            "c picture, f next floppy, x full speed, Ctrl-] itself");
    }
}

void Terminal::draw(Session& session)
{
    last_draw_ = host_now();
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || !size.ws_col || !size.ws_row) {
        size.ws_col = 80;
        size.ws_row = 25;
    }
    const TextScreen screen = session.machine().text_screen();
    const bool room = size.ws_row > (screen.graphics ? 8U : screen.rows);
    const u32 rows = room ? size.ws_row - 1U : size.ws_row;
    TerminalPicture picture;
    if (screen.graphics) {
        Frame frame;
        session.machine().render(frame);
        picture = picture_of_frame(frame, size.ws_col, rows);
    } else {
        picture = picture_of_text(screen, size.ws_col, rows);
    }
    const bool overlay = session.notice() || keys_.waiting_for_command();
    if (room) {
        picture.rows = size.ws_row;
        picture.cells.resize(std::size_t{picture.rows} * picture.columns);
    }
    if (room || overlay) {
        std::string line = status_line(session, screen);
        line.resize(picture.columns, ' ');
        picture.write(picture.rows - 1, 0, line, 0x000000, 0xAAAAAA);
    }
    write_all(painter_.paint(picture));
}

std::string Terminal::status_line(const Session& session, const TextScreen& screen) const
{
    if (keys_.waiting_for_command())
        return " q quit  r reset  s save  d Ctrl-Alt-Del  p pause  c picture  f next floppy";
    if (const auto notice = session.notice()) return ' ' + *notice;
    const std::string mode =
        screen.graphics
            ? fmt::format("graphics {}x{}", screen.graphics_width, screen.graphics_height)
            : fmt::format("text {}x{}", screen.columns, screen.rows);
    return fmt::format(" Reprise  {}  {}  Ctrl-] q quits, Ctrl-] ? helps", session.status(), mode);
}

}  // namespace

bool terminal_available() { return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO); }

std::unique_ptr<Display> make_terminal() { return std::make_unique<Terminal>(); }

}  // namespace reprise
