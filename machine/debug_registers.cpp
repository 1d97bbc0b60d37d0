#include "machine/debug_registers.h"

#include <algorithm>
#include <cstring>

#include "cpu/cpu.h"

namespace reprise {

DebugValue debug_value(u64 value)
{
    DebugValue bytes{};
    std::memcpy(bytes.data(), &value, sizeof value);
    return bytes;
}

u64 debug_number(const DebugValue& value)
{
    u64 number = 0;
    std::memcpy(&number, value.data(), sizeof number);
    return number;
}

namespace {

using Table = DebugRegisters;

u64 code_size(const Cpu& cpu)
{
    const Segment& cs = cpu.state.seg[CS];
    return cpu.long_mode() && cs.is_long() ? 64 : cs.is_big() ? 32 : 16;
}

/// What fits a general register, RIP or an address of this CPU.
u64 register_mask(const Cpu& cpu)
{
    if (cpu.model().has(Feature::LongMode)) return ~u64{0};
    return cpu.at_least(Level::I80386) ? 0xFFFFFFFF : 0xFFFF;
}
u64 ip_mask(const Cpu& cpu)
{
    return code_size(cpu) == 64 ? ~u64{0} : register_mask(cpu) & 0xFFFFFFFF;
}
u64 base_mask(const Cpu& cpu)
{
    if (cpu.at_least(Level::I80386)) return register_mask(cpu);
    return cpu.at_least(Level::I80286) ? 0xFFFFFF : 0xFFFFF;
}

void add(Table& table, std::string name, int size, auto read, auto write)
{
    table.push_back(
        {std::move(name), size, [read](const Cpu& cpu) { return debug_value(read(cpu)); },
         [write](Cpu& cpu, const DebugValue& v) { return write(cpu, debug_number(v)); }});
}

void add_read_only(Table& table, std::string name, int size, auto read)
{
    table.push_back({std::move(name), size,
                     [read](const Cpu& cpu) { return debug_value(read(cpu)); }, nullptr});
}

/// A jump to somewhere else ends HLT.
bool set_ip(Cpu& cpu, u64 ip)
{
    ip &= ip_mask(cpu);
    if (!is_canonical(ip)) return false;
    if (cpu.state.rip == ip) return true;
    cpu.state.rip = ip;
    cpu.state.halted = false;
    return true;
}

void add_general(Table& table, std::size_t count)
{
    constexpr std::array<const char*, 16> kNames = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                                    "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                                    "r12", "r13", "r14", "r15"};
    for (std::size_t i = 0; i < count; ++i)
        add(
            table, kNames[i], 8, [i](const Cpu& cpu) { return cpu.state.gpr[i]; },
            [i](Cpu& cpu, u64 value) {
                cpu.state.gpr[i] = value & register_mask(cpu);
                return true;
            });
    add(
        table, "rip", 8, [](const Cpu& cpu) { return cpu.state.rip; }, set_ip);
    add(
        table, "pc", 8, [](const Cpu& cpu) { return cpu.linear_ip(); },
        [](Cpu& cpu, u64 value) { return set_ip(cpu, cpu.state.rip + value - cpu.linear_ip()); });
    add(
        table, "rflags", 4, [](const Cpu& cpu) { return u64{cpu.state.rflags}; },
        [](Cpu& cpu, u64 value) {
            cpu.poke_flags(static_cast<u32>(value));
            return true;
        });
}

/// What all registers with a hidden part show of it.
void add_segment_parts(Table& table, const std::string& name, auto segment, auto set_base)
{
    add(
        table, name + "_base", 8, [segment](const Cpu& cpu) { return segment(cpu).base; },
        set_base);
    add_read_only(table, name + "_limit", 4,
                  [segment](const Cpu& cpu) { return u64{segment(cpu).limit}; });
    add_read_only(table, name + "_access", 4,
                  [segment](const Cpu& cpu) { return u64{segment(cpu).access}; });
}

void add_segments(Table& table, const Cpu& cpu)
{
    constexpr std::array<const char*, 6> kNames = {"es", "cs", "ss", "ds", "fs", "gs"};
    const std::size_t count = cpu.at_least(Level::I80386) ? 6 : 4;
    for (std::size_t i = 0; i < count; ++i) {
        const auto segment = [i](const Cpu& c) -> const Segment& { return c.state.seg[i]; };
        add(
            table, kNames[i], 2, [segment](const Cpu& c) { return u64{segment(c).selector}; },
            [i](Cpu& c, u64 value) {
                return c.poke_segment(static_cast<u8>(i), static_cast<u16>(value));
            });
        add_segment_parts(table, kNames[i], segment, [i](Cpu& c, u64 value) {
            Segment changed = c.state.seg[i];
            changed.base = value & base_mask(c);
            if (!is_canonical(changed.base)) return false;
            c.set_segment(static_cast<u8>(i), changed);
            return true;
        });
    }
}

void add_tables(Table& table)
{
    const auto table_register = [&](const std::string& name, TableRegister CpuState::*part) {
        add(
            table, name + "_base", 8, [part](const Cpu& cpu) { return (cpu.state.*part).base; },
            [part](Cpu& cpu, u64 value) {
                if (!is_canonical(value & base_mask(cpu))) return false;
                (cpu.state.*part).base = value & base_mask(cpu);
                return true;
            });
        add(
            table, name + "_limit", 2,
            [part](const Cpu& cpu) { return u64{(cpu.state.*part).limit}; },
            [part](Cpu& cpu, u64 value) {
                (cpu.state.*part).limit = static_cast<u16>(value);
                return true;
            });
    };
    table_register("gdtr", &CpuState::gdtr);
    table_register("idtr", &CpuState::idtr);

    const auto system_segment = [&](const std::string& name, Segment CpuState::*part) {
        const auto segment = [part](const Cpu& cpu) -> const Segment& { return cpu.state.*part; };
        add_read_only(table, name, 2,
                      [segment](const Cpu& cpu) { return u64{segment(cpu).selector}; });
        add_segment_parts(table, name, segment, [part](Cpu& cpu, u64 value) {
            if (!is_canonical(value & base_mask(cpu))) return false;
            (cpu.state.*part).base = value & base_mask(cpu);
            return true;
        });
    };
    system_segment("ldtr", &CpuState::ldtr);
    system_segment("tr", &CpuState::tr);
}

void add_control(Table& table, const Cpu& cpu)
{
    const auto control = [&](const char* name, int index, u64 CpuState::*part) {
        add(
            table, name, 8, [part](const Cpu& c) { return c.state.*part; },
            [index](Cpu& c, u64 value) { return c.poke_cr(index, value); });
    };
    control("cr0", 0, &CpuState::cr0);
    if (!cpu.at_least(Level::I80386)) return;
    control("cr2", 2, &CpuState::cr2);
    control("cr3", 3, &CpuState::cr3);
    if (cpu.at_least(Level::I80486)) control("cr4", 4, &CpuState::cr4);
    if (cpu.model().has(Feature::LongMode))
        add(
            table, "efer", 8, [](const Cpu& c) { return c.state.msr.efer; },
            [](Cpu& c, u64 value) { return c.poke_efer(value); });
    for (const std::size_t i : {0, 1, 2, 3, 6, 7})
        add(
            table, "dr" + std::to_string(i), 8, [i](const Cpu& c) { return c.state.dr[i]; },
            [i](Cpu& c, u64 value) {
                return c.write_dr(static_cast<int>(i),
                                  i < 4 ? value & register_mask(c) : value & 0xFFFFFFFF);
            });
}

/// The tag of an x87 register by its content: SDM vol. 1, 8.1.7.
u32 tag_of(const FpuState& fpu, std::size_t i)
{
    enum : u32 { kValid, kZero, kSpecial, kEmpty };
    const Float80& r = fpu.r[i];
    const u32 exponent = r.sign_exponent & 0x7FFF;
    if (!(fpu.full >> i & 1)) return kEmpty;
    if (exponent == 0 && r.significand == 0) return kZero;
    const bool has_integer_bit = r.significand >> 63 != 0;
    return exponent == 0 || exponent == 0x7FFF || !has_integer_bit ? kSpecial : kValid;
}

u64 tag_word(const Cpu& cpu)
{
    u64 tags = 0;
    for (std::size_t i = 0; i < 8; ++i) tags |= u64{tag_of(cpu.state.fpu, i)} << 2 * i;
    return tags;
}

bool set_tag_word(Cpu& cpu, u64 tags)
{
    cpu.state.fpu.full = 0;
    for (int i = 0; i < 8; ++i)
        if ((tags >> 2 * i & 3) != 3) cpu.state.fpu.full |= static_cast<u8>(1 << i);
    return true;
}

/// ST(i) is relative to the top of the stack.
void add_stack_register(Table& table, u8 i)
{
    const auto slot = [i](const Cpu& cpu) -> std::size_t { return (cpu.state.fpu.top() + i) & 7u; };
    table.push_back({"st" + std::to_string(i), 10,
                     [slot](const Cpu& cpu) {
                         const Float80& r = cpu.state.fpu.r[slot(cpu)];
                         DebugValue value = debug_value(r.significand);
                         value[8] = static_cast<u8>(r.sign_exponent);
                         value[9] = static_cast<u8>(r.sign_exponent >> 8);
                         return value;
                     },
                     [slot](Cpu& cpu, const DebugValue& value) {
                         cpu.state.fpu.r[slot(cpu)] = {debug_number(value),
                                                       static_cast<u16>(value[8] | value[9] << 8)};
                         return true;
                     }});
}

void add_fpu(Table& table)
{
    for (u8 i = 0; i < 8; ++i) add_stack_register(table, i);
    const auto part = [&]<class T>(const char* name, T FpuState::*member, u64 mask) {
        add(
            table, name, 4, [member](const Cpu& cpu) { return u64{cpu.state.fpu.*member}; },
            [member, mask](Cpu& cpu, u64 value) {
                cpu.state.fpu.*member = static_cast<T>(value & mask);
                return true;
            });
    };
    add(
        table, "fctrl", 4, [](const Cpu& cpu) { return u64{cpu.state.fpu.control}; },
        [](Cpu& cpu, u64 value) {
            // Bit 6 is always set, as FLDCW leaves it (SDM vol. 1, 8.1.5).
            cpu.state.fpu.control = static_cast<u16>((value & 0x1F3F) | 0x40);
            return true;
        });
    part("fstat", &FpuState::status, 0xFFFF);
    add(table, "ftag", 4, tag_word, set_tag_word);
    part("fiseg", &FpuState::cs, 0xFFFF);
    part("fioff", &FpuState::ip, 0xFFFFFFFF);
    part("foseg", &FpuState::ds, 0xFFFF);
    part("fooff", &FpuState::data, 0xFFFFFFFF);
    part("fop", &FpuState::opcode, 0x7FF);
}

void add_sse(Table& table, std::size_t count)
{
    for (std::size_t i = 0; i < count; ++i)
        table.push_back({"xmm" + std::to_string(i), 16,
                         [i](const Cpu& cpu) {
                             DebugValue value;
                             const Xmm& x = cpu.state.sse.xmm[i];
                             std::memcpy(value.data(), &x.low, 8);
                             std::memcpy(value.data() + 8, &x.high, 8);
                             return value;
                         },
                         [i](Cpu& cpu, const DebugValue& value) {
                             Xmm& x = cpu.state.sse.xmm[i];
                             std::memcpy(&x.low, value.data(), 8);
                             std::memcpy(&x.high, value.data() + 8, 8);
                             return true;
                         }});
    add(
        table, "mxcsr", 4, [](const Cpu& cpu) { return u64{cpu.state.sse.mxcsr}; },
        [](Cpu& cpu, u64 value) {
            // Reserved bits are #GP for LDMXCSR.
            if (value & ~u64{0xFFFF}) return false;
            cpu.state.sse.mxcsr = static_cast<u32>(value);
            return true;
        });
}

}  // namespace

DebugRegisters debug_registers(const Cpu& cpu)
{
    Table table;
    const bool has_long_mode = cpu.model().has(Feature::LongMode);
    add_general(table, has_long_mode ? 16 : 8);
    add_segments(table, cpu);
    add_tables(table);
    add_control(table, cpu);
    if (cpu.model().has(Feature::Fpu)) add_fpu(table);
    if (cpu.model().has(Feature::Sse)) add_sse(table, has_long_mode ? 16 : 8);
    add_read_only(table, "cpl", 1, [](const Cpu& c) { return u64{c.state.cpl}; });
    add_read_only(table, "code_size", 1, [](const Cpu& c) { return code_size(c); });
    return table;
}

const DebugRegister* find_register(const DebugRegisters& registers, std::string_view name)
{
    const auto found = std::ranges::find(registers, name, &DebugRegister::name);
    return found == registers.end() ? nullptr : &*found;
}

}  // namespace reprise
