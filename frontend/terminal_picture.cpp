#include "frontend/terminal_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

namespace reprise {

namespace {

/// Code page 437 as UTF-8, which TextScreen knows.
const std::array<std::string, 256>& code_page_437()
{
    static const std::array<std::string, 256> table = [] {
        std::array<std::string, 256> characters;
        for (u32 i = 0; i < 256; ++i) {
            TextScreen one;
            one.columns = one.rows = 1;
            one.cells = {{static_cast<u8>(i), 7}};
            characters[i] = one.to_utf8();
            while (!characters[i].empty() && characters[i].back() == '\n') characters[i].pop_back();
            if (characters[i].empty()) characters[i] = " ";
        }
        return characters;
    }();
    return table;
}

constexpr u32 red(u32 rgb) { return rgb >> 16 & 0xFF; }
constexpr u32 green(u32 rgb) { return rgb >> 8 & 0xFF; }
constexpr u32 blue(u32 rgb) { return rgb & 0xFF; }

u32 distance(u32 a, u32 b)
{
    const auto square = [](u32 x, u32 y) {
        return (x > y ? x - y : y - x) * (x > y ? x - y : y - x);
    };
    return square(red(a), red(b)) + square(green(a), green(b)) + square(blue(a), blue(b));
}

/// The PC's sixteen colours in the order of ANSI: 30 + n, then 90 + n - 8.
constexpr u32 kAnsi[16] = {0x000000, 0xAA0000, 0x00AA00, 0xAA5500, 0x0000AA, 0xAA00AA,
                           0x00AAAA, 0xAAAAAA, 0x555555, 0xFF5555, 0x55FF55, 0xFFFF55,
                           0x5555FF, 0xFF55FF, 0x55FFFF, 0xFFFFFF};

u32 nearest_ansi(u32 rgb)
{
    const auto nearer = [&](u32 a, u32 b) { return distance(a, rgb) < distance(b, rgb); };
    return static_cast<u32>(std::min_element(kAnsi, kAnsi + 16, nearer) - kAnsi);
}

/// xterm's 256 colours: a 6x6x6 cube from 16 on, 24 greys from 232 on.
u32 nearest_256(u32 rgb)
{
    constexpr u32 kLevels[6] = {0, 95, 135, 175, 215, 255};
    const auto level = [&](u32 value) -> u32 {
        const auto off = [&](u32 a) { return a > value ? a - value : value - a; };
        return static_cast<u32>(std::ranges::min_element(kLevels, {}, off) - kLevels);
    };
    const u32 r = level(red(rgb)), g = level(green(rgb)), b = level(blue(rgb));
    const u32 cube = kLevels[r] << 16 | kLevels[g] << 8 | kLevels[b];
    const u32 mean = (red(rgb) + green(rgb) + blue(rgb)) / 3;
    const u32 grey_index = mean < 8 ? 0 : std::min<u32>(23, (mean - 8 + 5) / 10);
    const u32 grey = (8 + 10 * grey_index) * 0x010101;
    return distance(grey, rgb) < distance(cube, rgb) ? 232 + grey_index : 16 + 36 * r + 6 * g + b;
}

u32 average(const Frame& frame, u32 x0, u32 x1, u32 y0, u32 y1)
{
    x1 = std::min(std::max(x1, x0 + 1), frame.width);
    y1 = std::min(std::max(y1, y0 + 1), frame.height);
    u64 r = 0, g = 0, b = 0, count = 0;
    for (u32 y = y0; y < y1; ++y)
        for (u32 x = x0; x < x1; ++x, ++count) {
            const u32 pixel = frame.pixels[std::size_t{y} * frame.width + x];
            r += red(pixel), g += green(pixel), b += blue(pixel);
        }
    if (!count) return 0;
    return static_cast<u32>(r / count << 16 | g / count << 8 | b / count);
}

TerminalPicture blank(u32 columns, u32 rows)
{
    TerminalPicture picture;
    picture.columns = columns;
    picture.rows = rows;
    picture.cells.resize(std::size_t{columns} * rows);
    return picture;
}

}  // namespace

ColourDepth colour_depth(const char* colorterm, const char* term)
{
    const std::string_view more = colorterm ? colorterm : "", name = term ? term : "";
    if (more == "truecolor" || more == "24bit") return ColourDepth::Full;
    if (name.ends_with("-direct")) return ColourDepth::Full;
    if (name.find("256") != name.npos) return ColourDepth::TwoHundredFiftySix;
    return ColourDepth::Sixteen;
}

void TerminalPicture::write(u32 row, u32 column, const std::string& ascii, u32 foreground,
                            u32 background)
{
    for (const char c : ascii) {
        if (row >= rows || column >= columns) return;
        const bool printable = c >= ' ' && c <= '~';
        cells[std::size_t{row} * columns + column++] = {std::string(1, printable ? c : '?'),
                                                        foreground, background, false};
    }
}

TerminalPicture picture_of_text(const TextScreen& screen, u32 columns, u32 rows)
{
    TerminalPicture picture = blank(columns, rows);
    const u32 shown_rows = std::min(rows, screen.rows);
    const u32 most_top = screen.rows - shown_rows;
    const u32 top = screen.cursor_row >= shown_rows
                        ? std::min(most_top, screen.cursor_row - shown_rows + 1)
                        : 0;
    const auto palette = [&](u32 index) {
        return index < screen.palette.size() ? screen.palette[index] : 0xAAAAAA;
    };
    for (u32 row = 0; row < shown_rows; ++row)
        for (u32 column = 0; column < std::min(columns, screen.columns); ++column) {
            const TextScreen::Cell& cell =
                screen.cells[std::size_t{row + top} * screen.columns + column];
            const bool blink = screen.blink_enabled && cell.attribute & 0x80;
            const u32 background = cell.attribute >> 4 & (screen.blink_enabled ? 7 : 15);
            picture.cells[std::size_t{row} * columns + column] = {code_page_437()[cell.character],
                                                                  palette(cell.attribute & 15U),
                                                                  palette(background), blink};
        }
    picture.cursor_column = screen.cursor_column;
    picture.cursor_row = screen.cursor_row - top;
    picture.cursor_visible = screen.cursor_visible && screen.cursor_column < columns &&
                             screen.cursor_row >= top && screen.cursor_row < top + shown_rows;
    return picture;
}

TerminalPicture picture_of_frame(const Frame& frame, u32 columns, u32 rows)
{
    TerminalPicture picture = blank(columns, rows);
    if (!frame.width || !frame.height || !columns || !rows) return picture;
    // Half blocks are about square.
    const double aspect =
        frame.square_pixels ? static_cast<double>(frame.width) / frame.height : 4.0 / 3.0;
    u32 width = columns, height = static_cast<u32>(columns / aspect);
    if (height > 2 * rows) {
        height = 2 * rows;
        width = std::min(columns, static_cast<u32>(height * aspect));
    }
    width = std::max(width, 1U);
    height = std::max(height & ~1U, 2U);
    const auto pixel = [&](u32 x, u32 y) {
        return average(frame, x * frame.width / width, (x + 1) * frame.width / width,
                       y * frame.height / height, (y + 1) * frame.height / height);
    };
    const u32 left = (columns - width) / 2;
    for (u32 row = 0; row < height / 2 && row < rows; ++row)
        for (u32 x = 0; x < width; ++x)
            picture.cells[std::size_t{row} * columns + left + x] = {"\u2580", pixel(x, 2 * row),
                                                                    pixel(x, 2 * row + 1), false};
    return picture;
}

std::string TerminalPainter::paint(const TerminalPicture& picture)
{
    if (picture == shown_) return "";
    std::string out = "\x1B[?25l";
    const bool same_size = picture.columns == shown_.columns && picture.rows == shown_.rows;
    if (!same_size) {
        out += "\x1B[0m\x1B[2J";
        shown_ = blank(picture.columns, picture.rows);
        for (TerminalCell& cell : shown_.cells) cell.text.clear();
    }
    std::string current_style;
    for (u32 row = 0; row < picture.rows; ++row) {
        bool in_place = false;
        for (u32 column = 0; column < picture.columns; ++column) {
            const std::size_t i = std::size_t{row} * picture.columns + column;
            const TerminalCell& cell = picture.cells[i];
            if (cell == shown_.cells[i]) {
                in_place = false;
                continue;
            }
            if (!in_place) out += fmt::format("\x1B[{};{}H", row + 1, column + 1);
            in_place = true;
            if (std::string wanted = style(cell); wanted != current_style) {
                out += wanted;
                current_style = std::move(wanted);
            }
            out += cell.text;
        }
    }
    if (picture.cursor_visible)
        out +=
            fmt::format("\x1B[{};{}H\x1B[?25h", picture.cursor_row + 1, picture.cursor_column + 1);
    shown_ = picture;
    return out;
}

std::string TerminalPainter::style(const TerminalCell& cell) const
{
    return fmt::format("\x1B[0{};{};{}m", cell.blink ? ";5" : "", colour(cell.foreground, false),
                       colour(cell.background, true));
}

std::string TerminalPainter::colour(u32 rgb, bool background) const
{
    const u32 base = background ? 40 : 30;
    if (depth_ == ColourDepth::Full)
        return fmt::format("{};2;{};{};{}", base + 8, red(rgb), green(rgb), blue(rgb));
    if (depth_ == ColourDepth::TwoHundredFiftySix)
        return fmt::format("{};5;{}", base + 8, nearest_256(rgb));
    const u32 index = nearest_ansi(rgb);
    return fmt::format("{}", index < 8 ? base + index : base + 60 + index - 8);
}

}  // namespace reprise
