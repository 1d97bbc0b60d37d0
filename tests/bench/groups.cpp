#include "tests/bench/groups.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace reprise::bench {

namespace {

struct Group {
    const char* name;
    std::vector<std::string> kernels;
};

const std::vector<Group>& groups()
{
    static const std::vector<Group> all = {
        {"16/32-bit integer",
         {"sieve16", "sieve32", "crc32", "sort32", "matrix32", "copy32", "chase32"}},
        {"calls, indirect jumps", {"calls32", "indirect32", "vm32"}},
        {"integer, paged", {"sort32_paged", "copy32_paged", "chase32_paged"}},
        {"64-bit integer",
         {"sieve64", "crc64", "sort64", "vm64", "calls64", "indirect64", "chase64"}},
        {"REP, large", {"string_large32"}},
        {"REP, small", {"string_small32"}},
        {"x87", {"nbody87"}},
        {"SSE2, floating point", {"nbody_sse", "saxpy_sse"}},
        {"SSE2, integer", {"pixels_sse"}},
        {"code that changes", {"smc32", "generate32"}},
        {"system", {"interrupt16", "syscall64", "pagefault32", "cr3_32", "invlpg32", "ports16"}},
        {"timer", {"timer32"}},
        {"VGA 13h", {"vga13_pixels16", "vga13_blit16"}},
        {"VGA planar", {"vga12_planar16"}},
    };
    return all;
}

const ProgramResult* result_of(const ClassResult& one, const std::string& program)
{
    const auto found = std::ranges::find(one.programs, program, &ProgramResult::program);
    return found == one.programs.end() || !found->failure.empty() ? nullptr : &*found;
}

/// The geometric mean of first/other over those kernels that both ran; 0: none.
double mean_ratio(const std::vector<ClassResult>& classes, const Group& group,
                  const std::string& first, const std::string& other)
{
    double logarithms = 0;
    int count = 0;
    for (const ClassResult& one : classes) {
        if (std::ranges::find(group.kernels, one.name) == group.kernels.end()) continue;
        const ProgramResult *ours = result_of(one, first), *theirs = result_of(one, other);
        if (!ours || !theirs) continue;
        logarithms += std::log(ours->median() / theirs->median());
        ++count;
    }
    return count ? std::exp(logarithms / count) : 0;
}

/// In the order in which they first appear.
std::vector<std::string> programs_of(const std::vector<ClassResult>& classes)
{
    std::vector<std::string> names;
    for (const ClassResult& one : classes)
        for (const ProgramResult& result : one.programs)
            if (std::ranges::find(names, result.program) == names.end())
                names.push_back(result.program);
    return names;
}

}  // namespace

std::string groups_of(const std::vector<ClassResult>& classes)
{
    const std::vector<std::string> programs = programs_of(classes);
    if (programs.size() < 2) return "";
    std::string text = fmt::format("{:<24}", fmt::format("time of {} /", programs.front()));
    for (std::size_t i = 1; i < programs.size(); ++i) text += fmt::format(" {:>11}", programs[i]);
    text += "\n";
    for (const Group& group : groups()) {
        std::string line = fmt::format("{:<24}", group.name);
        bool any = false;
        for (std::size_t i = 1; i < programs.size(); ++i) {
            const double mean = mean_ratio(classes, group, programs.front(), programs[i]);
            any = any || mean > 0;
            line += mean > 0 ? fmt::format(" {:>11.3f}", mean) : fmt::format(" {:>11}", "");
        }
        if (any) text += line + "\n";
    }
    return text;
}

}  // namespace reprise::bench
