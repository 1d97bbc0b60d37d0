/// Guest media, which are not in this tree: in $REPRISE_MEDIA, else in ../shared/media beside it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace reprise::test {

/// Where the image is. Empty: nowhere; the test is then skipped, or has failed if
/// $REPRISE_REQUIRE_MEDIA is set, and should return.
inline std::string medium(const std::string& name)
{
    namespace fs = std::filesystem;
    const char* folder = std::getenv("REPRISE_MEDIA");
    const fs::path beside = fs::path(__FILE__).parent_path() / "../../../shared/media";
    const fs::path path = (folder && *folder ? fs::path(folder) : beside) / name;
    if (fs::exists(path)) return path.lexically_normal().string();

    const std::string message = "'" + path.lexically_normal().string() +
                                "' is missing; set REPRISE_MEDIA to the folder that has it";
    if (std::getenv("REPRISE_REQUIRE_MEDIA")) ADD_FAILURE() << message;
    else [&] { GTEST_SKIP() << message; }();
    return "";
}

}  // namespace reprise::test
