/// The machine in a window of the desktop.
#pragma once

#include <memory>

#include "frontend/display.h"

namespace reprise {

struct WindowOptions {
    int scale = 0;  // 0: what fits the desktop
    bool smooth = false, fullscreen = false;
};

/// Throws HostError if there is no desktop.
std::unique_ptr<Display> make_sdl_window(const WindowOptions& options);

}  // namespace reprise
