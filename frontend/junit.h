#pragma once

#include <string>
#include <vector>

#include "frontend/script_runner.h"

namespace reprise {

struct TestReport {
    std::string name;
    TestResult result;
    double host_seconds = 0;
};

std::string junit_text(const std::vector<TestReport>& reports);

/// Throws HostError.
void write_junit(const std::string& path, const std::vector<TestReport>& reports);

}  // namespace reprise
