/// What the benchmark's command line says.
#pragma once

#include <string>
#include <vector>

namespace reprise::bench {

struct Options {
    std::vector<std::string> reprises;  // "[NAME=]COMMAND ..."; empty: the one that was built
    std::vector<std::string> only;      // parts of class names; empty: all
    std::vector<std::string> programs;  // names; empty: all
    int rounds = 5;
    double seconds = 0.5;  // CPU time of one measured run
    std::string kernels, media;
    std::string csv, json, plot;  // files to write as well
    bool list = false, help = false;
};

const char* help_text();

/// Throws HostError.
Options parse_options(int count, char** arguments);

/// Whether a name contains one of the parts, or there are no parts.
bool chosen(const std::vector<std::string>& parts, const std::string& name);

}  // namespace reprise::bench
