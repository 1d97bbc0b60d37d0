#include "devices/vga/dispi.h"

#include <algorithm>

namespace reprise {

u16 Dispi::virt_height() const
{
    const u32 line = line_bytes();
    return line == 0 ? 0 : static_cast<u16>(std::min(kMemoryBytes / line, 0xFFFFu));
}

u16 Dispi::read(u16 number) const
{
    const bool caps = (enable & kGetCaps) != 0;
    switch (number) {
    case kId: return id;
    case kXres: return caps ? kMaxXres : xres;
    case kYres: return caps ? kMaxYres : yres;
    case kBpp: return caps ? kMaxBpp : bpp;
    case kEnable: return enable;
    case kBank: return bank;
    case kVirtWidth: return virt_width;
    case kVirtHeight: return virt_height();
    case kXOffset: return x_offset;
    case kYOffset: return y_offset;
    case kVideoMemory64K: return kMemoryBytes >> 16;
    default: return 0;
    }
}

bool Dispi::write(u16 number, u16 value)
{
    switch (number) {
    case kId:
        // A driver writes the revision it wants and sees by reading whether there is such a one.
        if (value >= 0xB0C0 && value <= 0xB0C5) id = value;
        return false;
    case kXres: xres = value; break;
    case kYres: yres = value; break;
    case kBpp: bpp = value; break;
    case kEnable: return write_enable(value);
    case kBank: bank = value & (bpp == 4 ? 0x3F : 0xFF); return false;
    case kVirtWidth: virt_width = value; break;
    case kXOffset: x_offset = value; return false;
    case kYOffset: y_offset = value; return false;
    default: return false;
    }
    if (!enabled()) return false;
    fit();
    return true;
}

bool Dispi::write_enable(u16 value)
{
    const bool starts = (value & kEnabled) && !enabled();
    enable = value & (kEnabled | kGetCaps | k8BitDac | kLfbEnabled | kNoClearMemory);
    if (!enabled()) bank = 0;
    if (!starts) return false;
    virt_width = x_offset = y_offset = bank = 0;
    fit();
    return true;
}

/// Makes of what was asked for a mode that exists.
void Dispi::fit()
{
    if (bpp != 4 && bpp != 15 && bpp != 16 && bpp != 24 && bpp != 32) bpp = 8;
    const auto multiple_of_8 = [](u16 value, u16 low, u16 high) {
        return static_cast<u16>(std::clamp<u16>(value, low, high) & ~7);
    };
    xres = multiple_of_8(xres, 8, kMaxXres);
    virt_width = multiple_of_8(virt_width, xres, 0xFFFF);
    yres = std::clamp<u16>(yres, 1, std::min(kMaxYres, virt_height()));
}

}  // namespace reprise
