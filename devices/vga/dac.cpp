#include "devices/vga/dac.h"

#include <algorithm>

namespace reprise {

void Dac::fetch()
{
    std::copy_n(&table[address * 3u], 3, color.begin());
    ++address;
}

void Dac::set_read_address(u8 value)
{
    address = value;
    component = 0;
    reading = true;
    fetch();
}

void Dac::set_write_address(u8 value)
{
    address = value;
    component = 0;
    reading = false;
}

u8 Dac::read_data()
{
    const u8 value = color[component];
    if (++component == 3) {
        component = 0;
        fetch();
    }
    return value;
}

void Dac::write_data(u8 value, bool eight_bits)
{
    color[component] = eight_bits ? value : value & 0x3F;
    if (++component < 3) return;
    component = 0;
    std::copy_n(color.begin(), 3, &table[address * 3u]);
    ++address;
}

u32 Dac::output(u8 pixel, bool eight_bits) const
{
    u32 rgb = 0;
    for (unsigned i = 0; i < 3; ++i) {
        const u32 level = table[(pixel & pel_mask) * 3u + i];
        const u32 six = level & 0x3F;
        rgb = rgb << 8 | (eight_bits ? level : six << 2 | six >> 4);
    }
    return rgb;
}

}  // namespace reprise
