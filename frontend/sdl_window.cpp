#include "frontend/sdl_window.h"

#include <SDL.h>
#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <cstdlib>
#include <string>

#include "frontend/layout.h"
#include "frontend/osd.h"
#include "frontend/sdl_audio.h"
#include "frontend/session.h"
#include "machine/base/error.h"

namespace reprise {

namespace {

constexpr SDL_Scancode kHostKey = SDL_SCANCODE_RCTRL;
constexpr u32 kTextWidth = 720, kTextHeight = 400;  // what a PC shows first

template <class T, void (*Destroy)(T*)>
struct Destroyer {
    void operator()(T* object) const { Destroy(object); }
};
using Texture = std::unique_ptr<SDL_Texture, Destroyer<SDL_Texture, SDL_DestroyTexture>>;
using Renderer = std::unique_ptr<SDL_Renderer, Destroyer<SDL_Renderer, SDL_DestroyRenderer>>;
using Window = std::unique_ptr<SDL_Window, Destroyer<SDL_Window, SDL_DestroyWindow>>;

/// SDL itself, for as long as the window lives.
struct Library {
    Library()
    {
        SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
        SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
        if (SDL_Init(SDL_INIT_VIDEO) != 0)
            throw HostError(
                fmt::format("no window can be opened ({}): use --display terminal or "
                            "--headless",
                            SDL_GetError()));
        // Without a desktop SDL settles for a driver that shows nothing.
        const std::string driver = SDL_GetCurrentVideoDriver();
        const bool invisible = driver == "offscreen" || driver == "dummy" || driver == "evdev";
        if (invisible && !std::getenv("SDL_VIDEODRIVER")) {
            SDL_Quit();
            throw HostError(
                "there is no desktop to open a window on: use --display terminal or --headless");
        }
    }
    ~Library() { SDL_Quit(); }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;
};

/// A picture that the renderer has; remade when the size changes.
class Picture {
public:
    void upload(SDL_Renderer* renderer, const Frame& frame)
    {
        if (frame.width != width_ || frame.height != height_ || !texture_) {
            texture_.reset(
                SDL_CreateTexture(renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING,
                                  static_cast<int>(frame.width), static_cast<int>(frame.height)));
            width_ = frame.width;
            height_ = frame.height;
        }
        if (texture_)
            SDL_UpdateTexture(texture_.get(), nullptr, frame.pixels.data(),
                              static_cast<int>(frame.width * sizeof(u32)));
    }
    SDL_Texture* get() const { return texture_.get(); }

private:
    Texture texture_;
    u32 width_ = 0, height_ = 0;
};

class SdlWindow : public Display {
public:
    explicit SdlWindow(const WindowOptions& options);

    void update(Session& session) override;
    void speaker(Time when, bool level) override { audio_.edge(when, level); }

private:
    void handle(Session& session, const SDL_Event& event);
    void key_down(Session& session, SDL_Scancode code, bool repeated);
    void key_up(Session& session, SDL_Scancode code);
    void release_keys(Session& session);
    void host_command(Session& session, SDL_Scancode code);
    void paste(Session& session);
    void mouse_button(Session& session, const SDL_MouseButtonEvent& button);
    void send_mouse(Session& session);
    void capture(bool captured);

    void draw(Session& session);
    void draw_picture(const Placement& place);
    void draw_notice(const std::string& text);
    void set_title(const Session& session);

    Library library_;
    Window window_;
    Renderer renderer_;
    SdlAudio audio_;
    WindowOptions options_;
    Frame frame_, shown_;
    std::string shown_notice_;
    bool exposed_ = true;  // the window has to be drawn even if nothing changed
    Picture picture_, notice_;
    Texture enlarged_;  // the frame in whole multiples of its pixels
    int enlarged_width_ = 0, enlarged_height_ = 0;
    std::string title_;

    std::bitset<256> down_;  // the keys the guest believes to be down
    bool host_key_ = false, host_key_used_ = false;
    bool captured_ = false;
    MouseInput mouse_;  // gathered since the last send
};

int automatic_scale(const Placement& monitor)
{
    SDL_Rect desktop{};
    if (SDL_GetDisplayUsableBounds(0, &desktop) != 0) return 1;
    return std::clamp(std::min(desktop.w / monitor.width, desktop.h / monitor.height), 1, 3);
}

SdlWindow::SdlWindow(const WindowOptions& options) : options_(options)
{
    const Placement monitor = monitor_size(kTextWidth, kTextHeight, false);
    const int scale = options.scale ? options.scale : automatic_scale(monitor);
    // Shown by the first draw, so that nothing flashes up when the machine cannot be built.
    u32 flags = SDL_WINDOW_RESIZABLE | SDL_WINDOW_HIDDEN | SDL_WINDOW_ALLOW_HIGHDPI;
    if (options.fullscreen) flags |= SDL_WINDOW_FULLSCREEN_DESKTOP;
    window_.reset(SDL_CreateWindow("Reprise", SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED,
                                   monitor.width * scale, monitor.height * scale, flags));
    if (window_) renderer_.reset(SDL_CreateRenderer(window_.get(), -1, 0));
    if (window_ && !renderer_)
        renderer_.reset(SDL_CreateRenderer(window_.get(), -1, SDL_RENDERER_SOFTWARE));
    if (!renderer_)
        throw HostError(
            fmt::format("no window can be opened ({}): use --display terminal or "
                        "--headless",
                        SDL_GetError()));
    SDL_EventState(SDL_DROPFILE, SDL_ENABLE);
}

void SdlWindow::update(Session& session)
{
    SDL_Event event;
    while (SDL_PollEvent(&event)) handle(session, event);
    send_mouse(session);
    draw(session);
    set_title(session);
    const bool silent = session.muted() || session.state() != Session::State::Running;
    audio_.update(session.machine().now(), silent ? 0 : session.speed().value_or(0));
}

void SdlWindow::handle(Session& session, const SDL_Event& event)
{
    switch (event.type) {
    case SDL_QUIT: session.quit(); break;
    case SDL_KEYDOWN: key_down(session, event.key.keysym.scancode, event.key.repeat != 0); break;
    case SDL_KEYUP: key_up(session, event.key.keysym.scancode); break;
    case SDL_MOUSEMOTION:
        if (!captured_) break;
        mouse_.dx += event.motion.xrel;
        mouse_.dy += event.motion.yrel;
        break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP: mouse_button(session, event.button); break;
    case SDL_MOUSEWHEEL:
        if (captured_) mouse_.dz += event.wheel.y;
        break;
    case SDL_WINDOWEVENT:
        exposed_ = true;
        if (event.window.event == SDL_WINDOWEVENT_FOCUS_LOST) {
            release_keys(session);
            capture(false);
        }
        break;
    case SDL_RENDER_TARGETS_RESET:
    case SDL_RENDER_DEVICE_RESET: exposed_ = true; break;
    case SDL_DROPFILE:
        session.insert(event.drop.file);
        SDL_free(event.drop.file);
        break;
    default: break;
    }
}

void SdlWindow::key_down(Session& session, SDL_Scancode code, bool repeated)
{
    if (code == kHostKey) {
        if (!host_key_) host_key_used_ = false;
        host_key_ = true;
        return;
    }
    if (repeated) return;  // the guest's keyboard repeats by itself
    if (host_key_) {
        host_key_used_ = true;
        host_command(session, code);
        return;
    }
    if (code <= 0 || static_cast<std::size_t>(code) >= down_.size()) return;
    down_.set(static_cast<std::size_t>(code));
    session.driver().key(static_cast<u8>(code), true);
}

void SdlWindow::key_up(Session& session, SDL_Scancode code)
{
    if (code == kHostKey) {
        if (!host_key_used_) capture(false);
        host_key_ = false;
        return;
    }
    if (code <= 0 || static_cast<std::size_t>(code) >= down_.size()) return;
    if (!down_.test(static_cast<std::size_t>(code))) return;
    down_.reset(static_cast<std::size_t>(code));
    session.driver().key(static_cast<u8>(code), false);
}

void SdlWindow::release_keys(Session& session)
{
    for (std::size_t code = 0; code < down_.size(); ++code)
        if (down_.test(code)) session.driver().key(static_cast<u8>(code), false);
    down_.reset();
    host_key_ = false;
}

void SdlWindow::host_command(Session& session, SDL_Scancode code)
{
    switch (code) {
    case SDL_SCANCODE_F: {
        const bool full = SDL_GetWindowFlags(window_.get()) & SDL_WINDOW_FULLSCREEN_DESKTOP;
        SDL_SetWindowFullscreen(window_.get(), full ? 0 : SDL_WINDOW_FULLSCREEN_DESKTOP);
        break;
    }
    case SDL_SCANCODE_P: session.toggle_pause(); break;
    case SDL_SCANCODE_R: session.reset(); break;
    case SDL_SCANCODE_DELETE:
    case SDL_SCANCODE_BACKSPACE: session.ctrl_alt_del(); break;
    case SDL_SCANCODE_V: paste(session); break;
    case SDL_SCANCODE_S: session.save(); break;
    case SDL_SCANCODE_C: session.screenshot(); break;
    case SDL_SCANCODE_D: session.next_floppy(); break;
    case SDL_SCANCODE_M: session.toggle_mute(); break;
    case SDL_SCANCODE_Q: session.quit(); break;
    case SDL_SCANCODE_1: session.set_speed(100); break;
    case SDL_SCANCODE_2: session.set_speed(200); break;
    case SDL_SCANCODE_3: session.set_speed(400); break;
    case SDL_SCANCODE_4: session.set_speed(50); break;
    case SDL_SCANCODE_5: session.set_speed(25); break;
    case SDL_SCANCODE_0: session.set_speed(std::nullopt); break;
    default: session.set_notice("Keys: F P R Del V S C D M Q 1-5 0"); break;
    }
}

void SdlWindow::paste(Session& session)
{
    char* text = SDL_GetClipboardText();
    if (text) session.paste(text);
    SDL_free(text);
}

void SdlWindow::mouse_button(Session& session, const SDL_MouseButtonEvent& button)
{
    const bool pressed = button.state == SDL_PRESSED;
    if (!captured_) {
        if (pressed) capture(true);
        return;
    }
    const u8 bit = button.button == SDL_BUTTON_LEFT     ? 1
                   : button.button == SDL_BUTTON_RIGHT  ? 2
                   : button.button == SDL_BUTTON_MIDDLE ? 4
                                                        : 0;
    send_mouse(session);
    const u8 buttons = static_cast<u8>(pressed ? mouse_.buttons | bit : mouse_.buttons & ~bit);
    if (buttons == mouse_.buttons) return;
    mouse_.buttons = buttons;
    session.machine().inject(mouse_);
}

void SdlWindow::send_mouse(Session& session)
{
    if (!mouse_.dx && !mouse_.dy && !mouse_.dz) return;
    session.machine().inject(mouse_);
    mouse_ = MouseInput{0, 0, 0, mouse_.buttons};
}

void SdlWindow::capture(bool captured)
{
    if (captured == captured_) return;
    captured_ = captured;
    SDL_SetRelativeMouseMode(captured ? SDL_TRUE : SDL_FALSE);
    SDL_SetWindowKeyboardGrab(window_.get(), captured ? SDL_TRUE : SDL_FALSE);
}

void SdlWindow::draw(Session& session)
{
    session.machine().render(frame_);
    const std::string notice =
        session.state() == Session::State::Paused ? "Paused" : session.notice().value_or("");
    const bool same_frame = frame_.pixels == shown_.pixels && frame_.width == shown_.width;
    if (same_frame && notice == shown_notice_ && !exposed_) return;
    shown_ = frame_;
    shown_notice_ = notice;
    exposed_ = false;
    SDL_SetRenderDrawColor(renderer_.get(), 0, 0, 0, 255);
    SDL_RenderClear(renderer_.get());
    if (frame_.width && frame_.height) {
        int width = 0, height = 0;
        SDL_GetRendererOutputSize(renderer_.get(), &width, &height);
        picture_.upload(renderer_.get(), frame_);
        draw_picture(fit_picture(frame_.width, frame_.height, frame_.square_pixels, width, height,
                                 !options_.smooth));
    }
    if (!notice.empty()) draw_notice(notice);
    SDL_RenderPresent(renderer_.get());
    if (SDL_GetWindowFlags(window_.get()) & SDL_WINDOW_HIDDEN) SDL_ShowWindow(window_.get());
}

/// Monitors stretch: 400 rows become 540. Copying rows unevenly would look ragged, so the frame is
/// first enlarged by whole numbers and then shrunk smoothly to its place.
void SdlWindow::draw_picture(const Placement& place)
{
    const SDL_Rect target{place.x, place.y, place.width, place.height};
    const int width = static_cast<int>(frame_.width), height = static_cast<int>(frame_.height);
    const int times_x = std::clamp((place.width + width - 1) / width, 1, 8);
    const int times_y = std::clamp((place.height + height - 1) / height, 1, 8);
    SDL_SetTextureScaleMode(picture_.get(),
                            options_.smooth ? SDL_ScaleModeLinear : SDL_ScaleModeNearest);
    const bool exact = place.width == width * times_x && place.height == height * times_y;
    if (options_.smooth || exact) {
        SDL_RenderCopy(renderer_.get(), picture_.get(), nullptr, &target);
        return;
    }
    if (enlarged_width_ != width * times_x || enlarged_height_ != height * times_y) {
        enlarged_width_ = width * times_x;
        enlarged_height_ = height * times_y;
        enlarged_.reset(SDL_CreateTexture(renderer_.get(), SDL_PIXELFORMAT_RGB888,
                                          SDL_TEXTUREACCESS_TARGET, enlarged_width_,
                                          enlarged_height_));
        if (enlarged_) SDL_SetTextureScaleMode(enlarged_.get(), SDL_ScaleModeLinear);
    }
    if (!enlarged_ || SDL_SetRenderTarget(renderer_.get(), enlarged_.get()) != 0) {
        SDL_RenderCopy(renderer_.get(), picture_.get(), nullptr, &target);
        return;
    }
    SDL_RenderCopy(renderer_.get(), picture_.get(), nullptr, nullptr);
    SDL_SetRenderTarget(renderer_.get(), nullptr);
    SDL_RenderCopy(renderer_.get(), enlarged_.get(), nullptr, &target);
}

void SdlWindow::draw_notice(const std::string& text)
{
    const Frame frame = osd_picture(text.substr(0, 100));
    notice_.upload(renderer_.get(), frame);
    int width = 0, height = 0;
    SDL_GetRendererOutputSize(renderer_.get(), &width, &height);
    const int scale = std::clamp(width / static_cast<int>(frame.width), 1, 2);
    const SDL_Rect target{8, height - 8 - static_cast<int>(frame.height) * scale,
                          static_cast<int>(frame.width) * scale,
                          static_cast<int>(frame.height) * scale};
    if (notice_.get()) SDL_RenderCopy(renderer_.get(), notice_.get(), nullptr, &target);
}

void SdlWindow::set_title(const Session& session)
{
    const std::string hint = captured_ ? "Right Ctrl releases the mouse"
                                       : "Right Ctrl is the host key, a click captures the mouse";
    std::string title = fmt::format("Reprise - {} - {}", session.status(), hint);
    if (title == title_) return;
    SDL_SetWindowTitle(window_.get(), title.c_str());
    title_ = std::move(title);
}

}  // namespace

std::unique_ptr<Display> make_sdl_window(const WindowOptions& options)
{
    return std::make_unique<SdlWindow>(options);
}

}  // namespace reprise
