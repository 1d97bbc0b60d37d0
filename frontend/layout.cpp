#include "frontend/layout.h"

#include <algorithm>
#include <cmath>

namespace reprise {

Placement monitor_size(u32 width, u32 height, bool square_pixels)
{
    const i32 w = static_cast<i32>(width), h = static_cast<i32>(height);
    if (square_pixels) return {0, 0, w, h};
    if (w * 3 >= h * 4) return {0, 0, w, (w * 3 + 2) / 4};
    return {0, 0, (h * 4 + 1) / 3, h};
}

Placement fit_picture(u32 width, u32 height, bool square_pixels, i32 window_width,
                      i32 window_height, bool integer)
{
    const Placement monitor = monitor_size(width, height, square_pixels);
    if (!monitor.width || !monitor.height) return {};
    const double fits = std::min(static_cast<double>(window_width) / monitor.width,
                                 static_cast<double>(window_height) / monitor.height);
    const int whole = static_cast<int>(fits);
    const double scale = integer && whole >= 1 ? whole : fits;
    Placement place;
    place.width = std::max(1, static_cast<i32>(std::lround(monitor.width * scale)));
    place.height = std::max(1, static_cast<i32>(std::lround(monitor.height * scale)));
    place.x = (window_width - place.width) / 2;
    place.y = (window_height - place.height) / 2;
    return place;
}

}  // namespace reprise
