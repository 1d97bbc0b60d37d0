/// A machine's screen as characters of a terminal.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "devices/vga/frame.h"

namespace reprise {

/// What a terminal is able to show.
enum class ColourDepth { Sixteen, TwoHundredFiftySix, Full };

/// From the values of COLORTERM and TERM; either may be null.
ColourDepth colour_depth(const char* colorterm, const char* term);

struct TerminalCell {
    std::string text = " ";  // one character as UTF-8
    u32 foreground = 0xAAAAAA, background = 0;
    bool blink = false;
    bool operator==(const TerminalCell&) const = default;
};

struct TerminalPicture {
    u32 columns = 0, rows = 0;
    std::vector<TerminalCell> cells;
    bool cursor_visible = false;
    u32 cursor_column = 0, cursor_row = 0;
    bool operator==(const TerminalPicture&) const = default;

    void write(u32 row, u32 column, const std::string& ascii, u32 foreground, u32 background);
};

/// A text screen, cut to the terminal so that the cursor's row is seen.
TerminalPicture picture_of_text(const TextScreen& screen, u32 columns, u32 rows);

/// A frame in half blocks: two pixels per character, scaled down to fit with a 4:3 picture (or
/// square pixels) on characters that are twice as high as wide.
TerminalPicture picture_of_frame(const Frame& frame, u32 columns, u32 rows);

/// Turns pictures into the bytes that change the terminal from the previous one.
class TerminalPainter {
public:
    explicit TerminalPainter(ColourDepth depth) : depth_(depth) {}

    std::string paint(const TerminalPicture& picture);
    void forget() { shown_ = {}; }  // the terminal shows something else now

private:
    std::string style(const TerminalCell& cell) const;
    std::string colour(u32 rgb, bool background) const;

    ColourDepth depth_;
    TerminalPicture shown_;
};

}  // namespace reprise
