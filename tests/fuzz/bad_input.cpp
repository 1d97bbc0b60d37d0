/// Gives `reprise conformance` and `reprise cpu run` inputs that were valid before they were
/// damaged, within this process: each must end with a result or with one sentence, in little time
/// and memory.
///
///     bad_input [--cases N] [--first S] [--say]
///
/// To repeat what a message names: --first CASE --cases 1; --say prints all sentences. CI's run is
/// the default; the long one is
/// --cases 1000000. Both belong under the sanitizers, which also refuse large allocations here.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "frontend/conformance_command.h"
#include "frontend/cpu_command.h"
#include "frontend/cpu_tools/moo_file.h"
#include "frontend/cpu_tools/suite_report.h"
#include "frontend/errors.h"
#include "frontend/options.h"
#include "frontend/units.h"
#include "machine/base/error.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/watchdog.h"

extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options()
{
    // What is kept after it was freed, to find uses of it, counts as memory of this process.
    return "max_allocation_size_mb=512:allocator_may_return_null=0:quarantine_size_mb=16";
}

namespace reprise::fuzz {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

constexpr unsigned kCpuSecondsPerCase = 60;
constexpr u64 kMostSteps = 20'000;         // of `cpu run`, as a value of --limit
constexpr u64 kMostMemory = u64{4} << 20;  // of --memory, where it is a size
constexpr long kMostResidentKilobytes = 1 << 20;

u64 present_case = 0;

class Fuzzer {
public:
    explicit Fuzzer(bool say)
        : say_(say),
          folder_(fs::temp_directory_path() / fmt::format("reprise-bad-input-{}", ::getpid()))
    {
        fs::create_directories(folder_ / "s");
        fs::create_directories(folder_ / "c");
    }
    ~Fuzzer() { fs::remove_all(folder_); }
    Fuzzer(const Fuzzer&) = delete;
    Fuzzer& operator=(const Fuzzer&) = delete;

    /// False: not as it should be, and it was said why.
    bool run(u64 number)
    {
        Random random(number);
        try {
            one_of_all(random);
            ++outcomes_["a result"];
        } catch (const HostError& error) {
            return sentence(error.what());
        } catch (const UsageError& error) {
            return sentence(error.what());
        } catch (const HelpRequested& help) {
            return sentence(help.text);
        } catch (const std::exception& error) {
            fmt::print(stderr, "case {}: not a sentence for a person: {}\n", number, error.what());
            return false;
        }
        return true;
    }

    const std::map<std::string, u64>& outcomes() const { return outcomes_; }

private:
    void one_of_all(Random& random)
    {
        if (one_in(random, 64)) return suite(random);  // many seldom come to their end
        if (one_in(random, 64)) return conformance_options(random);
        switch (random() % 4) {
        case 0: parse_moo(mutate(random_moo(random), random), "x.MOO"); break;
        case 1: moo_in_a_file(random); break;
        default: cpu_run(random);
        }
    }

    bool sentence(const std::string& text)
    {
        ++outcomes_["a sentence"];
        if (say_) fmt::print(stderr, "case {}: {}\n", present_case, text);
        if (text.size() >= 10) return true;
        fmt::print(stderr, "case {}: '{}' says too little\n", present_case, text);
        return false;
    }

    std::string write(const std::string& name, const Bytes& bytes)
    {
        const fs::path path = folder_ / name;
        fs::remove(path);  // faster than to overwrite it
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
        return path.string();
    }

    /// Plain or packed; damaged before, after, or both; now and then a few bytes that unpack to
    /// many.
    void moo_in_a_file(Random& random)
    {
        Bytes bytes = random_moo(random);
        if (one_in(random, 2)) bytes = mutate(std::move(bytes), random);
        if (!one_in(random, 3)) bytes = gzip(bytes);
        if (one_in(random, 2)) bytes = mutate(std::move(bytes), random);
        if (one_in(random, 1000)) bytes = bomb(random);
        read_moo_file(write("x.MOO.gz", bytes));
    }

    /// Up to 300 MB of zeros behind a file, in 300 KB.
    static Bytes bomb(Random& random)
    {
        static const Bytes kMegabyte = gzip(Bytes(1 << 20));
        Bytes bytes = gzip(random_moo(random));
        for (u64 n = random() % 300; n > 0; --n)
            bytes.insert(bytes.end(), kMegabyte.begin(), kMegabyte.end());
        return bytes;
    }

    /// Runs what the damaged file still holds, with damaged metadata.
    void suite(Random& random)
    {
        write("s/01.MOO", mutate(random_moo(random), random));
        const auto text = [&](const char* name, std::string contents) {
            if (one_in(random, 2)) contents = mutate(contents, random);
            if (one_in(random, 200)) contents = std::string(100'000, '[');
            write(name, Bytes(contents.begin(), contents.end()));
        };
        text(
            "s/metadata.json",
            R"({"opcodes": {"01": {"flags-mask": 65519}, "F6": {"reg": {"4": {"flags-mask": 1}}}}})");
        text("s/revocation_list.txt", "# revoked\n0123456789abcdef0123456789abcdef01234567\n");
        SuiteOptions options;
        options.paths = {(folder_ / "s").string()};
        options.threads = 1;
        options.max_failures = 1;
        options.all_flags = one_in(random, 2);
        const SuiteResult result = run_suite(options);
        suite_table(result, false);
        suite_json(result);
        for (const OpcodeResult& opcode : result.opcodes)
            for (const TestFailure& failure : opcode.failures) failure_text(opcode, failure);
    }

    /// Up to `most` of the options, with values of which one may be damaged.
    Words options(Random& random, const std::vector<std::pair<std::string, Words>>& all, u64 most)
    {
        Words words;
        for (u64 n = random() % (most + 1); n > 0; --n) {
            const auto& [name, values] = any_of(all, random);
            const bool again = std::ranges::count(words, name) != 0;
            if (again && name != "--reg" && !one_in(random, 50)) continue;
            words.push_back(one_in(random, 50) ? mutate(name, random) : name);
            if (fs::exists(words.back())) words.back() = name;  // not all of this host's files
            if (values.empty()) continue;
            const std::string& value = any_of(values, random);
            words.push_back(within_reason(name, one_in(random, 3) ? mutate(value, random) : value));
        }
        return words;
    }

    /// Whoever asks for 4 GB or for a week gets it: not here.
    static std::string within_reason(const std::string& name, std::string value)
    {
        const u64 number = std::strtoull(value.c_str(), nullptr, 0);
        if (name == "--limit" && number > kMostSteps) return "-1";
        if (name == "--jobs" && number > 4) return "-4";
        if (name == "--memory" && parse_size(value, u64{1} << 20) > kMostMemory) return "5T";
        return value;
    }

    void conformance_options(Random& random)
    {
        static const std::vector<std::pair<std::string, Words>> kOptions = {
            {"--cpu", {"8086", "80286", "386", "pentium"}},
            {"--filter", {"01", "F6.4", ""}},
            {"--shard", {"1/1", "1/2", "2/2", "99999/99999"}},
            {"--max-failures", {"0", "1", "18446744073709551615"}},
            {"--show", {"0", "1", "10"}},
            {"--jobs", {"0", "1", "2"}},
            {"--all-flags", {}},
            {"--brief", {}}};
        write("c/01.MOO", random_moo(random));
        Words words = options(random, kOptions, 4);
        words.push_back((folder_ / "c").string());
        conformance_command(words);
    }

    /// Instructions of all kinds, and what they become if bytes of them change.
    Bytes flat(Random& random)
    {
        static const Bytes kCode = {0xB8, 0x34, 0x12, 0x00, 0x00, 0x01, 0xC3, 0x50, 0x58,
                                    0xF7, 0xE3, 0x0F, 0xA2, 0xD9, 0xEB, 0x66, 0x0F, 0x6F,
                                    0xC1, 0x48, 0x89, 0x04, 0x25, 0x00, 0x20, 0x00, 0x00,
                                    0x0F, 0x22, 0xD8, 0x0F, 0x30, 0xE2, 0xF0, 0xCD, 0x80,
                                    0x8E, 0xD8, 0xF3, 0xA4, 0x0F, 0x05, 0xF4};
        Bytes code = kCode;
        for (u64 n = random() % 4; n > 0; --n) code = mutate(std::move(code), random);
        if (one_in(random, 20)) code.resize(random() % 10'000);
        return code;
    }

    void cpu_run(Random& random)
    {
        const std::string code = write("code.bin", flat(random));
        const std::vector<std::pair<std::string, Words>> kOptions = {
            {"--mode", {"16", "32", "64"}},
            {"--cpu", {"8086", "286", "386", "486", "pentium2", "pentium3", "x86-64", "x86-64-v2"}},
            {"--at", {"0", "0x1000", "0x12345", "4096"}},
            {"--entry", {"0x1000", "0x1005", "0xFFFF"}},
            {"--memory", {"4K", "64K", "640K", "1M", "2052K"}},
            {"--limit", {"0", "1", "1000", "20000"}},
            {"--deliver", {}},
            {"--dump", {"0x1000,16", "0,0", "4095,1"}},
            {"--mem", {"0x500=90F4", "0x2000=" + code, "0=00"}},
            {"--reg", registers(random)},
            {"--reg", registers(random)}};
        Words words = options(random, kOptions, 8);
        const auto usually = [&](const char* name, const char* value) {
            if (std::ranges::count(words, name) == 0) words.insert(words.end(), {name, value});
        };
        usually("--mode", one_in(random, 4) ? "32" : "64");
        usually("--memory", "64K");
        usually("--limit", "2000");
        usually("--json", "/dev/null");
        words.push_back(one_in(random, 50) ? mutate(code, random) : code);
        words.insert(words.begin(), "run");
        cpu_command(words);
    }

    /// Any register with a value that it may have, or has not the width for.
    static Words registers(Random& random)
    {
        static constexpr std::array kNames = {"eax",     "al",
                                              "r8",      "r9d",
                                              "r10w",    "r11b",
                                              "sil",     "rip",
                                              "eip",     "ip",
                                              "flags",   "eflags",
                                              "cs",      "ds",
                                              "ss",      "gs",
                                              "cr0",     "cr2",
                                              "cr3",     "cr4",
                                              "efer",    "kernel_gs_base",
                                              "star",    "lstar",
                                              "dr0",     "dr6",
                                              "dr7",     "mm0",
                                              "xmm0",    "xmm15",
                                              "mxcsr",   "fs_base",
                                              "gs_base", "esp",
                                              "rsp",     "sp"};
        Words words;
        for (int i = 0; i < 4; ++i) {
            const u64 value = one_in(random, 2) ? random() >> random() % 64
                                                : u64{1} << random() % 64 | u64{1} << random() % 64;
            words.push_back(fmt::format("{}=0x{:X}", any_of(kNames, random), value));
        }
        return words;
    }

    bool say_;
    fs::path folder_;
    std::map<std::string, u64> outcomes_;
};

long resident_kilobytes()
{
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

int main(u64 first, u64 cases, bool say)
{
    Watchdog watchdog("case", kCpuSecondsPerCase);
    Fuzzer fuzzer(say);
    u64 failures = 0;
    for (u64 i = 0; i < cases; ++i) {
        present_case = first + i;
        watchdog.watch(present_case);
        if (!fuzzer.run(present_case)) ++failures;
    }
    const long kilobytes = resident_kilobytes();
    if (kilobytes > kMostResidentKilobytes) ++failures;
    fmt::print(stderr, "{} cases, {} failures, at most {} MB of memory\n", cases, failures,
               kilobytes >> 10);
    for (const auto& [outcome, count] : fuzzer.outcomes())
        fmt::print(stderr, "    {} ended with {}\n", count, outcome);
    return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace reprise::fuzz

int main(int argc, char** argv)
{
    unsigned long long first = 1, cases = 10'000;
    bool say = false;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--say") {
            say = true;
        } else if (i + 1 < argc && (name == "--cases" || name == "--first")) {
            (name == "--cases" ? cases : first) = std::strtoull(argv[++i], nullptr, 0);
        } else {
            fmt::print(stderr, "usage: bad_input [--cases N] [--first S] [--say]\n");
            return 2;
        }
    }
    if (!std::freopen("/dev/null", "w", stdout)) return 2;  // where the commands print
    return reprise::fuzz::main(first, cases, say);
}
