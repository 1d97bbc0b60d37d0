#include "frontend/cpu_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <fstream>

#include "frontend/cpu_tools/cpu_job.h"
#include "frontend/errors.h"
#include "frontend/options.h"
#include "frontend/units.h"
#include "machine/base/error.h"

namespace reprise {

namespace {

using Arguments = std::vector<std::string>;

constexpr u64 kMostMemory = u64{4} << 30;

struct RunTexts {
    std::string mode = "16", cpu, address, entry, memory = "16M", limit, json;
    std::vector<std::string> registers, contents, dumps;
};

u64 parse_number(const char* option, const std::string& text)
{
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    const char* const end = text.data() + text.size();
    u64 value = 0;
    const auto read = std::from_chars(text.data() + (hex ? 2 : 0), end, value, hex ? 16 : 10);
    if (read.ec != std::errc{} || read.ptr != end)
        throw UsageError(
            fmt::format("{} {}: expected a number, such as 4096 or 0x1000", option, text));
    return value;
}

/// The two sides of "a=b" or "a,b".
std::pair<std::string, std::string> split(const char* option, const std::string& text, char at,
                                          const char* form)
{
    const std::size_t where = text.find(at);
    if (where == 0 || where == text.npos || where + 1 == text.size())
        throw UsageError(fmt::format("{} {}: expected {}", option, text, form));
    return {text.substr(0, where), text.substr(where + 1)};
}

void add_options(CLI::App& app, CpuJob& job, RunTexts& texts)
{
    const auto many = [&](const char* name, std::vector<std::string>& values, const char* text) {
        app.add_option(name, values, text)->allow_extra_args(false);
    };
    app.add_option("FLAT", job.code, "Machine code without any header (nasm -f bin)")->required();
    app.add_option("--mode", texts.mode,
                   "16: real mode, 32: flat protected mode, 64: 64-bit mode (default 16)")
        ->check(CLI::IsMember({"16", "32", "64"}));
    app.add_option("--cpu", texts.cpu,
                   "The model (default pentium; with --mode 64 x86-64-v2); see 'cpu models'");
    app.add_option("--at", texts.address, "Physical address of the code (default 0x1000)");
    app.add_option("--entry", texts.entry, "Where it begins (default: where the code is)");
    app.add_option("-m,--memory", texts.memory, "Size of RAM (default 16M)");
    many("--reg", texts.registers, "NAME=VALUE of a register before, such as eax=0x1234");
    many("--mem", texts.contents,
         "ADDR=SOURCE: a file, or hexadecimal digits, at a physical address");
    app.add_option("--limit", texts.limit, "Stop after so many instructions (default 1000000)");
    app.add_flag("--deliver", job.deliver,
                 "Exceptions and interrupts go through the guest's own table");
    many("--dump", texts.dumps, "ADDR,LENGTH of memory to print at the end");
    app.add_option("--json", texts.json, "Write the result to a file instead of stdout");
}

CpuJob parse_job(const Arguments& arguments, RunTexts& texts)
{
    CLI::App app(
        "Execute machine code on a bare processor; the result is JSON (frontend/README.md)",
        "cpu run");
    CpuJob job;
    add_options(app, job, texts);
    parse_arguments(app, arguments);
    job.mode = std::stoi(texts.mode);
    const char* usual = job.mode == 64 ? "x86-64-v2" : "pentium";
    job.model = find_cpu_model(texts.cpu.empty() ? usual : cpu_model(texts.cpu));
    if (!texts.address.empty()) job.address = parse_number("--at", texts.address);
    if (!texts.limit.empty()) job.limit = parse_number("--limit", texts.limit);
    job.entry = texts.entry.empty() ? job.address : parse_number("--entry", texts.entry);
    const auto memory = parse_size(texts.memory, u64{1} << 20);
    if (!memory || *memory < 4096 || *memory > kMostMemory)
        throw UsageError(fmt::format("--memory {}: expected a size from 4K to 4G", texts.memory));
    job.memory_bytes = *memory & ~u64{4095};
    for (const std::string& text : texts.registers) {
        const auto [name, value] = split("--reg", text, '=', "NAME=VALUE, such as eax=0x1234");
        job.registers.push_back({name, value});
    }
    for (const std::string& text : texts.contents) {
        const auto [address, source] =
            split("--mem", text, '=', "ADDR=FILE or ADDR=HEX, such as 0x500=90F4");
        job.memory.push_back({parse_number("--mem", address), source});
    }
    for (const std::string& text : texts.dumps) {
        const auto [address, length] = split("--dump", text, ',', "ADDR,LENGTH, such as 0x2000,16");
        job.dumps.push_back({parse_number("--dump", address), parse_number("--dump", length)});
    }
    return job;
}

int cpu_run(const Arguments& arguments)
{
    RunTexts texts;
    const CpuJob job = parse_job(arguments, texts);
    const CpuJobResult result = run_cpu_job(job);
    if (texts.json.empty()) {
        fmt::print("{}", result.json);
    } else {
        std::ofstream file(texts.json, std::ios::binary);
        file << result.json;
        if (!file.flush()) throw HostError(fmt::format("cannot write '{}'", texts.json));
    }
    return result.exit_code;
}

int cpu_models(const Arguments& arguments)
{
    CLI::App app("List the processors that can be had with --cpu", "cpu models");
    bool json = false;
    app.add_flag("--json", json, "As JSON");
    parse_arguments(app, arguments);
    fmt::print("{}", json ? models_json() : models_text());
    return kSuccess;
}

}  // namespace

int cpu_command(const Arguments& arguments)
{
    const std::string command = arguments.empty() ? "" : arguments[0];
    const Arguments rest(arguments.begin() + !arguments.empty(), arguments.end());
    if (command == "run") return cpu_run(rest);
    if (command == "models") return cpu_models(rest);
    throw UsageError("write: reprise cpu run FILE [options], or reprise cpu models");
}

}  // namespace reprise
