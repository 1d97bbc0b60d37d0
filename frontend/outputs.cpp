#include "frontend/outputs.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "frontend/units.h"
#include "machine/base/error.h"

namespace reprise {

namespace {

using File = std::shared_ptr<std::FILE>;

struct Close {
    void operator()(std::FILE* file) const
    {
        if (file != stdout && file != stderr) std::fclose(file);
    }
};

File open_output(const std::string& path, std::FILE* standard)
{
    if (path == "-") return {standard, Close{}};
    std::FILE* file = std::fopen(path.c_str(), "wb");
    if (!file) throw HostError(fmt::format("cannot write '{}': {}", path, std::strerror(errno)));
    return {file, Close{}};
}

}  // namespace

void connect_outputs(Machine& machine, const RunOptions& options)
{
    machine.on_message = [](std::string_view message) {
        fmt::print(stderr, "reprise: {}\n", message);
    };
    if (!options.debugcon.empty())
        machine.on_debug_output = [file = open_output(options.debugcon, stdout)](u8 byte) {
            std::fputc(byte, file.get());
            if (byte == '\n') std::fflush(file.get());
        };
    if (!options.post.empty())
        machine.on_post_code = [file = open_output(options.post, stdout), &machine](u8 code) {
            fmt::print(file.get(), "{:02x} at {}\n", code, time_text(machine.now()));
        };
    if (!options.guest_log.empty())
        machine.on_guest_message = [file = open_output(options.guest_log, stderr),
                                    &machine](std::string_view message) {
            fmt::print(file.get(), "{}: {}\n", time_text(machine.now()), message);
        };
}

}  // namespace reprise
