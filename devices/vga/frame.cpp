#include "devices/vga/frame.h"

#include <string_view>

namespace reprise {

namespace {

/// Code page 437 as the PC's character generator shows it, control characters included.
constexpr std::u16string_view kCodePage437 =
    u" ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼"
    u" !\"#$%&'()*+,-./0123456789:;<=>?"
    u"@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_"
    u"`abcdefghijklmnopqrstuvwxyz{|}~⌂"
    u"ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ"
    u"áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐"
    u"└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀"
    u"αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00A0";
static_assert(kCodePage437.size() == 256);

void append_utf8(std::string& text, char16_t c)
{
    if (c < 0x80) {
        text += static_cast<char>(c);
    } else if (c < 0x800) {
        text += static_cast<char>(0xC0 | c >> 6);
        text += static_cast<char>(0x80 | (c & 0x3F));
    } else {
        text += static_cast<char>(0xE0 | c >> 12);
        text += static_cast<char>(0x80 | (c >> 6 & 0x3F));
        text += static_cast<char>(0x80 | (c & 0x3F));
    }
}

constexpr bool is_blank(u8 character)
{
    return character == 0 || character == ' ' || character == 0xFF;
}

}  // namespace

std::string TextScreen::to_utf8() const
{
    std::string text;
    for (u32 row = 0; row < rows; ++row) {
        const Cell* line = &cells[std::size_t{row} * columns];
        u32 end = columns;
        while (end > 0 && is_blank(line[end - 1].character)) --end;
        for (u32 column = 0; column < end; ++column)
            append_utf8(text, kCodePage437[line[column].character]);
        text += '\n';
    }
    return text;
}

}  // namespace reprise
