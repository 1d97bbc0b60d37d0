#include "frontend/png_file.h"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "machine/base/error.h"

namespace reprise {

namespace {

std::vector<u8> to_bytes(const std::vector<u32>& pixels)
{
    std::vector<u8> bytes;
    bytes.reserve(pixels.size() * 3);
    for (const u32 pixel : pixels)
        for (const int shift : {16, 8, 0}) bytes.push_back(static_cast<u8>(pixel >> shift));
    return bytes;
}

bool same_colour(u32 a, u32 b, int fuzz)
{
    for (const int shift : {0, 8, 16}) {
        const int difference =
            static_cast<int>(a >> shift & 0xFF) - static_cast<int>(b >> shift & 0xFF);
        if (std::abs(difference) > fuzz) return false;
    }
    return true;
}

}  // namespace

void write_png(const std::string& path, const Frame& frame)
{
    if (!frame.width || !frame.height)
        throw HostError(fmt::format("cannot write '{}': the screen shows no picture yet", path));
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = frame.width;
    image.height = frame.height;
    image.format = PNG_FORMAT_RGB;
    const std::vector<u8> bytes = to_bytes(frame.pixels);
    if (!png_image_write_to_file(&image, path.c_str(), 0, bytes.data(), 0, nullptr))
        throw HostError(fmt::format("cannot write the picture '{}': {}", path, image.message));
}

Frame read_png(const std::string& path)
{
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_file(&image, path.c_str()))
        throw HostError(fmt::format("cannot read the picture '{}': {}", path, image.message));
    image.format = PNG_FORMAT_RGB;
    if (u64{image.width} * image.height > 64'000'000) {
        png_image_free(&image);
        throw HostError(fmt::format("the picture '{}' is too large for a screen", path));
    }
    std::vector<u8> bytes(PNG_IMAGE_SIZE(image));
    if (!png_image_finish_read(&image, nullptr, bytes.data(), 0, nullptr))
        throw HostError(fmt::format("cannot read the picture '{}': {}", path, image.message));
    Frame frame;
    frame.width = image.width;
    frame.height = image.height;
    frame.pixels.resize(std::size_t{image.width} * image.height);
    for (std::size_t i = 0; i < frame.pixels.size(); ++i)
        frame.pixels[i] = u32{bytes[3 * i]} << 16 | u32{bytes[3 * i + 1]} << 8 | bytes[3 * i + 2];
    return frame;
}

FrameDifference compare_frames(const Frame& actual, const Frame& expected,
                               const std::vector<Rectangle>& masked, int fuzz)
{
    FrameDifference result;
    const u32 width = std::min(actual.width, expected.width);
    const u32 height = std::min(actual.height, expected.height);
    if (!width || !height) return result;
    const auto whole = [](u32 a, u32 b) { return std::max(a, b) % std::min(a, b) == 0; };
    if (!whole(actual.width, expected.width) || !whole(actual.height, expected.height))
        return result;
    result.same_size = true;
    const u32 actual_x = actual.width / width, actual_y = actual.height / height;
    const u32 expected_x = expected.width / width, expected_y = expected.height / height;
    for (u32 y = 0; y < height; ++y)
        for (u32 x = 0; x < width; ++x) {
            const u32 px = x * expected_x, py = y * expected_y;
            const auto hidden = [&](const Rectangle& mask) { return mask.contains(px, py); };
            if (std::ranges::any_of(masked, hidden)) continue;
            ++result.compared;
            const u32 seen =
                actual.pixels[std::size_t{y} * actual_y * actual.width + std::size_t{x} * actual_x];
            const u32 wanted = expected.pixels[std::size_t{py} * expected.width + px];
            if (!same_colour(seen, wanted, fuzz)) ++result.different;
        }
    return result;
}

}  // namespace reprise
