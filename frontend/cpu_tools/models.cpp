/// The named models as a list.
#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "frontend/cpu_tools/cpu_job.h"

namespace reprise {

using Json = nlohmann::ordered_json;

namespace {

/// In the order of Feature, as Linux and QEMU write them.
constexpr auto kFeatureNames = std::to_array<std::string_view>(
    {"",       "fpu",   "vme",     "de",       "pse",    "tsc",     "msr",  "pae",
     "mce",    "cx8",   "apic",    "sep",      "mtrr",   "pge",     "mca",  "cmov",
     "pat",    "pse36", "clfsh",   "mmx",      "fxsr",   "sse",     "sse2", "sse3",
     "ssse3",  "cx16",  "sse4.1",  "sse4.2",   "popcnt", "syscall", "nx",   "page1gb",
     "rdtscp", "lm",    "lahf_lm", "fsgsbase", "smep",   "smap",    "umip", "arch_capabilities"});
static_assert(kFeatureNames.size() == static_cast<std::size_t>(Feature::kCount));

constexpr std::string_view kGenerations[] = {"8086",    "80286",       "80386", "80486",
                                             "Pentium", "Pentium Pro", "x86-64"};
static_assert(std::size(kGenerations) == static_cast<std::size_t>(Level::X64) + 1);

std::vector<std::string_view> features_of(const CpuModel& model)
{
    std::vector<std::string_view> names;
    for (std::size_t i = 1; i < kFeatureNames.size(); ++i)
        if (model.has(static_cast<Feature>(i))) names.push_back(kFeatureNames[i]);
    return names;
}

std::string_view generation(const CpuModel& model)
{
    return kGenerations[static_cast<std::size_t>(model.level)];
}

}  // namespace

std::string models_text()
{
    std::string text;
    for (const CpuModel& model : kCpuModels) {
        text += fmt::format("{:<12} {}\n             generation {}", model.name, model.description,
                            generation(model));
        const auto features = features_of(model);
        text += features.empty() ? "\n" : fmt::format("; {}\n", fmt::join(features, " "));
    }
    return text;
}

std::string models_json()
{
    Json models = Json::array();
    for (const CpuModel& model : kCpuModels) {
        Json json = {{"name", model.name},
                     {"description", model.description},
                     {"generation", generation(model)},
                     {"cpuid", model.has_cpuid},
                     {"features", features_of(model)}};
        if (model.has_cpuid) json["signature"] = fmt::format("0x{:08X}", model.signature);
        models.push_back(std::move(json));
    }
    const Json all = {
        {"format", "reprise-cpu-models"}, {"version", 1}, {"models", std::move(models)}};
    return all.dump(2) + '\n';
}

}  // namespace reprise
