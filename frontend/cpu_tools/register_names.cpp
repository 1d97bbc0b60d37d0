#include "frontend/cpu_tools/register_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "machine/base/error.h"

namespace reprise {

namespace {

constexpr std::array<std::string_view, 8> kWords = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
constexpr std::array<std::string_view, 8> kBytes = {"al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"};
constexpr std::array<std::string_view, 4> kRexBytes = {"spl", "bpl", "sil", "dil"};
constexpr std::array<std::string_view, 6> kSegments = {"es", "cs", "ss", "ds", "fs", "gs"};

constexpr u32 kAllFlags =
    CF | PF | AF | ZF | SF | TF | IF | DF | OF | IOPL | NT | RF | VM | AC | VIF | VIP | ID;

constexpr std::array kMsrs = std::to_array<MsrName>({
    {"efer", &MsrState::efer, false},
    {"star", &MsrState::star, false},
    {"lstar", &MsrState::lstar, true},
    {"cstar", &MsrState::cstar, true},
    {"fmask", &MsrState::sfmask, false},
    {"kernel_gs_base", &MsrState::kernel_gs_base, true},
});

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
    const std::string_view digits = std::string_view(text).substr(hex ? 2 : 0);
    const auto read = [&](std::string_view part, u64& value) {
        const char* const end = part.data() + part.size();
        const auto result = std::from_chars(part.data(), end, value, hex ? 16 : 10);
        return result.ec == std::errc{} && result.ptr == end;
    };
    Xmm number;
    const std::size_t split = hex && digits.size() > 16 ? digits.size() - 16 : 0;
    const bool valid = split <= 16 && read(digits.substr(split), number.low) &&
                       (split == 0 || read(digits.substr(0, split), number.high));
    if (!valid)
        throw HostError(fmt::format(
            "'{}' is no number: write decimal digits, or 0x and hexadecimal ones", text));
    return number;
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
    u64 linear_address() const
    {
        if (!is_canonical(value(64)))
            throw HostError(
                fmt::format("{}={}: bits 63 to 47 of an address are all the same", name_, text_));
        return number_.low;
    }

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
        return longest && set_long_general(name);
    }

    /// "rax", "sil", "r8", "r8d", "r8w", "r8b".
    bool set_long_general(std::string_view name)
    {
        if (name.starts_with('r'))
            if (const auto r = index_of(kWords, name.substr(1)))
                return cpu_.state.gpr[*r] = value(64), true;
        if (const auto r = index_of(kRexBytes, name))
            return cpu_.set_reg(static_cast<u8>(*r + RSP), static_cast<u8>(value(8))), true;
        if (const auto r = numbered(name, "r", 16); r && *r >= 8)
            return cpu_.state.gpr[*r] = value(64), true;
        if (name.empty()) return false;
        const auto r = numbered(name.substr(0, name.size() - 1), "r", 16);
        if (!r || *r < 8) return false;
        switch (name.back()) {
        case 'd': return cpu_.set_reg(*r, static_cast<u32>(value(32))), true;
        case 'w': return cpu_.set_reg(*r, static_cast<u16>(value(16))), true;
        case 'b': return cpu_.set_reg(*r, static_cast<u8>(value(8))), true;
        default: return false;
        }
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
        if (cpu_.model().has(Feature::LongMode) && set_long_system()) return true;
        if (name_ == "flags" || (wide && (name_ == "eflags" || name_ == "rflags"))) {
            state.rflags = static_cast<u32>(value(name_ == "flags" ? 16 : 32)) & kAllFlags;
            state.rflags |= kReservedSetFlags;
            return true;
        }
        if (!wide) return false;
        const int bits = cpu_.model().has(Feature::LongMode) ? 64 : 32;
        if (name_ == "cr0") return state.cr0 = value(bits), true;
        if (name_ == "cr2") return state.cr2 = value(bits), true;
        if (name_ == "cr3") return state.cr3 = value(bits), true;
        if (name_ == "cr4") return state.cr4 = value(bits), true;
        if (const auto r = numbered(name_, "dr", 8); r && *r != 4 && *r != 5)
            return set_debug(*r, bits), true;
        return false;
    }

    /// Bits that always read as one or zero do so: SDM vol. 3B, 17.2.
    void set_debug(u8 r, int bits)
    {
        u64& dr = cpu_.state.dr[r];
        if (r < 4) dr = value(bits);
        else dr = r == 6 ? (value(32) & 0xE00F) | 0xFFFF0FF0 : (value(32) & 0xFFFF2FFF) | 0x400;
    }

    /// SDM vol. 1, 10.2.3: bits 31 to 16 are reserved.
    void set_mxcsr()
    {
        if (value(32) >> 16)
            throw HostError(fmt::format("{}={}: bits 31 to 16 are zero", name_, text_));
        cpu_.state.sse.mxcsr = static_cast<u32>(number_.low);
    }

    /// RIP and what RDMSR would read.
    bool set_long_system()
    {
        CpuState& state = cpu_.state;
        if (name_ == "rip") return state.rip = linear_address(), true;
        if (name_ == "fs_base") return state.seg[FS].base = linear_address(), true;
        if (name_ == "gs_base") return state.seg[GS].base = linear_address(), true;
        for (const MsrName& msr : kMsrs)
            if (name_ == msr.name)
                return state.msr.*msr.value = msr.address ? linear_address() : value(64), true;
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
        if (name_ == "mxcsr") return set_mxcsr(), true;
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

std::span<const MsrName> msr_names() { return kMsrs; }

void set_register(Cpu& cpu, const std::string& name, const std::string& value)
{
    Setter(cpu, name, value).set();
}

void settle_registers(Cpu& cpu)
{
    CpuState& state = cpu.state;
    if (state.rflags & VM)
        throw HostError("eflags: virtual-8086 mode (VM) can only be entered by a program");
    const bool long_mode = (state.msr.efer & kEferLme) && (state.cr0 & kCr0Pg);
    state.msr.efer = (state.msr.efer & ~u64{kEferLma}) | (long_mode ? u64{kEferLma} : 0);
    cpu.state_loaded();
    if (!cpu.at_least(Level::I80386)) return;
    const bool possible = cpu.poke_efer(state.msr.efer) && cpu.poke_cr(0, state.cr0) &&
                          cpu.poke_cr(4, state.cr4) && cpu.poke_cr(3, state.cr3);
    if (!possible)
        throw HostError(fmt::format(
            "cr0=0x{:X}, cr3=0x{:X}, cr4=0x{:X}, efer=0x{:X}: a {} cannot be in this state",
            state.cr0, state.cr3, state.cr4, state.msr.efer, cpu.model().name));
}

}  // namespace reprise
