#include "tests/bench/kernel.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "machine/base/error.h"
#include "tests/bench/process.h"

namespace reprise::bench {

namespace {

// Places in the first sector, as in kernels/lib/start.inc.
constexpr std::size_t kMagicAt = 496, kStepsAt = 500, kInstructionsAt = 504, kBitsAt = 508;
constexpr std::size_t kTrackBytes = 18 * 512;
constexpr std::size_t kFloppyBytes = 80 * 2 * kTrackBytes;

u32 dword_at(const std::string& bytes, std::size_t at)
{
    u32 value = 0;
    for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<u8>(bytes[at + i]);
    return value;
}

bool is_kernel(const std::string& bytes)
{
    return bytes.size() == kTrackBytes && bytes.compare(kMagicAt, 4, "RBCH") == 0;
}

void set_dword(std::string& bytes, std::size_t at, u32 value)
{
    for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i) & 0xFF);
}

}  // namespace

std::vector<Kernel> load_kernels(const std::string& folder)
{
    std::vector<Kernel> kernels;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        if (entry.path().extension() != ".img") continue;
        Kernel kernel{entry.path().stem().string(), read_text(entry.path().string()), "", 0, 16};
        const auto native = std::filesystem::path(entry.path()).replace_extension(".native");
        if (std::filesystem::exists(native)) kernel.native = read_text(native.string());
        if (!is_kernel(kernel.track) || !(kernel.native.empty() || is_kernel(kernel.native)))
            throw HostError(fmt::format("{} is no benchmark kernel", entry.path().string()));
        kernel.instructions_per_step = dword_at(kernel.track, kInstructionsAt);
        kernel.bits = static_cast<u8>(kernel.track[kBitsAt]);
        kernels.push_back(std::move(kernel));
    }
    if (kernels.empty())
        throw HostError(fmt::format("there are no kernels in {}: build reprise_bench", folder));
    std::ranges::sort(kernels, {}, &Kernel::name);
    return kernels;
}

std::string floppy_image(const Kernel& kernel, u32 steps)
{
    std::string image = kernel.track;
    set_dword(image, kStepsAt, steps);
    image.resize(kFloppyBytes);
    return image;
}

std::string native_program(const Kernel& kernel, u32 steps)
{
    std::string program = kernel.native;
    set_dword(program, kStepsAt, steps);
    return program;
}

std::string final_line(const std::string& serial, const std::string& name)
{
    constexpr std::size_t kChecksumDigits = 8;
    const std::string wanted = fmt::format("bench {} start end ", name);
    const std::size_t begin = serial.find(wanted);
    if (begin == std::string::npos) return "";
    const std::size_t end = serial.find('\n', begin);
    if (end != begin + wanted.size() + kChecksumDigits) return "";
    return serial.substr(begin, end - begin);
}

}  // namespace reprise::bench
