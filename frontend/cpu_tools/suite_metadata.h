/// What is known about a folder of tests besides the tests: undefined flags, revoked tests.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "machine/base/types.h"

namespace reprise {

class SuiteMetadata {
public:
    /// Looks for metadata.json and revocation_list.txt beside the tests and one folder above. What
    /// is not there says nothing. Throws HostError if one cannot be understood.
    static SuiteMetadata of_folder(const std::filesystem::path& folder);

    /// AND mask of the flags that are defined after the opcode that a file is about; `opcode` is
    /// the file's name without its ending: "F6.4". All ones if nothing is known.
    u32 defined_flags(const std::string& opcode) const;
    bool is_revoked(const std::string& hash) const { return revoked_.contains(hash); }

private:
    void read_metadata(const std::filesystem::path& file);
    void read_revocations(const std::filesystem::path& file);

    std::map<std::string, u32> masks_;
    std::set<std::string> revoked_;
};

}  // namespace reprise
