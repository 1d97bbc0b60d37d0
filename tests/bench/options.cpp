#include "tests/bench/options.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <sstream>

#include "machine/base/error.h"

namespace reprise::bench {

namespace {

constexpr const char* kHelp =
    "usage: reprise_bench [options]\n"
    "Runs guest kernels on Reprise and on the emulators that are installed, and compares their\n"
    "host CPU time.\n"
    "  --only PARTS          classes whose name contains one of these, divided by commas\n"
    "  --programs NAMES      only these: reprise, qemu, bochs, dosbox, native, or names given "
    "with\n"
    "                        --reprise\n"
    "  --reprise [NAME=]CMD  this Reprise, with options; may be given more than once\n"
    "  --rounds N            measured runs of each pair (5)\n"
    "  --seconds S           CPU time of one measured run (0.5)\n"
    "  --csv FILE            write the results as CSV too\n"
    "  --json FILE           write the results as JSON too\n"
    "  --plot FILE           draw the results as SVG too\n"
    "  --media DIR           where fdboot-1440k.img is ($REPRISE_MEDIA, else ../shared/media)\n"
    "  --kernels DIR         other kernels than those that were built\n"
    "  --list                name the classes\n";

std::vector<std::string> split(const std::string& text)
{
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, ',');)
        if (!part.empty()) parts.push_back(part);
    return parts;
}

double positive(const std::string& name, const std::string& text, double most)
{
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end || !(value > 0) || value > most)
        throw HostError(fmt::format("{} {}: a number up to {} is expected", name, text, most));
    return value;
}

}  // namespace

const char* help_text() { return kHelp; }

Options parse_options(int count, char** arguments)
{
    Options options;
    options.kernels = REPRISE_BENCH_KERNELS;
    const char* media = std::getenv("REPRISE_MEDIA");
    options.media = media && *media ? media : REPRISE_BENCH_MEDIA;

    std::string name;
    const std::map<std::string, std::function<void(const std::string&)>> with_value = {
        {"--only", [&](const std::string& text) { options.only = split(text); }},
        {"--programs", [&](const std::string& text) { options.programs = split(text); }},
        {"--reprise", [&](const std::string& text) { options.reprises.push_back(text); }},
        {"--rounds",
         [&](const std::string& text) {
             options.rounds = std::max(1, static_cast<int>(positive(name, text, 1000)));
         }},
        {"--seconds", [&](const std::string& text) { options.seconds = positive(name, text, 20); }},
        {"--csv", [&](const std::string& text) { options.csv = text; }},
        {"--json", [&](const std::string& text) { options.json = text; }},
        {"--plot", [&](const std::string& text) { options.plot = text; }},
        {"--media", [&](const std::string& text) { options.media = text; }},
        {"--kernels", [&](const std::string& text) { options.kernels = text; }}};

    for (int i = 1; i < count; ++i) {
        name = arguments[i];
        if (name == "--help" || name == "-h") options.help = true;
        else if (name == "--list") options.list = true;
        else if (const auto option = with_value.find(name); option == with_value.end())
            throw HostError(fmt::format("'{}': there is no such option; see --help", name));
        else if (++i == count) throw HostError(fmt::format("{} needs a value", name));
        else option->second(arguments[i]);
    }
    return options;
}

bool chosen(const std::vector<std::string>& parts, const std::string& name)
{
    return parts.empty() || std::ranges::any_of(parts, [&](const std::string& part) {
               return name.find(part) != std::string::npos;
           });
}

}  // namespace reprise::bench
