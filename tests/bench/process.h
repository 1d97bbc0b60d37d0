/// Running another program and knowing what it cost.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace reprise::bench {

struct ProcessResult {
    double cpu_seconds = 0;  // user and system time, of its threads and children too
    bool timed_out = false;  // it was still running at the limit, and was ended
    std::string output;      // what it wrote to stdout and stderr
};

/// Runs `command` (found in PATH) in `folder` to its end, or until `enough`, which is asked every
/// few milliseconds. Input is empty. Throws HostError if it cannot be started.
ProcessResult run_process(const std::vector<std::string>& command, const std::string& folder,
                          int limit_seconds, const std::function<bool()>& enough = {});

/// The file that PATH leads to, or empty.
std::string find_program(const std::string& name);

/// A folder under the system's temporary directory that goes with its owner.
class Workspace {
public:
    Workspace();  // Throws HostError.
    ~Workspace();
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    const std::string& path() const { return path_; }
    std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

/// Throw HostError.
std::string read_text(const std::string& path);
void write_text(const std::string& path, const std::string& text);

}  // namespace reprise::bench
