#include "frontend/cpu_tools/cpu_job.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cpu/bare_cpu.h"
#include "frontend/cpu_tools/cpu_json.h"
#include "frontend/cpu_tools/register_names.h"
#include "machine/base/error.h"

namespace reprise {

using Json = nlohmann::ordered_json;

namespace {

/// All of a file, which has at most as many bytes as memory: some never end.
std::vector<u8> read_file(const std::string& path, u64 memory_bytes)
{
    constexpr std::size_t kPiece = 65536;
    std::ifstream file(path, std::ios::binary);
    std::vector<u8> bytes;
    std::size_t used = 0;
    while (file && used <= memory_bytes) {
        bytes.resize(used + kPiece);
        file.read(reinterpret_cast<char*>(bytes.data() + used), kPiece);
        used += static_cast<std::size_t>(file.gcount());
    }
    if (!file.is_open() || file.bad()) throw HostError(fmt::format("cannot read '{}'", path));
    if (used > memory_bytes)
        throw HostError(fmt::format("'{}' is larger than {} bytes of memory", path, memory_bytes));
    bytes.resize(used);
    return bytes;
}

std::vector<u8> read_memory_source(const std::string& source, u64 memory_bytes)
{
    std::error_code ignored;
    if (std::filesystem::is_regular_file(source, ignored)) return read_file(source, memory_bytes);
    if (source.empty() || source.size() % 2 ||
        source.find_first_not_of("0123456789abcdefABCDEF") != source.npos)
        throw HostError(
            fmt::format("'{}' is neither a file nor pairs of hexadecimal digits", source));
    std::vector<u8> bytes;
    for (std::size_t i = 0; i < source.size(); i += 2)
        bytes.push_back(static_cast<u8>(std::stoul(source.substr(i, 2), nullptr, 16)));
    return bytes;
}

void load(BareCpu& bare, u64 address, const std::vector<u8>& bytes, const std::string& what)
{
    if (!bare.load(address, bytes))
        throw HostError(fmt::format("{} ({} bytes at 0x{:X}) does not fit into {} bytes of memory",
                                    what, bytes.size(), address, bare.bus.ram.size()));
}

void start(BareCpu& bare, const CpuJob& job)
{
    const CodeSize mode = job.mode == 64   ? CodeSize::Bits64
                          : job.mode == 32 ? CodeSize::Bits32
                                           : CodeSize::Bits16;
    if (bare.start(mode, job.entry)) return;
    if (job.entry >= bare.bus.ram.size())
        throw HostError(
            fmt::format("0x{:X}, where the code is to begin, is beyond {} bytes of memory",
                        job.entry, bare.bus.ram.size()));
    if (job.mode == 16) throw HostError("16-bit code begins below 1 MB");
    throw HostError(fmt::format("the model '{}' has no {}-bit mode", job.model->name, job.mode));
}

const char* exception_name(u8 vector)
{
    static constexpr const char* names[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD",
                                            "#NM", "#DF", "",    "#TS", "#NP", "#SS", "#GP",
                                            "#PF", "",    "#MF", "#AC", "#MC", "#XM"};
    return vector < std::size(names) ? names[vector] : "";
}

Json stop_json(const BareCpu::Stop& stop)
{
    static constexpr const char* reasons[] = {"halt", "exception", "interrupt", "limit",
                                              "shutdown"};
    Json json = {{"reason", reasons[static_cast<std::size_t>(stop.reason)]}};
    if (stop.reason != BareCpu::Reason::Exception && stop.reason != BareCpu::Reason::Interrupt)
        return json;
    json["vector"] = stop.fault.vector;
    if (stop.reason == BareCpu::Reason::Exception) json["name"] = exception_name(stop.fault.vector);
    if (stop.fault.has_error_code) json["error_code"] = hex_text(stop.fault.error_code, 4);
    return json;
}

void check_dumps(const CpuJob& job)
{
    for (const auto& [address, length] : job.dumps)
        if (address > job.memory_bytes || length > job.memory_bytes - address)
            throw HostError(fmt::format("--dump 0x{:X},{}: memory has {} bytes", address, length,
                                        job.memory_bytes));
}

Json memory_json(const BareCpu& bare, const CpuJob& job)
{
    Json json = Json::array();
    for (const auto& [address, length] : job.dumps) {
        std::string bytes;
        for (u64 i = 0; i < length; ++i) bytes += fmt::format("{:02X}", bare.bus.ram[address + i]);
        json.push_back({{"address", hex_text(address, 8)}, {"bytes", std::move(bytes)}});
    }
    return json;
}

int exit_code(BareCpu::Reason reason)
{
    switch (reason) {
    case BareCpu::Reason::Halted: return kJobHalted;
    case BareCpu::Reason::Limit: return kJobLimit;
    case BareCpu::Reason::Shutdown: return kJobShutdown;
    default: return kJobException;
    }
}

}  // namespace

CpuJobResult run_cpu_job(const CpuJob& job)
{
    check_dumps(job);
    BareCpu bare(*job.model, job.memory_bytes);
    load(bare, job.address, read_file(job.code, job.memory_bytes), "the code");
    for (const auto& [address, source] : job.memory)
        load(bare, address, read_memory_source(source, job.memory_bytes), source);
    start(bare, job);
    for (const auto& [name, value] : job.registers) set_register(bare.cpu, name, value);
    settle_registers(bare.cpu);
    bare.deliver_exceptions(job.deliver);
    const u64 before = bare.cpu.state.clock;
    const BareCpu::Stop stop = bare.run(job.limit);
    const u64 ticks = bare.cpu.state.clock - before;
    Json json = {{"format", "reprise-cpu-run"},
                 {"version", 1},
                 {"model", job.model->name},
                 {"mode", job.mode},
                 {"stop", stop_json(stop)},
                 {"instructions", ticks - (stop.reason == BareCpu::Reason::Exception)}};
    json.update(cpu_json(bare.cpu));
    json["memory"] = memory_json(bare, job);
    return {json.dump(2) + '\n', exit_code(stop.reason)};
}

}  // namespace reprise
