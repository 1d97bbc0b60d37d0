/// Where a picture goes in a window.
#pragma once

#include "machine/base/types.h"

namespace reprise {

struct Placement {
    i32 x = 0, y = 0, width = 0, height = 0;
    bool operator==(const Placement&) const = default;
};

/// The size a picture has on a monitor: 4:3, whatever its resolution, or its own if its pixels are
/// square. At least as large as the picture in both directions.
Placement monitor_size(u32 width, u32 height, bool square_pixels);

/// The largest place in a window, centred, that keeps the monitor's aspect. `integer` allows only
/// whole multiples of the picture's rows, if at least one fits.
Placement fit_picture(u32 width, u32 height, bool square_pixels, i32 window_width,
                      i32 window_height, bool integer);

}  // namespace reprise
