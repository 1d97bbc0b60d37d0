#include "tests/bench/freedos.h"

#include <fmt/core.h>

#include <filesystem>

#include "machine/base/error.h"

namespace reprise::bench {

namespace {

/// The image's own AUTOEXEC.BAT without its remarks, and what ends the machine.
constexpr const char* kAutoexec = "ECHO OFF\r\ncls\r\nFINISH\r\n";

void copy_into(const std::string& image, const std::string& from, const std::string& to,
               const Workspace& workspace)
{
    const ProcessResult result =
        run_process({"mcopy", "-D", "o", "-i", image, from, "::" + to}, workspace.path(), 10);
    if (!result.output.empty()) throw HostError(fmt::format("mcopy {}: {}", to, result.output));
}

}  // namespace

std::string freedos_image(const std::string& media, const std::string& kernels,
                          const Workspace& workspace, std::string& why)
{
    const std::string original = media + "/fdboot-1440k.img";
    if (!std::filesystem::exists(original)) why = fmt::format("{} is missing", original);
    else if (find_program("mcopy").empty()) why = "mtools is not installed";
    if (!why.empty()) return "";

    const std::string image = workspace.file("freedos.img");
    write_text(image, read_text(original));
    write_text(workspace.file("autoexec.bat"), kAutoexec);
    copy_into(image, workspace.file("autoexec.bat"), "AUTOEXEC.BAT", workspace);
    copy_into(image, kernels + "/finish.com", "FINISH.COM", workspace);
    return read_text(image);
}

}  // namespace reprise::bench
