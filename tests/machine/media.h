/// Guest media, which are not in this tree: in $REPRISE_MEDIA, else in ../shared/media beside it;
/// and Linux, in $REPRISE_GUESTS, else in build/guests.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace reprise::test {

/// `name` in the folder that the environment's `variable` names, else in `folder`. Empty: it is not
/// there; the test is then skipped, or has failed if $REPRISE_REQUIRE_MEDIA is set, and should
/// return.
inline std::string test_file(const char* variable, const std::filesystem::path& folder,
                             const std::string& name)
{
    const char* other = std::getenv(variable);
    const std::filesystem::path path = (other && *other ? other : folder) / name;
    if (std::filesystem::exists(path)) return path.lexically_normal().string();

    const std::string message = "'" + path.lexically_normal().string() + "' is missing; set " +
                                variable + " to the folder that has it";
    if (std::getenv("REPRISE_REQUIRE_MEDIA")) ADD_FAILURE() << message;
    else [&] { GTEST_SKIP() << message; }();
    return "";
}

inline std::string medium(const std::string& name)
{
    return test_file("REPRISE_MEDIA", REPRISE_SOURCE_DIR "/../shared/media", name);
}

/// What scripts/linux-guests.sh made.
inline std::string linux_guest(const std::string& name)
{
    return test_file("REPRISE_GUESTS", REPRISE_SOURCE_DIR "/build/guests", name);
}

}  // namespace reprise::test
