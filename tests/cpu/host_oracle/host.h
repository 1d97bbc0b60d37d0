/// The processor that this program runs on, as a thing to run single instructions on.
#pragma once

#include <string>

#include "tests/cpu/host_oracle/test_case.h"

namespace reprise::oracle {

/// Executes one instruction in user mode: a hand-made signal frame and rt_sigreturn(2) begin it
/// with all registers, and an INT3 behind it, or its exception, ends it in a signal handler. One at
/// a time.
class Host {
public:
    Host();
    ~Host();
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    /// Why tests of this mode cannot run here, or nothing.
    std::string refusal(Mode mode) const;

    /// What the exception was; `memory()` is what the instruction left.
    Outcome run(const TestCase& test);

    /// CPUID's name of its maker.
    static std::string vendor();

    /// The area as the tests see it; holes are filled with zeros.
    u8* memory() { return alias_; }

private:
    std::string map_area();
    std::string install_ldt();
    void install_handlers();

    u8* alias_ = nullptr;
    std::string area_error_, ldt_error_;
};

}  // namespace reprise::oracle
