/// Runs hardware-captured tests of an 80286 in real mode. The data is not part of the project: it is
/// looked for in $REPRISE_CONFORMANCE, else in ../shared/conformance beside the checkout.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include <fstream>

#include "cpu/cpu.h"
#include "tests/cpu/flat_bus.h"
#include "tests/cpu/moo_file.h"

using namespace reprise;

namespace {

namespace fs = std::filesystem;

fs::path conformance_folder()
{
    if (const char* folder = std::getenv("REPRISE_CONFORMANCE")) return folder;
    return fs::path(REPRISE_SOURCE_DIR) / "../shared/conformance";
}

/// AND masks of the defined flags, from the suite's metadata and its published errata.
class FlagMasks {
public:
    explicit FlagMasks(const fs::path& file)
    {
        std::ifstream in(file);
        opcodes_ = nlohmann::json::parse(in).at("opcodes");
    }

    u16 of(const std::string& stem) const
    {
        const auto dot = stem.find('.');
        auto entry = opcodes_.value(stem.substr(0, dot), nlohmann::json::object());
        if (dot != std::string::npos && entry.contains("reg"))
            entry = entry["reg"].value(stem.substr(dot + 1), nlohmann::json::object());
        u16 mask = static_cast<u16>(entry.value("flags-mask", 0xFFFF));
        if (stem.starts_with("C0.")) mask &= static_cast<u16>(~OF);  // erratum: copied from D0
        return mask;
    }

private:
    nlohmann::json opcodes_;
};

class Runner {
public:
    Runner() : bus_(u64{16} << 20), cpu_(bus_, *find_cpu_model("80286")) {}

    struct Outcome {
        bool masked = true;  // equal but for undefined flags
        bool all = true;     // equal
        std::string difference;
    };

    Outcome run(const MooTest& test, u16 flag_mask)
    {
        for (const auto& b : test.initial_ram) bus_.ram[b.address] = b.value;
        load(test.initial);
        for (int i = 0; i < 100'000 && !cpu_.halted(); ++i) cpu_.run(cpu_.state.clock + 1);
        Outcome outcome = compare(test, flag_mask);
        for (const auto& b : test.initial_ram) bus_.ram[b.address] = 0;
        for (const auto& b : test.final_ram) bus_.ram[b.address] = 0;
        return outcome;
    }

private:
    static constexpr u8 kGprs[8] = {RAX, RBX, RCX, RDX, RSP, RBP, RSI, RDI};
    static constexpr int kGprAt[8] = {0, 1, 2, 3, 8, 9, 10, 11};
    static constexpr u8 kSegs[4] = {CS, SS, DS, ES};

    void load(const MooTest::Registers& r)
    {
        cpu_.reset();
        for (int i = 0; i < 8; ++i) cpu_.state.gpr[kGprs[i]] = r[kGprAt[i]];
        for (int i = 0; i < 4; ++i) {
            Segment& s = cpu_.state.seg[kSegs[i]];
            s.selector = r[4 + i];
            s.base = u64{r[4 + i]} << 4;
        }
        cpu_.state.rip = r[12];
        cpu_.state.rflags = (r[13] & 0x0FFF) | kReservedSetFlags;
        cpu_.state_loaded();
    }

    Outcome compare(const MooTest& test, u16 flag_mask)
    {
        Outcome out;
        static constexpr const char* names[14] = {"ax", "bx", "cx", "dx", "cs", "ss", "ds",
                                                  "es", "sp", "bp", "si", "di", "ip", "flags"};
        const auto differ = [&](const std::string& what, u32 expected, u32 got, bool masked) {
            char text[80];
            std::snprintf(text, sizeof text, " %s %04X expected %04X", what.c_str(), got, expected);
            out.difference += text;
            out.all = false;
            if (masked) out.masked = false;
        };
        MooTest::Registers got{};
        for (int i = 0; i < 8; ++i) got[kGprAt[i]] = static_cast<u16>(cpu_.state.gpr[kGprs[i]]);
        for (int i = 0; i < 4; ++i) got[4 + i] = cpu_.state.seg[kSegs[i]].selector;
        got[12] = static_cast<u16>(cpu_.state.rip);
        got[13] = static_cast<u16>(cpu_.state.rflags);
        for (int i = 0; i < 14; ++i) {
            if (got[i] == test.final_[i]) continue;
            differ(names[i], test.final_[i], got[i],
                   i != 13 || ((got[i] ^ test.final_[i]) & flag_mask));
        }
        // The pushed FLAGS of an exception: erratum, the address in the file may be off by one.
        const u32 ss = u32{test.final_[5]} << 4;
        const u32 pushed[2] = {ss + ((test.final_[8] + 4u) & 0xFFFF), ss + ((test.final_[8] + 5u) & 0xFFFF)};
        for (const auto& b : test.final_ram) {
            const u8 value = bus_.ram[b.address];
            if (value == b.value) continue;
            u8 mask = 0xFF;
            if (test.exception && b.address == pushed[0]) mask = static_cast<u8>(flag_mask);
            if (test.exception && b.address == pushed[1]) mask = static_cast<u8>(flag_mask >> 8);
            char name[20];
            std::snprintf(name, sizeof name, "[%05X]", b.address);
            differ(name, b.value, value, ((value ^ b.value) & mask) != 0);
        }
        return out;
    }

    FlatBus bus_;
    Cpu cpu_;
};

}  // namespace

TEST(Conformance, An80286InRealModeIsMatchedOn99_9PercentOfItsTests)
{
    const fs::path folder = conformance_folder() / "80286/v1_real_mode";
    if (!fs::exists(folder)) {
        if (std::getenv("REPRISE_REQUIRE_MEDIA")) FAIL() << "no conformance data at " << folder;
        GTEST_SKIP() << "no conformance data at " << folder << "; set REPRISE_CONFORMANCE";
    }
    const FlagMasks masks(folder / "metadata.json");
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder))
        if (entry.path().string().find(".MOO") != std::string::npos) files.push_back(entry.path());
    std::ranges::sort(files);

    Runner runner;
    u64 tests = 0, masked = 0, all = 0;
    for (const fs::path& file : files) {
        const std::string stem = file.filename().string().substr(0, file.filename().string().find(".MOO"));
        u64 failed_here = 0, n = 0, failed_all = 0;
        std::string example;
        for (const MooTest& test : read_moo_file(file)) {
            const auto outcome = runner.run(test, masks.of(stem));
            ++n;
            ++tests;
            masked += outcome.masked;
            all += outcome.all;
            failed_all += !outcome.all;
            if (outcome.masked) continue;
            if (failed_here++ == 0) example = test.name + ":" + outcome.difference;
        }
        if (failed_here || std::getenv("REPRISE_VERBOSE"))
            std::printf("%-6s %llu of %llu failed (%llu all flags), e.g. %s\n", stem.c_str(),
                        static_cast<unsigned long long>(failed_here), static_cast<unsigned long long>(n),
                        static_cast<unsigned long long>(failed_all), example.c_str());
    }
    std::printf("80286: %llu tests, %.4f%% with documented flags, %.4f%% with all flags\n",
                static_cast<unsigned long long>(tests), 100.0 * static_cast<double>(masked) / static_cast<double>(tests),
                100.0 * static_cast<double>(all) / static_cast<double>(tests));
    ASSERT_GT(tests, 0u);
    EXPECT_GE(masked * 1000, tests * 999);
}
