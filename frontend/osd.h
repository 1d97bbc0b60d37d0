/// Short messages over the picture, in a small font of our own.
#pragma once

#include <string>

#include "devices/vga/frame.h"

namespace reprise {

/// White text on black, 6x9 pixels a character. Small letters are drawn as capitals; a character
/// that the font lacks is a blank.
Frame osd_picture(const std::string& text);

}  // namespace reprise
