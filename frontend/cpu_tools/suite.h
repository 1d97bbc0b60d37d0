/// Whole folders of tests, on all of the host's cores.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "frontend/cpu_tools/test_runner.h"

namespace reprise {

struct SuiteOptions {
    std::vector<std::string> paths;   // files, and folders that are searched for *.MOO and *.MOO.gz
    const CpuModel* model = nullptr;  // nullptr: what each file says
    std::string filter;               // only files with this in their name, as "F6.4"
    u32 shard = 1, shards = 1;   // of all files, every `shards`th, beginning with number `shard`
    u64 max_failures = 0;        // stop after so many failed tests; 0: never
    u64 keep_failures = 10;      // of each file, so many failures are described
    u32 threads = 0;             // 0: as many as the host has cores
    bool all_flags = false;      // undefined flags count
    std::function<bool()> stop;  // asked now and then; true: end early
    std::function<void(std::size_t done, std::size_t files)> on_progress;
};

struct TestFailure {
    MooTest test;
    Outcome outcome;
};

/// What came out of one file: one form of one opcode.
struct OpcodeResult {
    std::string path, opcode, mnemonic;
    std::string moo_cpu;
    const CpuModel* model = nullptr;
    u64 tests = 0, revoked = 0;
    u64 equal = 0;                // all flags as captured
    u64 equal_where_defined = 0;  // undefined flags not compared
    u64 failed = 0;               // by whichever of the two counts
    bool complete = false;        // false: stopped before its end
    double host_seconds = 0;
    std::string error;  // the file could not be used: one sentence
    std::vector<TestFailure> failures;
};

struct SuiteResult {
    std::vector<OpcodeResult> opcodes;  // in the order of their paths
    std::vector<std::string> notes;

    u64 sum(u64 OpcodeResult::*count) const;
    bool has_errors() const;
    bool stopped_early() const;
};

/// Throws HostError if there is nothing to run.
SuiteResult run_suite(const SuiteOptions& options);

}  // namespace reprise
