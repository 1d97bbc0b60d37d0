/// SIGSEGV, as the way that host code finds out that memory is not plain RAM.
#pragma once

#include "machine/base/types.h"

namespace reprise::jit {

/// Whoever executes host code that may fault.
class FaultHandler {
public:
    /// Where execution goes on after the instruction at `code` could not access `address`, or null:
    /// such a fault is not expected. Called within the signal handler.
    virtual const u8* way_out(const u8* code, const u8* address, bool write) = 0;

protected:
    ~FaultHandler() = default;
};

/// While it lives, faults of this thread are shown to `handler`. All others, and those it does not
/// expect, go to whoever handled the signal before, or end the program as ever.
class FaultScope {
public:
    explicit FaultScope(FaultHandler& handler);
    ~FaultScope();
    FaultScope(const FaultScope&) = delete;
    FaultScope& operator=(const FaultScope&) = delete;

private:
    FaultHandler* outer_;
};

/// Installs the signal handler, once. False: the host refuses.
bool handle_faults();

}  // namespace reprise::jit
