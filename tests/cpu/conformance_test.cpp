/// Runs hardware-captured tests in real mode. The data is not part of the project: it is looked for
/// in $REPRISE_CONFORMANCE, else in ../shared/conformance beside the checkout.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "frontend/cpu_tools/suite_report.h"

using namespace reprise;

namespace {

namespace fs = std::filesystem;

fs::path conformance_folder()
{
    if (const char* folder = std::getenv("REPRISE_CONFORMANCE")) return folder;
    return fs::path(REPRISE_SOURCE_DIR) / "../shared/conformance";
}

/// Tests that may differ, with all flags compared and with the undefined ones left out.
struct Allowed {
    u64 all_flags, defined_flags;
};

void expect_conformance(const char* suite, Allowed allowed)
{
    const fs::path folder = conformance_folder() / suite;
    if (!fs::exists(folder)) {
        if (std::getenv("REPRISE_REQUIRE_MEDIA")) FAIL() << "no conformance data at " << folder;
        GTEST_SKIP() << "no conformance data at " << folder << "; set REPRISE_CONFORMANCE";
    }
    SuiteOptions options;
    options.paths = {folder.string()};
    options.keep_failures = 1;
    const SuiteResult result = run_suite(options);
    const u64 tests = result.sum(&OpcodeResult::tests);
    std::printf("%s", suite_table(result, true).c_str());
    ASSERT_GT(tests, 0u);
    EXPECT_FALSE(result.has_errors());
    EXPECT_LE(tests - result.sum(&OpcodeResult::equal_where_defined), allowed.defined_flags);
    EXPECT_LE(tests - result.sum(&OpcodeResult::equal), allowed.all_flags);
    if (!testing::Test::HasFailure()) return;
    for (const OpcodeResult& opcode : result.opcodes)
        for (const TestFailure& failure : opcode.failures)
            std::printf("%s", failure_text(opcode, failure).c_str());
}

}  // namespace

TEST(Conformance, An80286InRealModeIsMatchedInEveryTestButADamagedOne)
{
    expect_conformance("80286/v1_real_mode", {.all_flags = 1, .defined_flags = 1});
}

TEST(Conformance, An8086IsMatchedInEveryTest)
{
    expect_conformance("8086/v1_binary", {.all_flags = 0, .defined_flags = 0});
}
