#include "frontend/cpu_tools/register_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "machine/base/error.h"

namespace reprise {

namespace {

constexpr std::array<std::string_view, 8> kWords = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
constexpr std::array<std::string_view, 8> kBytes = {"al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"};
constexpr std::array<std::string_view, 6> kSegments = {"es", "cs", "ss", "ds", "fs", "gs"};

template <std::size_t n>
std::optional<u8> index_of(const std::array<std::string_view, n>& names, std::string_view name)
{
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) return std::nullopt;
    return static_cast<u8>(found - names.begin());
}

/// "r12" with prefix "r" and below 16: 12.
std::optional<u8> numbered(std::string_view name, std::string_view prefix, unsigned below)
{
    if (!name.starts_with(prefix) || name.size() == prefix.size() ||
        name.size() > prefix.size() + 2)
        return std::nullopt;
    unsigned number = 0;
    for (const char c : name.substr(prefix.size())) {
        if (c < '0' || c > '9') return std::nullopt;
        number = 10 * number + static_cast<unsigned>(c - '0');
    }
    if (number >= below) return std::nullopt;
    return static_cast<u8>(number);
}

Xmm parse_number(const std::string& text)
{
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    const std::string digits = text.substr(hex ? 2 : 0);
    const bool valid =
        !digits.empty() && digits.size() <= (hex ? 32 : 19) &&
        digits.find_first_not_of(hex ? "0123456789abcdefABCDEF" : "0123456789") == text.npos;
    if (!valid)
        throw HostError(fmt::format(
            "'{}' is no number: write decimal digits, or 0x and hexadecimal ones", text));
    if (!hex) return {std::stoull(digits), 0};
    const std::size_t split = digits.size() > 16 ? digits.size() - 16 : 0;
    return {std::stoull(digits.substr(split), nullptr, 16),
            split ? std::stoull(digits.substr(0, split), nullptr, 16) : 0};
}

class Setter {
public:
    Setter(Cpu& cpu, const std::string& name, const std::string& text)
        : cpu_(cpu), name_(name), text_(text), number_(parse_number(text))
    {
    }

    void set()
    {
        if (!set_general() && !set_segment() && !set_system() && !set_vector())
            throw HostError(
                fmt::format("there is no register '{}' in a {}", name_, cpu_.model().name));
    }

private:
    u64 value(int bits) const
    {
        if (number_.high || (bits < 64 && number_.low >> bits))
            throw HostError(fmt::format("{}={}: the register has {} bits", name_, text_, bits));
        return number_.low;
    }

    bool set_general()
    {
        const bool wide = cpu_.at_least(Level::I80386),
                   longest = cpu_.model().has(Feature::LongMode);
        const std::string_view name = name_;
        if (const auto r = index_of(kWords, name))
            return cpu_.set_reg(*r, static_cast<u16>(value(16))), true;
        if (const auto r = index_of(kBytes, name)) {
            cpu_.set_reg(static_cast<u8>(*r < 4 ? *r : (*r - 4) | kHighByte),
                         static_cast<u8>(value(8)));
            return true;
        }
        if (wide && name.starts_with('e'))
            if (const auto r = index_of(kWords, name.substr(1)))
                return cpu_.state.gpr[*r] = value(32), true;
        if (longest && name.starts_with('r'))
            if (const auto r = index_of(kWords, name.substr(1)))
                return cpu_.state.gpr[*r] = value(64), true;
        if (longest)
            if (const auto r = numbered(name, "r", 16); r && *r >= 8)
                return cpu_.state.gpr[*r] = value(64), true;
        return false;
    }

    bool set_segment()
    {
        const auto s = index_of(kSegments, name_);
        if (!s || (*s >= FS && !cpu_.at_least(Level::I80386))) return false;
        Segment& segment = cpu_.state.seg[*s];
        segment.selector = static_cast<u16>(value(16));
        if (cpu_.real_or_v86()) segment.base = u64{segment.selector} << 4;
        return true;
    }

    bool set_system()
    {
        CpuState& state = cpu_.state;
        const bool wide = cpu_.at_least(Level::I80386);
        if (name_ == "ip") return state.rip = value(16), true;
        if (wide && name_ == "eip") return state.rip = value(32), true;
        if (name_ == "rip" && cpu_.model().has(Feature::LongMode))
            return state.rip = value(64), true;
        if (name_ == "flags" || (wide && (name_ == "eflags" || name_ == "rflags"))) {
            state.rflags = static_cast<u32>(value(name_ == "flags" ? 16 : 32)) | kReservedSetFlags;
            return true;
        }
        if (!wide) return false;
        const int bits = cpu_.model().has(Feature::LongMode) ? 64 : 32;
        if (name_ == "cr0") return state.cr0 = value(bits), true;
        if (name_ == "cr2") return state.cr2 = value(bits), true;
        if (name_ == "cr3") return state.cr3 = value(bits), true;
        if (name_ == "cr4") return state.cr4 = value(bits), true;
        if (const auto r = numbered(name_, "dr", 8); r && *r != 4 && *r != 5)
            return state.dr[*r] = value(bits), true;
        return false;
    }

    bool set_vector()
    {
        if (cpu_.model().has(Feature::Mmx))
            if (const auto r = numbered(name_, "mm", 8)) {
                cpu_.state.fpu.r[*r] = {value(64), 0xFFFF};
                return true;
            }
        if (!cpu_.model().has(Feature::Sse)) return false;
        if (name_ == "mxcsr") return cpu_.state.sse.mxcsr = static_cast<u32>(value(32)), true;
        const unsigned registers = cpu_.model().has(Feature::LongMode) ? 16 : 8;
        if (const auto r = numbered(name_, "xmm", registers))
            return cpu_.state.sse.xmm[*r] = number_, true;
        return false;
    }

    Cpu& cpu_;
    const std::string& name_;
    const std::string& text_;
    const Xmm number_;
};

}  // namespace

void set_register(Cpu& cpu, const std::string& name, const std::string& value)
{
    Setter(cpu, name, value).set();
}

}  // namespace reprise
