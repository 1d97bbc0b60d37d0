/// Guest faults (#PF, #GP, ...) are ordinary results, not C++ exceptions: they are frequent under
/// V86 monitors and demand paging, and they must be able to leave generated code.
#pragma once

#include "machine/base/types.h"

namespace reprise {

/// Exception vectors (SDM vol. 3A, table 6-1).
enum Vector : u8 {
    kDivideError = 0,
    kDebug = 1,
    kNmi = 2,
    kBreakpoint = 3,
    kOverflow = 4,
    kBoundRange = 5,
    kInvalidOpcode = 6,
    kDeviceNotAvailable = 7,
    kDoubleFault = 8,
    kCoprocessorOverrun = 9,
    kInvalidTss = 10,
    kSegmentNotPresent = 11,
    kStackFault = 12,
    kGeneralProtection = 13,
    kPageFault = 14,
    kFloatingPoint = 16,
    kAlignmentCheck = 17,
    kSimdFloatingPoint = 19,
};

/// A fault on its way to its handler.
struct Fault {
    u8 vector = 0;
    bool has_error_code = false;
    u16 error_code = 0;
};

/// The value of something that may fault. When `ok` is false the fault itself has already been
/// recorded by Cpu::raise, and the instruction must return without changing guest state.
template <class T>
struct [[nodiscard]] Fallible {
    constexpr Fallible() = default;  // it faulted
    constexpr Fallible(T v) : value(v), ok(true) {}

    T value{};
    bool ok = false;
};

}  // namespace reprise

/// Evaluates to the value of a Fallible, or returns false from the instruction. Our one macro.
#define TRY(...)                                  \
    __extension__({                               \
        const auto result_ = (__VA_ARGS__);       \
        if (!result_.ok) [[unlikely]] return {};  \
        result_.value;                            \
    })
