/// What the screen shows, for whoever displays it.
#pragma once

#include <string>
#include <vector>

#include "machine/base/types.h"

namespace reprise {

/// A picture as the monitor gets it. `pixels` are rows from the top, 0x00RRGGBB each.
/// The picture is meant to be shown 4:3 unless `square_pixels` (VBE modes).
struct Frame {
    u32 width = 0, height = 0;
    bool square_pixels = false;
    std::vector<u32> pixels;
};

/// What a text mode shows, or an empty grid in a graphics mode.
struct TextScreen {
    struct Cell {
        u8 character = ' ';  // code page 437
        u8 attribute = 7;    // bits 3..0 foreground, 7..4 background (7: blink where enabled)
        bool operator==(const Cell&) const = default;
    };

    u32 columns = 0, rows = 0;
    std::vector<Cell> cells;  // rows x columns
    bool cursor_visible = false;
    u32 cursor_column = 0, cursor_row = 0;
    bool blink_enabled = false;                  // attribute bit 7 blinks rather than brightens
    std::vector<u32> palette;                    // 16 colours, 0x00RRGGBB
    bool graphics = false;                       // a graphics mode: `cells` is empty
    u32 graphics_width = 0, graphics_height = 0; // its resolution

    /// The characters as UTF-8 lines, trailing blanks removed. Ends with a newline per row.
    std::string to_utf8() const;
};

}  // namespace reprise
