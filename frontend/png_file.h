/// Pictures of the screen as PNG files.
#pragma once

#include <string>

#include "devices/vga/frame.h"

namespace reprise {

/// Throws HostError.
void write_png(const std::string& path, const Frame& frame);

/// Throws HostError.
Frame read_png(const std::string& path);

/// What two pictures have in common.
struct FrameDifference {
    bool same_size = false;  // or one is the other with every pixel repeated the same way
    u64 compared = 0, different = 0;

    double percent() const
    {
        return compared ? 100.0 * static_cast<double>(different) / static_cast<double>(compared)
                        : 100.0;
    }
};

/// A part of a picture, in its pixels.
struct Rectangle {
    u32 x = 0, y = 0, width = 0, height = 0;
    bool contains(u32 px, u32 py) const
    {
        return px >= x && px - x < width && py >= y && py - y < height;
    }
};

/// Compares `actual` with `expected` pixel by pixel. A pixel differs when one of its colours does
/// by more than `fuzz` (DACs differ in how they widen 6 bits to 8). Pixels of `expected` within
/// `masked` are left out.
FrameDifference compare_frames(const Frame& actual, const Frame& expected,
                               const std::vector<Rectangle>& masked = {}, int fuzz = 8);

}  // namespace reprise
