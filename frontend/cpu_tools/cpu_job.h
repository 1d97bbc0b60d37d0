/// `reprise cpu run`: a piece of machine code on a bare processor.
#pragma once

#include <string>
#include <vector>

#include "cpu/model.h"
#include "machine/base/types.h"

namespace reprise {

struct CpuJob {
    std::string code;  // file with the code
    const CpuModel* model = nullptr;
    int mode = 16;         // 16, 32 or 64
    u64 address = 0x1000;  // where the code is loaded, physical
    u64 entry = 0x1000;    // where it begins
    u64 memory_bytes = u64{16} << 20;
    u64 limit = 1'000'000;  // instructions
    bool deliver = false;   // exceptions and interrupts through the guest's own table

    struct Assignment {
        std::string name, value;
    };
    std::vector<Assignment> registers;
    struct Memory {
        u64 address;
        std::string source;  // a file, or hexadecimal digits
    };
    std::vector<Memory> memory;
    struct Range {
        u64 address, length;
    };
    std::vector<Range> dumps;
};

/// Process exit codes of a job that ran.
enum JobExit : int { kJobHalted = 0, kJobException = 3, kJobLimit = 4, kJobShutdown = 5 };

struct CpuJobResult {
    std::string json;  // the layout is in frontend/README.md
    int exit_code = kJobHalted;
};

/// Throws HostError with one sentence if a file, a register, an address or the mode is wrong.
CpuJobResult run_cpu_job(const CpuJob& job);

/// The named models, for people and as JSON.
std::string models_text();
std::string models_json();

}  // namespace reprise
