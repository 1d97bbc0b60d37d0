#include "frontend/cpu_tools/cpu_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "frontend/cpu_tools/register_names.h"

namespace reprise {

using Json = nlohmann::ordered_json;

namespace {

struct FlagName {
    u32 flag;
    const char* name;
};
constexpr FlagName kFlagNames[] = {{CF, "CF"}, {PF, "PF"},   {AF, "AF"},   {ZF, "ZF"},
                                   {SF, "SF"}, {TF, "TF"},   {IF, "IF"},   {DF, "DF"},
                                   {OF, "OF"}, {NT, "NT"},   {RF, "RF"},   {VM, "VM"},
                                   {AC, "AC"}, {VIF, "VIF"}, {VIP, "VIP"}, {ID, "ID"}};

/// Digits of a general register: of the widest that the model has.
int general_digits(const Cpu& cpu)
{
    if (cpu.model().has(Feature::LongMode)) return 16;
    return cpu.at_least(Level::I80386) ? 8 : 4;
}

Json general_json(const Cpu& cpu)
{
    static constexpr const char* names[] = {"ax", "bx", "cx", "dx", "si", "di", "bp", "sp"};
    static constexpr u8 numbers[] = {RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP};
    const int digits = general_digits(cpu);
    const std::string prefix = digits == 16 ? "r" : digits == 8 ? "e" : "";
    Json json;
    for (int i = 0; i < 8; ++i)
        json[prefix + names[i]] = hex_text(cpu.state.gpr[numbers[i]], digits);
    if (digits == 16)
        for (std::size_t i = 8; i < 16; ++i)
            json[fmt::format("r{}", i)] = hex_text(cpu.state.gpr[i], digits);
    json[prefix + "ip"] = hex_text(cpu.state.rip, digits);
    return json;
}

Json segments_json(const Cpu& cpu)
{
    static constexpr const char* names[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    Json json;
    for (std::size_t i = 0; i < (cpu.at_least(Level::I80386) ? 6u : 4u); ++i) {
        const Segment& s = cpu.state.seg[i];
        json[names[i]] = {{"selector", hex_text(s.selector, 4)},
                          {"base", hex_text(s.base, general_digits(cpu) == 16 ? 16 : 8)},
                          {"limit", hex_text(s.limit, 8)},
                          {"access", hex_text(s.access, 4)}};
    }
    return json;
}

Json flags_json(const Cpu& cpu)
{
    Json set = Json::array();
    for (const auto& [flag, name] : kFlagNames)
        if (cpu.state.rflags & flag) set.push_back(name);
    return {{"value", hex_text(cpu.state.rflags, cpu.at_least(Level::I80386) ? 8 : 4)},
            {"set", std::move(set)},
            {"iopl", cpu.iopl()}};
}

Json control_json(const Cpu& cpu)
{
    const CpuState& state = cpu.state;
    if (!cpu.at_least(Level::I80386)) return {{"msw", hex_text(state.cr0 & 0xFFFF, 4)}};
    const int digits = general_digits(cpu);
    return {{"cr0", hex_text(state.cr0, digits)},
            {"cr2", hex_text(state.cr2, digits)},
            {"cr3", hex_text(state.cr3, digits)},
            {"cr4", hex_text(state.cr4, digits)},
            {"cpl", state.cpl}};
}

/// Those that belong to 64-bit mode, by the names that `--reg` takes.
Json msr_json(const MsrState& msr)
{
    Json json;
    for (const MsrName& name : msr_names()) json[name.name] = hex_text(msr.*name.value, 16);
    return json;
}

Json debug_json(const Cpu& cpu)
{
    Json json;
    for (const std::size_t i : {0u, 1u, 2u, 3u, 6u, 7u})
        json[fmt::format("dr{}", i)] = hex_text(cpu.state.dr[i], general_digits(cpu));
    return json;
}

/// Registers as 20 digits, sign and exponent first, in the order of the stack.
Json x87_json(const FpuState& fpu)
{
    Json st = Json::array();
    for (unsigned i = 0; i < 8; ++i) {
        const unsigned r = (fpu.top() + i) & 7;
        st.push_back({{"value", fmt::format("0x{:04X}{:016X}", fpu.r[r].sign_exponent,
                                            fpu.r[r].significand)},
                      {"empty", !(fpu.full >> r & 1)}});
    }
    return {{"control", hex_text(fpu.control, 4)},
            {"status", hex_text(fpu.status, 4)},
            {"st", std::move(st)}};
}

Json sse_json(const Cpu& cpu)
{
    const SseState& sse = cpu.state.sse;
    Json xmm = Json::array();
    for (std::size_t i = 0; i < (cpu.model().has(Feature::LongMode) ? 16u : 8u); ++i)
        xmm.push_back(fmt::format("0x{:016X}{:016X}", sse.xmm[i].high, sse.xmm[i].low));
    return {{"mxcsr", hex_text(sse.mxcsr, 8)}, {"xmm", std::move(xmm)}};
}

}  // namespace

std::string hex_text(u64 value, int digits) { return fmt::format("0x{:0{}X}", value, digits); }

Json cpu_json(const Cpu& cpu)
{
    Json json = {{"registers", general_json(cpu)},
                 {"segments", segments_json(cpu)},
                 {"flags", flags_json(cpu)},
                 {"control", control_json(cpu)}};
    if (cpu.model().has(Feature::LongMode)) json["msr"] = msr_json(cpu.state.msr);
    if (cpu.at_least(Level::I80386)) json["debug"] = debug_json(cpu);
    if (cpu.model().has(Feature::Fpu)) json["x87"] = x87_json(cpu.state.fpu);
    if (cpu.model().has(Feature::Mmx)) {
        Json mmx = Json::array();
        for (const Float80& r : cpu.state.fpu.r) mmx.push_back(hex_text(r.significand, 16));
        json["mmx"] = std::move(mmx);
    }
    if (cpu.model().has(Feature::Sse)) json["sse"] = sse_json(cpu);
    return json;
}

}  // namespace reprise
