#include "frontend/cpu_tools/suite_metadata.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "cpu/flags.h"
#include "machine/base/error.h"

namespace reprise {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr u32 kUpperHalf = 0xFFFF0000;  // masks in the metadata are of the 16-bit FLAGS

}  // namespace

SuiteMetadata SuiteMetadata::of_folder(const fs::path& folder)
{
    SuiteMetadata metadata;
    const fs::path here = folder.empty() ? fs::current_path() : folder;
    const fs::path above = fs::absolute(here).lexically_normal().parent_path();
    const auto first_of = [&](const char* name) {
        std::error_code ignored;
        return fs::exists(here / name, ignored) ? here / name : above / name;
    };
    metadata.read_metadata(first_of("metadata.json"));
    metadata.read_revocations(first_of("revocation_list.txt"));
    return metadata;
}

void SuiteMetadata::read_metadata(const fs::path& file)
{
    std::ifstream in(file);
    if (!in) return;
    try {
        const json opcodes = json::parse(in).at("opcodes");
        const auto add = [&](const std::string& name, const json& entry) {
            if (entry.contains("flags-mask"))
                masks_[name] = entry["flags-mask"].get<u32>() | kUpperHalf;
        };
        for (const auto& [opcode, entry] : opcodes.items()) {
            add(opcode, entry);
            if (!entry.contains("reg")) continue;
            for (const auto& [reg, member] : entry["reg"].items()) add(opcode + "." + reg, member);
        }
    } catch (const json::exception& error) {
        throw HostError(fmt::format("'{}' is not the metadata of a test suite: {}", file.string(),
                                    error.what()));
    }
}

void SuiteMetadata::read_revocations(const fs::path& file)
{
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        line.erase(line.find_last_not_of(" \t\r") + 1);
        if (!line.empty() && line[0] != '#') revoked_.insert(line);
    }
}

u32 SuiteMetadata::defined_flags(const std::string& opcode) const
{
    const auto found = masks_.find(opcode);
    u32 mask = found == masks_.end() ? ~u32{0} : found->second;
    // The 80286 suite has copied the masks of C0 from D0: OF is undefined after other counts than
    // one.
    if (opcode.starts_with("C0.") && found != masks_.end()) mask &= ~static_cast<u32>(OF);
    return mask;
}

}  // namespace reprise
